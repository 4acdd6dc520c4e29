"""Where the secrets are: environment, file, command, keyring, encrypted vault."""

from lumio_cli.credentials.store import CredentialSettings, CredentialStore, Loaded
from lumio_cli.credentials.vault import Vault, VaultStatus

__all__ = ["CredentialSettings", "CredentialStore", "Loaded", "Vault", "VaultStatus"]

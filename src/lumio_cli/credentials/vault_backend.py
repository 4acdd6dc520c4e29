"""The vault as a keyring backend, so that one code path stores in either.

Imported only when the vault is used: `keyring.backend` brings none of the operating system's
backends, and this class has no `priority`, so that `keyring` never picks it by itself.
"""

from __future__ import annotations

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

from lumio_cli.credentials.vault import Vault


class VaultKeyring(KeyringBackend):
    """A `Vault` behind keyring's three methods. They raise what `Vault` raises."""

    def __init__(self, vault: Vault) -> None:
        # The base class would set attributes from KEYRING_PROPERTY_* variables.
        self._vault = vault

    def get_password(self, service: str, username: str) -> str | None:
        """The value, or None."""
        return self._vault.get(service, username)

    def set_password(self, service: str, username: str, password: str) -> None:
        """Store a value."""
        self._vault.set(service, username, password)

    def delete_password(self, service: str, username: str) -> None:
        """Remove a value. Raises `PasswordDeleteError` where there is none."""
        if not self._vault.delete(service, username):
            raise PasswordDeleteError("no such entry in the vault")

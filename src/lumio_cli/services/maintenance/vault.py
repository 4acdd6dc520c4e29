"""What `lumio vault` does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lumio_cli.core.errors import CredentialError, UsageError
from lumio_cli.core.paths import expand
from lumio_cli.credentials import Vault, VaultStatus
from lumio_cli.credentials.vault_key import KeyText, create_key_file, read_key_file


@dataclass(frozen=True, slots=True)
class VaultDone:
    """What came of `init_vault` or `rekey_vault`.

    `key` says where the key is now; `next_step` what is left to the operator, if anything.
    """

    path: Path
    key: str
    entries: int
    next_step: str | None

    def as_json(self) -> dict[str, Any]:
        """For `--output json`."""
        return {**asdict(self), "path": str(self.path)}


def init_vault(
    vault: Vault,
    environ: Mapping[str, str],
    *,
    key_file: Path | None = None,
    ask: Callable[[str], str] | None = None,
) -> VaultDone:
    """Make an empty vault.

    key_file  holds its key; made with a new random one where it does not exist
    ask       gets a passphrase, twice
    neither   the key that the environment or the settings name

    Raises `UsageError` where there is a vault already or no key was named, `CredentialError` where
    the key cannot be used or the files cannot be written.
    """
    if vault.exists:
        raise UsageError(
            f"there is a vault already: {vault.path}",
            hint="`lumio vault rekey` gives it another key; `lumio vault status` tells about it",
        )
    if key_file is None and ask is None and vault.keys.named:
        key = vault.keys.find(vault.path)
    else:
        key = _new_key(environ, key_file, ask)
    vault.create(key)
    return VaultDone(vault.path, key.source, 0, _next_step(vault, key))


def rekey_vault(
    vault: Vault,
    environ: Mapping[str, str],
    *,
    key_file: Path | None = None,
    ask: Callable[[str], str] | None = None,
) -> VaultDone:
    """Give the vault another key; the old one, found as ever, opens nothing from then on.

    `key_file` and `ask` are as for `init_vault`, one of them is needed. Where it fails the vault
    keeps its old key; a key file that was made for it stays and is used the next time. Raises
    `UsageError`, `CredentialError`.
    """
    if not vault.exists:
        raise UsageError(f"there is no vault: {vault.path}", hint="lumio vault init")
    # Before a new key is made or asked for.
    vault.check()
    key = _new_key(environ, key_file, ask)
    entries = vault.rekey(key)
    return VaultDone(vault.path, key.source, entries, _next_step(vault, key))


def vault_status(vault: Vault) -> VaultStatus:
    """What can be said of the vault without its key. Raises `CredentialError` for a damaged one."""
    return vault.status()


def status_json(status: VaultStatus) -> dict[str, Any]:
    """For `--output json`."""
    return {**asdict(status), "path": str(status.path)}


def _new_key(
    environ: Mapping[str, str], key_file: Path | None, ask: Callable[[str], str] | None
) -> KeyText:
    if key_file is not None:
        path = expand(key_file, UsageError).absolute()
        return read_key_file(path, environ) if path.exists() else create_key_file(path)
    if ask is None:
        raise UsageError(
            "no key was named for the vault",
            hint="--key-file FILE makes a random one, --passphrase asks for one on a terminal",
        )
    first = ask("New passphrase of the vault: ")
    if ask("The same again: ") != first:
        raise CredentialError("the two passphrases differ", hint="try again", code="vault_weak_key")
    return KeyText(first, "passphrase")


def _next_step(vault: Vault, key: KeyText) -> str | None:
    """How lumio will find the key from now on, where it would not by itself."""
    if key.source == vault.keys.named:
        return None
    old = f"take the old key out of {vault.keys.named}" if vault.keys.named else None
    if key.source.startswith("file "):
        new = f"set LUMIO_VAULT_KEY_FILE={key.source.removeprefix('file ')}"
        # A key in a variable of its own wins over one in a file.
        return f"{old}, and {new}" if vault.keys.named == "LUMIO_VAULT_KEY" else new
    return old

"""What opens the vault: where the key comes from, and how text becomes a key."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lumio_cli.core.errors import CredentialError
from lumio_cli.core.paths import expand, make_private_dir
from lumio_cli.credentials.secret_files import create_secret_file, read_secret_file

SIZE = 32
SCRYPT_N = 2**15
SHORTEST = 12

_HEX = re.compile(r"[0-9a-fA-F]{64}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{43}=?")


@dataclass(frozen=True, slots=True)
class KeyText:
    """A key as the operator gave it, and where it was found."""

    text: str = field(repr=False)
    source: str

    def raw(self) -> bytes | None:
        """The 32 bytes that the text writes in hex, base64 or base64url; None: a passphrase."""
        text = self.text.strip()
        if _HEX.fullmatch(text):
            return bytes.fromhex(text)
        if _BASE64.fullmatch(text):
            plain = text.rstrip("=").translate(str.maketrans("-_", "+/"))
            try:
                return base64.b64decode(f"{plain}=", validate=True)
            except binascii.Error:
                return None
        return None


class KeySource:
    """Finds the vault's key: `LUMIO_VAULT_KEY`, `LUMIO_VAULT_KEY_FILE`, the setting
    `credentials.vault_key_file`, and at last a passphrase that `ask` gets from the terminal (None:
    there is no terminal). An answer of `ask` is kept, so that it asks once.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        key_file: str | None = None,
        ask: Callable[[str], str] | None = None,
    ) -> None:
        self._environ = environ
        self._key_file = key_file
        self._ask = ask
        self._answer: KeyText | None = None

    @property
    def named(self) -> str | None:
        """Where a key is to be found without asking anybody, unread; None: nowhere."""
        if "LUMIO_VAULT_KEY" in self._environ:
            return "LUMIO_VAULT_KEY"
        path = self._path()
        return f"file {path}" if path else None

    @property
    def given_in_environment(self) -> bool:
        """Whether the environment names a key: the operator's choice of the vault."""
        return "LUMIO_VAULT_KEY" in self._environ or "LUMIO_VAULT_KEY_FILE" in self._environ

    def find(self, vault: Path) -> KeyText:
        """The key for `vault`. Raises `CredentialError`: vault_locked where there is none to be
        found, and what reading a key file raises.
        """
        if "LUMIO_VAULT_KEY" in self._environ:
            return _filled(self._environ["LUMIO_VAULT_KEY"], "LUMIO_VAULT_KEY")
        if path := self._path():
            return read_key_file(path, self._environ)
        if self._answer is None:
            if self._ask is None:
                raise CredentialError(
                    f"the vault {vault} is locked, and there is no key",
                    hint="set LUMIO_VAULT_KEY or LUMIO_VAULT_KEY_FILE",
                    code="vault_locked",
                )
            self._answer = _filled(self._ask(f"Passphrase of the vault {vault}: "), "passphrase")
        return self._answer

    def forget(self) -> None:
        """Forget a passphrase that turned out to be wrong, so that the next `find` asks again."""
        self._answer = None

    def _path(self) -> Path | None:
        named = self._environ.get("LUMIO_VAULT_KEY_FILE", self._key_file)
        return expand(named, CredentialError) if named else None


def read_key_file(path: Path, environ: Mapping[str, str]) -> KeyText:
    """The key in a file that only its owner may read. Raises `CredentialError`."""
    return _filled(read_secret_file(path, "the vault's key file", environ), f"file {path}")


def create_key_file(path: Path) -> KeyText:
    """A new random key in a new file, 0600. Raises `CredentialError` vault_unwritable."""
    text = base64.b64encode(secrets.token_bytes(SIZE)).decode()
    try:
        make_private_dir(path.parent)
        create_secret_file(path, f"{text}\n".encode())
    except OSError as error:
        raise CredentialError(
            f"the key file cannot be written: {path}: {error.strerror}",
            hint="name a new file in a directory that is yours",
            code="vault_unwritable",
        ) from None
    return KeyText(text, f"file {path}")


def new_kdf(key: KeyText, scrypt_n: int) -> dict[str, Any]:
    """The parameters that a new vault derives its key with.

    Raises `CredentialError` vault_weak_key for a passphrase that is quickly guessed.
    """
    if key.raw() is not None:
        return {"name": "none"}
    if len(key.text.strip()) < SHORTEST:
        raise CredentialError(
            f"the passphrase from {key.source} is shorter than {SHORTEST} characters",
            hint="take a longer one, or a random key: `lumio vault init --key-file FILE`",
            code="vault_weak_key",
        )
    salt = base64.b64encode(secrets.token_bytes(16)).decode()
    return {"name": "scrypt", "salt": salt, "n": scrypt_n, "r": 8, "p": 1}


def derive(key: KeyText, kdf: Mapping[str, Any]) -> bytes | None:
    """The 32 bytes that `key` stands for under a vault's `kdf`; None: it is of the other form.

    Raises ValueError, KeyError or TypeError for parameters that no lumio has written.
    """
    raw = key.raw()
    if kdf["name"] == "none":
        return raw
    if kdf["name"] != "scrypt" or not (kdf["n"] <= 2**20 and kdf["r"] <= 16 and kdf["p"] <= 4):
        # Parameters from a changed file could otherwise ask for all the machine's memory.
        raise ValueError
    if raw is not None:
        return None
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    salt = base64.b64decode(kdf["salt"], validate=True)
    scrypt = Scrypt(salt=salt, length=SIZE, n=kdf["n"], r=kdf["r"], p=kdf["p"])
    return scrypt.derive(key.text.strip().encode())


def _filled(text: str, source: str) -> KeyText:
    if not text.strip():
        raise CredentialError(
            f"the vault's key from {source} is empty",
            hint="give it the key, or leave it out",
            code="vault_locked",
        )
    return KeyText(text, source)

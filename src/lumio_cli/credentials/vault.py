"""The encrypted vault: one file of credentials for machines without a keyring.

Each entry is AES-256-GCM with a random nonce of 96 bits, bound to the file's version and to its
own name, so that entries can neither be changed nor swapped. The names are readable: whether a
provider is connected can be told without the key. The key itself is nowhere in the file; a check
entry tells a wrong key from a damaged entry.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lumio_cli.core.clock import Clock, format_timestamp, parse_time
from lumio_cli.core.errors import BusyError, CredentialError, UsageError
from lumio_cli.core.locks import FileLock
from lumio_cli.core.stop import Stop
from lumio_cli.credentials.secret_files import replace_secret_file
from lumio_cli.credentials.vault_key import SCRYPT_N, KeySource, KeyText, derive, new_kdf

VERSION = 1
MAX_KEY_AGE_DAYS = 90
_CHECK = b"lumio vault"
_DAY = 86400.0
_LOCK_WAIT = 30.0

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class VaultStatus:
    """What can be said of the vault without opening it.

    entries         credentials in it
    key_source      where the key would be found without asking ("LUMIO_VAULT_KEY", "file PATH")
    kdf             `scrypt` for a passphrase, `none` for a random key
    key_created_at  RFC 3339: when the present key came into use
    overdue         the key is older than `MAX_KEY_AGE_DAYS` and should be rotated
    """

    path: Path
    exists: bool
    entries: int = 0
    key_source: str | None = None
    kdf: str | None = None
    key_created_at: str | None = None
    age_days: int | None = None
    overdue: bool = False


class Vault:
    """The vault at `path`. Safe to share by processes: writers take turns, readers see a whole
    file. Every method that needs the key raises `CredentialError` vault_locked (there is none),
    vault_wrong_key, vault_damaged or vault_too_new; writers also vault_unwritable, `BusyError`
    where another process does not let go of the file, and `StoppedError`.

    `scrypt_n` is the cost of a passphrase in a new file or after `rekey`; an existing file says
    its own.
    """

    def __init__(
        self,
        path: Path,
        keys: KeySource,
        *,
        clock: Clock,
        learn: Callable[[str], None],
        stop: Stop | None = None,
        scrypt_n: int = SCRYPT_N,
    ) -> None:
        self.path = path
        self.keys = keys
        self._clock = clock
        self._learn = learn
        self._stop = stop or Stop()
        self._scrypt_n = scrypt_n
        self._opened: tuple[str, str, bytes] | None = None

    @property
    def exists(self) -> bool:
        """Whether the file is there."""
        return self.path.exists()

    def create(self, key: KeyText) -> None:
        """A new vault without entries. Raises `UsageError` where there is one."""
        with self._writing():
            if self.exists:
                raise UsageError(
                    f"there is a vault already: {self.path}",
                    hint="`lumio vault rekey` gives it another key",
                )
            self._new(key)

    def check(self) -> None:
        """Raise unless the key at hand opens the vault."""
        self._open(self._read())

    def names(self) -> list[tuple[str, str]]:
        """(service, user) of every entry. Needs no key."""
        if not self.exists:
            return []
        entries = self._read()["entries"]
        return sorted((service, user) for service in entries for user in entries[service])

    def get(self, service: str, user: str) -> str | None:
        """The value of an entry, or None."""
        if not self.exists:
            return None
        document = self._read()
        entry = document["entries"].get(service, {}).get(user)
        if entry is None:
            return None
        return self._decrypt(self._open(document), service, user, entry)

    def set(self, service: str, user: str, value: str) -> None:
        """Store an entry. Makes the vault where there is none yet."""
        with self._writing():
            document = self._read() if self.exists else self._new(self.keys.find(self.path))
            key = self._open(document)
            entries = document["entries"].setdefault(service, {})
            entries[user] = _encrypt(key, _bound(service, user), value.encode())
            self._write(document)

    def delete(self, service: str, user: str) -> bool:
        """Remove an entry; False where there was none. Needs no key."""
        if (service, user) not in self.names():
            return False
        with self._writing():
            document = self._read()
            if document["entries"].get(service, {}).pop(user, None) is None:
                return False
            self._write(document)
            return True

    def rekey(self, new: KeyText) -> int:
        """Encrypt every entry with another key, at once or not at all; how many there are.

        The old key opens nothing from then on. A crash leaves the old file whole. Raises
        `UsageError` where the key is the old one.
        """
        self._learn(new.text)
        with self._writing():
            document = self._read()
            key = self._open(document)
            if derive(new, document["kdf"]) == key:
                raise UsageError(
                    "the new key is the old one",
                    hint="name a new file, or type another passphrase",
                )
            fresh = self._empty(new, created=document["key"]["created_at"])
            secret = self._open(fresh, new)
            for service, users in document["entries"].items():
                fresh["entries"][service] = {
                    user: _encrypt(
                        secret,
                        _bound(service, user),
                        self._decrypt(key, service, user, entry).encode(),
                    )
                    for user, entry in users.items()
                }
            self._write(fresh)
        self._opened = None
        self.keys.forget()
        return sum(map(len, fresh["entries"].values()))

    @property
    def key_age_days(self) -> int | None:
        """Whole days since the key came into use; None without a vault."""
        return self.status().age_days

    def status(self) -> VaultStatus:
        """What can be said without the key. Raises `CredentialError` for a damaged file."""
        if not self.exists:
            return VaultStatus(self.path, exists=False, key_source=self.keys.named)
        document = self._read()
        since = _key_time(document)
        age = int(max(0.0, self._clock.time() - parse_time(since).timestamp()) // _DAY)
        return VaultStatus(
            path=self.path,
            exists=True,
            entries=sum(map(len, document["entries"].values())),
            key_source=self.keys.named,
            kdf=document["kdf"]["name"],
            key_created_at=since,
            age_days=age,
            overdue=age > MAX_KEY_AGE_DAYS,
        )

    # -- the file

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            lock = FileLock(self.path.with_name(f"{self.path.name}.lock"), what="vault")
            if not lock.acquire(_LOCK_WAIT, self._stop):
                raise BusyError(
                    f"another lumio has been writing the vault for {_LOCK_WAIT:g} s: {self.path}",
                    hint="end it, or try again",
                )
            with lock:
                yield
        except OSError as error:
            raise CredentialError(
                f"the vault cannot be written: {self.path}: {error.strerror}",
                hint="check the directory and who may write there",
                code="vault_unwritable",
            ) from None

    def _read(self) -> Document:
        try:
            text = self.path.read_bytes()
        except OSError as error:
            raise CredentialError(
                f"the vault cannot be read: {self.path}: {error.strerror}",
                hint="check that the file is there and belongs to you",
                code="vault_unreadable",
            ) from None
        try:
            document = json.loads(text)
            known = document["format"] == "lumio-vault" and document["version"] <= VERSION
            newer = document["format"] == "lumio-vault" and document["version"] > VERSION
            if known:
                _check_shape(document)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self._damaged("it cannot be read as a vault") from None
        if newer:
            raise CredentialError(
                f"the vault {self.path} was written by a newer lumio",
                hint="update lumio; nothing was changed",
                code="vault_too_new",
            )
        if not known:
            raise self._damaged("it is no vault of lumio")
        result: Document = document
        return result

    def _write(self, document: Document) -> None:
        replace_secret_file(self.path, json.dumps(document, indent=1).encode() + b"\n")

    def _new(self, key: KeyText) -> Document:
        self._learn(key.text)
        document = self._empty(key, created=None)
        self._write(document)
        return document

    def _empty(self, key: KeyText, created: str | None) -> Document:
        """A document without entries. `created` is when the vault's first key was made."""
        now = format_timestamp(self._clock.time())
        kdf = new_kdf(key, self._scrypt_n)
        secret = derive(key, kdf)
        if secret is None:
            raise AssertionError("a key's parameters are made for its own form")
        key_id = secrets.token_hex(8)
        return {
            "format": "lumio-vault",
            "version": VERSION,
            "kdf": kdf,
            "key": {
                "id": key_id,
                "created_at": created or now,
                "rotated_at": now if created else None,
            },
            "check": _encrypt(secret, _bound("", key_id), _CHECK),
            "entries": {},
        }

    # -- the key

    def _open(self, document: Document, key: KeyText | None = None) -> bytes:
        """The key's bytes, proved on the check entry. Derived once for each key of the file."""
        given = key or self.keys.find(self.path)
        key_id = str(document["key"]["id"])
        if self._opened is not None and self._opened[:2] == (key_id, given.text):
            return self._opened[2]
        self._learn(given.text)
        try:
            secret = derive(given, document["kdf"])
        except (ValueError, KeyError, TypeError):
            raise self._damaged("its key parameters make no sense") from None
        if secret is None or _decrypt(secret, _bound("", key_id), document["check"]) != _CHECK:
            self.keys.forget()
            raise CredentialError(
                f"the key from {given.source} does not open the vault {self.path}",
                hint="check LUMIO_VAULT_KEY, LUMIO_VAULT_KEY_FILE or the passphrase; "
                "nothing was changed",
                code="vault_wrong_key",
            )
        self._opened = (key_id, given.text, secret)
        return secret

    def _decrypt(self, key: bytes, service: str, user: str, entry: Any) -> str:
        value = _decrypt(key, _bound(service, user), entry)
        if value is None:
            raise self._damaged(
                f"the entry {service}/{user} is not what was stored",
                hint="remove it (`lumio disconnect PROVIDER`) and connect again, "
                "or restore the file",
            )
        return value.decode()

    def _damaged(
        self, what: str, hint: str = "restore the file, or move it away and connect again"
    ) -> CredentialError:
        return CredentialError(
            f"the vault {self.path} was changed or damaged: {what}",
            hint=hint,
            code="vault_damaged",
        )


def _key_time(document: Document) -> str:
    about = document["key"]
    return str(about["rotated_at"] or about["created_at"])


def _check_shape(document: Document) -> None:
    """Raise ValueError, KeyError, TypeError or AttributeError where the file lacks a part."""
    parse_time(_key_time(document))
    _ = document["kdf"]["name"], document["key"]["id"], document["check"]
    for users in document["entries"].values():
        users.keys()


def _bound(service: str, user: str) -> bytes:
    """What an entry is tied to. JSON, because plain joining could read two names alike."""
    return json.dumps([VERSION, service, user]).encode()


def _encrypt(key: bytes, bound: bytes, value: bytes) -> dict[str, str]:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(12)
    return {
        "nonce": base64.b64encode(nonce).decode(),
        "data": base64.b64encode(AESGCM(key).encrypt(nonce, value, bound)).decode(),
    }


def _decrypt(key: bytes, bound: bytes, entry: Any) -> bytes | None:
    """The value, or None where key, name or content are not the ones that were encrypted."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        nonce = base64.b64decode(entry["nonce"], validate=True)
        data = base64.b64decode(entry["data"], validate=True)
        return AESGCM(key).decrypt(nonce, data, bound)
    except (InvalidTag, ValueError, KeyError, TypeError):
        return None

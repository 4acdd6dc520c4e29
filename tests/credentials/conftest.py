"""Keyrings of every temper, and a store that knows of no machine but the test's own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError

from lumio_cli.core.paths import find_paths
from lumio_cli.core.redact import Redactor
from lumio_cli.credentials import CredentialSettings, CredentialStore


class MemoryKeyring(KeyringBackend):
    """Keeps passwords in memory, and refuses those that Windows would refuse."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.calls = 0

    def get_password(self, service: str, username: str) -> str | None:
        self.calls += 1
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.calls += 1
        if len(password.encode("utf-16-le")) > 2560:
            raise ValueError("the stub received bad data")
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self.calls += 1
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError("none")


class RaisingKeyring(KeyringBackend):
    """Raises the same error whatever is asked."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def get_password(self, service: str, username: str) -> str | None:
        raise self.error

    def set_password(self, service: str, username: str, password: str) -> None:
        raise self.error

    def delete_password(self, service: str, username: str) -> None:
        raise self.error


class HangingKeyring(MemoryKeyring):
    """Does not answer before `released` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        self.released.wait(30)
        return super().get_password(service, username)


class ForgetfulKeyring(MemoryKeyring):
    """Takes a password and keeps another."""

    def set_password(self, service: str, username: str, password: str) -> None:
        super().set_password(service, username, password[:10])


MakeStore = Callable[..., CredentialStore]


@pytest.fixture
def memory() -> MemoryKeyring:
    return MemoryKeyring()


@pytest.fixture
def hanging() -> Iterator[HangingKeyring]:
    backend = HangingKeyring()
    yield backend
    backend.released.set()


@pytest.fixture
def locked() -> RaisingKeyring:
    return RaisingKeyring(KeyringLocked("Failed to unlock the collection!"))


@pytest.fixture
def redactor() -> Redactor:
    return Redactor()


@pytest.fixture
def make_store(tmp_path: Path, redactor: Redactor) -> MakeStore:
    """A store in a directory of the test; `backend` is its keyring, `env` its environment."""

    def make(
        backend: KeyringBackend | None = None,
        env: Mapping[str, str] | None = None,
        *,
        store: Any = "auto",
        key_file: str | None = None,
        timeout: float = 8.0,
        profile: str = "default",
        **options: Any,
    ) -> CredentialStore:
        environ = {"LUMIO_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin", **(env or {})}

        def find() -> KeyringBackend:
            if backend is None:
                raise AssertionError("the keyring was touched")
            return backend

        return CredentialStore(
            find_paths(profile, environ),
            environ,
            CredentialSettings(store, key_file, timeout),
            redactor,
            find_keyring=find,
            **{"scrypt_n": 16, **options},
        )

    return make

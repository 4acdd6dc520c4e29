"""The operating system's keyring, made safe to ask: it may be missing, locked, or never answer."""

from __future__ import annotations

import json
import secrets
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from lumio_cli.core.errors import CredentialError, LumioError
from lumio_cli.core.stop import Stop

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

SERVICE = "lumio"
PART = 1000
"""Characters in one entry. Windows keeps 2560 bytes of UTF-16 and lumio stores ASCII."""

T = TypeVar("T")


class LostPartError(Exception):
    """A value in parts, of which one is gone."""


class Passwords:
    """Long values in a keyring backend that can only hold short ones.

    A value of more than `part` characters is split: the parts go to new names first and the entry
    that lists them is written last, so that a crash in between leaves the old value readable.
    `part` 0 is for a backend that has no limit: it never splits. Raises what the backend raises,
    and `LostPartError` where a part is gone.
    """

    def __init__(self, backend: KeyringBackend, part: int = PART) -> None:
        self._backend = backend
        self._part = part

    def get(self, user: str) -> str | None:
        """The value of `user`, whole, or None."""
        text = self._backend.get_password(SERVICE, user)
        names = _parts(user, text)
        if not names:
            return text
        values = [self._backend.get_password(SERVICE, name) for name in names]
        if None in values:
            raise LostPartError
        return "".join(v for v in values if v is not None)

    def set(self, user: str, value: str) -> None:
        """Store `value`, and forget the parts of the old one."""
        old = _parts(user, self._backend.get_password(SERVICE, user)) if self._part else []
        if self._part and len(value) > self._part:
            chunks = [value[i : i + self._part] for i in range(0, len(value), self._part)]
            head = json.dumps({"parts": len(chunks), "mark": secrets.token_hex(4)})
            for name, chunk in zip(_parts(user, head), chunks, strict=True):
                self._backend.set_password(SERVICE, name, chunk)
            self._backend.set_password(SERVICE, user, head)
        else:
            self._backend.set_password(SERVICE, user, value)
        for name in old:
            self._remove(name)

    def delete(self, user: str) -> bool:
        """Remove the value with all its parts; False where there was none."""
        text = self._backend.get_password(SERVICE, user) if self._part else ""
        if text is None:
            return False
        for name in _parts(user, text):
            self._remove(name)
        return self._remove(user)

    def _remove(self, name: str) -> bool:
        from keyring.errors import PasswordDeleteError

        try:
            self._backend.delete_password(SERVICE, name)
        except PasswordDeleteError:
            return False
        return True


def _parts(user: str, text: str | None) -> list[str]:
    """The names of the parts that an entry lists; none for an entry that is the value itself."""
    try:
        head = json.loads(text or "")
        return [f"{user}:{head['mark']}:{n}" for n in range(1, head["parts"] + 1)]
    except (ValueError, KeyError, TypeError):
        return []


class SystemKeyring:
    """The machine's keyring, each use of it within `limit` seconds.

    `find` is `keyring.get_keyring`, or what stands in for it. Waiting ends when `stop` is set.
    """

    def __init__(
        self,
        *,
        limit: float,
        environ: Mapping[str, str],
        find: Callable[[], KeyringBackend] | None = None,
        stop: Stop | None = None,
    ) -> None:
        self._limit = limit
        self._environ = environ
        self._find = find or _system_backend
        self._stop = stop or Stop()
        self._stuck: threading.Thread | None = None

    def use(self, work: Callable[[Passwords], T], provider: str) -> tuple[T, str]:
        """What `work` returns, and the keyring's name ("keyring (SecretService)").

        Raises `CredentialError`: keyring_unavailable, keyring_no_dbus, keyring_locked,
        keyring_timeout, credential_damaged, keyring_failed. Raises `StoppedError`.
        """

        def run() -> tuple[T, str]:
            backend = _usable(self._find())
            if backend is None:
                raise self._missing(provider)
            return work(Passwords(backend)), f"keyring ({_name(backend)})"

        try:
            return self._limited(run, provider)
        except LumioError:
            raise
        except LostPartError:
            raise CredentialError(
                f"the keyring has lost a part of the credential of {provider}",
                hint=f"lumio connect {provider}",
                code="credential_damaged",
            ) from None
        except Exception as error:  # noqa: BLE001 backends raise whatever their libraries raise
            raise self._explain(error, provider) from None

    def _limited(self, run: Callable[[], T], provider: str) -> T:
        """`run` in a daemon thread: a keyring that hangs must not keep the process alive."""
        if self._stuck is not None and self._stuck.is_alive():
            raise self._late(provider)
        outcome = _Outcome[T]()
        thread = threading.Thread(
            target=outcome.fill, args=(run,), name="lumio-keyring", daemon=True
        )
        thread.start()
        deadline = time.monotonic() + self._limit
        while not outcome.done.wait(0.05):
            self._stop.check()
            if time.monotonic() >= deadline:
                self._stuck = thread
                raise self._late(provider)
        return outcome.result()

    # -- one message and one fix for each way to fail

    def _late(self, provider: str) -> CredentialError:
        name = _variable(provider)
        return CredentialError(
            f"the keyring did not answer within {self._limit:g} s",
            hint=f"without a desktop session set {name} or {name}_FILE, "
            "or keep credentials in the vault: `lumio vault init`",
            code="keyring_timeout",
        )

    def _missing(self, provider: str) -> CredentialError:
        if sys.platform.startswith("linux") and not _session_bus(self._environ):
            return CredentialError(
                "the keyring cannot be reached: there is no D-Bus session here",
                hint="as cron, a service or a container do, use the vault: `lumio vault init`, "
                f"or set {_variable(provider)}_FILE",
                code="keyring_no_dbus",
            )
        return CredentialError(
            "this machine has no usable keyring, and lumio keeps no credential in plain text",
            hint="run `lumio vault init`, or set LUMIO_VAULT_KEY or LUMIO_VAULT_KEY_FILE "
            "or credentials.store: vault",
            code="keyring_unavailable",
        )

    def _explain(self, error: Exception, provider: str) -> CredentialError:
        from keyring import errors

        if isinstance(error, errors.NoKeyringError):
            return self._missing(provider)
        kinds = {type(e).__name__ for e in (error, error.__cause__) if e is not None}
        if kinds & {"KeyringLocked", "LockedException", "PromptDismissedException"}:
            return CredentialError(
                "the keyring is locked",
                hint=f"unlock it and try again, or set {_variable(provider)}",
                code="keyring_locked",
            )
        library = type(error).__module__.partition(".")[0]
        if isinstance(error, (errors.InitError, OSError)) or library in _BUS_LIBRARIES:
            return CredentialError(
                f"the keyring cannot be reached over D-Bus ({type(error).__name__})",
                hint="start it in this session (for example `dbus-run-session`), "
                "or keep credentials in the vault: `lumio vault init`",
                code="keyring_no_dbus",
            )
        # Only the type: a backend may put what it was given into its message.
        return CredentialError(
            f"the keyring failed ({type(error).__name__})",
            hint="`python -m keyring diagnose` tells more; `lumio vault init` is the way around it",
            code="keyring_failed",
        )


_BUS_LIBRARIES = ("secretstorage", "jeepney", "dbus")


class _Outcome(Generic[T]):
    """What a thread's function returned or raised."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self._values: list[T] = []
        self._error: Exception | None = None

    def fill(self, run: Callable[[], T]) -> None:
        try:
            self._values.append(run())
        except Exception as error:  # noqa: BLE001 handed over to the waiting thread
            self._error = error
        finally:
            self.done.set()

    def result(self) -> T:
        if self._error is not None:
            raise self._error
        return self._values[0]


def _variable(provider: str) -> str:
    from lumio_cli.credentials.operator_sources import variable

    return variable(provider)


def _system_backend() -> KeyringBackend:
    import keyring

    return keyring.get_keyring()


def _usable(backend: KeyringBackend) -> KeyringBackend | None:
    """The backend, or None where it would keep nothing or keep it in plain text.

    The chainer stands for all backends of the machine and would fall through to any of them: of
    these, the first usable one is taken.
    """
    module = type(backend).__module__
    if module == "keyring.backends.chainer":
        members = getattr(backend, "backends", [])
        return next((b for b in map(_usable, members) if b is not None), None)
    if module in ("keyring.backends.fail", "keyring.backends.null"):
        return None
    if module.startswith("keyrings.alt") or "plaintext" in type(backend).__name__.lower():
        return None
    return backend


def _name(backend: KeyringBackend) -> str:
    return type(backend).__module__.rpartition(".")[2]


def _session_bus(environ: Mapping[str, str]) -> bool:
    """Whether a D-Bus session can be expected, as libdbus looks for it."""
    if environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return True
    runtime = environ.get("XDG_RUNTIME_DIR")
    return bool(runtime) and (Path(str(runtime)) / "bus").exists()

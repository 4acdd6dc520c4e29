"""The credential of a session: which one it is, and how it stays good.

A refresh token often works once. So one process refreshes while the others wait and take its
result, and what the provider gave is stored before it is used. Nothing is ever deleted because a
provider said no: an operator can still look at it, and `lumio connect` replaces it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lumio_cli.core.clock import utc
from lumio_cli.core.errors import BadReplyError, CredentialError, LumioError, UnavailableError
from lumio_cli.core.locks import FileLock
from lumio_cli.providers.contract.auth import Credential
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.verdict import Outcome, outcome_of
from lumio_cli.transport.default_verdicts import clean
from lumio_cli.transport.quota.bounds import OUTAGE
from lumio_cli.transport.quota.retry_after import retry_after
from lumio_cli.transport.wire_errors import WireError

if TYPE_CHECKING:
    from lumio_cli.core.clock import Clock
    from lumio_cli.core.redact import Redactor
    from lumio_cli.core.stop import Stop
    from lumio_cli.providers.contract.provider import Provider

SKEW = 60.0
SKEW_SHARE = 0.1
"""A token is renewed this many seconds, or this share of its life, before it ends."""
LOCK_WAIT = 60.0
"""Seconds to wait for another process's refresh; longer than two time-outs of it are rare."""
PAUSE = 1.0
"""Seconds before the one repetition of a refresh."""
LONGEST_PAUSE = 30.0
"""A token endpoint that wants a longer pause than this is unavailable."""


class Loaded(Protocol):
    """A credential with where it came from, in words for people; `writable`: save() can keep it."""

    @property
    def credential(self) -> Credential: ...
    @property
    def source(self) -> str: ...
    @property
    def writable(self) -> bool: ...


class CredentialStore(Protocol):
    """Where credentials are kept."""

    def load(self, provider: str) -> Loaded:
        """The credential to use now. Raises `CredentialError` where there is none."""
        ...

    def save(self, provider: str, credential: Credential) -> object:
        """Replace the stored credential, atomically and durably."""
        ...


class Authenticator:
    """Gives requests their credential and renews it. Safe to share by threads.

    `post` sends one request without a credential and returns the answer, whatever its status; it
    raises `WireError` or `LumioError`. `locks` is the profile's lock directory.
    """

    def __init__(
        self,
        provider: Provider,
        store: CredentialStore,
        *,
        locks: Path,
        clock: Clock,
        stop: Stop,
        redactor: Redactor,
        post: Callable[[Call], Reply],
    ) -> None:
        self._provider = provider
        self._store = store
        self._lock_path = locks / f"credential-{provider.name}.lock"
        self._clock = clock
        self._stop = stop
        self._redactor = redactor
        self._post = post
        self._mutex = threading.Lock()
        self._loaded: Loaded | None = None
        self._credential: Credential | None = None
        self._due = float("inf")

    @property
    def source(self) -> str:
        """Where the credential in use came from; empty before the first use."""
        return self._loaded.source if self._loaded is not None else ""

    def current(self) -> Credential:
        """The credential to use, renewed if it is about to end.

        Raises `CredentialError` (none there, or the login has expired), `UnavailableError` where
        it has ended and the provider cannot renew it now.
        """
        credential = self._credential
        if credential is None:
            with self._mutex:
                credential = self._credential or self._adopt(self._load())
        if self._clock.time() < self._due:
            return credential
        try:
            return self.renew(credential) or credential
        except UnavailableError:
            if credential.expires_at is None or utc(self._clock.time()) >= credential.expires_at:
                raise
            # It is still good for a while: the next calls try again to renew it.
            self._due = self._clock.time() + PAUSE * 10
            return credential

    def renew(self, used: Credential) -> Credential | None:
        """A newer credential than `used`, which the provider refused or which is about to end.

        It may be one that another thread or process (or an operator) has put there meanwhile.
        None: there is no newer one and no way to get one. Raises `CredentialError` with the code
        `login_expired` where the refresh token is no longer good, `UnavailableError` where
        the provider cannot renew it now.
        """
        with self._mutex:
            held = self._credential
            if held is not None and held.token != used.token:
                return held
            if not self._renewable(used):
                loaded = self._load()
                return None if loaded.credential.token == used.token else self._adopt(loaded)
            lock = FileLock(self._lock_path, what="renewing a credential", clock=self._clock)
            if not lock.acquire(LOCK_WAIT, self._stop):
                raise UnavailableError(
                    f"another lumio process has been renewing the {self._provider.name} "
                    f"credential for more than {LOCK_WAIT:.0f} s",
                    hint="run it again; `lumio diagnostic` shows who holds the lock",
                )
            try:
                return self._renew_alone(used)
            finally:
                lock.release()

    def _renew_alone(self, used: Credential) -> Credential | None:
        loaded = self._load()
        # What is handed over for one run has no token of its own, and never a newer one.
        own = loaded.writable or bool(loaded.credential.token)
        if own and loaded.credential.token != used.token:
            return self._adopt(loaded)
        if not loaded.writable and loaded.credential.refresh:
            # To use up a refresh token without keeping its successor would end the login.
            return None
        new = self._refresh(loaded.credential)
        for secret in new.secrets():
            self._redactor.learn(secret)
        try:
            if loaded.writable:
                self._store.save(self._provider.name, new)
        finally:
            # Even where it cannot be stored: the old one may be worth nothing any more.
            self._use(new, loaded)
        return new

    def _renewable(self, credential: Credential) -> bool:
        return self._provider.renewal(credential, utc(self._clock.time())) is not None

    def _load(self) -> Loaded:
        loaded = self._store.load(self._provider.name)
        for secret in loaded.credential.secrets():
            self._redactor.learn(secret)
        return loaded

    def _adopt(self, loaded: Loaded) -> Credential:
        self._use(loaded.credential, loaded)
        return loaded.credential

    def _use(self, credential: Credential, loaded: Loaded) -> None:
        self._loaded, self._credential = loaded, credential
        self._due = float("inf")
        if not credential.token:
            self._due = 0.0
        elif credential.expires_at is not None and self._renewable(credential):
            # A stored token does not say how long it lives: what is left of it is the least.
            left = credential.expires_at.timestamp() - self._clock.time()
            self._due = credential.expires_at.timestamp() - max(SKEW, left * SKEW_SHARE)

    def _refresh(self, old: Credential) -> Credential:
        """The successor of `old`. A lost answer is followed by one more try and no further: the
        refresh token may be used up by now, but many servers allow it for a moment longer.
        """
        for last in (False, True):
            # From before the request on: the token is older than its answer.
            now = utc(self._clock.time())
            call = self._provider.renewal(old, now)
            assert call is not None  # noqa: S101 renew() has looked
            try:
                reply = self._post(call)
            except WireError as fault:
                if last or not fault.passing:
                    raise self._unavailable(fault.error()) from None
                self._clock.sleep(PAUSE, self._stop)
                continue
            outcome = outcome_of(reply.status)
            if outcome not in (Outcome.RETRY, Outcome.THROTTLED):
                return self._read(reply, now.timestamp(), old)
            pause = retry_after(reply, self._clock, OUTAGE) or PAUSE
            if last or pause > LONGEST_PAUSE:
                break
            self._clock.sleep(pause, self._stop)
        raise UnavailableError(
            f"{self._provider.title} cannot renew the credential at the moment "
            f"(status {reply.status})",
            hint="nothing was lost; run it again later",
        )

    def _read(self, reply: Reply, asked_at: float, old: Credential) -> Credential:
        try:
            return self._provider.tokens(reply, now=utc(asked_at), old=old)
        except BadReplyError as error:
            raise self._unavailable(error) from None
        except CredentialError as error:
            message = clean(error.message, self._redactor)
            # What is only tried has no source but the operator, who has just given it.
            origin = f"credential from {self.source}" if self.source else "the credential given"
            again = f"`lumio connect {self._provider.name}`"
            if not self.source:
                again = f"check what was given: {', '.join(sorted(old.fields)) or 'the token'}"
            raise CredentialError(
                f"{self._provider.title}: {message} ({origin})",
                code=error.code,
                hint=error.hint or again,
            ) from None

    def _unavailable(self, error: LumioError) -> UnavailableError:
        return UnavailableError(
            f"the {self._provider.title} credential cannot be renewed: {error.message}",
            hint=error.hint,
        )

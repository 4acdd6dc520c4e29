"""A connected provider: its declarations, a session with it, and whose account that opens."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from lumio_cli.services.connections import account_guard
from lumio_cli.services.connections.sessions import open_for
from lumio_cli.transport.request_log import Tally

if TYPE_CHECKING:
    from lumio_cli.credentials.store import Loaded
    from lumio_cli.hub.sqlite.database import Transactions
    from lumio_cli.providers.contract.provider import Provider
    from lumio_cli.runtime import Runtime
    from lumio_cli.transport.session import Session


@dataclass(frozen=True, slots=True)
class Manner:
    """How a session is opened; see `sessions.open_for`. `read_only`: for a preview, which stores
    nothing, not even whose account it is."""

    priority: Literal["interactive", "incremental", "backfill"]
    run_id: str
    read_only: bool = False
    connections: int | None = None


@dataclass(frozen=True, slots=True)
class ProviderConnection:
    """A provider with a session that sends with its stored credential. Safe to share by threads.

    `connect` opens one; nothing is asked of the provider before `verify_account`.
    """

    provider: Provider
    session: Session
    manner: Manner
    runtime: Runtime = field(repr=False)
    loaded: Loaded = field(repr=False)

    def new_tally(self, on_wait: Callable[[float, str], None]) -> Tally:
        """Make a counter of requests that reports its waits to `on_wait(seconds, reason)`."""
        return Tally(on_wait)

    def verify_account(self, hub: Transactions) -> ProviderConnection:
        """Make sure that the hub holds the data of the account that the credential opens, or of
        none; returns the connection to go on with. `hub` runs work in the thread that owns it.

        Quotas and cache are kept by account: from its first request on, a run must count where all
        later ones will, and its days begin where the account's do. Raises `LumioError`.
        """
        before = hub.call(self._account_key)
        account_guard.verify(
            hub,
            self.provider,
            self.loaded.credential,
            self.loaded.source,
            self.session.send,
            self.runtime.clock.time(),
            write=not self.manner.read_only,
        )
        return hub.call(self._for_account, before)

    def reopen(self) -> ProviderConnection:
        """Open another session, with the provider as its account is known by now. The runtime
        closes both."""
        provider = self.runtime.provider(self.provider.name)
        session = _open(self.runtime, provider, self.manner)
        return replace(self, provider=provider, session=session)

    def _for_account(self, _: sqlite3.Connection, before: str) -> ProviderConnection:
        return self if self._account_key(_) == before else self.reopen()

    def _account_key(self, _: sqlite3.Connection) -> str:
        # With the credential at hand: a keyring that hangs must not hold up the writer.
        credential = self.loaded.credential
        return account_guard.account_key(self.runtime, self.provider.name, fallback=credential)


def connect(runtime: Runtime, provider: Provider, manner: Manner) -> ProviderConnection:
    """Connect `provider` with its stored credential. Raises `CredentialError` where there is none,
    and `ConfigError`."""
    loaded = runtime.credentials.load(provider.name)
    return ProviderConnection(provider, _open(runtime, provider, manner), manner, runtime, loaded)


def _open(runtime: Runtime, provider: Provider, manner: Manner) -> Session:
    return open_for(
        runtime,
        provider,
        priority=manner.priority,
        run_id=manner.run_id,
        read_only=manner.read_only,
        connections=manner.connections,
    )

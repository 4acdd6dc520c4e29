"""From settings to a session: the one place where the transport is put together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from lumio_cli.hub.sqlite.response_fallback import LastKnown
from lumio_cli.services.connections.account_guard import account_key
from lumio_cli.transport.quota.limiter import Priority
from lumio_cli.transport.session import CONNECTIONS, Session, TransportOptions, open_session
from lumio_cli.transport.wire import Timeouts

if TYPE_CHECKING:
    from lumio_cli.providers.contract.auth import Credential
    from lumio_cli.providers.contract.provider import Provider
    from lumio_cli.runtime import Runtime

PRIORITIES = {
    "interactive": Priority.INTERACTIVE,
    "incremental": Priority.INCREMENTAL,
    "backfill": Priority.BACKFILL,
}


@dataclass(frozen=True, slots=True)
class _Tried:
    """A credential that is not stored (yet)."""

    credential: Credential = field(repr=False)
    source: str = ""
    writable: bool = False


class _Trial:
    """Stands in for the credential store while a credential is only tried."""

    def __init__(self, credential: Credential) -> None:
        self._tried = _Tried(credential)

    def load(self, provider: str) -> _Tried:
        """The credential that is tried."""
        return self._tried

    def save(self, provider: str, credential: Credential) -> object:
        """Keep what a refresh brought, for as long as the trial lasts."""
        self._tried = _Tried(credential)
        return self._tried


def open_for(
    runtime: Runtime,
    provider: Provider,
    *,
    priority: Literal["interactive", "incremental", "backfill"] = "interactive",
    credential: Credential | None = None,
    run_id: str = "",
    read_only: bool = False,
    connections: int | None = None,
) -> Session:
    """Open a way to `provider` as the settings want it, with the stored credential or with one that
    is only tried. `read_only` writes nothing to the hub; `connections` are how many requests may be
    under way, None: as many as a sync has. The runtime closes it with itself.

    Raises `ConfigError`. The credential is read with the first request.
    """
    settings, chosen = runtime.settings, runtime.settings.provider(provider.name)
    http = settings.http
    runtime.redactor.learn_url(http.proxy)
    wish = priority if chosen.priority == "auto" else chosen.priority
    paths = runtime.paths
    session = open_session(
        provider,
        TransportOptions(
            base_url=chosen.base_url or None,
            tls12=http.tls12 or None,
            ca_file=http.ca_file or None,
            proxy=http.proxy or None,
            timeouts=Timeouts(connect=http.connect_timeout, read=http.read_timeout),
            max_wait=settings.sync.max_wait,
            max_body=http.max_body,
            connections=connections or CONNECTIONS,
            priority=PRIORITIES[wish],
            account=account_key(runtime, provider.name, credential),
            quota_share=chosen.quota_share,
            run_id=run_id,
        ),
        store=runtime.store,
        quota_store=runtime.quota_store,
        credentials=runtime.credentials if credential is None else _Trial(credential),
        cache_dir=paths.cache if settings.cache.enabled and credential is None else None,
        locks_dir=paths.locks,
        redactor=runtime.redactor,
        clock=runtime.clock,
        stop=runtime.stop,
        last_known=LastKnown(runtime.hub_path, read_only=read_only) if credential is None else None,
    )
    runtime.close_later(session.close)
    return session

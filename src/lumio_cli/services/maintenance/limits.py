"""What `lumio limits` does: show every quota, hold and circuit with its reason, and lift them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lumio_cli.core.clock import format_time

if TYPE_CHECKING:
    from datetime import datetime

    from lumio_cli.runtime import Runtime
    from lumio_cli.transport.overview import Overview, Standing


def describe(runtime: Runtime, provider: str | None = None) -> list[dict[str, Any]]:
    """Every quota, hold and circuit, of `provider` or of all that were ever asked for anything.

    Asks for no credential: where the hub does not know the account, all that is stored is shown.
    Raises `UsageError` for an unknown provider, `ConfigError`, `HubError`.
    """
    from lumio_cli.services.connections.account_guard import known_account
    from lumio_cli.transport.owner import whose

    found = []
    for name in _names(runtime, provider):
        account, adapter = known_account(runtime, name), runtime.provider(name)
        base_url = runtime.settings.provider(name).base_url or adapter.base_url
        owner = None if account is None else whose(account, base_url)
        own_first = sorted(_overview(runtime, name).look(owner), key=lambda s: s.owner != owner)
        found += [_row(s, owner) for s in own_first if s.stopped or owner in (None, s.owner)]
    return found


def lift(runtime: Runtime, provider: str | None = None) -> list[dict[str, Any]]:
    """Lift holds and used-up quotas and close circuits, of `provider` or of all; what was lifted.

    A run that sleeps already does not wake up. Raises as `describe` does.
    """
    return [
        _row(standing, standing.owner)
        for name in _names(runtime, provider)
        for standing in _overview(runtime, name).lift()
    ]


def _names(runtime: Runtime, provider: str | None) -> list[str]:
    from lumio_cli.providers.registry import provider_class, provider_names

    if provider is not None:
        provider_class(provider)
    if not runtime.paths.quotas.exists():
        return []  # nothing was ever asked
    if provider is not None:
        return [provider]
    rows = runtime.quota_store.query("SELECT key FROM quotas UNION SELECT key FROM breakers")
    known = {key.partition(":")[0] for (key,) in rows}
    return [name for name in provider_names() if name in known]


def _overview(runtime: Runtime, name: str) -> Overview:
    from lumio_cli.transport.overview import Overview

    share = runtime.settings.configured(name).quota_share
    return Overview(runtime.quota_store, runtime.provider(name), runtime.clock, share=share)


def _row(standing: Standing, owner: str | None) -> dict[str, Any]:
    """A row of the contract. `owner` is whose it is where nothing else is said."""
    about = [f"one {standing.keyed}"] if standing.keyed else []
    if standing.owner != owner:
        about.append(standing.owner)
    of = f" ({' of '.join(about)})" if about and standing.reason else ""
    return {
        "provider": standing.provider,
        "quota": standing.quota,
        "limit": standing.limit,
        "remaining": standing.remaining,
        "reset_at": _moment(standing.reset_at),
        "held_until": _moment(standing.held_until),
        "reason": f"{standing.reason}{of}" if standing.reason else None,
    }


def _moment(value: datetime | None) -> str | None:
    return None if value is None else format_time(value)

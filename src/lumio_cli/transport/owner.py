"""Whose quotas, holds and circuits they are: an account's, at one origin.

Another account of the same provider has its own, and so has a look-alike: what it answers must
never stop syncs with the real one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lumio_cli.core.errors import ConfigError
from lumio_cli.transport.breaker import Breaker
from lumio_cli.transport.quota.limiter import Limiter

if TYPE_CHECKING:
    from lumio_cli.core.clock import Clock
    from lumio_cli.providers.contract.provider import Provider
    from lumio_cli.transport.runtime_db.store import RuntimeStore

_PORTS = {"https": 443, "http": 80}


def whose(account: str, base_url: str) -> str:
    """`account` (an id or a digest, no secret) at the origin of `base_url`.

    Raises `ConfigError` where that is no URL.
    """
    try:
        url = urlsplit(base_url)
        port = url.port or _PORTS.get(url.scheme)
    except ValueError as error:
        raise ConfigError(f"base_url is no URL: {error}") from None
    return f"{account}@{url.scheme}://{url.hostname}:{port}"


def limiter_of(
    store: RuntimeStore,
    provider: Provider,
    owner: str,
    clock: Clock,
    *,
    share: float = 1.0,
) -> Limiter:
    """The quotas of `provider` as they count for `owner` (see `whose`)."""
    scope = dict.fromkeys(("account", "app", "token"), owner)
    return Limiter(store, provider.name, provider.quotas, scope, clock, share=share)


def breaker_of(store: RuntimeStore, provider: str, owner: str, clock: Clock) -> Breaker:
    """The circuit of `provider` for `owner` (see `whose`)."""
    return Breaker(store, f"{provider}:{owner}", clock, name=provider)

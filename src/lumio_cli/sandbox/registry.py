"""The look-alikes there are. Adding a provider is a module, and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .http import Provider


@dataclass(frozen=True, slots=True)
class Options:
    """What a look-alike is made from. `search_lag` is in seconds; `quota` as in sandbox.quota."""

    records: int
    seed: int
    clock: Callable[[], float]
    quota: str
    search_lag: float


def _hubspot(options: Options) -> Provider:
    from .hubspot import HubSpot

    return HubSpot(options.records, options.seed, options.clock, options.quota, options.search_lag)


PROVIDERS: dict[str, Callable[[Options], Provider]] = {"hubspot": _hubspot}


def build(name: str, options: Options) -> Provider:
    """Makes a look-alike. Raises ValueError for a name that is not in the table."""
    if name not in PROVIDERS:
        raise ValueError(f"no look-alike of {name!r} (there are: {', '.join(PROVIDERS)})")
    return PROVIDERS[name](options)

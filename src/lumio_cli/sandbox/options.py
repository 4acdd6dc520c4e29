"""What look-alikes are made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """What a look-alike is made from. `search_lag` is in seconds: how late changes show in a
    provider's index, where it has one; `quota` as in sandbox.quota."""

    records: int
    seed: int
    clock: Callable[[], float]
    quota: str
    search_lag: float

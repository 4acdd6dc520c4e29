"""A bench for limiters: one store, one clock of our own, as many limiters as a test wants."""

from __future__ import annotations

import math
from pathlib import Path

from lumio_cli.core.errors import QuotaError
from lumio_cli.core.stop import Stop
from lumio_cli.providers.contract.call import Call
from lumio_cli.providers.contract.quota import Quota
from lumio_cli.transport.quota.limiter import Lease, Level, Limiter, Priority
from lumio_cli.transport.runtime_db.store import RuntimeStore
from support.clock import FakeClock

CALL = Call("GET", "/contacts")
SEARCH = Call("POST", "/contacts/search")
SCOPE = {"account": "a1", "app": "p1", "token": "t1"}


class Bench:
    """A store with a clock, and limiters on it as if they were processes."""

    def __init__(self, path: Path) -> None:
        self.clock = FakeClock()
        self.store = RuntimeStore(path / "runtime.db", clock=self.clock)

    def limiter(self, *quotas: Quota, share: float = 1.0, **scope: str) -> Limiter:
        return Limiter(self.store, "hubspot", quotas, {**SCOPE, **scope}, self.clock, share=share)


def go(
    limiter: Limiter,
    call: Call = CALL,
    priority: Priority = Priority.INTERACTIVE,
    max_wait: float = math.inf,
) -> Lease:
    return limiter.acquire(call, priority=priority, stop=Stop(), max_wait=max_wait)


def waits(limiter: Limiter, times: int, call: Call = CALL) -> list[float]:
    return [round(go(limiter, call).waited, 3) for _ in range(times)]


def level(limiter: Limiter, name: str) -> Level:
    return next(item for item in limiter.levels() if item.quota == name)


def burst_of(limiter: Limiter, priority: Priority, call: Call = CALL) -> int:
    """How many calls go at once."""
    for count in range(1_000):
        try:
            go(limiter, call, priority, max_wait=0)
        except QuotaError:
            return count
    raise AssertionError

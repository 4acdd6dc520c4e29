"""A clock that tests own."""

from __future__ import annotations

import threading

from lumio_cli.core.stop import Stop

START = 1_700_000_000.0
"""2023-11-14T22:13:20Z"""


class FakeClock:
    """A `lumio_cli.core.clock.Clock` whose time passes only by `sleep`, `advance` and `jump`.

    Thread-safe. `sleeps` are the seconds of every sleep so far. With `frozen=True` a sleep is
    recorded, but no time passes: a caller's reservation stays in the future.
    """

    def __init__(self, now: float = START, *, frozen: bool = False) -> None:
        self._guard = threading.Lock()
        self._wall = now
        self._monotonic = 1_000.0
        self.frozen = frozen
        self.sleeps: list[float] = []

    def time(self) -> float:
        with self._guard:
            return self._wall

    def monotonic(self) -> float:
        with self._guard:
            return self._monotonic

    def sleep(self, seconds: float, stop: Stop) -> None:
        stop.check()
        with self._guard:
            self.sleeps.append(seconds)
        if not self.frozen:
            self.advance(seconds)
        stop.check()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        with self._guard:
            self._wall += max(0.0, seconds)
            self._monotonic += max(0.0, seconds)

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward or back; no time passes."""
        with self._guard:
            self._wall += seconds

    @property
    def slept(self) -> float:
        """The seconds of all sleeps together."""
        with self._guard:
            return sum(self.sleeps)

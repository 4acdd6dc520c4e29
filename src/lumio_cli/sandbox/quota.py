"""Quotas of a look-alike: rolling windows, and a daily count that ends at the account's midnight.

A request over a quota is refused and not counted: published limits speak of requests served.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

DAY = 86_400


@dataclass(slots=True)
class Window:
    """At most `limit` requests in any `seconds` seconds."""

    limit: int
    seconds: float
    _times: deque[float] = field(default_factory=deque)

    def room(self, now: float) -> int:
        """How many requests may still be served now."""
        times = self._times
        while times and times[0] <= now - self.seconds:
            times.popleft()
        return self.limit - len(times)

    def wait(self, now: float) -> float:
        """Seconds until the next request may be served."""
        return max(0.0, self._times[0] + self.seconds - now) if self.room(now) <= 0 else 0.0

    def take(self, now: float) -> None:
        """Counts a request."""
        self._times.append(now)


@dataclass(slots=True)
class Daily:
    """At most `limit` requests a day; the day ends at midnight, `offset` seconds east of UTC."""

    limit: int
    offset: int
    used: int = 0
    _day: int = -1

    def room(self, now: float) -> int:
        """How many requests may still be served today."""
        day = int(now + self.offset) // DAY
        if day != self._day:
            self._day, self.used = day, 0
        return self.limit - self.used

    def wait(self, now: float) -> float:
        """Seconds until midnight."""
        return DAY - (now + self.offset) % DAY if self.room(now) <= 0 else 0.0

    def take(self, now: float) -> None:
        """Counts a request."""
        self.room(now)
        self.used += 1


class Ledger:
    """The windows of a provider, made on first use, and the count of requests refused."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[str, Window | Daily] = {}
        self.refused = 0

    def take(self, wanted: dict[str, Callable[[], Window | Daily]]) -> tuple[str, float] | None:
        """Takes one request from every quota named, or from none of them.

        `wanted` maps a quota's key to what makes it on first use. Returns the key of the quota
        that refused and the seconds until it would not, or None where the request may be served.
        """
        now = self._clock()
        with self._lock:
            quotas = []
            for key, make in wanted.items():
                if key not in self._windows:
                    self._windows[key] = make()
                quotas.append((key, self._windows[key]))
            for key, quota in quotas:
                if quota.room(now) <= 0:
                    self.refused += 1
                    return key, quota.wait(now)
            for _, quota in quotas:
                quota.take(now)
        return None

    def room(self, key: str) -> int | None:
        """What is left of a quota, or None where it was never used."""
        with self._lock:
            quota = self._windows.get(key)
            return None if quota is None else max(0, quota.room(self._clock()))

    def used_today(self, key: str) -> int:
        """How many requests a daily quota has served today."""
        with self._lock:
            quota = self._windows.get(key)
            if not isinstance(quota, Daily):
                return 0
            quota.room(self._clock())
            return quota.used


def parse_quota(text: str, published: Mapping[str, int], provider: str) -> dict[str, int] | None:
    """Reads `published`, `none` or `KEY=VALUE,...` into limits; None lifts every quota.

    A KEY is a quota's name, or PROVIDER.NAME; what is not named keeps its published limit, and
    names of other providers' quotas are passed over (see `check_quota`).
    """
    if text == "none":
        return None
    limits = dict(published)
    for key, value in _parts(text):
        name = key.removeprefix(f"{provider}.")
        if name in limits:
            limits[name] = value
    return limits


def check_quota(text: str, published: Mapping[str, Iterable[str]]) -> None:
    """Raises ValueError for a word that no provider knows; `published` are names by provider."""
    known = {name for names in published.values() for name in names}
    known |= {f"{provider}.{name}" for provider, names in published.items() for name in names}
    for key, _ in _parts(text):
        if key not in known:
            raise ValueError(
                f"not a quota: {key!r} (published, none, or any of "
                + ", ".join(f"{name}=N" for name in sorted(known) if "." not in name)
                + ")"
            )


def _parts(text: str) -> list[tuple[str, int]]:
    """`KEY=VALUE,...`, taken apart. Raises ValueError."""
    if text in ("published", "none"):
        return []
    found = []
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if not equals or not value.isdigit():
            raise ValueError(f"not a quota: {part!r} (published, none, or NAME=N)")
        found.append((key, int(value)))
    return found

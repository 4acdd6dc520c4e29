"""Pipedrive's limits: a budget of tokens a day, which a request spends by its cost, and bursts."""

from __future__ import annotations

from dataclasses import dataclass

DAY = 86_400


@dataclass(slots=True)
class Budget:
    """At most `limit` units a day, in UTC."""

    limit: int
    used: int = 0
    _day: int = -1

    def left(self, now: float) -> int:
        """What may still be spent today."""
        day = int(now) // DAY
        if day != self._day:
            self._day, self.used = day, 0
        return max(0, self.limit - self.used)

    def spend(self, cost: int) -> None:
        """Takes from today's budget, which may thereby be overdrawn once."""
        self.used += cost


@dataclass(slots=True)
class Patience:
    """How many 429s a client may ignore before it is shut out: `limit` within `seconds`, then no
    answer but 403 for as long. Pipedrive publishes that it does so, but no numbers."""

    limit: int = 60
    seconds: float = 60.0
    _since: float = 0.0
    _count: int = 0
    _until: float = 0.0

    def shut(self, now: float) -> bool:
        """Whether the client is shut out."""
        return now < self._until

    def refused(self, now: float) -> None:
        """One more 429."""
        if now - self._since > self.seconds:
            self._since, self._count = now, 0
        self._count += 1
        if self._count >= self.limit:
            self._until = now + self.seconds

"""How long a hold can be about a quota, whatever an answer asks for.

A provider that writes milliseconds for seconds, or whose clock is wrong, would else stop every
sync for years. A hold that ends too early costs one request, which is refused and holds again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lumio_cli.transport.quota.kinds import midnight_after

if TYPE_CHECKING:
    from lumio_cli.providers.contract.quota import Quota
    from lumio_cli.transport.quota.state import State

WINDOWS = 3.0
"""Windows that a hold may last. A full one is empty after one; a provider that counts what it
refuses begins another; the third is for rounding and for clocks that differ."""
SHORTEST = 60.0
"""Seconds that a hold may last for every quota: where windows are of seconds, providers still
write whole or half minutes."""
OUTAGE = 3600.0
"""Seconds that may be waited where no quota's window says how long: maintenance, being shut out."""


def longest_hold(quota: Quota, now: float) -> float:
    """Seconds that a hold set at `now` may last: some windows of the quota, and briefly for what
    is counted by the moment. A day's count is about no pace: at most `OUTAGE`, and to its reset.
    """
    if quota.kind == "daily":
        return min(OUTAGE, _to_reset(quota, now))
    if quota.kind == "concurrency":
        return SHORTEST
    # A bucket is full again after this many seconds.
    refill = (quota.burst or quota.count) * quota.per / quota.count
    return max(SHORTEST, WINDOWS * max(quota.per, refill))


def longest_spent(quota: Quota, now: float) -> float:
    """Seconds for which a quota may count as used up from `now` on: a day's to its reset."""
    if quota.kind == "daily":
        return _to_reset(quota, now)
    return max(OUTAGE, longest_hold(quota, now))


def clip(quota: Quota, state: State) -> None:
    """Shorten what is stored to what can have been set when it was: at `state.wall`."""
    wall = state.wall
    if state.held_until > wall:
        state.held_until = min(state.held_until, wall + longest_hold(quota, wall))
    if state.spent_until > wall:
        state.spent_until = min(state.spent_until, wall + longest_spent(quota, wall))


def _to_reset(quota: Quota, now: float) -> float:
    return midnight_after(now, quota.zone).timestamp() - now

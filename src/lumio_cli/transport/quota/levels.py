"""How quotas stand, to look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from lumio_cli.core.clock import utc

if TYPE_CHECKING:
    from lumio_cli.transport.quota.ledger import Term
    from lumio_cli.transport.quota.state import State


@dataclass(frozen=True, slots=True)
class Level:
    """How a quota stands. `used` includes what is reserved; the times are None where there is
    nothing to wait for. For concurrency it is what is in use at this moment. `reason` says why
    nothing goes before `held_until`, or before `reset_at`; empty where something goes.
    """

    quota: str
    limit: float
    remaining: float
    reset_at: datetime | None
    held_until: datetime | None
    used: float
    reason: str = ""


def level_of(term: Term, state: State, leased: int = 0) -> Level:
    """The level of a quota; `leased` is how much of a concurrency is in use."""
    limit = term.rule.limit(state)
    used = term.rule.used(state) if term.timed else float(leased)
    spent = state.spent_until > state.wall
    remaining = 0.0 if spent else max(0.0, limit - used)
    reset_at = term.rule.reset_at(state)
    until = max(state.held_until, state.spent_until)
    held = until > state.wall
    counted = f"{term.quota.name} quota used up, as counted here"
    used_up = term.quota.kind == "daily" and remaining < 1
    return Level(
        quota=term.quota.name,
        limit=limit,
        remaining=remaining,
        reset_at=utc(reset_at) if reset_at is not None else None,
        held_until=utc(until) if held else None,
        used=used,
        reason=state.reason if held else counted if used_up else "",
    )

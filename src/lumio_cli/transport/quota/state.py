"""What is known of a quota, and what every kind of quota has in common.

Pure: no clock, no storage. A `State` is what is known of one quota; a `Rule`
(`transport.quota.kinds`) reads it and changes it. Reservations may lie in the future, so that a
caller can take its place now and sleep until then; a new one may be put before them as long as they
all still fit.

Times are seconds since the epoch, amounts are calls or points.
"""

from __future__ import annotations

import enum
import math
from array import array
from dataclasses import dataclass, field
from typing import Protocol

GUARD = 0.05
"""Seconds (but at most a tenth of `per`) that windows are stretched by, since two calls may reach
the provider closer together than they left us. A sleeper may be as late as that."""


class Priority(enum.IntEnum):
    """Who waits for the call; the lower goes first."""

    INTERACTIVE = 0
    WEBHOOK = 1
    INCREMENTAL = 2
    BACKFILL = 3


HEADROOM = (0.0, 0.01, 0.03, 0.05)
"""The part of a limit that each priority leaves to the ones before it."""


def cap(limit: float, priority: Priority) -> float:
    """How much of `limit` a priority may use: from 10 on at least one unit less than the first."""
    if priority is Priority.INTERACTIVE or limit < 10:
        return limit
    return limit - max(1.0, limit * HEADROOM[priority])


@dataclass(slots=True)
class State:
    """What all processes know of one quota.

    wall, mono     when it was last changed, by both clocks
    limit, rate    the limit that the provider told us (infinity: none) and what it gives back a
                   second (0: in proportion), in force until `limit_until`
    held_until     nothing goes before
    spent_until    nothing goes before, and nobody waits for it
    level, at      bucket: how full it was, and when. daily: used by us, and when the day began
    ends, others   daily: when the day ends, and what others used of it
    ahead          daily: what is reserved for the day after
    marks          what is reserved, as pairs: bucket (time, amount), window (slot, amount)
    reason         why nothing goes, where nothing does
    """

    wall: float = 0.0
    mono: float = 0.0
    limit: float = math.inf
    limit_until: float = 0.0
    held_until: float = 0.0
    spent_until: float = 0.0
    level: float = 0.0
    at: float = 0.0
    ends: float = 0.0
    others: float = 0.0
    ahead: float = 0.0
    rate: float = 0.0
    marks: list[float] = field(default_factory=list, init=False)
    reason: str = field(default="", init=False)

    def stop(self, *, held: float = 0.0, spent: float = 0.0, reason: str) -> None:
        """Let nothing go before these times, unless it is stopped for longer already."""
        before = max(self.held_until, self.spent_until)
        self.held_until = max(self.held_until, held)
        self.spent_until = max(self.spent_until, spent)
        if max(self.held_until, self.spent_until) > before:
            self.reason = reason

    def pack(self) -> bytes:
        """All but the reason as bytes for `unpack`, on this machine."""
        return array(
            "d",
            (
                self.wall,
                self.mono,
                self.limit,
                self.limit_until,
                self.held_until,
                self.spent_until,
                self.level,
                self.at,
                self.ends,
                self.others,
                self.ahead,
                self.rate,
                *self.marks,
            ),
        ).tobytes()


def unpack(data: bytes) -> State:
    """The state that `State.pack` wrote."""
    numbers = array("d")
    numbers.frombytes(data)
    values = numbers.tolist()
    state = State(*values[:12])
    state.marks = values[12:]
    return state


class Rule(Protocol):
    """One kind of quota."""

    def catch_up(self, state: State, now: float) -> None:
        """Forget what no longer counts at `now`."""
        ...

    def earliest(self, state: State, at: float, cost: float, priority: Priority) -> float:
        """The first time from `at` on at which the call fits; infinity: not before the reset."""
        ...

    def take(self, state: State, at: float, cost: float) -> None:
        """Reserve the call at `at`."""
        ...

    def give(self, state: State, at: float, cost: float) -> None:
        """Give a reservation back, as far as it is still known."""
        ...

    def refund(self, state: State, amount: float) -> None:
        """Count so much less of what was sent."""
        ...

    def phantom(self, state: State, now: float, amount: float) -> None:
        """Count usage by others, which ages like our own."""
        ...

    def limit(self, state: State) -> float:
        """The limit in force."""
        ...

    def used(self, state: State) -> float:
        """How much of the limit is in use, reservations included."""
        ...

    def left(self, state: State) -> float:
        """What the provider should say of what remains: it does not know our reservations."""
        ...

    def reset_at(self, state: State) -> float | None:
        """When it will be unused again if nothing more comes; None: it is unused."""
        ...

    def shift(self, state: State, seconds: float) -> None:
        """Move what the state knows in time: the wall clock was set."""
        ...


def settle(rule: Rule, state: State, wall: float, mono: float) -> None:
    """Bring a state to the present, whatever was done to the wall clock in between.

    The wall clock went back: everything keeps its age. It ran ahead of the monotonic clock (it was
    set, or the machine slept): everything gets only as old as the monotonic clock says. After a
    reboot the monotonic clock is behind, and the wall clock is all there is.
    """
    if state.wall:
        passed, ran = wall - state.wall, mono - state.mono
        drift = passed if passed < 0 else passed - ran if 0 <= ran < passed - 1.0 else 0.0
        if drift:
            rule.shift(state, drift)
            state.held_until += drift
            state.limit_until += drift
    state.wall, state.mono = wall, mono
    if state.limit_until <= wall:
        state.limit, state.rate = math.inf, 0.0
    rule.catch_up(state, wall)


def ready(rule: Rule, state: State, at: float, cost: float, priority: Priority) -> float:
    """The first time from `at` on at which the call may go; infinity: it is used up."""
    if state.spent_until > state.wall:
        return math.inf
    return rule.earliest(state, max(at, state.held_until), cost, priority)

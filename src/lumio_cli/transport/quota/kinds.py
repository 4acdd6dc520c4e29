"""The kinds of quota: when a call may go, given what was reserved before."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from lumio_cli.core.errors import ConfigError
from lumio_cli.transport.quota.state import GUARD, Priority, Rule, State, cap

if TYPE_CHECKING:
    from lumio_cli.providers.contract.quota import Quota

SLOTS = 100
"""Parts of a sliding window. A part is counted until it has expired wholly."""
TICK = 1e-6
"""Seconds below which differences are rounding: times since the epoch are no finer."""


def rule_for(quota: Quota, share: float = 1.0) -> Rule:
    """The rule of a quota; `share` is the part of a daily quota that is ours.

    Raises `ConfigError` where the quota's count or period make no sense.
    """
    if not (quota.count > 0 and quota.per > 0 and (quota.burst is None or quota.burst > 0)):
        raise ConfigError(
            f"the quota {quota.name!r} needs a count, a period and a burst above 0",
            hint="`lumio config show` prints where the values come from",
        )
    growth = max(1.0, (quota.most or 0.0) / quota.count)
    if quota.kind == "window":
        return Window(quota.count, quota.per, growth)
    if quota.kind == "daily":
        return Daily(quota.count, share, quota.zone, growth)
    if quota.kind == "concurrency":
        return Concurrency(quota.count)
    return Bucket(quota.count, quota.per, quota.burst or quota.count, growth)


def _in_force(own: float, growth: float, state: State) -> float:
    """The limit that the provider told us, at most `growth` times our own; else our own."""
    return own if state.limit == math.inf else min(state.limit, own * growth)


@dataclass(frozen=True, slots=True)
class Bucket:
    """GCRA, kept as a level that drains at `count / per`: never more than
    `burst + rate * t` in any `t` seconds. A cost above the burst goes when the bucket is empty and
    is paid off in full by those who come after.
    """

    count: float
    per: float
    burst: float
    growth: float

    def limit(self, state: State) -> float:
        return max(_in_force(self.burst, self.growth, state), min(1.0, self.burst))

    def _rate(self, state: State) -> float:
        """What drains in a second: as told, else in proportion to the limit."""
        own = self.count / self.per
        if state.rate > 0:
            return min(state.rate, own * self.growth)
        return own * self.limit(state) / self.burst

    def catch_up(self, state: State, now: float) -> None:
        marks = state.marks
        past = 0
        while past < len(marks) and marks[past] <= now:
            self._pour(state, marks[past], marks[past + 1])
            past += 2
        if past:
            del marks[:past]

    def _pour(self, state: State, at: float, cost: float) -> None:
        drained = max(0.0, at - state.at) * self._rate(state)
        state.level = max(0.0, state.level - drained) + cost
        state.at = max(state.at, at)

    def earliest(self, state: State, at: float, cost: float, priority: Priority) -> float:
        limit = self.limit(state)
        rate = self._rate(state)
        # An infinitesimal of time is worth this much: less is no excess.
        slack = 1e-9 + TICK * rate
        mine = cap(limit, priority)
        room = mine - min(cost, mine)
        # One walk along what is reserved, with two levels: as it is, and with us at the first
        # place that fits. A mark that would overflow because of us sends us behind it, since any
        # place between would be worse for it.
        level, ours, since = state.level, 0.0, state.at
        place = math.inf
        for index in range(0, len(state.marks), 2):
            when, amount = state.marks[index], state.marks[index + 1]
            if place == math.inf:
                place, ours = _fit(level, since, at, room, rate, slack)
                if place < when:
                    ours = max(0.0, ours + cost - (when - place) * rate)
                else:
                    place = math.inf
            else:
                ours = max(0.0, ours - (when - since) * rate)
            level = max(0.0, level - max(0.0, when - since) * rate) + amount
            since = max(since, when)
            # What does not fit even into an empty bucket is not made later by us.
            if place < math.inf and ours + min(amount, limit) - limit > slack:
                place = math.inf
            ours += amount
        return _fit(level, since, at, room, rate, slack)[0] if place == math.inf else place

    def take(self, state: State, at: float, cost: float) -> None:
        marks = state.marks
        index = len(marks)
        while index and marks[index - 2] > at:
            index -= 2
        marks[index:index] = (at, cost)

    def give(self, state: State, at: float, cost: float) -> None:
        for index in range(0, len(state.marks), 2):
            if state.marks[index] == at and state.marks[index + 1] == cost:
                del state.marks[index : index + 2]
                return
        state.level = max(0.0, state.level - cost)

    def refund(self, state: State, amount: float) -> None:
        state.level = max(0.0, state.level - amount)

    def phantom(self, state: State, now: float, amount: float) -> None:
        self._pour(state, now, amount)

    def used(self, state: State) -> float:
        drained = max(0.0, state.wall - state.at) * self._rate(state)
        return max(0.0, state.level - drained) + sum(state.marks[1::2])

    def left(self, state: State) -> float:
        return self.limit(state) - self.used(state) + sum(state.marks[1::2])

    def reset_at(self, state: State) -> float | None:
        used = self.used(state)
        if used <= 0:
            return None
        return state.wall + used / self._rate(state)

    def shift(self, state: State, seconds: float) -> None:
        state.at += seconds
        state.marks[::2] = [when + seconds for when in state.marks[::2]]


def _fit(
    level: float, since: float, at: float, room: float, rate: float, slack: float
) -> tuple[float, float]:
    """When a bucket has drained to `room`, not before `at`, and its level at that time."""
    at = max(at, since)
    level = max(0.0, level - (at - since) * rate)
    excess = level - room
    if excess <= slack:
        return at, level
    return at + excess / rate, room


@dataclass(frozen=True, slots=True)
class Window:
    """Never more than `count` in any `per` seconds, as the provider sees it."""

    count: float
    per: float
    growth: float

    @property
    def _slot(self) -> float:
        return self.per / SLOTS

    @property
    def _span(self) -> int:
        """For how many slots a call counts: its own, those of `per`, and the guard's."""
        return SLOTS + 1 + math.ceil(min(GUARD, self.per / 10) / self._slot)

    def limit(self, state: State) -> float:
        return max(1.0, math.floor(_in_force(self.count, self.growth, state)))

    def catch_up(self, state: State, now: float) -> None:
        marks = state.marks
        gone = now // self._slot - self._span
        past = 0
        while past < len(marks) and marks[past] <= gone:
            past += 2
        if past:
            del marks[:past]

    def earliest(self, state: State, at: float, cost: float, priority: Priority) -> float:
        marks = state.marks
        most = math.floor(cap(self.limit(state), priority)) - 1
        if sum(marks[1::2]) <= most:
            return at
        # A window is named by its last slot. Each mark is in the windows from its own slot on to
        # `span` later: between these edges the windows' sums do not change. A slot is good where
        # none of the windows that it is in is full.
        span = self._span
        slot = first = at // self._slot
        edges = [(marks[i], marks[i + 1]) for i in range(0, len(marks), 2)]
        edges += [(start + span, -amount) for start, amount in edges]
        edges.sort()
        total = 0.0
        full_from: float | None = None
        for index, (edge, change) in enumerate(edges):
            total += change
            if index + 1 < len(edges) and edges[index + 1][0] == edge:
                continue
            if total > most:
                full_from = edge if full_from is None else full_from
            elif full_from is not None:
                if edge > slot and full_from < slot + span:
                    slot = edge
                full_from = None
        # A little into the slot, so that rounding cannot put the time into the one before.
        return at if slot == first else (slot + 0.05) * self._slot

    def take(self, state: State, at: float, cost: float) -> None:
        self._add(state, at // self._slot, 1.0)

    def give(self, state: State, at: float, cost: float) -> None:
        slot = at // self._slot
        for index in range(0, len(state.marks), 2):
            if state.marks[index] == slot:
                state.marks[index + 1] -= 1.0
                if state.marks[index + 1] <= 0:
                    del state.marks[index : index + 2]
                return

    def refund(self, state: State, amount: float) -> None:
        """Nothing: a window counts calls, whatever they cost."""

    def phantom(self, state: State, now: float, amount: float) -> None:
        self._add(state, now // self._slot, amount)

    def _add(self, state: State, slot: float, amount: float) -> None:
        marks = state.marks
        index = len(marks)
        while index and marks[index - 2] > slot:
            index -= 2
        if index and marks[index - 2] == slot:
            marks[index - 1] += amount
        else:
            marks[index:index] = (slot, amount)

    def used(self, state: State) -> float:
        return sum(state.marks[1::2])

    def left(self, state: State) -> float:
        now = state.wall // self._slot
        marks = state.marks
        sent = sum(marks[i + 1] for i in range(0, len(marks), 2) if marks[i] <= now)
        return self.limit(state) - sent

    def reset_at(self, state: State) -> float | None:
        return (state.marks[-2] + self._span) * self._slot if state.marks else None

    def shift(self, state: State, seconds: float) -> None:
        slots = math.ceil(seconds / self._slot)
        state.marks[::2] = [slot + slots for slot in state.marks[::2]]


@dataclass(frozen=True, slots=True)
class Daily:
    """`count` from midnight to midnight in `zone`, of which we may use `share`."""

    count: float
    share: float
    zone: str
    growth: float

    def _whole(self, state: State) -> float:
        return _in_force(self.count, self.growth, state)

    def limit(self, state: State) -> float:
        return max(1.0, math.floor(self._whole(state) * self.share))

    def catch_up(self, state: State, now: float) -> None:
        if state.at <= now < state.ends:
            return
        begins, ends = day(now, self.zone)
        if now >= state.ends:
            # What was reserved for the day after counts only if that is the day we are in.
            state.level = state.ahead if begins == state.ends else 0.0
            state.others = state.ahead = 0.0
        state.at, state.ends = begins, ends

    def earliest(self, state: State, at: float, cost: float, priority: Priority) -> float:
        used, others = (state.level, state.others) if at < state.ends else (state.ahead, 0.0)
        whole = self._whole(state)
        fits = used + cost <= self.limit(state) and used + others + cost <= whole
        return at if fits else math.inf

    def take(self, state: State, at: float, cost: float) -> None:
        if at < state.ends:
            state.level += cost
        else:
            state.ahead += cost

    def give(self, state: State, at: float, cost: float) -> None:
        if state.at <= at < state.ends:
            state.level = max(0.0, state.level - cost)
        elif at >= state.ends:
            state.ahead = max(0.0, state.ahead - cost)

    def refund(self, state: State, amount: float) -> None:
        state.level = max(0.0, state.level - amount)

    def phantom(self, state: State, now: float, amount: float) -> None:
        state.others += amount

    def used(self, state: State) -> float:
        # Others may use what is not ours: only what they take of our share counts.
        spare = self._whole(state) - self.limit(state)
        return state.level + max(0.0, state.others - spare)

    def left(self, state: State) -> float:
        return self._whole(state) - state.level - state.others

    def reset_at(self, state: State) -> float | None:
        return state.ends

    def shift(self, state: State, seconds: float) -> None:
        """Nothing: the provider's day does not follow our clock."""


@dataclass(frozen=True, slots=True)
class Concurrency:
    """`count` at the same moment. The moments are counted by leases; time has no say."""

    count: float

    def limit(self, state: State) -> float:
        return max(1.0, math.floor(min(self.count, state.limit)))

    def catch_up(self, state: State, now: float) -> None:
        """Nothing ages."""

    def earliest(self, state: State, at: float, cost: float, priority: Priority) -> float:
        return at

    def take(self, state: State, at: float, cost: float) -> None:
        """Nothing to reserve."""

    def give(self, state: State, at: float, cost: float) -> None:
        """Nothing to give back."""

    def refund(self, state: State, amount: float) -> None:
        """Nothing: a request has a place, or it has none."""

    def phantom(self, state: State, now: float, amount: float) -> None:
        """What others do at this moment says nothing of the next."""

    def used(self, state: State) -> float:
        return state.level

    def left(self, state: State) -> float:
        return 0.0

    def reset_at(self, state: State) -> float | None:
        return None

    def shift(self, state: State, seconds: float) -> None:
        """Nothing to move."""


def day(now: float, zone: str) -> tuple[float, float]:
    """When the calendar day that holds `now` begins and ends in `zone`; in UTC where this machine
    does not know the zone."""
    where = _zone(zone)
    midnight = datetime.fromtimestamp(now, where).replace(hour=0, minute=0, second=0, microsecond=0)
    # Both midnights are read off the calendar: a day may have 23 or 25 hours.
    after = (midnight.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=where)
    return midnight.replace(fold=0).timestamp(), after.timestamp()


def _zone(name: str) -> tzinfo:
    """The zone of that name. The account's may be one that this machine does not know, as minimal
    systems lack the package tzdata: a day that begins at another hour locks nobody out."""
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC


def is_known_zone(name: str) -> bool:
    """Whether this machine knows the time zone."""
    return name == "UTC" or _zone(name) is not UTC


def midnight_after(now: float, zone: str) -> datetime:
    """The next midnight in `zone`, in UTC."""
    return datetime.fromtimestamp(day(now, zone)[1], UTC)

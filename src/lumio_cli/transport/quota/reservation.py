"""One call's way through the quotas: it takes its place in all of them at once, and moves on when
it may not go at that time after all.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from lumio_cli.core.clock import format_timestamp, utc
from lumio_cli.core.errors import HubError, QuotaError
from lumio_cli.transport.quota import concurrency
from lumio_cli.transport.quota.ledger import Ledger, Term
from lumio_cli.transport.quota.retry_after import come_back
from lumio_cli.transport.quota.state import GUARD, Priority, State, ready

POLL = 0.05
"""Seconds between two tries of who waits for concurrency, at most."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call stands: its time, how long until then, and the quota that says so.

    `at` is None while it stands in line for concurrency.
    """

    at: float | None
    wait: float
    cause: str


class Asking:
    """One call's way through the quotas: what it has reserved, and how to give it back."""

    def __init__(
        self,
        ledger: Ledger,
        provider: str,
        terms: Sequence[Term],
        owner: concurrency.Owner,
        cost: float,
        priority: Priority,
        max_wait: float,
    ) -> None:
        self._ledger = ledger
        self._store = ledger.store
        self._clock = ledger.clock
        self._provider = provider
        self._terms = terms
        self._timed = [term for term in terms if term.timed]
        self._counted = [term for term in terms if not term.timed]
        self._cost = max(0.0, cost)
        self._priority = priority
        self._max_wait = max_wait
        self._began = self._clock.monotonic()
        self._at: float | None = None
        self._ticket: concurrency.Ticket | None = None
        if self._counted:
            self._ticket = concurrency.draw(owner, priority, self._clock.time())

    def waited(self) -> float:
        """Seconds since the call was asked for."""
        return self._clock.monotonic() - self._began

    def ask(self) -> Place:
        """Take a place in every quota, or one in line for concurrency. Raises `QuotaError`."""
        place = self._store.run(self._ask)
        self._at = place.at
        return place

    def confirm(self, at: float, *, late: bool) -> Place:
        """After the sleep: may the call go? A hold that came meanwhile moves it, and so does
        having overslept, unless `late` is False.
        """

        def work(connection: sqlite3.Connection) -> Place:
            states = self._ledger.load(connection, self._terms)
            now = self._clock.time()
            overslept = late and now - at > min((t.guard for t in self._timed), default=GUARD)
            stopped = any(max(s.held_until, s.spent_until) > now for s in states.values())
            if not overslept and not stopped:
                return Place(at, 0.0, "")
            for term in self._timed:
                term.rule.give(states[term.key], at, term.price(self._cost))
            return self._reserve(connection, states, now)

        place = self._store.run(work)
        self._at = place.at
        return place

    def withdraw(self) -> None:
        """Give everything back, as far as that is possible. Raises nothing."""
        at, self._at = self._at, None
        if at is None and self._ticket is None:
            return

        def work(connection: sqlite3.Connection) -> None:
            if self._ticket is not None:
                concurrency.drop(connection, self._ticket, [term.key for term in self._counted])
            if at is not None and self._timed:
                states = self._ledger.load(connection, self._timed)
                for term in self._timed:
                    term.rule.give(states[term.key], at, term.price(self._cost))
                self._ledger.save(connection, states)

        # What cannot be given back ages by itself.
        with suppress(HubError):
            self._store.run(work)

    def free(self) -> Callable[[], None] | None:
        """How to give the concurrency back; None where there is none."""
        ticket = self._ticket
        if ticket is None:
            return None
        keys = [term.key for term in self._counted]

        def release() -> None:
            # A lease that cannot be given back ends with its process, or by time.
            with suppress(HubError):
                self._store.run(lambda connection: concurrency.drop(connection, ticket, keys))

        return release

    def _ask(self, connection: sqlite3.Connection) -> Place:
        states = self._ledger.load(connection, self._terms)
        now = self._clock.time()
        if self._ticket is not None:
            wanted = [(term.key, term.rule.limit(states[term.key])) for term in self._counted]
            blocked = concurrency.claim(connection, self._ticket, wanted, now)
            if blocked is not None:
                return self._stand_in_line(blocked)
        return self._reserve(connection, states, now)

    def _stand_in_line(self, blocked: str) -> Place:
        name = next(term.quota.name for term in self._counted if term.key == blocked)
        left = self._max_wait - self.waited()
        if left <= 0:
            raise QuotaError(
                f"{self._provider}: all requests that the quota {name!r} allows at the "
                "same time are still under way",
                retry_at=utc(self._clock.time()),
                hint=come_back(None, self._provider, longer=True),
            )
        return Place(None, min(left, POLL), name)

    def _reserve(
        self, connection: sqlite3.Connection, states: Mapping[str, State], now: float
    ) -> Place:
        """Find the earliest time that all agree on, and take it."""
        at, cause = now, ""
        agreed = False
        while not agreed:
            agreed = True
            for term in self._terms:
                state = states[term.key]
                then = ready(term.rule, state, at, term.price(self._cost), self._priority)
                if then == math.inf:
                    raise self._used_up(term, state)
                if then > at:
                    at, cause, agreed = then, term.quota.name, False
        wait = at - now
        if wait > 0 and wait > self._max_wait - self.waited():
            raise self._too_long(cause, at, wait)
        for term in self._timed:
            term.rule.take(states[term.key], at, term.price(self._cost))
        self._ledger.save(connection, {term.key: states[term.key] for term in self._timed})
        if self._ticket is not None and wait > 0:
            concurrency.extend(connection, self._ticket, [term.key for term in self._counted], at)
        return Place(at, wait, cause)

    def _used_up(self, term: Term, state: State) -> QuotaError:
        until = state.spent_until if state.spent_until > state.wall else term.rule.reset_at(state)
        until = until or state.wall
        return QuotaError(
            f"{self._provider}: the quota {term.quota.name!r} is used up until "
            f"{format_timestamp(math.ceil(until))}",
            retry_at=utc(until),
            hint=come_back(until, self._provider),
        )

    def _too_long(self, name: str, at: float, wait: float) -> QuotaError:
        return QuotaError(
            f"{self._provider}: the quota {name!r} lets no request through before "
            f"{format_timestamp(math.ceil(at))} (in {math.ceil(wait)} s)",
            retry_at=utc(at),
            hint=come_back(at, self._provider, longer=True),
        )

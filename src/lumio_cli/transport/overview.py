"""Every quota, hold and circuit of a provider that this machine knows of, and how to lift them."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from lumio_cli.transport.breaker import circuits, close
from lumio_cli.transport.quota import concurrency
from lumio_cli.transport.quota.kinds import rule_for
from lumio_cli.transport.quota.ledger import Ledger, Term
from lumio_cli.transport.quota.levels import level_of
from lumio_cli.transport.quota.limiter import stem

if TYPE_CHECKING:
    from lumio_cli.core.clock import Clock
    from lumio_cli.providers.contract.provider import Provider
    from lumio_cli.transport.quota.state import State
    from lumio_cli.transport.runtime_db.store import RuntimeStore

CIRCUIT = "circuit"
"""What a breaker is called among the quotas."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How one quota or circuit stands for `owner` (see `whose.whose`).

    `limit` and `remaining` are None for a circuit. `keyed` says what it counts one of each for
    (a phone number, a channel), where it does. `stopped`: nothing goes now, or only a try.
    """

    provider: str
    quota: str
    owner: str
    limit: float | None
    remaining: float | None
    reset_at: datetime | None
    held_until: datetime | None
    reason: str
    stopped: bool
    keyed: str = ""


class Overview:
    """What is stored about `provider`, whoever's it is. `share` as `Limiter` takes it."""

    def __init__(
        self, store: RuntimeStore, provider: Provider, clock: Clock, *, share: float = 1.0
    ) -> None:
        self._store = store
        self._ledger = Ledger(store, clock)
        self._clock = clock
        self._provider = provider
        self._quotas = [(quota, rule_for(quota, share)) for quota in provider.quotas]

    def look(self, owner: str | None) -> list[Standing]:
        """All that is stored, and the quotas of `owner` that are not stored yet. Changes nothing.

        A quota that counts one of each of many (phone numbers, channels) is listed where it stops.
        """
        name = self._provider.name
        rows = self._ledger.below(f"{name}:")
        terms = self._terms(rows)
        if owner is not None:
            known = {term.key for term in terms}
            own = [
                Term(quota, rule, f"{stem(name, quota)}{owner}")
                for quota, rule in self._quotas
                if not quota.keyed
            ]
            terms += [term for term in own if term.key not in known]
        states = self._ledger.settle(terms, rows)
        held = concurrency.count(
            self._store, [term.key for term in terms if not term.timed], self._clock.time()
        )
        standings = [self._standing(t, states[t.key], held.get(t.key, 0)) for t in terms]
        listed = [standing for standing in standings if standing.stopped or not standing.keyed]
        return [*listed, *self._circuits(owner)]

    def lift(self) -> list[Standing]:
        """Let everything go again that is stopped now: holds, used-up quotas, open circuits.

        A day's count that is used up begins again at nothing: only the provider knows better.
        Returns what was stopped.
        """

        def work(connection: sqlite3.Connection) -> list[Standing]:
            rows = self._ledger.below(f"{self._provider.name}:")
            terms = self._terms(rows)
            states = self._ledger.settle(terms, rows)
            standings = [(term, self._standing(term, states[term.key])) for term in terms]
            lifted = [(term, standing) for term, standing in standings if standing.stopped]
            for term, _ in lifted:
                state = states[term.key]
                state.held_until = state.spent_until = 0.0
                state.reason = ""
                if term.quota.kind == "daily":
                    state.level = state.others = 0.0
                    state.limit, state.limit_until = math.inf, 0.0
            self._ledger.save(connection, {term.key: states[term.key] for term, _ in lifted})
            opened = [circuit for circuit in self._circuits(None) if circuit.stopped]
            close(connection, [f"{c.provider}:{c.owner}" for c in opened])
            return [*(standing for _, standing in lifted), *opened]

        return self._store.run(work)

    def _terms(self, rows: Iterable[tuple[str, bytes, str]]) -> list[Term]:
        """What is stored of quotas that the provider still has, in their order."""
        keys = [key for key, _, _ in rows]
        return [
            Term(quota, rule, key)
            for quota, rule in self._quotas
            for key in keys
            if key.startswith(stem(self._provider.name, quota))
        ]

    def _standing(self, term: Term, state: State, leased: int = 0) -> Standing:
        level = level_of(term, state, leased)
        return Standing(
            provider=self._provider.name,
            quota=level.quota,
            owner=term.key.removeprefix(stem(self._provider.name, term.quota)).partition("#")[0],
            limit=level.limit,
            remaining=level.remaining,
            reset_at=level.reset_at,
            held_until=level.held_until,
            reason=level.reason,
            stopped=bool(level.reason),
            keyed=term.quota.keyed,
        )

    def _circuits(self, owner: str | None) -> list[Standing]:
        """The circuits that are stored, and that of `owner`."""
        name = self._provider.name
        found = {
            key.removeprefix(f"{name}:"): (until, reason)
            for key, until, reason in circuits(self._store, f"{name}:", self._clock)
        }
        if owner is not None:
            found.setdefault(owner, (None, ""))
        return [
            Standing(name, CIRCUIT, whose, None, None, None, until, reason, bool(reason))
            for whose, (until, reason) in found.items()
        ]

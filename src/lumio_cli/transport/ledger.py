"""The states of quotas in runtime.db, brought to the present whenever they are read."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lumio_cli.clock import Clock
from lumio_cli.providers.base import Quota
from lumio_cli.transport.quotas import GUARD, Rule, State, settle, unpack
from lumio_cli.transport.store import RuntimeStore


@dataclass(frozen=True, slots=True)
class Term:
    """A quota that applies to a call, with the key of its state."""

    quota: Quota
    rule: Rule
    key: str

    def price(self, cost: float) -> float:
        """What a call of `cost` takes from it: only points are counted by cost."""
        return cost if self.quota.kind == "points" or self.quota.costed else 1.0

    @property
    def timed(self) -> bool:
        """Whether it is counted by time, rather than by who is at it."""
        return self.quota.kind != "concurrency"

    @property
    def guard(self) -> float:
        """Seconds that a call may be late without others noticing."""
        return min(GUARD, self.quota.per / 10) if self.quota.kind == "window" else GUARD


class Ledger:
    """Reads and writes the states of quotas for all processes of this machine."""

    def __init__(self, store: RuntimeStore, clock: Clock) -> None:
        self.store = store
        self.clock = clock

    def read(self, terms: Sequence[Term]) -> dict[str, State]:
        """The states by key, without a lock: good for looking."""
        return self._settle(terms, self.store.query(_select(terms), [term.key for term in terms]))

    def load(self, connection: sqlite3.Connection, terms: Sequence[Term]) -> dict[str, State]:
        """The states by key, inside a transaction."""
        if not terms:
            return {}
        rows = connection.execute(_select(terms), [term.key for term in terms]).fetchall()
        return self._settle(terms, rows)

    def save(self, connection: sqlite3.Connection, states: Mapping[str, State]) -> None:
        """Write states that `load` has given."""
        connection.executemany(
            "INSERT INTO quotas VALUES (?, ?) "
            "ON CONFLICT (key) DO UPDATE SET state = excluded.state",
            [(key, state.pack()) for key, state in states.items()],
        )

    def change(self, terms: Sequence[Term], change: Callable[[Mapping[str, State]], bool]) -> None:
        """Load, change, and save if `change` says so, in one transaction."""

        def work(connection: sqlite3.Connection) -> None:
            states = self.load(connection, terms)
            if change(states):
                self.save(connection, states)

        if terms:
            self.store.run(work)

    def _settle(self, terms: Iterable[Term], rows: Iterable[tuple[str, bytes]]) -> dict[str, State]:
        # The clock is read here, after the lock was had: nobody's write is in our future.
        wall, mono = self.clock.time(), self.clock.monotonic()
        stored = dict(rows)
        states = {}
        for term in terms:
            data = stored.get(term.key)
            state = unpack(data) if data is not None else State()
            settle(term.rule, state, wall, mono)
            states[term.key] = state
        return states


def _select(terms: Sequence[Term]) -> str:
    return f"SELECT key, state FROM quotas WHERE key IN ({','.join('?' * len(terms))})"  # noqa: S608

"""The states of quotas in runtime.db, brought to the present whenever they are read."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lumio_cli.core.clock import Clock
from lumio_cli.providers.contract.quota import Quota
from lumio_cli.transport.quota.bounds import clip
from lumio_cli.transport.quota.state import GUARD, Rule, State, settle, unpack
from lumio_cli.transport.runtime_db.store import RuntimeStore


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
        return self.settle(terms, self.store.query(_select(terms), [term.key for term in terms]))

    def load(self, connection: sqlite3.Connection, terms: Sequence[Term]) -> dict[str, State]:
        """The states by key, inside a transaction."""
        if not terms:
            return {}
        rows = connection.execute(_select(terms), [term.key for term in terms]).fetchall()
        return self.settle(terms, rows)

    def below(self, prefix: str) -> list[tuple[str, bytes, str]]:
        """What is stored by keys that begin with `prefix`, for `settle`."""
        sql = "SELECT key, state, reason FROM quotas WHERE substr(key, 1, length(?1)) = ?1"
        return self.store.query(f"{sql} ORDER BY key", (prefix,))

    def save(self, connection: sqlite3.Connection, states: Mapping[str, State]) -> None:
        """Write states that `load` has given."""
        connection.executemany(
            "INSERT INTO quotas VALUES (?, ?, ?) "
            "ON CONFLICT (key) DO UPDATE SET state = excluded.state, reason = excluded.reason",
            [(key, state.pack(), state.reason) for key, state in states.items()],
        )

    def change(self, terms: Sequence[Term], change: Callable[[Mapping[str, State]], bool]) -> None:
        """Load, change, and save if `change` says so, in one transaction."""

        def work(connection: sqlite3.Connection) -> None:
            states = self.load(connection, terms)
            if change(states):
                self.save(connection, states)

        if terms:
            self.store.run(work)

    def settle(
        self, terms: Iterable[Term], rows: Iterable[tuple[str, bytes, str]]
    ) -> dict[str, State]:
        """The states by key, of what is stored of them, as they are now."""
        # The clock is read here, after the lock was had: nobody's write is in our future.
        wall, mono = self.clock.time(), self.clock.monotonic()
        stored = {key: (data, reason) for key, data, reason in rows}
        states = {}
        for term in terms:
            state = State()
            if (found := stored.get(term.key)) is not None:
                state = unpack(found[0])
                state.reason = found[1]
                if max(state.held_until, state.spent_until) > state.wall:
                    clip(term.quota, state)
            settle(term.rule, state, wall, mono)
            states[term.key] = state
        return states


def _select(terms: Sequence[Term]) -> str:
    return f"SELECT key, state, reason FROM quotas WHERE key IN ({','.join('?' * len(terms))})"  # noqa: S608

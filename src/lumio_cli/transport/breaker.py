"""A provider that keeps failing is left alone for a while, by all processes of this machine.

Closed: everything goes. Open, after so many failures in a row: nothing goes until the cooldown is
over. Half open: one call of all processes tries it; its success closes the circuit, its failure
opens it again for twice as long.
"""

from __future__ import annotations

import math
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from lumio_cli.core.clock import Clock, format_time, utc
from lumio_cli.core.errors import CircuitOpenError
from lumio_cli.transport.quota.retry_after import come_back
from lumio_cli.transport.runtime_db.store import RuntimeStore

Circuit = Literal["closed", "open", "half_open"]

FRESH = 1.0
"""Seconds that what was read of a closed and clean circuit is believed."""


@dataclass(frozen=True, slots=True)
class _Record:
    """What all processes know of the circuit.

    failures      in a row
    opened        how often in a row it was opened; 0 is closed
    until         when the cooldown is over, `length` seconds after it began
    probe         who tries it, and until when others must wait for the outcome
    reason        the last failure, in a word
    """

    failures: int = 0
    opened: int = 0
    until: float = 0.0
    length: float = 0.0
    probe: str = ""
    probe_until: float = 0.0
    reason: str = ""


class Breaker:
    """The circuit of `key`: a provider's, as one account at one origin meets it.

    name           what errors call it
    threshold      failures in a row that open it
    cooldown       seconds of the first pause; doubles with each failed probe up to `max_cooldown`
    probe_limit    seconds after which a probe whose outcome nobody reported is given up

    Every call is framed by `before()` and one of `success()`, `failure()` and `abandon()`, in the
    same thread. Only what speaks against the provider's health is a failure: time-outs, connection
    failures, 5xx. Thread-safe, and fit for use after a fork.
    """

    def __init__(
        self,
        store: RuntimeStore,
        key: str,
        clock: Clock,
        *,
        name: str,
        threshold: int = 5,
        cooldown: float = 30.0,
        max_cooldown: float = 900.0,
        probe_limit: float = 120.0,
    ) -> None:
        self.key = key
        self.name = name
        self._store = store
        self._clock = clock
        self._threshold = threshold
        self._cooldown = cooldown
        self._max_cooldown = max_cooldown
        self._probe_limit = probe_limit
        self._seen = _Record()
        self._seen_at = -math.inf
        self._own = os.urandom(6).hex()

    def before(self) -> None:
        """Ask whether a call may go. Raises `CircuitOpenError` where the circuit is open."""
        if self._look().opened:
            self._change(self._enter)

    def success(self) -> None:
        """The provider answered. Costs nothing while the circuit is closed and clean."""
        if self._look().failures:
            self._change(self._succeed)

    def failure(self, reason: str = "") -> None:
        """The provider failed; `reason` says how in a word (`timeout`, `HTTP 503`)."""
        self._change(lambda record, now: self._fail(record, now, reason))

    def abandon(self) -> None:
        """The call ended without telling anything of the provider: another one may try."""
        if self._look().probe:
            self._change(self._leave)

    def state(self) -> Circuit:
        """How the circuit stands. `half_open`: the cooldown is over, and a call may try."""
        record = self._read()
        if not record.opened:
            return "closed"
        return "open" if self._until(record, self._clock.time()) else "half_open"

    def retry_at(self) -> datetime | None:
        """When the next call may try; None: now."""
        record = self._read()
        until = self._until(record, self._clock.time()) if record.opened else 0.0
        return utc(until) if until else None

    # -- what happens to the record, in a transaction

    def _enter(self, record: _Record, now: float) -> _Record:
        if not record.opened:
            return record
        until = self._until(record, now)
        if record.probe and now < record.probe_until and not until:
            until = min(record.probe_until, now + self._cooldown)
        if until:
            raise self._refusal(record, until)
        return replace(record, probe=self._me(), probe_until=now + self._probe_limit)

    def _succeed(self, record: _Record, now: float) -> _Record:
        # A call that left before the circuit opened proves nothing: only the probe closes it.
        if record.opened and record.probe != self._me():
            return record
        return _Record()

    def _fail(self, record: _Record, now: float, reason: str) -> _Record:
        if record.opened and record.probe != self._me():
            return record
        failures = record.failures + 1
        if not record.opened and failures < self._threshold:
            return replace(record, failures=failures, reason=reason)
        length = min(self._cooldown * 2.0**record.opened, self._max_cooldown)
        return _Record(
            failures=failures,
            opened=min(record.opened + 1, 32),
            until=now + length,
            length=length,
            reason=reason,
        )

    def _leave(self, record: _Record, now: float) -> _Record:
        if record.probe != self._me():
            return record
        return replace(record, probe="", probe_until=0.0)

    def _refusal(self, record: _Record, until: float) -> CircuitOpenError:
        at = utc(math.ceil(until))
        last = f", last with {record.reason}" if record.reason else ""
        return CircuitOpenError(
            f"{self.name} failed {record.failures} times in a row{last}; "
            f"it is left alone until {format_time(at)}",
            retry_at=utc(until),
            hint=come_back(until, self.name),
        )

    # -- inside

    def _me(self) -> str:
        """This thread of this process, which is how a probe is known again."""
        return f"{self._own}.{os.getpid()}.{threading.get_ident()}"

    @staticmethod
    def _until(record: _Record, now: float) -> float:
        """When the cooldown ends; 0: it is over. A clock that was set back makes it no longer."""
        until = min(record.until, now + record.length)
        return until if until > now else 0.0

    def _look(self) -> _Record:
        """The record, as it was a moment ago while all is well."""
        now = self._clock.monotonic()
        if now - self._seen_at >= FRESH or self._seen.failures:
            return self._remember(self._read())
        return self._seen

    def _remember(self, record: _Record) -> _Record:
        self._seen, self._seen_at = record, self._clock.monotonic()
        return record

    def _read(self) -> _Record:
        rows = self._store.query(f"{_SELECT} WHERE key = ?", (self.key,))
        return _Record(*rows[0]) if rows else _Record()

    def _change(self, change: Callable[[_Record, float], _Record]) -> None:
        """Let all processes see the outcome of `change`."""

        def work(connection: sqlite3.Connection) -> _Record:
            row = connection.execute(f"{_SELECT} WHERE key = ?", (self.key,)).fetchone()
            old = _Record(*row) if row else _Record()
            new = change(old, self._clock.time())
            if new != old:
                connection.execute(
                    "INSERT OR REPLACE INTO breakers VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        self.key,
                        new.failures,
                        new.opened,
                        new.until,
                        new.length,
                        new.probe,
                        new.probe_until,
                        new.reason,
                    ),
                )
            return new

        self._remember(self._store.run(work))


def circuits(
    store: RuntimeStore, prefix: str, clock: Clock
) -> list[tuple[str, datetime | None, str]]:
    """The stored circuits whose keys begin with `prefix`: key, when a call may try, and why none
    goes; the latter are None and empty where all go.
    """
    rows = store.query(
        f"SELECT key, {_COLUMNS} FROM breakers WHERE substr(key, 1, length(?1)) = ?1 ORDER BY key",  # noqa: S608
        (prefix,),
    )
    found = []
    for key, *values in rows:
        record, until = _Record(*values), 0.0
        state: Circuit = "closed"
        if record.opened:
            until = Breaker._until(record, clock.time())
            state = "open" if until else "half_open"
        why = f"circuit {state.replace('_', ' ')}: {record.reason or 'it kept failing'}"
        found.append((key, utc(until) if until else None, why if record.opened else ""))
    return found


def close(connection: sqlite3.Connection, keys: Iterable[str]) -> None:
    """Close circuits, in the caller's transaction."""
    connection.executemany("DELETE FROM breakers WHERE key = ?", [(key,) for key in keys])


_COLUMNS = "failures, opened, until, length, probe, probe_until, reason"
_SELECT = f"SELECT {_COLUMNS} FROM breakers"  # noqa: S608

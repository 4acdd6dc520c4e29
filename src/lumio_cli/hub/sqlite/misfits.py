"""Values that a typed column cannot show, counted as they come and go.

What stores or deletes records counts those that do not fit before and after, so that `status`
reads some rows and scans no records. (Triggers would do the same for twice the time, and whoever
opens the hub would have to read their text, which is as long as all others together.)
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from lumio_cli.hub.sqlite.columns import misfit, stored_columns

KINDS = {
    "integer": "whole number",
    "number": "number",
    "boolean": "boolean",
    "datetime": "moment",
    "date": "day",
    "epoch": "moment",
    "epoch_ms": "moment",
}
"""Kinds whose values may not fit, and what such a value is not."""
RECORDS = 20_000
"""Records that are counted anew in one transaction: about a second of work."""
AT_ONCE = 200
"""Columns that one statement counts: SQLite takes 2,000 results, and each is a long expression."""


@contextmanager
def counted(db: sqlite3.Connection, table: str, ids: Sequence[str]) -> Iterator[None]:
    """Keep the counts current while the block stores or deletes records of a raw table."""
    row = db.execute(
        "SELECT provider, resource, columns, counted FROM lumio_resources"
        " WHERE 'lumio_raw_' || provider || '_' || resource = ?",
        [table],
    ).fetchone()
    names, totals = sums(None if row is None else row[2])
    if not names or not row[3]:
        yield
        return
    chosen = [json.dumps(list(ids))]
    before = _count(db, table, totals, _CHOSEN, chosen)
    yield
    after = _count(db, table, totals, _CHOSEN, chosen)
    db.executemany(
        "INSERT INTO lumio_misfits (provider, resource, column_name, misfits) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET misfits = misfits + excluded.misfits",
        [
            (row[0], row[1], name, now - old)
            for name, old, now in zip(names, before, after, strict=True)
            if now != old
        ],
    )


def doubt(db: sqlite3.Connection, provider: str, resource: str) -> None:
    """Let the counts be unknown until they are made anew (`Recount`)."""
    _keep(db, provider, resource, {})
    db.execute(
        "UPDATE lumio_resources SET counted = 0 WHERE provider = ? AND resource = ?",
        [provider, resource],
    )


class Recount:
    """Counts a resource anew, some records at a time, so that a hub of millions is not locked for
    minutes. Nothing else may store records of it meanwhile."""

    def __init__(self, provider: str, resource: str, table: str) -> None:
        self._name = provider, resource
        self._table = table
        self._rid = 0
        self._found: dict[str, int] = {}

    def go_on(self, db: sqlite3.Connection, limit: int = RECORDS) -> bool:
        """Count the next records, at most `limit`; False when all are counted, and the counts
        kept. Belongs into a transaction."""
        rows = db.execute(
            f"SELECT max(rid) FROM (SELECT rid FROM {self._table} WHERE rid > ?"
            " ORDER BY rid LIMIT ?)",
            [self._rid, limit],
        ).fetchone()
        if rows[0] is None:
            _keep(db, *self._name, self._found)
            return False
        for name, number in count(db, *self._name, self._table, (self._rid, rows[0])).items():
            self._found[name] = self._found.get(name, 0) + number
        self._rid = rows[0]
        return True


def _keep(db: sqlite3.Connection, provider: str, resource: str, found: Mapping[str, int]) -> None:
    db.execute(
        "DELETE FROM lumio_misfits WHERE provider = ? AND resource = ?", [provider, resource]
    )
    db.executemany(
        "INSERT INTO lumio_misfits (provider, resource, column_name, misfits) VALUES (?, ?, ?, ?)",
        [(provider, resource, name, number) for name, number in found.items()],
    )
    db.execute(
        "UPDATE lumio_resources SET counted = 1 WHERE provider = ? AND resource = ?",
        [provider, resource],
    )


def count(
    db: sqlite3.Connection,
    provider: str,
    resource: str,
    table: str,
    span: tuple[int, int] | None = None,
) -> dict[str, int]:
    """How many values of live records do not fit, by column, counted record by record; of columns
    that have none, nothing. `span`: only those whose row numbers lie above the first and up to the
    second number."""
    row = db.execute(
        "SELECT columns FROM lumio_resources WHERE provider = ? AND resource = ?",
        [provider, resource],
    ).fetchone()
    names, totals = sums(None if row is None else row[0])
    where, values = ("", []) if span is None else (" AND rid > ? AND rid <= ?", [*span])
    found = zip(names, _count(db, table, totals, where, values), strict=True)
    return {name: number for name, number in sorted(found) if number}


def read(db: sqlite3.Connection, provider: str, resource: str) -> Mapping[str, int]:
    """The counts as they were kept, by column; of columns that have none, nothing."""
    rows = db.execute(
        "SELECT column_name, misfits FROM lumio_misfits"
        " WHERE provider = ? AND resource = ? AND misfits <> 0 ORDER BY column_name",
        [provider, resource],
    )
    return {str(row[0]): int(row[1]) for row in rows}


@lru_cache(maxsize=64)
def sums(spec: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The typed columns among those that a hub has stored, and what sums up what does not fit
    them, `AT_ONCE` columns each."""
    try:
        columns = stored_columns(spec)
    except ValueError:
        columns = []  # A sync makes them anew, and counts then.
    typed = [c for c in columns if c.kind in KINDS]
    parts = (typed[start : start + AT_ONCE] for start in range(0, len(typed), AT_ONCE))
    totals = (", ".join(f"total({misfit(c)})" for c in part) for part in parts)
    return tuple(c.name for c in typed), tuple(totals)


def _count(
    db: sqlite3.Connection, table: str, totals: Sequence[str], where: str, values: Sequence[Any]
) -> list[int]:
    """The sums of the live records that fulfil `where`."""
    found: list[int] = []
    for listed in totals:
        row = db.execute(
            f"SELECT {listed} FROM {table} WHERE deleted_at IS NULL{where}", values
        ).fetchone()
        found += [int(number or 0) for number in row]
    return found


_CHOSEN = " AND id IN (SELECT value FROM json_each(?))"

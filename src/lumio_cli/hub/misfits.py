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

from lumio_cli.hub.columns import ViewColumn, misfit

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
AT_ONCE = 200
"""Columns that one statement counts: SQLite takes 2,000 results, and each is a long expression."""


@contextmanager
def counted(db: sqlite3.Connection, table: str, ids: Sequence[str]) -> Iterator[None]:
    """Keep the counts current while the block stores or deletes records of a raw table."""
    row = db.execute(
        "SELECT provider, resource, columns FROM lumio_resources"
        " WHERE 'lumio_raw_' || provider || '_' || resource = ?",
        [table],
    ).fetchone()
    names, totals = sums(None if row is None else row[2])
    if not names:
        yield
        return
    chosen = json.dumps(list(ids))
    before = _count(db, table, totals, chosen)
    yield
    after = _count(db, table, totals, chosen)
    db.executemany(
        "INSERT INTO lumio_misfits (provider, resource, column_name, misfits) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET misfits = misfits + excluded.misfits",
        [
            (row[0], row[1], name, now - old)
            for name, old, now in zip(names, before, after, strict=True)
            if now != old
        ],
    )


def recount(db: sqlite3.Connection, provider: str, resource: str, table: str) -> None:
    """Count anew, record by record. Belongs into a transaction."""
    db.execute(
        "DELETE FROM lumio_misfits WHERE provider = ? AND resource = ?", [provider, resource]
    )
    db.executemany(
        "INSERT INTO lumio_misfits (provider, resource, column_name, misfits) VALUES (?, ?, ?, ?)",
        [(provider, resource, n, k) for n, k in count(db, provider, resource, table).items()],
    )


def count(db: sqlite3.Connection, provider: str, resource: str, table: str) -> dict[str, int]:
    """How many values of live records do not fit, by column, counted record by record; of columns
    that have none, nothing."""
    row = db.execute(
        "SELECT columns FROM lumio_resources WHERE provider = ? AND resource = ?",
        [provider, resource],
    ).fetchone()
    names, totals = sums(None if row is None else row[0])
    found = zip(names, _count(db, table, totals), strict=True)
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
    columns = [ViewColumn(*column) for column in json.loads(spec or "[]")]
    typed = [c for c in columns if c.kind in KINDS]
    parts = (typed[start : start + AT_ONCE] for start in range(0, len(typed), AT_ONCE))
    totals = (", ".join(f"total({misfit(c)})" for c in part) for part in parts)
    return tuple(c.name for c in typed), tuple(totals)


def _count(
    db: sqlite3.Connection, table: str, totals: Sequence[str], ids: str | None = None
) -> list[int]:
    """The sums of all live records, or of those in a JSON list."""
    some = "" if ids is None else " AND id IN (SELECT value FROM json_each(?))"
    found: list[int] = []
    for listed in totals:
        row = db.execute(
            f"SELECT {listed} FROM {table} WHERE deleted_at IS NULL{some}",
            [] if ids is None else [ids],
        ).fetchone()
        found += map(int, row)
    return found

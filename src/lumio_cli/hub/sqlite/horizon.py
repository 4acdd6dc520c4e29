"""What a provider hides: records that no listing has any longer, and that are not deleted."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from lumio_cli.hub.sqlite import records, state
from lumio_cli.hub.sqlite.columns import ViewColumn, expression
from lumio_cli.hub.sqlite.record_history import Changed, add
from lumio_cli.hub.sqlite.records import Condition, raw_table

MARGIN = 1.0
"""Days before its horizon from which on a record is no longer expected to be listed: whose day it
is, and when it begins, nobody says."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far back the listings of a resource reach.

    time    where a record carries the time that counts, and how it is written
    days    how many days they reach back
    parent  the resource whose records' time counts; empty: their own
    owner   a path: where a record names its parent
    lifted  the account's scopes are said to lift the horizon; they may have changed since, so that
            it takes a record from behind it that was listed
    sole    its parents are of that resource alone: of one that the hub does not hold, nobody can
            say how old it is
    root    where a record names the time of what it is hidden with; that goes before its own
    within  a path: they reach as far as the oldest record that was listed, for each of its values
            by itself; `days` are then only what is usual
    """

    time: ViewColumn
    days: float | None = None
    parent: str = ""
    owner: str = ""
    sole: bool = False
    lifted: bool = False
    within: str = ""
    root: ViewColumn | None = None

    def _own(self) -> str:
        """SQL: the day number of a listed `r`'s time."""
        return f"julianday({expression(self.time, 'p.payload' if self.parent else 'r.payload')})"

    def _when(self) -> str:
        """SQL: the day number of the time that counts for a missing `r`."""
        if self.root is None:
            return self._own()
        holder = "p.payload" if self.parent else "r.payload"
        return f"coalesce(julianday({expression(self.root, holder)}), {self._own()})"

    def _join(self, provider: str) -> str:
        """SQL: the parent's row `p`, where that is the one whose time counts."""
        if not self.parent:
            return ""
        # The record itself says whose it is: rows of an older lumio may have no other note of it.
        owner = expression(ViewColumn("", self.owner, "text"), "r.payload")
        return f" LEFT JOIN {raw_table(provider, self.parent)} AS p ON p.id = {owner}"


def behind(
    db: sqlite3.Connection,
    provider: str,
    resource: str,
    missing: Condition,
    reach: Reach,
    now: str,
) -> Condition | None:
    """Return which of the `missing`, live records that a full walk has not met, lie behind the
    horizon at `now` (RFC 3339); None: none of them."""
    if reach.parent and not records.has_table(db, provider, reach.parent):
        return Condition("true") if reach.sole else None
    table = raw_table(provider, resource)
    if not reach.within:
        alone = " OR p.id IS NULL" if reach.sole else ""
        return Condition(
            f"r.id IN (SELECT r.id FROM {table} AS r{reach._join(provider)} WHERE {missing.sql}"
            f" AND ({reach._when()} < julianday(?) - ?{alone}))",
            (*missing.values, now, (reach.days or 0) - MARGIN),
        )
    group = expression(ViewColumn("", reach.within, "text"), "r.payload")
    return Condition(
        f"r.id IN (SELECT r.id FROM {table} AS r LEFT JOIN ("
        f"SELECT {group} AS about, min({reach._own()}) AS oldest FROM {table} AS r"
        f" WHERE r.deleted_at IS NULL AND NOT ({missing.sql}) GROUP BY 1) AS l"
        f" ON l.about IS {group}"
        f" WHERE {missing.sql} AND (l.oldest IS NULL OR {reach._when()} < l.oldest))",
        (*missing.values, *missing.values),
    )


def reaches_beyond(
    db: sqlite3.Connection,
    provider: str,
    resource: str,
    missing: Condition,
    reach: Reach,
    now: str,
) -> bool:
    """Whether a full walk that has not met `missing` has met a record from behind the horizon."""
    if reach.parent and not records.has_table(db, provider, reach.parent):
        return False
    found = db.execute(
        f"SELECT 1 FROM {raw_table(provider, resource)} AS r{reach._join(provider)}"
        f" WHERE r.deleted_at IS NULL AND {reach._when()} < julianday(?) - ?"
        f" AND NOT ({missing.sql}) LIMIT 1",
        [now, (reach.days or 0) + MARGIN, *missing.values],
    )
    return found.fetchone() is not None


def taken_for_deleted(
    db: sqlite3.Connection, provider: str, resource: str, reach: Reach, before: str | None
) -> list[str]:
    """Return the records that an older lumio, before the moment `before`, has taken for deleted
    though they only lay behind the horizon then; none where that is None. What the history knows
    as deleted at the provider by lumio itself is none of them.

    For resources whose deletions are found by absence alone.
    """
    if before is None or reach.days is None or reach.lifted:
        return []
    if reach.parent and not records.has_table(db, provider, reach.parent):
        return []
    return [
        str(row[0])
        for row in db.execute(
            f"SELECT r.id FROM {raw_table(provider, resource)} AS r{reach._join(provider)}"
            f" WHERE r.deleted_at < ? AND {reach._when()} < julianday(r.deleted_at) - ?"
            " AND NOT EXISTS (SELECT 1 FROM lumio_history AS h WHERE h.provider = ?"
            "  AND h.resource = ? AND h.record = r.id AND h.origin = 'push'"
            "  AND h.action = 'delete')",
            [before, reach.days - MARGIN, provider, resource],
        )
    ]


def restore(
    db: sqlite3.Connection, provider: str, resource: str, reach: Reach, now: str, run_id: str
) -> int:
    """Bring back, once, what was `taken_for_deleted`; returns how many. Belongs into a
    transaction."""
    before = state.read_state(db, provider, resource).astray_before
    ids = taken_for_deleted(db, provider, resource, reach, before)
    state.update_state(db, provider, resource, astray_before=None)
    if ids:
        records.revive(db, raw_table(provider, resource), ids, records.next_seq(db))
        records.add_records(db, provider, resource, len(ids))
        add(db, (Changed(provider, resource, i, now, run_id, "repair", "create") for i in ids))
    return len(ids)

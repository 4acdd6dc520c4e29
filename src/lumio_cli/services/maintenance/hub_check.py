"""What `lumio hub check` does: whether the hub's file and its books are whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lumio_cli.core.errors import HubError
from lumio_cli.hub.sqlite import misfits, records, state, views
from lumio_cli.hub.sqlite.columns import view_name
from lumio_cli.services.maintenance.hub import interruptible_reading, open_reader
from lumio_cli.services.maintenance.hub_repair import Astray, find_astray, repair_astray

if TYPE_CHECKING:
    from lumio_cli.runtime import Runtime


_MEND = "lumio hub restore FILE puts a backup in its place; or move it away and sync again"

_PROBLEMS = 100
"""So many problems are named; a damaged file can have millions."""


@dataclass(frozen=True, slots=True)
class Count:
    """A resource's live records: as `status` says, and as they are."""

    provider: str
    resource: str
    recorded: int
    counted: int


@dataclass(frozen=True, slots=True)
class BadValues:
    """A column's values that are none of its kind, which its view shows as NULL: as `status` says,
    and as they are."""

    provider: str
    resource: str
    column: str
    kind: str
    recorded: int
    counted: int

    def __str__(self) -> str:
        """Such as `hubspot/deals: amount: 14 values are no numbers`."""
        some, word = f"{self.counted:,} values are", f"no {misfits.KINDS[self.kind]}s"
        if self.counted == 1:
            some, word = "1 value is", word[:-1]
        return f"{self.provider}/{self.resource}: {self.column}: {some} {word}"


@dataclass(frozen=True, slots=True)
class Check:
    """What a check found. `views` are those that are not as lumio makes them; `astray` is what an
    older lumio has led astray; `repaired`: wrong counts and what was astray were set right."""

    path: Path
    integrity: tuple[str, ...]
    foreign_keys: tuple[str, ...]
    counts: tuple[Count, ...]
    views: tuple[str, ...] = ()
    bad_values: tuple[BadValues, ...] = ()
    astray: tuple[Astray, ...] = ()
    repaired: bool = False

    @property
    def wrong(self) -> tuple[Count | BadValues, ...]:
        """The counts that are not what they say."""
        counts: tuple[Count | BadValues, ...] = (*self.counts, *self.bad_values)
        return tuple(c for c in counts if c.recorded != c.counted)

    def problem(self) -> HubError | None:
        """What an operator has to act on; None: nothing."""
        if self.integrity or self.foreign_keys:
            first = (*self.integrity, *self.foreign_keys)[0]
            return HubError(
                f"the hub {self.path} is damaged: {first}", code="hub_corrupt", hint=_MEND
            )
        if self.wrong and not self.repaired:
            resources = {(count.provider, count.resource) for count in self.wrong}
            return HubError(
                f"the hub's counts of {len(resources)} resources are wrong; the records are whole",
                code="hub_counts_wrong",
                hint="lumio hub check --repair",
            )
        if self.astray and not self.repaired:
            one = self.astray[0]
            return HubError(
                f"{one.provider}/{one.resource}: {one.detail}"
                + (f" (and {len(self.astray) - 1} more)" if len(self.astray) > 1 else ""),
                code="hub_astray",
                hint=views.CURE,
            )
        if self.views:
            return HubError(
                f"views are damaged, or of an older lumio: {', '.join(self.views)}",
                code="hub_views",
                hint="lumio sync makes them anew; the records are whole",
            )
        return None

    def as_json(self) -> dict[str, Any]:
        """For `--output json`."""
        return {
            "path": str(self.path),
            "ok": self.problem() is None,
            "integrity": list(self.integrity),
            "foreign_keys": list(self.foreign_keys),
            "counts": [
                {
                    "provider": c.provider,
                    "resource": c.resource,
                    "recorded": c.recorded,
                    "counted": c.counted,
                    "ok": c.recorded == c.counted,
                }
                for c in self.counts
            ],
            "views": list(self.views),
            "bad_values": [
                {
                    "provider": b.provider,
                    "resource": b.resource,
                    "column": b.column,
                    "kind": b.kind,
                    "recorded": b.recorded,
                    "counted": b.counted,
                }
                for b in self.bad_values
            ],
            "astray": [a.as_json() for a in self.astray],
            "repaired": self.repaired,
        }


def check(runtime: Runtime, *, repair: bool = False) -> Check:
    """Check the file's structure, its references, and the counts of records and of bad values.

    What is wrong is in the result. Raises `HubError`: hub_missing, hub_corrupt for a file that
    cannot even be read, `StoppedError`.
    """
    try:
        reader = open_reader(runtime)
        with interruptible_reading(runtime, reader) as db:
            integrity = tuple(
                str(row[0]) for row in db.execute(f"PRAGMA integrity_check({_PROBLEMS})")
            )
            broken = db.execute("PRAGMA foreign_key_check").fetchmany(_PROBLEMS)
            # One snapshot: a run that goes on meanwhile must not look like a wrong count.
            db.execute("BEGIN")
            counts = _counts(db)
            bad_values = tuple(b for c in counts for b in _bad_values(db, c.provider, c.resource))
            damaged = tuple(
                view_name(c.provider, c.resource)
                for c in counts
                if not views.is_whole(db, c.provider, c.resource)
            )
            astray = find_astray(runtime, db) if integrity == ("ok",) else ()
            db.execute("COMMIT")
    except HubError as error:
        if error.code == "hub_corrupt":
            error.hint = _MEND
        raise
    found = Check(
        reader.path,
        () if integrity == ("ok",) else integrity,
        tuple(f"row {r[1]} of {r[0]} refers to nothing in {r[2]}" for r in broken),
        counts,
        damaged,
        bad_values,
        astray,
    )
    if repair and (found.wrong or found.astray) and not found.integrity:
        return _repair(runtime, found)
    return found


def _counts(db: sqlite3.Connection) -> tuple[Count, ...]:
    rows = db.execute(
        "SELECT provider, resource, records FROM lumio_resources ORDER BY provider, resource"
    ).fetchall()
    return tuple(
        Count(
            row[0],
            row[1],
            row[2],
            records.count_live(db, records.raw_table(row[0], row[1]))
            if records.has_table(db, row[0], row[1])
            else 0,
        )
        for row in rows
    )


def _bad_values(db: sqlite3.Connection, provider: str, resource: str) -> Iterator[BadValues]:
    if not records.has_table(db, provider, resource):
        return
    if not views.has_columns(db, provider, resource):
        return  # Those are astray, and what does not fit them nobody can tell.
    recorded = misfits.read(db, provider, resource)
    counted = misfits.count(db, provider, resource, records.raw_table(provider, resource))
    known = state.read_state(db, provider, resource).counted
    for column in views.read_columns(db, provider, resource):
        found = counted.get(column.name, 0)
        said = recorded.get(column.name, 0) if known else found
        if said or found:
            yield BadValues(provider, resource, column.name, column.kind, said, found)


def _repair(runtime: Runtime, found: Check) -> Check:
    with runtime.hub.transaction() as db:
        repair_astray(runtime, db)
        for count in _counts(db):
            name = count.provider, count.resource
            state.update_state(db, *name, records=count.counted)
            if records.has_table(db, *name):
                recount = misfits.Recount(*name, records.raw_table(*name))
                while recount.go_on(db):
                    runtime.stop.check()
    return replace(found, repaired=True)

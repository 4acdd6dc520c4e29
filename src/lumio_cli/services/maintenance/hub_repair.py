"""What an older lumio may have led astray in a hub, and how it is put right."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lumio_cli.core.clock import format_timestamp
from lumio_cli.hub.sqlite import horizon, records, runs, state, views
from lumio_cli.sync.fields import abilities_of, as_property, columns_of
from lumio_cli.sync.model import is_driven
from lumio_cli.sync.pull.cursors import NO_PARTS, good_one, parts_of

if TYPE_CHECKING:
    from lumio_cli.hub.sqlite.horizon import Reach
    from lumio_cli.hub.sqlite.state import ResourceState
    from lumio_cli.providers.contract.resource import Resource
    from lumio_cli.runtime import Runtime

RUN = "hub-check"
"""Stands for the run in the history of a record that a repair has brought back."""


@dataclass(frozen=True, slots=True)
class Astray:
    """Something that is not as it should be in one resource.

    what    cursor: it lies in the future or cannot be read, and changes are not seen; slices: the
            parts that it is true of cannot be read; columns: those of the view cannot; hidden:
            records were taken for deleted that the provider only hides
    detail  for people, with counts and times
    """

    provider: str
    resource: str
    what: str
    detail: str

    def as_json(self) -> dict[str, Any]:
        """For `--output json`."""
        return asdict(self)


def find_astray(runtime: Runtime, db: sqlite3.Connection) -> tuple[Astray, ...]:
    """Find what was led astray; changes nothing."""
    found: list[Astray] = []
    for name, resource in _resources(runtime, db):
        found += unreadable(db, name, resource.name)
        known = state.read_state(db, name, resource.name)
        cursor, good = known.cursor, _good_cursor(runtime, db, name, resource, known.cursor)
        if good != cursor:
            back = f"the last good one is {good}" if good else "there is no good one"
            found.append(Astray(name, resource.name, "cursor", f"{str(cursor)[:40]}: {back}"))
        reach, before = _reach(db, name, resource, known), known.astray_before
        held = horizon.taken_for_deleted(db, name, resource.name, reach, before) if reach else []
        if count := len(held):
            found.append(
                Astray(name, resource.name, "hidden", f"{count:,} records are hidden, not deleted")
            )
    return tuple(found)


def repair_astray(runtime: Runtime, db: sqlite3.Connection) -> None:
    """Put right what `find_astray` finds. Belongs into a transaction."""
    now = format_timestamp(runtime.clock.time())
    for name, resource in _resources(runtime, db):
        known = state.read_state(db, name, resource.name)
        broken = {one.what for one in unreadable(db, name, resource.name)}
        if "slices" in broken:
            # None of them is known to be read: the next walk for changes brings all.
            state.update_state(db, name, resource.name, slices="{}")
        if "columns" in broken:
            _make_columns(runtime, db, name, resource)
        good = _good_cursor(runtime, db, name, resource, known.cursor)
        if good != known.cursor:
            state.retract_cursor(db, name, resource.name, good)
        if (reach := _reach(db, name, resource, known)) is not None:
            horizon.restore(db, name, resource.name, reach, now, RUN)


def unreadable(db: sqlite3.Connection, provider: str, resource: str) -> list[Astray]:
    """What the hub has stored of a resource in JSON that cannot be read; changes nothing."""
    found = []
    if not views.has_columns(db, provider, resource):
        found.append(Astray(provider, resource, "columns", views.NO_COLUMNS))
    try:
        parts_of(state.read_state(db, provider, resource).slices)
    except ValueError:
        found.append(Astray(provider, resource, "slices", NO_PARTS))
    return found


def _make_columns(runtime: Runtime, db: sqlite3.Connection, name: str, resource: Resource) -> None:
    """Make the view anew from what is declared and was last described, as a sync does."""
    provider = runtime.provider(name)
    properties = [as_property(field) for field in state.read_fields(db, name, resource.name)]
    columns, able = columns_of(provider, resource, properties), abilities_of(provider, resource)
    views.rebuild_view(db, name, resource.name, columns, able)


def _resources(runtime: Runtime, db: sqlite3.Connection) -> Iterator[tuple[str, Resource]]:
    """The resources that the hub holds and this lumio knows."""
    from lumio_cli.providers.registry import provider_names

    known = provider_names()
    for row in db.execute(
        "SELECT provider, resource FROM lumio_resources ORDER BY 1, 2"
    ).fetchall():
        if row[0] not in known:
            continue
        for resource in runtime.provider(row[0]).resources:
            if resource.name == row[1] and records.has_table(db, *row):
                yield str(row[0]), resource


def _good_cursor(
    runtime: Runtime, db: sqlite3.Connection, name: str, resource: Resource, cursor: str | None
) -> str | None:
    now, seq, driven = runtime.clock.time(), records.current_seq(db), is_driven(resource)
    left = runs.cursors_before(db, name, resource.name)
    return good_one(cursor, left, driven=driven, now=now, seq=seq)


def _reach(
    db: sqlite3.Connection, name: str, resource: Resource, known: ResourceState
) -> Reach | None:
    from lumio_cli.sync.pull.absence import reach_of

    if resource.deletes != ("sweep",):
        return None
    return reach_of(resource, state.read_account(db, name), known)

"""Records that were merged into others: what their pages tell, and what becomes of their edits.

An edit goes to the survivor where that takes nothing from anybody: where the survivor's field is
empty, or still what the edit was made on. Else it waits as a conflict, under every policy, until an
operator says so; as does a deletion, since nobody has asked to delete the survivor.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lumio_cli.hub.edit_events import Joined, Moved
from lumio_cli.hub.edits import Edit, State, after
from lumio_cli.hub.sqlite import merges, records
from lumio_cli.hub.sqlite.columns import ViewColumn
from lumio_cli.hub.sqlite.records import Held, Row
from lumio_cli.providers.contract.values import meaning
from lumio_cli.sync.merging.merge import (
    Merged,
    Policy,
    Values,
    is_ours,
    kept,
    may_be_another,
    same,
    winner,
)
from lumio_cli.sync.pages import Page

MERGED = "merged"
"""The kind of conflict that an edit has met whose record was merged; `into` which."""


def note_page(db: sqlite3.Connection, page: Page, back: Sequence[Row], now: str) -> None:
    """What a page tells of records that are others by now; `back` are those that are there (again).
    What it lists is there, be it unreadable."""
    if page.became is None:
        return
    name = page.provider, page.resource
    if page.kind == "tombstones":
        merges.note(db, *name, page.became, now)
        return
    merges.deny(db, *name, (row.id for row in back))
    merges.note(db, *name, page.became, now, full=page.kind == "full")
    unread = [letter.record_id for letter in page.letters]
    if page.kind == "changes":
        merges.mark_listed(db, *name, [*(row.id for row in page.rows), *unread])
    else:
        records.mark_seen(db, *name, unread)


@dataclass(frozen=True, slots=True)
class Heir:
    """The record that an edit's record was merged into. `held` None: the hub does not hold it;
    `edit`: what was edited of it."""

    record: str
    held: Held | None
    edit: Edit | None


def inherit(
    edit: Edit,
    heir: Heir,
    columns: Mapping[str, ViewColumn],
    values: Values,
    decided: Policy | None,
) -> Merged:
    """What becomes of an edit of a merged record: an edit of the survivor, a conflict, or nothing.

    `decided`: what an operator has said to this very conflict; a run's policy does not count. With
    `local` the edit goes to the survivor. A deletion never does: who wants that deletes the
    survivor itself; nor does an edit of which nobody can say what it would overwrite.
    """
    if decided == "provider":
        return Merged(None, _given_up(edit, heir, columns, values))
    if edit.action == "delete" or heir.held is None or _is_to_go(heir):
        return Merged(_waits(edit, heir, {}))
    known = [columns[name] for name in edit.edits if name in columns]
    shown = _shown(heir, known, values)
    edits, base = dict(edit.edits), dict(edit.base)
    given_up: dict[str, tuple[Any, Any]] = {}
    conflict: dict[str, Any] = {}
    for column in known:
        name, mine, their = column.name, edit.edits[column.name], shown[column.name]
        ours = heir.edit is not None and name in heir.edit.edits
        if same(column, mine, their) and (ours or not may_be_another(edit, column, mine)):
            del edits[name]
            base.pop(name, None)
            continue
        fits = _is_empty(column, their) or same(column, edit.base.get(name), their)
        base[name] = their
        if (fits and not ours) or is_ours(edit, column, their):
            continue
        wins = "ask" if decided is None else winner(decided, edit, heir.held)
        if wins == "provider":
            given_up[name] = (mine, their)
            del edits[name], base[name]
        elif wins == "ask":
            conflict[name] = their
    unsettled = heir.edit is not None and heir.edit.status in (State.CONFLICT, State.FAILED)
    if conflict or (unsettled and edits and decided is None):
        return Merged(_waits(edit, heir, conflict))
    if not edits:
        return Merged(None, given_up)
    return Merged(_of_heir(edit, heir, edits, base), given_up)


def _given_up(
    edit: Edit, heir: Heir, columns: Mapping[str, ViewColumn], values: Values
) -> dict[str, tuple[Any, Any]]:
    known = [columns[name] for name in edit.edits if name in columns]
    shown = {} if heir.held is None else values(known, heir.held.payload)
    return {name: (value, shown.get(name)) for name, value in edit.edits.items()}


def _shown(heir: Heir, known: Sequence[ViewColumn], values: Values) -> dict[str, Any]:
    """The survivor as its view shows it: with what was edited of it."""
    assert heir.held is not None  # noqa: S101 what nobody knows cannot be shown
    shown = dict(values(known, heir.held.payload))
    if heir.edit is not None:
        shown.update({n: v for n, v in heir.edit.edits.items() if n in shown})
    return shown


def _is_to_go(heir: Heir) -> bool:
    return heir.edit is not None and heir.edit.action == "delete"


def _is_empty(column: ViewColumn, value: Any) -> bool:
    return meaning(column.kind, column.same, value) is None


def _waits(edit: Edit, heir: Heir, fields: Mapping[str, Any]) -> Edit:
    note = {"kind": MERGED, "into": heir.record, "fields": dict(fields)}
    return kept(edit, edit.edits, edit.base, note)


def _of_heir(edit: Edit, heir: Heir, edits: Mapping[str, Any], base: Mapping[str, Any]) -> Edit:
    """The edit as one of the survivor, together with what was edited of that."""
    other = heir.edit
    if other is None:
        return after(edit, Moved(heir.record, edit.action, dict(edits), dict(base)))
    # What is sent at this moment was made on what the provider has, and so is what joins it.
    first = {**base, **{name: value for name, value in other.base.items() if name in other.edits}}
    latest = max(other.edited_at, edit.edited_at)
    return after(other, Joined({**other.edits, **edits}, first, latest))

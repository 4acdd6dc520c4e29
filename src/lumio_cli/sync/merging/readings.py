"""What a page says of values that were sent before: the first reading after a write decides what
the answer to it did not tell.

Every function but `rebased` runs on the writer's thread, inside its transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from lumio_cli.hub.edits import Edit, State
from lumio_cli.hub.sqlite import outbox, records, runs, written_values
from lumio_cli.hub.sqlite.columns import ViewColumn, values_of
from lumio_cli.hub.sqlite.records import Held, raw_table
from lumio_cli.hub.sqlite.runs import DeadLetter
from lumio_cli.hub.sqlite.written_values import Written
from lumio_cli.sync.merging import forms
from lumio_cli.sync.merging.forms import Fate, Reformed
from lumio_cli.sync.pages import Page

Columns = Mapping[str, ViewColumn]


@dataclass(slots=True)
class Told:
    """What a pull has learned of earlier writes: of how many records something was not taken, and
    which values are written in other forms."""

    untaken: int = 0
    reformed: Reformed = field(default_factory=Reformed)


def note_page(
    db: sqlite3.Connection, page: Page, columns: Sequence[ViewColumn], now: str, run_id: str
) -> Told:
    """Compare a page that is about to be stored with what is remembered of its records."""
    name, told = (page.provider, page.resource), Told()
    rows = {row.id: row for row in page.rows}
    known = written_values.find(db, *name, rows)
    if not known:
        return told
    named = {column.name: column for column in columns}
    held = records.held(db, raw_table(*name), list(known))
    for record, remembered in known.items():
        edit = outbox.find(db, *name, record)
        row = rows[record]
        met = Held(row.payload, row.updated_at, False, 0)
        lagging = page.kind == "changes"
        fate = read(db, remembered, edit, met, held.get(record), named, lagging=lagging)
        if fate is None:
            continue
        written_values.save(db, *name, fate.left)
        told.reformed.add(fate.reformed)
        if edit is not None and (again := rebased(edit, fate)) is not edit:
            edit = again
            outbox.save(db, edit)
        if fate.untaken:
            told.untaken += 1
            _not_taken(db, edit, record, name, fate, now, run_id)
    return told


def read(
    db: sqlite3.Connection,
    remembered: Written,
    edit: Edit | None,
    row: Held,
    held: Held | None,
    columns: Columns,
    *,
    lagging: bool = False,
) -> Fate | None:
    """What a record's row says of what was sent to it; None where it is older than what the hub
    has had. `lagging`: it comes from an index that may be behind, so that one which is no newer
    says nothing by showing an old value."""
    before = None if held is None else held.updated_at
    if before is not None and row.updated_at is not None and row.updated_at < before:
        return None
    names = [*remembered.forms, *(() if edit is None else edit.base)]
    listed = [columns[n] for n in dict.fromkeys(names) if n in columns]
    now = values_of(db, listed, row.payload)
    sure = not lagging or row.updated_at is None or row.updated_at != before
    return forms.of_reading(remembered, now, columns, sure=sure)


def rebased(edit: Edit, fate: Fate) -> Edit:
    """The edit as one that was made on what the reading shows, where it was made on what nobody
    knew. It is the same edit all the same."""
    base = {name: fate.base.get(name, value) for name, value in edit.base.items()}
    return edit if base == edit.base else replace(edit, base=base)


def _not_taken(
    db: sqlite3.Connection,
    edit: Edit | None,
    record: str,
    name: tuple[str, str],
    fate: Fate,
    now: str,
    run_id: str,
) -> None:
    """What the provider did not take is an edit again, as one that has failed. One that was made
    meanwhile goes on, and takes what it does not set itself with it."""
    sent = {n: form.sent for n, form in fate.untaken.items()}
    kept = {n: form.kept for n, form in fate.untaken.items()}
    why = forms.reason(name[0], fate.untaken, later=True)
    if edit is not None and edit.action != "update":
        return
    if edit is None:
        key = sha256("\n".join((*name, record, run_id)).encode()).hexdigest()[:16]
        again = Edit(
            *name, record, "update", sent, kept, State.FAILED,
            key=key, kind=forms.NOT_TAKEN, message=why, edited_at=now,
        )  # fmt: skip
    else:
        again = replace(
            edit,
            edits={**sent, **edit.edits},
            base={**kept, **edit.base},
            version=edit.version + 1,
        )
    outbox.save(db, again)
    payload = json.dumps({"action": "update", "edits": sent, "base": kept}, ensure_ascii=False)
    letter = DeadLetter(*name, record, forms.NOT_TAKEN, why, payload, "push")
    runs.add_dead_letters(db, [letter], run_id, now)

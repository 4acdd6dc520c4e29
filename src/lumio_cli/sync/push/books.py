"""What settling leaves in the hub: the records that were taken, their history, and dead letters.

Every method runs on the writer's thread, inside its transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lumio_cli.hub.edit_events import Action
from lumio_cli.hub.edits import Edit, afresh
from lumio_cli.hub.sqlite import record_history, records, runs
from lumio_cli.hub.sqlite.columns import ViewColumn, values_of
from lumio_cli.hub.sqlite.record_history import Changed
from lumio_cli.hub.sqlite.records import raw_table
from lumio_cli.hub.sqlite.runs import DeadLetter
from lumio_cli.providers.contract.call import dig
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.values import merged, put
from lumio_cli.sync.fields import provider_column
from lumio_cli.sync.merging.merge import Policy
from lumio_cli.sync.pages import prepare
from lumio_cli.sync.push.queue import Outgoing

Columns = Mapping[str, ViewColumn]


class Books:
    """One resource's books of what `out` has sent; they are written by `flush`."""

    def __init__(self, out: Outgoing, policy: Policy, max_record: int) -> None:
        self.out = out
        self.store = out.store
        self.resource = out.resource
        self.policy = policy
        self.max_record = max_record
        self.name = out.name
        self.table = raw_table(*self.name)
        self._records: list[dict[str, Any]] = []
        self._noted: list[Changed] = []

    def begin(self) -> None:
        """Begin with nothing."""
        self._records, self._noted = [], []

    def with_edit(
        self,
        record: dict[str, Any],
        edit: Edit,
        receipt: Receipt,
        columns: Columns,
    ) -> dict[str, Any]:
        """The record with the edit, as a listing would show it."""
        for name, value in edit.edits.items():
            column = columns.get(name)
            if column is not None and (value is not None or edit.action == "update"):
                known = provider_column(column)
                put(record, column.path, self.out.provider.shown(known, value))
        return merged(record, receipt.record or {})

    def take(self, record: dict[str, Any]) -> None:
        """Take a record that was written; one that a listing must bring, since the answer does
        not say all that the hub needs, comes with the next pull."""
        group = self.resource.group
        if not group or dig(record, group) is not None:
            self._records.append(record)

    def flush(self, db: sqlite3.Connection) -> None:
        """Store the records that were taken, and what is to be remembered."""
        found = prepare(self.name[0], self.resource, self._records, self.max_record)
        if found.rows:
            created = records.compare(db, self.table, found.rows).created
            records.upsert(db, self.table, found.rows, records.next_seq(db), self.store.now())
            records.add_records(db, *self.name, len(created))
        record_history.add(db, self._noted)
        self.begin()

    def note(
        self,
        edit: Edit,
        record: str,
        fields: record_history.Fields,
        action: Action | None = None,
    ) -> None:
        """Note in the history what has become of a record."""
        changed = Changed(
            *self.name,
            record,
            self.store.now(),
            self.store.run_id,
            "push",
            action or edit.action,
            fields,
            edit.edited_at,
        )
        self._noted.append(changed)

    def bury(self, db: sqlite3.Connection, edit: Edit, receipt: Receipt) -> None:
        """Keep a dead letter of an edit that has failed."""
        payload = {"action": edit.action, "edits": dict(edit.edits), "base": dict(edit.base)}
        letter = DeadLetter(
            *self.name,
            edit.record,
            receipt.kind,
            receipt.message,
            json.dumps(payload, ensure_ascii=False),
            "push",
        )
        runs.add_dead_letters(db, [letter], self.store.run_id, self.store.now())


def deletion(
    db: sqlite3.Connection, edit: Edit, record: str, payload: str, columns: Columns
) -> Edit:
    """The deletion of a record that was new, and is there by now: made on what it is there. What
    else was edited of it was never sent."""
    base = writable(db, payload, columns)
    return replace(afresh(edit), record=record, edits={}, base=base)


def writable(db: sqlite3.Connection, payload: str, columns: Columns) -> dict[str, Any]:
    """What the view shows of a payload, of all that can be edited."""
    return values_of(db, [c for c in columns.values() if not c.read_only], payload)


def shown(db: sqlite3.Connection, edit: Edit, payload: str, columns: Columns) -> Mapping[str, Any]:
    """What the view shows of an edit's fields by now: the provider may have a form of its own."""
    known = [columns[name] for name in edit.edits if name in columns]
    return {**edit.edits, **values_of(db, known, payload)}

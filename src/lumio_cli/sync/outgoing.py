"""What a push does to the hub: it claims edits, and settles what became of them.

Every method runs on the writer's thread, inside its transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from lumio_cli.hub import changes, outbox, records, runs, views
from lumio_cli.hub.changes import Changed
from lumio_cli.hub.columns import ViewColumn, values_of
from lumio_cli.hub.outbox import Action, Edit
from lumio_cli.hub.records import Held, raw_table
from lumio_cli.hub.runs import DeadLetter
from lumio_cli.providers.base import Provider, Resource, dig
from lumio_cli.providers.values import as_text, merged, put
from lumio_cli.providers.writing import Change, Receipt
from lumio_cli.sync import pending
from lumio_cli.sync.doubt import Doubt, sent_values
from lumio_cli.sync.fields import provider_column
from lumio_cli.sync.merge import Policy, about, same
from lumio_cli.sync.pages import prepare
from lumio_cli.sync.store import Store

WRITE: dict[Action, Literal["create", "update", "archive"]] = {
    "create": "create",
    "update": "update",
    "delete": "archive",
}
"""The provider's word for an action."""


@dataclass(slots=True)
class Settled:
    """What settling came to: numbers of changes, and why some are to be sent again."""

    created: int = 0
    updated: int = 0
    deleted: int = 0
    failed: int = 0
    unknown: int = 0
    again: str = ""

    @property
    def sent(self) -> int:
        """Changes that the provider has decided about."""
        return self.created + self.updated + self.deleted + self.failed


class Outgoing:
    """One resource's way out. `only`: records to send, each with the trace of its change."""

    def __init__(
        self,
        store: Store,
        provider: Provider,
        resource: Resource,
        policy: Policy,
        max_record: int,
        only: Mapping[str, str] | None = None,
    ) -> None:
        self.store = store
        self.provider = provider
        self.resource = resource
        self.policy = policy
        self.max_record = max_record
        self.only = only
        self.name = provider.name, resource.name
        self.table = raw_table(*self.name)
        self._after = ""
        self._records: list[dict[str, Any]] = []
        self._noted: list[Changed] = []

    def columns(self, db: sqlite3.Connection) -> dict[str, ViewColumn]:
        """The view's columns by name."""
        return {c.name: c for c in views.read_columns(db, *self.name)}

    # -- claiming

    def count(self, db: sqlite3.Connection) -> dict[str, int]:
        """How many edits there are, by status; of `only`, where that is given."""
        if self.only is None:
            return outbox.count(db, *self.name)
        found: dict[str, int] = {}
        for record in self.only:
            edit = outbox.find(db, *self.name, record)
            if edit is not None:
                found[edit.status] = found.get(edit.status, 0) + 1
        return found

    def rewind(self, db: sqlite3.Connection) -> None:
        """Begin again with the first record."""
        self._after = ""

    def claim(self, db: sqlite3.Connection, action: Action, limit: int) -> list[Edit]:
        """The next edits to send, marked as being sent; empty at the end.

        An edit is sent once a run. One that refers to a record which is yet to be created waits.
        """
        chosen: list[Edit] = []
        unnamed: set[str] | None = None
        while len(chosen) < limit:
            part = outbox.read(
                db, *self.name, status=("pending",), action=action, after=self._after, limit=limit
            )
            if not part:
                break
            for edit in part:
                if len(chosen) == limit:
                    break
                self._after = edit.record
                if edit.run_id == self.store.run_id or not self._wanted(edit):
                    continue
                if any(isinstance(v, str) and outbox.is_local(v) for v in edit.edits.values()):
                    unnamed = outbox.local_ids(db, self.name[0]) if unnamed is None else unnamed
                    if unnamed & set(map(str, edit.edits.values())):
                        continue
                chosen.append(edit)
        outbox.claim(db, chosen, self.store.run_id, self.store.now())
        return chosen

    def _wanted(self, edit: Edit) -> bool:
        return self.only is None or self.only.get(edit.record) == edit.trace

    @staticmethod
    def obstacle(edit: Edit) -> str:
        """Why a claimed edit cannot be sent; empty if it can.

        A record of ours that it refers to, for which it need not wait any longer, has got no id
        from the provider, and never will. And what was no text is not to become some other text.
        """
        for name, value in edit.edits.items():
            if isinstance(value, str) and outbox.is_local(value):
                return f"{name} refers to {value}, which was deleted here before it was created"
            if isinstance(value, str) and "\ufffd" in value:
                return f"{name} is not UTF-8 text (it holds U+FFFD): set it again"
        return ""

    def close_letters(self, db: sqlite3.Connection) -> None:
        """Close the dead letters of edits that somebody has taken back."""
        runs.resolve_taken_back(db, *self.name, self.store.now())

    def waiting(self, db: sqlite3.Connection) -> int:
        """Edits that could not be sent, since they refer to records that are not created yet."""
        unnamed = outbox.local_ids(db, self.name[0])
        return sum(
            self._wanted(edit) and bool(unnamed & set(map(str, edit.edits.values())))
            for edit in (outbox.walk(db, *self.name, status=("pending",)) if unnamed else ())
        )

    def change_of(self, edit: Edit, columns: Mapping[str, ViewColumn]) -> Change:
        """An edit as the provider's module is given it."""
        return Change(
            WRITE[edit.action],
            edit.trace,
            id="" if edit.action == "create" else edit.record,
            values=_texts(edit.edits, columns, nothing=edit.action != "create")
            if edit.action != "delete"
            else {},
            base=_texts(edit.base, columns, nothing=True),
        )

    # -- settling

    def settle(self, db: sqlite3.Connection, pairs: Sequence[tuple[Edit, Receipt]]) -> Settled:
        """Keep what became of edits that were sent."""
        settled, columns = Settled(), self.columns(db)
        self._records, self._noted = [], []
        done = [(edit, receipt) for edit, receipt in pairs if receipt.status == "done"]
        held = records.held(db, self.table, [edit.record for edit, _ in done])
        named: dict[str, str] = {}
        for edit, receipt in done:
            if edit.action == "create":
                self._created(db, edit, receipt, columns)
                named[edit.record] = receipt.id
                settled.created += 1
            elif edit.action == "update":
                self._updated(db, edit, receipt, columns, held.get(edit.record))
                settled.updated += 1
            else:
                self._deleted(db, edit, columns, held.get(edit.record))
                settled.deleted += 1
        self._flush(db)
        if named:
            outbox.rename(db, self.name[0], named)
        if done:
            letters = [edit.record for edit, _ in done]
            runs.resolve_push(db, *self.name, letters, "sent", self.store.now())
        for edit, receipt in pairs:
            if receipt.status != "done":
                self._not_done(db, edit, receipt, settled)
        runs.heartbeat(db, self.store.run_id, self.store.now())
        return settled

    def _created(
        self,
        db: sqlite3.Connection,
        edit: Edit,
        receipt: Receipt,
        columns: Mapping[str, ViewColumn],
    ) -> None:
        record: dict[str, Any] = {}
        put(record, self.resource.key, receipt.id)
        self._store(self._with(record, edit, receipt, columns))
        self._adopt(db, edit, receipt.id, columns)

    def _adopt(
        self,
        db: sqlite3.Connection,
        edit: Edit,
        record: str,
        columns: Mapping[str, ViewColumn],
    ) -> None:
        """An edit has created this record; what was edited since is an edit of that."""
        fields: dict[str, tuple[Any, Any]] = {}
        if about(edit) != edit.record:
            fields["id"] = about(edit), record
        fields |= {n: (None, v) for n, v in edit.edits.items() if v is not None}
        self._note(edit, record, fields)
        current = outbox.find(db, *self.name, edit.record)
        outbox.drop(db, *self.name, edit.record)
        if current is None or current.version == edit.version:
            return
        self._rebase(db, replace(current, record=record), edit, columns)

    def _updated(
        self,
        db: sqlite3.Connection,
        edit: Edit,
        receipt: Receipt,
        columns: Mapping[str, ViewColumn],
        held: Held | None,
    ) -> None:
        if held is not None and not held.gone:
            self._store(self._with(json.loads(held.payload), edit, receipt, columns))
        fields = {name: (edit.base.get(name), value) for name, value in edit.edits.items()}
        self._note(edit, edit.record, fields)
        current = outbox.find(db, *self.name, edit.record)
        if current is None or current.version == edit.version:
            outbox.drop(db, *self.name, edit.record)
        else:
            self._rebase(db, current, edit, columns)

    def _rebase(
        self, db: sqlite3.Connection, current: Edit, sent: Edit, columns: Mapping[str, ViewColumn]
    ) -> None:
        """An edit was edited while it was sent: what is left is made on what was sent."""
        base = {**current.base, **sent.edits}
        if current.action == "delete":
            left: dict[str, Any] = {}
        else:
            left = {
                name: value
                for name, value in current.edits.items()
                if name not in sent.edits
                or name not in columns
                or not same(columns[name], value, sent.edits[name])
            }
            base = {name: base.get(name) for name in left}
        outbox.drop(db, *self.name, sent.record)
        if current.action == "delete" or left:
            action: Action = "delete" if current.action == "delete" else "update"
            rest = replace(
                current,
                action=action,
                edits=left,
                base=base,
                status="pending",
                sent=None,
                attempt_rid=None,
                conflict=None,
                kind=None,
                message=None,
            )
            outbox.save(db, pending.with_other(db, sent.record, rest))

    def _deleted(
        self,
        db: sqlite3.Connection,
        edit: Edit,
        columns: Mapping[str, ViewColumn],
        held: Held | None,
    ) -> None:
        fields: dict[str, tuple[Any, Any]] = {}
        if held is not None:
            writable = [c for c in columns.values() if not c.read_only]
            last = values_of(db, writable, held.payload)
            fields = {name: (value, None) for name, value in last.items() if value is not None}
            now = self.store.now()
            seq = records.next_seq(db)
            deleted = records.mark_deleted(db, self.table, [edit.record], seq, now)
            records.add_records(db, *self.name, -deleted)
        self._note(edit, edit.record, fields)
        outbox.drop(db, *self.name, edit.record)

    def _not_done(
        self, db: sqlite3.Connection, edit: Edit, receipt: Receipt, settled: Settled
    ) -> None:
        current = outbox.find(db, *self.name, edit.record)
        if current is None:
            return
        new = outbox.is_local(edit.record)
        if new and current.action == "delete" and receipt.status in ("retry", "failed"):
            # It was deleted here meanwhile, and was not made by this request.
            if current.attempt_rid is None:
                outbox.drop(db, *self.name, edit.record)
            else:
                outbox.save(db, replace(current, status="unknown"))
                settled.unknown += 1
            return
        if receipt.status == "unknown" and new:
            rid = records.last_rid(db, self.table)
            doubt = rid if current.attempt_rid is None else current.attempt_rid
            current = replace(current, status="unknown", message=receipt.message, attempt_rid=doubt)
            settled.unknown += 1
        elif receipt.status in ("unknown", "retry") or receipt.kind == "transient":
            # Of a new record that was not taken, nothing is there. Another may have been changed.
            sent = current.sent if not new or current.attempt_rid is not None else None
            current = replace(current, status="pending", sent=sent, message=receipt.message or None)
            settled.again = settled.again or receipt.message or "the provider did not take it"
        elif receipt.kind == "gone" and edit.action == "update":
            self._found_gone(db, current)
            return
        elif new and current.attempt_rid is not None:
            # It is refused now; but what was sent before, and got no answer, may be there.
            current = replace(current, status="unknown", message=receipt.message)
            settled.unknown += 1
        elif current.version != edit.version:
            # It was edited meanwhile, maybe for the better.
            current = replace(current, status="pending", sent=None, message=receipt.message)
            settled.failed += 1
        else:
            current = replace(
                current,
                status="failed",
                sent=None,
                attempt_rid=None,
                kind=receipt.kind,
                message=receipt.message,
            )
            settled.failed += 1
            self._bury(db, current, receipt)
        outbox.save(db, current)

    def _found_gone(self, db: sqlite3.Connection, edit: Edit) -> None:
        """The provider has deleted the record: the edit meets that as if a pull had told it."""
        self.store.delete(db, *self.name, [edit.record])
        outbox.save(db, replace(edit, status="pending"))
        pending.reconcile(
            db,
            *self.name,
            self.policy,
            run_id=self.store.run_id,
            now=self.store.now(),
            only=[edit.record],
        )

    def _bury(self, db: sqlite3.Connection, edit: Edit, receipt: Receipt) -> None:
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

    # -- new records of which nobody knows whether they were created

    def search(self, db: sqlite3.Connection, seen_until: float | None) -> None:
        """Look for them among those that have come into the hub since they were sent.

        `seen_until`: what was created before that time (seconds since 1970) has come.
        """
        doubtful = list(outbox.walk(db, *self.name, status=("unknown",)))
        if not doubtful:
            return
        self._records, self._noted = [], []
        unique = () if self.resource.writes is None else self.resource.writes.unique
        columns = self.columns(db)
        doubt = Doubt(db, *self.name, columns, unique)
        lookback = self.resource.cursor.lookback if self.resource.cursor else 0.0
        for edit, found in doubt.decide(doubtful, seen_until, lookback):
            if found.record:
                self._adopted(db, edit, found.record, columns)
            elif found.edit is None:
                outbox.drop(db, *self.name, edit.record)
            else:
                outbox.save(db, found.edit)
                if found.edit.status == "failed":
                    receipt = Receipt("", "failed", "", None, "unsettled", found.edit.message or "")
                    self._bury(db, found.edit, receipt)
        self._flush(db)

    def _adopted(
        self, db: sqlite3.Connection, edit: Edit, record: str, columns: Mapping[str, ViewColumn]
    ) -> None:
        if edit.action == "delete":
            # It was created, and its creator wants it no longer.
            self._note(edit, record, {n: (None, v) for n, v in edit.edits.items()}, "create")
            outbox.drop(db, *self.name, edit.record)
            outbox.rename(db, self.name[0], {edit.record: record})
            gone = replace(
                edit,
                record=record,
                edits={},
                base={},
                sent=None,
                status="pending",
                attempt_rid=None,
                conflict=None,
            )
            outbox.save(db, gone)
            return
        sent = dict(sent_values(edit))
        if sent != edit.edits:
            # It was edited while it was in doubt.
            edit = replace(edit, edits=sent, version=edit.version - 1)
        self._adopt(db, edit, record, columns)
        outbox.rename(db, self.name[0], {edit.record: record})
        runs.resolve_push(db, *self.name, [edit.record], "sent", self.store.now())

    # -- small things

    def _with(
        self,
        record: dict[str, Any],
        edit: Edit,
        receipt: Receipt,
        columns: Mapping[str, ViewColumn],
    ) -> dict[str, Any]:
        """The record with the edit, as a listing would show it."""
        for name, value in edit.edits.items():
            column = columns.get(name)
            if column is not None and (value is not None or edit.action == "update"):
                known = provider_column(column)
                put(record, column.path, self.provider.shown(known, value))
        return merged(record, receipt.record or {})

    def _store(self, record: dict[str, Any]) -> None:
        """Take a record that was written; one that a listing must bring, since the answer does
        not say all that the hub needs, comes with the next pull."""
        group = self.resource.group
        if not group or dig(record, group) is not None:
            self._records.append(record)

    def _flush(self, db: sqlite3.Connection) -> None:
        """Store the records that were taken, and what is to be remembered."""
        found = prepare(self.name[0], self.resource, self._records, self.max_record)
        if found.rows:
            created = records.compare(db, self.table, found.rows).created
            records.upsert(db, self.table, found.rows, records.next_seq(db), self.store.now())
            records.add_records(db, *self.name, len(created))
        changes.add(db, self._noted)
        self._records, self._noted = [], []

    def _note(
        self,
        edit: Edit,
        record: str,
        fields: changes.Fields,
        action: Action | None = None,
    ) -> None:
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


def _texts(
    values: Mapping[str, Any], columns: Mapping[str, ViewColumn], *, nothing: bool
) -> dict[str, str | None]:
    """Values by the names that the provider's module knows, as it is given them."""
    found: dict[str, str | None] = {}
    for name, value in values.items():
        column = columns.get(name)
        text = as_text(column.kind if column else "text", value)
        if nothing or text is not None:
            found[column.known_as if column else name] = text
    return found

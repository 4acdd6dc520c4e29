"""What a push does to the hub when it hears from the provider: each edit is settled by its receipt.

Every method runs on the writer's thread, inside its transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lumio_cli.hub.edit_events import Done
from lumio_cli.hub.edits import Edit, State, afresh, after, failed
from lumio_cli.hub.sqlite import outbox, records, runs, written_values
from lumio_cli.hub.sqlite.columns import values_of
from lumio_cli.hub.sqlite.records import Held
from lumio_cli.hub.sqlite.written_values import Written
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.values import merged, put, tells
from lumio_cli.sync.merging import forms, reconcile
from lumio_cli.sync.merging.forms import Fate
from lumio_cli.sync.merging.merge import about, same
from lumio_cli.sync.push import gone
from lumio_cli.sync.push.books import Books, Columns, deletion, shown, writable
from lumio_cli.sync.push.lost_creates import Doubt, sent_values
from lumio_cli.sync.push.settled import Settled, heard

MAX_MESSAGE = 300
"""Characters that are kept of a receipt's message; some repeat a whole value."""


class Settling(Books):
    """One resource's settling of what `out` has claimed."""

    def settle(
        self,
        db: sqlite3.Connection,
        pairs: Sequence[tuple[Edit, Receipt]],
        survivors: Mapping[str, str] | None = None,
    ) -> Settled:
        """Keep what became of edits that were sent. `survivors`: what those of their records that
        are gone were merged into."""
        settled, columns = Settled(), self.out.columns(db)
        self.begin()
        done = [(edit, receipt) for edit, receipt in pairs if receipt.status == "done"]
        held = records.held(db, self.table, [edit.record for edit, _ in done])
        touched = {name for edit, receipt in done for name in (edit.record, receipt.id) if name}
        known = written_values.find(db, *self.name, touched)
        untaken: list[tuple[Edit, Fate]] = []
        for edit, receipt in done:
            before, fate = known.get(edit.record), None
            if edit.action == "create":
                fate = self._created(db, edit, receipt, columns)
                settled.created += 1
                settled.partly += bool(fate.untaken)
            elif edit.action == "update":
                if receipt.id in ("", edit.record):
                    fate = self._updated(db, edit, receipt, columns, held.get(edit.record), before)
                else:
                    before = known.get(receipt.id)
                    fate = self._updated_survivor(db, edit, receipt, columns, before)
                settled.updated += not fate.untaken
            else:
                self._deleted(db, edit, columns, held.get(edit.record))
                settled.deleted += 1
            if fate is not None:
                record = fate.left.record
                if fate.left != known.get(record, Written(record)):
                    written_values.save(db, *self.name, fate.left)
                settled.reformed += [fate.reformed] if fate.reformed else []
                untaken += [(edit, fate)] if fate.untaken else []
        self.flush(db)
        if done:
            letters = [edit.record for edit, _ in done]
            runs.resolve_push(db, *self.name, letters, "sent", self.store.now())
        for edit, fate in untaken:
            self._not_taken(db, edit, fate, settled)
        for edit, receipt in pairs:
            if receipt.status != "done":
                self._not_done(db, edit, receipt, settled, survivors or {})
        runs.heartbeat(db, self.store.run_id, self.store.now())
        return settled

    def _created(
        self,
        db: sqlite3.Connection,
        edit: Edit,
        receipt: Receipt,
        columns: Columns,
    ) -> Fate:
        record: dict[str, Any] = {}
        put(record, self.resource.key, receipt.id)
        record = self.with_edit(record, edit, receipt, columns)
        self.take(record)
        payload = json.dumps(record)
        told = [c for c in columns.values() if tells(receipt.record, c.path)]
        fate = self._fate(db, Written(receipt.id), edit, {}, receipt, columns, payload)
        self._adopt(db, edit, receipt.id, columns, payload, fate)
        names = frozenset(column.name for column in told)
        return replace(fate, left=replace(fate.left, told=names))

    def _adopt(
        self,
        db: sqlite3.Connection,
        edit: Edit,
        record: str,
        columns: Columns,
        payload: str,
        fate: Fate,
    ) -> None:
        """An edit has created this record, which has this payload now; what was edited since is an
        edit of that."""
        now = shown(db, edit, payload, columns)
        fields: dict[str, tuple[Any, Any]] = {}
        if about(edit) != edit.record:
            fields["id"] = about(edit), record
        fields |= {n: (None, v) for n, v in now.items() if v is not None}
        self.note(edit, record, fields)
        outbox.give_name(db, self.name[0], edit.record, record, self.store.now())
        current = outbox.find(db, *self.name, edit.record)
        outbox.drop(db, *self.name, edit.record)
        if current is None or current.version == edit.version:
            return
        if current.action == "delete":
            outbox.save(db, deletion(db, current, record, payload, columns))
        else:
            current = replace(current, record=record)
            # What was not sent may be something there all the same.
            there = shown(db, current, payload, columns)
            self._rebase(db, current, edit, {**there, **now}, fate, columns)

    def _fate(
        self,
        db: sqlite3.Connection,
        before: Written | None,
        edit: Edit,
        base: Mapping[str, Any],
        receipt: Receipt,
        columns: Columns,
        payload: str,
    ) -> Fate:
        """What became of an edit's values, by an answer that tells (a part of) the payload."""
        told = [
            columns[name]
            for name in edit.edits
            if name in columns and tells(receipt.record, columns[name].path)
        ]
        now = values_of(db, told, payload)
        record = edit.record if before is None else before.record
        return forms.of_answer(before, record, edit.edits, base, now, columns)

    def _updated(
        self,
        db: sqlite3.Connection,
        edit: Edit,
        receipt: Receipt,
        columns: Columns,
        held: Held | None,
        before: Written | None,
    ) -> Fate:
        now, fate = edit.edits, Fate(before or Written(edit.record))
        if held is not None and not held.gone:
            record = self.with_edit(json.loads(held.payload), edit, receipt, columns)
            self.take(record)
            payload = json.dumps(record)
            now = shown(db, edit, payload, columns)
            fate = self._fate(db, before, edit, edit.base, receipt, columns, payload)
        self._done(db, edit, edit.record, edit.base, now, fate, columns)
        return fate

    def _done(
        self,
        db: sqlite3.Connection,
        edit: Edit,
        record: str,
        base: Mapping[str, Any],
        now: Mapping[str, Any],
        fate: Fate,
        columns: Columns,
    ) -> None:
        """Note what of an edit was taken, of which the record has `now` what was `base`. What was
        edited since it was sent is an edit of what the provider has now."""
        taken = {n: (base.get(n), value) for n, value in now.items() if n not in fate.untaken}
        if taken:
            self.note(edit, record, taken)
        current = outbox.find(db, *self.name, edit.record)
        if current is None or current.version == edit.version:
            outbox.drop(db, *self.name, edit.record)
        else:
            self._rebase(db, current, edit, now, fate, columns)

    def _updated_survivor(
        self,
        db: sqlite3.Connection,
        edit: Edit,
        receipt: Receipt,
        columns: Columns,
        before: Written | None,
    ) -> Fate:
        """The edit has changed another record: the one that its own was merged into, just before.
        What that is like, the answer or the next pull says."""
        gone.note_gone(db, self.store, self.name, edit.record, receipt.id)
        held = records.held(db, self.table, [receipt.id]).get(receipt.id)
        known = [columns[name] for name in edit.edits if name in columns]
        base = {} if held is None else values_of(db, known, held.payload)
        before = before or Written(receipt.id)
        now, fate = edit.edits, Fate(before)
        if held is not None and not held.gone and receipt.record:
            record = merged(json.loads(held.payload), receipt.record)
            self.take(record)
            payload = json.dumps(record)
            now = shown(db, edit, payload, columns)
            fate = self._fate(db, before, edit, base, receipt, columns, payload)
        self._done(db, edit, receipt.id, base, now, fate, columns)
        return fate

    def _rebase(
        self,
        db: sqlite3.Connection,
        current: Edit,
        sent: Edit,
        now: Mapping[str, Any],
        fate: Fate,
        columns: Columns,
    ) -> None:
        """An edit was edited while it was sent: what is left is made on what the provider has
        `now` of it."""
        base = {**current.base, **now}
        if current.action == "delete":
            left: dict[str, Any] = {}
        else:
            left = {
                name: value
                for name, value in current.edits.items()
                if name not in sent.edits
                or name not in columns
                or name in fate.untaken
                or not same(columns[name], value, sent.edits[name])
            }
            base = {name: base.get(name) for name in left}
        outbox.drop(db, *self.name, sent.record)
        rest = after(current, Done(left, base))
        if rest is not None:
            outbox.save(db, reconcile.with_other(db, sent.record, rest))

    def _not_taken(self, db: sqlite3.Connection, edit: Edit, fate: Fate, settled: Settled) -> None:
        """What the provider has said to be done, and has not, is a failure: it stays an edit, which
        can be sent again or given up."""
        left = outbox.find(db, *self.name, fate.left.record)
        why = forms.reason(self.name[0], fate.untaken)[:MAX_MESSAGE]
        receipt = Receipt(edit.trace, "failed", kind=forms.NOT_TAKEN, message=why)
        if left is not None:
            # It was edited meanwhile, maybe for the better.
            settled.failed += 1
            return
        rest = replace(
            afresh(edit),
            record=fate.left.record,
            action="update",
            edits={name: form.sent for name, form in fate.untaken.items()},
            base={name: form.kept for name, form in fate.untaken.items()},
            version=edit.version + 1,
        )
        outbox.save(db, self._failed(db, rest, receipt, settled))

    def _deleted(
        self,
        db: sqlite3.Connection,
        edit: Edit,
        columns: Columns,
        held: Held | None,
    ) -> None:
        fields: dict[str, tuple[Any, Any]] = {}
        if held is not None:
            last = writable(db, held.payload, columns)
            fields = {name: (value, None) for name, value in last.items() if value is not None}
            now = self.store.now()
            seq = records.next_seq(db)
            deleted = records.mark_deleted(db, self.table, [edit.record], seq, now)
            records.add_records(db, *self.name, -deleted)
        written_values.forget(db, *self.name, [edit.record])
        self.note(edit, edit.record, fields)
        outbox.drop(db, *self.name, edit.record)

    def _not_done(
        self,
        db: sqlite3.Connection,
        edit: Edit,
        receipt: Receipt,
        settled: Settled,
        survivors: Mapping[str, str],
    ) -> None:
        current = outbox.find(db, *self.name, edit.record)
        if current is None:
            return
        receipt = replace(receipt, message=receipt.message[:MAX_MESSAGE])
        gone_at_provider = receipt.kind == "gone" and not (
            current.is_new and (current.action == "delete" or about(current) == edit.record)
        )
        if receipt.status == "failed" and gone_at_provider:
            if self._found_gone(db, current, settled, survivors):
                return
            left: Edit | None = self._failed(db, current, receipt, settled)
        else:
            rid = records.last_rid(db, self.table) if current.is_new else 0
            left = after(current, heard(edit, current, receipt, self.out.now(), rid))
            settled.count(left, receipt)
            if left is not None and left.status is State.FAILED:
                self.bury(db, left, receipt)
        if left is None:
            outbox.drop(db, *self.name, edit.record)
        else:
            outbox.save(db, left)

    def _failed(
        self, db: sqlite3.Connection, edit: Edit, receipt: Receipt, settled: Settled
    ) -> Edit:
        """The edit as one that waits for an operator, who is told why."""
        settled.failed += 1
        edit = failed(edit, receipt.kind, receipt.message)
        self.bury(db, edit, receipt)
        return edit

    def _found_gone(
        self, db: sqlite3.Connection, edit: Edit, settled: Settled, survivors: Mapping[str, str]
    ) -> bool:
        """The provider has the record no longer, or as part of another: the edit meets that as if
        a pull had told it. False if the hub knows no such record."""
        met = gone.meet(db, self.store, self.name, self.policy, edit, survivors)
        if met is None:
            return False
        settled.met += 1
        settled.given_up += met.given_up
        settled.merged += met.waits
        return True

    # -- new records of which nobody knows whether they were created

    def search(self, db: sqlite3.Connection, seen_until: float | None) -> int:
        """Look for them among those that have come into the hub since they were sent; returns how
        many an operator has to decide about.

        `seen_until`: what was created before that time (seconds since 1970) has come.
        """
        buried = 0
        doubtful = list(outbox.walk(db, *self.name, status=(State.UNKNOWN,)))
        if not doubtful:
            return 0
        self.begin()
        unique = () if self.resource.writes is None else self.resource.writes.unique
        columns = self.out.columns(db)
        # Of what a killed run has sent nobody knows when.
        doubtful = [replace(e, attempted_at=e.attempted_at or self.out.now()) for e in doubtful]
        doubt = Doubt(db, *self.name, columns, unique)
        lookback = self.resource.cursor.lookback if self.resource.cursor else 0.0
        for edit, found in doubt.decide(doubtful, seen_until, lookback, self.out.ahead):
            if found.record:
                self._adopted(db, edit, found.record, columns)
            elif found.edit is None:
                outbox.drop(db, *self.name, edit.record)
            else:
                outbox.save(db, found.edit)
                if found.edit.status is State.FAILED:
                    receipt = Receipt("", "failed", "", None, "unsettled", found.edit.message or "")
                    self.bury(db, found.edit, receipt)
                    buried += 1
        self.flush(db)
        return buried

    def _adopted(self, db: sqlite3.Connection, edit: Edit, record: str, columns: Columns) -> None:
        payload = records.payload_of(db, self.table, record) or "{}"
        if edit.action == "delete":
            # It was created, and its creator wants it no longer as it is now.
            self.note(edit, record, {n: (None, v) for n, v in edit.edits.items()}, "create")
            outbox.drop(db, *self.name, edit.record)
            outbox.give_name(db, self.name[0], edit.record, record, self.store.now())
            later = outbox.find(db, *self.name, record)
            # Who has met it again by the provider's id, and edited it, wants it after all.
            if later is None or later.edited_at <= edit.edited_at:
                outbox.save(db, deletion(db, edit, record, payload, columns))
            return
        sent = dict(sent_values(edit))
        if sent != edit.edits:
            # It was edited while it was in doubt.
            edit = replace(edit, edits=sent, version=edit.version - 1)
        self._adopt(db, edit, record, columns, payload, Fate(Written(record)))
        runs.resolve_push(db, *self.name, [edit.record], "sent", self.store.now())

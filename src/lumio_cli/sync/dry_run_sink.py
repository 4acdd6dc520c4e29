"""What a preview does instead of writing: it compares, and takes note."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lumio_cli.core.clock import Clock
from lumio_cli.hub.edits import Edit, State
from lumio_cli.hub.sqlite import merges, outbox, records, state, views
from lumio_cli.hub.sqlite.columns import READ_ONLY, Abilities, ViewColumn, unique_columns
from lumio_cli.hub.sqlite.horizon import Reach
from lumio_cli.hub.sqlite.misfits import Recount
from lumio_cli.hub.sqlite.records import Condition, Held, Row, raw_table
from lumio_cli.hub.sqlite.state import Checkpoint, Drift, KnownField, ResourceState
from lumio_cli.providers.contract.call import dig
from lumio_cli.sync import choices
from lumio_cli.sync.hub_sink import Store, Stored, renamed
from lumio_cli.sync.merging import reconcile
from lumio_cli.sync.merging.ahead import Ahead
from lumio_cli.sync.merging.merge import Policy, about
from lumio_cli.sync.merging.reconcile import Reconciled
from lumio_cli.sync.model import Action, FieldChange, RecordChange, ResourceResult
from lumio_cli.sync.pages import Page


class PreviewStore(Store):
    """The same questions, nothing written: it says what `Store` would have done.

    What a walk has met is kept in a private temporary database, so that memory stays flat.
    """

    def __init__(self, run_id: str, clock: Clock, limit: int) -> None:
        super().__init__(run_id, clock)
        self.limit = limit
        self._noted: dict[str, list[RecordChange]] = {"pull": [], "push": []}
        self._looks: set[tuple[str, str]] = set()
        self._given_up: dict[tuple[str, str], int] = {}
        self._refusable: Counter[tuple[str, str]] = Counter()
        """Edits whose values are no options of their fields, by resource."""
        self._edited: dict[tuple[str, str], frozenset[str]] = {}
        self._became: dict[tuple[str, str], dict[str, str]] = {}
        self._heirs: dict[tuple[str, str], frozenset[str]] = {}
        self._planned: dict[tuple[str, str], dict[str, Edit]] = {}
        self._seen = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._seen.execute(
            "CREATE TABLE news (number INTEGER PRIMARY KEY, provider TEXT, resource TEXT, id TEXT,"
            " held INTEGER)"
        )
        self._seen.execute("CREATE INDEX news_of ON news (provider, resource, number)")
        for table, more in (("seen", ""), ("gone", ""), ("met", ", payload TEXT, updated TEXT")):
            self._seen.execute(
                f"CREATE TABLE {table} (provider TEXT, resource TEXT, id TEXT{more},"
                " PRIMARY KEY (provider, resource, id)) WITHOUT ROWID"
            )

    @property
    def changes(self) -> list[RecordChange]:
        """What was noted, at most `limit` of it."""
        return first(self._noted["pull"] + self._noted["push"], self.limit)

    def prepare(
        self,
        db: sqlite3.Connection,
        provider: str,
        resource: str,
        columns: Sequence[ViewColumn],
        abilities: Abilities = READ_ONLY,
    ) -> ResourceState:
        self._columns[provider, resource] = unique_columns(columns)
        self._edited[provider, resource] = frozenset(
            about(edit) for edit in outbox.walk(db, provider, resource)
        )
        return state.read_state(db, provider, resource)

    def describe(
        self,
        db: sqlite3.Connection,
        provider: str,
        resource: str,
        fields: Sequence[KnownField],
        columns: Sequence[ViewColumn],
        abilities: Abilities = READ_ONLY,
    ) -> list[Drift]:
        self._columns[provider, resource] = unique_columns(columns)
        return []

    def begin_walk(
        self,
        db: sqlite3.Connection,
        provider: str,
        resource: str,
        kind: str,
        make: Callable[[int], list[Checkpoint]],
    ) -> list[Checkpoint]:
        return make(records.current_seq(db))

    def page(self, db: sqlite3.Connection, page: Page, result: ResourceResult) -> Stored:
        provider, resource = page.provider, page.resource
        table = raw_table(provider, resource)
        rows = [] if page.kind == "tombstones" else self._met_first(page)
        repeated = 0 if page.kind == "tombstones" else len(page.rows) - len(rows)
        if not records.has_table(db, provider, resource):
            for row in rows:
                self._note(db, page, row, "create")
            self._keep_news(page, rows, held=False)
            return Stored(created=len(rows), unchanged=repeated)
        found = records.compare(db, table, rows)
        self._keep_news(page, found.created, held=False)
        self._keep_news(page, found.updated, held=True)
        for row in found.created:
            self._note(db, page, row, "create")
        for row in found.updated:
            self._note(db, page, row, "update")
        edited = self._edited.get((provider, resource), frozenset())
        if edited:
            # The survivor of a merge may be any record.
            self._seen.executemany(
                "INSERT OR REPLACE INTO met VALUES (?, ?, ?, ?, ?)",
                (
                    (provider, resource, row.id, row.payload, row.updated_at)
                    for row in (*found.created, *found.updated)
                    if row.id in edited or page.became is not None
                ),
            )
        if page.became:
            self._became.setdefault((provider, resource), {}).update(page.became)
        gone = self._gone(db, table, page)
        deleted = self._note_deleted(provider, resource, gone, page.became)
        unchanged = len(found.unchanged) + repeated
        return Stored(len(found.created), len(found.updated), unchanged, deleted)

    def met(self, db: sqlite3.Connection, provider: str, resource: str, since_seq: int) -> int:
        found = self._seen.execute(
            "SELECT count(*) FROM seen WHERE provider = ? AND resource = ?", [provider, resource]
        )
        return int(found.fetchone()[0])

    def _keep_news(self, page: Page, rows: Sequence[Row], *, held: bool) -> None:
        """Remember records that may drive the listings of others, as the hub would by then."""
        self._seen.executemany(
            "INSERT INTO news (provider, resource, id, held) VALUES (?, ?, ?, ?)",
            ((page.provider, page.resource, row.id, held) for row in rows),
        )

    def keys_after(
        self,
        db: sqlite3.Connection,
        provider: str,
        resource: str,
        after: int,
        limit: int,
        since_seq: int,
    ) -> list[tuple[int, str]]:
        name = provider, resource
        while part := super().keys_after(db, *name, after, limit, since_seq):
            alive = [(number, key) for number, key in part if not self._is_in("gone", *name, key)]
            if alive:
                return alive
            after = part[-1][0]
        # What is new comes after all that the hub holds; what has changed is among that, unless
        # only changes are asked for.
        last = records.last_key(db, *name)
        found = self._seen.execute(
            "SELECT number, id FROM news WHERE provider = ? AND resource = ? AND number > ?"
            " AND held <= ? ORDER BY number LIMIT ?",
            [*name, max(0, after - last), since_seq > 0, limit],
        )
        return [(last + number, str(key)) for number, key in found]

    def missing(
        self, db: sqlite3.Connection, provider: str, resource: str, since_seq: int
    ) -> Condition:
        # The hub is not told what this preview has met: it has to ask.
        db.create_function("lumio_met", 3, lambda *record: self._is_in("seen", *record))
        held = records.unseen(provider, resource, since_seq)
        return held.but(Condition("lumio_met(?, ?, r.id)", (provider, resource)))

    def settle_merges(
        self, db: sqlite3.Connection, provider: str, resource: str, since_seq: int | None
    ) -> int:
        if not records.has_table(db, provider, resource):
            return 0
        name = provider, resource
        full, told = since_seq is not None, self._became.get(name, {})
        denied = {} if full else merges.denied(db, *name)
        told = {i: survivor for i, survivor in told.items() if denied.get(i) != survivor}
        became = {**merges.undecided(db, *name, full=full), **told}
        live = records.live_ids(db, raw_table(*name), became)
        alive = merges.listed(db, *name, live, since_seq)
        gone = [i for i in live if i not in alive and not self._is_in("seen", *name, i)]
        return self._note_deleted(*name, gone, became)

    def delete(
        self,
        db: sqlite3.Connection,
        provider: str,
        resource: str,
        ids: Sequence[str],
        became: Mapping[str, str] | None = None,
    ) -> int:
        return self._note_deleted(provider, resource, ids, became)

    def gone(
        self, db: sqlite3.Connection, provider: str, resource: str, since_seq: int
    ) -> list[str]:
        noted = self._seen.execute(
            "SELECT id FROM gone WHERE provider = ? AND resource = ?", [provider, resource]
        )
        known = super().gone(db, provider, resource, since_seq)
        return [*known, *(row[0] for row in noted)]

    def go_on(self, db: sqlite3.Connection, recount: Recount) -> bool:
        return False

    def note_hidden(self, db: sqlite3.Connection, provider: str, resource: str, count: int) -> None:
        pass

    def mend(self, db: sqlite3.Connection, provider: str, resource: str, reach: Reach) -> int:
        return 0

    def drop_walk(self, db: sqlite3.Connection, provider: str, resource: str, kind: str) -> None:
        pass

    def retract(
        self, db: sqlite3.Connection, provider: str, resource: str, cursor: str | None
    ) -> None:
        pass

    def finish_walk(
        self,
        db: sqlite3.Connection,
        provider: str,
        resource: str,
        kind: str,
        **values: str | int | None,
    ) -> None:
        pass

    def reconcile(
        self,
        db: sqlite3.Connection,
        provider: str,
        resource: str,
        policy: Policy,
        after: str,
        since: int,
    ) -> Reconciled:
        return Reconciled(None, 0)

    def plan(
        self,
        db: sqlite3.Connection,
        result: ResourceResult,
        policy: Policy,
        only: Mapping[str, str] | None,
        after: str,
    ) -> str | None:
        """Note what a push would do with the next edits; where to go on, None at the end."""
        name = result.provider, result.resource
        columns = self._columns.get(name) or views.read_columns(db, *name)
        named = {column.name: column for column in columns}
        if not after:
            heirs = Ahead(db, self, name, {}).survivors(sorted(self._edited.get(name, ())))
            self._planned[name], self._heirs[name] = {}, frozenset(heirs.values())
        planned, heirs_of = self._planned[name], self._heirs[name]
        part = reconcile.chunk(
            Ahead(db, self, name, planned), columns, policy, after=after, only=only
        )
        for edit, merged in part.merged:
            left = merged.edit
            if merged.given_up:
                self._given_up[name] = self._given_up.get(name, 0) + 1
            if left is None or left.status is State.FAILED:
                continue
            if left.record in heirs_of:
                # More may come to it.
                planned.setdefault(left.record, left)
                if left.record != edit.record:
                    planned[left.record] = left
            else:
                self._plan_one(result, left, named)
        if part.after is None:
            for left in planned.values():
                self._plan_one(result, left, named)
            if count := self._given_up.get(name):
                result.warnings.append(reconcile.gives_way(count))
            if count := self._refusable[name]:
                result.warnings.append(choices.refusable(count))
        return part.after

    def _plan_one(
        self, result: ResourceResult, edit: Edit, columns: Mapping[str, ViewColumn]
    ) -> None:
        kind = into = problem = ""
        if edit.status is State.CONFLICT:
            result.conflicts += 1
            note = edit.conflict or {}
            kind, into = str(note.get("kind", "edit")), str(note.get("into", ""))
            theirs = note.get("fields") or {}
            fields = [
                FieldChange(name, theirs.get(name), edit.edits.get(name))
                for name in theirs or edit.edits
            ]
            action: Action = "conflict"
        else:
            action = edit.action
            fields = [
                FieldChange(name, edit.base.get(name), value) for name, value in edit.edits.items()
            ]
            problem = "" if action == "delete" else choices.misfits(columns, edit.edits)
            self._refusable[result.provider, result.resource] += bool(problem)
            count = f"{action}d"
            setattr(result, count, getattr(result, count) + 1)
        self._add(
            RecordChange(
                result.provider,
                result.resource,
                edit.record,
                action,
                () if action == "delete" else tuple(fields),
                "push",
                edit.trace,
                kind,
                doubt=edit.status is State.UNKNOWN,
                into=into,
                problem=problem,
            )
        )

    def seen_as(self, provider: str, resource: str, record: str) -> Held | None:
        """A record as this preview has met it, where that is news."""
        row = self._seen.execute(
            "SELECT payload, updated FROM met WHERE provider = ? AND resource = ? AND id = ?",
            [provider, resource, record],
        ).fetchone()
        return None if row is None else Held(row[0], row[1], False, 0)

    def is_gone(self, provider: str, resource: str, record: str) -> bool:
        """Whether this preview has found that a record is gone."""
        return self._is_in("gone", provider, resource, record)

    def became(self, provider: str, resource: str) -> Mapping[str, str]:
        """What records have become, as this preview was told."""
        return self._became.get((provider, resource), {})

    def start_resource(self, db: sqlite3.Connection, result: ResourceResult) -> None:
        if result.hidden:
            self._looks.add((result.provider, result.resource))

    def finish_resource(self, db: sqlite3.Connection, result: ResourceResult) -> None:
        pass

    def _met_first(self, page: Page) -> list[Row]:
        """The page's rows that this preview has not met yet: nothing is stored in between, so
        that a record would count again on every page and in every walk that lists it.
        """
        name = page.provider, page.resource
        fresh = {row.id: row for row in page.rows if not self._is_in("seen", *name, row.id)}
        self._seen.executemany(
            "INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", ((*name, i) for i in fresh)
        )
        return list(fresh.values())

    def _is_in(self, table: str, provider: str, resource: str, record_id: str) -> bool:
        row = self._seen.execute(
            f"SELECT 1 FROM {table} WHERE provider = ? AND resource = ? AND id = ?",  # noqa: S608 our own
            [provider, resource, record_id],
        ).fetchone()
        return row is not None

    def _note_deleted(
        self,
        provider: str,
        resource: str,
        ids: Sequence[str],
        became: Mapping[str, str] | None = None,
    ) -> int:
        """Count deletions once, though a tombstone and the sweep may both find one."""
        fresh = [i for i in ids if not self._is_in("seen", provider, resource, i)]
        for table in ("seen", "gone"):
            self._seen.executemany(
                f"INSERT OR IGNORE INTO {table} VALUES (?, ?, ?)",  # noqa: S608 our own
                ((provider, resource, i) for i in fresh),
            )
        for record_id in fresh:
            fields = renamed(record_id, became or {})
            told = tuple(FieldChange(name, *pair) for name, pair in fields.items())
            self._add(RecordChange(provider, resource, record_id, "delete", told))
        return len(fresh)

    def _note(self, db: sqlite3.Connection, page: Page, row: Row, action: str) -> None:
        name = page.provider, page.resource
        if name in self._looks or len(self._noted["pull"]) >= self.limit:
            return
        columns = self._columns.get(name, ())
        after = json.loads(row.payload)
        before: dict[str, Any] = {}
        if action == "update":
            stored = records.payload_of(db, raw_table(*name), row.id)
            before = json.loads(stored) if stored else {}
        fields = tuple(
            FieldChange(c.name, dig(before, c.path), dig(after, c.path))
            for c in columns
            if dig(before, c.path) != dig(after, c.path)
        )
        self._add(
            RecordChange(
                page.provider,
                page.resource,
                row.id,
                "create" if action == "create" else "update",
                fields,
            )
        )

    def _add(self, change: RecordChange) -> None:
        name, noted = (change.provider, change.resource), self._noted[change.direction]
        # What a look before a push has met is nothing that the operator asked to be told.
        if len(noted) < self.limit and not (change.direction == "pull" and name in self._looks):
            noted.append(change)


def first(changes: Sequence[RecordChange], limit: int) -> list[RecordChange]:
    """At most `limit` of the changes; pulls do not crowd out what would be pushed."""
    pushes = [change for change in changes if change.direction == "push"]
    pulls = [change for change in changes if change.direction == "pull"]
    pulls = pulls[: max(limit - len(pushes), (limit + 1) // 2)]
    return [*pulls, *pushes[: limit - len(pulls)]]

"""What a preview does instead of writing: it compares, and takes note."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from lumio_cli.clock import Clock
from lumio_cli.hub import records, state
from lumio_cli.hub.records import Row, raw_table
from lumio_cli.hub.state import Checkpoint, Drift, KnownField, ResourceState
from lumio_cli.hub.views import ViewColumn
from lumio_cli.providers.base import dig
from lumio_cli.sync.model import FieldChange, RecordChange, ResourceResult
from lumio_cli.sync.pages import Page
from lumio_cli.sync.store import Store, Stored


class PreviewStore(Store):
    """The same questions, nothing written: it says what `Store` would have done.

    What a walk has met is kept in a private temporary database, so that memory stays flat.
    """

    def __init__(self, run_id: str, clock: Clock, limit: int) -> None:
        super().__init__(run_id, clock)
        self.limit = limit
        self.changes: list[RecordChange] = []
        self._columns: dict[tuple[str, str], Sequence[ViewColumn]] = {}
        self._seen = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._seen.execute(
            "CREATE TABLE seen (provider TEXT, resource TEXT, id TEXT,"
            " PRIMARY KEY (provider, resource, id)) WITHOUT ROWID"
        )

    def prepare(
        self, db: sqlite3.Connection, provider: str, resource: str, columns: Sequence[ViewColumn]
    ) -> ResourceState:
        self._columns[provider, resource] = columns
        return state.read_state(db, provider, resource)

    def describe(
        self,
        db: sqlite3.Connection,
        provider: str,
        resource: str,
        fields: Sequence[KnownField],
        columns: Sequence[ViewColumn],
    ) -> list[Drift]:
        self._columns[provider, resource] = columns
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
            return Stored(created=len(rows), unchanged=repeated)
        found = records.compare(db, table, rows)
        for row in found.created:
            self._note(db, page, row, "create")
        for row in found.updated:
            self._note(db, page, row, "update")
        deleted = self._note_deleted(provider, resource, self._gone(db, table, page))
        unchanged = len(found.unchanged) + repeated
        return Stored(len(found.created), len(found.updated), unchanged, deleted)

    def missing(
        self, db: sqlite3.Connection, provider: str, resource: str, since_seq: int
    ) -> list[str]:
        if not records.has_table(db, provider, resource):
            return []
        return [
            record_id
            for record_id in records.unseen(db, provider, resource, since_seq)
            if not self._is_seen(provider, resource, record_id)
        ]

    def delete(
        self, db: sqlite3.Connection, provider: str, resource: str, ids: Sequence[str]
    ) -> int:
        return self._note_deleted(provider, resource, ids)

    def finish_walk(
        self,
        db: sqlite3.Connection,
        provider: str,
        resource: str,
        kind: str,
        **values: str | int | None,
    ) -> None:
        pass

    def start_resource(
        self, db: sqlite3.Connection, provider: str, resource: str, mode: str
    ) -> None:
        pass

    def finish_resource(self, db: sqlite3.Connection, result: ResourceResult) -> None:
        pass

    def _met_first(self, page: Page) -> list[Row]:
        """The page's rows that this preview has not met yet: nothing is stored in between, so
        that a record would count again on every page and in every walk that lists it.
        """
        name = page.provider, page.resource
        fresh = {row.id: row for row in page.rows if not self._is_seen(*name, row.id)}
        self._seen.executemany(
            "INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", ((*name, i) for i in fresh)
        )
        return list(fresh.values())

    def _is_seen(self, provider: str, resource: str, record_id: str) -> bool:
        row = self._seen.execute(
            "SELECT 1 FROM seen WHERE provider = ? AND resource = ? AND id = ?",
            [provider, resource, record_id],
        ).fetchone()
        return row is not None

    def _note_deleted(self, provider: str, resource: str, ids: Sequence[str]) -> int:
        """Count deletions once, though a tombstone and the sweep may both find one."""
        fresh = [i for i in ids if not self._is_seen(provider, resource, i)]
        self._seen.executemany(
            "INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", ((provider, resource, i) for i in fresh)
        )
        for record_id in fresh:
            self._add(RecordChange(provider, resource, record_id, "delete"))
        return len(fresh)

    def _note(self, db: sqlite3.Connection, page: Page, row: Row, action: str) -> None:
        if len(self.changes) >= self.limit:
            return
        columns = self._columns.get((page.provider, page.resource), ())
        after = json.loads(row.payload)
        before: dict[str, Any] = {}
        if action == "update":
            stored = records.payload_of(db, raw_table(page.provider, page.resource), row.id)
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
        if len(self.changes) < self.limit:
            self.changes.append(change)

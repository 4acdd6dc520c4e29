"""How a page of records is stored: with its checkpoint, its history and what it proves deleted.

Every method runs on the writer's thread, inside its transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lumio_cli.core.clock import Clock, format_timestamp
from lumio_cli.hub.sqlite import record_history, records, runs, state, written_values
from lumio_cli.hub.sqlite.columns import ViewColumn
from lumio_cli.hub.sqlite.record_history import Changed
from lumio_cli.hub.sqlite.records import Sorted, raw_table
from lumio_cli.sync.merging import heirs, readings, reconcile
from lumio_cli.sync.merging.readings import Told
from lumio_cli.sync.model import ResourceResult
from lumio_cli.sync.pages import Page

TELL_EVERY = 0.2
"""Seconds between two notes of a run's progress: a reader of `status` cannot see more, and each
note adds to what a page's transaction has to write."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What storing a page came to."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0


class PageSink:
    """Stores pages, and marks records as deleted."""

    def __init__(self, run_id: str, clock: Clock) -> None:
        self.run_id = run_id
        self.clock = clock
        self._told: dict[tuple[str, str], float] = {}
        self._failing: dict[tuple[str, str], bool] = {}
        self._resolved: set[str] = set()
        self._columns: dict[tuple[str, str], Sequence[ViewColumn]] = {}
        self._learned: dict[tuple[str, str], Told] = {}

    def now(self) -> str:
        """The time as the hub stores it."""
        return format_timestamp(self.clock.time())

    def page(self, db: sqlite3.Connection, page: Page, result: ResourceResult) -> Stored:
        """Store a page with its checkpoint: all of it, or nothing."""
        provider, resource = page.provider, page.resource
        table, now = raw_table(provider, resource), self.now()
        seq = records.next_seq(db)
        found = Sorted([], [], [])
        if page.kind != "tombstones":
            self._learn(db, page)
            found = records.compare(db, table, page.rows)
            self._note_history(db, page, found, now)
            changed = [*found.created, *found.updated]
            if changed:
                records.upsert(db, table, changed, seq, now)
            if page.seen and found.unchanged:
                records.mark_seen(db, provider, resource, found.unchanged)
        gone = self._gone(db, table, page)
        deleted = records.mark_deleted(db, table, gone, seq, now) if gone else 0
        heirs.note_page(db, page, found.created, now)
        if gone:
            written_values.forget(db, provider, resource, gone)
            self._note_deletions(db, (provider, resource), gone, now, page.became or {})
        if page.letters:
            runs.add_dead_letters(db, page.letters, self.run_id, now)
            self._failing[provider, resource] = True
        if page.rows and self._has_letters(db, provider, resource):
            runs.resolve_stored(db, provider, resource, [r.id for r in page.rows], now)
        records.add_records(db, provider, resource, len(found.created) - deleted)
        state.save_checkpoint(db, provider, resource, page.checkpoint, now)
        if page.cursor is not None:
            state.update_state(db, provider, resource, cursor=page.cursor)
        if page.hides:
            state.update_state(db, provider, resource, hides=1)
        stored = Stored(len(found.created), len(found.updated), len(found.unchanged), deleted)
        self._progress(db, page, result, stored, now)
        return stored

    def _learn(self, db: sqlite3.Connection, page: Page) -> None:
        """What the page says of what was sent before."""
        name = page.provider, page.resource
        columns = self._columns.get(name, ())
        told = readings.note_page(db, page, columns, self.now(), self.run_id)
        if told is None:
            return
        learned = self._learned.setdefault(name, Told())
        learned.untaken += told.untaken
        learned.reformed.join(told.reformed)

    def told_of(self, provider: str, resource: str) -> Told:
        """What the pages of this run have said of what was sent before, told once."""
        return self._learned.pop((provider, resource), Told())

    def _note_history(self, db: sqlite3.Connection, page: Page, found: Sorted, now: str) -> None:
        """What the page changes. A first import is no change of anything."""
        name = page.provider, page.resource
        noted: list[Changed] = []
        if page.kind == "changes":
            noted += (
                Changed(*name, row.id, now, self.run_id, "pull", "create") for row in found.created
            )
        if found.updated:
            columns = self._columns.get(name, ())
            held = records.held(db, raw_table(*name), [row.id for row in found.updated])
            pairs = [(row.id, held[row.id].payload, row.payload) for row in found.updated]
            noted += reconcile.history_of(
                db, name, columns, pairs, page.volatile, run_id=self.run_id, now=now
            )
        if noted:
            record_history.add(db, noted)

    def _note_deletions(
        self,
        db: sqlite3.Connection,
        name: tuple[str, str],
        ids: Sequence[str],
        now: str,
        became: Mapping[str, str],
    ) -> None:
        noted = (
            Changed(*name, i, now, self.run_id, "pull", "delete", renamed(i, became)) for i in ids
        )
        record_history.add(db, noted)

    def _has_letters(self, db: sqlite3.Connection, provider: str, resource: str) -> bool:
        """Whether any dead letter may have to be closed; asked once a run."""
        if (provider, resource) not in self._failing:
            count = runs.count_dead_letters(db, provider, resource)
            self._failing[provider, resource] = count > 0
        return self._failing[provider, resource]

    def _gone(self, db: sqlite3.Connection, table: str, page: Page) -> list[str]:
        gone = records.live_ids(db, table, page.gone) if page.gone else []
        if page.groups:
            kept = {row.id for row in page.rows}
            held = records.ids_of_parents(db, table, page.groups)
            gone += [record_id for record_id in held if record_id not in kept]
        return gone

    def _progress(
        self,
        db: sqlite3.Connection,
        page: Page,
        result: ResourceResult,
        stored: Stored,
        now: str,
    ) -> None:
        """Note how far the run is, and that it is alive."""
        moment = self.clock.monotonic()
        if moment - self._told.get((page.provider, page.resource), -1.0) < TELL_EVERY:
            return
        self._told[page.provider, page.resource] = moment
        values = {
            "read": result.read,
            "created": result.created + stored.created,
            "updated": result.updated + stored.updated,
            "unchanged": result.unchanged + stored.unchanged,
            "deleted": result.deleted + stored.deleted,
            "failed": result.failed,
            "requests": result.requests,
            "retries": result.retries,
            "waited_s": result.waited_s,
        }
        if page.total is not None:
            values["total"] = page.total
        runs.update_resource(db, self.run_id, page.provider, page.resource, values)
        runs.heartbeat(db, self.run_id, now)

    def delete(
        self,
        db: sqlite3.Connection,
        provider: str,
        resource: str,
        ids: Sequence[str],
        became: Mapping[str, str] | None = None,
    ) -> int:
        """Mark records as deleted; returns how many were live. `became`: what they are by now,
        where they were merged into others."""
        table = raw_table(provider, resource)
        now = self.now()
        ids = records.live_ids(db, table, ids)
        deleted = records.mark_deleted(db, table, ids, records.next_seq(db), now)
        written_values.forget(db, provider, resource, ids)
        self._note_deletions(db, (provider, resource), ids, now, became or {})
        records.add_records(db, provider, resource, -deleted)
        return deleted


def renamed(record: str, became: Mapping[str, str]) -> record_history.Fields:
    """What the history says of a record that is gone: the other that it is by now, if any."""
    return {"id": (record, became[record])} if record in became else {}

"""What the engine does to the hub.

Every method runs on the writer's thread, inside its transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from lumio_cli.core.clock import Clock, format_timestamp
from lumio_cli.hub.sqlite import (
    horizon,
    merges,
    outbox,
    record_history,
    records,
    runs,
    state,
    views,
    written_values,
)
from lumio_cli.hub.sqlite.columns import READ_ONLY, Abilities, ViewColumn
from lumio_cli.hub.sqlite.horizon import Reach
from lumio_cli.hub.sqlite.misfits import Recount
from lumio_cli.hub.sqlite.record_history import Changed
from lumio_cli.hub.sqlite.records import Condition, Sorted, raw_table
from lumio_cli.hub.sqlite.state import Checkpoint, Drift, KnownField, ResourceState
from lumio_cli.sync.merging import heirs, readings, reconcile
from lumio_cli.sync.merging.merge import Policy
from lumio_cli.sync.merging.readings import Told
from lumio_cli.sync.merging.reconcile import Reconciled
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


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep came to. `refused` records look deleted, but were too many to believe it, and
    `claimed` ones are among what the provider still counts; `listed` are those that the walk has
    met."""

    deleted: int = 0
    refused: int = 0
    allowed: int = 0
    listed: int = 0
    claimed: int = 0


@dataclass(frozen=True, slots=True)
class _Lost:
    """Records that a full walk has not met: which they are, how many, how many more are hidden, and
    how many it has met."""

    where: Condition
    count: int
    hidden: int
    listed: int


class Store:
    """The hub, as the engine writes it."""

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

    # -- where a resource stands

    def prepare(
        self,
        db: sqlite3.Connection,
        provider: str,
        resource: str,
        columns: Sequence[ViewColumn],
        abilities: Abilities = READ_ONLY,
    ) -> ResourceState:
        """Make sure that the resource has its table and view; returns where it stands.

        What an earlier run was sending when it was killed is sorted out.
        """
        records.ensure_table(db, provider, resource)
        views.rebuild_view(db, provider, resource, columns, abilities)
        self._columns[provider, resource] = views.read_columns(db, provider, resource)
        if abilities != READ_ONLY:
            rid = records.last_rid(db, raw_table(provider, resource))
            outbox.recover(db, provider, resource, rid)
            if provider not in self._resolved:
                self._resolved.add(provider)
                outbox.resolve_all(db, provider)
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
        """Take note of the fields as described now; the view follows them."""
        drift = state.store_fields(
            db, provider, resource, fields, run_id=self.run_id, now=self.now()
        )
        views.rebuild_view(db, provider, resource, columns, abilities)
        self._columns[provider, resource] = views.read_columns(db, provider, resource)
        return drift

    def begin_walk(
        self,
        db: sqlite3.Connection,
        provider: str,
        resource: str,
        kind: str,
        make: Callable[[int], list[Checkpoint]],
    ) -> list[Checkpoint]:
        """Begin a walk anew, with a checkpoint a slice, made from the change counter."""
        points = make(records.current_seq(db))
        state.drop_checkpoints(db, provider, resource, kind)
        if kind == "full":
            records.forget_seen(db, provider, resource)
            state.update_state(db, provider, resource, hides=0)
        elif kind == "changes":
            merges.forget_listed(db, provider, resource)
        for point in points:
            state.save_checkpoint(db, provider, resource, point, self.now())
        return points

    # -- pages

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
        written_values.forget(db, provider, resource, gone)
        heirs.note_page(db, page, found.created, now)
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

    # -- the end of a walk

    def settle_merges(
        self, db: sqlite3.Connection, provider: str, resource: str, since_seq: int | None
    ) -> int:
        """Records that have become others by what a complete walk has met, and that it has not
        listed themselves, are gone; returns how many. `since_seq`: see `merges.listed`."""
        became = merges.undecided(db, provider, resource, full=since_seq is not None)
        if not became:
            return 0
        alive = merges.listed(db, provider, resource, list(became), since_seq)
        gone = [record for record in became if record not in alive]
        merges.deny(db, provider, resource, alive)
        merges.confirm(db, provider, resource, gone)
        return self.delete(db, provider, resource, gone, became)

    def sweep(
        self,
        db: sqlite3.Connection,
        provider: str,
        resource: str,
        since_seq: int,
        max_delete: float,
        reach: Reach | None = None,
        now: str = "",
        counted: int | None = None,
    ) -> Swept:
        """Delete what a complete full walk has not met, unless it is more than can be believed.

        What lies beyond `reach` at `now` is hidden and not deleted, and counts on neither side.
        `counted`: how many records the provider counts; what it counts beyond those that were met
        has not gone, and which of them that is, nobody can tell.
        """
        if not records.has_table(db, provider, resource):
            return Swept()
        lost = self._lost(db, (provider, resource), since_seq, reach, now or self.now())
        self.note_hidden(db, provider, resource, lost.hidden)
        allowed = ceil((lost.listed + lost.count) * max_delete / 100)
        if lost.count and counted is not None and counted > lost.listed:
            return Swept(0, 0, allowed, lost.listed, lost.count)
        if lost.count > allowed:
            return Swept(0, lost.count, allowed, lost.listed)
        table = raw_table(provider, resource)
        ids = records.ids_where(db, table, lost.where) if lost.count else []
        deleted = self.delete(db, provider, resource, ids) if ids else 0
        return Swept(deleted, 0, allowed, lost.listed)

    def suspects(
        self,
        db: sqlite3.Connection,
        provider: str,
        resource: str,
        since_seq: int,
        reach: Reach | None,
        now: str,
        limit: int,
    ) -> list[str]:
        """Some of the records that a sweep would look at, from all over the table."""
        if not records.has_table(db, provider, resource):
            return []
        lost = self._lost(db, (provider, resource), since_seq, reach, now)
        if not lost.count:
            return []
        some = f"({lost.where.sql}) ORDER BY r.rid * 2654435761 % 4294967296 LIMIT ?"
        where = Condition(some, (*lost.where.values, limit))
        return records.ids_where(db, raw_table(provider, resource), where)

    def _lost(
        self,
        db: sqlite3.Connection,
        name: tuple[str, str],
        since_seq: int,
        reach: Reach | None,
        now: str,
    ) -> _Lost:
        """What a full walk has not met and nothing hides."""
        table, live = raw_table(*name), self._live(db, *name)
        missing = gone = self.missing(db, *name, since_seq)
        absent = records.count_where(db, table, missing)
        behind = self._behind(db, name, missing, reach, now) if absent else None
        hidden = 0
        if behind is not None:
            gone = missing.but(behind)
            hidden = absent - records.count_where(db, table, gone)
        return _Lost(gone, absent - hidden, hidden, live - absent)

    @staticmethod
    def _live(db: sqlite3.Connection, provider: str, resource: str) -> int:
        return state.read_state(db, provider, resource).records

    @staticmethod
    def _behind(
        db: sqlite3.Connection,
        name: tuple[str, str],
        missing: Condition,
        reach: Reach | None,
        now: str,
    ) -> Condition | None:
        """Which of the missing are hidden, as far as that is to be believed."""
        behind = None if reach is None else horizon.behind(db, *name, missing, reach, now)
        if reach is None or behind is None or not reach.lifted:
            return behind
        return None if horizon.reaches_beyond(db, *name, missing, reach, now) else behind

    def met(self, db: sqlite3.Connection, provider: str, resource: str, since_seq: int) -> int:
        """How many live records a full walk has met."""
        missing = self.missing(db, provider, resource, since_seq)
        absent = records.count_where(db, raw_table(provider, resource), missing)
        return self._live(db, provider, resource) - absent

    def note_hidden(self, db: sqlite3.Connection, provider: str, resource: str, count: int) -> None:
        """Store how many live records the provider hides."""
        state.update_state(db, provider, resource, hidden=count)

    def mend(self, db: sqlite3.Connection, provider: str, resource: str, reach: Reach) -> int:
        """Bring back what was hidden and taken for deleted; returns how many."""
        return horizon.restore(db, provider, resource, reach, self.now(), self.run_id)

    def go_on(self, db: sqlite3.Connection, recount: Recount) -> bool:
        """Go on with counting what does not fit its column; False when all is counted."""
        return recount.go_on(db)

    def keys_after(
        self,
        db: sqlite3.Connection,
        provider: str,
        resource: str,
        after: int,
        limit: int,
        since_seq: int,
    ) -> list[tuple[int, str]]:
        """The next records that drive a listing (see `records.keys_after`)."""
        return records.keys_after(db, provider, resource, after, limit, since_seq)

    def missing(
        self, db: sqlite3.Connection, provider: str, resource: str, since_seq: int
    ) -> Condition:
        """Which records a full walk has not met."""
        return records.unseen(provider, resource, since_seq)

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

    def gone(
        self, db: sqlite3.Connection, provider: str, resource: str, since_seq: int
    ) -> list[str]:
        """Records that are known to be deleted, since the change counter stood there."""
        return records.gone_after(db, provider, resource, since_seq)

    def finish_walk(
        self,
        db: sqlite3.Connection,
        provider: str,
        resource: str,
        kind: str,
        **values: str | int | None,
    ) -> None:
        """The walk is complete: its checkpoints go, and what it proved is stored."""
        state.drop_checkpoints(db, provider, resource, kind)
        if kind == "full":
            # A window that was left unfinished lies before the walk that has just ended.
            state.drop_checkpoints(db, provider, resource, "changes")
            records.forget_seen(db, provider, resource)
        elif kind == "changes":
            merges.forget_listed(db, provider, resource)
        if values:
            state.update_state(db, provider, resource, **values)

    def drop_walk(self, db: sqlite3.Connection, provider: str, resource: str, kind: str) -> None:
        """Let the next walk begin anew."""
        state.drop_checkpoints(db, provider, resource, kind)

    def retract(
        self, db: sqlite3.Connection, provider: str, resource: str, cursor: str | None
    ) -> None:
        """See `state.retract_cursor`."""
        state.retract_cursor(db, provider, resource, cursor)

    # -- what is to be sent

    def sequence(self, db: sqlite3.Connection) -> int:
        """The hub's change counter."""
        return records.current_seq(db)

    def reconcile(
        self,
        db: sqlite3.Connection,
        provider: str,
        resource: str,
        policy: Policy,
        after: str,
        since: int,
    ) -> Reconciled:
        """Merge the next edits with what has come since."""
        return reconcile.reconcile(
            db,
            provider,
            resource,
            policy,
            run_id=self.run_id,
            now=self.now(),
            after=after,
            since=since,
        )

    # -- runs

    def start_resource(self, db: sqlite3.Connection, result: ResourceResult) -> None:
        """The run takes up a resource."""
        if not result.hidden:
            name = result.provider, result.resource
            runs.start_resource(db, self.run_id, *name, result.mode, self.now(), result.direction)

    def finish_resource(self, db: sqlite3.Connection, result: ResourceResult) -> None:
        """Store what became of a resource."""
        if result.direction == "pull" and not (
            result.error is not None and result.error.code == "target_busy"
        ):
            self._note_end(db, result)
        if result.hidden:
            return
        values = {name: getattr(result, name) for name in runs.COUNTS}
        runs.update_resource(
            db,
            self.run_id,
            result.provider,
            result.resource,
            {
                **values,
                "status": result.status,
                "mode": result.mode,
                "waited_s": result.waited_s,
                "cursor": result.cursor,
                "finished_at": self.now(),
                "error": result.as_json()["error"],
            },
            result.direction,
        )

    def _note_end(self, db: sqlite3.Connection, result: ResourceResult) -> None:
        """What the newest run has to say of the resource, for `status`."""
        skipped = result.status == "skipped" and result.error is None
        if not skipped and records.has_table(db, result.provider, result.resource):
            state.update_state(
                db,
                result.provider,
                result.resource,
                warning="; ".join(result.warnings) or None,
                **({"synced_at": self.now()} if result.is_fresh else {}),
            )


def renamed(record: str, became: Mapping[str, str]) -> record_history.Fields:
    """What the history says of a record that is gone: the other that it is by now, if any."""
    return {"id": (record, became[record])} if record in became else {}

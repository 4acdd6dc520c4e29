"""What the engine does to the hub: here where a resource and its walks stand, and runs.

Every method runs on the writer's thread, inside its transaction; `ResourceSink` brings it there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from lumio_cli.hub.sqlite import merges, outbox, records, runs, state, views
from lumio_cli.hub.sqlite.columns import READ_ONLY, Abilities, ViewColumn
from lumio_cli.hub.sqlite.records import raw_table
from lumio_cli.hub.sqlite.state import Checkpoint, Drift, KnownField, ResourceState
from lumio_cli.sync.hub_absence import AbsenceSink
from lumio_cli.sync.merging import reconcile
from lumio_cli.sync.merging.merge import Policy
from lumio_cli.sync.merging.reconcile import Reconciled
from lumio_cli.sync.model import ResourceResult


class HubSink(AbsenceSink):
    """The hub, as the engine writes it."""

    # -- where a resource and its walks stand

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

    def finish_walk(
        self,
        db: sqlite3.Connection,
        provider: str,
        resource: str,
        kind: str,
        /,
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

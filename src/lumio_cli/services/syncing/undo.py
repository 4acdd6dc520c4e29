"""Undoing a run: the reverse of what it pushed, as edits that are pushed in their turn."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Any

from lumio_cli.core.clock import format_timestamp
from lumio_cli.core.errors import LumioError
from lumio_cli.hub.edit_events import Action
from lumio_cli.hub.edits import Edit, State
from lumio_cli.hub.sqlite import merges, outbox, record_history, records, views
from lumio_cli.hub.sqlite.columns import Abilities, ViewColumn, values_of
from lumio_cli.hub.sqlite.outbox import CHUNK
from lumio_cli.hub.sqlite.record_history import Changed
from lumio_cli.hub.sqlite.records import Held, raw_table
from lumio_cli.services.syncing.plan_file import STALE
from lumio_cli.services.syncing.run_history import show_run
from lumio_cli.services.syncing.sync import Request, after_stop, conflict_policies, sync
from lumio_cli.sync.merging.forms import as_kept
from lumio_cli.sync.merging.merge import Policy, revival, same
from lumio_cli.sync.model import FieldChange, RecordChange, RunResult

if TYPE_CHECKING:
    from lumio_cli.core.progress import Progress
    from lumio_cli.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Left:
    """A record that is left as it is, and why. `open`: what the run did to it still stands."""

    provider: str
    resource: str
    id: str
    reason: str
    open: bool = True

    def as_json(self) -> dict[str, Any]:
        """For `--output json`."""
        return {
            "provider": self.provider,
            "resource": self.resource,
            "id": self.id,
            "reason": self.reason,
        }


@dataclass(slots=True)
class Undoing:
    """What undoing a run comes to. `changes` are what would be done, conflicts among them, each
    by the id that the run knew the record by; `edits` are what would be pushed, with what an
    earlier attempt has left of it; `waiting` how many edits are still to be pushed."""

    run_id: str
    changes: list[RecordChange] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    waiting: int = 0

    @property
    def totals(self) -> dict[str, int]:
        """Numbers of changes by action."""
        counted = Counter(change.action for change in self.changes)
        return {action: counted[action] for action in ("create", "update", "delete", "conflict")}

    @property
    def whole(self) -> bool:
        """Whether nothing of what the run did would stand any longer."""
        return not self.totals["conflict"] and not any(left.open for left in self.left)

    def as_json(self) -> dict[str, Any]:
        """What the document of `sync` says of it."""
        return {
            "undo": self.run_id,
            "changes": [change.as_json() for change in self.changes],
            "left": [left.as_json() for left in self.left],
            "waiting": self.waiting,
        }


def undo(
    runtime: Runtime,
    run_id: str,
    request: Request,
    *,
    yes: bool,
    dry_run: bool,
    show: Callable[[Undoing], None],
    progress: Progress | None = None,
) -> tuple[Undoing, RunResult | None]:
    """Undo what a run pushed; a unique beginning of its id will do. The result is None where
    there was nothing to push, or with `dry_run`. What was stopped goes on when it is undone again.

    `show` is given the plan before the operator is asked, who is not with `yes`. Raises as `sync`
    does, `UsageError` for an unknown run and where it is not confirmed, and `LumioError`
    `plan_stale` where the hub has moved while the operator thought.
    """
    run_id = str(show_run(runtime, run_id)["run_id"])
    reader = runtime.hub_reader
    assert reader is not None  # noqa: S101 the run is in it
    found = reverse(runtime, reader.connection, run_id, request.conflicts)
    show(found)
    if dry_run or not found.edits:
        return found, None
    targets = tuple(dict.fromkeys(f"{e.provider}/{e.resource}" for e in found.edits))
    count = "1 change" if len(found.edits) == 1 else f"{len(found.edits):,} changes"
    runtime.prompt.confirm(
        f"lumio will push {count} to {', '.join(targets)}.", name="undo", yes=yes
    )

    staged: list[Edit] = []

    def gate() -> Mapping[str, Mapping[str, str]]:
        with runtime.hub.transaction() as db:
            now = reverse(runtime, db, run_id, request.conflicts)
            if now.changes != found.changes:
                raise LumioError(
                    "the hub has changed since the plan was shown",
                    code=STALE,
                    exit_code=3,
                    hint="nothing was done; look at the new plan first",
                )
            only: dict[str, dict[str, str]] = {target: {} for target in targets}
            for edit in now.edits:
                if outbox.find(db, edit.provider, edit.resource, edit.record) is None:
                    outbox.save(db, edit)
                staged.append(edit)
                only[f"{edit.provider}/{edit.resource}"][edit.record] = edit.trace
        return only

    asked = replace(request, targets=targets, mode="incremental", direction="push")
    result = sync(runtime, asked, progress, gate)
    db = runtime.hub.connection
    found.waiting += sum(
        edit is not None and edit.status is not State.FAILED
        for edit in (outbox.find(db, e.provider, e.resource, e.record) for e in staged)
    )
    after_stop(result, f"what was undone stays; to go on: lumio runs undo {run_id}")
    if result.exit_code == 0 and not found.whole:
        result.status, result.exit_code = "partial", 3
    return found, result


def reverse(
    runtime: Runtime, db: sqlite3.Connection, run_id: str, conflicts: Policy | None
) -> Undoing:
    """The reverse of what a run pushed, by what the hub holds now; nothing is written."""
    chosen = runtime.settings.sync.conflicts
    policies = conflict_policies(runtime) if conflicts is None else {}
    found = Undoing(run_id)
    maker = _Reverse(db, found, format_timestamp(runtime.clock.time()))
    everything = list(record_history.pushed_by(db, run_id))
    made = {_named(c) for c in everything if c.action == "create"}
    made &= {_named(c) for c in everything if c.action == "delete"}
    # What a run has created and then deleted, it has left as it was.
    pushed = (change for change in everything if _named(change) not in made)
    while part := list(islice(pushed, CHUNK)):
        for name in dict.fromkeys((change.provider, change.resource) for change in part):
            mine = [c for c in part if (c.provider, c.resource) == name]
            policy = conflicts or policies.get("/".join(name), chosen)
            held = records.held(db, raw_table(*name), [c.record for c in mine])
            for change in mine:
                maker.add(change, held.get(change.record), policy)
    return found


def _named(change: Changed) -> tuple[str, str, str]:
    return change.provider, change.resource, change.record


class _Reverse:
    """Collects the reverses of changes."""

    def __init__(self, db: sqlite3.Connection, found: Undoing, now: str) -> None:
        self.db = db
        self.found = found
        self.now = now
        self.columns = cache(self._columns)
        self.abilities = cache(self._abilities)
        self.anew = cache(self._anew)

    def add(self, change: Changed, held: Held | None, policy: Policy) -> None:
        """The reverse of one change, or why there is none."""
        name = change.provider, change.resource
        live = held if held is not None and not held.gone else None
        edit = outbox.find(self.db, *name, change.record) or outbox.find(
            self.db, *name, f"new-{self._key(change)}"
        )
        if live is None and (merged := self._merged_into(change)):
            self._leave(change, f"it was merged into {merged} since")
            self.found.waiting += edit is not None and edit.status is not State.FAILED
        elif edit is not None:
            self._waits(change, edit)
        else:
            self._reverse(change, live, policy)

    def _reverse(self, change: Changed, live: Held | None, policy: Policy) -> None:
        name = change.provider, change.resource
        able = self.abilities(*name)
        if undone := self._undone(change, live):
            self._leave(change, undone, open_=False)
        elif record_history.later_push(self.db, *name, change.record, self.found.run_id):
            self._leave(change, "a later run has pushed to it")
        elif change.action == "delete":
            if made := self._made_of(change):
                self._leave(change, f"it was made anew as {made}, which was deleted again")
            elif not able.create:
                self._leave(change, f"lumio cannot create it at {change.provider}")
            else:
                self._create(change)
        elif live is None:
            self._leave(change, "it was deleted since")
        elif change.action == "create":
            if able.delete:
                self._delete(change, live, policy)
            else:
                self._leave(change, f"lumio cannot delete it at {change.provider}")
        else:
            self._update(change, live, policy)

    def _merged_into(self, change: Changed) -> str:
        """The record that one which is gone lives on in; empty where there is none."""
        name = change.provider, change.resource
        return merges.survivors(self.db, *name, [change.record]).get(change.record, "")

    def _undone(self, change: Changed, live: Held | None) -> str:
        """Why nothing of a change stands any longer, whoever took it back; empty if some does."""
        if change.action == "create":
            return "" if live else "it was deleted since"
        if change.action == "delete":
            if live:
                return "it is there again"
            made = self._made_of(change)
            table = raw_table(change.provider, change.resource)
            held = records.held(self.db, table, [made]).get(made) if made else None
            return "" if held is None or held.gone else f"it was made anew since, as {made}"
        if live is None:
            return ""
        now, columns = self._values(change, live), self.columns(change.provider, change.resource)
        back = all(same(columns[n], value, change.fields[n][0]) for n, value in now.items())
        return "it is as it was before" if back else ""

    def _waits(self, change: Changed, edit: Edit) -> None:
        """An edit of the record is in the outbox: one of this undo's goes on."""
        if edit.key != self._key(change) or edit.status in (State.FAILED, State.CONFLICT):
            reasons = {
                State.FAILED: "its edit was refused",
                State.CONFLICT: "its edit has met a conflict",
            }
            waits = "it has an edit that waits to be pushed"
            self._leave(change, reasons.get(edit.status, waits))
            self.found.waiting += edit.status is not State.FAILED
        else:
            self._plan(change, edit)

    def _update(self, change: Changed, held: Held, policy: Policy) -> None:
        now = self._values(change, held)
        moved = self._moved(change, now)
        if moved and policy == "ask":
            self._conflict(change, now, moved)
            return
        columns = self.columns(change.provider, change.resource)
        # What was set since is newer: for `newest` it counts as it does for `provider`.
        back = {
            name: before
            for name, (before, _) in change.fields.items()
            if name in now
            and not same(columns[name], now[name], before)
            and (policy == "local" or name not in moved)
        }
        if back:
            self._stage(change, "update", back, {name: now[name] for name in back})
        else:
            self._leave(change, "it was changed since")

    def _delete(self, change: Changed, held: Held, policy: Policy) -> None:
        now = self._values(change, held)
        moved = self._moved(change, now)
        if moved and policy == "ask":
            self._conflict(change, now, moved)
        elif moved and policy != "local":
            self._leave(change, "it was changed since it was created")
        else:
            columns = self.columns(change.provider, change.resource)
            writable = [c for c in columns.values() if not c.read_only]
            self._stage(change, "delete", {}, values_of(self.db, writable, held.payload))

    def _create(self, change: Changed) -> None:
        columns = self.columns(change.provider, change.resource)
        values = {
            name: before
            for name, (before, _) in change.fields.items()
            if before not in (None, "") and name in columns and not columns[name].read_only
        }
        if values:
            self._stage(change, "create", values, {})
        else:
            self._leave(change, "none of its values is known")

    def _made_of(self, change: Changed) -> str | None:
        """What we have made of a deleted record: its id, or of what that was made anew as, last."""
        anew = self.anew(change.provider, change.resource)
        made, passed = anew.get(change.record), {change.record}
        # Where ids come from values, a record that is made anew may have one for the second time.
        while made is not None and made in anew and made not in passed:
            passed.add(made)
            made = anew[made]
        return made

    def _values(self, change: Changed, held: Held) -> Mapping[str, Any]:
        """What the hub holds of the fields that were pushed, as far as they can be written."""
        columns = self.columns(change.provider, change.resource)
        known = [columns[n] for n in change.fields if n in columns and not columns[n].read_only]
        return values_of(self.db, known, held.payload)

    def _moved(self, change: Changed, now: Mapping[str, Any]) -> list[str]:
        """Fields that are neither what the run pushed, in whatever form the provider keeps that,
        nor what they were before."""
        columns = self.columns(change.provider, change.resource)
        moved = [
            name
            for name, value in now.items()
            if not any(same(columns[name], value, known) for known in change.fields[name])
        ]
        pushed = {name: change.fields[name][1] for name in moved}
        name_of = change.provider, change.resource
        kept = as_kept(self.db, name_of, columns, change.record, pushed) if moved else {}
        return [name for name in moved if not same(columns[name], now[name], kept[name])]

    def _stage(
        self, change: Changed, action: Action, edits: Mapping[str, Any], base: Mapping[str, Any]
    ) -> None:
        key, made = self._key(change), action == "create"
        edit = Edit(
            change.provider,
            change.resource,
            f"new-{key}" if made else change.record,
            action,
            edits,
            base,
            key=key,
            conflict=revival(change.record, {}, edits) if made else None,
            edited_at=self.now,
        )
        self._plan(change, edit)

    def _plan(self, change: Changed, edit: Edit) -> None:
        fields = tuple(FieldChange(n, edit.base.get(n), value) for n, value in edit.edits.items())
        self.found.edits.append(edit)
        self.found.changes.append(
            RecordChange(
                change.provider, change.resource, change.record, edit.action, fields, "push"
            )
        )

    def _key(self, change: Changed) -> str:
        """The name of a change's reverse, the same each time."""
        name = "\n".join((self.found.run_id, *_named(change)))
        return sha256(name.encode()).hexdigest()[:16]

    def _conflict(self, change: Changed, now: Mapping[str, Any], moved: Sequence[str]) -> None:
        kind = "changed" if change.action == "create" else "edit"
        fields = tuple(FieldChange(n, now[n], change.fields[n][0]) for n in moved)
        self.found.changes.append(
            RecordChange(
                change.provider,
                change.resource,
                change.record,
                "conflict",
                fields,
                "push",
                conflict=kind,
            )
        )

    def _leave(self, change: Changed, reason: str, *, open_: bool = True) -> None:
        self.found.left.append(Left(change.provider, change.resource, change.record, reason, open_))

    def _columns(self, provider: str, resource: str) -> Mapping[str, ViewColumn]:
        return {c.name: c for c in views.read_columns(self.db, provider, resource)}

    def _anew(self, provider: str, resource: str) -> Mapping[str, str]:
        return record_history.made_anew(self.db, provider, resource)

    def _abilities(self, provider: str, resource: str) -> Abilities:
        return views.read_abilities(self.db, provider, resource)

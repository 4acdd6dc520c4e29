"""What `lumio conflicts` does: edits that a provider's own changes have met, and who is right."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lumio_cli.core.clock import format_timestamp
from lumio_cli.core.errors import UsageError
from lumio_cli.hub.edits import Edit, State
from lumio_cli.hub.sqlite import outbox, records, views
from lumio_cli.hub.sqlite.columns import ViewColumn, values_of
from lumio_cli.hub.sqlite.outbox import CHUNK
from lumio_cli.hub.sqlite.records import Held, raw_table
from lumio_cli.services.syncing.targets import one_resource, parse_target, resource_names
from lumio_cli.sync.merging import reconcile
from lumio_cli.sync.merging.merge import Merged, Policy, merge
from lumio_cli.sync.run_locks import hold_target

if TYPE_CHECKING:
    from lumio_cli.runtime import Runtime

BY_HAND = "by hand"
"""What the history of records calls a decision that no run has made."""


@dataclass(frozen=True, slots=True)
class Side:
    """A field of a conflict: what the edit was made on, what the provider has, what we have."""

    name: str
    base: Any
    theirs: Any
    ours: Any

    def as_json(self) -> dict[str, Any]:
        """For `--output json`."""
        return {"name": self.name, "base": self.base, "theirs": self.theirs, "ours": self.ours}


@dataclass(frozen=True, slots=True)
class Conflict:
    """An edit that waits for a decision.

    kind         edit: both sides changed `fields` | changed: deleted here, changed there |
                 deleted: changed here, deleted there | merged: changed or deleted here, and there
                 part of the record `into` by now, which `theirs` and `changed_at` are of
    deletion     whether it was deleted here
    others       fields that were edited here, too, and that nobody else has changed
    edited_at    when it was edited here last; `changed_at` there, as far as that is known
    """

    provider: str
    resource: str
    id: str
    kind: str
    fields: Sequence[Side]
    others: Sequence[Side]
    edited_at: str
    changed_at: str | None
    deletion: bool = False
    into: str = ""

    def as_json(self) -> dict[str, Any]:
        """For `--output json`."""
        return {
            "provider": self.provider,
            "resource": self.resource,
            "id": self.id,
            "kind": self.kind,
            "action": "delete" if self.deletion else "update",
            "merged_into": self.into or None,
            "edited_at": self.edited_at,
            "changed_at": self.changed_at,
            "fields": [side.as_json() for side in self.fields],
            "others": [side.as_json() for side in self.others],
        }


def list_conflicts(runtime: Runtime, target: str | None, limit: int) -> list[Conflict]:
    """At most `limit` conflicts, by target and record. Raises `UsageError` for an unknown one."""
    wanted = (None, None) if target is None else parse_target(target)
    reader = runtime.hub_reader
    found: list[Conflict] = []
    if reader is None:
        return found
    for name in _resources(reader.connection, *wanted):
        for edit in _conflicts(reader.connection, *name):
            if len(found) == limit:
                return found
            found.append(_told(reader.connection, edit))
    return found


def show_conflict(runtime: Runtime, target: str, record: str) -> Conflict:
    """One conflict. Raises `UsageError` where the record has none."""
    provider, resource = one_resource(target)
    reader = runtime.hub_reader
    edit = None if reader is None else outbox.find(reader.connection, provider, resource, record)
    if reader is None or edit is None or edit.status is not State.CONFLICT:
        raise UsageError(
            f"{target} {record} has no conflict", hint="`lumio conflicts list` shows them"
        )
    return _told(reader.connection, edit)


@dataclass(slots=True)
class Resolved:
    """What became of conflicts: our edits that wait for the next push, those that were given up
    for the provider's values, those that are still undecided, and records that had none."""

    pending: list[dict[str, str]] = field(default_factory=list)
    given_up: list[dict[str, str]] = field(default_factory=list)
    left: list[dict[str, str]] = field(default_factory=list)
    none: list[dict[str, str]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For `--output json`."""
        return {
            "pending": self.pending,
            "given_up": self.given_up,
            "left": self.left,
            "none": self.none,
        }


def resolve(
    runtime: Runtime,
    target: str,
    ids: Sequence[str],
    use: Policy,
    *,
    everything: bool = False,
    column: str = "",
) -> Resolved:
    """Decide conflicts of a target: those of `ids`, or of `everything`; of one `column`, if given.

    A conflict that no field is left of just waits for the next push again. One transaction a
    resource. Raises `UsageError` where it is not said which, or for a column that nothing of the
    target has; `BusyError` where a run holds the target.
    """
    if bool(ids) == everything:
        raise UsageError("name the records, or --all of them", hint="lumio conflicts list")
    name, resource = one_resource(target) if ids else parse_target(target)
    done, reader = Resolved(), runtime.hub_reader
    if reader is None:
        done.none += [_entry(name, str(resource), record) for record in ids]
        return done
    if column:
        _check_column(reader.connection, name, resource, column)
    for provider, each in _resources(reader.connection, name, resource):
        with (
            hold_target(runtime.paths.locks, provider, each, "lumio conflicts resolve"),
            runtime.hub.transaction() as db,
        ):
            wanted = list(dict.fromkeys(ids)) or [
                edit.record for edit in _conflicts(db, provider, each) if _is_about(edit, column)
            ]
            now = format_timestamp(runtime.clock.time())
            for start in range(0, len(wanted), CHUNK):
                part = wanted[start : start + CHUNK]
                _resolve(db, (provider, each), part, use, column, now, done)
    return done


def _resolve(
    db: sqlite3.Connection,
    name: tuple[str, str],
    wanted: Sequence[str],
    use: Policy,
    column: str,
    now: str,
    done: Resolved,
) -> None:
    edits = {}
    for record in wanted:
        edit = outbox.find(db, *name, record)
        if edit is None or edit.status is not State.CONFLICT or not _is_about(edit, column):
            done.none.append(_entry(*name, record))
        else:
            edits[record] = edit
    if column:
        held = records.held(db, raw_table(*name), list(edits))
        for record, edit in edits.items():
            reconcile.keep(db, edit, _one_column(db, edit, held[record], use, column), BY_HAND, now)
    moved: Mapping[str, str] = {}
    if edits and not column:
        decided = reconcile.reconcile(
            db, *name, use, run_id=BY_HAND, now=now, only=list(edits), by_hand=True
        )
        moved = decided.moved
    for record in edits:
        kept = outbox.find(db, *name, moved.get(record, record))
        if kept is None:
            done.given_up.append(_entry(*name, record))
        elif kept.status is State.CONFLICT:
            done.left.append(_entry(*name, record))
        else:
            done.pending.append(_entry(*name, kept.record))


def _is_about(edit: Edit, column: str) -> bool:
    """Whether the decision is one about this conflict. One of which nothing is left needs none."""
    if not column:
        return True
    fields = _fields(edit)
    return _kind(edit) == "edit" and (not fields or column in fields)


def _kind(edit: Edit) -> str:
    return str((edit.conflict or {}).get("kind", "edit"))


def _fields(edit: Edit) -> Mapping[str, Any]:
    """What the provider has in the fields that the conflict is about. A field that has been set
    back since is no edit any more, and none of them."""
    theirs = (edit.conflict or {}).get("fields") or {}
    if _kind(edit) != "edit":
        return dict(theirs)
    return {name: value for name, value in theirs.items() if name in edit.edits}


def _one_column(
    db: sqlite3.Connection, edit: Edit, theirs: Held, use: Policy, column: str
) -> Merged:
    """The edit with one of its fields decided, and the others as undecided as they were."""
    columns = {c.name: c for c in views.read_columns(db, edit.provider, edit.resource)}

    def values(wanted: Sequence[ViewColumn], payload: str) -> Mapping[str, Any]:
        return values_of(db, wanted, payload)

    if column not in edit.edits or theirs.gone:
        # There is nothing to decide about it, but to look again at what is left.
        return Merged(merge(edit, theirs, columns, values, "ask").edit)
    alone = replace(edit, edits={column: edit.edits[column]}, base={column: edit.base.get(column)})
    decided = merge(alone, theirs, columns, values, use)
    edits, base = dict(edit.edits), dict(edit.base)
    if decided.edit is None:
        del edits[column]
        base.pop(column, None)
    else:
        base[column] = decided.edit.base[column]
    if not edits:
        return decided
    whole = replace(edit, edits=edits, base=base, version=edit.version + 1)
    return Merged(merge(whole, theirs, columns, values, "ask").edit, decided.given_up)


def _told(db: sqlite3.Connection, edit: Edit) -> Conflict:
    theirs, kind = _fields(edit), _kind(edit)
    into = str((edit.conflict or {}).get("into", ""))
    there = into or edit.record
    held = records.held(db, raw_table(edit.provider, edit.resource), [there]).get(there)
    gone = kind == "deleted" or held is None
    names = list(theirs) or (list(edit.edits) if gone else [])
    now = edit.base
    if into and held is not None:
        columns = views.read_columns(db, edit.provider, edit.resource)
        known = [column for column in columns if column.name in edit.edits]
        now = values_of(db, known, held.payload)
    return Conflict(
        edit.provider,
        edit.resource,
        edit.record,
        kind,
        [Side(n, edit.base.get(n), theirs.get(n), edit.edits.get(n)) for n in sorted(names)],
        [
            Side(n, edit.base.get(n), now.get(n), value)
            for n, value in sorted(edit.edits.items())
            if n not in names
        ],
        edit.edited_at,
        None if gone or held is None else held.updated_at,
        edit.action == "delete",
        into,
    )


def _conflicts(db: sqlite3.Connection, provider: str, resource: str) -> Iterator[Edit]:
    return outbox.walk(db, provider, resource, status=(State.CONFLICT,))


def _resources(
    db: sqlite3.Connection, provider: str | None, resource: str | None
) -> list[tuple[str, str]]:
    """What is meant, of all that has edits; a resource that is named, in any case."""
    if provider is not None and resource is not None:
        return [(provider, resource)]
    return [name for name in outbox.resources(db) if provider in (None, name[0])]


def _check_column(db: sqlite3.Connection, provider: str, resource: str | None, column: str) -> None:
    from lumio_cli.providers.contract.fields import suggest

    names = [resource] if resource else resource_names(provider)
    known = {c.name for name in names for c in views.read_columns(db, provider, name)}
    if column not in known:
        target = f"{provider}/{resource}" if resource else provider
        raise UsageError(
            f"{target} has no field {column!r}", hint=suggest(column, sorted(known), "fields")
        )


def _entry(provider: str, resource: str, record: str) -> dict[str, str]:
    return {"provider": provider, "resource": resource, "id": record}

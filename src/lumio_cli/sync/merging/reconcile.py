"""What is yet to be sent, merged with what the provider has by now."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lumio_cli.hub.edits import Edit, State
from lumio_cli.hub.sqlite import merges, outbox, record_history, records, runs, views
from lumio_cli.hub.sqlite.columns import ViewColumn, values_of
from lumio_cli.hub.sqlite.outbox import CHUNK
from lumio_cli.hub.sqlite.record_history import Changed
from lumio_cli.hub.sqlite.records import Held, raw_table
from lumio_cli.providers.contract.call import dig
from lumio_cli.sync.merging.heirs import Heir, inherit
from lumio_cli.sync.merging.merge import Merged, Policy, Values, about, before_revival, merge


class Sight:
    """A resource's records as a merge sees them: what the hub holds of them and of their edits. A
    preview sees what it has met, too."""

    def __init__(self, db: sqlite3.Connection, provider: str, resource: str) -> None:
        self.db = db
        self.name = provider, resource

    def held(self, ids: Sequence[str]) -> dict[str, Held]:
        """Records by id, those that are gone, too."""
        return records.held(self.db, raw_table(*self.name), ids)

    def survivors(self, gone: Sequence[str]) -> Mapping[str, str]:
        """Those of records that are gone which were merged, each with what it is by now."""
        return merges.survivors(self.db, *self.name, gone)

    def edit(self, record: str) -> Edit | None:
        """What was edited of a record."""
        return outbox.find(self.db, *self.name, record)

    def as_found(self, edit: Edit, columns: Mapping[str, ViewColumn]) -> Edit:
        """An edit as the run that merges it finds it."""
        return edit


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some of a resource's outbox, merged. The next chunk begins behind `after`; None: the end."""

    merged: list[tuple[Edit, Merged]]
    after: str | None


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Where the next chunk begins (None: that was the last), how many edits have given way to the
    provider's values, and which are edits of other records by now: old ids with new ones."""

    after: str | None
    given_up: int
    moved: Mapping[str, str] = field(default_factory=dict)


def chunk(
    sight: Sight,
    columns: Sequence[ViewColumn],
    policy: Policy,
    *,
    after: str = "",
    since: int = 0,
    only: Collection[str] | None = None,
    by_hand: bool = False,
) -> Chunk:
    """Merge the next rows of the outbox; nothing is written.

    `since`: only those whose record has come with a later page of the hub. `only`: those of these
    records. `by_hand`: the policy is what an operator says to these very edits. An edit that has
    failed is not sent before an operator says so, and only looked at in case it has become
    needless; one that is under way is left alone.

    Edits of merged records come last, when it is known what becomes of those of their survivors.
    """
    db, name = sight.db, sight.name
    if only is not None:
        listed = (outbox.find(db, *name, record) for record in only)
        edits = [edit for edit in listed if edit is not None]
    else:
        edits = outbox.read(db, *name, after=after, since=since)
    following = edits[-1].record if only is None and len(edits) == CHUNK else None
    held = sight.held([about(e) for e in edits])
    became = sight.survivors([record for record, theirs in held.items() if theirs.gone])
    named = {c.name: c for c in columns}

    def values(wanted: Sequence[ViewColumn], payload: str) -> Mapping[str, Any]:
        return values_of(db, wanted, payload)

    made: dict[str, Edit | None] = {}
    found = []
    for stored in sorted(edits, key=lambda edit: about(edit) in became):
        edit = sight.as_found(stored, named)
        if edit.unanswered:
            result = Merged(edit)
        elif about(edit) in became and not edit.in_doubt:
            into = became[about(edit)]
            heir = Heir(into, sight.held([into]).get(into), made.get(into, sight.edit(into)))
            result = _inherited(edit, heir, named, values, policy if by_hand else None)
        else:
            result = merge(edit, held.get(about(edit)), named, values, policy)
        if edit.status is State.FAILED and result.edit is not None:
            result = Merged(edit)
        made[edit.record] = None
        if result.edit is not None:
            made[result.edit.record] = result.edit
        found.append((edit, result))
    return Chunk(found, following)


def _inherited(
    edit: Edit,
    heir: Heir,
    columns: Mapping[str, ViewColumn],
    values: Values,
    decided: Policy | None,
) -> Merged:
    if edit.action != "create":
        return inherit(edit, heir, columns, values, decided)
    # It was to be created anew, as it was thought to be deleted.
    again = before_revival(edit, columns)
    if not again.edits:
        # All of the record was wanted back, as it was.
        again = replace(again, edits=edit.edits)
    return inherit(again, heir, columns, values, decided)


def reconcile(
    db: sqlite3.Connection,
    provider: str,
    resource: str,
    policy: Policy,
    *,
    run_id: str,
    now: str,
    after: str = "",
    since: int = 0,
    only: Collection[str] | None = None,
    by_hand: bool = False,
) -> Reconciled:
    """Merge the next rows of the outbox and keep what comes of it. Belongs into a transaction."""
    columns = views.read_columns(db, provider, resource)
    part = chunk(
        Sight(db, provider, resource),
        columns,
        policy,
        after=after,
        since=since,
        only=only,
        by_hand=by_hand,
    )
    moved = {}
    for edit, result in part.merged:
        if result.edit is not edit:
            keep(db, edit, result, run_id, now)
        if result.edit is not None and result.edit.record != edit.record:
            moved[edit.record] = result.edit.record
    return Reconciled(part.after, sum(bool(result.given_up) for _, result in part.merged), moved)


def keep(db: sqlite3.Connection, edit: Edit, result: Merged, run_id: str, now: str) -> None:
    """Store what a merge made of an edit."""
    if result.edit is None or result.edit.record != edit.record:
        outbox.drop(db, edit.provider, edit.resource, edit.record)
        runs.resolve_push(db, edit.provider, edit.resource, [edit.record], "needless", now)
    if result.edit is not None:
        outbox.save(db, with_other(db, edit.record, result.edit))
    if result.given_up:
        given_up = Changed(
            edit.provider,
            edit.resource,
            edit.record,
            now,
            run_id,
            "merge",
            edit.action,
            result.given_up,
            edit.edited_at,
        )
        record_history.add(db, [given_up])


def gives_way(count: int) -> str:
    """The warning that edits were given up for the provider's values."""
    edits = "1 edit gives" if count == 1 else f"{count:,} edits give"
    return f"{edits} way to the provider's values, by the policy"


def with_other(db: sqlite3.Connection, before: str, edit: Edit) -> Edit:
    """The edit and, where it was one of the record `before` and is now one of another, what was
    edited of that. One that bears the other's name has that in it."""
    other = None
    if edit.record != before:
        other = outbox.find(db, edit.provider, edit.resource, edit.record)
    if other is None or other.key == edit.key or edit.action == "delete":
        return edit
    if other.action == "delete":
        return other
    edits, base = {**edit.edits, **other.edits}, {**edit.base, **other.base}
    return replace(other, edits=edits, base=base, version=other.version + 1)


def fields_changed(
    db: sqlite3.Connection,
    columns: Sequence[ViewColumn],
    before: str,
    after: str,
    volatile: frozenset[str] = frozenset(),
) -> record_history.Fields:
    """What the view shows of two payloads where they differ, but for `volatile` paths."""
    import orjson

    old, new = orjson.loads(before), orjson.loads(after)
    differ = [c for c in columns if c.path not in volatile and dig(old, c.path) != dig(new, c.path)]
    if not differ:
        return {}
    one, other = values_of(db, differ, before), values_of(db, differ, after)
    return {c.name: (one[c.name], other[c.name]) for c in differ}


def history_of(
    db: sqlite3.Connection,
    name: tuple[str, str],
    columns: Sequence[ViewColumn],
    pairs: Sequence[tuple[str, str, str]],
    volatile: frozenset[str],
    *,
    run_id: str,
    now: str,
) -> Iterator[Changed]:
    """The history of records that a page changes: `pairs` are id, old and new payload."""
    for record, before, after in pairs:
        fields = fields_changed(db, columns, before, after, volatile)
        if fields:
            yield Changed(*name, record, now, run_id, "pull", "update", fields)

"""What is yet to be sent, merged with what the provider has by now."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lumio_cli.hub import changes, outbox, records, runs, views
from lumio_cli.hub.changes import Changed
from lumio_cli.hub.columns import ViewColumn, values_of
from lumio_cli.hub.outbox import CHUNK, Edit
from lumio_cli.hub.records import Held, raw_table
from lumio_cli.providers.base import dig
from lumio_cli.sync.merge import Merged, Policy, about, merge

Overlay = Callable[[Edit, Held | None], Held | None]
"""The hub's record, or what a preview has seen in its place."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some of a resource's outbox, merged. The next chunk begins behind `after`; None: the end."""

    merged: list[tuple[Edit, Merged]]
    after: str | None


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Where the next chunk begins (None: that was the last), and how many edits have given way to
    the provider's values."""

    after: str | None
    given_up: int


def chunk(
    db: sqlite3.Connection,
    provider: str,
    resource: str,
    columns: Sequence[ViewColumn],
    policy: Policy,
    *,
    after: str = "",
    since: int = 0,
    overlay: Overlay | None = None,
    only: Collection[str] | None = None,
) -> Chunk:
    """Merge the next rows of the outbox; nothing is written.

    `since`: only those whose record has come with a later page of the hub. `only`: those of these
    records. An edit that has failed is not sent before an operator says so, and only looked at
    in case it has become needless; one that is under way is left alone.
    """
    if only is not None:
        listed = (outbox.find(db, provider, resource, record) for record in only)
        edits = [edit for edit in listed if edit is not None]
    else:
        edits = outbox.read(db, provider, resource, after=after, since=since)
    following = edits[-1].record if only is None and len(edits) == CHUNK else None
    held = records.held(db, raw_table(provider, resource), [about(e) for e in edits])
    named = {c.name: c for c in columns}

    def values(wanted: Sequence[ViewColumn], payload: str) -> Mapping[str, Any]:
        return values_of(db, wanted, payload)

    found = []
    for stored in edits:
        theirs = held.get(about(stored))
        edit = stored if overlay is None else _as_if_stopped(stored)
        if overlay is not None:
            theirs = overlay(edit, theirs)
        if edit.status in ("sending", "unknown"):
            found.append((edit, Merged(edit)))
            continue
        result = merge(edit, theirs, named, values, policy)
        if edit.status == "failed" and result.edit is not None:
            result = Merged(edit)
        found.append((edit, result))
    return Chunk(found, following)


def _as_if_stopped(edit: Edit) -> Edit:
    """An edit that another run was sending, or would have sent again, as the next will find it."""
    doubtful = edit.status == "pending" and edit.attempt_rid is not None
    if edit.status != "sending" and not doubtful:
        return edit
    return replace(edit, status="unknown" if outbox.is_local(edit.record) else "pending")


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
) -> Reconciled:
    """Merge the next rows of the outbox and keep what comes of it. Belongs into a transaction."""
    columns = views.read_columns(db, provider, resource)
    part = chunk(db, provider, resource, columns, policy, after=after, since=since, only=only)
    for edit, result in part.merged:
        if result.edit is not edit:
            keep(db, edit, result, run_id, now)
    return Reconciled(part.after, sum(bool(result.given_up) for _, result in part.merged))


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
        changes.add(db, [given_up])


def gives_way(count: int) -> str:
    """The warning that edits were given up for the provider's values."""
    edits = "1 edit gives" if count == 1 else f"{count:,} edits give"
    return f"{edits} way to the provider's values, by the policy"


def with_other(db: sqlite3.Connection, before: str, edit: Edit) -> Edit:
    """The edit and, where it was one of the record `before` and is now one of another, what was
    edited of that."""
    other = None
    if edit.record != before:
        other = outbox.find(db, edit.provider, edit.resource, edit.record)
    if other is None or edit.action == "delete":
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
) -> changes.Fields:
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

"""Editing records in the hub: what a push then takes to the provider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lumio_cli.core.clock import format_timestamp
from lumio_cli.core.errors import UsageError
from lumio_cli.hub.sqlite import outbox, runs, view_queries
from lumio_cli.services.records.resource_view import Place, find
from lumio_cli.services.records.values import given
from lumio_cli.sync.merging.forms import as_kept
from lumio_cli.sync.merging.merge import same

if TYPE_CHECKING:
    import sqlite3

    from lumio_cli.hub.edits import Edit
    from lumio_cli.runtime import Runtime

Document = dict[str, Any]


def set_values(runtime: Runtime, target: str, record: str, words: Sequence[str]) -> Document:
    """Edit a record with `name=value` words. Values that mean the same as before are left alone,
    and so are those that were sent before and that the provider keeps in a form of its own.

    Raises `UsageError` for a word that makes no sense, a record that is not there, and where the
    view refuses it; then nothing is changed. Raises `LumioError`.
    """
    place = find(runtime, target)
    values = _values(place, words)
    with runtime.hub.transaction() as db:
        before = view_queries.shown(db, place.view, values, [record]).get(record)
        if before is None:
            raise place.missing(db, record)
        values = as_kept(db, (place.provider, place.resource), place.columns, record, values)
        new = {n: v for n, v in values.items() if not same(place.columns[n], before[n], v)}
        place.require_options(new)
        if new:
            view_queries.update(db, place.view, record, new)
    fields = [{"name": name, "before": before[name], "after": new[name]} for name in new]
    return {"id": record, "action": "update" if new else "unchanged", "fields": fields}


def create(runtime: Runtime, target: str, words: Sequence[str]) -> Document:
    """Make a record of `name=value` words. It has an id of our own until the provider gives one.

    Raises as `set_values` does.
    """
    place = find(runtime, target)
    values = {name: value for name, value in _values(place, words).items() if value is not None}
    if not values:
        raise UsageError("a new record needs a value", hint="name=value")
    place.require_options(values)
    with runtime.hub.transaction() as db:
        before = outbox.local_ids(db, place.provider)
        view_queries.insert(db, place.view, values)
        (record,) = outbox.local_ids(db, place.provider) - before
    fields = [{"name": name, "before": None, "after": value} for name, value in values.items()]
    return {"id": record, "action": "create", "fields": fields}


def delete(runtime: Runtime, target: str, records: Sequence[str], *, yes: bool) -> list[str]:
    """Delete records. Asks unless `yes`. Returns their ids.

    Raises `UsageError` where one is not there, where the view refuses it (then none is deleted) and
    where it is not confirmed; `LumioError`.
    """
    place, ids = find(runtime, target), list(dict.fromkeys(records))
    with place.reading(runtime) as db:
        _require(place, db, ids)
    runtime.prompt.confirm(
        f"The next push deletes {_count(len(ids))} of {target} at {place.provider}.",
        name="delete",
        yes=yes,
    )
    with runtime.hub.transaction() as db:
        _require(place, db, ids)
        for record in ids:
            view_queries.delete(db, place.view, record)
    return ids


@dataclass(slots=True)
class Reverted:
    """Ids of the records whose edits are dropped, and of those that are `left`: a run is sending
    them, or they are to be looked for first. `uncertain` are dropped ones that were sent before:
    the provider may have them all the same.
    """

    reverted: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    uncertain: list[str] = field(default_factory=list)

    def as_json(self) -> Document:
        """For `--output json`."""
        return {"reverted": self.reverted, "left": self.left, "uncertain": self.uncertain}


def revert(
    runtime: Runtime, target: str, records: Sequence[str], *, everything: bool, yes: bool
) -> Reverted:
    """Drop the edits of records, or all of a resource; that asks unless `yes`.

    Raises `UsageError` for a record without an edit (then none is dropped), `LumioError`.
    """
    place = find(runtime, target)
    if everything == bool(records):
        raise UsageError("name records, or --all")
    if not everything:
        return _revert_some(runtime, place, list(dict.fromkeys(records)))
    with place.reading(runtime) as db:
        waiting = sum(outbox.count(db, place.provider, place.resource).values())
    if waiting:
        runtime.prompt.confirm(
            f"The edits of {_count(waiting)} of {target} are lost.", name="revert", yes=yes
        )
    done, after = Reverted(), ""
    while True:
        # One transaction a chunk: a run that writes meanwhile does not have to wait for all.
        with runtime.hub.transaction() as db:
            edits = outbox.read(db, place.provider, place.resource, after=after)
            _drop(runtime, db, edits, done)
        if not edits:
            return done
        after = edits[-1].record


def _revert_some(runtime: Runtime, place: Place, ids: Sequence[str]) -> Reverted:
    done, edits = Reverted(), []
    with runtime.hub.transaction() as db:
        for record in ids:
            edit = outbox.find(db, place.provider, place.resource, record)
            if edit is None:
                raise UsageError(
                    f"{place.target} {record} has no edit that waits",
                    hint=f"what was pushed: `lumio records history {place.target} {record}`",
                )
            edits.append(edit)
        _drop(runtime, db, edits, done)
    return done


def _drop(runtime: Runtime, db: sqlite3.Connection, edits: Sequence[Edit], done: Reverted) -> None:
    now = format_timestamp(runtime.clock.time())
    for edit in edits:
        if edit.unanswered or edit.in_doubt:
            done.left.append(edit.record)
            continue
        if edit.sent is not None:
            done.uncertain.append(edit.record)
        outbox.drop(db, edit.provider, edit.resource, edit.record)
        runs.resolve_push(db, edit.provider, edit.resource, [edit.record], "reverted", now)
        done.reverted.append(edit.record)


def _values(place: Place, words: Sequence[str]) -> dict[str, Any]:
    """The values that `name=value` words give, by column. `name=` is nothing.

    Raises `UsageError` for a word that is none, a column that is not, a value that does not fit.
    """
    found: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise UsageError(f"{word!r} is not NAME=VALUE", hint="name=value, or name= for nothing")
        column = place.column(name.strip())
        if column.name in found:
            raise UsageError(f"{column.name} is given twice")
        try:
            found[column.name] = given(column, text)
        except ValueError as error:
            raise UsageError(str(error)) from None
    return found


def _require(place: Place, db: sqlite3.Connection, ids: Sequence[str]) -> None:
    there = view_queries.shown(db, place.view, (), ids)
    for record in ids:
        if record not in there:
            raise place.missing(db, record)


def _count(number: int) -> str:
    return "1 record" if number == 1 else f"{number:,} records"

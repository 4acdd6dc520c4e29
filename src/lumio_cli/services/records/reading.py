"""Records as the hub has them: a list, one of them, and what became of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lumio_cli.hub.edits import State
from lumio_cli.hub.sqlite import outbox, record_history, view_queries
from lumio_cli.hub.sqlite import records as raw
from lumio_cli.hub.sqlite.columns import values_of
from lumio_cli.services.records.resource_view import find

if TYPE_CHECKING:
    import sqlite3

    from lumio_cli.hub.edits import Edit
    from lumio_cli.runtime import Runtime

EDIT = "_edit"
"""The name under which a record says how its edit stands."""
_DESCENDING = " desc"
_CHANGE = ("at", "run_id", "origin", "action", "edited_at", "fields")


@dataclass(frozen=True, slots=True)
class Listing:
    """Records by the names of `columns`, and by `EDIT`. `more`: there are others. `deleted`: so
    many are deleted here, and are no longer shown.
    """

    columns: list[str]
    records: list[dict[str, Any]]
    more: bool
    deleted: int

    def as_json(self) -> dict[str, Any]:
        """For `--output json`."""
        return {"records": self.records, "more": self.more, "deleted_here": self.deleted}


def list_records(
    runtime: Runtime,
    target: str,
    *,
    where: str = "",
    columns: str | None = None,
    order: str = "",
    limit: int = 100,
) -> Listing:
    """Records of a resource, in the hub's order or by the column `order`, which may end in ` desc`.

    `columns` are names with commas between them, None: all but the payload. Raises `UsageError` for
    a name that does not exist and for a condition that SQLite does not take, `LumioError`.
    """
    place = find(runtime, target)
    by = order.strip()
    descending = by.lower().endswith(_DESCENDING)
    by = by[: -len(_DESCENDING)].rstrip() if descending else by
    names = place.chosen(columns) or [n for n in place.columns if n != "_payload"]
    names = list(dict.fromkeys(["id", *names]))
    with place.reading(runtime) as db:
        rows = view_queries.select(
            db,
            place.view,
            names,
            where=where,
            order=place.column(by).name if by else "",
            descending=descending,
            limit=limit + 1,
        )
        found = [dict(zip(names, row, strict=True)) for row in rows]
        shown = found[:limit]
        stances = view_queries.stances(db, place.provider, place.resource, [r["id"] for r in shown])
        deleted = view_queries.count_deletions(db, place.provider, place.resource)
    for record in shown:
        record[EDIT] = stances.get(record["id"])
    return Listing(names, shown, len(found) > limit, deleted)


def show_record(runtime: Runtime, target: str, record: str) -> dict[str, Any]:
    """A record as the provider has it, as far as the hub knows, and the edit that waits.

    Raises `UsageError` where there is no such record, `LumioError`.
    """
    place = find(runtime, target)
    with place.reading(runtime) as db:
        held = raw.held(db, raw.raw_table(place.provider, place.resource), [record]).get(record)
        edit = outbox.find(db, place.provider, place.resource, record)
        if edit is None and (held is None or held.gone):
            raise place.missing(db, record)
        fields = [place.columns[name] for name in place.fields]
        values = values_of(db, fields, held.payload if held else "{}")
    return {
        "id": record,
        "fields": values,
        "_updated_at": held.updated_at if held else None,
        "deleted_by_provider": bool(held and held.gone),
        "edit": None if edit is None else _told(edit),
    }


def _told(edit: Edit) -> dict[str, Any]:
    conflict = (edit.conflict or {}) if edit.status is State.CONFLICT else {}
    theirs = conflict.get("fields") or {}
    return {
        "action": edit.action,
        "status": edit.status,
        "edited_at": edit.edited_at,
        "run_id": edit.run_id,
        "attempts": edit.attempts,
        "kind": edit.kind,
        "message": edit.message,
        "conflict": conflict.get("kind"),
        "merged_into": conflict.get("into"),
        "fields": [
            {"name": name, "before": edit.base.get(name), "after": value}
            | ({"theirs": theirs[name]} if name in theirs else {})
            for name, value in _edited(edit, theirs).items()
        ],
    }


def _edited(edit: Edit, theirs: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the edit changes; of a deletion, what the provider has changed against it."""
    return dict.fromkeys(theirs) if edit.action == "delete" else edit.edits


def history(runtime: Runtime, target: str, record: str, limit: int) -> dict[str, Any]:
    """What became of a record, newest first, at most `limit` entries; the first is the edit that
    waits, if there is one, of origin `edit`.

    Raises `UsageError` where there was never such a record, `LumioError`.
    """
    place = find(runtime, target)
    names = place.provider, place.resource
    with place.reading(runtime) as db:
        edit = outbox.find(db, *names, record)
        past = record_history.of_record(db, *names, record, limit + 1)
        if edit is None and not past and not _is_known(db, names, record):
            raise place.missing(db, record)
    room = limit - (edit is not None)
    found: list[dict[str, Any]] = [
        {
            "at": change.at,
            "run_id": change.run_id,
            "origin": change.origin,
            "action": change.action,
            "edited_at": change.edited_at,
            "fields": [
                {"name": name, "before": before, "after": after}
                for name, (before, after) in change.fields.items()
            ],
        }
        for change in past[:room]
    ]
    if edit is not None:
        told = {**_told(edit), "at": edit.edited_at, "origin": "edit"}
        found.insert(0, {name: told[name] for name in ("status", *_CHANGE)})
    return {"id": record, "history": found, "more": len(past) > room}


def _is_known(db: sqlite3.Connection, names: tuple[str, str], record: str) -> bool:
    return record in raw.held(db, raw.raw_table(*names), [record])

"""What changed in the hub's records: when, how, and by which run or hand."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Fields = Mapping[str, tuple[Any, Any]]
"""Values before and after, by the view's columns and as the view shows them."""


@dataclass(frozen=True, slots=True)
class Changed:
    """One change of one record.

    origin      pull: the provider's; push: ours, as the provider took it; merge: an edit of ours
                that was given up for the provider's value; repair: a mistake was put right
    edited_at   when the hand made it, of a push
    fields      of a record that was made anew after its deletion, `id` is among them: the old one
                and the new one
    """

    provider: str
    resource: str
    record: str
    at: str
    run_id: str
    origin: Literal["pull", "push", "merge", "repair"]
    action: Literal["create", "update", "delete"]
    fields: Fields = field(default_factory=dict)
    edited_at: str | None = None


_COLUMNS = tuple(Changed.__dataclass_fields__)


def add(db: sqlite3.Connection, changes: Iterable[Changed]) -> None:
    """Store changes. Belongs into the transaction that makes them."""
    db.executemany(
        f"INSERT INTO lumio_history ({', '.join(_COLUMNS)})"
        f" VALUES ({','.join('?' * len(_COLUMNS))})",
        (
            [
                json.dumps(dict(value), ensure_ascii=False) if name == "fields" else value
                for name in _COLUMNS
                for value in (getattr(change, name),)
            ]
            for change in changes
        ),
    )


def _read(rows: Iterable[sqlite3.Row]) -> Iterator[Changed]:
    for row in rows:
        values = dict(row)
        decoded = json.loads(values["fields"])
        values["fields"] = {name: (pair[0], pair[1]) for name, pair in decoded.items()}
        yield Changed(**values)


def of_record(
    db: sqlite3.Connection, provider: str, resource: str, record: str, limit: int = 100
) -> list[Changed]:
    """A record's changes, newest first."""
    return list(
        _read(
            db.execute(
                f"SELECT {', '.join(_COLUMNS)} FROM lumio_history"
                " WHERE provider = ? AND resource = ? AND record = ? ORDER BY id DESC LIMIT ?",
                [provider, resource, record, limit],
            )
        )
    )


def pushed_by(db: sqlite3.Connection, run_id: str) -> Iterator[Changed]:
    """What a run pushed, newest first: the order to undo it in."""
    return _read(
        db.execute(
            f"SELECT {', '.join(_COLUMNS)} FROM lumio_history"
            " WHERE run_id = ? AND origin = 'push' ORDER BY id DESC",
            [run_id],
        )
    )


def later_push(
    db: sqlite3.Connection, provider: str, resource: str, record: str, run_id: str
) -> bool:
    """Whether another run has pushed to this record after `run_id` did."""
    return (
        db.execute(
            "SELECT 1 FROM lumio_history WHERE provider = ?1 AND resource = ?2 AND record = ?3"
            " AND origin = 'push' AND id > (SELECT max(id) FROM lumio_history"
            " WHERE provider = ?1 AND resource = ?2 AND record = ?3 AND run_id = ?4"
            " AND origin = 'push') LIMIT 1",
            [provider, resource, record, run_id],
        ).fetchone()
        is not None
    )


def created_here(db: sqlite3.Connection, provider: str, resource: str, record: str) -> bool:
    """Whether the record is one that we have created."""
    return (
        db.execute(
            "SELECT 1 FROM lumio_history WHERE provider = ? AND resource = ? AND record = ?"
            " AND origin = 'push' AND action = 'create' LIMIT 1",
            [provider, resource, record],
        ).fetchone()
        is not None
    )


def made_anew(db: sqlite3.Connection, provider: str, resource: str) -> dict[str, str]:
    """Ids of deleted records that we have made anew, each with the id that it has now."""
    rows = db.execute(
        "SELECT json_extract(fields, '$.id[0]'), record FROM lumio_history"
        " WHERE provider = ? AND resource = ? AND origin = 'push' AND action = 'create'"
        " AND json_type(fields, '$.id') = 'array' ORDER BY id",
        [provider, resource],
    )
    return {str(old): str(new) for old, new in rows}


def prune(db: sqlite3.Connection, before: str) -> None:
    """Forget what is older than `before`."""
    kept = db.execute(
        "SELECT id FROM lumio_history WHERE at >= ? ORDER BY id LIMIT 1", [before]
    ).fetchone()
    if kept is None:
        db.execute("DELETE FROM lumio_history WHERE at < ?", [before])
    else:
        db.execute("DELETE FROM lumio_history WHERE id < ?", [kept[0]])

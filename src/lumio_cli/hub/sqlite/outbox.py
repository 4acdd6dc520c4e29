"""The outbox: changes that were made in the hub and that the provider is yet to learn of.

One row a record. The views' triggers write it (see `hub.sqlite.triggers`), whatever program edits.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from lumio_cli.hub.edit_events import Action
from lumio_cli.hub.edits import LOCAL, Edit, State, is_local, refers_to
from lumio_cli.hub.sqlite.records import raw_table

CHUNK = 500
"""Rows that are read at a time."""


_COLUMNS = tuple(Edit.__dataclass_fields__)
_JSON = ("edits", "base", "sent", "conflict")
_STATES = frozenset(map(str, State))


def _read(row: Sequence[Any]) -> Edit:
    values = dict(zip(_COLUMNS, row, strict=True))
    # What is no state was written by somebody else: it is not sent, and a person can drop it.
    values["status"] = State(values["status"]) if values["status"] in _STATES else State.FAILED
    for name in _JSON:
        if values[name] is not None:
            values[name] = json.loads(values[name])
    for name in ("edits", "base", "sent"):
        if values[name] is not None:
            values[name] = {column: _plain(value) for column, value in values[name].items()}
    return Edit(**values)


def _plain(value: Any) -> Any:
    """A value as the view has it: what JSON knows and SQL does not, as SQL would have it."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return value


def read(
    db: sqlite3.Connection,
    provider: str,
    resource: str,
    *,
    status: Sequence[State] = (),
    action: Action | None = None,
    after: str = "",
    limit: int = CHUNK,
    since: int = 0,
) -> list[Edit]:
    """The next rows of a resource in the order of their records, `limit` at a time.

    `after` is the last record that was read before; `status` empty means any. With `since`, only
    those whose record has come with a later page of the hub than that.
    """
    table = raw_table(provider, resource)
    came = f" AND record IN (SELECT id FROM {table} WHERE seq > ?)" if since else ""
    marks = ",".join("?" * len(status))
    return [
        _read(row)
        for row in db.execute(
            f"SELECT {', '.join(_COLUMNS)} FROM lumio_outbox WHERE provider = ? AND resource = ?"
            f" AND record > ?{f' AND status IN ({marks})' if status else ''}"
            f"{' AND action = ?' if action else ''}{came} ORDER BY record LIMIT ?",
            [
                *(provider, resource, after, *status),
                *([action] if action else []),
                *([since] if since else []),
                limit,
            ],
        )
    ]


def walk(
    db: sqlite3.Connection, provider: str, resource: str, *, status: Sequence[State] = ()
) -> Iterator[Edit]:
    """All rows of a resource in the order of their records."""
    after = ""
    while part := read(db, provider, resource, status=status, after=after):
        yield from part
        after = part[-1].record


def find(db: sqlite3.Connection, provider: str, resource: str, record: str) -> Edit | None:
    """The changes of one record."""
    row = db.execute(
        f"SELECT {', '.join(_COLUMNS)} FROM lumio_outbox"
        " WHERE provider = ? AND resource = ? AND record = ?",
        [provider, resource, record],
    ).fetchone()
    return None if row is None else _read(row)


def save(db: sqlite3.Connection, edit: Edit) -> None:
    """Store a record's changes in place of what is there."""
    values = [
        json.dumps(value, ensure_ascii=False) if name in _JSON and value is not None else value
        for name in _COLUMNS
        for value in (getattr(edit, name),)
    ]
    db.execute(
        f"INSERT OR REPLACE INTO lumio_outbox ({', '.join(_COLUMNS)})"
        f" VALUES ({','.join('?' * len(_COLUMNS))})",
        values,
    )


def drop(db: sqlite3.Connection, provider: str, resource: str, record: str) -> None:
    """Forget a record's changes."""
    db.execute(
        "DELETE FROM lumio_outbox WHERE provider = ? AND resource = ? AND record = ?",
        [provider, resource, record],
    )


def count(db: sqlite3.Connection, provider: str, resource: str) -> dict[str, int]:
    """How many rows a resource has, by status."""
    return {
        str(row[0]): int(row[1])
        for row in db.execute(
            "SELECT status, count(*) FROM lumio_outbox WHERE provider = ? AND resource = ?"
            " GROUP BY status",
            [provider, resource],
        )
    }


def resources(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """Provider and resource of all that has changes."""
    return [
        (str(row[0]), str(row[1]))
        for row in db.execute(
            "SELECT DISTINCT provider, resource FROM lumio_outbox ORDER BY provider, resource"
        )
    ]


def claim(db: sqlite3.Connection, edits: Sequence[Edit], run_id: str, now: str) -> None:
    """Note that a run sends these now, and what it sends (`Claimed`); `now` is by the provider's
    clock."""
    db.executemany(
        f"UPDATE lumio_outbox SET status = '{State.SENDING}',"
        " sent = CASE WHEN attempt_rid IS NULL THEN edits ELSE coalesce(sent, edits) END,"
        " run_id = ?, attempts = attempts + 1, attempted_at = ?"
        " WHERE provider = ? AND resource = ? AND record = ?",
        [(run_id, now, e.provider, e.resource, e.record) for e in edits],
    )


def recover(db: sqlite3.Connection, provider: str, resource: str, rid: int) -> None:
    """Note what a run was sending when it was killed (`Interrupted`): a new record may be there by
    now, and nobody knows since when; all else may be sent again. A new record in doubt that an
    earlier run would have sent again is looked for first. `rid` is the hub's last row number of
    the resource.
    """
    db.execute(
        f"UPDATE lumio_outbox SET status = '{State.UNKNOWN}' WHERE provider = ? AND resource = ?"
        f" AND status = '{State.PENDING}' AND attempt_rid IS NOT NULL",
        [provider, resource],
    )
    db.execute(
        f"UPDATE lumio_outbox SET status = CASE WHEN record LIKE '{LOCAL}' THEN '{State.UNKNOWN}'"
        f" ELSE '{State.PENDING}' END, attempt_rid = CASE WHEN record LIKE '{LOCAL}' THEN"
        f" coalesce(attempt_rid, ?) END, attempted_at = CASE WHEN record LIKE '{LOCAL}' THEN NULL"
        " ELSE attempted_at END"
        f" WHERE provider = ? AND resource = ? AND status = '{State.SENDING}'",
        [rid, provider, resource],
    )


def doubt_new(db: sqlite3.Connection) -> int:
    """Take all new records for sent by nobody knows whom (`Restored`): a later state of the hub,
    which is lost, may have sent them. A push looks for them first. Returns how many there are.
    """
    new = f"action = 'create' AND record LIKE '{LOCAL}'"
    for provider, resource in resources(db):
        table = raw_table(provider, resource)
        db.execute(
            f"UPDATE lumio_outbox SET status = '{State.UNKNOWN}', sent = coalesce(sent, edits),"
            f" attempt_rid = coalesce(attempt_rid, (SELECT coalesce(max(rid), 0) FROM {table})),"
            f" attempted_at = NULL WHERE provider = ? AND resource = ? AND {new}"
            f" AND status IN ('{State.PENDING}', '{State.SENDING}')",
            [provider, resource],
        )
    count = f"SELECT count(*) FROM lumio_outbox WHERE status = '{State.UNKNOWN}' AND {new}"
    return int(db.execute(count).fetchone()[0])


def local_ids(db: sqlite3.Connection, provider: str) -> set[str]:
    """Ids of a provider's records that it is yet to create."""
    return {
        str(row[0])
        for row in db.execute(
            f"SELECT record FROM lumio_outbox WHERE provider = ? AND record LIKE '{LOCAL}'",
            [provider],
        )
        if is_local(row[0])
    }


def give_name(db: sqlite3.Connection, provider: str, local: str, record: str, now: str) -> None:
    """Remember by which id the provider knows a record that was made here."""
    db.execute(
        "INSERT OR REPLACE INTO lumio_named (local, provider, record, at) VALUES (?, ?, ?, ?)",
        [local, provider, record, now],
    )


def resolved(db: sqlite3.Connection, edit: Edit) -> Edit:
    """The edit with the provider's ids in place of ours, as far as it has named the records."""
    names = {}
    for local in refers_to(edit):
        row = db.execute(
            "SELECT record FROM lumio_named WHERE local = ? AND provider = ?",
            [local, edit.provider],
        ).fetchone()
        if row is not None:
            names[local] = str(row[0])
    if not names:
        return edit
    edits = {n: names.get(v, v) if isinstance(v, str) else v for n, v in edit.edits.items()}
    return replace(edit, edits=edits)


def referring(db: sqlite3.Connection, provider: str) -> Iterator[Edit]:
    """A provider's edits that refer to records made here. They may be saved meanwhile."""
    resource = record = ""
    while rows := db.execute(
        f"SELECT {', '.join(_COLUMNS)} FROM lumio_outbox INDEXED BY lumio_outbox_refers"
        " WHERE provider = ? AND instr(edits, '\"new-') AND (resource, record) > (?, ?)"
        " ORDER BY resource, record LIMIT ?",
        [provider, resource, record, CHUNK],
    ).fetchall():
        edits = [_read(row) for row in rows]
        yield from (edit for edit in edits if refers_to(edit))
        resource, record = edits[-1].resource, edits[-1].record


def resolve_all(db: sqlite3.Connection, provider: str) -> None:
    """Let all of a provider's edits refer to other records by the provider's own ids, where it
    has named them by now."""
    known = db.execute("SELECT 1 FROM lumio_named WHERE provider = ? LIMIT 1", [provider])
    if known.fetchone() is None:
        return
    for edit in referring(db, provider):
        named = resolved(db, edit)
        if named is not edit:
            save(db, named)


def forget_names(db: sqlite3.Connection, before: str) -> None:
    """Forget the names of records that were given before."""
    db.execute("DELETE FROM lumio_named WHERE at < ?", [before])

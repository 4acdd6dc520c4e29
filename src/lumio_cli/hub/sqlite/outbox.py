"""The outbox: changes that were made in the hub and that the provider is yet to learn of.

One row a record. The views' triggers write it (see `hub.sqlite.triggers`), whatever program edits.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from lumio_cli.hub.sqlite.records import raw_table

Action = Literal["create", "update", "delete"]
Status = Literal["pending", "sending", "unknown", "conflict", "failed"]
LOCAL = "new-________________"
"""What the ids of records that were made here look like (LIKE), until the provider gives one."""
_LOCAL = re.compile("new-[0-9a-f]{16}")
CHUNK = 500
"""Rows that are read at a time."""


def is_local(record: str) -> bool:
    """Whether it is an id of our own, of a record that the provider has not named yet."""
    return _LOCAL.fullmatch(record) is not None


@dataclass(frozen=True, slots=True)
class Edit:
    """A record's changes.

    edits         the new values by the view's columns, as the view shows them
    base          those that they were made on; of a deletion, all that could be edited
                  of a new record that is under way, those that were sent
    sent          what was sent of it, where the provider may have that by now
    status        pending | sending: a run is at it | unknown: it was sent, and nobody can say
                  whether it was applied | conflict | failed: there is a dead letter
    version       grows with each edit, so that one made while it is sent is noticed
    key           the edit's name at the provider, with the version
    conflict      `{"kind": "edit" | "changed" | "deleted", "fields": {column: theirs}}`, or of a
                  record that was merged `{"kind": "merged", "into": id, "fields": …}`; of a new
                  record that is an old one made anew, of which (see `sync.merging.merge.revival`)
    attempt_rid   of a create in doubt: the hub's last row number when it was sent
    """

    provider: str
    resource: str
    record: str
    action: Action
    edits: Mapping[str, Any] = field(default_factory=dict)
    base: Mapping[str, Any] = field(default_factory=dict)
    status: Status = "pending"
    version: int = 1
    key: str = ""
    conflict: Mapping[str, Any] | None = None
    kind: str | None = None
    message: str | None = None
    run_id: str | None = None
    attempts: int = 0
    attempted_at: str | None = None
    attempt_rid: int | None = None
    edited_at: str = ""
    sent: Mapping[str, Any] | None = None

    @property
    def trace(self) -> str:
        """The name of this very change: the same when it is sent again, another once edited."""
        return f"{self.key}-{self.version}"


_COLUMNS = tuple(Edit.__dataclass_fields__)
_JSON = ("edits", "base", "sent", "conflict")


def _read(row: Sequence[Any]) -> Edit:
    values = dict(zip(_COLUMNS, row, strict=True))
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
    status: Sequence[Status] = (),
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
    db: sqlite3.Connection, provider: str, resource: str, *, status: Sequence[Status] = ()
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
    """Note that a run sends these now, and what it sends; `now` is by the provider's clock. Of a
    new record in doubt, what was sent first stays: that is what may be there."""
    db.executemany(
        "UPDATE lumio_outbox SET status = 'sending',"
        " sent = CASE WHEN attempt_rid IS NULL THEN edits ELSE coalesce(sent, edits) END,"
        " run_id = ?, attempts = attempts + 1, attempted_at = ?"
        " WHERE provider = ? AND resource = ? AND record = ?",
        [(run_id, now, e.provider, e.resource, e.record) for e in edits],
    )


def recover(db: sqlite3.Connection, provider: str, resource: str, rid: int) -> None:
    """What a run was sending when it was killed: a new record may be there by now, and nobody
    knows since when; all else may be sent again. A new record in doubt that an earlier run would
    have sent again is looked for first. `rid` is the hub's last row number of the resource.
    """
    db.execute(
        "UPDATE lumio_outbox SET status = 'unknown' WHERE provider = ? AND resource = ?"
        " AND status = 'pending' AND attempt_rid IS NOT NULL",
        [provider, resource],
    )
    db.execute(
        f"UPDATE lumio_outbox SET status = CASE WHEN record LIKE '{LOCAL}' THEN 'unknown'"
        f" ELSE 'pending' END, attempt_rid = CASE WHEN record LIKE '{LOCAL}' THEN"
        f" coalesce(attempt_rid, ?) END, attempted_at = CASE WHEN record LIKE '{LOCAL}' THEN NULL"
        " ELSE attempted_at END"
        " WHERE provider = ? AND resource = ? AND status = 'sending'",
        [rid, provider, resource],
    )


def doubt_new(db: sqlite3.Connection) -> int:
    """Take all new records for sent by nobody knows whom: a later state of the hub, which is lost,
    may have sent them. A push looks for them first. Returns how many there are.
    """
    new = f"action = 'create' AND record LIKE '{LOCAL}'"
    for provider, resource in resources(db):
        table = raw_table(provider, resource)
        db.execute(
            "UPDATE lumio_outbox SET status = 'unknown', sent = coalesce(sent, edits),"
            f" attempt_rid = coalesce(attempt_rid, (SELECT coalesce(max(rid), 0) FROM {table})),"
            f" attempted_at = NULL WHERE provider = ? AND resource = ? AND {new}"
            " AND status IN ('pending', 'sending')",
            [provider, resource],
        )
    count = f"SELECT count(*) FROM lumio_outbox WHERE status = 'unknown' AND {new}"
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


def refers_to(edit: Edit) -> list[str]:
    """Ids of our own, of other records, that are among an edit's values."""
    return [v for v in edit.edits.values() if isinstance(v, str) and is_local(v)]


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

"""The ledger of messages: what was sent, what was not, and of what nobody can say.

A message's text is not kept: a send that goes on reads it from the operator's input again, and
knows by the digest that it is the same.

    pending    not sent, and may be
    sending    taken by a run: it may be on its way
    sent       the provider has taken it
    held       it has taken it, and holds it back: it may yet drop it. `state` is its word
    paused     it has taken it, and has stopped its delivery
    skipped    not sent, since an earlier send has sent the same to the same recipient
    failed     it was not sent; `code` and `message` say why
    refused    not sent, since the provider would not deliver it
    unknown    nobody can say whether it was sent
"""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lumio_cli.hub.sqlite.database import Hub

STATUSES = (
    "unknown", "failed", "refused", "held", "paused", "pending", "sending", "skipped", "sent",
)  # fmt: skip
"""In the order in which an operator should look at them."""
TAKEN = ("sent", "held", "paused")
"""What the provider has, and must not get a second time."""
MAYBE_TAKEN = "status IN ('unknown', 'sending', 'sent', 'held', 'paused')"
"""That, and what it may have."""
_TABLES = ("lumio_sends", "lumio_messages")
_ORDER = " ".join(f"WHEN '{status}' THEN {n}" for n, status in enumerate(STATUSES))


_AT_ONCE = 5_000
"""Digests in one question: SQLite takes some 30,000."""


@dataclass(frozen=True, slots=True)
class SendRow:
    """A send. `digest` is that of its whole input, `runs` how often it was begun or gone on with,
    `boot` the start of the machine under which its last run was. Times are RFC 3339 text.
    """

    id: int
    send_id: str
    provider: str
    name: str
    account: str
    digest: bytes
    status: str
    total: int
    runs: int
    boot: str
    created_at: str
    updated_at: str
    finished_at: str | None


class Entry(NamedTuple):
    """One message of a send. `run` is the number of the run that touched it last."""

    position: int
    recipient: str
    kind: str
    digest: bytes
    status: str
    message_id: str | None
    code: str | None
    message: str | None
    run: int
    at: str
    state: str | None = None


_ENTRY = ", ".join(Entry._fields)


@contextmanager
def durable(hub: Hub) -> Iterator[sqlite3.Connection]:
    """A transaction that a power cut cannot undo once it is over: it waits for the disk."""
    usual = int(hub.connection.execute("PRAGMA synchronous").fetchone()[0])
    hub.connection.execute("PRAGMA synchronous = FULL")
    try:
        with hub.transaction() as db:
            yield db
    finally:
        hub.connection.execute(f"PRAGMA synchronous = {usual}")


def salted(db: sqlite3.Connection, data: bytes) -> bytes:
    """A digest that only this hub can make: of short texts and phone numbers, a plain one could be
    turned back by trying them all.
    """
    salt = bytes(db.execute("SELECT salt FROM lumio_counter").fetchone()[0])
    return hmac.digest(salt, data, "sha256")[:16]


def take_over(db: sqlite3.Connection, schema: str) -> bool:
    """Replace the ledger by that of the attached database `schema`. False, and nothing is done,
    where that is another hub: its digests mean nothing here. Belongs into a transaction."""
    salts = [
        db.execute(f"SELECT salt FROM {name}.lumio_counter").fetchone() for name in ("main", schema)
    ]
    if salts[0] != salts[1]:
        return False
    for table in reversed(_TABLES):
        db.execute(f"DELETE FROM main.{table}")
    for table in _TABLES:
        db.execute(f"INSERT INTO main.{table} SELECT * FROM {schema}.{table}")
    return True


# -- sends


def find_send(db: sqlite3.Connection, provider: str, name: str) -> SendRow | None:
    """The send of that name."""
    row = db.execute(
        "SELECT * FROM lumio_sends WHERE provider = ? AND name = ?", [provider, name]
    ).fetchone()
    return None if row is None else SendRow(*row)


def find_input(db: sqlite3.Connection, provider: str, digest: bytes) -> SendRow | None:
    """The newest send of that input, whatever it is called."""
    row = db.execute(
        "SELECT * FROM lumio_sends WHERE provider = ? AND digest = ? ORDER BY id DESC LIMIT 1",
        [provider, digest],
    ).fetchone()
    return None if row is None else SendRow(*row)


def is_over(db: sqlite3.Connection, send: SendRow, later: str) -> bool:
    """Whether nothing of the send is left for a run of its own; `later` is the code of what was
    refused for that day only."""
    done = db.execute(
        "SELECT count(*) FROM lumio_messages WHERE send = ? AND status NOT IN"
        " ('unknown', 'pending', 'sending') AND coalesce(code, '') != ?",
        [send.id, later],
    ).fetchone()
    return int(done[0]) >= send.total


def cut_short(db: sqlite3.Connection, provider: str, name: str) -> list[SendRow]:
    """The sends with messages that a run has taken and not written off: that of this name, and
    those whose run has not come to its end."""
    rows = db.execute(
        "SELECT * FROM lumio_sends s WHERE provider = ? AND (name = ? OR status = 'running')"
        " AND EXISTS (SELECT 1 FROM lumio_messages WHERE send = s.id AND status = 'sending')",
        [provider, name],
    )
    return [SendRow(*row) for row in rows]


def begin_send(
    db: sqlite3.Connection,
    *,
    send_id: str,
    provider: str,
    name: str,
    account: str,
    digest: bytes,
    total: int,
    boot: str,
    now: str,
) -> SendRow:
    """Store that a run of a send begins: a new send, or one more run of it."""
    db.execute(
        "INSERT INTO lumio_sends (send_id, provider, name, account, digest, status, total, runs,"
        " boot, created_at, updated_at) VALUES (?, ?, ?, ?, ?, 'running', ?, 1, ?, ?, ?)"
        " ON CONFLICT (provider, name) DO UPDATE SET status = 'running', runs = runs + 1,"
        " total = excluded.total, digest = excluded.digest, boot = excluded.boot,"
        " updated_at = excluded.updated_at, finished_at = NULL",
        [send_id, provider, name, account, digest, total, boot, now, now],
    )
    found = find_send(db, provider, name)
    assert found is not None  # noqa: S101 it was stored a line ago
    return found


def finish_send(db: sqlite3.Connection, send: int, status: str, now: str) -> None:
    """Store how the send stands, now that its run is over."""
    db.execute(
        "UPDATE lumio_sends SET status = ?, updated_at = ?, finished_at = ? WHERE id = ?",
        [status, now, now, send],
    )


def list_sends(
    db: sqlite3.Connection, provider: str | None = None, limit: int = 20
) -> list[SendRow]:
    """The newest sends, newest first."""
    return [
        SendRow(*row)
        for row in db.execute(
            "SELECT * FROM lumio_sends WHERE ?1 IS NULL OR provider = ?1 ORDER BY id DESC LIMIT ?2",
            [provider, limit],
        )
    ]


def named_sends(db: sqlite3.Connection, word: str) -> list[SendRow]:
    """The sends whose name or id is `word`; else those whose id begins so."""
    exact = db.execute("SELECT * FROM lumio_sends WHERE name = ?1 OR send_id = ?1", [word])
    found = [SendRow(*row) for row in exact]
    if found or not word:
        return found
    rows = db.execute("SELECT * FROM lumio_sends WHERE instr(send_id, ?) = 1", [word])
    return [SendRow(*row) for row in rows]


# -- messages


def store_entries(db: sqlite3.Connection, send: int, entries: Iterable[Entry]) -> None:
    """Write messages, new or known."""
    db.executemany(
        "INSERT OR REPLACE INTO lumio_messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ((send, *entry) for entry in entries),
    )


class Update(NamedTuple):
    """What has become of a message."""

    status: str
    message_id: str | None
    code: str | None
    message: str | None
    run: int
    at: str
    state: str | None = None


def update_entries(db: sqlite3.Connection, send: int, updates: Mapping[int, Update]) -> None:
    """Write what has become of messages, by position."""
    db.executemany(
        "UPDATE lumio_messages SET status = ?, message_id = ?, code = ?, message = ?, run = ?,"
        " at = ?, state = ? WHERE send = ? AND position = ?",
        ((*update, send, position) for position, update in updates.items()),
    )


def change_status(db: sqlite3.Connection, send: int, old: str, new: str, now: str) -> int:
    """Let all messages that stand so stand otherwise; returns how many."""
    return db.execute(
        "UPDATE lumio_messages SET status = ?, code = NULL, message = NULL, at = ?"
        " WHERE send = ? AND status = ?",
        [new, now, send, old],
    ).rowcount


def read_entries(db: sqlite3.Connection, send: int, first: int, last: int) -> dict[int, Entry]:
    """Messages by position, from `first` to `last`, both included."""
    rows = db.execute(
        f"SELECT {_ENTRY} FROM lumio_messages WHERE send = ? AND position BETWEEN ? AND ?",
        [send, first, last],
    )
    return {row[0]: Entry(*row) for row in rows}


def positions_of(db: sqlite3.Connection, send: int, status: str, but: str = "") -> list[int]:
    """The positions of the messages that stand so, but for those with that code."""
    rows = db.execute(
        "SELECT position FROM lumio_messages WHERE send = ? AND status = ? AND"
        " coalesce(code, '') != ? ORDER BY position",
        [send, status, but or "\0"],
    )
    return [row[0] for row in rows]


def final_beyond(db: sqlite3.Connection, send: int, total: int) -> bool:
    """Whether a message was sent, or may have been, that is behind the last row of the input."""
    row = db.execute(
        f"SELECT count(*) FROM lumio_messages WHERE send = ? AND position > ? AND {MAYBE_TAKEN}",
        [send, total],
    ).fetchone()
    return bool(row[0])


def drop_beyond(db: sqlite3.Connection, send: int, total: int) -> None:
    """Forget the messages of rows that are no longer in the input."""
    db.execute("DELETE FROM lumio_messages WHERE send = ? AND position > ?", [send, total])


class Before(NamedTuple):
    """Where a message was sent before, or may have been."""

    name: str
    status: str
    at: str


def sent_before(
    db: sqlite3.Connection, provider: str, but: int | None, digests: Collection[bytes]
) -> dict[bytes, Before]:
    """Of these digests those that another send than `but` has sent, or may have."""
    found: dict[bytes, Before] = {}
    for start in range(0, len(digests), _AT_ONCE):
        some = list(digests)[start : start + _AT_ONCE]
        rows = db.execute(
            "SELECT m.digest, s.name, m.status, m.at FROM lumio_messages m"
            " JOIN lumio_sends s ON s.id = m.send"
            f" WHERE m.digest IN ({','.join('?' * len(some))}) AND s.provider = ? AND s.id IS NOT ?"
            f" AND m.{MAYBE_TAKEN}"
            # What was certainly sent goes before what may have been.
            " ORDER BY m.status IN ('unknown', 'sending') DESC, m.at",
            [*some, provider, but],
        )
        found.update((row[0], Before(*row[1:])) for row in rows)
    return found


def newest(db: sqlite3.Connection, send: int, status: str) -> str:
    """When the last of the messages that stand so came to do so. There must be one."""
    row = db.execute(
        "SELECT max(at) FROM lumio_messages WHERE send = ? AND status = ?", [send, status]
    ).fetchone()
    return str(row[0])


def count_entries(db: sqlite3.Connection, send: int, run: int | None = None) -> dict[str, int]:
    """How many messages there are of each status; with `run`, only of those that it touched."""
    counts = dict.fromkeys(STATUSES, 0)
    rows = db.execute(
        "SELECT status, count(*) FROM lumio_messages WHERE send = ?1 AND (?2 IS NULL OR run = ?2)"
        " GROUP BY status",
        [send, run],
    )
    counts.update((row[0], row[1]) for row in rows)
    return counts


def list_entries(
    db: sqlite3.Connection, send: int, statuses: Collection[str] = (), limit: int = -1
) -> list[Entry]:
    """Messages, what needs a look first, and then by position; `limit` -1: all."""
    marks = ",".join("?" * len(statuses))
    chosen = f" AND status IN ({marks})" if statuses else ""
    rows = db.execute(
        f"SELECT {_ENTRY}"
        f" FROM lumio_messages WHERE send = ?{chosen}"
        f" ORDER BY CASE status {_ORDER} END, position LIMIT ?",
        [send, *statuses, limit],
    )
    return [Entry(*row) for row in rows]


# -- what the hub knows of recipients


def as_json(entry: Entry) -> dict[str, Any]:
    """A message as results show it: what is no error of it is a note."""
    fine = entry.status in (*TAKEN, "skipped")
    error = {"code": entry.code, "message": entry.message} if entry.code and not fine else None
    return {
        "position": entry.position,
        "to": entry.recipient,
        "kind": entry.kind,
        "status": entry.status,
        "id": entry.message_id,
        "error": error,
        "note": entry.message if fine else None,
        "state": entry.state,
        "at": entry.at,
    }

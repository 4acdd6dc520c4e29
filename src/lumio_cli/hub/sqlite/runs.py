"""Runs, and what failed in them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

COUNTS = (
    "read", "sent", "created", "updated", "unchanged", "deleted", "conflicts", "failed",
    "requests", "retries",
)  # fmt: skip


@dataclass(slots=True)
class RunRow:
    """A run as it is stored. Times are RFC 3339 text."""

    run_id: str
    status: str
    started_at: str
    heartbeat_at: str
    pid: int
    host: str
    mode: str
    direction: str
    targets: Sequence[str]
    version: str
    finished_at: str | None = None
    exit_code: int | None = None
    error: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not be stored or sent, and why."""

    provider: str
    resource: str
    record_id: str
    kind: str
    message: str
    payload: str | None = None
    direction: str = "pull"


def start_run(db: sqlite3.Connection, run: RunRow) -> None:
    """Store a run that begins."""
    values = asdict(run) | {"targets": json.dumps(list(run.targets)), "error": None}
    listed = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    db.execute(f"INSERT INTO lumio_runs ({listed}) VALUES ({marks})", values)


def finish_run(
    db: sqlite3.Connection,
    run_id: str,
    *,
    status: str,
    now: str,
    exit_code: int | None,
    error: Mapping[str, Any] | None = None,
) -> None:
    """Store how a run ended, for it and for its resources that were still running."""
    db.execute(
        "UPDATE lumio_runs SET status = ?, finished_at = ?, heartbeat_at = ?, exit_code = ?,"
        " error = ? WHERE run_id = ?",
        [status, now, now, exit_code, json.dumps(error) if error else None, run_id],
    )
    db.execute(
        "UPDATE lumio_run_resources SET status = 'interrupted', finished_at = ?"
        " WHERE run_id = ? AND status = 'running'",
        [now, run_id],
    )


def running_runs(db: sqlite3.Connection) -> list[str]:
    """Ids of the runs that never said how they ended."""
    return [r[0] for r in db.execute("SELECT run_id FROM lumio_runs WHERE status = 'running'")]


def start_resource(
    db: sqlite3.Connection,
    run_id: str,
    provider: str,
    resource: str,
    mode: str,
    now: str,
    direction: str = "pull",
) -> None:
    """Store that a run takes up a resource."""
    db.execute(
        "INSERT INTO lumio_run_resources (run_id, provider, resource, direction, mode, status,"
        " started_at) VALUES (?,?,?,?,?,'running',?)",
        [run_id, provider, resource, direction, mode, now],
    )


def cursors_before(db: sqlite3.Connection, provider: str, resource: str) -> list[tuple[str, float]]:
    """The cursors that runs have left, newest first, each with when its run was done with the
    resource (or had taken it up, where it was killed), in seconds since 1970."""
    return [
        (str(row[0]), float(row[1]))
        for row in db.execute(
            "SELECT cursor, (julianday(coalesce(finished_at, started_at)) - 2440587.5) * 86400.0"
            " FROM lumio_run_resources"
            " WHERE provider = ? AND resource = ? AND direction = 'pull' AND cursor IS NOT NULL"
            " AND julianday(coalesce(finished_at, started_at)) IS NOT NULL"
            " ORDER BY started_at DESC, rowid DESC",
            [provider, resource],
        )
    ]


def update_resource(
    db: sqlite3.Connection,
    run_id: str,
    provider: str,
    resource: str,
    values: Mapping[str, Any],
    direction: str = "pull",
) -> None:
    """Set columns of a run's resource by name; an `error` mapping is stored as JSON."""
    stored = dict(values)
    if stored.get("error") is not None:
        stored["error"] = json.dumps(stored["error"])
    listed = ", ".join(f"{name} = :{name}" for name in stored)
    db.execute(
        f"UPDATE lumio_run_resources SET {listed} WHERE run_id = :_i AND provider = :_p"
        " AND resource = :_r AND direction = :_d",
        {**stored, "_i": run_id, "_p": provider, "_r": resource, "_d": direction},
    )


def heartbeat(db: sqlite3.Connection, run_id: str, now: str) -> None:
    """Say that the run is alive."""
    db.execute("UPDATE lumio_runs SET heartbeat_at = ? WHERE run_id = ?", [now, run_id])


def list_runs(db: sqlite3.Connection, limit: int = 20) -> list[dict[str, Any]]:
    """The newest runs, newest first, each with its `resources`."""
    runs = [
        _decoded(row)
        for row in db.execute(
            "SELECT * FROM lumio_runs ORDER BY started_at DESC, run_id DESC LIMIT ?", [limit]
        )
    ]
    return [run | {"resources": run_resources(db, run["run_id"])} for run in runs]


def read_run(db: sqlite3.Connection, run_id: str) -> dict[str, Any] | None:
    """One run with its `resources`. A unique beginning of the id is enough."""
    rows = db.execute(
        "SELECT * FROM lumio_runs WHERE run_id = ?1 OR substr(run_id, 1, length(?1)) = ?1"
        " ORDER BY run_id = ?1 DESC LIMIT 2",
        [run_id],
    ).fetchall()
    if not rows or (len(rows) > 1 and rows[0]["run_id"] != run_id):
        return None
    run = _decoded(rows[0])
    return run | {"resources": run_resources(db, run["run_id"])}


def run_resources(db: sqlite3.Connection, run_id: str) -> list[dict[str, Any]]:
    """What a run did, resource by resource, in the order it took them up."""
    return [
        _decoded(row)
        for row in db.execute(
            "SELECT * FROM lumio_run_resources WHERE run_id = ? ORDER BY rowid", [run_id]
        )
    ]


def last_run_of(db: sqlite3.Connection, provider: str, resource: str) -> dict[str, Any] | None:
    """What the newest run did to a resource. One that found it held by another did nothing."""
    row = db.execute(
        "WITH took AS (SELECT *, rowid AS number FROM lumio_run_resources"
        " WHERE provider = ? AND resource = ?"
        " AND NOT (status = 'skipped' AND error IS NULL)"
        " AND coalesce(json_extract(error, '$.code'), '') <> 'target_busy'"
        " ORDER BY started_at DESC, rowid DESC LIMIT 2)"
        # A run may have gone both ways: what it has to say is of the one that went worse.
        " SELECT * FROM took WHERE run_id = (SELECT run_id FROM took"
        " ORDER BY started_at DESC, number DESC LIMIT 1)"
        " ORDER BY status = 'running' DESC, status = 'succeeded', number DESC LIMIT 1",
        [provider, resource],
    ).fetchone()
    return _decoded(row) if row else None


def prune_runs(db: sqlite3.Connection, keep: int = 2000) -> None:
    """Forget the oldest runs beyond `keep`."""
    old = "SELECT run_id FROM lumio_runs ORDER BY started_at DESC, run_id DESC LIMIT -1 OFFSET ?"
    db.execute(f"DELETE FROM lumio_run_resources WHERE run_id IN ({old})", [keep])
    db.execute(f"DELETE FROM lumio_runs WHERE run_id IN ({old})", [keep])


def _decoded(row: sqlite3.Row) -> dict[str, Any]:
    values = dict(row)
    for name in ("targets", "error"):
        if values.get(name) is not None:
            values[name] = json.loads(values[name])
    return values


def add_dead_letters(
    db: sqlite3.Connection, letters: Sequence[DeadLetter], run_id: str, now: str
) -> None:
    """Keep what failed. The same record failing again is the same dead letter, tried once more."""
    db.executemany(
        "INSERT INTO lumio_dead_letters (provider, resource, direction, record_id, kind, message,"
        " payload, run_id, first_at, last_at, attempts) VALUES (?,?,?,?,?,?,?,?,?,?,1)"
        " ON CONFLICT (provider, resource, direction, record_id) DO UPDATE SET"
        " kind = excluded.kind, message = excluded.message, payload = excluded.payload,"
        " run_id = excluded.run_id, last_at = excluded.last_at, attempts = attempts + 1,"
        " resolved_at = NULL, resolution = NULL",
        [
            [
                x.provider,
                x.resource,
                x.direction,
                x.record_id,
                x.kind,
                x.message,
                x.payload,
                run_id,
                now,
                now,
            ]
            for x in letters
        ],
    )


def resolve_stored(
    db: sqlite3.Connection, provider: str, resource: str, ids: Sequence[str], now: str
) -> None:
    """Close the dead letters of records that have been stored since."""
    db.executemany(
        "UPDATE lumio_dead_letters SET resolved_at = ?, resolution = 'stored'"
        " WHERE provider = ? AND resource = ? AND direction = 'pull' AND record_id = ?"
        " AND resolved_at IS NULL",
        ((now, provider, resource, record_id) for record_id in ids),
    )


def resolve_push(
    db: sqlite3.Connection,
    provider: str,
    resource: str,
    ids: Sequence[str],
    resolution: str,
    now: str,
) -> None:
    """Close the dead letters of changes that have been sent since, or are not to be."""
    db.executemany(
        "UPDATE lumio_dead_letters SET resolved_at = ?, resolution = ?"
        " WHERE provider = ? AND resource = ? AND direction = 'push' AND record_id = ?"
        " AND resolved_at IS NULL",
        ((now, resolution, provider, resource, record_id) for record_id in ids),
    )


def resolve_taken_back(db: sqlite3.Connection, provider: str, resource: str, now: str) -> None:
    """Close the dead letters of refused changes that are in the outbox no longer."""
    db.execute(
        "UPDATE lumio_dead_letters SET resolved_at = ?, resolution = 'reverted'"
        " WHERE provider = ? AND resource = ? AND direction = 'push' AND resolved_at IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM lumio_outbox AS o WHERE o.provider ="
        " lumio_dead_letters.provider AND o.resource = lumio_dead_letters.resource"
        " AND o.record = lumio_dead_letters.record_id)",
        [now, provider, resource],
    )


def list_dead_letters(
    db: sqlite3.Connection,
    provider: str | None = None,
    resource: str | None = None,
    *,
    include_resolved: bool = False,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Dead letters, newest first, without their payloads."""
    return [
        dict(row)
        for row in db.execute(
            "SELECT id, provider, resource, direction, record_id, kind, message, run_id, first_at,"
            " last_at, attempts, resolved_at, resolution FROM lumio_dead_letters"
            " WHERE (?1 IS NULL OR provider = ?1) AND (?2 IS NULL OR resource = ?2)"
            " AND (?3 OR resolved_at IS NULL) ORDER BY last_at DESC, id DESC LIMIT ?4",
            [provider, resource, int(include_resolved), limit],
        )
    ]


def read_dead_letter(db: sqlite3.Connection, letter_id: int) -> dict[str, Any] | None:
    """One dead letter, with its payload."""
    row = db.execute("SELECT * FROM lumio_dead_letters WHERE id = ?", [letter_id]).fetchone()
    return dict(row) if row else None


def resolve_dead_letter(db: sqlite3.Connection, letter_id: int, resolution: str, now: str) -> bool:
    """Close a dead letter by hand; False if there is no such open one."""
    return (
        db.execute(
            "UPDATE lumio_dead_letters SET resolved_at = ?, resolution = ?"
            " WHERE id = ? AND resolved_at IS NULL",
            [now, resolution, letter_id],
        ).rowcount
        == 1
    )


def failed_since(db: sqlite3.Connection, provider: str, resource: str, since: str) -> int:
    """How many records of a resource could not be read at or after `since`, and still cannot."""
    found = db.execute(
        "SELECT count(*) FROM lumio_dead_letters WHERE provider = ? AND resource = ?"
        " AND direction = 'pull' AND resolved_at IS NULL"
        " AND julianday(last_at) >= julianday(?)",
        [provider, resource, since],
    )
    return int(found.fetchone()[0])


def count_dead_letters(db: sqlite3.Connection, provider: str, resource: str) -> int:
    """How many open dead letters a resource has."""
    return int(
        db.execute(
            "SELECT count(*) FROM lumio_dead_letters"
            " WHERE provider = ? AND resource = ? AND resolved_at IS NULL",
            [provider, resource],
        ).fetchone()[0]
    )

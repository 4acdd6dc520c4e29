"""Where each resource stands: cursor, checkpoints, known fields, accounts."""

from __future__ import annotations

import hmac
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ResourceState:
    """What the hub knows of a resource. Times are RFC 3339 text, None: never."""

    records: int = 0
    cursor: str | None = None
    synced_at: str | None = None
    full_at: str | None = None
    tombstones_at: str | None = None
    tombstone_pages: int | None = None
    warning: str | None = None
    slices: str | None = None
    """JSON object: the slices that the cursor is true of, each with the hub's number of the last
    parent that it had read (0: it has none). None: of all there were."""
    hides: int = 0
    """1: a page of the last full walk said that older records are hidden."""
    hidden: int = 0
    """Live records that the last full walk did not list since they lie behind the horizon."""
    astray_before: str | None = None
    """What was deleted before this moment may only have been hidden, which an older lumio did not
    know; None: that was looked at."""
    counted: int = 1
    """0: the values that do not fit their columns are yet to be counted."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far one slice of a walk has come. `place` None: not begun, or done."""

    kind: str
    slice: str
    options: Mapping[str, Any] = field(default_factory=dict)
    place: Mapping[str, Any] | None = None
    floor: str | None = None
    ceiling: str | None = None
    since_seq: int = 0
    rows: int = 0
    pages: int = 0
    done: bool = False
    started_at: str = ""


@dataclass(frozen=True, slots=True)
class KnownField:
    """A field of a resource as it was last described."""

    name: str
    type: str
    label: str
    custom: bool
    column_name: str
    path: str
    kind: str
    read_only: bool = True
    same: str = "exact"
    choice: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """Whose account the hub holds."""

    provider: str
    account_id: str
    account_name: str
    scopes: tuple[str, ...] | None
    fingerprint: str
    kind: str
    source: str
    expires_at: str | None
    checked_at: str
    details: Mapping[str, str]
    fields: Mapping[str, str] = field(default_factory=dict)
    """What requests need and the credential does not say by itself; no secrets."""


def decoded(text: str) -> Any:
    """What JSON says that the hub has stored. Raises `ValueError` where it cannot be read: somebody
    else has written it."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def read_state(db: sqlite3.Connection, provider: str, resource: str) -> ResourceState:
    """The state of a resource; all empty where it was never synced."""
    row = db.execute(
        "SELECT records, cursor, synced_at, full_at, tombstones_at, tombstone_pages, warning,"
        " slices, hides, hidden, astray_before, counted FROM lumio_resources"
        " WHERE provider = ? AND resource = ?",
        [provider, resource],
    ).fetchone()
    return ResourceState(*row) if row else ResourceState()


def update_state(db: sqlite3.Connection, provider: str, resource: str, **values: Any) -> None:
    """Set columns of a resource's state by name."""
    listed = ", ".join(f"{name} = :{name}" for name in values)
    db.execute(
        f"UPDATE lumio_resources SET {listed} WHERE provider = :_p AND resource = :_r",
        {**values, "_p": provider, "_r": resource},
    )


def retract_cursor(
    db: sqlite3.Connection, provider: str, resource: str, cursor: str | None
) -> None:
    """Put the cursor back to one that can be believed, and forget windows made of the other."""
    update_state(db, provider, resource, cursor=cursor)
    drop_checkpoints(db, provider, resource, "changes")


def save_checkpoint(
    db: sqlite3.Connection, provider: str, resource: str, point: Checkpoint, now: str
) -> None:
    """Store a checkpoint; belongs into the transaction of the page that it follows."""
    db.execute(
        "INSERT OR REPLACE INTO lumio_checkpoints VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        [
            provider,
            resource,
            point.kind,
            point.slice,
            json.dumps(dict(point.options)),
            None if point.place is None else json.dumps(dict(point.place)),
            point.floor,
            point.ceiling,
            point.since_seq,
            point.rows,
            point.pages,
            int(point.done),
            point.started_at,
            now,
        ],
    )


def read_checkpoints(
    db: sqlite3.Connection, provider: str, resource: str, kind: str
) -> list[Checkpoint]:
    """The checkpoints of an unfinished walk, slice by slice. Raises `ValueError` where they cannot
    be read."""
    return [
        Checkpoint(
            kind=row["kind"],
            slice=row["slice"],
            options=decoded(row["options"]),
            place=None if row["place"] is None else decoded(row["place"]),
            floor=row["floor"],
            ceiling=row["ceiling"],
            since_seq=row["since_seq"],
            rows=row["rows"],
            pages=row["pages"],
            done=bool(row["done"]),
            started_at=row["started_at"],
        )
        for row in db.execute(
            "SELECT * FROM lumio_checkpoints WHERE provider = ? AND resource = ? AND kind = ?"
            " ORDER BY slice",
            [provider, resource, kind],
        )
    ]


def drop_checkpoints(db: sqlite3.Connection, provider: str, resource: str, kind: str) -> None:
    """Forget a walk's checkpoints: it is finished, or it begins anew."""
    db.execute(
        "DELETE FROM lumio_checkpoints WHERE provider = ? AND resource = ? AND kind = ?",
        [provider, resource, kind],
    )


def read_fields(db: sqlite3.Connection, provider: str, resource: str) -> list[KnownField]:
    """The fields as they were last described, without those that have vanished."""
    return [
        KnownField(
            row["name"],
            row["type"],
            row["label"],
            bool(row["custom"]),
            row["column_name"],
            row["path"],
            row["kind"],
            bool(row["read_only"]),
            row["same"],
            row["choice"],
        )
        for row in db.execute(
            "SELECT * FROM lumio_fields WHERE provider = ? AND resource = ?"
            " AND vanished_at IS NULL ORDER BY rowid",
            [provider, resource],
        )
    ]


@dataclass(frozen=True, slots=True)
class Drift:
    """One change of a schema: `change` is new, vanished or retyped."""

    field: str
    change: str
    before: str | None
    after: str | None


def store_fields(
    db: sqlite3.Connection,
    provider: str,
    resource: str,
    fields: Sequence[KnownField],
    *,
    run_id: str,
    now: str,
) -> list[Drift]:
    """Store what was described, and record how it differs from what was known.

    The first description is no drift. Belongs into a transaction.
    """
    known = {f.name: f for f in read_fields(db, provider, resource)}
    first = (
        db.execute(
            "SELECT 1 FROM lumio_fields WHERE provider = ? AND resource = ? LIMIT 1",
            [provider, resource],
        ).fetchone()
        is None
    )
    drift = [
        Drift(n, "vanished", f.type, None)
        for n, f in known.items()
        if n not in {g.name for g in fields}
    ]
    for new in fields:
        old = known.get(new.name)
        if old is None and not first:
            drift.append(Drift(new.name, "new", None, new.type))
        elif old is not None and old.type != new.type:
            drift.append(Drift(new.name, "retyped", old.type, new.type))
        if old != new:
            db.execute(
                "INSERT INTO lumio_fields VALUES (?,?,?,?,?,?,?,?,?,?,NULL,?,?,?)"
                " ON CONFLICT (provider, resource, name) DO UPDATE SET type = excluded.type,"
                " label = excluded.label, custom = excluded.custom,"
                " column_name = excluded.column_name, path = excluded.path,"
                " kind = excluded.kind, vanished_at = NULL, read_only = excluded.read_only,"
                " same = excluded.same, choice = excluded.choice",
                [
                    provider,
                    resource,
                    new.name,
                    new.type,
                    new.label,
                    int(new.custom),
                    new.column_name,
                    new.path,
                    new.kind,
                    now,
                    int(new.read_only),
                    new.same,
                    new.choice,
                ],
            )
    for change in drift:
        if change.change == "vanished":
            db.execute(
                "UPDATE lumio_fields SET vanished_at = ? WHERE provider = ? AND resource = ?"
                " AND name = ?",
                [now, provider, resource, change.field],
            )
        db.execute(
            "INSERT INTO lumio_drift (run_id, at, provider, resource, field, change, before, after)"
            " VALUES (?,?,?,?,?,?,?,?)",
            [
                run_id,
                now,
                provider,
                resource,
                change.field,
                change.change,
                change.before,
                change.after,
            ],
        )
    return drift


def read_drift(
    db: sqlite3.Connection, provider: str | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """The newest schema changes, newest first."""
    return [
        dict(row)
        for row in db.execute(
            "SELECT run_id, at, provider, resource, field, change, before, after FROM lumio_drift"
            " WHERE ?1 IS NULL OR provider = ?1 ORDER BY id DESC LIMIT ?2",
            [provider, limit],
        )
    ]


def read_account(db: sqlite3.Connection, provider: str) -> Account | None:
    """The account that this hub holds the data of. What is told of it and cannot be read is not
    known, until the account is looked at again."""
    row = db.execute("SELECT * FROM lumio_accounts WHERE provider = ?", [provider]).fetchone()
    if row is None:
        return None
    scopes = _kept(row["scopes"], list)
    return Account(
        provider=row["provider"],
        account_id=row["account_id"],
        account_name=row["account_name"],
        scopes=None if scopes is None else tuple(str(scope) for scope in scopes),
        fingerprint=row["fingerprint"],
        kind=row["kind"],
        source=row["source"],
        expires_at=row["expires_at"],
        checked_at=row["checked_at"],
        details=_kept(row["details"], dict) or {},
        fields=_kept(row["fields"], dict) or {},
    )


def _kept(text: str | None, kind: type[T]) -> T | None:
    try:
        found = None if text is None else decoded(text)
    except ValueError:
        return None
    return found if isinstance(found, kind) else None


def save_account(db: sqlite3.Connection, account: Account) -> None:
    """Store the account that a credential was proven to open."""
    db.execute(
        "INSERT OR REPLACE INTO lumio_accounts VALUES (?,?,?,?,?,?,?,?,?,?,?)",
        [
            account.provider,
            account.account_id,
            account.account_name,
            None if account.scopes is None else json.dumps(list(account.scopes)),
            account.fingerprint,
            account.kind,
            account.source,
            account.expires_at,
            account.checked_at,
            json.dumps(dict(account.details)),
            json.dumps(dict(account.fields)),
        ],
    )


def forget_account(db: sqlite3.Connection, provider: str) -> None:
    """Forget which account the hub holds; its records stay."""
    db.execute("DELETE FROM lumio_accounts WHERE provider = ?", [provider])


def fingerprint(db: sqlite3.Connection, secret: str) -> str:
    """A short mark by which this hub, and no other, recognises a credential it has seen.

    Keyed with the hub's own random salt and cut to 48 bits: it tells "the same as last time" and
    nothing about the secret.
    """
    salt = bytes(db.execute("SELECT salt FROM lumio_counter").fetchone()[0])
    return hmac.new(salt, secret.encode(), "sha256").hexdigest()[:12]

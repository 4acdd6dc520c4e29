"""Records that have become part of others: a merge is not a deletion.

A note says of a record which other one it was merged into. It is `open` from when a walk has met
it until that walk has ended: what the same walk lists is alive, whatever another record says of it,
and that may be listed later. A note about what was listed is denied, and kept: the other record may
say the same whenever it changes. Of a denied note only a full walk can find that it is true by now;
one of another survivor is a new one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence

from lumio_cli.hub.sqlite.records import live_ids, raw_table

OPEN, TRUE, DENIED, REPEATED = 1, 0, -1, -2
"""What a note's `open` says. `REPEATED`: it was denied, and a full walk has met it again."""


def note(
    db: sqlite3.Connection,
    provider: str,
    resource: str,
    became: Mapping[str, str],
    now: str,
    *,
    full: bool = False,
) -> None:
    """Note what records have become (ids by ids). Of one that the hub holds as live the note stays
    open, until the walk that tells it (`full` or not) has ended; or denied, where it is."""
    live = set(live_ids(db, raw_table(provider, resource), became))
    db.executemany(
        "INSERT INTO lumio_merged (provider, resource, id, survivor, open, at)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (provider, resource, id) DO UPDATE SET"
        " survivor = excluded.survivor, open = CASE WHEN open >= 0 OR excluded.open = 0"
        " OR survivor IS NOT excluded.survivor THEN excluded.open WHEN ?7 THEN ?8 ELSE open END"
        " WHERE survivor IS NOT excluded.survivor OR open IS NOT excluded.open",
        [
            (provider, resource, gone, survivor, int(gone in live), now, full, REPEATED)
            for gone, survivor in became.items()
            if gone != survivor
        ],
    )


def deny(db: sqlite3.Connection, provider: str, resource: str, ids: Iterable[str]) -> None:
    """These records are there (again), whatever is noted of them."""
    _decide(db, provider, resource, ids, DENIED)


def confirm(db: sqlite3.Connection, provider: str, resource: str, ids: Iterable[str]) -> None:
    """These records have become what is noted of them."""
    _decide(db, provider, resource, ids, TRUE)


def _decide(
    db: sqlite3.Connection, provider: str, resource: str, ids: Iterable[str], state: int
) -> None:
    db.executemany(
        "UPDATE lumio_merged SET open = ? WHERE provider = ? AND resource = ? AND id = ?",
        ((state, provider, resource, i) for i in ids),
    )


def undecided(
    db: sqlite3.Connection, provider: str, resource: str, *, full: bool
) -> dict[str, str]:
    """What live records have become, as others say, and the walk that ends now can decide."""
    return _notes(db, provider, resource, f"IN ({OPEN}, {REPEATED})" if full else f"= {OPEN}")


def denied(db: sqlite3.Connection, provider: str, resource: str) -> dict[str, str]:
    """What others say of records that were listed all the same."""
    return _notes(db, provider, resource, f"IN ({DENIED}, {REPEATED})")


def _notes(db: sqlite3.Connection, provider: str, resource: str, state: str) -> dict[str, str]:
    return {
        str(row[0]): str(row[1])
        for row in db.execute(
            "SELECT id, survivor FROM lumio_merged"
            f" WHERE provider = ? AND resource = ? AND open {state} ORDER BY id",
            [provider, resource],
        )
    }


def survivors(
    db: sqlite3.Connection,
    provider: str,
    resource: str,
    gone: Iterable[str],
    *,
    told: Mapping[str, str] | None = None,
    held: Callable[[str], bool | None] | None = None,
) -> dict[str, str]:
    """Of records that are gone, those which live on, each with the record that it is by now.

    One that has become several, one after the other, is the last of them; one whose survivor was
    deleted in its turn, or has become itself, is gone. A survivor may be one that the hub does not
    hold. A preview knows better: `told` are more notes, `held` says of a record whether it is
    live, or None where it is not known.
    """
    name = provider, resource

    def following(record: str) -> str | None:
        return (told or {}).get(record) or _noted(db, *name, record)

    found = {}
    for record in gone:
        passed, at = {record}, following(record)
        while at is not None and at not in passed:
            passed.add(at)
            live, further = (held(at) if held else _is_live(db, *name, at)), following(at)
            if live or (live is None and further is None):
                found[record] = at
                break
            at = further
    return found


def _noted(db: sqlite3.Connection, provider: str, resource: str, record: str) -> str | None:
    row = db.execute(
        "SELECT survivor FROM lumio_merged"
        " WHERE provider = ? AND resource = ? AND id = ? AND open >= 0",
        [provider, resource, record],
    ).fetchone()
    return None if row is None else str(row[0])


def _is_live(db: sqlite3.Connection, provider: str, resource: str, record: str) -> bool | None:
    """Whether a record is there; None for one that the hub has never held."""
    row = db.execute(
        f"SELECT deleted_at IS NULL FROM {raw_table(provider, resource)} WHERE id = ?", [record]
    ).fetchone()
    return None if row is None else bool(row[0])


def unheard_of(
    db: sqlite3.Connection, provider: str, resource: str, since: str
) -> list[tuple[str, str]]:
    """Records that the hub has never held and of which it was told since then that they have become
    others, with those: `(id, survivor)`."""
    return [
        (str(row[0]), str(row[1]))
        for row in db.execute(
            "SELECT m.id, m.survivor FROM lumio_merged AS m WHERE m.provider = ?"
            " AND m.resource = ? AND m.at >= ? AND NOT EXISTS"
            f" (SELECT 1 FROM {raw_table(provider, resource)} AS r WHERE r.id = m.id)"
            " ORDER BY m.at, m.id",
            [provider, resource, since],
        )
    ]


def mark_listed(db: sqlite3.Connection, provider: str, resource: str, ids: Iterable[str]) -> None:
    """Remember that a walk for changes has met these records."""
    db.executemany(
        "INSERT OR IGNORE INTO lumio_listed VALUES (?, ?, ?)",
        ((provider, resource, i) for i in ids),
    )


def forget_listed(db: sqlite3.Connection, provider: str, resource: str) -> None:
    """Begin a new walk for changes, or end one."""
    db.execute("DELETE FROM lumio_listed WHERE provider = ? AND resource = ?", [provider, resource])


def listed(
    db: sqlite3.Connection, provider: str, resource: str, ids: Sequence[str], since_seq: int | None
) -> set[str]:
    """Those of `ids` that the walk which is ending has met: one for changes, or, with `since_seq`,
    a full one that began when the change counter stood there."""
    table, found = raw_table(provider, resource), set()
    for record in ids:
        if since_seq is None:
            met = db.execute(
                "SELECT 1 FROM lumio_listed WHERE provider = ? AND resource = ? AND id = ?",
                [provider, resource, record],
            )
        else:
            met = db.execute(
                "SELECT 1 FROM lumio_seen WHERE provider = ?1 AND resource = ?2 AND id = ?3"
                f" UNION ALL SELECT 1 FROM {table} WHERE id = ?3 AND seq > ?4",
                [provider, resource, record, since_seq],
            )
        if met.fetchone() is not None:
            found.add(record)
    return found

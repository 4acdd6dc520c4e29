"""Who uses a quota of concurrency at this moment, and who waits for it.

A lease names its process (id and time of birth), so that one that was killed holds nothing; what
cannot be looked at, such as a process in another container, loses its leases by time. Waiters
stand in line by their time of arrival plus a handicap of their priority, so that a flood of
important calls delays the others, but for no longer than the handicap.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from math import floor
from pathlib import Path

from lumio_cli.transport.quota.state import Priority, cap
from lumio_cli.transport.runtime_db.store import RuntimeStore

HANDICAP = (0.0, 1.0, 3.0, 5.0)
"""Seconds that each priority lets later calls of the first pass."""
LEASE_LIMIT = 600.0
"""Seconds after which a lease is free even if its process lives: no request takes that long."""
WAIT_LIMIT = 10.0
"""Seconds that a waiter keeps its place in line without asking again."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A process. `place` is where its `pid` means something; `born` tells it from a later one."""

    place: str
    pid: int
    born: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """One call's place in line."""

    number: int
    owner: Owner
    priority: Priority
    rank: float


def this_process() -> Owner:
    """The owner of what this process takes."""
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    pid = os.getpid()
    return Owner(f"{os.uname().nodename} {space}".strip(), pid, _born(pid) or "")


def draw(owner: Owner, priority: Priority, now: float) -> Ticket:
    """A new ticket. Its number is random: forked processes share a counter's state."""
    number = int.from_bytes(os.urandom(7))
    return Ticket(number, owner, priority, now + HANDICAP[priority])


def claim(
    connection: sqlite3.Connection, ticket: Ticket, wanted: Sequence[tuple[str, float]], now: float
) -> str | None:
    """Take a lease of every `(key, limit)` wanted, or none and stand in line for all.

    Returns the key that is not free, None if all were taken. Runs in the caller's transaction.
    """
    blocked = None
    for key, limit in wanted:
        connection.execute("DELETE FROM leases WHERE key = ? AND expires_at <= ?", (key, now))
        if _full(connection, ticket, key, limit) and (
            not _bury(connection, ticket.owner, key) or _full(connection, ticket, key, limit)
        ):
            blocked = key
            break
    held, limit = (1, LEASE_LIMIT) if blocked is None else (0, WAIT_LIMIT)
    owner = ticket.owner
    connection.executemany(
        "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                ticket.number,
                key,
                held,
                int(ticket.priority),
                ticket.rank,
                owner.place,
                owner.pid,
                owner.born,
                now + limit,
            )
            for key, _ in wanted
        ],
    )
    return blocked


def extend(connection: sqlite3.Connection, ticket: Ticket, keys: Sequence[str], at: float) -> None:
    """Keep the ticket's leases for a request that is sent at `at`, and not now."""
    connection.executemany(
        "UPDATE leases SET expires_at = ? WHERE key = ? AND ticket = ? AND held",
        [(at + LEASE_LIMIT, key, ticket.number) for key in keys],
    )


def drop(connection: sqlite3.Connection, ticket: Ticket, keys: Sequence[str]) -> None:
    """Give back what the ticket holds, and its place in line."""
    connection.executemany(
        "DELETE FROM leases WHERE key = ? AND ticket = ?", [(key, ticket.number) for key in keys]
    )


def count(store: RuntimeStore, keys: Sequence[str], now: float) -> dict[str, int]:
    """How many leases are held of each key; what dead processes hold is still counted."""
    if not keys:
        return {}
    marks = ",".join("?" * len(keys))
    return dict(
        store.query(
            f"SELECT key, count(*) FROM leases WHERE key IN ({marks}) AND held "  # noqa: S608
            "AND expires_at > ? GROUP BY key",
            [*keys, now],
        )
    )


def _full(connection: sqlite3.Connection, ticket: Ticket, key: str, limit: float) -> bool:
    """Whether the ticket must wait: for leases, or for those before it who could go now."""
    rows = connection.execute(
        "SELECT held, priority, rank, ticket FROM leases WHERE key = ? AND ticket != ?",
        (key, ticket.number),
    ).fetchall()
    held = sum(row[0] for row in rows)
    before = sum(
        1
        for is_held, priority, rank, number in rows
        if not is_held
        and (rank, number) < (ticket.rank, ticket.number)
        and held < floor(cap(limit, Priority(priority)))
    )
    return bool(held + before + 1 > floor(cap(limit, ticket.priority)))


def _bury(connection: sqlite3.Connection, me: Owner, key: str) -> bool:
    """Remove what dead processes left behind; whether there was anything."""
    owners = [
        Owner(*row)
        for row in connection.execute(
            "SELECT DISTINCT place, pid, born FROM leases WHERE key = ?", (key,)
        )
    ]
    dead = [owner for owner in owners if owner != me and owner.place == me.place and _gone(owner)]
    connection.executemany(
        "DELETE FROM leases WHERE key = ? AND place = ? AND pid = ? AND born = ?",
        [(key, owner.place, owner.pid, owner.born) for owner in dead],
    )
    return bool(dead)


def _gone(owner: Owner) -> bool:
    """Whether a process of our own place has ended, or another one has its number now."""
    born = _born(owner.pid)
    if born is not None:
        return born != owner.born
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    # It is there, and either a zombie or on a system that does not tell more.
    return bool(owner.born)


def _born(pid: int) -> str | None:
    """When a process was started, in the kernel's own unit; None: not running, or not told."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, UnicodeDecodeError):
        return None
    return None if fields[0] in "ZX" else fields[19]

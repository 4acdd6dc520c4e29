"""The hub's file in its place: that it is the one which was opened, and that what SQLite finds
beside it belongs to it.

SQLite writes on into a file that was moved or deleted under it, and works the log that it finds
beside a database into that one, whatever database the log was written for. So a backup says that
it is one, until it is opened as the hub.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from lumio_cli.core.errors import HubError
from lumio_cli.core.units import format_size


class Identity(NamedTuple):
    """What tells a file from another one that has its name."""

    device: int
    inode: int


def identity(path: Path) -> Identity | None:
    """Which file is at `path`; None: there is none, or it cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Identity(found.st_dev, found.st_ino)


def require_in_place(path: Path, opened: Identity | None) -> None:
    """Raises `HubError` hub_moved where the file at `path` is not the one that was opened."""
    if opened is None or (found := identity(path)) == opened:
        return
    what = "was moved away or deleted" if found is None else "was replaced by another file"
    raise HubError(
        f"the hub {path} {what} while lumio was at work with it",
        code="hub_moved",
        hint="put the file that you want to keep in its place and run it again; what was written "
        "last is in the file that was there before",
    )


def log_of(path: Path) -> Path:
    """The write-ahead log beside the hub."""
    return path.with_name(f"{path.name}-wal")


def shared_of(path: Path) -> Path:
    """The log's index, which all processes share that have the hub open."""
    return path.with_name(f"{path.name}-shm")


def log_size(path: Path) -> int:
    """Bytes of the write-ahead log; 0: there is none."""
    try:
        return log_of(path).stat().st_size
    except OSError:
        return 0


def require_own_log(path: Path) -> None:
    """Raises `HubError` hub_log_left where the log beside the hub is not of this hub.

    SQLite would drop the log of a file that is gone, and mix the pages of a log with those of any
    file that took the place of its own.
    """
    if not (size := log_size(path)):
        return
    log, at = log_of(path), identity(path)
    if at is None or not path.stat().st_size:
        raise HubError(
            f"the hub {path} is gone, but its log {log.name} ({format_size(size)}) is still there",
            code="hub_log_left",
            hint=f"put the file back beside its log; or, to begin anew, move {log.name} away",
        )
    if _is_backup(path):
        raise HubError(
            f"the hub {path} is a backup, and the log beside it, {log.name} "
            f"({format_size(size)}), is of the hub that was there before: SQLite would mix the two",
            code="hub_log_left",
            hint=f"move {log.name} and {shared_of(path).name} away; `lumio hub restore FILE` does "
            "all of it",
        )


def mark(db: sqlite3.Connection, *, backup: bool) -> None:
    """Note whether this is a backup or the hub, where that is news."""
    if _marked(db) not in (None, backup):
        db.execute("UPDATE lumio_counter SET is_backup = ?", [backup])


def _is_backup(path: Path) -> bool:
    """What the file itself says, without its log; False where it cannot be read."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)) as db:
            return bool(_marked(db))
    except sqlite3.Error:
        return False


def _marked(db: sqlite3.Connection) -> bool | None:
    """None: the hub is of an older lumio, which had no marks."""
    try:
        row = db.execute("SELECT is_backup FROM lumio_counter").fetchone()
    except sqlite3.OperationalError:
        return None
    return None if row is None else bool(row[0])

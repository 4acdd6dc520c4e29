"""Reading the runtime database where nothing may be written: a home on a medium that can only be
read, or that belongs to somebody else."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from lumio_cli.core.errors import HubError

T = TypeVar("T")

_REFUSED = (errno.EROFS, errno.EACCES, errno.EPERM)


def may_not_write(error: Exception) -> bool:
    """Whether the file or its directory can only be read."""
    if isinstance(error, HubError):
        return error.code == "hub_read_only"
    return isinstance(error, OSError) and error.errno in _REFUSED


def read(path: Path, work: Callable[[sqlite3.Connection], T]) -> T:
    """What `work` finds in a database, without writing anything at all. SQLite needs the index of
    the writers' log; where it cannot make that, the file is read as it stands.

    Raises `sqlite3.Error`.
    """
    where = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(where, uri=True)) as db:
            return work(db)
    except sqlite3.OperationalError:
        with closing(sqlite3.connect(f"{where}&immutable=1", uri=True)) as db:
            return work(db)


def glance(path: Path, sql: str, values: Sequence[Any], schema: str, version: int) -> list[Any]:
    """The rows of a SELECT from the file as it stands; as from a new one with `schema` where there
    is none of that `version`, or it cannot be read."""

    def look(db: sqlite3.Connection) -> list[Any] | None:
        known = db.execute("PRAGMA user_version").fetchone()[0] == version
        return db.execute(sql, values).fetchall() if known else None

    try:
        found = read(path, look)
    except sqlite3.Error:
        found = None
    if found is not None:
        return found
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(schema)
        return db.execute(sql, values).fetchall()

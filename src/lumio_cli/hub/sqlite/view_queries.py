"""Records as the views show them: read with an operator's own condition, and edited one by one.

The views' triggers do what an edit takes (see `hub.sqlite.triggers`); their refusals
become `UsageError`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from lumio_cli.core.errors import UsageError
from lumio_cli.hub.edits import State
from lumio_cli.hub.sqlite.columns import quote

AT_ONCE = 1000
"""Records that are asked for in one statement."""
_OPERATORS = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_TOOBIG}
_OPERATORS |= {sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE}
"""SQLite's codes for what is wrong with a statement; all others are about the file."""
_IN_JSON = ("json_each", "json_tree")


def select(
    db: sqlite3.Connection,
    view: str,
    columns: Sequence[str],
    *,
    where: str = "",
    order: str = "",
    descending: bool = False,
    limit: int = -1,
) -> Iterator[tuple[Any, ...]]:
    """Rows of a view, read as they are taken. `columns` and `order` are names that it has.

    `where` is anybody's SQL: until the last row is taken or the iterator is closed, the connection
    does nothing but read views. Raises `UsageError` for a condition that SQLite does not take.
    """
    statement = f"SELECT {', '.join(map(quote, columns))} FROM {quote(view)}"
    if where:
        # The line end closes a comment, should the condition end in one.
        statement += f" WHERE ({where}\n)"
    if order:
        statement += f" ORDER BY {quote(order)}{' DESC' if descending else ''}"
    if limit >= 0:
        statement += f" LIMIT {limit}"
    if not where:
        yield from map(tuple, db.execute(statement))
        return
    with _only_views(db), _condition():
        yield from map(tuple, db.execute(statement))


@contextmanager
def _only_views(db: sqlite3.Connection) -> Iterator[None]:
    """Inside the block the connection reads views, and the tables behind them by way of these."""
    views = {
        str(row[0]).lower()
        for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'view'")
    }

    # SQLite declares them on first use, as if it wrote to the schema.
    for table in _IN_JSON:
        db.execute(f"SELECT 1 FROM {table}('[]')").fetchall()

    def verdict(
        action: int, one: str | None, two: str | None, _base: str | None, inside: str | None
    ) -> int:
        table, view = (one or "").lower(), (inside or "").lower()
        if action == sqlite3.SQLITE_SELECT:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION and two != "load_extension":
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_READ and (
            table in views
            or table in _IN_JSON
            or (view in views and table in (f"lumio_raw_{view}", "lumio_outbox"))
        ):
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY

    db.set_authorizer(verdict)
    try:
        yield
    finally:
        db.set_authorizer(None)


@contextmanager
def _condition() -> Iterator[None]:
    """What SQLite says about the condition, as a `UsageError`."""
    try:
        yield
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        if code & 0xFF not in _OPERATORS:
            raise
        raise UsageError(
            f"--where: {error}", hint="a condition on the view's columns, in SQLite's SQL"
        ) from None


def shown(
    db: sqlite3.Connection, view: str, columns: Iterable[str], ids: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """What the view shows of these records, by id; those that it does not have are left out."""
    names = list(columns)
    listed = ", ".join(quote(name) for name in ("id", *names))
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(ids), AT_ONCE):
        part = ids[start : start + AT_ONCE]
        for row in db.execute(
            f"SELECT {listed} FROM {quote(view)} WHERE id IN ({','.join('?' * len(part))})", part
        ):
            found[row[0]] = dict(zip(names, tuple(row)[1:], strict=True))
    return found


def stances(
    db: sqlite3.Connection, provider: str, resource: str, ids: Sequence[str]
) -> dict[str, str]:
    """How the edits of these records stand: what is to be done, or why it is not simply waiting."""
    found: dict[str, str] = {}
    for start in range(0, len(ids), AT_ONCE):
        part = ids[start : start + AT_ONCE]
        found.update(
            (str(row[0]), str(row[1]))
            for row in db.execute(
                f"SELECT record, CASE status WHEN '{State.PENDING}' THEN action ELSE status END"
                " FROM lumio_outbox WHERE provider = ? AND resource = ?"
                f" AND record IN ({','.join('?' * len(part))})",
                [provider, resource, *part],
            )
        )
    return found


def count_deletions(db: sqlite3.Connection, provider: str, resource: str) -> int:
    """How many records are deleted in the hub and not yet at the provider."""
    row = db.execute(
        "SELECT count(*) FROM lumio_outbox WHERE provider = ? AND resource = ?"
        " AND action = 'delete'",
        [provider, resource],
    ).fetchone()
    return int(row[0])


def update(db: sqlite3.Connection, view: str, record: str, values: Mapping[str, Any]) -> None:
    """Edit a record. Raises `UsageError` where the view refuses it."""
    listed = ", ".join(f"{quote(name)} = ?" for name in values)
    with _refused(view):
        db.execute(f"UPDATE {quote(view)} SET {listed} WHERE id = ?", [*values.values(), record])


def insert(db: sqlite3.Connection, view: str, values: Mapping[str, Any]) -> None:
    """Make a record. Raises `UsageError` where the view refuses it."""
    listed = ", ".join(map(quote, values))
    with _refused(view):
        db.execute(
            f"INSERT INTO {quote(view)} ({listed}) VALUES ({','.join('?' * len(values))})",
            list(values.values()),
        )


def delete(db: sqlite3.Connection, view: str, record: str) -> None:
    """Delete a record. Raises `UsageError` where the view refuses it."""
    with _refused(view):
        db.execute(f"DELETE FROM {quote(view)} WHERE id = ?", [record])


@contextmanager
def _refused(view: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.DataError) as error:
        raise UsageError(str(error)) from None
    except sqlite3.OperationalError as error:
        if "because it is a view" not in str(error):
            raise
        # An older lumio made it: the next sync makes it anew.
        raise UsageError(
            f"{view} was made by an older lumio, and cannot be edited yet", hint="lumio sync"
        ) from None

"""The views that operators read and edit: one a resource, computed from the stored payloads."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import suppress

from lumio_cli.core.errors import HubError
from lumio_cli.hub.sqlite import misfits
from lumio_cli.hub.sqlite.columns import (
    READ_ONLY,
    Abilities,
    ViewColumn,
    quote,
    stored_columns,
    unique_columns,
    view_name,
)
from lumio_cli.hub.sqlite.records import has_table, raw_table
from lumio_cli.hub.sqlite.triggers import statements

NO_COLUMNS = "the list of its view's columns cannot be read"
CURE = "the next `lumio sync` puts it right, or `lumio hub check --repair` now"
_OURS = "lumio!_%"
"""What the names of our triggers look like."""


def rebuild_view(
    db: sqlite3.Connection,
    provider: str,
    resource: str,
    columns: Sequence[ViewColumn],
    abilities: Abilities = READ_ONLY,
) -> bool:
    """Make the view show `columns` and take the edits that `abilities` allow; True if it changed.
    Touches no data; what does not fit is counted anew where other columns are typed than before.

    To be called inside a transaction.
    """
    wanted = unique_columns(columns)
    spec = json.dumps([list(column) for column in wanted])
    row = db.execute(
        "SELECT columns, abilities FROM lumio_resources WHERE provider = ? AND resource = ?",
        [provider, resource],
    ).fetchone()
    made = list(statements(provider, resource, wanted, abilities))
    stands = _stands(db, provider, resource, made)
    if stands and row is not None and tuple(row) == (spec, str(abilities)):
        return False
    if not stands:
        _make(db, view_name(provider, resource), made)
    db.execute(
        "UPDATE lumio_resources SET columns = ?, abilities = ? WHERE provider = ? AND resource = ?",
        [spec, str(abilities), provider, resource],
    )
    # Another lumio may have read the same columns in another way.
    if row is not None and (not stands or misfits.sums(row[0]) != misfits.sums(spec)):
        _doubt_counts(db, provider, resource)
    return True


def _doubt_counts(db: sqlite3.Connection, provider: str, resource: str) -> None:
    """Other columns have other misfits; where there are no records, there are none."""
    if (
        has_table(db, provider, resource)
        and db.execute(f"SELECT 1 FROM {raw_table(provider, resource)} LIMIT 1").fetchone()
    ):
        misfits.doubt(db, provider, resource)


def is_whole(db: sqlite3.Connection, provider: str, resource: str) -> bool:
    """Whether the view and its triggers are as this lumio makes them, as far as its columns can be
    read."""
    try:
        made = _stored(db, provider, resource)
    except HubError:
        return True
    return not made or _stands(db, provider, resource, made)


def make_all(db: sqlite3.Connection) -> None:
    """Make all views as this lumio makes them. Belongs into a transaction."""
    for row in db.execute("SELECT provider, resource FROM lumio_resources").fetchall():
        made: list[str] = []
        provider, resource = str(row[0]), str(row[1])
        with suppress(HubError):  # A sync makes columns anew that cannot be read.
            made = _stored(db, provider, resource)
        if made:
            _make(db, view_name(provider, resource), made)


def _stored(db: sqlite3.Connection, provider: str, resource: str) -> list[str]:
    """The statements for the columns and abilities that the hub knows; none without columns."""
    columns = read_columns(db, provider, resource)
    abilities = read_abilities(db, provider, resource)
    return list(statements(provider, resource, columns, abilities)) if columns else []


def _make(db: sqlite3.Connection, name: str, made: Sequence[str]) -> None:
    """Make a view anew. Triggers that somebody else has put on it stay."""
    others = [
        str(row[0])
        for row in db.execute(
            "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?"
            f" AND name NOT LIKE '{_OURS}' ESCAPE '!'",
            [name],
        ).fetchall()
    ]
    db.execute(f"DROP VIEW IF EXISTS {quote(name)}")
    for statement in (*made, *others):
        db.execute(statement)


def _stands(db: sqlite3.Connection, provider: str, resource: str, made: Sequence[str]) -> bool:
    found = db.execute(
        "SELECT sql FROM sqlite_schema WHERE tbl_name = ?"
        f" AND (type = 'view' OR (type = 'trigger' AND name LIKE '{_OURS}' ESCAPE '!'))",
        [view_name(provider, resource)],
    )
    return sorted(str(row[0]) for row in found) == sorted(made)


def read_columns(db: sqlite3.Connection, provider: str, resource: str) -> list[ViewColumn]:
    """The columns that the view has now. Raises `HubError` hub_astray where they cannot be read."""
    row = db.execute(
        "SELECT columns FROM lumio_resources WHERE provider = ? AND resource = ?",
        [provider, resource],
    ).fetchone()
    try:
        return stored_columns(None if row is None else row[0])
    except ValueError:
        raise HubError(
            f"{provider}/{resource}: {NO_COLUMNS}", code="hub_astray", hint=CURE
        ) from None


def has_columns(db: sqlite3.Connection, provider: str, resource: str) -> bool:
    """Whether the columns that the view has can be read; so it is where it has none yet."""
    try:
        read_columns(db, provider, resource)
    except HubError:
        return False
    return True


def read_abilities(db: sqlite3.Connection, provider: str, resource: str) -> Abilities:
    """What the view lets one do."""
    row = db.execute(
        "SELECT abilities FROM lumio_resources WHERE provider = ? AND resource = ?",
        [provider, resource],
    ).fetchone()
    return Abilities.parse(row[0]) if row else Abilities()

"""The views that operators read and edit: one a resource, computed from the stored payloads."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from lumio_cli.hub.columns import READ_ONLY, Abilities, ViewColumn, quote, unique_columns, view_name
from lumio_cli.hub.triggers import statements


def rebuild_view(
    db: sqlite3.Connection,
    provider: str,
    resource: str,
    columns: Sequence[ViewColumn],
    abilities: Abilities = READ_ONLY,
) -> bool:
    """Make the view show `columns` and take the edits that `abilities` allow; True if it changed.
    Touches no data.

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
        db.execute(f"DROP VIEW IF EXISTS {quote(view_name(provider, resource))}")
        for statement in made:
            db.execute(statement)
    db.execute(
        "UPDATE lumio_resources SET columns = ?, abilities = ? WHERE provider = ? AND resource = ?",
        [spec, str(abilities), provider, resource],
    )
    return True


def is_whole(db: sqlite3.Connection, provider: str, resource: str) -> bool:
    """Whether the view and its triggers are as this lumio makes them."""
    columns = read_columns(db, provider, resource)
    abilities = read_abilities(db, provider, resource)
    made = list(statements(provider, resource, columns, abilities)) if columns else []
    return not made or _stands(db, provider, resource, made)


def _stands(db: sqlite3.Connection, provider: str, resource: str, made: Sequence[str]) -> bool:
    name = view_name(provider, resource)
    found = db.execute(
        "SELECT sql FROM sqlite_schema WHERE tbl_name = ? AND type IN ('view', 'trigger')", [name]
    )
    return sorted(str(row[0]) for row in found) == sorted(made)


def read_columns(db: sqlite3.Connection, provider: str, resource: str) -> list[ViewColumn]:
    """The columns that the view has now."""
    row = db.execute(
        "SELECT columns FROM lumio_resources WHERE provider = ? AND resource = ?",
        [provider, resource],
    ).fetchone()
    if row is None or row[0] is None:
        return []
    return [ViewColumn(*column) for column in json.loads(row[0])]


def read_abilities(db: sqlite3.Connection, provider: str, resource: str) -> Abilities:
    """What the view lets one do."""
    row = db.execute(
        "SELECT abilities FROM lumio_resources WHERE provider = ? AND resource = ?",
        [provider, resource],
    ).fetchone()
    return Abilities.parse(row[0]) if row else Abilities()

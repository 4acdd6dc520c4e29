"""The views that operators read: one a resource, its columns computed from the stored payload."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from lumio_cli.hub.records import raw_table

RESERVED = ("id", "_updated_at", "_synced_at", "_payload")
MAX_COLUMNS = 1900
"""SQLite refuses more than 2,000 columns; the rest of a record stays readable in `_payload`."""


class ViewColumn(NamedTuple):
    """A column: `path` is dotted, into the payload; `kind` as in `providers.base.Column`."""

    name: str
    path: str
    kind: str


def view_name(provider: str, resource: str) -> str:
    """The name that operators use: PROVIDER_RESOURCE."""
    return f"{provider}_{resource}"


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _json_path(path: str) -> str:
    parts = [json.dumps(part, ensure_ascii=False) for part in path.split(".")]
    return "'$." + ".".join(parts).replace("'", "''") + "'"


def _expression(column: ViewColumn) -> str:
    value = f"json_extract(payload, {_json_path(column.path)})"
    if column.kind == "integer":
        # By way of a number, since '1e3' as an integer would be 1.
        return f"CAST(CAST(NULLIF({value}, '') AS NUMERIC) AS INTEGER)"
    if column.kind == "number":
        return f"CAST(NULLIF({value}, '') AS NUMERIC)"
    if column.kind == "boolean":
        # Providers write booleans as JSON true, as 'true' and as 1.
        return (
            f"CASE lower({value}) WHEN 'true' THEN 1 WHEN '1' THEN 1"
            " WHEN 'false' THEN 0 WHEN '0' THEN 0 END"
        )
    if column.kind == "datetime":
        return f"NULLIF({value}, '')"
    if column.kind in ("epoch", "epoch_ms"):
        # Not 0, which stands for no time at all.
        seconds = f"NULLIF(CAST({value} AS REAL), 0)"
        seconds = f"{seconds} / 1000.0" if column.kind == "epoch_ms" else seconds
        return f"strftime('%Y-%m-%dT%H:%M:%fZ', {seconds}, 'unixepoch')"
    return value


def unique_columns(columns: Sequence[ViewColumn]) -> list[ViewColumn]:
    """The columns with names that SQLite can tell apart.

    SQLite does not tell upper from lower case in names, and four names are the hub's own: a
    second bearer of a name gets `_2`, `_3` and so on.
    """
    taken = {name.lower() for name in RESERVED}
    result: list[ViewColumn] = []
    for column in columns[:MAX_COLUMNS]:
        base = re.sub(r"[\x00-\x1f\x7f]", "_", column.name) or "column"
        name, number = base, 1
        while name.lower() in taken:
            number += 1
            name = f"{base}_{number}"
        taken.add(name.lower())
        result.append(column._replace(name=name))
    return result


def rebuild_view(
    db: sqlite3.Connection, provider: str, resource: str, columns: Sequence[ViewColumn]
) -> bool:
    """Make the view show `columns`; True if it changed. Touches no data.

    To be called inside a transaction.
    """
    wanted = unique_columns(columns)
    spec = json.dumps([list(column) for column in wanted])
    row = db.execute(
        "SELECT columns FROM lumio_resources WHERE provider = ? AND resource = ?",
        [provider, resource],
    ).fetchone()
    if row is not None and row[0] == spec:
        return False
    name = _quote(view_name(provider, resource))
    listed = "".join(f", {_expression(c)} AS {_quote(c.name)}" for c in wanted)
    db.execute(f"DROP VIEW IF EXISTS {name}")
    db.execute(
        f"CREATE VIEW {name} AS SELECT id{listed}, updated_at AS _updated_at,"
        f" synced_at AS _synced_at, payload AS _payload"
        f" FROM {raw_table(provider, resource)} WHERE deleted_at IS NULL"
    )
    db.execute(
        "UPDATE lumio_resources SET columns = ? WHERE provider = ? AND resource = ?",
        [spec, provider, resource],
    )
    return True


def read_columns(db: sqlite3.Connection, provider: str, resource: str) -> list[ViewColumn]:
    """The columns that the view has now."""
    row = db.execute(
        "SELECT columns FROM lumio_resources WHERE provider = ? AND resource = ?",
        [provider, resource],
    ).fetchone()
    if row is None or row[0] is None:
        return []
    return [ViewColumn(*column) for column in json.loads(row[0])]

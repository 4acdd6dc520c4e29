"""Columns of views: how they are called, and how SQL reads them out of a stored payload."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

RESERVED = ("id", "_updated_at", "_synced_at", "_payload")
MAX_COLUMNS = 1900
"""SQLite refuses more than 2,000 columns; the rest of a record stays readable in `_payload`."""


class ViewColumn(NamedTuple):
    """A column: `path` is dotted, into the payload; `kind` and `same` as in
    `providers.base.Column`. `field` is the name by which the provider's module knows it, where
    that differs from the column's.
    """

    name: str
    path: str
    kind: str
    read_only: bool = True
    same: str = "exact"
    field: str = ""

    @property
    def known_as(self) -> str:
        """The name by which the provider's module knows it."""
        return self.field or self.name


class Abilities(NamedTuple):
    """What may be done to the records of a resource."""

    create: bool = False
    update: bool = False
    delete: bool = False

    @classmethod
    def parse(cls, text: str) -> Abilities:
        """From words, as they are stored."""
        return cls(*(name in text.split() for name in cls._fields))

    def __str__(self) -> str:
        return " ".join(name for name in self._fields if getattr(self, name))


READ_ONLY = Abilities()


def view_name(provider: str, resource: str) -> str:
    """The name that operators use: PROVIDER_RESOURCE."""
    return f"{provider}_{resource}"


def quote(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def _json_path(path: str) -> str:
    parts = [json.dumps(part, ensure_ascii=False) for part in path.split(".")]
    return "'$." + ".".join(parts).replace("'", "''") + "'"


def boolean(value: str) -> str:
    """The beginning of a CASE that is 1 or 0 where the value is a boolean.

    Providers write booleans as JSON true, as 'true' and as 1, programs that know no NULL in them
    as 1.0.
    """
    words = {"true": 1, "false": 0, "1": 1, "0": 0, "1.0": 1, "0.0": 0}
    return f"CASE lower({value}) " + " ".join(f"WHEN '{w}' THEN {n}" for w, n in words.items())


def expression(column: ViewColumn, payload: str = "payload") -> str:
    """SQL that reads the column's value out of the expression `payload`."""
    value = f"json_extract({payload}, {_json_path(column.path)})"
    if column.kind == "integer":
        # By way of a number, since '1e3' as an integer would be 1.
        return f"CAST(CAST(NULLIF({value}, '') AS NUMERIC) AS INTEGER)"
    if column.kind == "number":
        return f"CAST(NULLIF({value}, '') AS NUMERIC)"
    if column.kind == "boolean":
        return f"{boolean(value)} END"
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
        # Neither can be part of a JSON path, by which an edit would be kept.
        hard = '"' in name or "\\" in name
        field = "" if name == column.name else column.name
        result.append(column._replace(name=name, field=field, read_only=column.read_only or hard))
    return result


def values_of(
    db: sqlite3.Connection, columns: Sequence[ViewColumn], payload: str
) -> dict[str, Any]:
    """What the view shows of a payload in these columns, by name."""
    if not columns:
        return {}
    listed = ", ".join(expression(c, "?1") for c in columns)
    found = db.execute(f"SELECT {listed}", [payload]).fetchone()
    return dict(zip((c.name for c in columns), found, strict=True))

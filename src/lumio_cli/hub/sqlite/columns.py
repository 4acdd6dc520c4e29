"""Columns of views: how they are called, and how SQL reads them out of a stored payload."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

from lumio_cli.hub.sqlite.state import decoded

RESERVED = ("id", "_updated_at", "_synced_at", "_payload")
MAX_COLUMNS = 1900
"""SQLite refuses more than 2,000 columns; the rest of a record stays readable in `_payload`."""


class ViewColumn(NamedTuple):
    """A column: `path` is dotted, into the payload; `kind` and `same` as in
    `providers.contract.resource.Column`. `field` is the name by which the provider's module knows
    it, where that differs from the column's. `choice` is JSON: what it takes, as in `sync.choices`;
    empty where it takes anything.
    """

    name: str
    path: str
    kind: str
    read_only: bool = True
    same: str = "exact"
    field: str = ""
    choice: str = ""

    @property
    def known_as(self) -> str:
        """The name by which the provider's module knows it."""
        return self.field or self.name


def stored_columns(spec: str | None) -> list[ViewColumn]:
    """The columns that a hub has stored for a view; none where it never had any.

    Raises `ValueError` for text that is no such list: somebody else has written it.
    """
    listed = decoded(spec or "[]")
    if not isinstance(listed, list) or not all(map(_is_column, listed)):
        raise ValueError("it is no list of columns")
    return [ViewColumn(*column) for column in listed]


def _is_column(item: Any) -> bool:
    kinds = tuple(ViewColumn.__annotations__)
    return (
        isinstance(item, list)
        and 3 <= len(item) <= len(kinds)
        and all(
            isinstance(value, bool if name == "read_only" else str)
            for name, value in zip(kinds, item, strict=False)
        )
    )


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
    """SQL that reads the column's value out of the expression `payload`: NULL where there is none,
    and where it is no value of the column's kind.

    An UPDATE through a view reads all of its columns, and each look into the payload takes as long
    as several other functions.
    """
    path = _json_path(column.path)
    value = f"json_extract({payload}, {path})"
    # JSON's booleans come out as 1 and 0.
    plain = f"(x NOT IN (0, 1) OR json_type({payload}, {path}) NOT IN ('true', 'false'))"
    match column.kind:
        case "integer":
            return f"CAST({_of(value, _INTEGER.format(plain))} AS INTEGER)"
        case "number":
            return f"CAST({_of(value, _NUMBER.format(plain))} AS NUMERIC)"
        case "epoch" | "epoch_ms":
            number = _of(value, _NUMBER.format(f"{plain} AND {_SECONDS}"))
            return _epoch(number, column.kind == "epoch_ms")
        case "boolean":
            return f"{boolean(value)} END"
        case "datetime":
            return moment(value)
        case "date":
            return _of(value, _DATE)
        case _:
            return value


def moment(value: str) -> str:
    """SQL that reads an expression as a moment, RFC 3339 in UTC; NULL where it is none."""
    return _of(value, _DATETIME)


def misfit(column: ViewColumn, payload: str = "payload") -> str:
    """SQL that is true where there is something that `expression` cannot show. An empty text is
    nothing, and so is the time 0."""
    value = f"json_extract({payload}, {_json_path(column.path)})"
    zero = f" AND {value} NOT IN (0, '0')" if column.kind in ("epoch", "epoch_ms") else ""
    # Most fields of most records are empty, and SQLite computes both sides of an AND.
    return f"CASE WHEN {value} <> ''{zero} THEN {expression(column, payload)} IS NULL ELSE 0 END"


def _of(value: str, case: str) -> str:
    """A CASE of a value, by the name x. The LIMIT keeps SQLite from reading it for each x."""
    return f"(SELECT {case} FROM (SELECT {value} AS x LIMIT 1))"


def _epoch(number: str, milliseconds: bool) -> str:
    """The moment of a number of seconds since 1970, between the years 1 and 9999.

    Not of 0, which stands for no time at all.
    """
    least, unit = ("-62135596800001", " / 1000.0") if milliseconds else ("-62135596801", "")
    known = f"NULLIF(NULLIF(max({number}, {least}), {least}), 0)"
    return f"strftime({_FORM}, {known}{unit}, 'unixepoch')"


_FORM = "'%Y-%m-%dT%H:%M:%fZ'"
# A comparison makes a number of a text only where all of it is one: a cast alone would read the 1
# of '1,250.00'.
_NUMBER = (
    "CASE WHEN CAST(x AS NUMERIC) = x AND CAST(x AS NUMERIC) BETWEEN -1.7976931348623157e308"
    " AND 1.7976931348623157e308 AND {} THEN CAST(x AS NUMERIC) END"
)
"""A number, or a text that is one as a whole. As all that are named x, it is read by `_of`."""
_SECONDS = (
    "(typeof(x) <> 'text' OR (ltrim(x, '-') GLOB '[0-9]*' AND x GLOB '*[0-9]'"
    " AND x NOT GLOB '*[^0-9.-]*'))"
)
"""A number of seconds, in digits where it is a text: nobody writes a time as 1e5, +5 or `1.`."""
_WHOLE = "CAST(CAST(x AS TEXT) AS NUMERIC)"
_INTEGER = f"CASE WHEN typeof({_WHOLE}) = 'integer' AND {_WHOLE} = x AND {{}} THEN {_WHOLE} END"
"""A whole number, as such or as 12.0 or 1e3, that SQLite can hold with all its digits."""
_DAY = "(substr(x, 9, 2) < '29' OR date(substr(x, 1, 10), '+0 days') = substr(x, 1, 10))"
"""Whether there is such a day: SQLite makes March of February's 30th."""
_HOUR = "substr(x, 12, 2) < '24'"
"""Whether a day has such an hour, if one is named: SQLite takes 24:59."""
_ZONED = (
    "CASE WHEN substr(x, -5, 1) IN ('+', '-')"
    " THEN substr(x, 1, length(x) - 2) || ':' || substr(x, -2)"
    " WHEN substr(x, -3, 1) IN ('+', '-') AND length(x) > 13 THEN x || ':00' ELSE x END"
)
"""A moment with its offset as SQLite reads it."""
_OTHER = (
    # In UTC, but on one of a month's last days, or with another number of digits.
    "WHEN substr(x, 11, 1) = 'T' AND substr(x, 20, 1) IN ('.', 'Z') AND substr(x, -1) = 'Z'"
    f" AND julianday(x) AND {_DAY} AND {_HOUR} AND x >= '0001' THEN x"
    # SQLite would take 'now', and numbers for days since 4713 BC.
    f" WHEN substr(x, 5, 1) = '-' THEN CASE WHEN {_DAY} AND {_HOUR} THEN"
    # No year 0, into which an offset may lead.
    f" NULLIF(max(strftime({_FORM}, upper({_ZONED})), '0001'), '0001') END"
    " WHEN length(x) BETWEEN 11 AND 15 AND x NOT GLOB '*[^0-9]*'"
    f" THEN strftime({_FORM}, x / 1000.0, 'unixepoch') END"
)
_DATETIME = (
    # What nearly all are, first.
    "CASE WHEN (x GLOB '????-??-[0-2][0-8]T??:??:??.???Z' OR x GLOB"
    f" '????-??-[0-2][0-8]T??:??:??Z') AND julianday(x) AND {_HOUR} AND x >= '0001' THEN x {_OTHER}"
)
"""A moment as RFC 3339 in UTC, of that or of its relatives: `+0000`, a blank for the T, no zone
(which is UTC), a day (its midnight), or milliseconds since 1970."""
_DATE = (
    "CASE WHEN date(x, '+0 days') = x AND x >= '0001' THEN x WHEN x IS NOT NULL THEN"
    f" (SELECT CASE strftime('%H%M%f', m) WHEN '000000.000' THEN date(m) END FROM"
    f" (SELECT CASE {_OTHER} AS m LIMIT 1)) END"
)
"""A day, also if it is written as its midnight in UTC."""


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

"""Writes the columns of a resource's view in one line each: the same words for every provider."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import cast, get_args

from lumio_cli.providers.contract.resource import Choice, Column, ColumnKind, Equality

_ITEM = re.compile(
    r"(?P<name>\w+)(?P<written>!?)(?::(?P<kind>\w+))?(?:~(?P<same>\w+))?(?:=(?P<path>[\w.]+))?"
)


def columns(
    listed: str,
    path: Callable[[str], str] = str,
    choices: Mapping[str, Choice] = MappingProxyType({}),
) -> tuple[Column, ...]:
    """Return the columns that `listed` names, in its order, one a word.

    A word is `name`, then as needed `!` (the column can be written; without it, it is read-only),
    `:kind` (text), `~same` (exact) and `=path` into the record; without a path, it is what the
    rule `path` makes of the name: `title! tags!:json~set amount:number=total.amount`. `choices` are
    what columns take, by their names.

    Raises `ValueError` for a word that is none of these.
    """
    found = []
    for word in listed.split():
        item = _ITEM.fullmatch(word)
        if item is None:
            raise ValueError(f"{word!r} is no column: name!:kind~same=path")
        kind, same = item["kind"] or "text", item["same"] or "exact"
        for value, known in ((kind, get_args(ColumnKind)), (same, get_args(Equality))):
            if value not in known:
                raise ValueError(f"{word!r}: {value!r} is none of {', '.join(known)}")
        found.append(
            Column(
                item["name"],
                item["path"] or path(item["name"]),
                cast("ColumnKind", kind),
                read_only=not item["written"],
                same=cast("Equality", same),
                choice=choices.get(item["name"]),
            )
        )
    return tuple(found)


Kinds = Mapping[str, ColumnKind]
"""A provider's own types of fields, with the kind of column that each becomes."""


def camel(name: str) -> str:
    """Return `created_at` as `createdAt`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def pascal(name: str) -> str:
    """Return `created_date` as `CreatedDate`."""
    return "".join(word.capitalize() for word in name.split("_"))

"""Fields that take nothing but their options, and values that are none of them.

What the hub knows of options is as old as the last description of the fields, and says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from lumio_cli.hub.sqlite.columns import ViewColumn
from lumio_cli.providers.contract.resource import Choice
from lumio_cli.providers.contract.values import as_text

SHOWN = 8
"""Options that a message names."""
LONGEST = 40
"""Characters of a value or an option that a message repeats."""


def stored(choice: Choice | None) -> str:
    """Return what the hub keeps of a field's options; empty where there are none to keep."""
    if choice is None or not choice.names:
        return ""
    told = [list(choice.names), list(choice.also), choice.separator, choice.folded]
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def read(text: str) -> Choice | None:
    """Return the options that the hub keeps; None where it has none, or none that can be read."""
    try:
        names, also, separator, folded = json.loads(text) if text else ((), (), "", False)
        known = Choice(tuple(map(str, names)), tuple(map(str, also)), str(separator), bool(folded))
    except (ValueError, TypeError, RecursionError):
        return None
    return known if known.names else None


@lru_cache(maxsize=256)
def _taken(text: str) -> tuple[Choice, frozenset[str]] | None:
    """The options that the hub keeps, and all words that are taken for one; folded where case does
    not count. Kept: an import asks for each of its rows."""
    choice = read(text)
    if choice is None:
        return None
    words = (*choice.names, *choice.also)
    return choice, frozenset(map(str.casefold, words) if choice.folded else words)


def misfits(columns: Mapping[str, ViewColumn], values: Mapping[str, Any]) -> str:
    """Return why one of these values, by column, is no option of its field; empty if each may be
    sent."""
    for name, value in values.items():
        column = columns.get(name)
        known = _taken(column.choice) if column is not None and column.choice else None
        if column is None or known is None:
            continue
        choice, taken = known
        for word in _words(column, choice, value):
            if (word.casefold() if choice.folded else word) not in taken:
                told = f"is no option of it as of the last sync ({_listed(choice)})"
                return f"{name}: {_cut(word)} {told}"
    return ""


def refusable(count: int) -> str:
    """Return a warning about that many edits."""
    edits = "1 edit has a value" if count == 1 else f"{count:,} edits have values"
    return f"{edits} that the provider will refuse: no option of the field as of the last sync"


def _words(column: ViewColumn, choice: Choice, value: Any) -> list[str]:
    """The options that a value names. What cannot be read is left to the provider's module."""
    text = as_text(column.kind, value) or ""
    if column.kind == "json":
        return _members(text)
    parts = text.split(choice.separator) if choice.separator else [text]
    return [word for part in parts if (word := part.strip())]


def _members(text: str) -> list[str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = text.split(",")
    if not isinstance(found, list):
        return []
    # As a listing shows them, options are objects with an id and a label.
    named = [item.get("label") if isinstance(item, dict) else item for item in found]
    return [
        str(item).strip() for item in named if isinstance(item, str | int) and str(item).strip()
    ]


def _listed(choice: Choice) -> str:
    first = ", ".join(map(_cut, choice.names[:SHOWN]))
    more = len(choice.names) - SHOWN
    return f"its options: {first}" + (f" and {more:,} more" if more > 0 else "")


def _cut(text: str) -> str:
    return repr(text if len(text) <= LONGEST else f"{text[:LONGEST]}...")

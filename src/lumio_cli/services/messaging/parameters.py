"""Parameters of templates, by their number or name and never by the order of columns."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from lumio_cli.core.errors import UsageError
from lumio_cli.providers.contract.messages import Named

OWN = ("to", "kind")
"""Columns that are no fields of a message."""
_PLACE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_PART = re.compile(r"([a-z]+)_(\d+)")


def gathered(raw: Mapping[str, Any]) -> dict[str, Any]:
    """`params.1` and `params.2` as the list `params`, by their numbers and not by their places;
    any other word makes a `Named` of it. What is in a list that was given whole is kept, but for
    those of its places that are given one by one.

    Raises `UsageError` for a gap, where nobody can say which parameter is meant.
    """
    found: dict[str, Any] = {}
    numbered: dict[str, dict[int, Any]] = {}
    named: dict[str, dict[str, Any]] = {}
    for name, value in raw.items():
        whole, dot, part = name.partition(".")
        if not dot:
            found[name] = value
        elif part.isdecimal():
            numbered.setdefault(whole, {})[int(part)] = value
        else:
            named.setdefault(whole, {})[part] = value
    for whole in dict.fromkeys((*numbered, *named)):
        before = found.get(whole)
        places = dict(enumerate(before, 1)) if isinstance(before, list) else {}
        places |= numbered.get(whole, {})
        if gap := next((n for n in range(1, len(places) + 1) if n not in places), 0):
            there = " and ".join(str(n) for n in sorted(places))
            raise UsageError(
                f"parameter {gap} of {whole} is missing: given is {there}",
                hint="parameters are counted from 1, and none of them may be left out",
            )
        mine = [Named(name, value) for name, value in named.get(whole, {}).items()]
        found[whole] = [*(places[n] for n in sorted(places)), *mine]
    return found


def spelled(name: str, parameters: Collection[str], fields: Collection[str]) -> str:
    """What a column is called here, if it is a parameter: `1`, `{{1}}` and `{{city}}`, those that
    the template in the hub names, and `body_1` as well as `body.1`.
    """
    if name in fields or name in OWN or name.startswith("_"):
        return name
    if place := _PLACE.fullmatch(name):
        return f"params.{place[1]}"
    part = _PART.fullmatch(name)
    if part and part[1] in fields:
        return f"{part[1]}.{part[2]}"
    return f"params.{name}" if name.isdecimal() or name in parameters else name

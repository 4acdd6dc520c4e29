"""Shopify's search syntax, as far as records here can be searched: terms joined by AND.

A field that the resource cannot be searched by is ignored, as Shopify does, and named in a
warning of `extensions.search`; so is a value that is no time or number where one is wanted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

_TERM = re.compile(r"""\s*(\w+):(>=|<=|>|<)?('[^']*'|"[^"]*"|[^\s'"]+)""")
_WORD = re.compile(r"\s*(AND\b)?\s*")


@dataclass(frozen=True, slots=True)
class Term:
    """One condition: `operator` is empty for equality."""

    name: str
    operator: str
    value: str

    def number(self) -> float:
        """The value as a number, or as seconds since the epoch. Raises ValueError."""
        if self.name == "id" or self.name.endswith("_id"):
            return int(self.value)
        when = datetime.fromisoformat(self.value)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


@dataclass(slots=True)
class Query:
    """A parsed search: the terms that count, and warnings about those that do not."""

    terms: list[Term] = field(default_factory=list)
    warnings: list[dict[str, str]] = field(default_factory=list)

    def span(self, name: str) -> tuple[float, float]:
        """The least and the greatest value that the terms on `name` allow, both included: both
        ids and times are whole numbers."""
        low, high = float("-inf"), float("inf")
        for term in self.terms:
            if term.name != name:
                continue
            value = term.number()
            if term.operator in ("", ">=", ">"):
                low = max(low, value + (term.operator == ">"))
            if term.operator in ("", "<=", "<"):
                high = min(high, value - (term.operator == "<"))
        return low, high

    def wanted(self, name: str) -> str | None:
        """The text that `name` must be equal to."""
        for term in self.terms:
            if term.name == name and not term.operator:
                return term.value
        return None


def parse(text: str | None, known: Sequence[str]) -> Query:
    """Reads a search over the fields in `known`."""
    query = Query()
    rest = (text or "").strip()
    while rest:
        found = _TERM.match(rest)
        if found is None:
            # Free text, OR, NOT and brackets: nothing here is searched by them.
            query.warnings.append({"field": "default", "message": f"not understood: {rest[:60]}"})
            return query
        name, operator, value = found.group(1), found.group(2) or "", found.group(3)
        term = Term(name, operator, value.strip("'\""))
        if name not in known:
            query.warnings.append(
                {"field": name, "message": "Invalid search field for this query."}
            )
        elif (name == "id" or name.endswith(("_id", "_at"))) and not _readable(term):
            query.warnings.append({"field": name, "message": f"Input `{value}` is not valid."})
        else:
            query.terms.append(term)
        rest = rest[found.end() :]
        rest = rest[_WORD.match(rest).end() :]  # type: ignore[union-attr]
    return query


def _readable(term: Term) -> bool:
    try:
        term.number()
    except ValueError:
        return False
    return True


def report(path: str, text: str, query: Query) -> Mapping[str, object]:
    """An entry of `extensions.search`."""
    return {"path": [path], "query": text, "warnings": query.warnings}

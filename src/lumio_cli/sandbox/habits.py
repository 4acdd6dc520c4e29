"""What a provider makes of values that are written to it, on demand.

SPEC is `FIELD:KIND`. Every value that a request writes under that name, wherever in its JSON, is
taken as KIND says, and the request is answered as if it had been sent so: the answer tells what is
kept.

| KIND | what is kept |
| --- | --- |
| trim | the text without blanks around it, and with one between its words |
| lower, upper | the text in small letters, in capitals |
| phone | `+` and the digits; `+55` before those of a number without a country |
| cents | the number with two decimals |
| ignore | what was there: nothing is said of it |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import orjson


def _phone(text: str) -> str:
    digits = re.sub(r"\D", "", text)
    return f"+{digits}" if text.strip().startswith("+") else f"+55{digits.lstrip('0')}"


def _cents(text: str) -> str:
    try:
        return f"{float(text):.2f}"
    except ValueError:
        return text


KINDS: dict[str, Callable[[str], str]] = {
    "trim": lambda text: " ".join(text.split()),
    "lower": str.lower,
    "upper": str.upper,
    "phone": _phone,
    "cents": _cents,
}
IGNORE = "ignore"


class Habits:
    """The habits in force."""

    def __init__(self) -> None:
        self._kinds: dict[str, str] = {}

    def set(self, specs: Sequence[str]) -> None:
        """Replaces every habit. Raises ValueError that says what is wrong with one."""
        kinds = {}
        for spec in specs:
            name, _, kind = spec.rpartition(":")
            if not name or (kind not in KINDS and kind != IGNORE):
                known = ", ".join(sorted([*KINDS, IGNORE]))
                raise ValueError(f"not a habit: {spec!r} (FIELD:KIND, KIND one of {known})")
            kinds[name] = kind
        self._kinds = kinds

    def report(self) -> list[str]:
        """The habits in force."""
        return [f"{name}:{kind}" for name, kind in self._kinds.items()]

    def taken(self, method: str, body: bytes) -> bytes:
        """A request's body as it is taken."""
        if not self._kinds or method in ("GET", "HEAD") or not body:
            return body
        try:
            return orjson.dumps(self._walked(orjson.loads(body)))
        except orjson.JSONDecodeError:
            return body

    def _walked(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._walked(item) for item in value]
        if not isinstance(value, dict):
            return value
        found = {}
        for name, item in value.items():
            kind = self._kinds.get(name)
            if kind == IGNORE:
                continue
            if kind is not None and not isinstance(item, bool | list | dict | None):
                kept = KINDS[kind](str(item))
                found[name] = kept if isinstance(item, str) else float(kept)
            elif name == "body" and isinstance(item, str) and item.startswith("{"):
                # An operation of a batch carries its own request as a text.
                found[name] = self.taken("POST", item.encode()).decode()
            else:
                found[name] = self._walked(item)
        return found

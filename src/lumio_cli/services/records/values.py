"""Values that were typed or read from a file, as the view would show them."""

from __future__ import annotations

import json
import math
import re
from datetime import date
from typing import TYPE_CHECKING, Any

from lumio_cli.hub.edits import is_local
from lumio_cli.providers.contract.values import as_text, meaning, shown
from lumio_cli.services.tabular.exact_json import decode, is_broken

if TYPE_CHECKING:
    from lumio_cli.hub.sqlite.columns import ViewColumn

_LONGEST = 40
"""Characters of a value that a message repeats."""
_TAKES = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "datetime": "a time such as 2026-01-31T09:30:00Z, or a day",
    "date": "a day such as 2026-01-31",
    "epoch": "a time such as 2026-01-31T09:30:00Z, or a day",
    "epoch_ms": "a time such as 2026-01-31T09:30:00Z, or a day",
    "json": "JSON",
}


def given(column: ViewColumn, value: Any) -> Any:
    """A value that was typed or read from a file, as the view would show it; None is nothing.

    Raises ValueError that says what the column takes.
    """
    if is_nothing(column, value):
        return None
    if isinstance(value, dict | list):
        if column.kind != "json":
            raise _misfit(column, value)
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if isinstance(value, str) and is_local(value):
        return value  # a new record, by the id that the hub has given it
    text = _text(column, value)
    match column.kind:
        case "boolean" if text in ("true", "false"):
            return int(text == "true")
        case "integer" if re.fullmatch(r"-?\d+", text) and -(1 << 63) <= int(text) < 1 << 63:
            return int(text)
        case "number" if _is_finite(text):
            return shown("number", text)
        case "datetime" | "epoch" | "epoch_ms" if isinstance(
            meaning(column.kind, "exact", text), int
        ):
            return text
        case "date" if _is_day(text):
            return text
        case "json" if _is_json(text):
            return text
        case "json" if column.same == "set":
            return _listed(text)
        case "text":
            return text
    raise _misfit(column, value)


def _text(column: ViewColumn, value: Any) -> str:
    try:
        text = as_text(column.kind, str(value).lower() if isinstance(value, bool) else value) or ""
    except ValueError:  # more digits than Python reads
        raise _misfit(column, value) from None
    if "\0" in text or is_broken(text):
        raise ValueError(f"{column.name} takes text in UTF-8, without zero bytes")
    return text


def is_nothing(column: ViewColumn, value: Any) -> bool:
    """Whether it is no value: of text only what is empty, of all else blanks, too."""
    if isinstance(value, str):
        return not (value if column.kind == "text" else value.strip())
    return value is None


def _listed(text: str) -> str:
    """Names with commas between them, as a list."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    return json.dumps(names, ensure_ascii=False, separators=(",", ":"))


def _misfit(column: ViewColumn, value: Any) -> ValueError:
    text = str(value)
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return ValueError(f"{column.name} takes {_TAKES.get(column.kind, 'text')}, not {text!r}")


def _is_finite(text: str) -> bool:
    try:
        number = shown("number", text)
        return not isinstance(number, str) and math.isfinite(number) and abs(number) < 1 << 63
    except OverflowError:
        return False


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _is_json(text: str) -> bool:
    try:
        decode(text)
    except ValueError:
        return False
    return True

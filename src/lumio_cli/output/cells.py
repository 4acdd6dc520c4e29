"""One value in a table: for people, and for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from lumio_cli.core.clock import format_time, parse_time
from lumio_cli.core.units import format_duration, format_size, grouped
from lumio_cli.output.style import STATUS_STYLE, Look, Style, printable, tsv_escape

Kind = Literal[
    "text", "id", "number", "time", "duration", "bytes", "percent", "status", "bool", "list"
]

NUMERIC: frozenset[Kind] = frozenset({"number", "duration", "bytes", "percent"})


def moment(value: datetime | str) -> datetime:
    """An aware datetime from one, or from RFC 3339 text."""
    return parse_time(value) if isinstance(value, str) else value


def ago(value: datetime, now: datetime) -> str:
    """How long ago, or in how long: `3 min ago`, `in 2 h`, `just now`."""
    seconds = (now - value).total_seconds()
    if abs(seconds) < 2:
        return "just now"
    words = format_duration(abs(seconds)).split()
    largest = " ".join(words[:2])
    if largest.endswith(" s"):
        largest = f"{abs(seconds):.0f} s"
    return f"{largest} ago" if seconds > 0 else f"in {largest}"


def for_people(kind: Kind, value: Any, look: Look, now: datetime) -> tuple[str, Style]:
    """What a person reads, and in which style."""
    if value is None:
        return "-", "dim"
    match kind:
        case "number":
            return grouped(value), ""
        case "time":
            return ago(moment(value), now), ""
        case "duration":
            return format_duration(float(value)), ""
        case "bytes":
            return format_size(value), ""
        case "percent":
            return f"{value:.0f} %", ""
        case "bool":
            return ("yes", "") if value else ("no", "dim")
        case "list":
            return ", ".join(printable(str(item)) for item in value) or "-", ""
        case "status":
            word = printable(str(value))
            return f"{look.mark(word)} {word}", STATUS_STYLE.get(word, "")
        case _:
            return printable(_text(value)), ""


def for_programs(kind: Kind, value: Any) -> str:
    """One TSV cell: nothing cut, RFC 3339, plain numbers, empty for None."""
    if value is None:
        return ""
    match kind:
        case "time":
            return format_time(moment(value))
        case "bool":
            return "true" if value else "false"
        case "list" if isinstance(value, Sequence) and not isinstance(value, str):
            return tsv_escape(",".join(str(item) for item in value))
        case _:
            return tsv_escape(_text(value))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)

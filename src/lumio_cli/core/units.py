"""Durations and sizes as people write them, and as people read them."""

from __future__ import annotations

import re
from itertools import pairwise

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_READABLE = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
_BYTES = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_LONGEST = 10 * 366 * 86400.0
"""Seconds. What is longer is a slip, and the system's own timers could not hold it."""
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]?)(?:i?b)?")


def parse_duration(value: str | float) -> float:
    """Seconds from a number or from text: `90`, `90s`, `5m`, `1h30m`, `1d`.

    Raises ValueError for anything else, for a negative duration, and for more than ten years.
    """
    seconds = _seconds(value)
    if seconds > _LONGEST:
        raise ValueError("a duration is at most ten years")
    return seconds


def _seconds(value: str | float) -> float:
    text = str(value).strip().lower().replace(" ", "")
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if text and _PART.sub("", text) == "":
        return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    raise ValueError("a duration is a number of seconds, or text like 90s, 5m, 2h, 1d")


def format_duration(seconds: float) -> str:
    """A duration for people, in its two largest units: `450 ms`, `8.2 s`, `5 min 3 s`, `2 h`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for (name, size), (small, below) in pairwise(_READABLE):
        if whole >= size:
            count, rest = divmod(whole, size)
            part = rest // below
            return f"{count} {name} {part} {small}" if part else f"{count} {name}"
    return f"{whole} s"


def grouped(number: float) -> str:
    """A number for people: `1 250 000`."""
    return f"{number:,}".replace(",", " ")


def parse_size(value: str | int) -> int:
    """Bytes from a number or from text: `65536`, `64k`, `8MB`, `1 GiB` (powers of 1024).

    Raises ValueError for anything else.
    """
    match = _SIZE.fullmatch(str(value).strip().lower())
    if match is None:
        raise ValueError("a size is a number of bytes, or text like 64k, 8M, 1G")
    return int(float(match[1]) * _BYTES[match[2]])


def format_size(size: float) -> str:
    """A size for people: `812 B`, `3.4 KiB`, `1.2 GiB`."""
    if size < 1024:
        return f"{size:.0f} B"
    for unit in ("KiB", "MiB"):
        size /= 1024
        if size < 1024:
            return f"{size:.1f} {unit}"
    return f"{size / 1024:.1f} GiB"


def parse_share(value: str | float) -> float:
    """A fraction from 0 to 1, from a fraction or a percentage: `0.5`, `50%`, `50 %`.

    Raises ValueError for anything else; a bare number above 1 is a mistake, not a percentage.
    """
    problem = "a share is a fraction from 0 to 1, or a percentage like 50%"
    text = str(value).strip()
    percent = text.endswith("%")
    try:
        share = float(text.removesuffix("%").strip()) / (100 if percent else 1)
    except ValueError:
        raise ValueError(problem) from None
    if not 0 <= share <= 1:
        raise ValueError(problem)
    return share

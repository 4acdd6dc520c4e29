"""Record ids: a prefix of three characters for the type, a number in base 62, and three characters
that say which of the others are upper case, so that ids survive a reader who ignores case."""

from __future__ import annotations

import re

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""In ASCII order, so that ids sort as their numbers do."""
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_SHAPE = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")


def make_id(prefix: str, number: int, pod: str = "sb0") -> str:
    """The id of the `number`-th record of a type, 18 characters long."""
    digits = ""
    for _ in range(9):
        number, rest = divmod(number, 62)
        digits = _DIGITS[rest] + digits
    return with_check(f"{prefix}{pod}{digits}")


def with_check(short: str) -> str:
    """The 18 characters of an id of 15."""
    tail = ""
    for start in (0, 5, 10):
        bits = sum(1 << n for n, c in enumerate(short[start : start + 5]) if "A" <= c <= "Z")
        tail += _CHECK[bits]
    return short + tail


def normal_id(text: str) -> str | None:
    """An id as it is kept, from 15 or 18 characters; None for what can be no id."""
    if not _SHAPE.fullmatch(text):
        return None
    return with_check(text[:15])

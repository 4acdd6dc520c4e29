"""Reading JSON: tolerantly, to a depth and a number of values."""

from __future__ import annotations

import json
import math
import re
from typing import Any

_LONG = b"0" * 20
"""Digits of an integer that may not fit into 64 bits."""

_NUL = b"\\u0000"

_NO_TEXT = re.compile("[\x00\ud800-\udfff]")

_DIGITS_ONLY = bytes(48 if 48 <= byte <= 57 else 32 for byte in range(256))

MAX_DEPTH = 128
"""Objects and lists within each other, at most: no provider's records come near, and what walks
through them calls itself."""

MAX_VALUES = 2_000_000
"""Values in one answer, at most: each takes far more memory than it took bytes."""

OPENED = 5
"""How many of them an object or a list counts for: even an empty one takes the memory of five."""

_NESTED = (dict, list)

_PIECE = 1 << 20

_REST = bytes(set(range(256)) - set(b'[]{}",'))


def read_json(body: bytes) -> Any:
    """Read JSON without losing a page to one value, and without changing any.

    Numbers that JSON or a double cannot hold (NaN, Infinity, 1e400, integers of more than 64 bits)
    become texts of what was written; half a surrogate, which is no text, and U+0000, where SQLite
    would end one, become U+FFFD; a byte order mark is passed over, and other control characters
    are taken as they are. Raises ValueError, also for bytes that are no UTF-8: those were cut or
    garbled; and for more than `MAX_DEPTH` or `MAX_VALUES`.
    """
    refuse_crowds(body)
    found = _parsed(body)
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _is_deep(found):
        raise ValueError("it is nested too deeply")
    return found


def refuse_crowds(body: bytes) -> None:
    """Raise ValueError for JSON, or lines of it, that hold more than `MAX_VALUES` values."""
    most = OPENED * (body.count(b"[") + body.count(b"{")) + body.count(b",")
    if most > MAX_VALUES and _is_crowded(body):
        raise ValueError(f"it holds more than {MAX_VALUES:,} values")


def _parsed(body: bytes) -> Any:
    import orjson

    try:
        # orjson would make a double of a long integer, with other digits.
        if _LONG not in body.translate(_DIGITS_ONLY):
            found = orjson.loads(body)
            return _mended(found) if _NUL in body else found
    except (orjson.JSONDecodeError, RecursionError):
        pass
    try:
        return _mended(
            json.loads(
                body.removeprefix(b"\xef\xbb\xbf").decode(),
                strict=False,
                parse_constant=str,
                parse_float=_finite,
                parse_int=_whole,
            )
        )
    except UnicodeDecodeError:
        problem = "it is not valid UTF-8"
    except RecursionError:
        problem = "it is nested too deeply"
    except json.JSONDecodeError as error:
        problem = str(error)
    # Out here: an error holds the text that it is about for as long as it is held itself.
    raise ValueError(problem)


def _is_crowded(body: bytes) -> bool:
    """Whether a text of JSON has more than `MAX_VALUES` values, by its commas, lists and objects
    outside of strings."""
    count, begin, inside = 0, 0, 0
    while begin < len(body) and count <= MAX_VALUES:
        piece = body[begin : begin + _PIECE]
        # Backslashes at its end belong to what follows.
        piece = piece.rstrip(b"\\") or piece
        begin += len(piece)
        bare = piece.replace(rb"\\", b"").replace(rb"\"", b"").translate(None, _REST)
        parts = bare.split(b'"')
        outside = b"".join(parts[inside::2])
        count += outside.count(b",") + OPENED * (outside.count(b"[") + outside.count(b"{"))
        inside ^= (len(parts) - 1) & 1
    return count > MAX_VALUES


def _is_deep(found: Any) -> bool:
    """Whether there are more than `MAX_DEPTH` objects and lists within each other."""
    level = [found]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in _NESTED
        ]
        if not level:
            return False
    return True


def _mended(value: Any) -> Any:
    """The value, with U+FFFD for what SQLite has no characters for."""
    if isinstance(value, str):
        return _NO_TEXT.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_mended(name): _mended(inner) for name, inner in value.items()}
    return [_mended(inner) for inner in value] if isinstance(value, list) else value


def _finite(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _whole(text: str) -> int | str:
    # As many digits as 64 bits have, and a sign; Python refuses to read some thousands.
    number = int(text) if len(text) <= 20 else None
    return text if number is None or not -(1 << 63) <= number < 1 << 64 else number

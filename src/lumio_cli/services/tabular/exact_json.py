"""JSON as it was written: whole numbers keep all their digits, and what is no JSON is refused."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

DEEPEST = 200
"""Levels of lists and objects inside of each other: far more than a record has, and few enough for
all that goes through them."""
_SURROGATES = re.compile("[\ud800-\udfff]")
_ESCAPED = re.compile(r"\\u[dD][89a-fA-F]")


def decode(text: str) -> Any:
    """What a text says. Raises ValueError that says why it cannot be used."""
    if is_broken(text):
        raise ValueError("it is not UTF-8")
    try:
        found = json.loads(text, parse_float=_finite, parse_constant=_no_json)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: {error.msg}") from None
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except ValueError:
        # Python's own limit of digits, or `_finite`.
        raise ValueError("a number in it is too large") from None
    if text.count("[") + text.count("{") > DEEPEST and _is_too_deep(found):
        raise ValueError("it is nested too deep")
    if _ESCAPED.search(text) and is_broken(json.dumps(found, ensure_ascii=False)):
        raise ValueError("it is not UTF-8")
    return found


def decode_object(text: str) -> dict[str, Any]:
    """As `decode`, of a text that is an object."""
    found = decode(text)
    if not isinstance(found, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 the text is wrong, not its type
    return found


def is_broken(text: str) -> bool:
    """Whether there are halves of characters in it: what bytes become that are no UTF-8."""
    return not text.isascii() and _SURROGATES.search(text) is not None


def readable(text: str) -> str:
    """The text with escapes in the place of what is no UTF-8: `\\xff` for a byte."""
    return _SURROGATES.sub(_escape, text) if is_broken(text) else text


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    # `surrogateescape` keeps the bytes from 0x80 on as these.
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _no_json(name: str) -> NoReturn:
    """NaN and infinity, which Python takes for JSON."""
    raise json.JSONDecodeError(f"{name} is none of its values", name, 0)


def _is_too_deep(value: Any) -> bool:
    layer = [value]
    for _ in range(DEEPEST):
        layer = [item for outer in layer for item in _inside(outer)]
    return any(isinstance(item, dict | list) for item in layer)


def _inside(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()

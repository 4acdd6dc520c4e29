"""Values of records on their three ways: as a view shows them, as an adapter is given them, and as
the provider's own JSON has them; and when two of them mean the same.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

from lumio_cli.core.clock import format_time, parse_time

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_NO_ZONE = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_REAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
"""What the hub's views take for a number, blanks around it apart."""
_SECONDS = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_MOMENTS = ("datetime", "date", "epoch", "epoch_ms")
_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", re.ASCII)
_TRUE, _FALSE = ("1", "1.0", "true", "t", "yes"), ("0", "0.0", "false", "f", "no")
_DIGITS = 15
"""Digits of a number that every program on its way keeps."""
MAX_ID = 512
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def as_id(value: Any) -> str | None:
    """A record's id as text, or None where it cannot be one: one with U+FFFD is not the id that the
    provider knows."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value)
    good = 0 < len(text) <= MAX_ID and text.isprintable() and "\ufffd" not in text
    return text if good else None


def as_text(kind: str, value: Any) -> str | None:
    """A view's value as `writing.Change` has it; None is nothing. What does not fit the kind stays
    as it is: the provider says what is wrong with it.
    """
    if value is None or value == "":
        return None
    text = str(value)
    if kind == "boolean":
        low = text.strip().lower()
        return "true" if low in _TRUE else "false" if low in _FALSE else text
    if kind in ("integer", "number"):
        return _number_text(text)
    if kind in _MOMENTS:
        found = _moment(text)
        if found is None or _DAY.fullmatch(text):
            return text
        if kind == "date":
            return text if found.time() != time.min else found.date().isoformat()
        return format_time(found)
    return text


def shown(kind: str, value: Any) -> Any:
    """A view's value as JSON would have it in a record, for providers that write JSON plainly."""
    text = as_text(kind, value)
    if text is None:
        return None
    if kind == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if kind in ("integer", "number"):
        return _number(text)
    if kind in ("epoch", "epoch_ms"):
        found = _moment(text)
        if found is None:
            return text
        seconds = found.timestamp()
        return round(seconds * 1000) if kind == "epoch_ms" else round(seconds)
    if kind == "json":
        return _decoded(text)
    return text


def moment(kind: str, value: Any) -> str | None:
    """The moment that a provider's value says, as RFC 3339 in UTC with `Z`; None where it is none.

    `kind` tells seconds (epoch) and milliseconds (epoch_ms) since 1970 from all else.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if kind in ("epoch", "epoch_ms"):
        if isinstance(value, str) and not _SECONDS.fullmatch(value):
            return None
        number = _number(str(value))
        try:
            seconds = number / 1000 if kind == "epoch_ms" else float(number)
            return format_time(_EPOCH + timedelta(seconds=seconds)) if number else None
        except (TypeError, ValueError, OverflowError):
            return None
    found = _moment(str(value))
    if found is None:
        return None
    return str(value) if _UTC.fullmatch(str(value)) else format_time(found)


def meaning(kind: str, same: str, value: Any) -> Any:
    """What a view's value means to the provider: equal for two values that it would not tell apart.

    `kind` and `same` as in `base.Column`. Nothing and an empty text are both None.
    """
    text = as_text(kind, value)
    if text is None:
        return None
    if kind in ("integer", "number"):
        number = _number(text)
        if isinstance(number, str) or (isinstance(number, int) and abs(number) < 1 << 63):
            return number
        try:
            # What is beyond 64 bits, SQLite has as a real number.
            return float(f"{float(number):.{_DIGITS}g}")
        except OverflowError:
            return number
    if kind in _MOMENTS:
        found = _moment(text)
        # The hub shows milliseconds: a provider that has more of them does not mean another time.
        return text if found is None else (found - _EPOCH) // timedelta(milliseconds=1)
    if kind == "json" or same == "set":
        return _comparable(_decoded(text), same)
    return text.casefold() if same == "folded" else text


def alike(kind: str, same: str, one: Any, other: Any) -> bool:
    """Whether two of a view's values mean the same to the provider.

    A whole number of more digits than a real one has comes back as a real number from a provider
    that knows no others: then only the digits that both have are compared.
    """
    first, second = meaning(kind, same, one), meaning(kind, same, other)
    if {type(first), type(second)} == {int, float}:
        return f"{first:.{_DIGITS}g}" == f"{second:.{_DIGITS}g}"
    return bool(first == second)


def akin(kind: str, same: str, one: Any, other: Any) -> bool:
    """Whether `other` may be what a provider has made of `one` by rules of its own: another case,
    other blanks, marks or tags, a telephone number with its country, a number or a moment with
    fewer digits. What is cut off or replaced is not akin.
    """
    return close(kind, meaning(kind, same, one), meaning(kind, same, other))


def close(kind: str, one: Any, other: Any) -> bool:
    """`akin`, of two meanings."""
    if one == other:
        return True
    if not isinstance(one, str | tuple) and not isinstance(other, str | tuple):
        if one is None or other is None:
            return False
        if kind in _MOMENTS:
            return any(one // unit * unit == other for unit in _ROUGH)
        digits = len(str(other).partition(".")[2]) if isinstance(other, float) else 0
        return bool(abs(one - other) < 10.0**-digits)
    first, second = _letters(one), _letters(other)
    if first == second:
        return True
    # The longer one has the country's number before it, in the place of a leading zero.
    shorter, longer = sorted((first.lstrip("0"), second.lstrip("0")), key=len)
    return len(shorter) >= _PHONE and longer.isdecimal() and longer.endswith(shorter)


def lacks(same: str, one: Any, other: Any) -> bool:
    """Whether the set `other` has not all members of the set `one`, in whatever form: then it is
    none that a provider has made of it. False for what are no sets."""
    if same != "set":
        return False
    first, second = (
        {_letters(part) for part in meaning("json", same, value) or ()} for value in (one, other)
    )
    return not first <= second


def gist(meant: Any) -> Any:
    """What two meanings have in common that are `close`: of a text its last letters, of all else
    only whether it is something."""
    if isinstance(meant, str | tuple):
        return _letters(meant)[-_PHONE:]
    return meant is not None


_ROUGH = (1000, 60_000, 86_400_000)
"""Milliseconds of a second, a minute and a day."""
_PHONE = 7
"""Digits of a telephone number at least."""
_TAG = re.compile(r"<[^<>]*>")


def _letters(value: Any) -> str:
    """What is left of a text without its case, blanks, marks and tags."""
    if isinstance(value, tuple):
        return "\n".join(sorted(_letters(part) for part in value))
    text = unicodedata.normalize("NFKC", _TAG.sub("", "" if value is None else str(value)))
    return "".join(filter(str.isalnum, text.casefold()))


def put(record: dict[str, Any], path: str, value: Any) -> None:
    """Set what lies at a dotted `path` of a record, making objects on the way."""
    *parents, last = path.split(".")
    for part in parents:
        inner = record.get(part)
        if not isinstance(inner, dict):
            inner = record[part] = {}
        record = inner
    record[last] = value


def tells(record: Mapping[str, Any] | None, path: str) -> bool:
    """Whether a record, of which this may be a part, says what lies at a dotted `path`. Where an
    object is null, so is all in it.
    """
    found: Any = record
    for part in path.split("."):
        if found is None:
            return record is not None
        if not isinstance(found, Mapping) or part not in found:
            return False
        found = found[part]
    return True


def merged(record: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    """The record with what `part` tells of it: objects are merged, all else is replaced."""
    found = dict(record)
    for name, value in part.items():
        old = found.get(name)
        both = isinstance(old, dict) and isinstance(value, dict)
        found[name] = merged(old, value) if both else value  # type: ignore[arg-type]
    return found


def _number(text: str) -> Any:
    """The number that a text is as a whole, or the text: `nan`, `inf` and `1_000`, which Python
    would read, are none."""
    plain = text.strip()
    try:
        if _WHOLE.fullmatch(plain):
            return int(plain)
        number = float(plain) if _REAL.fullmatch(plain) else math.inf
    except ValueError:  # thousands of digits
        return text
    if not math.isfinite(number):
        return text
    return int(number) if number.is_integer() and abs(number) < 1 << 53 else number


def _number_text(text: str) -> str:
    number = _number(text)
    return text if isinstance(number, str) else str(number)


def _moment(text: str) -> datetime | None:
    """A moment: RFC 3339, a day (its midnight in UTC), or milliseconds since 1970.

    A time without a zone is in UTC: so are those of SQLite's functions.
    """
    try:
        if re.fullmatch(r"-?\d{11,}", text):
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        if _DAY.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        return parse_time(f"{text}Z" if _NO_ZONE.fullmatch(text) else text.replace(" ", "T", 1))
    except (ValueError, OverflowError, OSError):
        return None


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _comparable(value: Any, same: str) -> Any:
    """JSON in a form that compares by meaning."""
    if same == "set":
        items = value if isinstance(value, list) else re.split("[,;]", str(value))
        names = (i.get("name", i.get("label")) if isinstance(i, dict) else i for i in items)
        # A set of nothing is nothing: one provider shows `[]` for it, and another leaves it out.
        found = {str(name).strip() for name in names if name not in (None, "")}
        return tuple(sorted(found)) or None
    return json.dumps(value, sort_keys=True)

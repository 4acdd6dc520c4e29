"""CSV as Bulk API 2.0 writes and reads it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .catalog import NUMBERS, FieldInfo
from .errors import Invalid

DELIMITERS = {
    "COMMA": ",", "TAB": "\t", "SEMICOLON": ";", "PIPE": "|", "CARET": "^", "BACKQUOTE": "`",
}  # fmt: skip
ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
NOTHING = "#N/A"
"""In a file that is uploaded: clear the field. An empty value leaves it as it is."""


def cell(field: FieldInfo, value: Any) -> str:
    """A value in a result. Times end with Z here, where REST writes +0000; large numbers come with
    an exponent; nothing is an empty text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if field.type == "datetime":
        return str(value).replace("+0000", "Z")
    if field.type in NUMBERS and abs(value) >= 1e7:
        mantissa, _, exponent = f"{value:.15E}".partition("E")
        return f"{mantissa.rstrip('0').removesuffix('.')}E{int(exponent)}"
    return str(value)


def write(rows: Iterable[Sequence[str]], delimiter: str, ending: str) -> bytes:
    """Rows as CSV, every cell in quotes."""
    out = io.StringIO(newline="")
    sheet = csv.writer(
        out, delimiter=DELIMITERS[delimiter], lineterminator=ENDINGS[ending], quoting=csv.QUOTE_ALL
    )
    sheet.writerows(rows)
    return out.getvalue().encode()


def read(body: bytes, delimiter: str) -> Iterator[dict[str, str]]:
    """The rows of a file that was uploaded, by the names in its header."""
    text = io.StringIO(body.decode("utf-8"), newline="")
    return csv.DictReader(text, delimiter=DELIMITERS[delimiter])


def typed(field: FieldInfo | None, text: str) -> Any:
    """A cell of an upload as JSON would have it. Raises Invalid."""
    if text == NOTHING:
        return None
    if field is None:
        return text
    try:
        if field.type == "boolean":
            return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
        if field.type == "int":
            return int(text)
        return float(text) if field.type in NUMBERS else text
    except (KeyError, ValueError):
        message = f"{field.label}: value not of required type: {text}"
        raise Invalid("INVALID_TYPE_ON_FIELD_IN_RECORD", message, [field.name]) from None

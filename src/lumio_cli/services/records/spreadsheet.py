"""Cells that a spreadsheet would take for formulas: an export marks them, an import knows the mark.

Whoever fills in a form decides what a customer is called. `=HYPERLINK(...)` as a name is a formula
once the export is opened in a spreadsheet (CSV injection, OWASP). A mark before it keeps it a text.
"""

from __future__ import annotations

import re
from typing import Any

_FORMULA = re.compile(r"[=@\t\r＝＠]|[+\-＋－](?![\d\s().,/-]*\Z)")
"""A sign with digits and blanks after it is a number or a telephone, and can do no harm."""
_MARKED = re.compile(r"'+(?:[=@\t\r＝＠+\-＋－])")


def is_formula(value: Any) -> bool:
    """Whether a spreadsheet would compute the cell."""
    return isinstance(value, str) and _FORMULA.match(value) is not None


def marked(value: Any, *, safe: bool) -> Any:
    """The cell as it is written: with a mark where it looks like a formula (`safe`), and always
    where the value itself begins as marked cells do, so that an import can tell the two."""
    if isinstance(value, str) and (_MARKED.match(value) or (safe and is_formula(value))):
        return f"'{value}"
    return value


def unmarked(cell: str) -> str:
    """The value of a cell as it is read."""
    return cell[1:] if _MARKED.match(cell) else cell

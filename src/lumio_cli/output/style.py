"""How text looks on one stream: colours, marks, and what may not be printed as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Literal

Style = Literal["", "good", "bad", "warn", "dim", "strong", "accent"]

_ANSI = {"good": "32", "bad": "31", "warn": "33", "dim": "2", "strong": "1", "accent": "36"}

_NAMED = {ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"}

# What a terminal might act upon, inside JSON text.
_UNSAFE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def printable(text: str) -> str:
    """`text` on one line, with everything escaped that a terminal would act upon."""
    from lumio_cli.core.redact import escape_control

    return escape_control(text.translate(_NAMED))


def tsv_escape(text: str) -> str:
    """`text` as one TSV cell. Backslashes are doubled, so that nothing is lost."""
    return printable(text.replace("\\", "\\\\"))


def json_escape(encoded: str) -> str:
    """JSON text in which characters that a terminal would act upon are escaped, too.

    Encoders escape C0 controls by themselves; the others can only stand inside strings.
    """
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", encoded)


def wants_color(choice: str | None, environ: Mapping[str, str], *, terminal: bool) -> bool:
    """Whether a stream gets colours: a flag decides, then NO_COLOR, TERM and FORCE_COLOR."""
    if choice == "always":
        return True
    if choice == "never" or environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    return terminal or bool(environ.get("FORCE_COLOR"))


def wants_unicode(stream: IO[str]) -> bool:
    """Whether the stream's encoding holds more than ASCII."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"


@dataclass(frozen=True, slots=True)
class Look:
    """What one stream can show. `width` is in columns; None: do not fit anything."""

    terminal: bool
    color: bool
    unicode: bool
    width: int | None

    def paint(self, text: str, style: Style) -> str:
        """`text` in a style. Colour is never the only sign of anything."""
        if not self.color or not style or not text:
            return text
        return f"\x1b[{_ANSI[style]}m{text}\x1b[0m"

    def mark(self, status: str) -> str:
        """The sign of a status, in ASCII where the stream knows no more."""
        pretty, plain = _MARKS.get(STATUS_STYLE.get(status, ""), ("·", "."))
        return pretty if self.unicode else plain

    @property
    def arrow(self) -> str:
        """Between before and after."""
        return "→" if self.unicode else "->"


_MARKS: Mapping[str, tuple[str, str]] = {
    "good": ("✓", "ok"),
    "bad": ("✗", "x"),
    "warn": ("!", "!"),
    "dim": ("-", "-"),
}

STATUS_STYLE: Mapping[str, Style] = {
    **dict.fromkeys(("succeeded", "healthy", "connected", "pass", "ok", "closed", "done"), "good"),
    **dict.fromkeys(("failed", "unhealthy", "fail", "error", "open", "refused", "dead"), "bad"),
    **dict.fromkeys(
        (
            "partial",
            "degraded",
            "warn",
            "interrupted",
            "half_open",
            "waiting",
            "conflict",
            "held",
            "paused",
        ),
        "warn",
    ),
    **dict.fromkeys(("skipped", "skip", "unknown", "not connected", "never", "off"), "dim"),
    "running": "accent",
}

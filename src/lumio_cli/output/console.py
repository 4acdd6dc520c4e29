"""The way out: results to stdout, everything else to stderr, each in the form that was asked for.

A JSON result is held back until the command has ended, so that an error that comes after it still
becomes part of the one document.
"""

from __future__ import annotations

import json
import os
import textwrap
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import IO, Any

from lumio_cli.config.global_options import Format, Globals
from lumio_cli.core.clock import format_time
from lumio_cli.core.errors import LumioError
from lumio_cli.output.diff import Diff, write_diff, write_diff_tsv
from lumio_cli.output.style import (
    Look,
    Style,
    json_escape,
    printable,
    wants_color,
    wants_unicode,
)
from lumio_cli.output.table import Table, write_table, write_tsv

Part = Table | Diff | str


@dataclass(frozen=True, slots=True)
class Preferences:
    """What environment and configuration file say, where no flag does."""

    output: str = "auto"
    color: str = "auto"
    log_format: str = "text"


class Output:
    """Everything that is printed goes through here.

    `preferences` is asked once, on first use, since it may have to read the configuration.
    `redact` takes secrets out of text that comes from an exception. `now` tells the time.
    """

    def __init__(
        self,
        options: Globals,
        *,
        stdout: IO[str],
        stderr: IO[str],
        environ: Mapping[str, str],
        preferences: Callable[[], Preferences] = Preferences,
        redact: Callable[[str], str] = str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.options = options
        self.stdout = stdout
        self.stderr = stderr
        self._environ = environ
        self._ask = preferences
        self._redact = redact
        self._now = now
        self._held: dict[str, Any] | None = None
        self._streamed = False
        self._lock = threading.RLock()
        # While bars are drawn, lines to stderr have to pass above them.
        self._above: Callable[[], AbstractContextManager[None]] = nullcontext
        self.close_bars: Callable[[], None] = lambda: None
        """Ends bars that are still drawn when the command ends."""

    @cached_property
    def preferences(self) -> Preferences:
        """The preferences, asked for when they first matter."""
        return self._ask()

    @cached_property
    def mode(self) -> Format:
        """The form of results: the flag, else the preference, else what stdout is."""
        if self.options.output:
            return self.options.output
        match self.preferences.output:
            case "table" | "tsv" | "json" as chosen:
                return chosen
        return "table" if _is_terminal(self.stdout) else "tsv"

    @cached_property
    def log_format(self) -> str:
        """The form of what goes to stderr: text or json."""
        return self.options.log_format or self.preferences.log_format

    @cached_property
    def out_look(self) -> Look:
        """What stdout can show."""
        return self._look(self.stdout)

    @cached_property
    def err_look(self) -> Look:
        """What stderr can show."""
        return self._look(self.stderr)

    def now(self) -> datetime:
        """The time that relative times refer to."""
        return self._now()

    # -- results

    def result(self, document: dict[str, Any], *parts: Part) -> None:
        """What the command was asked for: `document` with `--output json`, else the parts.

        Once a command. A str among the parts is a line for people: TSV leaves it out.
        """
        if self.mode == "json":
            if self._held is not None:
                raise RuntimeError("a command has one result")
            self._held = document
            return
        self.show(*parts)

    def show(self, *parts: Part) -> None:
        """Print parts now, whatever comes of the command: for screens that are drawn again."""
        tables = 0
        for part in parts:
            if isinstance(part, str):
                if self.mode == "table":
                    self.stdout.write(wrapped(part, self.out_look.width) + "\n")
                continue
            if tables:
                self.stdout.write("\n")
            tables += 1
            self._write(part)
        self.stdout.flush()

    def line(self, text: str, style: Style = "") -> None:
        """A line of a result for people and for TSV; JSON has its document instead."""
        if self.mode != "json":
            self.stdout.write(self.out_look.paint(text, style) + "\n")
            self.stdout.flush()

    def stream(self, document: dict[str, Any], text: str | None = None) -> None:
        """One of many results, at once: a JSON document on a line of its own.

        With `text`, that is what people and TSV get instead.
        """
        if self.mode == "json" or text is None:
            text = self.encode(document)
        self._streamed = True
        self.stdout.write(text + "\n")
        self.stdout.flush()

    def finish(self, error: LumioError | None = None) -> None:
        """The command has ended. Prints the JSON document, or the error, or both in one."""
        self.close_bars()
        document, self._held = self._held, None
        if error is not None and self.mode != "json":
            self.error(error)
        elif error is not None:
            document = {**(document or {}), "error": self.describe(error)}
        if document is not None:
            # In a stream a document is a line, the last one, too.
            indent = None if self._streamed else 2
            self.stdout.write(self.encode(document, indent=indent) + "\n")
        self.stdout.flush()
        self.stderr.flush()

    def describe(self, error: LumioError) -> dict[str, Any]:
        """The error as the contract's JSON has it."""
        return {
            "code": error.code,
            "message": self._clean(error.message),
            "hint": self._clean(error.hint) if error.hint else None,
            "exit_code": error.exit_code,
        }

    def encode(self, document: Any, indent: int | None = None) -> str:
        """`document` as JSON: times in UTC with Z, no NaN, nothing a terminal would act upon."""
        encoded = json.dumps(
            document,
            ensure_ascii=not self.out_look.unicode,
            allow_nan=False,
            indent=indent,
            default=_plain,
        )
        return json_escape(encoded)

    # -- everything else

    def note(self, text: str) -> None:
        """Something worth knowing; not with `--quiet`, not where stderr is for programs."""
        self._say("note", text)

    def detail(self, text: str, level: int = 1) -> None:
        """Something for those who asked for more: `level` is the number of `-v`."""
        if self.options.verbose >= level:
            self._say("detail", text)

    def warn(self, text: str, hint: str | None = None) -> None:
        """Something that an operator should look at; not with `--quiet`."""
        self._say("warning", text, hint, "warn")

    def error(self, error: LumioError) -> None:
        """An error, on stderr, in two lines: what, and what to do."""
        if self.log_format == "json":
            self._log("error", **self.describe(error))
            return
        self._tell("error", self._clean(error.message), "bad")
        if error.hint:
            self._tell("hint", self._clean(error.hint), "accent")

    def event(self, event: str, **fields: Any) -> None:
        """One JSON object on stderr, where `--log-format json` asks for it."""
        if self.log_format == "json" and not self.options.quiet:
            self._log(event, **fields)

    @property
    def decorates(self) -> bool:
        """Whether stderr may carry lines for people."""
        return not self.options.quiet and self.log_format != "json"

    def write_err(self, text: str) -> None:
        """One line to stderr, above any bars."""
        with self._lock, self._above():
            self.stderr.write(text + "\n")
            self.stderr.flush()

    def above(self, around: Callable[[], AbstractContextManager[None]] | None) -> None:
        """From now on, write to stderr inside `around()`; None ends that."""
        with self._lock:
            self._above = around or nullcontext

    # -- inside

    def _say(self, kind: str, text: str, hint: str | None = None, style: Style = "") -> None:
        if self.options.quiet:
            return
        text = self._clean(text)
        if self.log_format == "json":
            extra = {"hint": self._clean(hint)} if hint else {}
            self._log(kind, message=text, **extra)
        elif kind == "warning":
            self._tell(kind, text, style)
            if hint:
                self._tell("hint", self._clean(hint), "accent")
        elif self.mode != "json" or _is_terminal(self.stderr):
            # People pipe `2>&1 | jq`: with JSON, a stderr that nobody watches stays silent.
            self.write_err(text)

    def _tell(self, label: str, text: str, style: Style) -> None:
        self.write_err(f"{self.err_look.paint(label + ':', style)} {text}")

    def _log(self, event: str, **fields: Any) -> None:
        entry = {"ts": format_time(self.now()), "event": event, **fields}
        self.write_err(self.encode(entry))

    def _clean(self, text: str) -> str:
        """One line without secrets and without control characters."""
        return printable(self._redact(" ".join(text.split("\n"))))

    def _write(self, part: Table | Diff) -> None:
        match part, self.mode:
            case Table(), "tsv":
                write_tsv(part, self.stdout)
            case Table(), _:
                write_table(part, self.stdout, self.out_look, self.now())
            case Diff(), "tsv":
                write_diff_tsv(part, self.stdout)
            case Diff(), _:
                write_diff(part, self.stdout, self.out_look)

    def _look(self, stream: IO[str]) -> Look:
        terminal = _is_terminal(stream)
        choice = self.options.color
        if choice is None and self.preferences.color in ("always", "never"):
            choice = "always" if self.preferences.color == "always" else "never"
        return Look(
            terminal=terminal,
            color=wants_color(choice, self._environ, terminal=terminal),
            unicode=wants_unicode(stream),
            width=_width(stream, self._environ) if terminal else None,
        )


def _is_terminal(stream: IO[str]) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def wrapped(text: str, width: int | None) -> str:
    """A line broken between words where it is wider than `width`, under its own indentation. What
    has lines of its own (a record's JSON) stays as it is."""
    if width is None or len(text) <= width or "\n" in text:
        return text
    indent = " " * (len(text) - len(text.lstrip(" -0123456789.")))
    # A word that is wider than the terminal stays whole, so that it can be copied.
    return "\n".join(
        textwrap.wrap(
            text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
    )


def _width(stream: IO[str], environ: Mapping[str, str]) -> int:
    """The terminal's width: COLUMNS, else what it says of itself, else 80."""
    wish = environ.get("COLUMNS", "")
    if wish.isdecimal() and int(wish) > 0:
        return int(wish)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def _plain(value: Any) -> Any:
    """What JSON has no word for."""
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, tuple | set | frozenset):
        return sorted(value) if isinstance(value, set | frozenset) else list(value)
    if hasattr(value, "__fspath__"):
        return os.fspath(value)
    raise TypeError(f"{type(value).__name__} cannot be printed as JSON")

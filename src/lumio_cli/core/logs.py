"""The log file: JSON lines, rotated, private, redacted; and the log on stderr, if asked for."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from lumio_cli.core.clock import format_timestamp
from lumio_cli.core.paths import make_private_dir

if TYPE_CHECKING:
    from lumio_cli.core.paths import Paths
    from lumio_cli.core.redact import Redactor

FILE_NAME = "lumio.log"
MAX_BYTES = 10 * 1024 * 1024
KEPT_FILES = 5

_STANDARD = frozenset(vars(logging.LogRecord("", 0, "", 0, "", (), None))) | {
    "message", "asctime", "taskName",
}  # fmt: skip
_QUIET_LIBRARIES = ("httpx", "httpcore", "keyring", "asyncio", "urllib3")
"""Libraries whose debug records show whole requests, or bury ours."""


def configure_logging(
    paths: Paths,
    redactor: Redactor,
    level: str = "INFO",
    stderr_format: Literal["text", "json"] | None = None,
    *,
    context: Mapping[str, str] | None = None,
) -> None:
    """Send all logging to the profile's log file, and to stderr if `stderr_format` says so.

    `context` (`run_id`, ...) goes into every line; a record's own come with `extra={...}`.
    The file is opened with the first record. Calling it again replaces what the last call set up;
    handlers that others have installed stay. Raises nothing: a log that cannot be written is no
    reason to fail.
    """
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, _Ours)]:
        root.removeHandler(handler)
        handler.close()
    handlers: list[_Ours] = [RotatingFile(paths.logs / FILE_NAME)]
    if stderr_format is not None:
        handlers.append(_Stderr())
    for handler in handlers:
        handler.addFilter(_RedactFilter(redactor, dict(context or {})))
        text = stderr_format == "text" and isinstance(handler, _Stderr)
        handler.setFormatter(_TextLines() if text else JsonLines())
        root.addHandler(handler)
    root.setLevel(level.upper())
    for name in _QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)


class JsonLines(logging.Formatter):
    """One JSON object a line: ts, level, logger, msg, what `extra` gave, and the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": format_timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": record.getMessage(),
            **{k: v for k, v in vars(record).items() if k not in _STANDARD},
        }
        if record.exc_text:
            line["traceback"] = record.exc_text
        return json.dumps(line, ensure_ascii=False, default=str)


class _TextLines(logging.Formatter):
    """`warning: message`, for people."""

    def format(self, record: logging.LogRecord) -> str:
        from lumio_cli.core.redact import escape_control

        line = f"{record.levelname.lower()}: {escape_control(record.getMessage())}"
        if record.exc_text:
            line += "\n" + escape_control(record.exc_text, keep="\n")
        return line


class _RedactFilter(logging.Filter):
    """Takes the secrets out of a record: its message, its extras, its traceback."""

    def __init__(self, redactor: Redactor, context: dict[str, str]) -> None:
        super().__init__()
        self._redactor = redactor
        self._context = context

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # a wrong format string, possibly in a library
            message = str(record.msg)
        record.msg, record.args = self._redactor.text(message), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = self._redactor.text(record.exc_text)
        if record.stack_info:
            record.stack_info = self._redactor.text(record.stack_info)
        # Formatters render `exc_info` anew where they find it: the text stands in for it.
        record.exc_info = None
        extras = {k: v for k, v in vars(record).items() if k not in _STANDARD}
        for name, value in {**self._context, **extras}.items():
            plain = (
                value if isinstance(value, str | int | float | list | dict | None) else str(value)
            )
            setattr(record, name, self._redactor.json({name: plain})[name])
        return True


class _Ours(logging.Handler):
    """Marks the handlers that `configure_logging` may replace."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 logging's own name
        """A full disk or a closed stderr must not end a sync, nor fill the terminal."""


class _Stderr(_Ours):
    """Writes to whatever `sys.stderr` is at the moment: progress bars may have replaced it."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            self.handleError(record)


class RotatingFile(_Ours):
    """A private log file that begins anew at `max_bytes`; `kept` older ones stay (`.1` newest).

    Several lumio processes may write to it: a line is one `write`, and a file that another
    process has rotated away is noticed and left.
    """

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES, kept: int = KEPT_FILES) -> None:
        super().__init__()
        self._path = path
        self._max_bytes = max_bytes
        self._kept = kept
        self._file: IO[bytes] | None = None
        self._guard = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line. Raises nothing."""
        try:
            line = self.format(record).encode("utf-8", "backslashreplace") + b"\n"
            with self._guard:
                self._current(len(line)).write(line)
        except (OSError, ValueError, TypeError):
            self.handleError(record)

    def close(self) -> None:
        """Close the file; the next record opens it again."""
        with self._guard:
            self._drop()
        super().close()

    def _current(self, coming: int) -> IO[bytes]:
        """The open file, with room for `coming` bytes."""
        if self._file is not None and self._rotated_away(self._file):
            self._drop()
        file = self._file or self._open()
        size = os.fstat(file.fileno()).st_size
        if size and size + coming > self._max_bytes:
            file.close()
            self._shift()
            file = self._open()
        self._file = file
        return file

    def _open(self) -> IO[bytes]:
        make_private_dir(self._path.parent)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        return os.fdopen(os.open(self._path, flags, 0o600), "ab", buffering=0)

    def _rotated_away(self, file: IO[bytes]) -> bool:
        try:
            here = self._path.stat()
        except OSError:
            return True
        return not os.path.samestat(here, os.fstat(file.fileno()))

    def _shift(self) -> None:
        for number in range(self._kept - 1, -1, -1):
            source = self._numbered(number)
            if source.exists():
                source.replace(self._numbered(number + 1))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path

    def _drop(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

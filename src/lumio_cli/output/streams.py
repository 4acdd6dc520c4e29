"""The process's own three streams, whatever state they are handed over in: closed, full, or with a
reader that goes away.

What stdout does not take is an error, told once; what stderr does not take is nobody's business. A
closed one is opened first of all: the next file, the hub perhaps, would else take its number, and
what is printed would be written into it.
"""

from __future__ import annotations

import io
import os
import select
import sys
from typing import Any, TextIO

from lumio_cli.core.errors import LumioError


class OutputError(LumioError):
    """Stdout does not take what is printed."""


class _Sink(io.FileIO):
    """A stream's file. After its first failure it takes everything, to nowhere: what is left in
    buffers would fail again and again, to the end of the process."""

    def __init__(self, descriptor: int, *, needed: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._needed = needed
        self._broken = False

    def write(self, data: Any, /) -> int:
        """Raises, where it is needed, BrokenPipeError and `OutputError`."""
        if self._broken:
            return len(data)
        try:
            while (written := super().write(data)) is None:
                # Somebody else has set it not to wait.
                select.select((), (self.fileno(),), ())
        except OSError as error:
            self._broken = True
            if not self._needed:
                return len(data)
            if isinstance(error, BrokenPipeError):
                raise
            raise OutputError(
                f"stdout cannot be written: {error.strerror}",
                code="output_unusable",
                hint="not all of the result was printed; what the command did stays",
            ) from None
        return written


def mend_streams() -> None:
    """Make `sys.stdin`, `sys.stdout` and `sys.stderr` streams that can be used."""
    # Stdout for reading only: what is written there fails, as it would have.
    for number, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, flags), True)
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123 for the process
    sys.stdout = _stream(1, sys.stdout, needed=True)
    sys.stderr = _stream(2, sys.stderr, needed=False)


def _stream(descriptor: int, old: TextIO | None, *, needed: bool) -> io.TextIOWrapper:
    sink = _Sink(descriptor, needed=needed)
    return io.TextIOWrapper(
        io.BufferedWriter(sink),
        encoding=old.encoding if old is not None else "utf-8",
        errors="replace",
        line_buffering=not needed or sink.isatty(),
    )

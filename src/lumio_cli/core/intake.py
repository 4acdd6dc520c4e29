"""Files that lumio is given: read to a limit, and no longer than the run goes on."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from lumio_cli.core.stop import interruptible


class TooLongError(ValueError):
    """There is more than is read."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"it has more than {limit >> 20} MiB")


def read_text(source: Path | IO[str], limit: int, encoding: str = "utf-8-sig") -> str:
    """All of a file, a FIFO or a stream, of at most `limit` bytes (of a stream: characters).

    Raises OSError, UnicodeDecodeError, `TooLongError`, `StoppedError`.
    """
    with interruptible():
        if not isinstance(source, Path):
            text = source.read(limit + 1)
            if len(text) > limit:
                raise TooLongError(limit)
            return text
        with source.open("rb") as file:
            data = file.read(limit + 1)
    if len(data) > limit:
        raise TooLongError(limit)
    return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")

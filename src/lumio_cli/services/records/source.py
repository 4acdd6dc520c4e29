"""The input of `lumio records import`: CSV or JSON lines, a row at a time, however long it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import IO, Literal

from lumio_cli.errors import UsageError
from lumio_cli.services.source import Row, Source

Format = Literal["csv", "jsonl"]


class Input(Source):
    """A `Source` in which nothing is a value, too: it takes a record's value away.

    A row of CSV has a cell for each column of the header, None where it is empty; one of JSON has
    what it names. `format` None: as the file's name or its first character says. Raises
    `UsageError` for a file that cannot be read or whose header makes no sense.
    """

    def __init__(self, path: str, stdin: IO[str], format: Format | None = None) -> None:
        self._format = format
        try:
            super().__init__(path, stdin)
            if format == "csv" and self.columns is None:
                self.kind = "csv"
                self.delimiter, self.columns = self._header()
        except UsageError as error:
            message = error.message.removeprefix("--input").lstrip(": ")
            hint = "the first line of CSV names columns" if error.hint else None
            raise UsageError(message, hint=hint) from None
        if format == "jsonl":
            self.kind, self.columns = "jsonl", None

    def _header(self) -> tuple[str, tuple[str, ...]]:
        # A file may be called .csv and hold JSON: then its first line is no header.
        return ("", ()) if self._format == "jsonl" else super()._header()

    def rows(self) -> Iterator[Row]:
        """The rows from the first on. Only one reading at a time."""
        if self.columns is None:
            yield from self._objects()
            return
        for row in super().rows():
            whole = {} if row.problem else {name: row.cells.get(name) for name in self.columns}
            yield replace(row, cells=whole)

    def _objects(self) -> Iterator[Row]:
        import orjson

        text = self._text()
        try:
            lines = ((n, line) for n, line in enumerate(text, 1) if line.strip())
            for position, (number, line) in enumerate(lines, 1):
                problem = ""
                try:
                    cells = orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    cells, problem = {}, f"it is not JSON: {error.msg}"
                if not isinstance(cells, dict):
                    cells, problem = {}, "it is not a JSON object"
                yield Row(position, number, cells, problem)
        finally:
            text.detach()

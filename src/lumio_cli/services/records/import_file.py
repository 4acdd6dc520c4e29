"""The input of `lumio records import`: CSV or JSON lines, a row at a time, however long it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import IO, Any, Literal

from lumio_cli.core.errors import UsageError
from lumio_cli.services.records.spreadsheet import unmarked
from lumio_cli.services.tabular.row_reader import Source

Format = Literal["csv", "jsonl"]


class Input(Source):
    """A `Source` in which nothing is a value, too: it takes a record's value away.

    A row of CSV has a cell for each column of the header, None where it is empty (not where it is
    blank), without the mark that an export puts before formulas; one of JSON has what it names.
    `format` None: as the file's name or its first character says. Raises `UsageError` for a file
    that cannot be read or whose header makes no sense.
    """

    option = ""

    def __init__(self, path: str, stdin: IO[str], format: Format | None = None) -> None:
        self._format = format
        try:
            super().__init__(path, stdin)
            if format == "csv" and self.columns is None:
                self.kind = "csv"
                self.delimiter, self.columns = self._header()
        except UsageError as error:
            hint = "the first line of CSV names columns" if error.hint else None
            raise UsageError(error.message, hint=hint) from None
        if format == "jsonl":
            self.kind, self.columns = "jsonl", None

    def _header(self) -> tuple[str, tuple[str, ...]]:
        # A file may be called .csv and hold JSON: then its first line is no header.
        return ("", ()) if self._format == "jsonl" else super()._header()

    def _from_csv(self, cells: Iterable[tuple[str, str]]) -> Mapping[str, Any]:
        return {name: unmarked(cell) or None for name, cell in cells}

    def _from_json(self, found: Mapping[str, Any]) -> Mapping[str, Any]:
        return found

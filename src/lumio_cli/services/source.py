"""A file of rows that a command is given: CSV or JSON lines, a row at a time, however long it is.

It is copied once, before anything else, so that what is sent is what was checked and confirmed,
whatever happens to the file meanwhile. A row that cannot be read is a row with a problem; the
others are not held up by it.
"""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, cast

from lumio_cli.errors import UsageError

if TYPE_CHECKING:
    from types import TracebackType

STDIN = "-"
IN_MEMORY = 16 * 1024 * 1024
"""Bytes of input beyond which the copy is a file."""
_KINDS: Mapping[str, Literal["csv", "jsonl"]] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `line` is where it ends in the file; `problem` says why it has no `cells`."""

    position: int
    line: int
    cells: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


class Source:
    """An input that can be read any number of times. A context manager, for the copy.

    `name` is the file's own, without its suffix; `digest` that of its bytes. `columns` are the
    header's, in lower case; None for JSON lines. Raises `UsageError` for a file that cannot be
    read or whose header makes no sense.
    """

    def __init__(self, path: str, stdin: IO[str]) -> None:
        self.name = "stdin" if path == STDIN else Path(path).stem
        self.file = "stdin" if path == STDIN else path
        self._copy = cast(IO[bytes], tempfile.SpooledTemporaryFile(IN_MEMORY))  # noqa: SIM115
        try:
            self._fill(path, stdin)
            self.digest = self._digest()
            self.kind = _KINDS.get(Path(path).suffix.lower()) or self._guess()
            self.columns: tuple[str, ...] | None = None
            if self.kind == "csv":
                self.delimiter, self.columns = self._header()
        except BaseException:
            self._copy.close()
            raise

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._copy.close()

    def rows(self) -> Iterator[Row]:
        """The rows from the first on. Only one reading at a time."""
        text = self._text()
        try:
            found = self._csv_rows(text) if self.kind == "csv" else _json_rows(text)
            for position, (line, cells, problem) in enumerate(found, 1):
                yield Row(position, line, cells, problem)
        finally:
            text.detach()

    # -- inside

    def _fill(self, path: str, stdin: IO[str]) -> None:
        if path == STDIN:
            raw = getattr(stdin, "buffer", None)
            if raw is not None:
                shutil.copyfileobj(raw, self._copy)
            else:
                self._copy.write(stdin.read().encode("utf-8", "surrogateescape"))
            return
        try:
            with Path(path).open("rb") as file:
                shutil.copyfileobj(file, self._copy)
        except OSError as error:
            raise UsageError(f"--input {path}: {error.strerror}") from None

    def _digest(self) -> bytes:
        state = blake2b(digest_size=16)
        self._copy.seek(0)
        while chunk := self._copy.read(1 << 20):
            state.update(chunk)
        return state.digest()

    def _text(self) -> io.TextIOWrapper:
        """The text. Bytes that are none become lone surrogates, which the row is refused for."""
        self._copy.seek(0)
        utf16 = self._copy.read(2) in (b"\xff\xfe", b"\xfe\xff")
        self._copy.seek(0)
        encoding = "utf-16" if utf16 else "utf-8-sig"
        # Rows of JSON end with \n; csv does its own with other ends inside of quotes.
        newline = "" if self.kind == "csv" else "\n"
        return io.TextIOWrapper(
            cast(Any, self._copy), encoding=encoding, errors="surrogateescape", newline=newline
        )

    def _guess(self) -> Literal["csv", "jsonl"]:
        self.kind = "csv"
        text = self._text()
        start = text.read(4096).lstrip()
        text.detach()
        return "jsonl" if start.startswith("{") else "csv"

    def _header(self) -> tuple[str, tuple[str, ...]]:
        text = self._text()
        line = text.readline()
        text.detach()
        if not line.strip():
            raise UsageError(
                f"--input: {self.file} begins without a header",
                hint="the first line names the columns: to, and the fields of the message",
            )
        delimiter = max(",;\t|", key=line.count)
        names = tuple(c.strip().lower() for c in next(csv.reader([line], delimiter=delimiter)))
        if double := {n for n in names if names.count(n) > 1}:
            raise UsageError(f"--input: the header of {self.file} names {min(double)!r} twice")
        return delimiter, names

    def _csv_rows(self, text: IO[str]) -> Iterator[tuple[int, dict[str, Any], str]]:
        assert self.columns is not None  # noqa: S101 a CSV has a header
        reader = csv.reader(text, delimiter=self.delimiter, strict=True)
        next(reader)
        while True:
            begin = reader.line_num + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                problem = str(error)
                if reader.line_num > begin:
                    problem = f"a quote of line {begin} is not closed in time ({problem})"
                yield reader.line_num, {}, problem
                continue
            if not any(cell.strip() for cell in row):
                continue
            problem = ""
            if len(row) != len(self.columns):
                problem = f"it has {len(row)} cells, and the header {len(self.columns)}"
            elif any(map(_is_broken, row)):
                problem = "it is not UTF-8"
            cells = {n: c for n, c in zip(self.columns, row, strict=False) if c.strip()}
            yield reader.line_num, {} if problem else cells, problem


def _json_rows(text: IO[str]) -> Iterator[tuple[int, dict[str, Any], str]]:
    import orjson

    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        try:
            cells = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            problem = "it is not UTF-8" if _is_broken(line) else f"it is not JSON: {error.msg}"
            yield number, {}, problem
            continue
        if not isinstance(cells, dict):
            yield number, {}, "it is not a JSON object"
            continue
        yield number, {n: v for n, v in cells.items() if v is not None and v != ""}, ""


def _is_broken(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text)

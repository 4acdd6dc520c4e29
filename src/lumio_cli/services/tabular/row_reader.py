"""A file of rows that a command is given: CSV or JSON lines, a row at a time, however long it is.

It is copied once, before anything else, so that what is sent is what was checked and confirmed,
whatever happens to the file meanwhile. A row that cannot be read is a row with a problem; the
others are not held up by it, unless nobody can say where they begin.
"""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, Literal, cast

from lumio_cli.core.errors import UsageError
from lumio_cli.core.stop import interruptible
from lumio_cli.services.tabular.exact_json import decode_object, is_broken, readable

if TYPE_CHECKING:
    from _csv import Reader
    from types import TracebackType

STDIN = "-"
IN_MEMORY = 16 * 1024 * 1024
"""Bytes of input beyond which the copy is a file."""
LONGEST_CELL = 1 << 24
"""Characters of a cell or a line: far more than a record may have, and few enough for the memory
where a quote is not closed or a line never ends."""
MOST_COLUMNS = 10_000
"""Columns of a file, at most: far more than any provider has fields."""
_UNCLOSED = "a quote of line {} is not closed: nothing from that line on was read"
_KINDS: Mapping[str, Literal["csv", "jsonl"]] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}


Raw = str | Sequence[str]
_Read = tuple[int, Mapping[str, Any], str, Raw]
"""A row but for its position."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `line` is where it ends in the file, or where it begins if nobody knows its end.
    `problem` says why it has no `cells`: then `raw` is what was read of it, cell by cell or, where
    there are none, as the text of its line.
    """

    position: int
    line: int
    cells: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    raw: Raw = ""


class Source:
    """An input that can be read any number of times. A context manager, for the copy.

    `name` is the file's own, without its suffix; `digest` that of its bytes, however its lines
    end. `columns` are the
    header's, in lower case; None for JSON lines. Raises `UsageError` for a file that cannot be
    read or whose header makes no sense.
    """

    option: ClassVar[str] = "--input: "
    """How messages begin."""

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
            found = self._csv_rows(text) if self.kind == "csv" else self._json_rows(text)
            for position, read in enumerate(found, 1):
                yield Row(position, *read)
        except UnicodeDecodeError as error:
            raise self._cut_off(error) from None
        finally:
            text.detach()

    # -- inside

    def _fill(self, path: str, stdin: IO[str]) -> None:
        if path == STDIN:
            raw = getattr(stdin, "buffer", None)
            with interruptible():
                if raw is not None:
                    shutil.copyfileobj(raw, self._copy)
                else:
                    self._copy.write(stdin.read().encode("utf-8", "surrogateescape"))
            return
        try:
            with interruptible(), Path(path).open("rb") as file:
                shutil.copyfileobj(file, self._copy)
        except OSError as error:
            raise UsageError(f"{self.option}{path}: {error.strerror}") from None

    def _cut_off(self, error: UnicodeDecodeError) -> UsageError:
        """UTF-8 is read whatever it is, and each row judged. Half a unit of UTF-16 is not."""
        return UsageError(f"{self.option}{self.file} is no whole text in {error.encoding}")

    def _digest(self) -> bytes:
        state = blake2b(digest_size=16)
        self._copy.seek(0)
        held = b""
        while chunk := self._copy.read(1 << 20):
            chunk = held + chunk
            # The two characters of a line's end may lie in two pieces.
            held = b"\r" if chunk.endswith(b"\r") else b""
            state.update(chunk.removesuffix(b"\r").replace(b"\r\n", b"\n"))
        state.update(held)
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
        try:
            line = next(self._lines(text), "")
            if not line.strip():
                raise UsageError(
                    f"{self.option}{self.file} begins without a header",
                    hint="the first line names the columns: to, and the fields of the message",
                )
            delimiter = max(",;\t|", key=line.count)
            found = next(_reader(chain([line], self._lines(text)), delimiter))
        except UnicodeDecodeError as error:
            raise self._cut_off(error) from None
        except csv.Error:
            raise UsageError(
                f"{self.option}the quotes in the header of {self.file} do not match"
            ) from None
        finally:
            text.detach()
        if len(found) > MOST_COLUMNS:
            raise UsageError(
                f"{self.option}the header of {self.file} has {len(found)} columns, and at most "
                f"{MOST_COLUMNS} are read"
            )
        names = tuple(name.strip().lower() for name in found)
        if double := [name for name, times in Counter(names).items() if times > 1]:
            raise UsageError(f"{self.option}the header of {self.file} names {min(double)!r} twice")
        return delimiter, names

    def _csv_rows(self, text: IO[str]) -> Iterator[_Read]:
        assert self.columns is not None  # noqa: S101 a CSV has a header
        first: list[str] = []
        reader = _reader(_noting(self._lines(text), first), self.delimiter)
        next(reader)
        while True:
            begin = reader.line_num + 1
            first.clear()
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                line = first[0]
                # The reader starts afresh on the next line, which may lie inside of a cell: what a
                # cell says would become rows.
                whole = reader.line_num == begin and not self._ends_in_quotes(line)
                problem = str(error) if whole else _UNCLOSED.format(begin)
                yield begin, {}, problem, readable(line.rstrip("\r\n"))
                if not whole:
                    return
                continue
            if not any(cell.strip() for cell in row):
                continue
            problem = ""
            if len(row) != len(self.columns):
                problem = f"it has {len(row)} cells, and the header {len(self.columns)}"
            elif any(map(is_broken, row)):
                problem = "it is not UTF-8"
            if problem:
                kept = row[:MOST_COLUMNS]
                yield reader.line_num, {}, problem, [readable(cell) for cell in kept]
            else:
                cells = zip(self.columns, row, strict=True)
                yield reader.line_num, self._from_csv(cells), "", ""

    def _lines(self, text: IO[str]) -> Iterator[str]:
        """The lines. Raises `UsageError` for one that is longer than any row."""
        number = 0
        while line := text.readline(LONGEST_CELL + 1):
            number += 1
            if len(line) > LONGEST_CELL:
                raise UsageError(
                    f"{self.option}line {number} of {self.file} has more than "
                    f"{LONGEST_CELL:,} characters",
                    hint="is it a text file, with one record a line?",
                )
            yield line

    def _ends_in_quotes(self, line: str) -> bool:
        """Whether a line that is wrong, read as generously as can be, goes on on the next one."""
        return len(list(csv.reader([line, "next"], delimiter=self.delimiter))) == 1

    def _json_rows(self, text: IO[str]) -> Iterator[_Read]:
        for number, line in enumerate(self._lines(text), 1):
            if not line.strip():
                continue
            try:
                found = decode_object(line)
            except ValueError as error:
                yield number, {}, str(error), readable(line.rstrip("\r\n"))
            else:
                yield number, self._from_json(found), "", ""

    def _from_csv(self, cells: Iterable[tuple[str, str]]) -> Mapping[str, Any]:
        """What a row gives; blanks are nothing."""
        return {name: cell for name, cell in cells if cell.strip()}

    def _from_json(self, found: Mapping[str, Any]) -> Mapping[str, Any]:
        return {name: value for name, value in found.items() if value is not None and value != ""}


def _reader(lines: Iterable[str], delimiter: str) -> Reader:
    # The limit is the process's own. What it is by default a field of a record may well exceed.
    csv.field_size_limit(LONGEST_CELL)
    return csv.reader(lines, delimiter=delimiter, strict=True)


def _noting(text: Iterable[str], first: list[str]) -> Iterator[str]:
    """The lines of a text. One that finds `first` empty is put there."""
    for line in text:
        if not first:
            first.append(line)
        yield line

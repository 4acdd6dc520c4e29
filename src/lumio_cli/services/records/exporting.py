"""`lumio records export`: a view's rows as CSV or JSON lines, written as they are read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from lumio_cli.core.errors import UsageError
from lumio_cli.core.paths import expand, written_whole
from lumio_cli.core.redact import escape_control
from lumio_cli.hub.sqlite import view_queries
from lumio_cli.services.records.import_file import Format
from lumio_cli.services.records.resource_view import find
from lumio_cli.services.records.spreadsheet import is_formula, marked

if TYPE_CHECKING:
    from lumio_cli.runtime import Runtime

_BETWEEN = 1000
"""Rows between two looks at whether to stop."""
_FORMS: dict[str, Format] = {"": "csv", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
"""Forms by the suffix of a file."""


@dataclass(frozen=True, slots=True)
class Exported:
    """How many records were written, in which form, and where to; None: to stdout. `formulas`
    cells look like formulas to a spreadsheet; `safe`: each has a mark that keeps it a text."""

    target: str
    records: int
    format: Format
    path: Path | None
    safe: bool
    formulas: int

    def as_json(self) -> dict[str, Any]:
        """For `--output json`."""
        return {
            "target": self.target,
            "records": self.records,
            "format": self.format,
            "file": None if self.path is None else str(self.path),
            "safe": self.safe,
            "formulas": self.formulas,
        }


def export(
    runtime: Runtime,
    target: str,
    *,
    where: str = "",
    columns: str | None = None,
    format: Format | None = None,
    out: str | None = None,
    payload: bool = False,
    safe: bool | None = None,
) -> Exported:
    """Write a resource's records to the file `out`, whole or not at all, or to stdout.

    `columns` are names with commas between them, None: the id and all that the provider gives.
    `format` None: as the file's suffix says; to stdout CSV, or with `--output json` JSON lines.
    `payload`: the provider's own JSON instead of columns, of those records that it has. `safe`
    marks cells of CSV that a spreadsheet would take for formulas; None: in a file called .csv.

    Raises `UsageError` for names, suffixes and conditions that make no sense and for a file that
    cannot be written, `LumioError`.
    """
    place = find(runtime, target)
    path = None if out is None else expand(out, UsageError).absolute()
    form = format or ("jsonl" if payload else _form(runtime, path))
    if payload and (form == "csv" or columns):
        raise UsageError("--payload needs JSON lines and no --columns", hint="--format jsonl")
    if safe is None:
        safe = path is not None and path.suffix.lower() == ".csv"
    safe = safe and form == "csv"
    names = ["_payload"] if payload else place.chosen(columns) or ["id", *place.fields]
    count, formulas = 0, 0
    with place.reading(runtime) as db:
        rows = view_queries.select(db, place.view, names, where=where)
        if payload:
            # The provider has nothing of what is yet to be created.
            rows = (row for row in rows if row[0] is not None)
        # A condition that makes no sense is told of before anything is written.
        first = list(islice(rows, 1))
        with _opened(runtime, path) as (stream, terminal):
            write = _writer(
                runtime, stream, names, form, payload=payload, terminal=terminal, safe=safe
            )
            for count, row in enumerate(chain(first, rows), 1):
                if form == "csv":
                    formulas += sum(map(is_formula, row))
                write(row)
                if count % _BETWEEN == 0:
                    runtime.stop.check()
    return Exported(place.target, count, form, path, safe, formulas)


def _form(runtime: Runtime, path: Path | None) -> Format:
    """The form that nobody has named."""
    if path is None:
        return "jsonl" if runtime.output.mode == "json" else "csv"
    form = _FORMS.get(path.suffix.lower())
    if form is None:
        raise UsageError(
            f"--out {path}: lumio writes no {path.suffix} files",
            hint="name it .csv or .jsonl, or say --format csv or --format jsonl",
        )
    return form


def _writer(
    runtime: Runtime,
    stream: IO[str],
    names: Sequence[str],
    format: Format,
    *,
    payload: bool,
    terminal: bool,
    safe: bool,
) -> Callable[[Sequence[Any]], object]:
    """What writes one row. On a terminal nothing gets through that it would act upon."""
    if format == "csv":
        table = csv.writer(stream, lineterminator="\n")
        # Not every Python quotes a cell for a line end that is not the table's own.
        quoted = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)

        def cells(row: Sequence[Any]) -> None:
            found = [marked(value, safe=safe) for value in row]
            found = [_escaped(value) for value in found] if terminal else found
            ends = any(isinstance(value, str) and "\r" in value for value in found)
            (quoted if ends else table).writerow(found)

        cells(names)
        return cells
    if payload and not terminal:
        return lambda row: stream.write(f"{row[0]}\n")

    import orjson

    def line(row: Sequence[Any]) -> None:
        found = json.loads(row[0]) if payload else dict(zip(names, row, strict=True))
        text = runtime.output.encode(found) if terminal else orjson.dumps(found).decode()
        stream.write(f"{text}\n")

    return line


def _escaped(value: Any) -> Any:
    return escape_control(value) if isinstance(value, str) else value


@contextmanager
def _opened(runtime: Runtime, path: Path | None) -> Iterator[tuple[IO[str], bool]]:
    """Where to write, in UTF-8 whatever the locale; and whether it is a terminal."""
    if path is None:
        with _stdout(runtime) as found:
            yield found
        return
    try:
        with written_whole(path) as file:
            yield file, file.isatty()
    except OSError as error:
        raise UsageError(f"--out {path}: {error.strerror}") from None


@contextmanager
def _stdout(runtime: Runtime) -> Iterator[tuple[IO[str], bool]]:
    stdout = runtime.output.stdout
    raw = getattr(stdout, "buffer", None)
    if raw is None or stdout.isatty():
        yield stdout, stdout.isatty()
        return
    stdout.flush()
    text = io.TextIOWrapper(raw, encoding="utf-8", newline="", write_through=False)
    try:
        yield text, False
    finally:
        # The buffer is the process's own, and goes on after this.
        text.detach()

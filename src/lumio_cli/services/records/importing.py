"""`lumio records import`: rows of a file become edits of the hub, however many they are.

A row that does not fit is rejected and told of; the others are not held up by it. What a record
says already is no edit, nor is what was sent before and the provider keeps in a form of its own: so
the same file can be imported again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, Literal, NamedTuple

from lumio_cli.core.errors import UsageError
from lumio_cli.core.paths import expand
from lumio_cli.core.progress import NoProgress, Progress
from lumio_cli.hub.sqlite import view_queries
from lumio_cli.providers.contract.fields import suggest
from lumio_cli.providers.contract.values import meaning
from lumio_cli.services.records.import_file import Format, Input
from lumio_cli.services.records.resource_view import Place, find
from lumio_cli.services.records.values import given, is_nothing
from lumio_cli.services.tabular.row_reader import STDIN
from lumio_cli.sync.merging.forms import as_kept
from lumio_cli.sync.merging.merge import same

if TYPE_CHECKING:
    import sqlite3

    from lumio_cli.hub.sqlite.columns import ViewColumn
    from lumio_cli.runtime import Runtime
    from lumio_cli.services.tabular.row_reader import Row

BATCH = 1000
"""Rows of one transaction."""
KEPT = 1000
"""Rows that the result tells of; `--report` has all that are rejected."""
MANY = ""
"""In the place of an id: more than one record has the key."""

Outcome = Literal["created", "updated", "unchanged", "rejected"]


@dataclass(frozen=True, slots=True)
class Request:
    """What to bring in.

    file     a path, or `-` for stdin
    key      the column that says which record a row is about
    create   make records of rows that are about none
    dry_run  change nothing, and tell what would become of each row
    report   a file for the rejected rows, as JSON lines
    """

    file: str
    key: str = "id"
    format: Format | None = None
    create: bool = False
    dry_run: bool = False
    report: str | None = None


@dataclass(slots=True)
class Imported:
    """What became of the rows. Of those that are not unchanged, at most `KEPT` are told."""

    target: str
    dry_run: bool
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    _told: list[dict[str, Any]] = field(default_factory=list)
    _refused: list[dict[str, Any]] = field(default_factory=list)

    def add(self, told: dict[str, Any]) -> None:
        """Count a row, and keep it if there is room: rejected ones come first."""
        outcome = told["outcome"]
        setattr(self, outcome, getattr(self, outcome) + 1)
        kept = self._refused if outcome == "rejected" else self._told
        if outcome != "unchanged" and len(kept) < KEPT:
            kept.append(told)

    @property
    def refused(self) -> Sequence[Mapping[str, Any]]:
        """The first rejected rows."""
        return self._refused

    def counts(self) -> dict[str, int]:
        """How many rows came to what."""
        names = ("created", "updated", "unchanged", "rejected")
        return {name: getattr(self, name) for name in names}

    def as_json(self) -> dict[str, Any]:
        """For `--output json`."""
        kept = [*self._refused, *self._told][:KEPT]
        return {
            "target": self.target,
            "dry_run": self.dry_run,
            **self.counts(),
            "rows": sorted(kept, key=lambda told: int(told["line"])),
        }


def import_records(
    runtime: Runtime, target: str, request: Request, progress: Progress | None = None
) -> Imported:
    """Edit, and with `create` make, the records that a file's rows are about.

    An empty value takes a record's value away; a column that a row does not name stays as it is.
    Raises `UsageError` for a file or a header that makes no sense (then nothing is changed),
    `LumioError`; of what was committed before an error or a stop, everything stays.
    """
    place = find(runtime, target)
    if request.create and not place.abilities.create:
        raise UsageError(
            f"records of {place.view} cannot be created here: lumio has no way to do so at"
            f" {place.provider}"
        )
    shows = progress or NoProgress()
    done = Imported(target, request.dry_run)
    with Input(request.file, runtime.stdin, request.format) as source:
        importer = _Importer(runtime, place, request, source.columns)
        with _report(request.report) as report:
            shows.start(target, None, detail="import")
            rows = source.rows()
            while batch := list(islice(rows, BATCH)):
                runtime.stop.check()
                for row, told in zip(batch, importer.take(batch), strict=True):
                    done.add(told)
                    if report is not None and told["outcome"] == "rejected":
                        line = {**told, "row": row.raw if row.problem else row.cells}
                        report.write(json.dumps(line, ensure_ascii=False) + "\n")
                shows.advance(target, len(batch))
    told = {"failed": done.rejected, **done.counts()}
    shows.finish(target, {"status": "partial" if done.rejected else "succeeded", **told})
    return done


@dataclass(slots=True)
class _Wanted:
    """A row, read: the record that it is about (None: none) and the values that it gives."""

    line: int
    record: str | None = None
    key: Any = None
    values: dict[str, Any] = field(default_factory=dict)
    problem: str = ""


class _Misfit(NamedTuple):
    """A value that does not fit its column, and why. It stands where the provider has it itself."""

    value: Any
    reason: str


class _Importer:
    def __init__(
        self, runtime: Runtime, place: Place, request: Request, header: Sequence[str] | None
    ) -> None:
        self.runtime, self.place, self.request = runtime, place, request
        self.key = place.column(request.key)
        self.by_id = self.key.name == "id"
        self.known: dict[str, ViewColumn] = {}
        if header is not None:
            self._check(header)
        self.index = None if self.by_id else self._index()
        self.made: dict[Any, int] = {}

    def take(self, batch: Sequence[Row]) -> list[dict[str, Any]]:
        """Apply some rows, in one transaction; what became of each."""
        wanted = [self._read(row) for row in batch]
        ids = list(dict.fromkeys(w.record for w in wanted if w.record))
        names = {self.key.name: None}
        names |= dict.fromkeys(name for w in wanted for name in w.values)
        told = []
        with self._open() as db:
            current = view_queries.shown(db, self.place.view, names, ids)
            for want in wanted:
                outcome, reason = self._apply(db, want, current)
                told.append(
                    {"line": want.line, "id": want.record, "outcome": outcome, "reason": reason}
                )
        return told

    # -- what a row says

    def _check(self, header: Sequence[str]) -> None:
        file = "stdin" if self.request.file == STDIN else self.request.file
        names = {name.lower() for name in self.place.columns}
        if unknown := [name for name in header if name not in names]:
            listed = ", ".join(map(repr, unknown))
            raise UsageError(
                f"{file}: {self.place.view} has no column {listed}",
                hint=suggest(unknown[0], self.place.columns, "columns"),
            )
        if self.key.name.lower() not in header:
            raise UsageError(
                f"{file}: there is no column {self.key.name}, which says what record a row is",
                hint="--key COLUMN names another, such as email",
            )

    def _column(self, name: str) -> ViewColumn:
        found = self.known.get(name)
        if found is None:
            found = self.known[name] = self.place.column(name)
        return found

    def _read(self, row: Row) -> _Wanted:
        want = _Wanted(row.line, problem=row.problem)
        if row.problem:
            return want
        try:
            for name, value in row.cells.items():
                column = self._column(name)
                want.values[column.name] = _fitted(column, value)
        except UsageError as error:
            want.problem = error.message
        key = want.values.get(self.key.name)
        if isinstance(key, _Misfit):
            want.problem, key = key.reason, None
        elif key is not None and not str(key).strip():
            key = None
        if self.by_id:
            want.values.pop("id", None)
            want.record = key
        elif key is not None:
            want.key = self._meaning(key)
            want.record = (self.index or {}).get(want.key)
        elif not want.problem:
            want.problem = f"it has no {self.key.name}"
        if want.record == MANY and not self.by_id:
            want.record = None
            want.problem = want.problem or f"more than one record has this {self.key.name}"
        return want

    def _meaning(self, value: Any) -> Any:
        return meaning(self.key.kind, self.key.same, value)

    def _index(self) -> dict[Any, str]:
        """Ids by what the key means to the provider; `MANY` where they are many."""
        found: dict[Any, str] = {}
        with self.place.reading(self.runtime) as db:
            for record, value in view_queries.select(db, self.place.view, ["id", self.key.name]):
                key = self._meaning(value)
                if key is not None:
                    found[key] = MANY if key in found else record
        return found

    # -- what becomes of it

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        if self.request.dry_run:
            with self.place.reading(self.runtime) as db:
                yield db
            return
        with self.runtime.hub.transaction() as db:
            yield db

    def _apply(
        self, db: sqlite3.Connection, want: _Wanted, current: dict[str, dict[str, Any]]
    ) -> tuple[Outcome, str | None]:
        if want.problem:
            return "rejected", want.problem
        try:
            if want.record is None:
                return self._make(db, want)
            return self._edit(db, want, current.get(want.record))
        except UsageError as error:
            return "rejected", error.message

    def _edit(
        self, db: sqlite3.Connection, want: _Wanted, now: dict[str, Any] | None
    ) -> tuple[Outcome, str | None]:
        place, record = self.place, want.record
        assert record is not None  # noqa: S101 `_apply` looks at it
        if now is None:
            return "rejected", "there is no such record"
        if not self.by_id and self._meaning(now[self.key.name]) != want.key:
            return "rejected", f"its {self.key.name} has changed meanwhile"
        fixed = "" if place.abilities.update else f"records of {place.view} cannot be changed here"
        new = {}
        for name, value in want.values.items():
            column = place.columns[name]
            if isinstance(value, _Misfit):
                if str(value.value) != str(now[name]):
                    return "rejected", value.reason
            elif not same(column, now[name], value):
                if not column.read_only:
                    new[name] = value
                elif value is not None:
                    return "rejected", fixed or f"{name} is read-only"
        if new:
            kept = as_kept(db, (place.provider, place.resource), place.columns, record, new)
            new = {n: v for n, v in kept.items() if not same(place.columns[n], now[n], v)}
        if not new:
            return "unchanged", None
        if fixed:
            return "rejected", fixed
        place.require_options(new)
        if not self.request.dry_run:
            view_queries.update(db, place.view, record, new)
        now.update(new)
        return "updated", None

    def _make(self, db: sqlite3.Connection, want: _Wanted) -> tuple[Outcome, str | None]:
        if not self.request.create:
            about = "it has no id" if self.by_id else f"no record has this {self.key.name}"
            return "rejected", f"{about} (--create makes one)"
        values = {name: value for name, value in want.values.items() if value is not None}
        for name, value in values.items():
            if isinstance(value, _Misfit):
                return "rejected", value.reason
            if self.place.columns[name].read_only:
                return "rejected", f"{name} is read-only"
        if not values:
            return "rejected", "it has no values"
        self.place.require_options(values)
        if want.key in self.made:
            before = self.made[want.key]
            return "rejected", f"line {before} makes a record with the same {self.key.name}"
        if not self.request.dry_run:
            view_queries.insert(db, self.place.view, values)
        if not self.by_id:
            self.made[want.key] = want.line
        return "created", None


def _fitted(column: ViewColumn, value: Any) -> Any:
    """The value as the view would show it. One that can only be compared stays as it is."""
    if column.read_only and not is_nothing(column, value) and not isinstance(value, dict | list):
        try:
            meaning(column.kind, column.same, str(value))
        except (ValueError, RecursionError):  # digits or levels without end
            return _Misfit(value, f"{column.name} is read-only")
        return str(value)
    try:
        return given(column, value)
    except ValueError as error:
        return _Misfit(value, str(error))


@contextmanager
def _report(path: str | None) -> Iterator[IO[str] | None]:
    if path is None:
        yield None
        return
    try:
        with expand(path, UsageError).open("w", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise UsageError(f"--report {path}: {error.strerror}") from None

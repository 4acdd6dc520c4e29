"""Tables: one model, three forms. rich draws it on a terminal, TSV is for everything else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import IO, Any

from lumio_cli.output.cells import NUMERIC, Kind, for_people, for_programs
from lumio_cli.output.style import Look, tsv_escape

Row = Mapping[str, Any] | Sequence[Any]

_RICH_STYLE = {"good": "green", "bad": "red", "warn": "yellow", "accent": "cyan", "strong": "bold"}


# A line of dashes under the header and nothing else, as rich's SIMPLE_HEAD has it.
_ASCII_BOX = "    \n    \n -- \n    \n    \n    \n    \n    \n"

# What is left to a column of words that wraps, before other columns are left out for it.
_WRAPPED = 24


@dataclass(frozen=True, slots=True)
class Col:
    """A column. `name` is its key in rows and its TSV header, `title` what people read.

    `drop` above 0: may be left out where the terminal is too narrow, the highest first. `rare`:
    is left out for people where no row has a value. TSV and JSON are always complete.
    """

    name: str
    title: str = ""
    kind: Kind = "text"
    drop: int = 0
    rare: bool = False

    @property
    def heading(self) -> str:
        """The title, or the name as words."""
        return self.title or self.name.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows are mappings by column name, or sequences in column order.

    `title` stands above it, `empty` instead of it where there are no rows; both for people only.
    """

    columns: Sequence[Col]
    rows: Iterable[Row]
    title: str = ""
    empty: str = ""
    footer: str = ""

    def cells(self, row: Row) -> list[Any]:
        """The row's values, in column order; a key that is absent is None."""
        if isinstance(row, Mapping):
            return [row.get(column.name) for column in self.columns]
        return list(row)


def write_tsv(table: Table, stream: IO[str]) -> None:
    """A header line, then one line a row; written as the rows come."""
    stream.write("\t".join(tsv_escape(column.name) for column in table.columns) + "\n")
    for row in table.rows:
        values = zip(table.columns, table.cells(row), strict=True)
        stream.write("\t".join(for_programs(column.kind, value) for column, value in values) + "\n")


def write_table(table: Table, stream: IO[str], look: Look, now: datetime) -> None:
    """The table as people like it, fitted to the terminal's width. Ids wrap, nothing is cut."""
    rows = list(table.rows)
    table = replace(table, columns=_needed(table, rows), rows=[_as_mapping(table, r) for r in rows])
    body = [
        [
            for_people(column.kind, value, look, now)
            for column, value in zip(table.columns, table.cells(row), strict=True)
        ]
        for row in table.rows
    ]
    if table.title:
        stream.write(look.paint(table.title, "strong") + "\n")
    if not body:
        stream.write((table.empty or "nothing to show") + "\n")
        return
    shown, hidden = _fit(table.columns, body, look.width)
    _draw(table.columns, body, shown, stream, look)
    if hidden:
        names = ", ".join(table.columns[i].heading for i in hidden)
        stream.write(look.paint(f"(too narrow for: {names}; see -o tsv)", "dim") + "\n")
    if table.footer:
        stream.write(table.footer + "\n")


def _as_mapping(table: Table, row: Row) -> Mapping[str, Any]:
    return dict(zip((c.name for c in table.columns), table.cells(row), strict=True))


def _needed(table: Table, rows: Sequence[Row]) -> list[Col]:
    """The columns without those rare ones that have nothing to say this time."""
    cells = [_as_mapping(table, row) for row in rows]
    return [c for c in table.columns if not c.rare or any(row[c.name] for row in cells)]


def _fit(
    columns: Sequence[Col], body: Sequence[Sequence[tuple[str, str]]], width: int | None
) -> tuple[list[int], list[int]]:
    """The indexes of the columns to show, and of those for which there is no room."""
    from rich.cells import cell_len

    needs = []
    for i, column in enumerate(columns):
        natural = max(cell_len(column.heading), *(cell_len(row[i][0]) for row in body))
        wraps = column.kind in ("text", "list")
        needs.append((min(natural, _WRAPPED) if wraps else natural) + 3)
    shown = list(range(len(columns)))
    by_drop = sorted((i for i in shown if columns[i].drop), key=lambda i: -columns[i].drop)
    for i in by_drop:
        if width is None or sum(needs[k] for k in shown) - 3 <= width:
            break
        shown.remove(i)
    return shown, [i for i in range(len(columns)) if i not in shown]


def _draw(
    columns: Sequence[Col],
    body: Sequence[Sequence[tuple[str, str]]],
    shown: Sequence[int],
    stream: IO[str],
    look: Look,
) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    grid = RichTable(
        box=box.SIMPLE_HEAD if look.unicode else box.Box(_ASCII_BOX, ascii=True),
        show_edge=False,
        pad_edge=False,
        padding=(0, 1),
        header_style="bold",
        safe_box=True,
    )
    for i in shown:
        column = columns[i]
        grid.add_column(
            Text(column.heading),
            justify="right" if column.kind in NUMERIC else "left",
            overflow="fold",
            no_wrap=column.kind in NUMERIC | {"status", "time"},
            # Ids are copied by hand: where there is no room, other columns wrap first.
            min_width=min(12, max(len(row[i][0]) for row in body)) if column.kind == "id" else None,
        )
    for row in body:
        grid.add_row(*(Text(row[i][0], style=_RICH_STYLE.get(row[i][1], row[i][1])) for i in shown))
    console = Console(
        file=stream,
        width=look.width or 10_000,
        color_system="standard" if look.color else None,
        force_terminal=look.color,
        no_color=not look.color,
        markup=False,
        highlight=False,
        emoji=False,
        legacy_windows=False,
    )
    with console.capture() as captured:
        console.print(grid)
    for line in captured.get().splitlines():
        stream.write(line.rstrip() + "\n")

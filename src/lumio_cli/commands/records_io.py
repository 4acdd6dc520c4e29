"""`lumio records export` and `import`, and the words that all of `lumio records` shares."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from lumio_cli.commands.common import runtime_of
from lumio_cli.services.shell.completion import complete_target

Target = Annotated[
    str,
    typer.Argument(metavar="TARGET", help="PROVIDER/RESOURCE.", autocompletion=complete_target),
]
Id = Annotated[str, typer.Argument(metavar="ID", help="A record's id.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID", help="The records' ids.")]
SomeIds = Annotated[list[str] | None, typer.Argument(metavar="ID", help="The records' ids.")]
Values = Annotated[
    list[str], typer.Argument(metavar="NAME=VALUE", help="A column's new value; NAME= clears it.")
]
Where = Annotated[
    str, typer.Option(metavar="CONDITION", help="Only records for which this SQL is true.")
]
Columns = Annotated[
    str | None, typer.Option(metavar="A,B", help="Only these columns, in this order.")
]
Form = Annotated[
    Literal["csv", "jsonl"] | None,
    typer.Option("--format", help="The form; by default as the file's name says."),
]
Out = Annotated[
    str | None, typer.Option(metavar="FILE", help="Write it there, whole or not at all.")
]
Payload = Annotated[bool, typer.Option("--payload", help="The provider's own JSON, a line each.")]
File = Annotated[str, typer.Argument(metavar="FILE", help="CSV or JSON lines; - is stdin.")]
Key = Annotated[
    str, typer.Option(metavar="COLUMN", help="The column that says which record a row is about.")
]
Create = Annotated[
    bool, typer.Option("--create/--no-create", help="Make records of rows that are about none.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell what would be done, and do nothing.")]
Report = Annotated[
    str | None, typer.Option(metavar="FILE", help="Write the rejected rows there, as JSON lines.")
]
Safe = Annotated[
    bool | None,
    typer.Option(
        "--safe/--no-safe",
        help="Mark cells of CSV that a spreadsheet would compute. On for a file called .csv.",
        show_default=False,
    ),
]


def export_records(
    ctx: typer.Context,
    target: Target,
    where: Where = "",
    columns: Columns = None,
    form: Form = None,
    out: Out = None,
    payload: Payload = False,
    safe: Safe = None,
) -> None:
    """Write records as CSV or JSON lines, to stdout or to a file."""
    from lumio_cli.services.records.exporting import export

    output = runtime_of(ctx).output
    done = export(
        runtime_of(ctx),
        target,
        where=where,
        columns=columns,
        format=form,
        out=out,
        payload=payload,
        safe=safe,
    )
    if done.formulas and done.safe:
        output.note(
            f"{done.formulas:,} cells look like formulas: each has a ' before it, which an import "
            "takes away (--no-safe writes none)"
        )
    elif done.formulas and safe is None:
        output.warn(
            f"{done.formulas:,} cells look like formulas to a spreadsheet", hint="--safe marks them"
        )
    if done.path is not None:
        output.result(done.as_json())
        output.line(f"{done.records:,} records written to {done.path}")


def import_records(
    ctx: typer.Context,
    target: Target,
    file: File,
    key: Key = "id",
    form: Form = None,
    create: Create = False,
    dry_run: DryRun = False,
    report: Report = None,
) -> int:
    """Edit records as a file's rows say. Ends with 3 where rows were rejected.

    An empty cell clears a field. A row that says nothing new is no edit, so that the same file can
    be imported again.
    """
    from lumio_cli.commands.records_render import imported
    from lumio_cli.output.progress import choose_progress
    from lumio_cli.services.records.importing import Request
    from lumio_cli.services.records.importing import import_records as service

    output = runtime_of(ctx).output
    request = Request(file, key, form, create, dry_run, report)
    done = service(runtime_of(ctx), target, request, choose_progress(output))
    imported(output, done)
    return 3 if done.rejected else 0

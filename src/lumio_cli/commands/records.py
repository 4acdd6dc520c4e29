"""`lumio records`: what the hub holds, to be looked at and to be edited."""

from __future__ import annotations

from typing import Annotated

import typer

from lumio_cli.commands import records_io
from lumio_cli.commands.common import Yes, new_app, runtime_of
from lumio_cli.commands.records_io import Columns, Id, Ids, SomeIds, Target, Values, Where

app = new_app("Look at the hub's records, edit them, take them out and bring them in.")
app.command("export")(records_io.export_records)
app.command("import")(records_io.import_records)

Order = Annotated[str, typer.Option(metavar="COLUMN", help="Sort by it; 'COLUMN desc': backwards.")]
Limit = Annotated[int, typer.Option(min=1, max=10**6, help="So many at most.")]
All = Annotated[bool, typer.Option("--all", help="All edits of the resource.")]


@app.command("list")
def list_records(
    ctx: typer.Context,
    target: Target,
    where: Where = "",
    columns: Columns = None,
    order: Order = "",
    limit: Limit = 100,
) -> None:
    """Show records, and how their edits stand."""
    from lumio_cli.commands.records_render import listing
    from lumio_cli.services.records.reading import list_records as service

    found = service(runtime_of(ctx), target, where=where, columns=columns, order=order, limit=limit)
    listing(runtime_of(ctx).output, found, chosen=columns is not None)


@app.command()
def show(ctx: typer.Context, target: Target, record: Id) -> None:
    """Show a record with all its fields, its edit and the edit's conflict."""
    from lumio_cli.commands.records_render import one_record
    from lumio_cli.services.records.reading import show_record

    one_record(runtime_of(ctx).output, show_record(runtime_of(ctx), target, record))


@app.command("set")
def set_values(ctx: typer.Context, target: Target, record: Id, values: Values) -> None:
    """Edit a record. The next push takes it to the provider."""
    from lumio_cli.commands.records_render import edited
    from lumio_cli.services.records.editing import set_values as service

    edited(runtime_of(ctx).output, service(runtime_of(ctx), target, record, values))


@app.command()
def create(ctx: typer.Context, target: Target, values: Values) -> None:
    """Make a record. Its id is our own until the next push, when the provider gives it one."""
    from lumio_cli.commands.records_render import edited
    from lumio_cli.services.records.editing import create as service

    edited(runtime_of(ctx).output, service(runtime_of(ctx), target, values))


@app.command()
def delete(ctx: typer.Context, target: Target, records: Ids, yes: Yes = False) -> None:
    """Delete records. The next push deletes them at the provider."""
    from lumio_cli.services.records.editing import delete as service

    output = runtime_of(ctx).output
    deleted = service(runtime_of(ctx), target, records, yes=yes)
    output.result({"deleted": deleted})
    output.line(f"{len(deleted)} deleted here; see `lumio preview {target} --direction push`")


@app.command()
def revert(
    ctx: typer.Context,
    target: Target,
    records: SomeIds = None,
    everything: All = False,
    yes: Yes = False,
) -> int:
    """Drop edits that are not pushed yet. Ends with 3 where some may be at the provider already."""
    from lumio_cli.commands.records_render import reverted
    from lumio_cli.services.records.editing import revert as service

    done = service(runtime_of(ctx), target, records or (), everything=everything, yes=yes)
    reverted(runtime_of(ctx).output, done)
    return 3 if done.left or done.uncertain else 0


@app.command("history")
def show_history(ctx: typer.Context, target: Target, record: Id, limit: Limit = 100) -> None:
    """Show what became of a record, newest first: by whom, when and in which run."""
    from lumio_cli.commands.records_render import changes
    from lumio_cli.services.records.reading import history

    changes(runtime_of(ctx).output, history(runtime_of(ctx), target, record, limit))

"""`lumio hub`: the database itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lumio_cli.commands.common import new_app, runtime_of
from lumio_cli.core.units import format_size
from lumio_cli.output import Col, Table

app = new_app("Look into the hub, back it up, check it.")

Repair = Annotated[
    bool,
    typer.Option(
        "--repair", "--repair-counts", help="Set counts, cursors and hidden records right."
    ),
]
NewFile = Annotated[Path | None, typer.Argument(metavar="FILE", help="A new file, or a directory.")]
Backup = Annotated[Path, typer.Argument(metavar="FILE", help="A file made by `hub backup`.")]


@app.command()
def path(ctx: typer.Context) -> None:
    """Show where the hub is, or would be: `sqlite3 "$(lumio hub path)"`."""
    output, place = runtime_of(ctx).output, runtime_of(ctx).hub_path
    output.result({"path": place, "exists": place.exists()})
    output.line(str(place))


@app.command()
def check(ctx: typer.Context, repair: Repair = False) -> None:
    """Check the file's structure, references and views, what it counts, and cursors."""
    from lumio_cli.services.maintenance.hub_check import check as check_hub

    output = runtime_of(ctx).output
    found = check_hub(runtime_of(ctx), repair=repair)
    document = found.as_json()
    columns = [Col("provider", kind="id"), Col("resource", kind="id")]
    columns += [Col("recorded", kind="number"), Col("counted", kind="number")]
    counts = Table(columns, document["counts"], empty="nothing was synced yet")
    astray = [f"{a.provider}/{a.resource}: {a.what}: {a.detail}" for a in found.astray]
    bad_values = [str(bad) for bad in found.bad_values if bad.counted]
    said = (*document["integrity"], *document["foreign_keys"], *astray, *bad_values)
    output.result(document, *said, counts)
    if (problem := found.problem()) is not None:
        raise problem
    output.note("what was wrong is repaired" if found.repaired else "the hub is in order")


@app.command()
def vacuum(ctx: typer.Context) -> None:
    """Write the hub anew without its holes. Needs room for a second copy, and no run going on."""
    from lumio_cli.services.maintenance.hub import vacuum as vacuum_hub

    output = runtime_of(ctx).output
    done = vacuum_hub(runtime_of(ctx))
    output.result(done.as_json())
    output.line(f"{done.path}: {format_size(done.before)} before, {format_size(done.after)} now")


@app.command()
def backup(ctx: typer.Context, file: NewFile = None) -> None:
    """Make a consistent copy of the hub, also while a run goes on. Overwrites nothing."""
    from lumio_cli.services.maintenance.hub import back_up

    output = runtime_of(ctx).output
    done = back_up(runtime_of(ctx), file)
    output.result(done.as_json())
    output.line(str(done.path))
    output.note(f"{format_size(done.size)}; to restore it: lumio hub restore {done.path}")


@app.command()
def restore(ctx: typer.Context, file: Backup) -> None:
    """Put a backup in the hub's place. The hub that was there is kept among the backups."""
    from lumio_cli.services.maintenance.hub_restore import restore as restore_hub

    output = runtime_of(ctx).output
    done = restore_hub(runtime_of(ctx), file)
    output.result(done.as_json())
    output.line(f"{done.path} is now {done.source}; what was there is {done.kept or 'nothing'}")
    for warning in done.warnings():
        output.warn(warning)


@app.command()
def info(ctx: typer.Context) -> None:
    """Show the schema's version, the size, and every table and view. -o json has the schema."""
    from lumio_cli.services.maintenance.hub import info as hub_info

    document = hub_info(runtime_of(ctx))
    facts = [{"what": n.replace("_", " "), "value": document[n]} for n in list(document)[:-2]]
    columns = [Col("name", kind="id"), Col("kind"), Col("columns", kind="number")]
    objects = Table([*columns, Col("rows", kind="number")], document["objects"])
    about = Table([Col("what", kind="id"), Col("value")], facts)
    runtime_of(ctx).output.result(document, about, objects)

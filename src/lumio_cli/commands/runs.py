"""`lumio runs`: what earlier runs did, and undoing it."""

from __future__ import annotations

from typing import Annotated

import typer

from lumio_cli.commands.common import (
    Conflicts,
    DryRun,
    MaxDuration,
    Yes,
    new_app,
    runtime_of,
    seconds,
)
from lumio_cli.output import Col, Table

app = new_app("Show earlier runs, and undo what one has pushed.")

Run = Annotated[str, typer.Argument(metavar="RUN", help="Its id, or how the id begins.")]


@app.command("list")
def list_runs(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="So many, newest first.")] = 20,
) -> None:
    """Show the newest runs."""
    from lumio_cli.commands.render import RUN_DROP, TITLES
    from lumio_cli.services.syncing.run_history import list_runs as service

    found = service(runtime_of(ctx), limit)
    columns = [
        Col("run_id", "run", "id"),
        Col("status", kind="status"),
        Col("started_at", "started", "time"),
        Col("duration_s", "took", "duration"),
        Col("mode", drop=3),
        Col("targets", kind="list", drop=2),
        *(
            Col(name, TITLES.get(name, ""), "number", drop, rare=name in ("sent", "conflicts"))
            for name, drop in RUN_DROP.items()
        ),
        Col("exit_code", "exit", "number", drop=5),
    ]
    rows = [{**run, **run["totals"]} for run in found]
    runtime_of(ctx).output.result({"runs": found}, Table(columns, rows, empty="no run yet"))


@app.command()
def show(ctx: typer.Context, run_id: Run) -> None:
    """Show a run: each resource, its error, and the changes of schemas it met."""
    from lumio_cli.commands.render import run_result
    from lumio_cli.services.syncing.run_history import show_run

    run_result(runtime_of(ctx).output, show_run(runtime_of(ctx), run_id))


@app.command()
def last(ctx: typer.Context) -> None:
    """Show the newest run."""
    from lumio_cli.commands.render import run_result
    from lumio_cli.services.syncing.run_history import last_run

    run_result(runtime_of(ctx).output, last_run(runtime_of(ctx)))


@app.command()
def undo(
    ctx: typer.Context,
    run_id: Run,
    conflicts: Conflicts = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    max_duration: MaxDuration = None,
) -> int:
    """Undo what a run has pushed: shows the plan, asks, and pushes the reverse.

    What was edited since is left alone, unless --conflicts says whose value counts.
    """
    from lumio_cli.commands import two_way
    from lumio_cli.services.syncing.sync import Request

    limit = seconds("--max-duration", max_duration)
    request = Request(conflicts=conflicts, max_duration=limit)
    return two_way.undo(runtime_of(ctx), run_id, request, yes=yes, dry_run=dry_run)

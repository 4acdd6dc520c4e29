"""`lumio runs`: what earlier runs did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lumio_cli.commands.common import new_app, runtime_of
from lumio_cli.output import Col, Table

if TYPE_CHECKING:
    from lumio_cli.output import Output

app = new_app("Show earlier runs.")

TITLES = {"created": "new", "unchanged": "same", "deleted": "gone"}
DROP = {"read": 4, "created": 1, "updated": 2, "unchanged": 6, "deleted": 4, "failed": 0}
"""What a run counts, and which of it is left out first where the terminal is narrow."""


@app.command("list")
def list_runs(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="So many, newest first.")] = 20,
) -> None:
    """Show the newest runs."""
    from lumio_cli.services.history import list_runs as service

    found = service(runtime_of(ctx), limit)
    columns = [
        Col("run_id", "run", "id"),
        Col("status", kind="status"),
        Col("started_at", "started", "time"),
        Col("duration_s", "took", "duration"),
        Col("mode", drop=3),
        Col("targets", kind="list", drop=2),
        *(Col(name, TITLES.get(name, ""), "number", drop=drop) for name, drop in DROP.items()),
        Col("exit_code", "exit", "number", drop=5),
    ]
    rows = [{**run, **run["totals"]} for run in found]
    runtime_of(ctx).output.result({"runs": found}, Table(columns, rows, empty="no run yet"))


@app.command()
def show(
    ctx: typer.Context,
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Its id, or how the id begins.")],
) -> None:
    """Show a run: each resource, its error, and the changes of schemas it met."""
    from lumio_cli.services.history import show_run

    _show(runtime_of(ctx).output, show_run(runtime_of(ctx), run_id))


@app.command()
def last(ctx: typer.Context) -> None:
    """Show the newest run."""
    from lumio_cli.services.history import last_run

    _show(runtime_of(ctx).output, last_run(runtime_of(ctx)))


def _show(output: Output, run: dict[str, Any]) -> None:
    names = ("run_id", "status", "started_at", "finished_at", "mode", "targets", "exit_code")
    about = {**run, "targets": ", ".join(run["targets"])}
    facts = [{"what": name.replace("_", " "), "value": about[name]} for name in names]
    rows = [{**r, "target": f"{r['provider']}/{r['resource']}"} for r in run["resources"]]
    shown = [Col("target", kind="id"), Col("status", kind="status"), Col("mode", drop=3)]
    shown += [Col(name, TITLES.get(name, ""), "number") for name in DROP]
    shown += [Col("requests", kind="number", drop=1), Col("duration_s", "took", "duration", drop=1)]
    parts = [Table([Col("what", kind="id"), Col("value")], facts), Table(shown, rows)]
    if errors := [{**row, **row["error"]} for row in rows if row["error"]]:
        columns = [Col("target", kind="id"), Col("message", "error"), Col("hint")]
        parts.append(Table(columns, errors, title="Errors"))
    if run["drift"]:
        drift = [Col("resource", kind="id"), Col("field", kind="id"), Col("change")]
        drift += [Col("before"), Col("after"), Col("at", kind="time")]
        parts.append(Table(drift, run["drift"], title="Changes of schemas"))
    output.result(run, *parts)

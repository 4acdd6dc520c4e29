"""`lumio limits`: quotas, holds and circuits, and how to lift them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from lumio_cli.commands.common import new_app, runtime_of
from lumio_cli.output import Col, Table
from lumio_cli.services.shell.completion import complete_provider

app = new_app("Show or lift what holds requests back: quotas, holds and open circuits.")

OneProvider = Annotated[
    str | None,
    typer.Argument(metavar="PROVIDER", help="Only this one.", autocompletion=complete_provider),
]


@app.command()
def show(ctx: typer.Context, provider: OneProvider = None) -> None:
    """Show every quota, hold and circuit, and why nothing goes where nothing does."""
    from lumio_cli.services.maintenance.limits import describe

    rows = describe(runtime_of(ctx), provider)
    nothing = "nothing was asked of a provider yet, so nothing is held back"
    runtime_of(ctx).output.result({"limits": rows}, _table(rows, nothing))


@app.command()
def clear(ctx: typer.Context, provider: OneProvider = None) -> None:
    """Lift holds and used-up quotas, and close open circuits. Waiting runs wait on."""
    from lumio_cli.services.maintenance.limits import lift

    rows = lift(runtime_of(ctx), provider)
    lifted = [f"{row['provider']}/{row['quota']}" for row in rows]
    parts = [f"lifted: {', '.join(lifted)}"] if lifted else []
    table = _table(rows, "nothing was held back")
    runtime_of(ctx).output.result({"limits": rows}, table, *parts)


def _table(rows: Sequence[Mapping[str, Any]], empty: str) -> Table:
    columns = [
        Col("provider", kind="id"),
        Col("quota", kind="id"),
        Col("limit", kind="number", drop=1),
        Col("remaining", "left", "number"),
        Col("reset_at", "reset", "time", drop=2),
        Col("held_until", "held until", "time", rare=True),
        Col("reason", rare=True),
    ]
    return Table(columns, rows, empty=empty)

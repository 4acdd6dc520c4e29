"""`lumio preview`: what a sync would change."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from lumio_cli.commands.common import (
    MaxDuration,
    Records,
    Sandbox,
    Targets,
    in_sandbox,
    runtime_of,
    seconds,
)

CHANGES = 10


def preview(
    ctx: typer.Context,
    targets: Targets = None,
    mode: Annotated[
        Literal["incremental", "full"], typer.Option(help="As for sync.")
    ] = "incremental",
    direction: Annotated[
        Literal["pull", "push", "both"], typer.Option(help="Which way changes go.")
    ] = "pull",
    limit: Annotated[int, typer.Option(min=0, help="Show at most that many changes.")] = 100,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 10 where there are changes.")
    ] = False,
    max_wait: Annotated[
        str | None, typer.Option(metavar="SECONDS", help="Longest wait for a quota.")
    ] = None,
    max_duration: MaxDuration = None,
    max_delete: Annotated[
        str | None, typer.Option(metavar="PERCENT", help="Largest share that a sweep may delete.")
    ] = None,
    sandbox: Sandbox = False,
    records: Records = None,
) -> int:
    """Show what a sync would create, update and delete. Writes nothing, locks nothing."""
    from lumio_cli.commands.render import preview_result
    from lumio_cli.services import sync as service
    from lumio_cli.sync.model import has_changes

    runtime = runtime_of(ctx)
    runtime.set_flags(sync__max_wait=max_wait, sync__max_delete=max_delete)
    request = service.Request(
        targets=targets or (),
        mode=mode,
        direction=direction,
        max_duration=seconds("--max-duration", max_duration),
    )
    with in_sandbox(runtime, sandbox, records) as chosen:
        result = service.preview(chosen, request, limit, runtime.output.progress())
    preview_result(runtime.output, result)
    if result.exit_code == 0 and exit_code and has_changes(result):
        return CHANGES
    return result.exit_code

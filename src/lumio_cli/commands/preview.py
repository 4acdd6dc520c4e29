"""`lumio preview`: what a sync would change."""

from __future__ import annotations

from typing import Annotated

import typer

from lumio_cli.commands.common import (
    Direction,
    MaxDelete,
    MaxDuration,
    MaxWait,
    Records,
    Sandbox,
    SyncMode,
    Targets,
    in_sandbox,
    runtime_of,
    seconds,
)

CHANGES = 10


def preview(
    ctx: typer.Context,
    targets: Targets = None,
    mode: SyncMode = "incremental",
    direction: Direction = "pull",
    limit: Annotated[int, typer.Option(min=0, help="Show at most that many changes.")] = 100,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 10 where there are changes.")
    ] = False,
    max_wait: MaxWait = None,
    max_duration: MaxDuration = None,
    max_delete: MaxDelete = None,
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

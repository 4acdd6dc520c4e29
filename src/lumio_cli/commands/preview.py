"""`lumio preview`: what a sync would change."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lumio_cli.commands.common import (
    Conflicts,
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
    conflicts: Conflicts = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep it all as a plan, for `lumio sync --plan`."),
    ] = None,
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
    from lumio_cli.output.progress import choose_progress
    from lumio_cli.services.syncing import plan_file
    from lumio_cli.services.syncing import sync as service
    from lumio_cli.sync.model import has_changes

    runtime = runtime_of(ctx)
    runtime.set_flags(sync__max_wait=max_wait, sync__max_delete=max_delete)
    request = service.Request(
        targets=targets or (),
        mode=mode,
        direction=direction,
        conflicts=conflicts,
        max_duration=seconds("--max-duration", max_duration),
    )
    output, kept = runtime.output, None
    with in_sandbox(runtime, sandbox, records) as chosen:
        if out is None:
            result = service.preview(chosen, request, limit, choose_progress(output))
        else:
            result, kept = plan_file.preview_to_file(
                chosen, request, limit, out, choose_progress(output)
            )
    preview_result(output, result, None if out is None else {"plan": kept})
    if kept is not None:
        output.note(f"the plan is in {kept}; `lumio sync --plan {out}` does it")
    elif out is not None:
        output.warn("no plan was written, since the preview is incomplete")
    if result.exit_code == 0 and exit_code and has_changes(result):
        return CHANGES
    return result.exit_code

"""`lumio sync`: bring the hub up to date."""

from __future__ import annotations

from typing import Annotated, Literal

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


def sync(
    ctx: typer.Context,
    targets: Targets = None,
    mode: SyncMode = "incremental",
    direction: Direction = "pull",
    wait: Annotated[
        str | None, typer.Option(metavar="SECONDS", help="Wait for another run of the target.")
    ] = None,
    if_running: Annotated[
        Literal["fail", "skip"], typer.Option(help="What to do if another run goes on.")
    ] = "fail",
    max_wait: MaxWait = None,
    max_duration: MaxDuration = None,
    max_delete: MaxDelete = None,
    sandbox: Sandbox = False,
    records: Records = None,
) -> int:
    """Bring the hub up to date with the providers.

    Resumes where an earlier run stopped. Safe to interrupt: what was committed stays.
    """
    from lumio_cli.commands.render import sync_result
    from lumio_cli.services import sync as service

    runtime = runtime_of(ctx)
    runtime.set_flags(sync__max_wait=max_wait, sync__max_delete=max_delete)
    request = service.Request(
        targets=targets or (),
        mode=mode,
        direction=direction,
        wait=seconds("--wait", wait),
        if_running=if_running,
        max_duration=seconds("--max-duration", max_duration),
    )
    with in_sandbox(runtime, sandbox, records) as chosen:
        result = service.sync(chosen, request, runtime.output.progress())
    sync_result(runtime.output, result)
    return result.exit_code

"""`lumio sync`: bring the hub and the providers up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from lumio_cli.commands import common as o
from lumio_cli.commands.common import in_sandbox, runtime_of, seconds
from lumio_cli.core.errors import UsageError

Wait = Annotated[
    str | None, typer.Option(metavar="SECONDS", help="Wait for another run of the target.")
]
IfRunning = Annotated[
    Literal["fail", "skip"], typer.Option(help="What to do if another run goes on.")
]
PlanFile = Annotated[
    Path | None,
    typer.Option("--plan", metavar="FILE", help="Do what a plan of `lumio preview --out` says."),
]
Undo = Annotated[str | None, typer.Option("--undo", metavar="RUN", help="Undo what a run pushed.")]


def sync(
    ctx: typer.Context,
    targets: o.Targets = None,
    mode: o.SyncMode = "incremental",
    direction: o.Direction = "pull",
    conflicts: o.Conflicts = None,
    plan: PlanFile = None,
    undo: Undo = None,
    yes: o.Yes = False,
    dry_run: o.DryRun = False,
    wait: Wait = None,
    if_running: IfRunning = "fail",
    max_wait: o.MaxWait = None,
    max_duration: o.MaxDuration = None,
    max_delete: o.MaxDelete = None,
    sandbox: o.Sandbox = False,
    records: o.Records = None,
) -> int:
    """Bring the hub and the providers up to date: pull what changed there, push edits of the hub.

    Resumes where an earlier run stopped. Safe to interrupt: what was committed stays.
    """
    from lumio_cli.commands import two_way
    from lumio_cli.commands.render import sync_result
    from lumio_cli.output.progress import choose_progress
    from lumio_cli.services.syncing import sync as service

    runtime = runtime_of(ctx)
    if plan is not None:
        o.refuse_beside(ctx, "--plan", "targets", "mode", "direction", "conflicts", "if_running")
    if undo is not None:
        o.refuse_beside(ctx, "--undo", "targets", "mode", "direction", "plan", "if_running")
    elif yes or dry_run:
        raise UsageError("--yes and --dry-run go with --undo", hint="lumio preview writes nothing")
    runtime.set_flags(sync__max_wait=max_wait, sync__max_delete=max_delete)
    request = service.Request(
        targets=targets or (),
        mode=mode,
        direction=direction,
        conflicts=conflicts,
        wait=seconds("--wait", wait),
        if_running=if_running,
        max_duration=seconds("--max-duration", max_duration),
    )
    with in_sandbox(runtime, sandbox, records) as chosen:
        if plan is not None:
            return two_way.apply(chosen, plan, request)
        if undo is not None:
            return two_way.undo(chosen, undo, request, yes=yes, dry_run=dry_run)
        result = service.sync(chosen, request, choose_progress(runtime.output))
    sync_result(runtime.output, result)
    return result.exit_code

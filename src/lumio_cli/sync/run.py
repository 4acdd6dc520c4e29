"""A run: many resources of many providers side by side, one writer, one result."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lumio_cli.core.clock import Clock, utc
from lumio_cli.core.errors import LumioError, StoppedError
from lumio_cli.core.progress import Progress
from lumio_cli.core.stop import Stop
from lumio_cli.hub.sqlite.database import Hub
from lumio_cli.sync.conclusion import conclude
from lumio_cli.sync.context import RunContext
from lumio_cli.sync.dry_run_sink import DryRunSink
from lumio_cli.sync.hub_sink import HubSink
from lumio_cli.sync.model import Mode, Options, ResourceResult, ResourceTask, RunResult
from lumio_cli.sync.pull.resource_pull import Pull
from lumio_cli.sync.push.resource_push import Push
from lumio_cli.sync.run_record import RunRecord
from lumio_cli.sync.schedule import Schedule
from lumio_cli.sync.writer import Writer


def new_run_id(clock: Clock) -> str:
    """A name for a run that sorts by its beginning: 20260102T030405Z-1a2b3c."""
    return f"{utc(clock.time()):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


@dataclass(frozen=True, slots=True)
class Skip:
    """A resource that is not pulled, and why: another run holds it, or its provider cannot be
    reached at all. `error` None: skipped on purpose (`--if-running skip`).
    """

    provider: str
    resource: str
    error: LumioError | None


def run(
    hub: Hub,
    tasks: Sequence[ResourceTask],
    options: Options,
    *,
    run_id: str,
    started_at: datetime,
    clock: Clock,
    stop: Stop,
    progress: Progress,
    targets: Sequence[str],
    skips: Sequence[Skip] = (),
    concurrency: int = 8,
    preview_limit: int | None = None,
) -> RunResult:
    """Carry out `tasks` and say how it went; with `preview_limit` only say what would be.

    `started_at` is when the command began, which may have waited for locks since.

    `concurrency` is how many resources of one provider are pulled at once. The calling thread
    becomes the hub's writer until the run is over.
    """
    preview = None if preview_limit is None else DryRunSink(run_id, clock, preview_limit)
    store = preview or HubSink(run_id, clock)
    writer = Writer(hub, commit=preview is None)
    context = RunContext(store, writer, progress, clock, stop, options)
    pulls = [Pull(context, task, _result(task, options)) for task in tasks]
    pushes = [
        Push(context, task, _result(task, options, push=True), pull)
        for task, pull in zip(tasks, pulls, strict=True)
        if task.push
    ]
    told: list[Pull | Push] = [*(pull for pull in pulls if not pull.result.hidden), *pushes]
    skipped = [_skipped(skip, options) for skip in skips]
    outcome = RunResult(run_id, started_at, resources=[*(w.result for w in told), *skipped])
    record = RunRecord(hub, store, options, clock, writes=preview is None)
    record.start(outcome, targets, skipped)
    schedule = Schedule(pulls, pushes, writer, concurrency)
    if not schedule.work(stop):
        for piece in told:
            if not piece.done:
                _leave(piece.result, stop)
                record.abandon(piece.result)
    outcome.finished_at = utc(clock.time())
    crash = schedule.crashed[0] if schedule.crashed else None
    end = conclude(outcome.resources, stop.exit_code if stop.is_set() else None, crash)
    outcome.status, outcome.exit_code, outcome.error = end.status, end.exit_code, end.error
    if preview is not None:
        outcome.changes = preview.changes
    record.finish(outcome)
    if crash is not None:
        raise crash
    return outcome


def _leave(result: ResourceResult, stop: Stop) -> None:
    """Say in the result that nobody has waited for the end of the work."""
    result.status = "partial"
    try:
        stop.check()
    except StoppedError as error:
        result.error = error


def _mode(task: ResourceTask, options: Options) -> Mode:
    """A resource that cannot tell what changed is always read whole."""
    changes = task.resource.cursor is not None or bool(task.resource.parents)
    return options.mode if changes else "full"


def _result(task: ResourceTask, options: Options, *, push: bool = False) -> ResourceResult:
    return ResourceResult(
        task.provider,
        task.resource.name,
        _mode(task, options),
        "push" if push else "pull",
        hidden=not push and not task.pull,
    )


def _skipped(skip: Skip, options: Options) -> ResourceResult:
    status = "skipped" if skip.error is None else "failed"
    way: Literal["pull", "push"] = "push" if options.direction == "push" else "pull"
    result = ResourceResult(skip.provider, skip.resource, options.mode, way, error=skip.error)
    result.status = status  # type: ignore[assignment]
    return result

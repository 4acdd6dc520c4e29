"""A run: many resources of many providers side by side, one writer, one result."""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lumio_cli import __version__
from lumio_cli.core.clock import Clock, format_timestamp, utc
from lumio_cli.core.errors import DeniedError, LumioError, StoppedError
from lumio_cli.core.progress import Progress
from lumio_cli.core.stop import Stop
from lumio_cli.hub.sqlite import outbox, record_history, runs
from lumio_cli.hub.sqlite.database import Hub
from lumio_cli.sync.context import Engine
from lumio_cli.sync.dry_run_sink import PreviewStore
from lumio_cli.sync.hub_sink import Store
from lumio_cli.sync.mishaps import understood, unexpected
from lumio_cli.sync.model import Job, Mode, Options, ResourceResult, RunResult, hangs_on
from lumio_cli.sync.pull.resource_pull import Pull
from lumio_cli.sync.push.resource_push import Push, push_all
from lumio_cli.sync.writer import Writer

PATIENCE = 10.0
"""Seconds that a request under way is given after a stop; then the run ends without it."""


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
    jobs: Sequence[Job],
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
    """Carry out `jobs` and say how it went; with `preview_limit` only say what would be.

    `started_at` is when the command began, which may have waited for locks since.

    `concurrency` is how many resources of one provider are pulled at once. The calling thread
    becomes the hub's writer until the run is over.
    """
    outcome = RunResult(run_id, started_at)
    preview = None if preview_limit is None else PreviewStore(run_id, clock, preview_limit)
    store = preview or Store(run_id, clock)
    writer = Writer(hub, commit=preview is None)
    engine = Engine(store, writer, progress, clock, stop, options)
    pulls = [Pull(engine, job, _result(job, options)) for job in jobs]
    pushes = [
        Push(engine, job, _result(job, options, push=True), pull)
        for job, pull in zip(jobs, pulls, strict=True)
        if job.push
    ]
    done: list[Pull | Push] = [*(pull for pull in pulls if not pull.result.hidden), *pushes]
    outcome.resources = [work.result for work in done]
    outcome.resources += [_skipped(skip, options) for skip in skips]
    if preview is None:
        with hub.transaction() as db:
            runs.start_run(db, _row(outcome, options, targets))
            for skipped in outcome.resources[len(done) :]:
                store.start_resource(db, skipped)
                store.finish_resource(db, skipped)
    crashed: list[BaseException] = []
    conductor = threading.Thread(
        target=_conduct,
        args=(pulls, pushes, concurrency, writer, crashed),
        name="lumio-run",
        daemon=True,
    )
    conductor.start()
    if writer.serve(stop, PATIENCE):
        conductor.join()
    else:
        _abandon(hub, store, done, stop)
    outcome.finished_at = utc(clock.time())
    _conclude(outcome, stop)
    if crashed and outcome.status != "interrupted":
        outcome.status, outcome.exit_code = "failed", getattr(crashed[0], "exit_code", 1)
    if preview is not None:
        outcome.changes = preview.changes
    else:
        with hub.transaction() as db:
            runs.finish_run(
                db,
                run_id,
                status=outcome.status,
                now=format_timestamp(clock.time()),
                exit_code=outcome.exit_code,
            )
            runs.prune_runs(db)
            before = format_timestamp(clock.time() - options.history * 86400.0)
            record_history.prune(db, before)
            outbox.forget_names(db, before)
    if crashed:
        raise crashed[0]
    return outcome


def _mode(job: Job, options: Options) -> Mode:
    """A resource that cannot tell what changed is always read whole."""
    changes = job.resource.cursor is not None or bool(job.resource.parents)
    return options.mode if changes else "full"


def _conduct(
    pulls: Sequence[Pull],
    pushes: Sequence[Push],
    concurrency: int,
    writer: Writer,
    crashed: list[BaseException],
) -> None:
    """Run the work, all providers at once, and let the writer go when all is done."""
    try:
        threads = []
        for name in sorted({pull.job.provider for pull in pulls}):
            thread = threading.Thread(
                target=_conduct_provider,
                args=(
                    [pull for pull in pulls if pull.job.provider == name],
                    [push for push in pushes if push.job.provider == name],
                    concurrency,
                    writer,
                    crashed,
                ),
                name=f"lumio-{name}",
            )
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join()
    finally:
        writer.close()


def _conduct_provider(
    pulls: Sequence[Pull],
    pushes: Sequence[Push],
    concurrency: int,
    writer: Writer,
    crashed: list[BaseException],
) -> None:
    """One provider's resources: first those that stand alone, then those that others drive; then
    what is to be pushed."""
    try:
        for push in pushes:
            push.start()
        idle = [push for push in pushes if push.look.result.hidden and not push.wanted()]
        for push in idle:
            push.finish()
        busy = [push for push in pushes if push not in idle]
        chosen = _worth_pulling(pulls, busy)
        if chosen and _proven(chosen, busy, writer):
            _pull_all(chosen, concurrency, crashed)
            if not crashed:
                push_all(busy)
    except Exception as error:  # noqa: BLE001 it costs this provider, and no other
        try:
            _fail_all([*pulls, *pushes], error)
        except BaseException as worse:  # noqa: BLE001 a thread: it is raised where the run ends
            crashed.append(worse)
    except BaseException as error:  # noqa: BLE001 see above
        crashed.append(error)


def _fail_all(pieces: Sequence[Pull | Push], error: Exception) -> None:
    """Close the books of what a mistake has left open."""
    for piece in pieces:
        if not piece.done:
            piece.fail(unexpected(piece.job.target, error))


def _worth_pulling(pulls: Sequence[Pull], pushes: Sequence[Push]) -> list[Pull]:
    """All that were asked for, and those that have to be looked at before a push; with them go
    the resources that drive them."""
    looked = {push.look.resource.name for push in pushes}
    looked |= {parent for push in pushes for parent in push.look.resource.parents}
    return [pull for pull in pulls if not pull.result.hidden or pull.resource.name in looked]


def _pull_all(pulls: Sequence[Pull], concurrency: int, crashed: list[BaseException]) -> None:
    results = {pull.resource.name: pull.result for pull in pulls}
    for driven in (False, True):
        chosen = [pull for pull in pulls if bool(hangs_on(pull.resource)) is driven]
        if not chosen:
            continue
        with ThreadPoolExecutor(concurrency, thread_name_prefix=pulls[0].job.provider) as pool:
            futures = [pool.submit(_run_one, pull, results) for pull in chosen]
        crashed.extend(e for f in futures if (e := f.exception()) is not None)


def _proven(pulls: Sequence[Pull], pushes: Sequence[Push], writer: Writer) -> bool:
    """Whether the provider may be asked at all; where it may not, all its work has failed."""
    work: list[Pull | Push] = [*pulls, *pushes]
    try:
        with understood(pulls[0].job.provider):
            link = pulls[0].job.link.verify_account(writer)
    except LumioError as error:
        for piece in work:
            piece.fail(error)
        return False
    for piece in work:
        piece.relink(link)
    return True


def _run_one(pull: Pull, results: dict[str, ResourceResult]) -> None:
    parents = [results[name] for name in pull.resource.parents if name in results]
    failed = [p for p in parents if p.error is not None and p.status in ("failed", "skipped")]
    if parents and len(failed) == len(parents):
        # What would be asked for hangs on records that could not be read.
        pull.fail(parents[0].error or StoppedError("stopped"))
        return
    before = [results[name] for name in hangs_on(pull.resource) if name in results]
    pull.unread = next((p.resource for p in before if not _is_whole(p)), "")
    pull.run(next((p for p in failed if p.status == "failed"), None))


def _is_whole(result: ResourceResult) -> bool:
    """Whether a resource has been read as far as it could; a brake on deletions, and a scope that
    nobody granted, are no news of its listing."""
    error = result.error
    return error is None or isinstance(error, DeniedError) or error.code == "too_many_deletions"


def _abandon(hub: Hub, store: Store, pieces: Sequence[Pull | Push], stop: Stop) -> None:
    """Close the books of work whose requests hang: nobody waits for it any longer."""
    for piece in pieces:
        if piece.done:
            continue
        piece.result.status = "partial"
        try:
            stop.check()
        except StoppedError as error:
            piece.result.error = error
        if not isinstance(store, PreviewStore):
            with hub.transaction() as db:
                store.finish_resource(db, piece.result)


def _result(job: Job, options: Options, *, push: bool = False) -> ResourceResult:
    return ResourceResult(
        job.provider,
        job.resource.name,
        _mode(job, options),
        "push" if push else "pull",
        hidden=not push and not job.pull,
    )


def _skipped(skip: Skip, options: Options) -> ResourceResult:
    status = "skipped" if skip.error is None else "failed"
    way: Literal["pull", "push"] = "push" if options.direction == "push" else "pull"
    result = ResourceResult(skip.provider, skip.resource, options.mode, way, error=skip.error)
    result.status = status  # type: ignore[assignment]
    return result


def _row(outcome: RunResult, options: Options, targets: Sequence[str]) -> runs.RunRow:
    now = format_timestamp(outcome.started_at.timestamp())
    return runs.RunRow(
        run_id=outcome.run_id,
        status="running",
        started_at=now,
        heartbeat_at=now,
        pid=os.getpid(),
        host=socket.gethostname(),
        mode=options.mode,
        direction=options.direction,
        targets=list(targets),
        version=__version__,
    )


def exit_code_of(result: ResourceResult) -> int:
    """The exit code that a resource alone would end with."""
    if result.status == "succeeded" or (result.status == "skipped" and result.error is None):
        return 0
    if result.error is None or (result.status == "partial" and not result.cut_off):
        return 3
    return result.error.exit_code


def _conclude(outcome: RunResult, stop: Stop) -> None:
    """Status and exit code of the run, by the contract: alike, then that code; else 3."""
    if stop.is_set() and any(r.error is not None for r in outcome.resources):
        outcome.status, outcome.exit_code = "interrupted", stop.exit_code
        return
    optional = [r for r in outcome.resources if r.optional]
    main = [r for r in outcome.resources if not r.optional] or optional
    codes = {exit_code_of(r) for r in main}
    if codes == {0} and any(_matters(r) for r in optional):
        codes = {0, 3}
    outcome.exit_code = 0 if not codes else codes.pop() if len(codes) == 1 else 3
    told = {r.error.message: r.error for r in outcome.resources if r.error is not None}
    if len(told) == 1 and all(r.error is not None for r in outcome.resources):
        outcome.error = next(iter(told.values()))
    if outcome.exit_code == 0:
        outcome.status = "succeeded"
    elif all(r.status in ("failed", "skipped") and r.error is not None for r in main):
        outcome.status = "failed"
    else:
        outcome.status = "partial"


def _matters(result: ResourceResult) -> bool:
    """Whether an optional resource's failure is more than a scope that nobody granted."""
    return exit_code_of(result) != 0 and not isinstance(result.error, DeniedError)

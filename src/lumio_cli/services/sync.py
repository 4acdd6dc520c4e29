"""What `lumio sync` and `lumio preview` do, callable without a terminal."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, cast

from lumio_cli.clock import format_timestamp, utc
from lumio_cli.errors import CredentialError, LumioError, UsageError
from lumio_cli.hub.db import Hub
from lumio_cli.memory import share_heaps
from lumio_cli.progress import NoProgress, Progress
from lumio_cli.services import accounts
from lumio_cli.services.runlocks import RunLocks, bury_dead_runs, busy_error
from lumio_cli.services.runlog import LoggedProgress
from lumio_cli.services.targets import Selection, select
from lumio_cli.sync.engine import Skip, new_run_id, run_pull
from lumio_cli.sync.model import DIRECTIONS, Counter, Job, Link, Mode, Options, RunResult

if TYPE_CHECKING:
    from lumio_cli.providers.base import Provider
    from lumio_cli.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Request:
    """What an operator asks for. Durations in seconds; None: as the settings say."""

    targets: Sequence[str] = ()
    mode: Mode = "incremental"
    direction: Literal["pull", "push", "both"] = "pull"
    wait: float | None = None
    if_running: Literal["fail", "skip"] = "fail"
    max_duration: float | None = None


def sync(runtime: Runtime, request: Request, progress: Progress | None = None) -> RunResult:
    """Pull the targets into the hub.

    What goes wrong with one resource or provider is in the result; raised is only what leaves
    nothing to do: `UsageError`, `ConfigError`, `CredentialError` where nothing is connected,
    `HubError`.
    """
    _check_direction(request)
    selections = select(runtime, request.targets)
    if request.max_duration is not None:
        runtime.stop.limit(request.max_duration)
    hub, clock = runtime.hub, runtime.clock
    run_id, started_at = new_run_id(clock), utc(clock.time())
    runtime.start_log(run_id=run_id)
    locks = RunLocks(runtime.paths.locks, run_id, clock, runtime.stop)
    try:
        locks.live()
        bury_dead_runs(hub, runtime.paths.locks, format_timestamp(clock.time()))
        wait = runtime.settings.sync.lock_wait if request.wait is None else request.wait
        jobs: list[Job] = []
        skips: list[Skip] = []
        # In one order, whatever the order of the targets: two runs that wait for each other's
        # locks would wait for ever.
        taken = {
            s.provider.name: locks.take(s.provider.name, sorted(r.name for r in s.resources), wait)
            for s in sorted(selections, key=lambda s: s.provider.name)
        }
        for selection in selections:
            name = selection.provider.name
            busy = taken[name]
            for resource, holder in busy.items():
                error = busy_error(f"{name}/{resource}", holder)
                skips.append(Skip(name, resource, None if request.if_running == "skip" else error))
            free = Selection(
                selection.provider, tuple(r for r in selection.resources if r.name not in busy)
            )
            if free.resources:
                found, failed = _connect(runtime, free, request.mode, run_id, write=True)
                jobs += found
                skips += failed
        targets = list(request.targets) or [s.provider.name for s in selections]
        run = _Run(run_id, started_at, request.mode, targets)
        return _pull(runtime, hub, run, jobs, skips, progress)
    finally:
        locks.release()


def preview(
    runtime: Runtime, request: Request, limit: int, progress: Progress | None = None
) -> RunResult:
    """What `sync` would do now, at most `limit` changes of it in full. Writes nothing, locks
    nothing. Raises as `sync` does.
    """
    _check_direction(request)
    selections = select(runtime, request.targets)
    if request.max_duration is not None:
        runtime.stop.limit(request.max_duration)
    hub = runtime.hub_reader or Hub.in_memory()
    run_id, started_at = new_run_id(runtime.clock), utc(runtime.clock.time())
    runtime.start_log(run_id=run_id)
    jobs: list[Job] = []
    skips: list[Skip] = []
    for selection in selections:
        found, failed = _connect(runtime, selection, request.mode, run_id, write=False)
        jobs += found
        skips += failed
    run = _Run(run_id, started_at, request.mode, list(request.targets))
    return _pull(runtime, hub, run, jobs, skips, progress, preview_limit=limit)


@dataclass(frozen=True, slots=True)
class _Run:
    """What a run is called and asked for."""

    run_id: str
    started_at: datetime
    mode: Mode
    targets: Sequence[str]


def _pull(
    runtime: Runtime,
    hub: Hub,
    run: _Run,
    jobs: Sequence[Job],
    skips: Sequence[Skip],
    progress: Progress | None,
    preview_limit: int | None = None,
) -> RunResult:
    """Hand a run over to the engine, as the settings want it."""
    share_heaps()
    return run_pull(
        hub,
        jobs,
        _options(runtime, run.mode),
        run_id=run.run_id,
        started_at=run.started_at,
        clock=runtime.clock,
        stop=runtime.stop,
        progress=LoggedProgress(progress or NoProgress()),
        targets=run.targets,
        skips=skips,
        concurrency=runtime.settings.sync.concurrency,
        preview_limit=preview_limit,
    )


def _connect(
    runtime: Runtime, selection: Selection, mode: Mode, run_id: str, *, write: bool
) -> tuple[list[Job], list[Skip]]:
    """Jobs for a provider that has a credential; else why each of its resources is left out.

    Whose account it opens is proved within the run, so that a slow provider holds no other back.
    """
    provider = selection.provider
    try:
        loaded = runtime.credentials.load(provider.name)

        def open_link(provider: Provider) -> Link:
            session = runtime.session(
                provider,
                priority="backfill" if mode == "full" else "incremental",
                run_id=run_id,
                read_only=not write,
            )
            return Link(provider, session, _new_tally, prove)

        def prove(call: Callable[[Callable[[sqlite3.Connection], Any]], Any]) -> Link:
            now, name = runtime.clock.time(), provider.name
            # With the credential at hand: a keyring that hangs must not hold up the writer.
            key = call(lambda _: accounts.account_key(runtime, name, fallback=loaded.credential))
            accounts.verify(
                call,
                provider,
                loaded.credential,
                loaded.source,
                link.session.send,
                now,
                write=write,
            )

            def anew(_: sqlite3.Connection) -> Link:
                # Quotas and cache are kept by account: from its first request on, this run must
                # count where all later ones will; its days begin where the account's do.
                now_key = accounts.account_key(runtime, name, fallback=loaded.credential)
                changed = now_key != key
                return open_link(runtime.provider(name)) if changed else link

            proven: Link = call(anew)
            return proven

        link = open_link(provider)
    except LumioError as error:
        if error.code == "interrupted" or _is_only(error):
            raise
        return [], [Skip(provider.name, r.name, error) for r in selection.resources]
    return [Job(link, resource) for resource in selection.resources], []


def _is_only(error: LumioError) -> bool:
    """An error that is about the command as a whole and not about one provider."""
    return isinstance(error, CredentialError) and error.code == "vault_locked"


def _new_tally(on_wait: Callable[[float, str], None]) -> Counter:
    from lumio_cli.transport.observe import Tally

    return cast(Counter, Tally(on_wait))


def _options(runtime: Runtime, mode: Mode) -> Options:
    chosen = runtime.settings.sync
    return Options(
        mode=mode,
        max_delete=chosen.max_delete,
        max_record=chosen.max_record,
        prefetch=chosen.prefetch,
        slices=chosen.concurrency,
    )


def _check_direction(request: Request) -> None:
    """Pushing is not part of this version: say so instead of doing half of what was asked."""
    if request.direction not in DIRECTIONS:
        raise UsageError(
            f"--direction {request.direction} is not supported by this version of lumio",
            hint="--direction pull brings the hub up to date",
        )

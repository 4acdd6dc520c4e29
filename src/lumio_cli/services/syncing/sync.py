"""What `lumio sync` and `lumio preview` do, callable without a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from lumio_cli.core.clock import format_timestamp, utc
from lumio_cli.core.errors import CredentialError, LumioError, StoppedError, UsageError
from lumio_cli.core.malloc import share_heaps
from lumio_cli.core.progress import NoProgress, Progress
from lumio_cli.hub.sqlite.database import Hub
from lumio_cli.services.connections.provider_connection import Manner, connect
from lumio_cli.services.syncing.run_log import LoggedProgress
from lumio_cli.services.syncing.targets import Selection, select
from lumio_cli.sync.fields import abilities_of
from lumio_cli.sync.model import Direction, Mode, Options, ResourceTask, RunResult
from lumio_cli.sync.run import Skip, new_run_id, run
from lumio_cli.sync.run_locks import RunLocks, bury_dead_runs, busy_error

if TYPE_CHECKING:
    from lumio_cli.core.locks import Holder
    from lumio_cli.providers.contract.provider import Provider
    from lumio_cli.providers.contract.resource import Resource
    from lumio_cli.runtime import Runtime
    from lumio_cli.sync.merging.merge import Policy


@dataclass(frozen=True, slots=True)
class Request:
    """What an operator asks for. Durations in seconds; None: as the settings say.

    `only`, by target, limits what is pushed to some records and the traces of their changes.
    """

    targets: Sequence[str] = ()
    mode: Mode = "incremental"
    direction: Direction = "pull"
    conflicts: Policy | None = None
    only: Mapping[str, Mapping[str, str]] | None = None
    wait: float | None = None
    if_running: Literal["fail", "skip"] = "fail"
    max_duration: float | None = None


Gate = Callable[[], Mapping[str, Mapping[str, str]]]
"""Asked once all targets are locked: what to push, as in `Request.only`. Raises `LumioError` where
nothing must be done."""


def sync(
    runtime: Runtime,
    request: Request,
    progress: Progress | None = None,
    gate: Gate | None = None,
) -> RunResult:
    """Bring the hub up to date, the providers, or both. With a `gate`, all of it or nothing: a
    target that another run holds raises `BusyError`.

    What goes wrong with one resource or provider is in the result; raised is only what leaves
    nothing to do: `UsageError`, `ConfigError`, `CredentialError` where nothing is connected,
    `HubError`.
    """
    selections = select(runtime, request.targets)
    _check_direction(selections, request)
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
        tasks: list[ResourceTask] = []
        skips: list[Skip] = []
        # In one order, whatever the order of the targets: two runs that wait for each other's
        # locks would wait for ever.
        taken = {
            s.provider.name: locks.take(s.provider.name, sorted(r.name for r in s.resources), wait)
            for s in sorted(selections, key=lambda s: s.provider.name)
        }
        if gate is not None:
            _all_free(taken)
            request = replace(request, only=gate())
            runtime.start_log(run_id=run_id)
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
                found, failed = _connect(runtime, free, request, run_id, write=True)
                tasks += found
                skips += failed
        targets = list(request.targets) or [s.provider.name for s in selections]
        return _run(
            runtime, hub, _Run(run_id, started_at, request, targets), tasks, skips, progress
        )
    finally:
        locks.release()


def preview(
    runtime: Runtime, request: Request, limit: int, progress: Progress | None = None
) -> RunResult:
    """What `sync` would do now, at most `limit` changes of it in full. Writes nothing, locks
    nothing. Raises as `sync` does.
    """
    selections = select(runtime, request.targets)
    _check_direction(selections, request)
    if request.max_duration is not None:
        runtime.stop.limit(request.max_duration)
    hub = runtime.hub_reader or Hub.in_memory()
    run_id, started_at = new_run_id(runtime.clock), utc(runtime.clock.time())
    runtime.start_log(run_id=run_id)
    tasks: list[ResourceTask] = []
    skips: list[Skip] = []
    for selection in selections:
        found, failed = _connect(runtime, selection, request, run_id, write=False)
        tasks += found
        skips += failed
    asked = _Run(run_id, started_at, request, list(request.targets))
    return _run(runtime, hub, asked, tasks, skips, progress, preview_limit=limit)


def _all_free(taken: Mapping[str, Mapping[str, Holder | None]]) -> None:
    """Raises `BusyError` where another run holds a target."""
    for name, busy in taken.items():
        for resource, holder in busy.items():
            raise busy_error(f"{name}/{resource}", holder)


@dataclass(frozen=True, slots=True)
class _Run:
    """What a run is called and asked for."""

    run_id: str
    started_at: datetime
    request: Request
    targets: Sequence[str]


def _run(
    runtime: Runtime,
    hub: Hub,
    asked: _Run,
    tasks: Sequence[ResourceTask],
    skips: Sequence[Skip],
    progress: Progress | None,
    preview_limit: int | None = None,
) -> RunResult:
    """Hand a run over to the engine, as the settings want it."""
    share_heaps()
    return run(
        hub,
        tasks,
        _options(runtime, asked.request),
        run_id=asked.run_id,
        started_at=asked.started_at,
        clock=runtime.clock,
        stop=runtime.stop,
        progress=LoggedProgress(progress or NoProgress()),
        targets=asked.targets,
        skips=skips,
        concurrency=runtime.settings.sync.concurrency,
        preview_limit=preview_limit,
    )


def _connect(
    runtime: Runtime, selection: Selection, request: Request, run_id: str, *, write: bool
) -> tuple[list[ResourceTask], list[Skip]]:
    """Tasks for a provider that has a credential; else why each of its resources is left out.

    Whose account it opens is proved within the run, so that a slow provider holds no other back.
    """
    provider = selection.provider
    try:
        connection = connect(
            runtime,
            provider,
            Manner(
                priority="backfill" if request.mode == "full" else "incremental",
                run_id=run_id,
                read_only=not write,
            ),
        )
    except LumioError as error:
        if error.code == "interrupted" or _is_only(error):
            raise
        return [], [Skip(provider.name, r.name, error) for r in selection.resources]
    pull = request.direction != "push"
    return [
        ResourceTask(connection, resource, pull, _is_pushed(provider, resource, request))
        for resource in selection.resources
    ], []


def _is_pushed(provider: Provider, resource: Resource, request: Request) -> bool:
    """Whether the operator wants it pushed, and not only read for another's sake."""
    if request.direction == "pull" or not any(abilities_of(provider, resource)):
        return False
    named = (provider.name, f"{provider.name}/{resource.name}")
    return not request.targets or any(name in request.targets for name in named)


def _is_only(error: LumioError) -> bool:
    """An error that is about the command as a whole and not about one provider."""
    return isinstance(error, CredentialError) and error.code == "vault_locked"


def _options(runtime: Runtime, request: Request) -> Options:
    chosen, hub = runtime.settings.sync, runtime.settings.hub
    policies: dict[str, Policy] = {}
    if request.conflicts is None:
        policies = conflict_policies(runtime)
    return Options(
        mode=request.mode,
        direction=request.direction,
        max_delete=chosen.max_delete,
        max_record=chosen.max_record,
        prefetch=chosen.prefetch,
        slices=chosen.concurrency,
        policy=request.conflicts or chosen.conflicts,
        policies=policies,
        ignore_counts=_ignored_counts(runtime),
        only=request.only,
        history=hub.history,
    )


def conflict_policies(runtime: Runtime) -> dict[str, Policy]:
    """By target, whose value counts in conflicts, where that is not what `sync.conflicts` says."""
    from lumio_cli.providers.registry import provider_names

    return {
        f"{name}/{resource}": policy
        for name in provider_names()
        for resource, policy in runtime.settings.configured(name).conflicts.items()
    }


def _ignored_counts(runtime: Runtime) -> frozenset[str]:
    """Targets whose listings are not compared with the provider's counts."""
    from lumio_cli.providers.registry import provider_names

    return frozenset(
        f"{name}/{resource}"
        for name in provider_names()
        for resource in runtime.settings.configured(name).ignore_counts
    )


def _check_direction(selections: Sequence[Selection], request: Request) -> None:
    """Raises `UsageError` for a target that is to be pushed and cannot be."""
    if request.direction != "push":
        return
    for selection in selections:
        provider = selection.provider
        named = [r for r in selection.resources if f"{provider.name}/{r.name}" in request.targets]
        wanted = selection.resources if provider.name in request.targets else named
        able = [r for r in wanted if any(abilities_of(provider, r))]
        target = named[0].name if named and provider.name not in request.targets else ""
        if wanted and not able:
            name = f"{provider.name}/{target}" if target else provider.name
            raise UsageError(
                f"{name} cannot be pushed: lumio has no way to write it",
                hint=f"lumio providers show {provider.name} lists what can be written",
            )


def after_stop(result: RunResult, hint: str) -> None:
    """What to do after a run was stopped, where it is not to give the same command again."""
    for error in (result.error, *(resource.error for resource in result.resources)):
        if isinstance(error, StoppedError):
            error.hint = hint

"""What `lumio runs` shows: earlier runs, as the hub remembers them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lumio_cli.core.clock import parse_time
from lumio_cli.core.errors import LumioError, UsageError
from lumio_cli.hub.sqlite import runs, state
from lumio_cli.services import NO_LIMIT
from lumio_cli.sync.run_locks import run_lock

if TYPE_CHECKING:
    from lumio_cli.runtime import Runtime

_TOTALS = (*runs.COUNTS, "waited_s")


def list_runs(runtime: Runtime, limit: int) -> list[dict[str, Any]]:
    """The newest runs, newest first, at most `limit`. Raises `HubError`."""
    reader = runtime.hub_reader
    found = [] if reader is None else runs.list_runs(reader.connection, limit)
    return [_told(runtime, run) for run in found]


def show_run(runtime: Runtime, run_id: str) -> dict[str, Any]:
    """One run, with the changes of schemas that it met. A unique beginning of the id will do.

    Raises `UsageError` where no run, or more than one, is meant.
    """
    reader = runtime.hub_reader
    run = None if reader is None or not run_id else runs.read_run(reader.connection, run_id)
    if run is None or reader is None:
        raise _unknown(runtime, run_id)
    drift = state.read_drift(reader.connection, limit=NO_LIMIT)
    return {
        **_told(runtime, run),
        "drift": [change for change in drift[::-1] if change["run_id"] == run["run_id"]],
    }


def last_run(runtime: Runtime) -> dict[str, Any]:
    """The newest run, as `show_run` has it. Raises `LumioError` no_runs where there was none."""
    newest = list_runs(runtime, 1)
    if not newest:
        raise LumioError("nothing was ever synced into this hub", code="no_runs", hint="lumio sync")
    return show_run(runtime, str(newest[0]["run_id"]))


def _unknown(runtime: Runtime, run_id: str) -> UsageError:
    if run_id:
        ids = [str(run["run_id"]) for run in list_runs(runtime, NO_LIMIT)]
        near = [known for known in ids if known.startswith(run_id)]
        if len(near) > 1:
            shown = ", ".join(near[:3]) + (", ..." if len(near) > 3 else "")
            return UsageError(f"{len(near)} runs begin with {run_id!r}", hint=f"one of {shown}")
    return UsageError(f"there is no run {run_id!r}", hint="`lumio runs list` shows them")


def _told(runtime: Runtime, run: Mapping[str, Any]) -> dict[str, Any]:
    """A run as it is told: a killed one never said how it ended, but the kernel let its lock go."""
    lock = run_lock(runtime.paths.locks, str(run["run_id"]))
    dead = run["status"] == "running" and lock.holder() is None
    resources = [_resource(entry, dead=dead) for entry in run["resources"]]
    return {
        **run,
        "status": "interrupted" if dead else run["status"],
        "duration_s": _duration(run),
        "totals": {name: round(sum(r[name] for r in resources), 3) for name in _TOTALS},
        "resources": resources,
    }


def _resource(entry: Mapping[str, Any], *, dead: bool) -> dict[str, Any]:
    told = {**entry, "duration_s": _duration(entry)}
    if dead and entry["status"] == "running":
        told["status"] = "interrupted"
    return told


def _duration(entry: Mapping[str, Any]) -> float | None:
    """Seconds from the start to the end; None where there was no end."""
    if entry["finished_at"] is None:
        return None
    spent = parse_time(entry["finished_at"]) - parse_time(entry["started_at"])
    return round(spent.total_seconds(), 3)

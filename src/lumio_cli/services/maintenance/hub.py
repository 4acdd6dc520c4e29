"""What `lumio hub` does: look at the hub, check it, shrink it, copy it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lumio_cli.core.clock import utc
from lumio_cli.core.errors import BusyError, HubError, UsageError
from lumio_cli.core.paths import expand
from lumio_cli.core.units import format_size
from lumio_cli.hub.sqlite import migrations, runs
from lumio_cli.hub.sqlite.columns import view_name
from lumio_cli.hub.sqlite.database import Hub, explained
from lumio_cli.hub.sqlite.database_file import log_size
from lumio_cli.sync.run_locks import run_lock

if TYPE_CHECKING:
    from lumio_cli.runtime import Runtime

_STEPS = 50_000
"""Steps of SQLite's machine between two looks at the stop event: some milliseconds."""


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """Sizes in bytes, side files included."""

    path: Path
    before: int
    after: int

    def as_json(self) -> dict[str, Any]:
        """For `--output json`."""
        return {
            "path": str(self.path),
            "bytes_before": self.before,
            "bytes_after": self.after,
            "bytes_freed": self.before - self.after,
        }


def vacuum(runtime: Runtime) -> Vacuumed:
    """Write the hub anew, without the holes that deleted and changed records have left.

    Raises `BusyError` while a run goes on, `HubError`: hub_missing, disk_full where there is no
    room for a second copy, hub_locked where another program writes; `StoppedError`. In each case
    the hub is as it was.
    """
    open_reader(runtime)
    hub = runtime.hub
    for run_id in runs.running_runs(hub.connection):
        holder = run_lock(runtime.paths.locks, run_id).holder()
        if holder is not None:
            raise BusyError(
                f"run {run_id} is writing to the hub (pid {holder.pid})",
                hint="wait until it has ended; `lumio status` shows how far it is",
            )
    before = size_of(hub.path)
    # The new copy goes through the log, which stands beside the old file until it is done.
    require_room(hub.path.parent, 2 * before, "vacuum")
    with interruptible_reading(runtime, hub) as db:
        db.execute("VACUUM")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Vacuumed(hub.path, before, size_of(hub.path))


@dataclass(frozen=True, slots=True)
class BackedUp:
    """A copy of the hub, and its size in bytes."""

    path: Path
    source: Path
    size: int

    def as_json(self) -> dict[str, Any]:
        """For `--output json`."""
        return {"path": str(self.path), "source": str(self.source), "bytes": self.size}


def back_up(runtime: Runtime, target: Path | None = None) -> BackedUp:
    """A consistent copy of the hub, also while a run writes to it.

    `target` is a new file or an existing directory; None: the profile's backups. Raises
    `UsageError` where the file exists, `HubError`: hub_missing, disk_full, backup_failed.
    """
    reader = open_reader(runtime)
    path = runtime.paths.backups if target is None else expand(target, UsageError).absolute()
    if target is None or path.is_dir():
        path = free_name(path, f"lumio-{utc(runtime.clock.time()):%Y%m%dT%H%M%SZ}")
    if path.exists():
        raise UsageError(f"there is a file already: {path}", hint="name another one")
    size = size_of(reader.path)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        require_room(path.parent, size, "a backup")
        with explained(path):
            migrations.back_up(reader.connection, path)
    except OSError as error:
        raise HubError(
            f"the backup {path} cannot be written: {error.strerror}",
            code="backup_failed",
            hint="name a file in a directory that you may write to",
        ) from error
    finally:
        with suppress(OSError):
            path.with_name(f"{path.name}.part").unlink()
    return BackedUp(path, reader.path, path.stat().st_size)


def info(runtime: Runtime) -> dict[str, Any]:
    """What the hub is and holds. `rows` of a view is the number of live records.

    Raises `HubError` hub_missing where there is none.
    """
    reader = open_reader(runtime)
    with explained(reader.path):
        utils = reader.utils()
        counts = {
            view_name(row[0], row[1]): row[2]
            for row in reader.connection.execute(
                "SELECT provider, resource, records FROM lumio_resources"
            )
        }
        views = [
            {"name": v.name, "kind": "view", "columns": len(v.columns), "rows": counts.get(v.name)}
            for v in utils.views
        ]
        tables = [
            {"name": t.name, "kind": "table", "columns": len(t.columns), "rows": t.count}
            for t in utils.tables
        ]
        version = int(reader.connection.execute("PRAGMA user_version").fetchone()[0])
        return {
            "path": str(reader.path),
            "schema_version": version,
            "bytes": size_of(reader.path),
            "records": sum(counts.values()),
            "journal_mode": utils.journal_mode,
            "sqlite": sqlite3.sqlite_version,
            "objects": [*views, *tables],
            "schema": utils.schema,
        }


# -- shared


def open_reader(runtime: Runtime) -> Hub:
    """The hub, for reading only. Raises `HubError` hub_missing where there is none yet."""
    reader = runtime.hub_reader
    if reader is None:
        raise HubError(
            f"there is no hub yet: {runtime.hub_path}", code="hub_missing", hint="lumio sync"
        )
    return reader


@contextmanager
def interruptible_reading(runtime: Runtime, hub: Hub) -> Iterator[sqlite3.Connection]:
    """A long statement of SQLite ends as soon as a stop is asked for, not when it is done."""
    db, stop = hub.connection, runtime.stop
    db.set_progress_handler(lambda: int(stop.is_set()), _STEPS)
    try:
        with explained(hub.path):
            yield db
    except HubError:
        stop.check()
        raise
    finally:
        db.set_progress_handler(None, 0)


def size_of(path: Path) -> int:
    """Bytes of the database and of the log beside it; 0: there is none."""
    try:
        return path.stat().st_size + log_size(path)
    except FileNotFoundError:
        return 0


def free_name(directory: Path, stem: str) -> Path:
    """A name for a new database: `stem`, with a number where it is taken."""
    path, n = directory / f"{stem}.db", 2
    while path.exists():
        path, n = directory / f"{stem}-{n}.db", n + 1
    return path


def require_room(directory: Path, needed: int, what: str) -> None:
    """Raises `HubError` disk_full where fewer than `needed` bytes are free."""
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise HubError(
            f"{what} needs {format_size(needed)} in {directory}, where {format_size(free)} are "
            "free",
            code="disk_full",
            hint="free some space; nothing was changed",
        )

"""Put a backup in the hub's place. What was there before is kept."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lumio_cli.core.clock import utc
from lumio_cli.core.errors import BusyError, HubError, UsageError
from lumio_cli.core.locks import FileLock
from lumio_cli.core.paths import expand, make_private_dir
from lumio_cli.hub.sqlite import migrations, outbox, sends
from lumio_cli.hub.sqlite.database import Hub, explained
from lumio_cli.hub.sqlite.database_file import log_of, mark, shared_of
from lumio_cli.services.maintenance.hub import free_name, require_room, size_of

if TYPE_CHECKING:
    from lumio_cli.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put in the hub's place, and what became of the hub that was there.

    `kept` is where that is now, None where there was none. `in_doubt` new records may have been
    sent since the backup was made: a push looks for them first. `sends_kept`: the ledger of
    messages is the one of before, so that none goes out twice.
    """

    path: Path
    source: Path
    size: int
    kept: Path | None
    in_doubt: int
    sends_kept: bool

    def warnings(self) -> Iterator[str]:
        """What an operator should know of what was done since the backup."""
        if self.in_doubt:
            yield (
                f"{self.in_doubt:,} new records of the backup may have been created since: the "
                "next push looks for them first"
            )
        if self.kept is not None and not self.sends_kept:
            yield "messages sent since the backup are not in its ledger: look before you send"

    def as_json(self) -> dict[str, Any]:
        """For `--output json`."""
        return {
            "path": str(self.path),
            "source": str(self.source),
            "bytes": self.size,
            "kept": None if self.kept is None else str(self.kept),
            "in_doubt": self.in_doubt,
            "sends_kept": self.sends_kept,
        }


def restore(runtime: Runtime, source: Path) -> Restored:
    """Put the copy `source` in the hub's place, whole or not at all, and keep what was there.

    Raises `UsageError` where `source` is no file or is the hub itself, `BusyError` while another
    lumio is at work, `HubError`: hub_unusable and hub_corrupt where `source` is no whole hub,
    hub_too_new, disk_full, restore_failed. In each case the hub is as it was.
    """
    path, file = runtime.hub_path, expand(source, UsageError).absolute()
    if not file.is_file():
        raise UsageError(f"there is no file {file}", hint="lumio hub backup makes one")
    if path.exists() and file.samefile(path):
        raise UsageError(f"{file} is the hub itself", hint="name a backup")
    _require_idle(runtime)
    part = path.with_name(f"{path.name}.restore.part")
    try:
        make_private_dir(path.parent)
        require_room(path.parent, size_of(file) + size_of(path), "to restore a hub")
        _copy(file, part)
        with Hub.open(part) as hub:
            with hub.transaction() as db:
                in_doubt = outbox.doubt_new(db)
            kept = _keep(runtime, path)
            sends_kept = kept is not None and _keep_ledger(kept, hub)
        _plain(part)
        _put(part, path)
    except OSError as error:
        raise HubError(
            f"the hub {path} cannot be restored: {error.strerror}",
            code="restore_failed",
            hint="the hub is as it was; check who owns its directory",
        ) from error
    finally:
        for left in (part, log_of(part), shared_of(part)):
            left.unlink(missing_ok=True)
    with Hub.open(path, busy_timeout=runtime.settings.hub.busy_timeout):
        return Restored(path, file, size_of(path), kept, in_doubt, sends_kept)


def _require_idle(runtime: Runtime) -> None:
    """Raises `BusyError` while another lumio holds any lock of the profile."""
    for path in sorted(runtime.paths.locks.glob("*.lock")):
        if (holder := FileLock(path).holder()) is not None:
            raise BusyError(
                f"{holder.what or path.stem} is at work with the hub (pid {holder.pid})",
                hint="wait until it has ended; `lumio status` shows how far it is",
            )


def _copy(source: Path, part: Path) -> None:
    """A copy of a hub whose file is whole. Raises `HubError`."""
    part.unlink(missing_ok=True)
    with explained(source), contextlib.closing(_open(source)) as db:
        problem = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if problem != "ok":
            raise HubError(
                f"{source} is damaged: {problem}", code="hub_corrupt", hint="name another backup"
            )
        if db.execute("PRAGMA application_id").fetchone()[0] != migrations.APPLICATION_ID:
            raise HubError(
                f"{source} is no lumio hub", code="hub_unusable", hint="name a backup of a hub"
            )
        migrations.require_known(db, source)
        migrations.back_up(db, part)


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)


def _keep(runtime: Runtime, path: Path) -> Path | None:
    """Copy the hub that is there into the backups, as it is; None: there is none."""
    if not path.exists():
        return None
    directory = make_private_dir(runtime.paths.backups)
    kept = free_name(directory, f"lumio-replaced-{utc(runtime.clock.time()):%Y%m%dT%H%M%SZ}")
    try:
        with contextlib.closing(_open(path)) as db:
            migrations.back_up(db, kept)
    except sqlite3.Error:
        # It is damaged, which may be why it is to be replaced.
        for of in (Path, log_of):
            if of(path).exists():
                shutil.copy2(of(path), of(kept))
    return kept


def _keep_ledger(kept: Path, hub: Hub) -> bool:
    """Take over what was sent, also since the backup was made. False where that cannot be: it is
    another hub, of an older lumio, or damaged."""
    try:
        hub.connection.execute("ATTACH ? AS before", [str(kept)])
        version = hub.connection.execute("PRAGMA before.user_version").fetchone()[0]
        if version != migrations.LATEST:
            return False
        with hub.transaction() as db:
            return sends.take_over(db, "before")
    except (HubError, sqlite3.Error):
        return False


def _plain(part: Path) -> None:
    """One file without a log."""
    with explained(part), contextlib.closing(sqlite3.connect(part)) as db:
        mark(db, backup=True)
        db.commit()
        db.execute("PRAGMA journal_mode = DELETE")
    with part.open("rb") as file:
        os.fsync(file.fileno())


def _put(part: Path, path: Path) -> None:
    """Put the file in its place. Its log goes first: it is that of the other file."""
    log_of(path).unlink(missing_ok=True)
    shared_of(path).unlink(missing_ok=True)
    part.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)

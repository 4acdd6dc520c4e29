"""Opening the hub, and turning SQLite's errors into words an operator can act on."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, TypeVar

from lumio_cli.core.errors import HubError
from lumio_cli.core.paths import make_private_dir
from lumio_cli.hub.sqlite.database_file import (
    identity,
    log_size,
    mark,
    require_in_place,
    require_own_log,
)
from lumio_cli.hub.sqlite.migrations import LATEST, migrate

if TYPE_CHECKING:
    from types import TracebackType

    import sqlite_utils

T = TypeVar("T")
P = ParamSpec("P")


class Transactions(Protocol):
    """Runs pieces of work on a hub, each in a transaction of its own: a `Hub`, or who stands
    before it for other threads."""

    def call(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run `work(db, ...)`; returns or raises what it does. Raises `HubError`."""
        ...


def explain(error: sqlite3.Error, path: Path) -> HubError:
    """The error that an operator should read for what SQLite reported."""
    text = str(error)
    low = text.lower()
    if "locked" in low or "busy" in low:
        return HubError(
            f"the hub {path} is locked by another program",
            code="hub_locked",
            hint="close what is writing to it (a shell, a GUI with an open transaction) and retry",
        )
    if "readonly" in low or "read-only" in low:
        return HubError(
            f"the hub {path} is read-only",
            code="hub_read_only",
            hint="check who owns the file and its directory, and whether the disk is mounted rw",
        )
    if "full" in low:
        return HubError(
            f"the disk is full: the hub {path} cannot grow",
            code="disk_full",
            hint="free some space and run it again; what was committed is intact",
        )
    if "not a database" in low or "malformed" in low or "corrupt" in low:
        return HubError(
            f"the hub {path} is damaged: {text}",
            code="hub_corrupt",
            hint=(
                "`lumio hub check` says where; restore a copy from the backups directory, "
                "or move the file away and sync again"
            ),
        )
    if "disk i/o" in low:
        return HubError(
            f"the disk fails the hub {path}: {text}",
            code="hub_unusable",
            hint="it may be full, over a quota or broken: see `df` and the system's log; what was "
            "committed is intact",
        )
    if "unable to open" in low:
        return HubError(
            f"the hub {path} cannot be opened: {text}",
            code="hub_unusable",
            hint="check that the directory exists and belongs to you",
        )
    return HubError(f"the hub {path} failed: {text}", code="hub_unusable")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns SQLite's errors inside the block into `HubError`."""
    try:
        yield
    except sqlite3.Error as error:
        raise explain(error, path) from error


SLICE = 0.2
"""Seconds that SQLite waits for another writer at a time."""
HURRY = 0.5
"""Seconds that a writer waits for others after a stop was asked for."""


class Hub:
    """An open hub. One thread at a time; a second connection is a second `Hub`."""

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        busy_timeout: float = 0.0,
        in_a_hurry: Callable[[], bool] = lambda: False,
    ) -> None:
        self.path = path
        self.connection = connection
        self._busy_timeout = busy_timeout
        self._in_a_hurry = in_a_hurry
        self._file = identity(path)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        busy_timeout: float = 10.0,
        in_a_hurry: Callable[[], bool] = lambda: False,
    ) -> Hub:
        """Open for reading and writing; create and migrate as needed.

        `busy_timeout` in seconds is how long another writer is waited for; `HURRY` at most once
        `in_a_hurry`. Raises `HubError` (locked, read-only, damaged, written by a newer lumio, with
        the log of another file).
        """
        existed = path.exists()
        require_own_log(path)
        try:
            make_private_dir(path.parent)
        except OSError as error:
            raise HubError(
                f"the hub's directory {path.parent} cannot be created: {error.strerror}",
                hint="set LUMIO_HOME to a directory that you may write to",
            ) from error
        if existed and not os.access(path, os.W_OK):
            raise HubError(
                f"the hub {path} is read-only",
                code="hub_read_only",
                hint="check who owns the file and its directory",
            )
        with explained(path):
            connection = _connect(f"{path.absolute().as_uri()}?mode=rwc", busy_timeout)
            hub = cls(path, connection, busy_timeout, in_a_hurry)
            try:
                if not existed:
                    path.chmod(0o600)
                migrate(hub.connection, path)
                mark(connection, backup=False)
                _keep_log(connection, busy_timeout)
                connection.execute("PRAGMA synchronous = NORMAL")
                # A checkpoint waits for the disk twice: 64 MiB of log between two of them.
                connection.execute("PRAGMA wal_autocheckpoint = 16000")
                # SQLite waits deaf to signals: `_begin` does it in slices.
                connection.execute(f"PRAGMA busy_timeout = {int(min(busy_timeout, SLICE) * 1000)}")
            except BaseException:
                connection.close()
                raise
        return hub

    @classmethod
    def open_reader(cls, path: Path, *, busy_timeout: float = 10.0) -> Hub | None:
        """Open for reading only; None where there is no hub yet. Raises `HubError`."""
        require_own_log(path)
        if not path.exists():
            return None
        with explained(path):
            connection = _connect_reader(path, busy_timeout)
            try:
                connection.execute("PRAGMA query_only = ON")
                version = int(connection.execute("PRAGMA user_version").fetchone()[0])
                if version != LATEST:
                    connection.close()
                    # An old hub is migrated by whoever may write; a newer one is refused there.
                    return cls.open(path, busy_timeout=busy_timeout)
            except BaseException:
                connection.close()
                raise
        return cls(path, connection)

    @classmethod
    def in_memory(cls) -> Hub:
        """An empty hub that is gone when it is closed."""
        connection = _connect("file::memory:", 0.0)
        migrate(connection, Path(":memory:"))
        return cls(Path(":memory:"), connection)

    @property
    def in_place(self) -> bool:
        """Whether the file that was opened is still the one at `path`."""
        return self._file is None or identity(self.path) == self._file

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def __enter__(self) -> Hub:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One `BEGIN IMMEDIATE` transaction: all of the block, or nothing of it.

        A deferred BEGIN that reads first fails at once when it comes to write, whatever the busy
        time-out; hence IMMEDIATE. Raises `HubError`, also where the file is no longer in its place:
        what is written into it then, nobody would find.
        """
        with explained(self.path):
            self._begin()
            try:
                yield self.connection
                require_in_place(self.path, self._file)
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise
            try:
                self.connection.execute("COMMIT")
            except sqlite3.Error:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def call(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run `work(db, ...)` in one transaction; returns or raises what it does."""
        with self.transaction() as db:
            return work(db, *args, **kwargs)

    def _begin(self) -> None:
        """Begin to write, after others; in a hurry, these are not waited for much longer."""
        deadline = time.monotonic() + self._busy_timeout
        while True:
            try:
                self.connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                now = time.monotonic()
                if self._in_a_hurry():
                    deadline = min(deadline, now + HURRY)
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or now >= deadline:
                    raise
            else:
                return

    def utils(self) -> sqlite_utils.Database:
        """The same connection as a sqlite-utils database, for schema work."""
        import sqlite_utils

        return sqlite_utils.Database(self.connection)


def _connect(uri: str, busy_timeout: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    connection.execute(f"PRAGMA busy_timeout = {int(busy_timeout * 1000)}")
    connection.row_factory = sqlite3.Row
    connection.text_factory = _text
    return connection


def _connect_reader(path: Path, busy_timeout: float) -> sqlite3.Connection:
    """Connect for reading. SQLite needs the log's index, which it cannot make in a directory that
    may only be read: where there is no log either, the file is read as it is."""
    where = f"{path.absolute().as_uri()}?mode=ro"
    try:
        return _readable(where, busy_timeout)
    except sqlite3.OperationalError as error:
        if log_size(path) or error.sqlite_errorcode & 0xFF not in _CANNOT_WRITE:
            raise
    return _readable(f"{where}&immutable=1", busy_timeout)


def _readable(uri: str, busy_timeout: float) -> sqlite3.Connection:
    connection = _connect(uri, busy_timeout)
    try:
        connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


_CANNOT_WRITE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)


def _keep_log(connection: sqlite3.Connection, busy_timeout: float) -> None:
    """Keep a write-ahead log. Waits for others, up to `busy_timeout` seconds: SQLite does not where
    the kind of journal changes, as it does in a hub that several make at once.
    """
    deadline = time.monotonic() + busy_timeout
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
            time.sleep(0.005)
        else:
            return


def _text(raw: bytes) -> str:
    """Text as it is read. SQLite takes any bytes for text, from whoever edits the hub: those that
    are none become U+FFFD, which a push refuses by the name of its field."""
    return raw.decode("utf-8", "replace")

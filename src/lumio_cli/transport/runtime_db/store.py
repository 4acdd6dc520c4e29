"""runtime.db: what the lumio processes of this machine tell each other, and may forget.

Rate buckets, circuit breakers, the request log, switches and counters live here. The file is
disposable: where it is corrupt, or of another version, it is made anew with a warning. So nothing
waits for the disk (`synchronous=OFF`); a killed process loses nothing all the same, only a power
cut can.

One connection a process, guarded by a lock: four threads share some 27,000 transactions a second
(45,000 with a connection each), far more than HTTP can use, and a fork has one thing to replace
instead of many. Writers queue on `runtime.lock` before they begin. SQLite alone would be correct
too, but its losers sleep for longer and longer: with four busy processes the slowest transaction
took about 90 ms without the queue, 20 to 30 ms with it.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from lumio_cli.core.clock import Clock, SystemClock
from lumio_cli.core.errors import HubError
from lumio_cli.core.paths import make_private_dir, open_private
from lumio_cli.transport.runtime_db.link import (
    SCHEMA,
    VERSION,
    ThreadLink,
    check_version,
    drop,
    error_code,
    is_broken,
)
from lumio_cli.transport.runtime_db.read_only import glance, may_not_write

T = TypeVar("T")

QUEUE_LIMIT = 2.0
"""Seconds in the queue before a writer goes on without its turn: its holder may be suspended."""
BUSY_LIMIT = 10.0
"""Seconds that SQLite waits for a lock before it gives up."""
TRIM_EVERY = 64
"""Log rows between two looks at the log's size in bytes."""


@dataclass(frozen=True, slots=True)
class LogRow:
    """One request attempt. `id` rises and is never used again; `at` is seconds since the epoch."""

    id: int
    at: float
    provider: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Flag:
    """A switch. `expires_at` in seconds since the epoch; None: until it is deleted."""

    key: str
    value: Any
    expires_at: float | None


class RuntimeStore:
    """The runtime database at `path`, opened on first use.

    Any number of threads and processes may share it. A store that was made before a fork works
    in the child too, with a connection of its own.
    """

    def __init__(self, path: Path, *, clock: Clock | None = None) -> None:
        self.path = path
        self._name = str(path)
        self._clock: Clock = clock or SystemClock()
        self._links = [ThreadLink()]

    # -- transactions

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """`BEGIN IMMEDIATE ... COMMIT`, or ROLLBACK on any exception. Does not nest.

        Raises `HubError`: `hub_corrupt` (the next use makes the file anew), `hub_locked`,
        `disk_full`, `hub_read_only`.
        """
        link = self._link()
        with link.guard:
            try:
                connection = self._begin(link)
                try:
                    yield connection
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise self._explain(link, error) from error
            finally:
                _leave(link)

    def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """`work` in a transaction; where the file turns out to be corrupt, once more in a new one.

        Raises `HubError` like `transaction`.
        """
        try:
            with self.transaction() as connection:
                return work(connection)
        except HubError as error:
            if error.code != "hub_corrupt":
                raise
        with self.transaction() as connection:
            return work(connection)

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """The rows of a SELECT, outside of any transaction; also where nothing may be written.
        Raises `HubError`."""
        link = self._link()
        with link.guard:
            if link.connection is not None and self._inode() == link.inode:
                try:
                    return link.connection.execute(sql, values).fetchall()
                except sqlite3.DatabaseError as error:
                    if not is_broken(error):
                        raise self._explain(link, error) from error
        # It must be opened, or made anew: that is a writer's business.
        try:
            return self.run(lambda connection: connection.execute(sql, values).fetchall())
        except (OSError, HubError) as error:
            if not may_not_write(error):
                raise
        return glance(self.path, sql, values, SCHEMA, VERSION)

    def close(self) -> None:
        """Close this process's connection; the next use opens it again."""
        link = self._link()
        with link.guard:
            drop(link)
            if link.queue >= 0:
                os.close(link.queue)
                link.queue = -1

    # -- the request log

    def append_log(
        self,
        provider: str,
        data: Mapping[str, Any],
        *,
        max_rows: int = 5_000,
        max_bytes: int = 16 * 1024 * 1024,
    ) -> int:
        """Add a row and forget the oldest beyond `max_rows` or (about) `max_bytes`.

        Returns its id. `data` must be JSON, and already redacted.
        """
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        now = self._clock.time()

        def work(connection: sqlite3.Connection) -> int:
            cursor = connection.execute(
                "INSERT INTO http_log (at, provider, data) VALUES (?, ?, ?)", (now, provider, text)
            )
            row = cursor.lastrowid or 0
            connection.execute("DELETE FROM http_log WHERE id <= ?", (row - max_rows,))
            if row % TRIM_EVERY == 0 or len(text) > max_bytes // TRIM_EVERY:
                connection.execute(
                    "DELETE FROM http_log WHERE id <= (SELECT max(id) FROM (SELECT id, "
                    "sum(length(CAST(data AS BLOB))) OVER (ORDER BY id DESC) AS size "
                    "FROM http_log) WHERE size > ?)",
                    (max_bytes,),
                )
            return row

        return self.run(work)

    def read_log(
        self, provider: str | None = None, after_id: int | None = None, limit: int = 100
    ) -> list[LogRow]:
        """Rows in the order of their ids: the first `limit` after `after_id`, or the last `limit`.

        `provider` None is all providers.
        """
        where, values = ("provider = ?", [provider]) if provider is not None else ("1", [])
        sql = "SELECT id, at, provider, data FROM http_log WHERE "
        if after_id is None:
            sql += f"{where} ORDER BY id DESC LIMIT ?"
            rows = self.query(sql, [*values, limit])[::-1]
        else:
            sql += f"{where} AND id > ? ORDER BY id LIMIT ?"
            rows = self.query(sql, [*values, after_id, limit])
        return [LogRow(row[0], row[1], row[2], json.loads(row[3])) for row in rows]

    def clear_log(self, provider: str | None = None) -> None:
        """Forget the rows of `provider`, or all."""
        self.run(
            lambda connection: connection.execute(
                "DELETE FROM http_log WHERE ?1 IS NULL OR provider = ?1", (provider,)
            )
        )

    # -- switches that expire by themselves

    def get_flag(self, key: str) -> Any:
        """The flag's value (JSON), or None where it is not set or has expired."""
        rows = self.query(
            "SELECT value FROM flags WHERE key = ? AND coalesce(expires_at, 9e999) > ?",
            (key, self._clock.time()),
        )
        return json.loads(rows[0][0]) if rows else None

    def list_flags(self, prefix: str = "") -> list[Flag]:
        """The flags in force whose keys begin with `prefix`, by key."""
        rows = self.query(
            "SELECT key, value, expires_at FROM flags WHERE substr(key, 1, length(?1)) = ?1 "
            "AND coalesce(expires_at, 9e999) > ?2 ORDER BY key",
            (prefix, self._clock.time()),
        )
        return [Flag(row[0], json.loads(row[1]), row[2]) for row in rows]

    def set_flag(self, key: str, value: Any, *, ttl: float | None = None) -> None:
        """Set a flag for `ttl` seconds; None: until it is deleted. `value` must be JSON."""
        now = self._clock.time()
        text = json.dumps(value)

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM flags WHERE expires_at <= ?", (now,))
            connection.execute(
                "INSERT OR REPLACE INTO flags VALUES (?, ?, ?)",
                (key, text, None if ttl is None else now + ttl),
            )

        self.run(work)

    def delete_flag(self, key: str) -> None:
        """Unset a flag; nothing happens where it is not set."""
        self.run(lambda connection: connection.execute("DELETE FROM flags WHERE key = ?", (key,)))

    # -- counters that only rise

    def add_counts(self, scope: str, counts: Mapping[str, int]) -> None:
        """Add to the counters of `scope` (`cache:hubspot`), all at once."""
        rows = [(scope, name, n) for name, n in counts.items() if n]
        if rows:
            self.run(
                lambda connection: connection.executemany(
                    "INSERT INTO counters VALUES (?, ?, ?) "
                    "ON CONFLICT (scope, name) DO UPDATE SET n = n + excluded.n",
                    rows,
                )
            )

    def read_counts(self, scope: str) -> dict[str, int]:
        """The counters of `scope`."""
        return dict(self.query("SELECT name, n FROM counters WHERE scope = ?", (scope,)))

    # -- inside

    def _link(self) -> ThreadLink:
        """This process's link. An inherited one is left alone: closing its connection here would
        disturb the parent's locks, and its guard may be held by a thread that the fork left behind.
        """
        link = self._links[-1]
        if link.pid != os.getpid():
            if link.queue >= 0:
                os.close(link.queue)
            link = ThreadLink()
            self._links.append(link)
        return link

    def _begin(self, link: ThreadLink) -> sqlite3.Connection:
        """Wait for our turn and begin. The file is looked at afterwards: it may be a new one."""
        self._enter(link)
        connection = self._connect(link)
        connection.execute("BEGIN IMMEDIATE")
        return connection

    def _enter(self, link: ThreadLink) -> None:
        """Stand in the queue. It is only there for fairness: after `QUEUE_LIMIT` we go on."""
        if link.queue < 0:
            make_private_dir(self.path.parent)
            link.queue = open_private(self.path.with_suffix(".lock"))
        pause, deadline = 0.000_05, 0.0
        while True:
            try:
                fcntl.flock(link.queue, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if not isinstance(error, BlockingIOError):
                    return  # This file system has no locks: then nobody stands in the queue.
                now = time.monotonic()
                deadline = deadline or now + QUEUE_LIMIT
                if now >= deadline:
                    return
                time.sleep(pause)
                pause = min(pause * 2, 0.001)
            else:
                return

    def _inode(self) -> int:
        """Which file is at `path` now; -1: none."""
        try:
            return os.stat(self._name).st_ino  # noqa: PTH116 once a transaction
        except FileNotFoundError:
            return -1

    def _connect(self, link: ThreadLink) -> sqlite3.Connection:
        """The connection to the file that is at `path` now; somebody may have replaced it.

        To open it one must stand in the queue.
        """
        if link.connection is not None:
            if self._inode() == link.inode:
                return link.connection
            drop(link)
        try:
            link.connection = self._open()
        except sqlite3.DatabaseError as error:
            if not is_broken(error):
                raise
            self._discard(str(error))
            link.connection = self._open()
        link.inode = self._inode()
        return link.connection

    def _open(self) -> sqlite3.Connection:
        """A connection to a database with our schema. Raises `sqlite3.DatabaseError`.

        SQLite gives its side files the mode of the database, so only that one is made by us.
        """
        make_private_dir(self.path.parent)
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(
            self.path, timeout=BUSY_LIMIT, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA journal_size_limit = 4194304")
            check_version(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _discard(self, why: str) -> None:
        """Remove the file. Processes that still use it see that it is gone, and follow."""
        logging.getLogger(__name__).warning(
            "%s is made anew (%s); rate limits start afresh", self.path, why
        )
        for suffix in ("", "-wal", "-shm"):
            Path(self._name + suffix).unlink(missing_ok=True)

    def _explain(self, link: ThreadLink, error: sqlite3.Error) -> HubError:
        """What an error of SQLite means to an operator. A broken file is removed, by the first
        who finds it so; to call this one must stand in the queue.
        """
        if is_broken(error):
            if link.connection is not None and self._inode() == link.inode:
                self._discard(str(error))
            drop(link)
            return HubError(f"{self.path} is corrupt: {error}", code="hub_corrupt")
        word = {
            sqlite3.SQLITE_BUSY: "hub_locked",
            sqlite3.SQLITE_LOCKED: "hub_locked",
            sqlite3.SQLITE_FULL: "disk_full",
            sqlite3.SQLITE_READONLY: "hub_read_only",
            sqlite3.SQLITE_CANTOPEN: "hub_read_only",
        }.get(error_code(error) & 0xFF)
        return HubError(f"{self.path} cannot be used: {error}", code=word)


def _leave(link: ThreadLink) -> None:
    """Let the next writer have its turn."""
    if link.queue >= 0:
        with suppress(OSError):  # A file system without locks has no queue to leave.
            fcntl.flock(link.queue, fcntl.LOCK_UN)

"""One thread's connection to runtime.db, and what is wrong with a file that it cannot read."""

from __future__ import annotations

import os
import sqlite3
import threading

VERSION = 2

SCHEMA = """
CREATE TABLE http_log (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, provider TEXT NOT NULL, data TEXT NOT NULL
) STRICT;
CREATE INDEX http_log_provider ON http_log (provider, id);
CREATE TABLE flags (key TEXT PRIMARY KEY, value TEXT NOT NULL, expires_at REAL) STRICT;
CREATE TABLE counters (
  scope TEXT NOT NULL, name TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (scope, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE quotas (key TEXT PRIMARY KEY, state BLOB NOT NULL, reason TEXT NOT NULL) STRICT;
CREATE TABLE leases (
  ticket INTEGER NOT NULL, key TEXT NOT NULL, held INTEGER NOT NULL, priority INTEGER NOT NULL,
  rank REAL NOT NULL, place TEXT NOT NULL, pid INTEGER NOT NULL, born TEXT NOT NULL,
  expires_at REAL NOT NULL, PRIMARY KEY (key, ticket)
) STRICT, WITHOUT ROWID;
CREATE TABLE breakers (
  key TEXT PRIMARY KEY, failures INTEGER NOT NULL, opened INTEGER NOT NULL, until REAL NOT NULL,
  length REAL NOT NULL, probe TEXT NOT NULL, probe_until REAL NOT NULL, reason TEXT NOT NULL
) STRICT;
"""


class ThreadLink:
    """One process's way into the database. It means nothing after a fork."""

    __slots__ = ("connection", "guard", "inode", "pid", "queue")

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.guard = threading.RLock()
        self.connection: sqlite3.Connection | None = None
        self.queue = -1
        self.inode = -1


class OtherVersionError(sqlite3.DatabaseError):
    """The file was made by another version of lumio."""


def error_code(error: sqlite3.Error) -> int:
    """SQLite's extended result code; 0 where the error is the module's own."""
    return getattr(error, "sqlite_errorcode", 0) or 0


def is_broken(error: sqlite3.Error) -> bool:
    """Whether the file is at fault (or was moved away), not the request or the machine."""
    if isinstance(error, OtherVersionError) or "no such table" in str(error):
        return True
    code = error_code(error)
    broken = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR)
    return code & 0xFF in broken or code == sqlite3.SQLITE_READONLY_DBMOVED


def drop(link: ThreadLink) -> None:
    """Close the connection. SQLite leaves the side files alone where the database was moved."""
    connection, link.connection = link.connection, None
    if connection is not None:
        connection.close()


def check_version(connection: sqlite3.Connection) -> None:
    """Make the schema in a new file. Raises `sqlite3.DatabaseError` for another version's."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if version == 0 and tables == 0:
        connection.executescript(
            f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;"
        )
    elif version != VERSION:
        raise OtherVersionError(f"it has version {version} instead of {VERSION}")

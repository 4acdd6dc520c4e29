"""The cache layer on disk, shared by the processes of this machine; and replies as text."""

from __future__ import annotations

import base64
import json
import logging
import os
import sqlite3
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from lumio_cli.core.clock import format_time, parse_time
from lumio_cli.core.paths import make_private_dir
from lumio_cli.core.redact import is_secret_name
from lumio_cli.providers.contract.call import Reply

T = TypeVar("T")

DISK_SECONDS = 30 * 60.0
DISK_BYTES = 64 * 1024 * 1024


class DiskCache:
    """Texts that expire, in `directory`. Opened on first use; what fails is a miss.

    diskcache pickles by default, so that whoever can write the directory can run code; JSONDisk
    does not.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._cache: Any = None
        self._broken = False

    def get(self, key: str) -> str | None:
        """The text under `key`, if there is one that has not expired."""
        value = self._try(lambda cache: cache.get(key))
        return value if isinstance(value, str) else None

    def put(self, tag: str, key: str, payload: str, seconds: float) -> None:
        """Keep `payload` for `seconds`, but at most 30 minutes."""
        expire = min(DISK_SECONDS, seconds)
        self._try(lambda cache: cache.set(key, payload, expire=expire, tag=tag))

    def drop(self, key: str) -> None:
        """Forget what is kept under a key."""
        self._try(lambda cache: cache.delete(key))

    def clear(self, tag: str | None = None) -> None:
        """Forget what was put with `tag`; everything where it is None."""
        self._try(lambda cache: cache.clear() if tag is None else cache.evict(tag))

    def close(self) -> None:
        """Close it; the next use opens it again."""
        with self._lock:
            if self._cache is not None:
                self._cache.close()
                self._cache = None

    def _try(self, work: Callable[[Any], T]) -> T | None:
        """What `work` makes of the open cache; None where the cache cannot be used."""
        from diskcache import Timeout

        try:
            cache = self._open()
            return None if cache is None else work(cache)
        except (Timeout, ValueError, zlib.error):
            return None  # busy, or written by something else
        except (sqlite3.Error, OSError) as error:
            self._broken = True
            logging.getLogger(__name__).warning(
                "the cache on disk is not used any more in this run: %s", error
            )
            return None

    def _open(self) -> Any:
        with self._lock:
            if self._broken:
                return None
            if self._cache is None:
                try:
                    self._cache = self._create()
                except sqlite3.DatabaseError:
                    # Nothing in it is worth a repair.
                    for name in ("cache.db", "cache.db-wal", "cache.db-shm"):
                        (self._directory / name).unlink(missing_ok=True)
                    self._cache = self._create()
            return self._cache

    def _create(self) -> Any:
        import diskcache

        make_private_dir(self._directory)
        # SQLite gives its side files the mode of the database; and with everything inside of the
        # database (a minimum size that nothing reaches) diskcache makes no other files.
        path = self._directory / "cache.db"
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        return diskcache.Cache(
            str(self._directory),
            timeout=2,
            disk=diskcache.JSONDisk,
            disk_compress_level=1,
            disk_min_file_size=1 << 30,
            size_limit=DISK_BYTES,
            tag_index=1,
        )


def pack(reply: Reply, stored_at: float) -> str:
    """A reply as JSON text, without headers that hold secrets."""
    try:
        body, encoding = reply.body.decode(), "text"
    except UnicodeDecodeError:
        body, encoding = base64.b64encode(reply.body).decode(), "base64"
    return json.dumps(
        {
            "status": reply.status,
            "headers": {k: v for k, v in reply.headers.items() if not is_secret_name(k)},
            "body": body,
            "encoding": encoding,
            "url": reply.url,
            "date": format_time(reply.date) if reply.date else None,
            "stored_at": stored_at,
        },
        ensure_ascii=False,
    )


def unpack(payload: str) -> tuple[Reply, float] | None:
    """The reply and when it was stored; None where another version wrote it."""
    try:
        data = json.loads(payload)
        text = data["encoding"] == "text"
        reply = Reply(
            data["status"],
            data["headers"],
            data["body"].encode() if text else base64.b64decode(data["body"]),
            url=data["url"],
            date=parse_time(data["date"]) if data["date"] else None,
        )
        return reply, float(data["stored_at"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None

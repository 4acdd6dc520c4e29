"""Locks between processes that cannot go stale: the kernel drops them with their process.

A lock is an flock on a file that is never deleted. Who holds it is written into the file, for
people to read; only the kernel knows whether it is held.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from lumio_cli.core.clock import Clock, SystemClock, format_timestamp, parse_time
from lumio_cli.core.paths import make_private_dir, open_private
from lumio_cli.core.stop import Stop

FIRST_PAUSE = 0.01
LAST_PAUSE = 0.25
"""Seconds between two tries of a waiter."""
_SIZE = 512
"""Bytes of a lock file: who holds it, and blanks."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock. `since` is None and the rest empty where it has not been written yet."""

    pid: int = 0
    host: str = ""
    since: datetime | None = None
    what: str = ""


class FileLock:
    """An exclusive lock on `path`, against other processes and against other threads.

    `what` says what it is held for (a run's id, a command). Each acquisition opens the file anew,
    so that two `FileLock` on one path exclude each other within a process too. A child that was
    forked, not executed, while the lock is held shares it until both have let it go.
    """

    def __init__(self, path: Path, *, what: str = "", clock: Clock | None = None) -> None:
        self.path = path
        self.what = what
        self._clock: Clock = clock or SystemClock()
        self._descriptor = -1

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor >= 0

    def try_acquire(self) -> bool:
        """Take the lock if it is free, without waiting. True if this object holds it now.

        Raises OSError where the file cannot be made, or is a link.
        """
        if self.held:
            return True
        make_private_dir(self.path.parent)
        for _ in range(3):
            descriptor = open_private(self.path)
            if _lock(descriptor, fcntl.LOCK_EX, self.path):
                if _is_at(descriptor, self.path):
                    self._descriptor = descriptor
                    self._sign()
                    return True
                # Somebody deleted the file in between: others would lock the new one.
                os.close(descriptor)
                continue
            os.close(descriptor)
            # It may be `holder()` of another process, which looks for some microseconds.
            time.sleep(0.001)
        return False

    def acquire(self, wait: float = math.inf, stop: Stop | None = None) -> bool:
        """Take the lock, waiting up to `wait` seconds. False if it was not to be had.

        Raises `StoppedError` as soon as `stop` is set, OSError where the file cannot be made.
        """
        stop = stop or Stop()
        deadline = self._clock.monotonic() + wait
        pause = FIRST_PAUSE
        while not self.try_acquire():
            left = deadline - self._clock.monotonic()
            if left <= 0:
                return False
            self._clock.sleep(min(pause, left), stop)
            pause = min(pause * 2, LAST_PAUSE)
        return True

    def release(self) -> None:
        """Let the lock go; nothing happens where it is not held."""
        if self.held:
            descriptor, self._descriptor = self._descriptor, -1
            try:
                _write(descriptor, "")
            finally:
                # Closing alone would not do if a forked child had the file open too.
                fcntl.flock(descriptor, fcntl.LOCK_UN)
                os.close(descriptor)

    def holder(self) -> Holder | None:
        """Who holds the lock, this object included; None where it is free."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            if _lock(descriptor, fcntl.LOCK_SH, self.path):
                return None
            return _parse(os.pread(descriptor, 4096, 0))
        finally:
            os.close(descriptor)

    def __enter__(self) -> Self:
        """Hold the lock, waiting for it without a limit where it is not held already."""
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def _sign(self) -> None:
        """Write who we are into the file."""
        text = json.dumps(
            {
                "pid": os.getpid(),
                "host": os.uname().nodename,
                "since": format_timestamp(self._clock.time()),
                "what": self.what,
            }
        )
        try:
            _write(self._descriptor, text)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from None


def _write(descriptor: int, text: str) -> None:
    """Write over who held the lock before. Nothing but such words is written over, and nothing is
    cut off: what lies at the lock's path may be a file that somebody needs."""
    before = os.pread(descriptor, _SIZE + 1, 0)
    if len(before) <= _SIZE and (not before.strip() or before.startswith(b'{"pid"')):
        os.pwrite(descriptor, text.encode()[:_SIZE].ljust(_SIZE), 0)


def _lock(descriptor: int, kind: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise OSError(error.errno, f"it cannot be locked: {error.strerror}", str(path)) from None
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is still the one that others will find."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _parse(text: bytes) -> Holder:
    """A holder from the file's content, which may be cut: nobody locks it for reading."""
    try:
        data = json.loads(text)
        return Holder(
            pid=int(data["pid"]),
            host=str(data["host"]),
            since=parse_time(data["since"]),
            what=str(data["what"]),
        )
    except (ValueError, KeyError, TypeError):
        return Holder()

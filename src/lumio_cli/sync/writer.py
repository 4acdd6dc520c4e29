"""The one writer: everything that touches the hub, in one thread, a transaction a piece."""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from lumio_cli.errors import StoppedError
from lumio_cli.hub.db import Hub, explain

T = TypeVar("T")
_Work = tuple[Callable[[sqlite3.Connection], Any], "Future[Any]"]


class Writer:
    """Runs pieces of work on the hub, in the order they came, in the thread that calls `serve`.

    Each piece is one `BEGIN IMMEDIATE` transaction: done wholly or not at all. In a preview
    (`commit=False`) pieces run without one and must only read.
    """

    def __init__(self, hub: Hub, *, commit: bool = True) -> None:
        self._hub = hub
        self._commit = commit
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._closed = threading.Event()

    def submit(self, work: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Queue a piece of work; its result, or its error, comes in the future."""
        future: Future[T] = Future()
        if self._closed.is_set():
            future.set_exception(StoppedError("stopped: the hub is closed"))
        else:
            self._queue.put((work, future))
        return future

    def call(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """A piece of work, waited for."""
        return self.submit(work).result()

    def serve(self) -> None:
        """Work until `close`; what was queued before is done first."""
        while (item := self._queue.get()) is not None:
            self._do(*item)
        self._closed.set()
        while not self._queue.empty():
            late = self._queue.get()
            if late is not None:
                late[1].set_exception(StoppedError("stopped: the hub is closed"))

    def close(self) -> None:
        """End `serve` once the queue is empty."""
        self._queue.put(None)

    def _do(self, work: Callable[[sqlite3.Connection], Any], future: Future[Any]) -> None:
        try:
            if self._commit:
                with self._hub.transaction() as db:
                    result = work(db)
            else:
                result = work(self._hub.connection)
        except sqlite3.Error as error:
            future.set_exception(explain(error, self._hub.path))
        except BaseException as error:  # noqa: BLE001 it is the caller's to handle
            future.set_exception(error)
        else:
            future.set_result(result)

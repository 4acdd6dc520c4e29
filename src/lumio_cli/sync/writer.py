"""The one writer: everything that touches the hub, in one thread, a transaction a piece."""

from __future__ import annotations

import math
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Concatenate, ParamSpec, TypeVar

from lumio_cli.core.errors import StoppedError
from lumio_cli.core.stop import Stop
from lumio_cli.hub.sqlite.database import Hub, explain

T = TypeVar("T")
P = ParamSpec("P")

POLL = 0.25
"""Seconds between two looks at the stop while there is nothing to write."""
_Work = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], "Future[Any]"]


class Writer:
    """Runs pieces of work on the hub, in the order they came, in the thread that calls `serve`.

    Each piece is one `BEGIN IMMEDIATE` transaction: done wholly or not at all. In a preview
    (`commit=False`) pieces run without one and must only read.
    """

    def __init__(self, hub: Hub, *, commit: bool = True) -> None:
        self._hub = hub
        self._commit = commit
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._closed = False

    def submit(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Future[T]:
        """Queue `work(db, ...)`; its result, or its error, comes in the future."""
        future: Future[T] = Future()
        with self._guard:
            if not self._closed:
                self._queue.put((work, args, kwargs, future))
                return future
        future.set_exception(StoppedError("stopped: the hub is closed"))
        return future

    def call(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run `work(db, ...)` and wait for it; returns or raises what it does."""
        return self.submit(work, *args, **kwargs).result()

    def serve(self, stop: Stop, patience: float) -> bool:
        """Work until `close`; what was queued before is done first.

        Once `stop` is set, at most `patience` seconds more: a request that hangs must not keep a
        run from ending. True if all was done, False if patience ran out.
        """
        deadline = math.inf
        done = False
        while not done and time.monotonic() < deadline:
            if deadline == math.inf and stop.is_set():
                deadline = time.monotonic() + patience
            try:
                item = self._queue.get(timeout=POLL)
            except queue.Empty:
                continue
            if item is None:
                done = True
            else:
                self._do(*item)
        with self._guard:
            self._closed = True
        while not self._queue.empty():
            late = self._queue.get()
            if late is not None:
                late[-1].set_exception(StoppedError("stopped: the hub is closed"))
        return done

    def close(self) -> None:
        """End `serve` once the queue is empty."""
        self._queue.put(None)

    def _do(
        self,
        work: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        future: Future[Any],
    ) -> None:
        try:
            if self._commit:
                with self._hub.transaction() as db:
                    result = work(db, *args, **kwargs)
            else:
                result = work(self._hub.connection, *args, **kwargs)
        except sqlite3.Error as error:
            future.set_exception(explain(error, self._hub.path))
        except BaseException as error:  # noqa: BLE001 it is the caller's to handle
            future.set_exception(error)
        else:
            future.set_result(result)

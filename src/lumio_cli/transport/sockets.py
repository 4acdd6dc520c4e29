"""The sockets under the wire: every wait on one ends, by its own limit, by that of the whole
request, or shortly after the run was stopped. What comes in slowly for ever is no answer.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore

from lumio_cli.core.stop import Stop
from lumio_cli.transport.wire_errors import WireError

SLICE = 0.2
"""Seconds that a socket is waited for at a stretch, before anybody looks whether to go on."""
GRACE = 0.5
"""Seconds that an answer may still take after a stop: what it says of a write is worth a moment."""
CONNECTS = 3
"""Connect timeouts that a name's addresses may take together."""


class Watch(threading.local):
    """How long the request of this thread may take in all, and whether its run goes on."""

    def __init__(self, stop: Stop, host: str) -> None:
        self.stop = stop
        self.host = host
        self.deadline = float("inf")

    def begin(self, seconds: float) -> None:
        """A request begins: from now on it may take so many seconds."""
        self.deadline = time.monotonic() + seconds

    def check(self, *, sent: bool, by: float = float("inf")) -> None:
        """Raise `WireError` where the request has to end ("stopped" or "too_slow"), and
        `httpcore.ConnectTimeout` after `by`."""
        if self.stop.is_set() and self.stop.seconds() >= GRACE:
            raise WireError("stopped", f"stopped before {self.host} had answered", sent=sent)
        if time.monotonic() >= self.deadline:
            raise WireError("too_slow", f"{self.host} did not finish its answer in time", sent=sent)
        if time.monotonic() >= by:
            raise httpcore.ConnectTimeout


class Backend(httpcore.NetworkBackend):
    """Connections whose waits `watch` can end."""

    def __init__(self, watch: Watch) -> None:
        self._inner = httpcore.SyncBackend()
        self._watch = watch

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection, made aside: a resolver can be neither limited nor ended."""

        def connect() -> httpcore.NetworkStream:
            return self._inner.connect_tcp(host, port, timeout, local_address, socket_options)

        return Stream(_aside(connect, self._watch, (timeout or 0) * CONNECTS), self._watch)

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        """Not a way to any provider."""
        raise NotImplementedError

    def sleep(self, seconds: float) -> None:
        """Let time pass; ends with the run."""
        self._watch.stop.wait(seconds)


class Stream(httpcore.NetworkStream):
    """A connection."""

    def __init__(self, inner: httpcore.NetworkStream, watch: Watch) -> None:
        self._inner = inner
        self._watch = watch

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has come in. Raises `httpcore.ReadTimeout`, `WireError`."""
        end = time.monotonic() + (timeout if timeout is not None else float("inf"))
        while True:
            self._watch.check(sent=True)
            left = end - time.monotonic()
            try:
                return self._inner.read(max_bytes, min(SLICE, max(0.001, left)))
            except httpcore.ReadTimeout:
                if left <= SLICE:
                    raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Hand it over. Raises `httpcore.WriteTimeout`, `WireError`."""
        if buffer:
            # Some of the request may have been written before.
            self._watch.check(sent=True)
            self._inner.write(buffer, timeout)

    def close(self) -> None:
        """Close it."""
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """The same connection, encrypted."""

        def start() -> httpcore.NetworkStream:
            return self._inner.start_tls(ssl_context, server_hostname, timeout)

        return Stream(_aside(start, self._watch, (timeout or 0) * CONNECTS), self._watch)

    def get_extra_info(self, info: str) -> Any:
        """What is known of the socket."""
        return self._inner.get_extra_info(info)


def _aside(
    work: Callable[[], httpcore.NetworkStream], watch: Watch, limit: float
) -> httpcore.NetworkStream:
    """`work()`, in a thread that is left alone where it takes longer than `limit` or than the run.
    Raises what it raises, `httpcore.ConnectTimeout`, `WireError`."""
    found: list[httpcore.NetworkStream] = []
    wrong: list[Exception] = []
    done, lock, left = threading.Event(), threading.Lock(), False

    def run() -> None:
        try:
            stream = work()
        except Exception as error:  # noqa: BLE001 raised where it is waited for
            wrong.append(error)
        else:
            with lock:
                found.append(stream)
                if left:
                    stream.close()
        done.set()

    threading.Thread(target=run, name="lumio-connect", daemon=True).start()
    end = time.monotonic() + (limit or float("inf"))
    try:
        while not done.wait(SLICE):
            watch.check(sent=False, by=end)
    except BaseException:
        with lock:
            left = True
            for stream in found:
                stream.close()
        raise
    if wrong:
        raise wrong[0]
    return found[0]

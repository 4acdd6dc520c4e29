"""What requests cost, counted always; and what they said, logged while an operator debugs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Protocol

from lumio_cli.core.clock import format_timestamp
from lumio_cli.core.errors import LumioError
from lumio_cli.core.redact import LARGEST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lumio_cli.core.clock import Clock
    from lumio_cli.core.redact import Redactor
    from lumio_cli.providers.contract.call import Call, Reply
    from lumio_cli.providers.contract.quota import Allowance

Level = Literal["", "basic", "verbose"]

MAX_REQUEST_BODY = 4 * 1024
MAX_REPLY_BODY = 16 * 1024
LOG_ROWS = 5_000
LOG_BYTES = 20 * 1024 * 1024
FLAG_EVERY = 1.0
"""Seconds between two looks at the debug flag."""

_REQUEST_IDS = ("request-id", "requestid", "correlation-id", "trace-id", "cf-ray")


class Tally:
    """What one piece of work (a resource of a run) has cost so far. Safe to share by threads.

    `requests` are attempts on the wire, `retries` those of them that repeat one, `received` is in
    bytes, `waited` in seconds, `cached` counts calls that needed no request. `waiting_for` says
    what the work is waiting for at this moment; `on_wait(seconds, reason)` is told too.
    `on_wire(gone)` is told, in the thread that sends, of every request that may not be repeated:
    False just before its last part is handed to the system, True just after.
    """

    def __init__(
        self,
        on_wait: Callable[[float, str], None] | None = None,
        on_wire: Callable[[bool], None] | None = None,
    ) -> None:
        self.on_wire = on_wire
        self._lock = threading.Lock()
        self._on_wait = on_wait
        self.requests = 0
        self.retries = 0
        self.received = 0
        self.cached = 0
        self.waited = 0.0
        self.waiting_for = ""

    def add(
        self,
        *,
        requests: int = 0,
        retries: int = 0,
        received: int = 0,
        cached: int = 0,
        waited: float = 0.0,
    ) -> None:
        """Add to the counters."""
        with self._lock:
            self.requests += requests
            self.retries += retries
            self.received += received
            self.cached += cached
            self.waited += waited

    def wait_begins(self, seconds: float, reason: str) -> None:
        """Say that the work waits for about `seconds`, and for what."""
        self.waiting_for = reason
        if self._on_wait is not None:
            self._on_wait(seconds, reason)

    def wait_ends(self, seconds: float) -> None:
        """Say that the work goes on, after `seconds`."""
        self.waiting_for = ""
        self.add(waited=seconds)

    @contextmanager
    def waiting(self, seconds: float, reason: str, clock: Clock) -> Iterator[None]:
        """Count the time of the block as waiting for `reason`."""
        begin = clock.monotonic()
        self.wait_begins(seconds, reason)
        try:
            yield
        finally:
            self.wait_ends(clock.monotonic() - begin)


class DebugStore(Protocol):
    """Where the debug switch is, and where rows go (`store.RuntimeStore`)."""

    def get_flag(self, key: str) -> Any:
        """The flag's value, or None."""
        ...

    def append_log(
        self, provider: str, data: Mapping[str, Any], *, max_rows: int, max_bytes: int
    ) -> int:
        """Add a row, and forget the oldest beyond the limits."""
        ...


class Observer:
    """Writes one redacted row an attempt while `debug:PROVIDER` is on (`basic` or `verbose`).

    The flag's value is a level, or an object with the key `level`. A store that fails costs the
    row, never the request.
    """

    def __init__(
        self,
        provider_name: str,
        store: DebugStore | None,
        redactor: Redactor,
        clock: Clock,
        *,
        run_id: str = "",
    ) -> None:
        self._name = provider_name
        self._store = store
        self._redactor = redactor
        self._clock = clock
        self._run_id = run_id
        self._level: Level = ""
        self._look_at = float("-inf")

    def level(self) -> Level:
        """Whether and how much to log; looked up at most once a second."""
        now = self._clock.monotonic()
        if self._store is None or now < self._look_at:
            return self._level
        self._look_at = now + FLAG_EVERY
        try:
            value = self._store.get_flag(f"debug:{self._name}")
        except LumioError:
            value = None
        if isinstance(value, dict):
            value = value.get("level", "basic")
        self._level = "verbose" if value == "verbose" else "basic" if value else ""
        return self._level

    def attempt(
        self,
        call: Call,
        *,
        url: str,
        headers: Mapping[str, str],
        content: bytes,
        reply: Reply | None,
        error: Exception | None,
        seconds: float,
        waited: float,
        attempt: int,
        allowances: Sequence[Allowance] = (),
    ) -> None:
        """Log one attempt: `seconds` on the wire after `waited` seconds for quotas."""
        level = self.level()
        if not level:
            return
        row: dict[str, Any] = {
            **self._head(call),
            "url": url,
            "request_headers": self._redactor.headers(headers),
            "ms": round(seconds * 1000, 1),
            "waited_ms": round(waited * 1000, 1),
            "attempt": attempt,
        }
        if level == "verbose" and content:
            row["request_body"] = self._body(content, MAX_REQUEST_BODY)
        if reply is not None:
            row["status"] = reply.status
            row["response_headers"] = self._redactor.headers(reply.headers)
            row["bytes"] = len(reply.body)
            row["request_id"] = _request_id(reply.headers)
            if level == "verbose":
                row["response_body"] = self._body(reply.body, MAX_REPLY_BODY)
        if allowances:
            row["remaining"] = {a.quota: a.remaining for a in allowances}
        if error is not None:
            row["error"] = str(error)
        self._write(row)

    def cached(self, call: Call, layer: str) -> None:
        """Log an answer that came from the cache: `memory`, `disk` or `hub`."""
        if self.level():
            self._write({**self._head(call), "url": call.path, "cache": layer})

    def _head(self, call: Call) -> dict[str, Any]:
        return {
            "at": format_timestamp(self._clock.time()),
            "run_id": self._run_id,
            "method": call.method,
            "route": call.label,
        }

    def _body(self, content: bytes, limit: int) -> str:
        text = content[:LARGEST].decode("utf-8", "replace")
        return self._redactor.body(text)[:limit]

    def _write(self, row: dict[str, Any]) -> None:
        if self._store is None:
            return
        try:
            self._store.append_log(
                self._name, self._redactor.json(row), max_rows=LOG_ROWS, max_bytes=LOG_BYTES
            )
        except LumioError:
            # The next look at the flag is a second away; until then it would fail again.
            self._level = ""


def _request_id(headers: Mapping[str, str]) -> str | None:
    """The provider's own name for the request, which its support asks for."""
    for name, value in headers.items():
        if name.endswith(_REQUEST_IDS):
            return value
    return None

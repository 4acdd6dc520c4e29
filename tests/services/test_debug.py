"""The debug switch and its log."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.config.global_options import Globals
from lumio_cli.core.errors import StoppedError, UsageError
from lumio_cli.core.redact import Redactor
from lumio_cli.core.stop import Stop
from lumio_cli.runtime import Runtime
from lumio_cli.services.diagnostics import request_log
from lumio_cli.transport.request_log import Observer
from lumio_cli.transport.runtime_db.store import RuntimeStore
from support.clock import FakeClock


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    streams: dict[str, Any] = {name: io.StringIO() for name in ("stdin", "stdout", "stderr")}
    runtime = Runtime(Globals(), environ={"LUMIO_HOME": str(tmp_path)}, **streams)
    runtime.__dict__["clock"] = FakeClock()
    yield runtime
    runtime.close()


def observer(runtime: Runtime) -> Observer:
    return Observer("hubspot", runtime.store, Redactor(), runtime.clock)


def test_a_look_makes_no_file(runtime: Runtime, tmp_path: Path) -> None:
    state = request_log.state(runtime, "hubspot")
    assert (state.level, state.until, state.rows, state.size) == (None, None, 0, 0)
    assert request_log.switch_off(runtime, "hubspot").level is None
    assert request_log.clear(runtime, "hubspot").rows == 0
    assert list(request_log.requests(runtime, "hubspot", 10)) == []
    assert list(tmp_path.iterdir()) == []


def test_it_is_on_for_everybody_and_ends_by_itself(runtime: Runtime, tmp_path: Path) -> None:
    state = request_log.switch_on(runtime, "hubspot", "1h", "verbose")
    assert state.level == "verbose"
    assert state.until is not None
    assert state.until.timestamp() == runtime.clock.time() + 3600
    assert observer(runtime).level() == "verbose"
    # Another process has a store of its own.
    other = RuntimeStore(tmp_path / "runtime.db", clock=runtime.clock)
    assert Observer("hubspot", other, Redactor(), runtime.clock).level() == "verbose"
    assert Observer("slack", other, Redactor(), runtime.clock).level() == ""
    runtime.clock.advance(3599)  # type: ignore[attr-defined]
    assert request_log.state(runtime, "hubspot").level == "verbose"
    runtime.clock.advance(2)  # type: ignore[attr-defined]
    assert request_log.state(runtime, "hubspot").level is None
    assert observer(runtime).level() == ""
    other.close()


def test_off_keeps_the_log_and_clear_keeps_the_switch(runtime: Runtime) -> None:
    request_log.switch_on(runtime, "hubspot", "90s", "basic")
    for number in range(3):
        runtime.store.append_log("hubspot", {"method": "GET", "url": f"/{number}"})
    runtime.store.append_log("slack", {"method": "GET", "url": "/other"})
    state = request_log.switch_off(runtime, "hubspot")
    assert (state.level, state.rows) == (None, 3)
    assert state.size > 30
    request_log.switch_on(runtime, "hubspot", "5", "basic")
    state = request_log.clear(runtime, "hubspot")
    assert (state.level, state.rows, state.size) == ("basic", 0, 0)
    assert len(runtime.store.read_log()) == 1


@pytest.mark.parametrize("duration", ["0", "-5", "soon", "", "31d"])
def test_a_duration_that_makes_no_sense(runtime: Runtime, duration: str) -> None:
    with pytest.raises(UsageError, match="--duration"):
        request_log.switch_on(runtime, "hubspot", duration, "basic")


def test_unknown_and_swapped_words(runtime: Runtime) -> None:
    with pytest.raises(UsageError) as near:
        request_log.state(runtime, "hubspott")
    assert near.value.hint == "did you mean 'hubspot'?"
    with pytest.raises(UsageError) as swapped:
        request_log.check_provider("status")
    assert "lumio debug PROVIDER status" in (swapped.value.hint or "")


def test_what_is_shown_is_redacted_once_more(runtime: Runtime) -> None:
    runtime.redactor.learn("canary-canary")
    runtime.store.append_log("hubspot", {"url": "/x?q=canary-canary", "error": "Bearer abcdefghij"})
    (shown,) = request_log.requests(runtime, "hubspot", 5)
    assert "canary-canary" not in str(shown)
    assert "abcdefghij" not in str(shown)
    assert shown["provider"] == "hubspot"
    assert shown["cache"] is None


def test_following_shows_what_comes_until_it_is_stopped(runtime: Runtime) -> None:
    for number in range(5):
        runtime.store.append_log("hubspot", {"url": f"/{number}"})
    shown = request_log.requests(runtime, "hubspot", 2, follow=True)
    assert [next(shown)["url"], next(shown)["url"]] == ["/3", "/4"]
    runtime.store.append_log("slack", {"url": "/other"})
    runtime.store.append_log("hubspot", {"url": "/5"})
    assert next(shown)["url"] == "/5"
    runtime.stop.set("Ctrl-C", 130)
    with pytest.raises(StoppedError):
        next(shown)


def test_following_from_now_on_leaves_out_what_was(runtime: Runtime) -> None:
    runtime.store.append_log("hubspot", {"url": "/old"})
    runtime.clock = _Feeding(runtime)
    shown = request_log.requests(runtime, "hubspot", 0, follow=True)
    assert next(shown)["url"] == "/new"


class _Feeding(FakeClock):
    """Logs a request while somebody waits."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__()
        self._store = runtime.store

    def sleep(self, seconds: float, stop: Stop) -> None:
        self._store.append_log("hubspot", {"url": "/new"})
        super().sleep(seconds, stop)


def test_a_line_for_people() -> None:
    line = request_log.line(
        {
            "at": "2026-01-02T03:04:05.678Z",
            "method": "GET",
            "url": "https://api.test/crm/x?limit=2",
            "status": 429,
            "ms": 12.4,
            "bytes": 2048,
            "attempt": 2,
            "waited_ms": 1500.0,
            "remaining": {"burst": 3.0, "daily": None},
            "error": "slow down",
        }
    )
    assert line == (
        "03:04:05 GET /crm/x?limit=2 -> 429, 12 ms, 2.0 KiB, attempt 2, waited 1.5 s, "
        "burst 3 left, slow down"
    )
    long = request_log.line({"method": "GET", "url": f"/x?properties={'name,' * 500}"})
    assert "/x?properties=name,name," in long
    assert len(long) < 120
    cached = {"at": "2026-01-02T03:04:05Z", "method": "GET", "url": "/owners", "cache": "disk"}
    assert request_log.line(cached) == "03:04:05 GET /owners -> from the disk cache"
    assert "-> no answer, 8.0 s" in request_log.line({"method": "GET", "url": "/", "ms": 8000})

"""Three layers, one fetch, and nothing secret on disk."""

from __future__ import annotations

import multiprocessing
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.core.clock import SystemClock
from lumio_cli.core.errors import (
    BadReplyError,
    CircuitOpenError,
    HubError,
    QuotaError,
    RejectedError,
    StoppedError,
    UnavailableError,
)
from lumio_cli.core.redact import Redactor
from lumio_cli.core.stop import Stop
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.transport.cache import Cache
from support.clock import FakeClock

from .acme import GET, TOKEN, LastKnown, Log, together, with_

SCHEMA = with_(GET, path="/schema", cache_for=3600.0)


def cache(directory: Path | None = None, account: str = "1", **options: Any) -> Cache:
    values: dict[str, Any] = {
        "clock": FakeClock(),
        "stop": Stop(),
        "redactor": Redactor([TOKEN]),
        **options,
    }
    return Cache("acme", account, directory, **values)


class Source:
    """Counts how often it is asked."""

    def __init__(self, body: bytes = b'{"a": "\xc3\xbc"}', error: Exception | None = None) -> None:
        self.body = body
        self.error = error
        self.asked = 0

    def __call__(self) -> Reply:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return Reply(200, {"content-type": "application/json", "set-cookie": "s"}, self.body, "u")


def test_the_second_time_it_comes_from_memory() -> None:
    store, source = cache(), Source()
    first, layer = store.fetch(SCHEMA, source)
    again, layer_again = store.fetch(SCHEMA, source)
    assert (layer, layer_again, source.asked) == ("miss", "memory", 1)
    assert again is first
    assert store.stats() == {"memory": 1, "disk": 0, "hub": 0, "miss": 1}


@pytest.mark.parametrize(
    "other",
    [
        with_(SCHEMA, path="/schema2"),
        with_(SCHEMA, method="POST"),
        with_(SCHEMA, params={"a": "1"}),
        with_(SCHEMA, json={"a": 1}),
    ],
)
def test_what_makes_another_key(other: Call) -> None:
    store, source = cache(), Source()
    store.fetch(SCHEMA, source)
    store.fetch(other, source)
    assert source.asked == 2


def test_the_order_of_parameters_does_not(tmp_path: Path) -> None:
    store, source = cache(tmp_path), Source()
    store.fetch(with_(SCHEMA, params={"a": "1", "b": "2"}, json={"x": 1, "y": 2}), source)
    store.fetch(with_(SCHEMA, params={"b": "2", "a": "1"}, json={"y": 2, "x": 1}), source)
    assert source.asked == 1


def test_memory_keeps_a_quarter_of_an_hour_and_disk_half_an_hour(tmp_path: Path) -> None:
    clock = FakeClock()
    store, source = cache(tmp_path, clock=clock), Source()
    store.fetch(SCHEMA, source)
    clock.advance(899)
    assert store.fetch(SCHEMA, source)[1] == "memory"
    clock.advance(2)
    reply, layer = store.fetch(SCHEMA, source)
    assert layer == "disk"
    assert (reply.status, reply.json(), reply.url, reply.stale) == (200, {"a": "ü"}, "u", False)
    assert "set-cookie" not in reply.headers
    clock.advance(898)
    assert store.fetch(SCHEMA, source)[1] == "memory"
    clock.advance(2)
    assert store.fetch(SCHEMA, source)[1] == "miss"
    store.close()


def test_a_call_may_allow_less(tmp_path: Path) -> None:
    clock = FakeClock()
    store, source = cache(tmp_path, clock=clock), Source()
    short = with_(SCHEMA, cache_for=10.0)
    store.fetch(short, source)
    clock.advance(9)
    assert store.fetch(short, source)[1] == "memory"
    clock.advance(2)
    assert store.fetch(short, source)[1] == "miss"
    store.close()


def test_memory_forgets_what_was_not_used_for_longest() -> None:
    store, source = cache(), Source()
    calls = [with_(SCHEMA, path=f"/{n}") for n in range(501)]
    for call in calls[:500]:
        store.fetch(call, source)
    store.fetch(calls[0], source)
    store.fetch(calls[500], source)
    assert store.fetch(calls[0], source)[1] == "memory"
    assert store.fetch(calls[1], source)[1] == "miss"


def test_disk_is_shared_but_not_between_accounts(tmp_path: Path) -> None:
    source = Source(b"\xff\x00binary")
    cache(tmp_path).fetch(SCHEMA, source)
    reply, layer = cache(tmp_path).fetch(SCHEMA, source)
    assert (layer, reply.body) == ("disk", b"\xff\x00binary")
    assert cache(tmp_path, account="2").fetch(SCHEMA, source)[1] == "miss"


def test_fresh_does_not_read_but_writes() -> None:
    store = cache()
    store.fetch(SCHEMA, Source(b"old"))
    assert store.fetch(SCHEMA, Source(b"new"), fresh=True)[0].body == b"new"
    assert store.fetch(SCHEMA, Source())[0].body == b"new"


def test_errors_are_not_kept(tmp_path: Path) -> None:
    store = cache(tmp_path)
    with pytest.raises(RejectedError):
        store.fetch(SCHEMA, Source(error=RejectedError("no")))
    assert store.fetch(SCHEMA, Source())[1] == "miss"
    store.close()


@pytest.mark.parametrize(
    "error", [UnavailableError("down"), CircuitOpenError("open"), BadReplyError("html")]
)
def test_the_hub_answers_while_the_provider_is_down(error: Exception) -> None:
    hub, clock = LastKnown(), FakeClock()
    store = cache(last_known=hub, clock=clock)
    store.fetch(SCHEMA, Source())
    clock.advance(30 * 86_400)
    reply, layer = store.fetch(SCHEMA, Source(error=error))
    assert (layer, reply.stale, reply.json()) == ("hub", True, {"a": "ü"})
    assert next(iter(hub.kept)).startswith("acme:")
    # It is not promoted: the next call asks the provider again.
    assert store.fetch(SCHEMA, Source())[0].stale is False


@pytest.mark.parametrize("error", [QuotaError("later"), RejectedError("no"), StoppedError("stop")])
def test_the_hub_does_not_answer_for_a_provider_that_says_no(error: Exception) -> None:
    clock = FakeClock()
    store = cache(last_known=LastKnown(), clock=clock)
    store.fetch(SCHEMA, Source())
    clock.advance(86_400)
    with pytest.raises(type(error)):
        store.fetch(SCHEMA, Source(error=error))


def test_who_wants_it_fresh_gets_no_old_answer() -> None:
    store = cache(last_known=LastKnown())
    store.fetch(SCHEMA, Source())
    with pytest.raises(UnavailableError):
        store.fetch(SCHEMA, Source(error=UnavailableError("down")), fresh=True)


def test_a_hub_that_fails_is_a_hub_that_does_not_know() -> None:
    class Broken(LastKnown):
        def get(self, key: str) -> tuple[bytes, float] | None:
            raise HubError("locked")

        def put(self, key: str, payload: bytes, stored_at: float) -> None:
            raise HubError("read-only")

    class Older(LastKnown):
        def get(self, key: str) -> tuple[bytes, float] | None:
            return b"[1]", 0.0

    for hub in (Broken(), Older()):
        store = cache(last_known=hub)
        with pytest.raises(UnavailableError):
            store.fetch(SCHEMA, Source(error=UnavailableError("down")))
        assert store.fetch(SCHEMA, Source())[1] == "miss"


def test_clear(tmp_path: Path) -> None:
    store, source = cache(tmp_path), Source()
    store.fetch(SCHEMA, source)
    store.clear("another")
    assert store.fetch(SCHEMA, source)[1] == "memory"
    store.clear("acme")
    assert store.fetch(SCHEMA, source)[1] == "miss"
    store.clear()
    assert store.fetch(SCHEMA, source)[1] == "miss"
    store.close()


def test_counters_are_handed_over_once() -> None:
    log = Log()
    store = cache(counts=log)
    for _ in range(3):
        store.fetch(SCHEMA, Source())
    store.close()
    assert log.counts == {"cache:acme": {"memory": 2, "miss": 1}}
    log.counts.clear()
    store.close()
    assert log.counts == {}


def test_files_are_private_and_hold_no_secret(tmp_path: Path) -> None:
    directory, hub = tmp_path / "cache", LastKnown()
    store = cache(directory, last_known=hub)
    store.fetch(with_(SCHEMA, path=f"/access-tokens/{TOKEN}"), Source())
    store.fetch(SCHEMA, Source(b'{"token": "' + TOKEN.encode() + b'"}'))
    store.fetch(with_(SCHEMA, path="/large"), Source(b'"' + b"x" * 100_000 + b'"'))
    for path in (directory, *directory.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path
        if path.is_file():
            assert TOKEN.encode() not in path.read_bytes()
    assert TOKEN not in repr(hub.kept)
    store.close()


def test_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "cache.db").write_bytes(b"not a database" * 1000)
    store, source = cache(tmp_path), Source()
    assert store.fetch(SCHEMA, source)[1] == "miss"
    assert cache(tmp_path).fetch(SCHEMA, source)[1] == "disk"


def test_a_directory_that_cannot_be_used_is_a_miss(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store, source = cache(tmp_path / "file" / "cache"), Source()
    assert store.fetch(SCHEMA, source)[1] == "miss"
    assert store.fetch(SCHEMA, source)[1] == "memory"
    store.clear()
    store.close()


def test_threads_that_miss_together_fetch_once(tmp_path: Path) -> None:
    store = cache(tmp_path, clock=SystemClock())
    source = Source()

    def slow() -> Reply:
        time.sleep(0.1)
        return source()

    together(12, lambda _: store.fetch(SCHEMA, slow) and None)
    assert source.asked == 1
    assert store.stats()["miss"] == 1
    store.close()


def test_threads_do_not_wait_for_other_answers() -> None:
    store = cache(clock=SystemClock())
    entered, leave = threading.Event(), threading.Event()

    def slow() -> Reply:
        entered.set()
        assert leave.wait(10)
        return Source()()

    waiting = threading.Thread(target=store.fetch, args=(SCHEMA, slow))
    waiting.start()
    assert entered.wait(10)
    assert store.fetch(with_(SCHEMA, path="/other"), Source())[1] == "miss"
    leave.set()
    waiting.join(10)


def test_a_stop_ends_the_wait_for_another_thread() -> None:
    stop = Stop()
    store = cache(clock=SystemClock(), stop=stop)
    entered, leave = threading.Event(), threading.Event()

    def slow() -> Reply:
        entered.set()
        assert leave.wait(10)
        return Source()()

    waiting = threading.Thread(target=store.fetch, args=(SCHEMA, slow))
    waiting.start()
    assert entered.wait(10)
    stop.set("Ctrl-C", 130)
    with pytest.raises(StoppedError):
        store.fetch(SCHEMA, Source())
    leave.set()
    waiting.join(10)


def _fetch_in_process(directory: Path, go: Any, fetches: Any, layers: Any) -> None:
    def slow() -> Reply:
        with fetches.get_lock():
            fetches.value += 1
        time.sleep(0.3)
        return Source()()

    store = cache(directory, clock=SystemClock())
    go.wait(10)
    layers.put(store.fetch(SCHEMA, slow)[1])


def test_processes_that_miss_together_fetch_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    go, fetches, layers = context.Barrier(3), context.Value("i", 0), context.Queue()
    processes = [
        context.Process(target=_fetch_in_process, args=(tmp_path, go, fetches, layers))
        for _ in range(3)
    ]
    for process in processes:
        process.start()
    assert sorted(layers.get(timeout=30) for _ in processes) == ["disk", "disk", "miss"]
    for process in processes:
        process.join(30)
    assert fetches.value == 1


def test_importing_the_cache_is_cheap() -> None:
    import subprocess
    import sys

    code = (
        "import sys, lumio_cli.transport.cache, lumio_cli.core.redact, lumio_cli.core.logs;"
        "print([m for m in ('httpx', 'tenacity', 'diskcache', 'orjson') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"

"""The circuit breaker, on a clock of our own and between real processes."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lumio_cli.core.clock import Clock, SystemClock, utc
from lumio_cli.core.errors import CircuitOpenError
from lumio_cli.transport.breaker import Breaker
from lumio_cli.transport.runtime_db.store import RuntimeStore
from support.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> RuntimeStore:
    return RuntimeStore(tmp_path / "runtime.db", clock=clock)


KEY = "hubspot:a1@https://api.hubapi.com:443"


def circuit(store: RuntimeStore, clock: Clock) -> Breaker:
    return Breaker(store, KEY, clock, name="hubspot")


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.before()
        breaker.failure("HTTP 503")


def refused(breaker: Breaker) -> CircuitOpenError:
    with pytest.raises(CircuitOpenError) as caught:
        breaker.before()
    return caught.value


def test_opens_after_failures_in_a_row(store: RuntimeStore, clock: FakeClock) -> None:
    breaker = circuit(store, clock)
    fail(breaker, 4)
    assert breaker.state() == "closed"
    assert breaker.retry_at() is None
    fail(breaker, 1)
    assert breaker.state() == "open"
    error = refused(breaker)
    assert error.retry_at == breaker.retry_at() == utc(clock.time() + 30)
    assert "hubspot" in error.message
    assert "HTTP 503" in error.message
    assert error.code == "circuit_open"
    assert error.exit_code == 5


def test_a_success_in_between_begins_anew(store: RuntimeStore, clock: FakeClock) -> None:
    breaker = circuit(store, clock)
    fail(breaker, 4)
    breaker.before()
    breaker.success()
    fail(breaker, 4)
    assert breaker.state() == "closed"


def test_failures_of_all_processes_count_together(store: RuntimeStore, clock: FakeClock) -> None:
    one, two = circuit(store, clock), circuit(store, clock)
    fail(one, 3)
    fail(two, 2)
    refused(one)
    refused(two)
    Breaker(store, "slack", clock, name="slack").before()


def test_success_of_another_process_resets(store: RuntimeStore, clock: FakeClock) -> None:
    one, two = circuit(store, clock), circuit(store, clock)
    two.success()
    fail(one, 4)
    clock.advance(1)
    two.success()
    fail(one, 4)
    assert one.state() == "closed"


def test_one_probe_only_and_its_success_closes(store: RuntimeStore, clock: FakeClock) -> None:
    one, two = circuit(store, clock), circuit(store, clock)
    fail(one, 5)
    clock.advance(30)
    assert one.state() == "half_open"
    one.before()
    assert refused(two).retry_at is not None
    refused(one)
    two.success()
    two.failure()
    two.abandon()
    refused(two)
    one.success()
    assert one.state() == "closed"
    two.before()


def test_cooldown_doubles_up_to_a_limit(store: RuntimeStore, clock: FakeClock) -> None:
    breaker = circuit(store, clock)
    fail(breaker, 5)
    pauses = []
    for _ in range(8):
        at = breaker.retry_at()
        assert at is not None
        pauses.append(at.timestamp() - clock.time())
        clock.advance(pauses[-1])
        fail(breaker, 1)
    assert pauses == [30, 60, 120, 240, 480, 900, 900, 900]


def test_cooldown_is_short_again_after_a_success(store: RuntimeStore, clock: FakeClock) -> None:
    breaker = circuit(store, clock)
    fail(breaker, 5)
    clock.advance(30)
    fail(breaker, 1)
    clock.advance(60)
    breaker.before()
    breaker.success()
    fail(breaker, 5)
    assert breaker.retry_at() == utc(clock.time() + 30)


def test_a_probe_that_died_frees_itself(store: RuntimeStore, clock: FakeClock) -> None:
    one, two = circuit(store, clock), circuit(store, clock)
    fail(one, 5)
    clock.advance(30)
    one.before()
    clock.advance(119)
    refused(two)
    clock.advance(1)
    two.before()
    two.success()
    assert two.state() == "closed"


def test_an_abandoned_probe_lets_the_next_one_try(store: RuntimeStore, clock: FakeClock) -> None:
    one, two = circuit(store, clock), circuit(store, clock)
    fail(one, 5)
    clock.advance(30)
    one.before()
    one.abandon()
    two.before()


def test_a_clock_set_back_does_not_keep_it_open(store: RuntimeStore, clock: FakeClock) -> None:
    breaker = circuit(store, clock)
    fail(breaker, 5)
    clock.jump(-100_000)
    at = breaker.retry_at()
    assert at is not None
    assert at.timestamp() <= clock.time() + 30


def test_success_on_a_clean_circuit_touches_nothing(
    store: RuntimeStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaker = circuit(store, clock)
    breaker.before()
    monkeypatch.setattr(store, "run", pytest.fail)
    monkeypatch.setattr(store, "query", pytest.fail)
    for _ in range(100):
        breaker.before()
        breaker.success()


def _probe(path: Path, go: multiprocessing.synchronize.Event, passed: Path) -> None:
    breaker = circuit(RuntimeStore(path), SystemClock())
    go.wait(20)
    for _ in range(20):
        try:
            breaker.before()
        except CircuitOpenError:
            continue
        with passed.open("a") as file:
            file.write("x")


def test_one_probe_of_all_processes(tmp_path: Path) -> None:
    path = tmp_path / "runtime.db"
    past = FakeClock(SystemClock().time() - 60)
    fail(circuit(RuntimeStore(path), past), 5)
    context = multiprocessing.get_context("spawn")
    go = context.Event()
    passed = tmp_path / "passed"
    processes = [context.Process(target=_probe, args=(path, go, passed)) for _ in range(3)]
    for process in processes:
        process.start()
    go.set()
    for process in processes:
        process.join(30)
        assert process.exitcode == 0
    assert passed.read_text() == "x"


def test_other_threads_do_not_end_the_probe(store: RuntimeStore, clock: FakeClock) -> None:
    breaker = circuit(store, clock)
    fail(breaker, 5)
    clock.advance(30)
    breaker.before()
    late = threading.Thread(target=breaker.success)
    late.start()
    late.join()
    assert breaker.state() == "half_open"
    breaker.success()
    assert breaker.state() == "closed"


def test_other_processes_see_it(tmp_path: Path) -> None:
    path = tmp_path / "runtime.db"
    fail(circuit(RuntimeStore(path), SystemClock()), 5)
    code = (
        "import sys; from pathlib import Path; from lumio_cli.core.clock import SystemClock;"
        "from lumio_cli.transport.breaker import Breaker;"
        "from lumio_cli.transport.runtime_db.store import RuntimeStore;"
        "store, key = RuntimeStore(Path(sys.argv[1])), sys.argv[2];"
        "print(Breaker(store, key, SystemClock(), name='hubspot').state())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), KEY], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "open"

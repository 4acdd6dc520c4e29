"""The limiter between real processes, on the real clock."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lumio_cli.core.clock import SystemClock
from lumio_cli.core.stop import Stop
from lumio_cli.providers.contract.call import Call
from lumio_cli.providers.contract.quota import Quota
from lumio_cli.transport.quota.limiter import Limiter, Priority
from lumio_cli.transport.runtime_db.store import RuntimeStore
from transport.limits import level

CALL = Call("GET", "/contacts")
WINDOW = Quota("w", 40, 0.4, kind="window")
LEASES = Quota("c", 2, kind="concurrency")
DAILY = Quota("d", 100, kind="daily")
DAILY_MANY = Quota("d", 1e6, kind="daily")
CONTEXT = multiprocessing.get_context("spawn")


def limiter(path: Path, *quotas: Quota) -> Limiter:
    return Limiter(RuntimeStore(path), "hubspot", quotas, {"token": "t"}, SystemClock())


def take(limits: Limiter, priority: Priority = Priority.BACKFILL) -> Any:
    return limits.acquire(CALL, priority=priority, stop=Stop(), max_wait=30)


def together(work: Callable[..., None], count: int, *args: Any) -> list[Any]:
    """Run `work(number, barrier, answers, *args)` in `count` processes; what each answered."""
    barrier, answers = CONTEXT.Barrier(count), CONTEXT.Queue()
    processes = [
        CONTEXT.Process(target=work, args=(number, barrier, answers, *args))
        for number in range(count)
    ]
    for process in processes:
        process.start()
    out = [answers.get(timeout=30) for _ in processes]
    for process in processes:
        process.join(30)
        assert process.exitcode == 0
    return out


def pull(number: int, barrier: Any, answers: Any, path: Path) -> None:
    limits = limiter(path, WINDOW, DAILY_MANY)
    barrier.wait(30)
    ends = time.monotonic() + 2
    times = []
    while time.monotonic() < ends:
        lease = take(limits)
        times.append((lease.at, time.time()))
        time.sleep(0.01)
    answers.put(times)


def most(times: list[float], per: float) -> int:
    times = sorted(times)
    return max(sum(1 for t in times[i:] if t < at + per) for i, at in enumerate(times))


def test_four_processes_share_a_window_fairly(tmp_path: Path) -> None:
    pulls = together(pull, 4, tmp_path / "runtime.db")
    calls = [call for times in pulls for call in times]
    assert most([at for at, _ in calls], 0.4) <= 40
    # What the provider sees: a sleeper may be late, by as much as the window is stretched.
    assert most([seen for _, seen in calls], 0.36) <= 40
    counts = [len(times) for times in pulls]
    assert min(counts) >= sum(counts) / len(counts) / 2
    assert level(limiter(tmp_path / "runtime.db", DAILY_MANY), "d").used == len(calls)


def work_in_turn(number: int, barrier: Any, answers: Any, path: Path, busy: Any) -> None:
    limits = limiter(path, LEASES)
    barrier.wait(30)
    worst = 0
    for _ in range(8):
        with take(limits):
            with busy.get_lock():
                busy.value += 1
                worst = max(worst, busy.value)
            time.sleep(0.005)
            with busy.get_lock():
                busy.value -= 1
    answers.put(worst)


def test_concurrency_is_never_exceeded(tmp_path: Path) -> None:
    worst = together(work_in_turn, 4, tmp_path / "runtime.db", CONTEXT.Value("i", 0))
    assert max(worst) <= 2
    assert level(limiter(tmp_path / "runtime.db", LEASES), "c").used == 0


def hold_for_ever(number: int, barrier: Any, answers: Any, path: Path) -> None:
    limits = limiter(path, LEASES, DAILY)
    taken = [take(limits), take(limits)]
    limits.hold(Call("GET", "/other"), "d", 0.5, "429")
    answers.put((os.getpid(), len(taken)))
    time.sleep(60)


def test_kill_frees_the_leases_and_loses_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "runtime.db"
    answers = CONTEXT.Queue()
    process = CONTEXT.Process(target=hold_for_ever, args=(0, None, answers, path))
    process.start()
    pid, taken = answers.get(timeout=30)
    limits = limiter(path, LEASES, DAILY)
    assert taken == 2
    assert level(limits, "c").remaining == 0
    assert level(limits, "d").held_until is not None
    os.kill(pid, signal.SIGKILL)
    with take(limits, Priority.INTERACTIVE):
        assert level(limits, "c").used == 1
    process.join(10)
    assert level(limits, "d").used == 3


def saturate(number: int, barrier: Any, answers: Any, path: Path) -> None:
    limits = limiter(path, WINDOW)
    ends = time.monotonic() + 1.2
    barrier.wait(30)
    waited = 0.0
    if number == 0:
        # Somebody types a command from time to time while the others pull.
        while time.monotonic() < ends:
            waited = max(waited, take(limits, Priority.INTERACTIVE).waited)
            time.sleep(0.3)
    else:
        while time.monotonic() < ends:
            waited = max(waited, take(limits).waited)
    answers.put((number, waited))


def test_an_interactive_call_does_not_wait_for_backfills(tmp_path: Path) -> None:
    waited = dict(together(saturate, 3, tmp_path / "runtime.db"))
    assert waited[0] < waited[1] / 2
    assert math.isfinite(waited[1])

"""File locks: between threads, between processes, and after kill -9."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lumio_cli.core.clock import utc
from lumio_cli.core.errors import StoppedError
from lumio_cli.core.locks import FileLock, Holder
from lumio_cli.core.stop import Stop
from support.clock import FakeClock

HOLD = """
import sys
from pathlib import Path
from lumio_cli.core.locks import FileLock
lock = FileLock(Path(sys.argv[1]), what="run 7")
print(lock.try_acquire(), flush=True)
sys.stdin.read()
"""


def test_exclusive_within_a_process(tmp_path: Path) -> None:
    one, two = FileLock(tmp_path / "a.lock"), FileLock(tmp_path / "a.lock")
    assert one.try_acquire()
    assert one.try_acquire()
    assert one.held
    assert not two.try_acquire()
    assert FileLock(tmp_path / "b.lock").try_acquire()
    one.release()
    one.release()
    assert two.try_acquire()


def test_exclusive_between_threads(tmp_path: Path) -> None:
    inside, worst = 0, 0

    def work() -> None:
        nonlocal inside, worst
        for _ in range(20):
            with FileLock(tmp_path / "a.lock"):
                inside += 1
                worst = max(worst, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert worst == 1


def test_holder_is_readable_and_true(tmp_path: Path) -> None:
    clock = FakeClock()
    lock = FileLock(tmp_path / "a.lock", what="run 7", clock=clock)
    other = FileLock(tmp_path / "a.lock")
    assert other.holder() is None
    with lock:
        expected = Holder(os.getpid(), os.uname().nodename, utc(clock.time()), "run 7")
        assert other.holder() == lock.holder() == expected
        assert not other.try_acquire()
    assert other.holder() is None
    assert lock.path.exists()


def test_holder_survives_rubbish(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "a.lock")
    with lock:
        for text in ("", '{"pid": 3', "[]", '{"pid": 1, "host": "h", "since": "x", "what": ""}'):
            lock.path.write_text(text)
            assert lock.holder() == Holder()


def test_waits_only_so_long(tmp_path: Path) -> None:
    clock = FakeClock()
    one = FileLock(tmp_path / "a.lock")
    two = FileLock(tmp_path / "a.lock", clock=clock)
    assert one.acquire(0)
    assert not two.acquire(0)
    assert clock.sleeps == []
    assert not two.acquire(5)
    assert clock.slept == pytest.approx(5)
    assert max(clock.sleeps) <= 0.25


def test_stop_ends_the_wait(tmp_path: Path) -> None:
    stop = Stop()
    one, two = FileLock(tmp_path / "a.lock"), FileLock(tmp_path / "a.lock")
    assert one.try_acquire()
    timer = threading.Timer(0.1, stop.set, ("SIGTERM", 143))
    timer.start()
    with pytest.raises(StoppedError):
        two.acquire(60, stop)
    timer.join()
    assert not two.held


def test_is_private(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "locks" / "a.lock")
    with lock:
        assert stat.S_IMODE(lock.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(lock.path.parent.stat().st_mode) == 0o700


def test_a_deleted_file_is_not_locked_by_mistake(tmp_path: Path) -> None:
    one, two = FileLock(tmp_path / "a.lock"), FileLock(tmp_path / "a.lock")
    assert one.try_acquire()
    one.path.unlink()
    assert two.try_acquire()
    three = FileLock(tmp_path / "a.lock")
    assert not three.try_acquire()


def test_kill_frees_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    mine = FileLock(path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"True"
        assert not mine.try_acquire()
        holder = mine.holder()
        assert holder is not None
        assert (holder.pid, holder.what) == (process.pid, "run 7")
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert mine.holder() is None
    assert mine.try_acquire()


@pytest.mark.parametrize("link", ["symbolic", "hard"])
def test_a_lock_is_no_way_to_write_to_somebody_elses_file(tmp_path: Path, link: str) -> None:
    victim, path = tmp_path / "victim", tmp_path / "x.lock"
    victim.write_text("precious")
    if link == "symbolic":
        path.symlink_to(victim)
    else:
        path.hardlink_to(victim)
    with pytest.raises(OSError, match="link"):
        FileLock(path).try_acquire()
    assert victim.read_text() == "precious"


def test_a_file_at_the_locks_path_that_is_no_lock_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    path.write_text("precious")
    with FileLock(path) as lock:
        assert lock.holder() is not None
    assert path.read_text() == "precious"

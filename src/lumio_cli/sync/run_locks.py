"""One run a target: kernel locks, which a kill -9 cannot leave behind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from lumio_cli.core.clock import format_time
from lumio_cli.core.errors import BusyError
from lumio_cli.core.locks import FileLock
from lumio_cli.core.paths import make_private_dir

if TYPE_CHECKING:
    from pathlib import Path

    from lumio_cli.core.clock import Clock
    from lumio_cli.core.locks import Holder
    from lumio_cli.core.stop import Stop
    from lumio_cli.hub.sqlite.database import Hub

POLL = 0.1


def target_lock(directory: Path, provider: str, resource: str, *, what: str = "") -> FileLock:
    """The lock of one target."""
    return FileLock(directory / f"{provider}.{resource}.lock", what=what)


def run_lock(directory: Path, run_id: str) -> FileLock:
    """The lock that a run holds for as long as it lives."""
    return FileLock(directory / f"run-{run_id}.lock", what=run_id)


class RunLocks:
    """The locks of a run. Locks are taken all together behind a gate, so that of two runs that
    start at the same moment one gets everything and not each a half.
    """

    def __init__(self, directory: Path, run_id: str, clock: Clock, stop: Stop) -> None:
        self._directory = make_private_dir(directory)
        self._run_id = run_id
        self._clock = clock
        self._stop = stop
        self._held = ExitStack()

    def take(
        self, provider: str, resources: Sequence[str], wait: float
    ) -> dict[str, Holder | None]:
        """Lock what is free; returns who holds the rest, by resource.

        Waits up to `wait` seconds for all to be free. Raises `StoppedError`.
        """
        deadline = self._clock.monotonic() + wait
        while True:
            busy = self._try(provider, resources, partly=self._clock.monotonic() >= deadline)
            if not busy or self._clock.monotonic() >= deadline:
                return busy
            self._clock.sleep(POLL, self._stop)

    def _try(
        self, provider: str, resources: Sequence[str], *, partly: bool
    ) -> dict[str, Holder | None]:
        with FileLock(self._directory / f"{provider}.gate"), ExitStack() as taken:
            busy: dict[str, Holder | None] = {}
            for name in resources:
                lock = target_lock(self._directory, provider, name, what=self._run_id)
                if lock.try_acquire():
                    taken.callback(lock.release)
                else:
                    busy[name] = lock.holder()
            if not busy or partly:
                self._held.push(taken.pop_all())
            return busy

    def live(self) -> None:
        """Hold this run's own lock: as long as it is held, the run is not dead."""
        lock = run_lock(self._directory, self._run_id)
        if lock.try_acquire():
            self._held.callback(lock.release)
            self._held.callback(lock.path.unlink, missing_ok=True)

    def release(self) -> None:
        """Let go of everything."""
        self._held.close()


def busy_error(target: str, holder: Holder | None) -> BusyError:
    """Who holds the target, and what to do."""
    since = f", since {format_time(holder.since)}" if holder and holder.since else ""
    who = f" (pid {holder.pid} on {holder.host}{since})" if holder else ""
    return BusyError(
        f"{target} is being synced by another lumio run{who}",
        hint="--wait SECONDS waits for it, --if-running skip leaves it alone",
    )


@contextmanager
def hold_target(directory: Path, provider: str, resource: str, what: str) -> Iterator[None]:
    """Keep runs away from a target meanwhile. `what` tells them who does; raises `BusyError`."""
    lock = target_lock(make_private_dir(directory), provider, resource, what=what)
    if not lock.try_acquire():
        raise busy_error(f"{provider}/{resource}", lock.holder())
    try:
        yield
    finally:
        lock.release()


def bury_dead_runs(hub: Hub, directory: Path, now: str) -> list[str]:
    """Runs that say `running` and whose lock is free were killed: they become `interrupted`."""
    from lumio_cli.hub.sqlite import runs

    dead = []
    for run_id in runs.running_runs(hub.connection):
        lock = run_lock(directory, run_id)
        if lock.try_acquire():
            dead.append(run_id)
            lock.path.unlink(missing_ok=True)
            lock.release()
    if dead:
        with hub.transaction() as db:
            # One may have ended by itself between the question and the lock.
            running = set(runs.running_runs(db))
            dead = [run_id for run_id in dead if run_id in running]
            for run_id in dead:
                runs.finish_run(db, run_id, status="interrupted", now=now, exit_code=None)
    return dead

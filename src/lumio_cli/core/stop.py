"""One event that ends a run: Ctrl-C, SIGTERM or --max-duration.

Nothing in lumio sleeps without it, so a stop is felt at once; nothing is cut in the middle of a
transaction, so a stop loses nothing.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from lumio_cli.core.errors import StoppedError


class Stop:
    """Set once, by a signal or by the clock, and then true for good.

    `exit_code` is 128 + the signal's number, or 3 where `--max-duration` ended the run.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._deadline: float | None = None
        self._since = 0.0
        self.reason = ""
        self.exit_code = 0

    def set(self, reason: str, exit_code: int) -> None:
        """Ask everything to stop. The first reason stands."""
        if not self._event.is_set():
            self.reason = reason
            self.exit_code = exit_code
            self._since = time.monotonic()
            self._event.set()

    def limit(self, seconds: float) -> None:
        """Stop by itself after `seconds` from now (`--max-duration`)."""
        self._deadline = time.monotonic() + seconds

    def is_set(self) -> bool:
        """Whether a stop was asked for."""
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self.set("--max-duration is over", 3)
        return self._event.is_set()

    def seconds(self) -> float:
        """Seconds since a stop was asked for; 0 where none was."""
        return time.monotonic() - self._since if self._event.is_set() else 0.0

    def wait(self, seconds: float) -> bool:
        """Wait up to `seconds`; True as soon as a stop was asked for."""
        if self._deadline is not None:
            seconds = min(seconds, max(0.0, self._deadline - time.monotonic()))
        self._event.wait(seconds)
        return self.is_set()

    def check(self) -> None:
        """Raise `StoppedError` if a stop was asked for."""
        if self.is_set():
            raise StoppedError(
                f"stopped: {self.reason}",
                hint="what was committed stays; run the same command again to go on from there",
                exit_code=self.exit_code,
            )


@contextmanager
def interruptible() -> Iterator[None]:
    """Let a signal end a wait for input that may never come: an answer, a pipe, a FIFO. Elsewhere
    it only asks a run to stop. Raises `StoppedError` then; nothing inside may be half done by that.
    """
    if threading.current_thread() is not threading.main_thread() or sys.platform == "win32":
        yield
        return

    def end(number: int, _frame: FrameType | None) -> None:
        raise StoppedError(
            f"stopped: {signal.Signals(number).name}",
            hint="nothing was changed",
            exit_code=128 + number,
        )

    before = {
        number: signal.signal(number, end)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) not in (signal.SIG_IGN, None)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

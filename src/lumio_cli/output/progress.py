"""Progress on stderr: bars on a terminal, else a line at the start and one at the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lumio_cli.core.progress import NoProgress, Progress
from lumio_cli.core.units import format_duration, grouped
from lumio_cli.output.style import STATUS_STYLE, printable

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from lumio_cli.output.console import Output

_COUNTS = (
    "read", "sent", "created", "updated", "unchanged", "deleted", "conflicts", "failed",
)  # fmt: skip

_REFRESH = 5  # a second


def choose_progress(output: Output) -> Progress:
    """Return somebody who shows progress the way this terminal, pipe or log wants it."""
    if output.options.quiet:
        return NoProgress()
    if output.log_format == "json":
        return JsonProgress(output)
    if output.mode == "json" and not output.err_look.terminal:
        return NoProgress()
    if output.err_look.terminal:
        bars = BarProgress(output)
        output.close_bars = bars.close
        return bars
    return LineProgress(output)


def summary(target: str, result: Mapping[str, Any]) -> str:
    """`hubspot/contacts: succeeded, 1 250 read, 3 created, 4.2 s`; zeros are left out."""
    counts = [
        f"{grouped(result[name])} {name.removesuffix('s') if result[name] == 1 else name}"
        for name in _COUNTS
        if result.get(name)
    ]
    if not counts and result.get("status") == "succeeded":
        counts = ["nothing to push" if result.get("direction") == "push" else "nothing new"]
    if result.get("duration_s") is not None:
        counts.append(format_duration(float(result["duration_s"])))
    words = ", ".join([str(result.get("status", "done")), *counts])
    if result.get("direction") == "push":
        target = f"{target} (push)"
    error = result.get("error")
    if isinstance(error, Mapping):
        error = error.get("message")
    return f"{target}: {words}" + (f" ({printable(str(error))})" if error else "")


class LineProgress:
    """Two lines a resource, and one for a wait that an operator would wonder about."""

    def __init__(self, output: Output, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._output = output
        self._monotonic = monotonic
        self._started: dict[str, float] = {}
        self._lock = threading.Lock()

    def start(self, target: str, total: int | None, *, detail: str = "") -> None:
        """See `Progress`."""
        with self._lock:
            again = target in self._started
            self._started.setdefault(target, self._monotonic())
        if not again:
            kind = f" ({detail})" if detail else ""
            about = f", about {grouped(total)} records" if total else ""
            self._output.note(f"{target}: started{kind}{about}")

    def advance(self, target: str, count: int = 1) -> None:
        """Nothing: a log is no place for a counter."""

    def waiting(self, target: str, reason: str, seconds: float) -> None:
        """See `Progress`."""
        if seconds >= 5:
            self._output.note(f"{target}: waiting {format_duration(seconds)} ({reason})")

    def finish(self, target: str, result: Mapping[str, Any]) -> None:
        """See `Progress`."""
        with self._lock:
            started = self._started.pop(target, None)
        if started is not None:
            result = {"duration_s": self._monotonic() - started, **result}
        self._output.note(summary(target, result))

    def warn(self, message: str, target: str = "") -> None:
        """See `Progress`."""
        self._output.warn(f"{target}: {message}" if target else message)


class JsonProgress:
    """One JSON object a line, for what is worth a line in a log."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def start(self, target: str, total: int | None, *, detail: str = "") -> None:
        """See `Progress`."""
        self._output.event("resource_started", target=target, total=total, detail=detail)

    def advance(self, target: str, count: int = 1) -> None:
        """Nothing: one line a page would drown the rest."""

    def waiting(self, target: str, reason: str, seconds: float) -> None:
        """See `Progress`."""
        self._output.event("waiting", target=target, reason=reason, seconds=round(seconds, 3))

    def finish(self, target: str, result: Mapping[str, Any]) -> None:
        """See `Progress`."""
        self._output.event("resource_finished", **{**result, "target": target})

    def warn(self, message: str, target: str = "") -> None:
        """See `Progress`."""
        self._output.event("warning", message=message, **({"target": target} if target else {}))


class BarProgress:
    """One live line a resource: how far, how fast, and why it waits."""

    def __init__(self, output: Output, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._output = output
        self._monotonic = monotonic
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}
        self._since: dict[str, float] = {}
        self._lock = threading.Lock()

    def start(self, target: str, total: int | None, *, detail: str = "") -> None:
        """See `Progress`."""
        with self._lock:
            bars = self._open()
            if target in self._tasks:
                if total is not None:
                    bars.update(self._tasks[target], total=total)
            else:
                self._since[target] = self._monotonic()
                self._tasks[target] = bars.add_task(target, total=total, why=detail)

    def advance(self, target: str, count: int = 1) -> None:
        """See `Progress`."""
        with self._lock:
            if self._bars is not None and target in self._tasks:
                self._bars.update(self._tasks[target], advance=count, why="")

    def waiting(self, target: str, reason: str, seconds: float) -> None:
        """See `Progress`."""
        with self._lock:
            if self._bars is not None and target in self._tasks:
                why = f"waiting {format_duration(seconds)} ({printable(reason)})"
                self._bars.update(self._tasks[target], why=why)

    def finish(self, target: str, result: Mapping[str, Any]) -> None:
        """See `Progress`. The bar becomes a line that stays; the last one closes the display."""
        with self._lock:
            since = self._since.pop(target, None)
            if since is not None:
                result = {"duration_s": self._monotonic() - since, **result}
            if self._bars is not None and target in self._tasks:
                self._bars.remove_task(self._tasks.pop(target))
        look = self._output.err_look
        status = str(result.get("status", "done"))
        sign = look.paint(look.mark(status), STATUS_STYLE.get(status, ""))
        self._output.write_err(f"{sign} {summary(target, result)}")
        with self._lock:
            if not self._tasks:
                self._close()

    def close(self) -> None:
        """Take what is still drawn off the screen: the run has ended, or was stopped."""
        with self._lock:
            self._tasks.clear()
            self._close()

    def warn(self, message: str, target: str = "") -> None:
        """See `Progress`."""
        self._output.warn(f"{target}: {message}" if target else message)

    def _open(self) -> Bars:
        if self._bars is None:
            self._bars = _bars(self._output)
            self._bars.start()
            self._output.above(self._paused)
        return self._bars

    def _close(self) -> None:
        if self._bars is not None:
            self._output.above(None)
            self._bars.stop()
            self._bars = None

    @contextmanager
    def _paused(self) -> Iterator[None]:
        """Take the bars off the screen while a line is written, and put them back below it."""
        bars = self._bars
        if bars is None:
            yield
            return
        bars.stop()
        try:
            yield
        finally:
            bars.start()


def _bars(output: Output) -> Bars:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    look = output.err_look
    console = Console(
        file=output.stderr,
        width=look.width,
        force_terminal=True,
        color_system="standard" if look.color else None,
        no_color=not look.color,
        markup=False,
        highlight=False,
        emoji=False,
        legacy_windows=False,
    )
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20 if (look.width or 80) < 100 else 40),
        TextColumn("{task.completed:,.0f}", justify="right", markup=False),
        TaskProgressColumn(text_format="{task.percentage:>3.0f}%", markup=False),
        Remaining(compact=True),
        TextColumn("{task.fields[why]}", markup=False),
        console=console,
        transient=True,
        refresh_per_second=_REFRESH,
    )

"""What every resource of a run shares."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from lumio_cli.core.clock import Clock
from lumio_cli.core.progress import Progress
from lumio_cli.core.stop import Stop
from lumio_cli.sync.hub_sink import Store
from lumio_cli.sync.model import Options
from lumio_cli.sync.writer import Writer

T = TypeVar("T")

TURNS = 2
"""Pages that are taken apart at the same moment."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What every pull of a run shares. `turns` lets few pages be read at the same time: an answer
    takes several times its size while it is, and more threads would not read faster.
    """

    store: Store
    writer: Writer
    progress: Progress
    clock: Clock
    stop: Stop
    options: Options
    turns: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(TURNS)
    )
    told: set[str] = field(default_factory=set)

    def call(self, work: Callable[[sqlite3.Connection, Store], T]) -> T:
        """Run a piece of work on the hub, in the writer's thread and a transaction of its own."""
        return self.writer.call(lambda db: work(db, self.store))

    def tells_first(self, what: str) -> bool:
        """Whether this run has not yet told `what` to the operator; from now on it has."""
        known = what in self.told
        self.told.add(what)
        return not known

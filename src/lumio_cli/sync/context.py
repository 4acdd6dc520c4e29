"""What every resource of a run shares."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import partial

from lumio_cli.core.clock import Clock
from lumio_cli.core.progress import Progress
from lumio_cli.core.stop import Stop
from lumio_cli.sync.hub_sink import HubSink
from lumio_cli.sync.model import Options, ResourceTask
from lumio_cli.sync.resource_sink import ResourceSink
from lumio_cli.sync.writer import Writer

TURNS = 2
"""Pages that are taken apart at the same moment."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """What every pull of a run shares. `turns` lets few pages be read at the same time: an answer
    takes several times its size while it is, and more threads would not read faster.
    """

    store: HubSink
    writer: Writer
    progress: Progress
    clock: Clock
    stop: Stop
    options: Options
    turns: threading.BoundedSemaphore = field(
        default_factory=partial(threading.BoundedSemaphore, TURNS)
    )
    told: set[str] = field(default_factory=set)

    def sink_of(self, task: ResourceTask) -> ResourceSink:
        """Make the way into the hub for the resource of `job`."""
        return ResourceSink(self.writer, self.store, *task.name)

    def tells_first(self, what: str) -> bool:
        """Whether this run has not yet told `what` to the operator; from now on it has."""
        known = what in self.told
        self.told.add(what)
        return not known

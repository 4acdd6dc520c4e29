"""A run as the hub remembers it: begun, ended, or left when its requests hang."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

from lumio_cli import __version__
from lumio_cli.core.clock import Clock, format_timestamp
from lumio_cli.hub.sqlite import outbox, record_history, runs
from lumio_cli.hub.sqlite.database import Hub
from lumio_cli.sync.hub_sink import HubSink
from lumio_cli.sync.model import Options, ResourceResult, RunResult


class RunRecord:
    """Keeps one run's entry in the hub, in the thread that owns the hub. A preview leaves none:
    with `writes=False` nothing is written."""

    def __init__(
        self,
        hub: Hub,
        store: HubSink,
        options: Options,
        clock: Clock,
        *,
        writes: bool,
    ) -> None:
        self._hub = hub
        self._store = store
        self._options = options
        self._clock = clock
        self._writes = writes

    def start(
        self, outcome: RunResult, targets: Sequence[str], skipped: Sequence[ResourceResult]
    ) -> None:
        """Note that the run has begun, and the resources that it leaves out. Raises `HubError`."""
        if not self._writes:
            return
        with self._hub.transaction() as db:
            runs.start_run(db, self._row(outcome, targets))
            for result in skipped:
                self._store.start_resource(db, result)
                self._store.finish_resource(db, result)

    def abandon(self, result: ResourceResult) -> None:
        """Close the books of a resource whose requests hang. Raises `HubError`."""
        if self._writes:
            with self._hub.transaction() as db:
                self._store.finish_resource(db, result)

    def finish(self, outcome: RunResult) -> None:
        """Store how the run ended, and forget what is too old. Raises `HubError`."""
        if not self._writes:
            return
        now = self._clock.time()
        with self._hub.transaction() as db:
            runs.finish_run(
                db,
                outcome.run_id,
                status=outcome.status,
                now=format_timestamp(now),
                exit_code=outcome.exit_code,
            )
            runs.prune_runs(db)
            before = format_timestamp(now - self._options.history * 86400.0)
            record_history.prune(db, before)
            outbox.forget_names(db, before)

    def _row(self, outcome: RunResult, targets: Sequence[str]) -> runs.RunRow:
        now = format_timestamp(outcome.started_at.timestamp())
        return runs.RunRow(
            run_id=outcome.run_id,
            status="running",
            started_at=now,
            heartbeat_at=now,
            pid=os.getpid(),
            host=socket.gethostname(),
            mode=self._options.mode,
            direction=self._options.direction,
            targets=list(targets),
            version=__version__,
        )

"""One walk through a resource: its slices side by side, and what becomes of those that end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from lumio_cli.core.errors import (
    BadReplyError,
    DeniedError,
    GoneError,
    LumioError,
    RejectedError,
)
from lumio_cli.hub.sqlite.state import Checkpoint, ResourceState
from lumio_cli.providers.contract.resource import Kind, Walk, Window
from lumio_cli.sync.context import RunContext
from lumio_cli.sync.description import Schema
from lumio_cli.sync.model import Counter, ResourceResult, ResourceTask
from lumio_cli.sync.pull.bounds import Bounds
from lumio_cli.sync.pull.cursors import time_of
from lumio_cli.sync.pull.slice_pull import Walker
from lumio_cli.sync.resource_sink import ResourceSink


class Scan:
    """Walks one resource. `known` is what the hub knows of it by now; `warn` tells the operator;
    `result` is filled as it goes."""

    def __init__(
        self,
        context: RunContext,
        sink: ResourceSink,
        task: ResourceTask,
        result: ResourceResult,
        tally: Counter,
        schema: Schema,
        known: ResourceState,
        warn: Callable[[str], None],
    ) -> None:
        self.context = context
        self.sink = sink
        self.task = task
        self.result = result
        self.tally = tally
        self._schema = schema
        self._known = known
        self._warn = warn
        self._lock = threading.Lock()

    def walk(
        self,
        kind: Kind,
        unfinished: Sequence[Checkpoint],
        *,
        total: int | None = None,
        on_first_rows: Callable[[], tuple[str, ...] | None] | None = None,
    ) -> list[Walker]:
        """Walk all slices to their ends. One whose place the provider refuses, since it is too
        old, begins anew: it would be refused in every run to come. So does one whose export
        has failed or is kept no longer, and one that asked for fields that are there no longer.
        """
        walkers: list[Walker] = []
        begun = [point.pages for point in unfinished]
        try:
            walkers = self._walkers_for(kind, unfinished, total=total, on_first_rows=on_first_rows)
            begun = [w.point.pages for w in walkers]
            return self._ended(self._run(walkers))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            # A place that somebody else has written would be met in every run to come.
            if not unfinished or [w.point.pages for w in walkers] not in ([], begun):
                raise
            self._warn("begun anew, since the place where it had stopped cannot be read")
        except (RejectedError, DeniedError, BadReplyError) as error:
            if [w.point.pages for w in walkers] != begun:
                raise
            # Only an export can have gone bad by itself; any other listing is asked for again.
            export = unfinished and any(w.exported for w in walkers)
            if not export and not isinstance(error, RejectedError):
                raise
            if unfinished:
                self._warn(
                    f"begun anew, since it could not go on where it had stopped: {error.message}"
                )
            elif on_first_rows is None or on_first_rows() is None:
                raise
        walkers = self._walkers_for(kind, (), total=total, on_first_rows=on_first_rows)
        return self._ended(self._run(walkers))

    def _ended(self, walkers: list[Walker]) -> list[Walker]:
        """Note whether any page came from the cache: then this is no answer of the provider's."""
        self.result.cached = self.result.cached or any(w.cached for w in walkers)
        return walkers

    def _walkers_for(
        self,
        kind: Kind,
        unfinished: Sequence[Checkpoint],
        *,
        total: int | None = None,
        on_first_rows: Callable[[], tuple[str, ...] | None] | None = None,
    ) -> list[Walker]:
        """A walker a slice: at its checkpoint, or at the beginning."""
        names = self._schema.names
        points = unfinished or Bounds(self.context, self.sink, self.task).begin(
            kind, self.task.connection.provider.slices(self.task.resource, kind, total), self._known
        )
        return [
            Walker(
                self.context,
                self.sink,
                self.task,
                self.result,
                self.tally,
                Walk(
                    self.task.resource,
                    kind,
                    slice=point.slice,
                    options=point.options,
                    window=Window(time_of(point.floor), time_of(point.ceiling)),
                    properties=names,
                ),
                point,
                lock=self._lock,
                total=total,
                on_first_rows=on_first_rows,
            )
            for point in points
        ]

    def _run(self, walkers: list[Walker]) -> list[Walker]:
        """Walk the slices side by side; those that came to their ends. The first error counts,
        after all have ended: it is raised, unless the provider only refuses some of the slices.
        """
        todo = [w for w in walkers if not w.point.done]
        if len(walkers) <= 1 or not todo:
            for walker in todo:
                walker.run()
            self._note_refusals(walkers)
            return walkers
        with ThreadPoolExecutor(
            min(len(todo), self.context.options.slices), thread_name_prefix=self.task.target
        ) as pool:
            futures = [pool.submit(walker.run) for walker in todo]
        errors = [e for f in futures if (e := f.exception()) is not None]
        ended = [w for w in walkers if w.point.done]
        # A part that had nothing to ask for proves nothing about the others.
        answered = any(w.point.pages for w in ended)
        for error in errors:
            if not answered or not isinstance(error, RejectedError | GoneError | DeniedError):
                raise error
        if errors:
            first = errors[0]
            assert isinstance(first, LumioError)  # noqa: S101 the kinds above
            self.result.status, self.result.error = "partial", first
        self._note_refusals(ended)
        return ended

    def _note_refusals(self, walkers: Sequence[Walker]) -> None:
        """A parent whose listing is gone holds up no other, but something is missing."""
        refused = [w.refused for w in walkers if w.refused]
        if refused and self.result.error is None:
            self.result.status, self.result.error = "partial", GoneError(refused[0])

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
from lumio_cli.sync.pull.slice_pull import SlicePull
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
    ) -> list[SlicePull]:
        """Walk all slices to their ends. One whose place the provider refuses, since it is too
        old, begins anew: it would be refused in every run to come. So does one whose export
        has failed or is kept no longer, and one that asked for fields that are there no longer.
        """
        slices: list[SlicePull] = []
        begun = [point.pages for point in unfinished]
        try:
            slices = self._slice_pulls(kind, unfinished, total=total, on_first_rows=on_first_rows)
            begun = [s.point.pages for s in slices]
            return self._ended(self._run(slices))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            # A place that somebody else has written would be met in every run to come.
            if not unfinished or [s.point.pages for s in slices] not in ([], begun):
                raise
            self._warn("begun anew, since the place where it had stopped cannot be read")
        except (RejectedError, DeniedError, BadReplyError) as error:
            if [s.point.pages for s in slices] != begun:
                raise
            # Only an export can have gone bad by itself; any other listing is asked for again.
            export = unfinished and any(s.exported for s in slices)
            if not export and not isinstance(error, RejectedError):
                raise
            if unfinished:
                self._warn(
                    f"begun anew, since it could not go on where it had stopped: {error.message}"
                )
            elif on_first_rows is None or on_first_rows() is None:
                raise
        slices = self._slice_pulls(kind, (), total=total, on_first_rows=on_first_rows)
        return self._ended(self._run(slices))

    def _ended(self, slices: list[SlicePull]) -> list[SlicePull]:
        """Note whether any page came from the cache: then this is no answer of the provider's."""
        self.result.cached = self.result.cached or any(s.cached for s in slices)
        return slices

    def _slice_pulls(
        self,
        kind: Kind,
        unfinished: Sequence[Checkpoint],
        *,
        total: int | None = None,
        on_first_rows: Callable[[], tuple[str, ...] | None] | None = None,
    ) -> list[SlicePull]:
        """A pull a slice: at its checkpoint, or at the beginning."""
        names = self._schema.names
        points = unfinished or Bounds(self.context, self.sink, self.task).begin(
            kind, self.task.connection.provider.slices(self.task.resource, kind, total), self._known
        )
        return [
            SlicePull(
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

    def _run(self, slices: list[SlicePull]) -> list[SlicePull]:
        """Walk the slices side by side; those that came to their ends. The first error counts,
        after all have ended: it is raised, unless the provider only refuses some of the slices.
        """
        todo = [s for s in slices if not s.point.done]
        if len(slices) <= 1 or not todo:
            for slice_pull in todo:
                slice_pull.run()
            self._note_refusals(slices)
            return slices
        with ThreadPoolExecutor(
            min(len(todo), self.context.options.slices), thread_name_prefix=self.task.target
        ) as pool:
            futures = [pool.submit(slice_pull.run) for slice_pull in todo]
        errors = [e for f in futures if (e := f.exception()) is not None]
        ended = [s for s in slices if s.point.done]
        # A part that had nothing to ask for proves nothing about the others.
        answered = any(s.point.pages for s in ended)
        for error in errors:
            if not answered or not isinstance(error, RejectedError | GoneError | DeniedError):
                raise error
        if errors:
            first = errors[0]
            assert isinstance(first, LumioError)  # noqa: S101 the kinds above
            self.result.status, self.result.error = "partial", first
        self._note_refusals(ended)
        return ended

    def _note_refusals(self, slices: Sequence[SlicePull]) -> None:
        """A parent whose listing is gone holds up no other, but something is missing."""
        refused = [s.refused for s in slices if s.refused]
        if refused and self.result.error is None:
            self.result.status, self.result.error = "partial", GoneError(refused[0])

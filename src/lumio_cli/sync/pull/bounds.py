"""Where the walks of a resource begin: cursors that can be gone on from, windows, checkpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from lumio_cli.core.clock import format_time, format_timestamp, parse_time, utc
from lumio_cli.hub.sqlite.state import Checkpoint, ResourceState
from lumio_cli.providers.contract.resource import Kind
from lumio_cli.sync.context import RunContext
from lumio_cli.sync.model import ResourceTask, is_driven
from lumio_cli.sync.pull.cursors import AHEAD, SEQ, good_one, not_after, parts_of
from lumio_cli.sync.resource_sink import ResourceSink

EPOCH = utc(0.0)
Slices = Mapping[str, Mapping[str, Any]]
"""The parts of a walk by name, each with the options that make it."""


class Bounds:
    """Finds where the walks of one resource begin."""

    def __init__(self, context: RunContext, sink: ResourceSink, task: ResourceTask) -> None:
        self._context = context
        self._sink = sink
        self._task = task
        self._driven = is_driven(task.resource)

    def good_cursor(self, cursor: str | None) -> str | None:
        """Return `cursor`, or the last good one where it lies in the future or cannot be read:
        from there on changes may have been missed. None: there is none to go on from."""
        if cursor is None:
            return None
        now = self._context.clock.time()
        seq, left = self._sink.sequence(), self._sink.cursors()
        good = good_one(cursor, left, driven=self._driven, now=now, seq=seq)
        if good != cursor:
            self._sink.retract(good)
        return good

    def begin(self, kind: Kind, slices: Slices, known: ResourceState) -> list[Checkpoint]:
        """Begin a walk: a checkpoint a slice.

        A resource that parents drive and that has no modification times of its own has a window
        of the hub's change counter, from where the last walk began to where this one begins.
        """
        floor, since, driven = None, 0, self._driven
        declared = self._task.resource.cursor
        if kind == "changes" and driven:
            since = int(str(known.cursor).removeprefix(SEQ))
        elif kind == "changes" and declared is not None:
            floor = format_time(
                parse_time(str(known.cursor)) - timedelta(seconds=declared.lookback)
            )
        past = _past(known.slices) if kind == "changes" else None
        points = [
            Checkpoint(
                kind=kind,
                slice=name,
                options=options,
                # A part that was not there before has no past: all of it is new.
                floor=floor if past is None or name in past else None,
                since_seq=since if driven else (past or {}).get(name, 0),
                started_at=format_timestamp(self._context.clock.time()),
            )
            for name, options in slices.items()
        ]

        return self._sink.begin(kind, partial(_from, points, driven))

    def unfinished(self, kind: Kind, slices: Iterable[str]) -> list[Checkpoint]:
        """Return the checkpoints of a walk that was interrupted and is worth going on with: one of
        the same slices, not too old, and whose windows can be believed."""
        try:
            points = self._sink.checkpoints(kind)
        except ValueError:
            return []
        latest = self._context.clock.time() + AHEAD
        if not points or not all(_is_readable(point, latest) for point in points):
            return []
        age = self._context.clock.time() - parse_time(points[0].started_at).timestamp()
        if age > self._context.options.stale_after or {p.slice for p in points} != set(slices):
            return []
        return points


def _from(points: Sequence[Checkpoint], driven: bool, seq: int) -> list[Checkpoint]:
    """The checkpoints of a walk that begins where the change counter is `seq`."""
    ceiling = f"{SEQ}{seq}" if driven else None
    return [
        replace(p, ceiling=ceiling, since_seq=seq if p.kind == "full" else p.since_seq)
        for p in points
    ]


def _past(slices: str | None) -> dict[str, int] | None:
    """See `cursors.parts_of`; no part has a past where they cannot be read."""
    try:
        return parts_of(slices)
    except ValueError:
        return {}


def _is_readable(point: Checkpoint, latest: float) -> bool:
    """Whether it has a place, and its times are such, none of which lies behind `latest`, in
    seconds since 1970."""
    if not isinstance(point.options, dict) or not isinstance(point.place, dict | None):
        return False
    ends = [c for c in (point.ceiling, point.floor) if c and not c.startswith(SEQ)]
    return all(not_after(time, latest) == time for time in (point.started_at, *ends))

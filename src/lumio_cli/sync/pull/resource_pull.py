"""Pulling one resource: which walks, in which order, and what they prove."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from lumio_cli.core.clock import format_timestamp, parse_time
from lumio_cli.core.errors import (
    DeniedError,
    LumioError,
    StoppedError,
)
from lumio_cli.core.progress import NoProgress
from lumio_cli.core.units import format_duration
from lumio_cli.hub.sqlite.state import Checkpoint, ResourceState
from lumio_cli.hub.sqlite.views import NO_COLUMNS
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.resource import Kind, Resource
from lumio_cli.sync.context import RunContext
from lumio_cli.sync.description import Schema
from lumio_cli.sync.fields import abilities_of
from lumio_cli.sync.mishaps import understood, unexpected
from lumio_cli.sync.model import Connection, ResourceResult, ResourceTask
from lumio_cli.sync.pull.absence import Absence
from lumio_cli.sync.pull.bounds import Bounds, Slices
from lumio_cli.sync.pull.cursors import (
    AHEAD,
    NO_PARTS,
    later,
    not_after,
    order,
    parts_of,
    time_of,
)
from lumio_cli.sync.pull.scan import Scan
from lumio_cli.sync.pull.slice_pull import SlicePull
from lumio_cli.transport.quota.kinds import is_known_zone


class Pull:
    """Pulls one resource. `result` is filled as it goes, and says what went wrong with it."""

    def __init__(self, context: RunContext, task: ResourceTask, result: ResourceResult) -> None:
        if result.hidden and not task.push:
            # It is read for another's sake only: nobody asked to be told, and nobody says it ended.
            context = replace(context, progress=NoProgress())
        self.context = context
        self.sink = context.sink_of(task)
        self.task = task
        self.result = result
        self.provider = task.connection.provider
        self.resource: Resource = task.resource
        result.optional = task.resource.metadata
        self.tally = task.connection.new_tally(self._waiting)
        self.done = False
        self.seen_until: float | None = None
        """Seconds since 1970, by the provider's clock: whatever was created before is in the hub
        now; None: nobody knows."""
        self.ahead = 0.0
        """Seconds that the provider's clock is ahead of ours."""
        self.unread = ""
        """A resource that this one hangs on, and that was not read whole in this run."""
        self.given_up = 0
        """Edits that have given way to the provider's values."""
        self._state = ResourceState()

    def reconnect(self, connection: Connection) -> None:
        """Go another way to the same provider."""
        self.task = replace(self.task, connection=connection)
        self.provider = connection.provider
        self.tally = connection.new_tally(self._waiting)

    def run(self, failed: ResourceResult | None = None) -> None:
        """Pull, and say in `result` how it went. Raises only what no run can go on after.

        `failed` is one of several resources that drive this one, where that could not be read:
        what belongs to its new records is missing, and nothing is proven to be gone.
        """
        result = self.result
        if failed is not None and failed.error is not None:
            result.status = "partial"
            result.error = LumioError(
                f"{self.task.target}: what belongs to new {failed.resource} is missing, since "
                f"those could not be read: {failed.error.message}",
                code=failed.error.code,
                exit_code=3,
                hint=failed.error.hint,
            )
        self.sink.start(result)
        try:
            self._pull()
            self._tell_of_writes()
            if result.failed and result.status == "succeeded":
                result.status = "partial"
        except LumioError as error:
            self._end(error)
        except Exception as error:  # noqa: BLE001 it costs this resource, and no other
            self._end(unexpected(self.task.target, error))
        finally:
            for remark in self.provider.remarks(self.resource):
                self._warn(remark)
            self._tell_of_writes()
            result.requests, result.retries = self.tally.requests, self.tally.retries
            result.waited_s = self.tally.waited
        if not result.hidden:
            self.context.progress.finish(self.task.target, result.as_json())
        self.sink.end(result)
        self.done = True

    def _tell_of_writes(self) -> None:
        """What has come says of earlier writes how they were taken. A look leaves it to the push
        that it is for."""
        if self.result.hidden and self.task.push:
            return
        told = self.sink.told_of()
        self.result.failed += told.untaken
        for warning in told.reformed.warnings():
            self._warn(warning)

    def fail(self, error: LumioError) -> None:
        """Do not pull at all: what this resource hangs on has failed with `error`."""
        result = self.result
        self._end(error)
        self.sink.start(result)
        self.sink.end(result)
        self.done = True

    def _end(self, error: LumioError) -> None:
        """Say in the result that `error` has ended the work."""
        result = self.result
        partly = error.code == "interrupted" or result.read > 0
        result.status = "partial" if partly else "failed"
        if isinstance(error, DeniedError):
            result.status = "skipped"
        result.error, result.cut_off = error, True

    # -- the order of things

    def _pull(self) -> None:
        self._schema = Schema(
            self.context,
            self.sink,
            self.task,
            self.result,
            self.sink.fields(),
            send=self._send_fresh,
            warn=self._warn,
        )
        if not self.sink.has_columns():
            self._warn(f"{NO_COLUMNS}: it is made anew")
        able = abilities_of(self.provider, self.resource)
        self._state = self.sink.prepare(self._schema.columns, able)
        if (good := self._bounds.good_cursor(self._state.cursor)) != self._state.cursor:
            bad, self._state = str(self._state.cursor), replace(self._state, cursor=good)
            back = f"it goes back to {good}" if good is not None else "everything is read anew"
            self._warn(f"the cursor {bad[:40]!r} lies in the future or cannot be read: {back}")
        try:
            parts_of(self._state.slices)
        except ValueError:
            self._warn(NO_PARTS)
        self.result.cursor = self._state.cursor
        if not self.resource.paging:
            # It comes by webhook: there is nothing to ask for, but its view is there to be read.
            return
        before = self.sink.sequence()
        self._read_all()
        self._absence.mend()
        for _ in self.sink.recount():
            self.context.stop.check()
        if any(able):
            # Edits of records that this pull has changed: what is left of them, and which conflict.
            policy = self.context.options.policy_of(self.task.target)
            self.given_up += self.sink.reconcile_all(policy, before)

    def _read_all(self) -> None:
        unfinished = self._unfinished("full")
        if self.task.push and self.resource.cursor is None:
            # What is sent is compared with what is there now. The first pages of a walk that was
            # interrupted are older, and there is no other way to hear what has changed since.
            unfinished = []
        if self.result.mode == "full" or unfinished or self.result.cursor is None:
            self.result.mode = "full"
            self._schema.describe()
            complete = self._full(unfinished)
            if complete and unfinished and self.resource.cursor is not None:
                # The walk began in an earlier run: what changed since its beginning comes now.
                self._changes()
        elif self._changes():
            self._changes()

    def _full(self, unfinished: list[Checkpoint]) -> bool:
        """Whether the walk may move the cursor: a listing that ended too early may not."""
        count = self._expected()
        self.context.progress.start(self.task.target, count, detail="full")
        slices = self._scan.walk("full", unfinished, total=count)
        absence = self._absence
        if any(s.stale for s in slices):
            self.result.warnings.append("served from the cache, since the provider is down")
        elif self.result.error is None and absence.is_short(slices, count, self._expected):
            if "tombstones" in self.resource.deletes and self._state.records:
                self._tombstones()
            return self._leave()
        else:
            self._settle_merges(slices, min((s.point.since_seq for s in slices), default=0))
            if "tombstones" in self.resource.deletes and self._state.records:
                self._tombstones()
            absence.orphan("full", slices)
            # A part that was refused does not prove that its records are gone.
            sweeps = "sweep" in self.resource.deletes and self.result.error is None
            if sweeps and not absence.sweep(slices, self._send, self.unread):
                return self._leave()
        self._finish("full", slices)
        return True

    def _leave(self) -> bool:
        """End a full walk that was short: the cursor stays, and the next run begins anew."""
        self.sink.drop("full")
        return False

    def _expected(self) -> int | None:
        """How many records there are, by the provider's count. What is only asked in order to help
        must not hurt: whatever becomes of the question, the walk goes on."""
        try:
            with understood(self.task.target):
                return self.provider.count(self.resource, self._send)
        except StoppedError:
            raise
        except LumioError:
            return None

    def _changes(self) -> bool:
        """Whether the walk had been interrupted: its window ended when it began, and what has
        changed since is yet to come."""
        self.context.progress.start(self.task.target, None, detail="changes")
        describe = self._schema.refresh if self.resource.cursor else None
        unfinished = self._unfinished("changes")
        slices = self._scan.walk("changes", unfinished, on_first_rows=describe)
        self._settle_merges(slices, None)
        self._absence.orphan("changes", slices)
        self._finish("changes", slices)
        if "tombstones" in self.resource.deletes and self._tombstones_due():
            self._tombstones()
        return bool(unfinished)

    def _tombstones(self) -> None:
        slices = self._scan.walk("tombstones", self._unfinished("tombstones"))
        now = format_timestamp(self.context.clock.time())
        pages = sum(s.point.pages for s in slices)
        self.sink.finish("tombstones", tombstones_at=now, tombstone_pages=pages)

    def _tombstones_due(self) -> bool:
        """A list of one page is asked for every time, a long one once in a while."""
        known = self._state
        if known.tombstones_at is None or (known.tombstone_pages or 0) <= 1:
            return True
        now = self.context.clock.time()
        if not_after(known.tombstones_at, now + AHEAD) != known.tombstones_at:
            return True  # It cannot be read, or was noted by a clock that was wrong.
        age = now - parse_time(known.tombstones_at).timestamp()
        return age >= float(self.provider.options.get("deletes_every", DELETES_EVERY))

    def _settle_merges(self, slices: Sequence[SlicePull], since: int | None) -> None:
        """What others have swallowed is gone, unless this walk has listed it. A part of the walk
        that was refused may have listed it: then nobody can say yet."""
        if self.result.error is None and not any(s.stale for s in slices):
            self.result.deleted += self.sink.settle_merges(since)

    @property
    def _known(self) -> ResourceState:
        """What the hub knows of the resource, as this run has moved it."""
        return replace(self._state, cursor=self.result.cursor)

    def _slices(self, kind: Kind, expected: int | None) -> Slices:
        return self.provider.slices(self.resource, kind, expected)

    def _unfinished(self, kind: Kind) -> list[Checkpoint]:
        return self._bounds.unfinished(kind, self._slices(kind, None))

    def _finish(self, kind: Kind, slices: Sequence[SlicePull]) -> None:
        """The walk is complete: the cursor moves to its ceiling, and never back."""
        cursor = self.result.cursor
        self._tell_of_clocks(slices)
        if not any(s.stale for s in slices):
            self._note_seen(kind, slices)
        ceilings = [s.point.ceiling for s in slices if s.point.ceiling]
        # A part that has no parents yet asked nothing, and has no window that could end.
        asked = [s for s in slices if s.point.pages or s.point.ceiling]
        if ceilings and len(ceilings) == len(asked):
            cursor = later(cursor, min(ceilings, key=order))
        self.result.cursor = cursor
        values: dict[str, str] = {}
        if kind == "full" and self.result.error is None and not self.result.cached:
            values["full_at"] = format_timestamp(self.context.clock.time())
        if self.resource.cursor is not None:
            values["slices"] = json.dumps({s.point.slice: s.parent for s in slices})
            # A walk for changes may follow in the same run.
            self._state = replace(self._state, slices=values["slices"])
        self.sink.finish(kind, cursor=cursor, **values)

    def _tell_of_clocks(self, slices: Sequence[SlicePull]) -> None:
        skew = max((s.skew for s in slices if s.skew is not None), key=abs, default=0.0)
        if abs(skew) > AHEAD and self.context.tells_first(f"{self.task.provider}'s clock"):
            which = "ahead of" if skew > 0 else "behind"
            self._warn(
                f"{self.task.provider}'s clock is {format_duration(abs(skew))} {which} this "
                "machine's: the earlier of the two counts"
            )
        zones = {q.zone for q in self.provider.quotas if q.kind == "daily"}
        for zone in sorted(zone for zone in zones if not is_known_zone(zone)):
            if self.context.tells_first(f"{self.task.provider}'s zone {zone}"):
                self._warn(
                    f"this machine does not know the time zone {zone!r} of the account: its daily "
                    "quotas count from midnight in UTC (the package tzdata has it)"
                )

    def _note_seen(self, kind: Kind, slices: Sequence[SlicePull]) -> None:
        self.ahead = max((s.ahead for s in slices if s.ahead is not None), default=self.ahead)
        if kind == "full":
            begun = [parse_time(s.point.started_at).timestamp() + self.ahead for s in slices]
        else:
            ends = [time_of(s.point.ceiling) for s in slices]
            begun = [end.timestamp() for end in ends if end is not None]
        if begun and len(begun) == len(slices):
            self.seen_until = max(self.seen_until or 0.0, min(begun))

    # -- small things

    @property
    def _scan(self) -> Scan:
        return Scan(
            self.context,
            self.sink,
            self.task,
            self.result,
            self.tally,
            self._schema,
            self._known,
            self._warn,
        )

    @property
    def _absence(self) -> Absence:
        return Absence(self.context, self.sink, self.task, self.result, self._warn)

    @property
    def _bounds(self) -> Bounds:
        return Bounds(self.context, self.sink, self.task)

    def _send(self, call: Call) -> Reply:
        return self.task.connection.session.send(call, tally=self.tally)

    def _send_fresh(self, call: Call) -> Reply:
        return self.task.connection.session.send(call, tally=self.tally, fresh=True)

    def _waiting(self, seconds: float, reason: str) -> None:
        self.context.progress.waiting(self.task.target, reason, seconds)

    def _warn(self, message: str) -> None:
        self.result.warnings.append(message)
        self.context.progress.warn(message, self.task.target)


DELETES_EVERY = 3600.0
"""Seconds between two walks through a list of deleted records that is longer than a page."""

"""What a full walk has not met: deleted at the provider, hidden by it, or lost on the way."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from math import ceil

from lumio_cli.core.clock import format_timestamp
from lumio_cli.core.errors import DeniedError, LumioError, RejectedError, StoppedError
from lumio_cli.hub.sqlite.columns import ViewColumn
from lumio_cli.hub.sqlite.horizon import Reach
from lumio_cli.hub.sqlite.state import Account, ResourceState
from lumio_cli.providers.contract.call import Send
from lumio_cli.providers.contract.resource import Kind, Resource
from lumio_cli.sync.context import RunContext
from lumio_cli.sync.mishaps import understood
from lumio_cli.sync.model import ResourceResult, ResourceTask
from lumio_cli.sync.pull.slice_pull import SlicePull
from lumio_cli.sync.resource_sink import ResourceSink

SHORT_BY = 0.01
"""The part of a count that may be missing: records come and go during a walk, and an index that
counts them lags behind."""
SUSPECTS = 20
"""Records that are asked for by id before they are taken for deleted."""
AT_LEAST = 2
"""Records that may be missing of the shortest listing."""


class Absence:
    """Judges the absence of records, for one resource of a run. `warn` tells the operator."""

    def __init__(
        self,
        context: RunContext,
        sink: ResourceSink,
        task: ResourceTask,
        result: ResourceResult,
        warn: Callable[[str], None],
    ) -> None:
        self._context = context
        self._sink = sink
        self._task = task
        self._result = result
        self._warn = warn
        self._counted: int | None = None
        """How many records there are, by a count that can be believed."""
        self._is_counted = False
        """Whether there was any such count."""

    @property
    def _is_ignored(self) -> bool:
        """Whether the operator knows that the listing is whole, whatever counts more."""
        return self._task.target in self._context.options.ignore_counts

    # -- a listing that ended too early

    def is_short(
        self, slices: Sequence[SlicePull], count: int | None, recount: Callable[[], int | None]
    ) -> bool:
        """Return whether the walk met clearly fewer records than the provider counts.

        It counts once before, and where that is more than was met once again: records may have
        been deleted meanwhile. The result then says so; nothing is proven by such a walk.
        """
        found = self._shortfall(slices, count, recount)
        if found is None:
            return False
        met, counted = found
        self._tell(met, f"{self._task.provider} counts {counted:,}")
        return True

    def _tell(self, met: int, why: str) -> None:
        """Say that a walk met no more than `met` records, and by what that is known to be few."""
        self._result.status = "partial"
        self._result.error = LumioError(
            f"{self._task.target}: the listing ended after {met:,} records, though {why}: nothing "
            "was deleted, and the cursor stays",
            code="incomplete_listing",
            exit_code=3,
            hint="run it again; if the listing is whole and the count is not, name the resource in "
            f"providers.{self._task.provider}.ignore_counts",
        )

    def _shortfall(
        self, slices: Sequence[SlicePull], count: int | None, recount: Callable[[], int | None]
    ) -> tuple[int, int] | None:
        """How many records the walk met, of how many, where that is clearly fewer."""
        reach = self._reach()
        if self._task.resource.rough_count or self._is_ignored or not slices:
            return None
        if reach and not reach.lifted:
            # A count may well have what the listing hides.
            return None
        stated = [s.stated for s in slices if s.stated is not None]
        if len(stated) == len(slices):
            met, counted = sum(s.point.rows for s in slices), sum(stated)
        else:
            met = self._met(slices)
            counted = count if count is not None else met
            if met < counted:
                counted = min(counted, again) if (again := recount()) is not None else met
            if count is not None:
                self._counted = counted
        self._is_counted = count is not None or len(stated) == len(slices)
        return (met, counted) if _misses(met, counted) else None

    def _met(self, slices: Sequence[SlicePull]) -> int:
        """Records that the walk has met, each once, the bad ones among them."""
        if "sweep" not in self._task.resource.deletes:
            return sum(s.point.rows for s in slices)
        since = min(s.point.since_seq for s in slices)
        begun = min(s.point.started_at for s in slices)
        met = self._sink.met(since)
        # In the runs before this one, too, where they began the walk.
        failed = self._sink.failed_since(begun)
        return met + max(failed, self._result.failed)

    # -- what belongs to what is gone

    def orphan(self, kind: Kind, slices: Sequence[SlicePull]) -> None:
        """Delete what belongs to records that are known to be gone: that takes no proof by a full
        walk, and is no absence that a sweep would have to believe."""
        resource, provider = self._task.resource, self._task.connection.provider
        if not (resource.group and resource.parents):
            return
        begun = min((s.point.since_seq for s in slices), default=0)
        # What a driven walk for changes begins after, the one before has seen to.
        since = 0 if kind == "full" or resource.cursor is not None else begun
        # What has just been listed is alive, whatever became of the one it belongs to.
        unseen_since = begun if kind == "full" else None
        for walk in [slice_pull.walk for slice_pull in slices]:
            self._result.deleted += self._sink.delete_orphans(
                str(walk.options["parent"]), partial(provider.group_of, walk), since, unseen_since
            )

    # -- what is absent from a complete listing

    def sweep(self, slices: Sequence[SlicePull], send: Send, unread: str = "") -> bool:
        """Delete what a complete walk has not met, unless that is hidden, or cannot be believed.

        Returns whether the walk was whole, as far as can be told. Where nothing has counted what it
        met, some of what it has not met is asked for by id; what is found there was left out.
        `unread` is a resource that this one hangs on, and that was not read whole in this run.
        """
        if not slices:
            return True
        empty = all(s.point.rows == 0 for s in slices)
        since = min(s.point.since_seq for s in slices)
        # A walk that was interrupted goes on, but not with the counts of the run that began it.
        begun = min(s.point.started_at for s in slices)
        failed = self._sink.failed_since(begun)
        if self._result.failed or failed:
            self._warn("some records failed, so that nothing was deleted for being absent")
            return True
        if unread:
            self._warn(f"{unread} was not read whole, so that nothing was deleted for being absent")
            return True
        # An empty listing is never believed; what it may lack is only what is hidden.
        limit, reach = 0.0 if empty else self._context.options.max_delete, self._reach()
        # By the later of two clocks: what may be hidden is kept.
        ahead = max(0.0, *(s.skew or 0.0 for s in slices))
        now = format_timestamp(self._context.clock.time() + ahead)
        counted = self._counted
        if not empty and not self._is_counted and not self._is_ignored:
            some = self._sink.suspects(since, reach, now, SUSPECTS)
            found = self._alive(some, send) if some else ()
            if found is None:
                return True
            if found:
                met, has = self._met(slices), self._task.provider
                why = f"{has} still has {len(found):,} of {len(some):,} others that were asked for"
                self._tell(met, why)
                return False
        swept = self._sink.sweep(since, limit, reach, now, counted)
        if swept.claimed:
            self._warn(
                f"{swept.claimed:,} records are absent from the listing, though "
                f"{self._task.provider} still counts some of them: none was deleted"
            )
        if empty:
            if swept.refused:
                self._warn(
                    f"the listing was empty, though the hub holds {swept.refused:,} records: "
                    "nothing was deleted"
                )
            return True
        self._result.deleted += swept.deleted
        if swept.refused:
            needed = ceil(100 * swept.refused / max(1, swept.listed + swept.refused))
            self._warn(
                f"{swept.refused:,} records are gone from {self._task.provider}, more than "
                f"--max-delete {limit:g} % allows ({swept.allowed:,}): none was deleted"
            )
            self._result.error = LumioError(
                self._result.warnings[-1],
                code="too_many_deletions",
                exit_code=3,
                hint=f"if that is right: lumio sync {self._task.target} --mode full "
                f"--max-delete {needed}",
            )
            self._result.status = "partial"
        return True

    def _alive(self, ids: Sequence[str], send: Send) -> Collection[str] | None:
        """Those of the records that the provider still has; None: it could not be asked now. What
        it refuses to say, nobody can ask."""
        try:
            with understood(self._task.target):
                return self._task.connection.provider.alive(self._task.resource, ids, send)
        except StoppedError:
            raise
        except (DeniedError, RejectedError):
            return ()
        except LumioError as error:
            self._warn(
                "whether records are gone could not be asked, so that nothing was deleted for being"
                f" absent: {error.message}"
            )
            return None

    # -- what is hidden

    def mend(self) -> None:
        """Bring back, once, what an older lumio has taken for deleted since it was hidden."""
        if self._task.resource.horizon is None or self._task.resource.deletes != ("sweep",):
            return
        known = self._sink.state()
        reach = None if known.astray_before is None else self._reach()
        if reach is None or reach.lifted:
            return
        back = self._sink.restore(reach)
        if back:
            self._warn(
                f"{back:,} records are back that were taken for deleted, though "
                f"{self._task.provider} only hides them: {self._task.resource.horizon.why}"
            )

    def _reach(self) -> Reach | None:
        return reach_of(self._task.resource, self._sink.account(), self._sink.state())


def reach_of(resource: Resource, account: Account | None, known: ResourceState) -> Reach | None:
    """Return how far back the listing of `resource` reaches; None: to the beginning."""
    horizon = resource.horizon
    if horizon is None or (horizon.within and not known.hides):
        return None
    return Reach(
        ViewColumn("", horizon.path, horizon.kind),
        horizon.days,
        horizon.parent,
        resource.group,
        sole=bool(horizon.parent) and set(resource.parents) <= {horizon.parent},
        lifted=bool(set(horizon.unless).intersection(_scopes(account))),
        within=horizon.within,
        root=ViewColumn("", horizon.root, horizon.kind) if horizon.root else None,
    )


def _scopes(account: Account | None) -> tuple[str, ...]:
    """What the credential may do, as far as it is known."""
    return () if account is None or account.scopes is None else account.scopes


def _misses(met: int, counted: int) -> bool:
    return counted - met > max(AT_LEAST, counted * SHORT_BY)

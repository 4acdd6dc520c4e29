"""What a full walk has not met: deleted at the provider, hidden by it, or lost on the way."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from math import ceil
from typing import TypeVar

from lumio_cli.errors import LumioError
from lumio_cli.hub import runs, state
from lumio_cli.hub.columns import ViewColumn
from lumio_cli.hub.horizon import Reach
from lumio_cli.hub.state import Account, ResourceState
from lumio_cli.providers.base import Resource
from lumio_cli.sync.model import Job, ResourceResult
from lumio_cli.sync.store import Store
from lumio_cli.sync.walk import Engine, Walker

T = TypeVar("T")

SHORT_BY = 0.01
"""The part of a count that may be missing: records come and go during a walk, and an index that
counts them lags behind."""
AT_LEAST = 2
"""Records that may be missing of the shortest listing."""


class Absence:
    """Judges the absence of records, for one resource of a run. `warn` tells the operator."""

    def __init__(
        self, engine: Engine, job: Job, result: ResourceResult, warn: Callable[[str], None]
    ) -> None:
        self._engine = engine
        self._job = job
        self._result = result
        self._warn = warn

    @property
    def _name(self) -> tuple[str, str]:
        return self._job.provider, self._job.resource.name

    def _call(self, work: Callable[[sqlite3.Connection, Store], T]) -> T:
        store = self._engine.store
        return self._engine.writer.call(lambda db: work(db, store))

    # -- a listing that ended too early

    def is_short(
        self, walkers: Sequence[Walker], count: int | None, recount: Callable[[], int | None]
    ) -> bool:
        """Return whether the walk met clearly fewer records than the provider counts.

        It counts once before, and where that is more than was met once again: records may have
        been deleted meanwhile. The result then says so; nothing is proven by such a walk.
        """
        stated = [w.stated for w in walkers if w.stated is not None]
        if stated and len(stated) == len(walkers):
            met, counted = sum(w.point.rows for w in walkers), sum(stated)
        elif self._job.resource.rough_count or not walkers:
            return False
        else:
            met = self._met(walkers)
            counted = count if count is not None else met
            if _misses(met, counted):
                counted = min(counted, again) if (again := recount()) is not None else met
        if not _misses(met, counted):
            return False
        self._result.status = "partial"
        self._result.error = LumioError(
            f"{self._job.target}: the listing ended after {met:,} records, though "
            f"{self._job.provider} counts {counted:,}: nothing was deleted, and the cursor stays",
            code="incomplete_listing",
            exit_code=3,
            hint="run it again; `lumio debug` shows the exchange if it goes on",
        )
        return True

    def _met(self, walkers: Sequence[Walker]) -> int:
        """Records that the walk has met, each once, the bad ones among them."""
        if "sweep" not in self._job.resource.deletes:
            return sum(w.point.rows for w in walkers)
        since = min(w.point.since_seq for w in walkers)
        met = self._call(lambda db, store: store.met(db, *self._name, since))
        return met + self._result.failed

    # -- what is absent from a complete listing

    def sweep(self, walkers: Sequence[Walker]) -> None:
        """Delete what a complete walk has not met, unless that is hidden, or cannot be believed."""
        if not walkers:
            return
        read = sum(w.point.rows for w in walkers)
        since = min(w.point.since_seq for w in walkers)
        if read == 0:
            held = self._call(lambda db, _: state.read_state(db, *self._name)).records
            if held:
                self._warn(
                    f"the listing was empty, though the hub holds {held:,} records: nothing "
                    "was deleted"
                )
            return
        # A walk that was interrupted goes on, but not with the counts of the run that began it.
        begun = min(w.point.started_at for w in walkers)
        failed = self._call(lambda db, _: runs.failed_since(db, *self._name, begun))
        if self._result.failed or failed:
            self._warn("some records failed, so that nothing was deleted for being absent")
            return
        limit, reach = self._engine.options.max_delete, self._reach()
        swept = self._call(lambda db, store: store.sweep(db, *self._name, since, limit, reach))
        self._result.deleted += swept.deleted
        if swept.refused:
            needed = ceil(100 * swept.refused / max(1, swept.listed + swept.refused))
            self._warn(
                f"{swept.refused:,} records are gone from {self._job.provider}, more than "
                f"--max-delete {limit:g} % allows ({swept.allowed:,}): none was deleted"
            )
            self._result.error = LumioError(
                self._result.warnings[-1],
                code="too_many_deletions",
                exit_code=3,
                hint=f"if that is right: lumio sync {self._job.target} --mode full "
                f"--max-delete {needed}",
            )
            self._result.status = "partial"

    # -- what is hidden

    def mend(self) -> None:
        """Bring back, once, what an older lumio has taken for deleted since it was hidden."""
        if self._job.resource.horizon is None or self._job.resource.deletes != ("sweep",):
            return
        known = self._call(lambda db, _: state.read_state(db, *self._name))
        reach = None if known.mended else self._reach()
        if reach is None:
            return
        back = self._call(lambda db, store: store.mend(db, *self._name, reach))
        if back:
            self._warn(
                f"{back:,} records are back that were taken for deleted, though "
                f"{self._job.provider} only hides them: {self._job.resource.horizon.why}"
            )

    def _reach(self) -> Reach | None:
        account = self._call(lambda db, _: state.read_account(db, self._job.provider))
        known = self._call(lambda db, _: state.read_state(db, *self._name))
        return reach_of(self._job.resource, account, known)


def reach_of(resource: Resource, account: Account | None, known: ResourceState) -> Reach | None:
    """Return how far back the listing of `resource` reaches; None: to the beginning."""
    horizon = resource.horizon
    if horizon is None or set(horizon.unless).intersection(_scopes(account)):
        return None
    if horizon.within and not known.hides:
        return None
    time = ViewColumn("", horizon.path, horizon.kind)
    return Reach(time, horizon.days, horizon.parent, horizon.within)


def _scopes(account: Account | None) -> tuple[str, ...]:
    """What the credential may do, as far as it is known."""
    return () if account is None or account.scopes is None else account.scopes


def _misses(met: int, counted: int) -> bool:
    return counted - met > max(AT_LEAST, counted * SHORT_BY)

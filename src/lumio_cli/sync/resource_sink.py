"""One resource's way into the hub: what pull and push ask for, done in the writer's thread.

Each method hands one of `HubSink`'s to the writer and waits for it. Only pages are not waited for:
a `PageQueue` holds them.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Concatenate, ParamSpec, TypeVar

from lumio_cli.hub.sqlite import records, runs, state, views
from lumio_cli.hub.sqlite.columns import Abilities, ViewColumn
from lumio_cli.hub.sqlite.horizon import Reach
from lumio_cli.hub.sqlite.misfits import Recount
from lumio_cli.hub.sqlite.records import LIVE, raw_table
from lumio_cli.hub.sqlite.state import Account, Checkpoint, Drift, KnownField, ResourceState
from lumio_cli.providers.contract.resource import Resource
from lumio_cli.sync.hub_absence import Swept
from lumio_cli.sync.hub_pages import Stored
from lumio_cli.sync.hub_sink import HubSink
from lumio_cli.sync.merging.merge import Policy
from lumio_cli.sync.merging.readings import Told
from lumio_cli.sync.model import ResourceResult
from lumio_cli.sync.pages import Page
from lumio_cli.sync.untold import told_before
from lumio_cli.sync.writer import Writer

T = TypeVar("T")
P = ParamSpec("P")


class ResourceSink:
    """The hub, as one resource of a run writes it. Every method raises `HubError` where the hub
    cannot take it, and `StoppedError` once the run has ended. Safe to share by threads."""

    def __init__(self, writer: Writer, store: HubSink, provider: str, resource: str) -> None:
        self._writer = writer
        self._store = store
        self.provider = provider
        self.resource = resource

    def call(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run `work(db, ...)` in the writer's thread and a transaction of its own."""
        return self._writer.call(work, *args, **kwargs)

    # -- where the resource and its walks stand

    def state(self) -> ResourceState:
        """Read where the resource stands."""
        return self.call(state.read_state, self.provider, self.resource)

    def account(self) -> Account | None:
        """Read whose data the hub holds; None: nobody's yet."""
        return self.call(state.read_account, self.provider)

    def fields(self) -> Sequence[KnownField]:
        """Read the fields of the last description."""
        return self.call(state.read_fields, self.provider, self.resource)

    def has_columns(self) -> bool:
        """Return whether the view's columns can be read."""
        return self.call(views.has_columns, self.provider, self.resource)

    def prepare(self, columns: Sequence[ViewColumn], abilities: Abilities) -> ResourceState:
        """Make sure that the resource has its table and view; returns where it stands."""
        return self.call(self._store.prepare, self.provider, self.resource, columns, abilities)

    def describe(
        self,
        fields: Sequence[KnownField],
        columns: Sequence[ViewColumn],
        abilities: Abilities,
    ) -> list[Drift]:
        """Store the fields as described now; returns how they differ from before."""
        name = self.provider, self.resource
        return self.call(self._store.describe, *name, fields, columns, abilities)

    def sequence(self) -> int:
        """Read the hub's change counter."""
        return self.call(self._store.sequence)

    def cursors(self) -> list[tuple[str, float]]:
        """Read the cursors that runs have left, newest first, each with when its run ended."""
        return self.call(runs.cursors_before, self.provider, self.resource)

    def retract(self, cursor: str | None) -> None:
        """Go back to an earlier cursor; None: to none."""
        self.call(self._store.retract, self.provider, self.resource, cursor)

    def checkpoints(self, kind: str) -> list[Checkpoint]:
        """Read the checkpoints of a walk that was interrupted. Raises `ValueError` where they
        cannot be read."""
        return self.call(state.read_checkpoints, self.provider, self.resource, kind)

    def begin(self, kind: str, make: Callable[[int], list[Checkpoint]]) -> list[Checkpoint]:
        """Begin a walk anew, with the checkpoints that `make` makes of the change counter."""
        return self.call(self._store.begin_walk, self.provider, self.resource, kind, make)

    def finish(self, kind: str, **values: str | int | None) -> None:
        """End a complete walk, and store the `values` that it proved."""
        self.call(self._store.finish_walk, self.provider, self.resource, kind, **values)

    def drop(self, kind: str) -> None:
        """Let the next walk begin anew."""
        self.call(self._store.drop_walk, self.provider, self.resource, kind)

    # -- pages

    def pages(self, untold: frozenset[str], max_record: int) -> PageQueue:
        """Make a queue for the pages of one slice; see `PageQueue`."""
        return PageQueue(self._writer, self._store, untold, max_record)

    def keys_after(
        self, parent: str, after: int, limit: int, since_seq: int
    ) -> list[tuple[int, str]]:
        """Read the next records of `parent`, which drives the listing, each with its number."""
        name = self.provider, parent
        return self.call(self._store.keys_after, *name, after, limit, since_seq)

    def last_key(self, parent: str) -> int:
        """Read the number of the newest record of `parent`."""
        return self.call(records.last_key, self.provider, parent)

    def told_of(self) -> Told:
        """Take what the pages of this run have said of what was sent before."""
        return self.call(self._tell)

    def _tell(self, _: sqlite3.Connection) -> Told:
        return self._store.told_of(self.provider, self.resource)

    # -- what a walk has not met

    def met(self, since_seq: int) -> int:
        """Count the live records that a full walk has met."""
        return self.call(self._store.met, self.provider, self.resource, since_seq)

    def failed_since(self, begun: str) -> int:
        """Count the records that have failed since `begun` (RFC 3339)."""
        return self.call(runs.failed_since, self.provider, self.resource, begun)

    def settle_merges(self, since_seq: int | None) -> int:
        """Delete what others have swallowed and a complete walk has not listed; returns how many.
        `since_seq` None: the walk was for changes."""
        return self.call(self._store.settle_merges, self.provider, self.resource, since_seq)

    def sweep(
        self, since_seq: int, max_delete: float, reach: Reach | None, now: str, counted: int | None
    ) -> Swept:
        """Delete what a complete full walk has not met; see `AbsenceSink.sweep`."""
        name = self.provider, self.resource
        return self.call(self._store.sweep, *name, since_seq, max_delete, reach, now, counted)

    def suspects(self, since_seq: int, reach: Reach | None, now: str, limit: int) -> list[str]:
        """Read some of the ids that a sweep would look at, from all over the table."""
        name = self.provider, self.resource
        return self.call(self._store.suspects, *name, since_seq, reach, now, limit)

    def restore(self, reach: Reach) -> int:
        """Bring back what was hidden and taken for deleted; returns how many."""
        return self.call(self._store.mend, self.provider, self.resource, reach)

    def delete_orphans(
        self,
        parent: str,
        group_of: Callable[[str], str],
        since: int,
        unseen_since: int | None,
    ) -> int:
        """Delete what belongs to records of `parent` that are gone since the change counter was
        `since`; returns how many. `group_of` makes a group of a parent's id. `unseen_since`: what
        a full walk that began there has listed stays; None: it was none.
        """
        return self.call(self._delete_orphans, parent, group_of, since, unseen_since)

    def _delete_orphans(
        self,
        db: sqlite3.Connection,
        parent: str,
        group_of: Callable[[str], str],
        since: int,
        unseen_since: int | None,
    ) -> int:
        store, name = self._store, (self.provider, self.resource)
        gone = store.gone(db, self.provider, parent, since)
        if not gone or not records.has_table(db, *name):
            return 0
        groups = [group_of(key) for key in gone]
        where = LIVE if unseen_since is None else store.missing(db, *name, unseen_since)
        ids = records.ids_of_parents(db, raw_table(*name), groups, where)
        return store.delete(db, *name, ids) if ids else 0

    def recount(self) -> Iterator[None]:
        """Count what does not fit its column, where a change of columns has made that unknown: a
        piece at each step."""
        if self.state().counted:
            return
        recount = Recount(self.provider, self.resource, raw_table(self.provider, self.resource))
        while self.call(self._store.go_on, recount):
            yield

    # -- what is to be sent

    def reconcile_all(self, policy: Policy, since: int) -> int:
        """Merge all edits with what has come since the change counter was `since`, some hundred a
        transaction; returns how many have given way to the provider's values."""
        given_up, after = 0, ""
        while True:
            done = self.call(
                self._store.reconcile, self.provider, self.resource, policy, after, since
            )
            given_up += done.given_up
            if done.after is None:
                return given_up
            after = done.after

    # -- the run's entry of the resource

    def start(self, result: ResourceResult) -> None:
        """Note that the run takes the resource up."""
        self.call(self._store.start_resource, result)

    def end(self, result: ResourceResult) -> None:
        """Store what became of the resource."""
        self.call(self._store.finish_resource, result)


class PageQueue:
    """The pages of one slice on their way into the hub, in their order.

    `untold` are fields that a page may lack and the hub keeps; `max_record` is in bytes. A page
    that failed is followed by no other: a checkpoint behind it would leave it out.
    """

    def __init__(
        self, writer: Writer, store: HubSink, untold: frozenset[str], max_record: int
    ) -> None:
        self._writer = writer
        self._store = store
        self._untold = untold
        self._max_record = max_record
        self._waiting: deque[tuple[Future[Stored], int]] = deque()
        self._last: Future[Stored] | None = None

    def put(self, page: Page, resource: Resource, result: ResourceResult, count: int) -> None:
        """Queue a page of `count` records; returns at once."""
        self._last = self._writer.submit(self._write, self._last, page, resource, result)
        self._waiting.append((self._last, count))

    def drain(self, left: int) -> Iterator[tuple[Stored, int]]:
        """Wait until at most `left` pages are still to be written; yields what each of the others
        came to, with its count. Raises what writing one has raised."""
        while len(self._waiting) > left:
            future, count = self._waiting.popleft()
            yield future.result(), count

    def _write(
        self,
        db: sqlite3.Connection,
        before: Future[Stored] | None,
        page: Page,
        resource: Resource,
        result: ResourceResult,
    ) -> Stored:
        # A page may fail in its commit, and so after its work was done.
        if before is not None and (error := before.exception()) is not None:
            raise error
        if self._untold and page.kind != "tombstones":
            name, most = page.provider, self._max_record
            rows = told_before(db, name, resource, page.rows, self._untold, most)
            page = replace(page, rows=rows)
        return self._store.page(db, page, result)

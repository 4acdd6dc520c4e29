"""One slice of a walk: page by page, the next one fetched while this one is written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from lumio_cli.core.clock import format_time
from lumio_cli.core.errors import BadReplyError, GoneError, PagingError
from lumio_cli.hub.sqlite.state import Checkpoint
from lumio_cli.providers.contract.call import Call, Place, Record, Reply, dig
from lumio_cli.providers.contract.jobs import Jobs
from lumio_cli.providers.contract.paging import (
    Each,
    NoPlaceError,
    Parents,
    bounded,
    brings_rows,
    without_edge,
)
from lumio_cli.providers.contract.provider import Provider
from lumio_cli.providers.contract.resource import Resource, Walk
from lumio_cli.sync.context import RunContext
from lumio_cli.sync.mishaps import understood
from lumio_cli.sync.model import Counter, ResourceResult, ResourceTask
from lumio_cli.sync.pages import Page, prepare
from lumio_cli.sync.pull.cursors import not_after
from lumio_cli.sync.resource_sink import ResourceSink

DEFAULT_PAGE = 100
ASKED = 3
"""How often a page is asked for that says that more follow, and not where."""
PAUSE = 1.0
"""Seconds before it is asked for again, and twice as many before the last time."""
MOST_RECORDS = 200_000
"""Records of one page: a hundred times as many as any provider sends take all the memory that a
page may."""
HOLLOW = 1000
"""Empty pages in a row after which a listing that promises more is given up."""
PROMISED = frozenset({"token", "url", "again"})
"""What is in a place that the page before has named."""


class SlicePull:
    """Walks one slice, from its checkpoint to its end.

    `point` is always what the hub holds, or is about to: the process may end at any time.
    `on_first_rows`, where set, is asked once when a first page has records; if it returns
    properties, the page is asked for again with those.
    """

    def __init__(
        self,
        context: RunContext,
        sink: ResourceSink,
        task: ResourceTask,
        result: ResourceResult,
        tally: Counter,
        walk: Walk,
        point: Checkpoint,
        *,
        lock: threading.Lock,
        total: int | None = None,
        on_first_rows: Callable[[], tuple[str, ...] | None] | None = None,
    ) -> None:
        self.context = context
        self.sink = sink
        self.result = result
        self.tally = tally
        self.walk = walk
        self.point = point
        self.stale = False
        self.cached = False
        """Whether a page came from the cache."""
        self._bad_rows = False
        self.stated: int | None = None
        """How many records the pages of the listing say that it has; the least, if they differ."""
        self.skew: float | None = None
        """Seconds that the provider's clock was ahead of ours when it answered first."""
        self._hides = False
        self.ahead: float | None = None
        """Seconds that the provider's clock is ahead of ours, as far as it is believed."""
        place = point.place or {}
        self.parent = max(point.since_seq if walk.kind == "changes" else 0, place.get("after", 0))
        """The hub's number of the last parent whose records the walk has met, or will have."""
        self.refused = place.get("refused", "")
        """Why a parent was passed by, where one was."""
        self._total = total
        self._lock = lock
        self._on_first_rows = on_first_rows
        self._target = task.target
        self._provider, self._session = task.connection.provider, task.connection.session
        self._volatile = walk.resource.volatile
        self._queue = sink.pages(self._provider.untold(walk.resource), context.options.max_record)
        self._paging = self._provider.paging(walk)
        # Not driven by parents though the resource is: an export has all of those there are now.
        self._undriven = "parent" in walk.options and not isinstance(self._paging, Parents | Each)
        # Nobody may ask the provider for more while it is his turn: others wait for theirs.
        fills = (type(self._provider).fill, type(walk.resource).fill)
        alone = walk.kind == "full" and fills == (Provider.fill, Resource.fill)
        self._turn: AbstractContextManager[object] = context.turns if alone else nullcontext()

    @property
    def exported(self) -> bool:
        """Whether it reads what the provider has prepared, which is not kept for ever."""
        return isinstance(self._paging, Jobs)

    def run(self) -> None:
        """Walk to the end. Raises `LumioError`; what was stored before stays."""
        try:
            for page in self.pages():
                self._store(page)
                # While the next one is asked for, only what is yet to be written is held.
                del page
                self._drain(self.context.options.prefetch)
        finally:
            self._drain(0)

    def pages(self) -> Iterator[Page]:
        """Ask for page after page, from the checkpoint to the end, and read each.

        A page carries the checkpoint that follows it, which is `point` from then on. Raises
        `LumioError`.
        """
        guard = _LoopGuard(self._target)
        place: Place | None = self._first_place()
        while place is not None:
            self.context.stop.check()
            guard.check(place, self.point.rows)
            asked = self._with_keys(place)
            if asked is None:
                # Where it ended says which parents it has asked for, and whether all answered.
                yield self._page_of([], [], None, [], asked=False, ended=place)
                return
            yield self._page(asked)
            place = None if self.point.done else dict(self.point.place or {})

    def _first_place(self) -> Place:
        """Where the walk goes on, or begins."""
        if self.point.place:
            return dict(self.point.place)
        if self._undriven:
            self.parent = self.sink.last_key(str(self.walk.options["parent"]))
        return self._paging.first(self.walk.resource.page_size.get(self.walk.kind, DEFAULT_PAGE))

    def _page(self, asked: Place) -> Page:
        """Fetch the page at `asked`.

        One that says that more follow and not where may have been answered by half: it is asked
        for again. Raises `NoPlaceError` where it goes on saying so: nothing of it is stored.
        """
        for times in range(1, ASKED):
            try:
                return self._fetch(asked, times)
            except NoPlaceError:
                self.context.stop.check()
        return self._fetch(asked, ASKED)

    def _fetch(self, asked: Place, times: int) -> Page:
        """Ask for the page at `asked` for the `times`-th time, and read the answer."""
        call = self._paging.ask(self._provider.call(self._window_of(asked)), asked)
        call = replace(call, delay=call.delay + PAUSE * (times - 1))
        # Whoever asks for everything gets it from the provider; otherwise owners and the like may
        # come from the cache for as long as they say.
        fresh = self.context.options.mode == "full" or times > 1
        try:
            reply = self._session.send(call, tally=self.tally, fresh=fresh)
        except GoneError as error:
            return self._pass_by(asked, error)
        self.stale = self.stale or reply.stale
        self.cached = self.cached or reply.cached
        self._note_ceiling(reply)
        with self._turn:
            page = self._read(asked, reply)
        if self._bad_rows:
            # The provider may have mended them by the next run.
            self._bad_rows = False
            self._session.forget(call)
        return page

    def _read(self, asked: Place, reply: Reply) -> Page:
        """Read the page that `reply` is."""
        walk = self._window_of(asked)
        found: list[Record] = []
        if brings_rows(asked):
            with understood(self._target):
                found = self._provider.records(walk, reply)
            if len(found) > MOST_RECORDS:
                raise BadReplyError(
                    f"{self._provider.name} answered a page of {len(found):,} records;"
                    f" more than {MOST_RECORDS:,} are not taken",
                    hint="`lumio debug` shows the exchange",
                )
        if found and self._on_first_rows is not None:
            properties, self._on_first_rows = self._on_first_rows(), None
            if properties is not None:
                self.walk = replace(self.walk, properties=properties)
                return self._page(asked)
        with understood(self._target):
            following = bounded(self._paging.next(asked, reply, found))
            found = without_edge(asked, found, walk.resource.key)
            filled = self._provider.fill(walk, found, self._send)
            total = self._provider.total(walk, reply) if brings_rows(asked) else None
            self._hides = self._provider.hides(walk, reply)
        if following is not None and (self.refused or self._undriven):
            following |= {"refused": self.refused} if self.refused else {"after": self.parent}
        if total is not None:
            self.stated = total if self.stated is None else min(total, self.stated)
        if total is not None and self._total is None:
            self._total = total
            self.context.progress.start(self._target, total, detail=self.walk.kind)
        groups = self._complete_groups(asked, following, reply)
        return self._page_of(found, filled, following, groups)

    def _pass_by(self, asked: Place, error: GoneError) -> Page:
        """An empty page that leads to the next parent: the provider has this one no longer, and the
        hub has yet to find that out. Its records stay until a walk proves that they are gone.
        """
        if not isinstance(self._paging, Each) or "last" not in asked:
            raise error
        self.refused = self.refused or error.message
        following = {k: v for k, v in asked.items() if k not in ("keys", "last", "again")}
        following |= {"after": asked["last"], "refused": self.refused}
        return self._page_of([], [], following, [])

    def _window_of(self, place: Place) -> Walk:
        """The walk for the page at `place`: a parent that was not there before has no past, and
        all that belongs to it is new."""
        # After a resume the place says which parents were done before it.
        self.parent = max(self.parent, int(place.get("after", 0)), int(place.get("last", 0)))
        timed = self.walk.kind == "changes" and self.walk.resource.cursor is not None
        if timed and "last" in place and place["last"] > self.point.since_seq:
            return replace(self.walk, window=replace(self.walk.window, floor=None))
        return self.walk

    def _with_keys(self, place: Place) -> Place | None:
        """The place with the next parents' ids, where parents drive the listing; None: no more."""
        if not isinstance(self._paging, Parents | Each) or "again" in place:
            return place
        parent = str(self.walk.options["parent"])
        after, size = int(place["after"]), int(place["size"])
        # Where records carry a time of their own, what changed may belong to any parent.
        driven = self.walk.kind == "changes" and self.walk.resource.cursor is None
        since = self.point.since_seq if driven else 0
        found = self.sink.keys_after(parent, after, size, since)
        if not found:
            return None
        return {**place, "keys": [key for _, key in found], "last": found[-1][0]}

    def _complete_groups(self, asked: Place, following: Place | None, reply: Reply) -> list[str]:
        paging, again = self._paging, (following or {}).get("again") or {}
        if "keys" not in asked or not isinstance(paging, Parents):
            # A parent's records may lie on many pages, and a window holds but some of them.
            return []
        with understood(self._target):
            met = asked["keys"] if paging.met is None else paging.met(reply)
        whole = (key for key in asked["keys"] if key not in again and key in met)
        return [self._provider.group_of(self.walk, key) for key in whole]

    def _note_ceiling(self, reply: Reply) -> None:
        """The walk's end is the provider's time at its first answer, as far as it is believed."""
        if self.ahead is None and reply.date is not None:
            self.ahead = reply.date.timestamp() - self.context.clock.time()
            self.skew = reply.skew
        cursor = self.walk.resource.cursor
        if cursor is None or self.point.ceiling is not None or reply.date is None:
            return
        self.point = replace(self.point, ceiling=format_time(reply.date))
        window = replace(self.walk.window, ceiling=reply.date)
        self.walk = replace(self.walk, window=window)

    def _page_of(
        self,
        listed: list[Record],
        filled: list[Record],
        following: Place | None,
        groups: list[str],
        *,
        asked: bool = True,
        ended: Place | None = None,
    ) -> Page:
        """Make a page of the records that were `listed` and then `filled`, with the checkpoint
        that follows it. `asked`: there was a request for it. `ended`: where the walk is over, as
        far as that matters later."""
        walk, resource = self.walk, self.walk.resource
        prepared = prepare(self._provider.name, resource, filled, self.context.options.max_record)
        self._bad_rows = bool(prepared.letters)
        tombstones = walk.kind == "tombstones"
        gone = [row.id for row in prepared.rows] if tombstones else []
        became = self._became(filled)
        self.point = replace(
            self.point,
            place=ended if following is None else following,
            rows=self.point.rows + len(listed),
            pages=self.point.pages + asked,
            done=following is None,
        )
        return Page(
            provider=self._provider.name,
            resource=resource.name,
            kind=walk.kind,
            rows=prepared.rows,
            letters=[] if tombstones else prepared.letters,
            checkpoint=self.point,
            gone=gone,
            became=became,
            # A parent with a link that cannot be read does not prove that its others are gone.
            groups=[] if prepared.letters else groups,
            seen=walk.kind == "full" and ("sweep" in resource.deletes or became is not None),
            cursor=self._sorted_cursor(filled),
            total=self._total,
            volatile=self._volatile,
            hides=self._hides,
        )

    def _store(self, page: Page) -> None:
        """Count a page, and hand it to the writer."""
        result, count = self.result, 0
        with self._lock:
            if page.kind != "tombstones":
                count = len(page.rows) + len(page.letters)
                result.read += count
                result.failed += len(page.letters)
            result.requests, result.retries = self.tally.requests, self.tally.retries
            result.waited_s = self.tally.waited
        self._queue.put(page, self.walk.resource, result, count)

    def _became(self, filled: list[Record]) -> dict[str, str] | None:
        """What records have become, as those of a page tell; None: here they never do."""
        if type(self._provider).merged is Provider.merged:
            return None
        found: dict[str, str] = {}
        for record in filled:
            if isinstance(record, dict):
                found.update(self._provider.merged(self.walk, record))
        return found

    def _drain(self, left: int) -> None:
        """Wait until at most `left` pages are still to be written."""
        for stored, count in self._queue.drain(left):
            with self._lock:
                self.result.created += stored.created
                self.result.updated += stored.updated
                self.result.unchanged += stored.unchanged
                self.result.deleted += stored.deleted
            if count:
                self.context.progress.advance(self._target, count)

    def _sorted_cursor(self, found: list[Record]) -> str | None:
        """Where rows arrive in the cursor's order, it may move with each page."""
        cursor = self.walk.resource.cursor
        if cursor is None or not cursor.sorted or self.walk.kind != "changes" or not found:
            return None
        if self.walk.slice or isinstance(self._paging, Each):
            # One part's order says nothing of the others, which may lie behind.
            return None
        ceiling = self.walk.window.ceiling
        value = str(dig(found[-1], cursor.path))
        return None if ceiling is None else not_after(value, ceiling.timestamp())

    def _send(self, call: Call) -> Reply:
        return self._session.send(call, tally=self.tally)


class _LoopGuard:
    """Finds out that a walk goes in circles, of any length, without keeping every place; and that
    it meets nothing but empty pages.

    Brent's way: remember one place, and another one after twice as many steps.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._kept: Place | None = None
        self._steps = 0
        self._limit = 1
        self._rows = 0
        self._hollow = 0

    def check(self, place: Place, rows: int) -> None:
        """Raises `PagingError` if this place was met before, or for long no row has come with it;
        `rows` are all that have come."""
        # Parents without records of theirs are no empty pages of one listing.
        promised = rows == self._rows and not PROMISED.isdisjoint(place)
        self._hollow = self._hollow + 1 if promised else 0
        self._rows = rows
        if place == self._kept or self._hollow > HOLLOW:
            raise PagingError(
                f"{self._target}: the provider's paging does not move on; stopped instead of going "
                "in circles",
                hint="`lumio debug` shows the exchange; report it to the provider",
            )
        self._steps += 1
        if self._steps >= self._limit:
            self._kept, self._steps, self._limit = place, 0, self._limit * 2

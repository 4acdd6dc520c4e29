"""What the hub holds and a walk has not met: counted, hidden, or deleted.

Every method runs on the writer's thread, inside its transaction.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from math import ceil

from lumio_cli.hub.sqlite import horizon, merges, records, state
from lumio_cli.hub.sqlite.horizon import Reach
from lumio_cli.hub.sqlite.misfits import Recount
from lumio_cli.hub.sqlite.records import Condition, raw_table
from lumio_cli.sync.hub_pages import PageSink


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep came to. `refused` records look deleted, but were too many to believe it, and
    `claimed` ones are among what the provider still counts; `listed` are those that the walk has
    met."""

    deleted: int = 0
    refused: int = 0
    allowed: int = 0
    listed: int = 0
    claimed: int = 0


@dataclass(frozen=True, slots=True)
class _Lost:
    """Records that a full walk has not met: which they are, how many, how many more are hidden, and
    how many it has met."""

    where: Condition
    count: int
    hidden: int
    listed: int


class AbsenceSink(PageSink):
    """Finds what a walk has not met, and deletes it where that is proven."""

    def settle_merges(
        self, db: sqlite3.Connection, provider: str, resource: str, since_seq: int | None
    ) -> int:
        """Records that have become others by what a complete walk has met, and that it has not
        listed themselves, are gone; returns how many. `since_seq`: see `merges.listed`."""
        became = merges.undecided(db, provider, resource, full=since_seq is not None)
        if not became:
            return 0
        alive = merges.listed(db, provider, resource, list(became), since_seq)
        gone = [record for record in became if record not in alive]
        merges.deny(db, provider, resource, alive)
        merges.confirm(db, provider, resource, gone)
        return self.delete(db, provider, resource, gone, became)

    def sweep(
        self,
        db: sqlite3.Connection,
        provider: str,
        resource: str,
        since_seq: int,
        max_delete: float,
        reach: Reach | None = None,
        now: str = "",
        counted: int | None = None,
    ) -> Swept:
        """Delete what a complete full walk has not met, unless it is more than can be believed.

        What lies beyond `reach` at `now` is hidden and not deleted, and counts on neither side.
        `counted`: how many records the provider counts; what it counts beyond those that were met
        has not gone, and which of them that is, nobody can tell.
        """
        if not records.has_table(db, provider, resource):
            return Swept()
        lost = self._lost(db, (provider, resource), since_seq, reach, now or self.now())
        self.note_hidden(db, provider, resource, lost.hidden)
        allowed = ceil((lost.listed + lost.count) * max_delete / 100)
        if lost.count and counted is not None and counted > lost.listed:
            return Swept(0, 0, allowed, lost.listed, lost.count)
        if lost.count > allowed:
            return Swept(0, lost.count, allowed, lost.listed)
        table = raw_table(provider, resource)
        ids = records.ids_where(db, table, lost.where) if lost.count else []
        deleted = self.delete(db, provider, resource, ids) if ids else 0
        return Swept(deleted, 0, allowed, lost.listed)

    def suspects(
        self,
        db: sqlite3.Connection,
        provider: str,
        resource: str,
        since_seq: int,
        reach: Reach | None,
        now: str,
        limit: int,
    ) -> list[str]:
        """Some of the records that a sweep would look at, from all over the table."""
        if not records.has_table(db, provider, resource):
            return []
        lost = self._lost(db, (provider, resource), since_seq, reach, now)
        if not lost.count:
            return []
        some = f"({lost.where.sql}) ORDER BY r.rid * 2654435761 % 4294967296 LIMIT ?"
        where = Condition(some, (*lost.where.values, limit))
        return records.ids_where(db, raw_table(provider, resource), where)

    def _lost(
        self,
        db: sqlite3.Connection,
        name: tuple[str, str],
        since_seq: int,
        reach: Reach | None,
        now: str,
    ) -> _Lost:
        """What a full walk has not met and nothing hides."""
        table, live = raw_table(*name), self._live(db, *name)
        missing = gone = self.missing(db, *name, since_seq)
        absent = records.count_where(db, table, missing)
        behind = self._behind(db, name, missing, reach, now) if absent else None
        hidden = 0
        if behind is not None:
            gone = missing.but(behind)
            hidden = absent - records.count_where(db, table, gone)
        return _Lost(gone, absent - hidden, hidden, live - absent)

    @staticmethod
    def _live(db: sqlite3.Connection, provider: str, resource: str) -> int:
        return state.read_state(db, provider, resource).records

    @staticmethod
    def _behind(
        db: sqlite3.Connection,
        name: tuple[str, str],
        missing: Condition,
        reach: Reach | None,
        now: str,
    ) -> Condition | None:
        """Which of the missing are hidden, as far as that is to be believed."""
        behind = None if reach is None else horizon.behind(db, *name, missing, reach, now)
        if reach is None or behind is None or not reach.lifted:
            return behind
        return None if horizon.reaches_beyond(db, *name, missing, reach, now) else behind

    def met(self, db: sqlite3.Connection, provider: str, resource: str, since_seq: int) -> int:
        """How many live records a full walk has met."""
        missing = self.missing(db, provider, resource, since_seq)
        absent = records.count_where(db, raw_table(provider, resource), missing)
        return self._live(db, provider, resource) - absent

    def note_hidden(self, db: sqlite3.Connection, provider: str, resource: str, count: int) -> None:
        """Store how many live records the provider hides."""
        state.update_state(db, provider, resource, hidden=count)

    def mend(self, db: sqlite3.Connection, provider: str, resource: str, reach: Reach) -> int:
        """Bring back what was hidden and taken for deleted; returns how many."""
        return horizon.restore(db, provider, resource, reach, self.now(), self.run_id)

    def go_on(self, db: sqlite3.Connection, recount: Recount) -> bool:
        """Go on with counting what does not fit its column; False when all is counted."""
        return recount.go_on(db)

    def keys_after(
        self,
        db: sqlite3.Connection,
        provider: str,
        resource: str,
        after: int,
        limit: int,
        since_seq: int,
    ) -> list[tuple[int, str]]:
        """The next records that drive a listing (see `records.keys_after`)."""
        return records.keys_after(db, provider, resource, after, limit, since_seq)

    def missing(
        self, db: sqlite3.Connection, provider: str, resource: str, since_seq: int
    ) -> Condition:
        """Which records a full walk has not met."""
        return records.unseen(provider, resource, since_seq)

    def gone(
        self, db: sqlite3.Connection, provider: str, resource: str, since_seq: int
    ) -> list[str]:
        """Records that are known to be deleted, since the change counter stood there."""
        return records.gone_after(db, provider, resource, since_seq)

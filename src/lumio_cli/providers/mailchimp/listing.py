"""How Mailchimp's collections are paged: `count` and `offset`, and `total_items` in the answer.

The reference of every collection calls `total_items` their number "regardless of pagination": a
page of fewer rows than were asked for is followed by what lies behind them, and an empty one is no
end while the total says that there is more.

Rows that leave a collection while it is read make the rest move forward, and its total need not
tell, since others may join. So each page begins with the last row of the one before: what comes
behind it is what follows. Where it is not found, the walk goes back until it meets one of the last
rows it has read. Where many leave, pages overlap by more: a busy audience loses rows on every page.

Members are read in the order of `last_changed`, so that one which changes meanwhile moves to the
end. An upper bound in the past takes it out of the pages still to come; what lies behind that bound
is read at the end, from one time to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from lumio_cli.core.errors import BadReplyError, PagingError
from lumio_cli.providers.contract.call import Call, Place, Record, Reply, dig
from lumio_cli.providers.contract.paging import NoPlaceError, key_of, with_params

MOST = 1000
"""Rows a page has at most (reference of every collection, `count`)."""
DEEP = 100_000
"""Rows after which an offset is given up for a later beginning: a request that takes longer than
two minutes is cut off, and deep offsets are slow."""
MARGIN = 60
"""Seconds that the upper bound lies before the time that Mailchimp tells in its first answer: what
changes while an answer is made must be behind it."""
SINCE, BEFORE = "since_last_changed", "before_last_changed"


def stamp(moment: datetime) -> str:
    """A time as Mailchimp reads it: whole seconds with an offset. Any other form is ignored without
    a word, and everything comes."""
    return moment.astimezone(UTC).replace(microsecond=0).isoformat()


def moved(text: str, seconds: int) -> str:
    """A time of Mailchimp's, so many seconds later. Raises ValueError for what is none."""
    return stamp(datetime.fromisoformat(text) + timedelta(seconds=seconds))


EDGES = 10
"""Last rows of a page that the next one is known by: each of them may leave meanwhile."""


@dataclass(frozen=True, slots=True)
class Pages:
    """A collection, from its first row to its last."""

    def first(self, size: int) -> Place:
        """See `paging.Paging`."""
        return {"size": size, "offset": 0}

    def ask(self, call: Call, place: Place) -> Call:
        """See `paging.Paging`."""
        count = min(MOST, place["size"] + place.get("overlap", 0))
        return with_params(call, count=str(count), offset=str(place["offset"]))

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        """See `paging.Paging`. Raises `PagingError` for a page that is the one before, and
        `BadReplyError` for one that does not say how many rows there are."""
        total = dig(reply.json(), "total_items")
        if not isinstance(total, int) or isinstance(total, bool):
            # To end here would pass over all that follows.
            raise BadReplyError(
                "mailchimp: a page does not say in 'total_items' how many there are"
            )
        ids = [key_of(row, "id") for row in rows]
        if ids and ids[0] is not None and ids[0] == place.get("first"):
            raise PagingError(
                "mailchimp: two pages begin with the same record; stopped instead of going in "
                "circles",
                hint="`lumio debug` shows the exchange",
            )
        size, offset, edges = place["size"], place["offset"], place.get("edges", [])
        left = max(0, place.get("total", total) - total)
        if offset and (set(edges).isdisjoint(ids) if edges else left):
            # From the beginning nothing has to be met: going back comes to an end.
            back = min(offset, max(2 * left, 2 * place.get("back", 0), size // 4) + len(edges))
            met = {"edges": edges} if edges and back < offset else {}
            return {"size": size, "offset": offset - back, "total": total, "back": back, **met}
        after = offset + len(rows)
        if after >= total:
            return None
        if not rows:
            raise NoPlaceError(f"{total} in all, and none from {offset} on")
        following = {"size": size, "total": total, "first": ids[0]}
        last = [row_id for row_id in ids[-EDGES:] if row_id is not None]
        if len(rows) == 1 or not last:
            return {**following, "offset": after}
        overlap = 1 if not left else min(2 * left + 1, len(rows) // 2)
        known = {"overlap": overlap, "edge": last[-1], "edges": last}
        return {**following, "offset": after - overlap, **known}


@dataclass(frozen=True, slots=True)
class Changed:
    """Members by `last_changed`, oldest first."""

    deep: int = DEEP

    def first(self, size: int) -> Place:
        """See `paging.Paging`."""
        return Pages().first(size)

    def ask(self, call: Call, place: Place) -> Call:
        """See `paging.Paging`."""
        params = dict(call.params)
        if place.get("tail"):
            bound = str(params.pop(BEFORE, ""))
            if bound:
                params[SINCE] = moved(bound, -1)
        elif place["offset"] == 0 and "since" not in place and "total" not in place:
            # A first page is read at one moment: there is nothing that could move.
            params.pop(BEFORE, None)
        if "since" in place:
            params[SINCE] = place["since"]
        return Pages().ask(replace(call, params=params), place)

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        """See `paging.Paging`."""
        following = Pages().next(place, reply, rows)
        tail = bool(place.get("tail"))
        if following is None:
            walked = place["offset"] > 0 or "since" in place or "total" in place
            return (
                {"size": place["size"], "offset": 0, "tail": True} if walked and not tail else None
            )
        kept: Place = {k: v for k, v in place.items() if k in ("since", "tail")}
        last = dig(rows[-1], "last_changed") if rows else None
        if (tail or following["offset"] >= self.deep) and isinstance(last, str) and last:
            # From a time on, and not from a number of rows on: whatever is unread is behind it.
            since = moved(last, -1)
            if since != place.get("since"):
                return {**kept, "size": place["size"], "offset": 0, "since": since}
        return {**kept, **following}

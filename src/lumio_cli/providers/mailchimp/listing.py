"""How Mailchimp's collections are paged: `count` and `offset`, and `total_items` in the answer.

Rows that leave a collection while it is read make the rest move forward: where the total has
shrunk, the next page begins as much before this one. Members are read in the order of
`last_changed`, so that one which changes meanwhile moves to the end. An upper bound in the past
takes it out of the pages still to come, so that the total shrinks; what lies behind that bound is
read at the end, from one time to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from lumio_cli.errors import PagingError
from lumio_cli.providers.base import Call, Place, Record, Reply, dig
from lumio_cli.providers.paging import with_params

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


@dataclass(frozen=True, slots=True)
class Pages:
    """A collection, from its first row to its last."""

    def first(self, size: int) -> Place:
        """See `paging.Paging`."""
        return {"size": size, "offset": 0}

    def ask(self, call: Call, place: Place) -> Call:
        """See `paging.Paging`."""
        return with_params(call, count=str(place["size"]), offset=str(place["offset"]))

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        """See `paging.Paging`. Raises `PagingError` for a page that is the one before."""
        size, offset = place["size"], place["offset"]
        total = dig(reply.json(), "total_items")
        if not isinstance(total, int):
            return {"size": size, "offset": offset + size} if len(rows) >= size else None
        shrunk = min(offset, max(0, place.get("total", total) - total))
        if shrunk:
            return {"size": size, "offset": offset - shrunk, "total": total}
        if not rows or offset + size >= total:
            return None
        first = dig(rows[0], "id")
        if first is not None and first == place.get("first"):
            raise PagingError(
                "mailchimp: two pages begin with the same record; stopped instead of going in "
                "circles",
                hint="`lumio debug` shows the exchange",
            )
        return {"size": size, "offset": offset + size, "total": total, "first": first}


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

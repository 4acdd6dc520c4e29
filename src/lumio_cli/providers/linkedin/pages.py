"""How LinkedIn's listings are walked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlsplit

from lumio_cli.errors import BadReplyError
from lumio_cli.providers.base import Call, Place, Record, Reply, dig

DAY_MS = 86_400_000
YEAR_DAYS = 364
"""Statistics reach back twelve months, in a window that moves; a day less than a year is inside."""


SINCE = "&since="
"""Behind it, in a path that is not sent as it is, stands where a range begins."""


@dataclass(frozen=True, slots=True)
class Pages:
    """`start` and `count`, written into the path, since a query must not be escaped again.

    A page may be short although more follow, so that the link to the next one decides. Rows that
    are deleted during a walk move all later ones forward; the total tells, and the next page
    begins as much earlier. `ends`: rows come newest first, and the first that is left out for its
    age ends the listing.
    """

    ends: bool = False

    def first(self, size: int) -> Place:
        return {"start": 0, "count": size}

    def ask(self, call: Call, place: Place) -> Call:
        joint = "&" if "?" in call.path else "?"
        path = f"{call.path}{joint}start={place['start']}&count={place['count']}"
        return replace(call, path=path, route=call.label)

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        body = reply.json()
        if self.ends and len(rows) < len(body["elements"]):
            return None
        total = dig(body, "paging.total")
        before = place.get("total", total)
        shrunk = max(0, before - total) if isinstance(total, int) and before is not None else 0
        start = _following(body, place)
        if start is None and not shrunk:
            return None
        if start is None:
            start = place["start"] + place["count"]
        known = {} if total is None else {"total": total}
        return {"start": max(0, start - shrunk), "count": place["count"], **known}


def _following(body: Record, place: Place) -> int | None:
    """Where the next page begins, as the link to it says."""
    for link in dig(body, "paging.links") or ():
        if link.get("rel") == "next":
            start = parse_qs(urlsplit(str(link.get("href"))).query).get("start", [""])[0]
            return int(start) if start.isdigit() else int(place["start"] + place["count"])
    return None


@dataclass(frozen=True, slots=True)
class Statistics:
    """A page's figures: first those of its whole life, whose answer tells the provider's time,
    then those of each day until today, from where the call's path says behind `SINCE`
    (milliseconds), or else from as far back as they go.
    """

    def first(self, size: int) -> Place:
        return {}

    def ask(self, call: Call, place: Place) -> Call:
        path, _, since = call.path.partition(SINCE)
        if "today" not in place:
            return replace(call, path=path, route=call.label)
        today = place["today"]
        oldest = today - YEAR_DAYS * DAY_MS
        asked = int(since) // DAY_MS * DAY_MS if since else oldest
        start = min(max(oldest, asked), today - DAY_MS)
        span = f"(start:{start},end:{today})"
        intervals = f"(timeRange:{span},timeGranularityType:DAY)"
        return replace(call, path=f"{path}&timeIntervals={intervals}", route=call.label)

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        if "today" in place:
            return None
        if reply.date is None:
            raise BadReplyError("LinkedIn's answer has no date, so that no range can be asked for")
        return {"today": int(reply.date.timestamp() * 1000) // DAY_MS * DAY_MS}

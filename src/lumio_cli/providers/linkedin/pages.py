"""How LinkedIn's listings are walked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract.call import Call, Place, Record, Reply, dig
from lumio_cli.providers.contract.paging import BACK, NoPlaceError, key_of

DAY_MS = 86_400_000
YEAR_DAYS = 364
"""Statistics reach back twelve months, in a window that moves; a day less than a year is inside."""


SINCE = "&since="
"""Behind it, in a path that is not sent as it is, stands where a range begins."""


def _id_of(element: Any) -> str | None:
    return key_of(element, "id")


@dataclass(frozen=True, slots=True)
class Pages:
    """`start` and `count`, written into the path, since a query must not be escaped again.

    What says that more follow, from the surest on: a link to the next page, which may follow a
    short or an empty page, since LinkedIn leaves out what the member may not see; a full page,
    since one of fewer elements than were asked for is the published end (shared/api-guide,
    pagination, whose samples have neither links nor a total); and a total beyond what has come.
    A total counts what is left out, too, or is missing, or 0 (Microsoft Q&A 627633): where it alone
    promises more, it is looked for behind the page, and only nothing there is an end.

    Rows that leave a listing move all later ones forward: a full page is followed by one that
    begins with its last row, and where another one stands there, or the total has shrunk, the walk
    goes back. `name` is what a row is known by. `ends`: rows come newest first, and the first that
    is left out for its age ends the listing.
    """

    ends: bool = False
    name: Callable[[Any], str | None] = _id_of

    def first(self, size: int) -> Place:
        return {"start": 0, "count": size}

    def ask(self, call: Call, place: Place) -> Call:
        joint = "&" if "?" in call.path else "?"
        path = f"{call.path}{joint}start={place['start']}&count={place['count']}"
        return replace(call, path=path, route=call.label)

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        """Raises `NoPlaceError` where a page without rows has a total that says otherwise, and
        `BadReplyError` where rows leave faster than they can be read."""
        body = reply.json()
        elements, found = body["elements"], dig(body, "paging.total")
        if self.ends and len(rows) < len(elements):
            return None
        total = found if isinstance(found, int) and not isinstance(found, bool) else None
        start, count = place["start"], place["count"]
        linked, after = _following(body, place), start + len(elements)
        promised = total is not None and total > after
        if linked is None and not elements and promised and "beyond" not in place:
            raise NoPlaceError(f"{total} in all, and none from {start} on")
        kept = {"count": count, **({} if total is None else {"total": total})}
        if "back" in place:
            kept["back"] = place["back"]
        shrunk = 0 if total is None else max(0, place.get("total", total) - total)
        if shrunk or self._moved(place, elements):
            kept["back"] = place.get("back", 0) + 1
            if kept["back"] > BACK:
                raise BadReplyError("rows leave the listing faster than it can be read")
            return {"start": max(0, start - (shrunk or count)), **kept}
        edge = self.name(elements[-1]) if 1 < count <= len(elements) else None
        if edge is not None and total != after and linked in (None, start + count):
            return {"start": start + count - 1, "edge": edge, **kept}
        if linked is not None:
            return {"start": linked, **kept, **_edge_of(place, elements)}
        if promised and elements:
            return {"start": after, "beyond": True, **kept}
        return None

    def _moved(self, place: Place, elements: Sequence[Any]) -> bool:
        edge, names = place.get("edge"), [self.name(element) for element in elements]
        # A row that cannot be read has no name, and may be the one.
        return bool(names) and edge is not None and edge not in names and None not in names


def _edge_of(place: Place, elements: Sequence[Any]) -> Place:
    """The edge that is still to be met, where a page has brought nothing."""
    return {"edge": place["edge"]} if "edge" in place and not elements else {}


def _following(body: Record, place: Place) -> int | None:
    """Where the next page begins, as the link to it says."""
    links = dig(body, "paging.links")
    for link in links if isinstance(links, list) else ():
        if dig(link, "rel") == "next":
            start = parse_qs(urlsplit(str(dig(link, "href"))).query).get("start", [""])[0]
            known = start.isascii() and start.isdigit()
            return int(start) if known else int(place["start"] + place["count"])
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

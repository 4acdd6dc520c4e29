"""Walking through analytics: spans of days, up to the provider's own today.

Analytics wants a beginning and an end, and an adapter knows no time: the first step asks for
something small, whose Date header says what day it is. Days are UTC's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract.call import Call, Place, Record, Reply
from lumio_cli.providers.contract.paging import Each, Paging, Single
from lumio_cli.providers.whatsapp.listing import after

DAY = 86_400
POINTS = 100
"""Data points of templates a page."""
CLOCK = Call("GET", "", params={"fields": "id"})
"""What the first step asks for, at the walk's own path."""


def _span(reply: Reply, floor: datetime | None, reach: int) -> tuple[int, int]:
    """The first day and the end of the last one, as seconds since 1970. `reach` is how many days
    the provider looks back."""
    if reply.date is None:
        raise BadReplyError("an answer of WhatsApp does not say what time it is")
    today = int(reply.date.timestamp()) // DAY * DAY
    earliest = today - (reach - 1) * DAY
    first = earliest if floor is None else int(floor.timestamp()) // DAY * DAY
    return max(first, earliest), today + DAY


def _clock(call: Call, path: str) -> Call:
    return replace(call, path=path, params=CLOCK.params, route="/{waba_id}")


@dataclass(frozen=True, slots=True)
class Days:
    """`size` days a page, from the window's floor on. `put(call, start, end)` writes a span."""

    path: str
    put: Callable[[Call, int, int], Call]
    floor: datetime | None = None
    reach: int = 365

    def first(self, size: int) -> Place:
        return {"step": "clock", "size": size}

    def ask(self, call: Call, place: Place) -> Call:
        if place["step"] == "clock":
            return _clock(call, self.path)
        end = min(place["from"] + place["size"] * DAY, place["to"])
        return self.put(call, place["from"], end)

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        size = place["size"]
        if place["step"] == "clock":
            start, end = _span(reply, self.floor, self.reach)
        else:
            start, end = place["from"] + size * DAY, place["to"]
        return {"step": "page", "size": size, "from": start, "to": end} if start < end else None


@dataclass(frozen=True, slots=True)
class TemplateDays(Each):
    """All days of `size` templates a request, by the token of the next page.

    An `Each`, so that the engine puts the templates' ids into the place; it asks for several
    templates at a time, as the API allows.
    """

    put: Callable[[Call, str], Call] = lambda call, _: call
    inner: Paging = field(default_factory=Single)
    path: str = ""
    write: Callable[[Call, Sequence[str], Mapping[str, int], str | None], Call] | None = None
    floor: datetime | None = None
    reach: int = 90

    def first(self, size: int) -> Place:
        return {"step": "clock", "size": size, "after": 0}

    def ask(self, call: Call, place: Place) -> Call:
        if place["step"] == "clock" or self.write is None:
            return _clock(call, self.path)
        return self.write(call, place["keys"], place, place.get("again"))

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        kept = {"step": "page", "size": place["size"], "after": place["after"]}
        if place["step"] == "clock":
            start, end = _span(reply, self.floor, self.reach)
            return {**kept, "from": start, "to": end}
        kept |= {"from": place["from"], "to": place["to"]}
        if token := after(reply.json(), full=len(rows) >= POINTS):
            return {**kept, "keys": place["keys"], "last": place["last"], "again": token}
        return {**kept, "after": place["last"]}

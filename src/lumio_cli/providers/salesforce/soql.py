"""Queries: what they select, which span of time they are about, and how they are paged.

A walk is paged by the last record's id (or time and id), not by Salesforce's own links: those end
after two days, and with the tenth newer cursor of the same user, while an id is good for ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from lumio_cli.errors import BadReplyError
from lumio_cli.providers.base import Call, Place, Record, Reply

LONGEST_URL = 11_000
"""Characters of a query in an address: address and headers share 16,384 bytes."""
HEAD = ("Id", "SystemModstamp")
_ID = re.compile(r"[0-9A-Za-z]{1,18}")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(?:Z|\+00:?00)")


def select(type_: str, fields: Iterable[str], conditions: Sequence[str] = ()) -> str:
    """A query without order and limit; id and time come first, whatever else is asked for."""
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {', '.join(columns(fields))} FROM {type_}{where}"  # noqa: S608 API names and times


def columns(fields: Iterable[str]) -> tuple[str, ...]:
    """What is selected for fields, in its order."""
    return tuple(dict.fromkeys((*HEAD, *fields)))


def moment(value: datetime) -> str:
    """A time as SOQL writes it: in UTC, to the millisecond, without quotes."""
    value = value.astimezone(UTC)
    return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}Z"


def is_id(text: str) -> bool:
    """Whether a text may stand as an id in a query."""
    return _ID.fullmatch(text) is not None


def unwrap(body: Any) -> Mapping[str, Any]:
    """The answer to a query, whether it was asked on its own or inside a composite request."""
    if isinstance(body, dict) and isinstance(body.get("compositeResponse"), list):
        body = body["compositeResponse"][0]["body"]
    if not isinstance(body, dict):
        raise BadReplyError("Salesforce answered a query with something that is no result")
    return body


@dataclass(frozen=True, slots=True)
class Keyset:
    """The records after the last one, in the order of ids, or of times and ids.

    A page that is not full is the last, unless it says that it is not done: wide records may come
    in smaller portions than were asked for.
    """

    by_time: bool = False

    def first(self, size: int) -> Place:
        return {"size": size}

    def ask(self, call: Call, place: Place) -> Call:
        query = str(call.params["q"])
        condition = _after(place)
        if condition:
            query += f" {'AND' if ' WHERE ' in query else 'WHERE'} {condition}"
        order = "SystemModstamp, Id" if self.by_time else "Id"
        return _sized(call, f"{query} ORDER BY {order} LIMIT {place['size']}")

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        unfinished = unwrap(reply.json()).get("done") is False
        if not rows or not (unfinished or len(rows) >= place["size"]):
            return None
        for row in reversed(rows):
            found = self._place_of(row)
            if found is not None:
                return {"size": place["size"], **found}
        raise BadReplyError("a page has no record with an id, and more were to come")

    def _place_of(self, row: Any) -> Place | None:
        """Where to go on after a record; None for one that cannot say."""
        if not isinstance(row, dict):
            return None
        record_id = row.get("Id")
        if not isinstance(record_id, str) or not _ID.fullmatch(record_id):
            return None
        if not self.by_time:
            return {"above": record_id}
        time = _TIME.fullmatch(str(row.get("SystemModstamp")))
        if time is None:
            return None
        return {"above": record_id, "time": f"{time[1]}{time[2] or ''}Z"}


def _after(place: Place) -> str:
    above, time = place.get("above"), place.get("time")
    if above is None:
        return ""
    if time is None:
        return f"Id > '{above}'"
    return f"SystemModstamp >= {time} AND (SystemModstamp > {time} OR Id > '{above}')"


def _sized(call: Call, query: str) -> Call:
    """The query in the address, or, where that is too long, in the body of a composite request:
    the way that Salesforce recommends."""
    if len(quote(query)) <= LONGEST_URL:
        return replace(call, params={**call.params, "q": query})
    base = call.path.rpartition("/")[0]
    part = {"method": "GET", "url": f"{call.path}?q={quote(query)}", "referenceId": "page"}
    return Call(
        "POST",
        f"{base}/composite",
        route=call.label.rpartition("/")[0] + "/composite",
        json={"compositeRequest": [part]},
        safe=True,
    )


EVERYTHING = Keyset()
CHANGES = Keyset(by_time=True)

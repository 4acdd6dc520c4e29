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

from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract.call import Call, Place, Record, Reply
from lumio_cli.providers.contract.paging import NoPlaceError

LONGEST_URL = 11_000
"""Characters of a query in an address: address and headers share 16,384 bytes."""
STAMPS = ("SystemModstamp", "LastModifiedDate", "CreatedDate", "LoginTime")
"""Where types carry the time of their last change, the best first: histories have only that of
their making, logins a field of their own (Object Reference; airbyte's source-salesforce goes by the
same four)."""
ID = re.compile(r"[0-9A-Za-z]{1,18}")
_NEXT = re.compile(r"/services/data/v[0-9.]+/query(All)?/[0-9A-Za-z_-]+")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(?:Z|\+00:?00)")


def select(type_: str, fields: Iterable[str], conditions: Sequence[str] = ()) -> str:
    """A query without order and limit."""
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {', '.join(columns(fields))} FROM {type_}{where}"  # noqa: S608 API names and times


def columns(fields: Iterable[str]) -> tuple[str, ...]:
    """What is selected for fields, in its order: id and time come first."""
    names = tuple(fields)
    head = [name for name in (stamp_of(names),) if name]
    return tuple(dict.fromkeys(("Id", *head, *names)))


def stamp_of(fields: Iterable[str]) -> str:
    """The field that says when a record of a type with these fields has changed; empty: none does,
    and changes are found by reading everything."""
    known = set(fields)
    return next((name for name in STAMPS if name in known), "")


def moment(value: datetime) -> str:
    """A time as SOQL writes it: in UTC, to the millisecond, without quotes."""
    value = value.astimezone(UTC)
    return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}Z"


def unwrap(body: Any) -> Mapping[str, Any]:
    """The answer to a query, whether it was asked on its own or inside a composite request."""
    if isinstance(body, dict) and isinstance(body.get("compositeResponse"), list):
        body = body["compositeResponse"][0]["body"]
    if not isinstance(body, dict):
        raise BadReplyError("Salesforce answered a query with something that is no result")
    return body


@dataclass(frozen=True, slots=True)
class Keyset:
    """The records after the last one, in the order of ids, or of the times in `by` and ids.

    A page that is not full is the last, unless it says that it is not done, or that the query has
    found more: wide records may come in smaller portions than were asked for, and none at all may
    come with a link to them.
    """

    by: str = ""

    def first(self, size: int) -> Place:
        return {"size": size}

    def ask(self, call: Call, place: Place) -> Call:
        if "url" in place:
            return replace(call, path=place["url"], route=f"{call.label}/{{locator}}", params={})
        query = str(call.params["q"])
        condition = self._after(place)
        if condition:
            query += f" {'AND' if ' WHERE ' in query else 'WHERE'} {condition}"
        order = f"{self.by}, Id" if self.by else "Id"
        return _sized(call, f"{query} ORDER BY {order} LIMIT {place['size']}")

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        body = unwrap(reply.json())
        link, total = body.get("nextRecordsUrl"), body.get("totalSize")
        short = isinstance(total, int) and total > len(rows)
        if not (short or link or body.get("done") is False or len(rows) >= place["size"]):
            return None
        for row in reversed(rows):
            found = self._place_of(row)
            if found is not None:
                return {"size": place["size"], **found}
        if isinstance(link, str) and _NEXT.fullmatch(link):
            return {**place, "url": link}
        raise NoPlaceError(f"{total} in all" if short else "it is not done")

    def _place_of(self, row: Any) -> Place | None:
        """Where to go on after a record; None for one that cannot say."""
        if not isinstance(row, dict):
            return None
        record_id = row.get("Id")
        if not isinstance(record_id, str) or not ID.fullmatch(record_id):
            return None
        if not self.by:
            return {"above": record_id}
        time = _TIME.fullmatch(str(row.get(self.by)))
        if time is None:
            return None
        return {"above": record_id, "time": f"{time[1]}{time[2] or ''}Z"}

    def _after(self, place: Place) -> str:
        above, time = place.get("above"), place.get("time")
        if above is None:
            return ""
        if time is None:
            return f"Id > '{above}'"
        return f"{self.by} >= {time} AND ({self.by} > {time} OR Id > '{above}')"


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
CHANGES = Keyset(STAMPS[0])

"""How listings are walked. A style has no state: a `Place` goes in, the next one comes out.

`first(size)` is where a walk begins, `ask(call, place)` puts a place into a request, and
`next(place, reply, rows)` says where to go on, or None at the end. The engine saves the place
with the rows, so that a walk can be resumed on any page; and it refuses a place that it has just
been at, so that no walk can go in circles.

A walk has ended when the provider says so, and never otherwise: an empty page or a short one is no
end while the answer names a next place or a larger total. Where an answer says that more follow
and not where, `next` raises `NoPlaceError`, and the engine decides.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract.call import Call, Place, Record, Reply, dig


class NoPlaceError(BadReplyError):
    """A page says that more records follow, and not where."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"a page says that more records follow ({what}), and not where",
            hint="nothing was lost; run it again later. `lumio debug` shows the exchange",
        )


LONGEST_TOKEN = 16_384
"""Characters of a token or a link to the next page, at most: more than servers take in a URL."""


def bounded(place: Place | None) -> Place | None:
    """A place as it is. Raises `BadReplyError` where it holds a token that nobody can send back."""
    for value in (place or {}).values():
        if isinstance(value, str) and len(value) > LONGEST_TOKEN:
            raise BadReplyError(f"a page's token for the next one has {len(value)} characters")
        if isinstance(value, dict):
            bounded(value)
    return place


class Paging(Protocol):
    """A style of paging."""

    def first(self, size: int) -> Place:
        """The place of the first page of `size` records."""
        ...

    def ask(self, call: Call, place: Place) -> Call:
        """The request for the page at `place`."""
        ...

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        """The place after this page; None at the end.

        Raises `NoPlaceError` where the page says that more follow and not where.
        """
        ...


def with_params(call: Call, **params: str | None) -> Call:
    """`call` with more query parameters; None leaves one out."""
    merged = {**call.params, **{k: v for k, v in params.items() if v is not None}}
    return replace(call, params=merged)


@dataclass(frozen=True, slots=True)
class Single:
    """Everything in one answer."""

    def first(self, size: int) -> Place:
        return {}

    def ask(self, call: Call, place: Place) -> Call:
        return call

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        return None


@dataclass(frozen=True, slots=True)
class Token:
    """The answer carries a token for the next page, at `path`.

    `into` is where in the request's JSON body token and size go; empty: into the query. `more` is
    where the answer says whether there is a next page; empty: there is one if there is a token.
    A page may say it by an object around the token, too (`paging.next` around
    `paging.next.after`): that it is there is enough.
    """

    path: str
    param: str
    size_param: str
    into: str = ""
    more: str = ""

    def first(self, size: int) -> Place:
        return {"size": size}

    def ask(self, call: Call, place: Place) -> Call:
        token = place.get("token")
        if not self.into:
            return with_params(call, **{self.size_param: str(place["size"]), self.param: token})
        values = {self.size_param: place["size"], **({self.param: token} if token else {})}
        return replace(call, json=_merged(call.json or {}, self.into.split("."), values))

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        body = reply.json()
        token = dig(body, self.path)
        if self.more and dig(body, self.more) in (None, False):
            return None
        if token:
            return {"size": place["size"], "token": str(token)}
        if self.more:
            raise NoPlaceError(f"{self.more!r} without {self.path!r}")
        return None


def _merged(body: Mapping[str, Any], path: Sequence[str], values: Mapping[str, Any]) -> Any:
    """`body` with `values` added to the object at `path`."""
    if not path:
        return {**body, **values}
    return {**body, path[0]: _merged(body.get(path[0]) or {}, path[1:], values)}


@dataclass(frozen=True, slots=True)
class Offset:
    """Pages are asked for by how many rows lie before them.

    `total` is where the answer says how many rows there are; without it a page that is not full is
    the last. A page of fewer rows than were asked for is followed by what lies behind them.

    Each page begins with the last row of the one before (`key` is where a row carries its id).
    Where another one stands there, rows before it have left the listing, and as many that moved
    forward may never have been read: the walk goes back a page, or by as many as the total has
    shrunk; `BACK` times at most before it gets further than it was.
    """

    param: str
    size_param: str
    total: str = ""
    key: str = "id"

    def first(self, size: int) -> Place:
        return {"size": size, "offset": 0}

    def ask(self, call: Call, place: Place) -> Call:
        sizes = {self.size_param: str(place["size"]), self.param: str(place["offset"])}
        return with_params(call, **sizes)

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        total = dig(reply.json(), self.total) if self.total else None
        if self.total and (isinstance(total, bool) or not isinstance(total, int)):
            # To end here would pass over all that follows.
            raise BadReplyError(f"a page does not say at {self.total!r} how many rows there are")
        known = {} if total is None else {"total": total}
        size, offset = place["size"], place["offset"]
        shrunk = max(0, place.get("total", 0) - (total or 0)) if known else 0
        if shrunk or has_moved(place, rows, self.key):
            back = place.get("back", 0) + 1
            if back > BACK:
                raise BadReplyError("rows leave the listing faster than it can be read")
            start = max(0, offset - (shrunk or size))
            far = max(offset, place.get("far", 0))
            return {"size": size, "offset": start, "back": back, "far": far} | known
        after = offset + len(rows)
        if (after >= total) if total is not None else (len(rows) < size):
            return None
        if not rows:
            raise NoPlaceError(f"{total} in all, and none from {offset} on")
        kept = known
        if offset <= place.get("far", -1):
            kept = {"back": place["back"], "far": place["far"]} | known
        edge = key_of(rows[-1], self.key)
        if edge is None or len(rows) == 1:
            return {"size": size, "offset": after} | kept
        return {"size": size, "offset": after - 1, "edge": edge} | kept


BACK = 50
"""How often a walk by offset goes back for rows that may have moved without getting any further."""


def key_of(row: Any, key: str) -> str | None:
    """A row's id as text; None where it has none."""
    value = dig(row, key)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def has_moved(place: Place, rows: Sequence[Record], key: str) -> bool:
    """Whether rows before this page have left the listing since the page before was read.

    Rows that joined before it move all others back: what stood at the edge comes later then, and
    nothing is missed.
    """
    edge = place.get("edge")
    # A first row without an id (a null) may well be the one that stood there.
    named = not rows or key_of(rows[0], key) is not None
    return edge is not None and named and all(key_of(row, key) != edge for row in rows)


def without_edge(place: Place, rows: list[Record], key: str) -> list[Record]:
    """The rows of the page at `place`, without the first where the page before brought it."""
    inner = place.get("again")
    if isinstance(inner, dict):
        place = next((p for p in inner.values() if isinstance(p, dict)), place)
    edge = place.get("edge")
    return rows[1:] if rows and edge is not None and key_of(rows[0], key) == edge else rows


@dataclass(frozen=True, slots=True)
class Link:
    """The answer carries the next page's address, at `path`. `size_param` may be empty. `more` is
    where it says whether there is a next page; empty: there is one if there is an address."""

    path: str
    size_param: str = ""
    more: str = ""

    def first(self, size: int) -> Place:
        return {"size": size}

    def ask(self, call: Call, place: Place) -> Call:
        if "url" in place:
            return replace(call, path=place["url"], params={}, route=call.label)
        return with_params(call, **{self.size_param: str(place["size"])} if self.size_param else {})

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        body = reply.json()
        url = dig(body, self.path)
        if url:
            return {"size": place["size"], "url": str(url)}
        if self.more and dig(body, self.more):
            raise NoPlaceError(f"{self.more!r} without {self.path!r}")
        return None


@dataclass(frozen=True, slots=True)
class Above:
    """Keyset paging: ask for records whose key is above the last one's, in key order.

    No result cap and no run of equal timestamps can stop it, since the key alone moves it on.
    `restrict(call, key, size)` writes the condition as the provider wants it; `key` is None on the
    first page. `more` is where the answer says that there are more pages, `total` how many records
    lie above the key; without both a page that is not full is the last. A page without records
    that says that more follow is gone on from by the token at `token`, which `resume(call, token)`
    writes into the request.
    """

    restrict: Callable[[Call, str | None, int], Call]
    key: str = "id"
    more: str = ""
    total: str = ""
    token: str = ""
    resume: Callable[[Call, str], Call] | None = None

    def first(self, size: int) -> Place:
        return {"size": size}

    def ask(self, call: Call, place: Place) -> Call:
        asked = self.restrict(call, place.get("above"), place["size"])
        if self.resume is None or "token" not in place:
            return asked
        return self.resume(asked, place["token"])

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        # An empty object is there, too, as it is for `Token`.
        more = self.more != "" and dig(reply.json(), self.more) not in (None, False)
        total = dig(reply.json(), self.total) if self.total else None
        # A token means rows before this page, which its total counts as well.
        short = isinstance(total, int) and "token" not in place and total > len(rows)
        if not (more or short or (not self.more and len(rows) >= place["size"])):
            return None
        token = dig(reply.json(), self.token) if self.token else None
        if not rows and total == 0 and not token:
            return None  # Nothing lies above the key, whatever else the page says.
        # A record without a key cannot say where to go on; the last one that has it can.
        keys = [key for row in rows if (key := key_of(row, self.key)) is not None]
        if keys:
            return {"size": place["size"], "above": keys[-1]}
        if token and self.resume is not None:
            return {**place, "token": str(token)}
        raise NoPlaceError(f"{total} in all" if short and not more else f"{self.more or 'rows'!r}")


@dataclass(frozen=True, slots=True)
class Parents:
    """The listing is driven by the ids of records that the hub already has, `size` a request.

    The engine puts the next ids into the place as `keys`, with the hub's number of the last one as
    `last`, and ends the walk when there are none; only that number is saved, as `after`.
    `put(call, keys)` writes ids, each with its token or None, into the request. `more(reply)`
    names those parents whose own list goes on, with the token: they are asked again as `again`.
    `met(reply)` names those that the answer has at all, where it may leave some out: what it says
    nothing of proves nothing. None: it has all that were asked for.
    """

    put: Callable[[Call, Mapping[str, str | None]], Call]
    more: Callable[[Reply], Mapping[str, str]]
    met: Callable[[Reply], Collection[str]] | None = None

    def first(self, size: int) -> Place:
        return {"size": size, "after": 0}

    def ask(self, call: Call, place: Place) -> Call:
        return self.put(call, place.get("again") or dict.fromkeys(place["keys"]))

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        moved = {"size": place["size"], "after": place.get("last", place["after"])}
        again = self.more(reply)
        return {**moved, "again": dict(again)} if again else moved


@dataclass(frozen=True, slots=True)
class Each:
    """The listings of one parent after the other, each paged by `inner`.

    The engine puts the next parent's id into the place as `keys`, as for `Parents`; `again` is the
    place within its listing. `put(call, key)` writes the parent's id into the request.
    """

    put: Callable[[Call, str], Call]
    inner: Paging

    def first(self, size: int) -> Place:
        return {"size": 1, "page": size, "after": 0}

    def ask(self, call: Call, place: Place) -> Call:
        return self.inner.ask(self.put(call, place["keys"][0]), self._within(place))

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        following = self.inner.next(self._within(place), reply, rows)
        if following is not None:
            return {**place, "again": {place["keys"][0]: following}}
        after = place.get("last", place["after"])
        return {"size": 1, "page": place["page"], "after": after}

    def _within(self, place: Place) -> Place:
        again = place.get("again")
        return again[place["keys"][0]] if again else self.inner.first(place["page"])


def brings_rows(place: Place) -> bool:
    """Whether the answer at `place` is a page of records, and not a step on the way to one."""
    return bool(place.get("step", "page") == "page")

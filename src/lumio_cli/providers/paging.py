"""How listings are walked. A style has no state: a `Place` goes in, the next one comes out.

`first(size)` is where a walk begins, `ask(call, place)` puts a place into a request, and
`next(place, reply, rows)` says where to go on, or None at the end. The engine saves the place
with the rows, so that a walk can be resumed on any page; and it refuses a place that it has just
been at, so that no walk can go in circles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from lumio_cli.errors import BadReplyError
from lumio_cli.providers.base import Call, Place, Record, Reply, dig


class Paging(Protocol):
    """A style of paging."""

    def first(self, size: int) -> Place:
        """The place of the first page of `size` records."""
        ...

    def ask(self, call: Call, place: Place) -> Call:
        """The request for the page at `place`."""
        ...

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        """The place after this page; None at the end."""
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
        if not token or (self.more and not dig(body, self.more)):
            return None
        return {"size": place["size"], "token": str(token)}


def _merged(body: Mapping[str, Any], path: Sequence[str], values: Mapping[str, Any]) -> Any:
    """`body` with `values` added to the object at `path`."""
    if not path:
        return {**body, **values}
    return {**body, path[0]: _merged(body.get(path[0]) or {}, path[1:], values)}


@dataclass(frozen=True, slots=True)
class Offset:
    """Pages are asked for by how many rows lie before them.

    `total` is where the answer says how many rows there are; without it a page that is not full is
    the last. Where the total has shrunk since the page before, rows have moved forward: as many of
    those that lie before this page may never have been read, and the walk goes back to them.
    """

    param: str
    size_param: str
    total: str = ""

    def first(self, size: int) -> Place:
        return {"size": size, "offset": 0}

    def ask(self, call: Call, place: Place) -> Call:
        sizes = {self.size_param: str(place["size"]), self.param: str(place["offset"])}
        return with_params(call, **sizes)

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        size, after = place["size"], place["offset"] + place["size"]
        if not self.total:
            return {"size": size, "offset": after} if len(rows) >= size else None
        total = dig(reply.json(), self.total)
        if isinstance(total, bool) or not isinstance(total, int):
            # To end here would pass over all that follows.
            raise BadReplyError(f"a page does not say at {self.total!r} how many rows there are")
        shrunk = max(0, place.get("total", total) - total)
        if shrunk:
            return {"size": size, "offset": max(0, place["offset"] - shrunk), "total": total}
        return {"size": size, "offset": after, "total": total} if after < total else None


@dataclass(frozen=True, slots=True)
class Link:
    """The answer carries the next page's address, at `path`. `size_param` may be empty."""

    path: str
    size_param: str = ""

    def first(self, size: int) -> Place:
        return {"size": size}

    def ask(self, call: Call, place: Place) -> Call:
        if "url" in place:
            return replace(call, path=place["url"], params={}, route=call.label)
        return with_params(call, **{self.size_param: str(place["size"])} if self.size_param else {})

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        url = dig(reply.json(), self.path)
        return {"size": place["size"], "url": str(url)} if url else None


@dataclass(frozen=True, slots=True)
class Above:
    """Keyset paging: ask for records whose key is above the last one's, in key order.

    No result cap and no run of equal timestamps can stop it, since the key alone moves it on.
    `restrict(call, key, size)` writes the condition as the provider wants it; `key` is None on the
    first page. `more` is where the answer says that there are more pages; without it a page that
    is not full is the last.
    """

    restrict: Callable[[Call, str | None, int], Call]
    key: str = "id"
    more: str = ""

    def first(self, size: int) -> Place:
        return {"size": size}

    def ask(self, call: Call, place: Place) -> Call:
        return self.restrict(call, place.get("above"), place["size"])

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        full = dig(reply.json(), self.more) if self.more else len(rows) >= place["size"]
        if not rows or not full:
            return None
        # A record without a key cannot say where to go on; the last one that has it can.
        keys = [key for row in rows if isinstance(key := dig(row, self.key), str | int)]
        if not keys:
            raise BadReplyError(f"a page has no record with {self.key!r}, and more were to come")
        return {"size": place["size"], "above": str(keys[-1])}


@dataclass(frozen=True, slots=True)
class Parents:
    """The listing is driven by the ids of records that the hub already has, `size` a request.

    The engine puts the next ids into the place as `keys`, with the hub's number of the last one as
    `last`, and ends the walk when there are none; only that number is saved, as `after`.
    `put(call, keys)` writes ids, each with its token or None, into the request. `more(reply)`
    names those parents whose own list goes on, with the token: they are asked again as `again`.
    """

    put: Callable[[Call, Mapping[str, str | None]], Call]
    more: Callable[[Reply], Mapping[str, str]]

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

    def past(self, place: Place) -> Place | None:
        """The place of the next parent, where the provider has the one at `place` no longer; None:
        what it says is gone is not a parent."""
        return {"size": 1, "page": place["page"], "after": place["last"]}

    def _within(self, place: Place) -> Place:
        again = place.get("again")
        return again[place["keys"][0]] if again else self.inner.first(place["page"])


@dataclass(frozen=True, slots=True)
class JobState:
    """How an export stands: `job` names it, `info` is plain JSON that its pages are read with,
    `wait` is how many seconds it may be left alone before it is asked about again."""

    done: bool
    job: str
    info: Any = None
    wait: float = 1.0


@dataclass(frozen=True, slots=True)
class Jobs:
    """An export that the provider prepares: submitted, asked about until it is done, then read.

    `state(reply)` reads how it stands from the answers of `submit` and `poll`, and raises
    `BadReplyError` where it has failed. A place is kept after each step, so that a run that was
    killed goes on with the export it began. `read` and `following` page through the result by
    `place["job"]` and `place["info"]`, and by whatever `following` adds.
    """

    submit: Callable[[Call], Call]
    poll: Callable[[Call, str], Call]
    state: Callable[[Reply], JobState]
    read: Callable[[Call, Place], Call]
    following: Callable[[Place, Reply, Sequence[Record]], Place | None]

    def first(self, size: int) -> Place:
        return {"step": "submit", "size": size}

    def ask(self, call: Call, place: Place) -> Call:
        if place["step"] == "submit":
            return self.submit(call)
        if place["step"] == "poll":
            return replace(self.poll(call, place["job"]), delay=float(place["wait"]))
        return self.read(call, place)

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        if place["step"] == "page":
            return self.following(place, reply, rows)
        state = self.state(reply)
        if state.done:
            return {"step": "page", "size": place["size"], "job": state.job, "info": state.info}
        return {
            "step": "poll",
            "size": place["size"],
            "job": state.job,
            "wait": state.wait,
            "polls": place.get("polls", 0) + 1,
        }


def brings_rows(place: Place) -> bool:
    """Whether the answer at `place` is a page of records, and not a step on the way to one."""
    return bool(place.get("step", "page") == "page")

"""How listings are walked. A style has no state: a `Place` goes in, the next one comes out.

`first(size)` is where a walk begins, `ask(call, place)` puts a place into a request, and
`next(place, reply, rows)` says where to go on, or None at the end. The engine saves the place
with the rows, so that a walk can be resumed on any page; and it refuses a place that it has just
been at, so that no walk can go in circles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

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
    """The answer carries a token for the next page, at `path`."""

    path: str
    param: str
    size_param: str

    def first(self, size: int) -> Place:
        return {"size": size}

    def ask(self, call: Call, place: Place) -> Call:
        return with_params(
            call, **{self.size_param: str(place["size"]), self.param: place.get("token")}
        )

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        token = dig(reply.json(), self.path)
        return {"size": place["size"], "token": str(token)} if token else None


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

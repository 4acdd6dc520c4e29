"""How Pipedrive's listings are paged, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract.call import Call, Place, Record, Reply, Send, dig
from lumio_cli.providers.contract.paging import Token

NEXT = "additional_data.next_cursor"

PAGE = 500
"""Records a page: the most that v2 gives."""

COSTS = {"list": 10.0, "archived": 20.0, "settings": 5.0, "write": 5.0, "delete": 3.0, "get": 1.0}
"""Tokens of the company's day, by kind of request (`x-token-cost` in the description of v2)."""

PAGES = Token(NEXT, "cursor", "limit")

ARCHIVED = "/api/v2/deals/archived"


@dataclass(frozen=True, slots=True)
class LiveThenArchived:
    """The deals, then the archived ones, which are a listing of their own.

    A deal that is archived while the walk is on its way comes in the second listing, if not in
    both; the same record twice does no harm.
    """

    archived: str
    pages: Token = PAGES

    def first(self, size: int) -> Place:
        """The first page of the deals."""
        return self.pages.first(size)

    def ask(self, call: Call, place: Place) -> Call:
        """The listing that the place lies in. Archived deals cost twice as much, and come without
        the labels that can be asked for with all others."""
        if place.get("archived"):
            asked = {k: v for k, v in call.params.items() if not k.endswith("labels")}
            call = replace(call, path=self.archived, params=asked, cost=COSTS["archived"])
        return self.pages.ask(call, place)

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        """The next page, or the first of the archived deals."""
        following = self.pages.next(place, reply, rows)
        if place.get("archived"):
            return None if following is None else {**following, "archived": True}
        return {"size": place["size"], "archived": True} if following is None else following


FIELDS: Mapping[str, str] = {
    "deals": "/api/v2/dealFields",
    "persons": "/api/v2/personFields",
    "organizations": "/api/v2/organizationFields",
    "products": "/api/v2/productFields",
}
"""Where each resource's fields are defined. Activities have no custom fields in v2, and their
definitions need an administrator."""


def archived_pages(call: Call, size: int, send: Send) -> Iterator[Reply]:
    """Each page of the archived deals that `call` would ask for among the others. Raises
    `BadReplyError` where they go in circles."""
    call = replace(call, path=ARCHIVED, cost=COSTS["archived"])
    place: Place | None = PAGES.first(size)
    met: set[str] = set()
    while place is not None:
        token = str(place.get("token", ""))
        if token in met:
            raise BadReplyError("Pipedrive's deleted deals that were archived do not end")
        met.add(token)
        reply = send(PAGES.ask(call, place))
        yield reply
        place = PAGES.next(place, reply, ())


def deleted(record: Record) -> bool:
    """Whether a record that is listed says of itself that it has been deleted."""
    return dig(record, "is_deleted") is True or dig(record, "status") == "deleted"

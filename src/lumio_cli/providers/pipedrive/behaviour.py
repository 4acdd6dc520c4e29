"""How Pipedrive's resources are read: what a listing is asked for, and what its rows become."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from lumio_cli.providers.contract.call import Call, Record, Reply, Send, dig
from lumio_cli.providers.contract.paging import with_params
from lumio_cli.providers.contract.provider import found_alone
from lumio_cli.providers.contract.resource import Resource, Walk
from lumio_cli.providers.pipedrive.fields import (
    SECONDS,
    label_options,
    read_definitions,
    rfc3339,
)
from lumio_cli.providers.pipedrive.listing import COSTS, archived_pages, deleted


class Listed(Resource):
    """A listing by id, of what there is or of what changed since."""

    cost = COSTS["list"]
    """Tokens that a page costs."""
    asked: tuple[tuple[str, str], ...] = ()
    """Parameters of its own."""

    def call(self, provider: Any, walk: Walk) -> Call:
        """Return the request of the listing."""
        call = Call("GET", self.path, cost=self.cost)
        call = with_params(call, sort_by="id", sort_direction="asc")
        if walk.kind == "tombstones":
            return with_params(call, status="deleted")
        call = with_params(call, **dict(self.asked))
        if walk.kind == "changes" and walk.window.floor is not None:
            call = with_params(call, updated_since=rfc3339(walk.window.floor))
        return call

    def records(self, provider: Any, walk: Walk, reply: Reply) -> list[Record]:
        """Return the records of a page. `data` is null where there are none; what a listing shows
        as deleted is not there."""
        body = reply.json()
        if isinstance(body, dict) and body.get("data", ...) is None:
            return []
        rows = super().records(provider, walk, reply)
        return [row for row in rows if deleted(row) is (walk.kind == "tombstones")]

    def fill(self, provider: Any, walk: Walk, records: list[Record], send: Send) -> list[Record]:
        """Return records with labels for options, where the listing could not be asked for them.

        To a page of deleted deals those that were archived, of a listing of their own: as pages of
        the walk they would make it a long one, which is not read every time.
        """
        if walk.kind == "tombstones":
            pages = archived_pages(self.call(provider, walk), self.page_size["tombstones"], send)
            return records + [row for page in pages for row in self.records(provider, walk, page)]
        bare = [record for record in records if walk.properties and self.is_bare(record)]
        if bare:
            label_options(bare, read_definitions(self, send))
        return records

    def is_bare(self, record: Record) -> bool:
        """Return whether a record comes without the labels of its options."""
        return dig(record, "is_archived") is True

    def alive(self, provider: Any, ids: Sequence[str], send: Send) -> Collection[str]:
        """Return those that can be read. Nothing counts records; a deleted one can be read for 30
        days, and says that it is."""
        path = self.path
        return found_alone(
            ids,
            lambda i: Call("GET", f"{path}/{i}", route=f"{path}/{{id}}", cost=COSTS["get"]),
            send,
            lambda reply: dig(reply.json(), "data.is_deleted") is not True,
        )


class Labelled(Listed):
    """Records whose listing can be asked for the labels of their options."""

    asked = (("include_option_labels", "true"), ("include_labels", "true"))


class Activities(Listed):
    """Activities, with those who take part."""

    asked = (("include_fields", "attendees"),)


class Products(Listed):
    """Products, whose listing cannot be asked for labels."""

    def is_bare(self, record: Record) -> bool:
        """Return True: it always does."""
        return True


class Settings(Listed):
    """Pipelines and stages, which cost half."""

    cost = COSTS["settings"]


class Users(Listed):
    """Users, by v1: one answer, which has no place to lose."""

    cost = 20.0

    def call(self, provider: Any, walk: Walk) -> Call:
        """Return the request of all of them."""
        return replace(Call("GET", self.path, cost=self.cost), cache_for=SECONDS)

    def alive(self, provider: Any, ids: Sequence[str], send: Send) -> Collection[str]:
        """Return none: nothing can be missing from one answer."""
        return ()

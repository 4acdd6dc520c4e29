"""How Mailchimp's resources are read: what each listing is asked for, and what its rows become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lumio_cli.providers.contract.call import Call, Record, Reply, Send, dig
from lumio_cli.providers.contract.paging import with_params
from lumio_cli.providers.contract.resource import Kind, Resource, Walk
from lumio_cli.providers.mailchimp.audiences import list_ids
from lumio_cli.providers.mailchimp.listing import BEFORE, MARGIN, SINCE, moved, stamp
from lumio_cli.providers.mailchimp.rows import member

LIST = "{list_id}"


def put_list(call: Call, key: str) -> Call:
    """The audience's id in the path; the route keeps its variable."""
    return replace(call, path=call.path.replace(LIST, key), route=call.path)


class Collection(Resource):
    """A listing without links, which are more than half of an answer."""

    more_omitted = ""
    """Further fields that the listing leaves out, each after a comma."""

    def slices(
        self, provider: Any, kind: Kind, expected: int | None
    ) -> Mapping[str, Mapping[str, Any]]:
        """Go audience by audience where there is one above, else in one piece."""
        return {"": {"parent": "audiences"} if self.parents else {}}

    def call(self, provider: Any, walk: Walk) -> Call:
        """Return the request of the listing."""
        omitted = f"{self.rows}._links,_links{self.more_omitted}"
        return Call("GET", self.path, params={"exclude_fields": omitted})

    def count(self, provider: Any, send: Send) -> int | None:
        """Return what the collections say of their length, asked apart: a walk ends by the same
        number, so that a wrong one on a page could not be told otherwise."""
        found = 0
        for list_id in list_ids(send) if self.parents else ("",):
            call = Call("GET", self.path, params={"fields": "total_items", "count": "1"})
            total = dig(send(put_list(call, list_id) if list_id else call).json(), "total_items")
            if not isinstance(total, int) or isinstance(total, bool):
                return None
            found += total
        return found


class Audiences(Collection):
    """Audiences, the oldest first: new ones come last and move none of the others."""

    def call(self, provider: Any, walk: Walk) -> Call:
        """Return the request of the listing, in the order of their making."""
        call = super().call(provider, walk)
        return with_params(call, sort_field="date_created", sort_dir="ASC")


class Campaigns(Collection):
    """Campaigns, the oldest first, as audiences are."""

    def call(self, provider: Any, walk: Walk) -> Call:
        """Return the request of the listing, in the order of their making."""
        call = super().call(provider, walk)
        return with_params(call, sort_field="create_time", sort_dir="ASC")


class Reports(Collection):
    """Reports, half of which is their time series; `share_report` holds a password."""

    more_omitted = ",reports.timeseries,reports.timewarp,reports.share_report"


class Segments(Collection):
    """Segments and tags of an audience."""

    def call(self, provider: Any, walk: Walk) -> Call:
        """Return the request of the listing, of what changed since."""
        return with_params(super().call(provider, walk), since_updated_at=_floor(walk))


class Members(Collection):
    """Members of an audience, the oldest change first."""

    def call(self, provider: Any, walk: Walk) -> Call:
        """Return the request of the listing; of the archived ones, which are the deletions."""
        if walk.kind == "tombstones":
            names = "members.id,members.contact_id,members.list_id,list_id,total_items"
            return Call("GET", self.path, params={"status": "archived", "fields": names})
        ceiling = walk.window.ceiling
        bounds = {
            SINCE: _floor(walk),
            BEFORE: moved(stamp(ceiling), -MARGIN) if ceiling is not None else None,
        }
        call = super().call(provider, walk)
        return with_params(call, sort_field="last_changed", sort_dir="ASC", **bounds)

    def records(self, provider: Any, walk: Walk, reply: Reply) -> list[Record]:
        """Return members with an id that is theirs alone."""
        rows = super().records(provider, walk, reply)
        list_id = dig(reply.json(), "list_id")
        return [member(row, list_id) for row in rows]


def _floor(walk: Walk) -> str | None:
    """The window's beginning, a second earlier: Mailchimp lists what is later than it."""
    floor = walk.window.floor
    return moved(stamp(floor), -1) if floor is not None else None

"""How LinkedIn's resources are read: the finder of each, and what its rows become."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lumio_cli.providers.contract.call import Call, Record, Reply, Send, dig
from lumio_cli.providers.contract.paging import Each, Paging
from lumio_cli.providers.contract.resource import Kind, Resource, Walk
from lumio_cli.providers.linkedin.details import with_count, with_page
from lumio_cli.providers.linkedin.pages import SINCE
from lumio_cli.providers.linkedin.restli import MARK, call, escape, urn
from lumio_cli.providers.linkedin.rows import (
    ADMINISTRATOR,
    content_pages,
    figures,
    lead,
    organization,
)

ORGANIC = ("COMPANY", "EVENT", "ORGANIZATION_PRODUCT")
"""Types of leads that pages own; sponsored ones belong to ad accounts."""
AS_AUTHOR = "&viewContext=AUTHOR"
"""Part of a finder's query: drafts are shown to nobody else."""


class Found(Resource):
    """What a finder lists; its paging puts in the page's URN and the place."""

    def finder(self, walk: Walk) -> str:
        """Return the query of the finder."""
        raise NotImplementedError

    def call(self, provider: Any, walk: Walk) -> Call:
        """Return the request of the finder."""
        path = f"{self.path}?{self.finder(walk)}"
        return call(provider.version, "GET", path, restli="FINDER")


class Organizations(Found):
    """Pages, by the roles that the member has in them."""

    def finder(self, walk: Walk) -> str:
        """Ask for the pages that are administered."""
        return f"q=roleAssignee&role={ADMINISTRATOR}&state=APPROVED"

    def records(self, provider: Any, walk: Walk, reply: Reply) -> list[Record]:
        """Return roles as the pages that they are in."""
        return [organization(row) for row in super().records(provider, walk, reply)]

    def fill(self, provider: Any, walk: Walk, records: list[Record], send: Send) -> list[Record]:
        """Return each role with its page."""
        return [with_page(provider.version, record, send) for record in records]


class ContentPages(Organizations):
    """Pages whose posts the member may write without administering them."""

    def finder(self, walk: Walk) -> str:
        """Ask for all roles: it takes both kinds to tell which page is administered as well."""
        return "q=roleAssignee&state=APPROVED"

    def fill(self, provider: Any, walk: Walk, records: list[Record], send: Send) -> list[Record]:
        """Return those that are wanted, with their pages. Other roles were listed all the same: a
        listing of them is no empty one."""
        return super().fill(provider, walk, content_pages(records), send)


class OwnedByPages(Found):
    """What pages own: a listing for each of them."""

    def slices(
        self, provider: Any, kind: Kind, expected: int | None
    ) -> Mapping[str, Mapping[str, Any]]:
        """Go by the pages that are administered."""
        return {"": {"parent": "organizations"}}

    def records(self, provider: Any, walk: Walk, reply: Reply) -> list[Record]:
        """Return the records; of a listing that cannot be asked for changes, those of the window.
        What has no time that can be read is kept."""
        rows = super().records(provider, walk, reply)
        floor = walk.window.floor
        if floor is None or walk.kind != "changes" or self.cursor is None:
            return rows
        oldest, path = floor.timestamp() * 1000, self.cursor.path
        times = [dig(row, path) for row in rows]
        return [
            row
            for row, time in zip(rows, times, strict=True)
            if not isinstance(time, int) or time >= oldest
        ]


class Posts(OwnedByPages):
    """Posts, also of pages that are not administered."""

    def slices(
        self, provider: Any, kind: Kind, expected: int | None
    ) -> Mapping[str, Mapping[str, Any]]:
        """Go by both kinds of pages."""
        return {"": {"parent": "organizations"}, "content": {"parent": "content_pages"}}

    def finder(self, walk: Walk) -> str:
        """Ask for a page's posts, in an order in which none is passed over."""
        order = "CREATED" if walk.kind == "full" else "LAST_MODIFIED"
        return f"q=author&author={MARK}{AS_AUTHOR}&sortBy={order}"


class PageStatistics(OwnedByPages):
    """Figures of a page's life and days."""

    def finder(self, walk: Walk) -> str:
        """Ask for the figures since the window's beginning."""
        query = f"q=organizationalEntity&organizationalEntity={MARK}"
        if walk.window.floor is not None:
            query += f"{SINCE}{int(walk.window.floor.timestamp() * 1000)}"
        return query

    def records(self, provider: Any, walk: Walk, reply: Reply) -> list[Record]:
        """Return figures with ids, whatever the window: LinkedIn keeps to it."""
        return [figures(row) for row in Resource.records(self, provider, walk, reply)]


class FollowerStatistics(PageStatistics):
    """Figures of who follows a page."""

    def fill(self, provider: Any, walk: Walk, records: list[Record], send: Send) -> list[Record]:
        """Return a page's life with how many follow it."""
        return [
            with_count(provider.version, record, send)
            if dig(record, "period") == "lifetime"
            else record
            for record in records
        ]


class LeadForms(OwnedByPages):
    """Forms of pages, and of the ad accounts that the settings name."""

    def slices(
        self, provider: Any, kind: Kind, expected: int | None
    ) -> Mapping[str, Mapping[str, Any]]:
        """Go by page, and by ad account."""
        accounts = [str(number) for number in provider.options.get("ad_accounts") or ()]
        return {
            **self._of_pages(provider),
            **{f"account-{n}": {"account": n, "type": "SPONSORED"} for n in accounts},
        }

    def _of_pages(self, provider: Any) -> Mapping[str, Mapping[str, Any]]:
        return {"pages": {"parent": "organizations"}}

    def pages(self, provider: Any, walk: Walk) -> Paging:
        """Page an ad account's listing as the single one that it is."""
        style = super().pages(provider, walk)
        if "account" in walk.options and isinstance(style, Each):
            return style.inner
        return style

    def finder(self, walk: Walk) -> str:
        """Ask for what the page or the ad account owns."""
        account = walk.options.get("account")
        if account is None:
            return f"q=owner&owner=(organization:{MARK})"
        return f"q=owner&owner=(sponsoredAccount:{escape(urn('sponsoredAccount', account))})"


class LeadResponses(LeadForms):
    """Answers to forms, by the type of the lead."""

    def _of_pages(self, provider: Any) -> Mapping[str, Mapping[str, Any]]:
        chosen = provider.options.get("lead_types")
        types = ORGANIC if chosen is None else [str(name) for name in chosen]
        return {name.lower(): {"parent": "organizations", "type": name} for name in types}

    def finder(self, walk: Walk) -> str:
        """Ask for the answers since the window's beginning."""
        query = f"{super().finder(walk)}&leadType=(leadType:{walk.options['type']})"
        query += "&limitedToTestLeads=false"
        if walk.window.floor is not None:
            start = int(walk.window.floor.timestamp() * 1000)
            # Without an end, so that pages do not shift where the window gets its own.
            query += f"&submittedAtTimeRange=(start:{start})"
        return query

    def records(self, provider: Any, walk: Walk, reply: Reply) -> list[Record]:
        """Return answers as records, whatever the window: LinkedIn keeps to it."""
        return [lead(row) for row in Resource.records(self, provider, walk, reply)]

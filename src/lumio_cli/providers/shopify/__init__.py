"""Shopify: products, orders, customers, stock, fulfillments and metafields of one shop.

Sources. The published Admin GraphQL schema 2026-07 (Shopify's npm package @shopify/dev-mcp), with
its descriptions of `events` (kept for a year; `deletionEvents`, which it replaces, knew products
and collections only), `bulkOperationRunQuery` (`groupObjects`), `BulkOperation`,
`InventoryQuantityInput.changeFromQuantity` and `inventorySetQuantities`. On shopify.dev: "GraphQL
Admin API rate limits" (cost per field, bucket by app and store, Standard 100, Advanced 200, Plus
1,000, Enterprise 2,000 points a second), "API limits" (arrays of 250, lists no deeper than 25,000
objects), "API search syntax", "Perform bulk operations", "Implementing idempotency" and the
changelogs "Making idempotency mandatory for inventory adjustments" (2026-04) and "compare and swap
redesign for inventory set quantities" (2026-01), "Using the client credentials grant", "Get API
access tokens for Dev Dashboard apps", "About offline access tokens" and "Offline access tokens now
support expiry and refresh" (December 2025). An older page, "Call limit" on help.shopify.com, has
1,000 points with 50 a second, and the limit of 1,000 for one query. What follows from them:

- The costs of connections are not published; see `graph` for how they are planned.
- The bucket holds 1,000 points with 50 a second unless a plan is named, or `throttleStatus` says
  that the shop has more; it also lowers what is left where others use it.
- Errors come with HTTP 200: THROTTLED, MAX_COST_EXCEEDED, ACCESS_DENIED, and searches that were
  not understood, which Shopify ignores with a warning and which would bring everything.
- Lists are walked by id (`id:>N`, sorted by id) within a window of `updated_at` (seconds, both
  ends included): no cursor that may expire, no limit of 25,000. Searches lag; windows reach back.
- Records keep whole gids as ids: those of stock are not numbers, and mutations want them.
- Deletions of products are events; everything else is found by a sweep.
- Access tokens: of an app of the shop's own (`shpat_`), by client credentials (a day), by OAuth
  (an hour, with a refresh token that works once and lasts 90 days).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from lumio_cli.errors import BadReplyError, CredentialError
from lumio_cli.providers.auth import Credential, OAuth, Way, refresh_call, token_call
from lumio_cli.providers.base import (
    Allowance,
    Call,
    Column,
    Field,
    Identity,
    Kind,
    Provider,
    Quota,
    Record,
    Reply,
    Resource,
    Send,
    Verdict,
    Walk,
    dig,
)
from lumio_cli.providers.paging import Paging
from lumio_cli.providers.shopify import bulk, graph
from lumio_cli.providers.shopify import documents as ask
from lumio_cli.providers.shopify.facts import BULK_FROM, GUIDE, NOTES, PLANS, SCOPES, SHOP, VERSION
from lumio_cli.providers.shopify.inputs import tag_list
from lumio_cli.providers.shopify.judging import judge
from lumio_cli.providers.shopify.resources import (
    ALL,
    BULK,
    FULFILLMENTS,
    INVENTORY_LEVELS,
    LISTINGS,
    METAFIELDS,
    METAFIELDS_OF,
    NESTED,
    Keyset,
    Nested,
    owned,
    owners,
    stock,
)
from lumio_cli.providers.shopify.writes import write_all
from lumio_cli.providers.writing import Change, Receipt


class Shopify(Provider):
    """Shopify's Admin API."""

    name = "shopify"
    title = "Shopify"
    category = "Commerce"
    # Every shop has a host of its own (`locate`); this one is never asked.
    base_url = "https://myshopify.com"
    hosts = ("myshopify.com", "*.myshopify.com")
    open_hosts = ("storage.googleapis.com",)
    realtime = "webhooks"
    credential = (
        Field(
            "token",
            "Admin API access token of an app of your shop",
            secret=True,
            pattern=r"shp[a-z]{2}_[A-Za-z0-9_]{20,}",
        ),
        SHOP,
    )
    ways = (
        Way(
            "client_credentials",
            "Client id and secret of an app of your own organization (Dev Dashboard)",
            (
                SHOP,
                Field("client_id", "Client ID (Dev Dashboard > your app > Settings)"),
                Field("client_secret", "Client secret, beside it", secret=True),
            ),
        ),
    )
    oauth = OAuth(
        authorize_url="https://{shop}/admin/oauth/authorize",
        token_path="https://{shop}/admin/oauth/access_token",  # noqa: S106 an address
        scopes=SCOPES,
        scope_separator=",",
        pkce=False,
        redirect_port=18922,
        fields=(SHOP,),
        token_extra={"expiring": "1"},
        optional_param="",
    )
    fields = (
        Field(
            "api_version",
            "Version of the Admin API: Shopify brings one a quarter and keeps each for a year",
            default=VERSION,
            pattern=r"20\d\d-(01|04|07|10)",
        ),
        Field(
            "plan",
            "Your shop's plan, for the limit of points: unknown, standard, advanced, plus, "
            "enterprise",
            default="unknown",
            pattern="|".join(PLANS),
        ),
        Field(
            "bulk_from",
            "Records from which a full sync uses a bulk operation; 0 never does",
            kind="integer",
            default=BULK_FROM,
        ),
    )
    no_merges = (
        "`customerMerge` tells the resulting customer only to whoever makes the merge; the other is"
        " gone, and no query names what it has become."
    )
    quotas = (
        Quota(
            "points",
            50,
            kind="points",
            burst=1000,
            # By app and shop; a token is of one app and one shop, and others may share both.
            shared="account",
            routes=("*/graphql.json*",),
        ),
    )
    resources = ALL
    guide = GUIDE
    notes = NOTES

    def __init__(self, options: Mapping[str, Any]) -> None:
        plan = str(options.get("plan") or "unknown")
        rate, burst = PLANS[plan]
        # Where nobody has named the plan or a limit, Shopify's word of it is believed.
        open_to_more = plan == "unknown" and "points" not in (options.get("limits") or {})
        most = max(rates for rates, _ in PLANS.values()) if open_to_more else None
        (points,) = type(self).quotas
        self.quotas = (replace(points, count=rate, burst=burst, most=most),)
        super().__init__(options)

    @property
    def version(self) -> str:
        """The version of the Admin API that is asked."""
        return str(self.options.get("api_version") or VERSION)

    # -- talking

    def locate(self, credential: Credential) -> str:
        """The shop's own host."""
        shop = credential.fields.get("shop", "")
        if not shop:
            raise CredentialError(
                "the shop's domain is missing",
                hint="connect again with --set shop=example.myshopify.com, or set "
                "LUMIO_SHOPIFY_SHOP",
                code="credential_missing",
            )
        return f"https://{shop}"

    def authorize(self, call: Call, credential: Credential) -> Mapping[str, str]:
        """Shopify has a header of its own."""
        return {"X-Shopify-Access-Token": credential.token}

    def renewal(self, credential: Credential, now: datetime) -> Call | None:
        """By client credentials, or by the refresh token of an OAuth login."""
        assert self.oauth is not None  # noqa: S101 declared above
        if credential.kind == "client_credentials":
            form = {"grant_type": "client_credentials"}
            return token_call(self.oauth, form, credential.fields)
        return refresh_call(self.oauth, credential) if credential.refresh else None

    def judge(self, reply: Reply) -> Verdict | None:
        """Most errors come with status 200: see `judging`."""
        return judge(reply)

    def remaining(self, call: Call, reply: Reply) -> tuple[Allowance, ...]:
        """`extensions.cost`: what is in the bucket, and what the call cost less than planned."""
        if bulk.is_file(reply):
            return ()
        try:
            cost = dig(reply.json(), "extensions.cost")
        except BadReplyError:
            return ()
        if not isinstance(cost, dict):
            return ()
        actual = cost.get("actualQueryCost")
        spent = float(actual) if isinstance(actual, int | float) else 0.0
        return (
            Allowance(
                "points",
                _number(dig(cost, "throttleStatus.maximumAvailable")),
                _number(dig(cost, "throttleStatus.currentlyAvailable")),
                rate=_number(dig(cost, "throttleStatus.restoreRate")),
                refund=max(0.0, call.cost - spent),
            ),
        )

    def probe(self, send: Send, credential: Credential) -> Identity:
        """The shop, and the scopes that the app was granted; writing includes reading."""
        data = dig(send(graph.call(self.version, ask.WHO)).json(), "data")
        shop = dig(data, "shop")
        if not isinstance(shop, dict) or not shop.get("id"):
            raise BadReplyError("Shopify's answer names no shop", hint="try again later")
        granted = {
            str(scope["handle"]) for scope in dig(data, "currentAppInstallation.accessScopes") or ()
        }
        granted |= {s.replace("write_", "read_", 1) for s in granted if s.startswith("write_")}
        return Identity(
            account_id=str(shop["id"]),
            account_name=str(shop.get("name") or shop["id"]),
            scopes=tuple(sorted(granted)),
            expires_at=credential.expires_at,
            details={
                "domain": str(shop.get("myshopifyDomain") or ""),
                "currency": str(shop.get("currencyCode") or ""),
                "time_zone": str(shop.get("ianaTimezone") or ""),
                "plan": str(dig(shop, "plan.publicDisplayName") or ""),
            },
        )

    # -- reading

    def slices(
        self, resource: Resource, kind: Kind, expected: int | None
    ) -> Mapping[str, Mapping[str, Any]]:
        """In one piece, by a bulk operation where a full walk will meet many records; metafields
        by the type of their owners."""
        if resource is METAFIELDS:
            return {parent: {"parent": parent} for parent in resource.parents}
        least = int(self.options.get("bulk_from", BULK_FROM))
        many = kind == "full" and expected is not None and 0 < least <= expected
        if many and resource.name in BULK:
            return {"": {"bulk": True}}
        return {"": {"parent": "locations"} if resource is INVENTORY_LEVELS else {}}

    def paging(self, walk: Walk) -> Paging:
        """By a bulk operation where the walk is one, else as declared."""
        if walk.options.get("bulk"):
            return bulk.jobs(flat=walk.resource is INVENTORY_LEVELS)
        if walk.resource is METAFIELDS and walk.kind == "full":
            return Keyset(str(walk.options["parent"]))
        return super().paging(walk)

    def call(self, walk: Walk) -> Call:
        """The document of the walk, planned for a full page."""
        name, size = walk.resource.name, walk.resource.page_size.get(walk.kind, 100)
        if walk.options.get("bulk"):
            return graph.call(self.version, ask.RUN, {"query": BULK[name]})
        if walk.resource is METAFIELDS and walk.kind == "changes":
            return graph.call(self.version, ask.OWNED, {"ids": []})
        if walk.resource is METAFIELDS:
            document = ask.owners(str(walk.options["parent"]))
            return graph.call(self.version, document, {"first": size})
        if walk.kind == "tombstones":
            query = "action:destroy AND subject_type:PRODUCT"
            return graph.call(self.version, ask.DELETED, {"first": size, "query": query})
        terms = []
        if walk.kind == "changes" and walk.window.floor is not None:
            terms.append(f"updated_at:>='{_time(walk.window.floor)}'")
        if walk.kind == "changes" and walk.window.ceiling is not None:
            terms.append(f"updated_at:<='{_time(walk.window.ceiling)}'")
        variables: dict[str, Any] = {"first": size}
        if terms:
            variables["query"] = " AND ".join(terms)
        if walk.resource is INVENTORY_LEVELS:
            variables["id"] = ""  # a location's, by its paging
        return graph.call(self.version, LISTINGS[name], variables)

    def records(self, walk: Walk, reply: Reply) -> list[Record]:
        """The nodes of a page. Stock gets its quantities by name, fulfillments their order."""
        resource = walk.resource
        if walk.options.get("bulk"):
            if not bulk.is_file(reply):
                return []
            nested = NESTED.get(resource.name)
            flat = resource is INVENTORY_LEVELS
            found = bulk.records(reply, nested.field if nested else "", flat)
            return [stock(row) for row in found] if flat else found
        if walk.kind == "tombstones":
            events = dig(reply.json(), "data.events.nodes")
            if not isinstance(events, list):
                raise BadReplyError("Shopify answered a page of events without a list of them")
            return [{**e, "id": e["subjectId"]} for e in events if e.get("subjectId")]
        if resource is METAFIELDS and walk.kind == "full":
            nodes = dig(reply.json(), f"data.{walk.options['parent']}.nodes")
            if not isinstance(nodes, list):
                raise BadReplyError("Shopify answered a page of owners without a list of them")
            return nodes
        if resource is METAFIELDS:
            return [
                owned(row, owner)
                for owner in owners(reply)
                for row in (dig(owner, "metafields.nodes") or [])
            ]
        if resource is INVENTORY_LEVELS and dig(reply.json(), "data.location") is None:
            return []  # the location is gone, and its stock with it
        rows = super().records(walk, reply)
        if resource is INVENTORY_LEVELS:
            return [stock(row) for row in rows]
        if resource is FULFILLMENTS:
            return [
                {**row, "order": {"id": order.get("id"), "name": order.get("name")}}
                for order in rows
                for row in order["fulfillments"]
            ]
        return rows

    def fill(self, walk: Walk, records: list[Record], send: Send) -> list[Record]:
        """The children that a page had no room for, and children as plain lists."""
        if walk.resource is METAFIELDS and walk.kind == "full":
            return [
                owned(row, owner)
                for owner in records
                for row in self._children(METAFIELDS_OF, owner, send)
            ]
        nested = NESTED.get(walk.resource.name)
        if nested is None or walk.kind == "tombstones":
            return records
        # From a bulk operation children are lists already; what cannot be read stays as it is.
        return [
            {**record, nested.field: self._children(nested, record, send)}
            if isinstance(record, dict) and isinstance(record.get(nested.field), dict)
            else record
            for record in records
        ]

    def _children(self, nested: Nested, record: Record, send: Send) -> list[Any]:
        """All children of a record, of which its page has the first."""
        page = record.get(nested.field)
        children = list(dig(page, "nodes") or ())
        while dig(page, "pageInfo.hasNextPage") and isinstance(record.get("id"), str):
            after = dig(page, "pageInfo.endCursor")
            variables = {"id": record["id"], "after": after}
            body = send(graph.call(self.version, nested.document, variables)).json()
            page = dig(body, nested.path)
            if page is None:
                break  # the record was deleted meanwhile
            if dig(page, "pageInfo.endCursor") == after:
                raise BadReplyError(f"{nested.field} of {record['id']} do not end")
            children += page["nodes"]
        return children

    def count(self, resource: Resource, send: Send) -> int | None:
        """How many there are; of inventory items as many as variants, of stock at least those."""
        name = "inventory_items" if resource is INVENTORY_LEVELS else resource.name
        if name not in ask.COUNTS:
            return None
        data = dig(send(graph.call(self.version, ask.COUNTS[name])).json(), "data")
        found = dig(next(iter(data.values())), "count")
        return int(found) if found is not None else None

    # -- writing

    def write(self, resource: Resource, changes: Sequence[Change], send: Send) -> Iterator[Receipt]:
        """Apply changes of one action; one receipt a change."""
        return write_all(self.version, resource, changes, send)

    def shown(self, column: Column, value: Any) -> Any:
        """Tags are a list, however they were written."""
        if column.same == "set":
            try:
                return tag_list(value)
            except ValueError:
                return value
        return super().shown(column, value)


def _time(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None

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
from datetime import datetime
from threading import Lock
from typing import Any

from lumio_cli.core.errors import BadReplyError, CredentialError
from lumio_cli.providers.contract.auth import Credential, refresh_call, token_call
from lumio_cli.providers.contract.call import Call, Reply, Send, dig
from lumio_cli.providers.contract.fields import Field, Identity
from lumio_cli.providers.contract.provider import Provider
from lumio_cli.providers.contract.quota import Allowance, Quota
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.resource import Column, Resource
from lumio_cli.providers.contract.verdict import Outcome, Verdict
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.shopify import bulk, graph, personal
from lumio_cli.providers.shopify import documents as ask
from lumio_cli.providers.shopify.facts import (
    BULK_FROM,
    GUIDE,
    NOTES,
    OAUTH,
    PLANS,
    SETTINGS,
    SHOP,
    VERSION,
    WAYS,
)
from lumio_cli.providers.shopify.inputs import tag_list
from lumio_cli.providers.shopify.judging import judge
from lumio_cli.providers.shopify.listing import LISTINGS
from lumio_cli.providers.shopify.resources import ALL
from lumio_cli.providers.shopify.writes import write_all

ALL_PERSONAL = frozenset(personal.FIELDS)
AT_ONCE = 0.001
"""Seconds after which a call is sent again that has only been changed."""


class Shopify(Provider):
    """Shopify's Admin API."""

    name = "shopify"
    title = "Shopify"
    error_names = ("errors",)
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
    ways = WAYS
    oauth = OAUTH
    fields = SETTINGS
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
        wished = bool(options.get("personal_data", True))
        self._left_out = dict.fromkeys(personal.OF, frozenset() if wished else ALL_PERSONAL)
        self._refused: dict[str, frozenset[str]] = dict.fromkeys(personal.OF, frozenset())
        self._served = ""
        self._told = False
        self._lock = Lock()

    @property
    def version(self) -> str:
        """The version of the Admin API that is asked."""
        return str(self.options.get("api_version") or VERSION)

    @property
    def bulk_from(self) -> int:
        """Records from which a full walk is a bulk operation; 0: never."""
        return int(self.options.get("bulk_from", BULK_FROM))

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

    def address(self, call: Call, credential: Credential) -> Call:
        """The call without the personal fields that the account does not show to this app."""
        return personal.asked_without(call, self._left_out)

    def judge(self, reply: Reply) -> Verdict | None:
        """Most errors come with status 200: see `judging`. A personal field that is refused is
        left out from then on, and what asked for it is asked again without it."""
        self._note_version(reply)
        refused = personal.refused(reply)
        if not refused:
            return judge(reply)
        # Shopify approves an app for a content, wherever that is.
        for name in personal.OF:
            self._leave_out(name, refused)
        if personal.carried_out(reply):
            return None
        return Verdict(Outcome.RETRY, "asked again without personal data", retry_after=AT_ONCE)

    def _leave_out(self, resource: str, names: frozenset[str]) -> None:
        with self._lock:
            self._refused[resource] |= names
            self._left_out[resource] |= names

    def untold(self, resource: Resource) -> frozenset[str]:
        """Personal fields, unless nobody wants them: those that a record lacks were refused."""
        if not self.options.get("personal_data", True):
            return frozenset()
        return personal.untold(resource, LISTINGS.get(resource.name, ""))

    def _note_version(self, reply: Reply) -> None:
        served = reply.headers.get("x-shopify-api-version", "")
        if served and served != self.version:
            self._served = served

    def remarks(self, resource: Resource) -> tuple[str, ...]:
        """Personal data that was refused, and a version that answered in place of the one asked:
        Shopify serves the oldest that it still has ("falls forward") once one is retired."""
        found = []
        document = LISTINGS.get(resource.name, "")
        refused = self._refused.get(resource.name, frozenset())
        if said := personal.told(resource, refused, document):
            found.append(said)
        with self._lock:
            # Once a run is enough: it holds for all resources.
            untold, self._told = self._served and not self._told, self._told or bool(self._served)
        if untold:
            found.append(
                f"Shopify answered with version {self._served} of its API, though {self.version} "
                "was asked for: set `api_version` to one that it still serves"
            )
        return tuple(found)

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

    def relent(self, resource: Resource) -> bool:
        """Whether there is personal data yet to be left out of a bulk operation that was refused:
        it does not say what it was refused for. Of other resources that says nothing."""
        held = personal.held_by(resource)
        if not held or held <= self._left_out[resource.name]:
            return False
        self._leave_out(resource.name, held)
        return True

    # -- writing

    def write(self, resource: Resource, changes: Sequence[Change], send: Send) -> Iterator[Receipt]:
        """Apply changes of one action; one receipt a change."""

        def left_out() -> frozenset[str]:
            return self._left_out.get(resource.name, frozenset())

        return write_all(self.version, resource, changes, send, left_out)

    def shown(self, column: Column, value: Any) -> Any:
        """Tags are a list, however they were written."""
        if column.same == "set":
            try:
                return tag_list(value)
            except ValueError:
                return value
        return super().shown(column, value)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None

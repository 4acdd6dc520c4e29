"""The fields of the query root: what can be asked for, and which scope it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError

from . import search
from .account import EVER
from .connections import numbered
from .data import kind_of
from .search import Query

if TYPE_CHECKING:
    from .shop import Shop

Info = Any
"""What graphql-core tells a resolver of its field; bulk operations tell its name only."""

SHOP_ID = "gid://shopify/Shop/9000000000001"
SHOP_DOMAIN = "sandbox-store.myshopify.com"
FIELDS = {
    "products": ("created_at", "handle", "id", "sku", "status", "tag", "title", "updated_at"),
    "orders": ("created_at", "email", "id", "name", "processed_at", "status", "updated_at"),
    "customers": ("email", "id", "state", "tag", "updated_at"),
    "inventory_items": ("created_at", "id", "sku", "updated_at"),
    "inventory_levels": ("created_at", "id", "inventory_item_id", "updated_at"),
    "locations": ("created_at", "id", "name"),
    "events": ("action", "comments", "created_at", "id", "subject_type"),
}
"""What each list can be searched by: the fields that records here have, of those published."""
SCOPES = {
    "Product": "read_products",
    "ProductVariant": "read_products",
    "Order": "read_orders",
    "Fulfillment": "read_orders",
    "Customer": "read_customers",
    "InventoryItem": "read_inventory",
    "InventoryLevel": "read_inventory",
    "Location": "read_locations",
}


SHOWN = 60 * 86_400.0
"""Seconds that an order is shown to apps without `read_all_orders` ("Only the last 60 days' worth
of orders from a store are accessible from the `Order` object by default")."""
ALL_ORDERS = "read_all_orders"


def denied(field: str, scope: str) -> GraphQLError:
    """The error of a field that the token's scopes do not cover."""
    wanted = f"`{scope}` access scope."
    return GraphQLError(
        f"Access denied for {field} field. Required access: {wanted}",
        extensions={
            "code": "ACCESS_DENIED",
            "documentation": "https://shopify.dev/api/usage/access-scopes",
            "requiredAccess": wanted,
        },
    )


class Root:
    """The query root of one request. Its attributes are the fields, resolved by graphql-core.

    `warnings` collects what was wrong with searches, for `extensions.search`.
    """

    def __init__(self, shop: Shop, scopes: frozenset[str]) -> None:
        self.shop_account = shop
        self.scopes = scopes
        self.warnings: list[Mapping[str, object]] = []

    def need(self, field: str, scope: str) -> None:
        """Raises GraphQLError where the token lacks the scope; writing implies reading."""
        if not self.scopes & {scope, scope.replace("read_", "write_")}:
            raise denied(field, scope)

    def parsed(self, name: str, text: str | None, field: str) -> Query | None:
        """A search over a table, its warnings kept."""
        if text is None:
            return None
        query = search.parse(text, FIELDS[name])
        if query.warnings:
            self.warnings.append(search.report(field, text, query))
        return query

    # -- one record

    def node(self, info: Info, id: str) -> dict[str, Any] | None:
        kind = kind_of(id)
        if kind == "BulkOperation":
            return self.shop_account.bulk.shown(id)
        if kind in SCOPES:
            self.need(info.field_name, SCOPES[kind])
        found = self.shop_account.account.node(id)
        if found is not None and self._hides(kind, found):
            return None
        if found is not None and kind == "Location":
            return self._located(found)
        return found

    product = order = customer = fulfillment = inventoryItem = inventoryLevel = node  # noqa: N815
    productVariant = bulkOperation = node  # noqa: N815

    def location(
        self,
        info: Info,
        id: str | None = None,
    ) -> dict[str, Any] | None:
        first = self.shop_account.account.tables["locations"].ids()[0]
        return self.node(info, id or first)

    def _located(self, node: dict[str, Any]) -> dict[str, Any]:
        listed = node["inventoryLevels"]

        def levels(info: Info, query: str | None = None, **args: Any) -> Any:
            self.need("inventoryLevels", "read_inventory")
            parsed = self.parsed("inventory_levels", query, "inventoryLevels")
            return listed(info, query=parsed, **args)

        return {**node, "inventoryLevels": levels}

    def nodes(self, info: Info, ids: list[str]) -> list[dict[str, Any] | None]:
        if len(ids) > 250:
            raise GraphQLError(
                f"The input array size of {len(ids)} is greater than the maximum allowed of 250.",
                extensions={"code": "MAX_INPUT_SIZE_EXCEEDED"},
            )
        return [self.node(info, i) for i in ids]

    def since(self, name: str) -> float:
        """When the oldest records of a table that the token is shown were created."""
        if name != "orders" or ALL_ORDERS in self.scopes:
            return EVER
        return self.shop_account.now() - SHOWN

    def _hides(self, kind: str, found: dict[str, Any]) -> bool:
        """Whether a record is, or hangs on, an order that the token is not shown."""
        if kind not in ("Order", "Fulfillment") or ALL_ORDERS in self.scopes:
            return False
        table = self.shop_account.account.tables["orders"]
        order_id = found["id"] if kind == "Order" else found["_order"]
        return order_id not in table or table.created(order_id) < self.since("orders")

    # -- many

    def _listing(self, name: str, scope: str) -> Callable[..., Any]:
        def resolve(info: Info, query: str | None = None, **args: Any) -> Any:
            self.need(info.field_name, scope)
            parsed = self.parsed(name, query, info.field_name)
            page = self.shop_account.account.listing(name, parsed, args, self.since(name))
            if name == "locations":
                inner = page["nodes"]
                page["nodes"] = lambda *_: [self._located(n) for n in inner()]
            return page

        return resolve

    def _count(self, name: str, scope: str) -> Callable[..., Any]:
        def resolve(
            info: Info, query: str | None = None, limit: int | None = None
        ) -> dict[str, Any]:
            self.need(info.field_name, scope)
            parsed = self.parsed(name, query, info.field_name)
            total = self.shop_account.account.total(name, parsed, self.since(name))
            cut = limit is not None and total > limit
            return {
                "count": limit if cut else total,
                "precision": "AT_LEAST" if cut else "EXACT",
            }

        return resolve

    def __getattr__(self, name: str) -> Any:
        lists = {
            "products": ("products", "read_products"),
            "orders": ("orders", "read_orders"),
            "customers": ("customers", "read_customers"),
            "inventoryItems": ("inventory_items", "read_inventory"),
            "locations": ("locations", "read_locations"),
        }
        if name in lists:
            return self._listing(*lists[name])
        counted = name.removesuffix("Count")
        if counted != name and counted in lists:
            return self._count(*lists[counted])
        raise AttributeError(name)

    def productVariantsCount(  # noqa: N802
        self, info: Info, query: str | None = None, limit: int | None = None
    ) -> dict[str, Any]:
        self.need(info.field_name, "read_products")
        products = self.shop_account.account.tables["products"]
        return {"count": sum(p["_variants"] for p in products), "precision": "EXACT"}

    def events(self, info: Info, query: str | None = None, **args: Any) -> Any:
        self.need(info.field_name, "read_products")
        parsed = self.parsed("events", query, "events")
        return numbered(self.shop_account.account.events(parsed), args)

    # -- the shop

    def shop(self, *_: Any) -> dict[str, Any]:
        return {
            "id": SHOP_ID,
            "name": "Sandbox Störe 🛒",
            "email": "owner@sandbox.example",
            "myshopifyDomain": SHOP_DOMAIN,
            "url": f"https://{SHOP_DOMAIN}",
            "createdAt": "2024-06-01T00:00:00Z",
            "currencyCode": "EUR",
            "ianaTimezone": "Europe/Berlin",
            "plan": {
                "publicDisplayName": "Basic", "partnerDevelopment": False, "shopifyPlus": False,
            },
        }  # fmt: skip

    def currentAppInstallation(self, *_: Any) -> dict[str, Any]:  # noqa: N802
        return {
            "id": "gid://shopify/AppInstallation/5001",
            "app": {"id": "gid://shopify/App/4001", "handle": "lumio", "title": "lumio"},
            "accessScopes": [
                {"handle": scope, "description": scope.replace("_", " ")}
                for scope in sorted(self.scopes)
            ],
        }

    def currentBulkOperation(self, *_: Any, **__: Any) -> dict[str, Any] | None:  # noqa: N802
        return self.shop_account.bulk.last()

"""How Shopify's listings are asked for and paged: documents by resource, keysets, children."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract.call import Call, Place, Record, Reply, dig
from lumio_cli.providers.contract.paging import NoPlaceError, Token
from lumio_cli.providers.shopify import documents as ask


@dataclass(frozen=True, slots=True)
class Keyset:
    """Pages by id: each asks for what lies above the last node's number, in the order of ids.

    Shopify pages no deeper than 25,000 objects of one list (API limits, "Pagination limits"); a
    condition on the id begins a new list with each page, and a cursor goes on within one: after a
    page of which no row says where it lies. `root` is the connection in the answer.
    """

    root: str

    def first(self, size: int) -> Place:
        return {"size": size}

    def ask(self, call: Call, place: Place) -> Call:
        variables = {**call.json["variables"], "first": place["size"]}
        if place.get("token"):
            variables["after"] = place["token"]
        if place.get("above"):
            terms = [variables.get("query"), f"id:>{place['above']}"]
            variables["query"] = " AND ".join(t for t in terms if t)
        return replace(call, json={**call.json, "variables": variables})

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        page = dig(reply.json(), f"data.{self.root}")
        more, token = dig(page, "pageInfo.hasNextPage"), dig(page, "pageInfo.endCursor")
        if more is False:
            return None
        if more is not True:
            raise BadReplyError(f"a page of {self.root} does not say whether more follow")
        # A node without an id cannot say where to go on; the last one that has it can.
        nodes = dig(page, "nodes") or ()
        above = [number for node in nodes if (number := number_of(dig(node, "id")))]
        if above:
            return {"size": place["size"], "above": above[-1]}
        if not token:
            raise NoPlaceError(f"of {self.root}")
        # Of a page that has nothing to go by, its end is a place within the same list.
        return {**place, "token": str(token)}


def number_of(record_id: Any) -> str:
    """The number at the end of a gid (`gid://shopify/Product/123`); empty where there is none."""
    tail = str(record_id).partition("?")[0].rpartition("/")[2]
    return tail if isinstance(record_id, str | int) and tail.isdigit() else ""


def cursors(root: str) -> Token:
    """Pages by cursor, for lists that cannot be searched by id."""
    page = f"data.{root}.pageInfo"
    return Token(f"{page}.endCursor", "after", "first", "variables", f"{page}.hasNextPage")


def owners(reply: Reply) -> list[Record]:
    """The owners in an answer about metafields; those that are gone are not among them."""
    data = dig(reply.json(), "data")
    listed = data.get("nodes") if "nodes" in data else list(data.values())
    return [owner for owner in listed or () if isinstance(owner, dict)]


ALONE = frozenset({"products", "customers", "orders", "fulfillments", "inventory_items"})
"""What is listed as long as there is a node of it."""


@dataclass(frozen=True, slots=True)
class Nested:
    """Children that a record's page brings in part: the connection's name, the document that
    brings the others, and where in its answer they are."""

    field: str
    document: str
    path: str


METAFIELDS_OF = Nested("metafields", ask.NEXT_OWNED, "data.node.metafields")

NESTED: Mapping[str, Nested] = {
    "products": Nested(
        "variants",
        ask.more("ProductVariants", "product", "variants", ask.VARIANT),
        "data.product.variants",
    ),
    "orders": Nested(
        "lineItems",
        ask.more("OrderLineItems", "order", "lineItems", ask.LINE),
        "data.order.lineItems",
    ),
    "fulfillments": Nested(
        "fulfillmentLineItems",
        ask.more("FulfillmentItems", "fulfillment", "fulfillmentLineItems", ask.SHIPPED),
        "data.fulfillment.fulfillmentLineItems",
    ),
}

LISTINGS: Mapping[str, str] = {
    "products": ask.listing("Products", "products", ask.PRODUCT, "variants", ask.VARIANT),
    "orders": ask.listing("Orders", "orders", ask.ORDER, "lineItems", ask.LINE),
    "customers": ask.listing("Customers", "customers", ask.CUSTOMER),
    "inventory_items": ask.listing("InventoryItems", "inventoryItems", ask.ITEM),
    "fulfillments": ask.FULFILLMENTS,
    "locations": ask.LOCATIONS,
    "inventory_levels": ask.LEVELS,
}

BULK: Mapping[str, str] = {
    "products": ask.bulk("products", ask.PRODUCT, "variants", ask.VARIANT),
    "orders": ask.bulk("orders", ask.ORDER, "lineItems", ask.LINE),
    "customers": ask.bulk("customers", ask.CUSTOMER),
    "inventory_items": ask.bulk("inventoryItems", ask.ITEM),
    "inventory_levels": ask.bulk(
        f"locations({ask.PLACES})", "id", f"inventoryLevels({ask.STOCK})", ask.LEVEL
    ),
}
"""What can be read by a bulk operation. Fulfillments cannot: Shopify does not take connections
within a list there."""


LOOK = 10
"""Records of which a page is read before a bulk operation, to hear what is refused."""

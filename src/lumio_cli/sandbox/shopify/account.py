"""A shop's records, and how they hang together as nodes of the graph."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from zlib import crc32

from ..options import Options
from ..table import Document, Table
from . import data
from .connections import connection, numbered
from .data import MOST, at, gid, kind_of, number_of
from .search import Query

Args = Mapping[str, Any]
KINDS = {
    "Product": "products",
    "Order": "orders",
    "Customer": "customers",
    "InventoryItem": "inventory_items",
    "InventoryLevel": "inventory_levels",
    "Fulfillment": "fulfillments",
    "Location": "locations",
}
"""Types of nodes with a table of their own."""
EVER = float("-inf")
"""Before all time."""


class Account:
    """The records of one shop. Stock: every item is stocked at the first two of four locations,
    some at that of a fulfillment service; `inactive` are levels that are kept, but not in use.

    A product's first variant is the one whose inventory item is listed; the order of a number has
    the fulfillment of that number, until others are made. Not thread-safe.
    """

    def __init__(self, options: Options) -> None:
        self.seed = seed = options.seed
        self.records = count = options.records
        self.clock = clock = options.clock
        self.lag = options.search_lag

        def table(amount: int, kind: str, make: Callable[[int], Document]) -> Table:
            return Table(amount, make, data.stamp, clock, identify=lambda n: gid(kind, n))

        items = Table(
            count, lambda n: data.item(seed, n), data.stamp, clock,
            identify=lambda n: gid("InventoryItem", n * MOST),
        )  # fmt: skip
        levels = Table(
            data.levels(count), lambda n: data.level(seed, n, count), data.stamp, clock,
            identify=lambda n: data.level_id(*data.stocked(n, count)),
        )  # fmt: skip
        self.inactive = {data.level_id(*data.stocked(n, count)) for n in range(15, 2 * count, 32)}
        self.tables: dict[str, Table] = {
            "products": table(count, "Product", lambda n: data.product(seed, n)),
            "orders": table(count, "Order", lambda n: data.order(seed, n, count)),
            "customers": table(count, "Customer", lambda n: data.customer(seed, n)),
            "inventory_items": items,
            "inventory_levels": levels,
            "fulfillments": table(count, "Fulfillment", lambda n: data.fulfillment(seed, n)),
            "locations": table(len(data.LOCATIONS), "Location", data.location),
        }
        self.added: dict[str, list[str]] = {}
        """Fulfillments that were made later, by the id of their order."""

    # -- for tests, behind the API

    def fulfill(self, order_id: str, **values: Any) -> str:
        """A new fulfillment of an order; its id. The order is modified by it."""
        base = {**data.fulfillment(self.seed, 0), "_order": order_id, **values}
        del base["id"]
        made = self.tables["fulfillments"].insert(base)
        self.added.setdefault(order_id, []).append(made)
        self.tables["orders"].update(order_id, {})
        return made

    def refulfill(self, fulfillment_id: str, **values: Any) -> None:
        """Change a fulfillment; its order is modified by it."""
        table = self.tables["fulfillments"]
        table.update(fulfillment_id, values)
        found = table.get(fulfillment_id) or {}
        self.tables["orders"].update(found["_order"], {})

    def create(self, kind: str, **values: Any) -> str:
        """A new record of a table's type, complete but for `values`; its id."""
        made: Document
        if kind == "products":
            made = {**data.product(self.seed, 0), "_variants": 1, "metafields": []}
        elif kind == "orders":
            made = {**data.order(self.seed, 0, 0), "_lines": 1, "metafields": []}
        elif kind == "customers":
            made = {**data.customer(self.seed, 0), "metafields": []}
        elif kind == "inventory_items":
            made = data.item(self.seed, 0)
        else:
            raise KeyError(kind)
        del made["id"]
        return self.tables[kind].insert({**made, **values})

    # -- nodes

    def node(self, record_id: str) -> dict[str, Any] | None:
        """The node of an id; None where there is none."""
        kind = kind_of(record_id)
        if kind == "ProductVariant":
            number, position = divmod(number_of(record_id) - data.BASES[kind], MOST)
            parent = self.tables["products"].get(gid("Product", number))
            if parent is None or position >= parent["_variants"]:
                return None
            return self._variant(parent, position)
        if kind not in KINDS:
            return None
        document = self.tables[KINDS[kind]].get(record_id)
        if document is None:
            return None
        if kind == "Fulfillment" and self.tables["orders"].get(document["_order"]) is None:
            return None  # It has gone with its order.
        return self.wired(kind, document)

    def wired(self, kind: str, document: Document) -> dict[str, Any]:
        """A document with what connects it to others, to be resolved when it is asked for."""
        found = {
            **document,
            "__typename": kind,
            "legacyResourceId": str(number_of(document["id"])),
        }
        fields = document.get("metafields")
        if fields is not None:
            found["metafields"] = lambda _, **args: self._metafields(found, fields, args)
            found["metafield"] = lambda _, key, namespace="custom": next(
                (self._metafield(found, f) for f in fields
                 if (f["key"], f["namespace"]) == (key, namespace)), None,
            )  # fmt: skip
        wire = getattr(self, f"_wire_{kind.lower()}", None)
        if wire is not None:
            wire(found)
        return found

    def _metafields(self, owner: Document, fields: list[Document], args: Args) -> dict[str, Any]:
        wanted = [
            f for f in fields if args.get("namespace") in (None, f["namespace"])
            and (args.get("keys") is None or f"{f['namespace']}.{f['key']}" in args["keys"])
        ]  # fmt: skip
        return numbered(wanted, args, lambda f: self._metafield(owner, f))

    def _metafield(self, owner: Document, stored: Document) -> dict[str, Any]:
        return {
            "createdAt": owner["createdAt"],
            "updatedAt": owner["updatedAt"],
            **stored,
            "legacyResourceId": str(number_of(stored["id"])),
            "compareDigest": f"{crc32(str(stored['value']).encode()):08x}",
            "ownerType": owner["__typename"].upper(),
            "owner": owner,
        }

    def _wire_product(self, node: dict[str, Any]) -> None:
        count = node["_variants"]

        def prices(*_: Any) -> dict[str, Any]:
            cents = [round(float(self._variant(node, n)["price"]) * 100) for n in range(count)] or [
                0
            ]
            return {
                "minVariantPrice": data.money(min(cents)),
                "maxVariantPrice": data.money(max(cents)),
            }

        node["hasOnlyDefaultVariant"] = count == 1
        node["totalInventory"] = count * 3
        node["variantsCount"] = {"count": count, "precision": "EXACT"}
        node["priceRangeV2"] = prices
        node["options"] = lambda *_, **__: [
            {"id": f"{node['id'].replace('/Product/', '/ProductOption/')}", "name": "Title",
             "position": 1, "values": ["Default Title"]}
        ]  # fmt: skip
        node["variants"] = lambda _, **args: connection(
            range(count), lambda n: (n,), lambda n: self._variant(node, n), args
        )

    def _variant(self, parent: Document, position: int) -> dict[str, Any]:
        number = number_of(parent["id"]) - data.BASES["Product"]
        node = self.wired("ProductVariant", data.variant(self.seed, parent, number, position))
        item_id = node["inventoryItem"]["id"]
        node["inventoryItem"] = lambda *_: (
            self.node(item_id) or self.wired("InventoryItem", {**data.item(self.seed, number),
            "id": item_id, "createdAt": parent["createdAt"], "updatedAt": parent["updatedAt"]})
        )  # fmt: skip
        node["product"] = lambda *_: self.node(parent["id"])
        return node

    def _wire_customer(self, node: dict[str, Any]) -> None:
        names = [node[k] for k in ("firstName", "lastName") if node.get(k)]
        node["displayName"] = " ".join(names) or "-"
        node["lastOrder"] = None

    def _wire_order(self, node: dict[str, Any]) -> None:
        number, count = number_of(node["id"]) - data.BASES["Order"], node["_lines"]
        node["processedAt"] = node["createdAt"]
        node["currentSubtotalLineItemsQuantity"] = count
        owner = node["_customer"]
        node["customer"] = lambda *_: None if owner is None else self.node(gid("Customer", owner))
        node["lineItems"] = lambda _, **args: connection(
            range(count), lambda n: (n,), lambda n: data.line(self.seed, number, n), args
        )
        node["fulfillments"] = lambda _, first=None, **__: self.shipments(node["id"])[:first]

    def shipments(self, order_id: str) -> list[dict[str, Any]]:
        """The fulfillments of an order."""
        table = self.tables["fulfillments"]
        own = gid("Fulfillment", number_of(order_id) - data.BASES["Order"])
        found = table.get(own)
        ids = [own] if found is not None and found["_order"] == order_id else []
        ids += self.added.get(order_id, [])
        documents = [table.get(i) for i in dict.fromkeys(ids)]
        return [self.wired("Fulfillment", d) for d in documents if d is not None]

    def _wire_fulfillment(self, node: dict[str, Any]) -> None:
        order_id = node["_order"]
        number = number_of(order_id) - data.BASES["Order"]
        parent = self.tables["orders"].get(order_id)
        count = parent["_lines"] if parent else 0
        base = number_of(node["id"]) - data.BASES["Fulfillment"]
        node["order"] = lambda *_: self.node(order_id)
        node["location"] = lambda *_: self.node(gid("Location", 0))
        node["fulfillmentLineItems"] = lambda _, **args: connection(
            range(count),
            lambda n: (n,),
            lambda n: {
                "id": gid("FulfillmentLineItem", base * MOST + n),
                "quantity": 1,
                "lineItem": data.line(self.seed, number, n),
            },
            args,
        )

    def _wire_inventoryitem(self, node: dict[str, Any]) -> None:
        places = range(len(data.LOCATIONS))
        table = self.tables["inventory_levels"]
        ids = [data.level_id(place, node["id"]) for place in places]
        node["inventoryLevels"] = lambda _, **args: numbered(
            [i for i in ids if i in table and self._stocked(i, args)], args, self.node
        )
        number = (number_of(node["id"]) - data.BASES["InventoryItem"]) // MOST
        parent = gid("Product", number)
        node["variants"] = lambda _, **args: numbered(
            [0] if parent in self.tables["products"] else [],
            args, lambda n: self.node(gid("ProductVariant", number * MOST + n)),
        )  # fmt: skip

    def _wire_inventorylevel(self, node: dict[str, Any]) -> None:
        item_id, place, counts = node["_item"], node["_place"], node["_counts"]
        node["isActive"] = node["id"] not in self.inactive
        node["item"] = lambda *_: self.node(item_id)
        node["location"] = lambda *_: self.node(gid("Location", place))
        tail = node["id"].rpartition("/")[2]
        node["quantities"] = lambda _, names: [
            {
                "id": f"gid://shopify/InventoryQuantity/{tail}&name={name}",
                "name": name,
                "quantity": counts[name],
                "updatedAt": node["updatedAt"],
            }
            for name in names
            if name in counts
        ]

    def _wire_location(self, node: dict[str, Any]) -> None:
        place = number_of(node["id"]) - data.BASES["Location"]
        node["inventoryLevels"] = lambda _, query=None, **args: self._levels(place, query, args)

    def _levels(self, place: int, query: Query | None, args: Args) -> dict[str, Any]:
        table = self.tables["inventory_levels"]
        head = f"gid://shopify/InventoryLevel/{80_000_001 + place}?"
        found = self._found(table, query)
        ids = [i for i in found if i.startswith(head) and self._stocked(i, args)]
        ids.sort(key=_item_of)
        return connection(ids, lambda i: (_item_of(i),), self.node, args)

    def _stocked(self, level_id: str, args: Args) -> bool:
        return bool(args.get("includeInactive")) or level_id not in self.inactive

    # -- lists

    def listing(
        self, name: str, query: Query | None, args: Args, since: float = EVER
    ) -> dict[str, Any]:
        """The connection over a table that the arguments and the parsed search ask for, of what
        was created `since` then (seconds since the epoch)."""
        table = self.tables[name]
        ids = self._created(table, self._found(table, query), since)
        if name == "locations" and not args.get("includeLegacy"):
            service = gid("Location", data.SERVICE)
            ids = [i for i in ids if i != service]
        by_time = args.get("sortKey") == "UPDATED_AT"
        if by_time:
            ids = sorted(ids, key=lambda i: (int(table.modified(i)), number_of(i)))

        def order(record_id: str) -> tuple[float, ...]:
            number = number_of(record_id)
            return (int(table.modified(record_id)), number) if by_time else (number,)

        return connection(ids, order, self.node, args)

    def total(self, name: str, query: Query | None, since: float = EVER) -> int:
        """How many records a search finds, of what was created `since` then."""
        table = self.tables[name]
        return len(self._created(table, self._found(table, query), since))

    @staticmethod
    def _created(table: Table, ids: Sequence[str], since: float) -> Sequence[str]:
        return ids if since == EVER else [i for i in ids if table.created(i) >= since]

    def _found(self, table: Table, query: Query | None) -> Sequence[str]:
        """Ids that fit, ascending. What was modified within the lag is not in the index yet."""
        if query is None or not (query.terms or self.lag):
            return table.ids()
        low, high = query.span("updated_at")
        high = min(high + 0.999_999, self.clock() - self.lag)
        timed = any(t.name == "updated_at" for t in query.terms) or self.lag
        ids: Sequence[str] = table.ids()
        if timed:
            ids = sorted(table.changed(low, high), key=number_of)
        least, most = query.span("id")
        ids = ids[bisect_left(ids, least, key=number_of) :]
        ids = ids[: bisect_right(ids, most, key=number_of)]
        early, late = query.span("created_at")
        if (early, late) != (float("-inf"), float("inf")):
            ids = [i for i in ids if early <= int(table.created(i)) <= late]
        for name in ("sku", "email", "status"):
            text = query.wanted(name)
            if text is not None:
                ids = [i for i in ids if _text(table, i, name).casefold() == text.casefold()]
        return ids

    def events(self, query: Query | None) -> list[dict[str, Any]]:
        """What happened to products that were made or deleted, oldest first."""
        table = self.tables["products"]
        made = [i for i in table.ids()[self.records :] if table.created(i)]
        found = [("destroy", i, when) for i, when in table.gone.items()]
        found += [("create", i, table.created(i)) for i in made]
        events: list[dict[str, Any]] = [
            {
                "__typename": "BasicEvent",
                "id": f"gid://shopify/BasicEvent/{_event(i, action)}",
                "action": action,
                "appTitle": None,
                "createdAt": at(when),
                "message": f"A product: {action}.",
                "subjectId": i,
                "subjectType": "PRODUCT",
                "_at": when,
            }
            for action, i, when in sorted(found, key=lambda f: (f[2], f[1]))
        ]
        if query is None:
            return events
        low, high = query.span("created_at")
        action, subject = query.wanted("action"), query.wanted("subject_type")
        return [
            event for event in events
            if low <= int(event["_at"]) <= high and action in (None, event["action"])
            and (subject or "PRODUCT").upper() == event["subjectType"]
        ]  # fmt: skip


def _event(product_id: str, action: str) -> int:
    number = number_of(product_id) - data.BASES["Product"]
    return data.BASES["Event"] + 2 * number + (action == "destroy")


def _item_of(level_id: str) -> int:
    return int(level_id.rpartition("=")[2])


def _text(table: Table, record_id: str, name: str) -> str:
    document = table.get(record_id) or {}
    if name == "email" and "defaultEmailAddress" in document:
        return str((document["defaultEmailAddress"] or {}).get("emailAddress", ""))
    return str(document.get(name) or "")

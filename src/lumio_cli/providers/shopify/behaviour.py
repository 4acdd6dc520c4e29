"""How Shopify's resources are read: the document of each walk, and what its nodes become."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lumio_cli.providers.contract.call import Call, Record, Reply, Send, dig
from lumio_cli.providers.contract.paging import Paging
from lumio_cli.providers.contract.resource import Kind, Resource, Walk
from lumio_cli.providers.shopify import bulk, graph, personal
from lumio_cli.providers.shopify import documents as ask
from lumio_cli.providers.shopify.children import children_of, filled
from lumio_cli.providers.shopify.listing import (
    ALONE,
    BULK,
    LISTINGS,
    LOOK,
    METAFIELDS_OF,
    NESTED,
    Keyset,
    owners,
)
from lumio_cli.providers.shopify.rows import nodes_of, owned, shipped, stock


class Listed(Resource):
    """A list of nodes, in pages; by a bulk operation where a full walk will meet many records."""

    flat = False
    """Whether a bulk operation brings the records as children of something else."""
    ends = True
    """Whether a window's end is asked for as well as its beginning."""
    variables: Mapping[str, Any] = {}
    """Further ones of the document, which the paging fills in."""

    def slices(
        self, provider: Any, kind: Kind, expected: int | None
    ) -> Mapping[str, Mapping[str, Any]]:
        """Go in one piece, by a bulk operation where many records are expected."""
        many = kind == "full" and expected is not None and 0 < provider.bulk_from <= expected
        driven = {"parent": self.parents[0]} if self.parents else {}
        return {"": {**driven, "bulk": True} if many and self.name in BULK else driven}

    def pages(self, provider: Any, walk: Walk) -> Paging:
        """Page by a bulk operation where the walk is one, else as declared."""
        if walk.options.get("bulk"):
            return bulk.jobs(self.flat, lambda: bool(provider.relent(self)))
        return super().pages(provider, walk)

    def call(self, provider: Any, walk: Walk) -> Call:
        """Return the document of the walk, planned for a full page."""
        if walk.options.get("bulk"):
            return graph.call(provider.version, ask.RUN, {"query": BULK[self.name]})
        size = self.page_size.get(walk.kind, 100)
        if walk.kind == "tombstones":
            query = "action:destroy AND subject_type:PRODUCT"
            return graph.call(provider.version, ask.DELETED, {"first": size, "query": query})
        terms = []
        if walk.kind == "changes" and walk.window.floor is not None:
            terms.append(f"updated_at:>='{_time(walk.window.floor)}'")
        if walk.kind == "changes" and walk.window.ceiling and self.ends:
            terms.append(f"updated_at:<='{_time(walk.window.ceiling)}'")
        asked = {"query": " AND ".join(terms)} if terms else {}
        variables = {"first": size, **asked, **self.variables}
        return graph.call(provider.version, LISTINGS[self.name], variables)

    def records(self, provider: Any, walk: Walk, reply: Reply) -> list[Record]:
        """Return the nodes of a page, or of a bulk operation's file, as records."""
        if walk.options.get("bulk"):
            nested = NESTED.get(self.name)
            if not bulk.is_file(reply):
                return []
            found = bulk.records(reply, nested.field if nested else "", self.flat)
            return self.shaped(found) if self.flat else found
        if walk.kind == "tombstones":
            events = nodes_of(reply, "events")
            return [{**e, "id": e["subjectId"]} for e in events if dig(e, "subjectId")]
        return self.shaped(super().records(provider, walk, reply))

    def shaped(self, nodes: list[Any]) -> list[Record]:
        """Return nodes as records: as they are."""
        return nodes

    def fill(self, provider: Any, walk: Walk, records: list[Record], send: Send) -> list[Record]:
        """Return records with the children that a page had no room for, as plain lists."""
        nested = NESTED.get(self.name)
        if nested is None or walk.kind == "tombstones":
            return records
        return filled(provider.version, nested, records, send)

    def count(self, provider: Any, send: Send) -> int | None:
        """Return how many there are."""
        return self.count_of(self.name, provider, send)

    def count_of(self, name: str, provider: Any, send: Send) -> int | None:
        """Return how many there are of what is called `name`; None where nothing counts it."""
        if name not in ask.COUNTS:
            return None
        data = dig(send(graph.call(provider.version, ask.COUNTS[name])).json(), "data")
        found = dig(next(iter(data.values())), "count")
        if found is None:
            return None
        if self.name in personal.OF and 0 < provider.bulk_from <= int(found):
            # Pages say which field is refused, a bulk operation does not.
            send(graph.call(provider.version, LISTINGS[self.name], {"first": LOOK}))
        return int(found)

    def alive(self, provider: Any, ids: Sequence[str], send: Send) -> Collection[str]:
        """Return what the shop has a node for: nothing counts fulfillments and inventory items, nor
        the orders of the last 60 days. Stock that is not in use is a node, and not listed."""
        if self.name not in ALONE:
            return ()
        reply = send(graph.call(provider.version, ask.FOUND, {"ids": list(ids)}))
        nodes = dig(reply.json(), "data.nodes") or ()
        return [str(node["id"]) for node in nodes if dig(node, "id")]


class Customers(Listed):
    """Customers. The published description of the filter by time is, of them alone, "matching a
    whole day": where days are what is compared, an end would cut off what has changed today."""

    ends = False


class Fulfillments(Listed):
    """Fulfillments, which are listed with their orders."""

    def shaped(self, nodes: list[Any]) -> list[Record]:
        """Return the fulfillments of orders, each with its order."""
        return [row for order in nodes for row in shipped(order)]


class InventoryLevels(Listed):
    """Stock, location by location."""

    flat = True
    variables: Mapping[str, Any] = {"id": ""}  # a location's, by its paging

    def records(self, provider: Any, walk: Walk, reply: Reply) -> list[Record]:
        """Return the levels; none of a location that is gone, and its stock with it."""
        if not walk.options.get("bulk") and dig(reply.json(), "data.location") is None:
            return []
        return super().records(provider, walk, reply)

    def shaped(self, nodes: list[Any]) -> list[Record]:
        """Return levels with their quantities by name."""
        return [stock(row) for row in nodes]

    def count(self, provider: Any, send: Send) -> int | None:
        """Return how many items there are, at least so many of which are stocked."""
        return self.count_of("inventory_items", provider, send)


class Metafields(Listed):
    """Metafields: in full with their owners, changes by the ids of owners that changed."""

    def slices(
        self, provider: Any, kind: Kind, expected: int | None
    ) -> Mapping[str, Mapping[str, Any]]:
        """Go by the type of the owners."""
        return {parent: {"parent": parent} for parent in self.parents}

    def pages(self, provider: Any, walk: Walk) -> Paging:
        """Page through the owners where all are listed."""
        if walk.kind == "full":
            return Keyset(str(walk.options["parent"]))
        return super().pages(provider, walk)

    def call(self, provider: Any, walk: Walk) -> Call:
        """Return the document of owners with their metafields."""
        if walk.kind == "changes":
            return graph.call(provider.version, ask.OWNED, {"ids": []})
        document = ask.owners(str(walk.options["parent"]))
        size = self.page_size.get(walk.kind, 100)
        return graph.call(provider.version, document, {"first": size})

    def records(self, provider: Any, walk: Walk, reply: Reply) -> list[Record]:
        """Return the owners of a page, or their metafields."""
        if walk.kind == "full":
            return nodes_of(reply, str(walk.options["parent"]))
        return [
            owned(row, owner)
            for owner in owners(reply)
            for row in (dig(owner, "metafields.nodes") or [])
        ]

    def fill(self, provider: Any, walk: Walk, records: list[Record], send: Send) -> list[Record]:
        """Return the metafields of owners. What is no owner stays as it is: it costs itself."""
        if walk.kind != "full":
            return records
        found: list[Record] = []
        for owner in records:
            if isinstance(owner, dict):
                rows = children_of(provider.version, METAFIELDS_OF, owner, send)
                found += [owned(row, owner) for row in rows]
            else:
                found.append(owner)
        return found


def _time(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

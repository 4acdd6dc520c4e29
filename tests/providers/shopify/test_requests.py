"""Every document that the adapter sends is one that Shopify's published schema allows, and costs
no more than was planned for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from graphql import parse

from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.resource import Walk
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.shopify import Shopify, graph
from lumio_cli.providers.shopify.listing import BULK, NESTED
from lumio_cli.providers.shopify.resources import ALL
from lumio_cli.sandbox.shopify import engine
from lumio_cli.transport.attempt import Sender
from providers.shopify_subjects import shop
from support.conformance import Rig
from support.shopify_spec import complaints, path

ROOM = 950
"""What a background run may use of a bucket of 1,000 points."""


@pytest.fixture(autouse=True)
def specs() -> None:
    """The published schema is not part of this project."""
    path()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Call, Reply]]:
    """Everything that goes out, with its answer."""
    seen: list[tuple[Call, Reply]] = []
    attempt = Sender.attempt

    def record(self: Sender, call: Call, *args: Any, **options: Any) -> Reply:
        reply = attempt(self, call, *args, **options)
        seen.append((call, reply))
        return reply

    monkeypatch.setattr(Sender, "attempt", record)
    return seen


def wrong(calls: list[Call]) -> list[str]:
    """What the schema has to say against the calls; each once."""
    found = []
    for call in calls:
        if call.label.startswith("/bulk-operation-outputs"):
            continue
        assert call.path == "/admin/api/2026-07/graphql.json"
        variables = call.json.get("variables") or {}
        assert len(parse(call.json["query"]).definitions) == 1
        for complaint in complaints(call.json["query"], variables):
            found.append(f"{call.json['operationName']}: {complaint}")
        if call.json["operationName"] == "RunBulk":
            found += [f"bulk: {c}" for c in complaints(variables["query"])]
    return sorted(set(found))


def name(call: Call) -> str:
    return call.label.partition("#")[2]


def test_reading_sends_only_documents_that_the_schema_allows(
    make_lab: Callable[..., Rig], calls: list[tuple[Call, Reply]]
) -> None:
    lab = make_lab(60)
    tables = shop(lab.sandbox).tables
    tables["products"].update(tables["products"].ids()[0], {"_variants": 60})
    tables["orders"].update(tables["orders"].ids()[0], {"_lines": 60})
    lab.lumio("connect", "shopify")
    lab.lumio("sync", "shopify")
    lab.clock.forward(3600)
    for kind in ("products", "orders", "customers", "inventory_items", "inventory_levels"):
        tables[kind].update(tables[kind].ids()[1], {})
    tables["products"].delete(tables["products"].ids()[2])
    lab.lumio("sync", "shopify")
    lab.extra["LUMIO_PROVIDERS__SHOPIFY__BULK_FROM"] = "1"
    lab.lumio("sync", "shopify", "--mode", "full")
    names = {name(call) for call, _ in calls}
    expected = "Products ProductVariants OrderLineItems FulfillmentItems InventoryLevels"
    expected += " Metafields MetafieldsOf"
    assert {*expected.split(), "DeletedProducts", "RunBulk", "LookAtBulk", "Who"} <= names
    assert wrong([call for call, _ in calls]) == []


def test_no_call_costs_more_than_planned_and_every_page_fits_the_bucket(
    make_lab: Callable[..., Rig], calls: list[tuple[Call, Reply]]
) -> None:
    make_lab(60).lumio("sync", "shopify")
    for call, reply in calls:
        told = json.loads(reply.body)["extensions"]["cost"]["requestedQueryCost"]
        assert told <= call.cost <= ROOM, name(call)


@pytest.mark.parametrize("resource", [r.name for r in ALL])
def test_full_pages_fit_the_bucket_and_the_limit_of_one_query(resource: str) -> None:
    provider = Shopify({})
    declared = provider.resource(resource)
    for kind, size in declared.page_size.items():
        call = provider.call(Walk(declared, kind, options={"parent": "orders"}))
        if resource == "metafields" and kind == "changes":
            call = declared.paging[kind].ask(
                call, {"keys": [f"gid://shopify/Product/{n}" for n in range(size)]}
            )
        assert 0 < call.cost <= ROOM < graph.MOST
        document, errors = engine.compiled(call.json["query"])
        assert document is not None, errors
        assert engine.meter(document, call.json["variables"], None).requested() <= call.cost


def test_the_children_of_one_record_fit_the_bucket() -> None:
    for nested in NESTED.values():
        assert graph.cost(nested.document, {"id": "x", "after": "y"}) <= ROOM
        assert complaints(nested.document, {"id": "x", "after": "y"}) == []


def test_bulk_queries_keep_the_rules_of_bulk_operations() -> None:
    for query in BULK.values():
        assert complaints(query) == []
        assert query.count("edges") <= 5
        assert "nodes" not in query
        assert "first:" not in query


WRITES = [
    ("products", "create", {"title": "T", "tags": "a, b", "seo_title": "S", "status": "DRAFT"}),
    ("products", "update", {"title": "T", "tags": '["a"]', "vendor": None}),
    ("products", "archive", {}),
    ("customers", "create", {"first_name": "A", "email": "a@example.com", "tax_exempt": "true"}),
    ("customers", "update", {"note": None, "phone": "+4930123", "tags": "vip"}),
    ("customers", "archive", {}),
    ("orders", "update", {"note": "N", "po_number": "1", "tags": "x", "email": "a@example.com"}),
    ("inventory_levels", "update", {"available": "5"}),
    ("inventory_levels", "update", {"on_hand": "5"}),
]


@pytest.mark.parametrize(("kind", "action", "values"), WRITES)
def test_writing_sends_only_documents_that_the_schema_allows(
    kind: str, action: Any, values: dict[str, str | None]
) -> None:
    provider = Shopify({})
    seen: list[Call] = []

    def send(call: Call) -> Reply:
        seen.append(call)
        if name(call) == "StockPlaces":
            node = {"id": "gid://x/1", "item": {"id": "gid://i"}, "location": {"id": "gid://l"}}
            return Reply(200, {}, json.dumps({"data": {"nodes": [node]}}).encode())
        return Reply(200, {}, b'{"data":{"x":{"userErrors":[]}}}')

    change = Change(action, "t", id="" if action == "create" else "gid://x/1", values=values)
    list(provider.write(provider.resource(kind), [change], send))
    assert seen
    assert wrong(seen) == []
    read_only = {c.name for c in provider.resource(kind).columns if c.read_only}
    assert not read_only & values.keys()

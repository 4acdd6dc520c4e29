"""What comes from a shop into the hub: children, stock, metafields, deletions, bulk operations."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lumio_cli.core.stop import Stop
from lumio_cli.providers.shopify import bulk
from lumio_cli.sandbox.http import Request, Response
from lumio_cli.sandbox.shopify.data import metafields
from providers.shopify_subjects import dump, shop
from support.conformance import Rig

BULK_FROM = "LUMIO_PROVIDERS__SHOPIFY__BULK_FROM"
ALL = ("products", "orders", "customers", "inventory_items", "inventory_levels", "fulfillments",
       "locations", "metafields")  # fmt: skip


def payloads(lab: Rig, kind: str) -> dict[str, dict[str, Any]]:
    rows = lab.sql(f"SELECT id, _payload FROM shopify_{kind}")
    return {record_id: json.loads(text) for record_id, text in rows}


def synced(lab: Rig, *words: str, code: int = 0) -> dict[str, dict[str, Any]]:
    outcome = lab.lumio("sync", *(words or ("shopify",)))
    assert outcome.code == code, outcome.out
    return {entry["resource"]: entry for entry in outcome.document["resources"]}


def asked(lab: Rig) -> list[str]:
    return [path.partition("#")[2] for _, _, path, _ in lab.sandbox.requests]


def test_every_resource_comes_and_a_second_sync_changes_nothing(lab: Rig) -> None:
    first = synced(lab)
    assert {name: entry["status"] for name, entry in first.items()} == dict.fromkeys(
        ALL, "succeeded"
    )
    counts = {name: len(payloads(lab, name)) for name in ALL}
    assert counts["inventory_levels"] == 27
    assert counts["locations"] == 4
    assert {counts[n] for n in ("products", "orders", "customers", "fulfillments")} == {12}
    assert counts["metafields"] > 40
    lab.clock.forward(3600)
    second = synced(lab)
    assert {e["created"] + e["updated"] + e["deleted"] for e in second.values()} == {0}


def test_columns_read_what_shopify_nests(lab: Rig) -> None:
    synced(lab)
    ((price, currency, variants),) = lab.sql(
        "SELECT min_price, currency, json_array_length(variants) FROM shopify_products LIMIT 1"
    )
    assert (isinstance(price, float), currency, variants) == (True, "EUR", 1)
    ((total, customer),) = lab.sql(
        "SELECT total, customer_id FROM shopify_orders WHERE customer_id IS NOT NULL LIMIT 1"
    )
    assert total > 0
    assert customer.startswith("gid://shopify/Customer/")
    joined = lab.sql(
        "SELECT count(*) FROM shopify_inventory_levels l"
        " JOIN shopify_inventory_items i ON i.id = l.item_id"
        " JOIN shopify_locations p ON p.id = l.location_id WHERE l.sku = i.sku"
    )
    assert joined == [(27,)]


@pytest.mark.parametrize(
    ("kind", "field", "count"), [("products", "variants", 60), ("orders", "lineItems", 60)]
)
def test_children_beyond_the_first_page_are_all_there(
    lab: Rig, kind: str, field: str, count: int
) -> None:
    table = shop(lab.sandbox).tables[kind]
    first = table.ids()[0]
    table.update(first, {"_variants" if kind == "products" else "_lines": count})
    synced(lab, f"shopify/{kind}")
    children = payloads(lab, kind)[first][field]
    assert len({child["id"] for child in children}) == count
    assert children == next(r for r in dump(lab.sandbox, kind) if r["id"] == first)[field]


def test_items_of_fulfillments_beyond_the_first_page_are_all_there(lab: Rig) -> None:
    tables = shop(lab.sandbox).tables
    tables["orders"].update(tables["orders"].ids()[0], {"_lines": 40})
    synced(lab, "shopify/fulfillments")
    found = payloads(lab, "fulfillments")[tables["fulfillments"].ids()[0]]
    assert len({item["id"] for item in found["fulfillmentLineItems"]}) == 40


def held_by(lab: Rig, owner: str) -> list[dict[str, Any]]:
    return [m for m in payloads(lab, "metafields").values() if m["ownerId"] == owner]


def test_metafields_follow_their_owners(lab: Rig) -> None:
    products = shop(lab.sandbox).tables["products"]
    synced(lab)
    owner = products.ids()[5]
    assert len(held_by(lab, owner)) == 40
    lab.clock.forward(3600)
    fields = (products.get(owner) or {})["metafields"][:30]
    fields[0] = {**fields[0], "value": "changed"}
    products.update(owner, {"metafields": fields})
    assert synced(lab)["metafields"]["mode"] == "incremental"
    assert len(held_by(lab, owner)) == 30
    assert "changed" in {m["value"] for m in held_by(lab, owner)}


def test_metafields_beyond_the_first_page_are_all_there(lab: Rig) -> None:
    products = shop(lab.sandbox).tables["products"]
    for number, owner in enumerate(products.ids()[:2]):
        products.update(owner, {"metafields": metafields(number, "Product", 130)})
    synced(lab)
    assert {len(held_by(lab, owner)) for owner in products.ids()[:2]} == {130}
    assert "MetafieldsNext" in asked(lab)
    lab.clock.forward(3600)
    for number, owner in enumerate(products.ids()[:2]):
        products.update(owner, {"metafields": metafields(number, "Product", 140)})
    synced(lab)
    assert {len(held_by(lab, owner)) for owner in products.ids()[:2]} == {140}
    assert "MetafieldsMore" in asked(lab)


def test_stock_that_changed_comes_with_its_window(lab: Rig) -> None:
    synced(lab)
    lab.clock.forward(3600)
    levels = shop(lab.sandbox).tables["inventory_levels"]
    changed = levels.ids()[3]
    counts = levels.get(changed)["_counts"]  # type: ignore[index]
    levels.update(changed, {"_counts": {**counts, "available": 777}})
    entry = synced(lab)["inventory_levels"]
    assert (entry["mode"], entry["read"], entry["updated"]) == ("incremental", 1, 1)
    assert payloads(lab, "inventory_levels")[changed]["quantities"]["available"] == 777


def test_a_fulfillment_comes_with_the_order_that_it_changes(lab: Rig) -> None:
    synced(lab)
    account = shop(lab.sandbox).account
    lab.clock.forward(3600)
    order = account.tables["orders"].ids()[1]
    made = account.fulfill(order, name="second")
    entry = synced(lab)["fulfillments"]
    assert (entry["mode"], entry["created"]) == ("incremental", 1)
    assert payloads(lab, "fulfillments")[made]["order"]["id"] == order


def test_a_deleted_product_is_found_without_a_full_sync(lab: Rig) -> None:
    synced(lab)
    lab.clock.forward(3600)
    products = shop(lab.sandbox).tables["products"]
    gone = products.ids()[2]
    products.delete(gone)
    assert synced(lab, "shopify/products")["products"]["deleted"] == 1
    assert gone not in payloads(lab, "products")


# -- bulk operations


@pytest.mark.parametrize(
    "kind", ["products", "orders", "customers", "inventory_items", "inventory_levels"]
)
def test_a_bulk_operation_brings_the_same_records_as_pages(
    lab: Rig, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "CHUNK", 4096)
    table = shop(lab.sandbox).tables
    table["products"].update(table["products"].ids()[0], {"_variants": 60})
    table["orders"].update(table["orders"].ids()[0], {"_lines": 60})
    paged = synced(lab, "shopify/locations", f"shopify/{kind}")[kind]
    assert "RunBulk" not in asked(lab)
    before = payloads(lab, kind)
    lab.extra[BULK_FROM] = "1"
    entry = synced(lab, f"shopify/{kind}", "--mode", "full")[kind]
    assert asked(lab).count("RunBulk") == 1
    assert (entry["read"], entry["unchanged"]) == (paged["read"], paged["read"])
    assert payloads(lab, kind) == before


def test_a_bulk_operation_is_gone_on_with_where_it_was_left(
    lab: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "CHUNK", 4096)
    lab.extra[BULK_FROM] = "1"
    like, stop, parts = shop(lab.sandbox), Stop(), []
    handle = like.handle

    def watching(request: Request) -> Response:
        if request.path.startswith("/bulk-operation-outputs"):
            parts.append(request.headers["range"])
            if len(parts) == 2:
                stop.set("SIGTERM", 143)
        return handle(request)

    like.handle = watching  # type: ignore[method-assign]
    assert lab.lumio("sync", "shopify/products", stop=stop).code == 143
    assert 0 < len(payloads(lab, "products")) < 12
    synced(lab, "shopify/products")
    assert len(payloads(lab, "products")) == 12
    assert len(set(parts)) == len(parts) > 3
    assert len(like.bulk.operations) == 1


def test_an_operation_whose_file_has_expired_is_begun_anew(
    lab: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "CHUNK", 4096)
    lab.extra[BULK_FROM] = "1"
    like, stop = shop(lab.sandbox), Stop()
    handle = like.handle

    def watching(request: Request) -> Response:
        if request.path.startswith("/bulk-operation-outputs"):
            stop.set("SIGTERM", 143)
        return handle(request)

    like.handle = watching  # type: ignore[method-assign]
    assert lab.lumio("sync", "shopify/products", stop=stop).code == 143
    lab.clock.forward(8 * 86_400)
    synced(lab, "shopify/products")
    assert len(payloads(lab, "products")) == 12
    assert sum(name == "Products" for name in asked(lab)) > 0


def test_an_operation_that_fails_fails_its_resource_and_is_begun_anew(lab: Rig) -> None:
    lab.extra[BULK_FROM] = "1"
    like = shop(lab.sandbox)
    like.bulk.failure = "INTERNAL_SERVER_ERROR"
    entry = synced(lab, "shopify/products", code=5)["products"]
    assert "INTERNAL_SERVER_ERROR" in entry["error"]["message"]
    like.bulk.failure = ""
    synced(lab, "shopify/products")
    assert len(payloads(lab, "products")) == 12


def test_an_empty_shop_has_no_bulk_file(make_lab: Any) -> None:
    lab = make_lab(0)
    lab.extra[BULK_FROM] = "1"
    assert synced(lab)["products"]["read"] == 0

"""Pages that contradict themselves, nulls among rows and children, shops that are not to be had."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract import json_reading
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.resource import Walk, Window
from lumio_cli.providers.contract.verdict import Outcome
from lumio_cli.providers.shopify import Shopify, bulk
from lumio_cli.providers.shopify.listing import Keyset
from providers.shopify_subjects import shop
from support.conformance import Rig

from .test_personal import told
from .test_reading import BULK_FROM, asked, payloads, synced

GRAPHQL = "/admin/api/*/graphql.json"
JSON = {"content-type": "application/json; charset=utf-8"}


def page(nodes: list[Any], more: Any = True, token: str | None = "c1") -> Reply:
    info = {"hasNextPage": more, "endCursor": token}
    body = {"data": {"orders": {"nodes": nodes, "pageInfo": info}}}
    return Reply(200, JSON, json.dumps(body).encode())


def node(number: int) -> dict[str, str]:
    return {"id": f"gid://shopify/Order/{number}"}


# -- where a walk goes on


@pytest.mark.parametrize(
    ("reply", "following"),
    [
        (page([node(7), node(9)]), {"size": 2, "above": "9"}),
        (page([node(7), node(9)], token=None), {"size": 2, "above": "9"}),
        (page([node(7), None]), {"size": 2, "above": "7"}),
        (page([]), {"size": 2, "above": "5", "token": "c1"}),
        (page([None, {"id": {}}]), {"size": 2, "above": "5", "token": "c1"}),
        (page([node(7)], more=False), None),
        (page([], more=False), None),
    ],
)
def test_a_walk_goes_on_above_the_last_id_or_else_at_the_pages_end(
    reply: Reply, following: Any
) -> None:
    place = {"size": 2, "above": "5"}
    assert Keyset("orders").next(place, reply, []) == following


@pytest.mark.parametrize("reply", [page([], token=None), page([None], token="")])
def test_more_without_a_place_is_no_end(reply: Reply) -> None:
    with pytest.raises(BadReplyError, match="not where"):
        Keyset("orders").next({"size": 2}, reply, [])


def test_a_page_that_does_not_say_whether_it_is_the_last_is_no_end() -> None:
    with pytest.raises(BadReplyError, match="whether more follow"):
        Keyset("orders").next({"size": 2}, page([node(7)], more=None), [])


def test_a_cursor_goes_on_within_the_same_list() -> None:
    provider = Shopify({})
    walk = Walk(provider.resource("orders"), "full")
    call = provider.call(walk)
    place = {"size": 2, "above": "5", "token": "c1"}
    variables = Keyset("orders").ask(call, place).json["variables"]
    assert variables == {"first": 2, "after": "c1", "query": "id:>5"}


OPERATIONS = {
    "products": "Products",
    "orders": "Orders",
    "customers": "Customers",
    "inventory_items": "InventoryItems",
    "locations": "Locations",
    "inventory_levels": "InventoryLevels",
    "fulfillments": "Fulfillments",
    "metafields": "Metafields",
}


@pytest.mark.parametrize("kind", OPERATIONS)
def test_an_empty_first_page_that_says_more_is_gone_on_from(lab: Rig, kind: str) -> None:
    if kind == "inventory_levels":
        synced(lab, "shopify/locations")
    if kind == "metafields":
        synced(lab, "shopify/products", "shopify/customers", "shopify/orders")
    lab.sandbox.faults.set([f"hollow:times=2:path={GRAPHQL}#{OPERATIONS[kind]}"])
    assert synced(lab, f"shopify/{kind}")[kind]["status"] == "succeeded"
    assert lab.sandbox.faults.report()[0]["struck"] == 2
    found = set(payloads(lab, kind))
    lab.sandbox.faults.clear()
    again = synced(lab, f"shopify/{kind}", "--mode", "full")[kind]
    assert (again["created"], again["deleted"]) == (0, 0)
    assert len(found) == again["read"] > 0


def test_an_empty_page_in_between_is_gone_on_from(make_lab: Callable[..., Rig]) -> None:
    lab = make_lab(60)
    lab.sandbox.faults.set([f"hollow:after=1:times=1:path={GRAPHQL}#Orders"])
    assert synced(lab, "shopify/orders")["orders"]["read"] == 60
    assert lab.sandbox.faults.report()[0]["struck"] == 1


def test_children_that_say_more_and_not_where_are_not_taken_for_all(lab: Rig) -> None:
    table = shop(lab.sandbox).tables["products"]
    table.update(table.ids()[0], {"_variants": 60})
    lab.sandbox.faults.set([f"nowhere:path={GRAPHQL}#ProductVariants"])
    entry = synced(lab, "shopify/products", code=5)["products"]
    assert "not where" in entry["error"]["message"]
    lab.sandbox.faults.clear()
    synced(lab, "shopify/products")
    assert len(payloads(lab, "products")[table.ids()[0]]["variants"]) == 60


def test_children_whose_page_is_empty_are_gone_on_with(lab: Rig) -> None:
    table = shop(lab.sandbox).tables["products"]
    table.update(table.ids()[0], {"_variants": 60})
    lab.sandbox.faults.set([f"hollow:times=1:path={GRAPHQL}#ProductVariants"])
    synced(lab, "shopify/products")
    assert len(payloads(lab, "products")[table.ids()[0]]["variants"]) == 60


# -- one bad value


@pytest.mark.parametrize(
    "kind", ["products", "orders", "customers", "inventory_items", "locations", "inventory_levels"]
)
def test_a_null_among_rows_costs_itself(lab: Rig, kind: str) -> None:
    if kind == "inventory_levels":
        synced(lab, "shopify/locations")
    lab.sandbox.faults.set([f"nullrow:times=1:path={GRAPHQL}#{OPERATIONS[kind]}"])
    entry = synced(lab, f"shopify/{kind}", code=3)[kind]
    assert (entry["status"], entry["failed"]) == ("partial", 1)
    assert entry["created"] == entry["read"] - 1 > 0


@pytest.mark.parametrize(
    ("kind", "field", "failed"),
    [
        ("products", "variants", 0),
        ("orders", "lineItems", 0),
        ("fulfillments", "fulfillments", 1),
        ("fulfillments", "", 1),
        ("metafields", "metafields", 1),
        ("metafields", "", 1),
        ("inventory_levels", "quantities", 0),
    ],
)
def test_a_null_child_costs_nothing_else(lab: Rig, kind: str, field: str, failed: int) -> None:
    synced(lab)
    held = set(payloads(lab, kind))
    fault = f"nullrow:{field}" if field else "nullrow"
    lab.sandbox.faults.set([f"{fault}:times=1:path={GRAPHQL}#{OPERATIONS[kind]}"])
    entry = synced(lab, f"shopify/{kind}", "--mode", "full", code=3 if failed else 0)[kind]
    assert lab.sandbox.faults.report()[0]["struck"] == 1
    assert (entry["failed"], entry["deleted"]) == (failed, 0)
    assert set(payloads(lab, kind)) == held


def test_a_null_metafield_does_not_prove_that_others_are_gone(lab: Rig) -> None:
    synced(lab)
    held = set(payloads(lab, "metafields"))
    products = shop(lab.sandbox).tables["products"]
    lab.clock.forward(3600)
    products.update(products.ids()[5], {"title": "new"})
    lab.sandbox.faults.set([f"nullrow:metafields:path={GRAPHQL}#MetafieldsOf"])
    entry = synced(lab, "shopify/products", "shopify/metafields", code=3)["metafields"]
    assert (entry["mode"], entry["failed"], entry["deleted"]) == ("incremental", 1, 0)
    assert set(payloads(lab, "metafields")) == held


def test_a_null_order_whose_fulfillments_are_text_costs_itself() -> None:
    provider = Shopify({})
    walk = Walk(provider.resource("fulfillments"), "full")
    good = {"id": "gid://shopify/Fulfillment/1"}
    rows = [None, "x", {"id": "o", "fulfillments": None}, {"id": "o", "fulfillments": [None, good]}]
    found = provider.records(walk, page(rows))
    assert [row.get("id") for row in found if isinstance(row, dict)][-1] == good["id"]
    assert len(found) == 5


@pytest.mark.parametrize("kind", ["products", "inventory_levels"])
def test_a_null_line_of_a_bulk_file_costs_itself(lab: Rig, kind: str) -> None:
    synced(lab)
    lab.extra[BULK_FROM] = "1"
    shop(lab.sandbox).bulk.holes = True
    entry = synced(lab, f"shopify/{kind}", "--mode", "full", code=3)[kind]
    count = len(payloads(lab, kind))
    assert (entry["failed"], entry["unchanged"], entry["deleted"]) == (1, count, 0)


def test_lines_that_cannot_be_read_cost_themselves() -> None:
    lines = (
        b'{"id":"gid://shopify/Product/1"}\n'
        b'{"id":"gid://shopify/ProductVariant/1","__parentId":"gid://shopify/Product/1"}\n'
        b"null\n"
        b'{"id":"gid://shopify/ProductVariant/2","price":NaN\n'
        b'"text"\n'
        b'{"id":"gid://shopify/ProductVariant/3","__parentId":"gid://shopify/Product/1"}\n'
    )
    found: list[Any] = bulk.records(Reply(200, {}, lines), "variants", False)
    assert [variant["id"][-1] for variant in found[0]["variants"]] == ["1", "3"]
    assert found[1:] == [
        None,
        {"unreadable": '{"id":"gid://shopify/ProductVariant/2","price":NaN'},
        "text",
    ]


def test_a_chunk_does_not_end_at_a_line_that_is_no_parent() -> None:
    lines = (
        b'{"id":"gid://shopify/Product/1"}\nnull\n'
        b'{"id":"x","__parentId":"gid://shopify/Product/1"}\n'
    )
    content = lines * 2
    first = content[: len(lines) + 45]
    headers = {"content-range": f"bytes 0-{len(first) - 1}/{len(content)}"}
    body, more = bulk.chunk(Reply(206, headers, first), False)
    assert (body, more) == (lines, True)


def test_a_page_of_html_is_no_bulk_file() -> None:
    with pytest.raises(BadReplyError, match="not one of JSON lines"):
        bulk.records(Reply(200, {}, b"<html>\n<body>\n"), "variants", False)


@pytest.mark.attack("answers")
def test_a_chunk_of_more_than_a_page_can_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MOST_LINES", 5)
    with pytest.raises(BadReplyError, match="more than 5 lines"):
        bulk.records(Reply(200, {}, b"\n" * 6), "variants", False)
    monkeypatch.setattr(json_reading, "MAX_VALUES", 5)
    with pytest.raises(BadReplyError, match="more than 5 values"):
        bulk.records(Reply(200, {}, b'{"id":[1,2,3]}\n{"id":[4,5]}\n'), "variants", False)


# -- what was never asked for


def test_a_fulfillment_services_location_comes_with_its_stock(lab: Rig) -> None:
    synced(lab)
    assert lab.sql("SELECT count(*) FROM shopify_locations WHERE is_fulfillment_service") == [(1,)]
    stock = "SELECT count(*) FROM shopify_inventory_levels l JOIN shopify_locations p"
    stock += " ON p.id = l.location_id WHERE "
    assert lab.sql(f"{stock} p.is_fulfillment_service") == [(3,)]
    assert lab.sql(f"{stock} NOT l.is_active") == [(1,)]
    before = payloads(lab, "inventory_levels")
    lab.extra[BULK_FROM] = "1"
    assert (
        synced(lab, "shopify/inventory_levels", "--mode", "full")["inventory_levels"]["read"] == 27
    )
    assert payloads(lab, "inventory_levels") == before


@pytest.mark.parametrize(("kind", "ends"), [("customers", False), ("orders", True)])
def test_a_window_of_customers_has_no_end(kind: str, ends: bool) -> None:
    from datetime import UTC, datetime

    provider, moment = Shopify({}), datetime(2026, 11, 1, 12, tzinfo=UTC)
    walk = Walk(provider.resource(kind), "changes", window=Window(moment, moment))
    assert ("<=" in provider.call(walk).json["variables"]["query"]) is ends


# -- what bulk operations leave behind


def test_after_a_bulk_walk_only_what_changed_is_read(lab: Rig) -> None:
    lab.extra[BULK_FROM] = "1"
    first = synced(lab)["inventory_levels"]
    assert (first["read"], asked(lab).count("InventoryLevels")) == (27, 0)
    lab.clock.forward(3600)
    levels = shop(lab.sandbox).tables["inventory_levels"]
    levels.update(levels.ids()[3], {})
    entry = synced(lab)["inventory_levels"]
    assert (entry["mode"], entry["read"]) == ("incremental", 1)


def test_a_location_that_is_new_after_a_bulk_walk_comes_with_all_of_its_stock(lab: Rig) -> None:
    lab.extra[BULK_FROM] = "1"
    tables = shop(lab.sandbox).tables
    late = tables["locations"].ids()[1]
    tables["locations"]._absent.add(late)
    synced(lab)
    # What its export had of it: its location was not known yet.
    lab.clock.forward(3600)
    tables["locations"]._absent.discard(late)
    entry = synced(lab)["inventory_levels"]
    assert (entry["mode"], entry["read"]) == ("incremental", 12)


def test_metafields_go_with_their_owner(lab: Rig) -> None:
    synced(lab)
    products = shop(lab.sandbox).tables["products"]
    owner, lost = products.ids()[5], 40
    held = len(payloads(lab, "metafields"))
    lab.clock.forward(3600)
    products.delete(owner)
    entry = synced(lab)["metafields"]
    assert (entry["mode"], entry["status"], entry["deleted"]) == ("incremental", "succeeded", lost)
    assert len(payloads(lab, "metafields")) == held - lost
    assert synced(lab)["metafields"]["deleted"] == 0


def test_children_that_go_in_circles_are_an_error() -> None:
    def lines(token: str) -> dict[str, Any]:
        return {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": token}}

    def send(call: Call) -> Reply:
        following = "b" if call.json["variables"]["after"] == "a" else "a"
        document = {"data": {"order": {"lineItems": lines(following)}}}
        return Reply(200, JSON, json.dumps(document).encode())

    walk = Walk(Shopify({}).resource("orders"), "full")
    record = {**node(1), "lineItems": lines("a")}
    with pytest.raises(BadReplyError, match="do not end"):
        Shopify({}).fill(walk, [record], send)


# -- shops and versions


@pytest.mark.parametrize(
    ("status", "words"),
    [(402, "frozen"), (403, "closed, paused or frozen"), (404, "no such shop"), (423, "locked")],
)
def test_a_shop_that_is_not_to_be_had_is_told_as_what_it_is(
    lab: Rig, status: int, words: str
) -> None:
    shop(lab.sandbox).closed = status
    entry = synced(lab, "shopify/products", code=1)["products"]
    assert (entry["status"], entry["error"]["code"]) == ("failed", "request_rejected")
    assert words in entry["error"]["message"]
    assert "permission" not in entry["error"]["hint"]


def test_a_request_that_is_taken_for_an_attack_is_sent_again() -> None:
    verdict = Shopify({}).judge(Reply(430, {"content-type": "text/html"}, b"<html>"))
    assert verdict is not None
    assert verdict.outcome is Outcome.RETRY


def test_a_version_that_answers_for_another_is_told(lab: Rig) -> None:
    assert told(synced(lab, "shopify/products")["products"]) == []
    shop(lab.sandbox).serves = "2026-10"
    (warning,) = told(synced(lab, "shopify/products")["products"])
    assert "2026-10" in warning
    assert "2026-07" in warning
    assert "api_version" in warning


def test_a_version_that_answers_for_another_is_told_once_a_run(lab: Rig) -> None:
    shop(lab.sandbox).serves = "2026-10"
    entries = lab.lumio("sync", "shopify").document["resources"]
    assert len(entries) > 3
    assert sum("2026-10" in warning for entry in entries for warning in told(entry)) == 1

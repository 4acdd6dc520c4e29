"""What Shopify's look-alike does not show, to whom, and how its pages contradict themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import httpx
import pytest

from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.shopify import Shopify

GRAPHQL = "/admin/api/2026-07/graphql.json"
DAY = 86_400.0
ORDERS = """query Orders($after: String) {
  orders(first: 5, after: $after, sortKey: ID) {
    nodes { id email fulfillments { id } } pageInfo { hasNextPage endCursor }
  }
}"""


class Shop:
    """A running look-alike, asked with one of its tokens."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.like = cast(Shopify, sandbox.providers["shopify"])
        self.http = httpx.Client(base_url=sandbox.base_url("shopify"), trust_env=False)

    def ask(self, document: str, token: str = "full", **variables: Any) -> Any:
        """The whole answer to a document."""
        headers = {"X-Shopify-Access-Token": self.sandbox.token("shopify", token)}
        body = {"query": document, "variables": variables}
        return self.http.post(GRAPHQL, json=body, headers=headers).json()

    def data(self, document: str, token: str = "full", **variables: Any) -> Any:
        """The data of an answer without errors."""
        answer = self.ask(document, token, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def control(self, action: str, body: Any) -> int:
        """The status of a request to the control interface."""
        url = self.sandbox.base_url("shopify").removesuffix("/shopify")
        return self.http.post(f"{url}/_sandbox/shopify/{action}", json=body).status_code


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Sandbox(
        records=12, quota="none", clock=lambda: 1_795_000_000.0, providers=("shopify",)
    ) as running:
        found = Shop(running)
        yield found
        found.http.close()


# -- orders older than 60 days


def test_orders_older_than_60_days_are_shown_with_read_all_orders_only(shop: Shop) -> None:
    count = "{ ordersCount(limit: null) { count } }"
    assert shop.data(count)["ordersCount"]["count"] == 12
    assert shop.data(count, "recent_orders")["ordersCount"]["count"] == 0
    made = shop.like.account.create("orders")
    listed = shop.data(ORDERS, "recent_orders")["orders"]["nodes"]
    assert [order["id"] for order in listed] == [made]
    assert shop.control("age", {"order": made, "days": 59}) == 200
    assert len(shop.data(ORDERS, "recent_orders")["orders"]["nodes"]) == 1
    assert shop.control("age", {"order": made, "days": 61}) == 200
    assert shop.data(ORDERS, "recent_orders")["orders"]["nodes"] == []


def test_what_hangs_on_a_hidden_order_is_hidden(shop: Shop) -> None:
    tables = shop.like.tables
    order, shipment = tables["orders"].ids()[0], tables["fulfillments"].ids()[0]
    ids = "query Of($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    assert None not in shop.data(ids, ids=[order, shipment])["nodes"]
    assert shop.data(ids, "recent_orders", ids=[order, shipment])["nodes"] == [None, None]


def test_a_bulk_operation_hides_old_orders_too(shop: Shop) -> None:
    recent = shop.like.vault.tokens[shop.sandbox.token("shopify", "recent_orders")]
    scopes = frozenset(recent.scopes)
    query = "{ orders { edges { node { id } } } }"
    for granted, count in ((scopes, "0"), (scopes | {"read_all_orders"}, "12")):
        begun = shop.like.bulk.submit(query, True, granted)["bulkOperation"]
        shop.like.bulk.shown(begun["id"])
        found = shop.like.bulk.shown(begun["id"])
        assert found is not None
        assert (found["status"], found["objectCount"]) == ("COMPLETED", count)


# -- locations and stock


def test_legacy_locations_and_inactive_stock_are_shown_where_asked_for(shop: Shop) -> None:
    places = "{ locations(first: 9%s) { nodes { id isFulfillmentService } } }"
    assert [p["isFulfillmentService"] for p in shop.data(places % "")["locations"]["nodes"]] == (
        [False] * 3
    )
    more = shop.data(places % ", includeLegacy: true")["locations"]["nodes"]
    assert [p["isFulfillmentService"] for p in more] == [False] * 3 + [True]
    levels = (
        "query Stock($id: ID!) { location(id: $id) {"
        " inventoryLevels(first: 50%s) { nodes { isActive } } } }"
    )
    second = more[1]["id"]
    found = shop.data(levels % "", id=second)["location"]["inventoryLevels"]["nodes"]
    assert [level["isActive"] for level in found] == [True] * 11
    found = shop.data(levels % ", includeInactive: true", id=second)["location"]["inventoryLevels"]
    assert sorted(level["isActive"] for level in found["nodes"]) == [False] + [True] * 11


# -- protected customer data


def test_a_protected_field_is_an_error_with_its_path_and_a_null(shop: Shop) -> None:
    assert shop.control("refuse", {"contents": ["email"]}) == 200
    answer = shop.ask(ORDERS)
    assert [order["email"] for order in answer["data"]["orders"]["nodes"]] == [None] * 5
    assert answer["errors"][0]["path"] == ["orders", "nodes", 0, "email"]
    assert answer["errors"][0]["message"].startswith("This app is not approved to use the email")
    assert answer["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"
    assert "requiredAccess" not in answer["errors"][0]["extensions"]


def test_a_protected_field_that_is_never_null_takes_its_record_with_it(shop: Shop) -> None:
    shop.control("refuse", {"contents": ["name"]})
    answer = shop.ask("{ customers(first: 2) { nodes { id displayName } } }")
    assert answer["data"] is None
    assert answer["errors"][0]["path"] == ["customers", "nodes", 0, "displayName"]


def test_an_object_may_be_refused_whole(shop: Shop) -> None:
    shop.control("refuse", {"contents": ["Customer"]})
    (error,) = shop.ask("{ customers(first: 2) { nodes { id } } }")["errors"]
    assert "not approved to access the Customer object" in error["message"]
    assert error["path"] == ["customers"]


def test_a_bulk_operation_does_not_say_which_field_it_was_refused_for(shop: Shop) -> None:
    shop.control("refuse", {"contents": ["email"]})
    bulk = shop.like.bulk
    for query, status in (
        ("{ orders { edges { node { id email } } } }", "FAILED"),
        ("{ orders { edges { node { id } } } }", "COMPLETED"),
        ("{ products { edges { node { id } } } }", "COMPLETED"),
    ):
        begun = bulk.submit(query, True, frozenset(shop.like.vault.scopes))["bulkOperation"]
        bulk.shown(begun["id"])
        found = bulk.shown(begun["id"])
        assert found is not None
        assert found["status"] == status
        assert found["errorCode"] == ("ACCESS_DENIED" if status == "FAILED" else None)


def test_what_is_no_customer_data_cannot_be_refused(shop: Shop) -> None:
    assert shop.control("refuse", {"contents": ["price"]}) == 400
    assert shop.like.refused == frozenset()


# -- shops and versions


@pytest.mark.parametrize("status", [402, 403, 404, 423])
def test_a_shop_that_is_not_to_be_had_says_so_whatever_is_asked(shop: Shop, status: int) -> None:
    shop.control("closed", {"status": status})
    headers = {"X-Shopify-Access-Token": shop.sandbox.token("shopify")}
    answer = shop.http.post(GRAPHQL, json={"query": "{ shop { id } }"}, headers=headers)
    assert answer.status_code == status
    assert isinstance(answer.json()["errors"], str)


def test_a_version_may_be_served_in_place_of_another(shop: Shop) -> None:
    shop.control("serves", {"version": "2026-10"})
    headers = {"X-Shopify-Access-Token": shop.sandbox.token("shopify")}
    answer = shop.http.post(GRAPHQL, json={"query": "{ shop { id } }"}, headers=headers)
    assert answer.headers["X-Shopify-API-Version"] == "2026-10"


# -- pages that contradict themselves


def test_a_hollow_page_names_the_place_of_its_rows(shop: Shop) -> None:
    shop.sandbox.faults.set(["hollow:times=2"])
    after, seen, cursors = None, [], []
    for _ in range(5):
        page = shop.data(ORDERS, after=after)["orders"]
        seen.append(len(page["nodes"]))
        after = page["pageInfo"]["endCursor"]
        cursors.append(after)
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert seen == [0, 0, 5, 5, 2]
    assert len(set(cursors)) == 5


def test_a_page_may_lose_its_place_or_say_that_it_is_the_last(shop: Shop) -> None:
    shop.sandbox.faults.set(["nowhere:times=1", "last:after=1:times=1"])
    page = shop.data(ORDERS)["orders"]
    assert (len(page["nodes"]), page["pageInfo"]) == (5, {"hasNextPage": True, "endCursor": None})
    page = shop.data(ORDERS)["orders"]
    assert (len(page["nodes"]), page["pageInfo"]["hasNextPage"]) == (5, False)


def test_a_child_may_be_null(shop: Shop) -> None:
    shop.sandbox.faults.set(["nullrow:fulfillments:times=1"])
    first, second, *_ = shop.data(ORDERS)["orders"]["nodes"]
    assert (first["fulfillments"], len(second["fulfillments"])) == ([None], 1)

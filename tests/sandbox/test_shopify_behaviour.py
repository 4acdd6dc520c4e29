"""The look-alike of Shopify behaves as Shopify says that it does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.lookalike import CLIENT_ID, CLIENT_SECRET
from lumio_cli.sandbox.shopify import Shopify

GRAPHQL = "/admin/api/2026-07/graphql.json"
PAGE = """query Page($first: Int, $after: String, $query: String, $sort: ProductSortKeys = ID) {
  products(first: $first, after: $after, query: $query, sortKey: $sort) {
    nodes { id title updatedAt } pageInfo { hasNextPage endCursor }
  }
}"""
SET = """mutation Set($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { changes { delta } } userErrors { code field message }
  }
}"""
RUN = """mutation Run($query: String!, $grouped: Boolean!) {
  bulkOperationRunQuery(query: $query, groupObjects: $grouped) {
    bulkOperation { id status } userErrors { code message }
  }
}"""
LOOK = "query Look($id: ID!) { bulkOperation(id: $id) { status errorCode url objectCount } }"
BULK = "{ products { edges { node { id title variants { edges { node { id sku } } } } } } }"


def shop(sandbox: Sandbox) -> Shopify:
    """The look-alike."""
    return cast(Shopify, sandbox.providers["shopify"])


def connect(sandbox: Sandbox, token: str = "full") -> httpx.Client:
    """A client with one of the look-alike's tokens."""
    return httpx.Client(
        base_url=sandbox.base_url("shopify"),
        headers={"X-Shopify-Access-Token": sandbox.token("shopify", token)},
        timeout=30,
        trust_env=False,
    )


def ask(client: httpx.Client, document: str, **variables: Any) -> dict[str, Any]:
    """The whole answer to a document."""
    body = {"query": document, "variables": variables}
    answer: dict[str, Any] = client.post(GRAPHQL, json=body).json()
    return answer


def data(client: httpx.Client, document: str, **variables: Any) -> Any:
    """The data of an answer without errors."""
    answer = ask(client, document, **variables)
    assert "errors" not in answer, answer["errors"]
    return answer["data"]


class Clock:
    """A clock that is moved by hand."""

    now = 1_795_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(records=60, quota="none", clock=clock, providers=("shopify",)) as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with connect(sandbox) as http:
        yield http


def ids_of(client: httpx.Client, **variables: Any) -> list[str]:
    found: list[str] = []
    after = None
    while True:
        page = data(client, PAGE, **{"first": 25, **variables, "after": after})["products"]
        found += [node["id"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found


@pytest.mark.parametrize("token", ["wrong", "expired"])
def test_a_bad_token_is_refused_by_http(sandbox: Sandbox, token: str) -> None:
    value = "shpat_no_such_token" if token == "wrong" else sandbox.token("shopify", token)
    with connect(sandbox) as http:
        answer = http.post(
            GRAPHQL, headers={"X-Shopify-Access-Token": value}, json={"query": "{shop{id}}"}
        )
    assert answer.status_code == 401
    assert answer.json()["errors"].startswith("[API] Invalid API key or access token")


def test_a_missing_scope_is_an_error_with_status_200(sandbox: Sandbox) -> None:
    with connect(sandbox, "products_only") as http:
        assert ids_of(http)
        answer = ask(http, "{ customers(first: 1) { nodes { id } } }")
        (error,) = answer["errors"]
        assert error["extensions"]["code"] == "ACCESS_DENIED"
        assert "`read_customers`" in error["extensions"]["requiredAccess"]
        wrote = ask(
            http, 'mutation { productCreate(product: {title: "x"}) { userErrors { message } } }'
        )
        assert "`write_products`" in wrote["errors"][0]["message"]


def test_pages_bring_every_record_once_in_the_order_of_ids(client: httpx.Client) -> None:
    found = ids_of(client)
    assert len(found) == len(set(found)) == 60
    assert found == sorted(found, key=lambda i: int(i.rpartition("/")[2]))
    assert int(found[0].rpartition("/")[2]) > 2**53


@pytest.mark.parametrize("first", [0, 251])
def test_a_page_has_1_to_250_records(client: httpx.Client, first: int) -> None:
    assert ask(client, PAGE, first=first)["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert "first or last" in ask(client, PAGE)["errors"][0]["message"]


def test_searches_by_time_include_both_ends_and_by_id_exclude_what_they_say(
    client: httpx.Client, sandbox: Sandbox, clock: Clock
) -> None:
    first, second, third = ids_of(client)[:3]
    for record_id in (second, third):
        clock.now += 60
        shop(sandbox).tables["products"].update(record_id, {"title": "new"})
    times = [n["updatedAt"] for n in data(client, PAGE, first=250)["products"]["nodes"]][1:3]
    low, high = times
    assert ids_of(client, query=f"updated_at:>='{low}' AND updated_at:<='{high}'") == [
        second,
        third,
    ]
    assert ids_of(client, query=f"updated_at:>'{low}'") == [third]
    assert ids_of(client, query=f"updated_at:>='{low}' id:>{second.rpartition('/')[2]}") == [third]
    assert ids_of(client, query=f"updated_at:>='{low}'", sort="UPDATED_AT") == [second, third]
    assert first not in ids_of(client, query=f"id:>{first.rpartition('/')[2]}")


def test_a_search_that_is_not_understood_is_ignored_with_a_warning(client: httpx.Client) -> None:
    answer = ask(client, PAGE, first=2, query="colour:red")
    assert len(answer["data"]["products"]["nodes"]) == 2
    assert answer["extensions"]["search"][0]["warnings"][0]["field"] == "colour"


def test_the_index_lags(clock: Clock) -> None:
    with (
        Sandbox(
            records=3, quota="none", clock=clock, search_lag=10, providers=("shopify",)
        ) as running,
        connect(running) as http,
    ):
        made = shop(running).account.create("products", title="late")
        assert made not in ids_of(http, query="updated_at:>='2026-01-01T00:00:00Z'")
        clock.now += 11
        assert made in ids_of(http, query="updated_at:>='2026-01-01T00:00:00Z'")


def test_costs_drain_a_bucket_that_flows_back(clock: Clock) -> None:
    document = "{ products(first: 250) { nodes { id variants(first: 250) { nodes { id } } } } }"
    with (
        Sandbox(records=3, clock=clock, providers=("shopify",)) as running,
        connect(running) as http,
    ):
        cost = ask(http, document)["extensions"]["cost"]
        assert cost["requestedQueryCost"] == 2 + 11 * (1 + 2 + 11)
        assert cost["actualQueryCost"] < cost["requestedQueryCost"]
        left = cost["throttleStatus"]["currentlyAvailable"]
        assert left == 1000 - cost["actualQueryCost"]
        shop(running).bucket.level = 50
        refused = ask(http, document)
        assert refused["errors"][0]["extensions"]["code"] == "THROTTLED"
        assert refused["extensions"]["cost"]["actualQueryCost"] is None
        assert running.violations == 1
        clock.now += 10
        assert "errors" not in ask(http, document)


def test_no_query_may_cost_more_than_1000(client: httpx.Client) -> None:
    inner = "lineItems(first: 250) { nodes { id product { id } variant { id } } }"
    thrice = " ".join(f"{alias}: {inner}" for alias in ("a", "b", "c"))
    answer = ask(client, f"{{ orders(first: 250) {{ nodes {{ id {thrice} }} }} }}")
    assert answer["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"


MAKE = """mutation Make($product: ProductCreateInput) {
  productCreate(product: $product) { product { id } userErrors { field message } }
}"""
UNMAKE = """mutation Unmake($input: CustomerDeleteInput!) {
  customerDelete(input: $input) { deletedCustomerId userErrors { message } }
}"""


def test_what_is_wrong_with_a_value_is_a_user_error(client: httpx.Client) -> None:
    made = data(client, MAKE, product={"title": " "})["productCreate"]
    assert made["userErrors"] == [{"field": ["title"], "message": "Title can't be blank"}]
    gone = data(client, UNMAKE, input={"id": "gid://shopify/Customer/1"})["customerDelete"]
    assert gone["userErrors"] == [{"message": "Customer can't be found"}]


def stock(client: httpx.Client) -> tuple[dict[str, Any], int]:
    document = """{ locations(first: 1) { nodes { id inventoryLevels(first: 1) { nodes {
      item { id } quantities(names: ["available"]) { quantity } } } } } }"""
    (place,) = data(client, document)["locations"]["nodes"]
    (level,) = place["inventoryLevels"]["nodes"]
    (held,) = level["quantities"]
    return {"inventoryItemId": level["item"]["id"], "locationId": place["id"]}, held["quantity"]


def quantities(where: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "available", "reason": "correction", "quantities": [{**where, **more}]}


def test_stock_is_compared_and_swapped_once_a_key(client: httpx.Client) -> None:
    where, held = stock(client)
    given = quantities(where, quantity=held + 5, changeFromQuantity=held)
    for _ in range(2):
        found = data(client, SET, input=given, key="k1")["inventorySetQuantities"]
        assert found["inventoryAdjustmentGroup"]["changes"] == [{"delta": 5}]
    again = data(client, SET, input=given, key="k2")["inventorySetQuantities"]["userErrors"]
    assert again[0]["code"] == "CHANGE_FROM_QUANTITY_STALE"
    other = quantities(where, quantity=1, changeFromQuantity=None)
    mixed = data(client, SET, input=other, key="k1")["inventorySetQuantities"]["userErrors"]
    assert mixed[0]["code"] == "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"
    assert stock(client)[1] == held + 5


def test_stock_wants_a_key_and_what_it_changes_from(client: httpx.Client) -> None:
    where, _ = stock(client)
    plain = SET.replace(" @idempotent(key: $key)", "").replace(", $key: String!", "")
    lacking = ask(client, plain, input=quantities(where, quantity=1, changeFromQuantity=None))
    assert "@idempotent" in lacking["errors"][0]["message"]
    assert (
        "changeFromQuantity"
        in ask(client, SET, input=quantities(where, quantity=1), key="k")["errors"][0]["message"]
    )


def test_deleted_products_are_events_and_purged_ones_are_not(
    client: httpx.Client, sandbox: Sandbox
) -> None:
    first, second, *_ = ids_of(client)
    data(client, f'mutation {{ productDelete(input: {{id: "{first}"}}) {{ deletedProductId }} }}')
    shop(sandbox).tables["products"].purge(second)
    shop(sandbox).account.create("products")
    found = data(
        client,
        """{ events(first: 9, query: "action:destroy AND subject_type:PRODUCT") {
          nodes { action ... on BasicEvent { subjectId } } } }""",
    )["events"]["nodes"]
    assert found == [{"action": "destroy", "subjectId": first}]


def begin(client: httpx.Client, grouped: bool = True, query: str = BULK) -> Any:
    return data(client, RUN, query=query, grouped=grouped)["bulkOperationRunQuery"]


def finish(client: httpx.Client, operation: str) -> dict[str, Any]:
    while True:
        found = data(client, LOOK, id=operation)["bulkOperation"]
        if found["status"] not in ("CREATED", "RUNNING"):
            return dict(found)


@pytest.mark.parametrize("grouped", [True, False])
def test_a_bulk_operation_writes_lines_that_name_their_parents(
    client: httpx.Client, sandbox: Sandbox, grouped: bool
) -> None:
    operation = begin(client, grouped)["bulkOperation"]
    assert operation["status"] == "CREATED"
    found = finish(client, operation["id"])
    lines = [json.loads(line) for line in httpx.get(found["url"], trust_env=False).iter_lines()]
    assert len(lines) == int(found["objectCount"])
    roots = [line["id"] for line in lines if "__parentId" not in line]
    assert roots == ids_of(client)
    parent, adjacent = None, True
    for line in lines:
        parent = parent if "__parentId" in line else line["id"]
        adjacent = adjacent and line.get("__parentId", parent) == parent
    assert adjacent is grouped


def test_a_bulk_file_is_served_by_ranges_and_expires(client: httpx.Client, clock: Clock) -> None:
    url = finish(client, begin(client)["bulkOperation"]["id"])["url"]
    whole = httpx.get(url, trust_env=False).content
    part = httpx.get(url, headers={"Range": "bytes=10-19"}, trust_env=False)
    assert (part.status_code, part.content) == (206, whole[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole)}"
    assert (
        httpx.get(url, headers={"Range": f"bytes={len(whole)}-"}, trust_env=False).status_code
        == 416
    )
    assert httpx.get(url.partition("?")[0], trust_env=False).status_code == 403
    clock.now += 8 * 86_400
    late = httpx.get(url, trust_env=False)
    assert (late.status_code, "ExpiredToken" in late.text) == (400, True)


def test_bulk_operations_have_limits(client: httpx.Client, sandbox: Sandbox) -> None:
    assert begin(client, query="{ shop { name } }")["userErrors"][0]["code"] == "INVALID"
    made = [begin(client) for _ in range(6)]
    assert [bool(m["userErrors"]) for m in made] == [False] * 5 + [True]
    assert made[-1]["userErrors"][0]["code"] == "LIMIT_REACHED"


def test_a_bulk_operation_without_a_scope_fails(sandbox: Sandbox) -> None:
    with connect(sandbox, "products_only") as http:
        made = begin(http, query="{ customers { edges { node { id } } } }")["bulkOperation"]
        found = finish(http, made["id"])
    assert (found["status"], found["errorCode"], found["url"]) == ("FAILED", "ACCESS_DENIED", None)


def post_token(sandbox: Sandbox, **form: str) -> httpx.Response:
    url = f"{sandbox.base_url('shopify')}/admin/oauth/access_token"
    client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    return httpx.post(url, data={**client, **form}, trust_env=False)


def consent(sandbox: Sandbox) -> dict[str, str]:
    url = f"{sandbox.base_url('shopify')}/admin/oauth/authorize"
    asked = {"client_id": CLIENT_ID, "scope": "read_products", "state": "s",
             "redirect_uri": "http://localhost:18924/callback"}  # fmt: skip
    sent = httpx.get(url, params=asked, trust_env=False).headers["location"]
    return {name: values[0] for name, values in parse_qs(urlsplit(sent).query).items()}


def test_a_consent_comes_back_signed_and_its_code_gives_either_kind_of_token(
    sandbox: Sandbox, clock: Clock
) -> None:
    back = consent(sandbox)
    assert back["state"] == "s"
    assert {"code", "hmac", "shop", "timestamp"} <= back.keys()
    forever = post_token(sandbox, code=back["code"]).json()
    assert set(forever) == {"access_token", "scope"}
    expiring = post_token(sandbox, code=consent(sandbox)["code"], expiring="1").json()
    assert (expiring["expires_in"], expiring["refresh_token_expires_in"]) == (3600, 7_776_000)
    clock.now += 3601
    assert shop(sandbox).vault.find(expiring["access_token"]) is None
    assert shop(sandbox).vault.find(forever["access_token"]) is not None
    form = {"grant_type": "refresh_token", "refresh_token": expiring["refresh_token"]}
    fresh = post_token(sandbox, **form)
    assert fresh.json()["refresh_token"] != expiring["refresh_token"]
    assert post_token(sandbox, **form).json()["error"] == "invalid_grant"


def test_client_credentials_give_a_token_for_a_day(sandbox: Sandbox, clock: Clock) -> None:
    answer = post_token(sandbox, grant_type="client_credentials").json()
    assert answer["expires_in"] == 86_399
    assert "refresh_token" not in answer
    clock.now += 86_400
    assert shop(sandbox).vault.find(answer["access_token"]) is None
    wrong = post_token(sandbox, grant_type="client_credentials", client_secret="no")
    assert wrong.status_code == 401


def test_the_same_seed_makes_the_same_shop() -> None:
    documents = []
    for _ in range(2):
        with Sandbox(records=5, seed=3, quota="none", providers=("shopify",)) as running:
            documents.append(list(shop(running).tables["products"]))
    assert documents[0] == documents[1]

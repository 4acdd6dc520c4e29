"""Shopify's official Python library works against the look-alike, and reads what it expects to.

What lumio's adapter writes, the library writes here, too: both must ask for the same, and each must
see what the other one did.
"""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import FieldNode, OperationDefinitionNode, parse, value_from_ast_untyped

from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.writing import Change
from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.http import Request
from lumio_cli.sandbox.shopify.provider import SCOPES
from providers.shopify_subjects import SUBJECTS

from .both import adapter, hearing

shopify = pytest.importorskip("shopify")

Write = Callable[..., list[Receipt]]

LIST = """query List($first: Int!, $after: String) {
  products(first: $first, after: $after) {
    edges { cursor node { id title } } pageInfo { hasNextPage endCursor }
  }
}"""


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Sandbox(records=60, quota="none", providers=("shopify",)) as running:
        yield running
        shopify.ShopifyResource.clear_session()


def client(sandbox: Sandbox, token: str) -> Any:
    """The library's own GraphQL client, with the look-alike for a shop."""
    base = shopify.ShopifyResource
    base.set_site(f"{sandbox.base_url('shopify')}/admin/api/2026-07")
    base.headers["X-Shopify-Access-Token"] = token
    return shopify.GraphQL()


@pytest.fixture
def graphql(sandbox: Sandbox) -> Any:
    return client(sandbox, sandbox.token("shopify"))


def run(graphql: Any, document: str, **variables: Any) -> Any:
    return json.loads(graphql.execute(document, variables))


def test_it_lists_every_page(graphql: Any) -> None:
    found, after = [], None
    while True:
        page = run(graphql, LIST, first=25, after=after)["data"]["products"]
        found += [edge["node"]["id"] for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["edges"][-1]["cursor"]
    assert len(found) == len(set(found)) == 60


def test_it_writes_and_reads_back(graphql: Any) -> None:
    made = run(
        graphql,
        """mutation Make($product: ProductCreateInput) {
          productCreate(product: $product) { product { id } userErrors { field message } }
        }""",
        product={"title": "Größe 🛒", "tags": ["new"]},
    )["data"]["productCreate"]
    assert made["userErrors"] == []
    read = run(
        graphql,
        "query Read($id: ID!) { product(id: $id) { title tags } }",
        id=made["product"]["id"],
    )
    assert read["data"]["product"] == {"title": "Größe 🛒", "tags": ["new"]}


def test_it_is_told_what_is_wrong(sandbox: Sandbox, graphql: Any) -> None:
    assert run(graphql, "{ nothing }")["errors"]
    wrong = client(sandbox, "shpat_wrong")
    with pytest.raises(urllib.error.HTTPError) as refused:
        run(wrong, "{ shop { id } }")
    assert refused.value.code == 401


def test_it_reads_the_shop_by_rest(sandbox: Sandbox, graphql: Any) -> None:
    assert shopify.Shop.current().myshopify_domain == "sandbox-store.myshopify.com"


def test_its_scopes_are_those_of_the_token(sandbox: Sandbox, graphql: Any) -> None:
    document = "{ currentAppInstallation { accessScopes { handle } } }"
    listed = run(graphql, document)["data"]["currentAppInstallation"]["accessScopes"]
    assert {scope["handle"] for scope in listed} == set(SCOPES)


# --- what lumio writes, written by the library

PRODUCT_CREATE = """mutation productCreate($product: ProductCreateInput!) {
  productCreate(product: $product) { product { id } userErrors { field message } }
}"""
PRODUCT_UPDATE = """mutation productUpdate($product: ProductUpdateInput!) {
  productUpdate(product: $product) { product { id } userErrors { field message } }
}"""
PRODUCT_DELETE = """mutation productDelete($input: ProductDeleteInput!) {
  productDelete(input: $input) { deletedProductId userErrors { field message } }
}"""
CUSTOMER_CREATE = """mutation customerCreate($input: CustomerInput!) {
  customerCreate(input: $input) { customer { id } userErrors { field message } }
}"""
CUSTOMER_UPDATE = """mutation customerUpdate($input: CustomerInput!) {
  customerUpdate(input: $input) { customer { id } userErrors { field message } }
}"""
CUSTOMER_DELETE = """mutation customerDelete($input: CustomerDeleteInput!) {
  customerDelete(input: $input) { deletedCustomerId userErrors { field message } }
}"""
ORDER_UPDATE = """mutation orderUpdate($input: OrderInput!) {
  orderUpdate(input: $input) { order { id } userErrors { field message } }
}"""
STOCK_SET = """mutation inventorySet($input: InventorySetQuantitiesInput!, $once: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $once) {
    inventoryAdjustmentGroup { changes { name delta } }
    userErrors { code field message }
  }
}"""
PRODUCT = """query Product($id: ID!) {
  product(id: $id) { title vendor status tags seo { title description } }
}"""
CUSTOMER = """query Customer($id: ID!) {
  customer(id: $id) {
    firstName note tags defaultEmailAddress { emailAddress } defaultPhoneNumber { phoneNumber }
  }
}"""
LEVELS = """{ locations(first: 1) { nodes { id inventoryLevels(first: 3) { nodes {
  id item { id } quantities(names: ["available", "on_hand"]) { name quantity }
} } } } }"""


@pytest.fixture
def heard(sandbox: Sandbox) -> list[Request]:
    return hearing(sandbox, "shopify")


@pytest.fixture
def write(sandbox: Sandbox, tmp_path: Path) -> Iterator[Write]:
    """lumio's adapter, with its whole transport, at the same shop."""
    with adapter(sandbox, SUBJECTS[0], tmp_path) as (provider, send):
        yield lambda kind, *changes: list(provider.write(provider.resource(kind), changes, send))


def mutated(graphql: Any, document: str, **variables: Any) -> Any:
    """The payload of the one mutation in a document."""
    (payload,) = run(graphql, document, **variables)["data"].values()
    return payload


def ids(graphql: Any, root: str) -> list[str]:
    found = run(graphql, f"{{ {root}(first: 3, sortKey: ID) {{ nodes {{ id }} }} }}")
    return [node["id"] for node in found["data"][root]["nodes"]]


def mutations(heard: list[Request]) -> list[tuple[str, str, str, Any, list[str]]]:
    """Method, path, and each mutation with its arguments and directives. How a document calls its
    variables, and what it selects, is a client's own business."""
    found = []
    for request in heard:
        body = request.json()
        (operation,) = parse(body["query"]).definitions
        assert isinstance(operation, OperationDefinitionNode)
        if operation.operation.value != "mutation":
            continue
        for field in operation.selection_set.selections:
            assert isinstance(field, FieldNode)
            given = {
                argument.name.value: value_from_ast_untyped(argument.value, body["variables"])
                for argument in field.arguments or ()
            }
            directives = [directive.name.value for directive in field.directives or ()]
            found.append((request.method, request.path, field.name.value, given, directives))
    return found


def test_it_makes_changes_and_deletes_a_product(graphql: Any) -> None:
    given = {"title": "Größe", "vendor": "Acme", "tags": ["b", "a"], "seo": {"title": "S"}}
    product = mutated(graphql, PRODUCT_CREATE, product=given)["product"]["id"]
    values = {"id": product, "status": "DRAFT", "tags": ["c, d"], "seo": {"description": "D"}}
    assert mutated(graphql, PRODUCT_UPDATE, product=values)["userErrors"] == []
    assert run(graphql, PRODUCT, id=product)["data"]["product"] == {
        "title": "Größe", "vendor": "Acme", "status": "DRAFT", "tags": ["c", "d"],
        "seo": {"title": "S", "description": "D"},
    }  # fmt: skip
    deleted = mutated(graphql, PRODUCT_DELETE, input={"id": product})
    assert deleted == {"deletedProductId": product, "userErrors": []}
    assert run(graphql, PRODUCT, id=product)["data"]["product"] is None


def test_a_customers_address_is_written_as_a_text_and_read_as_an_object(graphql: Any) -> None:
    given = {"firstName": "Zoë", "email": "zoe@example.com", "phone": "+49 30 1234567"}
    customer = mutated(graphql, CUSTOMER_CREATE, input=given)["customer"]["id"]
    values = {"id": customer, "email": "z@example.com", "note": "N", "tags": ["vip"]}
    assert mutated(graphql, CUSTOMER_UPDATE, input=values)["userErrors"] == []
    assert run(graphql, CUSTOMER, id=customer)["data"]["customer"] == {
        "firstName": "Zoë", "note": "N", "tags": ["vip"],
        "defaultEmailAddress": {"emailAddress": "z@example.com"},
        "defaultPhoneNumber": {"phoneNumber": "+49301234567"},
    }  # fmt: skip
    deleted = mutated(graphql, CUSTOMER_DELETE, input={"id": customer})
    assert deleted == {"deletedCustomerId": customer, "userErrors": []}
    assert run(graphql, CUSTOMER, id=customer)["data"]["customer"] is None


def test_it_changes_an_order(graphql: Any) -> None:
    order = ids(graphql, "orders")[0]
    values = {"id": order, "email": "o@example.com", "note": "late", "tags": ["x"]}
    assert mutated(graphql, ORDER_UPDATE, input={**values, "poNumber": "17"})["userErrors"] == []
    assert mutated(graphql, ORDER_UPDATE, input={"id": order, "note": None})["userErrors"] == []
    read = run(graphql, f'{{ order(id: "{order}") {{ id email note tags poNumber }} }}')
    assert read["data"]["order"] == {**values, "note": None, "poNumber": "17"}


def test_tags_are_added_and_removed_one_by_one(graphql: Any) -> None:
    product = ids(graphql, "products")[0]
    mutated(graphql, PRODUCT_UPDATE, product={"id": product, "tags": ["a"]})
    for name, tags in (("tagsAdd", ["b", "c"]), ("tagsRemove", ["a", "unknown"])):
        document = f"""mutation Tag($id: ID!, $tags: [String!]!) {{
          {name}(id: $id, tags: $tags) {{ node {{ id }} userErrors {{ field message }} }}
        }}"""
        tagged = mutated(graphql, document, id=product, tags=tags)
        assert tagged == {"node": {"id": product}, "userErrors": []}
    assert run(graphql, PRODUCT, id=product)["data"]["product"]["tags"] == ["b", "c"]


@pytest.mark.parametrize(
    ("document", "argument", "given", "field", "message"),
    [
        (PRODUCT_CREATE, "product", {"title": " "}, ["title"], "can't be blank"),
        (PRODUCT_UPDATE, "product", {"id": "gid://shopify/Product/1"}, ["id"], "does not exist"),
        (PRODUCT_DELETE, "input", {"id": "gid://shopify/Product/1"}, ["id"], "does not exist"),
        (CUSTOMER_CREATE, "input", {"email": "nonsense"}, ["email"], "is invalid"),
        (CUSTOMER_CREATE, "input", {"note": "nobody"}, None, "must be present"),
        (CUSTOMER_UPDATE, "input", {"id": "gid://shopify/Customer/1"}, ["id"], "does not exist"),
        (CUSTOMER_DELETE, "input", {"id": "gid://shopify/Customer/1"}, ["id"], "can't be found"),
        (ORDER_UPDATE, "input", {"id": "gid://shopify/Order/1"}, ["id"], "does not exist"),
    ],
)
def test_what_is_wrong_with_a_record_is_a_user_error(
    graphql: Any,
    document: str,
    argument: str,
    given: dict[str, Any],
    field: list[str] | None,
    message: str,
) -> None:
    payload = mutated(graphql, document, **{argument: given})
    (error,) = payload.pop("userErrors")
    assert error["field"] == field
    assert message in error["message"]
    assert list(payload.values()) == [None], "nothing was written"


def test_an_address_belongs_to_one_customer(graphql: Any) -> None:
    given = {"email": "one@example.com", "phone": "+49301234567"}
    mutated(graphql, CUSTOMER_CREATE, input=given)
    for name, value in (("email", "ONE@example.com"), ("phone", "+49 (30) 1234567")):
        (error,) = mutated(graphql, CUSTOMER_CREATE, input={name: value})["userErrors"]
        assert error["field"] == [name]
        assert "has already been taken" in error["message"]


def test_a_customer_who_has_ordered_stays(graphql: Any) -> None:
    listed = run(graphql, "{ customers(first: 60) { nodes { id numberOfOrders } } }")
    nodes = listed["data"]["customers"]["nodes"]
    buyer = next(node["id"] for node in nodes if node["numberOfOrders"] != "0")
    refused = mutated(graphql, CUSTOMER_DELETE, input={"id": buyer})
    assert refused["deletedCustomerId"] is None
    assert "they have associated orders" in refused["userErrors"][0]["message"]
    assert run(graphql, CUSTOMER, id=buyer)["data"]["customer"]


def test_a_token_that_may_only_read_writes_nothing(sandbox: Sandbox, graphql: Any) -> None:
    product = ids(graphql, "products")[0]
    before = run(graphql, PRODUCT, id=product)
    reader = client(sandbox, sandbox.token("shopify", "read_only"))
    values = {"id": product, "title": "mine"}
    (error,) = run(reader, PRODUCT_UPDATE, product=values)["errors"]
    assert error["extensions"]["code"] == "ACCESS_DENIED"
    assert "`write_products`" in error["message"]
    assert run(graphql, PRODUCT, id=product) == before


# --- stock


def levels(graphql: Any) -> list[dict[str, Any]]:
    """Three levels of one place: their ids, what `inventorySetQuantities` calls them by, and how
    much there is."""
    (place,) = run(graphql, LEVELS)["data"]["locations"]["nodes"]
    return [
        {
            "id": level["id"],
            "where": {"inventoryItemId": level["item"]["id"], "locationId": place["id"]},
            **{quantity["name"]: quantity["quantity"] for quantity in level["quantities"]},
        }
        for level in place["inventoryLevels"]["nodes"]
    ]


def stock(name: str, *quantities: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "reason": "correction", "quantities": list(quantities)}


def test_it_sets_the_stock_of_many_items_at_once(graphql: Any) -> None:
    one, two, three = levels(graphql)
    given = stock(
        "available",
        {**one["where"], "quantity": one["available"] + 5, "changeFromQuantity": one["available"]},
        {**two["where"], "quantity": 0, "changeFromQuantity": None},
    )
    for _ in range(2):  # the second time, the key says that it is done already
        payload = mutated(graphql, STOCK_SET, input=given, once="k1")
        assert payload["userErrors"] == []
        changes = payload["inventoryAdjustmentGroup"]["changes"]
        assert [change["delta"] for change in changes] == [5, -two["available"]]
    after = levels(graphql)
    assert [level["available"] for level in after] == [one["available"] + 5, 0, three["available"]]
    assert after[0]["on_hand"] == one["on_hand"] + 5


def test_one_bad_item_keeps_the_stock_of_all(graphql: Any) -> None:
    before = levels(graphql)
    one, two, three = before
    given = stock(
        "on_hand",
        {**one["where"], "quantity": 7, "changeFromQuantity": None},
        {**two["where"], "quantity": 7, "changeFromQuantity": two["on_hand"] + 1},
        {
            **three["where"], "inventoryItemId": "gid://shopify/InventoryItem/1", "quantity": 7,
            "changeFromQuantity": None,
        },
    )  # fmt: skip
    payload = mutated(graphql, STOCK_SET, input=given, once="k1")
    assert payload["inventoryAdjustmentGroup"] is None
    assert [(error["code"], error["field"][:3]) for error in payload["userErrors"]] == [
        ("CHANGE_FROM_QUANTITY_STALE", ["input", "quantities", "1"]),
        ("INVALID_INVENTORY_ITEM", ["input", "quantities", "2"]),
    ]
    assert levels(graphql) == before


def test_a_key_is_good_for_one_request(graphql: Any) -> None:
    one, *_ = levels(graphql)
    first, other = (
        stock("available", {**one["where"], "quantity": n, "changeFromQuantity": None})
        for n in (3, 4)
    )
    mutated(graphql, STOCK_SET, input=first, once="k1")
    (error,) = mutated(graphql, STOCK_SET, input=other, once="k1")["userErrors"]
    assert error["code"] == "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"
    keyless = STOCK_SET.replace(" @idempotent(key: $once)", "").replace(", $once: String!", "")
    (error,) = run(graphql, keyless, input=other)["errors"]
    assert "@idempotent directive is required" in error["message"]
    assert levels(graphql)[0]["available"] == 3


# --- lumio and the library ask for the same


@pytest.mark.parametrize(
    ("kind", "document", "argument", "given", "values"),
    [
        (
            "products", PRODUCT_CREATE, "product",
            {"title": "Größe", "tags": ["a", "b"], "seo": {"title": "S", "description": "D"}},
            {"title": "Größe", "tags": "a, b", "seo_title": "S", "seo_description": "D"},
        ),
        (
            "products", PRODUCT_UPDATE, "product",
            {"vendor": "", "productType": "Mütze", "templateSuffix": None, "tags": []},
            {"vendor": None, "product_type": "Mütze", "template_suffix": None, "tags": "[]"},
        ),
        (
            "customers", CUSTOMER_CREATE, "input",
            {"firstName": "Zoë", "taxExempt": True, "tags": ["vip"]},
            {"first_name": "Zoë", "tax_exempt": "true", "tags": '["vip"]'},
        ),
        (
            "customers", CUSTOMER_UPDATE, "input",
            {"email": "z@example.com", "phone": None, "note": None},
            {"email": "z@example.com", "phone": None, "note": None},
        ),
        (
            "orders", ORDER_UPDATE, "input",
            {"poNumber": "17", "note": None, "tags": ["late"]},
            {"po_number": "17", "note": None, "tags": "late"},
        ),
        ("products", PRODUCT_DELETE, "input", {}, {}),
        ("customers", CUSTOMER_DELETE, "input", {}, {}),
    ],
)  # fmt: skip
def test_lumio_asks_for_what_the_library_asks_for(
    graphql: Any,
    write: Write,
    heard: list[Request],
    kind: str,
    document: str,
    argument: str,
    given: dict[str, Any],
    values: dict[str, str | None],
) -> None:
    action = "create" if "Create" in document else "archive" if "Delete" in document else "update"
    record = "" if action == "create" else ids(graphql, kind)[0]
    if kind == "customers" and action == "archive":
        record = mutated(graphql, CUSTOMER_CREATE, input={"firstName": "A"})["customer"]["id"]
    heard.clear()
    whole = given if action == "create" else {"id": record, **given}
    assert mutated(graphql, document, **{argument: whole})["userErrors"] == []
    (receipt,) = write(kind, Change(action, "t", id=record, values=values))  # type: ignore[arg-type]
    assert receipt.status == "done"
    theirs, ours = mutations(heard)
    assert ours == theirs
    assert theirs[3] == {argument: whole}


def test_lumio_sets_stock_as_the_library_does(
    graphql: Any, write: Write, heard: list[Request]
) -> None:
    one, two, _ = levels(graphql)
    held = two["available"]
    given = stock(
        "available",
        {**one["where"], "quantity": 41, "changeFromQuantity": None},
        # To what it is already, so that the second client finds what the first one found.
        {**two["where"], "quantity": held, "changeFromQuantity": held},
    )
    assert mutated(graphql, STOCK_SET, input=given, once="k1")["userErrors"] == []
    receipts = write(
        "inventory_levels",
        Change("update", "a", id=one["id"], values={"available": "41"}),
        Change(
            "update", "b", id=two["id"], values={"available": str(held)},
            base={"available": str(held)},
        ),
    )  # fmt: skip
    assert [receipt.status for receipt in receipts] == ["done", "done"]
    theirs, ours = mutations(heard)
    assert ours == theirs
    assert theirs[3:] == ({"input": given}, ["idempotent"])


def test_the_library_reads_what_lumio_wrote_and_lumio_meets_what_the_library_did(
    graphql: Any, write: Write
) -> None:
    (made,) = write("customers", Change("create", "t", values={"email": "a@example.com"}))
    read = run(graphql, CUSTOMER, id=made.id)["data"]["customer"]
    assert read["defaultEmailAddress"] == {"emailAddress": "a@example.com"}
    mutated(graphql, CUSTOMER_CREATE, input={"email": "b@example.com"})
    mutated(graphql, CUSTOMER_DELETE, input={"id": made.id})
    (taken,) = write("customers", Change("create", "t", values={"email": "b@example.com"}))
    (gone,) = write("customers", Change("update", "t", id=made.id, values={"note": "N"}))
    (again,) = write("customers", Change("archive", "t", id=made.id))
    assert [taken.kind, gone.kind, again.status] == ["conflict", "gone", "done"]

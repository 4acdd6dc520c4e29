"""Shopify's official Python library works against the look-alike, and reads what it expects to."""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Iterator
from typing import Any

import pytest

from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.shopify.provider import SCOPES

shopify = pytest.importorskip("shopify")

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

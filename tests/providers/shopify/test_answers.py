"""What Shopify's answers mean, and what they say of the quota."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from lumio_cli.core.errors import ConfigError, CredentialError
from lumio_cli.providers.contract.auth import Credential
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.verdict import Outcome
from lumio_cli.providers.shopify import Shopify, graph
from lumio_cli.providers.shopify.facts import PLANS
from providers.shopify.conftest import MakeLab
from support.conformance import Rig

JSON = {"content-type": "application/json; charset=utf-8"}
THROTTLED = {
    "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
    "extensions": {
        "cost": {
            "requestedQueryCost": 300,
            "actualQueryCost": None,
            "throttleStatus": {
                "maximumAvailable": 1000.0,
                "currentlyAvailable": 100,
                "restoreRate": 50.0,
            },
        }
    },
}


def reply(body: Any, status: int = 200, kind: str = JSON["content-type"]) -> Reply:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, {"content-type": kind}, content)


def error(code: str, message: str = "no", **more: Any) -> dict[str, Any]:
    return {"errors": [{"message": message, "extensions": {"code": code, **more}}]}


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (reply({"data": {}}), None),
        (reply(THROTTLED), Outcome.THROTTLED),
        (reply(error("MAX_COST_EXCEEDED")), Outcome.REJECTED),
        (reply(error("INTERNAL_SERVER_ERROR")), Outcome.RETRY),
        (reply({"errors": [{"message": "Internal error. Looks like ..."}]}), Outcome.RETRY),
        (reply({"errors": [{"message": "Field 'x' doesn't exist"}]}), Outcome.REJECTED),
        (reply({"errors": "[API] Invalid API key"}, 401), Outcome.REAUTH),
        (reply({"errors": "Unavailable Shop"}, 402), Outcome.REJECTED),
        (reply({"errors": {"query": "Required parameter missing"}}, 400), None),
        (reply({"errors": "Not Found"}, 404), Outcome.REJECTED),
        (reply({"errors": "Locked"}, 423), Outcome.REJECTED),
        (reply({"errors": "Throttled"}, 429), None),
        (reply(b"oops", 502, "text/html"), None),
        (reply(b"<Error><Code>ExpiredToken</Code></Error>", 400, "application/xml"),
         Outcome.REJECTED),
    ],
)  # fmt: skip
def test_an_answer_means(answer: Reply, outcome: Outcome | None) -> None:
    verdict = Shopify({}).judge(answer)
    assert (verdict and verdict.outcome) == outcome


def test_a_throttled_query_waits_for_the_points_that_it_lacks() -> None:
    verdict = Shopify({}).judge(reply(THROTTLED))
    assert verdict is not None
    assert (verdict.quota, verdict.retry_after) == ("points", 4.0)


def test_a_missing_scope_is_named() -> None:
    body = error("ACCESS_DENIED", requiredAccess="`read_customers` access scope.")
    verdict = Shopify({}).judge(reply(body))
    assert verdict is not None
    assert (verdict.outcome, verdict.scopes) == (Outcome.DENIED, ("read_customers",))


def test_a_search_that_was_not_understood_is_an_error() -> None:
    warning = {"field": "updated", "message": "Invalid search field for this query."}
    body = {"data": {}, "extensions": {"search": [{"path": ["x"], "warnings": [warning]}]}}
    verdict = Shopify({}).judge(reply(body))
    assert verdict is not None
    assert verdict.outcome is Outcome.REJECTED
    assert "updated: Invalid search field" in verdict.message


def test_a_bulk_operation_without_a_place_is_tried_again_later() -> None:
    wrong = [{"code": "LIMIT_REACHED", "message": "limit reached"}]
    body = {"data": {"bulkOperationRunQuery": {"bulkOperation": None, "userErrors": wrong}}}
    verdict = Shopify({}).judge(reply(body))
    assert verdict is not None
    assert (verdict.outcome, verdict.retry_after) == (Outcome.RETRY, 30.0)


def test_what_a_call_cost_less_is_given_back() -> None:
    call = Call("POST", "/admin/api/2026-07/graphql.json", cost=250)
    cost = {**THROTTLED["extensions"]["cost"], "actualQueryCost": 40}  # type: ignore[index]
    (found,) = Shopify({}).remaining(call, reply({"data": {}, "extensions": {"cost": cost}}))
    assert (found.limit, found.remaining, found.refund) == (1000.0, 100.0, 210.0)
    assert found.rate == 50.0
    (refused,) = Shopify({}).remaining(call, reply(THROTTLED))
    assert refused.refund == 250
    assert Shopify({}).remaining(call, reply(b"{}\n", 206, "application/jsonl")) == ()
    assert Shopify({}).remaining(call, reply(b"<html>", 200)) == ()


@pytest.mark.parametrize("plan", list(PLANS))
def test_the_plan_sets_the_bucket(plan: str) -> None:
    (points,) = Shopify({"plan": plan}).quotas
    assert (points.count, points.burst) == PLANS[plan]
    (own,) = Shopify({"plan": plan, "limits": {"points": 20}}).quotas
    assert own.count == 20
    with pytest.raises(ConfigError):
        Shopify({"limits": {"pints": 20}})


@pytest.mark.parametrize(
    ("settings", "limit"),
    [
        ({}, 2000),
        ({"PLAN": "standard"}, 2000),
        ({"PLAN": "advanced"}, 2000),
        ({"LIMITS": '{"points": 20}'}, 1000),
    ],
)
def test_a_larger_plan_than_is_known_is_believed_unless_it_was_named(
    make_lab: MakeLab, settings: dict[str, str], limit: float
) -> None:
    lab = make_lab(3, quota="points=2000,restore=100", clock=time.time)
    lab.extra.update({f"LUMIO_PROVIDERS__SHOPIFY__{name}": v for name, v in settings.items()})
    lab.sync()
    points, _ = lab.lumio("limits", "show", "shopify").document["limits"]
    assert (points["quota"], points["limit"]) == ("points", limit)
    assert points["remaining"] > limit / 2


def test_the_smallest_bucket_is_the_default() -> None:
    (points,) = Shopify({}).quotas
    assert (points.kind, points.count, points.burst) == ("points", 50, 1000)


@pytest.mark.parametrize(
    ("document", "variables", "cost"),
    [
        # Costs that were measured against Shopify (microsoft/BCApps, .resources/graphql).
        ("query A { customers(first: 200) { edges { cursor node { id } } } }",
         {}, 12),
        ("query A { customers(first: 100) { pageInfo { endCursor } nodes { id } } }", {}, 11),
        ("query A { order(id: 1) { fulfillmentOrders(first: 250) { nodes { id } } } }", {}, 14),
        ("query A { customer(id: 1) { metafields(first: 50) { edges { node { id } } } } }", {}, 10),
        ("query A { staffMembers(first: 20) { edges { node { id name } } } }", {}, 7),
        ("query A { location(id: 1) { inventoryLevels(first: 100) { edges { node { id"
         ' quantities(names: "available") { quantity } item { id variant { id product { id } } }'
         " } } } } }", {}, 48),
        ("query A { publications(first: 25) { edges { node { id catalog { id ... on AppCatalog {"
         " apps(first: 1) { edges { node { id } } } } } } } } }", {}, 32),
        ("query A($n: Int!) { customers(first: $n) { nodes { id } } }", {"n": 250}, 13),
        ("mutation A { productDelete(input: {id: 1}) { userErrors { message } } }", {}, 10),
        ("query A($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["a", "b"]}, 2),
    ],
)  # fmt: skip
def test_costs_are_planned_as_shopify_counts_them(
    document: str, variables: dict[str, Any], cost: int
) -> None:
    assert graph.cost(document, variables) == cost


# -- whose shop it is


def test_the_shop_is_where_requests_go() -> None:
    provider = Shopify({})
    credential = Credential("token", "t", fields={"shop": "example.myshopify.com"})
    assert provider.locate(credential) == "https://example.myshopify.com"
    with pytest.raises(CredentialError, match="shop"):
        provider.locate(Credential("token", "t"))
    assert provider.authorize(Call("GET", "/"), credential) == {"X-Shopify-Access-Token": "t"}


def test_each_kind_of_login_renews_its_token_in_its_own_way() -> None:
    from datetime import UTC, datetime

    provider, now = Shopify({}), datetime(2026, 11, 1, tzinfo=UTC)
    fields = {"shop": "example.myshopify.com", "client_id": "i", "client_secret": "s"}
    daily = provider.renewal(Credential("client_credentials", "", fields=fields), now)
    assert daily is not None
    assert daily.path == "https://example.myshopify.com/admin/oauth/access_token"
    assert daily.form == {
        "grant_type": "client_credentials",
        "client_id": "i",
        "client_secret": "s",
    }
    hourly = provider.renewal(Credential("oauth", "t", "r", fields=fields), now)
    assert hourly is not None
    assert hourly.form is not None
    assert hourly.form["refresh_token"] == "r"
    assert provider.renewal(Credential("token", "t", fields=fields), now) is None


def test_writing_includes_reading(lab: Rig) -> None:
    document = lab.lumio("connect", "shopify").document
    assert document["account"]["name"] == "Sandbox Störe 🛒"
    assert {"read_products", "write_products"} <= set(document["scopes"])


def test_client_credentials_connect_and_sync(lab: Rig) -> None:
    from lumio_cli.sandbox.lookalike import CLIENT_ID, CLIENT_SECRET
    from support.lab import VAULT_KEY

    environ = {
        "LUMIO_SHOPIFY_TOKEN": None,
        "LUMIO_SHOPIFY_CLIENT_SECRET": CLIENT_SECRET,
        "LUMIO_VAULT_KEY": VAULT_KEY,
        "LUMIO_CREDENTIALS__STORE": "vault",
    }
    connected = lab.lumio(
        "connect", "shopify", "--way", "client_credentials", "--set",
        "shop=sandbox-store.myshopify.com", "--set", f"client_id={CLIENT_ID}", environ=environ,
    )  # fmt: skip
    assert connected.code == 0, connected.out
    assert connected.document["credential"]["kind"] == "client_credentials"
    assert CLIENT_SECRET not in connected.out + connected.err
    assert lab.lumio("sync", "shopify/products", environ=environ).code == 0
    assert lab.sql("SELECT count(*) FROM shopify_products") == [(12,)]


def test_a_missing_scope_skips_what_needs_it_and_nothing_else(lab: Rig) -> None:
    lab.token = lab.sandbox.token("shopify", "products_only")
    outcome = lab.lumio("sync", "shopify")
    assert outcome.code == 3
    assert outcome.resource("products")["status"] == "succeeded"
    assert outcome.resource("customers")["error"]["code"] == "scope_missing"


def test_a_login_in_the_browser_gives_a_token_that_expires_and_can_be_renewed(lab: Rig) -> None:
    from datetime import UTC, datetime, timedelta
    from urllib.parse import parse_qs, urlsplit

    import httpx

    from lumio_cli.providers.contract.auth import exchange_call
    from lumio_cli.sandbox.lookalike import CLIENT_ID, CLIENT_SECRET

    oauth, base = Shopify.oauth, lab.sandbox.base_url("shopify")
    assert oauth is not None
    back = f"http://localhost:{oauth.redirect_port}{oauth.redirect_path}"
    asked = {"client_id": CLIENT_ID, "redirect_uri": back, "scope": ",".join(oauth.scopes)}
    sent = httpx.get(f"{base}/admin/oauth/authorize", params=asked, trust_env=False)
    code = parse_qs(urlsplit(sent.headers["location"]).query)["code"][0]
    shop = {"shop": "sandbox-store.myshopify.com"}
    client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **shop}
    call = exchange_call(oauth, code=code, redirect_uri=back, verifier="", client=client)
    assert call.path == f"https://{shop['shop']}/admin/oauth/access_token"
    url = f"{base}{urlsplit(call.path).path}"
    answer = httpx.post(url, data=dict(call.form or {}), trust_env=False)
    now = datetime(2026, 11, 1, tzinfo=UTC)
    held = Shopify({}).tokens(
        Reply(answer.status_code, {}, answer.content),
        now=now,
        old=Credential("oauth", "", fields=client),
    )
    assert held.expires_at == now + timedelta(hours=1)
    assert held.refresh
    assert set(held.scopes or ()) == set(oauth.scopes)

"""Who may call the look-alike, and how often: scopes, OAuth, quotas."""

from __future__ import annotations

import base64
import hashlib
import re
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.hubspot import auth

from .asking import KINDS, Make, search


@pytest.mark.parametrize(
    ("token", "method", "path", "scope"),
    [
        ("no_tickets", "GET", "/crm/v3/objects/tickets", "tickets"),
        ("no_tickets", "GET", "/crm/v3/pipelines/tickets", "tickets"),
        ("read_only", "POST", "/crm/v3/objects/deals", "crm.objects.deals.write"),
        ("contacts_only", "GET", "/crm/v3/objects/0-2", "crm.objects.companies.read"),
        ("contacts_only", "POST", "/crm/objects/2026-03/products/search", "e-commerce"),
        ("contacts_only", "GET", "/crm/v3/owners", "crm.objects.owners.read"),
        ("contacts_only", "GET", "/crm/v4/objects/deals/1/associations/contacts",
         "crm.objects.deals.read"),
    ],
)  # fmt: skip
def test_missing_scopes(make: Make, token: str, method: str, path: str, scope: str) -> None:
    _, client = make(token)
    answer = client.request(method, path)
    assert answer.status_code == 403
    assert scope in answer.json()["errors"][0]["context"]["requiredGranularScopes"]
    assert client.get("/account-info/v3/details").status_code == 200


def test_private_app_introspection(sandbox: Sandbox, client: httpx.Client) -> None:
    url = "/oauth/v2/private-apps/get/access-token-info"
    answer = client.post(url, json={"tokenKey": sandbox.token("hubspot", "no_tickets")}).json()
    assert set(answer) == {"hubId", "userId", "appId", "scopes"}
    assert "tickets" not in answer["scopes"]
    assert client.post(url, json={"tokenKey": "x"}).status_code == 404


BACK = "http://127.0.0.1:9/callback"


def authorize(client: httpx.Client, **more: str) -> dict[str, str]:
    query = {"client_id": auth.CLIENT_ID, "redirect_uri": BACK, "state": "a b", **more}
    answer = client.get("/oauth/authorize", params={"scope": "tickets oauth", **query})
    assert answer.status_code == 302, answer.text
    return {k: v[0] for k, v in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def exchange(client: httpx.Client, **form: str) -> httpx.Response:
    whole = {"grant_type": "authorization_code", "client_id": auth.CLIENT_ID,
             "redirect_uri": BACK, **form}  # fmt: skip
    return client.post("/oauth/v3/token", data=whole)


def test_oauth_with_pkce(make: Make) -> None:
    now = [1_800_000_000.0]
    sandbox, client = make(clock=lambda: now[0])
    verifier = "v" * 64
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    pkce = {"code_challenge": challenge, "code_challenge_method": "S256"}
    back = authorize(client, **pkce)
    assert back["state"] == "a b"
    assert exchange(client, code=back["code"], code_verifier="wrong").status_code == 400
    # A code that was tried is used up.
    assert exchange(client, code=back["code"], code_verifier=verifier).status_code == 400
    code = authorize(client, **pkce)["code"]
    tokens = exchange(client, code=code, code_verifier=verifier).json()
    assert tokens["expires_in"] == 1800 and tokens["scopes"] == ["tickets", "oauth"]
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert client.get("/crm/v3/objects/tickets", headers=headers).status_code == 200
    assert client.get("/crm/v3/objects/deals", headers=headers).status_code == 403
    now[0] += 1801
    expired = client.get("/crm/v3/objects/tickets", headers=headers)
    assert expired.json()["category"] == "EXPIRED_AUTHENTICATION"
    fresh = exchange(client, grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    headers = {"Authorization": f"Bearer {fresh.json()['access_token']}"}
    assert client.get("/crm/v3/objects/tickets", headers=headers).status_code == 200
    form = {"client_id": auth.CLIENT_ID, "client_secret": auth.CLIENT_SECRET,
            "token": tokens["refresh_token"]}  # fmt: skip
    assert client.post("/oauth/v3/token/revoke", data=form).status_code == 204
    assert client.get("/crm/v3/objects/tickets", headers=headers).status_code == 401
    assert sandbox.violations == 0


def test_oauth_refusals(sandbox: Sandbox, client: httpx.Client) -> None:
    assert authorize(client, deny="true")["error"] == "access_denied"
    sandbox.hubspot.vault.consent = False
    assert authorize(client)["error"] == "access_denied"
    sandbox.hubspot.vault.consent = True
    assert exchange(client, code=authorize(client)["code"]).json()["error"] == "invalid_client"
    basic = httpx.BasicAuth(auth.CLIENT_ID, auth.CLIENT_SECRET)
    form = {"grant_type": "authorization_code", "redirect_uri": BACK}
    code = authorize(client)["code"]
    answer = client.post("/oauth/v3/token", data={**form, "code": code}, auth=basic)
    assert answer.status_code == 200
    query = {"client_id": auth.CLIENT_ID, "redirect_uri": "http://far.example/"}
    assert client.get("/oauth/authorize", params=query).status_code == 400


# quotas


def test_the_ten_second_quota(make: Make) -> None:
    now = [1_800_000_000.0]
    sandbox, client = make(quota="burst=5", clock=lambda: now[0])
    for left in (4, 3, 2, 1, 0):
        answer = client.get("/crm/v3/owners")
        assert answer.headers["X-HubSpot-RateLimit-Remaining"] == str(left)
        now[0] += 1
    assert answer.headers["X-HubSpot-RateLimit-Max"] == "5"
    assert answer.headers["X-HubSpot-RateLimit-Interval-Milliseconds"] == "10000"
    assert answer.headers["X-HubSpot-RateLimit-Daily"] == "650000"
    assert answer.headers["X-HubSpot-RateLimit-Daily-Remaining"] == "649995"
    refused = client.get("/crm/v3/owners")
    assert refused.status_code == 429
    body = refused.json()
    assert (body["policyName"], body["errorType"]) == ("TEN_SECONDLY_ROLLING", "RATE_LIMIT")
    assert body["status"] == "error" and body["correlationId"]
    assert refused.headers["Retry-After"] == "5"
    # Associations in batches and search are exempt, and search says nothing of quotas.
    url = "/crm/v4/associations/contacts/companies/batch/read"
    assert client.post(url, json={"inputs": [{"id": "1"}]}).status_code == 207
    answer = search(client)
    assert answer.status_code == 200
    assert not [name for name in answer.headers if "ratelimit" in name]
    # Another token has a quota of its own.
    other = {"Authorization": f"Bearer {sandbox.token('hubspot', 'read_only')}"}
    assert client.get("/crm/v3/owners", headers=other).status_code == 200
    now[0] += 5
    assert client.get("/crm/v3/owners").status_code == 200
    assert sandbox.violations == 1


def test_the_search_quota_is_of_all_types_and_tokens(make: Make) -> None:
    now = [1_800_000_000.0]
    sandbox, client = make(quota="published", clock=lambda: now[0])
    for kind in KINDS:
        assert search(client, kind).status_code == 200
    other = {"Authorization": f"Bearer {sandbox.token('hubspot', 'read_only')}"}
    refused = client.post("/crm/objects/2026-03/deals/search", json={}, headers=other)
    assert refused.json()["policyName"] == "SECONDLY"
    assert refused.json()["message"] == "You have reached your secondly limit."
    assert "retry-after" not in refused.headers
    now[0] += 1.01
    assert search(client).status_code == 200


def test_the_daily_quota_ends_at_the_accounts_midnight(make: Make) -> None:
    now = [1_800_000_000.0]  # 2027-01-15 08:00 UTC, 13:30 in the account's time zone
    _, client = make(quota="daily=2", clock=lambda: now[0])
    assert [client.get("/crm/v3/owners").status_code for _ in range(3)] == [200, 200, 429]
    refused = client.get("/crm/v3/owners").json()
    assert refused["policyName"] == "DAILY"
    now[0] += 10.5 * 3600 - 1
    assert client.get("/crm/v3/owners").status_code == 429
    now[0] += 2
    usage = client.get("/account-info/v3/api-usage/daily/private-apps").json()["results"][0]
    assert (usage["currentUsage"], usage["usageLimit"]) == (1, 2)
    assert usage["resetsAt"] == "2027-01-16T18:30:00.000Z"


def test_oauth_tokens_hear_nothing_of_the_daily_quota(make: Make) -> None:
    _, client = make(quota="published")
    form = {"client_secret": auth.CLIENT_SECRET, "code": authorize(client)["code"]}
    token = exchange(client, **form).json()["access_token"]
    answer = client.get("/crm/v3/objects/tickets", headers={"Authorization": f"Bearer {token}"})
    assert answer.headers["X-HubSpot-RateLimit-Max"] == "110"
    assert "X-HubSpot-RateLimit-Daily" not in answer.headers


def test_lifted_quotas_have_no_headers(client: httpx.Client) -> None:
    answer = client.get("/crm/v3/owners")
    assert not [name for name in answer.headers if "ratelimit" in name]
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["X-HubSpot-Correlation-Id"])


@pytest.mark.parametrize("quota", ["burst", "nope=1", "burst=x", ""])
def test_unknown_quotas(quota: str) -> None:
    with pytest.raises(ValueError, match="not a quota"):
        Sandbox(records=0, quota=quota)

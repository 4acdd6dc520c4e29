"""What Pipedrive's answers mean: errors, limits, tokens, whose account it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lumio_cli.core.errors import CredentialError
from lumio_cli.providers.contract.auth import Credential
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.quota import Allowance
from lumio_cli.providers.contract.verdict import Outcome
from lumio_cli.providers.pipedrive import CLOSED, SHUT_OUT, Pipedrive

NOW = datetime(2026, 11, 23, 21, 30, tzinfo=UTC)
TOKEN = Credential("token", "sandbox-token")


def reply(status: int, body: Any = None, *, date: datetime | None = NOW, **headers: str) -> Reply:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    given.setdefault("content-type", "application/json" if text[:1] == b"{" else "text/html")
    return Reply(status, given, text, date=date)


def error(text: str, **more: Any) -> dict[str, Any]:
    return {"success": False, "error": text, "error_info": "see the documentation", **more}


# -- errors


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (400, Outcome.REJECTED),
        (401, Outcome.REAUTH),
        (403, Outcome.DENIED),
        (404, Outcome.GONE),
        (410, Outcome.GONE),
        (415, Outcome.DENIED),
        (422, Outcome.REJECTED),
    ],
)
def test_an_error_means_what_the_status_pages_say(status: int, outcome: Outcome) -> None:
    verdict = Pipedrive({}).judge(reply(status, error("in Pipedrive's words")))
    assert verdict is not None
    assert (verdict.outcome, verdict.message) == (outcome, "in Pipedrive's words")


@pytest.mark.parametrize("body", [error("payment required"), b"", b"<html>pay</html>", {}])
def test_an_account_that_is_not_open_is_no_bad_credential(body: Any) -> None:
    verdict = Pipedrive({}).judge(reply(402, body))
    assert verdict is not None
    assert (verdict.outcome, verdict.retry_after) == (Outcome.RETRY, CLOSED)
    assert "not open" in verdict.message
    assert "billing" in verdict.message


@pytest.mark.parametrize("status", [500, 501, 503])
def test_an_outage_is_left_to_the_status(status: int) -> None:
    assert Pipedrive({}).judge(reply(status, error("Internal Server Error"))) is None
    assert Pipedrive({}).judge(reply(status, b"<html>maintenance</html>")) is None


def test_a_limit_of_the_account_is_no_missing_permission() -> None:
    body = error("Open deals limit reached.", code="feature_capping_deals_limit")
    verdict = Pipedrive({}).judge(reply(403, body))
    assert verdict is not None
    assert verdict.outcome is Outcome.REJECTED
    assert verdict.category == "feature_capping_deals_limit"


def test_a_page_of_cloudflare_stops_everything_for_a_while() -> None:
    verdict = Pipedrive({}).judge(reply(403, b"<html>Error 1015</html>"))
    assert verdict is not None
    assert (verdict.outcome, verdict.retry_after) == (Outcome.EXHAUSTED, SHUT_OUT)


def test_success_that_is_none_is_an_error() -> None:
    verdict = Pipedrive({}).judge(reply(200, error("Something went wrong")))
    assert verdict is not None
    assert (verdict.outcome, verdict.message) == (Outcome.REJECTED, "Something went wrong")
    assert Pipedrive({}).judge(reply(200, {"success": True, "data": []})) is None
    assert Pipedrive({}).judge(Reply(302, {"location": "/"}, b"<html>")) is None


# -- limits


def test_too_fast_waits_as_long_as_the_window_needs() -> None:
    verdict = Pipedrive({}).judge(reply(429, error("Request over limit"), x_ratelimit_reset="2"))
    assert verdict is not None
    assert (verdict.outcome, verdict.quota) == (Outcome.THROTTLED, "burst")
    assert verdict.retry_after == 2


def test_retry_after_goes_before_the_reset() -> None:
    answer = reply(429, error("Request over limit"), x_ratelimit_reset="2", retry_after="7")
    verdict = Pipedrive({}).judge(answer)
    assert verdict is not None
    assert verdict.retry_after is None  # the transport reads Retry-After


def test_a_reset_that_cannot_be_one_of_two_seconds_is_passed_over() -> None:
    answer = reply(429, error("Request over limit"), x_ratelimit_reset="1795000000")
    verdict = Pipedrive({}).judge(answer)
    assert verdict is not None
    assert verdict.retry_after is None


def test_a_day_that_is_used_up_ends_at_midnight_by_the_providers_clock() -> None:
    headers: dict[str, Any] = {"x_daily_ratelimit_token_remaining": "0", "retry_after": "3"}
    verdict = Pipedrive({}).judge(reply(429, error("Request over limit"), **headers))
    assert verdict is not None
    assert (verdict.outcome, verdict.quota) == (Outcome.EXHAUSTED, "daily")
    assert verdict.retry_after == 2.5 * 3600


def test_headers_tell_what_is_left() -> None:
    answer = reply(
        200,
        {"success": True},
        x_ratelimit_limit="40",
        x_ratelimit_remaining="39",
        x_daily_ratelimit_token_limit="60000",
        x_daily_ratelimit_token_remaining="59990",
    )
    assert Pipedrive({}).remaining(Call("GET", "/api/v2/deals"), answer) == (
        Allowance("burst", 40, 39),
        Allowance("daily", 60_000, 59_990),
    )
    assert Pipedrive({}).remaining(Call("GET", "/api/v2/deals"), reply(200, {})) == ()


@pytest.mark.parametrize(
    ("options", "burst", "daily"),
    [
        ({}, 20, 30_000),
        ({"plan": "growth", "seats": 3}, 40, 180_000),
        ({"plan": "ultimate", "seats": 2}, 120, 420_000),
        ({"plan": "premium", "limits": {"daily": 5_000}}, 100, 5_000),
    ],
)
def test_limits_follow_from_the_plan_and_the_seats(
    options: dict[str, Any], burst: int, daily: int
) -> None:
    counts = {q.name: q.count for q in Pipedrive(options).quotas}
    assert (counts["burst"], counts["daily"]) == (burst, daily)


def test_only_what_a_users_token_writes_counts_towards_fair_use() -> None:
    provider = Pipedrive({})
    oauth = Credential("oauth", "sandbox-access")
    post = Call("POST", "/api/v2/deals")
    assert provider.address(post, TOKEN).keys == {"user": "own"}
    assert provider.address(post, oauth).keys == {}
    assert provider.address(Call("GET", "/api/v2/deals"), TOKEN).keys == {}


# -- credentials


def test_a_users_token_has_a_header_of_its_own() -> None:
    call = Call("GET", "/api/v2/deals")
    assert Pipedrive({}).authorize(call, TOKEN) == {"x-api-token": "sandbox-token"}
    bearer = Pipedrive({}).authorize(call, Credential("oauth", "sandbox-access"))
    assert bearer == {"Authorization": "Bearer sandbox-access"}


def test_a_token_answer_brings_the_companys_host() -> None:
    body = {
        "access_token": "sandbox-access",
        "refresh_token": "sandbox-refresh",
        "expires_in": 3599,
        "scope": "deals:full,base",
        "api_domain": "https://acme-7.pipedrive.com",
    }
    old = Credential("oauth", "", fields={"client_id": "c1"})
    found = Pipedrive({}).tokens(reply(200, body), now=NOW, old=old)
    assert found.expires_at == NOW + timedelta(seconds=3599)
    assert found.scopes == ("deals:full", "base")
    assert found.fields == {"client_id": "c1", "api_domain": "https://acme-7.pipedrive.com"}
    assert Pipedrive({}).locate(found) == "https://acme-7.pipedrive.com"


@pytest.mark.parametrize(
    "domain",
    [
        "http://acme.pipedrive.com",
        "https://acme.pipedrive.com.attacker.example",
        "https://attacker.example",
        "https://acme.pipedrive.com@attacker.example",
        "",
    ],
)
def test_a_host_that_is_not_pipedrives_is_not_kept(domain: str) -> None:
    body = {"access_token": "sandbox-access", "api_domain": domain}
    found = Pipedrive({}).tokens(reply(200, body), now=NOW, old=Credential("oauth", ""))
    assert "api_domain" not in found.fields
    assert Pipedrive({}).locate(found) == ""
    if domain:
        stored = Credential("oauth", "", fields={"api_domain": domain})
        with pytest.raises(CredentialError):
            Pipedrive({}).locate(stored)


@pytest.mark.parametrize(
    "body",
    [
        {"success": False, "message": "Invalid grant: `refresh_token` is invalid"},
        {"success": False, "message": "Invalid grant", "error": "invalid_grant"},
    ],
)
def test_a_login_that_has_run_out_is_told_from_a_wrong_client(body: dict[str, Any]) -> None:
    with pytest.raises(CredentialError) as caught:
        Pipedrive({}).tokens(reply(400, body), now=NOW, old=Credential("oauth", ""))
    assert caught.value.code == "login_expired"
    wrong = {"success": False, "message": "Invalid client: client is invalid"}
    with pytest.raises(CredentialError) as caught:
        Pipedrive({}).tokens(reply(400, wrong), now=NOW, old=Credential("oauth", ""))
    assert caught.value.code == "credential_refused"


def test_the_probe_says_whose_account_it_is_and_where() -> None:
    body = {
        "success": True,
        "data": {
            "id": 1,
            "name": "Zoë",
            "timezone_name": "Europe/Berlin",
            "company_id": 54,
            "company_name": "Größe GmbH",
            "company_domain": "groesse",
        },
    }
    calls: list[Call] = []

    def send(call: Call) -> Reply:
        calls.append(call)
        return reply(200, body)

    found = Pipedrive({}).probe(send, TOKEN)
    assert (found.account_id, found.account_name) == ("54", "Größe GmbH")
    assert found.fields == {"api_domain": "https://groesse.pipedrive.com"}
    assert [(c.path, c.cost) for c in calls] == [("/api/v1/users/me", 2.0)]

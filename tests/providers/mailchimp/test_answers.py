"""Who may ask, where, and what Mailchimp's answers mean."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from lumio_cli.core.errors import CredentialError
from lumio_cli.providers.contract.auth import Credential, exchange_call
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.verdict import Outcome
from lumio_cli.providers.mailchimp import Mailchimp

from .conftest import Desk

Make = Callable[..., Desk]
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def problem(status: int, title: str, detail: str = "why", errors: Any = ()) -> Reply:
    body = {"type": "x", "title": title, "status": status, "detail": detail, "instance": "y"}
    if errors:
        body["errors"] = errors
    kind = {"content-type": "application/problem+json; charset=utf-8"}
    return Reply(status, kind, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (problem(400, "Member Exists"), Outcome.REJECTED),
        (problem(400, "Member In Compliance State"), Outcome.REJECTED),
        (problem(401, "API Key Invalid"), Outcome.REFUSED),
        (problem(403, "User Disabled"), Outcome.REFUSED),
        (problem(403, "Forbidden"), Outcome.DENIED),
        (Reply(403, {"content-type": "text/html"}, b"<html>"), Outcome.THROTTLED),
        (Reply(403, {}, b""), Outcome.THROTTLED),
        (Reply(403, {"content-type": "application/xml"}, b"<Error/>"), Outcome.REJECTED),
        (problem(404, "Resource Not Found"), Outcome.GONE),
        (problem(405, "Method Not Allowed"), Outcome.REJECTED),
        (problem(429, "Too Many Requests"), Outcome.THROTTLED),
        (Reply(429, {}, b""), Outcome.THROTTLED),
    ],
)
def test_errors_are_told_apart(reply: Reply, outcome: Outcome) -> None:
    verdict = Mailchimp({}).judge(reply)
    assert verdict is not None and verdict.outcome is outcome


def test_an_outage_is_left_to_the_status() -> None:
    for status in (500, 502, 503, 504):
        assert Mailchimp({}).judge(Reply(status, {}, b"<html>")) is None
    assert Mailchimp({}).judge(Reply(200, {}, b"{}")) is None


def test_what_is_wrong_with_which_field_is_told() -> None:
    errors = [{"field": "FNAME", "message": "Please enter a value"}]
    verdict = Mailchimp({}).judge(problem(400, "Invalid Resource", "No.", errors))
    assert verdict is not None
    assert (verdict.message, verdict.category) == (
        "No. (FNAME: Please enter a value)", "Invalid Resource",
    )  # fmt: skip


# --- where the account is


def test_a_key_says_where_it_belongs() -> None:
    key = Credential("token", "sandbox00000000000000000000000000-us21", fields={"dc": "auto"})
    assert Mailchimp({}).locate(key) == "https://us21.api.mailchimp.com"
    token = Credential("oauth", "sandbox-token", fields={"dc": "us6"})
    assert Mailchimp({}).locate(token) == "https://us6.api.mailchimp.com"


@pytest.mark.parametrize(
    "token", ["sandbox00000000000000000000", "a-us6.evil.example", "a-", "-x/y"]
)
def test_a_key_that_does_not_is_refused_before_any_call(token: str) -> None:
    with pytest.raises(CredentialError) as caught:
        Mailchimp({}).locate(Credential("token", token))
    assert token not in caught.value.message and "dc=us6" in str(caught.value.hint)


def test_the_metadata_call_tells_where_an_access_token_belongs(make_desk: Make) -> None:
    desk = make_desk(1, LUMIO_MAILCHIMP_TOKEN="sandbox-oauth-access-token")
    credential = Credential("oauth", "sandbox-oauth-access-token")
    identity = desk.provider.probe(desk.send, credential)
    assert identity.fields == {"dc": "us6"}
    assert identity.account_id == desk.account.account_id
    told, root = desk.calls
    assert (told.path, root.path) == (
        "https://login.mailchimp.com/oauth2/metadata", "https://us6.api.mailchimp.com/3.0/",
    )  # fmt: skip
    assert desk.provider.authorize(told, credential) == {
        "Authorization": "OAuth sandbox-oauth-access-token"
    }
    assert desk.provider.authorize(root, credential)["Authorization"].startswith("Bearer ")


def test_a_bad_access_token_is_refused_although_the_status_is_good(make_desk: Make) -> None:
    desk = make_desk(1, LUMIO_MAILCHIMP_TOKEN="sandbox-oauth-nobody")
    with pytest.raises(CredentialError):
        desk.provider.probe(desk.send, Credential("oauth", "sandbox-oauth-nobody"))
    assert len(desk.calls) == 1


def test_a_token_that_never_expires_is_never_renewed() -> None:
    provider = Mailchimp({})
    body = b'{"access_token":"sandbox-access","expires_in":0,"scope":null}'
    asked = Credential("oauth", "", fields={"client_id": "a"})
    found = provider.tokens(Reply(200, {}, body), now=NOW, old=asked)
    assert (found.token, found.expires_at, found.refresh) == ("sandbox-access", None, "")
    assert provider.renewal(found, NOW) is None
    with pytest.raises(CredentialError):
        bad = Reply(400, {}, b'{"error":"invalid_grant","error_description":"no"}')
        provider.tokens(bad, now=NOW, old=asked)


def test_a_code_is_exchanged_with_the_client_secret_and_without_a_verifier() -> None:
    oauth = Mailchimp.oauth
    client = {"client_id": "id", "client_secret": "sandbox-secret"}
    call = exchange_call(
        oauth, code="c", redirect_uri="http://127.0.0.1:18925/callback", verifier="v", client=client
    )
    assert call.path == "https://login.mailchimp.com/oauth2/token"
    assert call.form is not None
    assert set(call.form) == {
        "grant_type", "code", "redirect_uri", "client_id", "client_secret",
    }  # fmt: skip


def test_connecting_tells_the_role(make_desk: Make) -> None:
    desk = make_desk(1)
    identity = desk.provider.probe(desk.send, Credential("token", "sandbox-us6"))
    assert identity.details == {"role": "owner", "time_zone": "America/Sao_Paulo"}
    assert identity.scopes is None and identity.fields == {}


def test_a_disabled_user_ends_the_run_with_4(make_desk: Make) -> None:
    lab = make_desk(1).lab
    lab.token = lab.sandbox.token("mailchimp", "disabled")
    outcome = lab.lumio("sync", "mailchimp/audiences")
    assert outcome.code == 4
    assert "disabled" in outcome.out


def test_too_many_connections_are_waited_for(desk: Desk) -> None:
    desk.lab.sandbox.faults.set(["429:path=/3.0/lists:times=1"])
    assert desk.send(Call("GET", "/3.0/lists")).status == 200
    assert len(desk.calls) == 2
    quota = Mailchimp.quotas[0]
    assert (quota.kind, quota.count <= 10) == ("concurrency", True)

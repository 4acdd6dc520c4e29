"""Every request of the adapter is one that LinkedIn's API is described to take."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lumio_cli.providers.contract.auth import Credential
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.messages import Message
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.linkedin import LinkedIn
from lumio_cli.transport.attempt import Sender
from providers.linkedin.conftest import MakePages
from support.linkedin_spec import directory, validate_request

NOW = datetime(2026, 11, 18, 10, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def specs() -> None:
    """The descriptions are not part of this project."""
    directory()


def complaints(calls: list[Call]) -> list[str]:
    """What the descriptions have to say against the calls; each shape once."""
    found: list[str] = []
    for call in calls:
        if "/oauth/" in call.label or call.path.startswith("/v2/") or call.method == "PUT":
            continue  # other hosts than the API's, with pages of their own
        assert not call.params, "a query is written into the path"
        found += validate_request(call.method, call.path, call.headers)
    return sorted(set(found))


def test_reading_makes_only_requests_that_are_described(
    make_pages: MakePages, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Call] = []
    attempt = Sender.attempt

    def record(self: Sender, call: Call, *args: Any, **options: Any) -> Any:
        calls.append(call)
        return attempt(self, call, *args, **options)

    monkeypatch.setattr(Sender, "attempt", record)
    lab, clock = make_pages(records=120)
    lab.extra["LUMIO_PROVIDERS__LINKEDIN__AD_ACCOUNTS"] = "508000001"
    assert lab.lumio("connect", "linkedin").code == 0
    for mode in ("incremental", "incremental", "full"):
        assert lab.lumio("sync", "linkedin", "--mode", mode).code == 0
        clock.forward(86_400)
    shapes = {call.label for call in calls}
    assert shapes == {
        "/rest/organizationAcls",
        "/rest/organizations/{id}",
        "/rest/posts",
        "/rest/organizationalEntityShareStatistics",
        "/rest/organizationalEntityFollowerStatistics",
        "/rest/networkSizes/{urn}",
        "/rest/leadForms",
        "/rest/leadFormResponses",
    }
    assert any("submittedAtTimeRange=(start:" in call.path for call in calls)
    assert any("sponsoredAccount%3A508000001" in call.path for call in calls)
    assert complaints(calls) == []


class Recorder:
    """Answers as LinkedIn would, and keeps what it was asked."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        if "initializeUpload" in call.path:
            value = {"uploadUrl": "https://www.linkedin.com/dms-uploads/a/uploaded", "image": "i"}
            return Reply(200, {}, _json({"value": value}))
        if call.path.startswith("https://www.linkedin.com/oauth"):
            return Reply(200, {}, _json({"scope": "a,openid,profile", "expires_at": 1_800_000_000}))
        return Reply(201, {"x-restli-id": "urn%3Ali%3Ashare%3A7"}, _json({"elements": []}))


def _json(body: Any) -> bytes:
    import orjson

    return orjson.dumps(body)


def test_posting_makes_only_requests_that_are_described() -> None:
    provider, send = LinkedIn({}), Recorder()
    image = {"name": "a.png", "type": "image/png", "data": b"bytes"}
    message = Message("post", "5515715", {"text": "hello", "media": image}, "k1", NOW)
    assert provider.deliver(message, send).id == "urn:li:share:7"
    provider.find(message, None, send)  # type: ignore[arg-type]
    posts = provider.resource("posts")
    new = {"author": "5515715", "commentary": "a", "visibility": "LOGGED_IN"}
    for action, values in (("create", new), ("update", {"commentary": "b"}), ("archive", {})):
        change = Change(action, "t", id="urn:li:share:7", values=values)  # type: ignore[arg-type]
        assert [r.status for r in provider.write(posts, [change], send)] == ["done"]
    assert [call.method for call in send.calls] == [
        "POST", "PUT", "POST", "GET", "POST", "POST", "DELETE"
    ]  # fmt: skip
    methods = [call.headers.get("X-RestLi-Method") for call in send.calls]
    assert methods == ["ACTION", None, None, "FINDER", None, "PARTIAL_UPDATE", "DELETE"]
    assert send.calls[-1].path == "/rest/posts/urn%3Ali%3Ashare%3A7"
    assert complaints(send.calls) == []


def test_a_login_is_looked_at_without_using_a_quota() -> None:
    provider, send = LinkedIn({}), Recorder()
    fields = {"client_id": "sandbox-id", "client_secret": "sandbox-secret"}
    identity = provider.probe(send, Credential("oauth", "sandbox-token", fields=fields))
    assert identity.scopes == ("a", "openid", "profile")
    assert identity.expires_at == datetime.fromtimestamp(1_800_000_000, UTC)
    introspection = send.calls[1]
    assert introspection.path == "https://www.linkedin.com/oauth/v2/introspectToken"
    assert introspection.form == {"token": "sandbox-token", **fields}
    assert not introspection.auth
    assert complaints(send.calls) == []

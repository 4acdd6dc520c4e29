"""Whose workspace it is, and the way to a token."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from lumio_cli.core.errors import BadReplyError, CredentialError
from lumio_cli.providers.contract.auth import Credential
from lumio_cli.providers.slack import Slack
from lumio_cli.sandbox.lookalike import CLIENT_ID, CLIENT_SECRET
from lumio_cli.services.connections.oauth import OAuthFlow
from lumio_cli.services.connections.sessions import open_for
from providers.slack.conftest import MakeSlack, SlackLab, reply

SLACK = Slack({})
NOW = datetime(2026, 11, 23, tzinfo=UTC)
OLD = Credential("oauth", "xoxe.xoxb-old", "xoxe-1-old", fields={"client_id": "c"})


def read(body: Any) -> Credential:
    return SLACK.tokens(reply(body), now=NOW, old=OLD)


def test_connect_tells_the_workspace_and_its_scopes(lab: SlackLab) -> None:
    done = lab.lumio("connect", "slack")
    assert done.code == 0, done.out
    assert done.document["account"] == {"id": "T0SANDBOX1", "name": "Café Größe 🌻 Sandbox"}
    assert "channels:history" in done.document["scopes"]
    assert lab.asked() == ["auth.test"]


def test_connect_says_what_a_token_cannot_do(lab: SlackLab) -> None:
    lab.token = lab.sandbox.token("slack", "public_only")
    missing = lab.lumio("connect", "slack").document["missing_scopes"]
    assert missing == {"users": ["users:read"], "usergroups": ["usergroups:read"]}


def test_a_token_answer_without_rotation_never_ends() -> None:
    found = read(
        {
            "ok": True,
            "access_token": "xoxb-sandbox",
            "scope": "users:read,chat:write",
            "team": {"id": "T1", "name": "T"},
            "bot_user_id": "U1",
            "authed_user": {"id": "U2"},
        }
    )
    assert (found.token, found.expires_at) == ("xoxb-sandbox", None)
    assert found.scopes == ("users:read", "chat:write")
    assert found.fields == {"client_id": "c", "team_id": "T1", "bot_user_id": "U1"}


def test_a_rotated_token_brings_its_successor() -> None:
    body = {"ok": True, "access_token": "a", "refresh_token": "r2", "expires_in": 43_200}
    found = read(body)
    assert (found.token, found.refresh) == ("a", "r2")
    assert found.expires_at == NOW + timedelta(hours=12)


def test_a_user_token_is_nested() -> None:
    user = {"id": "U1", "access_token": "xoxp-sandbox", "scope": "users:read"}
    found = read({"ok": True, "authed_user": user})
    assert (found.token, found.scopes) == ("xoxp-sandbox", ("users:read",))


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("invalid_refresh_token", "login_expired"),
        ("token_revoked", "login_expired"),
        ("bad_client_secret", "credential_refused"),
        ("invalid_code", "credential_refused"),
    ],
)
def test_errors_of_the_token_endpoint_come_with_200(word: str, code: str) -> None:
    with pytest.raises(CredentialError) as caught:
        read({"ok": False, "error": word})
    assert caught.value.code == code
    assert word in caught.value.message


def test_what_is_no_token_answer_is_not_taken_for_one() -> None:
    bodies: list[Any] = [[], {"ok": True, "authed_user": {"id": "U1"}}]
    for body in bodies:
        with pytest.raises(BadReplyError):
            read(body)


def test_a_login_ends_at_an_https_address_that_is_pasted(lab: SlackLab) -> None:
    assert SLACK.oauth is not None
    said: list[str] = []

    def visit(_: str) -> str:
        page = next(line for line in said if line.startswith("http://"))
        return httpx.get(page).headers["location"]

    with lab.runtime() as runtime:
        session = open_for(runtime, runtime.provider("slack"), credential=Credential("oauth", ""))
        flow = OAuthFlow(
            SLACK.oauth,
            {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
            send=session.send,
            say=said.append,
            learn=lambda _: None,
            ask=visit,
            open_url=lambda _: False,
            tokens=SLACK.tokens,
            authorize_url=f"{lab.sandbox.base_url('slack')}/oauth/v2/authorize",
        )
        found = flow.run()
    assert any("https://localhost:18926/callback" in line for line in said)
    assert found.refresh
    assert set(found.scopes or ()) == set(SLACK.oauth.scopes)
    assert lab.workspace.vault.find(found.token) is not None


@pytest.mark.parametrize("name", ["expired", "no_scopes"])
def test_a_token_that_is_no_good_ends_the_run(make_slack: MakeSlack, name: str) -> None:
    lab = make_slack()
    lab.token = lab.sandbox.token("slack", name)
    entry = lab.lumio("sync", "slack/users").resource("users")
    assert entry["error"]["exit_code"] == 4
    assert lab.token not in str(entry)

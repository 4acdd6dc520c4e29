"""What the look-alike answers is what Slack's own description says that Slack answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from lumio_cli.sandbox import Sandbox
from support.slack_spec import samples, validate_response


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(records=60, seed=7, quota="none", providers=["slack"]) as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {sandbox.token('slack')}"}
    with httpx.Client(base_url=sandbox.base_url("slack"), headers=headers) as http:
        yield http


def ask(client: httpx.Client, method: str, **arguments: Any) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(f"/{method}", params=arguments).json()
    assert validate_response(method, answer) == []
    return answer


def test_every_listing_and_every_single_read(client: httpx.Client) -> None:
    kinds = "public_channel,private_channel,mpim,im"
    channel = ask(client, "conversations.list", types=kinds, limit=99)["channels"][0]["id"]
    user = ask(client, "users.list", limit=60)["members"][1]
    ask(client, "users.info", user=user["id"])
    ask(client, "users.lookupByEmail", email=user["profile"]["email"])
    ask(client, "users.conversations")
    ask(client, "conversations.info", channel=channel)
    ask(client, "conversations.members", channel=channel)
    history = ask(client, "conversations.history", channel=channel)["messages"]
    parent = next(m for m in history if m.get("reply_count"))
    assert len(ask(client, "conversations.replies", channel=channel, ts=parent["ts"])) > 1
    groups = ask(client, "usergroups.list", include_users=1, include_count=1, include_disabled=1)[
        "usergroups"
    ]
    ask(client, "usergroups.users.list", usergroup=groups[0]["id"])
    ask(client, "chat.getPermalink", channel=channel, message_ts=parent["ts"])
    ask(client, "auth.test")
    ask(client, "team.info")


def test_every_write(client: httpx.Client, sandbox: Sandbox) -> None:
    channel = str(sandbox.ready()["providers"]["slack"]["channel"])
    posted = ask(client, "chat.postMessage", channel=channel, text="x")
    ask(client, "chat.update", channel=channel, ts=posted["ts"], text="y")
    ask(client, "chat.delete", channel=channel, ts=posted["ts"])
    ask(client, "conversations.open", users="U1000000000")
    ask(client, "conversations.join", channel=channel)
    ask(client, "auth.revoke", test="true")


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("conversations.history", {"channel": "C0NOWHERE0"}),
        ("users.info", {"user": "U0NOBODY00"}),
        ("chat.postMessage", {"channel": "C1000000000"}),
        ("conversations.replies", {"channel": "C1000000000", "ts": "1.000000"}),
    ],
)
def test_errors(client: httpx.Client, method: str, arguments: dict[str, str]) -> None:
    assert ask(client, method, **arguments)["ok"] is False


def test_its_fields_are_those_that_answers_of_slack_have_had(client: httpx.Client) -> None:
    """Recorded answers hold every field there ever was, but for those that are younger still."""
    recorded = dict(samples())
    kinds = "public_channel,private_channel,mpim,im"
    channels = ask(client, "conversations.list", types=kinds, limit=99)["channels"]
    for channel in channels:
        assert set(channel) <= set(recorded["conversations.list"]["channels"][0])
    known = set(recorded["users.list"]["members"][0])
    for user in ask(client, "users.list", limit=60)["members"]:
        assert set(user) <= known
        assert set(user["profile"]) <= set(recorded["users.list"]["members"][0]["profile"])
    assert set(ask(client, "auth.test")) <= set(recorded["auth.test"])

"""Slack's official client works against the look-alike, and reads what it expects to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lumio_cli.sandbox import Sandbox

sdk = pytest.importorskip("slack_sdk")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(records=60, seed=7, quota="none", providers=["slack"]) as running:
        yield running


def connect(sandbox: Sandbox, token: str = "full") -> Any:
    return sdk.WebClient(
        token=sandbox.token("slack", token), base_url=f"{sandbox.base_url('slack')}/api/"
    )


@pytest.fixture
def client(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return connect(sandbox)


def general(sandbox: Sandbox) -> str:
    return str(sandbox.ready()["providers"]["slack"]["channel"])


def test_it_knows_who_it_is(client: Any) -> None:
    who = client.auth_test()
    assert who["ok"]
    assert who["team_id"].startswith("T")


def test_it_walks_every_page_of_a_listing(client: Any, sandbox: Sandbox) -> None:
    people = [user["id"] for page in client.users_list(limit=25) for user in page["members"]]
    assert len(people) == len(set(people)) == 60
    kinds = "public_channel,private_channel,mpim,im"
    rooms = [c["id"] for page in client.conversations_list(limit=7, types=kinds)
             for c in page["channels"]]  # fmt: skip
    assert len(rooms) == len(set(rooms)) == 60
    pages = client.conversations_history(channel=general(sandbox), limit=9)
    times = [message["ts"] for page in pages for message in page["messages"]]
    assert times == sorted(times, reverse=True)
    assert len(set(times)) == 60


def test_it_writes_answers_changes_and_deletes(client: Any, sandbox: Sandbox) -> None:
    channel = general(sandbox)
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "*Olá* 🌻"}}]
    metadata = {"event_type": "greeting", "event_payload": {"key": "k1"}}
    posted = client.chat_postMessage(
        channel="#general", text="Olá", blocks=blocks, metadata=metadata
    )
    assert posted["channel"] == channel
    reply = client.chat_postMessage(channel=channel, text="e aí?", thread_ts=posted["ts"])
    thread = client.conversations_replies(channel=channel, ts=posted["ts"])["messages"]
    assert [m["ts"] for m in thread] == [posted["ts"], reply["ts"]]
    client.chat_update(channel=channel, ts=posted["ts"], text="Oi", blocks=[])
    newest = client.conversations_history(channel=channel, limit=1)["messages"][0]
    assert (newest["text"], newest["reply_count"]) == ("Oi", 1)
    assert newest["edited"]["ts"] > posted["ts"]
    assert "metadata" not in newest
    for ts in (reply["ts"], posted["ts"]):
        client.chat_delete(channel=channel, ts=ts)
    newest = client.conversations_history(channel=channel, limit=1)["messages"][0]
    assert newest["ts"] < posted["ts"]


def test_it_uploads_a_file_in_three_steps(client: Any, sandbox: Sandbox) -> None:
    done = client.files_upload_v2(
        channel=general(sandbox), filename="ação.txt", content="olá", initial_comment="veja"
    )
    newest = client.conversations_history(channel=general(sandbox), limit=1)["messages"][0]
    assert newest["text"] == "veja"
    assert newest["files"][0]["id"] == done["file"]["id"]


def test_it_writes_to_a_person(client: Any, sandbox: Sandbox) -> None:
    person = next(
        u for u in client.users_list(limit=60)["members"] if not (u["deleted"] or u["is_bot"])
    )
    found = client.users_lookupByEmail(email=person["profile"]["email"])["user"]["id"]
    room = client.conversations_open(users=found)["channel"]["id"]
    assert room.startswith("D")
    assert client.chat_postMessage(channel=room, text="oi")["channel"] == room
    assert client.chat_postMessage(channel=found, text="oi")["channel"] == room


def test_it_raises_the_words_of_errors(client: Any, sandbox: Sandbox) -> None:
    with pytest.raises(sdk.errors.SlackApiError) as caught:
        client.chat_postMessage(channel="C0NOWHERE0", text="x")
    assert caught.value.response["error"] == "channel_not_found"
    with pytest.raises(sdk.errors.SlackApiError) as caught:
        connect(sandbox, "no_scopes").users_list()
    assert caught.value.response["error"] == "missing_scope"
    assert caught.value.response["needed"] == "users:read"


def test_it_goes_through_a_login_and_its_renewal(client: Any, sandbox: Sandbox) -> None:
    import httpx

    app = sandbox.ready()["providers"]["slack"]["oauth"]
    redirect = "https://localhost:18926/callback"
    page = httpx.get(
        f"{sandbox.base_url('slack')}/oauth/v2/authorize",
        params={
            "client_id": app["client_id"],
            "scope": "users:read,chat:write",
            "redirect_uri": redirect,
            "state": "s1",
        },
    )
    code = httpx.URL(page.headers["location"]).params["code"]
    first = client.oauth_v2_access(**app, code=code, redirect_uri=redirect)
    assert first["scope"] == "chat:write,users:read"
    second = client.oauth_v2_access(
        **app, grant_type="refresh_token", refresh_token=first["refresh_token"]
    )
    assert second["access_token"] != first["access_token"]
    with pytest.raises(sdk.errors.SlackApiError) as caught:
        client.oauth_v2_access(
            **app, grant_type="refresh_token", refresh_token=first["refresh_token"]
        )
    assert caught.value.response["error"] == "invalid_refresh_token"

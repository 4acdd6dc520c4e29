"""Every request that the adapter makes is one that Slack's own description allows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lumio_cli.providers.contract.auth import Credential, exchange_call
from lumio_cli.providers.contract.call import Call
from lumio_cli.providers.slack import Slack
from lumio_cli.transport.attempt import Sender
from providers.slack.conftest import GENERAL, SlackLab
from providers.slack.test_sending import SECTION, file, message
from support.slack_spec import directory, validate_request


@pytest.fixture(autouse=True)
def specs() -> None:
    """The description is not part of this project."""
    directory()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """Everything that goes out, as it goes out."""
    seen: list[Call] = []
    attempt = Sender.attempt

    def record(self: Sender, call: Call, *args: Any, **options: Any) -> Any:
        seen.append(call)
        return attempt(self, call, *args, **options)

    monkeypatch.setattr(Sender, "attempt", record)
    return seen


def complaints(calls: list[Call]) -> list[str]:
    """What the description has to say against the calls; each once. An upload's address is
    Slack's own to choose."""
    return sorted({c for call in calls if call.auth for c in validate_request(call)})


def test_reading(lab: SlackLab, calls: list[Call]) -> None:
    lab.set("channels", f"{GENERAL},random")
    lab.lumio("connect", "slack")
    for words in ((), (), ("--mode", "full")):
        outcome = lab.lumio("sync", "slack", *words)
        assert outcome.code == 0, outcome.out
        lab.forward(3600)
        lab.general.reply(lab.general.insert({"text": "new"}), {"text": "reply"})
    assert {call.path for call in calls} == {
        "/auth.test",
        "/users.list",
        "/conversations.list",
        "/users.conversations",
        "/conversations.history",
        "/conversations.replies",
        "/usergroups.list",
    }
    assert complaints(calls) == []


def test_sending(lab: SlackLab, calls: list[Call]) -> None:
    person = next(u for u in lab.workspace.users if not (u["deleted"] or u["is_bot"]))
    first = lab.deliver(message(text="x", blocks=[SECTION], unfurl=False))
    lab.deliver(message(person["profile"]["email"], text="x"))
    lab.deliver(message(f"@{person['name']}", text="x"))
    lab.deliver(message(text="x", thread=first.id, broadcast=True))
    lab.deliver(file(title="t", text="c", thread=first.id))
    lab.find(message(text="x"))
    lab.find(message(text="x", thread=first.id))
    assert {call.path for call in calls if call.auth} >= {
        "/chat.postMessage",
        "/conversations.open",
        "/users.lookupByEmail",
        "/files.getUploadURLExternal",
        "/files.completeUploadExternal",
    }
    assert complaints(calls) == []


def test_logging_in() -> None:
    slack = Slack({})
    assert slack.oauth is not None
    client = {"client_id": "c", "client_secret": "s"}
    where = "https://localhost:18926/callback"
    exchange = exchange_call(slack.oauth, code="c", redirect_uri=where, verifier="v", client=client)
    old = Credential("oauth", "a", "r", fields=client)
    renewal = slack.renewal(old, datetime(2026, 11, 23, tzinfo=UTC))
    assert renewal is not None
    assert [c for call in (exchange, renewal) for c in validate_request(call)] == []


def test_the_judge_of_requests_can_say_no() -> None:
    wrong = [
        Call("GET", "/conversations.everything"),
        Call("GET", "/users.list", params={"limit": "many"}),
        Call("GET", "/users.list", params={"since": "1"}),
        Call("POST", "/users.list", json={"limit": 1}),
        Call("GET", "/users.lookupByEmail"),
    ]
    assert all(validate_request(call) for call in wrong)

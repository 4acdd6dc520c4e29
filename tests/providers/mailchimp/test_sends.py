"""Campaigns are created, tested, scheduled and sent; never twice, and never by mistake."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.core.errors import RejectedError, UnavailableError, UsageError
from lumio_cli.providers.contract.messages import Finds, Message, Sends
from lumio_cli.providers.mailchimp import Mailchimp

from .conftest import Desk, losing

Make = Callable[..., Desk]
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
LATER = "2026-12-01T10:15:00+01:00"
KEY = "lumio-0001"
VALUES: dict[str, Any] = {
    "subject": "Olá 🌻", "from_name": "A", "reply_to": "a@example.com", "html": "<p>x</p>",
    "file": "", "text": "", "template": 0, "title": "", "preview": "", "segment": 0,
    "now": False, "at": "",
}  # fmt: skip
LOST = UnavailableError("no answer", code="outcome_unknown")


class Nothing:
    """A hub that knows of nothing but these statuses of campaigns."""

    def __init__(self, **statuses: str) -> None:
        self.statuses = statuses

    def latest(self, resource: str, match: Mapping[str, str], path: str) -> str | None:
        assert (resource, path) == ("campaigns", "status")
        return self.statuses.get(match["id"])


def message(kind: str, to: str, **values: Any) -> Message:
    return Message(kind, to, values, KEY, NOW)


def campaign(desk: Desk, **values: Any) -> Message:
    return message("campaign", desk.list_id, **{**VALUES, **values})


def status_of(desk: Desk, campaign_id: str) -> str:
    row = desk.account.tables["campaigns"].get(campaign_id)
    assert row is not None
    return str(row["status"])


def test_it_sends_and_can_be_asked_what_became_of_it() -> None:
    provider = Mailchimp({})
    assert isinstance(provider, Sends) and isinstance(provider, Finds)
    confirmed = {kind.name: kind.confirm for kind in provider.messages}
    assert confirmed == {"campaign": True, "test": False, "schedule": True, "send": True}


@pytest.mark.parametrize(
    ("values", "status"),
    [({}, "save"), ({"now": True}, "sent"), ({"at": LATER}, "schedule")],
)
def test_a_campaign_is_created_and_goes_as_far_as_it_is_told(
    desk: Desk, values: dict[str, Any], status: str
) -> None:
    receipt = desk.deliver(campaign(desk, **values))
    assert receipt.status == "done"
    assert status_of(desk, receipt.id) == status
    row = desk.account.tables["campaigns"].get(receipt.id)
    assert row is not None and row["settings"]["title"] == f"Olá 🌻 [{KEY}]"
    assert desk.account.drafts[receipt.id]["html"] == "<p>x</p>"
    if values.get("at"):
        assert row["send_time"] == "2026-12-01T09:15:00+00:00"


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ({"html": "", "text": "Hallo"}, ("plain_text", "Hallo")),
        ({"html": "", "template": 4001}, ("html", "<p>from a template</p>")),
        (
            {"html": "", "file": {"name": "a.html", "type": "text/html", "data": "<b>ü".encode()}},
            ("html", "<b>ü"),
        ),
    ],
)
def test_content_of_every_kind(desk: Desk, values: dict[str, Any], kept: tuple[str, str]) -> None:
    receipt = desk.deliver(campaign(desk, **values))
    assert receipt.status == "done"
    assert desk.account.drafts[receipt.id][kept[0]] == kept[1]


def test_a_draft_is_tested_scheduled_and_sent(desk: Desk) -> None:
    made = desk.deliver(campaign(desk)).id
    test = message("test", "me@example.com", campaign=made, format="html")
    assert desk.deliver(test).id == made
    assert desk.account.drafts[made]["tests"] == ["me@example.com"]
    assert desk.deliver(message("schedule", made, at=LATER)).status == "done"
    assert status_of(desk, made) == "schedule"
    other = desk.deliver(campaign(desk)).id
    assert desk.deliver(message("send", other)).id == other
    assert status_of(desk, other) == "sent"
    with pytest.raises(RejectedError):
        desk.deliver(message("send", other))


def test_what_is_refused_after_the_creation_names_the_draft(desk: Desk) -> None:
    receipt = desk.deliver(campaign(desk, html="", template=1, now=True))
    assert (receipt.status, receipt.kind) == ("failed", "validation")
    assert receipt.id in receipt.message and "draft" in receipt.message
    assert status_of(desk, receipt.id) == "save"


# --- nothing is sent that should not be


@pytest.mark.parametrize(
    ("kind", "to", "values"),
    [
        ("campaign", "a b", VALUES),
        ("campaign", "abc", {**VALUES, "html": ""}),
        ("campaign", "abc", {**VALUES, "template": 3}),
        ("campaign", "abc", {**VALUES, "reply_to": "nobody"}),
        ("campaign", "abc", {**VALUES, "subject": "x" * 151}),
        ("campaign", "abc", {**VALUES, "now": True, "at": LATER}),
        ("campaign", "abc", {**VALUES, "at": "tomorrow"}),
        ("schedule", "abc", {"at": "2026-12-01T10:15:00"}),
        ("schedule", "abc", {"at": "2026-12-01T10:07:00+00:00"}),
        ("schedule", "abc", {"at": "2026-10-01T10:15:00+00:00"}),
        ("test", "nobody", {"campaign": "abc", "format": "html"}),
        ("test", "me@example.com", {"campaign": "../x", "format": "html"}),
        ("send", "../x", {}),
    ],
)
def test_what_mailchimp_would_not_take_is_refused_before(
    kind: str, to: str, values: dict[str, Any]
) -> None:
    with pytest.raises(UsageError):
        Mailchimp({}).check(message(kind, to, **values), Nothing())


def test_what_the_hub_knows_to_be_sent_is_not_sent_again() -> None:
    provider = Mailchimp({})
    hub = Nothing(a="sent", b="sending", c="schedule", d="save")
    for name in ("a", "b"):
        with pytest.raises(RejectedError):
            provider.check(message("send", name), hub)
    with pytest.raises(RejectedError):
        provider.check(message("schedule", "c", at=LATER), hub)
    for allowed in (message("send", "c"), message("send", "d"), message("send", "unknown"),
                    message("schedule", "d", at=LATER)):  # fmt: skip
        provider.check(allowed, hub)
    provider.check(message("campaign", "abc", **{**VALUES, "at": LATER}), hub)


# --- lost answers


@pytest.mark.parametrize(("done", "status"), [(True, "done"), (False, "retry")])
def test_a_lost_answer_to_sending_is_read_from_the_campaign(
    desk: Desk, done: bool, status: str
) -> None:
    made = desk.deliver(campaign(desk)).id
    send = losing(desk, "actions/send", LOST, done=done)
    receipt = desk.deliver(message("send", made), send)
    assert (receipt.status, receipt.id) == (status, made)
    found = desk.provider.find(message("send", made), Nothing(), desk.send)
    assert found is not None and found.status == status


def test_a_lost_answer_to_creating_is_found_by_the_title(desk: Desk) -> None:
    asked = campaign(desk)
    before = desk.provider.find(asked, Nothing(), desk.send)
    assert before is not None and before.status == "retry"
    with pytest.raises(UnavailableError):
        desk.deliver(asked, losing(desk, "/3.0/campaigns", LOST))
    after = desk.provider.find(asked, Nothing(), desk.send)
    assert after is not None and after.status == "done"
    assert status_of(desk, after.id) == "save"
    # One that was to be sent and is a draft needs a person to look at it.
    wanted = desk.provider.find(campaign(desk, now=True), Nothing(), desk.send)
    assert wanted is not None and wanted.status == "failed"
    test = message("test", "me@example.com", campaign=after.id, format="html")
    assert desk.provider.find(test, Nothing(), desk.send) is None


def test_sending_is_never_repeated_by_itself(desk: Desk) -> None:
    made = desk.deliver(campaign(desk, now=True))
    assert made.status == "done"
    posts = [c for c in desk.calls if c.method == "POST"]
    assert posts and not any(c.repeatable for c in posts)


# --- through the command line


def test_a_campaign_from_a_file_is_sent_once(desk: Desk, tmp_path: Path) -> None:
    page = tmp_path / "mail.html"
    page.write_text("<p>Größe</p>", encoding="utf-8")
    words = (
        "send", "mailchimp", "--kind", "campaign", "--to", desk.list_id, "--file", str(page),
        "--set", "subject=Olá", "--set", "from_name=A", "--set", "reply_to=a@example.com",
        "--set", "now=true", "--name", "spring", "--yes",
    )  # fmt: skip
    first = desk.lab.lumio(*words)
    assert first.code == 0, first.out
    (sent,) = first.document["messages"]
    assert status_of(desk, sent["id"]) == "sent"
    assert desk.account.drafts[sent["id"]]["html"] == "<p>Größe</p>"
    desk.lab.lumio(*words)
    assert len(desk.account.drafts) == 1


def test_a_preview_of_a_campaign_sends_nothing(desk: Desk) -> None:
    words = ("send", "mailchimp", "--kind", "send", "--to", "0123456789", "--preview")
    shown = desk.lab.lumio(*words)
    assert shown.code == 0, shown.out
    assert not [c for c in desk.calls if c.method == "POST"]


def test_without_a_yes_a_campaign_is_not_sent(desk: Desk) -> None:
    outcome = desk.lab.lumio("send", "mailchimp", "--kind", "send", "--to", "0123456789")
    assert outcome.code == 2, outcome.out
    assert not desk.calls

"""Messages and files: what is refused before it is sent, what is sent, what became of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, ClassVar, cast

import pytest

from lumio_cli.core.errors import DeniedError, LumioError, UsageError
from lumio_cli.providers.contract.messages import Message, Past
from lumio_cli.providers.slack import Slack
from lumio_cli.sandbox.slack.blockkit import faults
from providers.slack.conftest import GENERAL, Answers, MakeSlack, SlackLab

SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "*Olá*"}}
NOBODY = cast(Past, None)


def message(to: str = "#general", kind: str = "message", key: str = "k1", **values: Any) -> Message:
    return Message(kind, to, values, key, datetime(2026, 11, 23, tzinfo=UTC))


def file(to: str = "#general", data: bytes = b"abc", **values: Any) -> Message:
    media = {"name": "Größe.txt", "type": "text/plain", "data": data}
    return message(to, "file", media=media, **values)


# -- before


@pytest.mark.parametrize(
    "to", ["#general", "@anna", "ana@example.com", "C0123456789", "U012345678"]
)
def test_recipients(to: str) -> None:
    Slack({}).check(message(to, text="x"), NOBODY)


@pytest.mark.parametrize(
    "wrong",
    [
        message("general", text="x"),
        message("#", text="x"),
        message(),
        message(text="x" * 40_001),
        message(blocks="{"),
        message(blocks=[{"text": "no type"}]),
        message(blocks=[SECTION] * 51),
        message(text="x", thread="yesterday"),
        message(text="x", broadcast=True),
        file(data=b""),
    ],
)
def test_what_slack_would_not_take_is_never_sent(wrong: Message) -> None:
    with pytest.raises(UsageError):
        Slack({}).check(wrong, NOBODY)


def plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


BUTTON = {"type": "button", "text": plain("x"), "action_id": "a"}
PICTURE = {"type": "image", "image_url": "https://a.example/b.png", "alt_text": "b"}


@pytest.mark.parametrize(
    "block",
    [
        {"type": "section", "text": plain("x" * 3001)},
        {"type": "section", "text": plain("")},
        {"type": "section", "text": "x"},
        {"type": "section"},
        {"type": "section", "fields": [plain("x")] * 11},
        {"type": "section", "fields": [plain("x" * 2001)]},
        {"type": "section", "text": plain("x"), "accessory": {**BUTTON, "text": plain("x" * 76)}},
        {"type": "header", "text": plain("x" * 151)},
        {"type": "header", "text": {"type": "mrkdwn", "text": "x"}},
        {"type": "context", "elements": [plain("x")] * 11},
        {"type": "context", "elements": []},
        {"type": "actions", "elements": [BUTTON] * 26},
        {"type": "actions", "elements": [{**BUTTON, "value": "x" * 2001}]},
        {"type": "markdown", "text": "x" * 12_001},
        {"type": "image", "image_url": "https://a.example/b.png"},
        {**PICTURE, "alt_text": "x" * 2001},
        {"type": "divider", "block_id": "x" * 256},
        {"type": "table", "rows": [[]] * 101},
    ],
)
def test_blocks_that_slack_refuses_are_refused_before(block: Any) -> None:
    with pytest.raises(UsageError, match=r"block 2 \("):
        Slack({}).check(message(blocks=[SECTION, block]), NOBODY)
    assert faults([SECTION, block])


def test_the_look_alike_names_the_place_of_what_it_refuses(
    lab: SlackLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lumio_cli.providers.slack.blocks.check", lambda _: None)
    receipt = lab.deliver(message(blocks=[SECTION, {"type": "header", "text": plain("x" * 151)}]))
    assert (receipt.status, receipt.kind) == ("failed", "invalid_blocks")
    assert "[json-pointer:/blocks/1/text/text]" in receipt.message


def test_blocks_that_slack_takes_pass(lab: SlackLab) -> None:
    blocks = [
        {"type": "section", "text": plain("x" * 3000), "fields": [plain("x" * 2000)] * 10},
        {"type": "header", "text": plain("x" * 150)},
        {"type": "context", "elements": [*[plain("x")] * 9, PICTURE]},
        {"type": "actions", "elements": [BUTTON] * 25, "block_id": "x" * 255},
        {"type": "markdown", "text": "x" * 12_000},
        PICTURE,
        {"type": "divider"},
        {"type": "rich_text", "elements": []},
    ]
    Slack({}).check(message(blocks=blocks), NOBODY)
    assert lab.deliver(message(blocks=blocks)).status == "done"
    twice = [{"type": "divider", "block_id": "a"}] * 2
    with pytest.raises(UsageError, match="the same block_id"):
        Slack({}).check(message(blocks=twice), NOBODY)


class Known:
    """A hub with a channel, a person and their conversation."""

    rows: ClassVar[dict[str, list[dict[str, str]]]] = {
        "channels": [{"id": "C0123456789", "name": "general"}, {"id": "D0123456789", "user": "U1"}],
        "users": [{"id": "U1", "name": "ana", "profile.email": "ana@example.com"}],
    }

    def latest(self, resource: str, match: Any, path: str) -> str | None:
        for row in self.rows.get(resource, ()):
            if all(row.get(name) == value for name, value in match.items()):
                return row.get(path)
        return None


def test_a_channel_and_a_person_have_many_names() -> None:
    names = Slack({}).names
    for many in (
        ("#general", "#General", "C0123456789"),
        ("@ana", "ana@example.com", "Ana@Example.com", "D0123456789"),
    ):
        found = [set(names(to, Known())) for to in many]
        assert all(one & other for one in found for other in found), found
    assert not set(names("#general", Known())) & set(names("@ana", Known()))
    assert names("#Nowhere", Known()) == ("#nowhere",)
    assert names("@nobody", Known()) == ("@nobody",)


def test_a_channel_is_found_whatever_its_capitals(lab: SlackLab) -> None:
    assert lab.deliver(message("#General", text="x")).status == "done"


@pytest.mark.parametrize(
    "thread",
    [
        "1503435956.000247",
        "C0123456789:1503435956.000247",
        "https://x.slack.com/archives/C0123456789/p1503435956000247?thread_ts=1",
    ],
)
def test_a_thread_is_named_by_time_id_or_link(thread: str) -> None:
    send = Answers({"ok": True, "channel": "C0123456789", "ts": "2.0"})
    Slack({}).deliver(message("C0123456789", text="x", thread=thread), send)
    assert send.calls[0].json["thread_ts"] == "1503435956.000247"


def test_blocks_may_be_as_the_block_kit_builder_writes_them() -> None:
    for given in ([SECTION], {"blocks": [SECTION]}, json.dumps([SECTION])):
        send = Answers({"ok": True, "channel": "C0123456789", "ts": "2.0"})
        Slack({}).deliver(message("C0123456789", blocks=given), send)
        assert send.calls[0].json["blocks"] == [SECTION]


# -- messages


def test_a_message_carries_its_key_and_is_never_repeated() -> None:
    send = Answers({"ok": True, "channel": "C0123456789", "ts": "2.000001"})
    receipt = Slack({}).deliver(message("C0123456789", text="x", unfurl=False), send)
    assert (receipt.status, receipt.id, receipt.trace) == ("done", "C0123456789:2.000001", "k1")
    (call,) = send.calls
    assert call.json["metadata"] == {"event_type": "lumio_message", "event_payload": {"key": "k1"}}
    assert call.json["unfurl_links"] is False
    assert call.keys == {"channel": "C0123456789"}
    assert not call.repeatable


def test_it_goes_to_channels_people_and_threads(lab: SlackLab) -> None:
    users = list(lab.workspace.users)
    person = next(u for u in users if not (u["deleted"] or u["is_bot"]))
    address, handle = person["profile"]["email"], f"@{person['name']}"
    rooms = {lab.deliver(message(to, text="oi")).id[:1] for to in (address, handle, person["id"])}
    assert rooms == {"D"}
    first = lab.deliver(message("#general", text="Olá 🌻", blocks=[SECTION]))
    channel, _, ts = first.id.partition(":")
    assert channel == GENERAL
    lab.deliver(message(GENERAL, text="e aí?", thread=first.id, broadcast=True))
    thread = lab.general.find(ts) or {}
    assert (thread["text"], thread["reply_count"]) == ("Olá 🌻", 1)


@pytest.mark.parametrize(
    ("to", "kind"),
    [
        ("#nowhere", "channel_not_found"),
        ("nobody@example.com", "users_not_found"),
        ("@nobody", "user_not_found"),
        ("U0NOBODY00", "user_not_found"),
    ],
)
def test_a_recipient_that_is_not_there_fails_that_message(
    lab: SlackLab, to: str, kind: str
) -> None:
    receipt = lab.deliver(message(to, text="x"))
    assert (receipt.status, receipt.kind) == ("failed", kind)
    assert receipt.message


def test_a_name_that_two_people_have_is_not_guessed() -> None:
    people = [{"id": f"U{n}", "name": f"u{n}", "profile": {"display_name": "Ana"}} for n in (1, 2)]
    receipt = Slack({}).deliver(message("@Ana", text="x"), Answers({"ok": True, "members": people}))
    assert (receipt.status, receipt.kind) == ("failed", "ambiguous_user")


def test_a_token_that_may_not_write_stops_everything(lab: SlackLab) -> None:
    lab.token = lab.sandbox.token("slack", "read_only")
    with pytest.raises(DeniedError) as caught:
        lab.deliver(message(text="x"))
    assert caught.value.scopes == ("chat:write",)


def test_one_message_a_second_for_each_channel(make_slack: MakeSlack) -> None:
    import time

    lab = make_slack(quota="published", clock=time.time)
    for number in range(2):
        lab.deliver(message(GENERAL, text=str(number)))
    assert lab.sandbox.violations == 0


# -- files


def test_a_file_takes_three_steps_and_only_the_last_shows(lab: SlackLab) -> None:
    receipt = lab.deliver(file("#general", title="Título", text="veja"))
    assert receipt.status == "done"
    newest = lab.general.find(lab.general.ids()[-1]) or {}
    assert newest["text"] == "veja"
    assert newest["files"][0]["id"] == receipt.id
    assert (newest["files"][0]["name"], newest["files"][0]["title"]) == ("Größe.txt", "Título")
    asked = [path for _, _, path, _ in lab.sandbox.requests]
    assert any(path.startswith("/slack/upload/v1/") for path in asked)


def test_the_bytes_go_to_slack_s_files_without_the_token() -> None:
    send = Answers(
        {"ok": True, "upload_url": "https://files.slack.com/upload/v1/abc", "file_id": "F1"},
        b"OK - 3",
        {"ok": True, "files": [{"id": "F1"}]},
    )
    Slack({}).deliver(file("C0123456789"), send)
    place, upload, sharing = send.calls
    assert place.form == {"filename": "Größe.txt", "length": "3"}
    assert (upload.auth, upload.content, upload.answer) == (False, b"abc", "text")
    assert "abc" not in upload.label, "an address that lets anybody in stays out of logs"
    assert [call.repeatable for call in send.calls] == [True, True, False]
    assert sharing.form is not None
    assert sharing.form["channel_id"] == "C0123456789"


def test_a_file_into_a_thread_and_to_a_person(lab: SlackLab) -> None:
    parent = lab.general.insert({"text": "first"})
    lab.deliver(file(GENERAL, thread=parent))
    assert (lab.general.find(parent) or {})["reply_count"] == 1
    person = next(u for u in lab.workspace.users if not (u["deleted"] or u["is_bot"]))
    assert lab.deliver(file(person["profile"]["email"])).status == "done"


# -- lost answers


def test_a_lost_answer_leaves_a_doubt_that_can_be_settled(lab: SlackLab) -> None:
    lab.sandbox.faults.set(["lost:path=/chat.postMessage:times=1"])
    with pytest.raises(LumioError) as caught:
        lab.deliver(message(text="once", key="k7"))
    assert caught.value.code == "outcome_unknown"
    assert lab.asked().count("chat.postMessage") == 1, "it is not sent again"
    found = lab.find(message(text="once", key="k7"))
    assert found is not None
    assert (found.status, found.id) == ("done", f"{GENERAL}:{lab.general.ids()[-1]}")
    absent = lab.find(message(text="once", key="k8"))
    assert absent is not None
    assert absent.status == "retry"


def test_a_lost_reply_is_found_in_its_thread(lab: SlackLab) -> None:
    parent = lab.general.insert({"text": "first"})
    wanted = message(text="reply", thread=parent)
    done = lab.deliver(wanted)
    found = lab.find(wanted)
    assert found is not None
    assert found.id == done.id


def test_nobody_can_say_without_the_right_to_read_or_too_far_back(lab: SlackLab) -> None:
    assert lab.find(file()) is None
    more = {"ok": True, "messages": [], "response_metadata": {"next_cursor": "n"}}
    pages = [{**more, "response_metadata": {"next_cursor": str(n)}} for n in range(9)]
    send = Answers(*pages)
    assert Slack({}).find(message("C0123456789", text="x"), NOBODY, send) is None
    assert len(send.calls) == 5
    # A history that loses its place does not prove that the message is not there.
    lost = Answers({"ok": True, "messages": [], "has_more": True})
    assert Slack({}).find(message("C0123456789", text="x"), NOBODY, lost) is None


# -- from the command line


def test_the_command_line_sends(lab: SlackLab, tmp_path: Any) -> None:
    blocks = tmp_path / "blocks.json"
    blocks.write_text(json.dumps({"blocks": [SECTION]}))
    words = ("--to", "#general", "--text", "Olá", "--blocks", str(blocks))
    sent = lab.lumio("send", "slack", *words)
    assert sent.code == 0, sent.out
    newest = lab.general.find(lab.general.ids()[-1]) or {}
    assert (newest["text"], newest["blocks"]) == ("Olá", [SECTION])
    report = tmp_path / "relatório.csv"
    report.write_text("a,b\n")
    shared = lab.lumio("send", "slack", "--to", "#general", "--file", str(report))
    assert shared.code == 0, shared.out
    newest = lab.general.find(lab.general.ids()[-1]) or {}
    assert newest["files"][0]["name"] == "relatório.csv"

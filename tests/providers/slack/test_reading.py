"""How Slack's records come into the hub."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lumio_cli.config.validation import convert
from lumio_cli.core.errors import GoneError
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.resource import Walk, Window
from lumio_cli.providers.slack import Slack
from lumio_cli.providers.slack.walks import ts_of
from lumio_cli.sandbox.slack.data import channel_id
from providers.slack.conftest import GENERAL, Answers, MakeSlack, SlackLab, reply

LEADS = channel_id(2)


def ids(lab: SlackLab, resource: str = "messages") -> set[str]:
    return {row[0] for row in lab.sql(f"SELECT id FROM slack_{resource}")}


# -- users, channels, groups


def test_users_are_columns_that_can_be_read(lab: SlackLab) -> None:
    lab.sync("users")
    rows = lab.sql("SELECT email, deleted, is_bot, updated FROM slack_users")
    assert len(rows) == 60
    assert {row[1] for row in rows} == {0, 1}, "deactivated ones stay"
    assert any("@" in str(row[0]) for row in rows)
    assert all(str(row[3]).endswith("Z") for row in rows)


def test_without_the_scope_for_addresses_there_are_none(lab: SlackLab) -> None:
    lab.token = lab.sandbox.token("slack", "no_email")
    lab.sync("users")
    assert lab.sql("SELECT count(email) FROM slack_users") == [(0,)]


def test_channels_are_those_of_all_types_that_the_scopes_allow(lab: SlackLab) -> None:
    entry = lab.sync("channels")
    assert (entry["created"], entry["requests"]) == (60, 2)
    kinds = "SELECT max(is_im), max(is_mpim), max(is_private), max(is_archived) FROM slack_channels"
    assert lab.sql(kinds) == [(1, 1, 1, 1)]


def test_a_type_that_no_scope_covers_is_not_asked_for(make_slack: MakeSlack) -> None:
    lab = make_slack()
    lab.token = lab.sandbox.token("slack", "public_only")
    assert lab.sync("channels")["status"] == "succeeded"
    assert lab.sql("SELECT max(is_private) FROM slack_channels") == [(0,)]


def test_no_scope_for_any_type_skips_the_channels(make_slack: MakeSlack) -> None:
    lab = make_slack()
    lab.token = lab.sandbox.token("slack", "no_scopes")
    entry = lab.lumio("sync", "slack/channels").resource("channels")
    assert (entry["status"], entry["error"]["code"]) == ("skipped", "scope_missing")
    assert "conversations.list" not in lab.asked()


def test_user_groups_come_with_members_and_with_those_that_are_disabled(lab: SlackLab) -> None:
    lab.sync("usergroups")
    rows = lab.sql("SELECT handle, users, date_delete FROM slack_usergroups ORDER BY id")
    assert [row[0] for row in rows][:2] == ["marketing-team", "vendas-br"]
    assert rows[0][1].startswith('["U')
    assert [row[2] is None for row in rows] == [True] * 4 + [False]


# -- messages


def test_without_chosen_channels_there_are_no_messages(make_slack: MakeSlack) -> None:
    lab = make_slack()
    outcome = lab.lumio("sync", "slack")
    assert outcome.code == 0, outcome.out
    assert "conversations.history" not in lab.asked()


def test_a_message_is_named_by_its_channel_and_its_time(lab: SlackLab) -> None:
    lab.set("threads", "no")
    lab.sync("messages")
    first = lab.general.ids()[0]
    query = "SELECT channel, ts, sent_at FROM slack_messages WHERE id = ?"
    assert lab.sql(query, f"{GENERAL}:{first}") == [
        (GENERAL, first, "2025-01-01T00:00:00.000Z"),
    ]


def test_a_channel_may_be_given_by_its_name(make_slack: MakeSlack) -> None:
    lab = make_slack()
    lab.set("threads", "no")
    lab.set("channels", f"#General,{LEADS}")
    lab.sync("messages")
    assert {record.partition(":")[0] for record in ids(lab)} == {GENERAL, LEADS}
    assert "users.conversations" in lab.asked()


def test_a_name_that_no_channel_has_says_what_to_do(make_slack: MakeSlack) -> None:
    lab = make_slack()
    lab.set("channels", "nowhere")
    entry = lab.lumio("sync", "slack/messages").resource("messages")
    assert "'nowhere'" in entry["error"]["message"]
    assert "/invite" in entry["error"]["hint"]


def test_a_channel_without_the_app_says_so(make_slack: MakeSlack) -> None:
    lab = make_slack()
    elsewhere = lab.workspace.channels.insert({"name": "elsewhere", "is_channel": True})
    lab.set("channels", elsewhere)
    entry = lab.lumio("sync", "slack/messages").resource("messages")
    assert "/invite" in entry["error"]["message"]


def test_a_channel_that_is_chosen_later_gets_its_whole_history(lab: SlackLab) -> None:
    lab.set("threads", "no")
    lab.sync("messages")
    lab.forward(3600)
    lab.general.insert({"text": "new"})
    lab.set("channels", f"{GENERAL},{LEADS}")
    lab.forward(3600)
    entry = lab.sync("messages")
    assert entry["mode"] == "incremental"
    history = lab.workspace.timeline(LEADS).ids()
    assert entry["created"] == 1 + len(history)
    assert {f"{LEADS}:{ts}" for ts in history} <= ids(lab)


def test_one_channel_that_is_refused_holds_no_other_up(lab: SlackLab) -> None:
    lab.set("threads", "no")
    lab.set("channels", f"{GENERAL},{LEADS}")
    lab.sync("messages")
    lab.forward(3600)
    lab.workspace.channels.update(LEADS, {"is_member": False})
    new = lab.general.insert({"text": "new"})
    lab.forward(3600)
    entry = lab.sync("messages", code=3)
    assert entry["status"] == "partial"
    assert f"{GENERAL}:{new}" in ids(lab)
    assert f"{LEADS}:{lab.workspace.timeline(LEADS).ids()[0]}" in ids(lab), "nothing is deleted"


def test_a_reply_to_a_message_of_the_last_week_is_found(lab: SlackLab) -> None:
    parent = lab.general.insert({"text": "a question"})
    lab.sync("messages")
    for _ in range(6):
        lab.forward(86_400)
        lab.sync("messages")
    answer = lab.general.reply(parent, {"text": "an answer, six days later"})
    assert lab.sync("messages")["created"] == 1
    assert f"{GENERAL}:{answer}" in ids(lab)


@pytest.mark.parametrize(
    ("kind", "given", "hours"),
    [
        ("internal", 0, 168), ("commercial", 0, 24), ("commercial", "72", 72),
        ("internal", 24.5, 24.5), ("internal", 48, 48),
    ],
)  # fmt: skip
def test_how_far_a_sync_looks_back_is_a_setting(kind: str, given: Any, hours: float) -> None:
    (field,) = [field for field in Slack.fields if field.name == "lookback_hours"]
    chosen = {"lookback_hours": convert(field, given)}
    slack = Slack({"app_kind": kind, "channels": ["general"], **chosen})
    cursor = slack.resource("messages").cursor
    assert cursor is not None
    assert cursor.lookback == hours * 3600


def test_edits_are_found_within_the_lookback_and_older_ones_by_a_full_sync(lab: SlackLab) -> None:
    lab.set("threads", "no")
    lab.set("lookback_hours", "2")
    recent = lab.general.insert({"text": "before"})
    old = lab.general.ids()[0]
    lab.sync("messages")
    lab.forward(3600)
    for ts in (old, recent):
        lab.general.update(ts, {"text": "after"})
    lab.sync("messages")
    query = "SELECT text FROM slack_messages WHERE id = ?"
    assert lab.sql(query, f"{GENERAL}:{recent}") == [("after",)]
    assert lab.sql(query, f"{GENERAL}:{old}") != [("after",)]
    lab.sync("messages", "--mode", "full")
    assert lab.sql(query, f"{GENERAL}:{old}") == [("after",)]


def test_a_deleted_message_is_gone_after_a_full_sync(lab: SlackLab) -> None:
    lab.set("threads", "no")
    lab.sync("messages")
    gone = lab.general.ids()[5]
    lab.general.purge(gone)
    assert lab.sync("messages", "--mode", "full")["deleted"] == 1
    assert f"{GENERAL}:{gone}" not in ids(lab)


def test_a_deleted_message_with_replies_stays_as_a_tombstone(lab: SlackLab) -> None:
    parent = lab.general.insert({"text": "secret"})
    lab.general.reply(parent, {"text": "reply"})
    lab.sync("messages")
    lab.forward(60)
    lab.general.delete(parent)
    lab.sync("messages")
    query = "SELECT subtype, text, reply_count FROM slack_messages WHERE ts = ?"
    assert lab.sql(query, parent) == [("tombstone", "This message was deleted.", 1)]


# -- threads


def everything(lab: SlackLab) -> set[str]:
    """The messages of #general, replies included."""
    found = set()
    for ts in lab.general.ids():
        found |= {f"{GENERAL}:{ts}", *(f"{GENERAL}:{r['ts']}" for r in lab.general.replies(ts))}
    return found


def test_replies_come_with_the_messages(lab: SlackLab) -> None:
    lab.sync("messages")
    assert ids(lab) == everything(lab)
    threads = [ts for ts in lab.general.ids() if lab.general.replies(ts)]
    assert lab.asked().count("conversations.replies") == len(threads) > 0
    query = "SELECT count(*) FROM slack_messages WHERE parent_user_id IS NOT NULL"
    assert lab.sql(query) == [(len(ids(lab)) - 60,)]


def test_a_second_full_sync_finds_nothing_new(lab: SlackLab) -> None:
    parent = lab.general.ids()[0]
    lab.general.reply(parent, {"text": "to all", "subtype": "thread_broadcast"})
    lab.sync("messages")
    entry = lab.sync("messages", "--mode", "full")
    assert (entry["created"], entry["updated"], entry["deleted"]) == (0, 0, 0)
    assert ids(lab) == everything(lab)


def test_only_new_replies_of_recent_threads_are_asked_for(lab: SlackLab) -> None:
    lab.set("lookback_hours", "2")
    parent = lab.general.insert({"text": "a thread"})
    quiet = lab.general.insert({"text": "another one"})
    lab.general.reply(quiet, {"text": "early"})
    lab.sync("messages")
    before = len(lab.asked())
    lab.forward(3600)
    new = lab.general.reply(parent, {"text": "late"})
    entry = lab.sync("messages")
    assert entry["created"] == 1
    assert f"{GENERAL}:{new}" in ids(lab)
    asked = lab.asked()[before:]
    assert asked.count("conversations.replies") == 2


def test_a_long_thread_is_read_page_by_page() -> None:
    root = {"ts": "1.000000", "reply_count": 3, "latest_reply": "1.000003", "channel": "C1"}
    more = {"response_metadata": {"next_cursor": "n"}}
    send = Answers(
        {"ok": True, "messages": [root, {"ts": "1.000001"}, {"ts": "1.000002"}], **more},
        {"ok": True, "messages": [root, {"ts": "1.000003"}]},
    )
    slack = Slack({"channels": ["C12345678"]})
    walk = Walk(slack.resource("messages"), "full", options={"channel": "C12345678"})
    found = slack.fill(walk, [root], send)
    assert [record["ts"] for record in found] == ["1.000000", "1.000001", "1.000002", "1.000003"]
    assert [call.params.get("cursor") for call in send.calls] == [None, "n"]


@pytest.mark.parametrize(("hours", "days"), [("24", 0), ("2", 0), (0, 6), ("720", 29)])
def test_a_window_asks_only_threads_that_went_on(hours: str, days: int) -> None:
    # However far back the window reaches, what was said long before the last sync is known.
    floor = datetime(2026, 1, 1, tzinfo=UTC) - timedelta(days=days)
    old, new = "1767225599.999999", "1767225600.000000"
    records: list[Any] = [
        {"ts": "1.0", "reply_count": 1, "latest_reply": old, "channel": "C1"},
        {"ts": "2.0", "reply_count": 1, "latest_reply": new, "channel": "C1"},
        "not a record",
    ]
    send = Answers({"ok": True, "messages": []})
    slack = Slack({"channels": ["C12345678"], "lookback_hours": hours})
    walk = Walk(slack.resource("messages"), "changes", window=Window(floor))
    assert slack.fill(walk, records, send) == records
    assert [call.params["ts"] for call in send.calls] == ["2.0"]
    assert send.calls[0].params["oldest"] == "1767225600.000000"


def test_a_thread_that_is_deleted_meanwhile_costs_nothing_but_itself() -> None:
    records: list[Any] = [{"ts": f"{n}.000000", "reply_count": 1, "channel": "C1"} for n in (1, 2)]

    def send(call: Call) -> Reply:
        if call.params["ts"] == "1.000000":
            raise GoneError("there is no such thread in this channel")
        return reply({"ok": True, "messages": [{"ts": "2.000001"}]})

    slack = Slack({"channels": ["C12345678"]})
    found = slack.fill(Walk(slack.resource("messages"), "full"), records, send)
    assert [record["ts"] for record in found] == ["1.000000", "2.000000", "2.000001"]


def test_times_are_never_floats() -> None:
    assert ts_of(datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)) == "1767225600.000001"


# -- kinds of app


@pytest.mark.parametrize(("kind", "count", "page"), [("internal", 50, 200), ("commercial", 1, 15)])
def test_the_kind_of_app_says_how_fast_and_how_much(kind: str, count: int, page: int) -> None:
    slack = Slack({"app_kind": kind, "channels": ["general"]})
    quotas = {quota.name: quota for quota in slack.quotas}
    for name in ("conversations_history", "conversations_replies"):
        assert (quotas[name].count, quotas[name].per) == (count, 60.0)
    assert slack.resource("messages").page_size == {"full": page, "changes": page}


def test_the_replies_of_a_commercial_app_must_be_asked_for() -> None:
    records: list[Any] = [{"ts": "1.0", "reply_count": 1, "channel": "C1"}]
    for threads, requests in (("auto", 0), ("yes", 1), ("no", 0)):
        options = {"app_kind": "commercial", "channels": ["general"], "threads": threads}
        slack, send = Slack(options), Answers({"ok": True, "messages": []})
        slack.fill(Walk(slack.resource("messages"), "full"), records, send)
        assert len(send.calls) == requests


def test_limits_of_one_s_own_go_before_those_of_the_kind() -> None:
    slack = Slack({"app_kind": "commercial", "limits": {"conversations_history": 5}})
    assert next(q for q in slack.quotas if q.name == "conversations_history").count == 5


def test_a_commercial_app_is_never_too_fast(make_slack: MakeSlack) -> None:
    lab = make_slack(quota="published", records=14)
    lab.token = lab.sandbox.token("slack", "commercial")
    lab.set("channels", GENERAL)
    lab.set("app_kind", "commercial")
    assert lab.sync("messages")["created"] == 14
    assert lab.sandbox.violations == 0

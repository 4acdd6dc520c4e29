"""How the look-alike of Slack behaves: tokens, scopes, pages, windows, threads, tiers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import httpx
import pytest

from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.slack import Slack

Ask = Callable[..., dict[str, Any]]
GENERAL = "C1000000000"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_795_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(clock: Clock) -> Iterator[Callable[..., Sandbox]]:
    opened: list[Sandbox] = []

    def build(**options: Any) -> Sandbox:
        options = {"records": 60, "seed": 7, "quota": "none", "clock": clock, **options}
        opened.append(Sandbox(providers=["slack"], **options).start())
        return opened[-1]

    yield build
    for item in opened:
        item.close()


@pytest.fixture
def sandbox(make: Callable[..., Sandbox]) -> Sandbox:
    return make()


def asking(sandbox: Sandbox, token: str = "full") -> Ask:
    headers = {"Authorization": f"Bearer {sandbox.token('slack', token)}"} if token else {}

    def ask(method: str, **arguments: Any) -> dict[str, Any]:
        url = f"{sandbox.base_url('slack')}/{method}"
        reply = httpx.post(url, data=arguments, headers=headers)
        body: dict[str, Any] = reply.json()
        return {**body, "status": reply.status_code, "headers": dict(reply.headers)}

    return ask


def workspace(sandbox: Sandbox) -> Slack:
    return cast(Slack, sandbox.providers["slack"])


def error(answer: dict[str, Any]) -> str:
    assert answer["status"] == 200, "errors of the caller are 200 as well"
    assert answer["ok"] is False
    return str(answer["error"])


# -- tokens and scopes


def test_tokens_are_refused_with_a_word_each(sandbox: Sandbox) -> None:
    assert error(asking(sandbox, "")("auth.test")) == "not_authed"
    assert error(asking(sandbox, "expired")("auth.test")) == "token_expired"
    assert error(asking(sandbox, "")("auth.test", token="xoxb-nobody")) == "invalid_auth"
    ask = asking(sandbox, "read_only")
    assert ask("auth.revoke")["revoked"] is True
    assert error(ask("auth.test")) == "token_revoked"


def test_a_missing_scope_is_named_and_every_answer_names_those_there_are(sandbox: Sandbox) -> None:
    answer = asking(sandbox, "public_only")("users.list")
    assert error(answer) == "missing_scope"
    assert (answer["needed"], answer["provided"]) == (
        "users:read",
        "channels:history,channels:read",
    )
    assert answer["headers"]["x-oauth-scopes"] == "channels:history,channels:read"


def test_one_type_too_many_refuses_the_whole_listing(sandbox: Sandbox) -> None:
    ask = asking(sandbox, "public_only")
    assert ask("conversations.list", types="public_channel")["ok"]
    answer = ask("conversations.list", types="public_channel,im")
    assert (error(answer), answer["needed"]) == ("missing_scope", "im:read")


def test_addresses_are_for_tokens_that_may_see_them(sandbox: Sandbox) -> None:
    mine = asking(sandbox)("users.list", limit=60)["members"]
    theirs = asking(sandbox, "no_email")("users.list", limit=60)["members"]
    assert any("email" in user["profile"] for user in mine)
    assert not any("email" in user["profile"] for user in theirs)


def test_unknown_methods_and_bodies_that_are_no_json(sandbox: Sandbox) -> None:
    assert error(asking(sandbox)("users.nothing")) == "unknown_method"
    url, token = f"{sandbox.base_url('slack')}/chat.postMessage", sandbox.token("slack")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    assert httpx.post(url, content=b"{", headers=headers).json()["error"] == "invalid_json"
    body = {"channel": GENERAL, "text": "x"}
    assert httpx.post(url, json=body, headers=headers).json()["warning"] == "missing_charset"


# -- pages


def test_pages_end_with_an_empty_cursor_and_limits_are_kept(sandbox: Sandbox) -> None:
    ask = asking(sandbox)
    page = ask("users.list", limit=59)
    last = ask("users.list", limit=59, cursor=page["response_metadata"]["next_cursor"])
    assert (len(page["members"]), len(last["members"])) == (59, 1)
    assert last["response_metadata"]["next_cursor"] == ""
    assert ask("users.list", limit=60)["response_metadata"]["next_cursor"] == ""
    for limit in ("-1", "1001", "many"):
        assert error(ask("users.list", limit=limit)) == "invalid_limit"
    assert error(ask("users.list", cursor="nonsense")) == "invalid_cursor"
    assert error(ask("conversations.list", cursor="dXNlcjpVMA==")) == "invalid_cursor"


def test_a_large_workspace_wants_a_limit(make: Callable[..., Sandbox]) -> None:
    assert error(asking(make(records=1500))("users.list")) == "limit_required"


def test_a_page_without_archived_channels_is_short_and_not_the_last(sandbox: Sandbox) -> None:
    page = asking(sandbox)("conversations.list", limit=20, exclude_archived="true")
    assert len(page["channels"]) < 20
    assert page["response_metadata"]["next_cursor"]


def test_a_record_that_goes_does_not_disturb_the_pages(sandbox: Sandbox) -> None:
    ask = asking(sandbox)
    page = ask("users.list", limit=10)
    users = workspace(sandbox).users
    users.purge(users.ids()[10])
    following = ask("users.list", limit=10, cursor=page["response_metadata"]["next_cursor"])
    assert following["members"][0]["id"] == users.ids()[10]


# -- messages


def test_a_window_excludes_its_ends_unless_it_is_told_otherwise(sandbox: Sandbox) -> None:
    ask = asking(sandbox)
    times = [m["ts"] for m in ask("conversations.history", channel=GENERAL)["messages"]]
    window = {"channel": GENERAL, "oldest": times[5], "latest": times[2]}
    inner = ask("conversations.history", **window)["messages"]
    whole = ask("conversations.history", **window, inclusive="true")["messages"]
    assert [m["ts"] for m in inner] == times[3:5]
    assert [m["ts"] for m in whole] == times[2:6]
    assert error(ask("conversations.history", channel=GENERAL, oldest="x")) == "invalid_ts_oldest"


def test_messages_of_one_second_differ_in_the_decimals(sandbox: Sandbox) -> None:
    messages = asking(sandbox)("conversations.history", channel=GENERAL)["messages"]
    seconds = [m["ts"].partition(".")[0] for m in messages]
    assert len(set(seconds)) < len(seconds)
    assert len({m["ts"] for m in messages}) == len(messages)


def test_an_edit_or_a_new_reply_does_not_bring_an_old_message_back(
    sandbox: Sandbox, clock: Clock
) -> None:
    ask = asking(sandbox)
    timeline = workspace(sandbox).timeline(GENERAL)
    since = f"{int(clock.now)}.000000"
    clock.now += 60
    old = timeline.ids()[10]
    timeline.update(old, {"text": "edited"})
    timeline.reply(old, {"text": "late"})
    assert ask("conversations.history", channel=GENERAL, oldest=since)["messages"] == []
    shown = ask("conversations.replies", channel=GENERAL, ts=old)["messages"]
    assert (shown[0]["text"], shown[-1]["text"]) == ("edited", "late")
    assert shown[0]["edited"]["ts"] > since


def test_replies_are_not_in_the_history_unless_they_were_sent_there_too(sandbox: Sandbox) -> None:
    ask = asking(sandbox)
    parent = ask("chat.postMessage", channel=GENERAL, text="first")["ts"]
    quiet = ask("chat.postMessage", channel=GENERAL, text="a", thread_ts=parent)["ts"]
    loud = ask(
        "chat.postMessage", channel=GENERAL, text="b", thread_ts=parent, reply_broadcast="true"
    )["ts"]
    times = [m["ts"] for m in ask("conversations.history", channel=GENERAL, limit=5)["messages"]]
    assert loud in times
    assert quiet not in times


def test_a_deleted_message_leaves_a_tombstone_only_where_it_has_replies(sandbox: Sandbox) -> None:
    ask = asking(sandbox)
    alone, parent = (ask("chat.postMessage", channel=GENERAL, text="x")["ts"] for _ in range(2))
    reply = ask("chat.postMessage", channel=GENERAL, text="y", thread_ts=parent)["ts"]
    for ts in (alone, parent):
        assert ask("chat.delete", channel=GENERAL, ts=ts)["ok"]
    newest = ask("conversations.history", channel=GENERAL, limit=2)["messages"]
    assert (newest[0]["ts"], newest[0]["subtype"]) == (parent, "tombstone")
    assert newest[1]["ts"] < alone
    thread = ask("conversations.replies", channel=GENERAL, ts=parent)["messages"]
    assert [m["ts"] for m in thread] == [parent, reply]


def test_each_page_of_a_thread_begins_with_its_first_message(sandbox: Sandbox) -> None:
    ask = asking(sandbox)
    timeline = workspace(sandbox).timeline(GENERAL)
    parent = timeline.insert({"text": "first"})
    replies = [timeline.reply(parent, {"text": str(n)}) for n in range(5)]
    met, cursor = [], ""
    while True:
        page = ask("conversations.replies", channel=GENERAL, ts=parent, limit=3, cursor=cursor)
        assert page["messages"][0]["ts"] == parent
        met += [m["ts"] for m in page["messages"][1:]]
        if not page["has_more"]:
            break
        cursor = page["response_metadata"]["next_cursor"]
    assert met == replies


def test_only_members_read_and_private_channels_are_not_even_known(sandbox: Sandbox) -> None:
    ask = asking(sandbox)
    channels = workspace(sandbox).channels
    public = channels.insert({"name": "elsewhere", "is_channel": True, "is_member": False})
    private = channels.insert({"name": "secret", "is_private": True, "is_member": False})
    assert error(ask("conversations.history", channel=public)) == "not_in_channel"
    assert error(ask("conversations.history", channel=private)) == "channel_not_found"
    assert ask("conversations.join", channel=public)["ok"]
    assert ask("conversations.history", channel=public)["ok"]


def test_what_cannot_be_posted(sandbox: Sandbox) -> None:
    ask = asking(sandbox)
    assert error(ask("chat.postMessage", channel=GENERAL)) == "no_text"
    assert error(ask("chat.postMessage", channel=GENERAL, blocks="[")) == "invalid_blocks_format"
    answer = ask("chat.postMessage", channel=GENERAL, blocks='[{"text": "x"}]')
    assert error(answer) == "invalid_blocks"
    assert "json-pointer" in answer["errors"][0]
    archived = workspace(sandbox).channels.insert({"name": "old", "is_archived": True})
    assert error(ask("chat.postMessage", channel=archived, text="x")) == "is_archived"
    no_thread = ask("chat.postMessage", channel=GENERAL, text="x", thread_ts="1.000000")
    assert error(no_thread) == "thread_not_found"


def test_a_file_is_shared_by_id_only_after_its_bytes_have_come(sandbox: Sandbox) -> None:
    ask = asking(sandbox)
    got = ask("files.getUploadURLExternal", filename="a.txt", length=3)
    files = f'[{{"id": "{got["file_id"]}"}}]'
    share = {"files": files, "channel_id": GENERAL}
    assert error(ask("files.completeUploadExternal", **share)) == "file_not_found"
    assert httpx.post(got["upload_url"], content=b"four").status_code == 500
    assert httpx.post(got["upload_url"], content=b"abc").text == "OK - 3"
    by_name = {**share, "channel_id": "#general"}
    assert error(ask("files.completeUploadExternal", **by_name)) == "channel_not_found"
    assert ask("files.completeUploadExternal", **share)["files"][0]["title"] == "a.txt"
    assert error(ask("files.completeUploadExternal", **share)) == "file_not_found"


# -- limits


def test_each_method_has_its_own_minute(make: Callable[..., Sandbox], clock: Clock) -> None:
    sandbox = make(quota="tier2=2")
    ask = asking(sandbox)
    assert [ask("users.list", limit=1)["status"] for _ in range(3)] == [200, 200, 429]
    refused = ask("users.list", limit=1)
    assert (refused["error"], refused["headers"]["retry-after"]) == ("ratelimited", "60")
    assert ask("usergroups.list")["status"] == 200
    clock.now += 60
    assert ask("users.list", limit=1)["status"] == 200
    assert sandbox.violations == 2


def test_a_channel_takes_one_message_a_second(make: Callable[..., Sandbox], clock: Clock) -> None:
    ask = asking(make(quota="published"))
    post = {"channel": GENERAL, "text": "x"}
    assert [ask("chat.postMessage", **post)["status"] for _ in range(2)] == [200, 429]
    assert ask("chat.postMessage", channel="#random", text="x")["status"] == 200
    clock.now += 1
    assert ask("chat.postMessage", **post)["status"] == 200


def test_an_app_that_is_sold_elsewhere_reads_next_to_nothing(
    make: Callable[..., Sandbox], clock: Clock
) -> None:
    ask = asking(make(quota="published"), "commercial")
    page = ask("conversations.history", channel=GENERAL, limit=200)
    assert len(page["messages"]) == 15
    assert page["has_more"]
    assert ask("conversations.history", channel=GENERAL)["status"] == 429
    clock.now += 60
    assert ask("conversations.history", channel=GENERAL)["status"] == 200


# -- logging in


def test_a_redirect_is_https_and_pkce_brings_no_bot(sandbox: Sandbox) -> None:
    page = f"{sandbox.base_url('slack')}/oauth/v2/authorize"
    app = sandbox.ready()["providers"]["slack"]["oauth"]["client_id"]
    plain = {"client_id": app, "scope": "users:read", "redirect_uri": "http://localhost:1/cb"}
    assert "did not match" in httpx.get(page, params=plain).text
    desktop = {**plain, "code_challenge": "x", "code_challenge_method": "S256"}
    assert "bot scopes" in httpx.get(page, params=desktop).text
    secure = {**plain, "redirect_uri": "https://localhost:1/cb"}
    assert httpx.get(page, params=secure).status_code == 302


def test_codes_and_secrets_that_are_wrong(sandbox: Sandbox) -> None:
    ask = asking(sandbox, "")
    app = sandbox.ready()["providers"]["slack"]["oauth"]
    assert error(ask("oauth.v2.access", **app, code="none")) == "invalid_code"
    other = {**app, "client_id": "nobody"}
    assert error(ask("oauth.v2.access", **other, code="none")) == "invalid_client_id"


def test_a_workspace_without_a_paid_plan_says_that_it_hides_messages(
    sandbox: Sandbox, clock: Clock
) -> None:
    ask = asking(sandbox)
    whole = ask("conversations.history", channel=GENERAL, limit=999)
    assert "is_limited" not in whole
    url = f"{sandbox.url}/_sandbox/slack/plan"
    httpx.post(url, json={"keeps_days": 365}).raise_for_status()
    part = ask("conversations.history", channel=GENERAL, limit=999)
    assert part["is_limited"] is True
    assert 0 < len(part["messages"]) < len(whole["messages"])
    horizon = clock.now - 365 * 86_400
    assert all(float(message["ts"]) >= horizon for message in part["messages"])
    # Where nothing is hidden of what was asked for, it does not say so; a hidden thread is none.
    recent = ask("conversations.history", channel=GENERAL, limit=999, oldest=str(int(clock.now)))
    assert "is_limited" not in recent
    old = next(m for m in whole["messages"] if m.get("reply_count") and float(m["ts"]) < horizon)
    assert error(ask("conversations.replies", channel=GENERAL, ts=old["ts"])) == "thread_not_found"
    httpx.post(url, json={"keeps_days": None}).raise_for_status()
    assert len(ask("conversations.history", channel=GENERAL, limit=999)["messages"]) == 60

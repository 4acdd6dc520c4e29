"""Writing: messages, and the conversations to write them into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..http import Response
from ..lookalike import Token
from ..table import Document
from .answers import Arguments, fail, missing_scope, ok
from .blockkit import faults
from .data import APP_ID, BOT_ID, BOT_USER, TEAM_ID, coded
from .methods import Ask, Method
from .reading import find_channel, member, type_of
from .timeline import micros_of, public

if TYPE_CHECKING:
    from .account import Account

TEXT_MAX = 40_000
MARKDOWN_MAX = 12_000
MOST_AT_ONCE = 8
OWN_IDS = 1_000_000
"""Where the numbers of conversations begin that were opened on demand."""


def target_of(slack: Account, value: str) -> Document:
    """The conversation that a message goes to: by id, by name, or a user's. Raises Answered."""
    if value in slack.users:
        return open_direct(slack, value)
    if value in slack.channels:
        return find_channel(slack, value)
    name = value.removeprefix("#")
    found = next((c for c in slack.channels if name and c.get("name") == name), None)
    if found is None:
        fail("channel_not_found")
    return find_channel(slack, found["id"])


def open_direct(slack: Account, user: str) -> Document:
    """The direct conversation with a user, made on first use. Raises Answered."""
    person = slack.users.get(user)
    if person is None:
        fail("user_not_found")
    if person.get("deleted"):
        fail("user_disabled")
    if person.get("is_bot"):
        fail("cannot_dm_bot")
    number = OWN_IDS + slack.users.ids().index(user)
    channel = coded("D", number)
    if channel not in slack.channels:
        document = {"is_im": True, "is_archived": False, "user": user, "is_org_shared": False}
        slack.channels.insert(document, channel)
    found = slack.channels.get(channel)
    assert found is not None  # noqa: S101 it was made a moment ago
    return found


def _may_post(channel: Document, token: Token) -> None:
    if channel.get("is_archived"):
        fail("is_archived")
    if member(channel):
        return
    if type_of(channel) != "public_channel" or "chat:write.public" not in token.scopes:
        fail("not_in_channel")


def _nested(arguments: Arguments, name: str) -> Any:
    try:
        return arguments.nested(name)
    except ValueError:
        fail(f"invalid_{name}_format")


def _content(arguments: Arguments) -> tuple[Document, list[str]]:
    """What a message says, and warnings about it. Raises Answered."""
    text, markdown = arguments.text("text"), arguments.text("markdown_text")
    blocks, attachments = _nested(arguments, "blocks"), _nested(arguments, "attachments")
    warnings: list[str] = []
    if markdown and (text or blocks):
        fail("markdown_text_conflict")
    if len(markdown) > MARKDOWN_MAX:
        fail("msg_too_long")
    if not (text or markdown or blocks or attachments):
        fail("no_text")
    if len(text) > TEXT_MAX:
        text, warnings = text[:TEXT_MAX], ["message_truncated"]
    found: Document = {"text": text or markdown}
    if blocks is not None:
        _check_blocks(blocks)
        found["blocks"] = blocks
    if attachments:
        found["attachments"] = attachments
    metadata = _nested(arguments, "metadata")
    if metadata is not None:
        if not isinstance(metadata, dict) or not {"event_type", "event_payload"} <= set(metadata):
            fail("invalid_metadata_schema")
        found["metadata"] = metadata
    return found, warnings


def _check_blocks(blocks: Any) -> None:
    if not isinstance(blocks, list):
        fail("invalid_blocks_format")
    errors = faults(blocks)
    if errors:
        messages = [f"[ERROR] {error}" for error in errors]
        fail("invalid_blocks", errors=errors, response_metadata={"messages": messages})


def post_message(ask: Ask) -> Response:
    """A new message, or a reply where `thread_ts` names a thread."""
    channel = target_of(ask.slack, ask.arguments.text("channel"))
    _may_post(channel, ask.token)
    ask.slack.charge_channel(ask.token, channel["id"])
    content, warnings = _content(ask.arguments)
    timeline = ask.slack.timeline(channel["id"])
    document = {"user": BOT_USER, "bot_id": BOT_ID, "app_id": APP_ID, "team": TEAM_ID, **content}
    thread = ask.arguments.text("thread_ts")
    if not thread:
        ts = timeline.insert(document)
    else:
        parent = timeline.parent_of(thread)
        if parent is None:
            fail("thread_not_found")
        if ask.arguments.flag("reply_broadcast"):
            document["subtype"] = "thread_broadcast"
        ts = timeline.reply(parent, document)
    message = timeline.find(ts)
    assert message is not None  # noqa: S101 it was posted a moment ago
    if ask.arguments.charset_missing:
        warnings.append("missing_charset")
    answer: dict[str, Any] = {"channel": channel["id"], "ts": ts, "message": message}
    if warnings:
        answer["warning"] = ",".join(warnings)
        answer["response_metadata"] = {"warnings": warnings}
    return ok(**answer)


def _own(slack: Account, arguments: Arguments, what: str) -> tuple[Document, str]:
    channel = find_channel(slack, arguments.text("channel"))
    message = slack.timeline(channel["id"]).find(arguments.text("ts"))
    if message is None:
        fail("message_not_found")
    if message.get("bot_id") != BOT_ID or message.get("user") != BOT_USER:
        fail(f"cant_{what}_message")
    return channel, str(message["ts"])


def update_message(ask: Ask) -> Response:
    """Another text for a message of one's own."""
    channel, ts = _own(ask.slack, ask.arguments, "update")
    content, _ = _content(ask.arguments)
    timeline = ask.slack.timeline(channel["id"])
    timeline.update(ts, content)
    message = public(timeline.find(ts) or {}, False)
    return ok(channel=channel["id"], ts=ts, text=content["text"], message=message)


def delete_message(ask: Ask) -> Response:
    """A message of one's own goes."""
    channel, ts = _own(ask.slack, ask.arguments, "delete")
    ask.slack.timeline(channel["id"]).delete(ts)
    return ok(channel=channel["id"], ts=ts)


def permalink(ask: Ask) -> Response:
    """The address of a message for people."""
    channel = find_channel(ask.slack, ask.arguments.text("channel"))
    ts = ask.arguments.text("message_ts")
    if ask.slack.timeline(channel["id"]).find(ts) is None:
        fail("message_not_found")
    host = "https://sandbox-workspace.slack.example"
    link = f"{host}/archives/{channel['id']}/p{micros_of(ts)}"
    return ok(channel=channel["id"], permalink=link)


def open_conversation(ask: Ask) -> Response:
    """The direct conversation with one user, or with a few."""
    users = ask.arguments.listed("users")
    wanted = ask.arguments.text("channel")
    if wanted:
        channel = find_channel(ask.slack, wanted)
        return ok(no_op=True, already_open=True, channel={"id": channel["id"]})
    if not users:
        fail("users_list_not_supplied")
    if len(users) > MOST_AT_ONCE:
        fail("too_many_users")
    if len(users) == 1:
        if "im:write" not in ask.token.scopes:
            missing_scope("im:write", ask.token.scopes)
        found = open_direct(ask.slack, users[0])
    else:
        if "mpim:write" not in ask.token.scopes:
            missing_scope("mpim:write", ask.token.scopes)
        found = _open_group(ask.slack, users)
    if ask.arguments.flag("return_im"):
        return ok(no_op=False, already_open=False, channel=found)
    return ok(channel={"id": found["id"]})


def _open_group(slack: Account, users: list[str]) -> Document:
    for user in users:
        if user not in slack.users:
            fail("user_not_found")
    name = "mpdm-" + "--".join(sorted(user.lower() for user in users)) + "-1"
    for candidate in slack.channels.ids():
        known = slack.channels.get(candidate)
        if known is not None and known.get("name") == name:
            return known
    channel = coded("G", 2 * OWN_IDS + len(slack.channels))
    document = {
        "name": name,
        "is_mpim": True,
        "is_private": True,
        "is_archived": False,
        "is_member": True,
    }
    slack.channels.insert(document, channel)
    return slack.channels.get(channel) or {}


def join(ask: Ask) -> Response:
    """The app goes into a public channel."""
    channel = find_channel(ask.slack, ask.arguments.text("channel"))
    if type_of(channel) != "public_channel":
        fail("method_not_supported_for_channel_type")
    if channel.get("is_archived"):
        fail("is_archived")
    if channel.get("is_member"):
        metadata = {"warnings": ["already_in_channel"]}
        return ok(channel=channel, warning="already_in_channel", response_metadata=metadata)
    ask.slack.channels.update(channel["id"], {"is_member": True})
    return ok(channel=ask.slack.channels.get(channel["id"]))


METHODS = (
    Method("chat.postMessage", post_message, "special", ("chat:write",), True),
    Method("chat.update", update_message, "tier3", ("chat:write",), True),
    Method("chat.delete", delete_message, "tier3", ("chat:write",), True),
    Method("chat.getPermalink", permalink, "special"),
    Method("conversations.open", open_conversation, "tier3", ("im:write", "mpim:write"), True),
    Method("conversations.join", join, "tier3", ("channels:join",), True),
)

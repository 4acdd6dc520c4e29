"""Reading: people, conversations, their messages, and groups."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_left
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..http import Response
from ..lookalike import Token
from ..table import Document
from .answers import Arguments, fail, missing_scope, ok
from .data import BOT_USER, user_id
from .methods import Ask, Method
from .timeline import micros_of, public

if TYPE_CHECKING:
    from .account import Account

TYPES = {
    "public_channel": "channels",
    "private_channel": "groups",
    "mpim": "mpim",
    "im": "im",
}
"""The types of conversations, and the family of scopes that each needs."""
EVERYTHING = 1000
"""How many records a listing without a limit gives before it asks for one."""
FOREVER = 9_999_999_999_999_999
_READ = tuple(f"{family}:read" for family in TYPES.values())
_HISTORY = tuple(f"{family}:history" for family in TYPES.values())


def type_of(channel: Document) -> str:
    """What a conversation is, as `types` calls it."""
    if channel.get("is_im"):
        return "im"
    if channel.get("is_mpim"):
        return "mpim"
    return "private_channel" if channel.get("is_private") else "public_channel"


def visible(channel: Document) -> bool:
    """Whether the app knows of a conversation at all."""
    return type_of(channel) != "private_channel" or bool(channel.get("is_member"))


def member(channel: Document) -> bool:
    """Whether the app is in a conversation; it is in every direct one that it sees."""
    return bool(channel.get("is_im") or channel.get("is_mpim") or channel.get("is_member"))


def find_channel(slack: Account, value: str) -> Document:
    """The conversation of that id. Raises Answered."""
    channel = slack.channels.get(value)
    if channel is None or not visible(channel):
        fail("channel_not_found")
    return channel


def need(token: Token, channel: Document, right: str) -> None:
    """The scope for this type of conversation. Raises Answered."""
    scope = f"{TYPES[type_of(channel)]}:{right}"
    if scope not in token.scopes:
        missing_scope(scope, token.scopes)


def limit_of(arguments: Arguments, default: int, most: int) -> int:
    """The page size. Raises Answered for one that is no number, or out of bounds."""
    text = arguments.text("limit")
    if not text or text == "0":
        return default
    if not text.isdigit() or not 1 <= int(text) <= most:
        fail("invalid_limit")
    return int(text)


def encode(word: str) -> str:
    """A cursor."""
    return base64.b64encode(word.encode()).decode()


def decode(arguments: Arguments, kind: str) -> str | None:
    """What a cursor of that kind says; None where there is none. Raises Answered."""
    text = arguments.text("cursor")
    if not text:
        return None
    try:
        name, _, value = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        fail("invalid_cursor")
    value = value.lstrip(AGAIN)
    if name != kind or not value:
        fail("invalid_cursor")
    return value


AGAIN = "~"
"""Before what a cursor names: the same place by another cursor."""


def again(cursor: str) -> str:
    """Another cursor of the same place."""
    name, _, value = base64.b64decode(cursor).decode().partition(":")
    return encode(f"{name}:{AGAIN}{value}")


def _page(ids: list[str], arguments: Arguments, kind: str, size: int) -> tuple[list[str], str]:
    """A page of ids, which are in the order of what follows their first letter, and the next
    cursor. A cursor names the record it begins with; if that is gone, the one after it is next."""
    begin = decode(arguments, kind)
    start = 0 if begin is None else bisect_left(ids, begin[1:], key=lambda value: value[1:])
    stop = start + size
    following = encode(f"{kind}:{ids[stop]}") if stop < len(ids) else ""
    return ids[start:stop], following


# -- people


def shown(user: Document, token: Token) -> Document:
    """A user as this token may see it."""
    if "users:read.email" not in token.scopes:
        user = {**user, "profile": dict(user.get("profile") or {})}
        user["profile"].pop("email", None)
    return user


def users_list(ask: Ask) -> Response:
    """All users, deactivated ones included."""
    ids = ask.slack.users.ids()
    size = limit_of(ask.arguments, EVERYTHING, 1000)
    if not ask.arguments.text("limit") and len(ids) > EVERYTHING:
        fail("limit_required")
    page, following = _page(ids, ask.arguments, "user", size)
    members = [shown(user, ask.token) for i in page if (user := ask.slack.users.get(i)) is not None]
    return ok(
        members=members,
        cache_ts=int(ask.slack.clock()),
        response_metadata={"next_cursor": following},
    )


def users_info(ask: Ask) -> Response:
    """One user."""
    user = ask.slack.users.get(ask.arguments.text("user"))
    if user is None:
        fail("user_not_found")
    return ok(user=shown(user, ask.token))


def users_lookup(ask: Ask) -> Response:
    """The user of an e-mail address; deactivated ones are not found."""
    wanted = ask.arguments.text("email").lower()
    # Generated addresses carry their user's number, so that nobody has to be looked through.
    digits = wanted.partition("@")[0].rpartition(".")[2]
    first = [user_id(int(digits))] if digits.isdigit() else []
    users = (ask.slack.users.get(candidate) for candidate in (*first, *ask.slack.users.ids()))
    found = next((user for user in users if user is not None and _answers_to(user, wanted)), None)
    if found is None:
        fail("users_not_found")
    return ok(user=shown(found, ask.token))


def _answers_to(user: Document, email: str) -> bool:
    profile = user.get("profile") or {}
    return not user.get("deleted") and str(profile.get("email", "")).lower() == email


# -- conversations


def _listed(
    slack: Account, arguments: Arguments, token: Token, kind: str, only_mine: bool
) -> Response:
    wanted = arguments.listed("types") or ["public_channel"]
    for name in wanted:
        if name not in TYPES:
            fail("invalid_types")
        if f"{TYPES[name]}:read" not in token.scopes:
            missing_scope(f"{TYPES[name]}:read", token.scopes)
    size = limit_of(arguments, 100, 999)
    ids = slack.channels.ids()
    begin = decode(arguments, kind)
    start = 0 if begin is None else bisect_left(ids, begin[1:], key=lambda value: value[1:])
    channels: list[Document] = []
    for candidate in islice(ids, start, None):
        channel = slack.channels.get(candidate)
        if channel is None or type_of(channel) not in wanted or not visible(channel):
            continue
        if member(channel) or not only_mine:
            channels.append(channel)
        if len(channels) > size:
            break
    following = encode(f"{kind}:{channels.pop()['id']}") if len(channels) > size else ""
    if arguments.flag("exclude_archived"):
        # What is left out makes the page shorter; the next one does not make up for it.
        channels = [channel for channel in channels if not channel.get("is_archived")]
    return ok(channels=channels, response_metadata={"next_cursor": following})


def conversations_list(ask: Ask) -> Response:
    """All conversations of the types that are asked for."""
    return _listed(ask.slack, ask.arguments, ask.token, "team", only_mine=False)


def users_conversations(ask: Ask) -> Response:
    """The conversations that the app is in."""
    return _listed(ask.slack, ask.arguments, ask.token, "mine", only_mine=True)


def conversations_info(ask: Ask) -> Response:
    """One conversation."""
    channel = find_channel(ask.slack, ask.arguments.text("channel"))
    need(ask.token, channel, "read")
    return ok(channel=channel)


def conversations_members(ask: Ask) -> Response:
    """Who is in a conversation."""
    channel = find_channel(ask.slack, ask.arguments.text("channel"))
    need(ask.token, channel, "read")
    people = ask.slack.users.ids()
    count = min(len(people), int(channel.get("num_members") or 2))
    everyone = sorted({BOT_USER, *people[:count]}, key=lambda value: value[1:])
    page, following = _page(everyone, ask.arguments, "member", limit_of(ask.arguments, 100, 999))
    return ok(members=page, response_metadata={"next_cursor": following})


# -- messages


def _moment(arguments: Arguments, name: str, default: int) -> int:
    text = arguments.text(name)
    if not text or text == "now":
        return default
    try:
        return micros_of(text)
    except ValueError:
        fail(f"invalid_ts_{name}")


def _readable(slack: Account, arguments: Arguments, token: Token) -> Document:
    channel = find_channel(slack, arguments.text("channel"))
    need(token, channel, "history")
    if not member(channel):
        fail("not_in_channel")
    return channel


def _size(slack: Account, arguments: Arguments, token: Token, most: int) -> int:
    size = limit_of(arguments, 100, most)
    return min(size, 15) if slack.is_sold(token) else size


def conversations_history(ask: Ask) -> Response:
    """A conversation's messages, newest first; replies are not among them. `oldest` and `latest`
    are exclusive unless `inclusive` says otherwise."""
    channel = _readable(ask.slack, ask.arguments, ask.token)
    oldest, latest = _moment(ask.arguments, "oldest", 0), _moment(ask.arguments, "latest", FOREVER)
    size = _size(ask.slack, ask.arguments, ask.token, 999)
    timeline = ask.slack.timeline(channel["id"])
    hidden_to = ask.slack.hidden_to()
    found = timeline.between(max(oldest, hidden_to), latest, ask.arguments.flag("inclusive"))
    begin = decode(ask.arguments, "next_ts")
    if begin is not None:
        if not begin.isdigit():
            fail("invalid_cursor")
        found = [ts for ts in found if micros_of(ts) <= int(begin)]
    metadata = ask.arguments.flag("include_all_metadata")
    page = [public(m, metadata) for ts in found[:size] if (m := timeline.find(ts)) is not None]
    answer: dict[str, Any] = {
        "messages": page,
        "has_more": len(found) > size,
        "pin_count": 0,
        "channel_actions_ts": None,
        "channel_actions_count": 0,
    }
    if len(found) > size:
        following = encode(f"next_ts:{micros_of(found[size])}")
        answer["response_metadata"] = {"next_cursor": following}
    if oldest < hidden_to and timeline.between(oldest, hidden_to - 1, True):
        # A workspace without a paid plan: what is older is there, and is not shown.
        answer["is_limited"] = True
    return ok(**answer)


def conversations_replies(ask: Ask) -> Response:
    """A thread: the message that began it first, on every page, then its replies, oldest first."""
    channel = _readable(ask.slack, ask.arguments, ask.token)
    oldest, latest = _moment(ask.arguments, "oldest", 0), _moment(ask.arguments, "latest", FOREVER)
    size = _size(ask.slack, ask.arguments, ask.token, 1000)
    timeline = ask.slack.timeline(channel["id"])
    parent = timeline.parent_of(ask.arguments.text("ts"))
    root = timeline.get(parent) if parent is not None else None
    if parent is None or root is None or micros_of(parent) < ask.slack.hidden_to():
        fail("thread_not_found")
    replies = timeline.replies(parent)
    if ask.arguments.flag("inclusive"):
        replies = [r for r in replies if oldest <= micros_of(r["ts"]) <= latest]
    else:
        replies = [r for r in replies if oldest < micros_of(r["ts"]) < latest]
    begin = decode(ask.arguments, "next_ts")
    if begin is not None:
        if not begin.isdigit():
            fail("invalid_cursor")
        replies = [r for r in replies if micros_of(r["ts"]) >= int(begin)]
    metadata = ask.arguments.flag("include_all_metadata")
    room = max(1, size - 1)
    page = [public(m, metadata) for m in (root, *replies[:room])]
    answer: dict[str, Any] = {"messages": page, "has_more": len(replies) > room}
    if len(replies) > room:
        following = encode(f"next_ts:{micros_of(replies[room]['ts'])}")
        answer["response_metadata"] = {"next_cursor": following}
    return ok(**answer)


# -- groups


def usergroups_list(ask: Ask) -> Response:
    """All user groups, in one answer; disabled ones and members only where they are asked for."""
    groups = []
    for group in ask.slack.groups:
        if group.get("date_delete") and not ask.arguments.flag("include_disabled"):
            continue
        left_out = {"users"} if not ask.arguments.flag("include_users") else set()
        left_out |= {"user_count"} if not ask.arguments.flag("include_count") else set()
        groups.append({name: value for name, value in group.items() if name not in left_out})
    return ok(usergroups=groups)


def usergroups_users(ask: Ask) -> Response:
    """The members of one group."""
    group = ask.slack.groups.get(ask.arguments.text("usergroup"))
    if group is None:
        fail("no_such_subteam")
    return ok(users=group.get("users", []))


METHODS = (
    Method("users.list", users_list, "tier2", ("users:read",)),
    Method("users.info", users_info, "tier4", ("users:read",)),
    Method("users.lookupByEmail", users_lookup, "tier3", ("users:read.email",)),
    Method("users.conversations", users_conversations, "tier2", _READ),
    Method("conversations.list", conversations_list, "tier2", _READ),
    Method("conversations.info", conversations_info, "tier3", _READ),
    Method("conversations.members", conversations_members, "tier4", _READ),
    Method(
        "conversations.history", conversations_history, "tier3", _HISTORY, True, restricted=True
    ),
    Method(
        "conversations.replies", conversations_replies, "tier3", _HISTORY, True, restricted=True
    ),
    Method("usergroups.list", usergroups_list, "tier2", ("usergroups:read",)),
    Method("usergroups.users.list", usergroups_users, "tier2", ("usergroups:read",)),
)

"""Messages and files: what may be sent, to whom, and in which steps.

A file takes three (docs.slack.dev, changelog 2024/04): an address for it, its bytes, and the
sharing. Only the last one shows anything to anybody, so only that one is never repeated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from lumio_cli.core.errors import BadReplyError, DeniedError, RejectedError, UsageError
from lumio_cli.providers.contract.call import Call, Send, dig
from lumio_cli.providers.contract.fields import Field
from lumio_cli.providers.contract.messages import Message, MessageKind, Past
from lumio_cli.providers.contract.paging import NoPlaceError, with_params
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.slack import blocks
from lumio_cli.providers.slack.walks import (
    find_call,
    named,
    no_channel,
    scopes_call,
    token_of,
    types_of,
)

TEXT_MAX = 40_000
"""Characters of a text; Slack cuts longer ones off."""
EVENT = "lumio_message"
"""The type of the metadata that a message of ours carries."""
SEEN_SECONDS = 600.0
"""How long people and channels that were looked up may be taken from the cache."""
LOOK_BACK = 5
"""Pages of a channel that are looked through for a message whose answer was lost."""
_CURSOR = "response_metadata.next_cursor"
_CHANNEL = re.compile(r"[CDG][A-Z0-9]{8,}")
_USER = re.compile(r"[UW][A-Z0-9]{8,}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_WORD = re.compile(r"[\w-]{1,80}")
_TS = re.compile(r"\d{10}\.\d{6}")
_LINK = re.compile(r"https://[^\s]+/p(\d{10})(\d{6})(\?[^\s]*)?")

_TO = "a channel (#name or C0123456789), a person (@name, e-mail or U0123456789)"
_THREAD = Field("thread", "Reply to this message: its ts, its id in lumio, or its link", default="")
KINDS = (
    MessageKind(
        "message",
        "Message",
        (
            Field(
                "text", "Text in Slack's mrkdwn; with blocks, what notifications say", default=""
            ),
            Field("blocks", "Block Kit blocks, as JSON", kind="list", default=()),
            _THREAD,
            Field("broadcast", "Show a reply in the channel too", kind="boolean", default=False),
            Field("unfurl", "Let Slack show previews of links", kind="boolean", default=True),
        ),
        to=_TO,
        bulk=True,
    ),
    MessageKind(
        "file",
        "File",
        (
            Field("media", "The file to share", kind="file"),
            Field("title", "Its title; without one, its name", default=""),
            Field("text", "A message that comes with it", default=""),
            _THREAD,
        ),
        to=_TO,
        bulk=True,
    ),
)


# --- before anything is sent ----------------------------------------------------------------


def check(message: Message) -> None:
    """Raises `UsageError` for a message that Slack would not take."""
    to, values = message.to, message.values
    if not (to[:1] in "#@" and len(to) > 1) and not any(
        form.fullmatch(to) for form in (_CHANNEL, _USER, _EMAIL)
    ):
        meant = f"'#{to}' is a channel; " if _WORD.fullmatch(to) else ""
        raise UsageError(f"{to!r} is no recipient in Slack", hint=f"{meant}it is {_TO}")
    thread_of(values)
    text = str(values.get("text") or "")
    if len(text) > TEXT_MAX:
        raise UsageError(
            f"the text has {len(text):,} characters, and Slack cuts it off after {TEXT_MAX:,}",
            hint="send it as a file, or in parts",
        )
    if message.kind == "file":
        if not values["media"]["data"]:
            raise UsageError("Slack takes no empty files", hint="check the file")
        return
    if not text and not blocks_of(values):
        raise UsageError("the message says nothing", hint="give it a text, or blocks")
    if values.get("broadcast") and not values.get("thread"):
        raise UsageError("broadcast is about replies", hint="name the thread, or leave it out")


def blocks_of(values: Mapping[str, Any]) -> list[Any]:
    """The blocks, as a list or as Block Kit Builder writes them (`{"blocks": [...]}`).

    Raises `UsageError` where they are neither.
    """
    given = values.get("blocks") or []
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError as error:
            raise UsageError(f"the blocks are no JSON: {error}") from None
    if isinstance(given, Mapping):
        given = given.get("blocks")
    if not isinstance(given, list) or not all(
        isinstance(block, Mapping) and isinstance(block.get("type"), str) for block in given
    ):
        raise UsageError(
            "the blocks are no list of Block Kit blocks",
            hint='each of them is an object with a "type"; https://app.slack.com/block-kit-builder',
        )
    blocks.check(given)
    return given


def thread_of(values: Mapping[str, Any]) -> str:
    """The `ts` of the thread to reply to; empty: none. Raises `UsageError`."""
    given = str(values.get("thread") or "").strip()
    if not given:
        return ""
    link = _LINK.fullmatch(given)
    ts = f"{link[1]}.{link[2]}" if link else given.rpartition(":")[2]
    if not _TS.fullmatch(ts):
        raise UsageError(
            f"{given!r} is no message in Slack",
            hint="give its ts (1503435956.000247), its id in lumio (CHANNEL:TS), or its link",
        )
    return ts


# --- sending --------------------------------------------------------------------------------


def deliver(message: Message, send: Send) -> Receipt:
    """Send it. What Slack refuses for the message's own sake is a receipt, not an error."""
    try:
        if message.kind == "file":
            return Receipt.done(message.key, _share(message, send))
        body = send(post_call(message, _target(message.to, send))).json()
        return Receipt.done(message.key, f"{body['channel']}:{body['ts']}", body.get("message"))
    except RejectedError as error:
        kind = error.category or "rejected"
        return Receipt.failed(message.key, kind, error.message)


def post_call(message: Message, channel: str) -> Call:
    """The request that posts a message into a channel (an id, or `#name`)."""
    values = message.values
    body: dict[str, Any] = {
        "channel": channel,
        "text": str(values.get("text") or ""),
        "metadata": {"event_type": EVENT, "event_payload": {"key": message.key}},
    }
    given, thread = blocks_of(values), thread_of(values)
    if given:
        body["blocks"] = given
    if thread:
        body["thread_ts"] = thread
    if values.get("broadcast"):
        body["reply_broadcast"] = True
    if values.get("unfurl") is False:
        body |= {"unfurl_links": False, "unfurl_media": False}
    kind = {"content-type": "application/json; charset=utf-8"}
    return Call("POST", "/chat.postMessage", json=body, headers=kind, keys={"channel": channel})


def _share(message: Message, send: Send) -> str:
    """Upload a file and share it; its id."""
    media = message.values["media"]
    data: bytes = media["data"]
    channel = _channel_id(message.to, send)
    form = {"filename": str(media["name"]), "length": str(len(data))}
    # Nobody sees anything before the last step, so the others may be repeated.
    got = send(Call("POST", "/files.getUploadURLExternal", form=form, safe=True)).json()
    send(
        Call(
            "POST",
            str(got["upload_url"]),
            route="/upload/v1/{ticket}",
            content=data,
            headers={"content-type": "application/octet-stream"},
            auth=False,
            answer="text",
            safe=True,
        )
    )
    title = str(message.values.get("title") or media["name"])
    comment, thread = str(message.values.get("text") or ""), thread_of(message.values)
    sharing = {
        "files": json.dumps([{"id": got["file_id"], "title": title}], ensure_ascii=False),
        "channel_id": channel,
        **({"initial_comment": comment} if comment else {}),
        **({"thread_ts": thread} if thread else {}),
    }
    send(Call("POST", "/files.completeUploadExternal", form=sharing))
    return str(got["file_id"])


# --- whom -----------------------------------------------------------------------------------


def names(to: str, past: Past) -> tuple[str, ...]:
    """What a channel or a person is called: as it was written, but for capital letters, which
    Slack's names have none of, and what else the hub knows them by."""
    if to.startswith("#"):
        name = to.lower()
        return _known(name, past.latest("channels", {"name": name[1:]}, "id"))
    if _CHANNEL.fullmatch(to):
        person = past.latest("channels", {"id": to}, "user")
        if person:
            return to, *_person(person, past)
        called = past.latest("channels", {"id": to}, "name")
        return _known(to, f"#{called}" if called else None)
    if _USER.fullmatch(to):
        return _person(to, past)
    if to.startswith("@"):
        return to, *_person(past.latest("users", {"name": to[1:]}, "id"), past)
    address = to.lower()
    found = past.latest("users", {"profile.email": to}, "id")
    found = found or past.latest("users", {"profile.email": address}, "id")
    return address, *_person(found, past)


def _known(name: str, other: str | None) -> tuple[str, ...]:
    return (name, other) if other else (name,)


def _person(user: str | None, past: Past) -> tuple[str, ...]:
    if not user:
        return ()
    handle = past.latest("users", {"id": user}, "name")
    address = past.latest("users", {"id": user}, "profile.email")
    return (user, *([f"@{handle}"] if handle else []), *([address.lower()] if address else []))


def _target(to: str, send: Send) -> str:
    """What chat.postMessage takes as its channel."""
    if to.startswith("#"):
        return to.lower()
    return to if _CHANNEL.fullmatch(to) else _direct(to, send)


def _channel_id(to: str, send: Send) -> str:
    """The id of a recipient's channel: names will not do for files, or for histories."""
    if _CHANNEL.fullmatch(to):
        return to
    if not to.startswith("#"):
        return _direct(to, send)
    name = to[1:]
    types = types_of(send(scopes_call()))
    for body in _pages(find_call(types, None), send):
        found = named(body.get("channels"), name)
        if found is not None:
            return found
    raise no_channel(name)


def _direct(to: str, send: Send) -> str:
    """The direct conversation with a person, which Slack makes where there is none yet."""
    user = to if _USER.fullmatch(to) else _user_id(to, send)
    call = Call("POST", "/conversations.open", json={"users": user}, safe=True)
    return str(send(call).json()["channel"]["id"])


def _user_id(to: str, send: Send) -> str:
    if not to.startswith("@"):
        call = Call("GET", "/users.lookupByEmail", params={"email": to}, cache_for=SEEN_SECONDS)
        return str(send(call).json()["user"]["id"])
    name = to[1:]
    call = Call("GET", "/users.list", params={"limit": "200"}, cache_for=SEEN_SECONDS)
    by_handle: list[str] = []
    by_name: list[str] = []
    for body in _pages(call, send):
        for user in body["members"]:
            if user.get("deleted") or user.get("is_bot"):
                continue
            if user.get("name") == name:
                by_handle.append(str(user["id"]))
            elif dig(user, "profile.display_name") == name:
                by_name.append(str(user["id"]))
    found = by_handle or by_name
    if len(found) == 1:
        return found[0]
    if found:
        raise RejectedError(
            f"Slack has {len(found)} people who are called {name!r}",
            category="ambiguous_user",
            hint="give the e-mail address or the id instead",
        )
    raise RejectedError(f"Slack has nobody called {name!r}", category="user_not_found")


def _pages(call: Call, send: Send) -> Iterator[Mapping[str, Any]]:
    cursors: set[str] = set()
    while True:
        body = send(call).json()
        if not isinstance(body, dict):
            raise BadReplyError("Slack answered a listing with something else")
        yield body
        cursor = token_of(body)
        if cursor is None or cursor in cursors:
            return
        cursors.add(cursor)
        call = with_params(call, cursor=cursor)


# --- what became of it ----------------------------------------------------------------------


def find(message: Message, send: Send, page: int) -> Receipt | None:
    """Look for a message whose answer was lost, among the newest of its channel or thread.

    `retry` only where all there is was looked through. None where it cannot be told: for files,
    which carry no key, without the right to read the channel, or too far back.
    """
    if message.kind != "message":
        return None
    try:
        channel = _channel_id(message.to, send)
        thread = thread_of(message.values)
        path = "/conversations.replies" if thread else "/conversations.history"
        params = {
            "channel": channel,
            "limit": str(page),
            "include_all_metadata": "true",
            **({"ts": thread} if thread else {}),
        }
        for number, body in enumerate(_pages(Call("GET", path, params=params), send), 1):
            for found in body["messages"]:
                if is_ours(found, message.key):
                    return Receipt.done(message.key, f"{channel}:{found['ts']}", found)
            if number == LOOK_BACK and dig(body, _CURSOR):
                return None
    except (RejectedError, DeniedError, NoPlaceError):
        return None
    return Receipt(message.key, "retry")


def is_ours(found: Any, key: str) -> bool:
    """Whether a message is the one that carries this key."""
    same = dig(found, "metadata.event_payload.key") == key
    return bool(same and dig(found, "metadata.event_type") == EVENT)

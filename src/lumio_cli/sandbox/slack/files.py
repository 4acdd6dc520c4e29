"""Files, in the three steps there have been since 2024: an address, the bytes, the sharing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..http import Request, Response
from .answers import Arguments, fail, ok
from .data import BOT_USER, coded
from .methods import Ask, Method
from .reading import find_channel, member
from .state import Upload

if TYPE_CHECKING:
    from .account import Account

FILE_MAX = 1024**3
"""Bytes: no file may be larger."""


def upload_url(ask: Ask) -> Response:
    """Where the bytes of a file of this name and length shall be sent."""
    name, length = ask.arguments.text("filename"), ask.arguments.text("length")
    if not name or not length:
        fail("invalid_arguments")
    if not length.isdigit() or int(length) == 0:
        fail("invalid_arguments", response_metadata={"messages": ["[ERROR] length must be > 0"]})
    if int(length) > FILE_MAX:
        fail("file_upload_size_restricted")
    number = len(ask.slack.uploads) + 1
    made = Upload(coded("F", 50_000_000 + number), name, int(length))
    ticket = f"sandbox-ticket-{number:06d}"
    ask.slack.uploads[ticket] = made
    url = f"{ask.request.base_url}/upload/v1/{ticket}"
    return ok(upload_url=url, file_id=made.id)


def upload(slack: Account, request: Request, ticket: str) -> Response:
    """The bytes, as they are. Answers in plain text, and asks for no token."""
    known = slack.uploads.get(ticket)
    if known is None or known.complete:
        return Response(404, b"not found", {"Content-Type": "text/plain"})
    if len(request.body) != known.length:
        return Response(500, b"length does not match", {"Content-Type": "text/plain"})
    known.data = request.body
    return Response(200, f"OK - {known.length}".encode(), {"Content-Type": "text/plain"})


def complete(ask: Ask) -> Response:
    """The files are shared in a conversation, which must be named by its id, or kept private."""
    try:
        wanted = ask.arguments.nested("files")
    except ValueError:
        fail("invalid_arguments")
    if not isinstance(wanted, list) or not wanted:
        fail("invalid_arguments")
    by_id = {item.id: item for item in ask.slack.uploads.values()}
    found: list[Upload] = []
    for item in wanted:
        known = by_id.get(str(item.get("id")))
        if known is None or known.data is None or known.complete:
            fail("file_not_found")
        known.title = str(item.get("title") or "")
        found.append(known)
    targets = ask.arguments.listed("channels") or [ask.arguments.text("channel_id")]
    shared = []
    for target in filter(None, targets):
        channel = find_channel(ask.slack, target)
        if channel.get("is_archived"):
            fail("is_archived")
        if not member(channel):
            fail("not_in_channel")
        shared.append(channel["id"])
    for channel_id in shared:
        _share(ask.slack, channel_id, found, ask.arguments)
    for known in found:
        known.complete = True
    return ok(files=[known.document() for known in found])


def _share(slack: Account, channel: str, found: list[Upload], arguments: Arguments) -> None:
    timeline = slack.timeline(channel)
    document = {
        "user": BOT_USER,
        "text": arguments.text("initial_comment"),
        "files": [known.document() for known in found],
        "upload": True,
    }
    thread = arguments.text("thread_ts")
    if not thread:
        timeline.insert(document)
        return
    parent = timeline.parent_of(thread)
    if parent is None:
        fail("invalid_thread_ts")
    timeline.reply(parent, document)


def info(ask: Ask) -> Response:
    """One file."""
    by_id = {known.id: known for known in ask.slack.uploads.values() if known.complete}
    found = by_id.get(ask.arguments.text("file"))
    if found is None:
        fail("file_not_found")
    return ok(file=found.document())


METHODS = (
    Method("files.getUploadURLExternal", upload_url, "tier4", ("files:write",)),
    Method("files.completeUploadExternal", complete, "tier4", ("files:write",), True),
    Method("files.info", info, "tier4", ("files:read",)),
)

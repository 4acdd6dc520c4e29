"""How Slack's conversations and their messages are walked.

Which conversations an app may list depends on its scopes, and asking for one type too many is
refused as a whole; every answer names the token's scopes, so a walk begins by asking for nothing
but these. A channel that is known by its name only is looked for before its history is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lumio_cli.core.errors import BadReplyError, DeniedError, GoneError, PagingError
from lumio_cli.providers.contract.call import Call, Place, Record, Reply, Send, dig
from lumio_cli.providers.contract.paging import NoPlaceError, Token, with_params
from lumio_cli.providers.contract.resource import Walk

FAMILIES = {
    "public_channel": "channels:read",
    "private_channel": "groups:read",
    "mpim": "mpim:read",
    "im": "im:read",
}
"""The types of conversations, and the scope that listing each of them needs."""
FIND_PAGE = 200
LATE = 86_400.0
"""Seconds before the last sync from which on replies are asked for again."""
_TS = re.compile(r"[0-9]{1,12}\.[0-9]{1,6}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEXT = "response_metadata.next_cursor"


def token_of(body: Any) -> str | None:
    """The cursor of the next page; None at the end.

    An empty page may have one, and is no end then (docs.slack.dev, pagination). Raises
    `NoPlaceError` where `has_more` says that there is a next page and no cursor names it.
    """
    token = dig(body, NEXT)
    if token:
        return str(token)
    if dig(body, "has_more") is True:
        raise NoPlaceError("'has_more' without a cursor")
    return None


@dataclass(frozen=True, slots=True)
class Cursors(Token):
    """A listing by `limit` and `cursor`."""

    path: str = NEXT
    param: str = "cursor"
    size_param: str = "limit"

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        token = token_of(reply.json())
        return None if token is None else {"size": place["size"], "token": token}


def scopes_call() -> Call:
    """The cheapest request there is: its answer's header names the token's scopes."""
    return Call("POST", "/auth.test", safe=True)


def scopes_of(reply: Reply) -> tuple[str, ...] | None:
    """The token's scopes, as a header tells them; None where there is none."""
    text = reply.headers.get("x-oauth-scopes")
    if text is None:
        return None
    return tuple(part.strip() for part in text.split(",") if part.strip())


def types_of(reply: Reply) -> str:
    """The types of conversations that may be listed, as `types` takes them.

    Raises `DeniedError` where there is none.
    """
    scopes = scopes_of(reply)
    if scopes is None:
        return "public_channel"
    allowed = [name for name, scope in FAMILIES.items() if scope in scopes]
    if not allowed:
        raise DeniedError(
            "Slack does not permit conversations.list: the token has none of the scopes "
            + ", ".join(FAMILIES.values()),
            scopes=("channels:read",),
            hint="add channels:read to the app, install it again, then `lumio connect slack`",
        )
    return ",".join(allowed)


def find_call(types: str, cursor: str | None) -> Call:
    """A page of the conversations that the app is in."""
    call = Call("GET", "/users.conversations", params={"types": types, "limit": str(FIND_PAGE)})
    return with_params(call, cursor=cursor)


def named(rows: Any, name: str) -> str | None:
    """The id of the conversation of that name among `rows`."""
    for row in rows if isinstance(rows, list) else ():
        named = isinstance(row, dict) and isinstance(row.get("id"), str)
        if named and name.lower() in (row.get("name"), row.get("name_normalized")):
            return str(row["id"])
    return None


def no_channel(name: str) -> GoneError:
    """The error for a name that none of the app's channels has."""
    return GoneError(
        f"Slack: the app is in no channel named {name!r}",
        hint=f"type /invite @APP in #{name}, or give the channel's id instead of its name",
    )


@dataclass(frozen=True, slots=True)
class Visible:
    """A listing of the conversations of all types that the token's scopes allow."""

    inner: Token

    def first(self, size: int) -> Place:
        return {"step": "scopes", "size": size}

    def ask(self, call: Call, place: Place) -> Call:
        if place.get("step") == "scopes":
            return scopes_call()
        return self.inner.ask(with_params(call, types=place["types"]), place)

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        if place.get("step") == "scopes":
            return {**self.inner.first(place["size"]), "types": types_of(reply)}
        following = self.inner.next(place, reply, rows)
        return None if following is None else {**following, "types": place["types"]}


@dataclass(frozen=True, slots=True)
class History:
    """A channel's messages, newest first. Of a channel with a `name` the id is found first.

    Nothing counts the messages of a channel, so that after a full page that says it is the last
    those before its last message are asked for: one request more where the last page happens to be
    full.
    """

    name: str = ""

    def first(self, size: int) -> Place:
        return {"step": "scopes", "size": size} if self.name else {"size": size}

    def ask(self, call: Call, place: Place) -> Call:
        if place.get("step") == "scopes":
            return scopes_call()
        if place.get("step") == "find":
            return find_call(place["types"], place.get("cursor"))
        return with_params(
            call,
            channel=place.get("channel"),
            limit=str(place["size"]),
            cursor=place.get("token"),
            latest=place.get("latest"),
        )

    def next(self, place: Place, reply: Reply, rows: Sequence[Record]) -> Place | None:
        if place.get("step") == "scopes":
            return {"step": "find", "size": place["size"], "types": types_of(reply)}
        body = reply.json()
        if place.get("step") == "find":
            channel = named(dig(body, "channels"), self.name)
            if channel is not None:
                return {"size": place["size"], "channel": channel}
            token = token_of(body)
            if token is None:
                raise no_channel(self.name)
            return {**place, "cursor": token}
        token = token_of(body)
        if token is not None:
            return {**place, "token": token}
        if len(rows) < place["size"]:
            return None
        times = (str(dig(row, "ts")) for row in reversed(rows))
        oldest = next((ts for ts in times if _TS.fullmatch(ts)), None)
        if oldest is None or oldest == place.get("latest"):
            return None
        kept = {name: value for name, value in place.items() if name != "token"}
        return {**kept, "latest": oldest}


def ts_of(moment: datetime) -> str:
    """A time as Slack writes it: seconds with six decimals, made without a float."""
    micros = (moment - _EPOCH) // timedelta(microseconds=1)
    seconds, rest = divmod(max(0, micros), 1_000_000)
    return f"{seconds}.{rest:06d}"


def history_call(walk: Walk) -> Call:
    """The request for a channel's messages, from the window's beginning on, which is included."""
    call = Call("GET", walk.resource.path)
    call = with_params(call, channel=walk.options.get("channel"))
    if walk.window.floor is None:
        return call
    return with_params(call, oldest=ts_of(walk.window.floor), inclusive="true")


def channel_of(reply: Reply) -> str:
    """The channel that a page of history was asked of: the answer does not say."""
    return parse_qs(urlsplit(reply.url).query).get("channel", [""])[0]


def identified(channel: str, rows: Iterable[Any]) -> list[Record]:
    """Messages with their channel, and with an id: a `ts` is one within its channel only."""
    found: list[Record] = []
    for row in rows:
        if not isinstance(row, dict):
            found.append(row)
            continue
        ts = row.get("ts")
        known = isinstance(ts, str | int) and not isinstance(ts, bool)
        added = {"id": f"{channel}:{ts}"} if known else {}
        found.append({**row, "channel": channel, **added})
    return found


def with_replies(walk: Walk, records: list[Record], size: int, send: Send) -> list[Record]:
    """The messages, followed by the replies in their threads: all of them, or in a window those
    of the last day before the last sync and since. Those that were sent to the channel as well are
    in its history already.

    The window may reach further back, to find messages whose threads went on; their older replies
    are known already.
    """
    floor, cursor = walk.window.floor, walk.resource.cursor
    late = max(0.0, (0.0 if cursor is None else cursor.lookback) - LATE)
    since = "" if floor is None else ts_of(floor + timedelta(seconds=late))
    replies: list[Record] = []
    for record in records:
        if not isinstance(record, dict) or not record.get("reply_count"):
            continue
        latest, parent = str(record.get("latest_reply") or ""), str(record.get("ts"))
        if since and latest and _before(latest, since):
            continue
        channel = str(record["channel"])
        try:
            thread = list(_thread(channel, parent, since, size, send))
        except GoneError:
            continue  # deleted since its message was listed
        for reply in thread:
            if not isinstance(reply, dict):
                replies.append(reply)  # it has to become a dead letter
            elif reply.get("ts") != parent and reply.get("subtype") != "thread_broadcast":
                replies += identified(channel, [reply])
    return records + replies


def _before(ts: str, other: str) -> bool:
    """Whether a time is before another one; False for what is no time."""
    if not _TS.fullmatch(ts):
        return False
    (seconds, _, rest), (others, _, more) = ts.partition("."), other.partition(".")
    return (int(seconds), rest) < (int(others), more)


def _thread(channel: str, ts: str, since: str, size: int, send: Send) -> Iterable[Record]:
    """The messages of a thread, page by page; each page begins with the thread's first one."""
    params = {"channel": channel, "ts": ts, "limit": str(size)}
    if since:
        params |= {"oldest": since, "inclusive": "true"}
    call = Call("GET", "/conversations.replies", params=params)
    met: set[str] = set()
    while True:
        body = send(call).json()
        rows = dig(body, "messages")
        if not isinstance(rows, list):
            raise BadReplyError("Slack answered a thread without a list of messages")
        yield from rows
        token = token_of(body)
        if token is None:
            return
        if token in met:
            raise PagingError("Slack's paging of a thread goes in circles")
        met.add(token)
        call = replace(call, params={**params, "cursor": token})

"""The workspace behind HTTP: tokens, scopes, tiers, and from a method's name to its answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from ..faults import spoil
from ..http import Request, Response, Route, Routes
from ..lookalike import Answered, LookAlike, Token
from ..options import Options
from ..quota import Daily, Window
from ..table import Table
from . import access, files, reading, writing
from .answers import Arguments, fail, missing_scope
from .data import (
    GROUPS,
    Maker,
    channel_id,
    coded,
    stamp_channel,
    stamp_group,
    stamp_user,
    user_id,
)
from .methods import Ask, Method
from .reading import encode
from .timeline import Timeline

SCOPES = (
    "channels:history", "channels:join", "channels:read", "chat:write", "chat:write.public",
    "files:read", "files:write", "groups:history", "groups:read", "im:history", "im:read",
    "im:write", "mpim:history", "mpim:read", "mpim:write", "team:read", "usergroups:read",
    "users:read", "users:read.email",
)  # fmt: skip
PUBLISHED = {
    "tier1": 1, "tier2": 20, "tier3": 50, "tier4": 100, "special": 300, "channel": 1,
    "restricted": 1,
}  # fmt: skip
"""Requests a minute by tier, and messages a second for each channel. `special` stands for the
"hundreds a minute" of auth.test and chat.postMessage; `restricted` is what
conversations.history and .replies have had since 2025 in apps that are sold outside the
Marketplace."""
RESTRICTED_PAGE = 15

METHODS: dict[str, Method] = {
    method.name: method
    for method in (*access.METHODS, *reading.METHODS, *writing.METHODS, *files.METHODS)
}


def _method(slack: Slack, request: Request, name: str) -> Response:
    return slack.method(request, name)


class Slack(LookAlike):
    """One workspace with one app in it.

    `records` users, conversations (at least one, #general), and messages in #general; the other
    conversations have a handful of messages each, and there are at most five user groups. Every
    method is served as `/METHOD` and as `/api/METHOD`, by GET and by POST, as Slack does.
    """

    name = "slack"
    published: ClassVar = PUBLISHED
    routes = Routes(
        [
            Route("GET", "/oauth/v2/authorize", access.consent, quota="open"),
            Route("POST", "/upload/v1/{ticket}", files.upload, quota="open"),
            *(
                Route(verb, path, _method, quota="open")
                for verb in ("GET", "POST")
                for path in ("/{name}", "/api/{name}")
            ),
        ]
    )

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        records = options.records
        self.make = Maker(options.seed, records)
        clock = options.clock
        self.users = Table(records, self.make.user, stamp_user, clock, identify=user_id)
        self.channels = Table(
            max(1, records), self.make.channel, stamp_channel, clock, identify=channel_id
        )
        self.groups = Table(
            min(records, len(GROUPS)), self.make.group, stamp_group, clock, identify=_group_id
        )
        self.general = channel_id(0)
        self._timelines: dict[str, Timeline] = {}
        self.tables = {
            "users": self.users,
            "channels": self.channels,
            "usergroups": self.groups,
            "messages": self.timeline(self.general),
        }
        self.uploads: dict[str, files.Upload] = {}
        self.vault.scopes = SCOPES
        self.vault.prefix = "xoxe.xoxb-sandbox"
        self.vault.rotate = True
        self.vault.seconds = 43_200.0
        self.rotation = True
        """Whether the app's tokens expire and are rotated (a switch of the app's settings)."""
        self.keeps_days: float | None = None
        """Days after which messages are hidden, in a workspace without a paid plan (Slack: 90)."""
        self.revoked: set[str] = set()
        self.sold = {"xoxb-sandbox-0000-commercial"}
        """Tokens of another app, which is sold outside the Marketplace."""
        read = tuple(s for s in SCOPES if s.endswith((":read", ":history", ".email")))
        add = self.vault.add
        add("full", "xoxb-sandbox-0000-full")
        add("expired", "xoxb-sandbox-0000-expired", expires_at=0.0)
        add("no_scopes", "xoxb-sandbox-0000-noscopes", ())
        add("read_only", "xoxb-sandbox-0000-readonly", read)
        add("public_only", "xoxb-sandbox-0000-public", ("channels:read", "channels:history"))
        add("no_email", "xoxb-sandbox-0000-noemail", set(SCOPES) - {"users:read.email"})
        add("commercial", "xoxb-sandbox-0000-commercial")

    def timeline(self, channel: str) -> Timeline:
        """The messages of a conversation."""
        found = self._timelines.get(channel)
        if found is None:
            number = self.channels.ids().index(channel)
            count = self.records if channel == self.general else 3 + number % 5
            if number >= max(1, self.records):
                count = 0  # opened or made since: nobody has written there yet
            found = self._timelines[channel] = Timeline(
                count,
                partial(self.make.message, channel),
                partial(self.make.thread, channel),
                self.clock,
            )
        return found

    def hidden_to(self) -> int:
        """The moment before which messages are hidden, in microseconds since 1970."""
        if self.keeps_days is None:
            return 0
        return int((self.clock() - self.keeps_days * 86_400) * 1_000_000)

    # -- the control API

    def control(self, request: Request, parts: list[str]) -> Response | None:
        """Beside what every look-alike has:

        POST plan  {"keeps_days"}: messages that are older are hidden; null, none is
        """
        if parts == ["plan"] and request.method == "POST":
            days = request.json()["keeps_days"]
            with self.lock:
                self.keeps_days = None if days is None else float(days)
            return Response.of_json({})
        return super().control(request, parts)

    # -- a request's way

    def method(self, request: Request, name: str) -> Response:
        """Answers one method. Raises Answered."""
        method = METHODS.get(name)
        if method is None:
            fail("unknown_method", req_method=name)
        arguments = Arguments(request, method.json)
        if method.open:
            return method.answer(Ask(self, request, arguments, Token("", frozenset())))
        token = self.authenticate(request)
        headers = {
            "X-OAuth-Scopes": ",".join(sorted(token.scopes)),
            "X-Slack-Req-Id": f"sandbox-{self.answers:08d}",
        }
        if method.scopes:
            headers["X-Accepted-OAuth-Scopes"] = ",".join(method.scopes)
        try:
            self.charge(name, request, token)
            if method.scopes and token.scopes.isdisjoint(method.scopes):
                missing_scope(method.scopes[0], token.scopes)
            response = method.answer(Ask(self, request, arguments, token))
        except Answered as answered:
            answered.response.headers.update(headers)
            raise
        response.headers.update(headers)
        return response

    def authenticate(self, request: Request) -> Token:
        """The token of a request, from its header or its arguments. Raises Answered."""
        value = self.presented(request)
        if not value:
            fail("not_authed")
        if value in self.revoked:
            fail("token_revoked")
        token = self.vault.find(value)
        if token is None:
            fail("token_expired" if value in self.vault.tokens else "invalid_auth")
        return token

    def presented(self, request: Request) -> str:
        """The token that a request carries: in its header, or among its arguments."""
        value = super().presented(request)
        if value:
            return value
        return request.one("token") or request.form().get("token", "")

    def charge(self, kind: str, request: Request, token: Token) -> dict[str, str]:
        """A method has a minute's quota of its own for each app. Raises Answered (429)."""
        tier = METHODS[kind].tier
        if self.is_sold(token) and METHODS[kind].restricted:
            tier = "restricted"
        self._take(f"{self._app(token)}:{kind}", tier, 60.0)
        return {}

    def charge_channel(self, token: Token, channel: str) -> None:
        """One message a second for each channel. Raises Answered (429)."""
        self._take(f"{self._app(token)}:channel:{channel}", "channel", 1.0)

    def _take(self, key: str, limit: str, seconds: float) -> None:
        if self.limits is None:
            return
        make: Callable[[], Window | Daily] = partial(Window, self.limits[limit], seconds)
        refused = self.ledger.take({key: make})
        if refused is not None:
            raise Answered(self.failure(429, str(max(1, math.ceil(refused[1])))))

    def is_sold(self, token: Token) -> bool:
        """Whether the token is of an app that is sold outside the Marketplace."""
        return token.value in self.sold

    def _app(self, token: Token) -> str:
        return "sold" if self.is_sold(token) else "internal"

    # -- words

    def refuse(self, status: int, message: str) -> Response:
        """What goes wrong outside of any method."""
        words = {404: "unknown_method", 405: "method_not_supported_for_http_verb"}
        error = words.get(status, "invalid_arguments")
        return Response.of_json({"ok": False, "error": error, "detail": message})

    def failure(self, status: int, retry_after: str | None) -> Response:
        """An outage or a throttle: the only answers whose status says it."""
        words = {401: "invalid_auth", 403: "access_denied", 429: "ratelimited"}
        error = words.get(status, "internal_error" if status >= 500 else "invalid_arguments")
        response = Response.of_json({"ok": False, "error": error}, status)
        if retry_after is not None:
            response.headers["Retry-After"] = retry_after
        return response

    def distort(self, kind: str, argument: str | None, request: Request, body: Any) -> Any:
        """A listing with a fault of its content."""
        if not isinstance(body, dict):
            return body
        name = next((n for n in ("members", "channels", "messages", "usergroups") if n in body), "")
        if not name or not isinstance(body[name], list):
            return body
        rows, key = body[name], "ts" if name == "messages" else "id"
        if kind == "empty":
            rest = {"has_more": False} if "has_more" in body else {}
            return {**body, **rest, name: [], "response_metadata": {"next_cursor": ""}}
        if kind == "loop":
            following = (body.get("response_metadata") or {}).get("next_cursor")
            stuck = Arguments(request, False).text("cursor") or following or _first(request)
            rest = {"has_more": True} if "has_more" in body else {}
            return {**body, **rest, "response_metadata": {"next_cursor": stuck}}
        if kind in ("hollow", "nowhere", "last"):
            return self._distort_paging(kind, name, request, body)
        spoil(rows, kind, argument, key=key, text="text")
        return body

    @staticmethod
    def _distort_paging(kind: str, name: str, request: Request, body: Any) -> Any:
        first = _first(request)
        if not first:
            return body  # a listing that has no pages
        if kind == "hollow":
            following = reading.again(Arguments(request, False).text("cursor") or first)
            # A page of a thread has the message that began it, always.
            rows = body[name][:1] if request.path.endswith("conversations.replies") else []
            told = {name: rows, "has_more": True}
            return {**body, **told, "response_metadata": {"next_cursor": following}}
        # Only histories are published to say `has_more`; elsewhere nothing else could contradict
        # an empty cursor.
        more = {"has_more": kind == "nowhere"} if kind == "nowhere" or "has_more" in body else {}
        return {**body, **more, "response_metadata": {"next_cursor": ""}}

    def ready(self, base_url: str) -> dict[str, Any]:
        """What a client needs to know; `channel` is #general."""
        return {**super().ready(base_url), "channel": self.general}


def _first(request: Request) -> str:
    """A cursor that names the first page of a listing; empty where it has no pages."""
    method = request.path.rpartition("/")[2]
    word = _FIRST.get(method, "")
    return encode(word) if word else ""


_FIRST = {
    "users.list": "user:U0",
    "conversations.list": "team:C0",
    "users.conversations": "mine:C0",
    "conversations.history": "next_ts:9999999999999999",
    "conversations.replies": "next_ts:0",
}


def _group_id(number: int) -> str:
    return coded("S", number)

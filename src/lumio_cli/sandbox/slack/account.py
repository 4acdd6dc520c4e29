"""The workspace behind HTTP: tokens, scopes, tiers, and from a method's name to its answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from ..http import Request, Response
from ..lookalike import Answered, LookAlike, Token
from ..options import Options
from ..quota import Daily, Window
from ..table import Table
from .answers import fail
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
from .state import Upload
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


class Account(LookAlike):
    """One workspace with one app in it.

    `records` users, conversations (at least one, #general), and messages in #general; the other
    conversations have a handful of messages each, and there are at most five user groups. Every
    method is served as `/METHOD` and as `/api/METHOD`, by GET and by POST, as Slack does.
    """

    name = "slack"
    published: ClassVar = PUBLISHED

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
        self.uploads: dict[str, Upload] = {}
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

    def ready(self, base_url: str) -> dict[str, Any]:
        """What a client needs to know; `channel` is #general."""
        return {**super().ready(base_url), "channel": self.general}


def _group_id(number: int) -> str:
    return coded("S", number)

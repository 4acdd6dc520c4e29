"""Slack: users, channels, messages of chosen channels, user groups; messages and files sent.

Sources: docs.slack.dev (apis/web-api, apis/web-api/pagination, apis/web-api/rate-limits,
authentication/installing-with-oauth, authentication/using-token-rotation,
authentication/using-pkce, messaging/message-metadata, the pages of the methods that are used, and
the changelog entries 2024/04 on files.upload, 2025/05/29 on rate limits and 2026/03/30 on PKCE);
slackapi/slack-api-specs (slack_web_openapi_v2.json); slackapi/java-slack-sdk
(MethodsRateLimits.java, json-logs/samples/api) and slackapi/python-slack-sdk. What follows from
them:

- Answers are HTTP 200 with `ok: false` and a word for nearly every error; see `words`.
- A message is named by its channel and its `ts`, a time with six decimals that must never become a
  float. `conversations.history` selects by it: new messages are found, an edit or a deletion of an
  older one is not, so that each window reaches back by the setting `lookback_hours`.
- Replies are not in the history; each thread is a request of its own (`conversations.replies`).
- Listings want `types`, and refuse one type that no scope covers; see `walks`.
- `X-OAuth-Scopes` of any answer tells the token's scopes.
- Apps that are distributed commercially outside the Marketplace get one request a minute and 15
  messages for histories and threads; see `limits`.
- A bot token comes from the app's page, or from OAuth with a client secret and an https redirect:
  redirects to this machine are for apps with PKCE, and those get no bot scopes. The token endpoint
  answers errors with 200 as well. With token rotation on, a refresh token works once.
- Posting has no idempotency key: our own goes along as metadata, by which a message can be found
  again whose answer was lost.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from lumio_cli.core.errors import BadReplyError, CredentialError
from lumio_cli.providers.contract.auth import Credential, OAuth
from lumio_cli.providers.contract.call import Call, Record, Reply, Send, dig
from lumio_cli.providers.contract.fields import Field, Identity
from lumio_cli.providers.contract.messages import Message, Past
from lumio_cli.providers.contract.paging import Paging
from lumio_cli.providers.contract.provider import Provider, found_alone
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.resource import Kind, Resource, Walk
from lumio_cli.providers.contract.verdict import Verdict
from lumio_cli.providers.slack.limits import APP_KINDS, quotas_of
from lumio_cli.providers.slack.resources import (
    CHANNELS,
    MESSAGES,
    PAGE,
    RESOURCES,
    USERGROUPS,
    tailored,
)
from lumio_cli.providers.slack.sends import KINDS
from lumio_cli.providers.slack.sends import check as check_message
from lumio_cli.providers.slack.sends import deliver as deliver_message
from lumio_cli.providers.slack.sends import find as find_message
from lumio_cli.providers.slack.sends import names as recipient_names
from lumio_cli.providers.slack.walks import (
    History,
    channel_of,
    history_call,
    identified,
    scopes_call,
    scopes_of,
    with_replies,
)
from lumio_cli.providers.slack.words import explain
from lumio_cli.providers.slack.words import judge as judge_words

CHANNEL_ID = re.compile(r"[CDG][A-Z0-9]{8,}")
HOUR = 3600.0


class Slack(Provider):
    """Slack."""

    name = "slack"
    title = "Slack"
    category = "Messaging"
    base_url = "https://slack.com/api"
    hosts = ("slack.com",)
    open_hosts = ("files.slack.com",)
    realtime = "webhooks"
    credential = (
        Field(
            "token",
            "Bot token of your app (api.slack.com/apps > OAuth & Permissions), xoxb-...",
            secret=True,
            pattern=r"xox[a-z](\.xox[a-z])?-[A-Za-z0-9._-]+|[A-Za-z0-9_-]{20,}",
        ),
    )
    oauth = OAuth(
        authorize_url="https://slack.com/oauth/v2/authorize",
        token_path="/oauth.v2.access",  # noqa: S106 a path, not a password
        revoke_path="/auth.revoke",
        scopes=(
            "users:read",
            "users:read.email",
            "channels:read",
            "groups:read",
            "im:read",
            "mpim:read",
            "channels:history",
            "groups:history",
            "im:history",
            "mpim:history",
            "usergroups:read",
            "chat:write",
            "im:write",
            "files:write",
        ),
        scope_separator=",",
        optional_param="",
        pkce=False,
        redirect_scheme="https",
        redirect_port=18926,
    )
    fields = (
        Field(
            "channels",
            "Channels whose messages are synced: a list of ids (C0123456789) or names",
            kind="list",
            default=[],
            pattern=r"#?[^\s#@,]{1,80}",
        ),
        Field(
            "app_kind",
            "Whose app it is: internal (your own), marketplace, or commercial (distributed outside"
            " the Marketplace: 1 request a minute and 15 messages for histories)",
            default="internal",
            pattern="internal|marketplace|commercial",
        ),
        Field(
            "threads",
            "Whether replies are read, one request a thread: yes, no, or auto (not for commercial)",
            default="auto",
            pattern="auto|yes|no",
        ),
        Field(
            "lookback_hours",
            "Hours that each incremental sync reads again, to find edits and new replies; 0: 168,"
            " for commercial 24",
            kind="number",
            default=0,
            pattern=r"[0-9]+(\.[0-9]+)?",
        ),
    )
    quotas = quotas_of(APP_KINDS["internal"])
    resources: tuple[Resource, ...] = RESOURCES
    messages = KINDS
    no_merges = "Slack publishes no merge of users, channels or messages."
    guide = (
        "Open https://api.slack.com/apps, choose Create New App, From a manifest, and paste the "
        "manifest from lumio's guide to Slack.",
        "Under Install App install it to your workspace; an administrator may have to approve it.",
        "Copy the Bot User OAuth Token (xoxb-...) and run `lumio connect slack`.",
        "For messages: type /invite @APP in each channel, and name the channels in the setting "
        "providers.slack.channels.",
        "Or log in by OAuth with an app of yours that has the redirect URL "
        "https://localhost:18926/callback: `lumio connect slack --oauth --set client_id=ID`.",
    )
    notes = (
        "Messages come from the channels in providers.slack.channels only, and the app must be in "
        "them. Without that setting there are none.",
        "An incremental sync finds new messages, and edits and replies within lookback_hours "
        "(a week; for commercial apps a day), and edits of replies within a day of these. Older "
        "edits, older threads' new replies and all deletions are found by a full sync.",
        "An edited message has its last text only, with edited_at; a deleted one is gone, or if it "
        "has replies, an empty one with the subtype tombstone.",
        "app_kind says which limits apply. Apps sold outside the Marketplace (commercial) get 1 "
        "request a minute and 15 messages for histories and threads: 900 messages an hour.",
        "Workspaces without a paid plan hide messages after 90 days: they are not in the API. What "
        "the hub has of them stays.",
        "Listing users never tells who was removed for good; deactivated ones stay, deleted = 1.",
    )

    def __init__(self, options: Mapping[str, Any]) -> None:
        kind = APP_KINDS[str(options.get("app_kind") or "internal")]
        self.quotas = quotas_of(kind)
        super().__init__(options)
        self._page = min(PAGE, kind.most)
        self._channels = _chosen(options.get("channels") or ())
        threads = str(options.get("threads") or "auto")
        self._threads = kind.threads if threads == "auto" else threads == "yes"
        hours = float(options.get("lookback_hours") or 0) or kind.lookback
        self.resources = tailored(
            most=kind.most,
            lookback=hours * HOUR,
            chosen=bool(self._channels),
        )

    # -- talking

    def judge(self, reply: Reply) -> Verdict | None:
        """`ok: false` with a word, whatever the status; see `words`."""
        return judge_words(reply)

    def probe(self, send: Send, credential: Credential) -> Identity:
        """auth.test names the workspace and the app's user; a header tells the scopes."""
        reply = send(scopes_call())
        body = reply.json()
        account = _text(body, "team_id") or _text(body, "enterprise_id")
        if not account:
            raise BadReplyError("Slack's auth.test names no workspace", hint="try again later")
        scopes = scopes_of(reply)
        return Identity(
            account_id=account,
            account_name=_text(body, "team") or account,
            scopes=credential.scopes if scopes is None else scopes,
            expires_at=credential.expires_at,
            details={"url": _text(body, "url"), "user": _text(body, "user")},
        )

    def tokens(self, reply: Reply, *, now: datetime, old: Credential) -> Credential:
        """The bot's token, or where the app asked for none, the user's, which is nested.

        Errors come with 200 as well. Only apps with token rotation get a refresh token and an end.
        """
        body = reply.json()
        if not isinstance(body, dict):
            raise BadReplyError("the token endpoint did not answer with a JSON object")
        if body.get("ok") is not True:
            word = str(body.get("error") or reply.status)
            expired = word in ("invalid_refresh_token", "token_revoked", "token_expired")
            raise CredentialError(
                f"the token endpoint refused: {explain(word, body)} ({word})",
                code="login_expired" if expired else "credential_refused",
            )
        user = body.get("authed_user")
        source = body if body.get("access_token") or not isinstance(user, dict) else user
        if not source.get("access_token"):
            raise BadReplyError("the token endpoint's answer has no access token")
        seconds = float(source.get("expires_in") or 0)
        scopes = tuple(s for s in str(source.get("scope") or "").split(",") if s)
        known = {"team_id": dig(body, "team.id"), "bot_user_id": body.get("bot_user_id")}
        return replace(
            old,
            kind="oauth",
            token=str(source["access_token"]),
            refresh=str(source.get("refresh_token") or old.refresh),
            expires_at=now + timedelta(seconds=seconds) if seconds else None,
            scopes=scopes or old.scopes,
            fields={**old.fields, **{k: str(v) for k, v in known.items() if v}},
        )

    # -- reading

    def slices(
        self, resource: Resource, kind: Kind, expected: int | None
    ) -> Mapping[str, Mapping[str, Any]]:
        """Messages by channel, so that one that is chosen later gets its whole history."""
        if resource.name != MESSAGES.name:
            return {"": {}}
        return {
            word: {"channel": word} if CHANNEL_ID.fullmatch(word) else {"name": word}
            for word in self._channels
        }

    def paging(self, walk: Walk) -> Paging:
        """A channel that was given by its name has to be found first."""
        if walk.resource.name == MESSAGES.name:
            return History(str(walk.options.get("name") or ""))
        return super().paging(walk)

    def call(self, walk: Walk) -> Call:
        """The listing of a resource."""
        if walk.resource.name == MESSAGES.name:
            return history_call(walk)
        call = super().call(walk)
        if walk.resource.name == USERGROUPS.name:
            return replace(
                call,
                params={
                    "include_users": "true",
                    "include_count": "true",
                    "include_disabled": "true",
                },
            )
        if walk.resource.name == CHANNELS.name:
            return replace(call, params={"exclude_archived": "false"})
        return call

    def records(self, walk: Walk, reply: Reply) -> list[Record]:
        """Messages get an id, `CHANNEL:TS`, and their channel."""
        rows = super().records(walk, reply)
        if walk.resource.name != MESSAGES.name:
            return rows
        return identified(channel_of(reply), rows)

    def hides(self, walk: Walk, reply: Reply) -> bool:
        """A history of a workspace without a paid plan says that there is more (`is_limited`)."""
        return walk.resource.name == MESSAGES.name and dig(reply.json(), "is_limited") is True

    def fill(self, walk: Walk, records: list[Record], send: Send) -> list[Record]:
        """The replies of the messages' threads, where they are wanted."""
        if walk.resource.name != MESSAGES.name or not self._threads:
            return records
        return with_replies(walk, records, self._page, send)

    def alive(self, resource: Resource, ids: Sequence[str], send: Send) -> Collection[str]:
        """Nothing counts users and channels; those that were deactivated or archived are listed,
        and found, too."""
        if resource.name not in ALONE:
            return ()
        method, name = ALONE[resource.name]
        return found_alone(ids, lambda i: Call("GET", f"/{method}", params={name: i}), send)

    # -- sending

    def check(self, message: Message, past: Past) -> None:
        """Raises `UsageError` for a message that Slack would not take."""
        check_message(message)

    def names(self, to: str, past: Past) -> tuple[str, ...]:
        """A channel's name and id, a person's id, handle and address, as the hub knows them."""
        return recipient_names(to, past)

    def deliver(self, message: Message, send: Send) -> Receipt:
        """Send a message, or share a file; the receipt's id is CHANNEL:TS, or the file's."""
        return deliver_message(message, send)

    def find(self, message: Message, past: Past, send: Send) -> Receipt | None:
        """Look for a message by the key that went along as its metadata."""
        return find_message(message, send, self._page)


ALONE = {"users": ("users.info", "user"), "channels": ("conversations.info", "channel")}
"""How one record is read: the method, and what its id is called."""


def _chosen(channels: Any) -> tuple[str, ...]:
    """The chosen channels, each once: ids as they are, names in Slack's small letters."""
    found = []
    for item in channels:
        word = str(item).strip().removeprefix("#")
        found.append(word if CHANNEL_ID.fullmatch(word) else word.lower())
    return tuple(dict.fromkeys(word for word in found if word))


def _text(body: Any, name: str) -> str:
    value = body.get(name) if isinstance(body, dict) else None
    return str(value) if value else ""

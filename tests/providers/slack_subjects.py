"""Slack under test: its resources, and how a test changes them behind the API."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from lumio_cli.providers.contract.auth import Credential
from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.lookalike import CLIENT_ID, CLIENT_SECRET
from lumio_cli.sandbox.slack import Slack
from lumio_cli.sandbox.slack.account import SCOPES
from lumio_cli.sandbox.slack.data import channel_id
from support.conformance import Subject

GENERAL = channel_id(0)


def workspace(sandbox: Sandbox) -> Slack:
    """The workspace behind the API."""
    return cast(Slack, sandbox.providers["slack"])


def _fresh(sandbox: Sandbox) -> str:
    token = "xoxb-sandbox-0000-fresh"
    workspace(sandbox).vault.add("fresh", token)
    return token


def grant(sandbox: Sandbox) -> Credential:
    """A login of an app with token rotation, whose access token has expired."""
    vault = workspace(sandbox).vault
    refresh = vault.grant(SCOPES)
    old = vault.issue(SCOPES, refresh, age=vault.seconds + time.time() % 1 + 60)
    return Credential(
        "oauth",
        old.value,
        refresh,
        # As if it were good for long: that it has expired, the provider must say.
        datetime.now(UTC) + timedelta(days=1),
        SCOPES,
        {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
    )


def _update_profile(sandbox: Sandbox, record_id: str, title: str) -> None:
    users = workspace(sandbox).users
    user = users.get(record_id) or {}
    users.update(record_id, {"profile": {**user["profile"], "title": title}})


def _create_user(sandbox: Sandbox, title: str) -> str:
    profile = {"real_name": "New", "title": title}
    return workspace(sandbox).users.insert({"name": "new", "deleted": False, "profile": profile})


USERS = Subject(
    provider="slack",
    resource="users",
    text="profile.title",
    listing="/users.list",
    dump=lambda sandbox: workspace(sandbox).users,
    create=_create_user,
    update=_update_profile,
    purge=lambda sandbox, record_id: workspace(sandbox).users.purge(record_id),
    fresh=_fresh,
    grant=grant,
    uncounted=True,
)


def _fill_channels(sandbox: Sandbox, count: int) -> None:
    """Only those that the app sees are listed; there is always one, unless it is purged."""
    channels = workspace(sandbox).channels
    if count == 0:
        for record_id in list(channels.ids()):
            channels.purge(record_id)


def _create_channel(sandbox: Sandbox, name: str) -> str:
    return workspace(sandbox).channels.insert({"name": name, "is_channel": True})


CHANNELS = Subject(
    provider="slack",
    resource="channels",
    text="name",
    listing="/conversations.list",
    dump=lambda sandbox: workspace(sandbox).channels,
    create=_create_channel,
    update=lambda sandbox, i, name: workspace(sandbox).channels.update(i, {"name": name}),
    purge=lambda sandbox, record_id: workspace(sandbox).channels.purge(record_id),
    fresh=_fresh,
    fill=_fill_channels,
    uncounted=True,
)


def _messages(sandbox: Sandbox) -> Iterable[dict[str, Any]]:
    """The history of #general as it is listed, newest first, with the ids that lumio makes."""
    for message in reversed(list(workspace(sandbox).timeline(GENERAL))):
        yield {**message, "channel": GENERAL, "id": f"{GENERAL}:{message['ts']}"}


def _ts(record_id: str) -> str:
    return record_id.partition(":")[2]


def _create_message(sandbox: Sandbox, text: str) -> str:
    return f"{GENERAL}:{workspace(sandbox).timeline(GENERAL).insert({'text': text})}"


def _hide(sandbox: Sandbox, record_id: str) -> None:
    """A workspace without a paid plan, which shows what is newer than this message."""
    age = workspace(sandbox).clock() - float(_ts(record_id))
    workspace(sandbox).keeps_days = age / 86_400 - 0.5


MESSAGES = Subject(
    provider="slack",
    resource="messages",
    text="text",
    listing="/conversations.history",
    live=lambda request: "oldest" not in request.query,
    environ={
        "LUMIO_PROVIDERS__SLACK__CHANNELS": GENERAL,
        # Replies are more records than the listing has: they have tests of their own.
        "LUMIO_PROVIDERS__SLACK__THREADS": "no",
    },
    dump=_messages,
    create=_create_message,
    update=lambda sandbox, i, text: (
        workspace(sandbox).timeline(GENERAL).update(_ts(i), {"text": text})
    ),
    purge=lambda sandbox, i: workspace(sandbox).timeline(GENERAL).purge(_ts(i)),
    fresh=_fresh,
    hide=_hide,
    newest_first=True,
)

USERGROUPS = Subject(
    provider="slack",
    resource="usergroups",
    text="name",
    listing="/usergroups.list",
    dump=lambda sandbox: workspace(sandbox).groups,
    create=lambda sandbox, name: workspace(sandbox).groups.insert({"name": name}),
    update=lambda sandbox, i, name: workspace(sandbox).groups.update(i, {"name": name}),
    purge=lambda sandbox, record_id: workspace(sandbox).groups.purge(record_id),
    fresh=_fresh,
)

SUBJECTS = (USERS, CHANNELS, MESSAGES, USERGROUPS)

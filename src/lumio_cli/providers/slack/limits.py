"""Slack's rate limits: a tier for each method, counted by workspace and app.

Sources: docs.slack.dev/apis/web-api/rate-limits (tiers 1 to 4 are 1, 20, 50 and 100 requests a
minute and more; chat.postMessage one message a second in a channel and "several hundred" a minute
in a workspace), and for each method's tier `MethodsRateLimits.java` of slackapi/java-slack-sdk.
"""

from __future__ import annotations

from dataclasses import dataclass

from lumio_cli.providers.contract.quota import Quota

MINUTE = 60.0
TIER2, TIER3, TIER4 = 20, 50, 100
SEVERAL_HUNDRED = 300
"""Slack gives no number for messages a minute in a workspace; this is the least it can mean."""


@dataclass(frozen=True, slots=True)
class AppKind:
    """What Slack's rules of 2025 make of an app.

    history   requests a minute for the histories of channels, and as many for threads
    most      messages that each of them brings at most
    threads   whether threads are read unless the operator says otherwise
    lookback  hours that an incremental sync reads again unless the operator says otherwise
    """

    history: int
    most: int
    threads: bool
    lookback: float


WEEK, DAY = 168.0, 24.0
APP_KINDS = {
    "internal": AppKind(TIER3, 999, True, WEEK),
    "marketplace": AppKind(TIER3, 999, True, WEEK),
    "commercial": AppKind(1, 15, False, DAY),
}
"""Since 2025-05-29 an app that is distributed commercially outside of Slack's Marketplace has one
request a minute and 15 messages for conversations.history and conversations.replies; apps that a
customer built for itself, and those in the Marketplace, keep tier 3 (docs.slack.dev, changelog
2025/05/29 and the page of conversations.history).

A reply comes to the hub only while its message is read again. Connectors that read a day again
were found too short (airbytehq/airbyte#32143, #34163, #2924); a week costs a page for each 200
messages of it, and a request only for the threads that went on since the last sync. At 15 messages
a minute it would take hours.
"""


def quotas_of(kind: AppKind) -> tuple[Quota, ...]:
    """The quotas of an app of that kind."""
    return (
        _quota("users_list", TIER2, "/users.list"),
        _quota("users_lookup", TIER3, "/users.lookupByEmail"),
        _quota("users_conversations", TIER2, "/users.conversations"),
        _quota("conversations_list", TIER2, "/conversations.list"),
        _quota("conversations_history", kind.history, "/conversations.history"),
        _quota("conversations_replies", kind.history, "/conversations.replies"),
        _quota("conversations_open", TIER3, "/conversations.open"),
        _quota("usergroups_list", TIER2, "/usergroups.list"),
        _quota("post_message", SEVERAL_HUNDRED, "/chat.postMessage"),
        # A fifth of a second more, since messages do not arrive as they were sent.
        Quota(
            "post_channel", 1, 1.2, kind="window", routes=("/chat.postMessage",), keyed="channel"
        ),
        _quota("files_upload_url", TIER4, "/files.getUploadURLExternal"),
        _quota("files_complete", TIER4, "/files.completeUploadExternal"),
    )


def _quota(name: str, count: int, route: str) -> Quota:
    return Quota(name, count, MINUTE, kind="window", routes=(route,))

"""Campaigns, from draft to sent.

A campaign is created, filled and then sent, scheduled or left as a draft. Sending cannot be taken
back, and Mailchimp has no key against sending twice: what became of a request whose answer was lost
is read from the campaign itself. A campaign that lumio creates has lumio's key at the end of its
title, which only the account's users see, so that it can be found again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lumio_cli.core.errors import (
    OUTCOME_UNKNOWN,
    LumioError,
    RejectedError,
    UnavailableError,
    UsageError,
)
from lumio_cli.providers.contract.call import Call, Send
from lumio_cli.providers.contract.fields import Field
from lumio_cli.providers.contract.messages import Message, MessageKind, Past
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.mailchimp.rows import title_of

ROUTE = "/3.0/campaigns/{campaign_id}"
GOING = ("sending", "sent")
RECENT = 100
"""Campaigns among which one of ours is looked for."""
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_ID = re.compile(r"[A-Za-z0-9]+")
_AT = "2027-01-31T14:15:00+00:00"

MESSAGES = (
    MessageKind(
        "campaign",
        "Create a campaign for an audience, and send or schedule it if told to",
        (
            Field("subject", "Subject line"),
            Field("from_name", "Name of the sender"),
            Field("reply_to", "Address of the sender, of a domain that the account has verified",
                  pattern=_ADDRESS.pattern),
            Field("html", "Content as HTML", default=""),
            Field("file", "Content as a file of HTML", kind="file", default=""),
            Field("text", "Content as plain text", default=""),
            Field("template", "Id of a template", kind="integer", default=0),
            Field("title", "Internal title; without one, the subject", default=""),
            Field("preview", "Preview text", default=""),
            Field("segment", "Id of a saved segment or tag of the audience", kind="integer",
                  default=0),
            Field("now", "Send it at once", kind="boolean", default=False),
            Field("at", f"Send it then, on a quarter of an hour: {_AT}", default=""),
        ),
        to="id of the audience",
        confirm=True,
    ),
    MessageKind(
        "test",
        "Send a test of a campaign to one address",
        (
            Field("campaign", "Id of the campaign", pattern=_ID.pattern),
            Field("format", "html or plaintext", pattern="html|plaintext", default="html"),
        ),
        to="e-mail address",
        bulk=True,
    ),
    MessageKind(
        "schedule",
        "Send a campaign at a time",
        (Field("at", f"When, on a quarter of an hour: {_AT}"),),
        to="id of the campaign",
        confirm=True,
    ),
    MessageKind("send", "Send a campaign now", (), to="id of the campaign", confirm=True),
)  # fmt: skip


# --- before anything is sent


def check(message: Message, past: Past) -> None:
    """Raises `UsageError` for what Mailchimp would not take, `RejectedError` for a campaign which
    the hub knows to be sent or on its way."""
    if message.kind == "test":
        _must(_ADDRESS.fullmatch(message.to), f"{message.to!r} is no e-mail address")
        _must(_ID.fullmatch(str(message.values["campaign"])), "campaign must be an id")
        return
    what = "an audience" if message.kind == "campaign" else "a campaign"
    _must(_ID.fullmatch(message.to), f"{message.to!r} is no id of {what}")
    if message.kind == "campaign":
        _check_campaign(message)
        return
    if message.kind == "schedule":
        _time(message)
    status = past.latest("campaigns", {"id": message.to}, "status")
    if status in GOING or (message.kind == "schedule" and status == "schedule"):
        raise RejectedError(
            f"campaign {message.to} is in the state {status!r}", status=0, category="state"
        )


def _check_campaign(message: Message) -> None:
    values = message.values
    given = [name for name in ("html", "file", "text", "template") if values.get(name)]
    whole = len(given) == 1 or sorted(given) in (["html", "text"], ["file", "text"])
    _must(whole, "content is one of html, a file and a template; text may go with the first two")
    _must(
        _ADDRESS.fullmatch(str(values["reply_to"])), f"{values['reply_to']!r} is no e-mail address"
    )
    _must(len(str(values["subject"])) <= 150, "a subject has at most 150 characters")
    _must(not (values.get("now") and values.get("at")), "either now, or at a time")
    if values.get("at"):
        _time(message)


def _must(true: Any, otherwise: str) -> None:
    if not true:
        raise UsageError(f"mailchimp: {otherwise}")


def _time(message: Message) -> str:
    """When it is to be sent, as Mailchimp reads it."""
    text = str(message.values["at"])
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"mailchimp: {text!r} is no time", hint=f"such as {_AT}") from None
    _must(moment.tzinfo is not None, f"{text!r} does not say in which zone; add +00:00")
    _must(
        moment.minute % 15 == 0 and not moment.second and not moment.microsecond,
        "Mailchimp sends on quarters of an hour (:00, :15, :30, :45)",
    )
    _must(moment > message.at, f"{text!r} is past")
    return moment.astimezone(UTC).isoformat()


# --- sending


def deliver(message: Message, send: Send) -> Receipt:
    """Send it; the receipt's id is the campaign's."""
    if message.kind == "campaign":
        return _campaign(message, send)
    if message.kind == "test":
        campaign = str(message.values["campaign"])
        body = {"test_emails": [message.to], "send_type": message.values["format"]}
        send(_act(campaign, "test", body))
        return Receipt.done(message.key, campaign)
    return _start(message, message.to, send)


def _campaign(message: Message, send: Send) -> Receipt:
    values = message.values
    recipients: dict[str, Any] = {"list_id": message.to}
    if values.get("segment"):
        recipients["segment_opts"] = {"saved_segment_id": int(values["segment"])}
    settings = {
        "subject_line": str(values["subject"]),
        "from_name": str(values["from_name"]),
        "reply_to": str(values["reply_to"]),
        "title": title(message),
        **({"preview_text": str(values["preview"])} if values.get("preview") else {}),
    }
    kind = "plaintext" if values.get("text") and not _html(values) else "regular"
    body = {"type": kind, "recipients": recipients, "settings": settings}
    made = send(Call("POST", "/3.0/campaigns", json=body, safe=False)).json()
    campaign = str(made["id"])
    try:
        path = f"/3.0/campaigns/{campaign}/content"
        send(Call("PUT", path, route=f"{ROUTE}/content", json=_content(values), safe=True))
        if values.get("now") or values.get("at"):
            return _start(message, campaign, send)
    except RejectedError as error:
        said = f"campaign {campaign} was created and is a draft: {error.message}"
        return Receipt.failed(message.key, "validation", said, campaign)
    return Receipt.done(message.key, campaign)


def title(message: Message) -> str:
    """The internal title, by which the campaign can be found again."""
    return f"{message.values.get('title') or message.values['subject']} [{message.key}]"


def _html(values: Mapping[str, Any]) -> bool:
    return bool(values.get("html") or values.get("file") or values.get("template"))


def _content(values: Mapping[str, Any]) -> dict[str, Any]:
    if values.get("template"):
        return {"template": {"id": int(values["template"])}}
    found: dict[str, Any] = {}
    if values.get("file"):
        found["html"] = values["file"]["data"].decode("utf-8", "replace")
    elif values.get("html"):
        found["html"] = str(values["html"])
    if values.get("text"):
        found["plain_text"] = str(values["text"])
    return found


def _act(campaign: str, action: str, body: Mapping[str, Any] | None = None) -> Call:
    path = f"/3.0/campaigns/{campaign}/actions/{action}"
    return Call("POST", path, route=f"{ROUTE}/actions/{action}", json=body, safe=False)


def _start(message: Message, campaign: str, send: Send) -> Receipt:
    """Send a campaign, or schedule it. Where the answer is lost, the campaign knows."""
    later = message.kind == "schedule" or (message.kind == "campaign" and message.values.get("at"))
    call = (
        _act(campaign, "schedule", {"schedule_time": _time(message)})
        if later
        else _act(campaign, "send")
    )
    try:
        send(call)
    except UnavailableError as error:
        if error.code != OUTCOME_UNKNOWN:
            raise
        return _asked(message, campaign, send) or Receipt.unknown(
            message.key, error.message, campaign
        )
    return Receipt.done(message.key, campaign)


def _asked(message: Message, campaign: str, send: Send) -> Receipt | None:
    """What a campaign's own status says of whether it was sent or scheduled."""
    path = f"/3.0/campaigns/{campaign}"
    try:
        status = send(Call("GET", path, route=ROUTE, params={"fields": "id,status"})).json()[
            "status"
        ]
    except (LumioError, KeyError, TypeError):
        return None
    if status in (*GOING, "schedule"):
        return Receipt.done(message.key, campaign)
    if status in ("save", "paused"):
        said = f"campaign {campaign} was not sent: its status is {status!r}"
        return Receipt.retry(message.key, said, campaign)
    return None


def find(message: Message, send: Send) -> Receipt | None:
    """What became of a message whose answer was lost; None: nobody can say."""
    if message.kind == "test":
        return None
    if message.kind != "campaign":
        return _asked(message, message.to, send)
    params = {
        "count": str(RECENT), "list_id": message.to, "sort_field": "create_time",
        "sort_dir": "DESC", "fields": "campaigns.id,campaigns.status,campaigns.settings.title",
    }  # fmt: skip
    found = send(Call("GET", "/3.0/campaigns", params=params)).json()["campaigns"]
    ours = [c for c in found if title_of(c) == title(message)]
    if not ours:
        return Receipt.retry(message.key, "no such campaign was created")
    campaign, status = str(ours[0]["id"]), str(ours[0].get("status"))
    wanted = message.values.get("now") or message.values.get("at")
    if status in (*GOING, "schedule"):
        return Receipt.done(message.key, campaign)
    if not wanted:
        return Receipt.done(message.key, campaign)
    said = f"campaign {campaign} was created, and is in the state {status!r}: look at it"
    return Receipt.failed(message.key, "validation", said, campaign)

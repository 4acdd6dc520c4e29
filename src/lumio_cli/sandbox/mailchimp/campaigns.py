"""Campaigns from draft to sent, their reports, automations and templates."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..http import Request, Response, Route
from ..table import Table
from . import data
from .problems import invalid, not_found, refused
from .shape import Document, chosen, iso, link, page, parse, single, span, within

if TYPE_CHECKING:
    from .account import Account

TYPES = ("regular", "plaintext", "absplit", "rss", "variate")
STATUSES = ("save", "paused", "schedule", "sending", "sent")


def _links(request: Request, path: str) -> Callable[[Document], list[Document]]:
    return lambda row: [link(request, "self", f"{path}/{row['id']}")]


def _selected(
    request: Request, table: Table, spans: tuple[str, ...], equal: dict[str, Any]
) -> list[str]:
    """The ids that the filters leave; `spans` are times, `equal` paths with a value."""
    limits = {time: span(request, f"since_{time}", f"before_{time}") for time in spans}
    wanted = {path: value for path, value in equal.items() if value is not None}
    sort = chosen(request, "sort_field", ("create_time", "send_time"))
    backwards = chosen(request, "sort_dir", ("ASC", "DESC")) == "DESC"
    ids = list(table.ids())
    # Documents are made only where something in them is asked for: ids are in order of creation.
    if wanted or any(limit != (0.0, math.inf) for limit in limits.values()):
        rows = {i: row for i in ids if (row := table.get(i)) is not None}
        ids = [
            i
            for i, row in rows.items()
            if all(within(row[time], limits[time]) for time in spans)
            and all(_dig(row, path) == value for path, value in wanted.items())
        ]
    if sort == "send_time":
        ids.sort(key=lambda i: ((table.get(i) or {})["send_time"], i))
    return ids[::-1] if sort and backwards else ids


def _page(
    request: Request, table: Table, name: str, spans: tuple[str, ...], equal: dict[str, Any]
) -> Response:
    ids = _selected(request, table, spans, equal)
    return page(request, name, ids, lambda i: table.get(i) or {}, _links(request, f"/{name}"))


def _dig(row: Document, path: str) -> Any:
    value: Any = row
    for part in path.split("."):
        value = value.get(part)
    return value


# --- campaigns


def _list_all(account: Account, request: Request) -> Response:
    equal = {
        "type": chosen(request, "type", TYPES),
        "status": chosen(request, "status", STATUSES),
        "recipients.list_id": request.one("list_id"),
    }
    _settle(account)
    table = account.tables["campaigns"]
    return _page(request, table, "campaigns", ("create_time", "send_time"), equal)


def _read(account: Account, campaign: str) -> Document:
    _settle(account)
    found = account.tables["campaigns"].get(campaign)
    if found is None:
        raise not_found()
    return found


def _settle(account: Account) -> None:
    """Scheduled campaigns whose time has come have been sent."""
    table = account.tables["campaigns"]
    for campaign in account.drafts:
        row = table.get(campaign)
        if row and row["status"] == "schedule" and (parse(row["send_time"]) or 0) <= account.now():
            _deliver(account, row)


def _one(account: Account, request: Request, campaign: str) -> Response:
    row = _read(account, campaign)
    return single(request, row, _links(request, "/campaigns")(row))


def _settings(body: Document) -> Document:
    reply_to = (body.get("settings") or {}).get("reply_to")
    if reply_to is not None and "@" not in str(reply_to):
        raise invalid(("settings.reply_to", "This value is not a valid email address."))
    return body.get("settings") or {}


def _recipients(account: Account, body: Document) -> Document:
    given = body.get("recipients") or {}
    list_id = given.get("list_id")
    if not list_id:
        return {}
    if list_id not in account.tables["audiences"]:
        said = f"The list '{list_id}' does not exist."
        raise invalid(("recipients.list_id", said))
    name = (account.tables["audiences"].get(list_id) or {})["name"]
    count = sum(1 for s in account.room(list_id).statuses() if s == "subscribed")
    return {
        "list_id": list_id, "list_is_active": True, "list_name": name, "segment_text": "",
        "recipient_count": count, **({"segment_opts": given["segment_opts"]}
                                     if given.get("segment_opts") else {}),
    }  # fmt: skip


def _create(account: Account, request: Request) -> Response:
    body = request.json()
    if body.get("type") not in TYPES:
        raise invalid(("type", "This value should be one of: " + ", ".join(TYPES) + "."))
    number = len(account.drafts)
    campaign = data.short(account.seed, "draft", number)
    document = {
        "id": campaign,
        "web_id": 6_000_000 + number,
        "type": body["type"],
        "archive_url": "",
        "long_archive_url": "",
        "status": "save",
        "emails_sent": 0,
        "send_time": "",
        "content_type": "template",
        "needs_block_refresh": False,
        "resendable": False,
        "recipients": {
            "list_id": "", "list_is_active": True, "list_name": "", "segment_text": "",
            "recipient_count": 0, **_recipients(account, body),
        },
        "settings": {**data.SETTINGS, **_settings(body)},
        "tracking": {**data.TRACKING, **(body.get("tracking") or {})},
        "delivery_status": {"enabled": False},
    }  # fmt: skip
    account.tables["campaigns"].insert(document, campaign)
    account.drafts[campaign] = {"plain_text": "", "html": "", "tests": []}
    return _one(account, request, campaign)


def _editable(account: Account, campaign: str) -> Document:
    row = _read(account, campaign)
    if row["status"] not in ("save", "paused"):
        said = "Cannot update a campaign that is not in a 'save' or 'paused' state."
        raise refused(400, said)
    return row


def _change(account: Account, request: Request, campaign: str) -> Response:
    row, body = _editable(account, campaign), request.json()
    values = {
        "settings": {**row["settings"], **_settings(body)},
        "recipients": {**row["recipients"], **_recipients(account, body)},
    }
    account.tables["campaigns"].update(campaign, values)
    return _one(account, request, campaign)


def _delete(account: Account, _: Request, campaign: str) -> Response:
    if _read(account, campaign)["status"] == "sending":
        raise refused(400, "A campaign that is being sent cannot be deleted.")
    account.tables["campaigns"].purge(campaign)
    account.drafts.pop(campaign, None)
    if campaign in account.tables["reports"]:
        account.tables["reports"].purge(campaign)
    return Response(204)


def _content_of(account: Account, campaign: str) -> Document:
    _read(account, campaign)
    made = {"plain_text": "Hello", "html": "<p>Hello</p>"}
    return account.drafts.get(campaign) or made


def _content(account: Account, request: Request, campaign: str) -> Response:
    kept = _content_of(account, campaign)
    shown = {"plain_text": kept["plain_text"], "html": kept["html"], "archive_html": kept["html"]}
    return single(request, shown)


def _set_content(account: Account, request: Request, campaign: str) -> Response:
    _editable(account, campaign)
    body, kept = request.json(), account.drafts[campaign]
    if not any(body.get(k) for k in ("html", "plain_text", "url", "template", "archive")):
        raise invalid(("html", "Content of a campaign must not be empty."))
    if body.get("template") and body["template"].get("id") not in {t["id"] for t in TEMPLATES}:
        raise invalid(("template.id", "There is no template with this id."))
    kept["html"] = str(body.get("html") or "<p>from a template</p>")
    kept["plain_text"] = str(body.get("plain_text") or "from HTML")
    kept["filled"] = True
    return _content(account, request, campaign)


def _lacking(account: Account, row: Document) -> list[str]:
    """What keeps a campaign from being sent."""
    found = []
    if not row["recipients"]["list_id"] or not row["recipients"]["recipient_count"]:
        found.append("List")
    if not row["settings"]["subject_line"]:
        found.append("Subject line")
    if not row["settings"]["from_name"] or not row["settings"]["reply_to"]:
        found.append("From")
    if not account.drafts.get(row["id"], {"filled": True}).get("filled"):
        found.append("Content")
    return found


def _checklist(account: Account, request: Request, campaign: str) -> Response:
    lacking = _lacking(account, _read(account, campaign))
    items = [
        {
            "type": "error" if heading in lacking else "success", "id": number,
            "heading": heading, "details": "Missing." if heading in lacking else "Set.",
        }
        for number, heading in enumerate(("List", "Subject line", "From", "Content"), 500)
    ]  # fmt: skip
    return single(request, {"is_ready": not lacking, "items": items})


# --- what is done with a campaign


def _ready(account: Account, campaign: str, said: str, *states: str) -> Document:
    """A campaign in one of these states that lacks nothing. Raises Answered."""
    row = _read(account, campaign)
    if row["status"] not in states:
        raise refused(400, f"{said} The campaign is in the state '{row['status']}'.")
    if _lacking(account, row):
        raise refused(
            400,
            "Your Campaign is not ready to send. Please resolve any issues before sending. "
            + ", ".join(_lacking(account, row)),
        )
    return row


def _deliver(account: Account, row: Document) -> None:
    count = row["recipients"]["recipient_count"]
    sent = {"status": "sent", "emails_sent": count, "send_time": iso(account.now()),
            "report_summary": {**data.NO_REPORT}}  # fmt: skip
    account.tables["campaigns"].update(row["id"], sent)
    account.tables["reports"].insert(data.report_of({**row, **sent}), row["id"])


def _send(account: Account, _: Request, campaign: str) -> Response:
    row = _ready(account, campaign, "This campaign cannot be sent.", "save", "paused")
    _deliver(account, row)
    return Response(204)


def _schedule(account: Account, request: Request, campaign: str) -> Response:
    _ready(account, campaign, "This campaign cannot be scheduled.", "save")
    text = str(request.json().get("schedule_time") or "")
    moment = parse(text)
    if moment is None:
        raise invalid(("schedule_time", "This value is not a valid datetime."))
    if datetime.fromtimestamp(moment, UTC).minute % 15 or moment % 60:
        said = "Campaigns may only be scheduled to send on the quarter-hour (:00, :15, :30, :45)."
        raise invalid(("schedule_time", said))
    if moment <= account.now():
        raise invalid(("schedule_time", "A campaign cannot be scheduled in the past."))
    values = {"status": "schedule", "send_time": iso(moment)}
    account.tables["campaigns"].update(campaign, values)
    return Response(204)


def _unschedule(account: Account, _: Request, campaign: str) -> Response:
    if _read(account, campaign)["status"] != "schedule":
        raise refused(400, "This campaign is not scheduled.")
    account.tables["campaigns"].update(campaign, {"status": "save", "send_time": ""})
    return Response(204)


def _test(account: Account, request: Request, campaign: str) -> Response:
    _ready(account, campaign, "This campaign cannot be tested.", *STATUSES)
    body = request.json()
    addresses = body.get("test_emails")
    if not addresses or not all("@" in str(a) for a in addresses):
        raise invalid(("test_emails", "This value is not a valid email address."))
    if body.get("send_type") not in ("html", "plaintext"):
        raise invalid(("send_type", "This value should be one of: html, plaintext."))
    account.drafts.setdefault(campaign, {**_content_of(account, campaign), "tests": []})
    account.drafts[campaign]["tests"] += addresses
    return Response(204)


def _replicate(account: Account, request: Request, campaign: str) -> Response:
    row = _read(account, campaign)
    number = len(account.drafts)
    again = data.short(account.seed, "draft", number)
    title = f"{row['settings']['title']} (copy {number + 1})"
    copy = {
        **row, "id": again, "status": "save", "send_time": "", "emails_sent": 0,
        "settings": {**row["settings"], "title": title},
    }  # fmt: skip
    account.tables["campaigns"].insert(copy, again)
    account.drafts[again] = {**_content_of(account, campaign), "tests": [], "filled": True}
    return _one(account, request, again)


# --- reports, automations, templates

TEMPLATES = (
    {"id": 4001, "type": "user", "name": "Größe 🌻", "drag_and_drop": False, "responsive": True,
     "category": "", "date_created": "2025-01-01T00:00:00+00:00", "active": True,
     "created_by": "Freddie", "folder_id": "", "thumbnail": "", "share_url": "",
     "content_type": "html"},
)  # fmt: skip


def _reports(account: Account, request: Request) -> Response:
    equal = {"type": chosen(request, "type", TYPES)}
    return _page(request, account.tables["reports"], "reports", ("send_time",), equal)


def _report(account: Account, request: Request, campaign: str) -> Response:
    row = account.tables["reports"].get(campaign)
    if row is None:
        raise not_found()
    return single(request, row, _links(request, "/reports")(row))


def _automations(account: Account, request: Request) -> Response:
    equal = {"status": chosen(request, "status", ("save", "paused", "sending"))}
    table = account.tables["automations"]
    return _page(request, table, "automations", ("create_time", "start_time"), equal)


def _automation_row(account: Account, workflow: str) -> Document:
    row = account.tables["automations"].get(workflow)
    if row is None:
        raise not_found()
    return row


def _automation(account: Account, request: Request, workflow: str) -> Response:
    row = _automation_row(account, workflow)
    return single(request, row, _links(request, "/automations")(row))


def _set_automation(status: str) -> Callable[..., Response]:
    def act(account: Account, _: Request, workflow: str) -> Response:
        _automation_row(account, workflow)
        account.tables["automations"].update(workflow, {"status": status})
        return Response(204)

    return act


def _templates(_: Account, request: Request) -> Response:
    return page(request, "templates", TEMPLATES, dict, _links(request, "/templates"))


_ONE = "/3.0/campaigns/{campaign}"
_FLOW = "/3.0/automations/{workflow}"
ROUTES = (
    Route("GET", "/3.0/campaigns", _list_all),
    Route("POST", "/3.0/campaigns", _create),
    Route("GET", _ONE, _one),
    Route("PATCH", _ONE, _change),
    Route("DELETE", _ONE, _delete),
    Route("GET", f"{_ONE}/content", _content),
    Route("PUT", f"{_ONE}/content", _set_content),
    Route("GET", f"{_ONE}/send-checklist", _checklist),
    Route("POST", f"{_ONE}/actions/send", _send),
    Route("POST", f"{_ONE}/actions/schedule", _schedule),
    Route("POST", f"{_ONE}/actions/unschedule", _unschedule),
    Route("POST", f"{_ONE}/actions/test", _test),
    Route("POST", f"{_ONE}/actions/replicate", _replicate),
    Route("GET", "/3.0/reports", _reports),
    Route("GET", "/3.0/reports/{campaign}", _report),
    Route("GET", "/3.0/automations", _automations),
    Route("GET", _FLOW, _automation),
    Route("POST", f"{_FLOW}/actions/pause-all-emails", _set_automation("paused")),
    Route("POST", f"{_FLOW}/actions/start-all-emails", _set_automation("sending")),
    Route("GET", "/3.0/templates", _templates),
)

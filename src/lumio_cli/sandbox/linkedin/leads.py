"""Lead forms and the answers to them.

A finder is by owner, `(organization:URN)` or `(sponsoredAccount:URN)`. Answers are found by the
kind of lead and the time they were submitted, both ends included, newest first. They are kept for
as long as `LinkedIn.lead_days` says: 365 days at LinkedIn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..http import Request, Response, Route
from ..table import Document, Table
from .errors import fail
from .paging import page
from .restli import number, parameters, urn_id

if TYPE_CHECKING:
    from .account import Account

SCOPE = ("r_marketing_leadgen_automation",)
KINDS = ("SPONSORED", "COMPANY", "EVENT", "ORGANIZATION_PRODUCT")


def scopes(**_: str) -> tuple[str, ...]:
    """The one scope of Lead Sync."""
    return SCOPE


def _owner(asked: dict[str, Any]) -> Document:
    """The owner of a finder, as forms and answers name it."""
    owner = asked.get("owner")
    if asked.get("q") != "owner" or not isinstance(owner, dict) or len(owner) != 1:
        raise fail(400, "owner must be one organization or one sponsoredAccount", "PARAM_INVALID")
    kind, urn = next(iter(owner.items()))
    if kind not in ("organization", "sponsoredAccount"):
        raise fail(400, f"owner cannot be a {kind}", "PARAM_INVALID")
    urn_id(urn, kind)
    return {kind: urn}


def forms(account: Account, request: Request) -> Response:
    """The forms of an owner, newest first."""
    asked = parameters(request)
    owner = _owner(asked)
    table = account.tables["lead_forms"]
    ids = [i for i in reversed(table.ids()) if account.owner_of("lead_forms", i) == owner]
    return page(request, asked, ids, table.get)


def form(account: Account, _request: Request, form: str) -> Response:
    """GET of one form."""
    return _one(account.tables["lead_forms"], form)


def answers(account: Account, request: Request) -> Response:
    """The answers to an owner's forms."""
    asked = parameters(request)
    owner, kind = _owner(asked), asked.get("leadType")
    kind = kind.get("leadType") if isinstance(kind, dict) else None
    if kind not in KINDS:
        raise fail(400, "leadType is required", "PARAM_MISSING")
    if (kind == "SPONSORED") != ("sponsoredAccount" in owner):
        raise fail(400, f"leadType {kind} does not fit the owner", "PARAM_INVALID")
    span = asked.get("submittedAtTimeRange") or {}
    start = number(span.get("start", 0), "start", 0, 10**15) / 1000
    end = number(span.get("end", 10**15), "end", 0, 10**15) / 1000
    table = account.tables["lead_responses"]
    tests = asked.get("limitedToTestLeads") == "true"
    ids = [
        i
        for i in reversed(table.ids())
        if max(start, account.oldest_lead()) <= table.created(i) <= end
        and account.owner_of("lead_responses", i) == owner
        and account.lead_kind(i) == kind
        and (not tests or (table.get(i) or {}).get("testLead"))
    ]
    return page(request, asked, ids, table.get)


def lead(account: Account, _request: Request, lead: str) -> Response:
    """GET of one answer."""
    table = account.tables["lead_responses"]
    if lead in table and table.created(lead) < account.oldest_lead():
        raise fail(404, f"Could not find entity: {lead}")
    return _one(account.tables["lead_responses"], lead)


def _one(table: Table, record_id: str) -> Response:
    found = table.get(record_id)
    if found is None:
        raise fail(404, f"Could not find entity: {record_id}")
    return Response.of_json(found)


ROUTES = (
    Route("GET", "/rest/leadForms", forms, scopes),
    Route("GET", "/rest/leadForms/{form}", form, scopes),
    Route("GET", "/rest/leadFormResponses", answers, scopes),
    Route("GET", "/rest/leadFormResponses/{lead}", lead, scopes),
)

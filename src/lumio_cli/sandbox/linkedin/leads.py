"""Lead forms and the answers to them.

A finder is by owner, `(organization:URN)` or `(sponsoredAccount:URN)`. Answers are found by the
kind of lead and the time they were submitted, both ends included, newest first. They are kept for
as long as `LinkedIn.lead_days` says: 365 days at LinkedIn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..http import Request, Response, Route
from ..table import EPOCH, SPAN, Document, Table
from .errors import fail
from .paging import page
from .restli import number, parameters, urn_id

if TYPE_CHECKING:
    from .provider import LinkedIn

SCOPE = ("r_marketing_leadgen_automation",)
RECENT = 60 * 86_400.0
"""Seconds: the age of the oldest of the younger half."""
KINDS = ("SPONSORED", "COMPANY", "EVENT", "ORGANIZATION_PRODUCT")


class Answers(Table):
    """Answers to forms: the older half is from 2025, the others are of the last two months before
    the look-alike was made, so that there are such as LinkedIn keeps, and such as it does not."""

    def __init__(
        self,
        count: int,
        make: Callable[[int], Document],
        stamp: Callable[[Document, float, float], None],
        clock: Callable[[], float],
        *,
        identify: Callable[[int], str],
    ) -> None:
        self._opened = max(clock() - RECENT, EPOCH + SPAN / 2)
        super().__init__(count, make, stamp, clock, identify=identify)

    def _made(self, number: int) -> float:
        old = self._base // 2
        if number < old:
            return super()._made(number)
        share = (number - old) / max(1, self._base - old)
        return float(int(self._opened + RECENT * share))


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


def forms(account: LinkedIn, request: Request) -> Response:
    """The forms of an owner, newest first."""
    asked = parameters(request)
    owner = _owner(asked)
    table = account.tables["lead_forms"]
    ids = [i for i in reversed(table.ids()) if account.owner_of("lead_forms", i) == owner]
    return page(request, asked, ids, table.get)


def form(account: LinkedIn, _request: Request, form: str) -> Response:
    """GET of one form."""
    return _one(account.tables["lead_forms"], form)


def answers(account: LinkedIn, request: Request) -> Response:
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


def lead(account: LinkedIn, _request: Request, lead: str) -> Response:
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

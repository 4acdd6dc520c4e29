"""The look-alike itself: protocol headers, version, token, quotas, and which routes there are.

It stands for all of LinkedIn's hosts: `/rest` and `/v2` are api.linkedin.com's, `/oauth` and
`/dms-uploads` www.linkedin.com's. Posts, lead forms and lead responses have as many records as are
asked for, all of the first page; there are two pages that the member administers.

The quota is the development tier's of the Community Management API, as its users report it: 100
calls a day for a member, 500 for an application, from midnight to midnight UTC, counted over all
endpoints. That tier has no BATCH_GET; `tier = "standard"` has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar
from urllib.parse import parse_qs

from ..faults import spoil
from ..http import Request, Response, Route
from ..lookalike import CLIENT_ID, CLIENT_SECRET, Answered, LookAlike, Token
from ..options import Options
from ..quota import Daily, Window
from ..table import Document, Table
from . import data
from .errors import DAY_LIMIT, SHORT_LIMIT, answer, fail
from .paging import link
from .restli import RestliError
from .state import ACCESS_SECONDS, Answers

SCOPES = (
    "openid",
    "r_marketing_leadgen_automation",
    "r_organization_social",
    "rw_organization_admin",
    "w_organization_social",
)
ACTIVE = tuple(f"2026{month:02d}" for month in range(1, 12))
"""Versions that are served in November 2026: one a month, for a year. Up to 202608 they are known
to be there; the three after it follow from LinkedIn's habit."""


FIRST = f"urn:li:organization:{data.FIRST_ORGANIZATION}"
"""The page that all generated records belong to."""


class Account(LookAlike):
    """One member's pages behind LinkedIn's versioned API."""

    name = "linkedin"
    published: ClassVar = {"member": 100, "application": 500}

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.versions = set(ACTIVE)
        self.tier = "development"
        self.partner = True
        self.lead_days: float | None = None
        """Days for which answers to forms are kept (LinkedIn: 365); None: for ever."""
        self.granted: dict[str, float] = {}
        self.roles: dict[str, str] = {}
        self.images: dict[str, bytes | None] = {}
        self.recent: dict[tuple[str, str], str] = {}
        self.vault.scopes = SCOPES
        self.vault.seconds = ACCESS_SECONDS
        self.vault.add("full", "linkedin-sandbox-token-full")
        self.vault.add("expired", "linkedin-sandbox-token-expired", expires_at=0.0)
        self.vault.add("no_scopes", "linkedin-sandbox-token-no-scopes", ())
        self.vault.add(
            "pages_only",
            "linkedin-sandbox-token-pages-only",
            ("r_organization_social", "rw_organization_admin"),
        )
        self.revoked = {"linkedin-sandbox-token-revoked"}
        self.vault.names["revoked"] = "linkedin-sandbox-token-revoked"
        self.administer(data.ORGANIZATIONS)
        self.tables["posts"] = self._table(data.post, data.post_id, _stamp_post)
        self.tables["lead_forms"] = self._table(
            data.form, lambda n: str(data.FIRST_FORM + n), _stamp_form
        )
        forms = self.records
        self.tables["lead_responses"] = Answers(
            self.records,
            lambda n: data.lead(self.seed, n, forms),
            _stamp_lead,
            self.clock,
            identify=data.lead_id,
        )
        self._generated = {name: frozenset(table.ids()) for name, table in self.tables.items()}

    def _table(
        self,
        make: Callable[[int, int], Document],
        identify: Callable[[int], str],
        stamp: Callable[[Document, float, float], None],
        count: int | None = None,
    ) -> Table:
        return Table(
            self.records if count is None else count,
            partial(make, self.seed),
            stamp,
            self.clock,
            identify=identify,
        )

    # -- for tests

    def administer(self, count: int) -> None:
        """From now on the member administers that many pages."""
        self.tables["organizations"] = self._table(
            data.organization, data.organization_id, _stamp_organization, count
        )

    def retire(self, version: str) -> None:
        """A version of the API is not served any longer."""
        self.versions.discard(version)

    def control(self, request: Request, parts: list[str]) -> Response | None:
        """Beside what every look-alike has:

        POST roles  {"organization", "role"}: the member's role in a page, by the page's number
        POST leads  {"days"}: answers to forms are kept for so long; null, for ever
        """
        if request.method == "POST" and parts in (["roles"], ["leads"]):
            body = request.json()
            with self.lock:
                if parts == ["roles"]:
                    self.roles[str(body["organization"])] = str(body["role"])
                else:
                    self.lead_days = None if body["days"] is None else float(body["days"])
            return Response.of_json({})
        return super().control(request, parts)

    # -- records

    def oldest_lead(self) -> float:
        """When the oldest answer that is still kept was submitted, in seconds since 1970."""
        return 0.0 if self.lead_days is None else self.clock() - self.lead_days * 86_400

    def author_of(self, post: str) -> str:
        """Who wrote a post."""
        own = self._added("posts", post)
        return str(own["author"]) if own else FIRST

    def is_draft(self, post: str) -> bool:
        """Whether a post is not published yet."""
        own = self._added("posts", post)
        return own is not None and own.get("lifecycleState") == "DRAFT"

    def owner_of(self, table: str, record_id: str) -> Document:
        """Whose form, or whose lead, it is."""
        own = self._added(table, record_id)
        return dict(own["owner"]) if own else {"organization": FIRST}

    def lead_kind(self, record_id: str) -> str:
        """The kind of a lead."""
        own = self._added("lead_responses", record_id)
        return str(own["leadType"]) if own else "COMPANY"

    def is_generated(self, table: str, record_id: str) -> bool:
        """Whether a record was there from the beginning."""
        return record_id in self._generated[table]

    def _added(self, table: str, record_id: str) -> Document | None:
        """A record that was made by a request or a test; None for a generated one, all of which
        are alike in what is asked here, so that none needs to be made for it."""
        if self.is_generated(table, record_id):
            return None
        return self.tables[table].get(record_id)

    # -- a request's way

    def label(self, request: Request) -> str:
        """The path; roles are told apart by the one that is asked for."""
        role = request.one("role")
        return f"{request.path}/{role}" if role else request.path

    def handle(self, request: Request) -> Response:
        """Answers a request. A query that is too long for an address may come as a POST's body."""
        if request.headers.get("x-http-method-override", "").upper() == "GET":
            request = _untunnelled(request)
        response = super().handle(request)
        response.headers["x-li-uuid"] = f"sandbox-{self.answers:012x}"
        return response

    def _answer(self, request: Request) -> Response:
        try:
            return super()._answer(request)
        except RestliError as error:
            raise fail(400, f"Invalid param. {error}", "PARAM_INVALID") from None

    def authenticate(self, request: Request) -> Token:
        """The token, then the protocol: version 2.0.0 of Rest.li, and a version of the API."""
        value = self.presented(request)
        token = self.vault.find(value)
        if value in self.revoked:
            text = "The token used in the request has been revoked by the user"
            raise Answered(answer(401, text, "REVOKED_ACCESS_TOKEN", 65601))
        if token is None and value in self.vault.tokens:
            text = "The token used in the request has expired"
            raise Answered(answer(401, text, "EXPIRED_ACCESS_TOKEN", 65602))
        if token is None:
            raise Answered(answer(401, "Invalid access token"))
        if request.path.startswith("/rest/"):
            self._check_protocol(request)
        return token

    def _check_protocol(self, request: Request) -> None:
        version = request.headers.get("linkedin-version", "")
        if not version:
            text = "A version must be present. Please specify a version by adding the header"
            raise fail(400, f"{text} LinkedIn-Version", "VERSION_MISSING")
        if version not in self.versions:
            raise fail(426, f"Requested version {version} is not active")
        if request.headers.get("x-restli-protocol-version") != "2.0.0":
            raise fail(400, "X-Restli-Protocol-Version must be 2.0.0", "PROTOCOL_INVALID")
        if request.method == "POST" and "content-length" not in request.headers:
            raise fail(411, "Content-Length is required")

    def charge(self, kind: str, request: Request, token: Token) -> dict[str, str]:
        """A day's calls of the member and of the application; no header says how many are left."""
        if self.limits is None or kind == "upload":
            return {}
        wanted: dict[str, Callable[[], Window | Daily]] = {
            f"member:{token.value}": partial(Daily, self.limits["member"], 0),
            "application": partial(Daily, self.limits["application"], 0),
        }
        refused = self.ledger.take(wanted)
        if refused is not None:
            by = "APPLICATION" if refused[0] == "application" else "APPLICATION_AND_MEMBER"
            raise fail(429, DAY_LIMIT.format(by))
        return {}

    def permit(self, route: Route, values: dict[str, str], token: Token) -> None:
        """Raises Answered where the token lacks every scope of the route."""
        wanted = route.scopes(**values) if route.scopes else ()
        if wanted and token.scopes.isdisjoint(wanted):
            resource = route.template.split("/")[2]
            raise self.denied(f"{resource}.{_restli_method(route)}")

    def denied(self, what: str) -> Answered:
        """403, for a scope or a role that is missing."""
        return fail(403, f"Not enough permissions to access: {what}.20260701")

    def need_standard_tier(self, what: str) -> None:
        """Raises Answered in the development tier."""
        if self.tier != "standard":
            raise self.denied(what)

    def refuse(self, status: int, message: str) -> Response:
        """An error in LinkedIn's shape."""
        return answer(status, message)

    def failure(self, status: int, retry_after: str | None) -> Response:
        """An outage, or a throttle that is not the day's."""
        response = answer(status, SHORT_LIMIT if status == 429 else "Internal Server Error")
        if retry_after is not None:
            response.headers["Retry-After"] = retry_after
        return response

    def distort(self, kind: str, argument: str | None, request: Request, body: Any) -> Any:
        """A listing with a fault of its content."""
        if not isinstance(body, dict) or not isinstance(body.get("elements"), list):
            return body
        rows = body["elements"]
        paging = dict(body.get("paging") or {})
        if kind == "empty":
            return {"paging": {**paging, "links": [], "total": 0}, "elements": []}
        if kind == "loop":
            start, count = request.one("start") or "0", request.one("count") or "10"
            href = f"{request.path}?start={start}&count={count}"
            stuck = {"rel": "next", "href": href, "type": "application/json"}
            return {"paging": {**paging, "links": [stuck]}, "elements": rows}
        if kind in ("hollow", "nowhere", "last"):
            return _distort_paging(kind, request, paging, rows)
        # The listing of roles names a page where others have an id.
        key = "organization" if request.path.endswith("organizationAcls") else "id"
        spoil(rows, kind, argument, key=key)
        return body

    def ready(self, base_url: str) -> dict[str, Any]:
        """What a client needs to know."""
        pages = self.tables["organizations"].ids()
        return {
            **super().ready(base_url),
            "organizations": [f"urn:li:organization:{i}" for i in pages],
            "ad_account": data.AD_ACCOUNT,
            "oauth": {
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "authorize_url": f"{base_url}/oauth/v2/authorization",
                "token_url": f"{base_url}/oauth/v2/accessToken",
            },
        }


def _distort_paging(
    kind: str, request: Request, paging: dict[str, Any], rows: list[Any]
) -> dict[str, Any]:
    if "total" not in paging:
        return {"paging": paging, "elements": rows}  # all comes in one answer
    if kind == "hollow":
        # One earlier, so that it is another place; of the first page there is no other.
        start = max(0, int(request.one("start") or 0) - 1)
        links = [link(request, "next", start, int(request.one("count") or 10))]
        return {"paging": {**paging, "links": links}, "elements": []}
    return {"paging": {**paging, "links": None if kind == "nowhere" else []}, "elements": rows}


def _restli_method(route: Route) -> str:
    if route.template == "/rest/images":
        return "ACTION-initializeUpload"
    one = route.template.endswith("}")
    if route.method == "GET":
        return "GET" if one else "FINDER"
    if route.method == "POST":
        return "PARTIAL_UPDATE" if one else "CREATE"
    return route.method


def _untunnelled(request: Request) -> Request:
    """The GET that a tunnelled query stands for."""
    text = request.body.decode("utf-8", "replace")
    query = parse_qs(text, keep_blank_values=True)
    found = replace(request, method="GET", query=query, body=b"")
    if hasattr(found, "raw_query"):
        found.raw_query = text
    return found


def _stamp_post(post: Document, created: float, modified: float) -> None:
    post["createdAt"] = post["publishedAt"] = int(created * 1000)
    post["lastModifiedAt"] = int(modified * 1000)


def _stamp_organization(organization: Document, _created: float, _modified: float) -> None:
    organization["id"] = int(organization["id"])


def _stamp_form(form: Document, created: float, modified: float) -> None:
    form["id"] = int(form["id"])
    form["created"] = int(created * 1000)
    form["lastModified"] = int(modified * 1000)


def _stamp_lead(lead: Document, created: float, _modified: float) -> None:
    lead["submittedAt"] = int(created * 1000)

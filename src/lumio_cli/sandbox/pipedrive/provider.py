"""The look-alike itself: tokens, limits, routes, and what tests may change behind the API.

A reading of the published descriptions of v2 and v1 and of the documentation (pages "Rate
limiting", "Pagination", "Custom fields", "Responses", "OAuth authorization", "API v2 migration
guide", and the changelog about archived deals). `options.records` live records of deals, persons,
organizations, activities and products; two pipelines with five stages each, four users.

Where the documentation is silent, this is a guess, and says so: how many 429s lead to a 403
(`Patience`), whether null custom fields are shown (they are), what a lost scope is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

from ..faults import spoil
from ..http import Request, Response, Route, Routes
from ..lookalike import Answered, LookAlike, Token
from ..options import Options
from ..quota import Daily, Window
from ..table import Document, Table
from . import access, changes, listing
from .data import PIPELINES, STAGES, Maker, rfc3339
from .errors import denied_page, failed, unauthorized
from .fields import KINDS, LABELS, Definition, definitions, hash_of
from .quota import Budget, Patience

NOUNS = {
    "deals": "Deal", "persons": "Person", "organizations": "Organization",
    "activities": "Activity", "products": "Product", "pipelines": "Pipeline", "stages": "Stage",
}  # fmt: skip
_STEMS = {
    "deals": "deals", "persons": "contacts", "organizations": "contacts",
    "activities": "activities", "products": "products", "pipelines": "deals", "stages": "deals",
}  # fmt: skip
_FIELDS = {
    "dealFields": ("deals", ("deals:read", "deals:full", "admin", "deal-fields:full")),
    "personFields": ("persons", ("contacts:read", "contacts:full", "admin", "contact-fields:full")),
    "organizationFields": (
        "organizations",
        ("contacts:read", "contacts:full", "admin", "contact-fields:full"),
    ),
    "productFields": ("products", ("products:read", "products:full", "product-fields:full")),
    "activityFields": ("activities", ("admin",)),
}


def _routes() -> Routes:
    """Every route's `quota` is its cost in tokens, by `x-token-cost` of the descriptions."""
    found = [
        Route("GET", "/oauth/authorize", access.authorize, quota="open"),
        Route("POST", "/oauth/token", access.token, quota="open"),
        Route("POST", "/oauth/revoke", access.revoke, quota="open"),
    ]
    for prefix in ("/api/v1", "/v1"):
        users = Route("GET", f"{prefix}/users", access.list_users, _any("users:read"), "20")
        found += [Route("GET", f"{prefix}/users/me", access.me, _any("base"), "2"), users]
    for name, (kind, scopes) in _FIELDS.items():
        handler = _of(listing.list_fields, kind)
        found.append(Route("GET", f"/api/v2/{name}", handler, _any(*scopes), "10"))
    read = _any("deals:read", "deals:full")
    found.append(Route("GET", "/api/v2/deals/archived", listing.list_archived, read, "20"))
    for kind, stem in _STEMS.items():
        settings = kind in ("pipelines", "stages")
        full = ("admin",) if settings else (f"{stem}:full",)
        more = ("admin",) if settings else ()
        read, write = _any(f"{stem}:read", f"{stem}:full", *more), _any(*full)
        path, one = f"/api/v2/{kind}", f"/api/v2/{kind}/{{id}}"
        cost = "5" if settings else "10"
        if kind in KINDS:
            handler = _of(listing.search, kind)
            found.append(Route("GET", f"{path}/search", handler, _any("search:read"), "search"))
        found += [
            Route("GET", path, _of(listing.list_records, kind), read, cost),
            Route("POST", path, _of(changes.create, kind), write, "5"),
            Route("GET", one, _of(listing.get_record, kind), read, "1"),
            Route("PATCH", one, _of(changes.update, kind), write, "5"),
            Route("DELETE", one, _of(changes.delete, kind), write, "3"),
        ]
    return Routes(found)


def _any(*scopes: str) -> Callable[..., tuple[str, ...]]:
    return lambda **_: scopes


def _of(handler: Callable[..., Response], kind: str) -> Callable[..., Response]:
    return partial(handler, kind=kind)


class Pipedrive(LookAlike):
    """One company behind HTTP. The limits are those of the plan Lite with one seat."""

    name = "pipedrive"
    published: ClassVar[Mapping[str, int]] = {
        "burst": 20, "oauth": 80, "search": 10, "daily": 30_000, "writes": 10_000,
    }  # fmt: skip
    routes = _routes()
    KEPT = 30 * 86_400.0
    """Seconds for which a deleted record can still be seen."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.fields: dict[str, list[Definition]] = definitions()
        self._maker = Maker(options.seed, options.records, self.fields)
        for kind in ("deals", "persons", "organizations", "activities", "products"):
            self.fill(kind, options.records)
        self.fill("pipelines", len(PIPELINES))
        self.fill("stages", len(PIPELINES) * len(STAGES))
        self.archived: set[str] = set()
        self.contact_sync = False
        self.open_deals: int | None = None
        """At most so many open deals, where the plan has a limit."""
        self.budget = Budget((self.limits or self.published)["daily"])
        self.patience = Patience()
        self.vault.scopes = access.SCOPES
        token = "5a4db0c5{:032x}".format
        self.vault.add("full", token(0xF011))
        self.vault.add("expired", token(0xDEAD), expires_at=0.0)
        self.vault.add("no_scopes", token(0x0), ("base",))
        self.vault.add("read_only", token(0x7EAD), _reading(access.SCOPES))
        self.vault.add("deals_only", token(0xDEA1), ("base", "deals:full"))

    # -- the account, for the handlers and for tests

    def fill(self, kind: str, count: int) -> None:
        """Begin a type anew, with `count` generated records."""
        self.tables[kind] = self._maker.table(kind, count, self.clock)

    def archive(self, record_id: str) -> None:
        """Archive a deal: it leaves the listing of deals for that of archived ones."""
        now = rfc3339(self.now())
        self.tables["deals"].update(record_id, {"is_archived": True, "archive_time": now})
        self.archived.add(record_id)

    def add_field(self, kind: str, name: str, type_: str, labels: tuple[str, ...] = ()) -> str:
        """A new custom field; its hash."""
        known = self.fields[kind]
        options = [(9_000 + n, label) for n, label in enumerate(labels)]
        made = Definition(hash_of(kind, name, len(known)), name, type_, options, True)
        known.append(made)
        return made.code

    def noun(self, kind: str) -> str:
        """What one record of a type is called."""
        return NOUNS[kind]

    def find(self, kind: str, record_id: str) -> Document:
        """A record, or a deleted one as it is still shown. Raises KeyError."""
        found = self.tables[kind].get(record_id)
        return self.deleted(kind, record_id) if found is None else found

    def deleted(self, kind: str, record_id: str) -> Document:
        """A deleted record: its time of modification is that of its deletion."""
        table: Table = self.tables[kind]
        found = table.last_known(record_id)
        if found is None:
            raise KeyError(record_id)
        found["is_deleted"] = True
        if kind == "deals":
            found["status"] = "deleted"
        found["update_time"] = rfc3339(table.gone.get(record_id, table.modified(record_id)))
        return found

    def recently_deleted(self, kind: str, since: float = 0.0) -> list[str]:
        """The ids of what was deleted in the last 30 days, and not before `since`."""
        oldest = max(self.now() - self.KEPT, since)
        return [i for i, when in self.tables[kind].gone.items() if int(when) >= oldest]

    def show(self, kind: str, document: Document, wanted: Mapping[str, Any]) -> Document:
        """A record as an answer has it, with the labels that are `wanted`."""
        shown = dict(document)
        if kind == "activities" and "attendees" not in wanted.get("extra", ()):
            shown.pop("attendees", None)
        if wanted.get("labels") and "label_ids" in shown:
            shown["labels"] = [{"id": i, "label": LABELS.get(i)} for i in shown["label_ids"]]
        custom = shown.get("custom_fields")
        if custom is not None:
            live = {f.code: f for f in self.fields[kind] if f.custom}
            keys = wanted.get("keys")
            shown["custom_fields"] = {
                code: _labelled(live[code], custom.get(code), wanted)
                for code in live
                if keys is None or code in keys
            }
        return shown

    def dump(self, kind: str) -> list[Document]:
        """All live records, with labels, as a listing that asks for them shows them."""
        wanted = {"options": True, "labels": kind in KINDS and kind != "products",
                  "extra": {"attendees"}}  # fmt: skip
        return [self.show(kind, document, wanted) for document in self.tables[kind]]

    # -- words

    def authenticate(self, request: Request) -> Token:
        """The token of a request; a client that has been shut out is not even asked."""
        value = self.presented(request)
        if self.patience.shut(self.now()) and "authorization" not in request.headers:
            raise Answered(denied_page())
        found = self.vault.find(value)
        if found is None:
            raise Answered(unauthorized())
        return found

    def presented(self, request: Request) -> str:
        """`x-api-token`, a bearer token, or the query parameter of v1 that some clients still
        send, though it is no longer documented."""
        named = request.headers.get("x-api-token")
        bearer = request.headers.get("authorization", "").rpartition(" ")[2]
        return named or bearer or request.one("api_token") or ""

    def charge(self, kind: str, request: Request, token: Token) -> dict[str, str]:
        """Take the cost from the company's day and one request from the token's burst."""
        if self.limits is None:
            return {}
        cost = 20 if kind == "search" else int(kind)
        now = self.now()
        burst = f"{'search' if kind == 'search' else 'burst'}:{token.value}"
        name = "search" if kind == "search" else "oauth" if token.oauth else "burst"
        wanted: dict[str, Callable[[], Window | Daily]] = {
            burst: partial(Window, self.limits[name], 2.0)
        }
        if request.method == "POST" and not token.oauth:
            wanted["writes"] = partial(Daily, self.limits["writes"], 0)
        spent = self.budget.left(now) < cost
        refused = ("daily", 0.0) if spent else self.ledger.take(wanted)
        if spent:
            self.ledger.refused += 1
        if refused is None:
            self.budget.spend(cost)
        headers = self._headers(burst, name, token, request)
        if refused is None:
            return headers
        if not token.oauth:
            self.patience.refused(now)
        response = failed(429, "Request over limit")
        response.headers.update(headers)
        raise Answered(response)

    def _headers(self, burst: str, name: str, token: Token, request: Request) -> dict[str, str]:
        limits = self.limits or self.published
        room = self.ledger.room(burst)
        headers = {
            "x-ratelimit-limit": str(limits[name]),
            "x-ratelimit-remaining": str(limits[name] if room is None else room),
            "x-ratelimit-reset": "2",
            "x-daily-ratelimit-token-limit": str(self.budget.limit),
            "x-daily-ratelimit-token-remaining": str(self.budget.left(self.now())),
        }
        if request.method == "POST" and not token.oauth:
            left = self.ledger.room("writes")
            headers["x-daily-requests-left"] = str(limits["writes"] if left is None else left)
        return headers

    def permit(self, route: Route, values: dict[str, str], token: Token) -> None:
        """Raises Answered where the token has none of the scopes that would do."""
        wanted = route.scopes(**values) if route.scopes else ()
        if wanted and token.scopes.isdisjoint(wanted):
            raise Answered(self.refuse(403, "Scope and URL mismatch"))

    def refuse(self, status: int, message: str) -> Response:
        """An error in Pipedrive's shape."""
        return failed(status, message)

    def failure(self, status: int, retry_after: str | None) -> Response:
        """An outage in Pipedrive's words."""
        known = {
            402: "Payment required",
            403: "Scope and URL mismatch",
            429: "Request over limit",
        }
        response = failed(status, known.get(status, "Requested service is not available"))
        if retry_after is not None:
            response.headers["Retry-After"] = retry_after
        return response

    def distort(self, kind: str, argument: str | None, request: Request, body: Any) -> Any:
        """A listing with a fault of its content."""
        if not isinstance(body, dict) or not isinstance(body.get("data"), list):
            return body
        rows = body["data"]
        paged = isinstance(body.get("additional_data"), dict)
        if kind == "hollow" and paged and (again := listing.same_place(request)) is not None:
            return {**body, "data": [], "additional_data": {"next_cursor": again}}
        if kind == "last" and paged:
            return {**body, "additional_data": {"next_cursor": None}}
        # `nowhere` cannot be: a page of v2 says by the cursor alone that there is more.
        if kind == "empty":
            return {**body, "data": [], "additional_data": {"next_cursor": None}}
        if kind == "loop":
            following = (body.get("additional_data") or {}).get("next_cursor")
            stuck = request.one("cursor") or following or "bG9vcA"
            return {**body, "additional_data": {"next_cursor": stuck}}
        spoil(rows, kind, argument)
        return body

    def ready(self, base_url: str) -> dict[str, Any]:
        """What a client needs to know."""
        shown = super().ready(base_url)
        shown["oauth"] |= {
            "authorize_url": f"{base_url}/oauth/authorize",
            "token_url": f"{base_url}/oauth/token",
        }
        return shown


def _reading(scopes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(s for s in scopes if s == "base" or s.endswith(":read"))


def _labelled(field: Definition, value: Any, wanted: Mapping[str, Any]) -> Any:
    if value is None or not wanted.get("options"):
        return value
    if field.type == "enum":
        return {"id": value, "label": field.label(value)}
    if field.type == "set":
        return [{"id": number, "label": field.label(number)} for number in value]
    return value

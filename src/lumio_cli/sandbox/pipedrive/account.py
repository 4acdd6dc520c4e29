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

from ..http import Request, Response, Route
from ..lookalike import Answered, LookAlike, Token
from ..options import Options
from ..quota import Daily, Window
from ..table import Document, Table
from .data import PIPELINES, SCOPES, STAGES, Maker, rfc3339
from .errors import denied_page, failed, unauthorized
from .fields import KINDS, LABELS, Definition, definitions, hash_of
from .quota import Budget, Patience

NOUNS = {
    "deals": "Deal", "persons": "Person", "organizations": "Organization",
    "activities": "Activity", "products": "Product", "pipelines": "Pipeline", "stages": "Stage",
}  # fmt: skip


class Account(LookAlike):
    """One company behind HTTP. The limits are those of the plan Lite with one seat."""

    name = "pipedrive"
    published: ClassVar[Mapping[str, int]] = {
        "burst": 20, "oauth": 80, "search": 10, "daily": 30_000, "writes": 10_000,
    }  # fmt: skip
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
        self.vault.scopes = SCOPES
        token = "5a4db0c5{:032x}".format
        self.vault.add("full", token(0xF011))
        self.vault.add("expired", token(0xDEAD), expires_at=0.0)
        self.vault.add("no_scopes", token(0x0), ("base",))
        self.vault.add("read_only", token(0x7EAD), _reading(SCOPES))
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

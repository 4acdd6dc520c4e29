"""The look-alike itself: tokens, the cost bucket, and GraphQL over one path."""

from __future__ import annotations

import copy
import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import orjson

from ..faults import spoil
from ..forms import client_form
from ..http import Request, Response, Route, Routes
from ..lookalike import CLIENT_SECRET, Answered, LookAlike, OAuthError, Token
from ..options import Options
from . import engine
from .account import Account
from .bulk import Bulk
from .connections import again
from .mutations import Writes
from .personal import CONTENTS
from .roots import ALL_ORDERS, SHOP_DOMAIN, SHOP_ID, Root

SCOPES = (
    "read_all_orders", "read_customers", "read_fulfillments", "read_inventory", "read_locations",
    "read_orders",
    "read_products", "write_customers", "write_inventory", "write_orders", "write_products",
)  # fmt: skip
MOST = 1000
"""Points that one query may cost, whatever the plan."""
PUBLISHED = {"points": 1000, "restore": 50}
"""The bucket of the smallest plan, and what flows back each second."""
UNLIMITED = 1_000_000
DAY_TOKEN = 86_399.0
"""Seconds that a token of the client credentials grant is good for."""
REFRESH_SECONDS = 90 * 86_400
VERSION = re.compile(r"20\d\d-(01|04|07|10)|unstable")


@dataclass(slots=True)
class Bucket:
    """Points that flow back: at most `most`, `rate` a second."""

    most: float
    rate: float
    level: float
    at: float

    def room(self, now: float) -> float:
        """What is in it now."""
        self.level = min(self.most, self.level + max(0.0, now - self.at) * self.rate)
        self.at = now
        return self.level

    def status(self, now: float) -> dict[str, float]:
        """As Shopify tells it."""
        return {
            "maximumAvailable": self.most,
            "currentlyAvailable": int(self.room(now)),
            "restoreRate": self.rate,
        }


class Shopify(LookAlike):
    """One shop behind HTTP. Counts by app and shop, so that all tokens share a bucket.

    `records` are products, orders, customers, inventory items and fulfillments, each; there are
    two inventory levels an item, some more at the location of a fulfillment service, and four
    locations.

    refused  the customer data that the app is not approved for: see `personal.CONTENTS`
    closed   the status that a shop that is not to be had answers everything with; 0: it is open
    serves   the version of the API that is served in place of any that is asked for; empty: none
    """

    name = "shopify"
    published: ClassVar = PUBLISHED

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.account = Account(options)
        self.tables = self.account.tables
        self.bulk = Bulk(self)
        self.keys: dict[str, tuple[bytes, dict[str, Any]]] = {}
        """Idempotency keys, with the shape and the payload of what they were used for."""
        self.base_url = ""
        limits = self.limits or {"points": UNLIMITED, "restore": UNLIMITED}
        self.bucket = Bucket(limits["points"], limits["restore"], limits["points"], options.clock())
        self._first: dict[str, Any] = {}
        self._hollow = 0
        self.refused: frozenset[str] = frozenset()
        self.closed = 0
        self.serves = ""
        vault = self.vault
        vault.scopes, vault.rotate, vault.prefix = SCOPES, True, "shpat_sandbox"
        reads = [s for s in SCOPES if s.startswith("read_")]
        vault.add("full", "shpat_sandbox_full_000000000000000000")
        vault.add("read_only", "shpat_sandbox_read_000000000000000000", reads)
        products = ["read_products"]
        vault.add("products_only", "shpat_sandbox_products_00000000000000", products)
        recent = [s for s in SCOPES if s != ALL_ORDERS]
        vault.add("recent_orders", "shpat_sandbox_recent_00000000000000000", recent)
        vault.add("no_scopes", "shpat_sandbox_none_000000000000000000", ())
        vault.add("expired", "shpat_sandbox_expired_0000000000000000", expires_at=0.0)

    # -- words of Shopify's

    def presented(self, request: Request) -> str:
        """The token that a request carries."""
        return request.headers.get("x-shopify-access-token", "")

    def authenticate(self, request: Request) -> Token:
        """The token of a request. Raises Answered (401)."""
        self.base_url = request.base_url
        if self.closed:
            # "Unavailable Shop" comes with 402 and 403 (orbit-apps/elixir-shopifyapi, pull request
            # 382); 423 is a shop that was shut down.
            words = {402: "Unavailable Shop", 403: "Unavailable Shop", 423: "Locked"}
            raise Answered(self.refuse(self.closed, words.get(self.closed, "Not Found")))
        token = self.vault.find(self.presented(request))
        if token is None:
            message = "[API] Invalid API key or access token (unrecognized login or wrong password)"
            raise Answered(self.refuse(401, message))
        return token

    def refuse(self, status: int, message: str) -> Response:
        """An error of HTTP: its `errors` is a text."""
        text = "Not Found" if status == 404 else message
        return Response.of_json({"errors": text}, status)

    def failure(self, status: int, retry_after: str | None) -> Response:
        """An outage or a throttle."""
        words = {403: "[API] This action requires merchant approval", 429: "Throttled"}
        response = self.refuse(status, words.get(status, "Internal Server Error"))
        if retry_after is not None:
            response.headers["Retry-After"] = retry_after
        return response

    def label(self, request: Request) -> str:
        """The path, and for GraphQL the operation's name."""
        if not request.path.endswith("/graphql.json"):
            return request.path
        try:
            name = engine.operation_name(orjson.loads(request.body or b"{}"))
        except orjson.JSONDecodeError:
            name = ""
        return f"{request.path}#{name}" if name else request.path

    def ready(self, base_url: str) -> dict[str, Any]:
        """What a client needs to know."""
        found = super().ready(base_url)
        found["fields"] = {"shop": SHOP_DOMAIN}
        found["oauth"] |= {
            "authorize_url": f"{base_url}/admin/oauth/authorize",
            "token_url": f"{base_url}/admin/oauth/access_token",
        }
        return found

    # -- GraphQL

    def graphql(self, request: Request, version: str) -> Response:
        """One document, carried out."""
        if not VERSION.fullmatch(version):
            return self.refuse(404, "Not Found")
        headers = {"X-Shopify-API-Version": self.serves or version}
        body = request.json()
        if not isinstance(body, dict) or not isinstance(body.get("query"), str):
            wrong = {"errors": {"query": "Required parameter missing or invalid"}}
            return Response.of_json(wrong, 400, headers)
        document, errors = engine.compiled(body["query"])
        if errors or document is None:
            told = [error.formatted for error in errors]
            return Response.of_json({"errors": told}, headers=headers)
        variables, name = body.get("variables") or {}, body.get("operationName")
        token = self.vault.tokens[self.presented(request)]
        meter = engine.meter(document, variables, name)
        requested = meter.requested()
        refusal = self._charge(requested)
        if refusal is not None:
            return Response.of_json(refusal, headers=headers)
        writes = "mutation" in (d.operation.value for d in document.definitions
                                if hasattr(d, "operation"))  # fmt: skip
        root = (Writes if writes else Root)(self, token.scopes)
        data, wrong_fields = engine.run(document, root, variables, name, self, self.refused)
        actual = min(requested, meter.actual(data))
        self.bucket.level = min(self.bucket.most, self.bucket.level + requested - actual)
        extensions: dict[str, Any] = {"cost": self._cost(requested, actual)}
        if root.warnings:
            extensions["search"] = root.warnings
        answer = {"data": data, "extensions": extensions}
        if wrong_fields:
            answer = {"errors": wrong_fields, **answer}
        return Response.of_json(answer, headers=headers)

    def _cost(self, requested: int, actual: int | None) -> dict[str, Any]:
        return {
            "requestedQueryCost": requested,
            "actualQueryCost": actual,
            "throttleStatus": self.bucket.status(self.clock()),
        }

    def _charge(self, requested: int) -> dict[str, Any] | None:
        """Take a query's cost from the bucket; the answer where it may not be carried out."""
        cost = self._cost(requested, None)
        if requested > MOST:
            message = f"Query cost is {requested}, which exceeds the single query max cost limit"
            code = {"code": "MAX_COST_EXCEEDED", "cost": requested, "maxCost": MOST}
            error: dict[str, Any] = {"message": f"{message} ({MOST}).", "extensions": code}
            return {"errors": [error]}
        if requested > self.bucket.room(self.clock()):
            self.ledger.refused += 1
            where = "https://shopify.dev/api/usage/rate-limits"
            error = {
                "message": "Throttled",
                "extensions": {"code": "THROTTLED", "documentation": where},
            }
            return {"errors": [error], "extensions": {"cost": cost}}
        self.bucket.level -= requested
        return None

    # -- OAuth, and what is left of REST

    def authorize(self, request: Request) -> Response:
        """The consent page; it signs what it sends back, as Shopify does."""
        try:
            response = self.vault.authorize(request)
        except OAuthError as error:
            return Response(400, error.description.encode(), {"Content-Type": "text/plain"})
        where = urlsplit(response.headers["Location"])
        pairs = dict(parse_qsl(where.query))
        pairs |= {"shop": SHOP_DOMAIN, "timestamp": str(int(self.now()))}
        signed = "&".join(f"{k}={v}" for k, v in sorted(pairs.items()))
        pairs["hmac"] = hmac.new(
            CLIENT_SECRET.encode(), signed.encode(), hashlib.sha256
        ).hexdigest()
        response.headers["Location"] = where._replace(query=urlencode(pairs)).geturl()
        return response

    def access_token(self, request: Request) -> Response:
        """The token endpoint. Codes give tokens that never expire, unless `expiring=1` asks for
        the other kind; client credentials give tokens for a day."""
        kind = request.headers.get("content-type", "")
        form = request.json() if "json" in kind else client_form(request)
        form = {str(k): str(v) for k, v in form.items()}
        if "grant_type" not in form and "code" in form:
            form["grant_type"] = "authorization_code"
        if form["grant_type"] == "authorization_code" and form.get("code") in self.vault.codes:
            # Shopify does not ask for the redirect URI again.
            form["redirect_uri"] = self.vault.codes[form["code"]].redirect_uri
        try:
            token, refresh = self.vault.exchange(form)
        except OAuthError as error:
            told = {"error": error.error, "error_description": error.description}
            return Response.of_json(told, 401 if error.error == "invalid_client" else 400)
        answer: dict[str, Any] = {
            "access_token": token.value,
            "scope": ",".join(sorted(token.scopes)),
        }
        if form["grant_type"] == "client_credentials":
            token.expires_at = self.clock() + DAY_TOKEN
            answer["expires_in"] = int(DAY_TOKEN)
        elif form["grant_type"] == "refresh_token" or form.get("expiring") == "1":
            answer |= {
                "expires_in": int(self.vault.seconds),
                "refresh_token": refresh,
                "refresh_token_expires_in": REFRESH_SECONDS,
            }
        else:
            token.expires_at = None
            self.vault.refreshes.pop(refresh, None)
        return Response.of_json(answer)

    def access_scopes(self, request: Request) -> Response:
        """GET /admin/oauth/access_scopes.json."""
        token = self.vault.tokens[self.presented(request)]
        scopes = [{"handle": scope} for scope in sorted(token.scopes)]
        return Response.of_json({"access_scopes": scopes})

    def shop(self, request: Request, version: str) -> Response:
        """GET /admin/api/VERSION/shop.json."""
        shop = Root(self, frozenset()).shop()
        answer = {
            "id": int(SHOP_ID.rpartition("/")[2]),
            "name": shop["name"],
            "email": shop["email"],
            "myshopify_domain": SHOP_DOMAIN,
            "currency": shop["currencyCode"],
            "iana_timezone": shop["ianaTimezone"],
        }
        return Response.of_json({"shop": answer}, headers={"X-Shopify-API-Version": version})

    def file(self, request: Request, name: str) -> Response:
        """A bulk operation's result."""
        return self.bulk.download(request, name)

    # -- faults

    def distort(self, kind: str, argument: str | None, request: Request, body: Any) -> Any:
        """A page with a fault of its content: the first list of nodes in its data. `nullrow` may
        name a field of them with a list or a connection, whose first child it makes null."""
        page = _page(body.get("data") if isinstance(body, dict) else None)
        if page is None:
            return body
        rows = page["nodes"]
        info = page.get("pageInfo", {})
        if kind == "empty":
            page["nodes"] = []
            info["hasNextPage"] = False
        elif kind == "hollow" and info:
            self._hollow += 1
            after = (request.json().get("variables") or {}).get("after")
            page["nodes"], info["hasNextPage"] = [], True
            if "endCursor" in info:
                info["endCursor"] = again(after, self._hollow)
        elif kind == "nowhere" and info:
            info["hasNextPage"] = True
            if "endCursor" in info:
                info["endCursor"] = None
        elif kind == "last":
            info["hasNextPage"] = False
        elif kind == "nullrow" and argument is not None:
            _pierce(rows, argument)
        elif kind == "loop":
            info["hasNextPage"] = True
            return copy.deepcopy(self._first.setdefault(self.label(request), body))
        else:
            spoil(rows, kind, argument)
        return body

    # -- for tests, from outside

    def control(self, request: Request, parts: list[str]) -> Response | None:
        """`/_sandbox/shopify/...`: POST `refuse` `{"contents": [WORD]}` (customer data that the
        app is not approved for, see `personal`), `closed` `{"status"}`, `serves` `{"version"}`,
        `age` `{"order", "days"}`, `holes` `{"on"}` (null in results of bulk operations), and what
        every look-alike knows."""
        if request.method != "POST" or parts not in (
            ["refuse"], ["closed"], ["serves"], ["age"], ["holes"],
        ):  # fmt: skip
            return super().control(request, parts)
        body = request.json()
        with self.lock:
            if parts == ["refuse"]:
                unknown = set(body["contents"]) - CONTENTS
                if unknown:
                    raise ValueError(f"one of {', '.join(sorted(CONTENTS))}, not {unknown}")
                self.refused = frozenset(body["contents"])
            elif parts == ["closed"]:
                self.closed = int(body["status"])
            elif parts == ["serves"]:
                self.serves = str(body["version"])
            elif parts == ["age"]:
                created = self.now() - float(body["days"]) * 86_400
                self.tables["orders"].backdate(str(body["order"]), created)
            else:
                self.bulk.holes = bool(body["on"])
        return Response.of_json({})

    routes = Routes(
        [
            Route("POST", "/admin/api/{version}/graphql.json", graphql),
            Route("GET", "/admin/api/{version}/shop.json", shop),
            Route("GET", "/admin/oauth/access_scopes.json", access_scopes),
            Route("GET", "/admin/oauth/authorize", authorize, quota="open"),
            Route("POST", "/admin/oauth/access_token", access_token, quota="open"),
            Route("GET", "/bulk-operation-outputs/{name}", file, quota="open"),
        ]
    )


def _page(value: Any) -> dict[str, Any] | None:
    """The first connection in an answer's data that has nodes."""
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("nodes"), list):
        return value
    for inner in value.values():
        found = _page(inner)
        if found is not None:
            return found
    return None


def _pierce(rows: list[Any], field: str) -> None:
    """Make the first child null that the rows have in a field."""
    for row in rows:
        held = row.get(field) if isinstance(row, dict) else None
        children = held.get("nodes") if isinstance(held, dict) else held
        if isinstance(children, list) and children:
            children[0] = None
            return

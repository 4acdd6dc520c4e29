"""The look-alike itself: from a request to an answer, by way of token, quota, scope and route."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import partial
from typing import Any
from urllib.parse import unquote

from ..http import BadJsonError, Request, Response, Routes
from ..lookalike import CLIENT_ID, CLIENT_SECRET, Token
from ..options import Options
from ..quota import Daily, Ledger, Window, parse_quota
from . import auth, batch, definitions, links, metadata, objects
from .account import Account
from .catalog import PORTAL_ID, TYPES, UTC_OFFSET_SECONDS
from .control import control
from .distort import distorted
from .errors import GONE, ApiError, invalid, missing_scopes, no_resource, over_quota
from .search import Searcher
from .store import Store

ROUTES = Routes(
    [
        *objects.ROUTES,
        *batch.ROUTES,
        *links.ROUTES,
        *definitions.ROUTES,
        *metadata.ROUTES,
        *auth.ROUTES,
    ]
)

# HubSpot's usage guidelines for a private app of a Professional account; burst is per token and
# ten seconds, oauth the same for a public app, search per account and second.
PUBLISHED = {"burst": 190, "oauth": 110, "search": 5, "daily": 650_000}

# Dated versions say the same as v3 and v4 under other paths (descriptions of 2026-03); those of
# 2026-09 enforce the account's own rules besides (see Account.rules).
_DATED = (
    (re.compile(r"^/crm/objects/2026-0[39]/([^/]+/[^/]+/associations/.+)$"), r"/crm/v4/objects/\1"),
    (re.compile(r"^/crm/associations/2026-0[39]/(.+)$"), r"/crm/v4/associations/\1"),
    (re.compile(r"^/crm/(objects|properties|pipelines|owners)/2026-0[39](/.*)?$"), r"/crm/v3/\1\2"),
    (re.compile(r"^/(account-info|oauth)/2026-0[39](/.+)$"), r"/\1/v3\2"),
)


class HubSpot(Account):
    """One HubSpot account behind HTTP."""

    name = "hubspot"

    def __init__(self, options: Options) -> None:
        clock, seed = options.clock, options.seed
        super().__init__(options.records, seed, clock, options.search_lag)
        self.auth = auth.Auth()
        self.ledger = Ledger(clock)
        self._limits = parse_quota(options.quota, PUBLISHED, self.name)
        self._searchers: dict[str, Searcher] = {}
        self.retired: dict[str, int] = {}
        """Paths that are served no longer, as shell patterns, and the status of the page there."""
        self._seed = seed
        self._answers = 0

    # answering

    def label(self, request: Request) -> str:
        """The path, which tells all of HubSpot's requests apart."""
        return request.path

    def handle(self, request: Request) -> Response:
        """Answers a request; whatever goes wrong is an answer in HubSpot's shape."""
        with self.lock:
            self._answers += 1
            correlation_id = self._correlation_id()
            for pattern, status in self.retired.items():
                if fnmatchcase(request.path, pattern):
                    return Response(status, GONE, {"Content-Type": "text/html; charset=utf-8"})
            self.enforced = "/2026-09" in request.path
            try:
                response = self._answer(request)
            except ApiError as error:
                response = error.response(correlation_id)
            except BadJsonError as error:
                response = invalid(f"Invalid input JSON: {error}").response(correlation_id)
            except (AttributeError, KeyError, TypeError) as error:
                # A body of the right kind but the wrong shape.
                response = invalid(f"Invalid input JSON: {error!r}").response(correlation_id)
            finally:
                self.enforced = False
        response.headers["X-HubSpot-Correlation-Id"] = correlation_id
        return response

    def _correlation_id(self) -> str:
        return f"{self._seed % 2**32:08x}-0000-4000-8000-{self._answers:012x}"

    def _answer(self, request: Request) -> Response:
        path = request.path
        if "/2026-" in path:
            for pattern, replacement in _DATED:
                path = pattern.sub(replacement, path)
        try:
            found = ROUTES.find(request.method, path)
        except LookupError:
            raise ApiError(405, "METHOD_NOT_ALLOWED", "HTTP 405 Method Not Allowed") from None
        if found is None:
            raise no_resource()
        route, values = found
        values = {name: unquote(value) for name, value in values.items()}
        if route.quota == "open":
            return route.handler(self, request, **values)
        token = self.auth.authenticate(request, self.clock())
        self._charge(route.quota, token)
        scopes = route.scopes(**values) if route.scopes else ()
        if scopes and token.scopes.isdisjoint(scopes):
            raise missing_scopes(scopes)
        try:
            response = route.handler(self, request, **values)
        except ApiError as error:
            error.headers.update(self._quota_headers(route.quota, token))
            raise
        response.headers.update(self._quota_headers(route.quota, token))
        return response

    # quotas

    def _charge(self, kind: str, token: Token) -> None:
        """Takes a request from the quotas. Raises ApiError (429).

        Search and the batch endpoints of associations are exempt from the ten-second quota by
        their descriptions; search has one a second of its own, over all types.
        """
        limits = self._limits
        if limits is None:
            return
        wanted: dict[str, Callable[[], Window | Daily]] = {}
        if kind == "standard":
            burst = limits["oauth" if token.oauth else "burst"]
            wanted[f"burst:{token.value}"] = partial(Window, burst, 10.0)
        elif kind == "search":
            wanted["search"] = partial(Window, limits["search"], 1.0)
        wanted["daily"] = partial(Daily, limits["daily"], UTC_OFFSET_SECONDS)
        refused = self.ledger.take(wanted)
        if refused is None:
            return
        key, wait = refused
        policy = {"search": "SECONDLY", "daily": "DAILY"}.get(key, "TEN_SECONDLY_ROLLING")
        # HubSpot sends Retry-After for the rolling quota only.
        error = over_quota(policy, wait if policy == "TEN_SECONDLY_ROLLING" else None)
        error.headers.update(self._quota_headers(kind, token))
        raise error

    def _quota_headers(self, kind: str, token: Token) -> dict[str, str]:
        """What is left of the quotas. Search answers say nothing; OAuth apps hear nothing of the
        daily quota."""
        limits = self._limits
        if limits is None or kind != "standard":
            return {}
        most = limits["oauth" if token.oauth else "burst"]
        room = self.ledger.room(f"burst:{token.value}")
        headers = {
            "X-HubSpot-RateLimit-Max": str(most),
            "X-HubSpot-RateLimit-Remaining": str(most if room is None else room),
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
        }
        if not token.oauth:
            left = self.ledger.room("daily")
            headers["X-HubSpot-RateLimit-Daily"] = str(limits["daily"])
            headers["X-HubSpot-RateLimit-Daily-Remaining"] = str(
                limits["daily"] if left is None else left
            )
        return headers

    @property
    def daily_limit(self) -> int:
        """The day's quota; the published one where quotas are lifted."""
        return (self._limits or PUBLISHED)["daily"]

    def daily_used(self) -> int:
        """How many requests the day's quota has served."""
        return self.ledger.used_today("daily")

    def searcher(self, store: Store) -> Searcher:
        """What answers searches over a type."""
        if store.type.name not in self._searchers:
            self._searchers[store.type.name] = Searcher(store)
        return self._searchers[store.type.name]

    # faults

    def failure(self, status: int, retry_after: str | None) -> Response:
        """An outage or a throttle in HubSpot's words."""
        with self.lock:
            self._answers += 1
            correlation_id = self._correlation_id()
        if status == 429:
            error = over_quota("TEN_SECONDLY_ROLLING", None)
        else:
            error = ApiError(status, "INTERNAL_ERROR", "internal error")
        response = error.response(correlation_id)
        response.headers["X-HubSpot-Correlation-Id"] = correlation_id
        if retry_after is not None:
            response.headers["Retry-After"] = retry_after
        return response

    def distort(self, kind: str, argument: str | None, request: Request, body: Any) -> Any:
        """A JSON answer with a fault of its content."""
        if not isinstance(body, dict) or not isinstance(body.get("results"), list):
            return body
        return distorted(kind, argument, request, body)

    def expire(self, request: Request) -> None:
        """The token of this request expires now."""
        value = request.headers.get("authorization", "").rpartition(" ")[2]
        with self.lock:
            if value in self.auth.tokens:
                self.auth.tokens[value].expires_at = self.clock()

    # the control API

    def control(self, request: Request, parts: list[str]) -> Response | None:
        """`/_sandbox/hubspot/...`: see sandbox.control."""
        try:
            return control(self, request, parts)
        except ApiError as error:
            return error.response("00000000-0000-4000-8000-000000000000")

    def quotas(self) -> tuple[str, ...]:
        """The names of the quotas."""
        return tuple(PUBLISHED)

    def over_quota(self) -> int:
        """How many requests the quotas refused."""
        return self.ledger.refused

    def stats(self) -> dict[str, Any]:
        """Records by type, and the requests that quotas refused."""
        with self.lock:
            return {
                "records": {name: len(self.objects[name]) for name in TYPES},
                "archived": {name: len(self.objects[name].archived) for name in TYPES},
                "over_quota": self.over_quota(),
                "daily_used": self.daily_used(),
            }

    def ready(self, base_url: str) -> dict[str, Any]:
        """What a client needs to know."""
        return {
            "base_url": base_url,
            "token": self.auth.names["full"],
            "tokens": dict(self.auth.names),
            "portal_id": PORTAL_ID,
            "oauth": {
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "authorize_url": f"{base_url}/oauth/authorize",
                "token_url": f"{base_url}/oauth/v3/token",
            },
        }

"""One HubSpot account behind HTTP: a request meets its token, quota, scope and handler."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, ClassVar

from ..http import Request, Response, Route
from ..lookalike import Answered, Token
from ..options import Options
from ..quota import Daily, Window
from .catalog import UTC_OFFSET_SECONDS
from .distort import distorted
from .errors import GONE, ApiError, invalid, missing_scopes, no_resource, over_quota
from .records import Records
from .search import Searcher
from .store import Store
from .tokens import authenticate, furnish

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


class Account(Records):
    """One HubSpot account behind HTTP."""

    name = "hubspot"
    published: ClassVar[Mapping[str, int]] = PUBLISHED

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.vault.prefix = "CSANDBOX"
        furnish(self.vault)
        self.retired: dict[str, int] = {}
        """Paths that are served no longer, as shell patterns, and the status of the page there."""
        self._searchers: dict[str, Searcher] = {}

    # -- a request's way

    def handle(self, request: Request) -> Response:
        """Answers a request; whatever goes wrong is an answer in HubSpot's shape."""
        with self.lock:
            for pattern, status in self.retired.items():
                if fnmatchcase(request.path, pattern):
                    return Response(status, GONE, {"Content-Type": "text/html; charset=utf-8"})
            self.enforced = "/2026-09" in request.path
            try:
                response = super().handle(request)
            finally:
                self.enforced = False
            response.headers["X-HubSpot-Correlation-Id"] = self._correlation_id()
        return response

    def path(self, request: Request) -> str:
        """The path in the words of v3 and v4."""
        found = request.path
        if "/2026-" in found:
            for pattern, replacement in _DATED:
                found = pattern.sub(replacement, found)
        return found

    def call(self, route: Route, request: Request, values: dict[str, str]) -> Response:
        """Answer by the route's handler. Raises Answered."""
        try:
            return super().call(route, request, values)
        except ApiError as error:
            raise self._answered(error) from None

    def authenticate(self, request: Request) -> Token:
        """The token of a request. Raises Answered (401)."""
        try:
            return authenticate(self.vault, request)
        except ApiError as error:
            raise self._answered(error) from None

    def permit(self, route: Route, values: dict[str, str], token: Token) -> None:
        """Raises Answered (403) with the scopes of which any would do."""
        scopes = route.scopes(**values) if route.scopes else ()
        if scopes and token.scopes.isdisjoint(scopes):
            raise self._answered(missing_scopes(scopes))

    def refuse(self, status: int, message: str) -> Response:
        """An error in HubSpot's shape."""
        if status == 405:
            error = ApiError(405, "METHOD_NOT_ALLOWED", "HTTP 405 Method Not Allowed")
        elif status == 404:
            error = no_resource()
        else:
            error = invalid(f"Invalid input JSON: {message.partition(': ')[2]}")
        return error.response(self._correlation_id())

    def _answered(self, error: ApiError) -> Answered:
        return Answered(error.response(self._correlation_id()))

    def _correlation_id(self) -> str:
        return f"{self.seed % 2**32:08x}-0000-4000-8000-{self.answers:012x}"

    # -- quotas

    def charge(self, kind: str, request: Request, token: Token) -> dict[str, str]:
        """Takes a request from the quotas. Raises Answered (429).

        Search and the batch endpoints of associations are exempt from the ten-second quota by
        their descriptions; search has one a second of its own, over all types.
        """
        limits = self.limits
        if limits is None:
            return {}
        wanted: dict[str, Callable[[], Window | Daily]] = {}
        if kind == "standard":
            burst = limits["oauth" if token.oauth else "burst"]
            wanted[f"burst:{token.value}"] = partial(Window, burst, 10.0)
        elif kind == "search":
            wanted["search"] = partial(Window, limits["search"], 1.0)
        wanted["daily"] = partial(Daily, limits["daily"], UTC_OFFSET_SECONDS)
        refused = self.ledger.take(wanted)
        if refused is None:
            return self._quota_headers(kind, token)
        key, wait = refused
        policy = {"search": "SECONDLY", "daily": "DAILY"}.get(key, "TEN_SECONDLY_ROLLING")
        # HubSpot sends Retry-After for the rolling quota only.
        error = over_quota(policy, wait if policy == "TEN_SECONDLY_ROLLING" else None)
        error.headers.update(self._quota_headers(kind, token))
        raise self._answered(error)

    def _quota_headers(self, kind: str, token: Token) -> dict[str, str]:
        """What is left of the quotas. Search answers say nothing; OAuth apps hear nothing of the
        daily quota."""
        limits = self.limits
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
        return (self.limits or PUBLISHED)["daily"]

    def daily_used(self) -> int:
        """How many requests the day's quota has served."""
        return self.ledger.used_today("daily")

    def searcher(self, store: Store) -> Searcher:
        """What answers searches over a type."""
        if store.type.name not in self._searchers:
            self._searchers[store.type.name] = Searcher(store)
        return self._searchers[store.type.name]

    # -- faults

    def failure(self, status: int, retry_after: str | None) -> Response:
        """An outage or a throttle in HubSpot's words."""
        with self.lock:
            self.answers += 1
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

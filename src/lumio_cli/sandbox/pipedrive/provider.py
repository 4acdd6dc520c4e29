"""What the look-alike of Pipedrive answers, and where."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ..faults import spoil
from ..http import Request, Response, Route, Routes
from . import access, changes, listing
from .account import Account
from .fields import KINDS

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


class Pipedrive(Account):
    """The account, behind HTTP."""

    routes = _routes()

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

"""What the look-alike of Salesforce answers, and where."""

from __future__ import annotations

import re
from typing import Any

from ..faults import spoil
from ..http import Request, Routes
from ..lookalike import CLIENT_ID, CLIENT_SECRET, Token
from ..quota import Window
from . import access, composite, ingest, jobs, objects, queries
from .account import Account
from .data import MY_DOMAIN, NEWEST, OLDEST, USERNAME
from .errors import missing, problem


class Salesforce(Account):
    """The account, behind HTTP."""

    routes = Routes(
        [
            *access.ROUTES,
            *queries.ROUTES,
            *jobs.ROUTES,
            *ingest.ROUTES,
            *composite.ROUTES,
            *objects.ROUTES,
        ]
    )

    def charge(self, kind: str, request: Request, token: Token) -> dict[str, str]:
        """Count the request. Raises Answered: 403 over the allocation, 404 and 410 for a version
        that is not there."""
        if found := _VERSION.match(request.path):
            if int(found[1]) < OLDEST:
                raise problem(410, "UNSUPPORTED_API_VERSION", "The requested resource is retired")
            if int(found[1]) > NEWEST:
                raise missing()
        if kind == "free":
            return {}
        if self.busy > 0:
            self.busy -= 1
            message = "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
            raise problem(403, "REQUEST_LIMIT_EXCEEDED", message)
        if self.limits is not None:
            most = self.limits["daily"]
            if self.ledger.take({"daily": lambda: Window(most, DAY)}) is not None:
                raise problem(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        used, most = self.usage()
        return {"Sforce-Limit-Info": f"api-usage={used}/{most}"}

    def distort(self, kind: str, argument: str | None, request: Request, body: Any) -> Any:
        """A query's answer with a fault of its content; a null may also be among the fields of a
        description, and among the counts of types."""
        listed = body if isinstance(body, dict) else {}
        for others in (listed.get("fields"), listed.get("sObjects")):
            if isinstance(others, list) and kind == "nullrow":
                others.insert(0, None)
        if not isinstance(listed.get("records"), list):
            return body
        rows = body["records"]
        if kind == "hollow":
            return queries.hollow(self, request.path, body) if rows else body
        if kind == "nowhere":
            body.pop("nextRecordsUrl", None)
            return {**body, "done": False}
        if kind == "last":
            body.pop("nextRecordsUrl", None)
            return {**body, "done": True}
        if kind == "empty":
            body.pop("nextRecordsUrl", None)
            return {**body, "records": [], "totalSize": 0, "done": True}
        if kind == "loop":
            # Whatever is asked for, the first page that was answered comes again.
            return self._stuck.setdefault(request.path, body)
        spoil(rows, kind, argument, key="Id", text="Description")
        return body

    def ready(self, base_url: str) -> dict[str, Any]:
        """What a client needs to know."""
        return {
            "base_url": base_url,
            "token": self.vault.names["full"],
            "tokens": dict(self.vault.names),
            "fields": {"instance_url": f"https://{MY_DOMAIN}"},
            "oauth": {
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "username": USERNAME,
                "authorize_url": f"{base_url}/services/oauth2/authorize",
                "token_url": f"{base_url}/services/oauth2/token",
            },
        }


_VERSION = re.compile(r"/services/data/v(\d\d)\.0(?:/|$)")


DAY = 86_400.0

"""The look-alike of the WhatsApp Business Cloud API: one business account with its numbers.

Modelled on Meta's published description (facebook/openapi, business messaging API v23.0) and the
documentation's pages on messages, templates, analytics, throughput, access tokens and error codes.

`records` is how many templates there are; the account has four phone numbers. All versions of the
Graph API that are served in November 2026 are answered alike.

Published quotas, by what `--quota` calls them:

    messages    80 a second for each phone number
    pair        45 messages at once to the same user, each of them paid back with six seconds
    management  5,000 requests an hour for each account and app
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import orjson

from ..faults import spoil
from ..http import Handler, Request, Response, Route, Routes
from ..lookalike import Answered, Token
from ..options import Options
from ..quota import Window
from . import account
from .errors import METHOD, OAUTH, graph, refused
from .reading import Reading
from .writing import Writing

MANAGEMENT = "whatsapp_business_management"
MESSAGING = "whatsapp_business_messaging"
SCOPES = (MANAGEMENT, MESSAGING, "public_profile")
VERSIONS = ("v21.0", "v22.0", "v23.0", "v24.0", "v25.0", "v26.0")
HOUR = 3600.0


def _read(method: str, path: str, handler: Handler) -> Route:
    return Route(method, f"/{{version}}/{path}", handler, scopes=lambda **_: (MANAGEMENT,))


def _send(method: str, path: str, handler: Handler) -> Route:
    scopes = lambda **_: (MESSAGING,)  # noqa: E731
    return Route(method, f"/{{version}}/{path}", handler, scopes=scopes, quota="messages")


ROUTES = Routes(
    (
        Route("GET", "/{version}/debug_token", Reading.debug_token),
        Route("GET", "/{version}/me", Reading.me),
        _read("GET", "{user}/assigned_whatsapp_business_accounts", Reading.assigned),
        Route("GET", "/whatsapp_business/attachments/{media}", Reading.download, quota="media"),
        _read("GET", "{node}/message_templates", Reading.list_templates),
        _read("POST", "{node}/message_templates", Writing.create_template),
        _read("DELETE", "{node}/message_templates", Writing.delete_template),
        _read("GET", "{node}/phone_numbers", Reading.list_numbers),
        _read("GET", "{node}/template_analytics", Reading.template_analytics),
        _read("GET", "{node}/subscribed_apps", Reading.subscribed),
        _read("POST", "{node}/subscribed_apps", Reading.subscribe),
        _read("DELETE", "{node}/subscribed_apps", Reading.unsubscribe),
        _read("GET", "{node}/whatsapp_business_profile", Reading.get_profile),
        _read("POST", "{node}/whatsapp_business_profile", Writing.set_profile),
        _read("GET", "{node}/message_history", Reading.message_history),
        _send("POST", "{node}/messages", Writing.send),
        _send("POST", "{node}/media", Writing.upload),
        _read("GET", "{node}", Reading.node),
        _read("POST", "{node}", Writing.edit_node),
        _send("DELETE", "{node}", Writing.delete_node),
    )
)


class WhatsApp(Reading, Writing):
    """One WhatsApp Business account behind HTTP."""

    name: ClassVar[str] = "whatsapp"
    published: ClassVar[Mapping[str, int]] = {"messages": 80, "pair": 45, "management": 5000}
    routes: ClassVar[Routes] = ROUTES

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.vault.scopes = SCOPES
        self.vault.seconds = 60 * 86_400.0
        self.vault.add("full", "EAAsandboxFullToken0000000000000001")
        self.vault.add("no_messaging", "EAAsandboxReadToken0000000000000002", [MANAGEMENT])
        self.vault.add("no_scopes", "EAAsandboxBareToken0000000000000003", [])
        self.vault.add("expired", "EAAsandboxOldToken00000000000000004", expires_at=1.0)
        self.proof_required = False
        """Whether the app has the switch "Require App Secret" on."""

    # -- a request's way

    def handle(self, request: Request) -> Response:
        """The paths of every version are the same; what names none is no path at all."""
        first = request.path.split("/")[1]
        if first not in VERSIONS and first != "whatsapp_business":
            return self.refuse(404, request.path)
        response = super().handle(request)
        response.headers.setdefault("facebook-api-version", first)
        return response

    def authenticate(self, request: Request) -> Token:
        """A bearer token, or `access_token` in the query. Raises Answered (401)."""
        value = self.presented(request)
        if not value:
            message = "An access token is required to request this resource."
            raise refused(401, 104, message)
        token = self.vault.find(value)
        if token is None and value in self.vault.tokens:
            raise refused(
                401, 190, "Error validating access token: Session has expired on Thursday, "
                "01-Jan-26 00:00:00 PST.", subcode=463,
            )  # fmt: skip
        if token is None:
            raise refused(401, 190, "Invalid OAuth access token - Cannot parse access token")
        self._check_proof(request, value)
        return token

    def _check_proof(self, request: Request, token: str) -> None:
        """The hex HMAC-SHA256 of the token with the app's secret: one that is given must be right,
        and with "Require App Secret" it must be given. Raises Answered."""
        proof = request.one("appsecret_proof")
        if proof is None:
            if self.proof_required:
                raise refused(400, 100, _NO_PROOF, kind=METHOD)
            return
        right = hmac.new(account.APP_SECRET.encode(), token.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(proof, right):
            raise refused(400, 100, "Invalid appsecret_proof provided in the API argument",
                          kind=METHOD)  # fmt: skip

    def presented(self, request: Request) -> str:
        """The token that a request carries, good or bad."""
        return super().presented(request) or request.one("access_token") or ""

    def charge(self, kind: str, request: Request, token: Token) -> dict[str, str]:
        """Management calls are counted by account and app; messages where their recipient is
        known (`Writing.send`)."""
        if kind != "standard":
            return {}
        if self.limits is None:
            return {}
        most = self.limits["management"]
        short = self.ledger.take({"management": partial(Window, most, HOUR)})
        used = most - (self.ledger.room("management") or 0)
        percent = 100 if short else used * 100 // most
        wait = -(-int(short[1]) // 60) if short else 0
        usage = {
            account.WABA_ID: [
                {
                    "type": "whatsapp_business_management",
                    "call_count": percent,
                    "total_cputime": percent // 2,
                    "total_time": percent // 2,
                    "estimated_time_to_regain_access": wait,
                }
            ]
        }
        headers = {"X-Business-Use-Case-Usage": json.dumps(usage)}
        if short is not None:
            answer = graph(429, 80007, _TOO_MANY, subcode=2494055, transient=True)
            answer.headers.update(headers)
            raise Answered(answer)
        return headers

    def refuse(self, status: int, message: str) -> Response:
        """404 is an unknown path, 403 a missing permission, everything else (#100)."""
        if status == 404:
            return graph(404, 2500, f"Unknown path components: {message}", kind=OAUTH)
        if status == 403:
            return graph(403, 200, f"(#200) {message}")
        if status == 405:
            return graph(400, 100, "Unsupported method", kind=METHOD)
        return graph(status, 100, f"(#100) {message}")

    def failure(self, status: int, retry_after: str | None) -> Response:
        """An outage or a throttle in Graph's words."""
        if status == 429:
            response = graph(429, 80007, _TOO_MANY, subcode=2446079, transient=True)
        elif status >= 500:
            response = graph(status, 2, "Service temporarily unavailable", transient=True)
        elif status == 401:
            response = graph(401, 190, "Error validating access token")
        else:
            response = self.refuse(status, "sandbox fault")
        if retry_after is not None:
            response.headers["Retry-After"] = retry_after
        return response

    def distort(self, kind: str, argument: str | None, request: Request, body: Any) -> Any:
        """A listing with a fault of its content."""
        rows = body.get("data") if isinstance(body, dict) else None
        if not isinstance(rows, list):
            return body
        if kind == "empty":
            return {"data": []}
        if kind == "loop":
            # Not all rows have an id: those of profiles and analytics have none.
            first = next((str(row["id"]) for row in rows[:1] if _has_id(row)), "1")
            stuck = request.one("after") or account.cursor(first)
            link = f"{request.base_url}{request.path}?after={stuck}"
            return {**body, "paging": {"cursors": {"before": stuck, "after": stuck}, "next": link}}
        if kind in ("hollow", "nowhere", "last"):
            return self._distort_paging(kind, request, body)
        before = rows[0]["id"] if rows and _has_id(rows[0]) else None
        spoil(rows, kind, argument, text="note")
        if kind == "badid" and argument == "number" and before is not None:
            self.renamed[str(rows[0]["id"])] = str(before)
        return body

    @staticmethod
    def _distort_paging(kind: str, request: Request, body: Any) -> Any:
        paging = body.get("paging") or {}
        if "cursors" not in paging:
            return body  # a listing that has no pages, or nothing
        link = f"{request.base_url}{request.path}"
        if kind == "hollow":
            after = account.again(request.one("after"))
            cursors = {"before": after, "after": after}
            return {
                **body,
                "data": [],
                "paging": {"cursors": cursors, "next": f"{link}?after={after}"},
            }
        if kind == "nowhere":
            return {**body, "paging": {"next": link}}
        return {**body, "paging": {name: paging[name] for name in paging if name != "next"}}

    def ready(self, base_url: str) -> dict[str, Any]:
        """What a client needs to know."""
        fields = {"waba_id": account.WABA_ID, "phone_number_id": account.PHONE_ID}
        return {
            "base_url": base_url,
            "token": self.vault.names["full"],
            "tokens": dict(self.vault.names),
            "fields": fields,
            "app_secret": account.APP_SECRET,
            **fields,
        }

    # -- the control API

    def stats(self) -> dict[str, Any]:
        """Records by type, requests over a quota, and what was accepted for whom."""
        with self.lock:
            return {**super().stats(), "messages": self.outbox.counts()}

    def control(self, request: Request, parts: list[str]) -> Response | None:
        """Beside what every look-alike has:

        GET  outbox           how many messages were accepted, by recipient and by their own data
        GET  outbox/dump      all of them, one a line
        POST receive          {"from", "at"}: a user writes to the account
        POST refuse           {"to", "code"}: messages to that user are refused; code 0 ends it
        POST pacing           {"template", "message_status"}: how its messages stand from now on
        POST proof            {"required"}: whether calls must carry an `appsecret_proof`
        """
        with self.lock:
            if parts == ["proof"] and request.method == "POST":
                self.proof_required = bool(request.json()["required"])
                return Response.of_json({})
            if parts == ["outbox"] and request.method == "GET":
                return Response.of_json(self.outbox.summary())
            if parts == ["outbox", "dump"] and request.method == "GET":
                lines = [orjson.dumps(m.document()) + b"\n" for m in self.outbox.accepted]
                kind = {"Content-Type": "application/x-ndjson"}
                return Response(200, b"".join(lines), kind)
            if parts == ["receive"] and request.method == "POST":
                body = request.json()
                self.receive(str(body["from"]), body.get("at"))
                return Response.of_json({})
            if parts == ["pacing"] and request.method == "POST":
                body = request.json()
                self.outbox.pacing[str(body["template"])] = str(body["message_status"])
                return Response.of_json({})
            if parts == ["refuse"] and request.method == "POST":
                body = request.json()
                self.refuse_to(str(body["to"]), int(body["code"]))
                return Response.of_json({})
        return super().control(request, parts)


def _has_id(row: Any) -> bool:
    return isinstance(row, dict) and "id" in row


_NO_PROOF = "API calls from the server require an appsecret_proof argument"
_TOO_MANY = (
    "(#80007) There have been too many calls to this WhatsApp Business account. Wait a bit and "
    "try again."
)

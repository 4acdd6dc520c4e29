"""The paths that read, and what answers them."""

from __future__ import annotations

import base64
import re
from typing import Any

from ..http import Request, Response
from ..lookalike import Answered
from . import account, analytics
from .errors import invalid, refused, unknown_object
from .state import LIMIT_MOST, State

TEMPLATES_MOST = 1000


class Reading(State):
    """The reading half of the API."""

    def debug_token(self, request: Request, version: str) -> Response:
        """What a token may do, for one that may ask."""
        asked = self.vault.tokens.get(request.one("input_token") or "")
        if asked is None:
            error = {"code": 190, "message": "Invalid OAuth access token."}
            return Response.of_json({"data": {"error": error, "is_valid": False, "scopes": []}})
        scopes = sorted(asked.scopes)
        granular = [
            {"scope": s, "target_ids": list(self.wabas)} for s in scopes if s.startswith("whatsapp")
        ]
        data = {
            "app_id": account.APP_ID,
            "type": "SYSTEM_USER",
            "application": "lumio",
            "data_access_expires_at": 0,
            "expires_at": int(asked.expires_at or 0),
            "is_valid": self.vault.find(asked.value) is not None,
            "scopes": scopes,
            "granular_scopes": granular,
            "user_id": account.USER_ID,
        }
        return Response.of_json({"data": data})

    def assigned(self, request: Request, version: str, user: str) -> Response:
        """The accounts that a system user is assigned to."""
        if user not in ("me", account.USER_ID):
            raise unknown_object(user)
        return self.answer_rows(
            [{"id": w, "name": account.WABA_FIELDS["name"]} for w in self.wabas], {}
        )

    def me(self, request: Request, version: str) -> Response:
        """The system user itself."""
        return Response.of_json({"id": account.USER_ID, "name": "lumio"})

    # -- reading

    def node(self, request: Request, version: str, node: str) -> Response:
        """An account, a phone number, a template or a file: Graph tells them apart by their ids."""
        if node in self.wabas:
            return self._account(request, node)
        if (number := self.numbers.last_known(node)) is not None:
            # A number that has left the account is a node all the same.
            number["status"] = number["status"] if node in self.numbers else "UNLINKED"
            default = ("display_phone_number", "verified_name", "quality_rating",
                       "code_verification_status")  # fmt: skip
            return Response.of_json(
                account.chosen(number, request.one("fields"), account.NUMBER_FIELDS,
                               "WhatsAppBusinessPreVerifiedPhoneNumber", default)
            )  # fmt: skip
        if (template := self.templates.get(node)) is not None:
            return Response.of_json(self.template_fields(template, request))
        if (media := self.media.get(node)) is not None:
            return Response.of_json(media.document(request.base_url))
        raise unknown_object(node)

    def _account(self, request: Request, waba: str) -> Response:
        """The account's own fields, among them analytics with their filters."""
        # A filter's arrays have commas of their own.
        names = re.findall(r"(?:[^,(]|\([^()]*\))+", request.one("fields") or "id,name")
        found: dict[str, Any] = {"id": waba}
        known = {**account.WABA_FIELDS, "id": waba}
        for name in names:
            expanded = analytics.expand(name, self.seed, self.clock(), self.number_digits())
            if expanded is not None:
                found[expanded[0]] = expanded[1]
            elif name in known:
                found[name] = known[name]
            elif name not in account.WABA_UNSET:
                raise invalid(f"Tried accessing nonexisting field ({name}) on node type "
                              "(WhatsAppBusinessAccount)")  # fmt: skip
        return Response.of_json(found)

    @staticmethod
    def template_fields(template: dict[str, Any], request: Request) -> dict[str, Any]:
        default = ("name", "parameter_format", "components", "language", "status", "category",
                   "previous_category")  # fmt: skip
        return account.chosen(
            template,
            request.one("fields"),
            account.TEMPLATE_FIELDS,
            "WhatsAppMessageTemplate",
            default,
        )

    def list_templates(self, request: Request, version: str, node: str) -> Response:
        """Templates, oldest first, of a name, a status, a language or a category if asked so."""
        self.waba(node)
        wanted = {n: request.one(n) for n in ("name", "status", "language", "category")}
        table = self.templates
        ids = table.ids()
        if any(wanted.values()):
            ids = [
                i for i in ids
                if all(v is None or (table.get(i) or {}).get(n) == v for n, v in wanted.items())
            ]  # fmt: skip
        found, paging = self.listing(request, ids, TEMPLATES_MOST, "templates")
        rows = [self.template_fields(table.get(i) or {}, request) for i in found]
        answer: dict[str, Any] = {"data": rows, **({"paging": paging} if paging else {})}
        if wanted_summary := request.one("summary"):
            known = {
                "total_count": len(ids),
                "message_template_count": len(table),
                "message_template_limit": 6000,
                "are_translations_complete": True,
            }
            answer["summary"] = {n: known[n] for n in wanted_summary.split(",") if n in known}
        return Response.of_json(answer)

    def list_numbers(self, request: Request, version: str, node: str) -> Response:
        """Phone numbers in the order in which they were added."""
        self.waba(node)
        found, paging = self.listing(request, self.numbers.ids(), LIMIT_MOST, "phone_numbers")
        default = ("display_phone_number", "verified_name", "status", "quality_rating",
                   "code_verification_status", "platform_type", "throughput")  # fmt: skip
        rows = [
            account.chosen(self.numbers.get(i) or {}, request.one("fields"), account.NUMBER_FIELDS,
                           "WhatsAppBusinessPhoneNumber", default)
            for i in found
        ]  # fmt: skip
        return self.answer_rows(rows, paging)

    def get_profile(self, request: Request, version: str, node: str) -> Response:
        """The business profile of a phone number."""
        self.number(node)
        known = frozenset((*account.PROFILE_FIELDS, "messaging_product"))
        chosen = account.chosen(
            self.profile(node), request.one("fields"), known, "WhatsAppBusinessProfile",
            account.PROFILE_FIELDS,
        )  # fmt: skip
        return self.answer_rows([{**chosen, "messaging_product": "whatsapp"}], {})

    def template_analytics(self, request: Request, version: str, node: str) -> Response:
        """Daily counts of up to ten templates, 25 points a page."""
        self.waba(node)
        filters = {name: request.one(name) for name in ("start", "end", "granularity")}
        text = request.one("template_ids") or ""
        ids = [i.strip(" \"'[]") for i in text.split(",") if i.strip(" \"'[]")]
        points = analytics.template_points(
            {k: v for k, v in filters.items() if v is not None}, ids, self.seed, self.clock()
        )
        size = self.limit(request, LIMIT_MOST)
        after = request.one("after")
        seen = base64.urlsafe_b64decode(after).decode().lstrip(account.AGAIN) if after else ""
        start = int(seen or 0)
        part = points[start : start + size]
        paging: dict[str, Any] = {}
        if part:
            token = base64.urlsafe_b64encode(str(start + len(part)).encode()).decode()
            paging = {"cursors": {"before": token, "after": token}}
            if start + len(part) < len(points):
                paging["next"] = f"{request.base_url}{request.path}?after={token}"
        row = {"granularity": "DAILY", "product_type": "cloud_api", "data_points": part}
        return self.answer_rows([row], paging)

    def subscribed(self, request: Request, version: str, node: str) -> Response:
        """The apps that hear this account's webhooks."""
        self.waba(node)
        return self.answer_rows(list(self.apps), {})

    def subscribe(self, request: Request, version: str, node: str) -> Response:
        """Let the token's self hear this account's webhooks."""
        self.waba(node)
        self.apps[:] = [{"whatsapp_business_api_data": {"id": account.APP_ID, "name": "lumio"}}]
        return Response.of_json({"success": True})

    def unsubscribe(self, request: Request, version: str, node: str) -> Response:
        """No longer."""
        self.waba(node)
        self.apps.clear()
        return Response.of_json({"success": True})

    def message_history(self, request: Request, version: str, node: str) -> Response:
        """Delivery events by WhatsApp's id of a message; neither its recipient nor its content nor
        the sender's own data are told."""
        self.number(node)
        asked = request.one("message_id")
        mine = [(n, m) for n, m in enumerate(self.outbox.accepted) if m.number == node]
        rows = [
            {
                "id": str(7_000_000_000 + n),
                "message_id": m.id,
                "events": {
                    "data": [
                        {
                            "id": str(8_000_000_000 + n),
                            "delivery_status": "SENT",
                            "timestamp": int(m.at),
                            "webhook_update_state": "DELIVERED",
                        }
                    ]
                },
            }
            for n, m in mine
            if asked in (None, m.id)
        ]
        if asked is not None and not rows:
            message = "The requested message_id was not found in the message history"
            raise refused(422, 100, message)
        if "events" not in (request.one("fields") or ""):
            rows = [{k: v for k, v in row.items() if k != "events"} for row in rows]
        return self.answer_rows(rows[: self.limit(request, LIMIT_MOST)], {})

    def download(self, request: Request, media: str) -> Response:
        """The bytes of a file."""
        found = self.media.get(media)
        if found is None:
            raise Answered(Response(404, b"", {"Content-Type": "text/html"}))
        return Response(200, found.data, {"Content-Type": found.mime})

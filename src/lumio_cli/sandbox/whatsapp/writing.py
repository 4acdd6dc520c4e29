"""The paths that write, and what answers them."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from ..http import Request, Response
from ..quota import Window
from . import account
from .errors import invalid, messaging, refused, unknown_object
from .media import read_upload
from .messages import USER_ID, WINDOW, check, recipient
from .state import State

NAME = re.compile(r"[a-z0-9_]{1,512}")
TOO_MANY = "There were too many messages sent from this phone number"
CATEGORIES = ("MARKETING", "UTILITY", "AUTHENTICATION")


class Writing(State):
    """The writing half of the API."""

    def create_template(self, request: Request, version: str, node: str) -> Response:
        """A new template, which waits for its review."""
        self.waba(node)
        body = request.json()
        if not NAME.fullmatch(str(body.get("name", ""))):
            raise invalid("Param name must have lowercase letters, digits and underscores only")
        if not body.get("language") or body.get("category") not in CATEGORIES:
            raise invalid("The parameters language and category are required.")
        taken = any(
            t["name"] == body["name"] and t["language"] == body["language"] for t in self.templates
        )
        if taken:
            message = "Content in this language already exists"
            raise refused(400, 100, message, subcode=2388024)
        values = {
            "status": "PENDING",
            "components": [],
            "quality_score": {"score": "UNKNOWN"},
            **body,
        }
        made = self.templates.insert({**values, "rejected_reason": "NONE"})
        return Response.of_json({"id": made, "status": "PENDING", "category": body["category"]})

    def edit_node(self, request: Request, version: str, node: str) -> Response:
        """Edit a template."""
        if node not in self.templates:
            raise unknown_object(node, "post")
        body = request.json()
        self.templates.update(node, {k: body[k] for k in ("components", "category") if k in body})
        return Response.of_json({"success": True})

    def delete_template(self, request: Request, version: str, node: str) -> Response:
        """Delete all languages of a name, or one template by its id as well."""
        self.waba(node)
        name, one = request.one("name"), request.one("hsm_id")
        ids = [
            t["id"] for t in self.templates if t["name"] == name and one in (None, t["id"])
        ]  # fmt: skip
        if not ids:
            raise refused(400, 100, "Message template not found", subcode=2593002)
        for record_id in ids:
            self.templates.purge(record_id)
        return Response.of_json({"success": True})

    def upload(self, request: Request, version: str, node: str) -> Response:
        """Keep a file for thirty days."""
        self.number(node)
        media = read_upload(request, str(4_490_709_327_384_033 + len(self.media)))
        self.media[media.id] = media
        return Response.of_json({"id": media.id})

    def set_profile(self, request: Request, version: str, node: str) -> Response:
        """Change the profile of a phone number."""
        self.number(node)
        body = request.json()
        if body.pop("messaging_product", None) != "whatsapp":
            raise invalid("The parameter messaging_product is required.")
        if len(str(body.get("about", "x"))) not in range(1, 140):
            raise invalid("Param about must be 1 to 139 characters long")
        self.profiles.setdefault(node, {}).update(
            {k: v for k, v in body.items() if k in account.PROFILE_FIELDS}
        )
        return Response.of_json({"success": True})

    def delete_node(self, request: Request, version: str, node: str) -> Response:
        """Delete a file."""
        if self.media.pop(node, None) is None:
            raise unknown_object(node, "delete")
        return Response.of_json({"success": True})

    def send(self, request: Request, version: str, node: str) -> Response:
        """Accept a message, or mark one as read."""
        number = self.number(node)
        if number["status"] == "PENDING":
            raise refused(400, 133010, "(#133010) Account not registered")
        body = request.json()
        if body.get("status") == "read":
            if not str(body.get("message_id", "")).startswith("wamid."):
                raise invalid("Invalid parameter: message_id")
            return Response.of_json({"success": True})
        body.setdefault("type", "text")
        to = recipient(body)
        self._throughput(node, to)
        check(
            body,
            known=lambda message: message.startswith("wamid."),
            find=self._find_template,
            media=lambda media: media in self.media,
        )
        if to in self.outbox.refusals:
            raise messaging(self.outbox.refusals[to])
        if to in self.number_digits():
            raise messaging(131021)
        heard = self.outbox.heard.get(to)
        if body["type"] != "template" and heard is not None and self.clock() - heard > WINDOW:
            details = (
                "Message failed to send because more than 24 hours have passed since the customer "
                "last replied to this number."
            )
            raise messaging(131047, details)
        accepted = self.outbox.add(node, to, body)
        contact = {"input": str(body.get("to") or body.get("recipient")), "wa_id": to}
        if USER_ID.fullmatch(to):
            contact = {"input": to, "user_id": to}
        message: dict[str, str] = {"id": accepted.id}
        if body["type"] == "template":
            name = str(body["template"]["name"])
            message["message_status"] = self.outbox.pacing.get(name, "accepted")
        return Response.of_json(
            {"messaging_product": "whatsapp", "contacts": [contact], "messages": [message]}
        )

    def _throughput(self, number: str, to: str) -> None:
        """80 messages a second, and the pace for one user. Raises Answered."""
        if self.limits is None:
            return
        make = partial(Window, self.limits["messages"], 1.0)
        if self.ledger.take({f"messages:{number}": make}) is not None:
            raise messaging(130429, f"{TOO_MANY} in a short period of time.")
        if not self.outbox.borrow(number, to, self.limits["pair"]):
            self.ledger.refused += 1
            raise messaging(131056, f"{TOO_MANY} to the same phone number.")

    def _find_template(self, name: str, language: str) -> dict[str, Any] | None:
        key = f"{name} {language}"
        known = self.found_templates.get(key)
        if known is not None and (template := self.templates.get(known)) is not None:
            return template
        for template in self.templates:
            if template["name"] == name and template["language"] == language:
                self.found_templates[key] = template["id"]
                return template
        return None

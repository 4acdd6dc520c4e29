"""HubSpot's part of the control API, `/_sandbox/hubspot/...`: see sandbox.control."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from ..http import Request, Response
from .catalog import ALIASES
from .errors import invalid

if TYPE_CHECKING:
    from .account import Account


def control(hub: Account, request: Request, parts: list[str]) -> Response | None:
    """Answers a request; None where there is no such path. Raises ApiError."""
    if parts == ["consent"] and request.method == "POST":
        hub.vault.consent = bool(request.json().get("consent", True))
        return Response.of_json({"consent": hub.vault.consent})
    if parts == ["retired"] and request.method == "POST":
        hub.retired = {str(path): int(status) for path, status in request.json().items()}
        return Response.of_json(hub.retired)
    if parts == ["properties"] and request.method == "POST":
        return _properties(hub, request.json())
    if parts == ["associate"] and request.method == "POST":
        body = request.json()
        hub.associate(body["from"], body["from_id"], body["to"], body["to_id"])
        return Response.of_json({})
    if len(parts) != 2 or parts[0] not in ALIASES:
        return None
    kind, action = parts
    if action == "dump" and request.method == "GET":
        lines = (orjson.dumps(document) + b"\n" for document in hub.dump(kind))
        return Response(200, headers={"Content-Type": "application/x-ndjson"}, stream=lines)
    return _record(hub, kind, action, request) if request.method == "POST" else None


def _record(hub: Account, kind: str, action: str, request: Request) -> Response | None:
    body = request.json()
    if action == "create":
        return Response.of_json({"id": hub.create(kind, body.get("properties", {}))}, 201)
    if action == "update":
        hub.update(kind, str(body["id"]), body.get("properties", {}))
    elif action == "archive":
        hub.archive(kind, str(body["id"]))
    elif action == "purge":
        hub.purge(kind, str(body["id"]))
    elif action == "merge":
        new_id = bool(body.get("new_id"))
        merged = hub.merge(kind, str(body["winner"]), str(body["loser"]), new_id=new_id)
        return Response.of_json({"id": merged})
    else:
        return None
    return Response.of_json({})


def _properties(hub: Account, body: Any) -> Response:
    """Adds, removes or retypes a custom property."""
    kind, name = body["type"], body["name"]
    action = body.get("action", "add")
    if action == "add":
        options = tuple(body.get("options", ()))
        hub.add_property(
            kind, name, body.get("property_type", "string"), body.get("field_type", "text"),
            options=options, unique=bool(body.get("unique")),
        )  # fmt: skip
    elif action == "remove":
        hub.remove_property(kind, name)
    elif action == "retype":
        hub.retype_property(kind, name, body["property_type"], body.get("field_type", "text"))
    else:
        raise invalid(f"Unknown action: {action!r}")
    return Response.of_json({})

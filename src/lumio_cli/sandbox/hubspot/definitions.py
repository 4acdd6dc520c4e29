"""Endpoints of property definitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..http import Request, Response, Route
from .batch import answer, inputs_of
from .catalog import ALIASES, TYPES, Property
from .errors import ApiError, invalid, missing_objects
from .objects import flag
from .store import Store
from .times import iso

if TYPE_CHECKING:
    from .account import Account

_EDITABLE = {
    "label": "label",
    "description": "description",
    "groupName": "group",
    "type": "type",
    "fieldType": "field_type",
    "hidden": "hidden",
}


def reading(type: str, **_: str) -> tuple[str, ...]:
    """The scopes of which one is needed to read a type's definitions."""
    return TYPES[ALIASES[type]].scopes.schema_read if type in ALIASES else ()


def writing(type: str, **_: str) -> tuple[str, ...]:
    """The scopes of which one is needed to write a type's definitions."""
    return TYPES[ALIASES[type]].scopes.schema_write if type in ALIASES else ()


def property_document(item: Property) -> dict[str, Any]:
    """A property as HubSpot answers it."""
    options = item.option_documents
    if options is None:
        options = [
            {"label": value.replace("_", " ").capitalize(), "value": value, "displayOrder": n,
             "hidden": False}
            for n, value in enumerate(item.options)
        ]  # fmt: skip
    document: dict[str, Any] = {
        "name": item.name,
        "label": item.label,
        "type": item.type,
        "fieldType": item.field_type,
        "description": item.description,
        "groupName": item.group,
        "options": options,
        "displayOrder": -1,
        "calculated": False,
        "externalOptions": item.name == "hubspot_owner_id",
        "hasUniqueValue": item.unique,
        "hidden": item.hidden,
        "hubspotDefined": not item.custom,
        "formField": not item.read_only,
        "dataSensitivity": "non_sensitive",
        "createdAt": iso(item.created_at),
        "updatedAt": iso(item.updated_at),
        "archived": item.archived_at is not None,
        "modificationMetadata": {
            "archivable": item.custom,
            "readOnlyDefinition": not item.custom,
            "readOnlyValue": item.read_only,
        },
    }
    if item.archived_at is not None:
        document["archivedAt"] = iso(item.archived_at)
    return document


def list_properties(hub: Account, request: Request, type: str) -> Response:
    """GET all properties of a type; there are no pages."""
    store = hub.store(type)
    archived = flag(request, "archived")
    rows = [
        property_document(item)
        for item in store.properties.values()
        if (item.archived_at is not None) == archived
    ]
    return Response.of_json({"results": rows})


def read_property(hub: Account, request: Request, type: str, name: str) -> Response:
    """GET one property."""
    store = hub.store(type)
    item = store.properties.get(name)
    if item is None or (item.archived_at is not None) != flag(request, "archived"):
        message = f'Property "{name}" does not exist'
        raise ApiError(404, "OBJECT_NOT_FOUND", message)
    return Response.of_json(property_document(item))


def _make(hub: Account, store: Store, body: Any) -> Property:
    if not isinstance(body, dict):
        raise invalid("Invalid input JSON: an object is needed")
    missing = [
        key for key in ("name", "label", "type", "fieldType", "groupName") if key not in body
    ]
    if missing:
        raise invalid("Some required fields were not set", requiredFields=missing)
    name = str(body["name"])
    if not name.replace("_", "a").isalnum() or name != name.lower():
        raise invalid(f"Invalid property name: {name!r}", name=[name])
    documents = body.get("options") or []
    item = hub.add_property(
        store.type.name,
        name,
        str(body["type"]),
        str(body["fieldType"]),
        label=str(body["label"]),
        options=tuple(str(option["value"]) for option in documents),
        unique=bool(body.get("hasUniqueValue")),
        group=str(body["groupName"]),
    )
    item.description = str(body.get("description", ""))
    item.hidden = bool(body.get("hidden"))
    item.option_documents = documents or None
    return item


def create_property(hub: Account, request: Request, type: str) -> Response:
    """POST a custom property."""
    item = _make(hub, hub.store(type), request.json())
    return Response.of_json(property_document(item), 201)


def update_property(hub: Account, request: Request, type: str, name: str) -> Response:
    """PATCH a custom property's definition."""
    item = hub.property(hub.store(type), name)
    body = request.json()
    if not item.custom:
        raise invalid(f'"{name}" is a HubSpot property and cannot be changed', name=[name])
    for key, attribute in _EDITABLE.items():
        if key in body:
            setattr(item, attribute, body[key])
    if "options" in body:
        item.option_documents = body["options"]
        item.options = tuple(str(option["value"]) for option in body["options"])
    item.updated_at = hub.stamp()
    return Response.of_json(property_document(item))


def archive_property(hub: Account, _request: Request, type: str, name: str) -> Response:
    """DELETE a custom property."""
    hub.remove_property(type, name)
    return Response(204)


def batch_read_properties(hub: Account, request: Request, type: str) -> Response:
    """POST names: their definitions."""
    store = hub.store(type)
    archived = bool(request.json().get("archived"))
    results, missing = [], []
    for entry in inputs_of(request):
        item = store.properties.get(str(entry.get("name")))
        if item is None or (item.archived_at is not None) != archived:
            missing.append(str(entry.get("name")))
        else:
            results.append(property_document(item))
    return answer(hub, results, [missing_objects("property", missing).item()] if missing else [])


def batch_create_properties(hub: Account, request: Request, type: str) -> Response:
    """POST custom properties. One that exists is an error of a 207."""
    store = hub.store(type)
    results, errors = [], []
    for body in inputs_of(request):
        try:
            results.append(property_document(_make(hub, store, body)))
        except ApiError as error:
            if error.status != 409:
                raise
            errors.append(error.item(name=[str(body["name"])]))
    return answer(hub, results, errors, 201)


def batch_archive_properties(hub: Account, request: Request, type: str) -> Response:
    """POST names of custom properties to archive."""
    for entry in inputs_of(request):
        hub.remove_property(type, str(entry.get("name")))
    return Response(204)


def list_groups(hub: Account, _request: Request, type: str) -> Response:
    """GET the groups the properties are in."""
    names = dict.fromkeys(item.group for item in hub.store(type).properties.values())
    rows = [
        {"name": name, "label": name.capitalize(), "displayOrder": n, "archived": False}
        for n, name in enumerate(names)
    ]
    return Response.of_json({"results": rows})


_PROPERTIES = "/crm/v3/properties/{type}"
ROUTES = (
    Route("GET", _PROPERTIES, list_properties, reading),
    Route("POST", _PROPERTIES, create_property, writing),
    Route("GET", f"{_PROPERTIES}/groups", list_groups, reading),
    Route("GET", f"{_PROPERTIES}/{{name}}", read_property, reading),
    Route("PATCH", f"{_PROPERTIES}/{{name}}", update_property, writing),
    Route("DELETE", f"{_PROPERTIES}/{{name}}", archive_property, writing),
    Route("POST", f"{_PROPERTIES}/batch/read", batch_read_properties, reading),
    Route("POST", f"{_PROPERTIES}/batch/create", batch_create_properties, writing),
    Route("POST", f"{_PROPERTIES}/batch/archive", batch_archive_properties, writing),
)

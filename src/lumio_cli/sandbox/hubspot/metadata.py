"""Endpoints of what is neither a record nor a property: owners, pipelines, schemas, the account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..http import Request, Response, Route
from .catalog import (
    ASSOCIATION_TYPES,
    PORTAL_ID,
    TIME_ZONE,
    TYPES,
    UTC_OFFSET_SECONDS,
    Owner,
)
from .definitions import property_document, reading
from .errors import invalid, no_resource
from .objects import flag, next_page, number
from .store import Store
from .times import iso

if TYPE_CHECKING:
    from .account import Account

_OWNERS_MAX = 500


def _owners_scope(**_: str) -> tuple[str, ...]:
    return ("crm.objects.owners.read",)


# owners


def owner_document(owner: Owner) -> dict[str, Any]:
    """An owner as HubSpot answers it; one who has left has no `userId`."""
    document: dict[str, Any] = {
        "id": owner.id,
        "email": owner.email,
        "type": "PERSON",
        "firstName": owner.first_name,
        "lastName": owner.last_name,
        "userIdIncludingInactive": owner.user_id,
        "createdAt": "2025-01-01T00:00:00.000Z",
        "updatedAt": "2025-01-01T00:00:00.000Z",
        "archived": owner.archived,
    }
    if not owner.archived:
        document["userId"] = owner.user_id
    if owner.teams:
        document["teams"] = owner.teams
    return document


def list_owners(hub: Account, request: Request) -> Response:
    """GET a page of owners, active or archived, perhaps by e-mail address."""
    limit = number(request, "limit", 100, _OWNERS_MAX)
    archived, email = flag(request, "archived"), request.one("email")
    after = request.one("after") or "0"
    if not after.isdigit():
        raise invalid(f"Invalid value for after: {after!r}", after=[after])
    found = [
        owner
        for owner in hub.owners
        if owner.archived == archived
        and (email is None or owner.email == email.lower())
        and int(owner.id) >= int(after)
    ]
    body: dict[str, Any] = {"results": [owner_document(owner) for owner in found[:limit]]}
    if len(found) > limit:
        body["paging"] = next_page(request, found[limit].id)
    return Response.of_json(body)


def read_owner(hub: Account, request: Request, id: str) -> Response:
    """GET one owner by id, or by `userId`."""
    by_user = request.one("idProperty") == "userId"
    archived = flag(request, "archived")
    for owner in hub.owners:
        if owner.archived == archived and id == (str(owner.user_id) if by_user else owner.id):
            return Response.of_json(owner_document(owner))
    raise no_resource()


# pipelines


def list_pipelines(hub: Account, _request: Request, type: str) -> Response:
    """GET the pipelines of deals or of tickets."""
    return Response.of_json({"results": _pipelines(hub, type)})


def _pipelines(hub: Account, kind: str) -> list[dict[str, Any]]:
    name = hub.store(kind).type.name
    if name not in hub.pipelines:
        raise invalid(f"{kind} has no pipelines")
    return hub.pipelines[name]


def _pipeline(hub: Account, kind: str, pipeline: str) -> dict[str, Any]:
    for item in _pipelines(hub, kind):
        if item["id"] == pipeline:
            return item
    raise no_resource()


def read_pipeline(hub: Account, _request: Request, type: str, pipeline: str) -> Response:
    """GET one pipeline with its stages."""
    return Response.of_json(_pipeline(hub, type, pipeline))


def list_stages(hub: Account, _request: Request, type: str, pipeline: str) -> Response:
    """GET the stages of a pipeline."""
    return Response.of_json({"results": _pipeline(hub, type, pipeline)["stages"]})


def read_stage(hub: Account, _request: Request, type: str, pipeline: str, stage: str) -> Response:
    """GET one stage of a pipeline."""
    for item in _pipeline(hub, type, pipeline)["stages"]:
        if item["id"] == stage:
            return Response.of_json(item)
    raise no_resource()


# schemas and the account


def _schema(store: Store) -> dict[str, Any]:
    kind = store.type
    return {
        "id": kind.type_id,
        "objectTypeId": kind.type_id,
        "name": kind.singular.upper(),
        "fullyQualifiedName": kind.singular.upper(),
        "labels": {"singular": kind.singular.capitalize(), "plural": kind.name.capitalize()},
        "primaryDisplayProperty": kind.display,
        "secondaryDisplayProperties": [],
        "requiredProperties": list(kind.required),
        "searchableProperties": list(kind.searchable),
        "properties": [
            property_document(item)
            for item in store.properties.values()
            if item.archived_at is None
        ],
        "associations": [
            {
                "id": str(ids[0]),
                "name": f"{kind.singular}_to_{TYPES[to].singular}",
                "fromObjectTypeId": kind.type_id,
                "toObjectTypeId": TYPES[to].type_id,
            }
            for (start, to), ids in ASSOCIATION_TYPES.items()
            if start == kind.name
        ],
        "archived": False,
    }


def list_schemas(_hub: Account, _request: Request) -> Response:
    """GET the custom objects' schemas; the account has none."""
    return Response.of_json({"results": []})


def read_schema(hub: Account, _request: Request, type: str) -> Response:
    """GET the schema of a type."""
    return Response.of_json(_schema(hub.store(type)))


def details(_hub: Account, _request: Request) -> Response:
    """GET the account's details."""
    hours, minutes = divmod(UTC_OFFSET_SECONDS // 60, 60)
    return Response.of_json(
        {
            "portalId": PORTAL_ID,
            "accountType": "SANDBOX",
            "timeZone": TIME_ZONE,
            "companyCurrency": "USD",
            "additionalCurrencies": ["EUR", "JPY"],
            "utcOffset": f"+{hours:02d}:{minutes:02d}",
            "utcOffsetMilliseconds": UTC_OFFSET_SECONDS * 1000,
            "uiDomain": "app.hubspot.com",
            "dataHostingLocation": "na1",
        }
    )


def daily_usage(hub: Account, _request: Request) -> Response:
    """GET how much of the day's quota the private apps have used."""
    now = hub.now()
    midnight = now - (now + UTC_OFFSET_SECONDS) % 86_400 + 86_400
    row = {
        "name": "private-apps-api-calls-daily",
        "usageLimit": hub.daily_limit,
        "currentUsage": hub.daily_used(),
        "collectedAt": iso(int(now * 1000)),
        "fetchStatus": "SUCCESS",
        "resetsAt": iso(int(midnight * 1000)),
    }
    return Response.of_json({"results": [row]})


_PIPELINES = "/crm/v3/pipelines/{type}"
ROUTES = (
    Route("GET", "/crm/v3/owners", list_owners, _owners_scope),
    Route("GET", "/crm/v3/owners/{id}", read_owner, _owners_scope),
    Route("GET", _PIPELINES, list_pipelines, reading),
    Route("GET", f"{_PIPELINES}/{{pipeline}}", read_pipeline, reading),
    Route("GET", f"{_PIPELINES}/{{pipeline}}/stages", list_stages, reading),
    Route("GET", f"{_PIPELINES}/{{pipeline}}/stages/{{stage}}", read_stage, reading),
    # The published path, and the older one that is still in use.
    Route("GET", "/crm-object-schemas/v3/schemas", list_schemas),
    Route("GET", "/crm-object-schemas/v3/schemas/{type}", read_schema, reading),
    Route("GET", "/crm/v3/schemas", list_schemas),
    Route("GET", "/crm/v3/schemas/{type}", read_schema, reading),
    Route("GET", "/account-info/v3/details", details),
    Route("GET", "/account-info/v3/api-usage/daily/private-apps", daily_usage),
)

"""Single records, describe, and what was deleted or updated in a span of time."""

# ruff: noqa: ARG001 - a handler gets all the names of its path, whether it needs them or not

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..http import Request, Response, Route
from .catalog import TYPES, FieldInfo, TypeInfo
from .data import iso
from .errors import Invalid, missing, no_column, problem
from .ids import normal_id
from .queries import rows
from .records import MERGEABLE, assigns
from .soql import Query, seconds

if TYPE_CHECKING:
    from .account import Account

SPAN_DAYS = 30


def type_of(org: Account, request: Request, name: str) -> TypeInfo:
    """A type that this user may see. Raises Answered (404)."""
    found = TYPES.get(name)
    if found is None or name in org.hidden_from(request):
        raise missing()
    return found


def summary(kind: TypeInfo, version: str) -> dict[str, Any]:
    """What every listing of types says of one."""
    base = f"/services/data/{version}/sobjects/{kind.name}"
    label = kind.name.removesuffix("__c")
    return {
        "activateable": False, "associateEntityType": None, "associateParentEntity": None,
        "createable": not kind.readonly, "custom": kind.name.endswith("__c"),
        "customSetting": False, "deepCloneable": False, "deletable": not kind.readonly,
        "deprecatedAndHidden": False, "feedEnabled": False, "hasSubtypes": False,
        "isInterface": False, "isSubtype": False, "keyPrefix": kind.prefix, "label": label,
        "labelPlural": f"{label}s", "layoutable": True, "mergeable": kind.name in MERGEABLE,
        "mruEnabled": True, "name": kind.name, "queryable": True, "replicateable": True,
        "retrieveable": True, "searchable": True, "triggerable": True,
        "undeletable": not kind.readonly, "updateable": not kind.readonly,
        "urls": {
            "sobject": base, "describe": f"{base}/describe", "rowTemplate": f"{base}/{{ID}}",
        },
    }  # fmt: skip


def everything(org: Account, request: Request, version: str) -> Response:
    """GET all types."""
    hidden = org.hidden_from(request)
    shown = [summary(kind, version) for name, kind in TYPES.items() if name not in hidden]
    return Response.of_json({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": shown})


def about(org: Account, request: Request, version: str, type: str) -> Response:
    """GET the short description of a type."""
    kind = type_of(org, request, type)
    return Response.of_json({"objectDescribe": summary(kind, version), "recentItems": []})


def describe(org: Account, request: Request, version: str, type: str) -> Response:
    """GET a type with all its fields."""
    kind = type_of(org, request, type)
    hidden = org.hidden_from(request)
    fields = [
        field.described()
        for field in kind.fields.values()
        if f"{kind.name}.{field.name}" not in hidden
    ]
    more = {
        "actionOverrides": [], "childRelationships": [], "compactLayoutable": True,
        "defaultImplementation": None, "extendedBy": None, "extendsInterfaces": None,
        "fields": fields, "implementedBy": None, "implementsInterfaces": None,
        "listviewable": None, "lookupLayoutable": None, "namedLayoutInfos": [],
        "networkScopeFieldName": None, "recordTypeInfos": [], "searchLayoutable": True,
        "sobjectDescribeOption": "FULL",
        "supportedScopes": [{"label": "All", "name": "everything"}],
    }  # fmt: skip
    shown = summary(kind, version)
    base = shown["urls"]["sobject"]
    parts = {
        name: f"{base}/describe/{name}" for name in ("approvalLayouts", "compactLayouts", "layouts")
    }
    shown["urls"] |= {
        **parts,
        "quickActions": f"{base}/quickActions",
        "listviews": f"{base}/listviews",
        "uiDetailTemplate": "/{ID}",
        "uiEditTemplate": "/{ID}/e",
        "uiNewRecord": f"/{kind.prefix}/e",
    }
    return Response.of_json({**shown, **more})


def saved(record_id: str, created: bool | None = None) -> dict[str, Any]:
    """The answer to a write that succeeded."""
    more = {} if created is None else {"created": created}
    return {"id": record_id, "success": True, "errors": [], **more}


def create(org: Account, request: Request, version: str, type: str) -> Response:
    """POST a new record."""
    kind = type_of(org, request, type)
    org.writable(request)
    try:
        made = org.store.create(kind, request.json(), assigns(request))
        return Response.of_json(saved(made), 201)
    except Invalid as error:
        raise error.answer() from None


def _record(org: Account, kind: TypeInfo, text: str) -> str:
    record_id = normal_id(text)
    if record_id is None or record_id not in org.tables[kind.name]:
        raise missing()
    return record_id


def _read(org: Account, request: Request, version: str, kind: TypeInfo, record_id: str) -> Response:
    wanted = request.many("fields")
    hidden = org.hidden_from(request)
    fields: list[FieldInfo] = []
    for name in wanted or list(kind.fields):
        found = kind.find(name)
        if found is None or f"{kind.name}.{found.name}" in hidden:
            if wanted:
                raise no_column(name, kind.name)
            continue
        fields.append(found)
    query = Query(kind, tuple(fields))
    return Response.of_json(rows(org, query, [record_id], version)[0])


def read(org: Account, request: Request, version: str, type: str, id: str) -> Response:
    """GET a record, all of its fields or those asked for."""
    kind = type_of(org, request, type)
    return _read(org, request, version, kind, _record(org, kind, id))


def update(org: Account, request: Request, version: str, type: str, id: str) -> Response:
    """PATCH a record."""
    kind = type_of(org, request, type)
    org.writable(request)
    try:
        org.store.update(kind, _record(org, kind, id), request.json(), assigns(request))
    except Invalid as error:
        raise error.answer() from None
    return Response(204)


def delete(org: Account, request: Request, version: str, type: str, id: str) -> Response:
    """DELETE a record, that is, put it into the recycle bin."""
    kind = type_of(org, request, type)
    org.writable(request)
    try:
        org.store.delete(kind, id)
    except Invalid as error:
        if error.code == "INVALID_CROSS_REFERENCE_KEY":
            raise missing() from None
        raise error.answer() from None
    return Response(204)


def external(kind: TypeInfo, name: str) -> FieldInfo:
    """An external id, or `Id`. Raises Answered (404)."""
    found = kind.find(name)
    if found is None or not (found.external or found.name == "Id"):
        message = f"Provided external ID field does not exist or is not accessible: {name}"
        raise problem(404, "NOT_FOUND", message)
    return found


def read_by(
    org: Account, request: Request, version: str, type: str, field: str, value: str
) -> Response:
    """GET a record by an external id."""
    kind = type_of(org, request, type)
    found = org.store.find(kind, external(kind, field), value)
    if found is None:
        raise missing()
    return _read(org, request, version, kind, found)


def upsert(
    org: Account, request: Request, version: str, type: str, field: str, value: str
) -> Response:
    """PATCH by an external id: change the record or make it."""
    kind = type_of(org, request, type)
    org.writable(request)
    item = external(kind, field)
    try:
        record_id, made = org.store.upsert(kind, item, value, request.json(), assigns(request))
    except Invalid as error:
        raise error.answer() from None
    return Response.of_json(saved(record_id, made), 201 if made else 200)


def _span(org: Account, request: Request) -> tuple[float, float]:
    try:
        start = seconds(str(request.one("start")).replace(" ", "+"))
        end = seconds(str(request.one("end")).replace(" ", "+"))
    except ValueError:
        raise problem(400, "INVALID_REPLICATION_DATE", "start and end must be dates") from None
    if end <= start or end - start > SPAN_DAYS * 86_400:
        message = f"start date must be before end date, and at most {SPAN_DAYS} days before it"
        raise problem(400, "INVALID_REPLICATION_DATE", message)
    if start < org.now() - SPAN_DAYS * 86_400:
        message = f"startDate before org replication enabled date: at most {SPAN_DAYS} days ago"
        raise problem(400, "INVALID_REPLICATION_DATE", message)
    return start, end


def deleted(org: Account, request: Request, version: str, type: str) -> Response:
    """GET what was deleted in a span of at most 30 days."""
    table = org.tables[type_of(org, request, type).name]
    start, end = _span(org, request)
    found = [
        {"deletedDate": iso(when), "id": record_id}
        for record_id, when in table.gone.items()
        if start <= when < end
    ]
    return Response.of_json(
        {
            "deletedRecords": found,
            "earliestDateAvailable": iso(org.now() - SPAN_DAYS * 86_400),
            "latestDateCovered": iso(end),
        }
    )


def updated(org: Account, request: Request, version: str, type: str) -> Response:
    """GET the ids of what was changed in a span of at most 30 days."""
    table = org.tables[type_of(org, request, type).name]
    start, end = _span(org, request)
    ids = [i for i in table.changed(start, end) if table.modified(i) < end]
    return Response.of_json({"ids": ids, "latestDateCovered": iso(end)})


_SOBJECTS = "/services/data/{version}/sobjects"
ROUTES = (
    Route("GET", _SOBJECTS, everything),
    Route("GET", f"{_SOBJECTS}/{{type}}", about),
    Route("POST", f"{_SOBJECTS}/{{type}}", create),
    Route("GET", f"{_SOBJECTS}/{{type}}/describe", describe),
    Route("GET", f"{_SOBJECTS}/{{type}}/deleted", deleted),
    Route("GET", f"{_SOBJECTS}/{{type}}/updated", updated),
    Route("GET", f"{_SOBJECTS}/{{type}}/{{id}}", read),
    Route("PATCH", f"{_SOBJECTS}/{{type}}/{{id}}", update),
    Route("DELETE", f"{_SOBJECTS}/{{type}}/{{id}}", delete),
    Route("GET", f"{_SOBJECTS}/{{type}}/{{field}}/{{value}}", read_by),
    Route("PATCH", f"{_SOBJECTS}/{{type}}/{{field}}/{{value}}", upsert),
)

"""Several things in one request: sObject collections, of at most 200 records, and `composite`.

References between the parts of a composite request (`@{name.field}`) are not known here.
"""

# ruff: noqa: ARG001 - a handler gets all the names of its path, whether it needs them or not

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

import orjson

from ..http import Request, Response, Route
from ..lookalike import Answered
from .catalog import TYPES, TypeInfo
from .errors import Invalid, missing, no_column, problem
from .ids import normal_id
from .objects import external, saved, type_of
from .queries import rows
from .records import assigns
from .soql import Query

if TYPE_CHECKING:
    from .account import Account

RECORDS_MAX = 200
RETRIEVE_MAX = 2000
PARTS_MAX = 25
QUERIES_MAX = 5

Work = Callable[[dict[str, Any]], dict[str, Any]]


def _failed(error: Invalid, record_id: str | None = None) -> dict[str, Any]:
    """A record that was not written."""
    named = {} if record_id is None else {"id": record_id}
    return {**named, "success": False, "errors": [error.entry()]}


def _each(items: list[Any], work: Work, most: int = RECORDS_MAX) -> Response:
    """Results in the order of the items, each with its own success."""
    if len(items) > most:
        message = f"The operation is too large: at most {most} records, not {len(items)}"
        raise problem(400, "INVALID_BATCH_SIZE", message)
    results = []
    for item in items:
        try:
            results.append(work(item))
        except Invalid as error:
            results.append(_failed(error))
    return Response.of_json(results)


def _records(request: Request) -> list[Any]:
    body = request.json()
    if body.get("allOrNone"):
        # Pretending to roll back would be worse than to refuse.
        raise problem(400, "FUNCTIONALITY_NOT_ENABLED", "the sandbox has no allOrNone")
    found = body.get("records")
    if not isinstance(found, list) or not found:
        raise problem(400, "JSON_PARSER_ERROR", "records must be a list with something in it")
    return found


def _type(org: Account, request: Request, record: Any) -> TypeInfo:
    name = str((record.get("attributes") or {}).get("type"))
    if name not in TYPES or name in org.hidden_from(request):
        raise Invalid("INVALID_TYPE", f"sObject type '{name}' is not supported.")
    return TYPES[name]


def create(org: Account, request: Request, version: str) -> Response:
    """POST new records."""
    org.writable(request)

    def work(record: dict[str, Any]) -> dict[str, Any]:
        return saved(org.store.create(_type(org, request, record), record, assigns(request)))

    return _each(_records(request), work)


def update(org: Account, request: Request, version: str) -> Response:
    """PATCH records by their ids."""
    org.writable(request)

    def work(record: dict[str, Any]) -> dict[str, Any]:
        record_id = record.get("id") or record.get("Id")
        if not record_id:
            raise Invalid("MISSING_ARGUMENT", "Id not specified in an update call")
        return saved(
            org.store.update(_type(org, request, record), record_id, record, assigns(request))
        )

    return _each(_records(request), work)


def upsert(org: Account, request: Request, version: str, type: str, field: str) -> Response:
    """PATCH records by an external id."""
    kind = type_of(org, request, type)
    org.writable(request)
    item = external(kind, field)

    def work(record: dict[str, Any]) -> dict[str, Any]:
        if _type(org, request, record) is not kind:
            raise Invalid("INVALID_TYPE", "all records must be of the type in the address")
        value = next((v for k, v in record.items() if k.lower() == item.name.lower()), None)
        record_id, made = org.store.upsert(kind, item, value, record, assigns(request))
        return saved(record_id, made)

    return _each(_records(request), work)


def delete(org: Account, request: Request, version: str) -> Response:
    """DELETE records of any type by their ids."""
    org.writable(request)
    prefixes = {kind.prefix: kind for kind in TYPES.values()}

    def work(item: dict[str, Any]) -> dict[str, Any]:
        kind = prefixes.get(item["id"][:3])
        if kind is None:
            raise Invalid("MALFORMED_ID", f"malformed id {item['id']}")
        return saved(org.store.delete(kind, item["id"]))

    return _each([{"id": value} for value in request.many("ids")], work)


def retrieve(org: Account, request: Request, version: str, type: str) -> Response:
    """GET or POST ids: their records, and null for each that is not there."""
    kind = type_of(org, request, type)
    body = request.json() if request.method == "POST" else {}
    ids = body.get("ids") or request.many("ids")
    names = body.get("fields") or request.many("fields")
    if len(ids) > RETRIEVE_MAX:
        raise problem(400, "INVALID_BATCH_SIZE", f"at most {RETRIEVE_MAX} records")
    fields = []
    for name in names:
        found = kind.find(name)
        if found is None:
            raise no_column(name, kind.name)
        fields.append(found)
    query = Query(kind, tuple(fields))
    known = [normal_id(str(value)) for value in ids]
    table = org.tables[kind.name]
    return Response.of_json(
        [
            rows(org, query, [record_id], version)[0] if record_id in table else None
            for record_id in known
            if record_id is not None
        ]
    )


def composite(org: Account, request: Request, version: str) -> Response:
    """POST several requests: each is answered on its own."""
    parts = request.json().get("compositeRequest")
    if not isinstance(parts, list) or not 0 < len(parts) <= PARTS_MAX:
        raise problem(400, "INVALID_INPUT", f"compositeRequest must have 1 to {PARTS_MAX} parts")
    if sum("/query" in str(part.get("url")) for part in parts) > QUERIES_MAX:
        raise problem(400, "INVALID_INPUT", f"at most {QUERIES_MAX} queries")
    return Response.of_json({"compositeResponse": [_part(org, request, part) for part in parts]})


def _part(org: Account, request: Request, part: dict[str, Any]) -> dict[str, Any]:
    path, _, query = str(part["url"]).partition("?")
    body = orjson.dumps(part["body"]) if "body" in part else b""
    more = {str(k).lower(): str(v) for k, v in (part.get("httpHeaders") or {}).items()}
    inner = Request(
        part["method"], path, parse_qs(query), {**request.headers, **more}, body, request.base_url
    )
    try:
        response = _answer(org, inner)
    except Answered as answered:
        response = answered.response
    return {
        "body": orjson.loads(response.body) if response.body else None,
        "httpHeaders": {},
        "httpStatusCode": response.status,
        "referenceId": part["referenceId"],
    }


def _answer(org: Account, inner: Request) -> Response:
    found = org.routes.find(inner.method, inner.path)
    if found is None:
        raise missing()
    route, values = found
    return route.handler(org, inner, **{name: unquote(value) for name, value in values.items()})


_COMPOSITE = "/services/data/{version}/composite"
ROUTES = (
    Route("POST", f"{_COMPOSITE}/sobjects", create),
    Route("PATCH", f"{_COMPOSITE}/sobjects", update),
    Route("DELETE", f"{_COMPOSITE}/sobjects", delete),
    Route("GET", f"{_COMPOSITE}/sobjects/{{type}}", retrieve),
    Route("POST", f"{_COMPOSITE}/sobjects/{{type}}", retrieve),
    Route("PATCH", f"{_COMPOSITE}/sobjects/{{type}}/{{field}}", upsert),
    Route("POST", _COMPOSITE, composite),
)

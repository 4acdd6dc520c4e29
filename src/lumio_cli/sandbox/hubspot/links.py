"""Endpoints of associations, v4. The batch ones do not count against the ten-second quota
(`x-hubspot-rate-limit-exemptions` in their description)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..http import Request, Response, Route
from .batch import answer, inputs_of
from .catalog import ALIASES, ASSOCIATION_TYPES, TYPES
from .errors import ApiError, invalid, missing_objects, not_found
from .objects import next_page, number
from .store import Store

if TYPE_CHECKING:
    from .account import Account

_IDS_MAX = 1000  # ids in one batch read
_PAIRS_MAX = 2000  # pairs in one batch create or archive
_PAGE_MAX = 500  # associations shown of one record


def reading(source: str, **_: str) -> tuple[str, ...]:
    """The scopes of which one is needed to read associations: those of the first type."""
    return TYPES[ALIASES[source]].scopes.read if source in ALIASES else ()


def writing(source: str, **_: str) -> tuple[str, ...]:
    """The scopes of which one is needed to write associations: those of the first type."""
    return TYPES[ALIASES[source]].scopes.write if source in ALIASES else ()


def _stores(hub: Account, source: str, target: str) -> tuple[Store, Store, tuple[str, str]]:
    one, other = hub.store(source), hub.store(target)
    return one, other, (one.type.name, other.type.name)


def _rows(store: Store, pair: tuple[str, str], found: dict[int, set[int]]) -> list[dict[str, Any]]:
    unlabelled = ASSOCIATION_TYPES[pair][0]
    return [
        {
            "toObjectId": str(store.ids[index]),
            "associationTypes": [
                {
                    "category": "HUBSPOT_DEFINED",
                    "typeId": type_id,
                    "label": None if type_id == unlabelled else "Primary",
                }
                for type_id in sorted(types)
            ],
        }
        for index, types in found.items()
    ]


def _page(
    hub: Account, pair: tuple[str, str], index: int, after: str, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """One page of a record's associations, in the order of ids, and the next `after`."""
    if not after.isdigit():
        raise invalid(f"Invalid value for after: {after!r}", after=[after])
    store = hub.objects[pair[1]]
    found = [item for item in hub.links.of(pair, index).items() if store.ids[item[0]] >= int(after)]
    rows = _rows(store, pair, dict(found[:limit]))
    following = str(store.ids[found[limit][0]]) if len(found) > limit else None
    return rows, following


def batch_read(hub: Account, request: Request, source: str, target: str) -> Response:
    """POST ids of the first type. A record without associations is no result, but an error
    (`NO_ASSOCIATIONS_FOUND`) in an answer 207."""
    one, other, pair = _stores(hub, source, target)
    results: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for item in inputs_of(request, _IDS_MAX):
        object_id = str(item.get("id"))
        index = one.find(object_id)
        rows, following = (
            ([], None)
            if index is None
            else _page(hub, pair, index, str(item.get("after") or "0"), _PAGE_MAX)
        )
        if not rows:
            # HubSpot says the same of a record that does not exist.
            message = (
                f"No {other.type.singular} is associated with {one.type.singular} {object_id}."
            )
            error = ApiError(404, "OBJECT_NOT_FOUND", message).item(
                fromObjectId=[object_id],
                fromObjectType=[one.type.singular],
                toObjectType=[other.type.singular],
            )
            errors.append({**error, "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND"})
            continue
        result: dict[str, Any] = {"from": {"id": object_id}, "to": rows}
        if following is not None:
            result["paging"] = next_page(request, following)
        results.append(result)
    return answer(hub, results, errors)


def list_page(hub: Account, request: Request, source: str, id: str, target: str) -> Response:
    """GET a page of one record's associations with a type; at most 500."""
    one, _, pair = _stores(hub, source, target)
    index = one.find(id)
    if index is None:
        raise not_found(id)
    limit = number(request, "limit", _PAGE_MAX, _PAGE_MAX)
    rows, following = _page(hub, pair, index, request.one("after") or "0", limit)
    body: dict[str, Any] = {"results": rows}
    if following is not None:
        body["paging"] = next_page(request, following)
    return Response.of_json(body)


def _ends(item: dict[str, Any]) -> tuple[str, str]:
    try:
        return str(item["from"]["id"]), str(item["to"]["id"])
    except (KeyError, TypeError):
        raise invalid("Invalid input JSON: from.id and to.id are needed") from None


def _pair(
    one: Store, other: Store, item: dict[str, Any], missing: dict[str, list[str]]
) -> tuple[int, int] | None:
    first, second = _ends(item)
    index, target = one.find(first), other.find(second)
    if index is None:
        missing.setdefault(one.type.singular, []).append(first)
    if target is None:
        missing.setdefault(other.type.singular, []).append(second)
    return None if index is None or target is None else (index, target)


def _errors(missing: dict[str, list[str]]) -> list[dict[str, Any]]:
    return [missing_objects(singular, ids).item() for singular, ids in missing.items()]


def _types(specs: Any) -> list[int]:
    if not isinstance(specs, list) or not specs:
        raise invalid("At least one association type is needed")
    return [spec.get("associationTypeId") for spec in specs]


def _between(hub: Account, one: Store, other: Store, index: int, target: int) -> dict[str, Any]:
    types = hub.links.of((one.type.name, other.type.name), index).get(target, set())
    return {
        "fromObjectTypeId": one.type.type_id,
        "fromObjectId": str(one.ids[index]),
        "toObjectTypeId": other.type.type_id,
        "toObjectId": str(other.ids[target]),
        "labels": ["Primary"] if len(types) > 1 else [],
    }


def batch_create(hub: Account, request: Request, source: str, target: str) -> Response:
    """POST pairs with association types. Pairs of unknown records are errors of a 207."""
    one, other, pair = _stores(hub, source, target)
    inputs = inputs_of(request, _PAIRS_MAX)
    wanted = [(item, _types(item.get("types"))) for item in inputs]
    results: list[dict[str, Any]] = []
    missing: dict[str, list[str]] = {}
    for item, type_ids in wanted:
        ends = _pair(one, other, item, missing)
        if ends is None:
            continue
        for type_id in type_ids:
            hub.links.add(pair, *ends, type_id)
        results.append(_between(hub, one, other, *ends))
    return answer(hub, results, _errors(missing), 201)


def batch_default(hub: Account, request: Request, source: str, target: str) -> Response:
    """POST pairs, to be associated without a label."""
    one, other, pair = _stores(hub, source, target)
    results: list[dict[str, Any]] = []
    missing: dict[str, list[str]] = {}
    for item in inputs_of(request, _PAIRS_MAX):
        ends = _pair(one, other, item, missing)
        if ends is not None:
            results.extend(_default(hub, pair, ends))
    return answer(hub, results, _errors(missing))


def _default(hub: Account, pair: tuple[str, str], ends: tuple[int, int]) -> list[dict[str, Any]]:
    hub.links.add(pair, *ends)
    one, other = hub.objects[pair[0]], hub.objects[pair[1]]
    way = {"from": {"id": str(one.ids[ends[0]])}, "to": {"id": str(other.ids[ends[1]])}}
    back = {"from": way["to"], "to": way["from"]}
    return [
        {**ids, "associationSpec": _spec(types)}
        for ids, types in ((way, pair), (back, (pair[1], pair[0])))
    ]


def _spec(pair: tuple[str, str]) -> dict[str, Any]:
    type_id = ASSOCIATION_TYPES[pair][0]
    return {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}


def batch_archive(hub: Account, request: Request, source: str, target: str) -> Response:
    """POST records and what is no longer associated with them. Unknown ones are passed over."""
    one, other, pair = _stores(hub, source, target)
    for item in inputs_of(request, _PAIRS_MAX):
        index = one.find(str(item.get("from", {}).get("id")))
        for end in item.get("to", ()):
            target_index = other.find(str(end.get("id")))
            if index is not None and target_index is not None:
                hub.links.remove(pair, index, target_index)
    return Response(204)


def batch_labels_archive(hub: Account, request: Request, source: str, target: str) -> Response:
    """POST pairs and the association types to take from them."""
    one, other, pair = _stores(hub, source, target)
    for item in inputs_of(request, _PAIRS_MAX):
        ends = _pair(one, other, item, {})
        if ends is not None:
            hub.links.remove(pair, *ends, set(_types(item.get("types"))))
    return Response(204)


def put(
    hub: Account, request: Request, source: str, id: str, target: str, other_id: str
) -> Response:
    """PUT association types between two records."""
    one, other, pair = _stores(hub, source, target)
    index, target_index = one.find(id), other.find(other_id)
    if index is None or target_index is None:
        raise not_found(id if index is None else other_id)
    for type_id in _types(request.json()):
        hub.links.add(pair, index, target_index, type_id)
    return Response.of_json(_between(hub, one, other, index, target_index), 201)


def put_default(
    hub: Account, _request: Request, source: str, id: str, target: str, other_id: str
) -> Response:
    """PUT the association without a label between two records."""
    one, other, pair = _stores(hub, source, target)
    index, target_index = one.find(id), other.find(other_id)
    if index is None or target_index is None:
        raise not_found(id if index is None else other_id)
    return answer(hub, _default(hub, pair, (index, target_index)), [])


def delete(
    hub: Account, _request: Request, source: str, id: str, target: str, other_id: str
) -> Response:
    """DELETE every association between two records."""
    one, other, pair = _stores(hub, source, target)
    index, target_index = one.find(id), other.find(other_id)
    if index is not None and target_index is not None:
        hub.links.remove(pair, index, target_index)
    return Response(204)


_BATCH = "/crm/v4/associations/{source}/{target}/batch"
_ONE = "/crm/v4/objects/{source}/{id}/associations"
ROUTES = (
    Route("POST", f"{_BATCH}/read", batch_read, reading, "exempt"),
    Route("POST", f"{_BATCH}/create", batch_create, writing, "exempt"),
    Route("POST", f"{_BATCH}/associate/default", batch_default, writing, "exempt"),
    Route("POST", f"{_BATCH}/archive", batch_archive, writing, "exempt"),
    Route("POST", f"{_BATCH}/labels/archive", batch_labels_archive, writing, "exempt"),
    Route("GET", f"{_ONE}/{{target}}", list_page, reading),
    Route("PUT", f"{_ONE}/default/{{target}}/{{other_id}}", put_default, writing),
    Route("PUT", f"{_ONE}/{{target}}/{{other_id}}", put, writing),
    Route("DELETE", f"{_ONE}/{{target}}/{{other_id}}", delete, writing),
)

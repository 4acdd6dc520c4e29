"""Endpoints of single records: list, read, create, update, archive, search, merge, privacy."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from ..http import Request, Response, Route
from . import search
from .catalog import ALIASES, ASSOCIATION_TYPES, TYPES
from .errors import invalid, not_found
from .store import Store
from .times import iso

if TYPE_CHECKING:
    from .account import Account

_PAGE_MAX = 100
_HISTORY_PAGE_MAX = 50
_ASSOCIATIONS_SHOWN = 500


def reading(type: str, **_: str) -> tuple[str, ...]:
    """The scopes of which one is needed to read a type."""
    return TYPES[ALIASES[type]].scopes.read if type in ALIASES else ()


def writing(type: str, **_: str) -> tuple[str, ...]:
    """The scopes of which one is needed to write a type."""
    return TYPES[ALIASES[type]].scopes.write if type in ALIASES else ()


def flag(request: Request, name: str) -> bool:
    """A boolean of the query, false unless sent; in any case, for the official client sends
    `True`. Raises ApiError (400)."""
    value = (request.one(name) or "false").lower()
    if value not in ("true", "false"):
        raise invalid(f"Invalid value for {name}: {value!r}", **{name: [value]})
    return value == "true"


def number(request: Request, name: str, default: int, most: int, least: int = 1) -> int:
    """A whole number of the query. Raises ApiError (400) outside of its range."""
    value = request.one(name)
    if value is None:
        return default
    if not value.isdigit() or not least <= int(value) <= most:
        raise invalid(f"{name} must be between {least} and {most}, not {value!r}", limit=[value])
    return int(value)


def next_page(request: Request, after: str) -> dict[str, Any]:
    """The `paging` of an answer that has more."""
    link = f"{request.base_url}{request.path}?after={after}"
    return {"next": {"after": after, "link": link}}


def with_history(
    store: Store, indexes: list[int], documents: list[dict[str, Any]], names: list[str]
) -> None:
    """Adds `propertiesWithHistory`. Only current values are known: a history of one entry."""
    for name in names:
        if name not in store.properties:
            continue
        values = store.values(indexes, name)
        for at, document in enumerate(documents):
            entries = []
            if values[at] is not None:
                moment = iso(store.modified[indexes[at]])
                entry = {"value": values[at], "timestamp": moment, "sourceType": "CRM_UI"}
                entries.append(entry)
            document.setdefault("propertiesWithHistory", {})[name] = entries


def with_associations(
    hub: Account, store: Store, indexes: list[int], documents: list[dict[str, Any]], to: list[str]
) -> None:
    """Adds the first associations of each record with these types, by the types' plurals."""
    kind = store.type
    for word in to:
        other = hub.store(word)
        pair = (kind.name, other.type.name)
        for index, document in zip(indexes, documents, strict=True):
            found = hub.links.of(pair, index)
            if not found:
                continue
            label = f"{kind.singular}_to_{other.type.singular}"
            unlabelled, primary = ASSOCIATION_TYPES[pair]
            rows = [
                {
                    "id": str(other.ids[i]),
                    # Where a pair has a primary label, the plain type is the "unlabeled" one.
                    "type": label
                    if primary is None or type_ != unlabelled
                    else f"{label}_unlabeled",
                }
                for i, types in list(found.items())[:_ASSOCIATIONS_SHOWN]
                for type_ in sorted(types)
            ]
            document.setdefault("associations", {})[other.type.name] = {"results": rows}


def list_page(hub: Account, request: Request, type: str) -> Response:
    """GET a page of records in the order of ids; `after` is the least id of the next page."""
    store = hub.store(type)
    history = request.many("propertiesWithHistory")
    most = _HISTORY_PAGE_MAX if history else _PAGE_MAX
    limit = number(request, "limit", 10, most)
    archived = flag(request, "archived")
    after = request.one("after") or "0"
    if not after.isdigit():
        raise invalid(f"Invalid value for after: {after!r}", after=[after])
    names = store.chosen(request.many("properties"))
    start = bisect_left(store.ids, int(after))
    indexes = store.page(start, limit + 1, archived)
    following, indexes = indexes[limit:], indexes[:limit]
    documents = store.documents(indexes, names)
    with_history(store, indexes, documents, history)
    with_associations(hub, store, indexes, documents, request.many("associations"))
    body: dict[str, Any] = {"results": documents}
    if following:
        body["paging"] = next_page(request, str(store.ids[following[0]]))
    return Response.of_json(body)


def read(hub: Account, request: Request, type: str, id: str) -> Response:
    """GET one record, by id or by a unique property."""
    store = hub.store(type)
    if flag(request, "archived"):
        index = store.find(id, archived=True)
    else:
        index = hub.resolve(store, id, request.one("idProperty"), merged=True)
    if index is None:
        raise not_found(id)
    documents = store.documents([index], store.chosen(request.many("properties")))
    with_history(store, [index], documents, request.many("propertiesWithHistory"))
    with_associations(hub, store, [index], documents, request.many("associations"))
    return Response.of_json(documents[0])


def after_write(store: Store, index: int, written: dict[str, Any]) -> dict[str, Any]:
    """The record as a write answers it: the defaults and what was written."""
    return store.documents([index], store.chosen([*store.type.defaults, *written]))[0]


def associations_of(hub: Account, store: Store, wanted: Any) -> list[tuple[Store, int, int]]:
    """Reads the `associations` of a new record. Raises ApiError before anything is written."""
    found = []
    for item in wanted or ():
        for spec in item.get("types", ()):
            type_id = spec.get("associationTypeId")
            for (one, two), types in ASSOCIATION_TYPES.items():
                if one == store.type.name and type_id in types:
                    other = hub.store(two)
                    target = other.find(str(item["to"]["id"]))
                    if target is None:
                        raise invalid(f"Invalid association target {item['to']['id']}")
                    found.append((other, target, type_id))
                    break
            else:
                raise invalid(f"{type_id} is not a valid association type id")
    return found


def create(hub: Account, request: Request, type: str) -> Response:
    """POST a new record."""
    store = hub.store(type)
    body = request.json()
    wanted = associations_of(hub, store, body.get("associations"))
    properties = body.get("properties")
    index = hub.add(store, hub.first(store, hub.check(store, properties, new=True)))
    for other, target, type_id in wanted:
        hub.links.add((store.type.name, other.type.name), index, target, type_id)
    return Response.of_json(after_write(store, index, properties), 201)


def update(hub: Account, request: Request, type: str, id: str) -> Response:
    """PATCH a record, by id or by a unique property."""
    store = hub.store(type)
    index = hub.resolve(store, id, request.one("idProperty"))
    if index is None:
        raise not_found(id)
    properties = request.json().get("properties")
    values = hub.check(store, properties, index=index)
    hub.put(store, index, hub.forward(store, index, values))
    return Response.of_json(after_write(store, index, properties))


def archive(hub: Account, _request: Request, type: str, id: str) -> Response:
    """DELETE a record, that is, archive it."""
    hub.archive(type, id)
    return Response(204)


def merge(hub: Account, request: Request, type: str) -> Response:
    """POST two ids: the second record is merged into the first."""
    store = hub.store(type)
    body = request.json()
    primary, loser = str(body.get("primaryObjectId")), str(body.get("objectIdToMerge"))
    index = store.find(hub.merge(type, primary, loser))
    if index is None:
        raise not_found(primary)
    return Response.of_json(after_write(store, index, {"hs_merged_object_ids": None}))


def gdpr_delete(hub: Account, request: Request, type: str) -> Response:
    """POST an id (or an e-mail address): the contact is deleted for good."""
    store = hub.store(type)
    body = request.json()
    value, id_property = str(body.get("objectId")), body.get("idProperty")
    index = hub.resolve(store, value, id_property)
    hub.purge(type, value if index is None else str(store.ids[index]))
    return Response(204)


def find(hub: Account, request: Request, type: str) -> Response:
    """POST a search."""
    store = hub.store(type)
    store.settle(hub.now())
    query = search.parse(store, request.json())
    searcher = hub.searcher(store)
    total, indexes = searcher.run(query)
    names = store.chosen(query.properties)
    documents = store.documents(indexes, names)
    for at, index in enumerate(indexes):
        if index in store.unindexed:
            old = store.unindexed[index].values
            documents[at]["properties"] = {name: old.get(name) for name in names}
            documents[at]["updatedAt"] = old[store.type.modified]
            documents[at]["archived"] = False
            documents[at].pop("archivedAt", None)
    body: dict[str, Any] = {"total": total, "results": documents}
    last = query.after + len(indexes)
    if indexes and last < total:
        body["paging"] = {"next": {"after": str(last)}}
    return Response.of_json(body)


_TYPE = "/crm/v3/objects/{type}"
ROUTES = (
    Route("GET", _TYPE, list_page, reading),
    Route("POST", f"{_TYPE}/search", find, reading, "search"),
    Route("POST", _TYPE, create, writing),
    Route("POST", f"{_TYPE}/merge", merge, writing),
    Route("POST", f"{_TYPE}/gdpr-delete", gdpr_delete, writing),
    Route("GET", f"{_TYPE}/{{id}}", read, reading),
    Route("PATCH", f"{_TYPE}/{{id}}", update, writing),
    Route("DELETE", f"{_TYPE}/{{id}}", archive, writing),
)

"""Batch endpoints: at most 100 inputs; 207 where some of them fail and that can be told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..http import Request, Response, Route
from .data import Value
from .errors import ApiError, invalid, missing_objects
from .objects import after_write, associations_of, flag, reading, with_history, writing
from .store import Store
from .times import iso

if TYPE_CHECKING:
    from .account import Account

_INPUTS_MAX = 100


def inputs_of(request: Request, most: int = _INPUTS_MAX) -> list[dict[str, Any]]:
    """The `inputs` of a batch. Raises ApiError (400) for none, too many, or no objects."""
    body = request.json()
    inputs = body.get("inputs") if isinstance(body, dict) else None
    if not isinstance(inputs, list) or not all(isinstance(item, dict) for item in inputs):
        raise invalid("Invalid input JSON: inputs must be an array of objects")
    if not inputs:
        raise invalid("The inputs must not be empty")
    if len(inputs) > most:
        raise invalid(f"The maximum number of inputs in a batch is {most}, not {len(inputs)}")
    return inputs


def answer(
    hub: Account,
    results: list[dict[str, Any]],
    errors: list[dict[str, Any]],
    status: int = 200,
) -> Response:
    """The envelope of a batch: 207 where there are errors."""
    now = iso(int(hub.now() * 1000))
    body: dict[str, Any] = {
        "status": "COMPLETE",
        "results": results,
        "startedAt": now,
        "completedAt": now,
    }
    if errors:
        body["numErrors"] = sum(len(error["context"].get("ids", (1,))) for error in errors)
        body["errors"] = errors
    return Response.of_json(body, 207 if errors else status)


def read(hub: Account, request: Request, type: str) -> Response:
    """POST ids: their records. Ids not found come back as one error; a merged one's id brings
    the record it was merged into."""
    store = hub.store(type)
    inputs = inputs_of(request)
    body = request.json()
    id_property = body.get("idProperty")
    archived = flag(request, "archived")
    found: dict[int, None] = {}
    missing = []
    for item in inputs:
        value = str(item.get("id"))
        index = (
            store.find(value, archived=True)
            if archived
            else hub.resolve(store, value, id_property, merged=True)
        )
        if index is None:
            missing.append(value)
        else:
            found[index] = None
    indexes = list(found)
    documents = store.documents(indexes, store.chosen(body.get("properties") or []))
    with_history(store, indexes, documents, body.get("propertiesWithHistory") or [])
    errors = [missing_objects(store.type.singular, missing).item()] if missing else []
    return answer(hub, documents, errors)


def _traced(document: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    if item.get("objectWriteTraceId"):
        document["objectWriteTraceId"] = item["objectWriteTraceId"]
    return document


def create(hub: Account, request: Request, type: str) -> Response:
    """POST new records.

    Where every input has its own objectWriteTraceId, each succeeds or fails alone (the guide's
    "multi-status errors"); else the first failure fails the batch and nothing is written.
    """
    store = hub.store(type)
    inputs = inputs_of(request)
    traces = [item.get("objectWriteTraceId") for item in inputs]
    alone = all(traces) and len(set(traces)) == len(traces)
    results: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    if not alone:
        _refuse_twins(store, [item.get("properties") or {} for item in inputs])
        for item in inputs:
            hub.check(store, item.get("properties"), new=True)
            associations_of(hub, store, item.get("associations"))
    for item in inputs:
        try:
            values = hub.check(store, item.get("properties"), new=True)
            wanted = associations_of(hub, store, item.get("associations"))
        except ApiError as error:
            errors.append(error.item(objectWriteTraceId=[item["objectWriteTraceId"]]))
            continue
        index = hub.add(store, hub.first(store, values))
        for other, target, type_id in wanted:
            hub.links.add((store.type.name, other.type.name), index, target, type_id)
        results.append(_traced(after_write(store, index, item["properties"]), item))
    return answer(hub, results, errors, 201)


def _refuse_twins(store: Store, rows: list[dict[str, Any]]) -> None:
    """Two inputs of one batch may not have the same unique value."""
    for name, item in store.properties.items():
        if not item.unique or item.read_only:
            continue
        values = [str(row[name]).lower() for row in rows if row.get(name)]
        if len(set(values)) < len(values):
            raise invalid(f"Duplicate values of the unique property {name} in the batch")


def update(hub: Account, request: Request, type: str) -> Response:
    """POST changes by id. An invalid value fails the whole batch with 400; ids not found come
    back as errors and the rest is written."""
    store = hub.store(type)
    checked = []
    missing = []
    inputs = inputs_of(request)
    _refuse_twins(store, [item.get("properties") or {} for item in inputs])
    for item in inputs:
        index = hub.resolve(store, str(item.get("id")), item.get("idProperty"))
        if index is None:
            missing.append(str(item.get("id")))
        else:
            checked.append((item, index, hub.check(store, item.get("properties"), index=index)))
    results = []
    for item, index, values in checked:
        hub.put(store, index, hub.forward(store, index, values))
        results.append(_traced(after_write(store, index, item["properties"]), item))
    errors = [missing_objects(store.type.singular, missing).item()] if missing else []
    return answer(hub, results, errors)


def upsert(hub: Account, request: Request, type: str) -> Response:
    """POST changes by a unique property (`idProperty`): known records are updated, others made.
    An invalid value fails the whole batch with 400."""
    store = hub.store(type)
    checked: list[tuple[dict[str, Any], int | None, dict[str, Value]]] = []
    seen: set[str] = set()
    for item in inputs_of(request):
        name, value = item.get("idProperty"), str(item.get("id"))
        if not name or name == "hs_object_id":
            raise invalid("idProperty must name a unique property")
        if value.lower() in seen:
            raise invalid(f"Duplicate IDs found in batch input: [{value}]. IDs must be unique")
        seen.add(value.lower())
        index = hub.resolve(store, value, name)
        properties = item.get("properties") or {}
        if index is None:
            properties = {name: value, **properties}
        checked.append((item, index, hub.check(store, properties, index is None, index)))
    results = []
    for item, known, values in checked:
        if known is None:
            index = hub.add(store, hub.first(store, values))
        else:
            index = known
            hub.put(store, index, hub.forward(store, index, values))
        document = after_write(store, index, values)
        results.append(_traced({**document, "new": known is None}, item))
    return answer(hub, results, [])


def archive(hub: Account, request: Request, type: str) -> Response:
    """POST ids to archive. 204 also where some are unknown or archived already."""
    store = hub.store(type)
    for item in inputs_of(request):
        if store.find(str(item.get("id"))) is not None:
            hub.archive(type, str(item["id"]))
    return Response(204)


_BATCH = "/crm/v3/objects/{type}/batch"
ROUTES = (
    Route("POST", f"{_BATCH}/read", read, reading),
    Route("POST", f"{_BATCH}/create", create, writing),
    Route("POST", f"{_BATCH}/update", update, writing),
    Route("POST", f"{_BATCH}/upsert", upsert, writing),
    Route("POST", f"{_BATCH}/archive", archive, writing),
)

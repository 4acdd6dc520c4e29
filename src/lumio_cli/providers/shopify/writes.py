"""Writing to Shopify: one mutation a record, stock in batches; user errors become receipts."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lumio_cli.errors import (
    OUTCOME_UNKNOWN,
    CircuitOpenError,
    DeniedError,
    QuotaError,
    RejectedError,
    UnavailableError,
)
from lumio_cli.providers.base import Call, Column, Resource, Send, dig
from lumio_cli.providers.shopify import graph
from lumio_cli.providers.shopify.resources import INVENTORY_LEVELS
from lumio_cli.providers.writing import Change, Receipt

BATCH = 250
"""Quantities a call: Shopify takes no longer array."""
ERRORS = "userErrors { field message }"
_STOCK = """mutation SetStock($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id }
    userErrors { code field message }
  }
}"""
_WHERE = """query StockPlaces($ids: [ID!]!) {
  nodes(ids: $ids) { id ... on InventoryLevel { item { id } location { id } } }
}"""
_KINDS = {
    "products": ("product", "Product", "product", "ProductUpdateInput", "ProductCreateInput"),
    "customers": ("customer", "Customer", "input", "CustomerInput", "CustomerInput"),
    "orders": ("order", "Order", "input", "OrderInput", "OrderInput"),
}
_GONE = ("does not exist", "can't be found", "could not be found", "not found")
_CONFLICT = ("taken", "already", "STALE", "PARAMETER_MISMATCH")


def document(resource: str, action: str) -> str:
    """The mutation of a resource's records."""
    name, kind, argument, update, create = _KINDS[resource]
    if action == "archive":
        return f"""mutation Delete{kind}($input: {kind}DeleteInput!) {{
  {name}Delete(input: $input) {{ deleted{kind}Id {ERRORS} }}
}}"""
    verb = "Create" if action == "create" else "Update"
    given = create if action == "create" else update
    return f"""mutation {verb}{kind}($input: {given}!) {{
  {name}{verb}({argument}: $input) {{ {name} {{ id updatedAt }} {ERRORS} }}
}}"""


def write_all(
    version: str, resource: Resource, changes: Sequence[Change], send: Send
) -> Iterator[Receipt]:
    """Apply changes of one action; one receipt a change."""
    if resource is INVENTORY_LEVELS:
        yield from _write_stock(version, changes, send)
        return
    for change in changes:
        yield _write_one(version, resource, change, send)


def _write_stock(version: str, changes: Sequence[Change], send: Send) -> Iterator[Receipt]:
    """Set quantities, of one name a call."""
    named: dict[str, list[Change]] = {"available": [], "on_hand": []}
    for change in changes:
        names = [name for name in named if name in change.values]
        message = ""
        if len(change.values) != 1 or not names:
            message = "of stock either `available` or `on_hand` can be set: one follows the other"
        else:
            try:
                _integer(names[0], change.values[names[0]])
            except ValueError as error:
                message = str(error)
        if message:
            yield Receipt(change.trace, "failed", change.id, None, "validation", message)
        else:
            named[names[0]].append(change)
    for name, chosen in named.items():
        for start in range(0, len(chosen), BATCH):
            yield from _set_stock(version, name, chosen[start : start + BATCH], send)


def _write_one(version: str, resource: Resource, change: Change, send: Send) -> Receipt:
    name = _KINDS[resource.name][0]
    try:
        given = _input(resource, change)
    except ValueError as error:
        return Receipt(change.trace, "failed", change.id, None, "validation", str(error))
    # A create would be carried out twice; the others say what shall be true.
    call = graph.call(
        version,
        document(resource.name, change.action),
        {"input": given},
        safe=change.action != "create",
    )
    reply = _sent(call, change, send)
    if isinstance(reply, Receipt):
        return reply
    payload = next(iter(dig(reply, "data").values())) or {}
    wrong = payload.get("userErrors") or []
    if wrong:
        receipt = _failed(change, wrong[0])
        if change.action == "archive" and receipt.kind == "gone":
            # That it is gone is what was asked for; it may have been us, in a lost answer.
            return Receipt(change.trace, "done", change.id)
        return receipt
    if change.action == "archive":
        return Receipt(change.trace, "done", change.id)
    record = payload.get(name)
    if not isinstance(record, dict):
        message = "Shopify's answer does not say what became of this item"
        return Receipt(change.trace, "unknown", change.id, None, "unsettled", message)
    return Receipt(change.trace, "done", str(record["id"]), record)


def _sent(call: Call, change: Change, send: Send) -> Any:
    """The answer's body, or the receipt of a change that was not answered."""
    try:
        return send(call).json()
    except DeniedError as error:
        missing = f"; missing scope: {', '.join(error.scopes)}" if error.scopes else ""
        message = f"{error.message}{missing}"
        return Receipt(change.trace, "failed", change.id, None, "permission", message)
    except RejectedError as error:
        return Receipt(change.trace, "failed", change.id, None, "validation", error.message)
    except (CircuitOpenError, QuotaError) as error:
        return Receipt(change.trace, "retry", change.id, None, "transient", error.message)
    except UnavailableError as error:
        # What may be repeated may be sent again; nobody knows what became of anything else.
        if error.code == OUTCOME_UNKNOWN and not call.repeatable:
            return Receipt(change.trace, "unknown", change.id, None, "unsettled", error.message)
        return Receipt(change.trace, "retry", change.id, None, "transient", error.message)


def _failed(change: Change, error: Mapping[str, Any]) -> Receipt:
    message, code = str(error.get("message") or ""), str(error.get("code") or "")
    where = ".".join(str(part) for part in error.get("field") or ())
    kind = "validation"
    if any(word in message for word in _GONE) or code == "INVALID_INVENTORY_ITEM":
        kind = "gone"
    elif any(word in message or word in code for word in _CONFLICT):
        kind = "conflict"
    text = f"{where}: {message}" if where and where not in message else message
    return Receipt(change.trace, "failed", change.id, None, kind, text)


def _input(resource: Resource, change: Change) -> dict[str, Any]:
    """The input of a mutation, from values by the names of columns (or Shopify's own names).

    Raises `ValueError` for a name or a value that cannot be written.
    """
    found: dict[str, Any] = {} if change.action == "create" else {"id": change.id}
    by_name = {column.name: column for column in resource.columns}
    for name, value in change.values.items():
        column = by_name.get(name)
        if column is not None and column.read_only:
            raise ValueError(f"{name} cannot be written: Shopify makes it")
        path = column.path if column else name
        typed = _typed(column, value)
        if path.startswith("seo."):
            found.setdefault("seo", {})[path.removeprefix("seo.")] = typed
        else:
            # A customer's address and number are objects where they are read.
            plain = {"email": "email", "phone": "phone"}.get(name)
            found[plain or path] = typed
    return found


def _typed(column: Column | None, value: str | None) -> Any:
    """A value as its column's kind wants it. Texts of lists may be JSON or separated by commas."""
    if column is None or value is None:
        return value
    if column.kind == "boolean":
        if value not in ("true", "false"):
            raise ValueError(f"{column.name}: {value!r} is neither true nor false")
        return value == "true"
    if column.kind == "integer":
        return _integer(column.name, value)
    if column.kind != "json":
        return value
    try:
        return json.loads(value)
    except ValueError:
        return [part.strip() for part in value.split(",") if part.strip()]


def _integer(name: str, value: str | None) -> int:
    try:
        return int(value or 0)
    except ValueError:
        raise ValueError(f"{name}: {value!r} is no whole number") from None


def _set_stock(version: str, name: str, changes: Sequence[Change], send: Send) -> Iterator[Receipt]:
    """Set the stock of many items at once. Shopify sets all or none: where one is wrong, it is
    taken out by the index in its error, and the others are sent again."""
    places, unknown = _places(version, changes, send)
    yield from unknown
    changes = [change for change in changes if change.id in places]
    if not changes:
        return
    quantities = [
        {
            "inventoryItemId": places[change.id][0],
            "locationId": places[change.id][1],
            "quantity": int(change.values[name] or 0),
            "changeFromQuantity": _before(change, name),
        }
        for change in changes
    ]
    given = {"name": name, "reason": "correction", "quantities": quantities}
    # The same changes make the same key, so that a lost answer can be asked for again.
    seed = json.dumps([given, [c.trace for c in changes]], sort_keys=True)
    key = str(uuid.uuid5(uuid.NAMESPACE_URL, f"lumio:{seed}"))
    variables = {"input": given, "key": key}
    call = graph.call(version, _STOCK, variables, safe=True, idempotency_key=key)
    reply = _sent(call, changes[0], send)
    if isinstance(reply, Receipt):
        for change in changes:
            yield Receipt(change.trace, reply.status, change.id, None, reply.kind, reply.message)
        return
    wrong = dig(reply, "data.inventorySetQuantities.userErrors") or []
    if not wrong:
        yield from (Receipt(change.trace, "done", change.id) for change in changes)
        return
    bad: dict[int, Any] = {}
    for error in wrong:
        index = next((int(p) for p in error.get("field") or () if str(p).isdigit()), None)
        if index is not None and index < len(changes):
            bad.setdefault(index, error)
    if not bad:  # it is about the call as a whole
        yield from (_failed(change, wrong[0]) for change in changes)
        return
    yield from (_failed(changes[n], error) for n, error in bad.items())
    rest = [change for n, change in enumerate(changes) if n not in bad]
    if rest:
        yield from _set_stock(version, name, rest, send)


def _places(
    version: str, changes: Sequence[Change], send: Send
) -> tuple[dict[str, tuple[str, str]], list[Receipt]]:
    """Item and location of each level, by its id; receipts of the levels that there are none of."""
    call = graph.call(version, _WHERE, {"ids": [change.id for change in changes]})
    reply = _sent(call, changes[0], send)
    if isinstance(reply, Receipt):
        return {}, [
            Receipt(c.trace, "retry" if reply.status == "unknown" else reply.status, c.id, None,
                    reply.kind, reply.message)
            for c in changes
        ]  # fmt: skip
    found = {
        str(node["id"]): (str(dig(node, "item.id")), str(dig(node, "location.id")))
        for node in dig(reply, "data.nodes") or ()
        if node and dig(node, "item.id")
    }
    message = "the item is no longer stocked at the location"
    gone = [
        Receipt(c.trace, "failed", c.id, None, "gone", message)
        for c in changes if c.id not in found
    ]  # fmt: skip
    return found, gone


def _before(change: Change, name: str) -> int | None:
    """The quantity that the edit was made on, where it is known: Shopify refuses the change if
    it has moved since."""
    value = change.base.get(name)
    return int(value) if value not in (None, "") else None

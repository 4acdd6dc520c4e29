"""Writing to Shopify: one mutation a record, stock in batches; user errors become receipts."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lumio_cli.core.errors import DeniedError, RejectedError, UnavailableError
from lumio_cli.providers.contract.answers import receipt_of
from lumio_cli.providers.contract.call import Call, Send, dig
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.resource import Resource
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.shopify import graph
from lumio_cli.providers.shopify.behaviour import InventoryLevels
from lumio_cli.providers.shopify.documents import WRITTEN
from lumio_cli.providers.shopify.inputs import input_of, quantity
from lumio_cli.providers.shopify.judging import about_the_shop
from lumio_cli.providers.shopify.personal import as_shown, check

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
_GONE_CODES = ("INVALID_INVENTORY_ITEM", "INVALID_LOCATION", "ITEM_NOT_STOCKED_AT_LOCATION")
_BUSY = "IDEMPOTENCY_CONCURRENT_REQUEST"
_USED_UP = ("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", "IDEMPOTENCY_KEY_PARAMETER_MISMATCH")
"""Codes of a key that is no good any more: "Retry with a new idempotency key"."""
_KEYS = 8
"""Keys that are tried, one after the other, for the very same change of stock."""
_CONFLICT = ("taken", "already", "STALE")


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
  {name}{verb}({argument}: $input) {{ {name} {{ {WRITTEN[resource]} }} {ERRORS} }}
}}"""


def write_all(
    version: str,
    resource: Resource,
    changes: Sequence[Change],
    send: Send,
    left_out: Callable[[], frozenset[str]],
) -> Iterator[Receipt]:
    """Apply changes of one action; one receipt a change. `left_out` are the personal fields that
    are not shown now: what cannot be read is not written, either."""
    if isinstance(resource, InventoryLevels):
        yield from _write_stock(version, changes, send)
        return
    denied: Receipt | None = None
    for change in changes:
        if denied is None:
            receipt = _write_one(version, resource, change, send, left_out)
            denied = receipt if receipt.kind == "permission" else None
        else:
            # So it would be with all others: they are not worth a request each.
            receipt = replace(denied, trace=change.trace, id=change.id)
        yield receipt


def _write_stock(version: str, changes: Sequence[Change], send: Send) -> Iterator[Receipt]:
    """Set quantities, of one name a call."""
    named: dict[str, list[Change]] = {"available": [], "on_hand": []}
    for change in changes:
        try:
            named[_counted(change, named)].append(change)
        except ValueError as error:
            yield receipt_of(change, error)
    for name, chosen in named.items():
        for start in range(0, len(chosen), BATCH):
            yield from _set_stock(version, name, chosen[start : start + BATCH], send)


def _counted(change: Change, known: Collection[str]) -> str:
    """The name of the quantity that a change sets. Raises `ValueError`."""
    for name in change.values:
        if name not in known:
            raise ValueError(f"{name} cannot be written: Shopify makes it")
    if len(change.values) != 1:
        raise ValueError(
            "of stock either `available` or `on_hand` can be set: one follows the other"
        )
    ((name, value),) = change.values.items()
    quantity(name, value)
    return name


def _write_one(
    version: str,
    resource: Resource,
    change: Change,
    send: Send,
    left_out: Callable[[], frozenset[str]],
) -> Receipt:
    name = _KINDS[resource.name][0]
    try:
        check(resource, change.values, left_out())
        given = input_of(resource, change)
    except ValueError as error:
        return receipt_of(change, error)
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
            return Receipt.done(change.trace, change.id)
        return receipt
    if change.action == "archive":
        return Receipt.done(change.trace, change.id)
    record = payload.get(name)
    if not isinstance(record, dict):
        message = "Shopify's answer does not say what became of this item"
        return Receipt.unknown(change.trace, message, change.id)
    return Receipt.done(change.trace, str(record["id"]), as_shown(record, reply.get("errors")))


def _sent(call: Call, change: Change, send: Send) -> Any:
    """The answer's body, or the receipt of a change that was not answered. Raises
    `UnavailableError` where the shop is not to be had: no change is at fault, and all wait."""
    try:
        return send(call).json()
    except RejectedError as error:
        if about_the_shop(error):
            raise UnavailableError(error.message, hint=error.hint) from error
        return Receipt.failed(change.trace, "validation", error.message, change.id)
    except (DeniedError, UnavailableError) as error:
        return receipt_of(change, error)


def _failed(change: Change, error: Mapping[str, Any]) -> Receipt:
    message, code = str(error.get("message") or ""), str(error.get("code") or "")
    where = ".".join(str(part) for part in error.get("field") or ())
    kind = "validation"
    if code == _BUSY:
        return Receipt.retry(change.trace, message, change.id)
    # An error in a field other than the id is about another record, to which this one refers.
    itself = where in ("", "id") or where.endswith(".id")
    missing = any(word in message.replace("\u2019", "'") for word in _GONE)
    if (missing and itself) or code in _GONE_CODES:
        kind = "gone"
    elif any(word in message or word in code for word in _CONFLICT):
        kind = "conflict"
    text = f"{where}: {message}" if where and where not in message else message
    return Receipt.failed(change.trace, kind, text, change.id)


def _set_stock(
    version: str, name: str, changes: Sequence[Change], send: Send, attempt: int = 0
) -> Iterator[Receipt]:
    """Set the stock of many items at once. Shopify sets all or none: where one is wrong, it is
    taken out by the index in its error, and the others are sent again. A key that is used up is
    replaced: `attempt` makes it another one."""
    places, unknown = _places(version, changes, send)
    yield from unknown
    changes = [change for change in changes if change.id in places]
    if not changes:
        return
    quantities = [
        {
            "inventoryItemId": places[change.id][0],
            "locationId": places[change.id][1],
            "quantity": quantity(name, change.values[name]),
            "changeFromQuantity": _before(change, name),
        }
        for change in changes
    ]
    given = {"name": name, "reason": "correction", "quantities": quantities}
    # The same changes make the same key, so that a lost answer can be asked for again.
    seed = json.dumps([given, [c.trace for c in changes], attempt], sort_keys=True)
    key = str(uuid.uuid5(uuid.NAMESPACE_URL, f"lumio:{seed}"))
    variables = {"input": given, "key": key}
    call = graph.call(version, _STOCK, variables, safe=True, idempotency_key=key)
    reply = _sent(call, changes[0], send)
    if isinstance(reply, Receipt):
        for change in changes:
            yield replace(reply, trace=change.trace, id=change.id)
        return
    wrong = dig(reply, "data.inventorySetQuantities.userErrors") or []
    if not wrong:
        yield from (Receipt.done(change.trace, change.id) for change in changes)
        return
    if attempt + 1 < _KEYS and any(error.get("code") in _USED_UP for error in wrong):
        yield from _set_stock(version, name, changes, send, attempt + 1)
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
        return {}, [replace(reply, trace=c.trace, id=c.id) for c in changes]
    found = {
        str(node["id"]): (str(dig(node, "item.id")), str(dig(node, "location.id")))
        for node in dig(reply, "data.nodes") or ()
        if node and dig(node, "item.id")
    }
    message = "the item is no longer stocked at the location"
    gone = [
        Receipt.failed(c.trace, "gone", message, c.id)
        for c in changes if c.id not in found
    ]  # fmt: skip
    return found, gone


def _before(change: Change, name: str) -> int | None:
    """The quantity that the edit was made on, where it is known: Shopify refuses the change if
    it has moved since."""
    value = change.base.get(name)
    return int(value) if value not in (None, "") else None

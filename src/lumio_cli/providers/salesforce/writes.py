"""Writing: sObject collections of 200 records, settled one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any
from urllib.parse import quote

from lumio_cli.errors import DeniedError, RejectedError
from lumio_cli.providers.base import Call, Change, Receipt, Send
from lumio_cli.providers.salesforce.resources import COLLECTION

KINDS = {
    "gone": ("ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "NOT_FOUND", "MALFORMED_ID"),
    "conflict": ("DUPLICATE_VALUE", "DUPLICATES_DETECTED", "DUPLICATE_EXTERNAL_ID"),
    "permission": (
        "INSUFFICIENT_ACCESS", "INVALID_FIELD_FOR_INSERT_UPDATE", "FIELD_NOT_UPDATABLE",
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
    ),
    "transient": (
        "UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "QUERY_TIMEOUT",
        "UNKNOWN_EXCEPTION",
    ),
}  # fmt: skip
"""Salesforce's codes, or how they begin, by what they mean; all others are about the values."""

Types = Mapping[str, str]
"""The types of fields by their API names."""


def kind_of(code: str) -> str:
    """What an error code is about."""
    for kind, starts in KINDS.items():
        if code.startswith(starts):
            return kind
    return "validation"


def receipt_of(change: Change, code: str, message: str) -> Receipt:
    """The receipt for a record that was refused.

    One that is to be deleted and is gone already is what was wanted.
    """
    kind = kind_of(code)
    if change.action == "archive" and code == "ENTITY_IS_DELETED":
        return Receipt(change.trace, "done", change.id)
    text = f"{message} ({code})"
    if kind == "transient":
        return Receipt(change.trace, "retry", change.id, None, kind, text)
    return Receipt(change.trace, "failed", change.id, None, kind, text)


def sorted_out(
    changes: Sequence[Change], types: Types
) -> tuple[list[tuple[Change, dict[str, Any]]], list[Receipt]]:
    """Changes with their values as JSON has them, and receipts for those that no type fits."""
    good, bad = [], []
    for change in changes:
        try:
            good.append((change, typed(change.values, types)))
        except ValueError as error:
            bad.append(Receipt(change.trace, "failed", change.id, None, "validation", str(error)))
    return good, bad


def typed(values: Mapping[str, str | None], types: Types) -> dict[str, Any]:
    """Values by the types of their fields: Salesforce takes no number and no boolean as text.
    Raises `ValueError`."""
    found: dict[str, Any] = {}
    for name, text in values.items():
        kind = types.get(name, "")
        try:
            found[name] = _value(kind, text)
        except (KeyError, ValueError):
            raise ValueError(f"{name} is of type {kind}, and {text!r} is not") from None
    return found


def _value(kind: str, text: str | None) -> Any:
    if text is None or text == "":
        return None
    if kind == "boolean":
        return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
    if kind in ("int", "long"):
        return int(text)
    return float(text) if kind in ("double", "currency", "percent") else text


def write_all(
    data: str, type_: str, changes: Sequence[Change], types: Types, send: Send
) -> Iterator[Receipt]:
    """Apply changes of one action, 200 a request; one receipt a change.

    `data` is the path of the API's version. A request that is refused whole is cut in two until
    the bad record stands alone.
    """
    good, bad = sorted_out(changes, types)
    yield from bad
    for _, group in groupby(good, key=lambda pair: pair[0].key):
        pairs = list(group)
        for start in range(0, len(pairs), COLLECTION):
            yield from _write(data, type_, pairs[start : start + COLLECTION], send)


def _write(
    data: str, type_: str, pairs: Sequence[tuple[Change, dict[str, Any]]], send: Send
) -> Iterator[Receipt]:
    changes = [change for change, _ in pairs]
    try:
        results = send(_call(data, type_, pairs)).json()
    except DeniedError as error:
        for change in changes:
            yield Receipt(change.trace, "failed", change.id, None, "permission", error.message)
        return
    except RejectedError as error:
        if len(pairs) > 1:
            middle = len(pairs) // 2
            yield from _write(data, type_, pairs[:middle], send)
            yield from _write(data, type_, pairs[middle:], send)
            return
        yield receipt_of(changes[0], error.category or "rejected", error.message)
        return
    told = results if isinstance(results, list) else []
    for number, change in enumerate(changes):
        result = told[number] if number < len(told) else None
        yield _settle(change, result)


def _settle(change: Change, result: Any) -> Receipt:
    """Results come in the order of the records."""
    if isinstance(result, dict) and result.get("success") is True:
        return Receipt(change.trace, "done", str(result.get("id") or change.id))
    errors = result.get("errors") if isinstance(result, dict) else None
    if not isinstance(errors, list) or not errors or not isinstance(errors[0], dict):
        message = "Salesforce's answer does not say what became of this record"
        return Receipt(change.trace, "unknown", change.id, None, "unsettled", message)
    return receipt_of(change, str(errors[0].get("statusCode")), str(errors[0].get("message")))


def _call(data: str, type_: str, pairs: Sequence[tuple[Change, dict[str, Any]]]) -> Call:
    """The request for one collection. Only a create would do harm if it were repeated."""
    first = pairs[0][0]
    path, route = f"{data}/composite/sobjects", "/services/data/{version}/composite/sobjects"
    if first.action == "archive":
        params = {"ids": ",".join(change.id for change, _ in pairs), "allOrNone": "false"}
        return Call("DELETE", path, route=route, params=params, safe=True)
    key = first.key or "Id"
    records = []
    for change, values in pairs:
        record: dict[str, Any] = {"attributes": {"type": type_}, **values}
        if change.action == "update":
            record["id"] = change.id
        elif change.action == "upsert":
            record[key] = change.id
        records.append(record)
    body = {"allOrNone": False, "records": records}
    if first.action == "create":
        return Call("POST", path, route=route, json=body)
    if first.action == "upsert":
        path, route = f"{path}/{type_}/{quote(key)}", f"{route}/{{type}}/{{field}}"
    return Call("PATCH", path, route=route, json=body, safe=True)

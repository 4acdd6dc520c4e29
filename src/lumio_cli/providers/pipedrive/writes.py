"""Writing to Pipedrive: one call a record, settled one by one.

v2 has no batches, and is strict: numbers in quotes and empty lists are refused. What comes here
is text, as the hub has it; the column's kind, or the field's definition, says what it has to be.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lumio_cli.errors import (
    OUTCOME_UNKNOWN,
    CircuitOpenError,
    DeniedError,
    GoneError,
    QuotaError,
    RejectedError,
    UnavailableError,
)
from lumio_cli.providers.base import Call, Property, Resource, Send, dig
from lumio_cli.providers.pipedrive.fields import ROOT, Definition
from lumio_cli.providers.pipedrive.resources import ACTIVITIES, COSTS, PRODUCTS
from lumio_cli.providers.writing import Change, Receipt

_OBJECTS = ("monetary", "daterange", "time", "timerange", "address")
_NUMBERS = ("double", "monetary")
_IDS = ("user", "people", "org", "deal", "int")


class UnfitError(ValueError):
    """A value that the field it is for cannot hold."""


@dataclass(frozen=True, slots=True)
class Fields:
    """What can be written: custom fields by column or property name, and their definitions."""

    properties: Mapping[str, Property]
    definitions: Mapping[str, Definition]


def known_fields(found: Sequence[Property], definitions: Sequence[Definition]) -> Fields:
    """The custom fields by each name that a change may call them."""
    by_name = {p.column.name: p for p in found} | {p.name: p for p in found}
    return Fields(by_name, {d.code: d for d in definitions})


def write_all(
    resource: Resource, changes: Sequence[Change], fields: Fields, send: Send
) -> Iterator[Receipt]:
    """Apply changes of one action; one receipt a change."""
    for change in changes:
        yield _write(resource, change, fields, send)


def _write(resource: Resource, change: Change, fields: Fields, send: Send) -> Receipt:
    try:
        call = _call(resource, change, fields, send)
        reply = send(call)
    except UnfitError as error:
        return _failed(change, "validation", str(error))
    except DeniedError as error:
        missing = f"; missing scope: {', '.join(error.scopes)}" if error.scopes else ""
        return _failed(change, "permission", f"{error.message}{missing}")
    except GoneError as error:
        if change.action == "archive":  # Somebody else was faster: it is what was asked for.
            return Receipt(change.trace, "done", change.id)
        return _failed(change, "gone", error.message)
    except RejectedError as error:
        return _failed(change, "conflict" if error.status == 409 else "validation", error.message)
    except QuotaError:
        raise
    except CircuitOpenError as error:
        return Receipt(change.trace, "retry", change.id, None, "transient", error.message)
    except UnavailableError as error:
        # Of a PATCH or DELETE the second one does no harm. A POST might make a second record.
        if change.action == "create" and error.code == OUTCOME_UNKNOWN:
            return Receipt(change.trace, "unknown", "", None, "unsettled", error.message)
        return Receipt(change.trace, "retry", change.id, None, "transient", error.message)
    record = dig(reply.json(), "data")
    made = dig(record, "id")
    if change.action == "archive" or not isinstance(record, dict) or made is None:
        status = "done" if change.action != "create" else "unknown"
        return Receipt(change.trace, status, change.id)  # type: ignore[arg-type]
    return Receipt(change.trace, "done", str(made), record)


def _failed(change: Change, kind: str, message: str) -> Receipt:
    return Receipt(change.trace, "failed", change.id, None, kind, message)


def _call(resource: Resource, change: Change, fields: Fields, send: Send) -> Call:
    path, route = f"{resource.path}/{change.id}", f"{resource.path}/{{id}}"
    if change.action == "archive":
        return Call("DELETE", path, route=route, safe=True, cost=COSTS["delete"])
    body = _body(resource, change, fields, send)
    if change.action == "create":
        return Call("POST", resource.path, json=body, safe=False, cost=COSTS["write"])
    return Call("PATCH", path, route=route, json=body, safe=True, cost=COSTS["write"])


def _body(resource: Resource, change: Change, fields: Fields, send: Send) -> dict[str, Any]:
    """The request's body. Raises `UnfitError` for a name or a value that cannot be sent."""
    columns = {c.name: c for c in resource.columns}
    body: dict[str, Any] = {}
    custom: dict[str, dict[str, str | None]] = {}
    for name, value in change.values.items():
        if (column := columns.get(name)) is not None:
            if column.read_only:
                raise UnfitError(f"{name} cannot be written: Pipedrive makes it")
            _put(resource, body, column.path, _typed(name, column.kind, value))
        elif (found := fields.properties.get(name)) is not None:
            code, _, part = found.column.path.removeprefix(ROOT).partition(".")
            custom.setdefault(code, {})[part] = value
        else:
            raise UnfitError(f"{resource.name} has no field {name!r}")
    if custom:
        body["custom_fields"] = {
            code: _custom(resource, change, fields.definitions[code], parts, send)
            for code, parts in custom.items()
        }
    return body


def _put(resource: Resource, body: dict[str, Any], path: str, value: Any) -> None:
    if resource is ACTIVITIES and path == "person_id":
        # Read-only in v2: the person is the primary participant.
        main = [{"person_id": value, "primary": True}] if value is not None else []
        body.setdefault("participants", main)
        return
    if resource is PRODUCTS and path == "category":
        # Shown as a text, taken as the number of an option.
        value = _typed(path, "integer", value)
    name, _, inner = path.partition(".")
    body[name] = {inner: value} if inner and value is not None else value


def _typed(name: str, kind: str, value: str | None) -> Any:
    """A text as what a column holds. Raises `UnfitError`."""
    if value is None or (value == "" and kind != "text"):
        return None
    try:
        if kind == "integer":
            return int(value)
        if kind == "number":
            return _number(value)
        if kind == "json":
            return json.loads(value)
    except ValueError:
        raise UnfitError(f"{name}: {value!r} is no {kind}") from None
    if kind == "boolean":
        if value.lower() not in ("true", "false", "1", "0"):
            raise UnfitError(f"{name}: {value!r} is neither true nor false")
        return value.lower() in ("true", "1")
    return value


def _number(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdigit() else float(text)


def _custom(
    resource: Resource,
    change: Change,
    field: Definition,
    parts: Mapping[str, str | None],
    send: Send,
) -> Any:
    """The value of a custom field. Raises `UnfitError`."""
    if field.type in _OBJECTS:
        return _object(resource, change, field, parts, send)
    value = next(iter(parts.values()))
    if value is None or value == "":
        return None
    if field.type == "enum":
        return _option(field, value)
    if field.type == "set":
        return [_option(field, item) for item in _listed(value)] or None
    if field.type in _IDS:
        return _typed(field.name, "integer", value)
    return _typed(field.name, "number" if field.type in _NUMBERS else "text", value)


def _object(
    resource: Resource,
    change: Change,
    field: Definition,
    parts: Mapping[str, str | None],
    send: Send,
) -> Any:
    """A value that has parts. It is replaced as a whole, so those that are not written are read
    first; without its `value` there is nothing."""
    given = {
        part: _typed(field.name, "number", text)
        if field.type == "monetary" and part == "value"
        else text or None
        for part, text in parts.items()
    }
    before: Any = None
    lacking = {part.path for part in field.parts} - parts.keys()
    if change.action == "update" and lacking and given.get("value", "") is not None:
        path, route = f"{resource.path}/{change.id}", f"{resource.path}/{{id}}"
        call = Call(
            "GET", path, route=route, params={"custom_fields": field.code}, cost=COSTS["get"]
        )
        before = dig(send(call).json(), f"data.custom_fields.{field.code}")
    kept = {k: before.get(k) for k in lacking} if isinstance(before, dict) else {}
    whole = {name: part for name, part in {**kept, **given}.items() if part is not None}
    return whole if "value" in whole else None


def _listed(value: str) -> list[Any]:
    """The options of a field that may have many: JSON, or labels between commas."""
    if value.lstrip().startswith("["):
        try:
            return list(json.loads(value))
        except ValueError:
            raise UnfitError(f"{value!r} is no list") from None
    return [part.strip() for part in value.split(",") if part.strip()]


def _option(field: Definition, value: Any) -> int:
    """An option's id, by its label, its id, or both as a listing shows them."""
    if isinstance(value, dict):
        value = value.get("id")
    for number, label in field.options.items():
        if value in (label, number, str(number)):
            return number
    known = ", ".join(repr(label) for label in list(field.options.values())[:8])
    raise UnfitError(f"{field.name}: no option {value!r} (there are: {known})")

"""Writing to Pipedrive: one call a record, settled one by one.

v2 has no batches, and is strict: numbers in quotes and, in custom fields, empty lists are refused.
What comes here is text, as the hub has it; the column's kind, or the field's definition, says what
it has to be. Answers to writes come without the labels of options: a listing shows them, so they
are put to them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lumio_cli.core.errors import DeniedError, LumioError, QuotaError
from lumio_cli.providers.contract.answers import receipt_of, unsettled
from lumio_cli.providers.contract.call import Call, Send, dig
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.resource import Property, Resource
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.pipedrive.fields import ROOT, Definition, label_options, moment_of
from lumio_cli.providers.pipedrive.listing import COSTS
from lumio_cli.providers.pipedrive.resources import ACTIVITIES, PRODUCTS

_OBJECTS = ("monetary", "daterange", "time", "timerange", "address")
_WHOLE = "Pipedrive's answer does not say what was made"


class UnfitError(ValueError):
    """A name that cannot be written, or a value that the field it is for cannot hold."""


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
    except QuotaError:
        raise
    except DeniedError as error:
        # "Scope and URL mismatch" does not say which; any other refusal is about the user.
        scopes = resource.write_scopes if "scope" in error.message.lower() else ()
        return receipt_of(change, error, scopes=scopes)
    except (LumioError, UnfitError) as error:
        return receipt_of(change, error)
    record = dig(reply.document(), "data")
    made = dig(record, "id")
    if change.action == "archive":
        return Receipt.done(change.trace, change.id)
    if made is None:
        if change.action == "create":
            return unsettled(change, _WHOLE)
        return Receipt.done(change.trace, change.id)
    label_options([record], tuple(fields.definitions.values()))
    return Receipt.done(change.trace, str(made), record)


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
    names: dict[str, list[str]] = {}
    for name, value in change.values.items():
        if change.action == "create" and value is None:
            continue
        found = fields.properties.get(name)
        column = columns.get(name) or (found.column if found else None)
        if column is None:
            raise UnfitError(f"{name}: {resource.name} has no such field")
        if column.read_only:
            raise UnfitError(f"{name}: Pipedrive sets this field itself")
        if name in columns:
            with _naming(name):
                _put(resource, body, column.path, column.kind, value)
        else:
            code, _, part = column.path.removeprefix(ROOT).partition(".")
            custom.setdefault(code, {})[part] = value
            names.setdefault(code, []).append(name)
    if resource is ACTIVITIES and "person_id" in body:
        _take_part(resource, change, body, send)
    for code, parts in custom.items():
        with _naming(", ".join(names[code])):
            value = _custom(resource, change, fields.definitions[code], parts, send)
            body.setdefault("custom_fields", {})[code] = value
    return body


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """What does not fit is said with the name of its column."""
    try:
        yield
    except UnfitError as error:
        raise UnfitError(f"{name}: {error}") from None


def _put(resource: Resource, body: dict[str, Any], path: str, kind: str, value: str | None) -> None:
    # The category of a product is shown as a text, and taken as the number of an option.
    found = _typed("integer" if resource is PRODUCTS and path == "category" else kind, value)
    if found is None and kind == "json":
        found = []
    name, _, inner = path.partition(".")
    body[name] = {inner: found} if inner and found is not None else found


def _take_part(resource: Resource, change: Change, body: dict[str, Any], send: Send) -> None:
    """The person of an activity is read-only in v2: it is the primary one of the participants,
    which are replaced as a whole. The others stay."""
    person = body.pop("person_id")
    given = body.get("participants")
    if given is None:
        now = _current(resource, change, send).get("participants")
        found = [p for p in now or () if isinstance(p, dict)]
        given = [p for p in found if not p.get("primary") or p.get("person_id") == person]
    if not isinstance(given, list) or not all(isinstance(p, dict) for p in given):
        raise UnfitError("participants: not a list of participants")
    others = [{**p, "primary": False} for p in given if p.get("person_id") != person]
    main = [{"person_id": person, "primary": True}] if person is not None else []
    body["participants"] = main + others


def _current(resource: Resource, change: Change, send: Send, **params: str) -> Mapping[str, Any]:
    """What Pipedrive has of a record that is to be updated; nothing for a new one."""
    if change.action != "update":
        return {}
    path, route = f"{resource.path}/{change.id}", f"{resource.path}/{{id}}"
    reply = send(Call("GET", path, route=route, params=params, cost=COSTS["get"]))
    found = dig(reply.document(), "data")
    return found if isinstance(found, dict) else {}


def _typed(kind: str, value: str | None) -> Any:
    """A text as what a column holds. Raises `UnfitError`."""
    if value is None or (value == "" and kind != "text"):
        return None
    try:
        if kind == "integer":
            return int(value)
        if kind == "number":
            return _number(value)
        if kind == "json":
            return json.loads(value, parse_constant=_number)
        if kind == "datetime":
            return moment_of(value)
    except ValueError:
        raise UnfitError(f"{value!r} is no {kind}") from None
    if kind == "boolean":
        if value.lower() not in ("true", "false", "1", "0"):
            raise UnfitError(f"{value!r} is neither true nor false")
        return value.lower() in ("true", "1")
    return value


def _number(text: str) -> int | float:
    """A number that JSON has: `nan` would arrive as null, and clear the field."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return int(text) if text.lstrip("-").isdecimal() else number


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
    return _typed(field.parts[0].kind, value)


def _object(
    resource: Resource,
    change: Change,
    field: Definition,
    parts: Mapping[str, str | None],
    send: Send,
) -> Any:
    """A value that has parts. It is replaced as a whole, so those that are not written are read
    first; without its `value` there is nothing."""
    kinds = {part.path: part.kind for part in field.parts}
    given = {part: _typed(kinds[part], text or None) for part, text in parts.items()}
    # The zone of a span of times has no column, and must not get lost.
    more = {"timezone_name"} if field.type == "timerange" else set()
    lacking = (kinds.keys() | more) - parts.keys()
    before: Any = None
    if lacking and given.get("value", "") is not None:
        now = _current(resource, change, send, custom_fields=field.code)
        before = dig(now, f"custom_fields.{field.code}")
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
    raise UnfitError(f"no option {value!r} (there are: {known})")

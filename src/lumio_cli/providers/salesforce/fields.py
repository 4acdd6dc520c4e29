"""What Salesforce tells of a type's fields, and what it takes as their values.

Sources: REST API Developer Guide, "sObject Describe" (`createable`, `updateable`), and SOAP API
Developer Guide, "Primitive Data Types": JSON must have numbers and booleans as such, a `date` has
no time, a `dateTime` a precision of one second. Values of email fields are kept in lower case.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from lumio_cli.core.clock import format_time, parse_time
from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract.call import Reply
from lumio_cli.providers.contract.resource import Choice, Column, Equality, Property
from lumio_cli.providers.salesforce.resources import KINDS, column_name

UNREAD = frozenset({"address", "location", "base64", "complexvalue"})
"""Types of fields that are not asked for."""
VOLATILE = frozenset({"LastViewedDate", "LastReferencedDate"})
"""Fields that say when the very user who reads has looked at a record."""


@dataclass(frozen=True, slots=True)
class Target:
    """The field that a column is written to."""

    name: str
    type: str
    createable: bool
    updateable: bool


Targets = Mapping[str, Target]
"""The fields of a type by the names of their columns."""


def listed(reply: Reply) -> list[Mapping[str, Any]]:
    """The fields in the description of a type, but for those that have no name. Raises
    `BadReplyError` where it has no list of them."""
    told = reply.document().get("fields")
    if not isinstance(told, list):
        raise BadReplyError(
            "Salesforce describes a type without its fields", hint="try again later"
        )
    return [item for item in told if isinstance(item, dict) and isinstance(item.get("name"), str)]


def described(
    items: Iterable[Mapping[str, Any]], columns: Iterable[Column], wished: set[str]
) -> tuple[Property, ...]:
    """The fields that have a column, and those whose names are `wished` (`all`: each of them)."""
    mapped = {column.path: column for column in columns}
    found = []
    for item in items:
        name, kind = item["name"], str(item.get("type"))
        known = mapped.get(name)
        if _hidden(name, kind) or not (known is not None or "all" in wished or name in wished):
            continue
        column = known or _column(name, kind)
        fixed = column.read_only or not (item.get("createable") or item.get("updateable"))
        column = replace(column, read_only=fixed, choice=_choice(item))
        custom = bool(item.get("custom"))
        found.append(Property(name, kind, column, custom, str(item.get("label") or name)))
    order = {name: number for number, name in enumerate(mapped)}
    return tuple(sorted(found, key=lambda p: (order.get(p.name, len(order)), p.name)))


def targets(items: Iterable[Mapping[str, Any]], columns: Iterable[Column]) -> dict[str, Target]:
    """The fields by the names of their columns; what a column says is read only, is."""
    mapped = {column.path: column for column in columns}
    found = {}
    for item in items:
        name, kind = item["name"], str(item.get("type"))
        if _hidden(name, kind):
            continue
        column = mapped.get(name) or _column(name, kind)
        create = bool(item.get("createable")) and not column.read_only
        update = bool(item.get("updateable")) and not column.read_only
        found[column.name] = Target(name, kind, create, update)
    return found


def _choice(item: Mapping[str, Any]) -> Choice | None:
    """The active values of a restricted picklist; any other one takes what it is given."""
    values = item.get("picklistValues")
    if item.get("restrictedPicklist") is not True or not isinstance(values, list):
        return None
    active = [v for v in values if isinstance(v, dict) and v.get("active") is not False]
    names = tuple(str(v["value"]) for v in active if v.get("value") is not None)
    separator = ";" if item.get("type") == "multipicklist" else ""
    return Choice(names, separator=separator, folded=True)


def _hidden(name: str, kind: str) -> bool:
    return kind in UNREAD or name in VOLATILE or name == "Id"


def _column(name: str, kind: str) -> Column:
    same: Equality = "folded" if kind == "email" else "exact"
    return Column(column_name(name), name, KINDS.get(kind, "text"), same=same)


def typed(action: str, values: Mapping[str, str | None], known: Targets) -> dict[str, Any]:
    """The values of a change by the names of fields, as JSON has them.

    Raises `ValueError` that names a column which cannot be written, or not to this value.
    """
    found: dict[str, Any] = {}
    for column, text in values.items():
        target = known.get(column)
        if target is None:
            raise ValueError(f"{column}: Salesforce has no such field")
        if not (target.createable or target.updateable):
            raise ValueError(f"{column}: Salesforce does not let this user set {target.name}")
        if action == "update" and not target.updateable:
            raise ValueError(f"{column}: {target.name} can only be set in a new record")
        if action == "create" and text is None:
            continue
        if action == "create" and not target.createable:
            raise ValueError(f"{column}: {target.name} cannot be set in a new record")
        try:
            found[target.name] = value_of(target.type, text)
        except ValueError:
            shown = "nothing" if text is None else repr(text)
            raise ValueError(f"{column}: {shown} is no {target.type}") from None
    return found


def value_of(kind: str, text: str | None) -> Any:
    """A text as JSON has it in a field of this type. Raises `ValueError`."""
    if kind == "boolean":
        # A checkbox is never null.
        if text not in ("true", "false"):
            raise ValueError(text)
        return text == "true"
    if text is None:
        return None
    if kind in ("int", "long"):
        return int(text)
    if kind in ("double", "currency", "percent"):
        number = float(text)
        if not math.isfinite(number):
            raise ValueError(text)
        return number
    if kind == "date":
        return _day(text)
    return format_time(moment_of(text)) if kind == "datetime" else text


def _day(text: str) -> str:
    moment = moment_of(text)
    if moment.time() != datetime.min.time():
        raise ValueError(text)
    return moment.date().isoformat()


def moment_of(text: str) -> datetime:
    """A moment in whole seconds, of which Salesforce keeps no parts; of a day, its midnight in UTC.

    Raises `ValueError`.
    """
    try:
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
    except ValueError:
        return parse_time(text).replace(microsecond=0)

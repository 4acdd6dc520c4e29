"""What HubSpot tells of a type's properties, and what it takes as their values.

Sources: HubSpot's description of the properties API (`modificationMetadata`, `calculated`) and its
guide to properties: all values are texts, an empty one clears, a `date` is midnight UTC; numbers
with an exponent and values with spaces around them are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from lumio_cli.core.clock import format_time, parse_time
from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract.call import Call, Send, dig
from lumio_cli.providers.contract.columns import Kinds
from lumio_cli.providers.contract.resource import Choice, Column, Property

METADATA_SECONDS = 1800.0
"""How long owners, pipelines and properties may be served from the cache."""

KINDS: Kinds = {
    "number": "number",
    "bool": "boolean",
    "datetime": "datetime",
    "date": "date",
}
"""HubSpot's property types that are more than text. Their values arrive as strings all the same."""

TEXT = "string"
_PREFIX = "properties."


@dataclass(frozen=True, slots=True)
class Target:
    """The property that a column is written to; `options` in their order, where it has any."""

    name: str
    type: str
    read_only: bool
    options: tuple[str, ...] = ()


def definitions(path: str, send: Send) -> list[Mapping[str, Any]]:
    """All properties of an object type, as HubSpot describes them at `path`.

    What has no name is left out; what has no type that can be read is text, as all values are.
    Raises `BadReplyError` where there is no list of them.
    """
    call = Call(
        "GET",
        path,
        params={"archived": "false"},
        cache_for=METADATA_SECONDS,
    )
    found = dig(send(call).json(), "results")
    if not isinstance(found, list):
        raise BadReplyError(
            f"hubspot answered {path} without a list at 'results'",
            hint="try again later; `lumio debug` shows the exchange",
        )
    named = [item for item in found if isinstance(dig(item, "name"), str) and item["name"]]
    return [item if isinstance(item.get("type"), str) else {**item, "type": TEXT} for item in named]


def described(
    items: Iterable[Mapping[str, Any]], mapped: Iterable[Column], chosen: set[str]
) -> tuple[Property, ...]:
    """The mapped properties that exist, and the custom ones whose names are `chosen` (`all`: each
    of them)."""
    wanted = {c.path.removeprefix(_PREFIX): c for c in mapped}
    found = []
    for item in items:
        name, type_ = item["name"], item["type"]
        custom = not item.get("hubspotDefined", False)
        column = wanted.get(name)
        if column is None:
            if not custom or not (chosen == {"all"} or name in chosen):
                continue
            column = Column(name, f"{_PREFIX}{name}", KINDS.get(type_, "text"))
        column = replace(
            column, read_only=column.read_only or _read_only(item), choice=_choice(item)
        )
        found.append(Property(name, type_, column, custom, str(item.get("label") or name)))
    order = {name: i for i, name in enumerate(wanted)}
    return tuple(sorted(found, key=lambda p: (order.get(p.name, len(order)), p.name)))


def targets(items: Iterable[Mapping[str, Any]], mapped: Iterable[Column]) -> dict[str, Target]:
    """The properties by the names of their columns."""
    known = {item["name"]: item for item in items}
    columns = {name: (name, False) for name in known}
    for column in mapped:
        name = column.path.removeprefix(_PREFIX)
        if column.path.startswith(_PREFIX) and name in known:
            columns[column.name] = (name, column.read_only)
    return {
        column: Target(
            name, known[name]["type"], fixed or _read_only(known[name]), _options(known[name])
        )
        for column, (name, fixed) in columns.items()
    }


def _choice(item: Mapping[str, Any]) -> Choice | None:
    """What an enumeration takes: HubSpot refuses all else as INVALID_OPTION. Those of owners and
    the like are not in the description (`externalOptions`)."""
    if item["type"] != "enumeration" or item.get("externalOptions"):
        return None
    separator = ";" if item.get("fieldType") == "checkbox" else ""
    return Choice(_options(item), separator=separator)


def _options(item: Mapping[str, Any]) -> tuple[str, ...]:
    listed = [o for o in item.get("options") or () if isinstance(o, dict)]
    listed.sort(key=lambda o: o["displayOrder"] if isinstance(o.get("displayOrder"), int) else 0)
    return tuple(str(option.get("value")) for option in listed)


def _read_only(item: Mapping[str, Any]) -> bool:
    """Whether HubSpot makes the value: it says so, or computes it."""
    computed = item.get("calculated") or str(item.get("fieldType")).startswith("calculation_")
    return bool(dig(item, "modificationMetadata.readOnlyValue") or computed)


def written(values: Mapping[str, str | None], known: Mapping[str, Target]) -> dict[str, str]:
    """The values of a change as HubSpot's own properties and texts.

    Raises `ValueError` that names a column which cannot be written, or not to this value.
    """
    found = {}
    for column, value in values.items():
        target = known.get(column)
        if target is None:
            raise ValueError(f"{column}: HubSpot has no such property")
        if target.read_only:
            raise ValueError(f"{column}: HubSpot sets this property itself")
        try:
            found[target.name] = "" if value is None else _text(target.type, value)
        except ValueError:
            raise ValueError(f"{column}: {value!r} is no {target.type}") from None
    return found


def _text(type_: str, value: str) -> str:
    if type_ == "bool":
        if value not in ("true", "false"):
            raise ValueError(value)
        return value
    if type_ == "number":
        return _number(value)
    if type_ == "date":
        return _day(value)
    if type_ == "datetime":
        return format_time(_moment(value))
    return value.strip() if type_ == "enumeration" else value


def _number(value: str) -> str:
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError(value) from None
    if not number.is_finite():
        raise ValueError(value)
    return format(number, "f")


def _day(value: str) -> str:
    moment = _moment(value)
    if moment.time() != datetime.min.time():
        raise ValueError(value)
    return moment.date().isoformat()


def _moment(value: str) -> datetime:
    """A moment; of a day, its midnight in UTC."""
    try:
        return datetime.combine(date.fromisoformat(value), datetime.min.time(), UTC)
    except ValueError:
        return parse_time(value)

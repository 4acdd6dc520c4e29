"""Custom fields: from their hashes to columns that have names, and back.

A field's key is a hash of 40 digits; its name is what people know. Columns are named by the name;
where two fields would have the same column, or one that Pipedrive itself has, the beginning of
the hash tells them apart, so that no column ever changes its meaning in silence.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from lumio_cli.core.clock import parse_time
from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract.call import Call, Record, Send, dig
from lumio_cli.providers.contract.resource import Choice, Column, Property, Resource
from lumio_cli.providers.contract.values import shown
from lumio_cli.providers.pipedrive.listing import COSTS, FIELDS, NEXT, PAGE

SECONDS = 1800.0
"""How long field definitions and users may be served from the cache."""
TELLING = 6
"""Digits of a hash that are put to a name that is not unique."""
ROOT = "custom_fields."

ColumnKind = Literal["text", "integer", "number", "boolean", "datetime", "date", "json"]


@dataclass(frozen=True, slots=True)
class Part:
    """A column's share of a field: `path` inside its value, and what is put to the name."""

    path: str
    suffix: str
    kind: ColumnKind


PARTS: Mapping[str, tuple[Part, ...]] = {
    "double": (Part("", "", "number"),),
    "int": (Part("", "", "integer"),),
    "boolean": (Part("", "", "boolean"),),
    "user": (Part("", "", "integer"),),
    "people": (Part("", "", "integer"),),
    "org": (Part("", "", "integer"),),
    "deal": (Part("", "", "integer"),),
    "enum": (Part("label", "", "text"),),
    "set": (Part("", "", "json"),),
    "monetary": (Part("value", "", "number"), Part("currency", "_currency", "text")),
    "daterange": (Part("value", "", "date"), Part("until", "_until", "date")),
    "timerange": (Part("value", "", "text"), Part("until", "_until", "text")),
    "time": (Part("value", "", "text"), Part("timezone_name", "_timezone", "text")),
    "address": (Part("value", "", "text"),),
    "varchar": (Part("", "", "text"),),
    "varchar_auto": (Part("", "", "text"),),
    "text": (Part("", "", "text"),),
    "phone": (Part("", "", "text"),),
    "date": (Part("", "", "date"),),
}
"""The columns of each type of field; of any other type, the value as it is, which is not written:
what v2 would take for it is described nowhere."""
_OTHER = (Part("", "", "json"),)


@dataclass(frozen=True, slots=True)
class Definition:
    """A field as Pipedrive describes it; `options` are labels by id."""

    code: str
    name: str
    type: str
    custom: bool
    options: Mapping[int, str]

    @property
    def parts(self) -> tuple[Part, ...]:
        """Its columns."""
        return PARTS.get(self.type, _OTHER)


def read_definitions(resource: Resource, send: Send) -> list[Definition]:
    """All fields of a resource; none where it has no custom ones. What has no key is left out.
    Raises `BadReplyError`."""
    path = FIELDS.get(resource.name)
    if path is None:
        return []
    found: list[Definition] = []
    cursor: str | None = None
    while True:
        params = {"limit": str(PAGE), **({"cursor": cursor} if cursor else {})}
        call = Call("GET", path, params=params, cost=COSTS["list"], cache_for=SECONDS)
        body = send(call).json()
        rows = dig(body, "data")
        if rows is not None and not isinstance(rows, list):
            raise BadReplyError(
                f"pipedrive answered {path} without a list of fields",
                hint="try again later; `lumio debug` shows the exchange",
            )
        found += [_definition(row) for row in rows or () if isinstance(dig(row, "field_code"), str)]
        following = dig(body, NEXT)
        if not following or following == cursor:
            return found
        cursor = str(following)


def _definition(row: Any) -> Definition:
    """A field; one without a type that can be read is shown as it is, and not written."""
    listed = row.get("options")
    options = {
        option["id"]: str(option.get("label"))
        for option in (listed if isinstance(listed, list) else ())
        if isinstance(dig(option, "id"), int) and not isinstance(option["id"], bool)
    }
    return Definition(
        code=row["field_code"],
        name=str(row.get("field_name") or row["field_code"]),
        type=str(row.get("field_type") or ""),
        custom=row.get("is_custom_field") is True,
        options=options,
    )


def properties(
    resource: Resource,
    definitions: Iterable[Definition],
    chosen: Sequence[str],
    taken: Iterable[str] = (),
) -> tuple[Property, ...]:
    """The columns of the custom fields that are `chosen`: all, none, or by name or hash.

    `taken` are names that the operator has given to columns of their own.
    """
    custom = [d for d in definitions if d.custom]
    reserved = {"id", *(c.name for c in resource.columns), *taken}
    stems = {d.code: snake(d.name) or f"field_{d.code[:TELLING]}" for d in custom}
    # Names are given among all fields: which of them are chosen must not change the others'.
    names = Counter(stems[d.code] + part.suffix for d in custom for part in d.parts)
    found = []
    for definition in custom:
        stem = stems[definition.code]
        if any(names[stem + p.suffix] > 1 or stem + p.suffix in reserved for p in definition.parts):
            stem = f"{stem}_{definition.code[:TELLING]}"
        if not _is_chosen(definition, chosen):
            continue
        for part in definition.parts:
            path = f"{definition.code}.{part.path}" if part.path else definition.code
            fixed = definition.type not in PARTS
            same: Literal["set", "exact"] = "set" if definition.type == "set" else "exact"
            column = Column(
                stem + part.suffix, ROOT + path, part.kind, fixed, same, _choice(definition)
            )
            found.append(Property(path, definition.type, column, True, definition.name))
    return tuple(found)


def _choice(definition: Definition) -> Choice | None:
    """The labels of a field with options; their ids are taken, too."""
    if definition.type not in ("enum", "set"):
        return None
    options = definition.options
    return Choice(tuple(options.values()), also=tuple(map(str, options)))


def _is_chosen(definition: Definition, chosen: Sequence[str]) -> bool:
    return list(chosen) == ["all"] or definition.name in chosen or definition.code in chosen


def snake(name: str) -> str:
    """A name as an identifier: ASCII, lower case, underscores. Empty where nothing is left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    return f"field_{words}" if words[:1].isdigit() else words


def rfc3339(moment: datetime) -> str:
    """A moment as v2 has it, cut to whole seconds: rather earlier than later."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_of(text: str) -> str:
    """A moment, or a day's midnight in UTC, as v2 has it. Raises ValueError."""
    day = re.fullmatch(r"\d{4}-\d\d-\d\d", text)
    return rfc3339(parse_time(f"{text}T00:00:00Z" if day else text))


def shown_as(column: Column, value: Any) -> Any:
    """A view's value as a listing shows it once it is written."""
    found = shown(column.kind, value)
    if found is None and column.kind == "json" and not column.path.startswith(ROOT):
        return []  # What Pipedrive itself has as a list is never null; a custom field's value is.
    if column.kind == "datetime" and isinstance(found, str):
        try:
            return moment_of(found)
        except ValueError:
            return found
    return found


def label_options(records: Sequence[Record], definitions: Sequence[Definition]) -> None:
    """Put labels to option ids, in place, as a listing does that was asked for them: products and
    archived deals cannot be asked. What has labels already stays."""
    by_code = {d.code: d for d in definitions}
    optional = [d for d in definitions if d.custom and d.type in ("enum", "set")]
    named = by_code.get("label_ids") or by_code.get("label")
    for record in records:
        ids = record.get("label_ids") if isinstance(record, dict) else None
        if named is not None and named.options and isinstance(ids, list) and "labels" not in record:
            record["labels"] = [_labelled(named, value) for value in ids]
        custom = record.get("custom_fields") if isinstance(record, dict) else None
        if not isinstance(custom, dict):
            continue
        for definition in optional:
            value = custom.get(definition.code)
            if isinstance(value, list):
                custom[definition.code] = [_labelled(definition, item) for item in value]
            elif value is not None:
                custom[definition.code] = _labelled(definition, value)


def _labelled(definition: Definition, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    return {"id": value, "label": definition.options.get(value)}

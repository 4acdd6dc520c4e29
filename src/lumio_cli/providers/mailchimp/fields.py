"""Members' fields: what audiences define besides the fixed ones, and values on their way out."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lumio_cli.core.errors import GoneError
from lumio_cli.providers.contract.call import Call, Send, dig
from lumio_cli.providers.contract.columns import Kinds
from lumio_cli.providers.contract.resource import Choice, Column, Property
from lumio_cli.providers.mailchimp.audiences import list_ids, rows_in
from lumio_cli.providers.mailchimp.listing import MOST
from lumio_cli.providers.mailchimp.resources import MEMBERS

METADATA_SECONDS = 1800.0
"""How long merge fields may be served from the cache when members are written."""
CHOSEN = ("dropdown", "radio")
"""Types of merge fields that take one of their choices (reference, "Merge Field Options")."""
KINDS: Kinds = {"number": "number", "date": "date", "address": "json"}
"""Types of merge fields that are more than text. A birthday is a month and a day."""


def all_fields(send: Send) -> Iterator[Mapping[str, Any]]:
    """What all audiences ask of their members. One that went meanwhile asks nothing."""
    for list_id in list_ids(send):
        try:
            yield from merge_fields(list_id, send)
        except GoneError:
            continue


def merge_fields(list_id: str, send: Send, cache_for: float = 0.0) -> list[Mapping[str, Any]]:
    """What an audience asks of its members. A field without a tag is left out, one without a type
    is text."""
    names = "merge_fields.tag,merge_fields.name,merge_fields.type,merge_fields.options"
    call = Call(
        "GET",
        f"/3.0/lists/{list_id}/merge-fields",
        route="/3.0/lists/{list_id}/merge-fields",
        params={"fields": names, "count": str(MOST)},
        cache_for=cache_for,
    )
    found = rows_in(send(call), "merge_fields")
    tagged = [field for field in found if isinstance(dig(field, "tag"), str) and field["tag"]]
    return [f if isinstance(f.get("type"), str) else {**f, "type": "text"} for f in tagged]


def column_of(tag: str, kind: str) -> Column:
    """The column of a merge field: its tag in lower case, `merge_` before a name that is taken."""
    path = f"merge_fields.{tag}"
    declared = next((c for c in MEMBERS.columns if c.path == path), None)
    if declared is not None:
        return declared
    name = re.sub(r"[^a-z0-9]+", "_", tag.lower()).strip("_") or "field"
    taken = {"id", *(c.name for c in MEMBERS.columns)}
    if name in taken or not name[0].isalpha():
        name = f"merge_{name}"
    return Column(name, path, KINDS.get(kind, "text"))


def described(fields: Iterable[Mapping[str, Any]]) -> tuple[Property, ...]:
    """The merge fields of all audiences as one table's: a tag that has several types is text, and
    one with options has those of all."""
    found: dict[str, Property] = {}
    options: dict[str, list[str]] = defaultdict(list)
    for field in fields:
        tag, kind = field["tag"], field["type"]
        known = found.get(tag)
        if known is not None and known.type != kind:
            kind = "text"
        column = column_of(tag, kind)
        custom = column not in MEMBERS.columns
        if kind in CHOSEN:
            options[tag] += _choices(field)
            column = replace(column, choice=Choice(tuple(dict.fromkeys(options[tag]))))
        found[tag] = Property(tag, kind, column, custom, str(field.get("name") or tag))
    return tuple(sorted(found.values(), key=lambda p: p.name))


def _choices(field: Mapping[str, Any]) -> list[str]:
    listed = dig(field, "options.choices")
    return [str(name) for name in listed] if isinstance(listed, list) else []


# --- values on their way out


class WrongValueError(ValueError):
    """A value that a member cannot have."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one audience's members, by column."""

    columns: Mapping[str, Column]

    @classmethod
    def of(cls, fields: Iterable[Mapping[str, Any]]) -> Fields:
        """The fixed fields and these merge fields."""
        columns = {c.name: c for c in MEMBERS.columns if not c.path.startswith("merge_fields.")}
        for field in fields:
            column = column_of(field["tag"], field["type"])
            columns[column.name] = columns[field["tag"]] = column
        return cls(columns)

    def body(self, values: Mapping[str, str | None]) -> dict[str, Any]:
        """What is sent for these values by column. Raises `WrongValueError`: Mailchimp itself drops
        in silence what it does not know."""
        body: dict[str, Any] = {}
        for name, text in values.items():
            column = self.columns.get(name) or self.columns.get(name.rpartition(".")[2])
            if column is None:
                raise WrongValueError(f"members of this audience have no field {name!r}")
            if column.read_only:
                raise WrongValueError(f"{name!r} cannot be written")
            top, _, tag = column.path.partition(".")
            value = _value(column, text)
            if tag:
                body[top] = {**body.get(top, {}), tag: value}
            elif top == "merge_fields" and isinstance(value, dict):
                body[top] = {**value, **body.get(top, {})}
            else:
                body[top] = value
        return body


def _value(column: Column, text: str | None) -> Any:
    """A value as its field wants it; an empty text clears a field."""
    if text is None or text == "":
        return False if column.kind == "boolean" else ""
    if column.kind == "boolean":
        if text.lower() not in ("true", "false", "1", "0"):
            raise WrongValueError(f"{column.name!r} must be true or false")
        return text.lower() in ("true", "1")
    if column.kind in ("number", "integer"):
        if not re.fullmatch(r"-?\d+(\.\d+)?", text):
            raise WrongValueError(f"{column.name!r} must be a number")
        return float(text) if "." in text else int(text)
    if column.kind == "json":
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise WrongValueError(f"{column.name!r} must be JSON: {error.msg}") from None
    return text


def tag_names(value: Any) -> set[str]:
    """The names in a value of `tags`: a list of names, or of objects that have one."""
    if value == "":
        return set()
    if not isinstance(value, list):
        raise WrongValueError("'tags' must be a list")
    names = [tag if isinstance(tag, str) else dig(tag, "name") for tag in value]
    if not all(isinstance(name, str) and name for name in names):
        raise WrongValueError("'tags' must be names, or objects with a name")
    return {str(name) for name in names}

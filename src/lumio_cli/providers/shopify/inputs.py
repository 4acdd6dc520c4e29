"""What Shopify takes as the values of a record: the inputs of its mutations.

Sources: Shopify's published schema 2026-07. Of a field whose type is not null (`Product.vendor`)
null is no value: an empty text clears it. `tags` "overwrites any existing tags"; a comma ends one.
"""

from __future__ import annotations

import json
import re
from typing import Any

from lumio_cli.providers.contract.resource import Column, Resource
from lumio_cli.providers.contract.writing import Change

_NEVER_NULL = frozenset({"title", "handle", "vendor", "product_type", "description_html", "locale"})
"""Columns whose fields are texts, and never null."""
_NEVER_EMPTY = frozenset({"status"})
_PLAIN = {"email": "email", "phone": "phone"}
"""A customer's address and number are objects where they are read, and texts where written."""


def input_of(resource: Resource, change: Change) -> dict[str, Any]:
    """The input of a mutation, from values by the names of columns.

    Raises `ValueError` that names a column which cannot be written, or not to this value.
    """
    found: dict[str, Any] = {} if change.action == "create" else {"id": change.id}
    by_name = {column.name: column for column in resource.columns}
    for name, value in change.values.items():
        column = by_name.get(name)
        if column is None:
            raise ValueError(f"{name}: {resource.name} of Shopify have no such field")
        if column.read_only:
            raise ValueError(f"{name} cannot be written: Shopify makes it")
        typed = _typed(column, value)
        top, _, inner = _PLAIN.get(name, column.path).partition(".")
        if inner:
            found.setdefault(top, {})[inner] = typed
        else:
            found[top] = typed
    return found


def quantity(name: str, value: str | None) -> int:
    """A stock count. Raises `ValueError`: no count is not the same as none left."""
    if value is None:
        raise ValueError(f"{name}: a quantity cannot be empty")
    if not re.fullmatch(r"-?[0-9]+", value):
        raise ValueError(f"{name}: {value!r} is no whole number")
    return int(value)


def tag_list(value: Any) -> list[str]:
    """The tags in a text: JSON, or separated by commas or semicolons. Raises `ValueError`."""
    if value in (None, ""):
        return []
    try:
        found = json.loads(str(value))
    except ValueError:
        found = value
    items = found if isinstance(found, list) else re.split("[,;]", str(found))
    if isinstance(found, dict) or any(isinstance(item, dict | list) for item in items):
        raise ValueError(f"{value!r} is no list of tags")
    return [tag for item in items if item is not None and (tag := str(item).strip())]


def _typed(column: Column, value: str | None) -> Any:
    """A value as its field wants it."""
    if column.same == "set":
        try:
            return tag_list(value)
        except ValueError as error:
            raise ValueError(f"{column.name}: {error}") from None
    if column.kind == "boolean":
        if value not in ("true", "false"):
            raise ValueError(f"{column.name}: {value!r} is neither true nor false")
        return value == "true"
    if value is None and column.name in _NEVER_EMPTY:
        raise ValueError(f"{column.name} cannot be empty")
    return "" if value is None and column.name in _NEVER_NULL else value

"""What HubSpot takes as a property's value, and what it makes of it.

Values arrive as strings (numbers and booleans of JSON are taken too) and are kept as strings.
The error codes are those HubSpot answers in `errors[].code`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import orjson

from .catalog import PORTAL_ID, Property
from .data import Value
from .errors import ApiError
from .times import DAY_MS, day_text, iso, parse_ms

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


class InvalidValueError(ValueError):
    """A value that a property does not take. `code` is HubSpot's word for why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def normalize(item: Property, value: Any) -> Value:
    """The value as it is kept; an empty one clears the property. Raises InvalidValueError."""
    if isinstance(value, bool):
        value = str(value).lower()
    elif isinstance(value, int | float):
        value = orjson.dumps(value).decode()
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidValueError("INVALID_STRING", f"{value!r} was not a valid string.")
    if item.type in ("string", "phone_number"):
        return value
    if value != value.strip():
        # Refused since April 2025 (changelog "enhanced validations for non-string properties").
        raise InvalidValueError("INVALID_VALUE", f"{value!r} has leading or trailing spaces.")
    if item.type == "number":
        return _number(value)
    if item.type in ("date", "datetime"):
        return _time(item, value)
    return _option(item, value)


def _number(value: str) -> str:
    try:
        finite = math.isfinite(float(value))
    except ValueError:
        finite = False
    # HubSpot refuses the exponents that binary floats print.
    if not finite or "e" in value.lower() or "_" in value:
        raise InvalidValueError("INVALID_INTEGER", f"{value} was not a valid number.")
    return value


def _time(item: Property, value: str) -> str:
    ms = parse_ms(value)
    if ms is None or abs(ms) > 253_402_300_799_999:
        raise InvalidValueError("INVALID_DATE", f"{value} was not a valid date.")
    if item.type == "datetime":
        return iso(ms)
    day, rest = divmod(ms, DAY_MS)
    if rest:
        raise InvalidValueError("INVALID_DATE", f"{value} is not midnight UTC.")
    return day_text(day)


def _option(item: Property, value: str) -> str:
    parts = value.split(";") if item.field_type == "checkbox" else [value]
    if item.options and any(part not in item.options for part in parts if part):
        message = f"{value} was not one of the allowed options: {', '.join(item.options)}"
        raise InvalidValueError("INVALID_OPTION", message)
    return value


def checked(table: Mapping[str, Property], values: Any, known_as: str) -> dict[str, Value]:
    """All values of one write, normalized. Raises ApiError (400 VALIDATION_ERROR) that names
    every property refused, the way HubSpot does."""
    if not isinstance(values, dict):
        raise ApiError(400, "VALIDATION_ERROR", "Invalid input JSON: properties must be an object")
    kept: dict[str, Value] = {}
    refused: list[tuple[str, Any, InvalidValueError]] = []
    for name, value in values.items():
        try:
            kept[name] = _one(table.get(name), name, value, known_as)
        except InvalidValueError as error:
            refused.append((name, value, error))
    if not refused:
        return kept
    details = [
        {
            "isValid": False,
            "message": str(error),
            "error": error.code,
            "name": name,
            "propertyValue": str(value),
            "portalId": PORTAL_ID,
        }
        for name, value, error in refused
    ]
    raise ApiError(
        400,
        "VALIDATION_ERROR",
        "Property values were not valid: " + orjson.dumps(details).decode(),
        errors=[
            {"message": str(error), "code": error.code, "context": {"propertyName": [name]}}
            for name, _, error in refused
        ],
    )


def _one(item: Property | None, name: str, value: Any, known_as: str) -> Value:
    if item is None or item.archived_at is not None:
        raise InvalidValueError("PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
    if item.read_only:
        message = f'"{name}" is a read only property; its value cannot be set.'
        raise InvalidValueError("READ_ONLY_VALUE", message)
    kept = normalize(item, value)
    if kept is not None and (known_as, name) == ("contacts", "email"):
        kept = kept.strip().lower()
        if not _EMAIL.fullmatch(kept):
            raise InvalidValueError("INVALID_EMAIL", f"Email address {kept} is invalid")
    return kept

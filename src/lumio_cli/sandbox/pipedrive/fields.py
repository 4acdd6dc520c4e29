"""The fields of an account: what Pipedrive itself has, and custom ones by their hashes.

A custom field has a key of 40 hexadecimal digits that no other account has; its name is what
people see, and nothing keeps two fields from having the same one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .checks import BadValueError, check, is_date, is_time

LABELS = {1: "Hot", 2: "Größe", 3: "後で"}
"""The labels that deals, persons and organizations can have."""
KINDS = ("deals", "persons", "organizations", "products")
"""What can have custom fields."""


@dataclass(slots=True)
class Definition:
    """A field. `options` are (id, label); `custom` ones lie under `custom_fields`."""

    code: str
    name: str
    type: str
    options: list[tuple[int, str]] = field(default_factory=list)
    custom: bool = False

    def document(self) -> dict[str, Any]:
        """As the field endpoints show it."""
        options = [{"id": number, "label": label} for number, label in self.options]
        return {
            "field_name": self.name,
            "field_code": self.code,
            "field_type": self.type,
            "options": options or None,
            "subfields": _subfields(self) or None,
            "is_custom_field": self.custom,
            "is_optional_response_field": False,
        }

    def label(self, number: int) -> str | None:
        """What an option is called; None for one that is not there."""
        return next((label for known, label in self.options if known == number), None)


SUBFIELDS = {
    "monetary": ("currency",),
    "daterange": ("until",),
    "timerange": ("until", "timezone_name"),
    "time": ("timezone_name",),
    "address": (
        "country", "admin_area_level_1", "admin_area_level_2", "locality", "sublocality", "route",
        "street_number", "subpremise", "postal_code", "formatted_address",
    ),
}  # fmt: skip
"""The parts of a value that is an object, beside its `value`."""


def _subfields(definition: Definition) -> list[dict[str, str]]:
    return [
        {"field_code": f"{definition.code}_{part}", "field_name": part, "field_type": "varchar"}
        for part in SUBFIELDS.get(definition.type, ())
    ]


def hash_of(kind: str, name: str, number: int) -> str:
    """The key of a custom field: the same for every account of the sandbox."""
    return hashlib.sha1(f"{kind}/{name}/{number}".encode(), usedforsecurity=False).hexdigest()


_CUSTOM: Mapping[str, Sequence[tuple[str, str, tuple[str, ...]]]] = {
    "deals": (
        ("Região de vendas", "enum", ("Sul", "São Paulo", "海外", "N/A")),
        ("Tags", "set", ("Hot 🔥", "Renewal", "<b>Legal</b>")),
        ("Commission", "monetary", ()),
        ("Score", "double", ()),
        ("Contract period", "daterange", ()),
        ("Call back at", "time", ()),
        ("契約番号", "varchar", ()),
        ("Status", "varchar", ()),
        ("Source", "varchar", ()),
        ("Source", "text", ()),
        ("Technical contact", "people", ()),
    ),
    "persons": (
        ("Birthday (private)", "date", ()),
        ("Newsletter", "enum", ("Yes", "No")),
        ("Mobile #2", "phone", ()),
    ),
    "organizations": (
        ("VAT number", "varchar", ()),
        ("Sectors", "set", ("Café & Bar", "IT", "小売")),
        ("Warehouse", "address", ()),
    ),
    "products": (
        ("Shelf life", "double", ()),
        ("Colour", "enum", ("Red", "Größe „XL“")),
    ),
}
_OWN = {
    "deals": (
        ("title", "varchar"), ("value", "monetary"), ("status", "status"), ("owner_id", "user"),
        ("person_id", "people"), ("org_id", "org"), ("pipeline_id", "int"), ("stage_id", "stage"),
        ("add_time", "date"), ("update_time", "date"), ("expected_close_date", "date"),
        ("lost_reason", "varchar_options"), ("visible_to", "visible_to"), ("label_ids", "set"),
    ),
    "persons": (
        ("name", "varchar"), ("owner_id", "user"), ("org_id", "org"), ("emails", "varchar"),
        ("phones", "phone"), ("add_time", "date"), ("update_time", "date"), ("label_ids", "set"),
    ),
    "organizations": (
        ("name", "varchar"), ("owner_id", "user"), ("address", "address"), ("add_time", "date"),
        ("update_time", "date"), ("label_ids", "set"), ("website", "varchar"), ("industry", "enum"),
    ),
    "products": (
        ("name", "varchar"), ("code", "varchar"), ("unit", "varchar"), ("tax", "double"),
        ("category", "enum"), ("owner_id", "user"), ("add_time", "date"), ("update_time", "date"),
    ),
    "activities": (
        ("subject", "varchar"), ("type", "enum"), ("due_date", "date"), ("done", "boolean"),
        ("owner_id", "user"), ("deal_id", "deal"), ("update_time", "date"),
    ),
}  # fmt: skip


def definitions() -> dict[str, list[Definition]]:
    """The fields of each kind of record, as a new account of the sandbox has them."""
    made: dict[str, list[Definition]] = {}
    option = 100
    for kind, own in _OWN.items():
        fields = [Definition(code, code.replace("_", " ").title(), type_) for code, type_ in own]
        for own_field in fields:
            if own_field.code == "label_ids":
                own_field.options = list(LABELS.items())
        for number, (name, type_, labels) in enumerate(_CUSTOM.get(kind, ())):
            options = [(option + n, label) for n, label in enumerate(labels)]
            option += len(labels)
            fields.append(Definition(hash_of(kind, name, number), name, type_, options, True))
        made[kind] = fields
    return made


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_SIMPLE: Mapping[str, Callable[[Any], bool]] = {
    "varchar": lambda v: isinstance(v, str) and len(v) <= 255,
    "varchar_auto": lambda v: isinstance(v, str) and len(v) <= 255,
    "phone": lambda v: isinstance(v, str) and len(v) <= 255,
    "text": lambda v: isinstance(v, str),
    "double": _number,
    "boolean": lambda v: isinstance(v, bool),
    "date": is_date,
    "user": lambda v: check("integer", v),
    "people": lambda v: check("integer", v),
    "org": lambda v: check("integer", v),
}
_PARTS: Mapping[str, Callable[[Any], bool]] = {
    "monetary": _number,
    "daterange": is_date,
    "time": is_time,
    "timerange": is_time,
    "address": lambda v: isinstance(v, str),
}


def check_custom(definition: Definition, value: Any) -> None:
    """Raises BadValueError where a value is not what the field holds. None clears any field."""
    if value is None:
        return
    good = False
    if definition.type in _SIMPLE:
        good = _SIMPLE[definition.type](value)
    elif definition.type == "enum":
        good = check("integer", value) and definition.label(value) is not None
    elif definition.type == "set":
        # An empty list is refused: null is how a set is emptied.
        good = isinstance(value, list) and bool(value)
        good = good and all(check("integer", v) and definition.label(v) is not None for v in value)
    elif definition.type in _PARTS:
        parts = {"value", *SUBFIELDS[definition.type]}
        good = isinstance(value, dict) and set(value) <= parts and "value" in value
        good = good and _PARTS[definition.type](value["value"])
    if not good:
        raise BadValueError(
            f"custom_fields.{definition.code}: not a value of type {definition.type}"
        )

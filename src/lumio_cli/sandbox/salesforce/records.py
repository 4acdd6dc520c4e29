"""The records of an org and what may be written to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import partial
from typing import Any

from ..table import Document, Table
from .catalog import COMPOUND, DEFAULTS, MAIN, NUMBERS, ORG_ID, TYPES, FieldInfo, TypeInfo
from .data import USERS, Maker, derive, iso, stamp
from .errors import Invalid
from .ids import make_id, normal_id
from .soql import seconds

HANDFUL = {"User": USERS, "Organization": 1, "Attachment": 3}
MERGEABLE = ("Lead", "Account", "Contact")
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_GENERATED = re.compile(r"(.+)-(\d{8})")


class Tables(dict[str, Table]):
    """Tables by type, each made when it is first asked for: half a million ids take their room.

    `archived` are ids of activities and of field histories that Salesforce has put aside, which it
    does in the background with those that are a year and 18 months old: no modification time tells
    of it, and `queryAll` alone shows them (SOAP API Developer Guide, "Archived Activities"; release
    notes of Spring '19, "Update to Retention Limit for Field History Data").
    """

    def __init__(self, records: int, seed: int, clock: Callable[[], float]) -> None:
        super().__init__()
        self._records, self._seed, self._clock = records, seed, clock
        self.archived: set[str] = set()

    def __contains__(self, name: object) -> bool:
        return name in TYPES

    def __missing__(self, name: str) -> Table:
        if name not in TYPES:
            raise KeyError(name)
        prefix = TYPES[name].prefix
        made = Table(
            HANDFUL.get(name, self._records),
            Maker(self._seed, name, self._records),
            partial(self._stamp, name),
            self._clock,
            identify=lambda n: ORG_ID if name == "Organization" else make_id(prefix, n + 1),
            key="Id",
        )
        self[name] = made
        return made

    def _stamp(self, kind: str, document: Document, created: float, modified: float) -> None:
        stamp(kind, document, created, modified)
        if "IsArchived" in TYPES[kind].fields:
            document["IsArchived"] = document["Id"] in self.archived

    def items(self) -> Any:
        """All types that were used, and the main ones."""
        for name in MAIN:
            self[name]
        return super().items()


class Records:
    """Reads and writes records, one type at a time, as any of the APIs may.

    `locked` are ids that another transaction holds: writing to them fails.
    """

    def __init__(self, records: int, seed: int, clock: Callable[[], float]) -> None:
        self.tables = Tables(records, seed, clock)
        self.locked: set[str] = set()
        self._external: dict[tuple[str, str, str], str] = {}

    def document(self, kind: str, record_id: str) -> Document | None:
        """A live record with all that follows from its fields."""
        found = self.tables[kind].get(record_id)
        return None if found is None else derive(kind, found)

    def dump(self, kind: str) -> Iterator[Document]:
        """All live records as a query would answer them, without `attributes`."""
        for document in self.tables[kind]:
            yield derive(kind, document)

    # -- finding

    def find(self, kind: TypeInfo, field: FieldInfo, value: str) -> str | None:
        """The live record with this value of an external id."""
        table = self.tables[kind.name]
        folded = value.lower()
        known = self._external.get((kind.name, field.name, folded))
        if known is None and (found := _GENERATED.fullmatch(value)):
            number = int(found[2])
            ids = make_id(kind.prefix, number + 1)
            known = ids if ids in table else None
        if known is None or known not in table:
            return None
        document = table.get(known) or {}
        return known if str(document.get(field.name) or "").lower() == folded else None

    def locate(self, kind: TypeInfo, text: Any) -> str:
        """A live record's id, in full. Raises Invalid."""
        record_id = normal_id(text) if isinstance(text, str) else None
        if record_id is None:
            raise Invalid("MALFORMED_ID", f"{kind.name} ID: id value of incorrect type: {text}")
        table = self.tables[kind.name]
        if record_id in table.gone:
            raise Invalid("ENTITY_IS_DELETED", "entity is deleted")
        if record_id not in table:
            raise Invalid("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        return record_id

    # -- writing

    def create(self, kind: TypeInfo, values: Mapping[str, Any]) -> str:
        """A new record; its id. Raises Invalid."""
        checked = self.check(kind, values)
        for name, value in DEFAULTS.get(kind.name, {}).items():
            if checked.get(name) is None:
                checked[name] = value
        lacking = [
            f.name
            for f in kind.fields.values()
            if f.required and f.writable and f.type != "boolean" and checked.get(f.name) is None
        ]
        if lacking:
            message = f"Required fields are missing: [{', '.join(lacking)}]"
            raise Invalid("REQUIRED_FIELD_MISSING", message, lacking)
        document: Document = dict.fromkeys(kind.fields)
        user = make_id("005", 1)
        document |= {"IsDeleted": False, "OwnerId": user, "CreatedById": user}
        document["LastModifiedById"] = user
        for item in kind.fields.values():
            if item.type == "boolean":
                document[item.name] = False
        document |= checked
        document = {k: v for k, v in document.items() if k in kind.fields and k != "Id"}
        record_id = self.tables[kind.name].insert(document)
        self._remember(kind, record_id, checked)
        return record_id

    def update(self, kind: TypeInfo, text: Any, values: Mapping[str, Any]) -> str:
        """Change a record. Raises Invalid."""
        record_id = self.locate(kind, text)
        self._unlocked(record_id)
        checked = self.check(kind, values, record_id)
        for name, value in checked.items():
            if value is None and kind.fields[name].required:
                message = f"Required fields are missing: [{name}]"
                raise Invalid("REQUIRED_FIELD_MISSING", message, [name])
        self.tables[kind.name].update(record_id, checked)
        self._remember(kind, record_id, checked)
        return record_id

    def upsert(
        self, kind: TypeInfo, field: FieldInfo, value: Any, values: Mapping[str, Any]
    ) -> tuple[str, bool]:
        """Change the record with this external id, or make it; whether it was made."""
        if value in (None, ""):
            raise Invalid("MISSING_ARGUMENT", f"{field.name} not specified")
        if field.name == "Id":
            return self.update(kind, value, values), False
        found = self.find(kind, field, str(value))
        if found is not None:
            return self.update(kind, found, values), False
        return self.create(kind, {**values, field.name: value}), True

    def delete(self, kind: TypeInfo, text: Any) -> str:
        """Put a record into the recycle bin. Raises Invalid."""
        record_id = self.locate(kind, text)
        self._unlocked(record_id)
        self.tables[kind.name].delete(record_id)
        return record_id

    def merge(self, kind: TypeInfo, master: Any, victim: Any) -> None:
        """Merge a record into another, as the SOAP call does: what the master has stays, the victim
        goes into the recycle bin with the master's id, and what hung on it hangs on the master.
        Raises Invalid."""
        if kind.name not in MERGEABLE:
            raise Invalid("INVALID_TYPE", f"{kind.name} records cannot be merged")
        winner, loser = self.locate(kind, master), self.locate(kind, victim)
        if winner == loser:
            raise Invalid("INVALID_ID_FIELD", "a record cannot be merged with itself")
        table = self.tables[kind.name]
        table.update(loser, {"MasterRecordId": winner})
        table.delete(loser)
        table.update(winner, {})
        for name in MAIN:
            referring = [f.name for f in TYPES[name].fields.values() if f.refers == kind.name]
            for document in list(self.tables[name]) if referring else ():
                moved = {f: winner for f in referring if document.get(f) == loser}
                if moved:
                    self.tables[name].update(str(document["Id"]), moved)

    def _unlocked(self, record_id: str) -> None:
        if record_id in self.locked:
            message = f"unable to obtain exclusive access to this record or 1 records: {record_id}"
            raise Invalid("UNABLE_TO_LOCK_ROW", message)

    def _remember(self, kind: TypeInfo, record_id: str, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            if kind.fields[name].external and value is not None:
                self._external[kind.name, name, str(value).lower()] = record_id

    # -- checking

    def check(
        self, kind: TypeInfo, values: Mapping[str, Any], record_id: str | None = None
    ) -> Document:
        """Values that may be written, under their fields' own names. Raises Invalid."""
        found: Document = {}
        for name, value in values.items():
            if name.lower() in ("attributes", "id"):
                continue
            item = kind.find(name)
            if item is None:
                message = f"No such column '{name}' on sobject of type {kind.name}"
                raise Invalid("INVALID_FIELD", message)
            if not item.writable or kind.readonly or (item.lasting and record_id is not None):
                message = (
                    f"Unable to create/update fields: {item.name}. Please check the security "
                    "settings of this field and verify that it is read/write for your profile or "
                    "permission set."
                )
                raise Invalid("INVALID_FIELD_FOR_INSERT_UPDATE", message, [item.name])
            found[item.name] = None if value in (None, "") else self._value(item, value)
            if item.external and found[item.name] is not None:
                self._unique(kind, item, str(value), record_id)
        return found

    def _unique(self, kind: TypeInfo, item: FieldInfo, value: str, own: str | None) -> None:
        other = self.find(kind, item, value)
        if other is not None and other != own:
            message = (
                f"duplicate value found: {item.name} duplicates value on record with id: {other}"
            )
            raise Invalid("DUPLICATE_VALUE", message, [item.name])

    def _value(self, item: FieldInfo, value: Any) -> Any:
        """A JSON value as the field keeps it."""
        kind = item.type
        if kind in ("boolean", "int", *NUMBERS):
            return _plain(item, value)
        if kind in COMPOUND or not isinstance(value, str):
            raise _unreadable(item, value)
        if kind in ("date", "datetime"):
            return _moment(item, value)
        if kind == "reference":
            return self._reference(item, value)
        if len(value) > item.length > 0:
            message = f"{item.label}: data value too large: {value[:80]} (max length={item.length})"
            raise Invalid("STRING_TOO_LONG", message, [item.name])
        if kind == "email" and not _MAIL.fullmatch(value):
            message = f"{item.label}: invalid email address: {value}"
            raise Invalid("INVALID_EMAIL_ADDRESS", message, [item.name])
        if kind == "email":
            return value.lower()
        if item.custom and item.values and value not in item.values:
            message = f"{item.label}: bad value for restricted picklist field: {value}"
            raise Invalid("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, [item.name])
        return value

    def _reference(self, item: FieldInfo, value: str) -> str:
        record_id = normal_id(value)
        if record_id is None:
            message = f"{item.label}: id value of incorrect type: {value}"
            raise Invalid("MALFORMED_ID", message, [item.name])
        if item.refers in TYPES and record_id not in self.tables[item.refers]:
            message = "insufficient access rights on cross-reference id: " + value
            raise Invalid("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", message, [item.name])
        return record_id


def _plain(item: FieldInfo, value: Any) -> Any:
    """A number or a boolean. JSON must say which it is: a text will not do."""
    if item.type == "boolean":
        if not isinstance(value, bool):
            raise _unreadable(item, value)
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _unreadable(item, value)
    if item.type == "int":
        if value != int(value):
            raise _unreadable(item, value)
        return int(value)
    return float(value)


def _moment(item: FieldInfo, value: str) -> str:
    """A date or a time in Salesforce's own form."""
    try:
        if item.type == "date":
            return date.fromisoformat(value).isoformat()
        return iso(seconds(value))
    except ValueError:
        raise _unreadable(item, value) from None


def _unreadable(item: FieldInfo, value: Any) -> Invalid:
    shown = f"{value!r:.60}"
    message = (
        f"Cannot deserialize instance of {item.type} from VALUE_STRING value {shown} or request "
        "may be missing a required field at [line:1, column:1]"
    )
    return Invalid("JSON_PARSER_ERROR", message, [item.name])

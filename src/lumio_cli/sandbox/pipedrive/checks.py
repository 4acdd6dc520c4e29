"""The types of v2, which are strict: a number in quotes is not a number, 1 is not true."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any


class BadValueError(ValueError):
    """A value or a parameter that is refused; the text names it."""


_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


def is_date(value: Any) -> bool:
    """YYYY-MM-DD."""
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def is_time(value: Any) -> bool:
    """HH:MM or HH:MM:SS."""
    return isinstance(value, str) and bool(_TIME.fullmatch(value))


def moment(value: str) -> float | None:
    """Seconds since the epoch of an RFC 3339 time; None for anything else."""
    if not _MOMENT.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value).timestamp()
    except ValueError:
        return None


def check(kind: str, value: Any) -> bool:
    """Whether a value is of a kind: text, integer, number, boolean, date, time, moment, texts,
    integers, object, objects."""
    if kind in ("text", "date", "time", "moment") and not isinstance(value, str):
        return False
    if kind == "text":
        return True
    if kind == "date":
        return is_date(value)
    if kind == "time":
        return is_time(value)
    if kind == "moment":
        return moment(value) is not None
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "object":
        return isinstance(value, dict) and "value" in value
    if kind == "integers":
        return isinstance(value, list) and all(check("integer", item) for item in value)
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


# What a body may hold, by the request bodies of the published description; `!` must be there when
# a record is made, `?` may be null.
WRITABLE: Mapping[str, Mapping[str, str]] = {
    "deals": {
        "title": "text!", "owner_id": "integer", "person_id": "integer?", "org_id": "integer?",
        "pipeline_id": "integer", "stage_id": "integer", "value": "number?", "currency": "text?",
        "is_deleted": "boolean", "is_archived": "boolean", "archive_time": "moment?",
        "status": "text", "probability": "number?", "lost_reason": "text?",
        "visible_to": "integer", "close_time": "moment?", "won_time": "moment?",
        "lost_time": "moment?", "expected_close_date": "date?", "label_ids": "integers",
    },
    "persons": {
        "name": "text!", "owner_id": "integer", "org_id": "integer?", "add_time": "moment",
        "emails": "objects", "phones": "objects", "visible_to": "integer", "label_ids": "integers",
        "postal_address": "object", "notes": "text", "im": "objects", "birthday": "date",
        "job_title": "text", "marketing_status": "text",
    },
    "organizations": {
        "name": "text!", "owner_id": "integer", "add_time": "moment", "visible_to": "integer",
        "label_ids": "integers", "address": "object?", "website": "text?", "linkedin": "text?",
        "industry": "integer?", "annual_revenue": "integer?", "employee_count": "integer?",
    },
    "activities": {
        "subject": "text", "type": "text", "owner_id": "integer", "deal_id": "integer?",
        "lead_id": "text?", "org_id": "integer?", "project_id": "integer?",
        "due_date": "date?", "due_time": "time?", "duration": "time?", "busy": "boolean",
        "done": "boolean", "location": "object?", "participants": "objects",
        "attendees": "objects", "public_description": "text?", "priority": "integer?",
        "note": "text?",
    },
    "products": {
        "name": "text!", "code": "text?", "description": "text?", "unit": "text?",
        "tax": "number", "category": "number?", "owner_id": "integer", "is_linkable": "boolean",
        "visible_to": "number", "prices": "objects", "billing_frequency": "text",
        "billing_frequency_cycles": "integer?",
    },
    "pipelines": {"name": "text!", "is_deal_probability_enabled": "boolean"},
    "stages": {
        "name": "text!", "pipeline_id": "integer!", "deal_probability": "integer",
        "is_deal_rot_enabled": "boolean", "days_to_rotten": "integer?",
    },
}  # fmt: skip

CONTACT_SYNC = frozenset({"postal_address", "notes", "im", "birthday", "job_title"})
"""Fields of persons that only a company with contact sync can write: 403 for all others."""

STATUSES = ("open", "won", "lost", "deleted")
ONLY_NEW = frozenset({("persons", "add_time"), ("organizations", "add_time")})
"""What the description lists for POST and not for PATCH."""
WORDS: Mapping[str, tuple[str, ...]] = {
    "status": STATUSES[:3],
    "marketing_status": ("no_consent", "unsubscribed", "subscribed", "archived"),
    "billing_frequency": (
        "one-time", "annually", "semi-annually", "quarterly", "monthly", "weekly",
    ),
}  # fmt: skip
"""Values of fields that take no others."""


def check_body(kind: str, body: Any, *, new: bool) -> None:
    """Raises BadValueError for a body that v2 would not take, custom fields apart."""
    if not isinstance(body, dict):
        raise BadValueError("the body must be an object")
    known = WRITABLE[kind]
    for name, value in body.items():
        if name != "custom_fields":
            _check_field(kind, name, value, new=new)
    if new:
        for name, type_ in known.items():
            if type_.endswith("!") and body.get(name) in (None, ""):
                raise BadValueError(f"{name}: is required")
    if body.get("is_deleted") is True:
        raise BadValueError("is_deleted: a record is deleted by DELETE")
    for name, type_ in known.items():
        if type_.endswith("!") and body.get(name) == "":
            raise BadValueError(f"{name}: must not be empty")


def _check_field(kind: str, name: str, value: Any, *, new: bool) -> None:
    declared = WRITABLE[kind].get(name)
    if declared is None or ((kind, name) in ONLY_NEW and not new):
        raise BadValueError(f"{name}: is not allowed")
    type_ = declared.rstrip("!?")
    if not (check(type_, value) or (value is None and declared.endswith("?"))):
        raise BadValueError(f"{name}: must be a {type_}")
    if name in WORDS and value not in WORDS[name]:
        raise BadValueError(f"{name}: must be one of {', '.join(WORDS[name])}")

"""What Mailchimp checks before it writes a member, and how it says no."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..lookalike import Answered
from . import data
from .problems import invalid, problem, refused
from .room import Room

Document = dict[str, Any]
STATUSES = ("subscribed", "unsubscribed", "cleaned", "pending", "transactional")
TAKEN = (
    "email_address", "email_type", "status", "merge_fields", "interests", "language", "vip",
    "location", "ip_signup", "timestamp_signup", "ip_opt", "timestamp_opt",
    "marketing_permissions",
)  # fmt: skip
NOT_IN_BATCH = frozenset({"marketing_permissions", "tags"})
"""What a new member has and the rows of a batch of members have not: `Add_List_Members` beside
`Add_List_Members_1` of the API's description (3.0.55). It is dropped in silence."""
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]{2,}")
_FAKE = re.compile(r"(fake|test|noreply)@|@(test|invalid)\.", re.IGNORECASE)


def known(body: Any, document: Mapping[str, Any], but: Sequence[str] = ()) -> Document:
    """The values of a body that a document has fields for: all others are dropped in silence."""
    return {k: v for k, v in body.items() if k in document and k not in {"id", *but}}


def check_address(address: Any) -> str:
    """An e-mail address. Raises Answered for one that is none or that looks made up."""
    text = str(address or "")
    if not _ADDRESS.fullmatch(text):
        raise refused(400, "Please provide a valid email address.", "Invalid Resource")
    if _FAKE.search(text):
        said = f"{text} looks fake or invalid, please enter a real email address."
        raise refused(400, said, "Invalid Resource")
    return text


def check_status(value: Any, allowed: Sequence[str] = STATUSES) -> str:
    """A status that may be written. Raises Answered."""
    if value not in allowed:
        raise invalid(("status", "Data did not match any of the schemas described in anyOf."))
    return str(value)


def merged(room: Room, old: Mapping[str, Any], body: Mapping[str, Any], skip: bool) -> Document:
    """A member's merge fields after a write: unknown tags are dropped, values are checked, and
    required ones must be there unless `skip`. Raises Answered.
    """
    given = body.get("merge_fields") or {}
    values = {field["tag"]: old.get(field["tag"], "") for field in room.fields}
    wrong: list[tuple[str, str]] = []
    for field in room.fields:
        tag = field["tag"]
        if tag in given:
            values[tag] = "" if given[tag] is None else given[tag]
            said = _wrong(field, values[tag])
            if said:
                wrong.append((tag, said))
        if field["required"] and not skip and values[tag] in ("", None):
            wrong.append((tag, "Please enter a value"))
    if wrong:
        raise invalid(*wrong, detail="Your merge fields were invalid.")
    return values


def _wrong(field: Mapping[str, Any], value: Any) -> str:
    kind = field["type"]
    if value == "":
        return ""
    choices = field["options"].get("choices") or ()
    if kind in ("dropdown", "radio") and choices and value not in choices:
        return f"Value must be one of: {', '.join(choices)} (not {value})"
    if kind == "number" and not re.fullmatch(r"-?\d+(\.\d+)?", str(value)):
        return "Please enter a number"
    if kind == "date" and not re.fullmatch(r"\d{4}-\d\d-\d\d.*", str(value)):
        return "Please enter the date"
    if kind == "birthday" and not re.fullmatch(r"\d\d/\d\d", str(value)):
        return "Please enter the month and day"
    if kind == "address" and not (
        isinstance(value, dict) and all(value.get(k) for k in ("addr1", "city", "state", "zip"))
    ):
        return "Please enter a complete address"
    return ""


def put(room: Room, address: str, body: Mapping[str, Any], skip: bool, new: str | None) -> str:
    """Create a member, or change the one that is there; its contact id. `new` is the status of one
    that is created (None: `status`); `status` is forced on one that exists. Raises Answered.
    """
    contact = room.find(address)
    if contact is None:
        status = check_status(new if new is not None else body.get("status"))
        return _create(room, check_address(address), body, status, skip)
    if contact in room.members:
        change(room, contact, body, skip)
    else:
        bring_back(room, contact, {**body, "status": body.get("status") or new}, skip)
    return contact


def bring_back(room: Room, contact: str, body: Mapping[str, Any], skip: bool) -> None:
    """Un-archive a member by a status and change it, or leave it as it is. Raises Answered."""
    check_status(body.get("status"))
    since = room.members.gone[contact]
    room.revive(contact)
    try:
        change(room, contact, body, skip)
    except Answered:
        room.archive(contact)
        room.members.gone[contact] = since
        raise


def _create(room: Room, address: str, body: Mapping[str, Any], status: str, skip: bool) -> str:
    if data.hash_of(address) in room.forgotten:
        said = (
            f"{address} was permanently deleted and cannot be re-imported. The contact must "
            "re-subscribe to get back on the list."
        )
        raise refused(400, said, "Forgotten Email Not Subscribed")
    values = {k: v for k, v in body.items() if k in TAKEN}
    values["merge_fields"] = merged(room, {}, body, skip)
    values["interests"] = _interests(room, {}, body)
    names = [t if isinstance(t, str) else t.get("name") for t in body.get("tags") or ()]
    values["tags"] = [{"id": tag_id(name), "name": name} for name in names]
    return room.insert({**values, "email_address": address, "status": status})


def change(room: Room, contact: str, body: Mapping[str, Any], skip: bool) -> None:
    """Change a live member. Raises Answered."""
    before = room.members.get(contact)
    assert before is not None  # noqa: S101 - callers have looked
    values = {k: v for k, v in body.items() if k in TAKEN}
    if "status" in values:
        wanted = check_status(values["status"])
        bound = before["status"] == "cleaned" or (
            before["status"] == "unsubscribed" and contact not in room.unsubscribed_here
        )
        if bound and wanted == "subscribed":
            said = (
                f"{before['email_address']} is in a compliance state due to unsubscribe, bounce, "
                "or compliance review and cannot be subscribed."
            )
            raise refused(400, said, "Member In Compliance State")
    if "email_address" in values:
        address = check_address(values["email_address"])
        owner = room.find(address)
        if owner is not None and owner != contact:
            raise exists(address)
    values["merge_fields"] = merged(room, before["merge_fields"], body, skip)
    values["interests"] = _interests(room, before["interests"], body)
    room.update(contact, values)
    if values.get("status") == "unsubscribed":
        room.unsubscribed_here.add(contact)


def exists(address: str) -> Answered:
    """400 Member Exists."""
    said = f"{address} is already a list member. Use PUT to insert or update list members."
    return Answered(problem(400, said, "Member Exists"))


def tag_id(name: str) -> int:
    """The number of a tag: the same name has the same one."""
    return int(data.hash_of(f"tag {name}")[:8], 16)


def _interests(room: Room, old: Mapping[str, Any], body: Mapping[str, Any]) -> Document:
    ids = {interest["id"] for interest in room.interests}
    given = body.get("interests") or {}
    unknown = [name for name in given if name not in ids]
    if unknown:
        raise refused(400, f"Invalid interest ID: '{unknown[0]}'.", "Invalid Resource")
    return {i: bool(given.get(i, old.get(i, False))) for i in ids}

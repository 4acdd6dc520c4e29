"""Members of an audience: listed, read, written one by one and 500 at a time, tagged, archived."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from ..http import Request, Response, Route
from ..lookalike import Answered
from . import data, writing
from .problems import invalid, not_found, refused
from .room import Room
from .shape import Document, chosen, iso, link, page, single, span, within

if TYPE_CHECKING:
    from .account import Account

MOST = 500
"""Members that one batch of an audience takes."""
FILTERS = (*writing.STATUSES, "archived")
SORTS = ("timestamp_opt", "timestamp_signup", "last_changed")


def links(request: Request, row: Document) -> list[Document]:
    """A member's links, of which Mailchimp sends ten."""
    path = f"/lists/{row['list_id']}/members/{row['id']}"
    found = [
        link(request, "self", path),
        link(request, "parent", f"/lists/{row['list_id']}/members"),
        link(request, "update", path, "PATCH"),
        link(request, "upsert", path, "PUT"),
        link(request, "delete", path, "DELETE"),
    ]
    found += [link(request, n, f"{path}/{n}") for n in ("activity", "goals", "notes", "events")]
    return [*found, link(request, "delete_permanent", f"{path}/actions/delete-permanent", "POST")]


def _skip(request: Request) -> bool:
    return request.one("skip_merge_validation") == "true"


def _read(room: Room, contact: str) -> Document:
    found = room.read(contact)
    if found is None:
        raise not_found()
    return found


def _selected(request: Request, room: Room) -> list[str]:
    """The contact ids that the filters leave, in the order that is asked for."""
    status = chosen(request, "status", FILTERS)
    sort = chosen(request, "sort_field", SORTS)
    if request.one("unsubscribed_since") and status != "unsubscribed":
        raise invalid(("unsubscribed_since", "The status must be unsubscribed."))
    low, high = span(request, "since_last_changed", "before_last_changed")
    table = room.members
    if status == "archived":
        ids = [c for c in room.archived() if low <= int(table.gone[c]) <= high]
    elif sort == "last_changed":
        ids = table.changed(low, high)
    else:
        ids = [c for c in table.ids() if low <= table.modified(c) <= high]
    if sort and chosen(request, "sort_dir", ("ASC", "DESC")) == "DESC":
        ids = ids[::-1]
    wanted = _conditions(request, status)
    return [c for c in ids if wanted(_read(room, c))] if wanted is not None else ids


def _conditions(request: Request, status: str | None) -> Any:
    """What only the documents can answer; None where nothing is asked of them."""
    opted = span(request, "since_timestamp_opt", "before_timestamp_opt")
    left = span(request, "unsubscribed_since", "")
    email, vip = request.one("unique_email_id"), request.one("vip_only") == "true"
    kind = request.one("email_type")
    open_span = (0.0, float("inf"))
    spans = (opted, left) != (open_span, open_span)
    if status in (None, "archived") and not (spans or email or vip or kind):
        return None

    def wanted(row: Document) -> bool:
        return (
            (status is None or row["status"] == status)
            and within(row["timestamp_opt"], opted)
            and within(row["last_changed"], left)
            and (not email or row["unique_email_id"] == email)
            and (not vip or row["vip"])
            and (not kind or row["email_type"] == kind)
        )

    return wanted


def _list_all(account: Account, request: Request, list_id: str) -> Response:
    room = account.room(list_id)
    return page(
        request,
        "members",
        _selected(request, room),
        lambda contact: _read(room, contact),
        lambda row: links(request, row),
        list_id=list_id,
    )


def _found(account: Account, list_id: str, name: str) -> tuple[Room, str]:
    room = account.room(list_id)
    contact = room.find(name)
    if contact is None:
        raise not_found()
    return room, contact


def _answer(request: Request, room: Room, contact: str) -> Response:
    row = _read(room, contact)
    return single(request, row, links(request, row))


def _one(account: Account, request: Request, list_id: str, name: str) -> Response:
    return _answer(request, *_found(account, list_id, name))


def _create(account: Account, request: Request, list_id: str) -> Response:
    room, body = account.room(list_id), request.json()
    if "status" not in body:
        raise invalid(("status", "This value should not be blank."))
    address = str(body.get("email_address") or "")
    if address and room.find(address) is not None:
        # One who is archived is a member all the same (see `_batch`).
        raise writing.exists(address)
    return _answer(request, room, writing.put(room, address, body, _skip(request), None))


def _upsert(account: Account, request: Request, list_id: str, name: str) -> Response:
    room, body = account.room(list_id), request.json()
    missing = [f for f in ("email_address", "status_if_new") if not body.get(f)]
    contact = room.find(name)
    if missing and contact is None:
        raise invalid(*((field, "This value should not be blank.") for field in missing))
    if contact is None and name not in (
        data.hash_of(body["email_address"]),
        body["email_address"],
    ):
        raise invalid(("email_address", "The email address does not match the subscriber hash."))
    address = name if contact is not None else str(body["email_address"])
    new = str(body.get("status_if_new") or "") or None
    return _answer(request, room, writing.put(room, address, body, _skip(request), new))


def _change(account: Account, request: Request, list_id: str, name: str) -> Response:
    room, contact = _found(account, list_id, name)
    body = request.json()
    if contact not in room.members:
        if "status" not in body:
            raise refused(400, "This contact is archived and cannot be changed.", "Bad Request")
        writing.bring_back(room, contact, body, _skip(request))
    else:
        writing.change(room, contact, body, _skip(request))
    return _answer(request, room, contact)


def _archive(account: Account, _: Request, list_id: str, name: str) -> Response:
    room, contact = _found(account, list_id, name)
    if _read(room, contact)["status"] in ("archived", "cleaned", "pending"):
        said = (
            "This list member cannot be removed. Can not archive a contact that is bounced, "
            "pending or archived"
        )
        raise refused(405, said)
    room.archive(contact)
    return Response(204)


def _forget(account: Account, _: Request, list_id: str, name: str) -> Response:
    room, contact = _found(account, list_id, name)
    room.forget(contact)
    return Response(204)


# --- tags


def _tags(account: Account, request: Request, list_id: str, name: str) -> Response:
    room, contact = _found(account, list_id, name)
    tags = [
        {**tag, "date_added": iso(room.members.created(contact))}
        for tag in _read(room, contact)["tags"]
    ]
    return page(request, "tags", tags, dict)


def _set_tags(account: Account, request: Request, list_id: str, name: str) -> Response:
    room, contact = _found(account, list_id, name)
    tags = {tag["name"]: tag for tag in _read(room, contact)["tags"]}
    for change in request.json()["tags"]:
        if change.get("status") not in ("active", "inactive") or not change.get("name"):
            raise invalid(("tags", "Each tag needs a name, and a status: active or inactive."))
        if change["status"] == "active":
            made = {"id": writing.tag_id(change["name"]), "name": change["name"]}
            tags.setdefault(change["name"], made)
        else:
            tags.pop(change["name"], None)
    room.update(contact, {"tags": list(tags.values())})
    return Response(204)


def _tag_search(account: Account, request: Request, list_id: str) -> Response:
    room, wanted = account.room(list_id), request.one("name") or ""
    seen: dict[str, Document] = {name: {"id": i, "name": name} for i, name in data.TAGS}
    found = [tag for name, tag in seen.items() if name.startswith(wanted)] if room else []
    return Response.of_json({"tags": found, "total_items": len(found)})


# --- many at once


def _batch(account: Account, request: Request, list_id: str) -> Response:
    room, body = account.room(list_id), request.json()
    rows = body.get("members")
    if not isinstance(rows, list):
        raise invalid(("members", "This value should not be blank."))
    if len(rows) > MOST:
        raise invalid(("members", f"This collection should contain {MOST} elements or less."))
    made: list[Document] = []
    changed: list[Document] = []
    errors: list[Document] = []
    met: set[str] = set()
    for row in rows:
        address = str(row.get("email_address") or "")
        again = data.hash_of(address) in met and request.one("skip_duplicate_check") != "true"
        met.add(data.hash_of(address))
        try:
            if again:
                raise refused(400, f"Duplicate items found: {address}.")
            there = bool(address) and room.find(address) is not None
            if there and not body.get("update_existing"):
                raise writing.exists(address)
            taken = {k: v for k, v in row.items() if k not in writing.NOT_IN_BATCH}
            contact = writing.put(room, address, taken, _skip(request), None)
            if body.get("sync_tags"):
                names = [str(name) for name in row.get("tags") or ()]
                tags = [{"id": writing.tag_id(name), "name": name} for name in names]
                room.update(contact, {"tags": tags})
            (changed if there else made).append(_read(room, contact))
        except Answered as answered:
            errors.append(_batch_error(address, orjson.loads(answered.response.body)))
    for row in (*made, *changed):
        row["_links"] = links(request, row)
    return Response.of_json(
        {
            "new_members": made, "updated_members": changed, "errors": errors,
            "total_created": len(made), "total_updated": len(changed),
            "error_count": len(errors), "_links": [],
        }
    )  # fmt: skip


def _batch_error(address: str, said: Document) -> Document:
    taken = said["title"] == "Member Exists"
    first = (said.get("errors") or [{}])[0]
    text = said["detail"]
    if taken:
        text = (
            f"{address} is already a list member, do you want to update? please provide "
            "update_existing:true in the request body"
        )
    return {
        "email_address": address,
        "error": text,
        "error_code": "ERROR_CONTACT_EXISTS" if taken else "ERROR_GENERIC",
        "field": first.get("field", ""),
        "field_message": first.get("message", ""),
    }


def _search(account: Account, request: Request) -> Response:
    wanted = (request.one("query") or "").lower()
    if not wanted:
        raise invalid(("query", "This value should not be blank."))
    only = request.one("list_id")
    exact, full = [], []
    for list_id, room in account.rooms.items():
        if only and list_id != only:
            continue
        contact = room.find(wanted) if "@" in wanted else None
        if contact is not None:
            exact.append(_read(room, contact))
        elif "@" not in wanted:
            full += [row for row in room.members if wanted in row["full_name"].lower()][:30]
    return Response.of_json(
        {
            "exact_matches": {"members": exact, "total_items": len(exact)},
            "full_search": {"members": full or exact, "total_items": len(full or exact)},
            "_links": [],
        }
    )


_LIST = "/3.0/lists/{list_id}"
_MEMBER = f"{_LIST}/members/{{name}}"
ROUTES = (
    Route("POST", _LIST, _batch),
    Route("GET", f"{_LIST}/members", _list_all),
    Route("POST", f"{_LIST}/members", _create),
    Route("GET", _MEMBER, _one),
    Route("PUT", _MEMBER, _upsert),
    Route("PATCH", _MEMBER, _change),
    Route("DELETE", _MEMBER, _archive),
    Route("POST", f"{_MEMBER}/actions/delete-permanent", _forget),
    Route("GET", f"{_MEMBER}/tags", _tags),
    Route("POST", f"{_MEMBER}/tags", _set_tags),
    Route("GET", f"{_LIST}/tag-search", _tag_search),
    Route("GET", "/3.0/search-members", _search),
)

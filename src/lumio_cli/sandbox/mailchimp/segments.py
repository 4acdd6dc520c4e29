"""Segments of an audience; the static ones are its tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..http import Request, Response, Route
from . import members
from .problems import invalid, not_found, refused
from .shape import Document, chosen, link, page, single, span

if TYPE_CHECKING:
    from .account import Account

MOST = 500
"""Addresses that one change of a static segment takes."""


def _links(request: Request, row: Document) -> list[Document]:
    path = f"/lists/{row['list_id']}/segments"
    return [link(request, "self", f"{path}/{row['id']}"), link(request, "parent", path)]


def _list_all(account: Account, request: Request, list_id: str) -> Response:
    table = account.room(list_id).segments
    made = span(request, "since_created_at", "before_created_at")
    changed = span(request, "since_updated_at", "before_updated_at")
    kind = chosen(request, "type", ("saved", "static", "fuzzy"))
    ids = [
        i for i in table.ids()
        if made[0] <= table.created(i) <= made[1]
        and changed[0] <= int(table.modified(i)) <= changed[1]
        and (kind is None or _read(account, list_id, i)["type"] == kind)
    ]  # fmt: skip
    return page(
        request,
        "segments",
        ids,
        lambda number: _read(account, list_id, number),
        lambda row: _links(request, row),
        list_id=list_id,
    )


def _read(account: Account, list_id: str, number: str) -> Document:
    found = account.room(list_id).segments.get(number)
    if found is None:
        raise not_found()
    return found


def _one(account: Account, request: Request, list_id: str, number: str) -> Response:
    row = _read(account, list_id, number)
    return single(request, row, _links(request, row))


def _create(account: Account, request: Request, list_id: str) -> Response:
    room, body = account.room(list_id), request.json()
    if not body.get("name"):
        raise invalid(("name", "This value should not be blank."))
    static = "static_segment" in body
    addresses = [a for a in body.get("static_segment") or () if room.find(a)]
    number = room.segments.insert(
        {
            "name": str(body["name"]), "member_count": len(addresses), "list_id": list_id,
            "type": "static" if static else "saved",
            "options": body.get("options") or {"match": "any", "conditions": []},
        }
    )  # fmt: skip
    _mark(account, list_id, number, addresses, [])
    return _one(account, request, list_id, number)


def _change(account: Account, request: Request, list_id: str, number: str) -> Response:
    row, body = _read(account, list_id, number), request.json()
    account.room(list_id).segments.update(
        number, {k: body[k] for k in ("name", "options") if k in body and k in row}
    )
    return _one(account, request, list_id, number)


def _delete(account: Account, _: Request, list_id: str, number: str) -> Response:
    _read(account, list_id, number)
    account.room(list_id).segments.purge(number)
    return Response(204)


def _mark(
    account: Account, list_id: str, number: str, add: list[str], remove: list[str]
) -> tuple[list[Document], list[Document]]:
    """Give members the tag of a static segment, or take it away; the members that it changed."""
    room, row = account.room(list_id), _read(account, list_id, number)
    tag = {"id": row["id"], "name": row["name"]}
    found: tuple[list[Document], list[Document]] = ([], [])
    for side, addresses in enumerate((add, remove)):
        for address in addresses:
            contact = room.find(address)
            member = room.members.get(contact) if contact else None
            if contact is None or member is None:
                continue
            others = [t for t in member["tags"] if t["name"] != tag["name"]]
            room.update(contact, {"tags": others if side else [*others, tag]})
            found[side].append(room.read(contact) or member)
    return found


def _batch(account: Account, request: Request, list_id: str, number: str) -> Response:
    row, body = _read(account, list_id, number), request.json()
    if row["type"] != "static":
        raise refused(400, "Only static segments can be changed by members.")
    add, remove = body.get("members_to_add") or [], body.get("members_to_remove") or []
    if len(add) > MOST or len(remove) > MOST:
        raise invalid(("members_to_add", f"At most {MOST} members may be changed at once."))
    added, removed = _mark(account, list_id, number, add, remove)
    known = {m["email_address"].lower() for m in (*added, *removed)}
    lost = [a for a in (*add, *remove) if a.lower() not in known]
    errors = (
        [{"email_addresses": lost, "error": "Email addresses do not exist in the list"}]
        if lost
        else []
    )
    account.room(list_id).segments.update(number, {"member_count": len(added)})
    return Response.of_json(
        {
            "members_added": added, "members_removed": removed, "errors": errors,
            "total_added": len(added), "total_removed": len(removed), "error_count": len(errors),
            "_links": [],
        }
    )  # fmt: skip


def _members(account: Account, request: Request, list_id: str, number: str) -> Response:
    name, room = _read(account, list_id, number)["name"], account.room(list_id)
    rows = [m for m in room.members if any(t["name"] == name for t in m["tags"])]
    return page(request, "members", rows, dict, lambda row: members.links(request, row))


_SEGMENTS = "/3.0/lists/{list_id}/segments"
_ONE = f"{_SEGMENTS}/{{number}}"
ROUTES = (
    Route("GET", _SEGMENTS, _list_all),
    Route("POST", _SEGMENTS, _create),
    Route("GET", _ONE, _one),
    Route("PATCH", _ONE, _change),
    Route("POST", _ONE, _batch),
    Route("DELETE", _ONE, _delete),
    Route("GET", f"{_ONE}/members", _members),
)

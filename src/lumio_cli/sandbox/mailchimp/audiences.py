"""The account itself, its audiences (`/lists`), their merge fields and interests."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ..http import Request, Response, Route
from . import data, writing
from .problems import invalid, not_found, refused
from .shape import Document, chosen, link, page, single, span

if TYPE_CHECKING:
    from .account import Account

FIELD_TYPES = (
    "text", "number", "address", "phone", "date", "url", "imageurl", "radio", "dropdown",
    "birthday", "zip",
)  # fmt: skip


def _root(account: Account, request: Request) -> Response:
    total = sum(len(room.members) for room in account.rooms.values())
    return single(
        request,
        {
            "account_id": account.account_id,
            "login_id": "17654322",
            "account_name": account.account_name,
            "email": "sandbox@example.com",
            "first_name": "Freddie",
            "last_name": "Sandbox",
            "username": "sandbox",
            "avatar_url": "https://sandbox.example/avatar.png",
            "role": "viewer" if account.is_viewer(request) else "owner",
            "member_since": "2020-01-01T23:59:59+00:00",
            "pricing_plan_type": "monthly",
            "first_payment": "2020-02-01T00:00:00+00:00",
            "account_timezone": "America/Sao_Paulo",
            "account_industry": "Software",
            "contact": {
                "company": account.account_name, "addr1": "1 Main St", "addr2": "",
                "city": "Atlanta", "state": "GA", "zip": "30308", "country": "US",
            },
            "pro_enabled": False,
            "last_login": "2026-06-01T10:00:00+00:00",
            "total_subscribers": total,
            "industry_stats": {"open_rate": 0.2, "bounce_rate": 0.01, "click_rate": 0.02},
        },
        [link(request, "self", "/")],
    )  # fmt: skip


def _ping(_: Account, __: Request) -> Response:
    return Response.of_json({"health_status": "Everything's Chimpy!"})


# --- lists


def view(account: Account, list_id: str) -> Document:
    """An audience with its numbers. Raises Answered (404)."""
    document = account.tables["audiences"].get(list_id)
    if document is None:
        raise not_found()
    room = account.room(list_id)
    # Counting reads every member: only small audiences are counted by status.
    small = len(room.members) <= 2_000
    counts = Counter(room.statuses()) if small else Counter({"subscribed": len(room.members)})
    return {
        **document,
        "stats": {
            "member_count": counts["subscribed"],
            "unsubscribe_count": counts["unsubscribed"],
            "cleaned_count": counts["cleaned"],
            "member_count_since_send": 0,
            "unsubscribe_count_since_send": 0,
            "cleaned_count_since_send": 0,
            "campaign_count": len(account.tables["campaigns"]),
            "campaign_last_sent": "",
            "merge_field_count": len(room.fields),
            "avg_sub_rate": 0,
            "avg_unsub_rate": 0,
            "target_sub_rate": 0,
            "open_rate": 33.3,
            "click_rate": 3,
            "last_sub_date": "2026-06-01T10:00:00+00:00",
            "last_unsub_date": "",
        },
    }


def _links(request: Request, document: Document) -> list[Document]:
    return [link(request, "self", f"/lists/{document['id']}")]


def _list_all(account: Account, request: Request) -> Response:
    chosen(request, "sort_field", ("date_created",))
    backwards = chosen(request, "sort_dir", ("ASC", "DESC")) == "DESC"
    table = account.tables["audiences"]
    limits = span(request, "since_date_created", "before_date_created")
    ids = [i for i in table.ids() if limits[0] <= table.created(i) <= limits[1]]
    if email := request.one("email"):
        ids = [i for i in ids if account.room(i).find(email)]
    constraints = {"may_create": True, "max_instances": 100, "current_total_instances": len(table)}
    return page(
        request,
        "lists",
        ids[::-1] if backwards else ids,
        lambda list_id: view(account, list_id),
        lambda row: _links(request, row),
        constraints=constraints,
    )


def _read(account: Account, request: Request, list_id: str) -> Response:
    document = view(account, list_id)
    return single(request, document, _links(request, document))


REQUIRED = ("name", "contact", "permission_reminder", "campaign_defaults", "email_type_option")


def _create(account: Account, request: Request) -> Response:
    body = request.json()
    missing = [(name, "This value should not be blank.") for name in REQUIRED if name not in body]
    if missing:
        raise invalid(*missing)
    table = account.tables["audiences"]
    made = data.audience(str(body["name"]), "", 100_000 + len(table))
    del made["id"]
    list_id = table.insert({**made, **writing.known(body, made)})
    return _read(account, request, list_id)


def _change(account: Account, request: Request, list_id: str) -> Response:
    document = view(account, list_id)
    account.tables["audiences"].update(list_id, writing.known(request.json(), document))
    return _read(account, request, list_id)


def _delete(account: Account, _: Request, list_id: str) -> Response:
    account.room(list_id)
    account.tables["audiences"].purge(list_id)
    account.rooms.pop(list_id, None)
    return Response(204)


# --- merge fields


def _field_view(list_id: str, field: Document) -> Document:
    return {**field, "list_id": list_id}


def _fields(account: Account, request: Request, list_id: str) -> Response:
    fields = account.room(list_id).fields
    kind, required = request.one("type"), request.one("required")
    if kind:
        fields = [f for f in fields if f["type"] == kind]
    if required:
        fields = [f for f in fields if f["required"] is (required == "true")]
    return page(
        request, "merge_fields", fields, lambda f: _field_view(list_id, f), list_id=list_id
    )  # fmt: skip


def _field(account: Account, list_id: str, merge_id: str) -> Document:
    found = [f for f in account.room(list_id).fields if str(f["merge_id"]) == merge_id]
    if not found:
        raise not_found()
    return found[0]


def _read_field(account: Account, request: Request, list_id: str, merge_id: str) -> Response:
    return single(request, _field_view(list_id, _field(account, list_id, merge_id)))


def add_field(account: Account, list_id: str, body: Document) -> Document:
    """A new merge field; it must have a name and a type. Raises Answered."""
    room = account.room(list_id)
    if not body.get("name") or body.get("type") not in FIELD_TYPES:
        raise invalid(("type", "This value should be one of the types of merge fields."))
    number = max((f["merge_id"] for f in room.fields), default=0) + 1
    tag = str(body.get("tag") or f"MMERGE{number}").upper()
    if any(f["tag"] == tag for f in room.fields):
        raise refused(400, f'A Merge Field with the tag "{tag}" already exists for this list.')
    made = {
        "merge_id": number, "tag": tag, "name": str(body["name"]), "type": body["type"],
        "required": bool(body.get("required", False)), "default_value": "", "public": False,
        "display_order": number + 1, "options": body.get("options") or {}, "help_text": "",
    }  # fmt: skip
    room.fields.append(made)
    return made


def _create_field(account: Account, request: Request, list_id: str) -> Response:
    return single(request, _field_view(list_id, add_field(account, list_id, request.json())))


def _change_field(account: Account, request: Request, list_id: str, merge_id: str) -> Response:
    field = _field(account, list_id, merge_id)
    field.update(writing.known(request.json(), field, but=("merge_id", "type")))
    return single(request, _field_view(list_id, field))


def _delete_field(account: Account, _: Request, list_id: str, merge_id: str) -> Response:
    account.room(list_id).fields.remove(_field(account, list_id, merge_id))
    return Response(204)


# --- interests


def _categories(account: Account, request: Request, list_id: str) -> Response:
    room = account.room(list_id)
    return page(request, "categories", room.categories, dict, list_id=list_id)


def _interests(account: Account, request: Request, list_id: str, category: str) -> Response:
    room = account.room(list_id)
    found = [i for i in room.interests if i["category_id"] == category]
    if not found:
        raise not_found()
    more: dict[str, Any] = {"list_id": list_id, "category_id": category}
    return page(request, "interests", found, dict, **more)


_LIST = "/3.0/lists/{list_id}"
ROUTES = (
    Route("GET", "/3.0", _root),
    Route("GET", "/3.0/ping", _ping),
    Route("GET", "/3.0/lists", _list_all),
    Route("POST", "/3.0/lists", _create),
    Route("GET", _LIST, _read),
    Route("PATCH", _LIST, _change),
    Route("DELETE", _LIST, _delete),
    Route("GET", f"{_LIST}/merge-fields", _fields),
    Route("POST", f"{_LIST}/merge-fields", _create_field),
    Route("GET", f"{_LIST}/merge-fields/{{merge_id}}", _read_field),
    Route("PATCH", f"{_LIST}/merge-fields/{{merge_id}}", _change_field),
    Route("DELETE", f"{_LIST}/merge-fields/{{merge_id}}", _delete_field),
    Route("GET", f"{_LIST}/interest-categories", _categories),
    Route("GET", f"{_LIST}/interest-categories/{{category}}/interests", _interests),
)

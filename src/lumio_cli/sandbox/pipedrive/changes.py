"""Writing: POST makes a record, PATCH changes one, DELETE marks it as deleted. One at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..http import Request, Response
from .checks import CONTACT_SYNC, BadValueError, check_body
from .data import defaults, rfc3339
from .errors import Refused, done
from .fields import KINDS, check_custom

if TYPE_CHECKING:
    from .account import Account

_REFERS = {
    "person_id": "persons",
    "org_id": "organizations",
    "deal_id": "deals",
    "pipeline_id": "pipelines",
    "stage_id": "stages",
}


def create(account: Account, request: Request, kind: str) -> Response:
    """POST /api/v2/{kind}. Products answer 201, all others 200, as they are described."""
    body = request.json()
    _check(account, kind, body, new=True)
    if kind == "deals" and account.open_deals is not None:
        count = sum(1 for deal in account.tables["deals"] if deal["status"] == "open")
        if count >= account.open_deals:
            error = "Couldn't add the deal. Open deals limit reached."
            raise Refused(403, error, "feature_capping_deals_limit")
    document = {**defaults(kind), **body}
    if kind in KINDS:
        custom = {f.code: None for f in account.fields[kind] if f.custom}
        document["custom_fields"] = {**custom, **(body.get("custom_fields") or {})}
    _complete(account, kind, document, body)
    record_id = account.tables[kind].insert(document)
    found = account.show(kind, account.find(kind, record_id), {})
    return done(found, 201 if kind == "products" else 200)


def update(account: Account, request: Request, kind: str, id: str) -> Response:
    """PATCH /api/v2/{kind}/{id}: what is not named stays."""
    _must_be(account, kind, id)
    if kind == "deals" and id in account.archived:
        raise Refused(400, "Archived deals cannot be changed")
    body = request.json()
    _check(account, kind, body, new=False)
    changes = dict(body)
    if "custom_fields" in changes:
        before = account.find(kind, id).get("custom_fields") or {}
        changes["custom_fields"] = {**before, **(changes["custom_fields"] or {})}
    _complete(account, kind, changes, body)
    if changes:
        account.tables[kind].update(id, changes)
    if body.get("is_archived") is True:
        account.archive(id)
    return done(account.show(kind, account.find(kind, id), {}))


def delete(account: Account, _request: Request, kind: str, id: str) -> Response:
    """DELETE /api/v2/{kind}/{id}."""
    _must_be(account, kind, id)
    account.tables[kind].delete(id)
    return done({"id": int(id)})


def _must_be(account: Account, kind: str, record_id: str) -> None:
    if record_id not in account.tables[kind]:
        raise Refused(404, f"{account.noun(kind)} not found")


def _check(account: Account, kind: str, body: Any, *, new: bool) -> None:
    try:
        check_body(kind, body, new=new)
        _check_custom(account, kind, body.get("custom_fields"))
        _check_links(account, body)
    except BadValueError as bad:
        raise Refused(400, f"Validation failed: {bad}") from None
    if kind == "persons" and not account.contact_sync and CONTACT_SYNC & body.keys():
        names = ", ".join(sorted(CONTACT_SYNC & body.keys()))
        raise Refused(403, f"{names}: contact sync is not enabled")


def _check_custom(account: Account, kind: str, custom: Any) -> None:
    if custom is None:
        return
    if kind not in KINDS or not isinstance(custom, dict):
        raise BadValueError("custom_fields: is not allowed")
    known = {f.code: f for f in account.fields[kind] if f.custom}
    for code, value in custom.items():
        if code not in known:
            raise BadValueError(f"custom_fields.{code}: is not a field")
        check_custom(known[code], value)


def _check_links(account: Account, body: dict[str, Any]) -> None:
    for name, target in _REFERS.items():
        if body.get(name) is not None and str(body[name]) not in account.tables[target]:
            raise BadValueError(f"{name}: {account.noun(target)} not found")


def _complete(account: Account, kind: str, document: dict[str, Any], body: Any) -> None:
    """What follows from what was written."""
    now = rfc3339(account.now())
    if kind == "persons" and "name" in body:
        first, _, last = str(body["name"]).partition(" ")
        document["first_name"], document["last_name"] = first, last or None
    if kind == "persons":
        for name in ("emails", "phones"):
            items = document.get(name) or []
            for number, item in enumerate(items):
                item.setdefault("label", "work")
                item.setdefault("primary", number == 0)
    if kind == "deals" and "stage_id" in body:
        stage = account.tables["stages"].get(str(body["stage_id"]))
        document["pipeline_id"] = stage["pipeline_id"] if stage else 1
        document["stage_change_time"] = now
    if kind == "deals" and "status" in body:
        won, lost = body["status"] == "won", body["status"] == "lost"
        document["won_time"] = body.get("won_time") or (now if won else None)
        document["lost_time"] = body.get("lost_time") or (now if lost else None)
        document["close_time"] = body.get("close_time") or (now if won or lost else None)
    if kind == "activities" and "done" in body:
        document["marked_as_done_time"] = now if body["done"] else None
    if kind == "activities" and "participants" in body:
        main = next((p for p in body["participants"] if p.get("primary")), None)
        document["person_id"] = main.get("person_id") if main else None

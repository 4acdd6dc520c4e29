"""Reading: listings with cursors, single records, fields, search.

From the descriptions of v2: at most 500 a page, 100 unless told; `updated_since` is inclusive,
`updated_until` is not; sorted by id unless told; a cursor says after which record, in which
order, to go on. Query parameters that an endpoint does not have are refused.
"""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from ..http import Request, Response
from ..table import Document
from .checks import STATUSES, moment
from .errors import Refused, done

if TYPE_CHECKING:
    from .account import Account

MOST = 500
DEFAULT = 100
FILTERS: Mapping[str, tuple[str, ...]] = {
    "deals": ("owner_id", "person_id", "org_id", "pipeline_id", "stage_id"),
    "persons": ("owner_id", "org_id"),
    "organizations": ("owner_id",),
    "activities": ("owner_id", "deal_id", "lead_id", "person_id", "org_id", "done"),
    "products": ("owner_id",),
    "pipelines": (),
    "stages": ("pipeline_id",),
}
_NARROWING = {
    "updated_since", "updated_until", "status", "ids",
    *(name for names in FILTERS.values() for name in names),
}  # fmt: skip
_PAGED = ("limit", "cursor", "sort_by", "sort_direction")
_MAIN = (*_PAGED, "ids", "filter_id", "updated_since", "updated_until", "include_fields")
_CUSTOM = ("custom_fields", "include_option_labels", "include_labels")
KNOWN: Mapping[str, tuple[str, ...]] = {
    "deals": (*_MAIN, *_CUSTOM, *FILTERS["deals"], "status"),
    "deals/archived": (*_MAIN, "custom_fields", *FILTERS["deals"], "status"),
    "persons": (*_MAIN, *_CUSTOM, *FILTERS["persons"], "deal_id"),
    "organizations": (*_MAIN, *_CUSTOM, *FILTERS["organizations"]),
    "activities": (*_MAIN, *FILTERS["activities"]),
    "products": (*_PAGED, "ids", "filter_id", "updated_since", "custom_fields", "owner_id"),
    "pipelines": _PAGED,
    "stages": (*_PAGED, "pipeline_id"),
}
SORTS: Mapping[str, tuple[str, ...]] = {
    "activities": ("id", "update_time", "add_time", "due_date"),
    "products": ("id", "name", "add_time", "update_time"),
    "stages": ("id", "update_time", "add_time", "order_nr"),
}


def list_records(account: Account, request: Request, kind: str) -> Response:
    """GET /api/v2/{kind}: what is not deleted, archived deals apart."""
    return _page(account, request, kind, archived=False)


def list_archived(account: Account, request: Request) -> Response:
    """GET /api/v2/deals/archived."""
    return _page(account, request, "deals", archived=True)


def get_record(account: Account, request: Request, kind: str, id: str) -> Response:
    """GET /api/v2/{kind}/{id}; a deleted record can be seen for 30 days."""
    table = account.tables[kind]
    found = table.get(id)
    if found is None and id in table.gone and table.gone[id] > account.now() - account.KEPT:
        found = account.deleted(kind, id)
    if found is None:
        raise Refused(404, f"{account.noun(kind)} not found")
    return done(account.show(kind, found, _shown(request, archived=False)))


def list_fields(account: Account, request: Request, kind: str) -> Response:
    """GET /api/v2/dealFields and the like."""
    _refuse_unknown(request, ("limit", "cursor", "include_fields"))
    fields = [definition.document() for definition in account.fields[kind]]
    start = 0
    if (cursor := request.one("cursor")) is not None:
        start = int(_read(cursor).get("offset", 0))
    size = _limit(request)
    page = fields[start : start + size]
    more = _write({"offset": start + size}) if start + size < len(fields) else None
    return done(page, additional_data={"next_cursor": more})


def search(account: Account, request: Request, kind: str) -> Response:
    """GET /api/v2/{kind}/search, over names and titles."""
    term = (request.one("term") or "").lower()
    if len(term) < (1 if request.one("exact_match") == "true" else 2):
        raise Refused(400, "term: is too short")
    name = "title" if kind == "deals" else "name"
    exact = request.one("exact_match") == "true"
    items = []
    for document in account.tables[kind]:
        text = str(document[name]).lower()
        if text == term if exact else term in text:
            item = {"id": document["id"], "type": account.noun(kind).lower(), name: document[name]}
            items.append({"result_score": 1.0, "item": item})
    return done({"items": items[: min(_limit(request), 100)]}, additional_data={})


def _page(account: Account, request: Request, kind: str, *, archived: bool) -> Response:
    known = KNOWN["deals/archived" if archived else kind]
    _refuse_unknown(request, known)
    size = _limit(request)
    order = request.one("sort_by") or "id"
    if order not in SORTS.get(kind, ("id", "update_time", "add_time")):
        raise Refused(400, f"sort_by: {order} is not supported")
    direction = request.one("sort_direction") or "asc"
    if direction not in ("asc", "desc"):
        raise Refused(400, "sort_direction: must be asc or desc")
    after = _after(request, order, direction)
    shown = _shown(request, archived=archived)
    if order == "id" and direction == "asc" and not request.query.keys() & _NARROWING:
        rows, more = _next_page(account, kind, after, size, archived=archived)
    else:
        chosen = _chosen(account, request, kind, archived=archived)
        rows, more = _sorted_page(account, kind, chosen, order, direction == "desc", after, size)
    cursor = None
    if more:
        last = rows[-1]
        place = {"field": order, "fieldValue": last.get(order), "sortDirection": direction}
        cursor = _write({**place, "id": last["id"]})
    data = [account.show(kind, row, shown) for row in rows]
    return done(data, additional_data={"next_cursor": cursor})


def _next_page(
    account: Account, kind: str, after: tuple[Any, int] | None, size: int, *, archived: bool
) -> tuple[list[Document], bool]:
    """The most usual page: everything, by id, which is how a table is kept."""
    table = account.tables[kind]
    ids = table.ids()
    start = bisect_right(ids, after[1], key=int) if after else 0
    rest = (i for i in ids[start:] if kind != "deals" or (i in account.archived) is archived)
    page = list(islice(rest, size + 1))
    return [account.find(kind, record_id) for record_id in page[:size]], len(page) > size


def _chosen(account: Account, request: Request, kind: str, *, archived: bool) -> list[str]:
    """The ids of records that the filters leave, in no order. Cheap ones come first."""
    table = account.tables[kind]
    since, until = _time(request, "updated_since"), _time(request, "updated_until")
    statuses = request.many("status")
    if bad := set(statuses) - set(STATUSES):
        raise Refused(400, f"status: {min(bad)} is not allowed")
    if since is not None or until is not None:
        # A record's time is shown in whole seconds, and compared as it is shown.
        ids = table.changed(since or 0.0, float("inf") if until is None else until - 0.001)
    else:
        ids = list(table.ids())
    if "deleted" in statuses:
        ids += account.recently_deleted(kind, since or 0.0)
    if wanted := request.many("ids"):
        if len(wanted) > 100:
            raise Refused(400, "ids: at most 100 are allowed")
        ids = [record_id for record_id in ids if record_id in set(wanted)]
    equal = {name: request.one(name) for name in FILTERS[kind] if request.one(name) is not None}
    if kind == "deals" or equal:
        ids = [i for i in ids if _fits(account, kind, i, equal, statuses, archived)]
    return ids


def _fits(
    account: Account,
    kind: str,
    record_id: str,
    equal: Mapping[str, str | None],
    statuses: Sequence[str],
    archived: bool,
) -> bool:
    if kind == "deals" and (record_id in account.archived) is not archived:
        return False
    if not equal and not statuses:
        return True
    document = account.find(kind, record_id)
    if statuses and document.get("status") not in statuses:
        return False
    return all(_text(document.get(name)) == value for name, value in equal.items())


def _sorted_page(
    account: Account,
    kind: str,
    ids: list[str],
    order: str,
    backwards: bool,
    after: tuple[Any, int] | None,
    size: int,
) -> tuple[list[Document], bool]:
    """The records after a place, and whether there are more of them."""
    table = account.tables[kind]

    def key(record_id: str) -> tuple[Any, int]:
        number = int(record_id)
        if order == "id":
            return number, number
        if order == "update_time":
            return int(table.modified(record_id)), number
        if order == "add_time":
            return int(table.created(record_id)), number
        return _text(account.find(kind, record_id).get(order)), number

    keyed = sorted(((key(record_id), record_id) for record_id in ids), reverse=backwards)
    if after is not None:
        value, number = after
        if order in ("update_time", "add_time"):
            value = int(moment(str(value)) or 0)
        elif order != "id":
            value = _text(value)
        place = (value, number)
        keyed = [k for k in keyed if (k[0] < place if backwards else k[0] > place)]
    page = [account.find(kind, record_id) for _, record_id in keyed[:size]]
    return page, len(keyed) > size


def _shown(request: Request, *, archived: bool) -> dict[str, Any]:
    """What a request wants to see of a record."""
    keys = request.many("custom_fields")
    if len(keys) > 15:
        raise Refused(400, "custom_fields: at most 15 keys are allowed")
    return {
        "keys": set(keys) if keys else None,
        "options": request.one("include_option_labels") == "true" and not archived,
        "labels": request.one("include_labels") == "true" and not archived,
        "extra": set(request.many("include_fields")),
    }


def _refuse_unknown(request: Request, known: Iterable[str]) -> None:
    for name in request.query:
        if name not in known and name != "api_token":
            raise Refused(400, f"{name}: is not allowed")


def _limit(request: Request) -> int:
    text = request.one("limit")
    if text is None:
        return DEFAULT
    if not text.isdigit() or not 1 <= int(text) <= MOST:
        raise Refused(400, f"limit: must be a number from 1 to {MOST}")
    return int(text)


def _time(request: Request, name: str) -> float | None:
    text = request.one(name)
    if text is None:
        return None
    found = moment(text)
    if found is None:
        raise Refused(400, f"{name}: must be a time in RFC 3339")
    return found


def _after(request: Request, order: str, direction: str) -> tuple[Any, int] | None:
    text = request.one("cursor")
    if text is None:
        return None
    place = _read(text)
    if place.get("field") != order or place.get("sortDirection") != direction:
        raise Refused(400, "cursor: was made for another order")
    return place.get("fieldValue"), int(place["id"])


def same_place(request: Request) -> str | None:
    """Another cursor for the page that a request by id asks for; None in any other order."""
    order = request.one("sort_by") or "id", request.one("sort_direction") or "asc"
    if order != ("id", "asc"):
        return None
    text = request.one("cursor")
    start: dict[str, Any] = {
        "field": "id",
        "fieldValue": 0,
        "sortDirection": "asc",
        "id": 0,
        "offset": 0,
    }
    place = start if text is None else _read(text)
    return _write({**place, "again": place.get("again", 0) + 1})


def _write(place: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def _read(text: str) -> dict[str, Any]:
    try:
        place = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        raise Refused(400, "cursor: is invalid") from None
    if not isinstance(place, dict):
        raise Refused(400, "cursor: is invalid")
    return place


def _text(value: Any) -> str:
    """A value as a query parameter would write it."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)

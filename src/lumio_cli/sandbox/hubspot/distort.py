"""Faults of an answer's content, in HubSpot's shape: where its rows and its paging are.

HubSpot's descriptions say `paging.next.after` of what more there is (`ForwardPaging`): a page whose
`paging.next` has no `after` contradicts itself, and one without `paging` is the last.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from ..faults import spoil
from ..http import Request

_PAGED = re.compile(
    r"/crm/((v3/objects|objects/2026-0[39])/[^/]+(/search)?|v3/owners|owners/2026-0[39])$"
)
"""Paths of what comes in pages."""
_LINKS = re.compile(r"/associations/.*/batch/read$")
"""Paths of what comes in pages record by record."""


def distorted(kind: str, argument: str | None, request: Request, body: dict[str, Any]) -> Any:
    """An answer that has `results`, with a fault of its content."""
    rows = body["results"]
    if kind == "empty":
        body.pop("paging", None)
        return {**body, "results": [], **({"total": 0} if "total" in body else {})}
    if kind == "loop":
        stuck = (body.get("paging") or {}).get("next", {}).get("after", "1")
        asked = _asked(request)
        return {**body, "paging": {"next": {"after": stuck if asked in ("", "0") else asked}}}
    if kind in ("hollow", "nowhere", "last"):
        return _paged(kind, request, body)
    if kind == "huge" and rows and isinstance(rows[0], dict):
        text = "x" * int(float(argument or 50) * 1_000_000)
        rows[0].setdefault("properties", {})["message"] = text
    else:
        spoil(rows, kind, argument)
    return body


def _paged(kind: str, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    if _LINKS.search(request.path):
        given = {str(item["id"]): str(item.get("after") or "") for item in request.json()["inputs"]}
        for result in body["results"]:
            result.update(_moved(kind, given[result["from"]["id"]], "to"))
            if kind == "last":
                result.pop("paging", None)
    elif _PAGED.match(request.path):
        body.update(_moved(kind, _asked(request), "results"))
        if kind == "last":
            body.pop("paging", None)
    return body


def _moved(kind: str, asked: str, rows: str) -> dict[str, Any]:
    """What such a page says instead. Another zero before a number is another word for the same
    place, which has the rows that a hollow page has not."""
    if kind == "hollow":
        return {rows: [], "paging": {"next": {"after": f"0{asked}"}}}
    if kind == "nowhere":
        # Without any place at the beginning, and behind it with one that is null.
        return {"paging": {"next": {"after": None} if asked.strip("0") else {}}}
    return {}


def _asked(request: Request) -> str:
    """The place that a request asks for; empty at the beginning."""
    if request.method == "POST":
        return str(orjson.loads(request.body or b"{}").get("after") or "")
    return request.one("after") or ""

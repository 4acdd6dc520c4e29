"""Pages of a finder: `start` and `count`, links to the neighbours, and a total."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..http import Request, Response
from .restli import number

Parameters = dict[str, Any]
MOST = 100


def page(
    request: Request,
    asked: Parameters,
    ids: Sequence[str],
    load: Callable[[str], Any],
) -> Response:
    """The part of `ids` that is asked for, loaded; 10 unless `count` says more, at most 100."""
    start = number(asked.get("start", 0), "start", 0, 10**9)
    count = number(asked.get("count", 10), "count", 0, MOST)
    rows = [load(record_id) for record_id in ids[start : start + count]]
    return Response.of_json(
        {"paging": _paging(request, start, count, len(ids)), "elements": rows},
    )


def whole(rows: Sequence[Any]) -> Response:
    """Everything in one answer, as statistics come."""
    paging = {"start": 0, "count": 10, "links": []}
    return Response.of_json({"paging": paging, "elements": list(rows)})


def _paging(request: Request, start: int, count: int, total: int) -> dict[str, Any]:
    links = []
    if start > 0:
        links.append(link(request, "prev", max(0, start - count), count))
    if start + count < total and count:
        links.append(link(request, "next", start + count, count))
    return {"start": start, "count": count, "links": links, "total": total}


def link(request: Request, rel: str, start: int, count: int) -> dict[str, str]:
    """A link is relative to the host."""
    href = f"{request.path}?{finder(request)}&start={start}&count={count}"
    return {"rel": rel, "href": href, "type": "application/json"}


def finder(request: Request) -> str:
    """The query without its place, for links."""
    kept = [
        f"{name}={values[-1]}"
        for name, values in request.query.items()
        if name not in ("start", "count")
    ]
    return "&".join(kept)

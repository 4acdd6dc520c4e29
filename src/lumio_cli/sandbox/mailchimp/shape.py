"""What all of Mailchimp's answers have in common: times, pages, partial answers, links."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from ..http import Request, Response
from .problems import invalid, refused

DEFAULT_COUNT, MAX_COUNT = 10, 1000
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(Z|[+-]\d\d:?\d\d)?")

Document = dict[str, Any]


def iso(seconds: float) -> str:
    """A time as Mailchimp writes it: whole seconds, UTC with its offset."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()


def parse(text: str | None) -> float | None:
    """Seconds since the epoch; None for what is not a time that Mailchimp reads, which it ignores
    without a word (a fraction of a second, a `+` that arrived as a space)."""
    if text is None or not _TIME.fullmatch(text):
        return None
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def span(request: Request, since: str, before: str) -> tuple[float, float]:
    """The times that two filters leave, both ends excluded, as the first and last that fit."""
    low, high = parse(request.one(since)), parse(request.one(before))
    return (
        0.0 if low is None else math.floor(low) + 1.0,
        math.inf if high is None else math.nextafter(math.ceil(high), 0.0),
    )


def within(text: str, limits: tuple[float, float]) -> bool:
    """Whether a time in a document lies in a span; a missing one lies only in an open one."""
    if limits == (0.0, math.inf):
        return True
    moment = parse(text)
    return moment is not None and limits[0] <= moment <= limits[1]


def window(request: Request) -> tuple[int, int]:
    """`count` and `offset`. Raises Answered."""
    values = []
    for name, default in (("count", DEFAULT_COUNT), ("offset", 0)):
        text = request.one(name)
        if text is not None and not text.isdigit():
            raise invalid((name, "This value should be a positive integer."))
        values.append(default if text is None else int(text))
    if values[0] > MAX_COUNT:
        raise invalid(("count", f"This value should be less than or equal to {MAX_COUNT}."))
    return values[0], values[1]


def chosen(request: Request, name: str, allowed: Sequence[str]) -> str | None:
    """A parameter that has few values. Raises Answered for any other."""
    value = request.one(name)
    if value is not None and value not in allowed:
        raise invalid((name, f"This value should be one of: {', '.join(allowed)}."))
    return value


def page(
    request: Request,
    name: str,
    ids: Sequence[Any],
    read: Callable[[Any], Document],
    links: Callable[[Document], list[Document]] | None = None,
    **more: Any,
) -> Response:
    """A page of a collection: `read` makes the document of each of `ids` on it."""
    count, offset = window(request)
    fields, without = _partial(request)
    linked = links is not None and _wanted(f"{name}._links", fields, without)
    rows = []
    for key in ids[offset : offset + count]:
        row = read(key)
        if linked and links is not None:
            row["_links"] = links(row)
        rows.append(row)
    document = {name: rows, **more, "total_items": len(ids), "_links": []}
    return Response.of_json(pruned(document, fields, without))


def single(request: Request, document: Document, links: list[Document] | None = None) -> Response:
    """One document, or the part of it that is asked for."""
    return Response.of_json(pruned({**document, "_links": links or []}, *_partial(request)))


def link(request: Request, rel: str, path: str, method: str = "GET") -> Document:
    """One of the `_links` that Mailchimp adds to everything."""
    return {"rel": rel, "href": f"{request.base_url}/3.0{path}", "method": method}


def _partial(request: Request) -> tuple[list[str], list[str]]:
    fields, without = request.many("fields"), request.many("exclude_fields")
    if fields and without:
        raise refused(400, "Only one of fields and exclude_fields may be used.")
    return fields, without


def _wanted(path: str, fields: Sequence[str], without: Sequence[str]) -> bool:
    if fields:
        return any(path == f or path.startswith(f"{f}.") for f in fields)
    return path not in without


def pruned(document: Document, fields: Sequence[str], without: Sequence[str]) -> Document:
    """The document with only `fields`, or without others: dotted paths, through lists as well."""
    if fields:
        kept: Document = _only(document, [f.split(".") for f in fields])
        return kept
    for path in without:
        _drop(document, path.split("."))
    return document


def _only(value: Any, paths: list[list[str]]) -> Any:
    if isinstance(value, list):
        return [_only(item, paths) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for name, inner in value.items():
        deeper = [path[1:] for path in paths if path[0] == name]
        if [] in deeper:
            kept[name] = inner
        elif deeper:
            kept[name] = _only(inner, deeper)
    return kept


def _drop(value: Any, path: list[str]) -> None:
    if isinstance(value, list):
        for item in value:
            _drop(item, path)
    elif isinstance(value, dict):
        if len(path) == 1:
            value.pop(path[0], None)
        elif path[0] in value:
            _drop(value[path[0]], path[1:])

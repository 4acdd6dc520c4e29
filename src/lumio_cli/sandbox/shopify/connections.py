"""Connections: a page of a sorted list, with cursors that say where the last record lies."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from graphql import GraphQLError

MOST = 250
"""Records a page: Shopify takes no more in any array or page."""

Order = Callable[[Any], tuple[float, ...]]


def cursor(place: Sequence[float]) -> str:
    """An opaque cursor of a place in the order."""
    return base64.b64encode(orjson.dumps({"last": list(place)})).decode()


def again(after: str | None, number: int) -> str:
    """Another cursor of the place `after` (None: of the beginning), unlike the one itself."""
    last = list(place_of(after)) if after else []
    return base64.b64encode(orjson.dumps({"last": last, "again": number})).decode()


def place_of(text: str) -> tuple[float, ...]:
    """The place that a cursor stands for. Raises GraphQLError."""
    try:
        return tuple(orjson.loads(base64.b64decode(text, validate=True))["last"])
    except (binascii.Error, orjson.JSONDecodeError, KeyError, TypeError):
        raise GraphQLError(
            f"`{text[:40]}` is not a valid cursor", extensions={"code": "BAD_REQUEST"}
        ) from None


def connection(
    keys: Sequence[Any], order: Order, make: Callable[[Any], Any], args: Mapping[str, Any]
) -> dict[str, Any]:
    """The page of `keys` (sorted by `order`) that the arguments ask for, as a connection whose
    nodes `make` makes. Raises GraphQLError for a page that Shopify would not give."""
    first, last = args.get("first"), args.get("last")
    if first is None and last is None:
        raise GraphQLError(
            "you must provide one of first or last", extensions={"code": "BAD_REQUEST"}
        )
    size = int(first if first is not None else last or 0)
    if not 0 < size <= MOST:
        raise GraphQLError(
            f"first must be between 1 and {MOST}, not {size}", extensions={"code": "BAD_REQUEST"}
        )
    if args.get("reverse"):
        straight = order
        keys, order = keys[::-1], lambda key: tuple(-part for part in straight(key))
    begin, end = 0, len(keys)
    if args.get("after"):
        begin = bisect_right(keys, place_of(args["after"]), key=order)
    if args.get("before"):
        end = bisect_left(keys, place_of(args["before"]), key=order)
    if first is not None:
        start, stop = begin, min(end, begin + size)
    else:
        start, stop = max(begin, end - size), end
    page = keys[start:stop]
    nodes: list[Any] = []

    def filled(*_: Any) -> list[Any]:
        if not nodes:
            nodes.extend(make(key) for key in page)
        return nodes

    def edges(*_: Any) -> list[dict[str, Any]]:
        return [
            {"cursor": cursor(order(key)), "node": node}
            for key, node in zip(page, filled(), strict=True)
        ]

    return {
        "nodes": filled,
        "edges": edges,
        "pageInfo": {
            "hasNextPage": stop < len(keys),
            "hasPreviousPage": start > 0,
            "startCursor": cursor(order(page[0])) if page else None,
            "endCursor": cursor(order(page[-1])) if page else None,
        },
    }


def numbered(
    items: Sequence[Any], args: Mapping[str, Any], make: Callable[[Any], Any] = lambda item: item
) -> dict[str, Any]:
    """A connection over a short list, in its own order."""
    return connection(range(len(items)), lambda n: (n,), lambda n: make(items[n]), args)

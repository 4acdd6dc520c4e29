"""What comes of a page's nodes: rows of the resource, and what they say of their own children."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract.call import Reply, dig
from lumio_cli.providers.contract.paging import NoPlaceError


def nodes_of(reply: Reply, root: str) -> list[Any]:
    """The nodes of a list that is not the resource's own."""
    nodes = dig(reply.json(), f"data.{root}.nodes")
    if not isinstance(nodes, list):
        raise BadReplyError(f"Shopify answered a page of {root} without a list of them")
    return nodes


def goes_on(page: Any) -> str:
    """Where the page of a connection says that it goes on; empty where it ends.

    Raises `NoPlaceError` where it says that more follow, and not where.
    """
    if not dig(page, "pageInfo.hasNextPage"):
        return ""
    token = dig(page, "pageInfo.endCursor")
    if not token:
        raise NoPlaceError("children of a record")
    return str(token)


def owned(row: Any, owner: Mapping[str, Any]) -> Any:
    """A metafield that names its owner; what is none stays what it is, and costs itself only."""
    if not isinstance(row, dict):
        return row
    return {**row, "ownerId": owner["id"]} if "id" in owner else {"unreadable": row}


def shipped(order: Any) -> list[Any]:
    """The fulfillments of an order, each with the order that it belongs to."""
    listed = order.get("fulfillments") if isinstance(order, dict) else None
    if not isinstance(listed, list):
        return [{"unreadable": order}]
    named = {"id": order.get("id"), "name": order.get("name")}
    return [{**row, "order": named} if isinstance(row, dict) else row for row in listed]


def stock(row: Any) -> Any:
    """A level whose quantities are an object by name."""
    listed = row.get("quantities") if isinstance(row, dict) else None
    if not isinstance(listed, list):
        return row
    named = (q for q in listed if isinstance(q, dict) and isinstance(q.get("name"), str))
    return {**row, "quantities": {q["name"]: q.get("quantity") for q in named}}

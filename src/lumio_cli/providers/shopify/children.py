"""What a page of records could not bring: the other children of each, and children as lists."""

from __future__ import annotations

from typing import Any

from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract.call import Record, Send, dig
from lumio_cli.providers.shopify import graph
from lumio_cli.providers.shopify.listing import Nested
from lumio_cli.providers.shopify.rows import goes_on


def filled(version: str, nested: Nested, records: list[Any], send: Send) -> list[Any]:
    """The records with all of their children. From a bulk operation these are lists already; what
    cannot be read stays as it is: it costs itself only."""
    return [
        {**record, nested.field: children_of(version, nested, record, send)}
        if isinstance(record, dict) and isinstance(record.get(nested.field), dict)
        else record
        for record in records
    ]


def children_of(version: str, nested: Nested, record: Record, send: Send) -> list[Any]:
    """All children of a record, of which its page has the first."""
    page = record.get(nested.field)
    children = list(dig(page, "nodes") or ())
    met: set[str] = set()
    while isinstance(record.get("id"), str) and (after := goes_on(page)):
        if after in met:
            raise BadReplyError(f"{nested.field} of {record['id']} do not end")
        met.add(after)
        variables = {"id": record["id"], "after": after}
        body = send(graph.call(version, nested.document, variables)).json()
        page = dig(body, nested.path)
        if page is None:
            break  # the record was deleted meanwhile
        children += dig(page, "nodes") or ()
    return children

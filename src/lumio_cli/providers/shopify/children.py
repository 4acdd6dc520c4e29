"""What a page of records could not bring: the other children of each, and children as lists."""

from __future__ import annotations

from typing import Any

from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract.call import Record, Send, dig
from lumio_cli.providers.contract.resource import Walk
from lumio_cli.providers.shopify import graph
from lumio_cli.providers.shopify.resources import (
    METAFIELDS,
    METAFIELDS_OF,
    NESTED,
    Nested,
)
from lumio_cli.providers.shopify.rows import goes_on, owned


def filled(version: str, walk: Walk, records: list[Any], send: Send) -> list[Any]:
    """The records with all of their children; of owners, their metafields. What cannot be read
    stays as it is: it costs itself only."""
    if walk.resource is METAFIELDS and walk.kind == "full":
        return [
            owned(row, owner) if isinstance(owner, dict) else owner
            for owner in records
            for row in (
                _children(version, METAFIELDS_OF, owner, send)
                if isinstance(owner, dict)
                else [owner]
            )
        ]
    nested = NESTED.get(walk.resource.name)
    if nested is None or walk.kind == "tombstones":
        return records
    # From a bulk operation children are lists already.
    return [
        {**record, nested.field: _children(version, nested, record, send)}
        if isinstance(record, dict) and isinstance(record.get(nested.field), dict)
        else record
        for record in records
    ]


def _children(version: str, nested: Nested, record: Record, send: Send) -> list[Any]:
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

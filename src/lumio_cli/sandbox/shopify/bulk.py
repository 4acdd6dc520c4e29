"""Bulk operations: queries that are carried out over everything, into a file of JSON lines.

A file is made when the operation ends and lies on disk, so that its size does not matter; it is
served by the byte, as Google Cloud Storage does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import IO, TYPE_CHECKING, Any

import orjson
from graphql import FieldNode, GraphQLError, OperationDefinitionNode, value_from_ast_untyped

from ..http import Request, Response
from . import engine
from .data import BASES, at
from .roots import Root

if TYPE_CHECKING:
    from .shop import Shop

KEPT = 7 * 86_400.0
"""Seconds that a result is kept."""
AT_ONCE = 5
"""Operations of a shop that may run at the same time (since version 2026-01)."""
CONNECTIONS = 5
DEPTH = 2
PAGE = 250
RUNNING = ("CREATED", "RUNNING", "CANCELING")


@dataclass(slots=True)
class Operation:
    """One bulk operation. `left` is how often it will still be seen running."""

    id: str
    query: str
    grouped: bool
    scopes: frozenset[str]
    created: float
    left: int
    status: str = "CREATED"
    error: str | None = None
    completed: float | None = None
    objects: int = 0
    roots: int = 0
    size: int = 0
    file: IO[bytes] | None = field(default=None, repr=False)


class Bulk:
    """The bulk operations of a shop.

    polls   how often a new operation is seen running before it is done
    failure the error code that new operations end with; empty: none
    holes   whether new results begin with a line that is null
    """

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self.polls = 1
        self.failure = ""
        self.holes = False
        self.operations: dict[str, Operation] = {}

    # -- the API

    def submit(self, text: str, grouped: bool, scopes: frozenset[str]) -> dict[str, Any]:
        """The payload of bulkOperationRunQuery."""
        wrong = _complaint(text)
        if wrong:
            return _refused("INVALID", ["query"], wrong)
        if sum(o.status in RUNNING for o in self.operations.values()) >= AT_ONCE:
            message = "You have reached the limit of concurrent bulk operations. Try again later."
            return _refused("LIMIT_REACHED", None, message)
        made = f"gid://shopify/BulkOperation/{BASES['BulkOperation'] + len(self.operations)}"
        operation = Operation(made, text, grouped, scopes, self._shop.now(), self.polls)
        self.operations[made] = operation
        return {"bulkOperation": self._document(operation), "userErrors": []}

    def shown(self, operation_id: str) -> dict[str, Any] | None:
        """An operation as it stands; looking at it makes time pass for it."""
        operation = self.operations.get(operation_id)
        if operation is None:
            return None
        if operation.status in RUNNING:
            operation.status = "RUNNING"
            operation.left -= 1
            if operation.left < 0:
                self._finish(operation)
        if operation.completed is not None and self._shop.now() > operation.completed + KEPT:
            operation.status = "EXPIRED"
        return self._document(operation)

    def last(self) -> dict[str, Any] | None:
        """The operation that was begun last."""
        return self.shown(list(self.operations)[-1]) if self.operations else None

    def cancel(self, operation_id: str) -> dict[str, Any]:
        """The payload of bulkOperationCancel."""
        operation = self.operations.get(operation_id)
        if operation is None or operation.status not in RUNNING:
            message = "A bulk operation cannot be canceled when it is completed"
            return {"bulkOperation": None, "userErrors": [{"field": ["id"], "message": message}]}
        operation.status = "CANCELED"
        return {"bulkOperation": self._document(operation), "userErrors": []}

    def download(self, request: Request, name: str) -> Response:
        """The bytes of a result that a Range header asks for; all of them without one."""
        operation = self.operations.get(
            f"gid://shopify/BulkOperation/{name.removesuffix('.jsonl')}"
        )
        if operation is None or operation.file is None or not request.one("Signature"):
            return _xml(403, "AccessDenied")
        if self._shop.now() > (operation.completed or 0) + KEPT:
            return _xml(400, "ExpiredToken")
        size = operation.size
        headers = {"Content-Type": "application/jsonl", "Accept-Ranges": "bytes"}
        unit, _, span = request.headers.get("range", "").partition("=")
        if unit != "bytes":
            operation.file.seek(0)
            whole = iter(lambda file=operation.file: file.read(1 << 16), b"")  # type: ignore[misc]
            return Response(200, headers=headers, stream=whole)
        begin, _, end = span.partition("-")
        start, stop = int(begin), min(int(end or size) + 1, size)
        if start >= size:
            return Response(416, headers={**headers, "Content-Range": f"bytes */{size}"})
        operation.file.seek(start)
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        return Response(206, operation.file.read(stop - start), headers)

    # -- inside

    def _document(self, operation: Operation) -> dict[str, Any]:
        number = operation.id.rpartition("/")[2]
        base = self._shop.base_url
        url = f"{base}/bulk-operation-outputs/{number}.jsonl?Expires=604800&Signature=sandbox"
        done = operation.completed is not None
        return {
            "__typename": "BulkOperation",
            "id": operation.id,
            "status": operation.status,
            "type": "QUERY",
            "query": operation.query,
            "errorCode": operation.error,
            "createdAt": at(operation.created),
            "completedAt": at(operation.completed) if done else None,  # type: ignore[arg-type]
            "objectCount": str(operation.objects),
            "rootObjectCount": str(operation.roots),
            "fileSize": str(operation.size) if operation.file else None,
            "url": url if operation.status == "COMPLETED" and operation.size else None,
            "partialDataUrl": url if operation.error and operation.size else None,
        }

    def _finish(self, operation: Operation) -> None:
        operation.completed = self._shop.now()
        operation.status, operation.error = "COMPLETED", None
        if engine.refused_fields(operation.query, self._shop.refused):
            # Which of them, an operation does not say.
            operation.status, operation.error = "FAILED", "ACCESS_DENIED"
            return
        try:
            operation.file = tempfile.TemporaryFile()  # noqa: SIM115 it lives with the operation
            if self.holes:
                operation.size += operation.file.write(b"null\n")
            for line in self._lines(operation):
                operation.size += operation.file.write(line)
        except GraphQLError:
            operation.status, operation.error, operation.size = "FAILED", "ACCESS_DENIED", 0
        if self.failure:
            operation.status, operation.error = "FAILED", self.failure

    def _lines(self, operation: Operation) -> Iterator[bytes]:
        root = Root(self._shop, operation.scopes)
        top = _top(operation.query)
        late: list[bytes] = []
        for node in _walk(root, top):
            operation.roots += 1
            for depth, line in _records(node, _node_of(top), None):
                operation.objects += 1
                if depth and not operation.grouped:
                    late.append(line)
                    continue
                yield line
            if len(late) > PAGE:
                yield from late
                late.clear()
        yield from late


def _refused(code: str, where: list[str] | None, message: str) -> dict[str, Any]:
    error = {"code": code, "field": where, "message": message}
    return {"bulkOperation": None, "userErrors": [error]}


def _xml(status: int, code: str) -> Response:
    text = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code></Error>"
    return Response(status, text.encode(), {"Content-Type": "application/xml; charset=UTF-8"})


def _complaint(text: str) -> str:
    """Why a query cannot be carried out in bulk; empty where it can."""
    document, errors = engine.compiled(text)
    if errors or document is None:
        return f"Invalid bulk query: {errors[0].message if errors else 'no document'}"
    top = [s for d in document.definitions if isinstance(d, OperationDefinitionNode)
           for s in d.selection_set.selections]  # fmt: skip
    if len(top) != 1 or not isinstance(top[0], FieldNode):
        return "Invalid bulk query: exactly one top-level field is allowed"
    count, depth = _connections(top[0])
    if not count:
        return "Bulk queries must contain at least one connection."
    if count > CONNECTIONS:
        return "Bulk queries cannot contain more than 5 connections."
    if depth > DEPTH + 1:
        return "Bulk queries cannot contain connections with a nesting depth greater than 2."
    return ""


def _connections(node: FieldNode) -> tuple[int, int]:
    """How many connections a field holds, itself included, and how deep they are nested."""
    own = _node_of(node) is not None
    count, depth = int(own), 0
    for inner in _fields(_node_of(node) or node):
        below = _connections(inner)
        count, depth = count + below[0], max(depth, below[1])
    return count, depth + int(own)


def _fields(node: FieldNode) -> list[FieldNode]:
    selections = node.selection_set.selections if node.selection_set else ()
    return [s for s in selections if isinstance(s, FieldNode)]


def _node_of(node: FieldNode) -> FieldNode | None:
    """The `node` of a connection's `edges`; None where the field is no connection."""
    for edges in _fields(node):
        if edges.name.value == "edges":
            return next((n for n in _fields(edges) if n.name.value == "node"), None)
        if edges.name.value == "nodes":
            return edges
    return None


def _top(text: str) -> FieldNode:
    document, _ = engine.compiled(text)
    assert document is not None  # noqa: S101 it was checked when it was submitted
    (definition,) = document.definitions
    (field,) = definition.selection_set.selections  # type: ignore[attr-defined]
    assert isinstance(field, FieldNode)  # noqa: S101
    return field


def _args(node: FieldNode) -> dict[str, Any]:
    found = {a.name.value: value_from_ast_untyped(a.value) for a in node.arguments or ()}
    return {k: v for k, v in found.items() if k not in ("first", "last", "after", "before")}


def _walk(holder: Any, node: FieldNode) -> Iterator[Mapping[str, Any]]:
    """Every node of a connection of `holder`, page by page."""
    name = node.name.value
    resolve = holder[name] if isinstance(holder, Mapping) else getattr(holder, name)
    info, after = SimpleNamespace(field_name=name), None
    while True:
        page = resolve(info, first=PAGE, after=after, **_args(node))
        yield from page["nodes"]()
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]


def _records(
    node: Mapping[str, Any], wanted: FieldNode | None, parent: str | None
) -> Iterator[tuple[int, bytes]]:
    """The line of a node, and those of its children, each with how deep it lies."""
    assert wanted is not None  # noqa: S101 a connection has nodes
    below = [f for f in _fields(wanted) if _node_of(f) is not None]
    line = _shape(node, wanted, skip=below)
    if parent is not None:
        line["__parentId"] = parent
    yield (0 if parent is None else 1), orjson.dumps(line) + b"\n"
    for connection in below:
        for child in _walk(node, connection):
            yield from _records(child, _node_of(connection), node["id"])


def _shape(value: Mapping[str, Any], wanted: FieldNode, skip: list[FieldNode]) -> dict[str, Any]:
    """What the selection wants of an object."""
    found: dict[str, Any] = {}
    for field_node in _fields(wanted):
        if field_node in skip:
            continue
        name = field_node.name.value
        held = value.get(name)
        if callable(held):
            held = held(SimpleNamespace(field_name=name), **_args(field_node))
        if field_node.selection_set is not None:
            if isinstance(held, list):
                held = [_shape(v, field_node, []) for v in held]
            elif held is not None:
                held = _shape(held, field_node, [])
        found[field_node.alias.value if field_node.alias else name] = held
    return found

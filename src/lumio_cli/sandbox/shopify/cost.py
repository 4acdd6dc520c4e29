"""What a query costs, before and after it is carried out.

Shopify publishes: scalars and enums 0, objects 1, interfaces and unions the dearest of their
selections, a mutation 10, a connection "sized by the first and last arguments", 1,000 at most for
one query. How a connection is sized is not published; here it is two, and for each node twice the
natural logarithm of the page's size, rounded down, as costs that were measured against Shopify
show it (microsoft/BCApps, pull request 5926, and the costs in its .resources/graphql). Amounts
of money were free there, and are here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_named_type,
    get_operation_ast,
    is_composite_type,
    value_from_ast_untyped,
)

MUTATION = 10
MONEY = frozenset({"MoneyBag", "MoneyV2"})
BASE = 2
_AMOUNTS = frozenset({"amount", "currencyCode", "presentmentMoney", "shopMoney"})


def factor(size: int) -> int:
    """How often the cost of one node counts in a page of `size`."""
    return max(1, int(2 * math.log(size))) if size > 0 else 0


class Meter:
    """Counts one operation of a document that is valid."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        variables: Mapping[str, Any],
        name: str | None,
    ) -> None:
        self._schema = schema
        self._variables = dict(variables)
        self._fragments = {
            d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)
        }
        operation = get_operation_ast(document, name)
        assert isinstance(operation, OperationDefinitionNode)  # noqa: S101 it was validated
        for definition in operation.variable_definitions or ():
            if definition.default_value is not None:
                self._variables.setdefault(
                    definition.variable.name.value,
                    value_from_ast_untyped(definition.default_value, None),
                )
        self._operation = operation
        self._writes = operation.operation is OperationType.MUTATION

    def requested(self) -> int:
        """The most that it may cost."""
        root = self._schema.mutation_type if self._writes else self._schema.query_type
        return self._fields(self._operation.selection_set, root, top=True)

    def actual(self, data: Any) -> int:
        """What it cost, by what came of it."""
        return math.ceil(self._spent(self._operation.selection_set, data, top=True))

    # -- before

    def _fields(self, selections: SelectionSetNode | None, parent: Any, top: bool = False) -> int:
        total = 0
        for name, field in self._flat(selections):
            if name.startswith("__"):
                continue
            owner = parent if field.name.value in getattr(parent, "fields", {}) else None
            total += self._one(field, owner, top and self._writes)
        return total

    def _one(self, field: FieldNode, owner: Any, mutation: bool) -> int:
        kind = get_named_type(owner.fields[field.name.value].type) if owner is not None else None
        if not is_composite_type(kind):
            # A field of a type that only a fragment names is priced by its shape.
            if field.selection_set is None:
                return 0
            kind = None
        if mutation:
            return MUTATION
        if field.name.value == "pageInfo" or getattr(kind, "name", "") in MONEY:
            return 0
        size = self._size(field)
        if size is not None:
            return BASE + factor(size) * self._per_node(field, kind)
        own = len(self._argument(field, "ids") or ()) or 1
        return own * (1 + self._fields(field.selection_set, kind))

    def _per_node(self, field: FieldNode, kind: Any) -> int:
        """What one record of a connection costs; `edges` and `nodes` are no objects of their own.
        A list that is cut by `first` is sized in the same way."""
        dearest = 0
        for name, inner in self._flat(field.selection_set):
            below = kind.fields[name].type if name in getattr(kind, "fields", {}) else None
            below = get_named_type(below) if below is not None else None
            if name == "nodes":
                dearest = max(dearest, 1 + self._fields(inner.selection_set, below))
            elif name == "edges":
                for deep, node in self._flat(inner.selection_set):
                    if deep == "node":
                        found = get_named_type(below.fields[deep].type) if below else None
                        dearest = max(dearest, 1 + self._fields(node.selection_set, found))
        return dearest or 1 + self._fields(field.selection_set, kind)

    # -- after

    def _spent(self, selections: SelectionSetNode | None, data: Any, top: bool = False) -> float:
        if not isinstance(data, dict):
            return 0
        total = 0.0
        for name, field in self._flat(selections):
            value = data.get(field.alias.value if field.alias else name)
            if field.selection_set is None or value is None or name == "pageInfo":
                continue
            if isinstance(value, dict) and value.keys() <= _AMOUNTS:
                continue
            if top and self._writes:
                total += MUTATION
            elif self._size(field) is not None and isinstance(value, dict):
                total += self._page(field, value)
            elif isinstance(value, list):
                total += sum(1 + self._spent(field.selection_set, v) for v in value if v)
            else:
                total += 1 + self._spent(field.selection_set, value)
        return total

    def _page(self, field: FieldNode, value: Mapping[str, Any]) -> float:
        spent, count = 0.0, 0
        for name, inner in self._flat(field.selection_set):
            rows = value.get(inner.alias.value if inner.alias else name)
            if name == "edges":
                for deep, node in self._flat(inner.selection_set):
                    if deep == "node":
                        rows = [edge["node"] for edge in rows or ()]
                        inner = node  # noqa: PLW2901 the rows are its values now
                        name = "nodes"  # noqa: PLW2901
            if name == "nodes":
                count = len(rows or ())
                spent = sum(1 + self._spent(inner.selection_set, row) for row in rows or ())
        return BASE + (spent / count * factor(count) if count else 0)

    # -- small things

    def _flat(self, selections: SelectionSetNode | None) -> Iterator[tuple[str, FieldNode]]:
        """The fields of a selection, fragments taken apart."""
        for selection in selections.selections if selections else ():
            if isinstance(selection, FieldNode):
                yield selection.name.value, selection
            elif isinstance(selection, FragmentSpreadNode):
                yield from self._flat(self._fragments[selection.name.value].selection_set)
            else:
                yield from self._flat(selection.selection_set)  # type: ignore[attr-defined]

    def _argument(self, field: FieldNode, name: str) -> Any:
        for argument in field.arguments or ():
            if argument.name.value == name:
                return value_from_ast_untyped(argument.value, self._variables)
        return None

    def _size(self, field: FieldNode) -> int | None:
        for name in ("first", "last"):
            value = self._argument(field, name)
            if isinstance(value, int):
                return value
        return None

"""GraphQL documents as texts: what they are planned to cost, and how they become calls.

Shopify publishes what fields cost: scalars and enums 0, objects 1, a mutation 10, and connections
"sized by the first and last arguments", without a formula. The formula here is read from costs
that others measured (microsoft/BCApps, pull request 5926 "GraphQL cost audit", December 2025, and
the costs noted in its .resources/graphql in August 2026): 2, and for each node twice the natural
logarithm of the page's size, rounded down; amounts of money are free. A plan is an upper bound of
what a call comes to; what it cost less is given back to its quota.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from lumio_cli.providers.contract.call import Call

MUTATION = 10.0
MOST = 1000
"""Points that one query may cost, whatever the plan."""
_AMOUNTS = frozenset({"amount", "currencyCode", "presentmentMoney", "shopMoney"})
_TOKEN = re.compile(r"\.\.\.|[{}]|\((?:[^()\"]|\"[^\"]*\")*\)|\"[^\"]*\"|[\w@:]+")


@dataclass(frozen=True, slots=True)
class Selected:
    """A field of a document: its name, its arguments as text, and what is selected of it."""

    name: str
    arguments: str = ""
    below: tuple[Selected, ...] = field(default=())


def call(
    version: str,
    document: str,
    variables: Mapping[str, Any] | None = None,
    *,
    safe: bool = True,
    idempotency_key: str | None = None,
) -> Call:
    """The request that carries out a document of one named operation. Reading is `safe`."""
    name = operation(document)
    body: dict[str, Any] = {"query": document, "operationName": name}
    if variables:
        body["variables"] = dict(variables)
    return Call(
        "POST",
        f"/admin/api/{version}/graphql.json",
        route=f"/admin/api/{version}/graphql.json#{name}",
        json=body,
        cost=cost(document, variables or {}),
        safe=safe,
        idempotency_key=idempotency_key,
    )


def operation(document: str) -> str:
    """The name of the document's operation."""
    found = re.match(r"\s*(?:query|mutation)\s+(\w+)", document)
    if found is None:
        raise ValueError("a document without a named operation")
    return found.group(1)


def cost(document: str, variables: Mapping[str, Any]) -> float:
    """The most points that a document may cost with these variables."""
    fields = selections(document)
    if document.lstrip().startswith("mutation"):
        return MUTATION * len(fields)
    return float(sum(_field(f, variables) for f in fields))


@cache
def selections(document: str) -> tuple[Selected, ...]:
    """What the document's operation selects."""
    body = document[document.index("{", _after_head(document)) :]
    tokens = (match.group() for match in _TOKEN.finditer(body))
    next(tokens)
    return _read(tokens)


def _after_head(document: str) -> int:
    found = re.match(r"\s*(?:query|mutation)\s+\w+\s*(\((?:[^()]|\"[^\"]*\")*\))?", document)
    return found.end() if found else 0


def _read(tokens: Iterator[str]) -> tuple[Selected, ...]:
    """The fields up to the closing brace; inline fragments are taken apart."""
    found: list[Selected] = []
    fragment = False
    for token in tokens:
        if token == "}":  # noqa: S105 a brace, not a secret
            break
        if token == "...":  # noqa: S105
            fragment = True
            next(tokens), next(tokens)  # `on` and the type
        elif token == "{" or fragment:  # noqa: S105
            below = _read(tokens)
            if fragment:
                found.extend(below)
                fragment = False
            else:
                last = found.pop()
                found.append(Selected(last.name, last.arguments, below))
        elif token.startswith("("):
            last = found.pop()
            found.append(Selected(last.name, last.arguments + token))
        elif token.endswith(":"):
            continue  # an alias
        elif not token.startswith("@"):
            found.append(Selected(token))
    return tuple(found)


def _field(selected: Selected, variables: Mapping[str, Any]) -> int:
    if not selected.below or selected.name == "pageInfo":
        return 0
    if {below.name for below in selected.below} <= _AMOUNTS:
        return 0
    size = _argument(selected, "first", variables)
    if size is not None:
        return 2 + _factor(int(size)) * _per_node(selected, variables)
    ids = _argument(selected, "ids", variables)
    count = len(ids) if isinstance(ids, list) else 1
    return count * (1 + sum(_field(f, variables) for f in selected.below))


def _per_node(selected: Selected, variables: Mapping[str, Any]) -> int:
    nodes = [f for f in selected.below if f.name == "nodes"]
    nodes += [n for e in selected.below if e.name == "edges" for n in e.below if n.name == "node"]
    return max((1 + sum(_field(f, variables) for f in n.below) for n in nodes), default=1)


def _factor(size: int) -> int:
    return max(1, int(2 * math.log(size))) if size > 0 else 0


def _argument(selected: Selected, name: str, variables: Mapping[str, Any]) -> Any:
    found = re.search(rf"[(,\s]{name}:\s*(\$?\w+)", selected.arguments)
    if found is None:
        return None
    text = found.group(1)
    return variables.get(text[1:]) if text.startswith("$") else text

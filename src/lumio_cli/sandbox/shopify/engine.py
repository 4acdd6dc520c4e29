"""Carries out GraphQL documents: parsed, validated and executed by graphql-core.

The sandbox needs graphql-core only here; without it, building the look-alike says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

try:
    from graphql import (
        DocumentNode,
        GraphQLError,
        GraphQLSchema,
        build_schema,
        execute_sync,
        get_operation_ast,
        parse,
        validate,
    )
except ModuleNotFoundError as error:
    raise ImportError(
        "the look-alike of Shopify needs the package graphql-core: pip install graphql-core"
    ) from error

from . import personal
from .cost import Meter
from .data import kind_of
from .sdl import SDL


@cache
def schema() -> GraphQLSchema:
    """The look-alike's schema; types of nodes are told by their ids."""
    built = build_schema(SDL)
    for name in ("Node", "HasMetafields", "LegacyInteroperability", "Event"):
        built.type_map[name].resolve_type = _type_of  # type: ignore[attr-defined]
    return built


def _type_of(value: Any, *_: Any) -> str:
    return str(value.get("__typename") or kind_of(value["id"]))


@lru_cache(maxsize=256)
def compiled(text: str) -> tuple[DocumentNode | None, tuple[GraphQLError, ...]]:
    """A document and what is wrong with it."""
    try:
        document = parse(text)
    except GraphQLError as error:
        return None, (error,)
    return document, tuple(validate(schema(), document))


def operation_name(body: Any) -> str:
    """The name of the operation that a request's body asks for; empty where it has none."""
    if not isinstance(body, dict) or not isinstance(body.get("query"), str):
        return ""
    if body.get("operationName"):
        return str(body["operationName"])
    document, _ = compiled(body["query"])
    found = get_operation_ast(document) if document is not None else None
    return found.name.value if found is not None and found.name is not None else ""


def refused_fields(text: str, refused: frozenset[str]) -> list[str]:
    """The fields of a document that is valid which an app may not use."""
    document, _ = compiled(text)
    assert document is not None  # noqa: S101 it is valid
    return list(personal.refused_fields(schema(), document, refused))


def meter(document: DocumentNode, variables: Mapping[str, Any], name: str | None) -> Meter:
    """What counts the cost of an operation."""
    return Meter(schema(), document, variables, name)


def run(
    document: DocumentNode,
    root: Any,
    variables: Mapping[str, Any],
    name: str | None,
    context: Any,
    refused: frozenset[str] = frozenset(),
) -> tuple[Any, list[dict[str, Any]]]:
    """The data of an operation, and its errors as they are answered; `refused` is the customer
    data that the app is not approved for."""
    result = execute_sync(
        schema(),
        document,
        root,
        context_value=context,
        variable_values=dict(variables),
        operation_name=name,
        field_resolver=personal.resolver(refused) if refused else None,
    )
    return result.data, [error.formatted for error in result.errors or ()]  # type: ignore[misc]

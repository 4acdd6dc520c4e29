"""Shopify's published schema of the Admin GraphQL API as a judge of documents and variables.

The schema is not part of this repository: it is looked for in `specs/shopify` of the directory
that the environment variable LUMIO_SPECS names, or else of `shared` beside the checkout.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLSchema,
    OperationDefinitionNode,
    build_client_schema,
    get_variable_values,
    parse,
    validate,
)

_REPOSITORY = Path(__file__).resolve().parents[2]
FILE = "admin_2026-07.json.gz"


def path() -> Path:
    """Where the schema is. Skips the test where it is not to be had."""
    configured = os.environ.get("LUMIO_SPECS")
    root = Path(configured) if configured else _REPOSITORY.parent / "shared" / "specs"
    found = root / "shopify" / FILE
    if not found.is_file():
        pytest.skip(f"Shopify's schema is not at {found} (set LUMIO_SPECS)")
    return found


@cache
def _load(file: Path) -> GraphQLSchema:
    with gzip.open(file) as data:
        # A few of its fields are deprecated where their interface's are not: that is not ours.
        return build_client_schema(json.load(data)["data"], assume_valid=True)


def published() -> GraphQLSchema:
    """The schema of version 2026-07."""
    return _load(path())


def complaints(document: str, variables: Mapping[str, Any] | None = None) -> list[str]:
    """What is wrong with a document, and with the variables that it is sent with."""
    schema, parsed = published(), parse(document)
    found = [error.message for error in validate(schema, parsed)]
    if found or variables is None:
        return found
    for definition in parsed.definitions:
        if isinstance(definition, OperationDefinitionNode):
            known = definition.variable_definitions or ()
            names = {d.variable.name.value for d in known}
            found += [f"no variable ${name}" for name in variables if name not in names]
            values = get_variable_values(schema, known, dict(variables))
            if isinstance(values, list):
                found += [error.message for error in values]
    return found

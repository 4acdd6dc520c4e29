"""HubSpot's own description of its API as a judge of requests and answers.

The descriptions are not part of this repository: they are looked for in `specs/hubspot` of the
directory that the environment variable LUMIO_SPECS names, or else of `shared` beside the checkout.

    complaints = validate_response("GET", "/crm/v3/owners", 200, body)
    complaints = validate_request("POST", path, query, body)

Both return what is wrong, one sentence each, and an empty list where all is well. A path that no
description knows is something wrong.

The descriptions are taken at their word, except where HubSpot's own answers differ (`_relaxed`):
values of properties and labels of associations may be null, and `subCategory` is a string.
"""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry
from referencing.jsonschema import DRAFT4

_REPOSITORY = Path(__file__).resolve().parents[2]
_FORMATS = jsonschema.FormatChecker(formats=())
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


@_FORMATS.checks("uuid")  # type: ignore[untyped-decorator]
def _is_uuid(value: object) -> bool:
    return not isinstance(value, str) or bool(_UUID.fullmatch(value))


@_FORMATS.checks("date-time")  # type: ignore[untyped-decorator]
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or bool(_TIME.fullmatch(value))


@_FORMATS.checks("int32")  # type: ignore[untyped-decorator]
def _is_int32(value: object) -> bool:
    return not isinstance(value, int) or -(2**31) <= value < 2**31


def directory() -> Path:
    """Where the descriptions are. Skips the test where they are not to be had."""
    configured = os.environ.get("LUMIO_SPECS")
    root = Path(configured) if configured else _REPOSITORY.parent / "shared" / "specs"
    found = root / "hubspot"
    if not found.is_dir():
        pytest.skip(f"HubSpot's API descriptions are not at {found} (set LUMIO_SPECS)")
    return found


def _relaxed(name: str, schema: dict[str, Any]) -> None:
    """Where HubSpot's answers differ from its description, in place."""
    properties = schema.get("properties", {})
    values = properties.get("properties", {}).get("additionalProperties")
    if name.startswith("Simple") and isinstance(values, dict):
        # An empty property is null in answers; in requests null clears it.
        values["type"] = ["string", "null"]
    if name == "AssociationSpecWithLabel":
        properties["label"]["type"] = ["string", "null"]
    if name == "StandardError":
        properties["subCategory"] = {"type": "string"}


@cache
def _documents() -> dict[str, dict[str, Any]]:
    """The descriptions by file name, relaxed, with `$ref`s between them and their schemas."""
    documents = {}
    for path in sorted(directory().glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        for name, schema in document["components"]["schemas"].items():
            _relaxed(name, schema)
        documents[path.name] = document
    return documents


@cache
def _registry() -> Registry[Any]:
    return Registry().with_resources(
        (f"urn:{name}", DRAFT4.create_resource(document)) for name, document in _documents().items()
    )


@cache
def _operations() -> list[tuple[int, re.Pattern[str], str, dict[str, dict[str, Any]]]]:
    """Every path, the most literal first: (names in it, pattern, file, operations)."""
    found = []
    for name, document in _documents().items():
        for path, operations in document["paths"].items():
            pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))
            found.append((path.count("{"), re.compile(pattern + "/?"), name, operations))
            if "/0-3" in path:  # the description of deals knows them by their type id only
                alias = re.compile(pattern.replace(r"0\-3", "(?:0-3|deals|deal)") + "/?")
                found.append((path.count("{"), alias, name, operations))
    return sorted(found, key=lambda item: item[0])


def operation(method: str, path: str) -> tuple[str, dict[str, Any]] | None:
    """The description's file and the operation of a request, or None where there is none."""
    for _, pattern, name, operations in _operations():
        if pattern.fullmatch(path) and method.lower() in operations:
            return name, operations[method.lower()]
    return None


def _complaints(name: str, schema: Mapping[str, Any], value: Any, what: str) -> list[str]:
    rooted = json.loads(json.dumps(schema).replace('"#/', f'"urn:{name}#/'))
    validator = jsonschema.Draft4Validator(rooted, registry=_registry(), format_checker=_FORMATS)
    return [
        f"{what}: {'/'.join(map(str, error.absolute_path)) or '.'}: {error.message[:300]}"
        for error in validator.iter_errors(value)
    ]


def _schema(content: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for media in content.values():
        found: Mapping[str, Any] | None = media.get("schema")
        return found
    return None


def validate_response(method: str, path: str, status: int, body: Any) -> list[str]:
    """What is wrong with an answer. `path` is without host, prefix and query; `body` is parsed
    JSON, or None where there was none."""
    what = f"{method} {path} -> {status}"
    found = operation(method, path)
    if found is None:
        return [f"{what}: no such operation"]
    name, described = found
    response = described["responses"].get(str(status))
    if response is None:
        if status < 400:
            return [f"{what}: no such status"]
        response = _documents()[name]["components"]["responses"]["Error"]
    schema = _schema(response.get("content", {}))
    if schema is None:
        return [] if body in (None, "", b"") else [f"{what}: a body where there is none"]
    return _complaints(name, schema, body, what)


def validate_request(
    method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None
) -> list[str]:
    """What is wrong with a request: unknown or badly typed parameters, a body that does not fit.
    Strict: every field the description requires is required. Values of `query` are strings, or
    lists of strings where a parameter is repeated."""
    what = f"{method} {path}"
    found = operation(method, path)
    if found is None:
        return [f"{what}: no such operation"]
    name, described = found
    complaints = []
    known = {
        item["name"]: item for item in described.get("parameters", ()) if item["in"] == "query"
    }
    for key, value in (query or {}).items():
        if key not in known:
            complaints.append(f"{what}: unknown parameter {key}")
            continue
        typed = _typed(known[key]["schema"], value)
        complaints += _complaints(name, known[key]["schema"], typed, f"{what}?{key}")
    complaints += [
        f"{what}: parameter {key} is missing"
        for key, item in known.items()
        if item.get("required") and key not in (query or {})
    ]
    schema = _schema(described.get("requestBody", {}).get("content", {}))
    if schema is None:
        return complaints + ([f"{what}: a body where none is taken"] if body else [])
    return complaints + _complaints(name, schema, copy.deepcopy(body), what)


def _typed(schema: Mapping[str, Any], value: Any) -> Any:
    """A parameter's text as what its schema calls it."""
    kind = schema.get("type")
    if kind == "array":
        values = value if isinstance(value, list) else [value]
        return [part for item in values for part in str(item).split(",")]
    if isinstance(value, list):
        value = value[-1]
    if kind == "integer" and re.fullmatch(r"-?\d+", str(value)):
        return int(value)
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    return value

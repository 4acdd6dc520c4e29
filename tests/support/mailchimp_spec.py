"""Mailchimp's own description of its API as a judge of requests and answers.

The description is not part of this repository: it is looked for in `specs/mailchimp` of the
directory that the environment variable LUMIO_SPECS names, or else of `shared` beside the checkout.

    complaints = validate_response("GET", "/3.0/lists", 200, body)
    complaints = validate_request("PUT", path, query, body)

Both return what is wrong, one sentence each, and an empty list where all is well. A path that the
description does not know is something wrong.

The description (3.0.55) is taken at its word, except where it is known to be wrong (`_relaxed`):

- a member's answer and a member in a collection refer to the collection of members; the schema of
  members that batches use is meant;
- `archived` is a status of members that answers have and that the enumeration lacks;
- times that are not set are empty strings, not left out;
- values of merge fields are said to be objects; all but those of addresses are text or numbers,
  and interests are booleans.

Answers may have more fields than are described: they do.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

_REPOSITORY = Path(__file__).resolve().parents[2]
_FILE = "marketing-3.0.55.openapi3.yaml"
_FORMATS = jsonschema.FormatChecker(formats=())
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)")
_MEMBER = "#/components/schemas/List_Members"


@_FORMATS.checks("date-time")
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or value == "" or bool(_TIME.fullmatch(value))


def directory() -> Path:
    """Where the description is. Skips the test where it is not to be had."""
    configured = os.environ.get("LUMIO_SPECS")
    root = Path(configured) if configured else _REPOSITORY.parent / "shared" / "specs"
    found = root / "mailchimp"
    if not found.is_dir():
        pytest.skip(f"Mailchimp's API description is not at {found} (set LUMIO_SPECS)")
    return found


def _relaxed(document: dict[str, Any]) -> None:
    """Where the description is known to be wrong, in place."""
    schemas = document["components"]["schemas"]
    schemas["List_Members_2"]["properties"]["members"]["items"] = {"$ref": _MEMBER}
    for name in ("List_Members", "List_Members_1"):
        schemas[name]["properties"]["status"]["enum"].append("archived")
    _free_values(document)
    member = "/lists/{list_id}/members/{subscriber_hash}"
    for path, method in (
        (member, "get"), (member, "put"), (member, "patch"), ("/lists/{list_id}/members", "post"),
    ):  # fmt: skip
        answers = document["paths"][path][method]["responses"]["200"]["content"]
        for content in answers.values():
            content["schema"] = {"$ref": _MEMBER}
    search = document["paths"]["/search-members"]["get"]["responses"]["200"]["content"]
    for content in search.values():
        _search_members(content["schema"], schemas)


def _resolved(schema: Any, schemas: Mapping[str, Any]) -> Any:
    return schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _search_members(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> None:
    for name in ("exact_matches", "full_search"):
        part = _resolved(_resolved(schema, schemas)["properties"][name], schemas)
        part["properties"]["members"]["items"] = {"$ref": _MEMBER}


def _free_values(node: Any) -> None:
    """Merge fields and interests by name, with values of any kind."""
    if isinstance(node, list):
        for item in node:
            _free_values(item)
    elif isinstance(node, dict):
        for name, inner in node.items():
            mapped = name in ("merge_fields", "interests") and isinstance(inner, dict)
            if mapped and inner.get("type") == "object":
                inner["additionalProperties"] = True
            _free_values(inner)


@cache
def _document() -> dict[str, Any]:
    """The description, relaxed."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = (directory() / _FILE).read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.load(text, Loader=loader)
    _relaxed(document)
    return document


@cache
def _registry() -> Registry[Any]:
    found = Resource(contents=_document(), specification=DRAFT4)
    return Registry().with_resource("urn:mailchimp", found)


@cache
def _operations() -> list[tuple[int, re.Pattern[str], dict[str, dict[str, Any]]]]:
    """Every path, the most literal first."""
    found = []
    for path, operations in _document()["paths"].items():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path.rstrip("/")))
        found.append((path.count("{"), re.compile(pattern + "/?"), operations))
    return sorted(found, key=lambda item: item[0])


def operation(method: str, path: str) -> dict[str, Any] | None:
    """The description of a request, or None where there is none."""
    if not path.startswith("/3.0"):
        return None
    for _, pattern, operations in _operations():
        if pattern.fullmatch(path.removeprefix("/3.0")) and method.lower() in operations:
            return operations[method.lower()]
    return None


def _absolute(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            k: f"urn:mailchimp{v}" if k == "$ref" else _absolute(v)
            for k, v in schema.items()
            if k != "example"
        }
    return [_absolute(item) for item in schema] if isinstance(schema, list) else schema


def _complaints(schema: Any, value: Any, what: str) -> list[str]:
    validator = jsonschema.Draft4Validator(
        _absolute(schema), registry=_registry(), format_checker=_FORMATS
    )
    return [
        f"{what}: {'/'.join(map(str, error.absolute_path)) or '.'}: {error.message[:300]}"
        for error in validator.iter_errors(value)
    ]


def _schema(content: Mapping[str, Any]) -> Any:
    return content.get("application/json", {}).get("schema")


def validate_response(method: str, path: str, status: int, body: Any) -> list[str]:
    """What is wrong with an answer. `path` is without host, prefix and query; `body` is parsed
    JSON, or None where there was none."""
    what = f"{method} {path} -> {status}"
    described = operation(method, path)
    if described is None:
        return [f"{what}: no such operation"]
    answers = described["responses"]
    response = answers.get(str(status)) or (answers["default"] if status >= 400 else None)
    if response is None:
        return [f"{what}: no such status"]
    schema = _schema(response.get("content", {}))
    if schema is None:
        return [] if body is None else [f"{what}: a body where there is none"]
    return _complaints(schema, body, what)


def validate_request(
    method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None
) -> list[str]:
    """What is wrong with a request: unknown or badly typed parameters, unknown fields at the top
    of a body, a body that does not fit. Values of `query` are strings."""
    what = f"{method} {path}"
    described = operation(method, path)
    if described is None:
        return [f"{what}: no such operation"]
    complaints = []
    known = {p["name"]: p for p in described.get("parameters", ()) if p["in"] == "query"}
    for key, value in (query or {}).items():
        if key not in known:
            complaints.append(f"{what}: unknown parameter {key}")
            continue
        schema = known[key]["schema"]
        complaints += _complaints(schema, _typed(schema, value), f"{what}?{key}")
    complaints += [
        f"{what}: parameter {key} is missing"
        for key, item in known.items()
        if item.get("required") and key not in (query or {})
    ]
    schema = _schema(described.get("requestBody", {}).get("content", {}))
    if schema is None:
        return complaints + ([f"{what}: a body where none is taken"] if body is not None else [])
    return complaints + _unknown(schema, body, what) + _complaints(schema, body, what)


def _unknown(schema: Mapping[str, Any], body: Any, what: str) -> list[str]:
    """Fields at the top of a body that are not described: Mailchimp would drop them in silence."""
    fields = _resolved(schema, _document()["components"]["schemas"]).get("properties", {})
    names = body if isinstance(body, dict) else {}
    return [f"{what}: unknown field {name}" for name in names if name not in fields]


def _typed(schema: Mapping[str, Any], value: Any) -> Any:
    """A parameter's text as what its schema calls it."""
    kind = schema.get("type")
    if kind == "array":
        return str(value).split(",")
    if kind == "integer" and re.fullmatch(r"-?\d+", str(value)):
        return int(value)
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    return value

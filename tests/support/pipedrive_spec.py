"""Pipedrive's own descriptions of API v2 and v1 as a judge of requests and answers.

They are looked for in `specs/pipedrive` of the directory that the environment variable LUMIO_SPECS
names, or else of `shared` beside the checkout, and are not part of this repository. They are large,
so that only the paths that are asked for are read.

    complaints = validate_response("GET", "/api/v2/deals", 200, body)
    complaints = validate_request("PATCH", "/api/v2/deals/7", {}, body)

Both return what is wrong, one sentence each. The descriptions are taken at their word, except:

- answers may hold null where the description does not say so: it marks hardly any member as
  nullable, though Pipedrive's migration guide shows null for most of them, and a cursor is null on
  the last page;
- the category of a product is a number in one place and a text in another;
- errors have no schema in it: theirs is the one of the page "Responses".

A request's body may hold nothing that is not described: v2 refuses it.
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

_REPOSITORY = Path(__file__).resolve().parents[2]
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FILES = {
    "/api/v2": "pipedrive-v2.openapi.yaml",
    "/api/v1": "pipedrive-v1.openapi.yaml",
    "/v1": "pipedrive-v1.openapi.yaml",
    "": "pipedrive-v1.openapi.yaml",
}
ERROR = {
    "type": "object",
    "required": ["success", "error", "error_info"],
    "properties": {
        "success": {"enum": [False]},
        "error": {"type": "string"},
        "error_info": {"type": "string"},
        "code": {"type": "string"},
        "data": {"type": "null"},
        "additional_data": {"type": "null"},
    },
}


def directory() -> Path:
    """Where the descriptions are. Skips the test where they are not to be had."""
    configured = os.environ.get("LUMIO_SPECS")
    root = Path(configured) if configured else _REPOSITORY.parent / "shared" / "specs"
    found = root / "pipedrive"
    if not found.is_dir():
        pytest.skip(f"Pipedrive's API descriptions are not at {found} (set LUMIO_SPECS)")
    return found


@cache
def _texts(file: str) -> dict[str, str]:
    """The text of each path in a description."""
    whole = (directory() / file).read_text(encoding="utf-8")
    paths = whole.partition("\npaths:\n")[2].partition("\ncomponents:\n")[0]
    found = {}
    for block in re.split(r"^(?=  ['\"]?/)", paths, flags=re.MULTILINE):
        if block.strip():
            found[block.strip().partition(":\n")[0].strip("'\" ")] = block
    return found


@cache
def _operations(file: str, path: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load(_texts(file)[path], Loader=_LOADER)
    operations: dict[str, Any] = next(iter(loaded.values()))
    return operations


def operation(method: str, path: str) -> dict[str, Any] | None:
    """The operation of a request; None where there is none. The most literal path counts."""
    prefix = next(p for p in _FILES if path.startswith(p))
    rest = path[len(prefix) :]
    for known in sorted(_texts(_FILES[prefix]), key=lambda name: name.count("{")):
        pattern = re.sub(r"\\\{[\w-]+\\\}", "[^/]+", re.escape(known))
        if re.fullmatch(pattern, rest):
            found: dict[str, Any] | None = _operations(_FILES[prefix], known).get(method.lower())
            if found is not None:
                return found
    return None


def cost(method: str, path: str) -> float | None:
    """What the request costs; None where there is no such operation."""
    found = operation(method, path)
    return None if found is None else float(found["x-token-cost"])


def scopes(method: str, path: str) -> set[str]:
    """The scopes any of which will do."""
    found = operation(method, path) or {}
    return {s for item in found.get("security", ()) for s in item.get("oauth2", ())}


def _plain(schema: Any, *, nulls: bool) -> Any:
    """The schema as JSON Schema: `nullable` becomes a type; with `nulls` every member may be."""
    if isinstance(schema, list):
        return [_plain(item, nulls=nulls) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {k: _plain(v, nulls=nulls) for k, v in schema.items() if k not in ("example", "title")}
    if isinstance(properties := schema.get("properties"), dict):
        found["properties"] = {
            name: _member(name, _plain(value, nulls=nulls), nulls)
            for name, value in properties.items()
        }
    if schema.get("nullable") is True and isinstance(schema.get("type"), str):
        found["type"] = [schema["type"], "null"]
        if "enum" in found:
            found["enum"] = [*found["enum"], None]
    return found


def _member(name: str, schema: Any, nulls: bool) -> Any:
    if not nulls or not isinstance(schema, dict) or name == "id":
        return schema
    if name == "category":
        schema = {}
    return {"anyOf": [schema, {"type": "null"}]}


def _complaints(schema: Any, value: Any, what: str, *, nulls: bool) -> list[str]:
    validator = jsonschema.Draft4Validator(_plain(schema, nulls=nulls))
    return [
        f"{what}: {'/'.join(map(str, error.absolute_path)) or '.'}: {error.message[:300]}"
        for error in validator.iter_errors(value)
    ]


def _schema(content: Mapping[str, Any]) -> Any:
    return next((media.get("schema") for media in content.values()), None)


def validate_response(method: str, path: str, status: int, body: Any) -> list[str]:
    """What is wrong with an answer to a request for `path`, without host and query."""
    what = f"{method} {path} -> {status}"
    found = operation(method, path)
    if found is None:
        return [f"{what}: no such operation"]
    if status >= 400:
        return _complaints(ERROR, body, what, nulls=False)
    response = found["responses"].get(str(status))
    if response is None:
        return [f"{what}: no such status"]
    return _complaints(_schema(response["content"]), body, what, nulls=True)


def validate_request(
    method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None
) -> list[str]:
    """What is wrong with a request: parameters or members that are not described or badly typed."""
    what = f"{method} {path}"
    found = operation(method, path)
    if found is None:
        return [f"{what}: no such operation"]
    known = {p["name"]: p for p in found.get("parameters", ()) if p["in"] == "query"}
    complaints = []
    for name, value in (query or {}).items():
        if name not in known:
            complaints.append(f"{what}: unknown parameter {name}")
            continue
        schema = known[name]["schema"]
        # Lists are texts with commas in v2, whose `enum` names what may be listed.
        for part in str(value).split(",") if "enum" in schema else [value]:
            complaints += _complaints(schema, _typed(schema, part), f"{what}?{name}", nulls=False)
    schema = _schema(found.get("requestBody", {}).get("content", {}))
    if schema is None:
        return complaints + ([f"{what}: a body where none is taken"] if body else [])
    unknown = set(body or {}) - _members(schema)
    complaints += [f"{what}: unknown member {name}" for name in sorted(unknown)]
    return complaints + _complaints(schema, body or {}, what, nulls=False)


def _members(schema: Any) -> set[str]:
    names = set(schema.get("properties", ()))
    for part in schema.get("allOf", ()):
        names |= _members(part)
    return names


def _typed(schema: Mapping[str, Any], value: Any) -> Any:
    kind = schema.get("type")
    if kind == "integer" and re.fullmatch(r"-?\d+", str(value)):
        return int(value)
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    return value

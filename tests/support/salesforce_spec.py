"""Salesforce's own descriptions as a judge of requests and answers.

They are looked for in `specs/salesforce` of the directory that the environment variable LUMIO_SPECS
names, or else of `shared` beside the checkout, and are not part of this repository. The main one
was derived from Salesforce's Postman collection (Platform APIs v64): its schemas were made from one
example each. What follows from that, and is therefore relaxed (`_relaxed`):

- fields that only the example's record has (`Name`, `BillingCity`) are not required of others;
- a part of a composite request that reads has no body;
- `apiVersion` is a number with decimals, as the guides show it, not an integer;
- `defaultValue` and the values of picklists: their alternatives exclude each other by mistake;
- `errors` of a result are objects; the examples have none in them;
- an ingest file is uploaded as `text/csv`, as the guide says, and not as a form.

The descriptions have neither `query` with parameters nor `limits/recordCount`, the results of a
query job have none of their parameters: `UNDESCRIBED` says what is passed over, and why.
"""

from __future__ import annotations

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
from referencing.jsonschema import DRAFT202012

_REPOSITORY = Path(__file__).resolve().parents[2]
PLATFORM = "platform-apis-v64.from-postman.openapi.json"
SOBJECTS = "sobjects-v59.trimmed.openapi.json"

UNDESCRIBED = {
    r"/services/oauth2/\w+": "OAuth is described by its own guides",
    r"/services/data/[^/]+/limits/recordCount": "in the REST guide (Record Count) only",
    r"/services/data/[^/]+/sobjects/\w+/(deleted|updated)": "in the REST guide only",
}
"""Paths that no description has, with where they are documented."""
MORE_PARAMETERS = {
    "/services/data/{version}/query": {"q"},
    "/services/data/{version}/jobs/query/{jobId}/results": {"locator", "maxRecords"},
}
"""Documented parameters that the collection leaves out."""


def directory() -> Path:
    """Where the descriptions are. Skips the test where they are not to be had."""
    configured = os.environ.get("LUMIO_SPECS")
    root = Path(configured) if configured else _REPOSITORY.parent / "shared" / "specs"
    found = root / "salesforce"
    if not found.is_dir():
        pytest.skip(f"Salesforce's API descriptions are not at {found} (set LUMIO_SPECS)")
    return found


def _relaxed(name: str, schema: dict[str, Any]) -> None:
    """Where the derived schemas take their example for the rule, in place."""
    properties = schema.get("properties", {})
    if "Record" in name or "Retrieve" in name:
        schema["required"] = [key for key in schema.get("required", ()) if key == "attributes"]
        for key in list(properties):
            if key not in ("attributes", "id"):
                properties[key] = {}
    if "referenceId" in properties and "method" in properties:
        # The example's parts are writes; one that reads has no body.
        schema["required"] = ["method", "url", "referenceId"]
    if "defaultValue" in properties:
        properties["defaultValue"] = {}
    if "picklistValues" in properties:
        properties["picklistValues"] = {"type": "array"}
    if "apiVersion" in properties:
        properties["apiVersion"] = {"type": "number"}
    if "errors" in properties and properties["errors"].get("type") == "array":
        properties["errors"] = {"type": "array", "items": {"type": "object"}}
    if "id" in schema.get("required", ()) and "success" in properties:
        # A record that was not made has no id.
        schema["required"] = ["success", "errors"]


@cache
def document(name: str = PLATFORM) -> dict[str, Any]:
    """A description, relaxed."""
    found: dict[str, Any] = json.loads((directory() / name).read_text(encoding="utf-8"))
    for key, schema in found["components"]["schemas"].items():
        _relaxed(key, schema)
    return found


@cache
def _registry() -> Registry[Any]:
    return Registry().with_resources(
        (f"urn:{name}", DRAFT202012.create_resource(document(name)))
        for name in (PLATFORM, SOBJECTS)
    )


def operation(method: str, path: str) -> tuple[str, dict[str, Any]] | None:
    """The template and the operation of a request, or None where there is none."""
    for template, operations in sorted(
        document()["paths"].items(), key=lambda item: item[0].count("{")
    ):
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path) and method.lower() in operations:
            return template, operations[method.lower()]
    return None


def complaints(schema: Mapping[str, Any], value: Any, what: str, name: str = PLATFORM) -> list[str]:
    """What a schema has to say against a value."""
    rooted = json.loads(json.dumps(schema).replace('"#/', f'"urn:{name}#/'))
    validator = jsonschema.Draft202012Validator(rooted, registry=_registry())
    return [
        f"{what}: {'/'.join(map(str, error.absolute_path)) or '.'}: {error.message[:300]}"
        for error in validator.iter_errors(value)
    ]


def _schema(content: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for media in content.values():
        found: Mapping[str, Any] | None = media.get("schema")
        return found
    return None


def record_complaints(kind: str, record: Any) -> list[str]:
    """What the description of a standard type has to say against one of its records."""
    schema = document(SOBJECTS)["components"]["schemas"][f"{kind}SObject"]
    known = {key: value for key, value in record.items() if value is not None}
    return complaints(schema, known, kind, SOBJECTS)


def validate_response(method: str, path: str, status: int, body: Any) -> list[str]:
    """What is wrong with a good answer, or with the form of an error."""
    what = f"{method} {path} -> {status}"
    if any(re.fullmatch(pattern, path) for pattern in UNDESCRIBED):
        return []
    if status >= 400:
        schema = document(SOBJECTS)["components"]["schemas"]["ErrorInfo"]
        return complaints({"type": "array", "items": schema}, body, what, SOBJECTS)
    found = operation(method, path)
    if found is None:
        return [f"{what}: no such operation"]
    response = found[1]["responses"].get(str(status))
    if response is None:
        return [f"{what}: no such status"]
    schema = _schema(response.get("content", {}))
    return (
        [] if schema is None or schema.get("type") == "string" else complaints(schema, body, what)
    )


def validate_request(
    method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None
) -> list[str]:
    """What is wrong with a request: unknown or missing parameters, a body that does not fit."""
    what = f"{method} {path}"
    if any(re.fullmatch(pattern, path) for pattern in UNDESCRIBED):
        return []
    found = operation(method, path)
    if found is None:
        return [f"{what}: no such operation"]
    template, described = found
    known = {i["name"]: i for i in described.get("parameters", ()) if i["in"] == "query"}
    allowed = known.keys() | MORE_PARAMETERS.get(template, set())
    wrong = [f"{what}: unknown parameter {key}" for key in query or {} if key not in allowed]
    wrong += [
        f"{what}: parameter {key} is missing"
        for key, item in known.items()
        if item.get("required") and key not in (query or {})
    ]
    schema = _schema(described.get("requestBody", {}).get("content", {}))
    if schema is None or path.endswith("/batches"):
        return wrong + ([f"{what}: a body where none is taken"] if body else [])
    return wrong + complaints(schema, body, what)

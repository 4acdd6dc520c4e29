"""Meta's own description of the business messaging API as a judge of requests and answers.

It is not part of this repository: it is looked for in `specs/whatsapp` of the directory that the
environment variable LUMIO_SPECS names, or else of `shared` beside the checkout.

    complaints = validate_response("GET", "/v25.0/123/phone_numbers", 200, body)
    complaints = validate_request("POST", "/v25.0/123/messages", query, body)

Both return what is wrong, one sentence each, and an empty list where all is well. The description
is of v23.0; a version in a path is of its form, whatever its number.

It is taken at its word, except for what cannot be meant (`_relaxed`, `UNLISTED`):

- Message types forbid every property but their own in one half of an `allOf`, whose other half
  requires more: nothing could ever fit.
- `index` of a template's button has the pattern `[2-6, 11-14]`, against its own example "0".
- `biz_opaque_callback_data` is described for calls only, and `recipient` (2026) not at all.
- The listing of templates names one parameter, `name`; a listing's own (`fields`, `limit`,
  `after`, `summary`) are described for every other listing.
- Analytics and `debug_token` are documented on developers.facebook.com only.
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
import yaml
from referencing import Registry
from referencing.jsonschema import DRAFT4

_REPOSITORY = Path(__file__).resolve().parents[2]
_FILE = "business-messaging-api_v23.0.yaml"
UNDESCRIBED = ("/debug_token", "/template_analytics", "/me")
"""Ends of paths that are in no published description."""
UNLISTED = {"message_templates": {"fields", "limit", "after", "summary"}}
"""Parameters that the description leaves out, by the end of a path."""


def directory() -> Path:
    """Where the description is. Skips the test where it is not to be had."""
    configured = os.environ.get("LUMIO_SPECS")
    root = Path(configured) if configured else _REPOSITORY.parent / "shared" / "specs"
    found = root / "whatsapp"
    if not (found / _FILE).is_file():
        pytest.skip(f"Meta's API description is not at {found} (set LUMIO_SPECS)")
    return found


def _relaxed(node: Any, inside: bool = False) -> None:
    """What cannot be meant, in place; `null` as OpenAPI 3.0 writes it."""
    if isinstance(node, list):
        for item in node:
            _relaxed(item, inside)
        return
    if not isinstance(node, dict):
        return
    if inside and node.get("additionalProperties") is False:
        del node["additionalProperties"]
    if node.get("pattern") == "^[2-6, 11-14]$":
        del node["pattern"]
    if node.get("nullable") is True and isinstance(node.get("type"), str):
        node["type"] = [node["type"], "null"]
    for name, child in node.items():
        _relaxed(child, inside or name == "allOf")


@cache
def _document() -> dict[str, Any]:
    text = (directory() / _FILE).read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    schemas = found["components"]["schemas"]
    _relaxed(schemas)
    schemas["BaseMessageProperties"]["required"].remove("to")
    schemas["BaseMessageProperties"]["properties"] |= {
        "biz_opaque_callback_data": {"type": "string", "maxLength": 512},
        "recipient": {"type": "string"},
    }
    return found


@cache
def _registry() -> Registry[Any]:
    resource = DRAFT4.create_resource(_document())
    found: Registry[Any] = Registry().with_resource("urn:whatsapp", resource)
    return found


NODES = {
    "102290129340398001": "/{Version}/{WABA-ID}",
    "1065403522429": "/{Version}/{Phone-Number-ID}",
    "159456200": "/{Version}/{TEMPLATE_ID}",
    "44907093": "/{Version}/{Media-ID}",
    "{waba_id}": "/{Version}/{WABA-ID}",
    "{phone_number_id}": "/{Version}/{Phone-Number-ID}",
}
"""What an id of the look-alike stands for, by its beginning."""


def operation(method: str, path: str) -> dict[str, Any] | None:
    """The operation of a request, or None where the description has none."""
    version, _, rest = path.lstrip("/").partition("/")
    if not re.fullmatch(r"v\d+\.0", version):
        return None
    node, _, edge = rest.partition("/")
    paths = _document()["paths"]
    if edge:
        found = [
            ops for p, ops in paths.items() if re.fullmatch(rf"/{{Version}}/{{[^}}]+}}/{edge}", p)
        ]
    else:
        found = [paths[p] for start, p in NODES.items() if node.startswith(start)]
    return next((ops[method.lower()] for ops in found if method.lower() in ops), None)


def _complaints(schema: Mapping[str, Any], value: Any, what: str) -> list[str]:
    rooted = json.loads(json.dumps(schema).replace('"#/', '"urn:whatsapp#/'))
    validator = jsonschema.Draft4Validator(rooted, registry=_registry())
    return [
        f"{what}: {'/'.join(map(str, error.absolute_path)) or '.'}: {error.message[:300]}"
        for error in validator.iter_errors(value)
    ]


def validate_response(method: str, path: str, status: int, body: Any) -> list[str]:
    """What is wrong with an answer; `body` is parsed JSON."""
    what = f"{method} {path} -> {status}"
    if status >= 400:
        return _complaints({"$ref": "#/components/schemas/GraphAPIError"}, body, what)
    described = operation(method, path)
    if described is None:
        return [f"{what}: no such operation"]
    response = described["responses"].get(str(status))
    if response is None:
        return [f"{what}: no such status"]
    return _complaints(response["content"]["application/json"]["schema"], body, what)


def validate_request(
    method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None
) -> list[str]:
    """What is wrong with a request: unknown or badly typed parameters, a body that does not fit."""
    what = f"{method} {path}"
    described = operation(method, path)
    if described is None:
        return [f"{what}: no such operation"]
    known = {
        item["name"]: item["schema"]
        for item in described.get("parameters", ())
        if item.get("in") == "query"
    }
    free = UNLISTED.get(path.rpartition("/")[2], set())
    complaints = []
    for name, value in (query or {}).items():
        if name in known:
            kind = known[name].get("type")
            typed = int(value) if kind == "integer" and str(value).isdigit() else value
            complaints += _complaints(known[name], typed, f"{what}?{name}")
        elif name not in free:
            complaints.append(f"{what}: unknown parameter {name}")
    content = described.get("requestBody", {}).get("content", {})
    if body is None:
        return complaints
    if "application/json" not in content:
        return [*complaints, f"{what}: a body where none is taken"]
    return complaints + _complaints(content["application/json"]["schema"], body, what)

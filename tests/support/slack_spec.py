"""Slack's own description of its Web API as a judge of requests and answers.

The description is not part of this repository: it is looked for in `specs/slack` of the directory
that the environment variable LUMIO_SPECS names, or else of `shared` beside the checkout.

    complaints = validate_response("users.list", body)
    complaints = validate_request(call)

Both return what is wrong, one sentence each, and an empty list where all is well.

It is of 2021, and Slack has moved on. What it does not know, or says otherwise than Slack's pages
of today, is in `NEWER` and `_relaxed`, each with its reason.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry
from referencing.jsonschema import DRAFT4

from lumio_cli.providers.contract.call import Call

_REPOSITORY = Path(__file__).resolve().parents[2]
_URN = "urn:slack"

UNKNOWN_METHODS = {
    # Uploading in three steps came in 2024; the description knows files.upload only.
    "/files.getUploadURLExternal": {"filename", "length", "alt_txt", "snippet_type"},
    "/files.completeUploadExternal": {
        "files", "channel_id", "channels", "initial_comment", "thread_ts", "blocks",
    },
}  # fmt: skip
NEWER = {
    # Message metadata came in 2022.
    "/chat.postMessage": {"metadata"},
    "/conversations.history": {"include_all_metadata"},
    "/conversations.replies": {"include_all_metadata"},
    # Token rotation came in 2021; PKCE, whose `code_verifier` lumio does not send, in 2026.
    "/oauth.v2.access": {"grant_type", "refresh_token"},
}


def directory() -> Path:
    """Where the description is. Skips the test where it is not to be had."""
    configured = os.environ.get("LUMIO_SPECS")
    root = Path(configured) if configured else _REPOSITORY.parent / "shared" / "specs"
    found = root / "slack"
    if not found.is_dir():
        pytest.skip(f"Slack's API description is not at {found} (set LUMIO_SPECS)")
    return found


def samples() -> Iterator[tuple[str, Any]]:
    """Answers that Slack's Java SDK has recorded, by method: every field there ever was."""
    for path in sorted((directory() / "samples").glob("*.json")):
        name = path.name.removesuffix(".json").removesuffix(".trimmed")
        yield name, json.loads(path.read_text(encoding="utf-8"))


@cache
def _document() -> dict[str, Any]:
    path = directory() / "slack_web_openapi_v2.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    _relaxed(found)
    return found


def _relaxed(node: Any) -> None:
    """Where Slack's answers of today differ from the description, in place."""
    if isinstance(node, dict):
        # Fields are added all the time: a client must not mind, and the description cannot know.
        if node.get("additionalProperties") is False:
            del node["additionalProperties"]
        # The description writes alternatives of an object as a list of `items`.
        if isinstance(node.get("items"), list) and node.get("type") != "array":
            node["anyOf"] = node.pop("items")
        for value in node.values():
            _relaxed(value)
    elif isinstance(node, list):
        for value in node:
            _relaxed(value)


@cache
def _registry() -> Registry[Any]:
    resource = DRAFT4.create_resource(_document())
    found: Registry[Any] = Registry().with_resource(_URN, resource)
    return found


def _complaints(schema: Mapping[str, Any], value: Any, what: str) -> list[str]:
    rooted = json.loads(json.dumps(schema).replace('"#/', f'"{_URN}#/'))
    validator = jsonschema.Draft4Validator(rooted, registry=_registry())
    return [
        f"{what}: {'/'.join(map(str, error.absolute_path)) or '.'}: {error.message[:300]}"
        for error in validator.iter_errors(value)
    ]


def _operation(path: str) -> tuple[str, dict[str, Any]] | None:
    for verb, operation in _document()["paths"].get(path, {}).items():
        return verb, operation
    return None


def validate_response(method: str, body: Any) -> list[str]:
    """What is wrong with an answer; errors are held against the description of errors."""
    found = _operation(f"/{method}")
    if found is None:
        return [f"{method}: no such method"]
    responses = found[1]["responses"]
    described = responses["200" if body.get("ok") else "default"]
    return _complaints(described.get("schema", {}), body, method)


def validate_request(call: Call) -> list[str]:
    """What is wrong with a call: a method or a parameter that there is not, a value that is of
    another type, one that is missing, or a body of a kind that the method does not take.

    Slack takes every method by GET and by POST, and its arguments from the query as from a form.
    """
    path = call.path
    given: dict[str, Any] = {**call.params, **(call.form or {}), **(call.json or {})}
    if path in UNKNOWN_METHODS:
        return [f"{path}: unknown {name}" for name in given if name not in UNKNOWN_METHODS[path]]
    found = _operation(path)
    if found is None:
        return [f"{path}: no such method"]
    _, operation = found
    known = {p["name"]: p for p in operation["parameters"] if p["name"] != "token"}
    complaints = []
    if call.json is not None and "application/json" not in operation["consumes"]:
        complaints.append(f"{path}: it takes no JSON")
    for name, value in given.items():
        if name in known:
            complaints += _typed(path, known[name], value)
        elif name not in NEWER.get(path, ()):
            complaints.append(f"{path}: unknown parameter {name}")
    renewing = path == "/oauth.v2.access" and "refresh_token" in given
    complaints += [
        f"{path}: {name} is missing"
        for name, item in known.items()
        if item.get("required") and name not in given and not renewing
    ]
    return complaints


def _typed(path: str, item: Mapping[str, Any], value: Any) -> list[str]:
    kind = item.get("type")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    forms = {"integer": r"-?\d+", "number": r"-?\d+(\.\d+)?", "boolean": "true|false"}
    if kind == "string":
        # What is structured is text in a form, and itself in JSON.
        fits = isinstance(value, str) or item["name"] in ("blocks", "attachments")
    else:
        fits = re.fullmatch(forms.get(str(kind), ".*"), text) is not None
    if not fits:
        return [f"{path}: {item['name']} is no {kind}: {text[:60]}"]
    return []

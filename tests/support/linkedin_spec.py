"""A description of LinkedIn's API as a judge of requests and answers.

LinkedIn publishes no such description: these are conversions of its Postman collections by others,
and subsets. They are no part of this repository: they are looked for in `specs/linkedin` of the
directory that the environment variable LUMIO_SPECS names, or else of `shared` beside the checkout.

    complaints = validate_request("GET", "/rest/leadForms?q=owner&...", headers)
    complaints = validate_response("GET", "/rest/leadForms", body)

Both return what is wrong, one sentence each. What the descriptions leave out, though LinkedIn's
own pages have it, is in `GAPS` with the page that has it.
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

_REPOSITORY = Path(__file__).resolve().parents[2]
_LEADSYNC = "lead-sync/leadsync"
_POSTS = "community-management/shares/posts-api"

GAPS: dict[tuple[str, str], tuple[frozenset[str], str]] = {
    ("GET", "/posts"): (
        frozenset({"q", "author", "sortBy", "start", "count", "viewContext"}),
        f"{_POSTS}: viewContext stands there for one post; public clients give it to the finder",
    ),
    ("POST", "/posts/{postUrn}"): (frozenset(), _POSTS),
    ("GET", "/organizationAcls"): (
        frozenset({"role", "state", "start", "count"}),
        "organizations/organization-access-control-by-role",
    ),
    ("GET", "/organizationalEntityShareStatistics"): (
        frozenset({"timeIntervals"}),
        "organizations/share-statistics: an object in Rest.li 2.0, dotted in 1.0",
    ),
    ("GET", "/organizationalEntityFollowerStatistics"): (
        frozenset({"timeIntervals"}),
        "organizations/follower-statistics: an object in Rest.li 2.0, dotted in 1.0",
    ),
    ("GET", "/networkSizes/{urn}"): (
        frozenset({"edgeType"}),
        "organizations/organization-lookup-api: the description has the URN's colons bare",
    ),
    ("PUT", "/dms-uploads/{image}/uploaded"): (frozenset({"ca"}), "shares/images-api"),
}
"""Parameters, or whole operations, that only LinkedIn's own pages have."""


def directory() -> Path:
    """Where the descriptions are. Skips the test where they are not to be had."""
    configured = os.environ.get("LUMIO_SPECS")
    root = Path(configured) if configured else _REPOSITORY.parent / "shared" / "specs"
    found = root / "linkedin"
    if not found.is_dir():
        pytest.skip(f"descriptions of LinkedIn's API are not at {found} (set LUMIO_SPECS)")
    return found


@cache
def _documents() -> tuple[dict[str, Any], ...]:
    """The whole description first, then the collection that knows more about pages."""
    whole = directory() / "linkedin-subset.repaired.openapi.json"
    pages = directory() / "linkedin-marketing-community.openapi.yml"
    return (
        json.loads(whole.read_text(encoding="utf-8")),
        yaml.safe_load(pages.read_text(encoding="utf-8")),
    )


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{\w+\}", "[^/]+", template))


def _operation(method: str, path: str) -> tuple[str, dict[str, Any], dict[str, Any]] | None:
    """Template, operation and document of a request; the most literal path first."""
    for document in _documents():
        for template in sorted(document["paths"], key=lambda t: t.count("{")):
            found = document["paths"][template].get(method.lower())
            if found is not None and _pattern(template).fullmatch(path):
                return template, found, document
    for (known, template), _ in GAPS.items():
        if known == method and _pattern(template).fullmatch(path):
            return template, {}, _documents()[0]
    return None


def validate_request(method: str, path: str, headers: Mapping[str, str]) -> list[str]:
    """What is wrong with a request: unknown or badly typed parameters, missing headers. `path` is
    with its query, as it is sent."""
    bare, _, query = path.partition("?")
    bare = bare.removeprefix("/rest")
    what = f"{method} {bare}"
    found = _operation(method, bare)
    if found is None:
        return [f"{what}: no such operation"]
    template, described, _ = found
    parameters = described.get("parameters", ())
    known = {p["name"]: p for p in parameters if p["in"] == "query"}
    allowed = GAPS.get((method, template), (frozenset(), ""))[0]
    complaints = []
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        if name not in known and name not in allowed:
            complaints.append(f"{what}: unknown parameter {name}")
        numeric = known.get(name, {}).get("schema", {}).get("type") == "integer"
        if numeric and not value.isdigit():
            complaints.append(f"{what}: {name} is no number: {value}")
        if re.search(r"[^A-Za-z0-9_.~%(),:-]", value):
            complaints.append(f"{what}: {name} is not escaped: {value}")
    sent = {name.lower(): value for name, value in headers.items()}
    for parameter in _headers(described):
        schema, given = parameter["schema"], sent.get(parameter["name"].lower())
        if given is None:
            complaints.append(f"{what}: no header {parameter['name']}")
        elif not jsonschema.Draft202012Validator(schema).is_valid(given):
            complaints.append(f"{what}: {parameter['name']} is {given}")
    return complaints


def _headers(described: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        p
        for p in described.get("parameters", ())
        if p["in"] == "header" and p["name"].lower() in ("linkedin-version", _PROTOCOL)
    ]


_PROTOCOL = "x-restli-protocol-version"


def validate_response(method: str, path: str, body: Any) -> list[str]:
    """What is wrong with a good answer."""
    found = _operation(method, path.removeprefix("/rest"))
    if found is None:
        return [f"{method} {path}: no such operation"]
    _, described, document = found
    answer = described.get("responses", {}).get("200", {})
    schema = answer.get("content", {}).get("application/json", {}).get("schema")
    if schema is None:
        return []
    rooted = {**schema, "components": document["components"]}
    errors = jsonschema.Draft202012Validator(rooted).iter_errors(body)
    return [f"{method} {path}: {'/'.join(map(str, e.absolute_path))}: {e.message}" for e in errors]


def has_schema(method: str, path: str) -> bool:
    """Whether a good answer is described at all."""
    found = _operation(method, path.removeprefix("/rest"))
    content = found[1]["responses"]["200"].get("content", {}) if found else {}
    return bool(content.get("application/json", {}).get("schema"))

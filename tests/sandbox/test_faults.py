"""Faults strike whatever a look-alike answers: none of them may end the look-alike itself."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from lumio_cli.sandbox.faults import CONTENT, parse_fault
from lumio_cli.sandbox.http import Provider, Request, Response
from lumio_cli.sandbox.options import Options
from lumio_cli.sandbox.registry import PROVIDERS, build
from lumio_cli.sandbox.server import _after

ROWS = {
    "hubspot": ("results", "/crm/v3/objects/contacts"),
    "whatsapp": ("data", "/v25.0/1/whatsapp_business_profile"),
    "shopify": ("data", "/admin/api/2026-07/graphql.json"),
    "salesforce": ("records", "/services/data/v67.0/query"),
    "mailchimp": ("lists", "/3.0/lists"),
    "slack": ("members", "/api/users.list"),
    "linkedin": ("elements", "/rest/posts"),
    "pipedrive": ("data", "/api/v2/persons"),
}
LISTS: tuple[list[Any], ...] = ([], [{}], [{"name": "no id"}], [None], [1], ["text"], [[]])
"""Rows as some listings have them: profiles have no ids, settings are texts."""


@pytest.fixture(scope="module", params=sorted(PROVIDERS))
def lookalike(request: pytest.FixtureRequest) -> tuple[str, Provider]:
    return request.param, build(request.param, Options(3, 1, time.time, "none", 0.0))


@pytest.mark.parametrize("kind", sorted(CONTENT))
def test_content_faults_take_any_answer(lookalike: tuple[str, Provider], kind: str) -> None:
    name, provider = lookalike
    rows, path = ROWS[name]
    answers: list[Any] = [None, 1, "text", [], [1], {}, {rows: None}, {"data": None}]
    for listed in LISTS:
        answers.append({"data": {"x": {"nodes": listed}}} if name == "shopify" else {rows: listed})
        answers.append({"data": {"x": {"nodes": listed, "pageInfo": {}}}, rows: listed})
    for answer in answers:
        response = Response.of_json(answer)
        request = Request("GET", path, {}, {}, b"", "http://127.0.0.1/x", path)
        spoilt = _after({kind: parse_fault(f"{kind}:1" if kind == "huge" else kind)}, provider,
                        request, response)  # fmt: skip
        json.loads(spoilt.body)


@pytest.mark.parametrize("kind", sorted(CONTENT))
def test_content_faults_leave_files_alone(lookalike: tuple[str, Provider], kind: str) -> None:
    _, provider = lookalike
    sheet = Response(200, b"Id,Name\n1,Ada\n", {"Content-Type": "text/csv"})
    request = Request("GET", "/file", {}, {}, b"", "http://127.0.0.1/x", "/file")
    assert _after({kind: parse_fault(kind)}, provider, request, sheet).body == b"Id,Name\n1,Ada\n"


@pytest.mark.parametrize(
    "spec", ["latency:soon", "slow:x", "skew:x", "cut:half", "huge:x", "expired:x", "503:date+x"]
)
def test_an_argument_that_is_no_number_is_refused_at_once(spec: str) -> None:
    with pytest.raises(ValueError, match="is no number"):
        parse_fault(spec)


def test_a_control_of_the_wrong_shape_is_refused(client: httpx.Client) -> None:
    origin = str(client.base_url).rpartition("/hubspot")[0]
    for name in PROVIDERS:
        for body in ("[]", "1", "null"):
            answer = httpx.post(f"{origin}/_sandbox/{name}/consent", content=body, trust_env=False)
            assert answer.status_code == 400, f"{name}: {body}: {answer.text}"
    answer = httpx.post(f"{origin}/_sandbox/faults", content="null", trust_env=False)
    assert answer.status_code == 400

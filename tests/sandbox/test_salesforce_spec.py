"""Answers of the look-alike fit Salesforce's own descriptions, success and error alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from lumio_cli.sandbox import Sandbox
from support import salesforce_spec as spec

DATA = "/services/data/v67.0"


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    spec.directory()
    with Sandbox(records=20, seed=7, providers=("salesforce",)) as sandbox:
        headers = {"Authorization": f"Bearer {sandbox.token('salesforce')}"}
        url = sandbox.base_url("salesforce")
        with httpx.Client(base_url=url, headers=headers, trust_env=False) as http:
            yield http


def checked(client: httpx.Client, method: str, path: str, status: int, **more: Any) -> Any:
    """The parsed answer, after it was held against the description."""
    answer = client.request(method, f"{DATA}{path}", **more)
    assert answer.status_code == status, answer.text
    body = answer.json() if answer.content and "json" in answer.headers["content-type"] else None
    assert spec.validate_response(method, f"{DATA}{path}", status, body) == []
    return body


@pytest.mark.parametrize("kind", ["Lead", "Opportunity", "Account", "Contact"])
def test_records_and_descriptions(client: httpx.Client, kind: str) -> None:
    described = checked(client, "GET", f"/sobjects/{kind}/describe", 200)
    names = [field["name"] for field in described["fields"]]
    query = {"q": f"SELECT {', '.join(names)} FROM {kind} LIMIT 20"}
    found = checked(client, "GET", "/queryAll", 200, params=query)
    assert len(found["records"]) == 20
    for record in found["records"]:
        assert spec.record_complaints(kind, record) == []


def test_limits(client: httpx.Client) -> None:
    assert checked(client, "GET", "/limits", 200)["DailyApiRequests"]["Max"] == 100_000


def test_collections_with_good_and_bad_records(client: httpx.Client) -> None:
    lead = {"attributes": {"type": "Lead"}, "LastName": "Ö", "Company": "C", "Status": "New"}
    body = {"allOrNone": False, "records": [lead, {"attributes": {"type": "Lead"}}]}
    good, bad = checked(client, "POST", "/composite/sobjects", 200, json=body)
    assert (good["success"], bad["success"]) == (True, False)
    changed = {"attributes": {"type": "Lead"}, "id": good["id"], "City": "Köln"}
    body = {"allOrNone": False, "records": [changed]}
    assert checked(client, "PATCH", "/composite/sobjects", 200, json=body)[0]["success"]
    gone = {"ids": good["id"], "allOrNone": "false"}
    assert checked(client, "DELETE", "/composite/sobjects", 200, params=gone)[0]["success"]


def test_jobs(client: httpx.Client) -> None:
    body = {"operation": "query", "query": "SELECT Id FROM Lead"}
    made = checked(client, "POST", "/jobs/query", 200, json=body)
    assert checked(client, "GET", f"/jobs/query/{made['id']}", 200)["state"] == "JobComplete"
    checked(client, "GET", f"/jobs/query/{made['id']}/results", 200)
    body = {"object": "Lead", "operation": "insert"}
    made = checked(client, "POST", "/jobs/ingest", 200, json=body)
    kind = {"content-type": "text/csv"}
    path = f"/jobs/ingest/{made['id']}"
    checked(client, "PUT", f"{path}/batches", 201, content=b"LastName\nX\n", headers=kind)
    checked(client, "PATCH", path, 200, json={"state": "UploadComplete"})
    assert checked(client, "GET", path, 200)["numberRecordsFailed"] == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/query?q=SELECT", 400),
        ("/query?q=SELECT+Nothing+FROM+Lead", 400),
        ("/query?q=SELECT+Id+FROM+Nothing", 400),
        ("/sobjects/Nothing/describe", 404),
        ("/query/0r8sb0000000000001-2000", 400),
    ],
)
def test_errors(client: httpx.Client, path: str, status: int) -> None:
    answer = client.get(f"{DATA}{path}")
    assert answer.status_code == status, answer.text
    assert spec.validate_response("GET", path, status, answer.json()) == []

"""What the look-alike of Salesforce does differently by type, user and org, and what it is told to
do wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from lumio_cli.sandbox.lookalike import CLIENT_ID
from lumio_cli.sandbox.salesforce.data import USERNAME

from .salesforce_client import DATA, Client, clients


@pytest.fixture
def make() -> Iterator[Callable[..., Client]]:
    with clients() as build:
        yield build


@pytest.fixture
def client(make: Callable[..., Client]) -> Client:
    return make()


def test_counts_and_limits_need_a_permission_of_their_own(make: Callable[..., Client]) -> None:
    client = make("no_setup")
    count = f"{DATA}/limits/recordCount?sObjects=Lead"
    for path in (count, f"{DATA}/limits"):
        assert client.error(path) == (403, "INSUFFICIENT_ACCESS")
    assert len(client.ids("SELECT Id FROM Lead")) == 60
    other = make()
    assert other.http.get(count).json()["sObjects"] == [{"count": 60, "name": "Lead"}]
    switch(other, setup=False)
    assert other.error(count) == (403, "INSUFFICIENT_ACCESS")


def switch(client: Client, **values: Any) -> httpx.Response:
    """What the control API makes the org do."""
    base = str(client.http.base_url).rstrip("/").removesuffix("/salesforce")
    return client.http.post(f"{base}/_sandbox/salesforce/org", json=values)


def test_a_count_is_a_snapshot_without_histories(client: Client) -> None:
    switch(client, counts={"Lead": 999})
    query = {"sObjects": "Lead,LoginHistory"}
    found = client.http.get(f"{DATA}/limits/recordCount", params=query).json()["sObjects"]
    assert found == [{"count": 999, "name": "Lead"}]


def test_what_cannot_be_switched_is_refused(client: Client) -> None:
    assert switch(client, vault="x").status_code == 400


def test_histories_lack_fields_that_others_have(client: Client) -> None:
    for kind, stamp in (("OpportunityFieldHistory", "CreatedDate"), ("LoginHistory", "LoginTime")):
        told = client.http.get(f"{DATA}/sobjects/{kind}/describe").json()["fields"]
        names = {field["name"] for field in told}
        assert stamp in names and "SystemModstamp" not in names
        found = client.query(f"SELECT Id, {stamp} FROM {kind} ORDER BY {stamp}, Id LIMIT 30")
        bound = found[20][stamp].replace("+0000", "Z")
        later = client.ids(f"SELECT Id FROM {kind} WHERE {stamp} >= {bound}")
        assert {row["Id"] for row in found[20:]} <= set(later)
        bad = {"q": f"SELECT Id, SystemModstamp FROM {kind}"}
        assert client.error(f"{DATA}/query", params=bad) == (400, "INVALID_FIELD")
    bad = {"q": "SELECT Id FROM LoginHistory WHERE IsDeleted = true"}
    assert client.error(f"{DATA}/queryAll", params=bad) == (400, "INVALID_FIELD")


@pytest.mark.parametrize("kind", ["Task", "Event"])
def test_archived_activities_are_in_query_all_alone(client: Client, kind: str) -> None:
    old, gone, *_ = client.ids(f"SELECT Id FROM {kind} ORDER BY Id")
    base = str(client.http.base_url).rstrip("/").removesuffix("/salesforce")
    path = f"{base}/_sandbox/salesforce/{kind}/archive"
    before = client.query(f"SELECT SystemModstamp FROM {kind} WHERE Id = '{old}'")
    assert client.http.post(path, json={"id": old}).status_code == 200
    client.http.delete(f"{DATA}/sobjects/{kind}/{gone}")
    assert len(client.ids(f"SELECT Id FROM {kind}")) == 58
    query = f"SELECT Id, IsArchived, SystemModstamp FROM {kind} WHERE IsDeleted = false ORDER BY Id"
    found = client.query(query, "queryAll")
    assert (len(found), found[0]["Id"], found[0]["IsArchived"]) == (59, old, True)
    assert found[0]["SystemModstamp"] == before[0]["SystemModstamp"], "nobody has changed it"


@pytest.mark.parametrize(
    ("refusal", "said"),
    [("INVALID_SESSION_ID", "INVALID_SESSION_ID"), ("INVALID_AUTH_HEADER", "INVALID_JWT_FORMAT")],
)
def test_a_session_that_ended_is_refused_in_one_of_its_ways(
    make: Callable[..., Client], refusal: str, said: str
) -> None:
    client = make("expired")
    switch(client, refusal=refusal)
    answer = client.http.get(f"{DATA}/limits")
    assert (answer.status_code, said in answer.text) == (401, True)
    switch(client, refusal="")
    answer = client.http.get(f"{DATA}/limits")
    assert (answer.status_code, answer.content) == (401, b"")


@pytest.mark.parametrize("status", [406, 420])
def test_the_edge_speaks_no_json(make: Callable[..., Client], status: int) -> None:
    client = make(faults=(f"{status}:times=1",))
    answer = client.http.get(f"{DATA}/limits")
    assert answer.status_code == status
    assert "json" not in answer.headers["content-type"]


def test_jobs_that_bulk_api_refuses(client: Client) -> None:
    def made() -> tuple[int, Any]:
        body = {"operation": "query", "query": "SELECT Id FROM Lead"}
        answer = client.http.post(f"{DATA}/jobs/query", json=body)
        return answer.status_code, answer.json()

    switch(client, unbulkable=["Lead"])
    status, ((error,)) = made()
    assert (status, error["errorCode"]) == (400, "INVALIDENTITY")
    switch(client, unbulkable=[], jobs_max=0)
    status, ((error,)) = made()
    assert (status, error["errorCode"]) == (400, "LIMIT_EXCEEDED")
    switch(client, jobs_max=5, job_error="InternalServerError")
    job = made()[1]["id"]
    told = client.http.get(f"{DATA}/jobs/query/{job}").json()
    assert (told["state"], told["errorMessage"]) == ("Failed", "InternalServerError")


def test_a_result_may_have_empty_pages_before_its_rows(client: Client) -> None:
    switch(client, hollow_results=2)
    body = {"operation": "query", "query": "SELECT Id FROM Lead"}
    job = client.http.post(f"{DATA}/jobs/query", json=body).json()["id"]
    client.http.get(f"{DATA}/jobs/query/{job}")
    seen, locator, counts = [], "", []
    while locator != "null":
        query = {"maxRecords": "40", **({"locator": locator} if locator else {})}
        answer = client.http.get(f"{DATA}/jobs/query/{job}/results", params=query)
        locator = answer.headers["sforce-locator"]
        seen.append(locator)
        counts.append(answer.headers["sforce-numberofrecords"])
    assert counts == ["0", "0", "40", "20"]
    assert len(set(seen)) == 4


@pytest.mark.parametrize("what", ["query", "queryAll"])
def test_pages_that_say_too_little(client: Client, what: str) -> None:
    def asked(path: str = f"{DATA}/{what}", **query: str) -> Any:
        return client.http.get(path, params=query or None).json()

    q = {"q": "SELECT Id FROM Lead ORDER BY Id LIMIT 30"}
    whole = asked(**q)
    client.faults("hollow:times=1")
    page = asked(**q)
    assert (page["records"], page["done"], page["totalSize"]) == ([], False, 30)
    assert asked(page["nextRecordsUrl"]) == whole
    client.faults("nowhere:times=1")
    page = asked(**q)
    assert (page["records"], page["done"]) == (whole["records"], False)
    assert "nextRecordsUrl" not in page
    client.faults("last:times=1")
    client.http.headers["Sforce-Query-Options"] = "batchSize=200"
    page = asked(**q)
    assert (len(page["records"]), page["done"]) == (30, True)


@pytest.mark.parametrize(
    ("audience", "error"),
    [
        ("https://test.salesforce.com", "app_not_found"),
        ("https://other.my.salesforce.com", "invalid_grant"),
    ],
)
def test_assertions_are_taken_for_the_orgs_own_address(
    client: Client, audience: str, error: str
) -> None:
    key = generate_private_key(65537, 2048)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    switch(client, certificate=public.decode())

    def login(aud: str) -> httpx.Response:
        claims = {"iss": CLIENT_ID, "sub": USERNAME, "aud": aud, "exp": int(client.org.now()) + 99}
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": jwt.encode(claims, key, "RS256"),
        }
        return client.http.post("/services/oauth2/token", data=form)

    refused = login(audience)
    assert (refused.status_code, refused.json()["error"]) == (400, error)
    assert login("https://sandbox.my.salesforce.com").status_code == 200
    switch(client, audiences=[audience])
    assert login(audience).status_code == 200

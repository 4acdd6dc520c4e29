"""What the look-alike of Salesforce does that readers and writers hang on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.lookalike import CLIENT_ID
from lumio_cli.sandbox.salesforce import Salesforce
from lumio_cli.sandbox.salesforce.access import USERNAME
from lumio_cli.sandbox.salesforce.ids import make_id, normal_id

DATA = "/services/data/v67.0"


class Client:
    """Short ways to ask one org."""

    def __init__(self, sandbox: Sandbox, token: str = "full") -> None:
        self.org = cast(Salesforce, sandbox.providers["salesforce"])
        headers = {"Authorization": f"Bearer {sandbox.token('salesforce', token)}"}
        url = sandbox.base_url("salesforce")
        self.http = httpx.Client(base_url=url, headers=headers, trust_env=False)

    def query(self, soql: str, what: str = "query") -> list[dict[str, Any]]:
        answer = self.http.get(f"{DATA}/{what}", params={"q": soql})
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["records"]
        return found

    def ids(self, soql: str, what: str = "query") -> list[str]:
        return [row["Id"] for row in self.query(soql, what)]

    def faults(self, *specs: str) -> None:
        """Faults that are in force from now on, and no others."""
        base = str(self.http.base_url).rstrip("/").removesuffix("/salesforce")
        self.http.post(f"{base}/_sandbox/faults", json={"set": specs})

    def error(self, path: str, method: str = "GET", **more: Any) -> tuple[int, str]:
        answer = self.http.request(method, path, **more)
        return answer.status_code, answer.json()[0]["errorCode"]


@pytest.fixture
def make() -> Iterator[Callable[..., Client]]:
    opened: list[Any] = []

    def build(token: str = "full", **options: Any) -> Client:
        options = {"records": 60, "seed": 7, "providers": ("salesforce",), **options}
        sandbox = Sandbox(**options).start()
        client = Client(sandbox, token)
        opened.extend((client.http, sandbox))
        return client

    yield build
    for item in opened:
        item.close()


@pytest.fixture
def client(make: Callable[..., Client]) -> Client:
    return make()


def test_ids_survive_a_reader_who_ignores_case() -> None:
    made = [make_id("00Q", number) for number in range(5000)]
    assert made == sorted(made)
    assert len({text.lower() for text in made}) == 5000
    assert normal_id(made[4321][:15]) == made[4321]
    assert normal_id("nothing") is None


def test_conditions_orders_and_portions(client: Client) -> None:
    every = client.ids("SELECT Id FROM Lead ORDER BY Id")
    assert every == sorted(every) and len(every) == 60
    assert client.ids(f"SELECT Id FROM Lead WHERE Id > '{every[56]}' ORDER BY Id") == every[57:]
    assert client.ids(f"SELECT Id FROM Lead WHERE Id = '{every[3][:15]}'") == [every[3]]
    names = [r["LastName"] for r in client.query("SELECT LastName FROM Lead ORDER BY LastName")]
    assert names == sorted(names, key=str.lower)
    assert client.ids("SELECT Id FROM Lead ORDER BY Id DESC LIMIT 2 OFFSET 1") == every[-2:-4:-1]
    like = client.query("SELECT Email FROM Lead WHERE Email LIKE '%@EXAMPLE.com'")
    assert like and all(row["Email"].endswith("@example.com") for row in like)
    both = "SELECT Id FROM Lead WHERE (NOT Opted_In__c = TRUE) AND Score__c IN (7, 0.25)"
    assert 0 < len(client.ids(both)) < 60
    assert not client.ids("SELECT Id FROM Lead WHERE Region__c = null AND Region__c != null")


def test_a_window_includes_both_its_ends(client: Client) -> None:
    record = client.query("SELECT Id, SystemModstamp FROM Lead ORDER BY SystemModstamp LIMIT 20")
    moment = record[19]["SystemModstamp"].replace("+0000", "Z")
    span = f"SystemModstamp >= {moment} AND SystemModstamp <= {moment}"
    inside = client.ids(f"SELECT Id FROM Lead WHERE {span}")
    assert record[19]["Id"] in inside
    assert len(inside) >= 15, "a quarter of the records was imported in one second"
    after = client.ids(f"SELECT Id FROM Lead WHERE SystemModstamp > {moment}")
    assert not set(inside) & set(after)


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Id FROM Lead WHERE Id = '1' AND Id = '2' OR Id = '3'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE SystemModstamp > '2026-01-01T00:00:00Z'", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE Notes__c = 'x'", "INVALID_FIELD"),
        ("SELECT Id, Id FROM Lead", "INVALID_FIELD"),
        ("SELECT FIELDS(ALL) FROM Lead", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE"),
        ("SELECT Id FROM Lead GROUP BY Id", "MALFORMED_QUERY"),
        (f"SELECT Id FROM Lead WHERE LastName = '{'x' * 100_000}'", "MALFORMED_QUERY"),
    ],
)
def test_queries_that_are_refused(client: Client, soql: str, code: str) -> None:
    url = f"{DATA}/query?{httpx.QueryParams({'q': soql})}"
    part = {"method": "GET", "url": url, "referenceId": "a"}
    answer = client.http.post(f"{DATA}/composite", json={"compositeRequest": [part]})
    (told,) = answer.json()["compositeResponse"]
    assert (told["httpStatusCode"], told["body"][0]["errorCode"]) == (400, code)


def test_an_address_that_is_too_long_is_refused(client: Client) -> None:
    answer = client.http.get(f"{DATA}/query", params={"q": "SELECT " + "x" * 17_000})
    assert answer.status_code == 414


def test_a_user_has_ten_cursors_and_each_ends(make: Callable[..., Client]) -> None:
    now = [1_800_000_000.0]
    client = make(records=250, clock=lambda: now[0])
    small = {"Sforce-Query-Options": "batchSize=200"}

    def opened() -> str:
        q = {"q": "SELECT Id FROM Lead"}
        body = client.http.get(f"{DATA}/query", params=q, headers=small).json()
        return str(body["nextRecordsUrl"])

    first, second = opened(), opened()
    assert len(client.http.get(first).json()["records"]) == 50
    for _ in range(9):
        opened()
    assert client.error(first) == (400, "INVALID_QUERY_LOCATOR")
    assert client.http.get(second).status_code == 200
    now[0] += 3 * 86_400
    assert client.error(second) == (400, "INVALID_QUERY_LOCATOR")


def test_the_recycle_bin_is_in_query_all_alone(client: Client) -> None:
    first, second, *_ = client.ids("SELECT Id FROM Account ORDER BY Id")
    assert client.http.delete(f"{DATA}/sobjects/Account/{first}").status_code == 204
    client.org.tables["Account"].purge(second)
    left = client.ids("SELECT Id FROM Account")
    assert len(left) == 58
    gone = client.query("SELECT Id, IsDeleted FROM Account WHERE IsDeleted = true", "queryAll")
    assert [(row["Id"], row["IsDeleted"]) for row in gone] == [(first, True)]
    assert len(client.ids("SELECT Id FROM Account", "queryAll")) == 59
    assert client.error(f"{DATA}/sobjects/Account/{first}", "DELETE") == (404, "ENTITY_IS_DELETED")


@pytest.mark.parametrize(
    ("token", "path", "told"),
    [
        ("expired", f"{DATA}/limits", (401, "INVALID_SESSION_ID")),
        ("no_api", f"{DATA}/limits", (401, "INVALID_SESSION_ID")),
        ("no_leads", f"{DATA}/query?q=SELECT+Id+FROM+Lead", (400, "INVALID_TYPE")),
        ("no_leads", f"{DATA}/sobjects/Lead/describe", (404, "NOT_FOUND")),
        ("few_fields", f"{DATA}/query?q=SELECT+Score__c+FROM+Lead", (400, "INVALID_FIELD")),
        ("full", "/services/data/v30.0/limits", (410, "UNSUPPORTED_API_VERSION")),
        ("full", "/services/data/v99.0/limits", (404, "NOT_FOUND")),
    ],
)
def test_what_a_session_may_not(
    make: Callable[..., Client], token: str, path: str, told: tuple[int, str]
) -> None:
    assert make(token).error(path) == told


def test_the_allocation_is_one_of_the_last_24_hours(make: Callable[..., Client]) -> None:
    now = [1_800_000_000.0]
    client = make(quota="daily=2", clock=lambda: now[0])
    told = []
    for _ in range(2):
        told.append(client.http.get(f"{DATA}/limits").headers["sforce-limit-info"])
        now[0] += 3600
    assert told == ["api-usage=1/2", "api-usage=2/2"]
    assert client.error(f"{DATA}/limits") == (403, "REQUEST_LIMIT_EXCEEDED")
    now[0] += 22 * 3600 + 1
    assert client.http.get(f"{DATA}/limits").status_code == 200, "the first of them has aged out"
    assert client.error(f"{DATA}/limits") == (403, "REQUEST_LIMIT_EXCEEDED")


def test_a_job_cannot_select_compound_fields(client: Client) -> None:
    body = {"operation": "query", "query": "SELECT Id, Address FROM Lead"}
    job = client.http.post(f"{DATA}/jobs/query", json=body).json()["id"]
    assert client.error(f"{DATA}/jobs/query/{job}/results") == (412, "JOB_NOT_COMPLETE")
    told = client.http.get(f"{DATA}/jobs/query/{job}").json()
    assert told["state"] == "Failed"
    assert "compound" in told["errorMessage"]


def test_locators_may_be_used_again_but_not_by_another_version(client: Client) -> None:
    body = {"operation": "query", "query": "SELECT Id FROM Lead"}
    job = client.http.post(f"{DATA}/jobs/query", json=body).json()["id"]
    client.http.get(f"{DATA}/jobs/query/{job}")
    path = f"{DATA}/jobs/query/{job}/results"
    first = client.http.get(path, params={"maxRecords": 40})
    again: dict[str, Any] = {"maxRecords": 40, "locator": first.headers["sforce-locator"]}
    last = [client.http.get(path, params=again) for _ in range(2)]
    assert last[0].text == last[1].text
    assert last[0].headers["sforce-locator"] == "null"
    assert first.text.count("\n") + last[0].text.count("\n") == 60 + 2
    assert client.error(path.replace("v67", "v66")) == (409, "API_ERROR")


def test_a_login_with_pkce_brings_a_session_without_an_end(client: Client) -> None:
    redirect = "http://localhost:18924/callback"
    query = {
        "response_type": "code", "client_id": CLIENT_ID, "redirect_uri": redirect,
        "scope": "api refresh_token", "code_challenge_method": "S256",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    }  # fmt: skip
    answer = client.http.get("/services/oauth2/authorize", params=query)
    form = {
        "grant_type": "authorization_code", "client_id": CLIENT_ID, "redirect_uri": redirect,
        "code": httpx.URL(answer.headers["location"]).params["code"],
        "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    }  # fmt: skip
    made = client.http.post("/services/oauth2/token", data=form).json()
    assert made.keys() >= {"access_token", "refresh_token", "instance_url", "id", "issued_at"}
    assert "expires_in" not in made
    again = client.http.post("/services/oauth2/token", data=form)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    form = {
        "grant_type": "refresh_token", "client_id": CLIENT_ID,
        "refresh_token": made["refresh_token"],
    }  # fmt: skip
    renewed = client.http.post("/services/oauth2/token", data=form).json()
    assert "refresh_token" not in renewed


def test_tables_are_made_when_they_are_asked_for(make: Callable[..., Client]) -> None:
    client = make(records=500_000)
    assert client.query("SELECT Id FROM Organization")
    assert dict.keys(client.org.tables) == {"Organization"}


def test_the_control_api_changes_records(client: Client) -> None:
    base = str(client.http.base_url).rstrip("/").removesuffix("/salesforce")
    kind = f"{base}/_sandbox/salesforce/Lead"
    made = client.http.post(f"{kind}/create", json={"values": {"LastName": "X", "Company": "Y",
                                                               "Status": "New"}})  # fmt: skip
    record_id = made.json()["id"]
    body = {"id": record_id, "values": {"City": "Bonn"}}
    assert client.http.post(f"{kind}/update", json=body).status_code == 200
    (row,) = client.query(f"SELECT Name, City FROM Lead WHERE Id = '{record_id}'")
    assert (row["Name"], row["City"]) == ("X", "Bonn")
    assert client.http.post(f"{kind}/create", json={"values": {}}).status_code == 400
    assert client.http.post(f"{kind}/delete", json={"id": record_id}).status_code == 200
    assert len(client.http.get(f"{kind}/dump").text.splitlines()) == 60


# -- what differs by type, user and org


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

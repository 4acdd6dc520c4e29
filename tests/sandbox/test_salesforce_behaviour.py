"""What the look-alike of Salesforce does that readers and writers hang on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from lumio_cli.sandbox.lookalike import CLIENT_ID
from lumio_cli.sandbox.salesforce.ids import make_id, normal_id

from .salesforce_client import DATA, Client, clients


@pytest.fixture
def make() -> Iterator[Callable[..., Client]]:
    with clients() as build:
        yield build


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


def test_a_merge(client: Client) -> None:
    """The victim goes into the recycle bin and names its master, which gets what hung on it."""
    with_contacts = "SELECT AccountId FROM Contact WHERE AccountId != null LIMIT 1"
    (victim,) = (row["AccountId"] for row in client.query(with_contacts))
    master = next(i for i in client.ids("SELECT Id FROM Account") if i != victim)
    hanging = set(client.ids(f"SELECT Id FROM Contact WHERE AccountId = '{victim}'"))
    control = f"{client.http.base_url.copy_with(path='/')}_sandbox/salesforce/Account/merge"
    answer = client.http.post(control, json={"winner": master, "loser": victim})
    assert answer.status_code == 200, answer.text
    assert victim not in client.ids("SELECT Id FROM Account")
    merged = "SELECT Id, MasterRecordId FROM Account WHERE IsDeleted = true"
    told = [(row["Id"], row["MasterRecordId"]) for row in client.query(merged, "queryAll")]
    assert told == [(victim, master)]
    assert hanging <= set(client.ids(f"SELECT Id FROM Contact WHERE AccountId = '{master}'"))
    patch = f"{DATA}/sobjects/Account/{victim}"
    assert client.error(patch, "PATCH", json={"Name": "Late"}) == (404, "NOT_FOUND")
    opportunity = control.replace("Account", "Opportunity")
    assert client.http.post(opportunity, json={"winner": "1", "loser": "2"}).status_code == 400

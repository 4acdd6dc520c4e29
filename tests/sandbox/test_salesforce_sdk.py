"""simple-salesforce works against the look-alike: list, page, write, bulk, error, log in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceGeneralError,
    SalesforceMalformedRequest,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)

from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.lookalike import CLIENT_ID, CLIENT_SECRET
from lumio_cli.sandbox.salesforce import Salesforce as Org
from lumio_cli.sandbox.salesforce.data import USERNAME

HOST = "sandbox.my.salesforce.com"


class Elsewhere(HTTPAdapter):
    """Takes what is meant for Salesforce's hosts to the sandbox: the client knows https only."""

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self.base_url = base_url

    def send(self, request: Any, *args: Any, **options: Any) -> Any:
        request.url = self.base_url + request.url.partition(".com")[2]
        return super().send(request, *args, **options)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(records=450, seed=3, quota="published", providers=("salesforce",)) as running:
        yield running


def session(sandbox: Sandbox) -> requests.Session:
    found = requests.Session()
    found.trust_env = False
    found.mount("https://", Elsewhere(sandbox.base_url("salesforce")))
    return found


def connect(sandbox: Sandbox, token: str = "full") -> Salesforce:
    return Salesforce(
        instance=HOST,
        session_id=sandbox.token("salesforce", token),
        session=session(sandbox),
        version="67.0",
    )


def test_it_lists_and_pages(sandbox: Sandbox) -> None:
    client = connect(sandbox)
    client.headers["Sforce-Query-Options"] = "batchSize=200"
    first = client.query("SELECT Id, Name FROM Lead")
    assert (first["totalSize"], len(first["records"]), first["done"]) == (450, 200, False)
    second = client.query_more(first["nextRecordsUrl"], identifier_is_url=True)
    assert len(second["records"]) == 200
    every = client.query_all("SELECT Id FROM Lead")["records"]
    assert len({row["Id"] for row in every}) == 450
    assert client.api_usage["api-usage"].total == 100_000


def test_it_writes_and_deletes_a_record(sandbox: Sandbox) -> None:
    client = connect(sandbox)
    lead = cast(Any, client.Lead)
    values = {"LastName": "Müller", "Company": "Größe & Co", "Status": "New", "Score__c": 1.5}
    made = lead.create(values)
    assert lead.update(made["id"], {"City": "Köln"}) == 204
    assert lead.get(made["id"])["City"] == "Köln"
    assert lead.upsert("External_Key__c/own-1", values) == 201
    assert lead.upsert("External_Key__c/own-1", {"City": "Bonn"}) == 200
    assert lead.get_by_custom_id("External_Key__c", "own-1")["City"] == "Bonn"
    assert lead.delete(made["id"]) == 204
    assert "fields" in lead.describe()
    gone = client.query_all("SELECT Id FROM Lead WHERE IsDeleted = true", include_deleted=True)
    assert [row["Id"] for row in gone["records"]] == [made["id"]]


def test_it_reads_and_writes_in_bulk(sandbox: Sandbox) -> None:
    bulk = cast(Any, connect(sandbox).bulk2)
    pages = list(bulk.Lead.query("SELECT Id, Name FROM Lead", max_records=200, wait=0))
    assert [page.count("\n") for page in pages] == [201, 201, 51]
    rows = [{"LastName": f"B{n}", "Company": "C", "Status": "New"} for n in range(3)]
    rows.append({"LastName": "", "Company": "C", "Status": "New"})
    (result,) = bulk.Lead.insert(records=rows, wait=0)
    assert (result["numberRecordsProcessed"], result["numberRecordsFailed"]) == (4, 1)
    assert "REQUIRED_FIELD_MISSING" in bulk.Lead.get_failed_records(result["job_id"])
    assert bulk.Lead.get_successful_records(result["job_id"]).count("\n") == 4


def test_it_changes_and_deletes_in_bulk(sandbox: Sandbox) -> None:
    client = connect(sandbox)
    bulk = cast(Any, client.bulk2)
    first, second, third = (
        row["Id"] for row in client.query("SELECT Id FROM Lead LIMIT 3")["records"]
    )
    rows = [{"Id": first, "City": "Köln"}, {"Id": second, "NumberOfEmployees": "many"}]
    (changed,) = bulk.Lead.update(records=rows, wait=0)
    assert (changed["numberRecordsProcessed"], changed["numberRecordsFailed"]) == (2, 1)
    assert cast(Any, client.Lead).get(first)["City"] == "Köln"
    (gone,) = bulk.Lead.delete(records=[{"Id": third}], wait=0)
    assert gone["numberRecordsFailed"] == 0
    with pytest.raises(SalesforceResourceNotFound):
        cast(Any, client.Lead).get(third)


def test_what_can_be_set_in_a_new_record_alone(sandbox: Sandbox) -> None:
    client = connect(sandbox)
    contact = client.query("SELECT Id FROM Contact LIMIT 1")["records"][0]["Id"]
    deals = cast(Any, client.Opportunity)
    values = {"Name": "X", "StageName": "Open", "CloseDate": "2026-01-31", "ContactId": contact}
    made = deals.create(values)["id"]
    assert deals.get(made)["ContactId"] == contact
    with pytest.raises(SalesforceMalformedRequest, match="INVALID_FIELD_FOR_INSERT_UPDATE"):
        deals.update(made, {"ContactId": contact})


def test_addresses_are_kept_in_lower_case(sandbox: Sandbox) -> None:
    lead = cast(Any, connect(sandbox).Lead)
    values = {"LastName": "X", "Company": "C", "Status": "New", "Email": "A.B@Example.COM"}
    assert lead.get(lead.create(values)["id"])["Email"] == "a.b@example.com"


def test_it_meets_errors_in_the_shapes_that_it_knows(sandbox: Sandbox) -> None:
    client = connect(sandbox)
    with pytest.raises(SalesforceMalformedRequest):
        client.query("SELECT Nothing FROM Lead")
    with pytest.raises(SalesforceMalformedRequest):
        cast(Any, client.Lead).create({"LastName": "X"})
    with pytest.raises(SalesforceResourceNotFound):
        cast(Any, client.Lead).get("00Q000000000000AAA")
    with pytest.raises(SalesforceExpiredSession):
        connect(sandbox, "expired").query("SELECT Id FROM Lead")


def test_it_is_refused_when_the_allocation_is_used_up() -> None:
    with Sandbox(records=1, quota="daily=2", providers=("salesforce",)) as sandbox:
        client = connect(sandbox)
        for _ in range(2):
            client.query("SELECT Id FROM Lead")
        with pytest.raises(SalesforceRefusedRequest, match="REQUEST_LIMIT_EXCEEDED"):
            client.query("SELECT Id FROM Lead")


def test_it_logs_in_by_client_credentials(sandbox: Sandbox) -> None:
    client = Salesforce(
        consumer_key=CLIENT_ID,
        consumer_secret=CLIENT_SECRET,
        domain="sandbox.my",
        session=session(sandbox),
    )
    client.sf_instance = HOST
    client.base_url = f"https://{HOST}/services/data/v67.0/"
    assert client.query("SELECT Id FROM Organization")["totalSize"] == 1


def test_a_wrong_secret_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(SalesforceAuthenticationFailed, match="invalid client credentials"):
        Salesforce(
            consumer_key=CLIENT_ID,
            consumer_secret="wrong",
            domain="sandbox.my",
            session=session(sandbox),
        )


def test_it_logs_in_with_a_certificate_at_the_orgs_own_address(
    sandbox: Sandbox,
) -> None:
    key = generate_private_key(65537, 2048)
    org = cast(Org, sandbox.providers["salesforce"])
    org.certificate = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    # The client itself means an assertion for login or test, whatever the org is.
    who = {"username": USERNAME, "consumer_key": CLIENT_ID, "privatekey": pem}
    client = Salesforce(**who, domain="login", session=session(sandbox))
    assert client.session_id.startswith("salesforce-access-")
    with pytest.raises(SalesforceAuthenticationFailed, match="not installed in this org"):
        Salesforce(**who, domain="test", session=session(sandbox))


def test_it_meets_an_edge_that_speaks_no_json_and_a_session_that_is_a_jwt(
    sandbox: Sandbox,
) -> None:
    client = connect(sandbox)
    for status in (406, 420):
        sandbox.faults.set([f"{status}:times=1"])
        with pytest.raises(SalesforceGeneralError):
            client.query("SELECT Id FROM Lead LIMIT 1")
    cast(Org, sandbox.providers["salesforce"]).refusal = "INVALID_AUTH_HEADER"
    with pytest.raises(SalesforceExpiredSession, match="INVALID_JWT_FORMAT"):
        connect(sandbox, "expired").query("SELECT Id FROM Lead LIMIT 1")


def test_it_finds_archived_activities_where_it_includes_what_was_deleted(sandbox: Sandbox) -> None:
    client = connect(sandbox)
    org = cast(Org, sandbox.providers["salesforce"])
    org.tables.archived.add(org.tables["Task"].ids()[0])
    assert client.query_all("SELECT Id FROM Task")["totalSize"] == 449
    alive = "SELECT Id FROM Task WHERE IsDeleted = false"
    assert client.query_all(alive, include_deleted=True)["totalSize"] == 450


def test_it_follows_a_page_without_records(sandbox: Sandbox) -> None:
    sandbox.faults.set(["hollow:times=1"])
    found = connect(sandbox).query_all("SELECT Id FROM Lead")
    assert len({row["Id"] for row in found["records"]}) == 450


def test_a_type_that_bulk_api_does_not_know_is_refused(sandbox: Sandbox) -> None:
    cast(Org, sandbox.providers["salesforce"]).unbulkable = {"Lead"}
    bulk = cast(Any, connect(sandbox).bulk2)
    with pytest.raises(SalesforceMalformedRequest, match="not supported by the Bulk API"):
        list(bulk.Lead.query("SELECT Id FROM Lead"))

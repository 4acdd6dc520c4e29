"""Every answer of the look-alike fits HubSpot's own description, success and error alike."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.lookalike import CLIENT_ID, CLIENT_SECRET
from support import hubspot_spec


@pytest.fixture(autouse=True)
def _descriptions() -> None:
    hubspot_spec.directory()


class Checked:
    """Sends requests; fails where a request or an answer does not fit the description."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        status: int,
        query: dict[str, Any] | None = None,
        form: dict[str, str] | None = None,
        strict: bool = True,
        headers: dict[str, str] | None = None,
    ) -> Any:
        answer = self.client.request(
            method, path, params=query, json=body, data=form, headers=headers
        )
        parsed = answer.json() if answer.content else None
        assert answer.status_code == status, answer.text
        assert hubspot_spec.validate_response(method, path, status, parsed) == []
        if strict:
            payload = form if form is not None else body
            assert hubspot_spec.validate_request(method, path, query, payload) == []
        return parsed


@pytest.fixture
def call(client: httpx.Client) -> Checked:
    return Checked(client)


def paths(kind: str) -> list[str]:
    return [f"/crm/v3/objects/{kind}", f"/crm/objects/2026-03/{kind}"]


KINDS = ["contacts", "companies", "deals", "products", "tickets"]
EVERY = [path for kind in KINDS for path in paths(kind)]
NEW = {
    "contacts": {"email": "new@example.com", "firstname": "Nüw"},
    "companies": {"name": "New", "domain": "new.example"},
    "deals": {"dealname": "New", "amount": "12.50"},
    "products": {"name": "New", "price": "1"},
    "tickets": {"subject": "New", "hs_pipeline_stage": "1"},
}


def kind_of(path: str) -> str:
    return path.rpartition("/")[2]


@pytest.mark.parametrize("path", EVERY)
def test_single_records(call: Checked, path: str) -> None:
    query = {"limit": "5", "properties": "hs_object_id,createdate", "associations": "contacts"}
    if kind_of(path) in ("contacts", "products"):
        query.pop("associations")
    page = call("GET", path, query=query, status=200)
    assert page["paging"]["next"]["after"]
    first = page["results"][0]["id"]
    call("GET", path, query={"archived": "true", "limit": "2"}, status=200)
    call("GET", path, query={"limit": "101"}, status=400)
    call("GET", path, query={"propertiesWithHistory": "createdate"}, status=200)
    call("GET", f"{path}/{first}", status=200)
    call("GET", f"{path}/1", status=404)
    made = call("POST", path, {"properties": NEW[kind_of(path)], "associations": []}, status=201)
    call("PATCH", f"{path}/{made['id']}", {"properties": {"external_id": "X-1"}}, status=200)
    call("PATCH", f"{path}/{made['id']}", {"properties": {"nope": "1"}}, status=400)
    call("PATCH", f"{path}/1", {"properties": {}}, status=404)
    call("DELETE", f"{path}/{made['id']}", status=204)
    call("DELETE", f"{path}/1", status=404)
    call("POST", path, {"properties": {"nope": "1"}, "associations": []}, status=400)


@pytest.mark.parametrize("path", EVERY)
def test_batches(call: Checked, path: str) -> None:
    kind = kind_of(path)
    ids = [row["id"] for row in call("GET", path, query={"limit": "3"}, status=200)["results"]]
    want = {"properties": ["createdate"], "propertiesWithHistory": []}
    inputs = [{"id": i} for i in ids]
    call("POST", f"{path}/batch/read", {**want, "inputs": inputs}, status=200)
    call("POST", f"{path}/batch/read", {**want, "inputs": [*inputs, {"id": "1"}]}, status=207)
    call("POST", f"{path}/batch/read", {**want, "inputs": inputs * 40}, status=400)
    new = {"properties": NEW[kind], "associations": []}
    call("POST", f"{path}/batch/create", {"inputs": [new]}, status=201)
    traced = [
        {"properties": {**NEW[kind], "external_id": f"T{n}"}, "associations": [],
         "objectWriteTraceId": str(n)}
        for n in range(2)
    ]  # fmt: skip
    if kind == "contacts":
        traced[1]["properties"] = {"email": "second@example.com"}
    else:
        traced[0]["properties"] = {"nope": "1"}
    answer = call("POST", f"{path}/batch/create", {"inputs": traced}, status=207)
    assert answer["results"][0]["objectWriteTraceId"] == "1"
    assert answer["errors"][0]["context"]["objectWriteTraceId"] == ["0"]
    change = {"properties": {"external_id": "B-1"}}
    update = [{"id": ids[0], **change}]
    call("POST", f"{path}/batch/update", {"inputs": update}, status=200)
    missing = [*update, {"id": "1", "properties": {}}]
    call("POST", f"{path}/batch/update", {"inputs": missing}, status=207)
    wrong = [{"id": ids[0], "properties": {"hs_object_id": "1"}}]
    call("POST", f"{path}/batch/update", {"inputs": wrong}, status=400)
    upserts = [
        {"id": "B-1", "idProperty": "external_id", "properties": {}},
        {"id": "B-2", "idProperty": "external_id", "properties": dict(NEW[kind])},
    ]
    if kind == "contacts":
        upserts[1]["properties"] = {"email": "third@example.com"}
    answer = call("POST", f"{path}/batch/upsert", {"inputs": upserts}, status=200)
    assert [row["new"] for row in answer["results"]] == [False, True]
    call("POST", f"{path}/batch/upsert", {"inputs": [{"id": "x", "properties": {}}]}, status=400)
    call("POST", f"{path}/batch/archive", {"inputs": [{"id": ids[0]}]}, status=204)
    call("POST", f"{path}/batch/archive", {"inputs": []}, status=400)


@pytest.mark.parametrize("path", EVERY)
def test_search(call: Checked, path: str) -> None:
    kind = kind_of(path)
    modified = "lastmodifieddate" if kind == "contacts" else "hs_lastmodifieddate"
    filters = [{"propertyName": modified, "operator": "GTE", "value": "1735689600000"}]
    body = {
        "filterGroups": [{"filters": filters}], "sorts": ["hs_object_id"], "limit": 5,
        "after": "0", "properties": ["createdate"],
    }  # fmt: skip
    page = call("POST", f"{path}/search", body, status=200)
    assert page["total"] == 60 and page["paging"]["next"]["after"] == "5"
    call("POST", f"{path}/search", {**body, "limit": 201}, status=400)
    call("POST", f"{path}/search", {**body, "after": "9996"}, status=400)
    filters = [{"propertyName": "nope", "operator": "EQ", "value": "1"}]
    call("POST", f"{path}/search", {**body, "filterGroups": [{"filters": filters}]}, status=400)


@pytest.mark.parametrize("path", [p for p in EVERY if not p.endswith("products")])
def test_merge(call: Checked, path: str) -> None:
    ids = [row["id"] for row in call("GET", path, query={"limit": "2"}, status=200)["results"]]
    body = {"primaryObjectId": ids[0], "objectIdToMerge": ids[1]}
    merged = call("POST", f"{path}/merge", body, status=200)
    assert merged["properties"]["hs_merged_object_ids"] == ids[1]
    call("POST", f"{path}/merge", {**body, "objectIdToMerge": "1"}, status=404)


@pytest.mark.parametrize("path", paths("contacts"))
def test_privacy(call: Checked, path: str) -> None:
    rows = call("GET", path, query={"limit": "2"}, status=200)["results"]
    call("POST", f"{path}/gdpr-delete", {"objectId": rows[0]["id"]}, status=204)
    by_mail = {"objectId": rows[1]["properties"]["email"], "idProperty": "email"}
    call("POST", f"{path}/gdpr-delete", by_mail, status=204)
    call("POST", f"{path}/gdpr-delete", by_mail, status=404)


def test_associations(call: Checked) -> None:
    rows = call("GET", "/crm/v3/objects/contacts", query={"limit": "6"}, status=200)["results"]
    contacts = [row["id"] for row in rows]
    company = call("GET", "/crm/v3/objects/companies", status=200)["results"][5]["id"]
    base = "/crm/v4/associations/contacts/companies/batch"
    answer = call("POST", f"{base}/read", {"inputs": [{"id": i} for i in contacts]}, status=207)
    assert answer["errors"][0]["subCategory"] == "crm.associations.NO_ASSOCIATIONS_FOUND"
    assert len(answer["results"]) == 5
    call("POST", f"{base}/read", {"inputs": [{"id": contacts[0]}]}, status=200)
    call("POST", f"{base}/read", {"inputs": [{"id": "1"}] * 1001}, status=400)
    spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}
    pair = {"from": {"id": contacts[4]}, "to": {"id": company}}
    unknown = {"from": {"id": "1"}, "to": {"id": company}}
    call("POST", f"{base}/create", {"inputs": [{**pair, "types": [spec]}]}, status=201)
    inputs = [{**pair, "types": [spec]}, {**unknown, "types": [spec]}]
    call("POST", f"{base}/create", {"inputs": inputs}, status=207)
    wrong = {**spec, "associationTypeId": 999}
    call("POST", f"{base}/create", {"inputs": [{**pair, "types": [wrong]}]}, status=400)
    call("POST", f"{base}/associate/default", {"inputs": [pair]}, status=200)
    call("POST", f"{base}/labels/archive", {"inputs": [{**pair, "types": [spec]}]}, status=204)
    archived = {"inputs": [{"from": pair["from"], "to": [pair["to"]]}]}
    call("POST", f"{base}/archive", archived, status=204)
    one = f"/crm/v4/objects/contacts/{contacts[0]}/associations"
    call("GET", f"{one}/companies", query={"limit": "1"}, status=200)
    call("GET", "/crm/v4/objects/contacts/1/associations/companies", status=404)
    call("PUT", f"{one}/companies/{company}", [spec], status=201)
    call("PUT", f"{one}/default/companies/{company}", status=200)
    call("PUT", f"{one}/default/companies/1", status=404)
    call("DELETE", f"{one}/companies/{company}", status=204)
    dated = f"/crm/objects/2026-03/contacts/{contacts[0]}/associations"
    call("PUT", f"{dated}/companies/{company}", [spec], status=201)


@pytest.mark.parametrize("kind", KINDS)
def test_definitions(call: Checked, kind: str) -> None:
    base = f"/crm/v3/properties/{kind}"
    assert len(call("GET", base, status=200)["results"]) > 10
    call("GET", base, query={"archived": "true"}, status=200)
    call("GET", f"{base}/createdate", status=200)
    call("GET", f"{base}/nope", status=404)
    call("GET", f"{base}/groups", status=200)
    made = {"name": "shoe_size", "label": "Shoe size", "type": "number", "fieldType": "number",
            "groupName": "information"}  # fmt: skip
    call("POST", base, made, status=201)
    call("POST", base, made, status=409)
    call("PATCH", f"{base}/shoe_size", {"label": "Size"}, status=200)
    call("PATCH", f"{base}/createdate", {"label": "Size"}, status=400)
    names = {"archived": False, "dataSensitivity": "non_sensitive"}
    inputs = [{"name": "shoe_size"}]
    call("POST", f"{base}/batch/read", {**names, "inputs": inputs}, status=200)
    call("POST", f"{base}/batch/read", {**names, "inputs": [{"name": "nope"}]}, status=207)
    call("POST", f"{base}/batch/create", {"inputs": [{**made, "name": "hat"}]}, status=201)
    call("POST", f"{base}/batch/create", {"inputs": [made]}, status=207)
    call("POST", f"{base}/batch/archive", {"inputs": [{"name": "hat"}]}, status=204)
    call("DELETE", f"{base}/shoe_size", status=204)
    call("DELETE", f"{base}/createdate", status=400)
    schema = call("GET", f"/crm-object-schemas/v3/schemas/{kind}", status=200)
    assert schema["associations"] or kind == "products"


def test_account(call: Checked, sandbox: Sandbox) -> None:
    call("GET", "/account-info/v3/details", status=200)
    call("GET", "/account-info/v3/api-usage/daily/private-apps", status=200)
    call("GET", "/crm-object-schemas/v3/schemas", status=200)
    owners = call("GET", "/crm/v3/owners", query={"limit": "2"}, status=200)
    assert owners["paging"]["next"]["after"]
    call("GET", "/crm/v3/owners", query={"archived": "true"}, status=200)
    call("GET", "/crm/v3/owners", query={"limit": "501"}, status=400)
    call("GET", f"/crm/v3/owners/{owners['results'][0]['id']}", status=200)
    call("GET", "/crm/v3/owners/1", status=404)
    for kind, pipeline, stage in (
        ("deals", "renewals", "renewals_closedwon"),
        ("tickets", "0", "1"),
    ):
        base = f"/crm/v3/pipelines/{kind}"
        call("GET", base, status=200)
        call("GET", f"{base}/{pipeline}", status=200)
        call("GET", f"{base}/{pipeline}/stages", status=200)
        call("GET", f"{base}/{pipeline}/stages/{stage}", status=200)
        call("GET", f"{base}/nope", status=404)
    call("GET", "/crm/v3/pipelines/contacts", status=400)


@pytest.mark.parametrize("version", ["v1", "v3"])
def test_oauth(call: Checked, sandbox: Sandbox, version: str) -> None:
    code = consent(call.client)
    form = {
        "grant_type": "authorization_code", "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET, "redirect_uri": "http://localhost:1/back",
        "code": code,
    }  # fmt: skip
    issued = call("POST", f"/oauth/{version}/token", form=form, status=200)
    call("POST", f"/oauth/{version}/token", form=form, status=400)
    form |= {"grant_type": "refresh_token", "refresh_token": issued["refresh_token"]}
    call("POST", f"/oauth/{version}/token", form=form, status=200)
    call("POST", f"/oauth/{version}/token", form={**form, "refresh_token": "x"}, status=400)
    call("GET", f"/oauth/v1/access-tokens/{issued['access_token']}", status=200)
    call("GET", "/oauth/v1/access-tokens/nope", status=404)
    client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    for value in (issued["access_token"], issued["refresh_token"]):
        call("POST", "/oauth/v3/token/introspect", form={**client, "token": value}, status=200)
    call("POST", "/oauth/v3/token/introspect", form={**client, "token": "x"}, status=404)
    call("GET", f"/oauth/v1/refresh-tokens/{issued['refresh_token']}", status=200)
    call("DELETE", f"/oauth/v1/refresh-tokens/{issued['refresh_token']}", status=204)
    call("GET", f"/oauth/v1/refresh-tokens/{issued['refresh_token']}", status=404)


def consent(client: httpx.Client, **more: str) -> str:
    query = {
        "client_id": CLIENT_ID, "redirect_uri": "http://localhost:1/back",
        "scope": "oauth crm.objects.contacts.read", "state": "s", **more,
    }  # fmt: skip
    answer = client.get("/oauth/authorize", params=query)
    assert answer.status_code == 302
    found = re.search(r"code=([\w-]+)", answer.headers["location"])
    assert found, answer.headers["location"]
    return found[1]


@pytest.mark.parametrize(
    ("token", "status", "category"),
    [
        ("pat-na1-nobody", 401, "INVALID_AUTHENTICATION"),
        ("expired", 401, "EXPIRED_AUTHENTICATION"),
        ("no_scopes", 403, "MISSING_SCOPES"),
    ],
)
def test_refusals(call: Checked, sandbox: Sandbox, token: str, status: int, category: str) -> None:
    names = sandbox.ready()["providers"]["hubspot"]["tokens"]
    headers = {"Authorization": f"Bearer {names.get(token, token)}"}
    for path in ("/crm/v3/objects/contacts", "/crm/v3/owners", "/crm/v3/properties/deals"):
        body = call("GET", path, status=status, headers=headers)
        assert body["category"] == category
        if status == 403:
            assert body["errors"][0]["context"]["requiredGranularScopes"]


def test_the_judge_rejects_what_is_wrong() -> None:
    """A check that cannot fail is worse than none."""
    page = {"results": [{"id": 5, "properties": {}, "archived": False}]}
    assert len(hubspot_spec.validate_response("GET", "/crm/v3/objects/contacts", 200, page)) == 3
    assert hubspot_spec.validate_response("GET", "/crm/v3/nope", 200, {})
    assert hubspot_spec.validate_response("GET", "/crm/v3/owners", 404, {"message": "x"})
    assert hubspot_spec.validate_request("POST", "/crm/v3/objects/contacts/search", {}, {})
    assert hubspot_spec.validate_request("GET", "/crm/v3/owners", {"nope": "1"})
    assert hubspot_spec.validate_request("GET", "/crm/v3/owners", {"limit": "many"})

"""HubSpot's official client works against the look-alike, and reads what it expects to."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lumio_cli.sandbox import Sandbox

hubspot = pytest.importorskip("hubspot")


@pytest.fixture
def sdk(sandbox: Sandbox) -> Any:
    return connect(sandbox)


def connect(sandbox: Sandbox, token: str = "full") -> Any:
    """A client whose every API is configured with the look-alike's host."""

    def factory(package: Any, name: str, config: dict[str, Any]) -> Any:
        configuration = package.Configuration(host=sandbox.base_url("hubspot"))
        configuration.access_token = config["access_token"]
        return getattr(package, name)(api_client=package.ApiClient(configuration=configuration))

    return hubspot.HubSpot(access_token=sandbox.token("hubspot", token), api_factory=factory)


KINDS = ["contacts", "companies", "deals", "products", "tickets"]


@pytest.mark.parametrize("kind", KINDS)
def test_get_all_walks_every_page(sdk: Any, sandbox: Sandbox, kind: str) -> None:
    for n in range(120):
        properties = {"subject": f"S{n}", "hs_pipeline_stage": "1"} if kind == "tickets" else {}
        sandbox.hubspot.create(kind, {**properties, "external_id": f"N{n}"})
    rows = getattr(sdk.crm, kind).get_all(properties=["external_id"])
    ids = [row.id for row in rows]
    assert len(ids) == len(set(ids)) == 180
    assert ids == sorted(ids, key=int)
    assert {f"N{n}" for n in range(120)} <= {row.properties["external_id"] for row in rows}


def test_archived(sdk: Any) -> None:
    page = sdk.crm.contacts.basic_api.get_page(limit=100, archived=True)
    assert len(page.results) == 2
    assert all(row.archived and row.archived_at for row in page.results)


def test_search(sdk: Any, sandbox: Sandbox) -> None:
    from hubspot.crm.contacts import Filter, FilterGroup, PublicObjectSearchRequest

    wanted = sandbox.hubspot.create("contacts", {"email": "find.me@example.com", "vip": "true"})
    request = PublicObjectSearchRequest(
        filter_groups=[
            FilterGroup(
                filters=[Filter(property_name="email", operator="EQ", value="FIND.me@example.com")]
            )
        ],
        sorts=["-createdate"],
        properties=["vip"],
        limit=10,
        after="0",
    )
    found = sdk.crm.contacts.search_api.do_search(public_object_search_request=request)
    assert (found.total, found.results[0].id) == (1, wanted)
    assert found.results[0].properties["vip"] == "true"


def test_batches(sdk: Any) -> None:
    from hubspot.crm import companies as api

    batch = sdk.crm.companies.batch_api
    made = batch.create(
        api.BatchInputSimplePublicObjectBatchInputForCreate(
            inputs=[
                api.SimplePublicObjectBatchInputForCreate(
                    properties={"name": f"Firm {n}", "external_id": f"F{n}"}, associations=[]
                )
                for n in range(3)
            ]
        )
    )
    ids = [row.id for row in made.results]
    changed = batch.update(
        api.BatchInputSimplePublicObjectBatchInput(
            inputs=[
                api.SimplePublicObjectBatchInput(id=i, properties={"city": "Zürich"}) for i in ids
            ]
        )
    )
    assert {row.properties["city"] for row in changed.results} == {"Zürich"}
    upserted = batch.upsert(
        api.BatchInputSimplePublicObjectBatchInputUpsert(
            inputs=[
                api.SimplePublicObjectBatchInputUpsert(
                    id=key, id_property="external_id", properties={"name": key}
                )
                for key in ("F0", "F9")
            ]
        )
    )
    assert [row.new for row in upserted.results] == [False, True]
    asked = api.BatchReadInputSimplePublicObjectId(
        inputs=[api.SimplePublicObjectId(id=i) for i in [*ids, "1"]],
        properties=["name"],
        properties_with_history=[],
    )
    read = batch.read(asked)
    assert [row.properties["name"] for row in read.results] == ["F0", "Firm 1", "Firm 2"]
    assert read.num_errors == 1 and read.errors[0].context == {"ids": ["1"]}
    gone = [api.SimplePublicObjectId(id=i) for i in ids]
    batch.archive(api.BatchInputSimplePublicObjectId(inputs=gone))
    assert batch.read(asked).results == []


def test_a_batch_that_is_settled_item_by_item(sdk: Any, sandbox: Sandbox) -> None:
    from hubspot.crm import contacts as api

    known = next(iter(sandbox.hubspot.dump("contacts")))["properties"]["email"]
    emails = {"a": "new@example.com", "b": "nobody", "c": known}
    made = sdk.crm.contacts.batch_api.create(
        api.BatchInputSimplePublicObjectBatchInputForCreate(
            inputs=[
                api.SimplePublicObjectBatchInputForCreate(
                    properties={"email": email}, associations=[], object_write_trace_id=trace
                )
                for trace, email in emails.items()
            ]
        )
    )
    assert [row.object_write_trace_id for row in made.results] == ["a"]
    assert {e.context["objectWriteTraceId"][0]: e.category for e in made.errors} == {
        "b": "VALIDATION_ERROR", "c": "CONFLICT",
    }  # fmt: skip


def test_one_record(sdk: Any) -> None:
    from hubspot.crm import deals as api

    basic = sdk.crm.deals.basic_api
    made = basic.create(
        api.SimplePublicObjectInputForCreate(
            properties={"dealname": "Größe", "closedate": "1767225600000"}, associations=[]
        )
    )
    assert made.properties["closedate"] == "2026-01-01T00:00:00.000Z"
    changed = api.SimplePublicObjectInput(properties={"amount": "10.5", "dealname": ""})
    basic.update(made.id, changed)
    read = basic.get_by_id(made.id, properties=["amount", "dealname", "unknown"])
    assert read.properties["amount"] == "10.5"
    assert read.properties["dealname"] is None
    assert "unknown" not in read.properties
    basic.archive(made.id)
    with pytest.raises(api.ApiException) as caught:
        basic.get_by_id(made.id)
    assert caught.value.status == 404


def test_merge_and_privacy(sdk: Any, sandbox: Sandbox) -> None:
    from hubspot.crm import contacts as api

    one, two = (row.id for row in sdk.crm.contacts.basic_api.get_page(limit=2).results)
    merged = sdk.crm.contacts.basic_api.merge(
        api.PublicMergeInput(primary_object_id=one, object_id_to_merge=two)
    )
    assert (merged.id, merged.properties["hs_merged_object_ids"]) == (one, two)
    assert two not in {row.id for row in sdk.crm.contacts.get_all()}
    sdk.crm.contacts.basic_api.purge(api.PublicGdprDeleteInput(object_id=one))
    assert sandbox.stats()["providers"]["hubspot"]["records"]["contacts"] == 58


def test_properties(sdk: Any) -> None:
    from hubspot.crm import properties as api

    core = sdk.crm.properties.core_api
    names = {item.name: item for item in core.get_all("contacts").results}
    assert names["loyalty_points"].type == "number"
    assert [option.value for option in names["vip"].options] == ["true", "false"]
    core.create(
        "contacts",
        api.PropertyCreate(
            name="shoe_size", label="Shoe", type="number", field_type="number",
            group_name="contactinformation",
        ),
    )  # fmt: skip
    assert core.get_by_name("contacts", "shoe_size").label == "Shoe"
    core.archive("contacts", "shoe_size")
    with pytest.raises(api.ApiException) as caught:
        core.get_by_name("contacts", "shoe_size")
    assert caught.value.status == 404


def test_associations(sdk: Any, sandbox: Sandbox) -> None:
    from hubspot.crm.associations import v4 as api

    contacts = [row.id for row in sdk.crm.contacts.basic_api.get_page(limit=5).results]
    company = sdk.crm.companies.basic_api.get_page(limit=1).results[0].id
    batch = sdk.crm.associations.v4.batch_api
    read = batch.get_page(
        "contacts",
        "companies",
        api.BatchInputPublicFetchAssociationsBatchRequest(
            inputs=[api.PublicFetchAssociationsBatchRequest(id=i) for i in contacts]
        ),
    )
    assert {row._from.id for row in read.results} == set(contacts[:4])
    assert all(isinstance(end.to_object_id, str) for row in read.results for end in row.to)
    basic = sdk.crm.associations.v4.basic_api
    spec = api.AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=1)
    basic.create("contacts", contacts[4], "companies", company, [spec])
    page = basic.get_page("contacts", contacts[4], "companies")
    assert [end.to_object_id for end in page.results] == [company]
    assert {kind.type_id for kind in page.results[0].association_types} == {1, 279}
    back = basic.get_page("companies", company, "contacts")
    assert contacts[4] in {end.to_object_id for end in back.results}
    basic.archive("contacts", contacts[4], "companies", company)
    assert basic.get_page("contacts", contacts[4], "companies").results == []


def test_owners_pipelines_schemas(sdk: Any) -> None:
    owners = sdk.crm.owners.get_all()
    assert len(owners) == 10 and owners[0].email == "owner1@sandbox.example"
    assert len(sdk.crm.owners.owners_api.get_page(archived=True).results) == 2
    pipelines = sdk.crm.pipelines.pipelines_api.get_all("deals").results
    assert [item.id for item in pipelines] == ["default", "renewals"]
    assert pipelines[0].stages[5].metadata["isClosed"] == "true"
    assert sdk.crm.schemas.core_api.get_by_id("contacts").object_type_id == "0-1"


def test_oauth(sdk: Any, sandbox: Sandbox) -> None:
    import httpx

    ready = sandbox.ready()["providers"]["hubspot"]["oauth"]
    answer = httpx.get(
        ready["authorize_url"],
        params={
            "client_id": ready["client_id"], "redirect_uri": "http://localhost:1/",
            "scope": "crm.objects.contacts.read",
        },
        trust_env=False,
    )  # fmt: skip
    code = re.search(r"code=([\w-]+)", answer.headers["location"])
    assert code
    client = {key: ready[key] for key in ("client_id", "client_secret")}
    tokens = sdk.oauth.tokens_api.create(
        grant_type="authorization_code", code=code[1], redirect_uri="http://localhost:1/", **client
    )
    info = sdk.oauth.access_tokens_api.get(tokens.access_token)
    assert info.scopes == ["crm.objects.contacts.read"] and info.expires_in > 1700


@pytest.mark.parametrize(
    ("token", "kind", "status"),
    [("expired", "contacts", 401), ("no_tickets", "tickets", 403), ("full", "contacts", 200)],
)
def test_errors(sandbox: Sandbox, token: str, kind: str, status: int) -> None:
    from hubspot.crm import contacts, tickets

    sdk = connect(sandbox, token)
    api = getattr(sdk.crm, kind).basic_api
    if status == 200:
        assert api.get_page(limit=1).results
        return
    with pytest.raises((contacts.ApiException, tickets.ApiException)) as caught:
        api.get_page(limit=1)
    assert caught.value.status == status

"""Reading: which fields, in which portions, by pages or by a job, and what is seen of changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from lumio_cli.core.errors import ConfigError, DeniedError
from lumio_cli.core.stop import Stop
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.resource import Walk, Window
from lumio_cli.providers.salesforce import Salesforce
from lumio_cli.providers.salesforce.resources import snake
from lumio_cli.providers.salesforce.soql import EVERYTHING
from lumio_cli.sandbox.salesforce.catalog import TYPES

from .conftest import SalesforceLab, sender


def query_of(call: Call) -> str:
    return str(call.params["q"])


def rows(*ids: str, **more: Any) -> Reply:
    found = [{"Id": i, "SystemModstamp": "2026-01-01T00:00:00.000+0000"} for i in ids]
    return Reply(200, {}, json.dumps({"done": True, "records": found, **more}).encode())


# -- queries


def test_a_page_goes_on_after_the_last_id() -> None:
    call = Call("GET", "/query", params={"q": "SELECT Id FROM Lead"})
    answer = rows("00Q1", "00Q2")
    place = EVERYTHING.next({"size": 2}, answer, answer.json()["records"])
    assert place == {"size": 2, "above": "00Q2"}
    assert query_of(EVERYTHING.ask(call, place)) == (
        "SELECT Id FROM Lead WHERE Id > '00Q2' ORDER BY Id LIMIT 2"
    )


def test_changes_go_on_after_the_last_time_and_id() -> None:
    window = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
    provider = Salesforce({})
    fields = ("Name", "SystemModstamp")
    walk = Walk(provider.resource("leads"), "changes", window=window, properties=fields)
    answer = rows("00Q1", "00Q2")
    paging = provider.paging(walk)
    place = paging.next({"size": 2}, answer, answer.json()["records"])
    assert place is not None
    assert query_of(paging.ask(provider.call(walk), place)) == (
        "SELECT Id, SystemModstamp, Name FROM Lead"
        " WHERE SystemModstamp >= 2026-01-01T00:00:00.000Z"
        " AND SystemModstamp <= 2026-01-02T00:00:00.000Z"
        " AND SystemModstamp >= 2026-01-01T00:00:00.000Z"
        " AND (SystemModstamp > 2026-01-01T00:00:00.000Z OR Id > '00Q2')"
        " ORDER BY SystemModstamp, Id LIMIT 2"
    )


def test_a_portion_that_is_not_done_is_not_the_last_although_it_is_small() -> None:
    answer = rows("00Q1", done=False)
    assert EVERYTHING.next({"size": 9}, answer, answer.json()["records"]) is not None
    answer = rows("00Q1")
    assert EVERYTHING.next({"size": 9}, answer, answer.json()["records"]) is None


def test_an_id_that_is_none_gets_into_no_query() -> None:
    records: list[Any] = [{"Id": "00Q1"}, {"Id": "x' OR Name != '"}, {"Id": 7}, {}]
    place = EVERYTHING.next({"size": 4}, rows("a", "b", "c", "d"), records)
    assert place == {"size": 4, "above": "00Q1"}


def test_a_query_that_fits_into_no_address_goes_into_a_composite_request() -> None:
    names = tuple(f"A_field_with_quite_a_long_name_{n:03}__c" for n in range(400))
    provider = Salesforce({})
    walk = Walk(provider.resource("leads"), "full", properties=names)
    call = EVERYTHING.ask(provider.call(walk), {"size": 2000})
    assert (call.method, call.path) == ("POST", "/services/data/v67.0/composite")
    (part,) = call.json["compositeRequest"]
    assert part["url"].startswith("/services/data/v67.0/query?q=SELECT%20Id")
    assert call.repeatable


def test_a_composite_answer_is_read_like_any_other(lab: SalesforceLab, monkeypatch: Any) -> None:
    monkeypatch.setattr("lumio_cli.providers.salesforce.soql.LONGEST_URL", 10)
    assert lab.lumio("sync", "salesforce/leads").resource("leads")["created"] == 20
    paths = [path for _, _, path, _ in lab.sandbox.requests]
    assert any(path.endswith("/composite") for path in paths)


# -- fields


def test_all_readable_fields_are_described(lab: SalesforceLab) -> None:
    provider = Salesforce({})
    found = provider.describe(provider.resource("leads"), sender(lab))
    assert found is not None
    names = {prop.name: prop for prop in found}
    assert {"Score__c", "Notes__c", "Place__Latitude__s", "City", "Latitude"} <= names.keys()
    assert names.keys().isdisjoint({"Id", "Address", "Place__c"})
    assert (names["Score__c"].column.name, names["Score__c"].column.kind) == ("score__c", "number")
    assert names["Score__c"].custom and not names["City"].custom


@pytest.mark.parametrize(("setting", "extra"), [(["mapped"], set()), (["Score__c"], {"Score__c"})])
def test_fewer_fields_may_be_wished_for(
    lab: SalesforceLab, setting: list[str], extra: set[str]
) -> None:
    provider = Salesforce({"read_fields": setting})
    resource = provider.resource("leads")
    found = {prop.name for prop in provider.describe(resource, sender(lab)) or ()}
    assert found - {column.path for column in resource.columns} == extra


def test_a_type_that_the_user_may_not_see_is_skipped(lab: SalesforceLab) -> None:
    provider = Salesforce({})
    with pytest.raises(DeniedError, match="no type Lead"):
        provider.describe(provider.resource("leads"), sender(lab, token="no_leads"))
    lab.token = lab.sandbox.token("salesforce", "no_leads")
    outcome = lab.lumio("sync", "salesforce")
    assert outcome.resource("leads")["status"] == "skipped"
    assert outcome.resource("contacts")["created"] == 20


def test_a_field_that_vanishes_is_dropped_by_the_next_incremental_sync(lab: SalesforceLab) -> None:
    lab.lumio("sync", "salesforce/leads")
    lab.org.hidden.add("Lead.Score__c")
    record_id = lab.org.tables["Lead"].ids()[0]
    lab.org.store.update(TYPES["Lead"], record_id, {"City": "Lyon"})
    outcome = lab.lumio("sync", "salesforce/leads")
    assert outcome.code == 0, outcome.out
    assert lab.sql("SELECT city FROM salesforce_leads WHERE id = ?", record_id) == [("Lyon",)]


# -- other types


@pytest.mark.parametrize(
    ("type_", "name"),
    [
        ("Invoice__c", "invoice_c"),
        ("My_Object__c", "my_object_c"),
        ("acme__Visit__c", "acme_visit_c"),
        ("OpportunityLineItem", "opportunity_line_item"),
        ("Case", "case"),
    ],
)
def test_types_become_resources(type_: str, name: str) -> None:
    assert snake(type_) == name
    assert Salesforce({"objects": [type_]}).resource(name).path == type_


def test_a_type_is_a_resource_once() -> None:
    provider = Salesforce({"objects": ["Lead", "Invoice__c", "invoice__c"]})
    assert len(provider.resources) == len(Salesforce({}).resources) + 1


@pytest.mark.parametrize("types", [["Invoice c"], ["MyObject__c", "My_Object__c"]])
def test_names_that_cannot_be_are_refused(types: list[str]) -> None:
    with pytest.raises(ConfigError, match="objects"):
        Salesforce({"objects": types})


def test_a_custom_type_is_synced_like_the_others(lab: SalesforceLab) -> None:
    lab.set("objects", "Invoice__c")
    assert lab.lumio("sync", "salesforce/invoice_c").resource("invoice_c")["created"] == 20
    ids = lab.org.tables["Invoice__c"].ids()
    lab.org.tables["Invoice__c"].delete(ids[0])
    lab.org.store.update(TYPES["Invoice__c"], ids[1], {"Amount__c": 7.5})
    entry = lab.lumio("sync", "salesforce/invoice_c").resource("invoice_c")
    assert (entry["updated"], entry["deleted"]) == (1, 1)
    found = lab.sql("SELECT amount__c FROM salesforce_invoice_c WHERE id = ?", ids[1])
    assert found == [(7.5,)]


# -- large ones


def test_large_types_are_read_by_a_job_and_hold_the_same(
    make_lab: Callable[..., SalesforceLab],
) -> None:
    lab = make_lab(230)
    lab.set("bulk_from", "200")
    lab.set("bulk_page", "100")
    for name in ("leads", "opportunities", "accounts", "contacts"):
        assert lab.lumio("sync", f"salesforce/{name}").resource(name)["created"] == 230
    assert lab.org.query_jobs == 4
    lab.set("bulk_from", "0")
    for name in ("leads", "opportunities", "accounts", "contacts"):
        entry = lab.lumio("sync", f"salesforce/{name}", "--mode", "full").resource(name)
        assert entry["unchanged"] == 230, f"{name}: both ways must bring the same"
    assert lab.org.query_jobs == 4


def test_a_job_that_was_left_is_gone_on_with(make_lab: Callable[..., SalesforceLab]) -> None:
    lab = make_lab(230)
    lab.set("bulk_from", "200")
    lab.set("bulk_page", "100")
    stop = Stop()
    handle, pages = lab.org.handle, []

    def end(request: Any) -> Any:
        answer = handle(request)
        if request.path.endswith("/results"):
            pages.append(request.one("locator"))
            if len(pages) == 1:
                stop.set("SIGTERM", 143)
        return answer

    lab.org.handle = end  # type: ignore[method-assign]
    assert lab.lumio("sync", "salesforce/leads", stop=stop).code == 143
    assert lab.sql("SELECT count(*) FROM salesforce_leads") == [(100,)]
    assert lab.lumio("sync", "salesforce/leads").code == 0
    assert lab.sql("SELECT count(*) FROM salesforce_leads") == [(230,)]
    assert lab.org.query_jobs == 1
    assert len(pages) == len(set(pages)) == 3


def test_a_job_that_is_gone_is_begun_anew(make_lab: Callable[..., SalesforceLab]) -> None:
    lab = make_lab(230)
    lab.set("bulk_from", "200")
    lab.org.polls = 10_000
    stop = Stop()
    handle = lab.org.handle

    def end(request: Any) -> Any:
        stop.set("SIGTERM", 143) if "/jobs/query/" in request.path else None
        return handle(request)

    lab.org.handle = end  # type: ignore[method-assign]
    assert lab.lumio("sync", "salesforce/leads", stop=stop).code == 143
    lab.org.handle, lab.org.polls = handle, 1  # type: ignore[method-assign]
    lab.org.jobs.clear()
    assert lab.lumio("sync", "salesforce/leads").code == 0
    assert lab.sql("SELECT count(*) FROM salesforce_leads") == [(230,)]


def test_few_records_take_no_job(lab: SalesforceLab) -> None:
    provider = Salesforce({})
    leads = provider.resource("leads")
    assert provider.count(leads, sender(lab)) == 20
    assert provider.slices(leads, "full", 19_999) == {"": {}}
    assert provider.slices(leads, "full", 20_000) == {"": {"bulk": True}}
    assert provider.slices(leads, "full", None) == {"": {}}
    assert provider.slices(leads, "changes", 99_999) == {"": {}}
    assert Salesforce({"bulk_from": 0}).slices(leads, "full", 99_999) == {"": {}}


# -- counts


def test_a_user_without_view_setup_syncs_as_others_do(lab: SalesforceLab) -> None:
    lab.token = lab.sandbox.token("salesforce", "no_setup")
    outcome = lab.lumio("sync", "salesforce")
    assert outcome.code == 0, outcome.out
    assert {r["created"] for r in outcome.document["resources"]} == {20}
    assert lab.lumio("sync", "salesforce", "--mode", "full").code == 0


def test_a_user_without_view_setup_has_jobs_for_many_records(lab: SalesforceLab) -> None:
    lab.token = lab.sandbox.token("salesforce", "no_setup")
    lab.set("bulk_from", "20")
    outcome = lab.lumio("sync", "salesforce")
    assert outcome.code == 0, outcome.out
    paths = [path for _, _, path, _ in lab.sandbox.requests]
    assert sum(path.endswith("/jobs/query") for path in paths) == 4
    assert 1 <= sum(path.endswith("/recordCount") for path in paths) <= 4


def test_a_count_that_is_refused_in_every_way_ends_nothing(lab: SalesforceLab) -> None:
    calls: list[Call] = []
    send = sender(lab, calls)

    def refusing(call: Call) -> Reply:
        if "COUNT()" in str(call.params) or "recordCount" in call.path:
            calls.append(call)
            raise DeniedError("no")
        return send(call)

    provider = Salesforce({})
    for resource in provider.resources[:2]:
        with pytest.raises(DeniedError):
            provider.count(resource, refusing)
    assert [c.path.rpartition("/")[2] for c in calls] == ["recordCount", "query", "query"]


@pytest.mark.parametrize("count", [0, 999_999])
def test_a_count_that_is_out_of_date_is_no_reason_to_doubt(lab: SalesforceLab, count: int) -> None:
    lab.lumio("sync", "salesforce/leads")
    table = lab.org.tables["Lead"]
    table.purge(table.ids()[0])
    lab.set("bulk_from", "0")
    lab.org.counts["Lead"] = count
    outcome = lab.lumio("sync", "salesforce/leads", "--mode", "full")
    assert (outcome.code, outcome.resource("leads")["deleted"]) == (0, 1), outcome.out


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b'{"sObjects": null}', b'{"sObjects": [null, 7, {"name": "Lead"}]}']
)
def test_a_count_that_cannot_be_read_is_none(body: bytes) -> None:
    provider = Salesforce({})
    assert provider.count(provider.resource("leads"), lambda call: Reply(200, {}, body)) is None


# -- limits


def test_a_used_up_allocation_ends_the_run_with_5(make_lab: Callable[..., SalesforceLab]) -> None:
    lab = make_lab(quota="daily=1")
    outcome = lab.lumio("sync", "salesforce/leads")
    assert outcome.code == 5, outcome.out
    assert outcome.resource("leads")["error"]["code"] == "quota_exhausted"


def test_too_many_at_a_time_is_waited_out(lab: SalesforceLab, monkeypatch: Any) -> None:
    monkeypatch.setattr("lumio_cli.transport.retry.default_hold", lambda _: 0.02)
    lab.org.busy = 2
    entry = lab.lumio("sync", "salesforce/leads").resource("leads")
    assert entry["created"] == 20

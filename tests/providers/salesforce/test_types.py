"""Types that are not like the others: without the usual fields, archived, unknown to Bulk API."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lumio_cli.providers.contract.call import Reply
from lumio_cli.providers.contract.resource import Walk
from lumio_cli.providers.salesforce import Salesforce
from lumio_cli.providers.salesforce.soql import stamp_of

from .conftest import SalesforceLab, sender


def change(lab: SalesforceLab, kind: str, **values: Any) -> str:
    """A new record of a type that users cannot write; its id."""
    return str(lab.org.tables[kind].insert(values))


# -- changes and deletions


@pytest.mark.parametrize(
    ("fields", "stamp"),
    [
        (("CreatedDate", "LastModifiedDate", "SystemModstamp"), "SystemModstamp"),
        (("CreatedDate", "LastModifiedDate"), "LastModifiedDate"),
        (("Field", "CreatedDate"), "CreatedDate"),
        (("LoginTime", "UserId"), "LoginTime"),
        (("Id", "Name"), ""),
    ],
)
def test_the_best_time_of_a_type_is_taken(fields: tuple[str, ...], stamp: str) -> None:
    assert stamp_of(fields) == stamp


@pytest.mark.parametrize("read_fields", ["all", "mapped"])
@pytest.mark.parametrize(
    ("kind", "name"),
    [("OpportunityFieldHistory", "opportunity_field_history"), ("LoginHistory", "login_history")],
)
def test_histories_are_followed(lab: SalesforceLab, kind: str, name: str, read_fields: str) -> None:
    lab.set("objects", kind)
    lab.set("read_fields", read_fields)
    first = lab.lumio("sync", f"salesforce/{name}")
    assert (first.code, first.resource(name)["created"]) == (0, 20), first.out
    made = change(lab, kind, Field="Amount", UserId="005sb0000000001AAA")
    again = lab.lumio("sync", f"salesforce/{name}")
    entry = again.resource(name)
    assert (again.code, entry["created"], entry["failed"], entry["error"]) == (0, 1, 0, None)
    assert entry["read"] < 20, "only what is new"
    assert lab.sql(f"SELECT count(*) FROM salesforce_{name} WHERE id = ?", made) == [(1,)]
    lab.org.tables[kind].purge(made)
    full = lab.lumio("sync", f"salesforce/{name}", "--mode", "full")
    assert (full.code, full.resource(name)["deleted"]) == (0, 1)


def test_a_type_without_a_bin_takes_no_request_for_what_was_deleted(lab: SalesforceLab) -> None:
    lab.set("objects", "LoginHistory")
    lab.lumio("sync", "salesforce/login_history")
    before = len(lab.sandbox.requests)
    assert lab.lumio("sync", "salesforce/login_history").code == 0
    (asked,) = list(lab.sandbox.requests)[before:]
    assert asked[2].endswith("/query")


def test_deletions_of_a_history_with_a_bin_are_seen_early(lab: SalesforceLab) -> None:
    lab.set("objects", "OpportunityFieldHistory")
    lab.set("read_fields", "mapped")
    lab.lumio("sync", "salesforce/opportunity_field_history")
    table = lab.org.tables["OpportunityFieldHistory"]
    table.delete(table.ids()[0])
    entry = lab.lumio("sync", "salesforce/opportunity_field_history")
    assert entry.resource("opportunity_field_history")["deleted"] == 1


def test_a_type_without_any_time_is_read_whole(lab: SalesforceLab) -> None:
    lab.set("objects", "LoginHistory")
    lab.org.hidden.add("LoginHistory.LoginTime")
    lab.lumio("sync", "salesforce/login_history")
    made = change(lab, "LoginHistory", UserId="005sb0000000001AAA")
    entry = lab.lumio("sync", "salesforce/login_history").resource("login_history")
    assert (entry["status"], entry["read"], entry["created"]) == ("succeeded", 21, 1)
    assert lab.sql("SELECT count(*) FROM salesforce_login_history WHERE id = ?", made) == [(1,)]


@pytest.mark.parametrize(
    ("kind", "days"),
    [
        ("LoginHistory", 180),
        ("AccountHistory", 540),
        ("OpportunityFieldHistory", 540),
        ("Invoice__History", 540),
        ("OpportunityHistory", None),
        ("Invoice__c", None),
    ],
)
def test_what_salesforce_gives_up_by_its_age_has_a_horizon(kind: str, days: int | None) -> None:
    horizon = Salesforce({"objects": [kind]}).resources[-1].horizon
    assert (None if horizon is None else horizon.days) == days


@pytest.mark.parametrize(
    ("kind", "name"),
    [("OpportunityFieldHistory", "opportunity_field_history"), ("LoginHistory", "login_history")],
)
def test_a_record_that_salesforce_has_given_up_stays(
    lab: SalesforceLab, kind: str, name: str
) -> None:
    lab.set("objects", kind)
    lab.lumio("sync", f"salesforce/{name}")
    table = lab.org.tables[kind]
    old, made = table.ids()[0], change(lab, kind, Field="Amount")
    lab.lumio("sync", f"salesforce/{name}")
    for record_id in (old, made):
        table.purge(record_id)
    entry = lab.lumio("sync", f"salesforce/{name}", "--mode", "full").resource(name)
    assert (entry["status"], entry["deleted"]) == ("succeeded", 1), "only what is not old"
    left = lab.sql(f"SELECT id FROM salesforce_{name} WHERE id IN (?, ?)", old, made)
    assert left == [(old,)]


@pytest.mark.parametrize("bulk_from", ["0", "1"])
def test_histories_that_are_put_aside_are_read_as_long_as_salesforce_has_them(
    lab: SalesforceLab, bulk_from: str
) -> None:
    lab.set("objects", "OpportunityFieldHistory")
    lab.set("bulk_from", bulk_from)
    lab.token = lab.sandbox.token("salesforce", "no_setup")
    table = lab.org.tables["OpportunityFieldHistory"]
    lab.org.tables.archived.add(table.ids()[0])
    table.delete(table.ids()[1])
    entry = lab.lumio("sync", "salesforce/opportunity_field_history").resource(
        "opportunity_field_history"
    )
    assert (entry["status"], entry["created"]) == ("succeeded", 19)
    found = lab.sql("SELECT id FROM salesforce_opportunity_field_history ORDER BY id")
    assert (table.ids()[0],) in found


# -- archived activities


@pytest.mark.parametrize("bulk_from", ["0", "1"])
@pytest.mark.parametrize(("kind", "name"), [("Task", "task"), ("Event", "event")])
def test_activities_that_are_archived_stay(
    lab: SalesforceLab, kind: str, name: str, bulk_from: str
) -> None:
    lab.set("objects", kind)
    lab.set("bulk_from", bulk_from)
    assert lab.lumio("sync", f"salesforce/{name}").resource(name)["created"] == 20
    old, gone, purged, *_ = lab.org.tables[kind].ids()
    lab.org.tables.archived.add(old)
    lab.org.tables[kind].delete(gone)
    entry = lab.lumio("sync", f"salesforce/{name}").resource(name)
    assert (entry["status"], entry["deleted"]) == ("succeeded", 1)
    lab.org.tables[kind].purge(purged)
    entry = lab.lumio("sync", f"salesforce/{name}", "--mode", "full").resource(name)
    assert (entry["status"], entry["deleted"], entry["read"]) == ("succeeded", 1, 18)
    seen = lab.sql(f"SELECT is_archived FROM salesforce_{name} WHERE id = ?", old)
    assert seen == [(1,)]
    assert (lab.org.query_jobs > 0) is (bulk_from == "1")


# -- types and jobs that Bulk API does not take


@pytest.fixture
def long(make_lab: Callable[..., SalesforceLab]) -> SalesforceLab:
    """Leads that are many enough for a job."""
    lab = make_lab(30)
    lab.set("bulk_from", "20")
    lab.set("bulk_page", "10")
    return lab


@pytest.mark.parametrize(
    ("switch", "value"),
    [
        ("unbulkable", {"Lead"}),
        ("jobs_max", 0),
        ("job_error", "INVALIDENTITY: Entity 'Lead' is not supported by the Bulk API."),
        ("job_error", "FUNCTIONALITY_NOT_ENABLED: Selecting compound data not supported in Bulk"),
    ],
)
def test_what_bulk_api_does_not_take_is_read_page_by_page(
    long: SalesforceLab, switch: str, value: Any
) -> None:
    setattr(long.org, switch, value)
    first = long.lumio("sync", "salesforce/leads")
    assert (first.code, first.resource("leads")["created"]) == (0, 30), first.out
    setattr(long.org, switch, {"unbulkable": set(), "jobs_max": 9, "job_error": ""}[switch])
    again = long.lumio("sync", "salesforce/leads", "--mode", "full").resource("leads")
    assert again["unchanged"] == 30, "both ways must bring the same"


def test_a_walk_that_goes_by_pages_instead_goes_on_where_it_was(
    long: SalesforceLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Salesforce({"bulk_from": 1})
    walk = Walk(provider.resource("leads"), "full", options={"bulk": True}, properties=("Name",))
    paging, call = provider.paging(walk), provider.call(walk)
    body = [{"errorCode": "INVALIDENTITY", "message": "Entity 'Lead' is not supported"}]
    refused = Reply(400, {}, json.dumps(body).encode(), "https://x/services/data/v67.0/jobs/query")
    assert paging.ask(call, paging.first(2)).method == "POST"
    place = paging.next(paging.first(2), refused, [])
    assert place is not None
    send = sender(long)
    ids: list[str] = []
    for _ in range(20):
        # As after a checkpoint: the place is all that is known of the walk.
        place = json.loads(json.dumps(place))
        answer = send(paging.ask(call, place))
        rows = provider.fill(walk, provider.records(walk, answer), send)
        ids += [row["Id"] for row in rows]
        place = paging.next(place, answer, rows)
        if place is None:
            break
    assert ids == long.org.tables["Lead"].ids()


def test_a_job_that_fails_is_begun_anew_by_a_later_run(long: SalesforceLab) -> None:
    long.org.job_error = "InternalServerError: java.lang.NullPointerException"
    first = long.lumio("sync", "salesforce/leads")
    assert first.code == 5, first.out
    error = first.resource("leads")["error"]
    assert (error["code"], error["exit_code"]) == ("provider_unavailable", 5)
    assert "InternalServerError" in error["message"]
    assert "bulk_from: 0" in error["hint"]
    long.org.job_error = ""
    second = long.lumio("sync", "salesforce/leads")
    assert (second.code, second.resource("leads")["read"]) == (0, 30), second.out

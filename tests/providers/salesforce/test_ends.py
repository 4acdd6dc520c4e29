"""Where a listing ends: where Salesforce says so, and never otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract.call import Call, Place, Reply
from lumio_cli.providers.contract.paging import NoPlaceError
from lumio_cli.providers.salesforce.bulk import JOBS
from lumio_cli.providers.salesforce.fields import described, listed
from lumio_cli.providers.salesforce.soql import CHANGES, EVERYTHING
from lumio_cli.sandbox.salesforce.catalog import TYPES

from .conftest import SalesforceLab

NEXT = "/services/data/v67.0/query/0r8sb0000000001-500"
CALL = Call("GET", "/services/data/v67.0/query", params={"q": "SELECT Id FROM Lead"})


def answer(*ids: Any, **more: Any) -> Reply:
    rows = [i if not isinstance(i, str) else {"Id": i} for i in ids]
    return Reply(200, {}, json.dumps({"done": True, "records": rows, **more}).encode())


def following(place: Place, reply: Reply) -> Place | None:
    return EVERYTHING.next(place, reply, reply.json()["records"])


@pytest.mark.parametrize(
    ("page", "place"),
    [
        (answer(), None),
        (answer("00Q1"), None),
        (answer("00Q1", totalSize=1), None),
        (answer("00Q1", totalSize=2), {"size": 9, "above": "00Q1"}),
        (answer("00Q1", done=False), {"size": 9, "above": "00Q1"}),
        (answer("00Q1", None, 7, done=False), {"size": 9, "above": "00Q1"}),
        (answer("00Q1", nextRecordsUrl=NEXT), {"size": 9, "above": "00Q1"}),
        (answer(done=False, nextRecordsUrl=NEXT), {"size": 9, "url": NEXT}),
        (answer(None, done=False, nextRecordsUrl=NEXT), {"size": 9, "url": NEXT}),
    ],
)
def test_a_page_says_whether_others_follow(page: Reply, place: Place | None) -> None:
    assert following({"size": 9}, page) == place


@pytest.mark.parametrize(
    "page",
    [
        answer(done=False),
        answer(totalSize=9),
        answer(done=False, nextRecordsUrl="https://attacker.invalid/query/1"),
        answer(done=False, nextRecordsUrl={"a": 1}),
        answer(*[None] * 9),
    ],
)
def test_more_without_a_place_is_no_end(page: Reply) -> None:
    with pytest.raises(NoPlaceError):
        following({"size": 9}, page)


def test_a_page_without_records_leads_to_those_that_it_names() -> None:
    place = following({"size": 9, "above": "00Q1"}, answer(done=False, nextRecordsUrl=NEXT))
    assert place == {"size": 9, "above": "00Q1", "url": NEXT}
    call = EVERYTHING.ask(CALL, place)
    assert (call.method, call.path, dict(call.params)) == ("GET", NEXT, {})
    # Half of what that query found: the walk goes on after the last of them.
    back = following(place, answer("00Q2", "00Q3", totalSize=4))
    assert back == {"size": 9, "above": "00Q3"}
    assert following(place, answer("00Q2", "00Q3", totalSize=2)) is None


# -- results of jobs


def page(*ids: str, **headers: str) -> tuple[Reply, list[dict[str, Any]]]:
    return Reply(200, {"content-type": "text/csv", **headers}, b""), [{"Id": i} for i in ids]


PLACE: Place = {"step": "page", "size": 9, "job": "750x", "info": 3}


def test_an_empty_page_of_a_result_is_gone_on_from() -> None:
    place = JOBS.next(PLACE, *page(**{"sforce-locator": "MTA"}))
    assert place == {**PLACE, "token": "MTA", "read": 0}
    call = JOBS.ask(Call("POST", "/jobs/query", params={"maxRecords": "9"}), place)
    assert dict(call.params) == {"maxRecords": "9", "locator": "MTA"}
    assert JOBS.next(place, *page("a", "b", "c", **{"sforce-locator": "null"})) is None


def test_a_result_without_a_locator_has_no_end() -> None:
    with pytest.raises(NoPlaceError):
        JOBS.next(PLACE, *page("a", "b", "c"))


def test_a_result_with_fewer_records_than_the_job_found_is_not_whole() -> None:
    with pytest.raises(BadReplyError, match="after 2 of 3 records") as caught:
        JOBS.next(PLACE, *page("a", "b", **{"sforce-locator": "null"}))
    assert caught.value.exit_code == 5


def test_a_listing_in_place_of_a_job_names_its_places_as_all_do() -> None:
    place: Place = {"step": "page", "size": 9}
    assert JOBS.next(place, answer("00Q1", done=False), [{"Id": "00Q1"}]) == {
        "step": "page",
        "size": 9,
        "above": "00Q1",
    }
    hollow = JOBS.next(place, answer(done=False, nextRecordsUrl=NEXT), [])
    assert hollow == {"step": "page", "size": 9, "url": NEXT}
    assert JOBS.next(place, answer(), []) is None


# -- the whole way


def test_hollow_pages_lose_nothing(lab: SalesforceLab) -> None:
    lab.sandbox.faults.set(["hollow:path=*/query"])
    assert lab.lumio("sync", "salesforce/leads").resource("leads")["created"] == 20
    record_id = lab.org.tables["Lead"].ids()[7]
    lab.org.store.update(TYPES["Lead"], record_id, {"City": "Lyon"})
    assert lab.lumio("sync", "salesforce/leads").resource("leads")["updated"] == 1
    assert lab.lumio("sync", "salesforce/leads", "--mode", "full").resource("leads")["read"] == 20


def test_hollow_results_of_jobs_lose_nothing(lab: SalesforceLab) -> None:
    lab.set("bulk_from", "1")
    lab.set("bulk_page", "8")
    lab.org.hollow_results = 2
    assert lab.lumio("sync", "salesforce/leads").resource("leads")["created"] == 20


def test_a_result_that_lacks_a_record_deletes_nothing(lab: SalesforceLab) -> None:
    lab.lumio("sync", "salesforce/leads")
    lab.set("bulk_from", "1")
    lab.org.cut_results = 1
    outcome = lab.lumio("sync", "salesforce/leads", "--mode", "full")
    assert outcome.resource("leads")["error"]["exit_code"] == 5, outcome.out
    assert "after 19 of 20 records" in outcome.resource("leads")["error"]["message"]
    assert lab.sql("SELECT count(*) FROM salesforce_leads") == [(20,)]
    again = lab.lumio("sync", "salesforce/leads", "--mode", "full")
    assert (again.code, again.resource("leads")["deleted"]) == (0, 0), again.out
    assert lab.sql("SELECT count(*) FROM salesforce_leads") == [(20,)]


def test_a_page_that_is_not_done_and_names_no_place_ends_no_walk(
    make_lab: Callable[..., SalesforceLab], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lumio_cli.sync.pull.slice_pull.PAUSE", 0.0)
    lab = make_lab(20)
    lab.lumio("sync", "salesforce/leads")
    cursor = lab.sql("SELECT cursor FROM lumio_resources WHERE resource = 'leads'")
    lab.sandbox.faults.set(["nowhere:path=*/query"])
    outcome = lab.lumio("sync", "salesforce/leads", "--mode", "full")
    entry = outcome.resource("leads")
    assert (entry["error"]["exit_code"], entry["deleted"]) == (5, 0), outcome.out
    assert lab.sql("SELECT cursor FROM lumio_resources WHERE resource = 'leads'") == cursor
    lab.sandbox.faults.clear()
    assert lab.lumio("sync", "salesforce/leads").code == 0
    assert lab.sql("SELECT count(*) FROM salesforce_leads") == [(20,)]


# -- bad values


def test_one_null_costs_one_record(lab: SalesforceLab) -> None:
    lab.sandbox.faults.set(["nullrow:path=*/query"])
    entry = lab.lumio("sync", "salesforce/leads").resource("leads")
    assert (entry["created"], entry["failed"]) == (19, 1)


def test_nulls_in_descriptions_and_counts_cost_nothing(lab: SalesforceLab) -> None:
    lab.set("bulk_from", "1")
    lab.sandbox.faults.set(["nullrow:path=*/describe", "nullrow:path=*/recordCount"])
    entry = lab.lumio("sync", "salesforce/leads").resource("leads")
    assert (entry["status"], entry["created"]) == ("succeeded", 20)
    assert lab.org.query_jobs == 1, "the count was read, and the types of its cells"


def test_a_description_with_nulls_is_read_without_them() -> None:
    body = {"fields": [None, "x", {"name": None}, {"name": "City"}, {"name": 7, "type": "int"}]}
    found = listed(Reply(200, {}, json.dumps(body).encode()))
    assert [item["name"] for item in found] == ["City"]
    assert [(p.name, p.column.kind) for p in described(found, (), {"all"})] == [("City", "text")]
    for text in (b"{}", b"[]", b'{"fields": null}', b'{"fields": {"a": 1}}'):
        with pytest.raises(BadReplyError, match="without its fields"):
            listed(Reply(200, {}, text))


def test_rows_in_order_of_time_are_placed_by_those_that_can() -> None:
    rows: list[Any] = [
        {"Id": "00Q1", "SystemModstamp": "2026-01-01T00:00:00.000+0000"},
        {"Id": "00Q2", "SystemModstamp": None},
        None,
    ]
    place = CHANGES.next({"size": 3}, answer("a", "b", "c"), rows)
    assert place == {"size": 3, "above": "00Q1", "time": "2026-01-01T00:00:00.000Z"}

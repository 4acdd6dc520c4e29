"""Writing, record by record: collections, bulk jobs, and what each kind of error becomes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest

from lumio_cli.core.errors import UnavailableError
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.salesforce import Salesforce
from lumio_cli.providers.salesforce.resources import column_name
from lumio_cli.sandbox.salesforce.records import ASSIGNEE

from .conftest import SalesforceLab, sender

Action = Literal["create", "update", "upsert", "archive"]
GOOD: dict[str, Any] = {"LastName": "Ö", "Company": "C", "Status": "New", "Score__c": "1.5"}


def change(action: Action, number: int, *, id: str = "", key: str = "", **values: Any) -> Change:
    columns = {column_name(name): value for name, value in values.items()}
    return Change(action, f"t{number}", id=id, key=key, values=columns)


def write(
    lab: SalesforceLab, changes: list[Change], *, bulk: bool = False, token: str = "full",
    calls: list[Call] | None = None,
) -> dict[str, Receipt]:  # fmt: skip
    provider = Salesforce({"bulk_write_from": 1 if bulk else 0})
    send = sender(lab, calls, token)
    found = list(provider.write(provider.resource("leads"), changes, send))
    assert len({r.trace for r in found}) == len(found) == len(changes), "one receipt a change"
    return {receipt.trace: receipt for receipt in found}


def lead(lab: SalesforceLab, record_id: str) -> dict[str, Any]:
    return lab.org.store.document("Lead", record_id) or {}


@pytest.mark.parametrize("bulk", [False, True])
def test_good_and_bad_records_are_told_apart(lab: SalesforceLab, bulk: bool) -> None:
    changes = [
        change("create", 1, **GOOD, Opted_In__c="true", NumberOfEmployees="12"),
        change("create", 2, LastName="no company", Status="New"),
        change("create", 3, **{**GOOD, "External_Key__c": "Lead-00000003"}),
        change("create", 4, **{**GOOD, "Score__c": "many"}),
        change("create", 5, **{**GOOD, "IsConverted": "true"}),
    ]
    found = write(lab, changes, bulk=bulk)
    assert found["t1"].status == "done"
    made = lead(lab, found["t1"].id)
    assert (made["LastName"], made["Score__c"], made["Opted_In__c"]) == ("Ö", 1.5, True)
    kinds = {trace: (r.status, r.kind) for trace, r in found.items() if trace != "t1"}
    assert kinds == {
        "t2": ("failed", "validation"),
        "t3": ("failed", "conflict"),
        "t4": ("failed", "validation"),
        "t5": ("failed", "validation"),
    }
    assert "Company" in found["t2"].message


@pytest.mark.parametrize("bulk", [False, True])
def test_updates_by_id(lab: SalesforceLab, bulk: bool) -> None:
    first, second, third, fourth, *_ = lab.org.tables["Lead"].ids()
    lab.org.tables["Lead"].delete(second)
    lab.org.store.locked.add(third)
    found = write(
        lab,
        [
            change("update", 1, id=first, City="Köln", Description=None),
            change("update", 2, id=second, City="x"),
            change("update", 3, id=third, City="x"),
            change("update", 4, id=fourth, Email="no address"),
            change("update", 5, id="00Qsb0zzzzzzzzzEAA", City="x"),
        ],
        bulk=bulk,
    )
    assert (lead(lab, first)["City"], lead(lab, first)["Description"]) == ("Köln", None)
    assert {trace: (r.status, r.kind) for trace, r in found.items()} == {
        "t1": ("done", ""),
        "t2": ("failed", "gone"),
        "t3": ("retry", "transient"),
        "t4": ("failed", "validation"),
        "t5": ("failed", "gone"),
    }


@pytest.mark.parametrize("bulk", [False, True])
def test_upserts_by_an_external_id(lab: SalesforceLab, bulk: bool) -> None:
    known = lab.org.tables["Lead"].ids()[4]
    found = write(
        lab,
        [
            change("upsert", 1, id="Lead-00000004", key="External_Key__c", City="Bonn"),
            change("upsert", 2, id="own-1", key="External_Key__c", **GOOD),
        ],
        bulk=bulk,
    )
    assert {r.status for r in found.values()} == {"done"}
    assert found["t1"].id == known
    assert lead(lab, known)["City"] == "Bonn"
    assert lead(lab, found["t2"].id)["External_Key__c"] == "own-1"


@pytest.mark.parametrize("bulk", [False, True])
def test_what_is_deleted_already_was_wanted(lab: SalesforceLab, bulk: bool) -> None:
    first, second, *_ = lab.org.tables["Lead"].ids()
    lab.org.tables["Lead"].delete(second)
    changes = [change("archive", 1, id=first), change("archive", 2, id=second)]
    found = write(lab, changes, bulk=bulk)
    assert [r.status for r in found.values()] == ["done", "done"]
    assert first in lab.org.tables["Lead"].gone


def test_collections_have_200_records(make_lab: Callable[..., SalesforceLab]) -> None:
    lab = make_lab(450)
    calls: list[Call] = []
    ids = lab.org.tables["Lead"].ids()[:401]
    write(lab, [change("update", n, id=i, City="X") for n, i in enumerate(ids)], calls=calls)
    sizes = [len(call.json["records"]) for call in calls if call.method == "PATCH"]
    assert sizes == [200, 200, 1]
    assert all(call.repeatable for call in calls)


def test_only_creates_are_not_repeated(lab: SalesforceLab) -> None:
    calls: list[Call] = []
    write(lab, [change("create", 1, **GOOD)], calls=calls)
    assert [call.repeatable for call in calls] == [True, False]


def test_equal_new_records_each_get_a_receipt(lab: SalesforceLab) -> None:
    found = write(lab, [change("create", n, **GOOD) for n in range(3)], bulk=True)
    assert {r.status for r in found.values()} == {"done"}
    assert len({r.id for r in found.values()}) == 3


def test_fields_that_a_change_does_not_name_stay_in_a_bulk_job(lab: SalesforceLab) -> None:
    first, second, *_ = lab.org.tables["Lead"].ids()
    before = lead(lab, second)["City"]
    write(
        lab,
        [change("update", 1, id=first, City="A"), change("update", 2, id=second, Title="B")],
        bulk=True,
    )
    assert (lead(lab, second)["City"], lead(lab, second)["Title"]) == (before, "B")


def test_a_user_who_may_only_read_is_denied(lab: SalesforceLab) -> None:
    found = write(lab, [change("create", 1, **GOOD)], token="read_only")
    assert (found["t1"].status, found["t1"].kind) == ("failed", "permission")


def test_a_job_that_could_not_be_uploaded_was_not_applied(lab: SalesforceLab) -> None:
    plain = sender(lab)

    def send(call: Call) -> Reply:
        if call.method == "PUT":
            raise UnavailableError("the connection was reset")
        return plain(call)

    provider = Salesforce({"bulk_write_from": 1})
    changes = [change("create", 1, **GOOD)]
    (receipt,) = provider.write(provider.resource("leads"), changes, send)
    assert (receipt.status, receipt.kind) == ("retry", "transient")


def test_an_answer_that_names_too_few_leaves_the_rest_unknown(lab: SalesforceLab) -> None:
    plain = sender(lab)

    def send(call: Call) -> Reply:
        reply = plain(call)
        return reply if call.method == "GET" else Reply(200, {}, b"[]")

    provider = Salesforce({"bulk_write_from": 0})
    changes = [change("create", 1, **GOOD)]
    (receipt,) = provider.write(provider.resource("leads"), changes, send)
    assert receipt.status == "unknown"


def test_jobs_are_asked_about_with_pauses(lab: SalesforceLab, monkeypatch: Any) -> None:
    monkeypatch.setattr("lumio_cli.providers.salesforce.ingest.LEAST_WAIT", 2.0)
    lab.org.polls = 3
    calls: list[Call] = []
    write(lab, [change("create", 1, **GOOD)], bulk=True, calls=calls)
    delays = [call.delay for call in calls if call.delay]
    assert delays == [2.0, 3.0, 4.5]


def test_changes_wait_while_salesforce_sets_itself_up(
    lab: SalesforceLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lumio_cli.core.clock.SystemClock.sleep", lambda *_: None)
    lab.lumio("sync", "salesforce/leads")
    ids = lab.org.tables["Lead"].ids()[:12]
    for record_id in ids:
        lab.sql("UPDATE salesforce_leads SET city = 'Lyon' WHERE id = ?", record_id)
    lab.sandbox.faults.set(["420:path=*/composite/sobjects"])
    failed = lab.lumio("sync", "salesforce/leads", "--direction", "push", "--max-wait", "0")
    assert failed.code != 0
    entry = failed.resource("leads")
    assert (entry["failed"], entry["sent"]) == (0, 0), failed.out
    lab.sandbox.faults.clear()
    entry = lab.lumio("sync", "salesforce/leads", "--direction", "push").resource("leads")
    assert (entry["sent"], entry["updated"]) == (12, 12)


# -- the org's own rules

RULE = "01Q5g000000kAbcEAE"


@pytest.mark.parametrize(
    ("setting", "bulk", "assigned"),
    [
        (None, False, False),
        (None, True, False),
        ("true", False, True),
        ("true", True, False),
        (RULE, False, True),
        (RULE, True, True),
    ],
)
def test_assignment_rules_run_where_they_were_asked_for(
    lab: SalesforceLab, setting: str | None, bulk: bool, assigned: bool
) -> None:
    """What is written keeps its owner, or goes to whom the rules give it."""
    options = {} if setting is None else {"assignment_rules": setting}
    provider = Salesforce({"bulk_write_from": 1 if bulk else 0, **options})
    first = next(i for i in lab.org.tables["Lead"].ids() if lead(lab, i)["OwnerId"] != ASSIGNEE)
    owner = lead(lab, first)["OwnerId"]
    changes = [change("update", 1, id=first, Company="Acme"), change("create", 2, **GOOD)]
    for one in changes:
        found = list(provider.write(provider.resource("leads"), [one], sender(lab)))
        assert [r.status for r in found] == ["done"], found
        written = lead(lab, found[0].id)["OwnerId"]
        assert (written == ASSIGNEE) is assigned
        assert assigned or one.action == "create" or written == owner


def test_what_a_duplicate_rule_only_warns_of_is_saved_on_request(lab: SalesforceLab) -> None:
    for setting, said in (("stop", None), ("save", "allowSave=true")):
        calls: list[Call] = []
        provider = Salesforce({"bulk_write_from": 0, "duplicate_rules": setting})
        send = sender(lab, calls)
        list(provider.write(provider.resource("leads"), [change("create", 1, **GOOD)], send))
        (written,) = [call for call in calls if call.method == "POST"]
        assert written.headers.get("Sforce-Duplicate-Rule-Header") == said

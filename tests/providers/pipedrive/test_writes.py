"""What is written to Pipedrive is settled one by one, through the whole transport."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.providers.writing import Change, Receipt
from lumio_cli.sandbox.pipedrive import Pipedrive
from lumio_cli.transport.observe import Tally
from providers.pipedrive_subjects import SUBJECTS, account
from support.conformance import Rig, rig

Write = Callable[..., list[Receipt]]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Rig]:
    with rig(SUBJECTS[0], tmp_path, 5) as opened:
        yield opened


@pytest.fixture
def company(lab: Rig) -> Pipedrive:
    return account(lab.sandbox)


@pytest.fixture
def write(lab: Rig) -> Iterator[Write]:
    """Applies changes to a resource (deals, unless told)."""
    with lab.runtime() as runtime:
        provider = runtime.provider("pipedrive")
        session = runtime.session(provider)

        def apply(*changes: Change, to: str = "deals") -> list[Receipt]:
            send = partial(session.send, tally=Tally())
            return list(provider.write(provider.resource(to), changes, send))  # type: ignore[attr-defined]

        yield apply


def column(company: Pipedrive, name: str) -> str:
    """The hash of a custom field."""
    return next(f.code for f in company.fields["deals"] if f.name == name)


def test_records_are_made_with_the_types_that_v2_wants(write: Write, company: Pipedrive) -> None:
    values = {
        "title": "Größe 🦄",
        "value": "12.50",
        "stage_id": "3",
        "expected_close_date": "2026-12-24",
        "label_ids": "[1, 3]",
        "lost_reason": None,
    }
    (receipt,) = write(Change("create", "t1", values=values))
    assert (receipt.trace, receipt.status) == ("t1", "done")
    made = company.tables["deals"].get(receipt.id)
    assert made is not None
    assert (made["title"], made["value"], made["stage_id"]) == ("Größe 🦄", 12.5, 3)
    assert (made["label_ids"], made["lost_reason"]) == ([1, 3], None)
    assert receipt.record is not None
    assert receipt.record["expected_close_date"] == "2026-12-24"


def test_each_change_is_one_request_and_one_receipt(write: Write, lab: Rig) -> None:
    changes = [Change("update", f"t{n}", str(n), values={"title": f"T{n}"}) for n in range(1, 4)]
    assert [r.status for r in write(*changes)] == ["done"] * 3
    asked = [(method, path) for _, method, path, _ in lab.sandbox.requests]
    assert asked == [("PATCH", f"/pipedrive/api/v2/deals/{n}") for n in range(1, 4)]


def test_one_bad_item_does_not_hold_up_the_others(write: Write, company: Pipedrive) -> None:
    receipts = write(
        Change("update", "good", "1", values={"title": "fine"}),
        Change("update", "empty", "2", values={"title": ""}),
        Change("update", "gone", "4711", values={"title": "x"}),
        Change("update", "typed", "3", values={"value": "a lot"}),
        Change("update", "made", "3", values={"add_time": "2026-01-01"}),
        Change("update", "unknown", "3", values={"no_such_column": "x"}),
        Change("update", "last", "5", values={"title": "fine, too"}),
    )
    assert [(r.trace, r.status, r.kind) for r in receipts] == [
        ("good", "done", ""),
        ("empty", "failed", "validation"),
        ("gone", "failed", "gone"),
        ("typed", "failed", "validation"),
        ("made", "failed", "validation"),
        ("unknown", "failed", "validation"),
        ("last", "done", ""),
    ]
    assert "title" in receipts[1].message
    assert "'a lot'" in receipts[3].message
    titles = {d["id"]: d["title"] for d in company.tables["deals"]}
    assert (titles[1], titles[5]) == ("fine", "fine, too")


def test_a_missing_permission_and_a_limit_of_the_account_are_told_apart(
    write: Write, company: Pipedrive
) -> None:
    (job,) = write(Change("update", "t", "1", values={"job_title": "CEO"}), to="persons")
    assert (job.status, job.kind) == ("failed", "permission")
    company.open_deals = 0
    (full,) = write(Change("create", "t", values={"title": "One too many"}))
    assert (full.status, full.kind) == ("failed", "validation")
    assert "Open deals limit reached" in full.message


def test_archiving_deletes_and_is_done_when_somebody_else_did_it(
    write: Write, company: Pipedrive
) -> None:
    first, second = write(Change("archive", "a", "2"), Change("archive", "b", "4711"))
    assert (first.status, second.status) == ("done", "done")
    assert "2" not in company.tables["deals"]


def test_an_archived_deal_cannot_be_written(write: Write, company: Pipedrive) -> None:
    company.archive("3")
    (receipt,) = write(Change("update", "t", "3", values={"title": "x"}))
    assert (receipt.status, receipt.kind) == ("failed", "validation")
    assert "Archived" in receipt.message


def test_the_person_of_an_activity_is_its_main_participant(
    write: Write, company: Pipedrive
) -> None:
    values = {"subject": "Call", "person_id": "4", "done": "true", "busy": "0"}
    (receipt,) = write(Change("create", "t", values=values), to="activities")
    made = company.tables["activities"].get(receipt.id)
    assert made is not None
    assert made["participants"] == [{"person_id": 4, "primary": True}]
    assert (made["person_id"], made["done"], made["busy"]) == (4, True, False)


def test_an_address_is_written_by_its_text(write: Write, company: Pipedrive) -> None:
    (receipt,) = write(
        Change("update", "t", "1", values={"address": "Av. Paulista, São Paulo"}),
        to="organizations",
    )
    assert receipt.status == "done"
    assert company.find("organizations", "1")["address"] == {"value": "Av. Paulista, São Paulo"}


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("Região de vendas", {"regiao_de_vendas": "São Paulo"}, 101),
        ("Região de vendas", {"regiao_de_vendas": None}, None),
        ("Tags", {"tags": "Renewal, Hot 🔥"}, [105, 104]),
        ("Tags", {"tags": '[{"id": 106, "label": "<b>Legal</b>"}]'}, [106]),
        ("Tags", {"tags": "[]"}, None),
        ("Score", {"score": "1.5"}, 1.5),
        ("Technical contact", {"technical_contact": "3"}, 3),
        (
            "Commission",
            {"commission": "7.5", "commission_currency": "BRL"},
            {"value": 7.5, "currency": "BRL"},
        ),
        ("Commission", {"commission": None}, None),
    ],
)
def test_custom_fields_are_written_by_the_names_of_their_columns(
    write: Write, company: Pipedrive, name: str, values: dict[str, str | None], expected: Any
) -> None:
    (receipt,) = write(Change("update", "t", "1", values=values))
    assert (receipt.status, receipt.message) == ("done", "")
    assert company.find("deals", "1")["custom_fields"][column(company, name)] == expected


def test_a_part_of_a_value_keeps_the_others(write: Write, company: Pipedrive) -> None:
    code = column(company, "Commission")
    before = company.find("deals", "1")["custom_fields"][code]
    write(Change("update", "t", "1", values={"commission": "99"}))
    after = company.find("deals", "1")["custom_fields"][code]
    assert after == {"value": 99, "currency": before["currency"]}
    write(Change("update", "t", "1", values={"commission_currency": "JPY"}))
    assert company.find("deals", "1")["custom_fields"][code] == {"value": 99, "currency": "JPY"}


def test_an_option_that_does_not_exist_is_refused_before_anything_is_sent(
    write: Write, lab: Rig
) -> None:
    (receipt,) = write(Change("update", "t", "1", values={"regiao_de_vendas": "Mars"}))
    assert (receipt.status, receipt.kind) == ("failed", "validation")
    assert "'São Paulo'" in receipt.message
    assert {method for _, method, _, _ in lab.sandbox.requests} == {"GET"}


def test_a_lost_answer_is_unknown_for_a_new_record_only(write: Write, lab: Rig) -> None:
    lab.sandbox.faults.set(["lost:method=POST", "lost:method=PATCH", "lost:method=DELETE"])
    (made,) = write(Change("create", "c", values={"title": "once"}))
    assert (made.status, made.kind) == ("unknown", "unsettled")
    assert [d["title"] for d in account(lab.sandbox).tables["deals"]].count("once") == 1
    lab.sandbox.faults.set(["lost:method=PATCH:times=1"])
    (changed,) = write(Change("update", "u", "1", values={"title": "twice"}))
    assert changed.status == "done"  # said again, which does no harm


def test_an_outage_leaves_what_can_be_sent_again(write: Write, lab: Rig) -> None:
    lab.sandbox.faults.set(["503:method=PATCH"])
    (receipt,) = write(Change("update", "u", "1", values={"title": "later"}))
    assert (receipt.status, receipt.kind) == ("retry", "transient")

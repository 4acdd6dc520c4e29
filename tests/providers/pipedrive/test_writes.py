"""What is written to Pipedrive is settled one by one, through the whole transport."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.core.errors import CircuitOpenError, DeniedError, LumioError, UnavailableError
from lumio_cli.providers.contract.call import Call, Reply, dig
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.resource import Column
from lumio_cli.providers.contract.values import as_text, meaning
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.pipedrive import Pipedrive as Provider
from lumio_cli.providers.pipedrive.fields import Definition, properties
from lumio_cli.sandbox.pipedrive import Pipedrive
from lumio_cli.services.connections.sessions import open_for
from lumio_cli.transport.request_log import Tally
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
        session = open_for(runtime, provider)

        def apply(*changes: Change, to: str = "deals") -> list[Receipt]:
            send = partial(session.send, tally=Tally())
            return list(provider.write(provider.resource(to), changes, send))  # type: ignore[attr-defined]

        yield apply


def column(company: Pipedrive, name: str) -> str:
    """The hash of a custom field."""
    return next(f.code for f in company.fields["deals"] if f.name == name)


def columns(company: Pipedrive, kind: str) -> dict[str, Column]:
    """The columns of a resource by name, with those of its custom fields."""
    resource = Provider({}).resource(kind)
    known = [
        Definition(f.code, f.name, f.type, f.custom, dict(f.options))
        for f in company.fields.get(kind, ())
    ]
    described = (p.column for p in properties(resource, known, ["all"]))
    return {c.name: c for c in (*resource.columns, *described)}


def in_view(value: Any) -> Any:
    """JSON as a view shows it."""
    return json.dumps(value) if isinstance(value, list | dict) else value


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
    one_more = ("GET", "/pipedrive/api/v2/dealFields")  # says what the labels of options are
    assert asked == [one_more, *(("PATCH", f"/pipedrive/api/v2/deals/{n}") for n in range(1, 4))]


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


def test_an_answer_that_names_nothing_leaves_a_create_unknown() -> None:
    provider = Provider({})
    for body in (b"", b"{}", b'{"success": true, "data": null}', b'{"data": [1]}'):
        reply = Reply(200, {}, body)
        changes = [Change("create", "t", values={"subject": "x"})]
        activities = provider.resource("activities")
        (receipt,) = provider.write(activities, changes, lambda _, reply=reply: reply)  # type: ignore[misc]
        assert (receipt.status, receipt.kind) == ("unknown", "unsettled")


@pytest.mark.parametrize("action", ["create", "update"])
@pytest.mark.parametrize(
    "error", [CircuitOpenError("left alone"), UnavailableError("connection refused")]
)
def test_what_was_certainly_not_applied_is_sent_again(action: Any, error: LumioError) -> None:
    provider = Provider({})

    def send(_: Call) -> Reply:
        raise error

    changes = [Change(action, "t", "", values={"subject": "x"})]
    (receipt,) = provider.write(provider.resource("activities"), changes, send)
    assert (receipt.status, receipt.kind) == ("retry", "transient")


def test_a_missing_scope_is_named() -> None:
    provider = Provider({})

    def send(_: Call) -> Reply:
        raise DeniedError("Scope and URL mismatch")

    changes = [Change("update", "t", "1", values={"subject": "x"})]
    (receipt,) = provider.write(provider.resource("activities"), changes, send)
    assert (receipt.status, receipt.kind) == ("failed", "permission")
    assert receipt.message == "Scope and URL mismatch; missing scope: activities:full"


def test_a_receipts_record_has_the_form_of_a_listing(write: Write, company: Pipedrive) -> None:
    """The answers to writes have options by their numbers alone; listings have labels, too."""
    for kind in ("deals", "persons", "organizations", "products"):
        text = "title" if kind == "deals" else "name"
        update = Change("update", "u", "1", values={text: "Written"})
        (changed,) = write(update, to=kind)
        listed = next(d for d in company.dump(kind) if d["id"] == 1)
        assert changed.record == {**listed, text: "Written"}
        (made,) = write(Change("create", "c", values={text: "Made"}), to=kind)
        assert made.record == next(d for d in company.dump(kind) if str(d["id"]) == made.id)


def meant(column: Column, shown: Any) -> Any:
    return meaning(column.kind, column.same, shown)


VALUES = [
    ("deals", "title", "Größe 🦄\nzwei"),
    ("deals", "value", "12.50"),
    ("deals", "value", -3),
    ("deals", "value", 1e21),
    ("deals", "probability", None),
    ("deals", "expected_close_date", "2026-12-24"),
    ("deals", "expected_close_date", None),
    ("deals", "label_ids", "[3, 1]"),
    ("deals", "label_ids", None),
    ("deals", "regiao_de_vendas", "São Paulo"),
    ("deals", "score", 1.5),
    ("deals", "signed", 1),
    ("deals", "signed", 0),
    ("deals", "signed", None),
    ("deals", "commission", 99),
    ("deals", "contract_period", "2026-01-31"),
    ("deals", "technical_contact", "3"),
    ("persons", "emails", '[{"value": "a@example.com", "primary": true, "label": "work"}]'),
    ("organizations", "address", "Av. Paulista, São Paulo"),
    ("organizations", "employee_count", 0),
    ("organizations", "website", None),
    ("activities", "done", 1),
    ("activities", "due_time", "09:30"),
    ("activities", "person_id", 4),
    ("activities", "person_id", None),
    ("products", "is_linkable", 0),
    ("products", "tax", 7.5),
    ("stages", "days_to_rotten", 3),
]


@pytest.mark.parametrize(("kind", "name", "value"), VALUES)
def test_a_value_is_read_back_as_it_was_meant(
    write: Write, company: Pipedrive, kind: str, name: str, value: Any
) -> None:
    company.add_field("deals", "Signed", "boolean")
    column_ = columns(company, kind)[name]
    change = Change("update", "t", "1", values={name: as_text(column_.kind, value)})
    (receipt,) = write(change, to=kind)
    assert receipt.status == "done", receipt
    stored = next(d for d in company.dump(kind) if d["id"] == 1)
    forms = (
        in_view(dig(stored, column_.path)),
        in_view(dig(receipt.record, column_.path)),
        in_view(Provider({}).shown(column_, value)),
        value,
    )
    assert {meant(column_, form) for form in forms} == {meant(column_, value)}


def test_moments_are_whole_seconds(write: Write, company: Pipedrive) -> None:
    column_ = columns(company, "deals")["won_time"]
    for given, kept in (
        ("2026-01-31T10:20:30.250Z", "2026-01-31T10:20:30Z"),
        ("2026-01-31T10:20:30+02:00", "2026-01-31T08:20:30Z"),
        ("2026-01-31", "2026-01-31T00:00:00Z"),
    ):
        values = {"status": "won", "won_time": given}
        (receipt,) = write(Change("update", "t", "1", values=values))
        assert receipt.status == "done", receipt
        assert company.find("deals", "1")["won_time"] == kept
        assert Provider({}).shown(column_, given) == kept


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("deals", "value", "nan"),
        ("deals", "value", "-Infinity"),
        ("deals", "stage_id", "5.5"),
        ("deals", "won_time", "soon"),
        ("deals", "label_ids", "[NaN]"),
        ("deals", "label_ids", "[1"),
        ("deals", "score", "inf"),
        ("deals", "signed", "maybe"),
        ("deals", "tags", "[1"),
        ("activities", "done", "maybe"),
        ("activities", "participants", "{]"),
        ("products", "category", "Tools"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(
    write: Write, lab: Rig, company: Pipedrive, kind: str, name: str, value: str
) -> None:
    company.add_field("deals", "Signed", "boolean")
    (receipt,) = write(Change("update", "t", "1", values={name: value}), to=kind)
    assert (receipt.status, receipt.kind) == ("failed", "validation")
    assert receipt.message.startswith(f"{name}: ")
    assert {method for _, method, _, _ in lab.sandbox.requests} <= {"GET"}


@pytest.mark.parametrize("name", ["add_time", "labels", "is_archived", "drawing", "nope", "id"])
@pytest.mark.parametrize("action", ["create", "update"])
def test_what_cannot_be_written_is_refused_before_anything_is_written(
    write: Write, lab: Rig, company: Pipedrive, name: str, action: Any
) -> None:
    company.add_field("deals", "Drawing", "picture")
    (receipt,) = write(Change(action, "t", "1", values={"title": "x", name: "1"}))
    assert (receipt.status, receipt.kind) == ("failed", "validation")
    assert receipt.message.startswith(f"{name}: ")
    assert {method for _, method, _, _ in lab.sandbox.requests} == {"GET"}
    assert columns(company, "deals")["drawing"].read_only


def test_a_create_says_nothing_of_what_is_empty(write: Write, company: Pipedrive) -> None:
    values = {"title": "x", "owner_id": None, "label_ids": None, "score": None}
    (receipt,) = write(Change("create", "t", values=values))
    assert receipt.status == "done", receipt


def test_the_other_participants_of_an_activity_stay(write: Write, company: Pipedrive) -> None:
    table = company.tables["activities"]
    first, other = {"person_id": 1, "primary": True}, {"person_id": 2, "primary": False}
    table.update("1", {"participants": [first, other], "person_id": 1})

    def participants(**values: str | None) -> Any:
        (receipt,) = write(Change("update", "t", "1", values=values), to="activities")
        assert receipt.status == "done", receipt
        return company.find("activities", "1")["participants"]

    main = {"person_id": 4, "primary": True}
    assert participants(person_id="4") == [main, other]
    assert participants(person_id="2") == [{"person_id": 2, "primary": True}]
    both = json.dumps([{"person_id": 2, "primary": True}, {"person_id": 5, "primary": False}])
    rest = [{"person_id": 2, "primary": False}, {"person_id": 5, "primary": False}]
    assert participants(person_id="4", participants=both) == [main, *rest]
    assert participants(participants=both, person_id="4") == [main, *rest]
    assert participants(person_id=None) == rest


def test_no_field_is_unique_and_all_are_written_one_by_one() -> None:
    for resource in Provider({}).resources:
        if resource.writes is not None:
            assert (resource.writes.unique, resource.writes.at_once) == ((), 50)

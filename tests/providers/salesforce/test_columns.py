"""What may be written to which column, and how it is read back; what is in doubt and what not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from lumio_cli.config.global_options import Globals
from lumio_cli.core.errors import OUTCOME_UNKNOWN, CircuitOpenError, UnavailableError
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.values import as_text, meaning
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.salesforce import BULK_WRITE_FROM, Salesforce
from lumio_cli.providers.salesforce.resources import RESOURCES
from lumio_cli.runtime import Runtime
from lumio_cli.services.connections.sessions import open_for

from .conftest import SalesforceLab, sender

GOOD = {"last_name": "X", "company": "C", "status": "New"}
LOST = UnavailableError("the answer was lost", code=OUTCOME_UNKNOWN)


def apply(
    lab: SalesforceLab, changes: list[Change], *, bulk: bool = False, name: str = "leads",
    calls: list[Call] | None = None, token: str = "full", send: Any = None,
) -> dict[str, Receipt]:  # fmt: skip
    provider = Salesforce({"bulk_write_from": 1 if bulk else 0})
    how = send or sender(lab, calls, token)
    found = list(provider.write(provider.resource(name), changes, how))
    assert len({r.trace for r in found}) == len(found) == len(changes), "one receipt a change"
    return {receipt.trace: receipt for receipt in found}


@pytest.fixture
def whole() -> Iterator[Callable[..., dict[str, Receipt]]]:
    """Writes leads through the whole transport."""
    with ExitStack() as stack:

        def write(lab: SalesforceLab, *changes: Change) -> dict[str, Receipt]:
            runtime = Runtime(Globals(), environ=lab.environ)
            stack.callback(runtime.close)
            provider = runtime.provider("salesforce")
            send = partial(open_for(runtime, provider).send)
            found = provider.write(provider.resource("leads"), changes, send)  # type: ignore[attr-defined]
            return {receipt.trace: receipt for receipt in found}

        yield write


# -- columns


def test_a_description_tells_what_is_read_only(lab: SalesforceLab) -> None:
    provider = Salesforce({})
    described = provider.describe(provider.resource("leads"), sender(lab)) or ()
    fixed = {p.name for p in described if p.column.read_only}
    assert fixed >= {"Name", "Full_Label__c", "IsConverted", "CreatedById", "SystemModstamp"}
    assert not fixed & {"LastName", "Email", "Score__c", "OwnerId", "Region__c"}
    email = next(p.column for p in described if p.name == "Email")
    assert email.same == "folded"


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda r: r.name)
def test_what_is_declared_read_only_is_so_by_the_description(
    lab: SalesforceLab, resource: Any
) -> None:
    fields = sender(lab)(Salesforce({}).describe_call(resource)).json()["fields"]
    told = {f["name"]: f["createable"] or f["updateable"] for f in fields}
    for column in resource.columns:
        if column.path in told:
            assert column.read_only is not told[column.path], column.name


@pytest.mark.parametrize("bulk", [False, True])
@pytest.mark.parametrize("column", ["name", "created_date", "full_label__c", "LastName", "nope"])
def test_what_cannot_be_written_is_refused_before_anything_is_sent(
    lab: SalesforceLab, column: str, bulk: bool
) -> None:
    calls: list[Call] = []
    known = lab.org.tables["Lead"].ids()[0]
    change = Change("update", "t", id=known, values={column: "x"})
    receipt = apply(lab, [change], bulk=bulk, calls=calls)["t"]
    assert (receipt.status, receipt.kind) == ("failed", "validation")
    assert receipt.message.startswith(column)
    assert {call.method for call in calls} == {"GET"}


def test_a_field_of_new_records_is_written_once(lab: SalesforceLab) -> None:
    contact = lab.org.tables["Contact"].ids()[0]
    values = {"name": "D", "stage_name": "Open", "close_date": "2026-01-31", "contact_id": contact}
    made = apply(lab, [Change("create", "t", values=values)], name="opportunities")["t"]
    assert made.status == "done"
    change = Change("update", "t", id=made.id, values={"contact_id": contact})
    calls: list[Call] = []
    receipt = apply(lab, [change], name="opportunities", calls=calls)["t"]
    assert (receipt.status, receipt.kind) == ("failed", "validation")
    assert "contact_id" in receipt.message
    assert {call.method for call in calls} == {"GET"}


def test_columns_of_an_operators_own_go_to_their_fields(lab: SalesforceLab) -> None:
    provider = Salesforce({"columns": {"leads": {"points": "Score__c"}}})
    known = lab.org.tables["Lead"].ids()[0]
    change = Change("update", "t", id=known, values={"points": "2.5"})
    (receipt,) = provider.write(provider.resource("leads"), [change], sender(lab))
    assert receipt.status == "done"
    assert (lab.org.store.document("Lead", known) or {})["Score__c"] == 2.5


# -- values

VALUES = [
    ("opted_in__c", "boolean", 1),
    ("opted_in__c", "boolean", 0),
    ("number_of_employees", "integer", 12),
    ("budget__c", "number", "1250000000.50"),
    ("score__c", "number", -3),
    ("follow_up__c", "date", "2026-01-31"),
    ("follow_up__c", "date", "2026-01-31T00:00:00Z"),
    ("seen_at__c", "datetime", "2026-01-31T10:20:30Z"),
    ("seen_at__c", "datetime", "2026-01-31T10:20:30+02:00"),
    ("seen_at__c", "datetime", "2026-01-31"),
    ("description", "text", 'two\nlines, "Größe"; =1+1'),
    ("description", "text", "#N/A"),
    ("description", "text", None),
    ("score__c", "number", None),
    ("email", "text", "Some.One@Example.COM"),
]


@pytest.mark.parametrize(("name", "kind", "value"), VALUES)
@pytest.mark.parametrize("action", ["create", "update"])
@pytest.mark.parametrize("bulk", [False, True])
def test_a_value_is_read_back_as_it_was_meant(
    lab: SalesforceLab, name: str, kind: str, value: Any, action: Any, bulk: bool
) -> None:
    provider = Salesforce({})
    described = provider.describe(provider.resource("leads"), sender(lab)) or ()
    column = next(p.column for p in described if p.column.name == name)
    assert column.kind == kind
    given = {name: as_text(kind, value)}
    change = Change("create", "t", values={**GOOD, **given})
    if action == "update":
        known = lab.org.tables["Lead"].ids()[0]
        change = Change("update", "t", id=known, values=given)
    receipt = apply(lab, [change], bulk=bulk)["t"]
    assert receipt.status == "done", receipt

    def meant(shown: Any) -> Any:
        return meaning(column.kind, column.same, shown)

    stored = (lab.org.store.document("Lead", receipt.id) or {})[column.path]
    assert meant(stored) == meant(value)
    assert meant(provider.shown(column, value)) == meant(stored)


def test_a_moment_is_shown_in_whole_seconds(lab: SalesforceLab) -> None:
    provider = Salesforce({})
    described = provider.describe(provider.resource("leads"), sender(lab)) or ()
    column = next(p.column for p in described if p.name == "Seen_At__c")
    known = lab.org.tables["Lead"].ids()[0]
    value = "2026-01-31T10:20:30.750Z"
    apply(lab, [Change("update", "t", id=known, values={"seen_at__c": value})])
    stored = (lab.org.store.document("Lead", known) or {})["Seen_At__c"]
    assert provider.shown(column, value) == "2026-01-31T10:20:30.000+0000"
    assert meaning("datetime", "exact", stored) == meaning(
        "datetime", "exact", "2026-01-31T10:20:30Z"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("opted_in__c", "maybe"),
        ("opted_in__c", None),
        ("number_of_employees", "1.5"),
        ("score__c", "nan"),
        ("follow_up__c", "2026-01-31T10:00:00Z"),
        ("seen_at__c", "soon"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(
    lab: SalesforceLab, name: str, value: str | None
) -> None:
    first, second, *_ = lab.org.tables["Lead"].ids()
    found = apply(
        lab,
        [
            Change("update", "good", id=first, values={"city": "Natal"}),
            Change("update", "bad", id=second, values={name: value}),
        ],
    )
    assert found["good"].status == "done"
    assert (found["bad"].status, found["bad"].kind) == ("failed", "validation")
    assert found["bad"].message.startswith(name)


# -- what became of it


@pytest.mark.parametrize("bulk", [False, True])
def test_three_invalid_of_a_hundred_fail_with_salesforces_reasons(
    make_lab: Callable[..., SalesforceLab], bulk: bool
) -> None:
    lab = make_lab(100)
    changes = [
        Change("update", f"t{n}", id=i, values={"email": "no" if n in (7, 42, 99) else f"{n}@x.io"})
        for n, i in enumerate(lab.org.tables["Lead"].ids())
    ]
    found = apply(lab, changes, bulk=bulk)
    bad = {trace: r for trace, r in found.items() if r.status != "done"}
    assert sorted(bad) == ["t42", "t7", "t99"]
    for receipt in bad.values():
        assert (receipt.status, receipt.kind) == ("failed", "validation")
        assert receipt.message == "Email: invalid email address: no (INVALID_EMAIL_ADDRESS)"


@pytest.mark.parametrize("fields", [["OwnerId"], []])
def test_another_record_that_is_not_there_is_no_sign_that_this_one_is_gone(
    lab: SalesforceLab, fields: list[str]
) -> None:
    known = lab.org.tables["Lead"].ids()[0]
    plain = sender(lab)
    error = {"statusCode": "INVALID_CROSS_REFERENCE_KEY", "message": "m", "fields": fields}

    def send(call: Call) -> Reply:
        if call.method == "GET":
            return plain(call)
        return Reply(200, {}, json.dumps([{"success": False, "errors": [error]}]).encode())

    change = Change("update", "t", id=known, values={"owner_id": "005000000000000AAA"})
    receipt = apply(lab, [change], send=send)["t"]
    assert (receipt.status, receipt.kind) == ("failed", "validation")


@pytest.mark.parametrize("bulk", [False, True])
def test_what_was_purged_already_was_to_be_deleted(lab: SalesforceLab, bulk: bool) -> None:
    change = Change("archive", "t", id="00Qsb0zzzzzzzzzEAA")
    assert apply(lab, [change], bulk=bulk)["t"].status == "done"


@pytest.mark.parametrize("bulk", [False, True])
def test_who_may_only_read_is_asked_about_once(
    make_lab: Callable[..., SalesforceLab], bulk: bool
) -> None:
    lab = make_lab(450)
    ids = lab.org.tables["Lead"].ids()[:401]
    calls: list[Call] = []
    changes = [Change("update", i, id=i, values={"city": "X"}) for i in ids]
    found = apply(lab, changes, calls=calls, token="read_only", bulk=bulk)
    assert {(r.status, r.kind) for r in found.values()} == {("failed", "permission")}
    assert len([call for call in calls if call.method != "GET"]) == 1


def test_a_create_whose_answer_is_lost_is_unknown(lab: SalesforceLab, whole: Any) -> None:
    lab.sandbox.faults.add("lost:times=1:method=POST:path=*/composite/sobjects")
    before = len(lab.org.tables["Lead"].ids())
    found = whole(lab, *(Change("create", f"t{n}", values=GOOD) for n in (1, 2)))
    assert {(r.status, r.kind) for r in found.values()} == {("unknown", "unsettled")}
    assert len(lab.org.tables["Lead"].ids()) == before + 2


def test_only_the_collection_whose_answer_was_lost_is_in_doubt(lab: SalesforceLab) -> None:
    plain = sender(lab)
    posts: list[Call] = []

    def send(call: Call) -> Reply:
        if call.method == "POST":
            posts.append(call)
            if len(posts) == 1:
                raise LOST
        return plain(call)

    found = apply(lab, [Change("create", f"t{n}", values=GOOD) for n in range(201)], send=send)
    assert [found[f"t{n}"].status for n in (0, 199, 200)] == ["unknown", "unknown", "done"]


@pytest.mark.parametrize("error", [CircuitOpenError("left alone"), UnavailableError("refused")])
def test_a_create_that_was_never_applied_is_raised(
    lab: SalesforceLab, error: UnavailableError
) -> None:
    plain = sender(lab)

    def send(call: Call) -> Reply:
        if call.method == "GET":
            return plain(call)
        raise error

    with pytest.raises(UnavailableError) as caught:
        apply(lab, [Change("create", "t", values=GOOD)], send=send)
    assert caught.value is error


@pytest.mark.parametrize(("action", "status"), [("create", "unknown"), ("update", "retry")])
def test_a_job_that_nobody_can_ask_about_any_more_leaves_creates_in_doubt(
    lab: SalesforceLab, action: Any, status: str
) -> None:
    plain = sender(lab)

    def send(call: Call) -> Reply:
        if call.method == "GET" and "/jobs/ingest/" in call.path:
            raise UnavailableError("nobody answers")
        return plain(call)

    known = lab.org.tables["Lead"].ids()[0] if action == "update" else ""
    provider = Salesforce({"bulk_write_from": 1})
    work = provider.write(
        provider.resource("leads"), [Change(action, "t", id=known, values=GOOD)], send
    )
    assert next(work).status == status
    with pytest.raises(UnavailableError):
        next(work)


def test_a_closing_whose_answer_is_lost_is_settled_by_the_job(
    lab: SalesforceLab, whole: Any
) -> None:
    lab.set("bulk_write_from", "1")
    lab.sandbox.faults.add("lost:times=1:method=PATCH:path=*/jobs/ingest/*")
    before = len(lab.org.tables["Lead"].ids())
    found = whole(lab, *(Change("create", f"t{n}", values=GOOD) for n in (1, 2)))
    assert {r.status for r in found.values()} == {"done"}
    assert len(lab.org.tables["Lead"].ids()) == before + 2


def test_a_job_that_failed_says_why(lab: SalesforceLab) -> None:
    plain = sender(lab)

    def send(call: Call) -> Reply:
        if call.method == "PUT":
            lab.org.ingests[call.path.split("/")[-2]].file = b'"Gone__c"\n"x"\n'
            return Reply(201, {}, b"")
        return plain(call)

    receipt = apply(lab, [Change("create", "t", values=GOOD)], bulk=True, send=send)["t"]
    assert receipt.status == "retry"
    assert "Field name not found : Gone__c" in receipt.message


def test_enough_is_handed_over_at_once_for_jobs_to_be_made() -> None:
    for resource in RESOURCES:
        assert resource.writes is not None
        assert resource.writes.at_once >= BULK_WRITE_FROM
        assert resource.writes.unique == ()

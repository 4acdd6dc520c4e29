"""Writing to HubSpot: item by item, with its own reasons, and values as a listing shows them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from lumio_cli.core.errors import OUTCOME_UNKNOWN, CircuitOpenError, UnavailableError
from lumio_cli.providers.contract.call import Call, Reply, dig
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.resource import Column
from lumio_cli.providers.contract.values import meaning
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.hubspot import HubSpot
from lumio_cli.transport.request_log import Tally
from support.lab import Lab

from .conftest import Write, ids

DEFINITIONS = [
    {"name": "city", "type": "string", "fieldType": "text", "hubspotDefined": True},
    {"name": "email", "type": "string", "fieldType": "text", "hubspotDefined": True},
    {"name": "score", "type": "number", "fieldType": "calculation_equation"},
    {"name": "stage_count", "type": "number", "fieldType": "number", "calculated": True},
    {
        "name": "notes",
        "type": "string",
        "fieldType": "text",
        "modificationMetadata": {"readOnlyValue": True},
    },
]


def answering(*answers: tuple[int, Any] | Exception) -> tuple[list[Call], Callable[[Call], Reply]]:
    """The batches that were sent, and a way to send that answers them one after the other."""
    sent: list[Call] = []
    left = list(answers)

    def send(call: Call) -> Reply:
        if call.method == "GET":
            return Reply(200, {}, json.dumps({"results": DEFINITIONS}).encode())
        sent.append(call)
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Reply(answer[0], {}, json.dumps(answer[1]).encode())

    return sent, send


def receipts(
    send: Callable[[Call], Reply], changes: Iterable[Change], **options: Any
) -> dict[str, Receipt]:
    provider = HubSpot(options)
    return {r.trace: r for r in provider.write(provider.resource("contacts"), list(changes), send)}


def results(changes: Iterable[Change]) -> Mapping[str, Any]:
    """A good answer to a batch of updates."""
    return {
        "status": "COMPLETE",
        "results": [{"id": c.id, "properties": dict(c.values)} for c in changes],
    }


def updates(count: int) -> list[Change]:
    return [Change("update", f"t{n}", id=str(n), values={"city": f"C{n}"}) for n in range(count)]


# -- batches


def test_ten_thousand_edits_are_a_hundred_requests(
    make_lab: Callable[..., Lab], writer: Callable[..., Write], sent: Tally
) -> None:
    lab = make_lab(10_000)
    changes = [Change("update", f"t{i}", id=i, values={"city": "Recife"}) for i in ids(lab)]
    assert len(changes) == 10_000
    found = writer(lab)(*changes)
    assert {r.status for r in found.values()} == {"done"}
    assert sent.requests == 100 + 1, "one asks what the properties are"


@pytest.mark.parametrize("action", ["create", "update"])
def test_three_invalid_of_a_hundred_fail_with_hubspots_reasons(
    lab: Lab, write: Write, sent: Tally, action: Any
) -> None:
    changes = []
    for n, known in enumerate(ids(lab)[:100]):
        email = {7: "nobody", 42: "no one", 99: "@"}.get(n, f"fresh{n}@example.com")
        id_ = known if action == "update" else ""
        changes.append(Change(action, f"t{n}", id=id_, values={"email": email}))
    found = write(*changes)
    bad = {trace: r for trace, r in found.items() if r.status != "done"}
    assert sorted(bad) == ["t42", "t7", "t99"]
    assert {(r.status, r.kind) for r in bad.values()} == {("failed", "validation")}
    assert bad["t7"].message == "Email address nobody is invalid (INVALID_EMAIL)"
    assert bad["t42"].message == "Email address no one is invalid (INVALID_EMAIL)"
    assert len(found) == 100
    # A batch create is settled item by item; updates are sent again without the one refused.
    assert sent.requests == 1 + (1 if action == "create" else 4)
    for trace in ("t0", "t98"):
        stored = lab.sandbox.hubspot.read("contacts", found[trace].id)
        assert stored["email"] == f"fresh{trace[1:]}@example.com"


@pytest.mark.parametrize(
    "context", [{"objectWriteTraceId": ["{}"]}, {"index": ["{}"]}], ids=["trace", "index"]
)
def test_items_that_a_refusal_names_are_taken_out_in_one_go(context: Any) -> None:
    changes = updates(100)
    bad = [3, 50, 98]
    (name, (template,)) = next(iter(context.items()))
    is_index = name == "index"
    named = [
        {
            "message": f"C{n} is not a city",
            "code": "INVALID_OPTION",
            "context": {name: [template.format(n if is_index else f"t{n}")]},
        }
        for n in bad
    ]
    refusal = {"category": "VALIDATION_ERROR", "message": "no", "errors": named}
    good = [c for n, c in enumerate(changes) if n not in bad]
    sent, send = answering((400, refusal), (200, results(good)))
    found = receipts(send, changes)
    assert [len(call.json["inputs"]) for call in sent] == [100, 97]
    assert [t for t, r in found.items() if r.status == "failed"] == ["t3", "t50", "t98"]
    assert found["t50"].message == "C50 is not a city (INVALID_OPTION)"
    assert sum(r.status == "done" for r in found.values()) == 97


def test_a_refusal_that_names_nothing_is_cut_in_two() -> None:
    changes = updates(4)

    def send(call: Call) -> Reply:
        if call.method == "GET":
            return Reply(200, {}, json.dumps({"results": DEFINITIONS}).encode())
        given = [c for c in changes if c.id in {i["id"] for i in call.json["inputs"]}]
        if any(c.id == "2" for c in given):
            return Reply(400, {}, b'{"category": "VALIDATION_ERROR", "message": "not so"}')
        return Reply(200, {}, json.dumps(results(given)).encode())

    found = receipts(send, changes)
    assert [found[f"t{n}"].status for n in range(4)] == ["done", "done", "failed", "done"]
    assert found["t2"].message == "not so (VALIDATION_ERROR)"


def test_a_value_that_several_have_is_asked_about_apart() -> None:
    """It may be invalid in one record alone, such as a stage of another pipeline."""
    changes = [
        Change("update", f"t{n}", id=str(n), values={"city": "X" if n in (1, 2) else "Y"})
        for n in range(4)
    ]

    def send(call: Call) -> Reply:
        if call.method == "GET":
            return Reply(200, {}, json.dumps({"results": DEFINITIONS}).encode())
        asked = {item["id"] for item in call.json["inputs"]}
        if "1" in asked:
            why = json.dumps([{"name": "city", "propertyValue": "X", "message": "no X"}])
            message = f"Property values were not valid: {why}"
            body = {"category": "VALIDATION_ERROR", "message": message}
            return Reply(400, {}, json.dumps(body).encode())
        return Reply(200, {}, json.dumps(results(c for c in changes if c.id in asked)).encode())

    found = receipts(send, changes)
    assert [found[f"t{n}"].status for n in range(4)] == ["done", "failed", "done", "done"]
    assert found["t1"].message == "city: no X"


# -- what becomes of a change


def test_a_known_address_is_a_conflict(lab: Lab, write: Write) -> None:
    first, second = ids(lab)[:2]
    known = lab.sandbox.hubspot.read("contacts", first)["email"]
    made = write(Change("create", "a", values={"email": known}))["a"]
    edited = write(Change("update", "b", id=second, values={"email": known}))["b"]
    assert (made.status, made.kind) == (edited.status, edited.kind) == ("failed", "conflict")
    assert first in edited.message


def test_what_is_gone_cannot_be_updated_but_is_archived(lab: Lab, write: Write) -> None:
    kept, gone = ids(lab)[:2]
    lab.sandbox.hubspot.archive("contacts", gone)
    found = write(
        Change("update", "a", id=kept, values={"city": "Olinda"}),
        Change("update", "b", id=gone, values={"city": "Olinda"}),
    )
    assert (found["a"].status, found["b"].status, found["b"].kind) == ("done", "failed", "gone")
    assert write(Change("archive", "c", id=gone))["c"].status == "done"


def test_a_missing_scope_is_named_for_every_change_and_asked_for_once(
    lab: Lab, writer: Callable[..., Write], sent: Tally
) -> None:
    lab.token = lab.sandbox.token("hubspot", "read_only")
    changes = [Change("update", f"t{i}", id=i, values={"city": "X"}) for i in ids(lab)]
    found = writer(lab)(*changes)
    assert {(r.status, r.kind) for r in found.values()} == {("failed", "permission")}
    assert all("crm.objects.contacts.write" in r.message for r in found.values())
    assert sent.requests == 2


def test_a_create_whose_answer_is_lost_is_unknown(lab: Lab, write: Write) -> None:
    lab.sandbox.faults.add("lost:times=1:path=*/batch/create")
    before = len(ids(lab))
    found = write(*(Change("create", f"t{n}", values={"email": f"n{n}@x.example"}) for n in (1, 2)))
    assert {(r.status, r.kind) for r in found.values()} == {("unknown", "unsettled")}
    assert len(ids(lab)) == before + 2


def test_only_the_batch_whose_answer_was_lost_is_in_doubt() -> None:
    changes = [Change("create", f"t{n}", values={"city": str(n)}) for n in range(150)]
    made = [{"id": str(1000 + n), "objectWriteTraceId": f"t{n}"} for n in range(100, 150)]
    lost = UnavailableError("the answer was lost", code=OUTCOME_UNKNOWN)
    sent, send = answering(lost, (201, {"results": made}))
    found = receipts(send, changes)
    assert [found[f"t{n}"].status for n in (0, 99, 100, 149)] == ["unknown"] * 2 + ["done"] * 2
    assert not any(call.repeatable for call in sent)


@pytest.mark.parametrize("action", ["update", "archive"])
def test_what_says_what_shall_be_true_may_be_sent_again(action: Any) -> None:
    sent, send = answering(UnavailableError("nobody answers"))
    (receipt,) = receipts(send, [Change(action, "t", id="1")]).values()
    assert (receipt.status, receipt.kind) == ("retry", "transient")
    assert sent[0].repeatable


@pytest.mark.parametrize(
    "error", [CircuitOpenError("left alone"), UnavailableError("connection refused")]
)
def test_a_create_that_was_never_applied_is_raised(error: UnavailableError) -> None:
    _, send = answering(error)
    with pytest.raises(UnavailableError) as caught:
        receipts(send, [Change("create", "t", values={"city": "X"})])
    assert caught.value is error


@pytest.mark.parametrize("body", [[], {}, {"results": [{}]}, {"results": None, "errors": [1]}])
def test_an_answer_that_names_nothing_leaves_a_create_unknown(body: Any) -> None:
    _, send = answering((201, body))
    (receipt,) = receipts(send, [Change("create", "t", values={"city": "X"})]).values()
    assert (receipt.status, receipt.kind) == ("unknown", "unsettled")


# -- columns and values


@pytest.mark.parametrize("column", ["createdate", "lastmodifieddate", "notes", "score", "nope"])
def test_what_cannot_be_written_is_refused_before_anything_is_sent(column: str) -> None:
    sent, send = answering()
    (receipt,) = receipts(send, [Change("update", "t", id="1", values={column: "1"})]).values()
    assert (receipt.status, receipt.kind) == ("failed", "validation")
    assert receipt.message.startswith(column)
    assert sent == []


def test_a_description_tells_what_is_read_only() -> None:
    provider = HubSpot({})
    _, send = answering()
    found = provider.describe(provider.resource("contacts"), send) or ()
    flags = {p.name: p.column.read_only for p in found}
    assert flags == {"city": False, "email": False, "notes": True, "score": True,
                     "stage_count": True}  # fmt: skip


def test_columns_go_by_their_own_names() -> None:
    changes = [Change("update", "t", id="1", values={"town": "Natal", "email": None})]
    sent, send = answering((200, {"results": [{"id": "1"}]}))
    receipts(send, changes, columns={"contacts": {"town": "properties.city"}})
    assert sent[0].json["inputs"][0]["properties"] == {"city": "Natal", "email": ""}


def test_a_create_says_nothing_of_what_is_empty() -> None:
    sent, send = answering((201, {"results": []}))
    receipts(send, [Change("create", "t", values={"city": "Natal", "email": None})])
    assert sent[0].json["inputs"][0]["properties"] == {"city": "Natal"}


VALUES = [
    ("vip", "boolean", 1),
    ("vip", "boolean", 0),
    ("loyalty_points", "number", "12.50"),
    ("loyalty_points", "number", 1e21),
    ("loyalty_points", "number", -3),
    ("renewal_date", "datetime", "2026-01-31"),
    ("renewal_date", "datetime", "2026-01-31T00:00:00Z"),
    ("called_at", "datetime", "2026-01-31T10:20:30Z"),
    ("called_at", "datetime", "2026-01-31T10:20:30.250+02:00"),
    ("called_at", "datetime", "2026-01-31"),
    ("favorite_color", "text", "teal"),
    ("message", "text", " two\nlines, Größe "),
    ("message", "text", None),
    ("email", "text", "Some.One@Example.COM"),
]


@pytest.mark.parametrize(("name", "kind", "value"), VALUES)
@pytest.mark.parametrize("action", ["create", "update"])
def test_a_value_is_read_back_as_it_was_meant(
    lab: Lab, write: Write, name: str, kind: Any, value: Any, action: Any
) -> None:
    from lumio_cli.providers.contract.values import as_text

    lab.sandbox.hubspot.add_property("contacts", "called_at", "datetime", "date")
    provider = HubSpot({})
    declared = {c.name: c for c in provider.resource("contacts").columns}
    column = declared.get(name) or Column(name, f"properties.{name}", kind)
    id_ = ids(lab)[0] if action == "update" else ""
    change = Change(action, "t", id=id_, values={name: as_text(kind, value)})
    receipt = write(change)["t"]
    assert receipt.status == "done", receipt

    def meant(shown: Any) -> Any:
        return meaning(column.kind, column.same, shown)

    stored = lab.sandbox.hubspot.read("contacts", receipt.id)[name]
    assert meant(stored) == meant(value)
    assert meant(provider.shown(column, value)) == meant(stored)
    if value is not None:
        assert meant(dig(receipt.record, column.path)) == meant(stored)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vip", "maybe"),
        ("loyalty_points", "many"),
        ("loyalty_points", "Infinity"),
        ("renewal_date", "2026-01-31T10:00:00Z"),
        ("renewal_date", "soon"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(
    lab: Lab, write: Write, name: str, value: str
) -> None:
    good, bad = ids(lab)[:2]
    found = write(
        Change("update", "good", id=good, values={"city": "Natal"}),
        Change("update", "bad", id=bad, values={name: value}),
    )
    assert found["good"].status == "done"
    assert (found["bad"].status, found["bad"].kind) == ("failed", "validation")
    assert name in found["bad"].message
    assert value in found["bad"].message


def test_a_receipts_record_has_the_form_of_a_listing(lab: Lab, write: Write) -> None:
    listed = next(iter(lab.sandbox.hubspot.dump("contacts")))
    known = str(listed["id"])
    changed = write(Change("update", "a", id=known, values={"city": "Natal"}))["a"].record
    made = write(Change("create", "b", values={"email": "new@x.example"}))["b"].record
    for record in (changed, made):
        assert record is not None
        assert set(record) <= set(listed)
        assert set(record["properties"]) <= set(listed["properties"])
    assert dig(changed, "properties.city") == "Natal"
    assert dig(made, "properties.email") == "new@x.example"


def test_contacts_alone_are_known_by_their_email() -> None:
    unique = {r.name: r.writes.unique for r in HubSpot({}).resources if r.writes is not None}
    assert unique == {
        "contacts": ("email",), "companies": (), "deals": (), "products": (), "tickets": (),
    }  # fmt: skip

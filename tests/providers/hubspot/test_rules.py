"""What an account's administrator requires: enforced from version 2026-09 on, and told by field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.hubspot import HubSpot
from lumio_cli.sandbox.hubspot.rules import Rule
from support.lab import Lab

from .conftest import Write, ids
from .test_writing import answering, receipts

NAMED = Rule("contacts", "firstname")
WITH_STATE = Rule("contacts", "state", when="country", equals="Brasil")
Labs = Callable[..., Lab]


def ruled(make_lab: Labs, version: str) -> Lab:
    """An account with two rules, and lumio that asks it in this version."""
    lab = make_lab(20)
    lab.extra["LUMIO_PROVIDERS__HUBSPOT__API_VERSION"] = version
    lab.sandbox.hubspot.rules = [NAMED, WITH_STATE]
    for known in ids(lab):
        lab.sandbox.hubspot.update("contacts", known, {"country": "Portugal", "state": ""})
    return lab


def changes(lab: Lab) -> list[Change]:
    """Twelve of which three break a rule each, one of them both."""
    known = ids(lab)
    made = [
        Change("create", f"n{n}", values={"email": f"n{n}@example.com", "firstname": "Zoë"})
        for n in range(2)
    ]
    bare = Change("create", "bare", values={"email": "bare@example.com"})
    both = Change("create", "both", values={"email": "b@example.com", "country": "Brasil"})
    edits = [Change("update", f"u{n}", id=known[n], values={"city": "Natal"}) for n in range(7)]
    moved = Change("update", "moved", id=known[7], values={"country": "Brasil"})
    return [*made, bare, both, *edits, moved]


def test_each_broken_rule_is_a_failure_by_field_and_the_rest_is_written(
    make_lab: Labs, writer: Callable[[Lab], Write]
) -> None:
    lab = ruled(make_lab, "2026-09")
    sent = changes(lab)
    write = writer(lab)
    found = write(*sent[:4]) | write(*sent[4:])
    bad = {trace: r for trace, r in found.items() if r.status != "done"}
    assert sorted(bad) == ["bare", "both", "moved"]
    assert {(r.status, r.kind) for r in bad.values()} == {("failed", "validation")}
    named = "A value for firstname must be provided (MISSING_REQUIRED_PROPERTY)"
    state = (
        "state is required because of a conditional property rule based on [country] "
        "(MISSING_CONDITIONAL_REQUIRED_PROPERTY)"
    )
    assert bad["bare"].message == named
    assert bad["both"].message == f"{named}; {state}"
    assert bad["moved"].message == state
    assert lab.sandbox.hubspot.read("contacts", sent[4].id)["city"] == "Natal"
    whole = Change("update", "w", id=sent[-1].id, values={"country": "Brasil", "state": "RN"})
    assert write(whole)["w"].status == "done"


@pytest.mark.parametrize("version", ["v3", "2026-03"])
def test_earlier_versions_know_no_rules(
    make_lab: Labs, writer: Callable[[Lab], Write], version: str
) -> None:
    lab = ruled(make_lab, version)
    sent = changes(lab)
    write = writer(lab)
    found = write(*sent[:4]) | write(*sent[4:])
    assert {r.status for r in found.values()} == {"done"}


def test_the_letter_of_an_edit_names_the_field(make_lab: Labs) -> None:
    lab = ruled(make_lab, "2026-09")
    lab.lumio("sync", "hubspot/contacts")
    moved, other = ids(lab)[:2]
    lab.lumio("records", "set", "hubspot/contacts", moved, "country=Brasil")
    lab.lumio("records", "set", "hubspot/contacts", other, "city=Natal")
    assert lab.lumio("sync", "hubspot/contacts", "--direction", "push").code == 3
    (letter,) = lab.lumio("failures", "list").document["failures"]
    assert letter["message"].startswith("state is required")
    assert lab.sandbox.hubspot.read("contacts", other)["city"] == "Natal"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ({"message": "Some required properties were not set.",
          "context": {"properties": ["name", "domain"]}, "category": "VALIDATION_ERROR"},
         "name, domain: Some required properties were not set. (VALIDATION_ERROR)"),
        ({"errors": [{"message": "Enter a value", "code": "X", "context": {"propertyName": ["it"]}},
                     {"message": "it is wrong", "context": {"propertyName": ["it"]}}]},
         "it: Enter a value (X); it is wrong"),
        ({"message": 'Property values were not valid: [{"message":"Enter only letters",'
                     '"error":"INVALID_ALPHA","name":"firstname"}]'},
         "firstname: Enter only letters (INVALID_ALPHA)"),
    ],
)  # fmt: skip
def test_fields_are_named_where_the_words_do_not(error: dict[str, Any], said: str) -> None:
    change = Change("update", "t", id="1", values={"city": "x"})
    _, send = answering((400, error))
    assert receipts(send, [change])["t"].message == said


def test_nothing_is_written_by_an_address() -> None:
    """HubSpot does not support partial upserts by e-mail."""

    def send(call: Call) -> Reply:
        assert call.method == "GET", "nothing may be written"
        return Reply(200, {}, b'{"results":[{"name":"city","type":"string"}]}')

    change = Change("upsert", "t", id="a@example.com", key="email", values={"city": "Natal"})
    receipt = receipts(send, [change])["t"]
    assert (receipt.status, receipt.kind) == ("failed", "validation")
    assert all(not r.writes.upsert for r in HubSpot({}).resources if r.writes is not None)

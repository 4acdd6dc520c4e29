"""Edits that the provider's own changes have met: listed, shown, decided."""

from __future__ import annotations

from typing import Any

import pytest

from lumio_cli.sync.run_locks import target_lock
from support.lab import Lab, Outcome

from .conftest import TARGET, ids, there


def here(lab: Lab, record: str) -> list[tuple[Any, ...]]:
    return lab.sql("SELECT city FROM hubspot_contacts WHERE id = ?", record)


def push(lab: Lab) -> Outcome:
    return lab.lumio("sync", TARGET, "--direction", "push")


def clash(lab: Lab, number: int = 0, ours: str = "Natal", theirs: str = "Recife") -> str:
    """A contact whose city both sides change; returns its id."""
    record = ids(lab)[number]
    lab.sql("UPDATE hubspot_contacts SET city = ? WHERE id = ?", ours, record)
    lab.sandbox.hubspot.update("contacts", record, {"city": theirs})
    return record


def listed(lab: Lab, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = lab.lumio("conflicts", "list", *words).document["conflicts"]
    return found


def resolve(lab: Lab, *words: str, use: str) -> dict[str, list[str]]:
    """Resolve; returns the ids by what became of them."""
    done = lab.lumio("conflicts", "resolve", TARGET, *words, "--use", use)
    none = done.document["none"]
    some = any(done.document[name] for name in ("pending", "given_up", "left"))
    left = bool(done.document["left"])
    assert done.code == (3 if left or (none and some) else 2 if none else 0), done.out
    return {name: [e["id"] for e in found] for name, found in done.document.items() if found}


def test_where_nothing_was_ever_synced(lab: Lab) -> None:
    empty = {"LUMIO_HOME": str(lab.home / "other")}
    assert lab.lumio("conflicts", "list", environ=empty).document == {
        "conflicts": [],
        "more": False,
    }
    done = lab.lumio(
        "conflicts", "resolve", TARGET, "1", "--use", "local", "-o", "table", environ=empty
    )
    assert (done.code, done.out) == (2, "nothing to resolve\n")
    assert f"{TARGET} 1 has no such conflict" in done.err


def test_a_conflict_is_listed_and_shown(lab: Lab) -> None:
    one = ids(lab)[0]
    (before,) = here(lab, one)[0]
    clash(lab)
    lab.sql("UPDATE hubspot_contacts SET firstname = 'Ana' WHERE id = ?", one)
    assert push(lab).code == 3
    (found,) = listed(lab)
    assert (found["id"], found["kind"]) == (one, "edit")
    assert found["fields"] == [
        {"name": "city", "base": before, "theirs": "Recife", "ours": "Natal"}
    ]
    assert [side["name"] for side in found["others"]] == ["firstname"]
    assert lab.lumio("conflicts", "show", TARGET, one).document == found
    shown = lab.lumio("conflicts", "show", TARGET, one, "-o", "table").out
    assert "changed on both sides" in shown
    assert "Recife" in shown
    assert listed(lab, "hubspot/companies") == []
    assert len(listed(lab, "hubspot")) == 1
    assert "city" in lab.lumio("conflicts", "list", "-o", "table").out


def test_a_long_list_is_cut_and_says_so(lab: Lab) -> None:
    for number in range(3):
        clash(lab, number)
    push(lab)
    done = lab.lumio("conflicts", "list", "--limit", "2")
    assert (len(done.document["conflicts"]), done.document["more"]) == (2, True)


@pytest.mark.parametrize(
    ("use", "city"), [("local", "Natal"), ("provider", "Recife"), ("newest", "Recife")]
)
def test_a_conflict_is_decided(lab: Lab, use: str, city: str) -> None:
    one = clash(lab)
    push(lab)
    became = "pending" if use == "local" else "given_up"
    assert resolve(lab, one, use=use) == {became: [one]}
    assert listed(lab) == []
    assert here(lab, one) == [(city,)]
    assert push(lab).code == 0
    assert there(lab, one)["city"] == city
    assert lab.sql("SELECT count(*) FROM lumio_outbox") == [(0,)]


def test_what_was_given_up_is_remembered(lab: Lab) -> None:
    one = clash(lab)
    push(lab)
    resolve(lab, "--all", use="provider")
    assert lab.sql("SELECT origin, run_id, fields FROM lumio_history WHERE origin = 'merge'") == [
        ("merge", "by hand", '{"city": ["Natal", "Recife"]}')
    ]
    assert here(lab, one) == [("Recife",)]


def test_all_of_a_target_and_only_those_named(lab: Lab) -> None:
    one, two, three = (clash(lab, number) for number in range(3))
    push(lab)
    assert resolve(lab, two, "5", use="local") == {"pending": [two], "none": ["5"]}
    assert sorted(resolve(lab, "--all", use="local")["pending"]) == [one, three]
    assert resolve(lab, "--all", use="local") == {}
    whole = lab.lumio("conflicts", "resolve", "hubspot", "--all", "--use", "local")
    assert whole.document == {"pending": [], "given_up": [], "left": [], "none": []}


def test_one_field_is_decided_and_the_other_is_not(lab: Lab) -> None:
    one = clash(lab)
    lab.sql("UPDATE hubspot_contacts SET firstname = 'Ana' WHERE id = ?", one)
    lab.sandbox.hubspot.update("contacts", one, {"firstname": "Bia"})
    push(lab)
    assert resolve(lab, one, "--field", "city", use="local") == {"left": [one]}
    (left,) = listed(lab)
    assert [side["name"] for side in left["fields"]] == ["firstname"]
    assert [side["name"] for side in left["others"]] == ["city"]
    assert resolve(lab, one, "--field", "city", use="local") == {"none": [one]}
    assert resolve(lab, one, "--field", "firstname", use="provider") == {"pending": [one]}
    assert push(lab).code == 0
    assert (there(lab, one)["city"], there(lab, one)["firstname"]) == ("Natal", "Bia")


def test_one_field_of_all_conflicts_is_decided(lab: Lab) -> None:
    one, two = clash(lab), ids(lab)[1]
    lab.sql("UPDATE hubspot_contacts SET firstname = 'Ana' WHERE id = ?", two)
    lab.sandbox.hubspot.update("contacts", two, {"firstname": "Bia"})
    push(lab)
    done = lab.lumio(
        "conflicts", "resolve", "hubspot", "--all", "--use", "local", "--field", "city"
    )
    assert [entry["id"] for entry in done.document["pending"]] == [one]
    assert done.document["none"] == []
    assert [conflict["id"] for conflict in listed(lab)] == [two]


def test_the_last_field_is_given_up(lab: Lab) -> None:
    one = clash(lab)
    push(lab)
    assert resolve(lab, one, "--field", "city", use="provider") == {"given_up": [one]}
    assert lab.sql("SELECT count(*) FROM lumio_outbox") == [(0,)]


@pytest.mark.parametrize("words", [(), ("--field", "city")])
def test_a_field_that_was_set_back_is_no_conflict_any_more(lab: Lab, words: tuple[str]) -> None:
    one = ids(lab)[0]
    (before,) = here(lab, one)[0]
    clash(lab)
    lab.sql("UPDATE hubspot_contacts SET firstname = 'Ana' WHERE id = ?", one)
    push(lab)
    lab.sql("UPDATE hubspot_contacts SET city = ? WHERE id = ?", before, one)
    (left,) = listed(lab)
    assert left["fields"] == []
    assert [(side["name"], side["ours"]) for side in left["others"]] == [("firstname", "Ana")]
    assert lab.lumio("conflicts", "show", TARGET, one, "-o", "table").code == 0
    assert resolve(lab, one, *words, use="local") == {"pending": [one]}
    assert push(lab).code == 0
    assert (there(lab, one)["city"], there(lab, one)["firstname"]) == ("Recife", "Ana")


def test_only_fields_that_are_still_edited_are_in_a_conflict(lab: Lab) -> None:
    one = ids(lab)[0]
    (before,) = here(lab, one)[0]
    clash(lab)
    lab.sql("UPDATE hubspot_contacts SET firstname = 'Ana' WHERE id = ?", one)
    lab.sandbox.hubspot.update("contacts", one, {"firstname": "Bia"})
    push(lab)
    lab.sql("UPDATE hubspot_contacts SET city = ? WHERE id = ?", before, one)
    (left,) = listed(lab)
    assert [side["name"] for side in left["fields"]] == ["firstname"]
    assert resolve(lab, one, "--field", "city", use="local") == {"none": [one]}
    assert resolve(lab, one, "--field", "firstname", use="local") == {"pending": [one]}


def test_a_field_of_a_record_that_was_deleted_meanwhile_is_not_decided(lab: Lab) -> None:
    one = clash(lab)
    push(lab)
    lab.sandbox.hubspot.archive("contacts", one)
    lab.lumio("sync", TARGET)
    lab.sql(
        "UPDATE lumio_outbox SET conflict = ?", '{"kind": "edit", "fields": {"city": "Recife"}}'
    )
    assert resolve(lab, one, "--field", "city", use="local") == {"left": [one]}
    assert [conflict["kind"] for conflict in listed(lab)] == ["deleted"]


def test_deleted_there_and_edited_here(lab: Lab) -> None:
    one, two = ids(lab)[:2]
    name = there(lab, two)["lastname"]
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal' WHERE id IN (?, ?)", one, two)
    lab.sandbox.hubspot.archive("contacts", one)
    lab.sandbox.hubspot.archive("contacts", two)
    push(lab)
    assert {c["kind"] for c in listed(lab)} == {"deleted"}
    assert [side["ours"] for side in listed(lab)[0]["fields"]] == ["Natal"]
    assert resolve(lab, one, use="newest") == {"left": [one]}
    assert resolve(lab, one, use="provider") == {"given_up": [one]}
    (new,) = resolve(lab, two, use="local")["pending"]
    assert new.startswith("new-")
    assert push(lab).code == 0
    ((anew,),) = lab.sql("SELECT id FROM hubspot_contacts WHERE city = 'Natal'")
    assert there(lab, anew)["lastname"] == name


def test_deleted_here_and_edited_there(lab: Lab) -> None:
    one, two = ids(lab)[:2]
    lab.sql("DELETE FROM hubspot_contacts WHERE id IN (?, ?)", one, two)
    for record in (one, two):
        lab.sandbox.hubspot.update("contacts", record, {"city": "Recife"})
    push(lab)
    assert {c["kind"] for c in listed(lab)} == {"changed"}
    assert resolve(lab, one, use="provider") == {"given_up": [one]}
    assert resolve(lab, two, use="local") == {"pending": [two]}
    assert push(lab).code == 0
    assert one in ids(lab)
    assert two not in ids(lab)
    assert here(lab, one) == [("Recife",)]


def test_what_cannot_be_meant(lab: Lab) -> None:
    for words, about in (
        (("resolve", TARGET, "--use", "local"), "--all"),
        (("resolve", TARGET, "1", "--all", "--use", "local"), "--all"),
        (("resolve", "hubspot", "1", "--use", "local"), "many resources"),
        (("resolve", TARGET, "1", "--use", "local", "--field", "cty"), "no field 'cty'"),
        (("resolve", "hubspot", "--all", "--use", "local", "--field", "cty"), "no field 'cty'"),
        (("resolve", "hubspot/", "--all", "--use", "local"), "is no target"),
        (("resolve", "hubspot/contcts", "--all", "--use", "local"), "no resource"),
        (("show", "hubspot", "1"), "many resources"),
        (("show", TARGET, "1"), "has no conflict"),
        (("list", "hubspt"), "hubspt"),
    ):
        done = lab.lumio("conflicts", *words)
        assert done.code == 2, words
        assert about in done.document["error"]["message"], words


def test_a_run_is_not_interfered_with(lab: Lab) -> None:
    one = clash(lab)
    push(lab)
    lock = target_lock(lab.home / "locks", "hubspot", "contacts")
    assert lock.try_acquire()
    try:
        assert lab.lumio("conflicts", "resolve", TARGET, one, "--use", "local").code == 6
    finally:
        lock.release()
    assert len(listed(lab)) == 1

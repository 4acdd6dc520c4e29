"""What was sent is compared with what came back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.hub.sqlite.columns import ViewColumn
from lumio_cli.hub.sqlite.written_values import Form, Written
from lumio_cli.sync.merging.forms import of_answer, of_reading
from support.lab import Lab

from .conftest import TARGET, ids, there


def push(lab: Lab, code: int = 0) -> dict[str, Any]:
    done = lab.lumio("sync", TARGET, "--direction", "push")
    assert done.code == code, done.out
    return dict(done.document["resources"][0])


def set_stage(lab: Lab, record: str, stage: str | None, **more: str) -> None:
    names = ", ".join(f"{name} = ?" for name in ("lifecyclestage", *more))
    lab.sql(f"UPDATE hubspot_contacts SET {names} WHERE id = ?", stage, *more.values(), record)


@pytest.fixture
def customer(make_lab: Callable[..., Lab]) -> tuple[Lab, str]:
    """A lab with a contact that is a customer."""
    lab = make_lab(3)
    one = ids(lab)[0]
    lab.sandbox.hubspot.update("contacts", one, {"lifecyclestage": "customer"})
    assert lab.lumio("sync", TARGET).code == 0
    return lab, one


def updates(lab: Lab) -> int:
    path = "/hubspot/crm/objects/2026-03/contacts/batch/update"
    return sum(1 for _, _, asked, _ in lab.sandbox.requests if asked == path)


@pytest.mark.parametrize(("stage", "requests"), [("lead", 2), ("evangelist", 1), (None, 1)])
def test_a_stage_is_cleared_before_it_is_set_backwards(
    customer: tuple[Lab, str], stage: str | None, requests: int
) -> None:
    lab, one = customer
    set_stage(lab, one, stage)
    entry = push(lab)
    assert (entry["updated"], entry["failed"], updates(lab)) == (1, 0, requests)
    assert there(lab, one)["lifecyclestage"] == stage
    assert lab.sql("SELECT count(*) FROM lumio_outbox") == [(0,)]


def test_a_stage_stays_where_the_rest_of_its_edit_is_refused(customer: tuple[Lab, str]) -> None:
    lab, one = customer
    set_stage(lab, one, "lead", hs_lead_status="none such")
    assert push(lab, 3)["failed"] == 1
    assert there(lab, one)["lifecyclestage"] == "customer"


def test_a_value_that_was_not_taken_is_a_failure_with_its_name(lab: Lab) -> None:
    one = ids(lab)[0]
    city = there(lab, one)["city"]
    lab.sandbox.habits.set(["city:ignore"])
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal', zip = '1' WHERE id = ?", one)
    push(lab)
    # The answer said nothing of the city: a reading does.
    done = lab.lumio("sync", TARGET, "--mode", "full")
    assert (done.code, done.document["resources"][0]["failed"]) == (3, 1)
    assert lab.sql("SELECT city, zip FROM hubspot_contacts WHERE id = ?", one) == [("Natal", "1")]
    (letter,) = lab.lumio("failures", "list").document["failures"]
    assert letter["message"].startswith(
        f"city: 'Natal' was not taken, hubspot has still or again {city!r}"
    )
    assert lab.lumio("failures", "drop", str(letter["id"]), "--yes").code == 0
    assert lab.sql("SELECT city FROM hubspot_contacts WHERE id = ?", one) == [(city,)]


def test_a_new_record_without_one_of_its_values_is_there_and_has_failed(lab: Lab) -> None:
    before = set(ids(lab))
    # Names are among what HubSpot tells unasked.
    lab.sandbox.habits.set(["lastname:ignore"])
    lab.sql("INSERT INTO hubspot_contacts (email, lastname) VALUES ('a@x.example', 'Lima')")
    entry = push(lab, 3)
    assert (entry["sent"], entry["created"], entry["failed"]) == (1, 1, 1)
    (made,) = set(ids(lab)) - before
    assert lab.sql("SELECT record, action, status, edits FROM lumio_outbox") == [
        (made, "update", "failed", '{"lastname": "Lima"}')
    ]
    lab.sandbox.habits.set([])
    lab.lumio("failures", "retry")
    assert push(lab)["updated"] == 1
    assert there(lab, made)["lastname"] == "Lima"


def test_the_same_file_is_no_edit_where_the_provider_has_forms_of_its_own(
    lab: Lab, tmp_path: Path
) -> None:
    lab.sandbox.habits.set(["phone:phone", "lastname:trim", "annualrevenue:cents"])
    rows = [f"{record},(11) 98765-000{n}, da  Silva " for n, record in enumerate(ids(lab)[:3])]
    file = tmp_path / "contacts.csv"
    file.write_text("\n".join(["id,phone,lastname", *rows]) + "\n")
    words = ("records", "import", TARGET, str(file))
    assert lab.lumio(*words).document["updated"] == 3
    entry = push(lab)
    assert sorted(entry["warnings"]) == [
        "lastname: ' da  Silva ' was written as 'da Silva' (and 2 more)",
        "phone: '(11) 98765-0000' was written as '+5511987650000' (and 2 more)",
    ]
    again = lab.lumio(*words).document
    assert (again["updated"], again["unchanged"]) == (0, 3)
    one = ids(lab)[0]
    told = lab.lumio("records", "set", TARGET, one, "phone=(11) 98765-0000").document
    assert told["action"] == "unchanged"
    # Once the provider's value is another, the old file says something again.
    lab.sandbox.hubspot.update("contacts", one, {"phone": "+1"})
    assert lab.lumio("sync", TARGET).code == 0
    assert lab.lumio(*words).document["updated"] == 1


def test_another_form_is_told_in_the_table(lab: Lab) -> None:
    lab.sandbox.habits.set(["phone:phone"])
    lab.lumio("records", "set", TARGET, ids(lab)[0], "phone=11 2345 6789")
    done = lab.lumio("sync", TARGET, "--direction", "push", "-o", "table")
    assert (done.code, "'11 2345 6789' was written as '+551123456789'" in done.err) == (0, True)


@pytest.mark.parametrize("policy", ["ask", "provider"])
def test_what_a_new_record_has_by_default_is_what_its_deletion_was_made_on(
    lab: Lab, policy: str
) -> None:
    before = set(ids(lab))
    lab.sql("INSERT INTO hubspot_contacts (email) VALUES ('a@x.example'), ('b@x.example')")
    push(lab)
    one, two = sorted(set(ids(lab)) - before)
    assert there(lab, one)["lifecyclestage"] == "lead"
    lab.sql("UPDATE hubspot_contacts SET lifecyclestage = 'customer' WHERE id = ?", one)
    lab.sql("DELETE FROM hubspot_contacts WHERE id = ?", two)
    words = (TARGET, "--direction", "push", "--conflicts", policy)
    plan = lab.lumio("preview", *words).document["resources"][0]
    assert (plan["updated"], plan["deleted"], plan["conflicts"]) == (1, 1, 0)
    done = lab.lumio("sync", *words)
    assert (done.code, two in ids(lab)) == (0, False), done.out
    assert there(lab, one)["lifecyclestage"] == "customer"


def test_a_creation_can_be_undone_before_anything_was_read(lab: Lab) -> None:
    before = set(ids(lab))
    lab.sql("INSERT INTO hubspot_contacts (email) VALUES ('a@x.example')")
    done = lab.lumio("sync", TARGET, "--direction", "push")
    assert lab.lumio("runs", "undo", done.document["run_id"], "--yes").code == 0
    assert set(ids(lab)) == before


def test_what_a_colleague_sets_in_another_way_is_no_form(lab: Lab) -> None:
    """Only what the provider made of what was sent is one."""
    one = ids(lab)[0]
    lab.lumio("records", "set", TARGET, one, "city=Natal")
    push(lab)
    lab.sandbox.hubspot.update("contacts", one, {"city": "NATAL"})
    assert lab.lumio("sync", TARGET).code == 0
    told = lab.lumio("records", "set", TARGET, one, "city=Natal").document
    assert told["action"] == "update"


TAGS = ViewColumn("tags", "tags", "json", read_only=False, same="set")


@pytest.mark.parametrize(
    ("their", "taken"),
    [
        ('["VIP ", "new"]', True),
        ('["vip", "new", "from an automation"]', True),
        ('["new"]', False),
        ('["old"]', False),
        ("[]", False),
    ],
)
def test_a_set_without_a_member_that_was_sent_is_no_form_of_it(their: str, taken: bool) -> None:
    """Whether an answer tells it or the first reading of a new record."""
    sent = '["vip", "new"]'
    columns = {"tags": TAGS}
    answered = of_answer(None, "1", {"tags": sent}, {}, {"tags": their}, columns)
    assert (set(answered.untaken), set(answered.reformed)) == (
        (set(), {"tags"}) if taken else ({"tags"}, set())
    )
    new = Written("1", {"tags": Form(sent, None, open=True)}, frozenset())
    read = of_reading(new, {"tags": their}, columns, sure=True)
    assert (set(read.untaken), set(read.reformed)) == (
        set(answered.untaken),
        set(answered.reformed),
    )
    early = of_reading(new, {"tags": their}, columns, sure=False)
    assert not early.untaken
    assert early.left.forms, "what is not sure yet is not forgotten"

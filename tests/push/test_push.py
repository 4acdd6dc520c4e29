"""Edits of the hub reach the provider, and what the provider says reaches the hub."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from lumio_cli.sandbox.http import Request, Response
from support.lab import Lab, Outcome

from .conftest import TARGET, ids, there

CREATE = "*/contacts/batch/create"


def emails(lab: Lab) -> list[str]:
    return [str(r["properties"]["email"]) for r in lab.sandbox.hubspot.dump("contacts")]


def push(lab: Lab, *words: str, direction: str = "push") -> Outcome:
    return lab.lumio("sync", TARGET, "--direction", direction, *words)


def entry(done: Outcome) -> dict[str, Any]:
    (found,) = (r for r in done.document["resources"] if r["direction"] == "push")
    return dict(found)


def outbox(lab: Lab) -> list[tuple[Any, ...]]:
    return lab.sql("SELECT record, action, status FROM lumio_outbox ORDER BY record")


def writes(lab: Lab) -> list[str]:
    return [
        path for _, _, path, _ in lab.sandbox.requests if "/batch/" in path and "read" not in path
    ]


def in_the_middle(lab: Lab, path: str, act: Callable[[], object]) -> None:
    """Do something once while the provider works on a request for `path`."""
    provider = lab.sandbox.providers["hubspot"]
    handle, left = provider.handle, [act]

    def handle_and_act(request: Request) -> Response:
        if path in request.path and left:
            left.pop()()
        return handle(request)

    provider.handle = handle_and_act  # type: ignore[method-assign]


def test_an_edit_is_pushed_and_is_no_edit_any_more(lab: Lab) -> None:
    one = ids(lab)[0]
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal' WHERE id = ?", one)
    done = push(lab)
    assert done.code == 0
    found = entry(done)
    assert (found["status"], found["sent"], found["updated"]) == ("succeeded", 1, 1)
    assert [r["direction"] for r in done.document["resources"]] == ["push"]
    assert there(lab, one)["city"] == "Natal"
    assert outbox(lab) == []
    assert lab.sql("SELECT city FROM hubspot_contacts WHERE id = ?", one) == [("Natal",)]
    # The next pull finds what the push has left: nothing new.
    again = lab.lumio("sync", TARGET)
    assert again.resource("contacts")["updated"] == 0


def test_with_nothing_to_push_nothing_is_asked(lab: Lab) -> None:
    before = len(lab.sandbox.requests)
    done = push(lab)
    assert (done.code, entry(done)["requests"]) == (0, 0)
    assert len(lab.sandbox.requests) == before


def test_rows_become_records_and_records_go(lab: Lab) -> None:
    lab.sql("INSERT INTO hubspot_contacts (email, firstname) VALUES ('a@b.example', 'Ana')")
    gone = ids(lab)[1]
    lab.sql("DELETE FROM hubspot_contacts WHERE id = ?", gone)
    done = push(lab, direction="both")
    assert done.code == 0
    assert (entry(done)["created"], entry(done)["deleted"]) == (1, 1)
    assert gone not in ids(lab)
    ((new, name),) = lab.sql(
        "SELECT id, firstname FROM hubspot_contacts WHERE email = 'a@b.example'"
    )
    assert (name, there(lab, new)["firstname"]) == ("Ana", "Ana")
    assert lab.differences("contacts") == []


def test_three_bad_items_of_a_hundred_leave_ninety_seven_done(
    make_lab: Callable[..., Lab],
) -> None:
    lab = make_lab(records=100)
    bad = ids(lab)[10:13]
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal'")
    lab.sql(
        f"UPDATE hubspot_contacts SET email = 'nonsense' WHERE id IN ({','.join('?' * 3)})", *bad
    )
    done = push(lab)
    found = entry(done)
    assert (done.code, found["status"]) == (3, "partial")
    assert (found["sent"], found["updated"], found["failed"]) == (100, 97, 3)
    assert outbox(lab) == [(record, "update", "failed") for record in bad]
    letters = lab.lumio("failures", "list").document["failures"]
    assert sorted(x["record_id"] for x in letters) == bad
    assert {(x["direction"], x["kind"]) for x in letters} == {("push", "validation")}
    assert all("email" in x["message"].lower() for x in letters)
    # They are not sent again by themselves, but once they are corrected.
    count = len(writes(lab))
    assert push(lab).code == 0
    assert len(writes(lab)) == count
    lab.sql("UPDATE hubspot_contacts SET email = id || '@good.example' WHERE email = 'nonsense'")
    assert push(lab).code == 0
    assert outbox(lab) == []
    assert lab.lumio("failures", "list").document["failures"] == []


def test_a_thousand_edits_take_as_many_requests_as_there_are_batches(
    make_lab: Callable[..., Lab],
) -> None:
    lab = make_lab(records=1000)
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal ' || id")
    done = push(lab)
    assert (done.code, entry(done)["updated"]) == (0, 1000)
    assert entry(done)["requests"] <= 15
    assert lab.differences("contacts") == []


def test_a_create_whose_answer_was_lost_is_found_and_not_made_twice(lab: Lab) -> None:
    lab.sql("INSERT INTO hubspot_contacts (email, city) VALUES ('a@b.example', 'Natal')")
    lab.sandbox.faults.add(f"lost:times=1:path={CREATE}")
    done = push(lab)
    assert (done.code, entry(done)["error"]["code"]) == (3, "outcome_unknown")
    ((_, _, status),) = outbox(lab)
    assert status == "unknown"
    done = push(lab)
    assert (done.code, entry(done)["sent"]) == (0, 0)
    assert emails(lab).count("a@b.example") == 1
    assert outbox(lab) == []
    assert lab.differences("contacts") == []


def test_a_create_that_never_arrived_is_sent_again(lab: Lab) -> None:
    lab.sql("INSERT INTO hubspot_contacts (email) VALUES ('a@b.example')")
    lab.sandbox.faults.add(f"reset:times=50:path={CREATE}")
    assert push(lab).code in (3, 5)
    lab.sandbox.faults.clear()
    # Its e-mail address is unique, so that it cannot come to be twice.
    assert push(lab).code == 0
    assert emails(lab).count("a@b.example") == 1


def test_what_was_being_sent_when_a_run_was_killed_is_sorted_out(lab: Lab) -> None:
    one = ids(lab)[0]
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal' WHERE id = ?", one)
    lab.sql("INSERT INTO hubspot_contacts (email) VALUES ('a@b.example')")
    lab.sandbox.hubspot.create("contacts", {"email": "a@b.example"})
    lab.sql("UPDATE lumio_outbox SET status = 'sending', run_id = 'x', attempts = 1,"
            " attempted_at = '2026-01-01T00:00:00Z'")  # fmt: skip
    assert push(lab).code == 0
    assert there(lab, one)["city"] == "Natal"
    assert emails(lab).count("a@b.example") == 1
    assert outbox(lab) == []


def test_an_edit_made_while_the_record_is_sent_is_sent_next(lab: Lab) -> None:
    one = ids(lab)[0]
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal' WHERE id = ?", one)
    in_the_middle(
        lab,
        "/batch/update",
        lambda: lab.sql("UPDATE hubspot_contacts SET city = 'Recife' WHERE id = ?", one),
    )
    assert push(lab).code == 0
    assert there(lab, one)["city"] == "Natal"
    ((base, edits),) = lab.sql("SELECT base, edits FROM lumio_outbox")
    assert (json.loads(base), json.loads(edits)) == ({"city": "Natal"}, {"city": "Recife"})
    assert push(lab).code == 0
    assert there(lab, one)["city"] == "Recife"
    assert outbox(lab) == []


def test_an_edit_made_during_a_pull_survives_it(lab: Lab) -> None:
    one, two = ids(lab)[:2]
    lab.sandbox.hubspot.update("contacts", one, {"city": "Belém", "zip": "66000"})
    in_the_middle(
        lab,
        "/search",
        lambda: lab.sql("UPDATE hubspot_contacts SET zip = '59000' WHERE id = ?", two),
    )
    assert lab.lumio("sync", TARGET).code == 0
    assert lab.sql("SELECT city FROM hubspot_contacts WHERE id = ?", one) == [("Belém",)]
    assert lab.sql("SELECT zip FROM hubspot_contacts WHERE id = ?", two) == [("59000",)]
    assert outbox(lab) == [(two, "update", "pending")]


def test_both_sides_changed_other_fields_of_one_record(lab: Lab) -> None:
    one = ids(lab)[0]
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal' WHERE id = ?", one)
    lab.sandbox.hubspot.update("contacts", one, {"zip": "59000"})
    done = push(lab, direction="both")
    assert (done.code, entry(done)["conflicts"]) == (0, 0)
    assert (there(lab, one)["city"], there(lab, one)["zip"]) == ("Natal", "59000")
    assert lab.differences("contacts") == []


@pytest.mark.parametrize(("policy", "wins"), [("local", "Natal"), ("provider", "Recife")])
def test_both_sides_changed_the_same_field(lab: Lab, policy: str, wins: str) -> None:
    one = ids(lab)[0]
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal' WHERE id = ?", one)
    lab.sandbox.hubspot.update("contacts", one, {"city": "Recife"})
    asked = push(lab, direction="both")
    assert (asked.code, entry(asked)["conflicts"]) == (3, 1)
    assert there(lab, one)["city"] == "Recife"
    assert outbox(lab) == [(one, "update", "conflict")]
    environ = {"LUMIO_PROVIDERS__HUBSPOT__CONFLICTS": json.dumps({"contacts": policy})}
    done = lab.lumio("sync", TARGET, "--direction", "both", environ=environ)
    assert done.code == 0
    assert there(lab, one)["city"] == wins
    assert lab.differences("contacts") == []
    assert outbox(lab) == []


def test_a_record_that_is_gone_there_waits_for_an_operator(lab: Lab) -> None:
    one = ids(lab)[0]
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal' WHERE id = ?", one)
    lab.sandbox.hubspot.archive("contacts", one)
    done = push(lab)
    assert (done.code, entry(done)["conflicts"]) == (3, 1)
    ((conflict,),) = lab.sql("SELECT json_extract(conflict, '$.kind') FROM lumio_outbox")
    assert conflict == "deleted"


def test_children_wait_for_the_parents_that_they_name(lab: Lab) -> None:
    """Two new records, of which one names the other by the hub's own id for it."""
    lab.sql("INSERT INTO hubspot_contacts (email) VALUES ('parent@b.example')")
    ((parent,),) = lab.sql("SELECT id FROM hubspot_contacts WHERE email = 'parent@b.example'")
    lab.sql("INSERT INTO hubspot_contacts (email, city) VALUES ('child@b.example', ?)", parent)
    assert push(lab).code == 0
    ((real,),) = lab.sql("SELECT id FROM hubspot_contacts WHERE email = 'parent@b.example'")
    ((named,),) = lab.sql("SELECT city FROM hubspot_contacts WHERE email = 'child@b.example'")
    assert real == named
    assert outbox(lab) == []


def test_a_reference_to_what_was_deleted_before_it_was_created_is_not_sent(lab: Lab) -> None:
    one, two, *_ = ids(lab)
    lab.sql("UPDATE hubspot_contacts SET city = 'new-0123456789abcdef' WHERE id = ?", one)
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal' WHERE id = ?", two)
    done = push(lab)
    assert done.code == 3
    assert (entry(done)["updated"], entry(done)["failed"]) == (1, 1)
    (failure,) = lab.lumio("failures", "list").document["failures"]
    assert failure["message"] == (
        "city refers to new-0123456789abcdef, and no new record is called so any longer"
    )
    assert there(lab, one)["city"] != "new-0123456789abcdef"


def test_what_is_no_text_stops_no_other_edit_and_can_be_taken_back(lab: Lab) -> None:
    one, two, *_ = ids(lab)
    lab.sql("UPDATE hubspot_contacts SET city = CAST(x'ff4180' AS TEXT) WHERE id = ?", one)
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal' WHERE id = ?", two)
    assert lab.lumio("records", "show", TARGET, one).code == 0
    assert lab.lumio("preview", TARGET, "--direction", "push").code == 0
    done = push(lab)
    assert done.code == 3
    assert (entry(done)["updated"], entry(done)["failed"]) == (1, 1)
    (failure,) = lab.lumio("failures", "list").document["failures"]
    assert (failure["record_id"], failure["kind"]) == (one, "validation")
    assert failure["message"].startswith("city is not UTF-8 text")
    assert lab.lumio("records", "revert", TARGET, one).code == 0
    assert outbox(lab) == []


@pytest.mark.parametrize("value", ["9e999", "-9e999"])
def test_an_infinite_number_is_refused_where_it_is_typed(lab: Lab, value: str) -> None:
    for statement in (
        f"UPDATE hubspot_contacts SET city = {value}",
        f"INSERT INTO hubspot_contacts (email, city) VALUES ('a@b.example', {value})",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="infinite number cannot be stored"):
            lab.sql(statement)
    assert outbox(lab) == []


def test_a_refused_edit_that_was_taken_back_is_no_failure_any_more(lab: Lab) -> None:
    lab.sql("INSERT INTO hubspot_contacts (email) VALUES ('no address')")
    assert push(lab).code == 3
    assert len(lab.lumio("failures", "list").document["failures"]) == 1
    lab.sql("DELETE FROM hubspot_contacts WHERE email = 'no address'")
    assert push(lab).code == 0
    assert lab.lumio("failures", "list").document["failures"] == []


def test_a_run_that_needs_somebody_says_so_even_to_cron(lab: Lab) -> None:
    lab.sql("INSERT INTO hubspot_contacts (email) VALUES ('no address')")
    done = push(lab, "--quiet", "-o", "tsv")
    assert done.code == 3
    assert "refused by the provider: 1 edit" in done.err


def test_a_preview_shows_what_a_push_would_do_and_does_none_of_it(lab: Lab) -> None:
    one, two = ids(lab)[:2]
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal' WHERE id = ?", one)
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal' WHERE id = ?", two)
    lab.sandbox.hubspot.update("contacts", two, {"city": "Recife"})
    before = outbox(lab)
    done = lab.lumio("preview", TARGET, "--direction", "push")
    assert done.code == 0
    found = entry(done)
    assert (found["updated"], found["conflicts"], found["sent"]) == (1, 1, 0)
    changes = {c["id"]: c for c in done.document["changes"] if c["direction"] == "push"}
    assert changes[one]["action"] == "update"
    assert changes[one]["fields"][0]["after"] == "Natal"
    assert changes[two]["action"] == "conflict"
    assert changes[two]["fields"] == [{"name": "city", "before": "Recife", "after": "Natal"}]
    assert outbox(lab) == before
    assert writes(lab) == []


def test_what_a_push_did_is_in_the_history_of_its_records(lab: Lab) -> None:
    one = ids(lab)[0]
    lab.sandbox.hubspot.update("contacts", one, {"zip": "59000"})
    lab.lumio("sync", TARGET)
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal' WHERE id = ?", one)
    run = push(lab).document["run_id"]
    rows = lab.sql(
        "SELECT origin, action, run_id, fields, edited_at FROM lumio_history"
        " WHERE record = ? ORDER BY id",
        one,
    )
    assert [row[:2] for row in rows] == [("pull", "update"), ("push", "update")]
    assert json.loads(rows[0][3])["zip"][1] == "59000"
    assert (rows[1][2], json.loads(rows[1][3])["city"][1]) == (run, "Natal")
    assert rows[1][4] is not None


def test_a_provider_that_cannot_be_reached_loses_nothing(lab: Lab) -> None:
    one = ids(lab)[0]
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal' WHERE id = ?", one)
    done = lab.lumio(
        "sync", TARGET, "--direction", "push",
        environ={"LUMIO_PROVIDERS__HUBSPOT__BASE_URL": "http://127.0.0.1:9/hubspot"},
    )  # fmt: skip
    assert (done.code, entry(done)["status"]) == (5, "failed")
    assert outbox(lab) == [(one, "update", "pending")]


def test_a_target_that_cannot_be_written_says_so(lab: Lab) -> None:
    done = lab.lumio("sync", "hubspot/owners", "--direction", "push")
    assert done.code == 2
    assert "hubspot/owners cannot be pushed" in done.document["error"]["message"]

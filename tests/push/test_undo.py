"""What a run pushed is undone: planned, confirmed, pushed."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lumio_cli.app import run
from lumio_cli.core.errors import LumioError, StoppedError
from lumio_cli.services.syncing.sync import after_stop
from lumio_cli.sync.model import ResourceResult, RunResult
from support.cli import Stream
from support.lab import Lab, Outcome

from .conftest import TARGET, ids, there


def set_city(lab: Lab, record: str, city: str) -> None:
    lab.sql("UPDATE hubspot_contacts SET city = ? WHERE id = ?", city, record)


def push(lab: Lab) -> str:
    """Push; returns the run's id."""
    done = lab.lumio("sync", TARGET, "--direction", "push")
    assert done.code == 0, done.out
    return str(done.document["run_id"])


def undo(lab: Lab, run_id: str, *words: str) -> Outcome:
    return lab.lumio("runs", "undo", run_id, "--yes", *words)


def reasons(done: Outcome) -> dict[str, str]:
    return {left["id"]: left["reason"] for left in done.document["left"]}


def actions(done: Outcome) -> dict[str, str]:
    return {change["id"]: change["action"] for change in done.document["changes"]}


def outbox(lab: Lab) -> list[tuple[Any, ...]]:
    return lab.sql("SELECT record, action, status FROM lumio_outbox ORDER BY record")


def test_all_that_a_run_pushed_is_undone(lab: Lab) -> None:
    one, two = ids(lab)[:2]
    before, other = there(lab, one)["city"], there(lab, two)
    set_city(lab, one, "Natal")
    lab.sql("DELETE FROM hubspot_contacts WHERE id = ?", two)
    lab.sql("INSERT INTO hubspot_contacts (email) VALUES ('new@b.example')")
    known = set(ids(lab))
    run_id = push(lab)
    (new,) = set(ids(lab)) - known
    done = undo(lab, run_id)
    assert (done.code, done.document["undo"], done.document["left"]) == (0, run_id, [])
    assert actions(done) == {one: "update", two: "create", new: "delete"}
    (entry,) = done.document["resources"]
    assert (entry["created"], entry["updated"], entry["deleted"]) == (1, 1, 1)
    assert there(lab, one)["city"] == before
    assert new not in ids(lab)
    (anew,) = set(ids(lab)) - known
    for name in ("email", "firstname", "lastname", "city", "jobtitle"):
        assert there(lab, anew).get(name) == other.get(name)
    assert outbox(lab) == []


def test_an_undo_can_be_undone(lab: Lab) -> None:
    one = ids(lab)[0]
    set_city(lab, one, "Natal")
    undone = undo(lab, push(lab)).document["run_id"]
    assert there(lab, one)["city"] != "Natal"
    assert lab.lumio("sync", "--undo", undone, "--yes").code == 0
    assert there(lab, one)["city"] == "Natal"


def test_a_dry_run_shows_the_plan_and_leaves_nothing(lab: Lab) -> None:
    one = ids(lab)[0]
    before = there(lab, one)["city"]
    set_city(lab, one, "Natal")
    run_id = push(lab)
    done = lab.lumio("runs", "undo", run_id, "--dry-run")
    (change,) = done.document["changes"]
    assert (done.code, done.document["status"]) == (0, "planned")
    assert change["fields"] == [{"name": "city", "before": "Natal", "after": before}]
    shown = lab.lumio("sync", "--undo", run_id, "--dry-run", "-o", "table").out
    assert "Plan: 0 to create, 1 to update, 0 to delete." in shown
    assert outbox(lab) == []
    assert len(lab.lumio("runs", "list").document["runs"]) == 2


@pytest.mark.parametrize(("answer", "code"), [("undo\n", 0), ("no\n", 2), (None, 2)])
def test_an_undo_is_confirmed_after_the_plan_is_seen(
    lab: Lab, answer: str | None, code: int
) -> None:
    one = ids(lab)[0]
    set_city(lab, one, "Natal")
    run_id = push(lab)
    out, err = Stream(terminal=True), Stream(terminal=answer is not None)
    stdin = Stream(answer or "", terminal=answer is not None)
    words = ["runs", "undo", run_id, "-o", "table"]
    assert run(words, environ=lab.environ, stdin=stdin, stdout=out, stderr=err) == code
    assert "1 to update" in out.getvalue()
    assert (there(lab, one)["city"] == "Natal") is (code != 0)
    assert outbox(lab) == []


def test_what_was_edited_or_pushed_since_is_left_out(lab: Lab) -> None:
    one, two, three = ids(lab)[:3]
    for record in (one, two, three):
        set_city(lab, record, "Natal")
    run_id = push(lab)
    set_city(lab, two, "Olinda")
    push(lab)
    set_city(lab, three, "Manaus")
    done = undo(lab, run_id)
    assert (done.code, done.document["status"]) == (3, "partial")
    assert actions(done) == {one: "update"}
    assert reasons(done) == {
        two: "a later run has pushed to it",
        three: "it has an edit that waits to be pushed",
    }
    assert there(lab, two)["city"] == "Olinda"
    assert outbox(lab) == [(three, "update", "pending")]


def moved(lab: Lab) -> tuple[str, str, str]:
    """A run's two fields of a contact, of which the provider has changed one since; returns the
    run, the contact and the city before."""
    one = ids(lab)[0]
    before = there(lab, one)["city"]
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal', jobtitle = 'Chef' WHERE id = ?", one)
    run_id = push(lab)
    lab.sandbox.hubspot.update("contacts", one, {"city": "Recife"})
    assert lab.lumio("sync", TARGET).code == 0
    return run_id, one, before


def test_what_the_provider_changed_since_is_a_conflict(lab: Lab) -> None:
    run_id, one, before = moved(lab)
    done = undo(lab, run_id)
    assert (done.code, done.document["status"]) == (3, "nothing")
    (change,) = done.document["changes"]
    assert (change["action"], change["conflict"]) == ("conflict", "edit")
    assert change["fields"] == [{"name": "city", "before": "Recife", "after": before}]
    assert there(lab, one)["jobtitle"] == "Chef"


@pytest.mark.parametrize("policy", ["local", "provider", "newest"])
def test_a_policy_decides_about_what_was_changed_since(lab: Lab, policy: str) -> None:
    run_id, one, before = moved(lab)
    assert undo(lab, run_id, "--conflicts", policy).code == 0
    assert there(lab, one)["city"] == (before if policy == "local" else "Recife")
    assert there(lab, one)["jobtitle"] != "Chef"


def test_a_created_record_that_was_changed_since(lab: Lab) -> None:
    lab.sql("INSERT INTO hubspot_contacts (email) VALUES ('new@b.example')")
    known = set(ids(lab))
    run_id = push(lab)
    (new,) = set(ids(lab)) - known
    lab.sandbox.hubspot.update("contacts", new, {"email": "other@b.example"})
    lab.lumio("sync", TARGET)
    assert actions(undo(lab, run_id)) == {new: "conflict"}
    done = undo(lab, run_id, "--conflicts", "provider")
    assert reasons(done) == {new: "it was changed since it was created"}
    assert new in ids(lab)
    assert undo(lab, run_id, "--conflicts", "local").code == 0
    assert new not in ids(lab)


def test_what_is_as_it_was_needs_no_undoing(lab: Lab) -> None:
    one = ids(lab)[0]
    before = there(lab, one)["city"]
    set_city(lab, one, "Natal")
    lab.sql("INSERT INTO hubspot_contacts (email) VALUES ('new@b.example')")
    known = set(ids(lab))
    run_id = push(lab)
    (new,) = set(ids(lab)) - known
    lab.sandbox.hubspot.update("contacts", one, {"city": before})
    lab.sandbox.hubspot.archive("contacts", new)
    lab.lumio("sync", TARGET)
    done = lab.lumio("runs", "undo", run_id)
    assert (done.code, done.document["status"]) == (0, "nothing")
    assert reasons(done) == {one: "it is as it was before", new: "it was deleted since"}
    assert f"nothing of run {run_id}" in lab.lumio("runs", "undo", run_id, "-o", "table").err


def test_a_hub_that_moves_while_the_operator_thinks(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lumio_cli.output.prompt import Prompt

    one = ids(lab)[0]
    set_city(lab, one, "Natal")
    run_id = push(lab)

    def think(self: Prompt, question: str, *, name: str, yes: bool = False) -> None:
        set_city(lab, one, "Manaus")

    monkeypatch.setattr(Prompt, "confirm", think)
    done = undo(lab, run_id)
    assert (done.code, done.document["error"]["code"]) == (3, "plan_stale")
    assert outbox(lab) == [(one, "update", "pending")]
    assert there(lab, one)["city"] == "Natal"


def test_only_the_undo_is_pushed(lab: Lab) -> None:
    one, two = ids(lab)[:2]
    set_city(lab, one, "Natal")
    run_id = push(lab)
    set_city(lab, two, "Olinda")
    assert undo(lab, run_id).code == 0
    assert there(lab, two)["city"] != "Olinda"
    assert outbox(lab) == [(two, "update", "pending")]


def test_an_undo_that_the_provider_does_not_take_waits(lab: Lab) -> None:
    one = ids(lab)[0]
    set_city(lab, one, "Natal")
    run_id = push(lab)
    lab.sandbox.faults.add("401:path=/crm/objects/2026-03/contacts/search")
    done = undo(lab, run_id)
    assert (done.code, done.document["waiting"]) == (4, 1)
    assert outbox(lab) == [(one, "update", "pending")]


def test_what_lumio_cannot_do_at_the_provider(lab: Lab) -> None:
    one = ids(lab)[0]
    lab.sql("DELETE FROM hubspot_contacts WHERE id = ?", one)
    lab.sql("INSERT INTO hubspot_contacts (email) VALUES ('new@b.example')")
    known = set(ids(lab))
    run_id = push(lab)
    (new,) = set(ids(lab)) - known
    lab.sql("UPDATE lumio_resources SET abilities = 'update'")
    assert reasons(undo(lab, run_id, "--dry-run")) == {
        one: "lumio cannot create it at hubspot",
        new: "lumio cannot delete it at hubspot",
    }


def test_what_a_run_has_created_and_deleted_is_as_it_was(lab: Lab) -> None:
    one = ids(lab)[0]
    lab.sql("DELETE FROM hubspot_contacts WHERE id = ?", one)
    run_id = push(lab)
    lab.sql(
        "INSERT INTO lumio_history (provider, resource, record, at, run_id, origin, action, fields)"
        " SELECT provider, resource, record, at, run_id, origin, 'create', '{}'"
        " FROM lumio_history WHERE run_id = ?",
        run_id,
    )
    assert undo(lab, run_id).document["changes"] == []


def test_runs_that_cannot_be_undone(lab: Lab) -> None:
    (pull,) = (r["run_id"] for r in lab.lumio("runs", "list").document["runs"])
    assert undo(lab, pull).document == {
        "status": "nothing", "undo": pull, "changes": [], "left": [], "waiting": 0,
    }  # fmt: skip
    assert undo(lab, "x").code == 2
    for words in (("--yes",), ("--dry-run",), ("--undo", pull, TARGET)):
        assert lab.lumio("sync", *words).code == 2


def test_programs_get_one_document(lab: Lab) -> None:
    one = ids(lab)[0]
    set_city(lab, one, "Natal")
    run_id = push(lab)
    out = io.StringIO()
    words = ["sync", "--undo", run_id, "--yes", "-o", "json"]
    assert (
        run(words, environ=lab.environ, stdin=io.StringIO(), stdout=out, stderr=io.StringIO()) == 0
    )
    document = json.loads(out.getvalue())
    assert document["resources"][0]["direction"] == "push"
    assert document["waiting"] == 0


def test_an_undo_goes_on_where_an_earlier_one_was_stopped(lab: Lab) -> None:
    one, two = ids(lab)[:2]
    before, other = there(lab, one)["city"], there(lab, two)["email"]
    set_city(lab, one, "Natal")
    lab.sql("DELETE FROM hubspot_contacts WHERE id = ?", two)
    run_id = push(lab)
    known = set(ids(lab))
    lab.sandbox.faults.add("401:path=/crm/objects/2026-03/contacts/search")
    assert undo(lab, run_id).document["waiting"] == 2
    lab.sandbox.faults.clear()
    planned = lab.lumio("runs", "undo", run_id, "--dry-run")
    assert actions(planned) == {one: "update", two: "create"}
    done = undo(lab, run_id)
    assert (done.code, done.document["left"], done.document["waiting"]) == (0, [], 0)
    assert there(lab, one)["city"] == before
    (anew,) = set(ids(lab)) - known
    assert there(lab, anew)["email"] == other
    assert outbox(lab) == []


def test_a_record_is_made_anew_once_however_often_its_deletion_is_undone(lab: Lab) -> None:
    one = ids(lab)[0]
    lab.sql("DELETE FROM hubspot_contacts WHERE id = ?", one)
    run_id = push(lab)
    known = set(ids(lab))
    assert undo(lab, run_id).code == 0
    (anew,) = set(ids(lab)) - known
    again = undo(lab, run_id)
    assert (again.code, again.document["status"]) == (0, "nothing")
    assert reasons(again) == {one: f"it was made anew since, as {anew}"}
    history = lab.lumio("records", "history", TARGET, anew).document["history"]
    assert {"name": "id", "before": one, "after": anew} in history[-1]["fields"]


def test_what_was_made_anew_and_deleted_again_is_not_as_it_was(lab: Lab) -> None:
    one = ids(lab)[0]
    lab.sql("DELETE FROM hubspot_contacts WHERE id = ?", one)
    run_id, known = push(lab), set(ids(lab))
    undo(lab, run_id)
    (anew,) = set(ids(lab)) - known
    lab.sandbox.hubspot.archive("contacts", anew)
    assert lab.lumio("sync", TARGET).code == 0
    done = undo(lab, run_id)
    assert (done.code, done.document["status"]) == (3, "nothing")
    assert reasons(done) == {one: f"it was made anew as {anew}, which was deleted again"}
    lab.sql("DELETE FROM lumio_raw_hubspot_contacts WHERE id = ?", anew)
    assert undo(lab, run_id).code == 3


def test_a_record_that_was_made_anew_more_than_once_is_known_by_its_last_id(lab: Lab) -> None:
    one = ids(lab)[0]
    record, runs = one, []
    known = set(ids(lab))
    for _ in range(2):
        lab.sql("DELETE FROM hubspot_contacts WHERE id = ?", record)
        runs.append(push(lab))
        assert undo(lab, runs[-1]).code == 0
        (record,) = set(ids(lab)) - known
    done = undo(lab, runs[0])
    assert (done.code, reasons(done)) == (0, {one: f"it was made anew since, as {record}"})


def test_an_undo_of_nothing_but_conflicts_says_so(lab: Lab) -> None:
    one = ids(lab)[0]
    set_city(lab, one, "Natal")
    run_id = push(lab)
    lab.sandbox.hubspot.update("contacts", one, {"city": "Recife"})
    lab.lumio("sync", TARGET)
    done = undo(lab, run_id, "-o", "table")
    assert done.code == 3
    assert f"of run {run_id} conflicts are left; --conflicts local undoes them, too" in done.err
    assert "nothing" not in done.err


def test_what_is_undone_needs_no_undoing_by_another_run(lab: Lab) -> None:
    one, two = ids(lab)[:2]
    set_city(lab, one, "Natal")
    lab.sql("DELETE FROM hubspot_contacts WHERE id = ?", two)
    lab.sql("INSERT INTO hubspot_contacts (email) VALUES ('new@b.example')")
    run_id = push(lab)
    assert undo(lab, run_id).code == 0
    again = undo(lab, run_id)
    assert (again.code, again.document["status"]) == (0, "nothing")
    assert reasons(again)[one] == "it is as it was before"


def test_an_undo_that_was_refused_or_met_a_conflict_is_left_to_the_operator(lab: Lab) -> None:
    one, two = ids(lab)[:2]
    for record in (one, two):
        set_city(lab, record, "Natal")
    run_id = push(lab)
    lab.sandbox.faults.add("401:path=/crm/objects/2026-03/contacts/search")
    undo(lab, run_id)
    lab.sql("UPDATE lumio_outbox SET status = 'failed' WHERE record = ?", one)
    lab.sql("UPDATE lumio_outbox SET status = 'conflict' WHERE record = ?", two)
    done = undo(lab, run_id, "--dry-run")
    assert reasons(done) == {
        one: "its edit was refused",
        two: "its edit has met a conflict",
    }
    assert done.document["waiting"] == 1


def test_after_an_undo_was_stopped_the_hint_names_how_to_go_on() -> None:
    stopped, other = StoppedError("stopped", hint="again"), LumioError("no", hint="wait")
    result = RunResult("run", datetime(2026, 1, 2, tzinfo=UTC))
    result.resources = [
        ResourceResult("hubspot", "contacts", "full", "push", error=error)
        for error in (stopped, other)
    ]
    after_stop(result, "lumio runs undo run")
    assert (stopped.hint, other.hint) == ("lumio runs undo run", "wait")

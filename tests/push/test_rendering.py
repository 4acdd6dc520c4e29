"""How plans, pushes and what comes of them look on terminals."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lumio_cli.app import run
from providers.mailchimp_subjects import SUBJECTS as MAILCHIMP
from support.cli import Stream
from support.conformance import rig
from support.lab import Lab

TARGET = "hubspot/contacts"


def ids(lab: Lab) -> list[str]:
    return sorted(str(r["id"]) for r in lab.sandbox.hubspot.dump("contacts"))


def screen(lab: Lab, *words: str, width: int = 80) -> tuple[list[str], str]:
    """What a terminal of that width shows: the lines of stdout, and stderr."""
    out, err = Stream(terminal=True), Stream()
    environ = {**lab.environ, "COLUMNS": str(width), "NO_COLOR": "1"}
    run(list(words), environ=environ, stdin=Stream(), stdout=out, stderr=err)
    return out.getvalue().splitlines(), err.getvalue()


def edit_all(lab: Lab) -> list[str]:
    """One change of each kind, and one that the provider refuses; returns the contacts' ids."""
    found = ids(lab)
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal' WHERE id = ?", found[0])
    lab.sql("UPDATE hubspot_contacts SET city = 'Olinda' WHERE id = ?", found[1])
    lab.sandbox.hubspot.update("contacts", found[1], {"city": "Recife"})
    lab.sql("DELETE FROM hubspot_contacts WHERE id = ?", found[2])
    lab.sql("UPDATE hubspot_contacts SET lifecyclestage = 'none such' WHERE id = ?", found[3])
    lab.sql("INSERT INTO hubspot_contacts (email) VALUES ('new@b.example')")
    return found


def test_a_push_is_previewed_as_a_plan(lab: Lab) -> None:
    one, two, three, _, *_ = edit_all(lab)
    (before,) = lab.sql(
        "SELECT json_extract(base, '$.city') FROM lumio_outbox WHERE record = ?", one
    )[0]
    lines, err = screen(lab, "preview", TARGET, "--direction", "push")
    assert lines[0] == f"{TARGET} (push)"
    at = lines.index(f"~ {one}")
    assert lines[at + 1] == f'    city: "{before}" → "Natal"'
    at = lines.index(f"! {two}  changed on both sides")
    assert lines[at + 1] == '    city: theirs "Recife", ours "Olinda"'
    assert f"- {three}" in lines
    assert '    email: "new@b.example"' in lines
    total = "1 to create, 2 to update, 1 to delete, 1 conflict"
    assert lines[-1] == f"Plan: {total}. Nothing was written."
    assert "--conflicts provider, local or newest" in err


def test_conflicts_with_deletions_say_who_deleted(lab: Lab) -> None:
    one, two = ids(lab)[:2]
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal' WHERE id = ?", one)
    lab.sandbox.hubspot.archive("contacts", one)
    lab.sql("DELETE FROM hubspot_contacts WHERE id = ?", two)
    lab.sandbox.hubspot.update("contacts", two, {"city": "Recife"})
    lines, _ = screen(lab, "preview", TARGET, "--direction", "push")
    at = lines.index(f"! {one}  changed here, deleted at hubspot")
    assert lines[at + 1] == '    city: "Natal"'
    at = lines.index(f"! {two}  deleted here, changed at hubspot")
    assert lines[at + 1] == '    city: theirs "Recife"'
    document = lab.lumio("preview", TARGET, "--direction", "push").document
    assert {c["conflict"] for c in document["changes"]} == {"deleted", "changed"}


def test_both_ways_have_totals_of_their_own(lab: Lab) -> None:
    edit_all(lab)
    lines, _ = screen(lab, "preview", TARGET, "--direction", "both", width=200)
    assert lines[0] == TARGET
    assert f"{TARGET} (push)" in lines
    assert lines[-2] == "Plan to pull: 0 to create, 1 to update, 0 to delete, 0 unchanged."
    assert lines[-1].startswith("Plan to push: 1 to create, 2 to update, 1 to delete, 1 conflict.")


def test_changes_that_come_mixed_are_shown_together(lab: Lab) -> None:
    lab.lumio("sync", "hubspot/contacts", "hubspot/companies")
    for kind in ("companies", "contacts"):
        lab.sql(f"UPDATE hubspot_{kind} SET city = 'Natal'")
    lines, _ = screen(lab, "preview", TARGET, "hubspot/companies", "--direction", "push")
    titles = [line for line in lines if line.startswith("hubspot/")]
    assert sorted(titles) == ["hubspot/companies (push)", "hubspot/contacts (push)"]


@pytest.mark.parametrize("width", [80, 200])
def test_a_sync_both_ways_is_one_table_that_fits(lab: Lab, width: int) -> None:
    edit_all(lab)
    lines, err = screen(lab, "sync", TARGET, "--direction", "both", width=width)
    assert all(len(line) <= width for line in lines)
    heading = lines[0].split()
    assert heading[:2] == ["target", "way"]
    assert {"new", "updated", "conflicts", "failed"} <= set(heading)
    assert ("sent" in heading, "mode" in heading) == (width == 200, width == 200)
    ways = [line.split()[1] for line in lines if line.startswith(TARGET)]
    assert ways == ["pull", "push"]
    verdict = " ".join(lines[lines.index("") :])
    assert "pulled 1 updated; pushed 1 created, 1 updated, 1 deleted, 1 conflict" in verdict
    assert "refused by the provider: 1 edit\nhint: lumio failures list" in err
    assert "to be decided: 1 conflict\nhint: lumio conflicts list" in err


def test_the_verdict_of_a_push_alone(lab: Lab) -> None:
    lines, _ = screen(lab, "sync", TARGET, "--direction", "push", width=200)
    assert "succeeded: pushed nothing in " in lines[-1]


def test_a_pull_looks_as_it_always_did(lab: Lab) -> None:
    lines, _ = screen(lab, "sync", TARGET, width=200)
    assert lines[0].split() == [
        "target", "mode", "status", "read", "new", "updated", "same", "gone", "failed", "requests",
    ]  # fmt: skip


def test_what_waits_is_in_the_status(lab: Lab) -> None:
    edit_all(lab)
    lab.lumio("sync", TARGET, "--direction", "push")
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal' WHERE id = ?", ids(lab)[9])
    entry = lab.lumio("status").document["providers"][0]["resources"][0]
    assert (entry["pending_push"], entry["conflicts"], entry["dead_letters"]) == (2, 1, 1)
    lines, _ = screen(lab, "status")
    table = lines[lines.index("") + 1 :]
    assert "to push   conflicts" in table[0]
    assert table[2].split()[-2:] == ["2", "1"]


def test_what_a_run_did_each_way(lab: Lab) -> None:
    edit_all(lab)
    done = lab.lumio("sync", TARGET, "--direction", "both").document
    run_id = done["run_id"]
    listed = lab.lumio("runs", "list").document["runs"][0]["totals"]
    assert (listed["sent"], listed["conflicts"]) == (4, 1)
    lines, _ = screen(lab, "runs", "show", run_id, width=200)
    assert [line.split()[1] for line in lines if line.startswith(TARGET)] == ["pull", "push"]
    heads = next(line for line in lines if line.startswith("target   "))
    assert {"sent", "conflicts", "took"} <= set(heads.split())
    lines, _ = screen(lab, "runs", "list", width=200)
    assert {"sent", "conflicts"} <= set(lines[0].split())


@pytest.fixture
def refused(lab: Lab) -> tuple[Lab, str, str]:
    """A lab with an edit that the provider has refused; the contact's id and the failure's."""
    one = ids(lab)[0]
    lab.sql("UPDATE hubspot_contacts SET lifecyclestage = 'none such' WHERE id = ?", one)
    assert lab.lumio("sync", TARGET, "--direction", "push").code == 3
    (letter,) = lab.lumio("failures", "list").document["failures"]
    assert (letter["direction"], letter["record_id"]) == ("push", one)
    return lab, one, str(letter["id"])


def failures(lab: Lab) -> list[str]:
    return [str(x["id"]) for x in lab.lumio("failures", "list").document["failures"]]


def test_a_refused_edit_is_shown_field_by_field(refused: tuple[Lab, str, str]) -> None:
    lab, _, number = refused
    lines, _ = screen(lab, "failures", "show", number)
    assert "What was to be done: update" in lines
    assert any(line.split()[0] == "lifecyclestage" and "none such" in line for line in lines[-2:])
    payload = lab.lumio("failures", "show", number).document["payload"]
    assert payload["edits"] == {"lifecyclestage": "none such"}


def test_a_refused_edit_is_tried_again_by_the_next_push(refused: tuple[Lab, str, str]) -> None:
    lab, one, number = refused
    done = lab.lumio("failures", "retry", "-o", "table")
    assert (done.code, "1 pending again: the next push sends them" in done.out) == (0, True)
    assert lab.sql("SELECT record, status FROM lumio_outbox") == [(one, "pending")]
    assert failures(lab) == []
    assert lab.lumio("sync", TARGET, "--direction", "push").code == 3
    assert failures(lab) == [number]
    lab.lumio("failures", "retry", number)
    lab.sql("UPDATE hubspot_contacts SET lifecyclestage = 'customer' WHERE id = ?", one)
    assert lab.lumio("sync", TARGET, "--direction", "push").code == 0
    assert lab.sandbox.hubspot.read("contacts", one)["lifecyclestage"] == "customer"
    assert failures(lab) == []


def test_a_failure_whose_edit_is_gone_is_closed(refused: tuple[Lab, str, str]) -> None:
    lab, one, _ = refused
    lab.sql("DELETE FROM lumio_outbox WHERE record = ?", one)
    done = lab.lumio("failures", "retry")
    assert (done.code, [x["record_id"] for x in done.document["closed"]]) == (0, [one])
    assert failures(lab) == []


def test_a_dropped_edit_is_no_edit_any_more(refused: tuple[Lab, str, str]) -> None:
    lab, one, number = refused
    asked = lab.lumio("failures", "drop", number)
    assert "the hub shows the provider's values" in asked.document["error"]["message"]
    assert lab.lumio("failures", "drop", number, "--yes").document == {
        "dropped": [int(number)],
        "closed_before": [],
        "edits_dropped": [int(number)],
    }
    assert lab.sql("SELECT count(*) FROM lumio_outbox") == [(0,)]
    ((stage,),) = lab.sql("SELECT lifecyclestage FROM hubspot_contacts WHERE id = ?", one)
    assert stage == lab.sandbox.hubspot.read("contacts", one)["lifecyclestage"]


def test_an_edit_of_a_refused_edit_outlives_the_drop(refused: tuple[Lab, str, str]) -> None:
    lab, one, number = refused
    lab.sql("UPDATE hubspot_contacts SET lifecyclestage = 'customer' WHERE id = ?", one)
    assert lab.lumio("failures", "drop", number, "--yes").document["edits_dropped"] == []
    assert lab.sql("SELECT status FROM lumio_outbox") == [("pending",)]


@pytest.mark.parametrize("policy", ["local", "provider", "newest"])
def test_the_flag_decides_conflicts_of_a_sync(make_lab: Callable[..., Lab], policy: str) -> None:
    lab = make_lab(5)
    one = ids(lab)[0]
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal' WHERE id = ?", one)
    lab.sandbox.hubspot.update("contacts", one, {"city": "Recife"})
    words = (TARGET, "--direction", "push", "--conflicts", policy)
    totals = lab.lumio("preview", *words).document["resources"][0]
    assert (totals["updated"], totals["conflicts"]) == (1 if policy == "local" else 0, 0)
    assert lab.lumio("sync", *words).code == 0
    city = "Natal" if policy == "local" else "Recife"
    assert lab.sandbox.hubspot.read("contacts", one)["city"] == city
    assert lab.sql("SELECT city FROM hubspot_contacts WHERE id = ?", one) == [(city,)]


def test_what_is_read_for_another_s_sake_is_not_told_of(tmp_path: Path) -> None:
    """Nobody would say that it has ended: its bar would stay on the screen."""
    subject = next(s for s in MAILCHIMP if s.resource == "members")
    with rig(subject, tmp_path, clock=time.time) as lab:
        lab.sync()
        lab.sql("UPDATE mailchimp_members SET fname = 'Zoe'")
        out, err = Stream(terminal=False), Stream(terminal=False)
        words = ["sync", "mailchimp/members", "--direction", "push", "-o", "table"]
        assert run(words, environ=lab.environ, stdin=Stream(), stdout=out, stderr=err) == 0
        lines = err.getvalue().splitlines()
        assert [line.partition(":")[0] for line in lines] == [
            "mailchimp/members", "mailchimp/members (push)",
        ]  # fmt: skip

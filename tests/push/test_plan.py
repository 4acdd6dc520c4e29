"""A preview that is kept as a plan, and a sync that does it, or refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.services.syncing import plan_file as plan
from support.lab import Lab, Outcome

TARGET = "hubspot/contacts"


def ids(lab: Lab) -> list[str]:
    return sorted(str(r["id"]) for r in lab.sandbox.hubspot.dump("contacts"))


def edit(lab: Lab, number: int, city: str = "Natal") -> str:
    """Edit the city of a contact; returns its id."""
    record = ids(lab)[number]
    lab.sql("UPDATE hubspot_contacts SET city = ? WHERE id = ?", city, record)
    return record


def save(lab: Lab, *more: str, direction: str = "push") -> Path:
    """Keep a plan; returns its file."""
    file = lab.home.parent / "plan.json"
    done = lab.lumio("preview", TARGET, "--direction", direction, "--out", str(file), *more)
    assert (done.code, done.document["plan"]) == (0, str(file)), done.err
    return file


def apply(lab: Lab, file: Path, *more: str) -> Outcome:
    return lab.lumio("sync", "--plan", str(file), *more)


def there(lab: Lab, record: str) -> Any:
    """The contact's city at the provider."""
    return lab.sandbox.hubspot.read("contacts", record)["city"]


def refused(lab: Lab, file: Path) -> str:
    """The message of a plan that does not hold any longer; nothing was written for it."""
    runs = lab.sql("SELECT count(*) FROM lumio_runs")
    done = apply(lab, file)
    error = done.document["error"]
    assert (done.code, error["code"], error["exit_code"]) == (3, "plan_stale", 3)
    assert lab.sql("SELECT count(*) FROM lumio_runs") == runs
    return str(error["message"])


def test_a_plan_is_done_and_nothing_else_is(lab: Lab) -> None:
    one, gone = edit(lab, 0), ids(lab)[1]
    lab.sql("DELETE FROM hubspot_contacts WHERE id = ?", gone)
    lab.sql("INSERT INTO hubspot_contacts (email) VALUES ('new@b.example')")
    file = save(lab)
    done = apply(lab, file)
    (entry,) = done.document["resources"]
    assert (done.code, entry["sent"]) == (0, 3)
    assert (entry["created"], entry["updated"], entry["deleted"]) == (1, 1, 1)
    assert done.document["plan"] == {"conflicts_left": 0, "moved": 0}
    assert there(lab, one) == "Natal"
    assert gone not in ids(lab)
    assert "nothing to create any longer" in refused(lab, file)


def test_the_file_says_what_it_is_and_is_private(lab: Lab) -> None:
    one = edit(lab, 0)
    file = save(lab, "--conflicts", "newest", "--limit", "0")
    document = json.loads(file.read_text())
    (change,) = document.pop("changes")
    assert (change["id"], change["action"], change["direction"]) == (one, "update", "push")
    assert change["trace"]
    assert document["accounts"].keys() == {"hubspot"}
    assert (document["format"], document["version"]) == ("lumio-plan", 1)
    assert (document["targets"], document["direction"]) == ([TARGET], "push")
    assert (document["mode"], document["conflicts"]) == ("incremental", "newest")
    assert file.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in file.parent.iterdir() if p.is_file()] == ["plan.json"]


def test_a_plan_is_kept_where_a_link_leads(lab: Lab) -> None:
    edit(lab, 0)
    link, target = lab.home.parent / "plan.json", lab.home.parent / "target.json"
    link.symlink_to(target)
    assert save(lab).is_symlink()
    assert json.loads(target.read_text())["format"] == "lumio-plan"


def test_the_limit_is_of_what_is_shown_and_not_of_what_is_kept(lab: Lab) -> None:
    for number in range(4):
        edit(lab, number)
    file = lab.home.parent / "plan.json"
    words = ("--direction", "both", "--limit", "3", "--out", str(file))
    lab.sandbox.hubspot.update("contacts", ids(lab)[9], {"city": "Recife"})
    done = lab.lumio("preview", TARGET, *words)
    ways = [change["direction"] for change in done.document["changes"]]
    assert ways == ["pull", "push", "push"]
    assert len(json.loads(file.read_text())["changes"]) == 5


def test_an_edit_since_then_makes_it_stale(lab: Lab) -> None:
    one = edit(lab, 0)
    file = save(lab)
    edit(lab, 0, "Manaus")
    assert f"{TARGET} {one}: city has changed since" in refused(lab, file)
    edit(lab, 0, "Natal")
    assert f"{TARGET} {one}: the edit has changed since" in refused(lab, file)
    assert there(lab, one) not in ("Natal", "Manaus")


def test_another_edit_makes_it_stale(lab: Lab) -> None:
    edit(lab, 0)
    file = save(lab)
    two = edit(lab, 1)
    assert refused(lab, file).endswith(f"{TARGET} {two}: update is not in the plan")
    for number in range(2, 6):
        edit(lab, number)
    assert refused(lab, file).endswith(", and 2 more")


def test_what_the_provider_has_changed_makes_it_stale(lab: Lab) -> None:
    one = edit(lab, 0)
    file = save(lab)
    lab.sandbox.hubspot.update("contacts", one, {"city": "Recife"})
    assert f"{TARGET} {one}: conflict instead of update" in refused(lab, file)
    assert there(lab, one) == "Recife"


def test_pulls_are_compared_where_the_plan_has_them(lab: Lab) -> None:
    one, two = edit(lab, 0), ids(lab)[1]
    lab.sandbox.hubspot.update("contacts", two, {"city": "Recife"})
    file = save(lab, direction="both")
    lab.sandbox.hubspot.update("contacts", ids(lab)[2], {"city": "Recife"})
    assert "update is not in the plan" in refused(lab, file)
    assert apply(lab, save(lab, direction="both")).code == 0
    assert lab.sql("SELECT city FROM hubspot_contacts WHERE id = ?", two) == [("Recife",)]
    assert there(lab, one) == "Natal"


def test_what_a_look_finds_elsewhere_is_no_change_of_a_push_plan(lab: Lab) -> None:
    one = edit(lab, 0)
    file = save(lab)
    lab.sandbox.hubspot.update("contacts", ids(lab)[5], {"city": "Recife"})
    assert [c["direction"] for c in json.loads(save(lab).read_text())["changes"]] == ["push"]
    assert apply(lab, file).code == 0
    assert there(lab, one) == "Natal"


def test_conflicts_of_a_plan_are_left_alone_and_said(lab: Lab) -> None:
    one, two = edit(lab, 0), edit(lab, 1)
    lab.sandbox.hubspot.update("contacts", one, {"city": "Recife"})
    done = apply(lab, save(lab), "-o", "table")
    assert done.code == 0
    assert "left alone, as conflicts of the plan: 1" in done.err
    assert (there(lab, one), there(lab, two)) == ("Recife", "Natal")
    assert len(lab.lumio("conflicts", "list").document["conflicts"]) == 1


def test_the_policy_of_the_plan_decides(lab: Lab) -> None:
    one, gone = edit(lab, 0), edit(lab, 1)
    lab.sandbox.hubspot.update("contacts", one, {"city": "Recife"})
    lab.sandbox.hubspot.archive("contacts", gone)
    file = save(lab, "--conflicts", "local")
    actions = {c["action"]: c["id"] for c in json.loads(file.read_text())["changes"]}
    assert actions["update"] == one
    assert actions["create"].startswith("new-")
    done = apply(lab, file)
    assert (done.code, done.document["plan"]["moved"]) == (0, 0)
    (entry,) = done.document["resources"]
    assert (entry["created"], entry["updated"]) == (1, 1)
    assert there(lab, one) == "Natal"
    assert len([r for r in ids(lab) if there(lab, r) == "Natal"]) == 2


def test_edits_that_give_way_are_told_and_given_up(lab: Lab) -> None:
    one = edit(lab, 0)
    lab.sandbox.hubspot.update("contacts", one, {"city": "Recife"})
    file = save(lab, "--conflicts", "provider")
    words = ("preview", TARGET, "--direction", "push", "--conflicts", "provider", "-o", "table")
    told = f"{TARGET}: 1 edit gives way to the provider's values, by the policy"
    assert told in lab.lumio(*words).err
    assert json.loads(file.read_text())["changes"] == []
    assert apply(lab, file).code == 0
    assert lab.sql("SELECT count(*) FROM lumio_outbox") == [(0,)]
    assert lab.sql("SELECT city FROM hubspot_contacts WHERE id = ?", one) == [("Recife",)]


def test_what_moves_while_the_plan_is_done_is_not_pushed(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = ids(lab)[0], edit(lab, 1)
    values = ("Natal", "Ana", one)
    lab.sql("UPDATE hubspot_contacts SET city = ?, firstname = ? WHERE id = ?", *values)
    file = save(lab)
    # Half of the edit is made there, too, between the comparison and the push.
    lab.sandbox.hubspot.update("contacts", one, {"firstname": "Ana"})
    monkeypatch.setattr(plan, "differences", lambda planned, now: [])
    done = apply(lab, file)
    assert (done.code, done.document["status"]) == (3, "partial")
    assert done.document["plan"]["moved"] == 1
    assert there(lab, one) != "Natal"
    assert there(lab, two) == "Natal"
    assert lab.sql("SELECT record, status FROM lumio_outbox") == [(one, "pending")]


def test_an_incomplete_preview_leaves_no_plan(lab: Lab) -> None:
    edit(lab, 0)
    file = lab.home.parent / "plan.json"
    lab.sandbox.faults.add("400:path=/crm/objects/2026-03/contacts/search")
    words = ("--direction", "push", "--out", str(file), "--max-wait", "0")
    done = lab.lumio("preview", TARGET, *words)
    assert done.code != 0
    assert done.document["plan"] is None
    assert not file.exists()


def test_a_held_target_is_not_planned_around(lab: Lab) -> None:
    from lumio_cli.sync.run_locks import target_lock

    edit(lab, 0)
    file = save(lab)
    lock = target_lock(lab.home / "locks", "hubspot", "contacts")
    assert lock.try_acquire()
    try:
        assert (apply(lab, file).code, lab.sql("SELECT count(*) FROM lumio_runs")) == (6, [(1,)])
    finally:
        lock.release()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"format": "lumio-plan", "version": 1}',
        '{"format": "lumio-plan", "version": "x"}',
        '{"format": "lumio-plan", "version": 1e999}',
        '{"format": "other", "version": 1}',
        "[" * 100_000,
        "\xff",
    ],
)
def test_a_file_that_is_no_plan(tmp_path: Path, content: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(content, encoding="latin-1")
    with pytest.raises(Exception, match="is not a plan of lumio") as caught:
        plan.read(file)
    assert getattr(caught.value, "exit_code", None) == 2


def broken(document: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """A plan with one thing wrong in it."""
    if name in document:
        return {**document, name: value}
    return {**document, "changes": [{**document["changes"][0], name: value}]}


def test_a_plan_with_anything_wrong_in_it(lab: Lab) -> None:
    edit(lab, 0)
    file = save(lab)
    good = json.loads(file.read_text())
    for name, value in (
        ("targets", []),
        ("targets", [1]),
        ("direction", "pull"),
        ("mode", None),
        ("conflicts", "mine"),
        ("accounts", []),
        ("changes", {"a": 1}),
        ("action", "drop"),
        ("fields", [{"name": "city"}]),
        ("trace", 7),
    ):
        file.write_text(json.dumps(broken(good, name, value)))
        done = apply(lab, file)
        assert done.code == 2, name
        assert "is not a plan of lumio" in done.document["error"]["message"], name


def test_a_plan_of_somewhere_else(lab: Lab) -> None:
    edit(lab, 0)
    file = save(lab)
    good = json.loads(file.read_text())
    assert apply(lab, file.with_name("none.json")).code == 2
    file.write_text(json.dumps({**good, "version": 2}))
    assert "newer lumio" in apply(lab, file).document["error"]["message"]
    file.write_text(json.dumps({**good, "accounts": {"hubspot": "1"}}))
    done = apply(lab, file)
    assert (done.code, done.document["error"]["hint"].split()[-2:]) == (2, ["--profile", "NAME"])


@pytest.mark.parametrize(
    "words",
    [
        (TARGET,),
        ("--direction", "both"),
        ("--mode", "full"),
        ("--conflicts", "local"),
        ("--if-running", "skip"),
        ("--undo", "x"),
    ],
)
def test_a_plan_says_it_all(lab: Lab, words: tuple[str, ...]) -> None:
    done = apply(lab, lab.home / "plan.json", *words)
    assert done.code == 2
    assert "cannot be combined" in done.document["error"]["message"]


def test_where_a_plan_cannot_be_kept(lab: Lab) -> None:
    words = ("preview", TARGET, "--out")
    assert lab.lumio(*words, str(lab.home / "x")).document["error"]["hint"].startswith("add")
    for place in (lab.home, lab.home / "no" / "x"):
        done = lab.lumio(*words, str(place), "--direction", "push")
        assert (done.code, done.document["error"]["code"]) == (2, "usage")


def test_a_preview_where_there_is_no_hub_yet(lab: Lab) -> None:
    environ = {"LUMIO_HOME": str(lab.home / "other")}
    file = lab.home / "plan.json"
    words = ("--direction", "both", "--limit", "2", "--out", str(file))
    done = lab.lumio("preview", TARGET, *words, environ=environ)
    assert (done.code, len(done.document["changes"])) == (0, 2)
    document = json.loads(file.read_text())
    assert (document["accounts"], len(document["changes"])) == ({}, 20)
    assert lab.lumio("sync", "--plan", str(file), environ=environ).code == 0


def test_a_plan_of_all_providers_leaves_out_those_that_cannot_be_written(lab: Lab) -> None:
    slack = {
        "LUMIO_SLACK_TOKEN": lab.sandbox.token("slack"),
        "LUMIO_PROVIDERS__SLACK__BASE_URL": lab.sandbox.base_url("slack"),
    }
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal'")
    plan = str(lab.home / "all.json")
    made = lab.lumio("preview", "--direction", "push", "--out", plan, environ=slack)
    assert made.code == 0, made.out
    assert lab.lumio("sync", "--plan", plan, environ=slack).code == 0
    assert lab.sql("SELECT count(*) FROM lumio_outbox") == [(0,)]

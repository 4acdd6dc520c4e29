"""Looking at records: lists, conditions, one record, and what became of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lumio_cli.app import build_root
from lumio_cli.core.stop import Stop
from lumio_cli.services.shell.completion import respond
from support.cli import lumio
from support.lab import Lab

from .conftest import TARGET, Hub


def test_a_list_has_every_column_but_the_payload_for_programs(hub: Hub) -> None:
    found = hub.records("list").json
    assert len(found["records"]) == 20 and found["more"] is False
    columns = [row[1] for row in hub.sql("PRAGMA table_info(hubspot_contacts)")]
    assert set(found["records"][0]) == {*columns, "_edit"} - {"_payload"}


def test_a_list_stops_at_its_limit_and_says_that_there_is_more(hub: Hub) -> None:
    done = hub.records("list", "--limit", "3", "-o", "tsv")
    assert len(done.out.splitlines()) == 4
    assert "more than 3" in done.err
    assert hub.records("list", "--limit", "3").json["more"] is True


def test_columns_are_shown_as_they_were_chosen_whatever_their_case(hub: Hub) -> None:
    done = hub.records("list", "--columns", "CITY, email,city", "-o", "tsv")
    assert done.out.splitlines()[0] == "id\t_edit\tcity\temail"


def test_a_list_is_sorted_by_a_column_either_way(hub: Hub) -> None:
    words = ("list", "--columns", "email", "--order")
    up = [r["email"] for r in hub.records(*words, "email").json["records"]]
    down = [r["email"] for r in hub.records(*words, "EMAIL desc").json["records"]]
    assert up == sorted(up) == down[::-1]


def test_people_see_the_first_columns_and_how_edits_stand(hub: Hub) -> None:
    one = hub.ids()[0]
    assert hub.records("list", "-o", "table").out.splitlines()[0].split()[:2] == ["id", "email"]
    hub.records("set", one, "city=Natal")
    head, _, *rows = hub.records("list", "-o", "table").out.splitlines()
    assert head.split()[:3] == ["id", "edit", "email"] and "renewal_date" not in head
    assert [row.split()[1] for row in rows if row.startswith(one)] == ["update"]


def test_every_stance_of_an_edit_is_told(hub: Hub) -> None:
    first, second, third, *_ = hub.ids()
    hub.sql("UPDATE hubspot_contacts SET city = 'X' WHERE id IN (?, ?)", first, second)
    hub.sql("UPDATE lumio_outbox SET status = 'conflict' WHERE record = ?", second)
    hub.sql("DELETE FROM hubspot_contacts WHERE id = ?", third)
    hub.sql("INSERT INTO hubspot_contacts (email) VALUES ('a@b.example')")
    done = hub.records("list", "--columns", "id")
    told = {r["id"]: r["_edit"] for r in done.json["records"] if r["_edit"]}
    assert told.pop(first) == "update" and told.pop(second) == "conflict"
    assert list(told.values()) == ["create"]
    assert done.json["deleted_here"] == 1


def test_a_condition_may_use_other_views_and_json(hub: Hub) -> None:
    one = hub.ids()[0]
    words = ("list", "--columns", "id", "--where")
    where = f"id IN (SELECT id FROM hubspot_contacts WHERE id = '{one}') -- that one"
    assert [r["id"] for r in hub.records(*words, where).json["records"]] == [one]
    where = f"EXISTS (SELECT 1 FROM json_each('[\"{one}\"]') WHERE value = hubspot_contacts.id)"
    assert [r["id"] for r in hub.records(*words, where).json["records"]] == [one]


@pytest.mark.parametrize(
    "where",
    [
        "cty = 1",
        "(1",
        "1) --",
        "id = ?",
        "1; DROP VIEW hubspot_contacts",
        "load_extension('x') = 1",
        "abs(-9223372036854775807 - 1) = 1",
        "id IN (SELECT record FROM lumio_outbox)",
        "id IN (SELECT account_id FROM lumio_accounts)",
        "id IN (SELECT id FROM lumio_raw_hubspot_contacts)",
        "id IN (SELECT name FROM sqlite_schema)",
        "id IN (WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n) SELECT x FROM n)",
    ],
)
def test_a_condition_that_is_none_or_reaches_too_far_is_one_line(hub: Hub, where: str) -> None:
    done = hub.records("list", "--where", where, "-o", "tsv")
    assert done.code == 2 and done.out == ""
    error, hint = done.err.splitlines()
    assert error.startswith("error: --where: ") and hint.startswith("hint: ")


def test_a_condition_binds_only_its_own_statement(hub: Hub) -> None:
    hub.sql("UPDATE hubspot_contacts SET city = 'Natal' WHERE id = ?", hub.ids()[0])
    (record,) = hub.records("list", "--where", "city = 'Natal'").json["records"]
    assert record["_edit"] == "update"


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("hubspot", "PROVIDER/RESOURCE, as in hubspot/contacts"),
        ("hubspto/contacts", "did you mean 'hubspot'?"),
        ("hubspot/contcts", "did you mean 'contacts'?"),
        ("hubspot/deals", "lumio sync hubspot/deals"),
    ],
)
def test_a_target_that_is_not_there_is_told_with_a_way_out(
    hub: Hub, target: str, says: str
) -> None:
    done = lumio("records", "list", target, home=hub.home)
    assert done.code == (1 if target == "hubspot/deals" else 2)
    assert says in done.err


def test_without_a_hub_the_way_out_is_a_sync(tmp_path: Path) -> None:
    done = lumio("records", "list", TARGET, "-o", "json", home=tmp_path)
    assert done.json["error"]["code"] == "not_synced"
    assert not (tmp_path / "lumio.db").exists()


def test_a_condition_without_an_end_is_left_when_a_stop_is_asked_for(lab: Lab) -> None:
    stop = Stop()
    stop.set("SIGINT", 130)
    views = ", ".join(f"hubspot_contacts AS v{n}" for n in range(9))
    where = f"(SELECT count(*) FROM {views}) = 0"
    done = lab.lumio("records", "list", TARGET, "--where", where, stop=stop)
    assert done.code == 130 and done.document["error"]["code"] == "interrupted"


def test_targets_are_completed() -> None:
    found = respond(build_root(), ["records", "show"], "hubspot/cont", {})
    assert [word for word, _ in found.candidates] == [TARGET]


def test_an_unknown_column_gets_the_nearest(hub: Hub) -> None:
    for option in ("--columns", "--order"):
        done = hub.records("list", option, "citty", "-o", "tsv")
        assert done.code == 2 and "did you mean 'city'?" in done.err


def test_a_record_is_shown_with_its_edit_before_and_after(hub: Hub) -> None:
    one = hub.ids()[0]
    (before,) = hub.sql("SELECT city FROM hubspot_contacts WHERE id = ?", one)[0]
    hub.records("set", one, "city=Natal", "zip=")
    found = hub.records("show", one).json
    assert found["fields"]["city"] == before
    assert found["edit"]["action"] == "update" and found["edit"]["status"] == "pending"
    changes = {c["name"]: c["after"] for c in found["edit"]["fields"]}
    assert changes == {"city": "Natal", "zip": None}
    text = hub.records("show", one, "-o", "table").out
    assert "update, pending" in text and "edited to" in text and "(nothing)" in text


def test_a_record_that_is_made_or_deleted_here_is_shown_too(hub: Hub) -> None:
    one = hub.ids()[0]
    hub.records("delete", one, "--yes")
    assert hub.records("show", one).json["edit"]["action"] == "delete"
    new = hub.records("create", "email=a@b.example").json["id"]
    found = hub.records("show", new).json
    assert found["fields"]["email"] is None
    assert found["edit"]["fields"] == [{"name": "email", "before": None, "after": "a@b.example"}]


def test_a_conflict_is_shown_with_what_the_provider_has(lab: Lab) -> None:
    one = lab.sql("SELECT id FROM hubspot_contacts LIMIT 1")[0][0]
    lab.lumio("records", "set", TARGET, one, "city=Natal")
    lab.sandbox.hubspot.update("contacts", one, {"city": "Recife"})
    lab.lumio("sync", TARGET, "--direction", "both")
    edit = lab.lumio("records", "show", TARGET, one).document["edit"]
    assert (edit["status"], edit["conflict"]) == ("conflict", "edit")
    (change,) = edit["fields"]
    assert (change["after"], change["theirs"]) == ("Natal", "Recife")
    text = lab.lumio("records", "show", TARGET, one, "-o", "table").out
    assert "changed on both sides" in text and "changed there to" in text


def test_the_history_has_the_edit_first_then_pushes_and_pulls(lab: Lab) -> None:
    one = lab.sql("SELECT id FROM hubspot_contacts LIMIT 1")[0][0]
    lab.sandbox.hubspot.update("contacts", one, {"city": "Recife"})
    lab.lumio("sync", TARGET)
    lab.lumio("records", "set", TARGET, one, "city=Natal")
    lab.lumio("sync", TARGET, "--direction", "push")
    lab.lumio("records", "set", TARGET, one, "city=Belém")
    found = lab.lumio("records", "history", TARGET, one).document["history"]
    assert [(c["origin"], c["action"]) for c in found] == [
        ("edit", "update"),
        ("push", "update"),
        ("pull", "update"),
    ]
    assert [c["fields"][0]["after"] for c in found] == ["Belém", "Natal", "Recife"]
    assert found[0]["run_id"] is None and all(c["run_id"] for c in found[1:])
    short = lab.lumio("records", "history", TARGET, one, "--limit", "1").document
    assert [c["origin"] for c in short["history"]] == ["edit"] and short["more"] is True
    whole = lab.lumio("records", "history", TARGET, one, "--limit", "3").document
    assert whole == {"id": one, "history": found, "more": False}
    lines = lab.lumio("records", "history", TARGET, one, "-o", "tsv").out.splitlines()
    assert "by hand, pending, not pushed yet" in lines[1] and len(lines) == 4


def test_the_history_of_a_record_that_never_changed_is_empty(hub: Hub) -> None:
    assert hub.records("history", hub.ids()[0]).json["history"] == []
    done = hub.records("history", "nobody", "-o", "tsv")
    assert done.code == 2 and "no record 'nobody'" in done.err


def test_nothing_that_a_terminal_acts_upon_gets_through(hub: Hub) -> None:
    one = hub.ids()[0]
    hub.records("set", one, "firstname=\x1b[31mred\u202e")
    for command in (("list",), ("show", one), ("history", one), ("export", "--format", "jsonl")):
        for form in ("table", "json"):
            done = hub.records(*command, "-o", form, terminal=True)
            assert "red" in done.out
            assert "\x1b[31m" not in done.out and "\u202e" not in done.out

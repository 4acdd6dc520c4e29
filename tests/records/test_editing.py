"""Editing records: each edit goes through the view, and waits until it is pushed or reverted."""

from __future__ import annotations

import pytest

from lumio_cli.hub.edits import is_local
from support.cli import lumio
from support.lab import Lab

from .conftest import TARGET, Hub


def test_set_edits_a_record(hub: Hub) -> None:
    one = hub.ids()[0]
    done = hub.records("set", one, "city=Natal", "Loyalty_Points=07", "zip=", "vip=no")
    assert done.code == 0 and done.json["action"] == "update"
    ((record, action, edits),) = hub.edits()
    assert (record, action) == (one, "update")
    assert edits["city"] == "Natal" and edits["loyalty_points"] == 7 and edits["zip"] is None
    row = hub.sql("SELECT city, loyalty_points, zip FROM hubspot_contacts WHERE id = ?", one)
    assert row == [("Natal", 7, None)]


def test_what_means_the_same_is_no_edit(hub: Hub) -> None:
    one = hub.ids()[0]
    (email,) = hub.sql("SELECT email FROM hubspot_contacts WHERE id = ?", one)[0]
    done = hub.records("set", one, f"email={email.upper()}")
    assert done.json == {"id": one, "action": "unchanged", "fields": []}
    assert hub.edits() == []


def test_setting_a_value_back_leaves_no_edit(hub: Hub) -> None:
    one = hub.ids()[0]
    (city,) = hub.sql("SELECT coalesce(city, '') FROM hubspot_contacts WHERE id = ?", one)[0]
    hub.records("set", one, "city=Natal")
    hub.records("set", one, f"city={city}")
    assert hub.edits() == []


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("city", "'city' is not NAME=VALUE"),
        ("citty=x", "has no column 'citty'"),
        ("createdate=2020-01-01", "hubspot_contacts.createdate is read-only"),
        ("id=1", "hubspot_contacts.id is read-only"),
        ("loyalty_points=many", "loyalty_points takes a number, not 'many'"),
        ("loyalty_points=nan", "loyalty_points takes a number, not 'nan'"),
        ("vip=perhaps", "vip takes true or false, not 'perhaps'"),
        ("renewal_date=soon", "renewal_date takes a day"),
        ("city=a\0b", "city takes text in UTF-8, without zero bytes"),
        ("city=\udc80", "city takes text in UTF-8, without zero bytes"),
    ],
)
def test_a_word_that_cannot_be_set_changes_nothing(hub: Hub, word: str, says: str) -> None:
    done = hub.records("set", hub.ids()[0], "country=Chile", word, "-o", "tsv")
    assert done.code == 2 and says in done.err
    assert len(done.err.splitlines()) <= 2
    assert hub.edits() == []


def test_a_column_is_set_once(hub: Hub) -> None:
    done = hub.records("set", hub.ids()[0], "city=a", "City=b", "-o", "tsv")
    assert done.code == 2 and "city is given twice" in done.err


def test_a_record_that_is_not_there_cannot_be_edited(hub: Hub) -> None:
    one = hub.ids()[0]
    done = hub.records("set", "nobody", "city=Natal", "-o", "tsv")
    assert done.code == 2 and "no record 'nobody'" in done.err
    hub.records("delete", one, "--yes")
    done = hub.records("set", one, "city=Natal", "-o", "tsv")
    assert done.code == 2 and f"lumio records revert {TARGET} {one}" in done.err


def test_what_the_provider_has_deleted_meanwhile_is_told_with_a_way_out(lab: Lab) -> None:
    one, two = (row[0] for row in lab.sql("SELECT id FROM hubspot_contacts ORDER BY id LIMIT 2"))
    for record in (one, two):
        lab.lumio("records", "set", TARGET, record, "city=Natal")
        lab.sandbox.hubspot.archive("contacts", record)
    lab.lumio("sync", TARGET, "--direction", "push")
    lab.sql("UPDATE lumio_outbox SET status = 'failed' WHERE record = ?", two)
    for record, hint in (
        (one, f"lumio conflicts show {TARGET} {one}"),
        (two, f"lumio failures list {TARGET}"),
    ):
        error = lab.lumio("records", "set", TARGET, record, "city=Recife").document["error"]
        assert error["exit_code"] == 2 and error["hint"] == hint
        assert error["message"] == f"{TARGET} {record} was edited here, and deleted at hubspot"
    lab.sql("UPDATE lumio_outbox SET status = 'pending'")
    error = lab.lumio("records", "set", TARGET, one, "city=Recife").document["error"]
    assert error["hint"] == f"lumio records show {TARGET} {one}"


def test_create_gives_an_id_of_our_own(hub: Hub) -> None:
    first = hub.records("create", "email=a@b.example", "city=").json
    second = hub.records("create", "email=c@d.example").json
    assert is_local(first["id"]) and is_local(second["id"]) and first["id"] != second["id"]
    assert (first["id"], "create", {"email": "a@b.example"}) in hub.edits()


def test_a_record_of_nothing_cannot_be_made(hub: Hub) -> None:
    assert hub.records("create", "city=").code == 2
    assert hub.edits() == []


def test_delete_asks_and_deletes_all_or_none(hub: Hub) -> None:
    first, second, *_ = hub.ids()
    done = hub.records("delete", first, "-o", "tsv")
    assert done.code == 2 and "use --yes" in done.err
    done = hub.records("delete", first, "-o", "tsv", terminal=True, stdin="no\n")
    assert done.code == 2 and "not confirmed" in done.err
    assert hub.records("delete", first, "nobody", "--yes").code == 2
    assert hub.edits() == []
    assert hub.records("delete", first, second, first, "--yes").json["deleted"] == [first, second]
    assert [edit[:2] for edit in hub.edits()] == [(first, "delete"), (second, "delete")]
    assert first not in hub.ids()


def test_deleting_what_was_made_here_leaves_nothing(hub: Hub) -> None:
    new = hub.records("create", "email=a@b.example").json["id"]
    assert hub.records("delete", new, "--yes").code == 0
    assert hub.edits() == []


def test_revert_drops_edits(hub: Hub) -> None:
    first, second, third, *_ = hub.ids()
    hub.sql("UPDATE hubspot_contacts SET city = 'Natal' WHERE id IN (?, ?)", first, third)
    hub.records("delete", second, "--yes")
    assert hub.records("revert", first, second).json == {
        "reverted": [first, second],
        "left": [],
        "uncertain": [],
    }
    assert [edit[0] for edit in hub.edits()] == [third]
    assert second in hub.ids()
    done = hub.records("revert", third, first, "-o", "tsv")
    assert done.code == 2 and f"{first} has no edit that waits" in done.err
    assert [edit[0] for edit in hub.edits()] == [third]


def test_revert_all_asks_first(hub: Hub) -> None:
    hub.sql("UPDATE hubspot_contacts SET city = 'Natal'")
    assert hub.records("revert", "--all").code == 2
    assert len(hub.edits()) == 20
    assert len(hub.records("revert", "--all", "--yes").json["reverted"]) == 20
    assert hub.edits() == []
    assert hub.records("revert", "--all").json["reverted"] == []


def test_revert_needs_records_or_all_and_not_both(hub: Hub) -> None:
    for words in ((), ("1", "--all")):
        assert "name records, or --all" in hub.records("revert", *words, "-o", "tsv").err


@pytest.mark.parametrize("status", ["sending", "unknown"])
def test_what_the_provider_may_have_is_not_reverted(hub: Hub, status: str) -> None:
    first, second, *_ = hub.ids()
    hub.sql("UPDATE hubspot_contacts SET city = 'Natal' WHERE id IN (?, ?)", first, second)
    hub.sql("UPDATE lumio_outbox SET status = ? WHERE record = ?", status, first)
    done = hub.records("revert", "--all", "--yes", "-o", "tsv")
    assert done.code == 3 and first in done.err and "may be at the provider already" in done.err
    assert [edit[0] for edit in hub.edits()] == [first]


def test_what_was_sent_before_is_reverted_and_told_of(hub: Hub) -> None:
    """It got no answer, or one that it should come again: the provider may have it."""
    first, second, *_ = hub.ids()
    hub.sql("UPDATE hubspot_contacts SET city = 'Natal' WHERE id IN (?, ?)", first, second)
    hub.sql("UPDATE lumio_outbox SET sent = edits WHERE record = ?", first)
    done = hub.records("revert", first, second)
    told = {"reverted": [first, second], "left": [], "uncertain": [first]}
    assert (done.code, done.json) == (3, told)
    assert hub.edits() == []


def test_a_new_record_that_may_be_there_is_not_reverted(hub: Hub) -> None:
    hub.sql("INSERT INTO hubspot_contacts (email) VALUES ('new@b.example')")
    hub.sql("UPDATE lumio_outbox SET attempt_rid = 1")
    done = hub.records("revert", "--all", "--yes")
    assert (done.code, len(done.json["left"]), done.json["reverted"]) == (3, 1, [])


def test_reverting_a_failed_edit_closes_its_failure(hub: Hub) -> None:
    one = hub.ids()[0]
    hub.records("set", one, "city=Natal")
    hub.sql("UPDATE lumio_outbox SET status = 'failed'")
    hub.sql(
        "INSERT INTO lumio_dead_letters (provider, resource, direction, record_id, kind, message,"
        " run_id, first_at, last_at, attempts) VALUES ('hubspot', 'contacts', 'push', ?,"
        " 'validation', 'no', 'r', '2026-01-01', '2026-01-01', 1)",
        one,
    )
    hub.records("revert", one)
    assert hub.sql("SELECT resolution FROM lumio_dead_letters") == [("reverted",)]


def test_what_the_provider_does_not_take_cannot_be_edited(lab: Lab) -> None:
    assert lab.lumio("sync", "hubspot/owners").code == 0
    one = lab.sql("SELECT id FROM hubspot_owners LIMIT 1")[0][0]
    for words in (("set", one, "email=x"), ("create", "email=x"), ("delete", one, "--yes")):
        done = lab.lumio("records", words[0], "hubspot/owners", *words[1:], "-o", "tsv")
        assert done.code == 2 and "records of hubspot_owners cannot be" in done.err


def test_a_view_that_an_older_lumio_made_has_to_be_synced_first(hub: Hub) -> None:
    for (trigger,) in hub.sql("SELECT name FROM sqlite_schema WHERE type = 'trigger'"):
        hub.sql(f'DROP TRIGGER "{trigger}"')
    done = hub.records("set", hub.ids()[0], "city=Natal", "-o", "tsv")
    assert done.code == 2 and "an older lumio" in done.err and "hint: lumio sync" in done.err


def test_an_edit_is_pushed(lab: Lab) -> None:
    one = lab.sql("SELECT id FROM hubspot_contacts LIMIT 1")[0][0]
    lab.lumio("records", "set", TARGET, one, "city=Natal", "loyalty_points=12")
    assert lab.lumio("sync", TARGET, "--direction", "push").code == 0
    there = lab.sandbox.hubspot.read("contacts", one)
    assert (there["city"], there["loyalty_points"]) == ("Natal", "12")


def test_every_command_has_a_line_of_help(hub: Hub) -> None:
    text = lumio("records", "--help", home=hub.home).out
    for name in ("list", "show", "set", "create", "delete", "revert", "history", "export"):
        assert f"  {name} " in text

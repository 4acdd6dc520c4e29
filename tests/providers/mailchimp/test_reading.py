"""What Mailchimp's audiences hold arrives in the hub, and goes on arriving."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lumio_cli.sandbox.http import Request, Response
from support.conformance import Rig

from .conftest import Desk

Make = Callable[..., Desk]


def test_everything_of_an_account_is_synced(make_desk: Make) -> None:
    lab = make_desk(40, one=False).lab
    outcome = lab.lumio("sync", "mailchimp")
    assert outcome.code == 0, outcome.out
    read = {r["resource"]: r["read"] for r in outcome.document["resources"]}
    assert read == {
        "audiences": 3, "members": 40, "segments": 40, "campaigns": 40, "reports": 40,
        "automations": 40,
    }  # fmt: skip
    again = lab.lumio("sync", "mailchimp", "--mode", "full")
    assert {r["unchanged"] for r in again.document["resources"]} == {3, 40}


def test_one_address_in_two_audiences_is_two_members(make_desk: Make) -> None:
    lab = make_desk(40, one=False).lab
    lab.lumio("sync", "mailchimp/members")
    counted = lab.sql(
        "SELECT subscriber_hash, count(DISTINCT list_id), count(*) FROM mailchimp_members"
        " GROUP BY 1 ORDER BY 3 DESC"
    )
    assert counted[0][1:] == (3, 3)
    ids = lab.sql("SELECT id, list_id, contact_id FROM mailchimp_members")
    assert all(row_id == f"{list_id}:{contact}" for row_id, list_id, contact in ids)


def test_a_new_address_changes_the_hash_and_not_the_record(desk: Desk) -> None:
    desk.lab.sync()
    room, contact = desk.account.rooms[desk.list_id], desk.contacts[0]
    desk.lab.clock.forward(3600)
    room.update(contact, {"email_address": "moved@example.com"})
    desk.lab.clock.forward(60)
    entry = desk.lab.sync()
    assert (entry["mode"], entry["updated"], entry["created"]) == ("incremental", 1, 0)
    found = desk.lab.sql(
        "SELECT email_address FROM mailchimp_members WHERE id = ?", f"{desk.list_id}:{contact}"
    )
    assert found == [("moved@example.com",)]


def test_merge_fields_become_columns(make_desk: Make) -> None:
    lab = make_desk(40, one=False).lab
    lab.lumio("sync", "mailchimp/members")
    columns = {row[1]: row[2] for row in lab.sql("PRAGMA table_info(mailchimp_members)")}
    assert {"fname", "lname", "phone", "address", "birthday", "ltv", "joined_at", "level"} <= set(
        columns
    )
    # A number in one audience and a text in another: text it is.
    kinds = {k for (k,) in lab.sql("SELECT DISTINCT typeof(ltv) FROM mailchimp_members")}
    assert "text" in kinds
    city = lab.sql(
        "SELECT json_extract(address, '$.zip') FROM mailchimp_members WHERE address > ''"
    )
    assert ("30308",) in city


@pytest.mark.parametrize(
    ("chosen", "there", "missing"),
    [("none", set(), {"ltv", "note"}), ("LTV,LEVEL", {"ltv", "level"}, {"note"})],
)
def test_merge_fields_can_be_chosen(
    make_desk: Make, chosen: str, there: set[str], missing: set[str]
) -> None:
    lab = make_desk(4, LUMIO_PROVIDERS__MAILCHIMP__MERGE_FIELDS=chosen).lab
    lab.sync()
    columns = {row[1] for row in lab.sql("PRAGMA table_info(mailchimp_members)")}
    assert there <= columns and not missing & columns and "fname" in columns


def test_a_new_merge_field_is_told_and_shown(desk: Desk) -> None:
    desk.lab.sync()
    room = desk.account.rooms[desk.list_id]
    room.fields.append({**room.fields[0], "merge_id": 99, "tag": "SHOE", "name": "Shoe"})
    desk.lab.clock.forward(3600)
    room.update(desk.contacts[0], {"language": "fr"})
    desk.lab.clock.forward(60)
    drift = desk.lab.sync()["drift"]
    assert [(d["field"], d["change"]) for d in drift] == [("SHOE", "new")]


def test_the_archived_are_deleted_and_come_back(desk: Desk) -> None:
    desk.lab.sync()
    room, contact = desk.account.rooms[desk.list_id], desk.contacts[0]
    for act, counted in ((room.archive, "deleted"), (room.revive, "created")):
        desk.lab.clock.forward(3600)
        act(contact)
        desk.lab.clock.forward(60)
        assert desk.lab.sync()[counted] == 1
        desk.lab.must_be_equal()


def test_members_of_an_audience_that_is_new_come_whatever_their_age(make_desk: Make) -> None:
    desk = make_desk(8, one=False)
    desk.lab.lumio("sync", "mailchimp")
    lists = desk.account.tables["audiences"]
    last = lists.ids()[2]
    held = lists.get(last)
    lists.purge(last)
    desk.lab.clock.forward(86_400)
    desk.lab.lumio("sync", "mailchimp", "--mode", "full", "--max-delete", "100")
    assert held is not None
    lists._absent.discard(last)
    desk.lab.clock.forward(86_400)
    desk.lab.lumio("sync", "mailchimp")
    (counted,) = desk.lab.sql("SELECT count(*) FROM mailchimp_members WHERE list_id = ?", last)
    assert counted == (len(desk.account.rooms[last].members),)


def test_secrets_of_reports_are_not_kept(desk: Desk) -> None:
    desk.lab.lumio("sync", "mailchimp/reports")
    payloads = desk.lab.sql("SELECT _payload FROM mailchimp_reports")
    assert payloads and not any("sandbox-share-secret" in text for (text,) in payloads)


@pytest.mark.parametrize("resource", ["members", "segments", "campaigns", "audiences"])
def test_a_full_walk_knows_how_many_it_will_meet(make_desk: Make, resource: str) -> None:
    desk = make_desk(40, one=False)
    counted = desk.provider.count(desk.provider.resource(resource), desk.send)
    assert counted == (3 if resource == "audiences" else 40)


# --- definitions that are not as described


@pytest.mark.parametrize("bad", [None, 7, {}, {"tag": None, "type": "text"}, {"tag": ""}])
def test_a_merge_field_without_a_tag_costs_nothing_else(desk: Desk, bad: Any) -> None:
    spoil(desk, "/merge-fields", lambda document: document["merge_fields"].insert(0, bad))
    assert desk.lab.sync()["read"] == 40
    assert "ltv" in {row[1] for row in desk.lab.sql("PRAGMA table_info(mailchimp_members)")}


@pytest.mark.parametrize("rest", [{}, {"type": None}, {"type": 7}])
def test_a_merge_field_without_a_type_is_text(desk: Desk, rest: dict[str, Any]) -> None:
    def bare(document: dict[str, Any]) -> None:
        document["merge_fields"] = [{"tag": f["tag"], **rest} for f in document["merge_fields"]]

    spoil(desk, "/merge-fields", bare)
    assert desk.lab.sync()["read"] == 40
    kinds = {row[1]: row[2] for row in desk.lab.sql("PRAGMA table_info(mailchimp_members)")}
    assert "ltv" in kinds


def test_a_null_among_audiences_costs_no_definition_and_no_count(desk: Desk) -> None:
    spoil(desk, "/3.0/lists", lambda document: document["lists"].insert(0, None))
    assert desk.lab.lumio("sync", "mailchimp/members").resource("members")["read"] == 40


@pytest.mark.parametrize("total", [None, "9", True, {}])
def test_a_number_of_members_that_cannot_be_read_is_done_without(desk: Desk, total: Any) -> None:
    spoil(desk, "/members", lambda d: d.get("members") or d.update(total_items=total))
    assert desk.provider.count(desk.provider.resource("members"), desk.send) is None
    assert desk.lab.sync()["read"] == 40


def spoil(desk: Desk, ending: str, change: Callable[[dict[str, Any]], object]) -> None:
    """From now on good answers of these paths are changed."""
    handle = desk.account.handle

    def changed(request: Request) -> Response:
        response = handle(request)
        if response.status >= 300 or not request.path.endswith(ending):
            return response
        document = json.loads(response.body)
        change(document)
        return Response.of_json(document)

    desk.account.handle = changed  # type: ignore[method-assign]


def spoil_audience(lab: Rig, **values: str) -> None:
    """From now on the first audience has these values in each listing of them."""
    provider = lab.sandbox.providers["mailchimp"]
    handle = provider.handle

    def spoilt(request: Request) -> Response:
        answer = handle(request)
        if not request.path.endswith("/lists"):
            return answer
        body = json.loads(answer.body)
        for first in body.get("lists", [])[:1]:
            first.update(values)
        return replace(answer, body=json.dumps(body).encode())

    provider.handle = spoilt  # type: ignore[method-assign]


def test_an_audience_whose_name_is_no_text_keeps_its_children(make_desk: Make) -> None:
    lab = make_desk(40, one=False).lab
    spoil_audience(lab, name="half \ud83d")
    outcome = lab.lumio("sync", "mailchimp")
    read = {r["resource"]: (r["read"], r["failed"]) for r in outcome.document["resources"]}
    assert (read["audiences"], read["members"], outcome.code) == ((3, 0), (40, 0), 0)
    assert ("half \ufffd",) in lab.sql("SELECT name FROM mailchimp_audiences")


def test_an_audience_whose_id_is_no_text_costs_itself_alone(make_desk: Make) -> None:
    lab = make_desk(40, one=False).lab
    spoil_audience(lab, id="\ud800")
    outcome = lab.lumio("sync", "mailchimp")
    found = {
        r["resource"]: (r["read"], r["failed"], r["status"]) for r in outcome.document["resources"]
    }
    assert found["audiences"] == (3, 1, "partial")
    assert found["members"] == (40, 0, "succeeded"), "those of the one that is known, too"
    ((message,),) = lab.sql("SELECT message FROM lumio_dead_letters")
    assert message == "the record's 'id' holds what is no character"

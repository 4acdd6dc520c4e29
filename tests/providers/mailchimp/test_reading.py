"""What Mailchimp's audiences hold arrives in the hub, and goes on arriving."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from lumio_cli.errors import PagingError
from lumio_cli.providers.base import Call, Reply, Walk, Window
from lumio_cli.providers.mailchimp import Mailchimp
from lumio_cli.providers.mailchimp.listing import Changed, Pages
from lumio_cli.sandbox.http import Request, Response

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


def test_progress_knows_how_many_members_there_are(desk: Desk) -> None:
    counted = desk.provider.count(desk.provider.resource("members"), desk.send)
    rooms = desk.account.rooms.values()
    known = sum(s in ("subscribed", "unsubscribed", "cleaned") for r in rooms for s in r.statuses())
    assert counted == known
    assert desk.provider.count(desk.provider.resource("reports"), desk.send) is None


# --- pages


def page(rows: list[Any], total: int) -> tuple[Reply, list[Any]]:
    return Reply(200, {}, b'{"total_items": %d}' % total), rows


def row(name: str, second: int = 0) -> dict[str, str]:
    return {"id": name, "last_changed": f"2026-01-01T00:00:{second:02}+00:00"}


def test_rows_that_leave_take_the_next_page_back() -> None:
    style, place = Pages(), Pages().first(2)
    second = style.next(place, *page([row("a"), row("b")], 5))
    assert second is not None and second["offset"] == 2
    back = style.next(second, *page([row("d"), row("e")], 4))
    assert back is not None and back["offset"] == 1
    onward = style.next(back, *page([row("c"), row("d")], 4))
    assert onward is not None and onward["offset"] == 3
    assert style.next(onward, *page([row("e")], 4)) is None


def test_a_page_that_repeats_is_a_circle() -> None:
    place = Pages().next(Pages().first(1), *page([row("a")], 9))
    assert place is not None
    with pytest.raises(PagingError):
        Pages().next(place, *page([row("a")], 9))


def test_without_a_total_a_page_that_is_not_full_is_the_last() -> None:
    full = Pages().next(Pages().first(1), Reply(200, {}, b"{}"), [row("a")])
    assert full is not None and full["offset"] == 1
    assert Pages().next(full, Reply(200, {}, b"{}"), []) is None


CALL = Call("GET", "/x", params={"before_last_changed": "2026-06-01T00:00:00+00:00"})


def test_one_page_of_members_needs_no_bound_and_no_tail() -> None:
    style = Changed()
    assert "before_last_changed" not in style.ask(CALL, style.first(2)).params
    assert style.next(style.first(2), *page([row("a")], 1)) is None


def test_several_pages_are_bounded_and_end_with_what_changed_meanwhile() -> None:
    style = Changed()
    second = style.next(style.first(1), *page([row("a")], 2))
    assert second is not None
    assert style.ask(CALL, second).params["before_last_changed"] == "2026-06-01T00:00:00+00:00"
    tail = style.next(second, *page([row("b")], 2))
    assert tail is not None
    asked = style.ask(CALL, tail).params
    assert asked["since_last_changed"] == "2026-05-31T23:59:59+00:00"
    assert "before_last_changed" not in asked and asked["offset"] == "0"
    onward = style.next(tail, *page([row("c", 7)], 3))
    assert onward is not None and onward["since"] == "2026-01-01T00:00:06+00:00"
    assert style.next({**onward, "offset": 0}, *page([], 0)) is None


def test_deep_offsets_are_given_up_for_a_later_beginning() -> None:
    style = Changed(deep=2)
    place = style.next({"size": 1, "offset": 1, "total": 9}, *page([row("a", 5)], 9))
    assert place == {"size": 1, "offset": 0, "since": "2026-01-01T00:00:04+00:00"}
    assert "before_last_changed" in style.ask(CALL, place).params
    # A run of equal times is longer than that: the offset goes on.
    stuck = style.next({**place, "offset": 1, "total": 9}, *page([row("b", 5)], 9))
    assert stuck is not None and (stuck["offset"], stuck["since"]) == (2, place["since"])


def test_times_are_asked_for_in_whole_seconds_and_a_second_early() -> None:
    provider = Mailchimp({})
    floor = datetime(2026, 5, 1, 10, 0, 0, 900_000, tzinfo=UTC)
    walk = Walk(provider.resource("members"), "changes", window=Window(floor, floor))
    params = provider.call(walk).params
    assert params["since_last_changed"] == "2026-05-01T09:59:59+00:00"
    assert params["before_last_changed"] == "2026-05-01T09:59:00+00:00"
    walk = replace(walk, resource=provider.resource("segments"))
    assert provider.call(walk).params["since_updated_at"] == "2026-05-01T09:59:59+00:00"


def test_members_that_change_while_they_are_read_are_all_read(make_desk: Make) -> None:
    desk = make_desk(25)
    members = desk.provider.resource("members")
    object.__setattr__(members, "page_size", {"full": 10, "changes": 10, "tombstones": 10})
    try:
        room = desk.account.rooms[desk.list_id]

        def meanwhile(request: Request, answer: Response, number: int) -> None:
            if number <= 2:
                desk.lab.clock.forward(120)
                for contact in room.members.ids()[number::7]:
                    room.update(contact, {"language": f"x{number}"})

        desk.lab.on_page(meanwhile)
        entry = desk.lab.sync()
        desk.lab.must_be_equal()
        assert entry["deleted"] == 0
    finally:
        object.__setattr__(members, "page_size", dict.fromkeys(members.page_size, 500))

"""How collections are walked: whole, whatever leaves or joins, and however few rows come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from lumio_cli.core.errors import BadReplyError, PagingError
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.paging import NoPlaceError
from lumio_cli.providers.contract.resource import Walk, Window
from lumio_cli.providers.mailchimp import Mailchimp
from lumio_cli.providers.mailchimp.listing import Changed, Pages
from lumio_cli.sandbox.http import Request, Response

from .conftest import Desk

Make = Callable[..., Desk]


def page(rows: list[Any], total: int) -> tuple[Reply, list[Any]]:
    return Reply(200, {}, b'{"total_items": %d}' % total), rows


def row(name: str, second: int = 0) -> dict[str, str]:
    return {"id": name, "last_changed": f"2026-01-01T00:00:{second:02}+00:00"}


class Shelf:
    """A collection that changes while it is read, and a walk through it."""

    def __init__(self, count: int, most: int = 10**6) -> None:
        self.rows = [f"r{n}" for n in range(count)]
        self.most = most
        self.met: list[str] = []

    def walk(self, size: int, change: Callable[[int], None] = lambda number: None) -> int:
        """Read it page by page, with a change before each but the first; how many there were."""
        place: dict[str, Any] | None = Pages().first(size)
        number = 0
        while place is not None:
            if number:
                change(number)
            asked = Pages().ask(Call("GET", "/x"), place).params
            start, count = int(str(asked["offset"])), min(int(str(asked["count"])), self.most)
            found = [row(name) for name in self.rows[start : start + count]]
            self.met += [item["id"] for item in found]
            place = Pages().next(place, *page(found, len(self.rows)))
            number += 1
            assert number < 2_000, "it goes on for ever"
        return number


@pytest.mark.parametrize(
    ("count", "size", "most"), [(95, 10, 10), (95, 10, 7), (95, 50, 1), (2, 9, 9)]
)
def test_a_collection_is_read_whole_however_few_rows_a_page_has(
    count: int, size: int, most: int
) -> None:
    shelf = Shelf(count, most)
    shelf.walk(size)
    assert list(dict.fromkeys(shelf.met)) == shelf.rows


@pytest.mark.parametrize("join", [True, False], ids=["as many join", "none joins"])
@pytest.mark.parametrize("leave", [1, 3, 9])
@pytest.mark.parametrize("at", ["start", "edge"])
def test_no_row_is_missed_where_others_leave_before_it(leave: int, join: bool, at: str) -> None:
    shelf = Shelf(400)
    gone = set()

    def change(number: int) -> None:
        if number % 3:
            return
        known = [name for name in dict.fromkeys(shelf.met) if name in shelf.rows]
        for name in known[:leave] if at == "start" else known[-leave:]:
            shelf.rows.remove(name)
            gone.add(name)
            if join:
                shelf.rows.append(f"{name}+")

    shelf.walk(20, change)
    assert set(shelf.rows) <= set(shelf.met)
    assert gone


def test_a_busy_audience_is_read_to_its_end() -> None:
    """Three leave while each page is read: going back for them must not take it back for good."""
    shelf = Shelf(5_000)

    def change(number: int) -> None:
        del shelf.rows[number * 7 % 50 : number * 7 % 50 + 3]

    pages = shelf.walk(100, change)
    assert set(shelf.rows) <= set(shelf.met)
    assert pages < 150


def test_rows_that_join_before_a_page_are_no_reason_to_go_back() -> None:
    shelf = Shelf(100)
    pages = shelf.walk(20, lambda number: shelf.rows.insert(0, f"new{number}"))
    assert {f"r{n}" for n in range(100)} <= set(shelf.met)
    assert pages < 10


def test_a_page_that_repeats_is_a_circle() -> None:
    place = Pages().next(Pages().first(1), *page([row("a")], 9))
    assert place is not None
    with pytest.raises(PagingError):
        Pages().next(place, *page([row("a")], 9))


def test_an_empty_page_is_no_end_where_more_are_promised() -> None:
    with pytest.raises(NoPlaceError, match="5 in all"):
        Pages().next(Pages().first(10), *page([], 5))
    assert Pages().next(Pages().first(10), *page([], 0)) is None


@pytest.mark.parametrize("total", [b"{}", b'{"total_items": null}', b'{"total_items": "9"}'])
def test_without_a_total_nobody_knows_where_a_walk_ends(total: bytes) -> None:
    with pytest.raises(BadReplyError, match="does not say in"):
        Pages().next(Pages().first(1), Reply(200, {}, total), [row("a")])


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


# --- what an answer says of its pages, through the whole transport


LISTINGS = {
    "members": "/3.0/lists/*/members",
    "segments": "/3.0/lists/*/segments",
    "campaigns": "/3.0/campaigns",
    "reports": "/3.0/reports",
}


def kept(desk: Desk, resource: str) -> list[tuple[Any, ...]]:
    return desk.lab.sql(f"SELECT id FROM mailchimp_{resource} ORDER BY id")


@pytest.mark.parametrize("resource", LISTINGS)
@pytest.mark.parametrize("most", [1, 7])
def test_pages_of_fewer_rows_than_were_asked_for_lose_nothing(
    make_desk: Make, resource: str, most: int
) -> None:
    desk = make_desk(40)
    desk.account.most_rows = most
    first = desk.lab.lumio("sync", "mailchimp/audiences", f"mailchimp/{resource}")
    assert (first.code, first.resource(resource)["created"]) == (0, 40), first.out
    again = desk.lab.lumio("sync", f"mailchimp/{resource}", "--mode", "full")
    entry = again.resource(resource)
    assert (entry["read"], entry["unchanged"], entry["deleted"]) == (40, 40, 0)


@pytest.mark.parametrize("resource", LISTINGS)
def test_an_empty_page_is_asked_for_again(
    make_desk: Make, resource: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lumio_cli.sync.pull.slice_pull.PAUSE", 0.0)
    desk = make_desk(40)
    desk.lab.lumio("sync", "mailchimp/audiences")
    desk.lab.sandbox.faults.set([f"hollow:times=1:path={LISTINGS[resource]}"])
    outcome = desk.lab.lumio("sync", f"mailchimp/{resource}")
    assert (outcome.code, outcome.resource(resource)["created"]) == (0, 40), outcome.out


@pytest.mark.parametrize("resource", LISTINGS)
@pytest.mark.parametrize("fault", ["hollow", "nowhere"])
def test_a_listing_that_never_has_what_it_promises_deletes_nothing_and_says_so(
    make_desk: Make, resource: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lumio_cli.sync.pull.slice_pull.PAUSE", 0.0)
    desk = make_desk(40)
    assert desk.lab.lumio("sync", "mailchimp").code == 0
    before = kept(desk, resource)
    desk.lab.sandbox.faults.set([f"{fault}:path={LISTINGS[resource]}"])
    entry = desk.lab.lumio("sync", f"mailchimp/{resource}", "--mode", "full").resource(resource)
    assert entry["error"]["code"] == "bad_reply"
    assert "and not where" in entry["error"]["message"]
    assert kept(desk, resource) == before
    desk.lab.sandbox.faults.clear()
    entry = desk.lab.lumio("sync", f"mailchimp/{resource}", "--mode", "full").resource(resource)
    assert (entry["error"], entry["deleted"]) == (None, 0)
    assert kept(desk, resource) == before


@pytest.mark.parametrize("resource", ["campaigns", "reports"])
def test_campaigns_that_leave_while_others_join_hide_no_other(
    make_desk: Make, resource: str
) -> None:
    desk = make_desk(40)
    desk.account.most_rows = 15
    table = desk.account.tables[resource]
    ids = table.ids()

    handle = desk.account.handle

    def watched(request: Request) -> Response:
        answer = handle(request)
        if request.path == LISTINGS[resource] and ids[3] in table:
            table.purge(ids[3])
            table.insert({**(table.get(ids[5]) or {}), "id": "new"}, "new")
        return answer

    desk.account.handle = watched  # type: ignore[method-assign]
    desk.lab.lumio("sync", f"mailchimp/{resource}")
    assert ids[3] not in table
    assert {(i,) for i in table.ids()} <= set(kept(desk, resource))

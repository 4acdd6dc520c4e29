"""Styles of paging, by themselves: where a walk goes on, and when it ends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract.call import Call, Place, Reply
from lumio_cli.providers.contract.paging import (
    Above,
    Link,
    NoPlaceError,
    Offset,
    Paging,
    Token,
    with_params,
    without_edge,
)

CALL = Call("GET", "/rows", params={"q": "all"})


def reply(**body: Any) -> Reply:
    return Reply(200, {}, json.dumps(body).encode())


def walk(
    style: Paging,
    rows: list[int],
    size: int,
    *,
    drop: dict[int, int] | None = None,
    join: dict[int, int] | None = None,
    short: int = 0,
) -> list[int]:
    """What an offset walk reads of `rows`; `drop` takes a row away before the n-th page, `join`
    puts one at the end then; pages have `short` rows fewer than are asked for."""
    place: Place | None = style.first(size)
    met: list[int] = []
    pages = 0
    while place is not None:
        if drop and pages in drop:
            rows.remove(drop[pages])
        if join and pages in join:
            rows.append(join[pages])
        start = int(str(dict(style.ask(CALL, place).params)["offset"]))
        page = [{"id": n} for n in rows[start : start + size - short]]
        met += [row["id"] for row in without_edge(place, page, "id")]
        place = style.next(place, reply(total=len(rows)), page)
        pages += 1
        assert pages < 20
    return met


def test_an_offset_walk_reads_every_row_once() -> None:
    for count in (0, 1, 4, 5, 9):
        assert walk(Offset("offset", "count", "total"), list(range(count)), 4) == list(range(count))
        assert walk(Offset("offset", "count"), list(range(count)), 4) == list(range(count))


def test_a_page_that_does_not_say_how_many_rows_there_are_is_not_the_last() -> None:
    style = Offset("offset", "count", "total")
    with pytest.raises(BadReplyError, match="how many rows"):
        style.next(style.first(2), reply(), [{"id": 1}, {"id": 2}])


def test_a_row_that_vanishes_behind_the_walk_hides_no_other() -> None:
    for page, gone in ((1, 0), (2, 3), (2, 0)):
        met = walk(Offset("offset", "count", "total"), list(range(10)), 4, drop={page: gone})
        assert set(met) >= set(range(10)) - {gone}, (page, gone)


def test_a_row_that_vanishes_before_the_last_page_hides_no_other() -> None:
    met = walk(Offset("offset", "count", "total"), list(range(9)), 4, drop={2: 0})
    assert set(met) == set(range(9))


def test_as_many_rows_may_join_as_leave_and_none_is_hidden() -> None:
    for page, gone in ((1, 0), (2, 3), (2, 0)):
        met = walk(
            Offset("offset", "count", "total"),
            list(range(10)),
            4,
            drop={page: gone},
            join={page: 10},
        )
        assert set(met) >= set(range(11)) - {gone}, (page, gone)


def test_a_page_with_fewer_rows_than_asked_for_is_not_the_last() -> None:
    met = walk(Offset("offset", "count", "total"), list(range(9)), 4, short=1)
    assert met == list(range(9))


def test_a_listing_that_never_keeps_still_is_given_up() -> None:
    style = Offset("offset", "count", "total")
    place: Place | None = style.first(2)
    with pytest.raises(BadReplyError, match="faster than it can be read"):
        for number in range(1000):
            assert place is not None
            place = style.next(place, reply(total=50), [{"id": f"{number}a"}, {"id": f"{number}b"}])


@pytest.mark.parametrize(
    ("style", "body"),
    [
        (Offset("offset", "count", "total"), {"total": 3}),
        (Token("end", "after", "first", more="more"), {"more": True, "end": None}),
        (Token("next.after", "after", "limit", more="next"), {"next": {"after": ""}}),
        (Token("next.after", "after", "limit", more="next"), {"next": {}}),
        (Link("next", more="has_more"), {"has_more": True}),
        (Above(lambda call, key, size: call, more="next.after"), {"next": {"after": "9"}}),
        (
            Above(lambda call, key, size: call, more="next", token="next.after"),
            {"next": {"after": ""}},
        ),
        (Above(lambda call, key, size: call, more="next", token="next.after"), {"next": {}}),
        (Above(lambda call, key, size: call, more="next.after", total="total"), {"total": 3}),
    ],
)
def test_more_without_a_place_is_no_end(style: Paging, body: dict[str, Any]) -> None:
    with pytest.raises(NoPlaceError, match="more records follow"):
        style.next(style.first(2), reply(**body), [])


def test_a_keyset_goes_on_by_the_token_of_an_empty_page_and_by_the_key_after_a_full_one() -> None:
    def restrict(call: Call, key: str | None, size: int) -> Call:
        return with_params(call, above=key)

    def resume(call: Call, token: str) -> Call:
        return with_params(call, after=token)

    style = Above(restrict, more="next", total="total", token="next.after", resume=resume)
    hollow = style.next(
        {"size": 2, "above": "7"}, reply(results=[], total=2, next={"after": "2"}), []
    )
    assert hollow is not None
    assert style.ask(CALL, hollow).params == {"q": "all", "above": "7", "after": "2"}
    full = style.next(hollow, reply(total=2), [{"id": "8"}, {"id": "9"}])
    assert full is None
    # What was lost of the paging, the total makes good.
    lost = style.next({"size": 2}, reply(total=5), [{"id": "8"}, {"id": "9"}])
    assert lost is not None
    assert style.ask(CALL, lost).params == {"q": "all", "above": "9"}


def test_a_token_goes_into_the_body_where_the_api_has_it_there() -> None:
    style = Token("page.end", "after", "first", into="variables", more="page.more")
    call = Call("POST", "/graphql", json={"query": "q", "variables": {"shop": 1}})
    place = style.first(2)
    assert style.ask(call, place).json == {"query": "q", "variables": {"shop": 1, "first": 2}}
    following = style.next(place, reply(page={"end": "c9", "more": True}), [])
    assert following is not None
    asked = style.ask(call, following).json
    assert asked["variables"] == {"shop": 1, "first": 2, "after": "c9"}
    # A last page has an end, too.
    assert style.next(place, reply(page={"end": "c9", "more": False}), []) is None


def test_a_link_is_followed_as_it_is() -> None:
    style = Link("next", "limit")
    place = style.first(5)
    assert style.ask(CALL, place).params == {"q": "all", "limit": "5"}
    following = style.next(place, reply(next="/rows?page=2"), [])
    assert following is not None
    asked = style.ask(CALL, following)
    assert (asked.path, asked.params, asked.label) == ("/rows?page=2", {}, "/rows")
    assert style.next(following, reply(next=None), []) is None

"""Styles of paging, by themselves: where a walk goes on, and when it ends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lumio_cli.errors import BadReplyError
from lumio_cli.providers.base import Call, Place, Reply
from lumio_cli.providers.paging import Link, Offset, Paging, Token

CALL = Call("GET", "/rows", params={"q": "all"})


def reply(**body: Any) -> Reply:
    return Reply(200, {}, json.dumps(body).encode())


def walk(
    style: Paging, rows: list[int], size: int, *, drop: dict[int, int] | None = None
) -> list[int]:
    """What an offset walk reads of `rows`; `drop` takes a row away before the n-th page."""
    place: Place | None = style.first(size)
    met: list[int] = []
    pages = 0
    while place is not None:
        if drop and pages in drop:
            rows.remove(drop[pages])
        start = int(dict(style.ask(CALL, place).params)["offset"])
        page = rows[start : start + size]
        met += page
        place = style.next(place, reply(total=len(rows)), [{"id": n} for n in page])
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

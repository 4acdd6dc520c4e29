"""New records whose creation got no answer are found, sent again, or left to a person; never made
twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lumio_cli.core.clock import SystemClock
from lumio_cli.core.errors import HubError
from lumio_cli.hub.edits import Edit
from lumio_cli.sync.push import lost_creates
from lumio_cli.sync.push.receipts import Settling
from lumio_cli.sync.push.settled import Settled
from model.depot import Shape
from model.world import Fault, World
from support.lab import Lab

VALUES = st.dictionaries(
    st.sampled_from("abcde"), st.sampled_from(["x", "y", "z"]), min_size=1, max_size=5
)
NAMES = ("a", "b", "c", "d", "e")


def came(rows: list[Mapping[str, str]]) -> list[lost_creates._Came]:
    return [
        lost_creates._Came(n, f"r{n}", {name: row.get(name) for name in NAMES})
        for n, row in enumerate(rows, 1)
    ]


def edit(number: int) -> Edit:
    return Edit("acme", "people", f"new-{number:016x}", "create", attempt_rid=0)


@settings(deadline=None, max_examples=200)
@given(st.lists(VALUES, max_size=6), st.lists(VALUES, max_size=8))
def test_each_record_with_all_values_of_an_edit_stands_for_one_edit(
    edits: list[Mapping[str, str]], rows: list[Mapping[str, str]]
) -> None:
    there = {one.record: one.meant for one in came(rows)}
    wanted = [(edit(n), values) for n, values in enumerate(edits)]
    found = lost_creates._matched(wanted, came(rows))
    assert len(set(found.values())) == len(found)
    for one, values in wanted:
        fits = {r for r, meant in there.items() if all(meant[n] == v for n, v in values.items())}
        if one.record in found:
            assert found[one.record] in fits
        else:
            assert fits <= set(found.values())


@settings(deadline=None, max_examples=300)
@given(st.lists(VALUES, max_size=8), VALUES, st.integers(0, 3))
def test_a_record_that_shares_half_of_the_values_is_found_if_there_is_one(
    rows: list[Mapping[str, str]], values: Mapping[str, str], after: int
) -> None:
    like = {
        one.record
        for one in came(rows)
        if one.rid > after
        and sum(one.meant[n] == v for n, v in values.items()) >= len(values) * lost_creates.LIKE
    }
    found = lost_creates._Alike(came(rows)).first([values], after)
    assert found in like if like else found == ""


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Makes a world in which Ana is known, and Bia is new here."""
    made: list[World] = []

    def make(**shape: Any) -> World:
        home = tmp_path / str(len(made))
        home.mkdir()
        world = World(home, Shape(**shape))
        made.append(world)
        world.server.create("provider", "people", {"name": "Ana"})
        world.sync("pull", "ask")
        world.sql("INSERT INTO depot_people (name, age, mail) VALUES ('Bia', 5, 'b@x.example')")
        return world

    yield make
    for world in made:
        world.close()


def names(world: World) -> list[str]:
    return sorted(str(r["name"]) for r in world.server.live["people"].values())


def state(world: World) -> list[tuple[str, str | None]]:
    rows = world.sql("SELECT status, kind FROM lumio_outbox")
    return [(row["status"], row["kind"]) for row in rows]


def test_a_value_that_was_edited_since_does_not_protect_what_was_sent(
    make_world: Callable[..., World],
) -> None:
    """The provider takes no name twice; but the name that it may have is not this one any more."""
    world = make_world(unique=True)
    world.sync("push", "ask", fault=Fault("lost"))
    world.sql("UPDATE depot_people SET name = 'Bea' WHERE name = 'Bia'")
    world.sync("push", "ask")
    assert (names(world), state(world)) == (["Ana", "Bia"], [("unknown", None)])


def test_what_would_have_been_sent_again_is_looked_for_by_the_next_run(
    make_world: Callable[..., World],
) -> None:
    """It was killed before it did; and the name is another one since."""
    world = make_world(unique=True)
    world.sync("push", "ask", fault=Fault("lost"))
    world.sync("push", "ask", fault=Fault("refused"))
    world.sql("UPDATE depot_people SET name = 'Bea' WHERE name = 'Bia'")
    world.sync("push", "ask")
    assert (names(world), state(world)) == (["Ana", "Bia"], [("unknown", None)])


def test_what_is_edited_before_it_is_sent_again_is_not_sent(
    make_world: Callable[..., World],
) -> None:
    world = make_world(unique=True)
    world.sync("push", "ask", fault=Fault("lost"))
    world.sql("INSERT INTO depot_teams (name) VALUES ('Red')")

    def rename() -> None:
        world.sql("UPDATE depot_people SET name = 'Bea' WHERE name = 'Bia'")

    # While the team is created, of which the run begins with.
    world.sync("push", "ask", fault=Fault("edit", edit=rename))
    assert names(world) == ["Ana", "Bia"]


def test_refusals_of_what_is_sent_again_end_the_doubt(make_world: Callable[..., World]) -> None:
    """However often it is pushed: doubt lasts from the first attempt, that got no answer."""
    world = make_world(unique=True)
    world.server.create("provider", "people", {"name": "Bia", "age": "1", "mail": "o@x.example"})
    world.sync("push", "ask", fault=Fault("never"))
    states = []
    for _ in range(3):
        world.clock.advance(40.0)
        world.sync("push", "ask")
        states += state(world)
    assert states == [("unknown", None), ("failed", "conflict"), ("failed", "conflict")]


def test_what_the_hub_could_not_take_in_is_not_sent_again_before_it_was_looked_for(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    settle = Settling.settle

    def locked(self: Settling, *args: Any) -> Settled:
        raise HubError("the hub is locked", code="hub_locked")

    monkeypatch.setattr(Settling, "settle", locked)
    done = world.sync("push", "ask")
    assert done is not None
    assert [r.error.code for r in done.resources if r.error is not None] == ["hub_locked"]
    assert names(world) == ["Ana", "Bia"]
    monkeypatch.setattr(Settling, "settle", settle)
    for _ in range(3):
        world.sync("push", "ask")
        world.clock.advance(100.0)
    assert (names(world), state(world)) == (["Ana", "Bia"], [])


def test_a_killed_run_leaves_nobody_who_knows_when_it_sent_something(
    make_world: Callable[..., World],
) -> None:
    """It may have waited long for a quota before it did."""
    world = make_world()
    wait = Fault("killed after", edit=lambda: world.clock.advance(100.0))
    world.sync("push", "ask", fault=wait)
    world.sync("push", "ask")
    assert (names(world), state(world)) == (["Ana", "Bia"], [("unknown", None)])
    world.clock.advance(10.0)
    world.sync("push", "ask")
    assert (names(world), state(world)) == (["Ana", "Bia"], [])


def test_a_clock_that_is_slow_does_not_make_a_record_twice(
    make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab(search_lag=60)
    monkeypatch.setattr(SystemClock, "time", lambda _: time.time() - 400.0)
    lab.sql("INSERT INTO hubspot_contacts (firstname, lastname) VALUES ('Only', 'Once')")
    lab.sandbox.faults.add("lost:times=1:path=*/contacts/batch/create")
    for _ in range(2):
        assert lab.lumio("sync", "hubspot/contacts", "--direction", "push").code == 3
    made = [r["properties"].get("lastname") for r in lab.sandbox.hubspot.dump("contacts")]
    assert made.count("Once") == 1


def test_a_preview_says_what_is_in_doubt_and_merges_what_a_killed_run_was_sending(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    world.sync("push", "ask", fault=Fault("lost"))
    world.sql("UPDATE depot_people SET age = 7 WHERE name = 'Ana'")
    world.sync("push", "ask", fault=Fault("killed before"))
    (ana,) = (i for i, r in world.server.live["people"].items() if r["name"] == "Ana")
    world.server.change("provider", "people", ana, {"age": "9"})
    found = {change.action: change for change in world.preview("push").changes or ()}
    assert sorted(found) == ["conflict", "create"]
    assert found["create"].as_json()["in_doubt"] is True
    assert "in_doubt" not in found["conflict"].as_json()

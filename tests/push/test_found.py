"""Histories that once ended badly, each made as short as it can be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lumio_cli.providers.contract.values import meaning
from lumio_cli.sync.merging.merge import Policy
from model.depot import Shape
from model.world import Fault, FaultKind, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    home = tmp_path / "home"
    home.mkdir()
    made = World(home, Shape())
    made.server.create("provider", "people", {"name": "Ana"})
    made.sync("pull", "ask")
    made.sql("INSERT INTO depot_people (name, age, mail) VALUES ('Bia', 5, 'b@x.example')")
    yield made
    made.close()


def names(world: World) -> list[str]:
    return sorted(str(r["name"]) for r in world.server.live["people"].values())


def test_a_new_record_edited_while_it_is_in_doubt_is_found_and_then_edited(world: World) -> None:
    world.sync("push", "ask", fault=Fault("killed after"))
    world.sql("UPDATE depot_people SET age = 7, mail = 'c@x.example' WHERE name = 'Bia'")
    for _ in range(2):
        world.clock.advance(100.0)
        world.sync("both", "ask")
    assert names(world) == ["Ana", "Bia"]
    (found,) = (r for r in world.server.live["people"].values() if r["name"] == "Bia")
    assert (found["fields"]["age"], found["fields"]["mail"]) == ("7", "c@x.example")
    assert world.sql("SELECT * FROM lumio_outbox") == []


@pytest.mark.parametrize("policy", ["ask", "provider"])
@pytest.mark.parametrize("kind", ["lost", "killed after"])
def test_an_edit_after_one_that_got_no_answer_is_no_conflict_with_ourselves(
    world: World, kind: FaultKind, policy: Policy
) -> None:
    world.sql("UPDATE depot_people SET age = 7 WHERE name = 'Ana'")
    world.sync("push", policy, fault=Fault(kind, at=1))
    world.sql("UPDATE depot_people SET age = 8 WHERE name = 'Ana'")
    world.clock.advance(100.0)
    world.sync("both", policy)
    (found,) = (r for r in world.server.live["people"].values() if r["name"] == "Ana")
    assert found["fields"]["age"] == "8"


def test_an_edit_taken_back_after_it_got_no_answer_is_taken_back_there(world: World) -> None:
    world.sql("UPDATE depot_people SET age = 7 WHERE name = 'Ana'")
    world.sync("push", "ask", fault=Fault("lost", at=1))
    world.sql("UPDATE depot_people SET age = NULL WHERE name = 'Ana'")
    world.clock.advance(100.0)
    world.sync("both", "ask")
    (found,) = (r for r in world.server.live["people"].values() if r["name"] == "Ana")
    assert found["fields"]["age"] == ""
    assert world.sql("SELECT * FROM lumio_outbox") == []


def test_an_edit_taken_back_is_sent_though_the_hub_has_not_heard_of_the_first_one(
    world: World,
) -> None:
    """The provider took it, said nothing, and lists it late."""
    world.sql("UPDATE depot_people SET age = 7 WHERE name = 'Ana'")
    world.sync("push", "ask", fault=Fault("lost", at=1))
    world.sql("UPDATE depot_people SET age = NULL WHERE name = 'Ana'")
    (ana,) = (r for r in world.server.live["people"].values() if r["name"] == "Ana")
    ana["listed"] = world.clock.time() + 60.0
    world.sync("push", "ask")
    assert ana["fields"]["age"] == ""
    assert world.sql("SELECT * FROM lumio_outbox") == []


def test_a_new_record_deleted_while_it_is_refused_is_forgotten(world: World) -> None:
    def delete() -> None:
        world.sql("DELETE FROM depot_people WHERE name = 'Bia'")

    world.sync("push", "ask", fault=Fault("refused", edit=delete))
    assert world.sql("SELECT * FROM lumio_outbox") == []
    world.sync("push", "ask")
    assert (names(world), world.server.twins) == (["Ana"], [])


def test_an_empty_set_is_nothing() -> None:
    assert meaning("json", "set", "[]") is None


def test_a_record_in_doubt_stays_so_when_it_is_refused_the_second_time(tmp_path: Path) -> None:
    """At a provider that takes no name twice it is sent again at once."""
    world = World(tmp_path, Shape(unique=True))
    try:
        world.server.create("provider", "people", {"name": "Ana"})
        world.sync("pull", "ask")
        world.sql("INSERT INTO depot_people (name) VALUES ('Bia')")
        world.sync("push", "ask", fault=Fault("lost"))
        world.sync("push", "ask", fault=Fault("invalid"))
        world.sql("DELETE FROM depot_people WHERE name = 'Bia'")
        for _ in range(2):
            world.clock.advance(100.0)
            world.sync("both", "ask")
        assert names(world) == ["Ana"]
        assert world.sql("SELECT * FROM lumio_outbox") == []
    finally:
        world.close()


def test_a_record_that_is_like_one_in_doubt_does_not_stand_in_for_it(world: World) -> None:
    world.sync("push", "ask", fault=Fault("lost"))
    world.server.create("provider", "people", {"name": "Cy", "age": "5", "mail": "b@x.example"})
    # Later than Cy, who is listed by then, and before Bia is.
    for record in world.server.live["people"].values():
        record["listed"] = 0.0 if record["name"] == "Cy" else world.clock.time() + 30.0
    world.sync("push", "ask")
    assert world.sql("SELECT status FROM lumio_outbox") == [{"status": "unknown"}]
    world.clock.advance(100.0)
    world.sync("both", "ask")
    assert names(world) == ["Ana", "Bia", "Cy"]
    assert world.sql("SELECT * FROM lumio_outbox") == []


def test_a_new_record_that_may_be_there_is_not_sent_again_for_being_edited(world: World) -> None:
    world.sql("UPDATE lumio_outbox SET status = 'failed', kind = 'unsettled'")
    world.sql("UPDATE depot_people SET age = 9 WHERE name = 'Bia'")
    world.sync("push", "ask")
    assert names(world) == ["Ana"]

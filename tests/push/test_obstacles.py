"""What stands in the way of one edit stops no other; and what is not about a record is no reason to
believe anything about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.sandbox.http import Request, Response
from lumio_cli.sync.model import ResourceResult
from model.depot import Shape
from model.world import Fault, World
from providers.pipedrive_subjects import SUBJECTS as PIPEDRIVE
from providers.shopify_subjects import SUBJECTS as SHOPIFY
from support.conformance import Rig, Subject, rig
from support.lab import Lab

TARGET = "hubspot/contacts"
DIGITS = "9" * 5000


def subject(subjects: Any, name: str) -> Subject:
    found: Subject = next(s for s in subjects if s.resource == name)
    return found


def pushed(lab: Lab | Rig, target: str, code: int) -> dict[str, Any]:
    done = lab.lumio("sync", target, "--direction", "push")
    assert done.code == code, done.out
    (found,) = (r for r in done.document["resources"] if r["direction"] == "push")
    return dict(found)


def counted(entry: dict[str, Any]) -> tuple[int, int, int]:
    return entry["sent"], entry["updated"], entry["failed"]


@pytest.mark.parametrize("policy", ["ask", "provider", "local"])
def test_what_is_not_there_beside_a_record_says_nothing_of_the_record(
    lab: Lab, policy: str
) -> None:
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal'")
    lab.sandbox.faults.add("404:path=*/properties/contacts")
    push = ("sync", TARGET, "--direction", "push", "--conflicts", policy)
    # Nothing is remembered of how contacts are described.
    done = lab.lumio(*push, environ={"LUMIO_CACHE__ENABLED": "false"})
    assert (done.code, done.document["error"]["code"]) == (1, "not_found")
    assert lab.sql("SELECT count(*) FROM hubspot_contacts") == [(20,)]
    lab.sandbox.faults.clear()
    assert lab.lumio(*push).resource("contacts")["updated"] == 20


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00+01:00", "soon"])
def test_a_time_that_is_none_fails_alone(lab: Lab, value: str) -> None:
    one, two = (str(r[0]) for r in lab.sql("SELECT id FROM hubspot_contacts LIMIT 2"))
    lab.sql("UPDATE hubspot_contacts SET renewal_date = ? WHERE id = ?", value, one)
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal' WHERE id = ?", two)
    assert counted(pushed(lab, TARGET, 3)) == (2, 1, 1)
    assert lab.sql("SELECT record, status, kind FROM lumio_outbox") == [
        (one, "failed", "validation")
    ]


@pytest.mark.parametrize("value", [DIGITS, "1e400"])
def test_a_number_beyond_all_bounds_fails_alone_and_is_told_of_shortly(
    lab: Lab, value: str
) -> None:
    one, two = (str(r[0]) for r in lab.sql("SELECT id FROM hubspot_contacts LIMIT 2"))
    lab.sql("UPDATE hubspot_contacts SET loyalty_points = ? WHERE id = ?", value, one)
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal' WHERE id = ?", two)
    assert lab.lumio("preview", TARGET, "--direction", "push").code == 0
    assert counted(pushed(lab, TARGET, 3)) == (2, 1, 1)
    ((message,),) = lab.sql("SELECT message FROM lumio_outbox")
    assert len(message) <= 300


@pytest.mark.parametrize("tags", ["[" * 100_000, '["\\ud83d"]'], ids=["too deep", "half an emoji"])
def test_json_that_nobody_can_write_fails_alone(tmp_path: Path, tags: str) -> None:
    with rig(subject(SHOPIFY, "products"), tmp_path) as lab:
        lab.sync()
        one, two = lab.ids[:2]
        lab.sql("UPDATE shopify_products SET tags = ? WHERE id = ?", tags, one)
        lab.sql("UPDATE shopify_products SET title = 'X' WHERE id = ?", two)
        assert counted(pushed(lab, "shopify/products", 3)) == (2, 1, 1)
        assert lab.sql("SELECT record, status FROM lumio_outbox") == [(one, "failed")]


def test_what_the_adapter_cannot_put_into_words_fails_alone(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is: the others of its batch are sent."""
    from lumio_cli.providers.hubspot import HubSpot

    write = HubSpot.write

    def choosy(self: HubSpot, resource: Any, changes: Any, send: Any) -> Iterator[Any]:
        if any("Natal" in str(change.values) for change in changes):
            raise OverflowError("too much of it")
        yield from write(self, resource, changes, send)

    monkeypatch.setattr(HubSpot, "write", choosy)
    lab.sql("UPDATE hubspot_contacts SET city = 'Recife'")
    ((one,),) = lab.sql("SELECT id FROM hubspot_contacts LIMIT 1")
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal' WHERE id = ?", one)
    assert counted(pushed(lab, TARGET, 3)) == (20, 19, 1)
    assert lab.sql("SELECT record, message FROM lumio_outbox") == [
        (one, "lumio cannot write its values: too much of it")
    ]


def test_what_was_not_reached_when_the_provider_fell_silent_was_never_sent(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lumio_cli.core.errors import UnavailableError
    from lumio_cli.providers.hubspot import HubSpot

    def choosy(self: HubSpot, resource: Any, changes: Any, send: Any) -> Iterator[Any]:
        if len(changes) > 1:
            raise OverflowError("too much of it")
        raise UnavailableError("gone for lunch")

    monkeypatch.setattr(HubSpot, "write", choosy)
    for number in range(5):
        lab.sql("INSERT INTO hubspot_contacts (lastname) VALUES (?)", f"New {number}")
    pushed(lab, TARGET, 5)
    assert lab.sql("SELECT DISTINCT status, attempt_rid FROM lumio_outbox") == [("pending", None)]


@pytest.mark.parametrize("action", ["UPDATE", "INSERT"])
def test_an_answer_that_nobody_understands_is_not_about_the_values(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    """Such as that of a page that says that all is being maintained."""
    provider = lab.sandbox.providers["hubspot"]
    handle = provider.handle

    def maintained(request: Request) -> Response:
        if request.method == "GET" and "/properties/" in request.path:
            return Response.of_json({"status": "maintenance"})
        return handle(request)

    monkeypatch.setattr(provider, "handle", maintained)
    if action == "UPDATE":
        lab.sql("UPDATE hubspot_contacts SET city = 'Natal'")
    else:
        lab.sql("INSERT INTO hubspot_contacts (lastname) VALUES ('New')")
    push = ("sync", TARGET, "--direction", "push")
    done = lab.lumio(*push, environ={"LUMIO_CACHE__ENABLED": "false"})
    assert done.code != 0 and done.document["error"]["code"] == "bad_reply"
    assert lab.sql("SELECT DISTINCT status FROM lumio_outbox") == [("pending",)]


def test_a_page_of_something_in_between_leaves_the_edits_as_they_are(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = lab.sandbox.providers["hubspot"]
    handle = provider.handle

    def proxied(request: Request) -> Response:
        if "/batch/update" in request.path:
            return Response(404, b"<html>no such page</html>", {"Content-Type": "text/html"})
        return handle(request)

    monkeypatch.setattr(provider, "handle", proxied)
    lab.sql("UPDATE hubspot_contacts SET city = 'Natal'")
    stingy = {"LUMIO_SYNC__MAX_WAIT": "0"}
    done = lab.lumio("sync", TARGET, "--direction", "push", environ=stingy)
    assert done.code == 5
    assert lab.sql("SELECT DISTINCT status FROM lumio_outbox") == [("pending",)]


def test_a_deletion_does_not_hang_on_what_was_edited_before(tmp_path: Path) -> None:
    world = World(tmp_path, Shape())
    world.server.create("provider", "people", {"name": "Ana"})
    world.sync("pull", "ask")
    world.sql("UPDATE depot_people SET team = 'new-0123456789abcdef', mail = 'x\ufffd'")
    world.sql("DELETE FROM depot_people")
    assert people(world.sync("push", "ask")).deleted == 1
    world.close()


# -- records that turn out to be gone


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Ana was edited here, and was deleted there, which no listing of changes tells."""
    made = World(tmp_path, Shape(deletes=("sweep",)))
    for name in ("Ana", "Bia"):
        made.server.create("provider", "people", {"name": name})
    made.sync("pull", "ask")
    made.sql("UPDATE depot_people SET age = 7 WHERE name = 'Ana'")
    made.server.delete("provider", "people", "p100")
    yield made
    made.close()


def people(done: Any) -> ResourceResult:
    found: ResourceResult = next(r for r in done.resources if r.resource == "people")
    return found


def test_a_record_that_is_gone_is_made_anew_by_the_run_that_finds_out(world: World) -> None:
    found = people(world.sync("push", "local"))
    assert (found.created, found.status) == (1, "succeeded")
    assert sorted(r["name"] for r in world.server.live["people"].values()) == ["Ana", "Bia"]
    assert world.sql("SELECT * FROM lumio_outbox") == []


def test_an_edit_that_is_given_up_for_a_deletion_is_told_of(world: World) -> None:
    found = people(world.sync("push", "provider"))
    assert found.warnings == ["1 edit gives way to the provider's values, by the policy"]
    assert world.sql("SELECT * FROM lumio_outbox") == []


def test_an_edit_that_has_met_a_deletion_waits_for_a_decision(world: World) -> None:
    found = people(world.sync("push", "ask"))
    assert (found.conflicts, found.status) == (1, "partial")


def test_what_is_sent_is_never_compared_with_pages_of_an_interrupted_walk(tmp_path: Path) -> None:
    """Teams can only be listed, and the listing of a killed run is taken up in its middle."""
    world = World(tmp_path, Shape())
    for number in range(5):
        world.server.create("provider", "teams", {"name": f"T{number}", "size": "1"})
    world.sync("pull", "ask")
    world.sync("pull", "ask", fault=Fault("killed after", at=1, write=False))
    world.server.change("provider", "teams", "t100", {"size": "2"})
    world.sql("UPDATE depot_teams SET size = 3 WHERE id = 't100'")
    world.sync("both", "ask")
    assert world.server.live["teams"]["t100"]["fields"]["size"] == "2"
    assert world.sql("SELECT status FROM lumio_outbox") == [{"status": "conflict"}]
    world.close()


def test_an_update_of_a_record_that_nobody_has_ends(world: World) -> None:
    """Neither the provider has it, nor the hub."""
    world.sql("UPDATE depot_people SET age = 7 WHERE name = 'Bia'")
    world.server.delete("provider", "people", "p101")
    world.shell.execute("DELETE FROM lumio_raw_depot_people")
    found = people(world.sync("push", "ask"))
    assert (found.failed, found.status) == (2, "partial")
    assert {r["kind"] for r in world.sql("SELECT kind FROM lumio_outbox")} == {"gone"}


def test_a_new_record_deleted_while_it_is_sent_is_deleted_as_it_was_sent(tmp_path: Path) -> None:
    """Not as it was edited in between, which nobody but the hub has ever seen."""
    world = World(tmp_path, Shape())
    world.sync("pull", "ask")
    world.sql("INSERT INTO depot_teams (name) VALUES ('Red')")

    def edit_and_delete() -> None:
        world.sql("UPDATE depot_teams SET size = 5")
        world.sql("DELETE FROM depot_teams")

    world.sync("push", "ask", fault=Fault("edit", edit=edit_and_delete))
    world.server.change("provider", "teams", "t100", {"size": "5"})
    world.sync("both", "ask")
    assert "t100" in world.server.live["teams"]
    assert world.sql("SELECT status FROM lumio_outbox") == [{"status": "conflict"}]
    world.close()


def test_a_record_found_again_is_deleted_as_it_was_then(tmp_path: Path) -> None:
    """What a colleague changes after it was found is a conflict with its deletion."""
    world = World(tmp_path, Shape())
    world.server.create("provider", "teams", {"name": "Blue"})
    world.sync("pull", "ask")
    world.sql("INSERT INTO depot_teams (name) VALUES ('Red')")
    world.sync("push", "ask", fault=Fault("lost"))
    world.sql("DELETE FROM depot_teams WHERE name = 'Red'")
    world.sync("both", "ask", fault=Fault("refused"))
    world.server.change("provider", "teams", "t101", {"size": "5"})
    world.sync("both", "ask")
    assert "t101" in world.server.live["teams"]
    assert world.sql("SELECT action, status FROM lumio_outbox") == [
        {"action": "delete", "status": "conflict"}
    ]
    world.close()


def test_what_is_sent_is_never_compared_with_the_window_of_an_interrupted_walk(
    tmp_path: Path,
) -> None:
    """It ended when the killed run began it."""
    world = World(tmp_path, Shape())
    for number in range(5):
        world.server.create("provider", "people", {"name": f"P{number}", "age": "1"})
    world.sync("pull", "ask")
    world.clock.advance(100.0)
    for record in list(world.server.live["people"]):
        world.server.change("provider", "people", record, {"mail": "a@x.example"})
    world.sync("pull", "ask", fault=Fault("killed after", at=2, write=False))
    assert world.sql("SELECT kind, pages FROM lumio_checkpoints") == [
        {"kind": "changes", "pages": 1}
    ]
    world.clock.advance(100.0)
    world.server.change("provider", "people", "p100", {"age": "2"})
    world.sql("UPDATE depot_people SET age = 3 WHERE id = 'p100'")
    world.sync("both", "ask")
    assert world.server.live["people"]["p100"]["fields"]["age"] == "2"
    assert world.sql("SELECT status FROM lumio_outbox") == [{"status": "conflict"}]
    world.close()


# -- names


def test_a_new_record_goes_by_its_first_id_as_long_as_somebody_uses_that(tmp_path: Path) -> None:
    world = World(tmp_path, Shape())
    world.sync("pull", "ask")
    world.sql("INSERT INTO depot_teams (name) VALUES ('Red')")
    (first,) = (row["id"] for row in world.sql("SELECT id FROM depot_teams"))
    world.sync("push", "ask")
    world.sql("INSERT INTO depot_people (name, team) VALUES ('Ana', ?)", first)
    world.sync("push", "ask")
    (ana,) = world.server.live["people"].values()
    assert ana["team"] in world.server.live["teams"]
    assert world.sql("SELECT * FROM lumio_outbox") == []
    world.close()


def test_an_edit_that_waits_shows_the_provider_s_id_of_what_it_refers_to(tmp_path: Path) -> None:
    world = World(tmp_path, Shape())
    world.sync("pull", "ask")
    world.sql("INSERT INTO depot_teams (name) VALUES ('Red')")
    world.sql("INSERT INTO depot_people (name, team) SELECT 'Ana', id FROM depot_teams")
    world.sql("UPDATE lumio_outbox SET status = 'failed' WHERE resource = 'people'")
    world.sync("push", "ask")
    assert world.sql("SELECT team FROM depot_people") == [{"team": "t100"}]
    world.close()


# -- what is remembered


def test_the_history_has_values_as_the_provider_took_them(tmp_path: Path) -> None:
    with rig(subject(PIPEDRIVE, "persons"), tmp_path) as lab:
        lab.sync()
        one = lab.ids[0]
        mail = '[{"value":"new@x.example"}]'
        lab.sql("UPDATE pipedrive_persons SET emails = ? WHERE id = ?", mail, one)
        done = lab.lumio("sync", "pipedrive/persons", "--direction", "push")
        ((fields,),) = lab.sql("SELECT fields FROM lumio_history WHERE origin = 'push'")
        after = json.loads(fields)["emails"][1]
        ((shown,),) = lab.sql("SELECT emails FROM pipedrive_persons WHERE id = ?", one)
        assert json.loads(after) == json.loads(shown) != json.loads(mail)
        # So that nothing seems to have been changed since.
        undone = lab.lumio("runs", "undo", done.document["run_id"], "--yes")
        assert (undone.code, undone.document["left"]) == (0, [])

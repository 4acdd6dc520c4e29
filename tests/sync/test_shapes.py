"""Shapes that a provider may have: parents with listings of their own, exports, parts, webhooks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest

from lumio_cli.core.errors import HubError
from lumio_cli.core.stop import Stop
from lumio_cli.providers import registry as providers
from lumio_cli.sandbox import Sandbox, registry
from lumio_cli.sandbox.http import Request, Response
from lumio_cli.sandbox.lookalike import CLIENT_ID, CLIENT_SECRET
from lumio_cli.sync.hub_sink import HubSink
from lumio_cli.transport import attempt
from support.lab import VAULT_KEY, Lab
from support.trials import Hands
from sync.shelf import Town


class ShelfLab(Lab):
    """A home, and a town's library to talk to."""

    clock: Hands

    @property
    def environ(self) -> dict[str, str]:
        return {
            "LUMIO_HOME": str(self.home),
            "LUMIO_SHELF_TOKEN": self.sandbox.token("shelf"),
            "LUMIO_PROVIDERS__SHELF__BASE_URL": self.sandbox.base_url("shelf"),
            "LUMIO_CACHE__ENABLED": "false",
            **self.extra,
        }

    @property
    def town(self) -> Town:
        return cast(Town, self.sandbox.providers["shelf"])

    def held(self, resource: str) -> list[str]:
        return [i for (i,) in self.sql(f"SELECT id FROM shelf_{resource} ORDER BY id")]

    def asked(self, path: str) -> int:
        return sum(1 for _, _, seen, _ in self.sandbox.requests if seen.startswith(f"/shelf{path}"))


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ShelfLab]:
    module = ModuleType("shelf")
    module.Town = Town  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lumio_cli.sandbox.shelf", module)
    monkeypatch.setitem(registry.PROVIDERS, "shelf", "Town")
    monkeypatch.setitem(providers.OURS, "shelf", "sync.shelf:Shelf")
    # Nobody wants to wait for an export of a test.
    monkeypatch.setattr(attempt.LimiterTransport, "pause", lambda *_: None)
    clock = Hands()
    with Sandbox(records=5, providers=("shelf",), clock=clock) as sandbox:
        made = ShelfLab(tmp_path / "home", sandbox)
        made.clock = clock
        yield made


def test_each_parents_listing_is_walked_to_its_end(lab: ShelfLab) -> None:
    assert lab.lumio("sync", "shelf").code == 0
    assert lab.held("books") == sorted([*lab.town.books["b1"].ids(), *lab.town.books["b2"].ids()])
    assert lab.asked("/branches/b1/books") == 3


def test_parents_that_were_never_read_are_read_with_what_hangs_on_them(lab: ShelfLab) -> None:
    done = lab.lumio("sync", "shelf/books")
    assert {r["resource"] for r in done.document["resources"]} == {"branches", "books"}
    assert len(lab.held("books")) == 10
    again = lab.lumio("sync", "shelf/books")
    assert {r["resource"] for r in again.document["resources"]} == {"books"}


def test_changes_come_from_all_parents_whether_they_changed_or_not(lab: ShelfLab) -> None:
    lab.lumio("sync", "shelf")
    lab.clock.forward(3600)
    lab.town.books["b2"].update("b2-3", {"title": "changed"})
    entry = lab.lumio("sync", "shelf/books").resource("books")
    assert (entry["mode"], entry["read"], entry["updated"]) == ("incremental", 1, 1)


def test_a_parent_that_is_new_has_no_past(lab: ShelfLab) -> None:
    lab.lumio("sync", "shelf")
    lab.clock.forward(3600)
    lab.town.branches.append("b3")
    lab.lumio("sync", "shelf/branches")
    entry = lab.lumio("sync", "shelf/books").resource("books")
    # Its books are much older than the cursor.
    assert (entry["mode"], entry["created"]) == ("incremental", 5)
    lab.clock.forward(3600)
    assert lab.lumio("sync", "shelf/books").resource("books")["read"] == 0


def test_a_child_that_is_gone_is_found_by_the_next_full_walk(lab: ShelfLab) -> None:
    lab.lumio("sync", "shelf")
    lab.town.books["b1"].purge("b1-0")
    entry = lab.lumio("sync", "shelf", "--mode", "full").resource("books")
    assert entry["deleted"] == 1
    assert "b1-0" not in lab.held("books")


def test_an_export_is_asked_about_until_it_is_done(lab: ShelfLab) -> None:
    lab.town.polls = 3
    assert lab.lumio("sync", "shelf/loans").resource("loans")["created"] == 5
    assert lab.asked("/exports/job1/") == 3
    assert lab.town.exports == 1


def test_a_run_that_ends_early_goes_on_with_the_export_it_began(lab: ShelfLab) -> None:
    stop = Stop()
    handle = lab.town.handle

    def end(request: object) -> object:
        answer = handle(request)  # type: ignore[arg-type]
        if request.path.endswith("/0"):  # type: ignore[attr-defined]
            stop.set("SIGTERM", 143)
        return answer

    lab.town.handle = end  # type: ignore[assignment, method-assign]
    assert lab.lumio("sync", "shelf/loans", stop=stop).code == 143
    lab.town.handle = handle  # type: ignore[method-assign]
    assert lab.lumio("sync", "shelf/loans").code == 0
    assert lab.town.exports == 1
    assert lab.asked("/exports/job1/0") == 1
    assert len(lab.held("loans")) == 5


def test_a_part_that_joins_later_comes_with_its_whole_history(lab: ShelfLab) -> None:
    lab.lumio("sync", "shelf/notices")
    lab.clock.forward(3600)
    lab.extra["LUMIO_PROVIDERS__SHELF__BOARDS"] = "east,west"
    entry = lab.lumio("sync", "shelf/notices").resource("notices")
    assert (entry["mode"], entry["created"]) == ("incremental", 5)


def test_a_part_that_is_refused_holds_up_no_other(lab: ShelfLab) -> None:
    lab.extra["LUMIO_PROVIDERS__SHELF__BOARDS"] = "east,west"
    lab.lumio("sync", "shelf/notices")
    lab.clock.forward(3600)
    lab.town.closed_boards.add("west")
    lab.town.boards["east"].insert({"title": "new"}, "east-new")
    done = lab.lumio("sync", "shelf/notices")
    entry = done.resource("notices")
    assert (done.code, entry["status"], entry["created"]) == (3, "partial", 1)
    assert "no such board" in entry["error"]["message"]
    # It comes back: what it had meanwhile is older than the others' cursor.
    lab.town.boards["west"].insert({"title": "meanwhile"}, "west-new")
    lab.clock.forward(7200)
    lab.lumio("sync", "shelf/notices")
    lab.town.closed_boards.clear()
    assert lab.lumio("sync", "shelf/notices").code == 0
    assert "west-new" in lab.held("notices")


def test_no_part_at_all_is_nothing_to_do(lab: ShelfLab) -> None:
    lab.home.mkdir()
    (lab.home / "config.yaml").write_text("providers: {shelf: {boards: []}}")
    assert lab.lumio("sync", "shelf/notices").code == 0
    assert lab.held("notices") == []


def test_what_comes_by_webhook_has_its_view_and_is_not_asked_for(lab: ShelfLab) -> None:
    assert lab.lumio("sync", "shelf/visits").resource("visits")["status"] == "succeeded"
    assert lab.held("visits") == []
    assert lab.asked("/visits") == 0


def test_seconds_since_1970_are_times_in_the_view(lab: ShelfLab) -> None:
    lab.lumio("sync", "shelf/books")
    rows = lab.sql("SELECT bought FROM shelf_books WHERE id = 'b1-1'")
    assert rows == [("2017-07-14T02:40:01.000Z",)]


def test_what_the_probe_learned_is_kept_beside_a_token_from_the_environment(lab: ShelfLab) -> None:
    lab.lumio("sync", "shelf/branches")
    (kept,) = lab.sql("SELECT fields FROM lumio_accounts")
    assert kept == ('{"town": "ulm"}',)


def test_an_app_connects_by_its_own_way_and_gets_its_tokens(lab: ShelfLab) -> None:
    lab.extra |= {
        "LUMIO_VAULT_KEY": VAULT_KEY,
        "LUMIO_CREDENTIALS__STORE": "vault",
        "LUMIO_SHELF_CLIENT_SECRET": CLIENT_SECRET,
    }
    words = ("--way", "client_credentials", "--set", f"client_id={CLIENT_ID}")
    no_token: dict[str, str | None] = {"LUMIO_SHELF_TOKEN": None}
    done = lab.lumio("connect", "shelf", *words, environ=no_token)
    assert done.code == 0, done.err
    assert done.document["credential"]["kind"] == "client_credentials"
    assert lab.lumio("sync", "shelf/branches", environ=no_token).code == 0
    assert CLIENT_SECRET not in done.out + done.err


def test_an_app_may_be_handed_over_by_the_environment_alone(lab: ShelfLab) -> None:
    lab.extra |= {
        "LUMIO_SHELF_WAY": "client_credentials",
        "LUMIO_SHELF_CLIENT_ID": CLIENT_ID,
        "LUMIO_SHELF_CLIENT_SECRET": CLIENT_SECRET,
    }
    assert lab.lumio("sync", "shelf/branches", environ={"LUMIO_SHELF_TOKEN": None}).code == 0


def test_a_way_that_does_not_exist_is_named(lab: ShelfLab) -> None:
    done = lab.lumio("connect", "shelf", "--way", "client_credential")
    assert done.code == 2
    assert "client_credentials" in done.document["error"]["hint"]


def test_a_secret_of_a_way_does_not_belong_on_the_command_line(lab: ShelfLab) -> None:
    words = ("--way", "client_credentials", "--set", "client_secret=s3cret-value")
    done = lab.lumio("connect", "shelf", *words)
    assert done.code == 2
    assert "s3cret-value" not in done.out + done.err


# -- what goes wrong, and how the next run goes on


def failing_once(monkeypatch: pytest.MonkeyPatch, resource: str) -> None:
    """The hub cannot be written to when a walk is about to be finished, one time."""
    finish = HubSink.finish_walk
    failed: list[bool] = []

    def finish_walk(self: HubSink, *where: Any, **values: Any) -> None:
        if where[2] == resource and not failed:
            failed.append(True)
            raise HubError("the disk is full")
        finish(self, *where, **values)

    monkeypatch.setattr(HubSink, "finish_walk", finish_walk)


def answering(lab: ShelfLab, ending: str, answer: Callable[[], Response]) -> None:
    """The library answers like that to requests whose path ends so."""
    handle = lab.town.handle

    def instead(request: Request) -> object:
        return answer() if request.path.endswith(ending) else handle(request)

    lab.town.handle = instead  # type: ignore[assignment, method-assign]


def test_a_run_that_ends_behind_the_last_page_of_all_parts_is_finished_by_the_next(
    lab: ShelfLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.extra["LUMIO_PROVIDERS__SHELF__BOARDS"] = "east,west"
    failing_once(monkeypatch, "notices")
    assert lab.lumio("sync", "shelf/notices").code != 0
    assert lab.lumio("sync", "shelf/notices").code == 0
    assert len(lab.held("notices")) == 10


def test_a_walk_that_went_on_knows_which_parents_it_has_asked_for(
    lab: ShelfLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_once(monkeypatch, "books")
    lab.lumio("sync", "shelf")
    lab.clock.forward(3600)
    # The walk is over; what follows is only what has changed since.
    assert lab.lumio("sync", "shelf/books").resource("books")["read"] == 0
    assert lab.lumio("sync", "shelf/books").resource("books")["read"] == 0


def test_an_export_that_failed_is_begun_anew_by_the_next_run(lab: ShelfLab) -> None:
    handle = lab.town.handle
    failed = Response.of_json({"state": "failed", "job": "job1"})
    answering(lab, "/exports/job1", lambda: failed)
    first = lab.lumio("sync", "shelf/loans")
    assert "the export failed" in first.resource("loans")["error"]["message"]
    assert lab.lumio("sync", "shelf/loans").code == 0
    assert lab.town.exports == 2
    lab.town.handle = handle  # type: ignore[method-assign]
    assert len(lab.held("loans")) == 5


def test_an_export_whose_address_is_no_longer_good_is_begun_anew(lab: ShelfLab) -> None:
    answering(lab, "/job1/1", lambda: Response.of_json({"message": "expired"}, 403))
    lab.lumio("sync", "shelf/loans")
    assert lab.lumio("sync", "shelf/loans").code == 0
    assert len(lab.held("loans")) == 5


@pytest.mark.parametrize("mode", ["incremental", "full"])
def test_a_parent_that_is_gone_holds_up_no_other(lab: ShelfLab, mode: str) -> None:
    lab.lumio("sync", "shelf")
    lab.clock.forward(3600)
    lab.town.books["b2"].update("b2-3", {"title": "changed"})
    answering(lab, "/b1/books", lambda: Response.of_json({"message": "no such branch"}, 404))
    done = lab.lumio("sync", "shelf/books", "--mode", mode)
    entry = done.resource("books")
    assert (done.code, entry["status"], entry["updated"]) == (3, "partial", 1)
    assert "no such branch" in entry["error"]["message"]
    # That it cannot be listed does not prove that its books are gone.
    assert len(lab.held("books")) == 10
    # Once the branches are read again, the hub knows.
    lab.town.branches.remove("b1")
    assert lab.lumio("sync", "shelf", "--max-delete", "100").code == 0


def test_a_probe_that_is_not_understood_fails_its_provider_and_not_the_run(lab: ShelfLab) -> None:
    answering(lab, "/me", lambda: Response.of_json({"who": "cares"}))
    done = lab.lumio("sync", "shelf/branches")
    assert done.code == 5
    assert done.resource("branches")["error"]["code"] == "bad_reply"

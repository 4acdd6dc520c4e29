"""What a run must not believe, forget or repeat: the edges of the engine."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.core.errors import BadReplyError
from lumio_cli.hub.sqlite import runs
from lumio_cli.hub.sqlite.database import Hub
from lumio_cli.providers.contract.auth import Credential
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.paging import Above
from lumio_cli.providers.contract.quota import Quota
from lumio_cli.providers.contract.resource import Walk
from lumio_cli.providers.hubspot import HubSpot
from lumio_cli.sandbox.http import Request, Response
from lumio_cli.sync.run_locks import bury_dead_runs, target_lock
from lumio_cli.transport.retry import Retry
from lumio_cli.transport.session import Session
from support.lab import Lab

LIST = "/crm/objects/2026-03/contacts"


def searches(lab: Lab) -> int:
    return sum(1 for _, _, path, _ in lab.sandbox.requests if path.endswith("contacts/search"))


def test_a_resumed_walk_remembers_that_a_record_failed_before_it_was_interrupted(
    make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Retry, "_draw", lambda *_: 0.001)
    lab = make_lab(250)
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    lab.sandbox.faults.set([f"noid:path={LIST}:times=1", f"500:path={LIST}:after=1"])
    assert lab.lumio("sync", "hubspot/contacts", "--mode", "full").code == 5
    lab.sandbox.faults.clear()
    for path in lab.home.glob("runtime.db*"):
        path.unlink()
    resumed = lab.lumio("sync", "hubspot/contacts").resource("contacts")
    assert resumed["mode"] == "full"
    assert resumed["deleted"] == 0, "the record is there; it only could not be read"
    assert any("some records failed" in warning for warning in resumed["warnings"])
    assert lab.differences("contacts") == []


def test_every_time_zone_that_is_not_known_is_told_once(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    zones = ("Mars/Olympus", "Moon/Tycho")
    daily = [Quota(f"d{n}", 10_000, kind="daily", zone=zone) for n, zone in enumerate(zones)]
    make = HubSpot.__init__

    def made(self: HubSpot, options: Mapping[str, Any]) -> None:
        make(self, options)
        self.quotas = (*self.quotas, *daily)  # type: ignore[assignment]

    monkeypatch.setattr(HubSpot, "__init__", made)
    outcome = lab.lumio("sync", "hubspot/contacts", "hubspot/companies")
    told = [w for r in outcome.document["resources"] for w in r["warnings"] if "time zone" in w]
    assert [sum(zone in warning for warning in told) for zone in zones] == [1, 1]


def test_a_field_found_later_costs_no_request_in_every_run_and_no_rebuilt_view(lab: Lab) -> None:
    hubspot = lab.sandbox.hubspot
    lab.lumio("sync", "hubspot/contacts")
    first = str(next(hubspot.dump("contacts"))["id"])
    _add_property(lab, "aaa_late")
    hubspot.update("contacts", first, {"firstname": "Ada"})
    lab.lumio("sync", "hubspot/contacts")
    view = lab.sql("SELECT sql FROM sqlite_schema WHERE name = 'hubspot_contacts'")
    assert "aaa_late" in view[0][0]
    version = lab.sql("PRAGMA schema_version")
    hubspot.update("contacts", first, {"firstname": "Zoë"})
    before = searches(lab)
    done = lab.lumio("sync", "hubspot/contacts")
    assert done.resource("contacts")["updated"] == 1
    assert searches(lab) - before == 1, "the page is asked for once"
    assert lab.sql("PRAGMA schema_version") == version, "nobody touched the view"


def _add_property(lab: Lab, name: str) -> None:
    """From now on HubSpot describes one more custom property."""
    hub = lab.sandbox.hubspot
    handle = hub.handle

    def more(request: Request) -> Response:
        answer = handle(request)
        if request.path != "/crm/v3/properties/contacts":
            return answer
        body = json.loads(answer.body)
        body["results"].append(
            {"name": name, "type": "string", "label": name, "hubspotDefined": False}
        )
        return Response.of_json(body)

    hub.handle = more  # type: ignore[method-assign]


def test_a_listed_record_is_not_deleted_because_another_names_it_as_merged(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = sorted(str(r["id"]) for r in lab.sandbox.hubspot.dump("contacts"))[:2]

    def merged(self: HubSpot, walk: Walk, record: dict[str, Any]) -> dict[str, str]:
        return {first: first, second: first} if record["id"] == first else {}

    monkeypatch.setattr(HubSpot, "merged", merged)
    done = lab.lumio("sync", "hubspot/contacts").resource("contacts")
    assert (done["created"], done["deleted"]) == (120, 0)
    assert lab.differences("contacts") == []


def test_a_page_without_any_key_does_not_end_a_walk_that_goes_on() -> None:
    paging = Above(lambda call, key, size: call, more="paging.next.after")
    place = paging.first(2)
    more = Reply(200, {}, b'{"paging": {"next": {"after": "2"}}}')
    assert paging.next(place, more, [{"id": "7"}, {"id": {"value": "8"}}]) == {
        "size": 2,
        "above": "7",
    }
    with pytest.raises(BadReplyError):
        paging.next(place, more, [{"id": None}, {}])


def test_a_run_that_crashes_is_not_written_down_as_succeeded(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.lumio("sync", "hubspot/contacts")
    send = Session.send

    def crash(self: Session, call: Call, **options: Any) -> Reply:
        if call.path.endswith("/search"):
            raise RuntimeError("a defect")
        return send(self, call, **options)

    monkeypatch.setattr(Session, "send", crash)
    assert lab.lumio("sync", "hubspot/contacts").code == 1
    assert lab.sql("SELECT status, exit_code FROM lumio_runs ORDER BY rowid DESC LIMIT 1") == [
        ("failed", 1)
    ]


def test_a_run_that_did_not_get_its_lock_does_not_hide_what_the_last_one_did(lab: Lab) -> None:
    lab.lumio("sync", "hubspot/contacts")
    with target_lock(lab.home / "locks", "hubspot", "contacts"):
        assert lab.lumio("sync", "hubspot/contacts").code == 6
        assert lab.lumio("sync", "hubspot/contacts", "--if-running", "skip").code == 0
    (provider,) = lab.lumio("status", "hubspot").document["providers"]
    assert provider["resources"][0]["last_run"]["status"] == "succeeded"
    assert provider["health"] == "healthy"


def test_a_preview_refuses_another_account_as_the_sync_does(lab: Lab) -> None:
    lab.lumio("sync", "hubspot/contacts")
    lab.sql("UPDATE lumio_accounts SET account_id = '1', fingerprint = 'another'")
    synced = lab.lumio("sync", "hubspot/contacts")
    previewed = lab.lumio("preview", "hubspot/contacts")
    assert (synced.code, synced.document["error"]["code"]) == (7, "account_changed")
    assert (previewed.code, previewed.document["error"]["code"]) == (7, "account_changed")


def test_a_run_that_ends_while_it_is_taken_for_dead_keeps_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = "2026-11-23T10:00:00Z"
    row = runs.RunRow("r1", "running", now, now, 1, "here", "full", "pull", [], "0")
    with Hub.open(tmp_path / "lumio.db") as hub:
        with hub.transaction() as db:
            runs.start_run(db, row)
        ask = runs.running_runs
        answers = []

        def ends_meanwhile(db: sqlite3.Connection) -> list[str]:
            answers.append(ask(db))
            if len(answers) == 1:
                runs.finish_run(db, "r1", status="succeeded", now=now, exit_code=0)
            return answers[-1]

        monkeypatch.setattr(runs, "running_runs", ends_meanwhile)
        assert bury_dead_runs(hub, tmp_path / "locks", now) == []
        assert hub.connection.execute("SELECT status FROM lumio_runs").fetchone()[0] == "succeeded"


def test_a_number_as_an_id_is_asked_for_where_properties_come_by_batch(lab: Lab) -> None:
    names = tuple(f"a_rather_long_name_of_a_property_{n:03}" for n in range(300))
    provider = HubSpot({})
    asked: list[Any] = []

    def send(call: Call) -> Reply:
        asked.extend(call.json["inputs"])
        return Reply(200, {}, b'{"results": []}')

    walk = Walk(provider.resource("contacts"), "full", properties=names)
    assert provider.fill(walk, [{"id": 7}, {"id": "8"}, {"id": {}}], send) == [{"id": {}}]
    assert asked == [{"id": "7"}, {"id": "8"}]


@pytest.mark.parametrize("answer", [b"[]", b'{"scopes": null}', b'{"scopes": 1}'])
def test_a_token_that_cannot_be_inspected_opens_its_account_all_the_same(answer: bytes) -> None:
    def send(call: Call) -> Reply:
        return Reply(200, {}, b'{"portalId": 7}' if call.method == "GET" else answer)

    identity = HubSpot({}).probe(send, Credential("token", "pat-eu1-x"))
    assert (identity.account_id, identity.scopes) == ("7", None)


def test_only_the_dead_letter_of_the_same_direction_is_closed(tmp_path: Path) -> None:
    now = "2026-11-23T10:00:00Z"
    letters = [runs.DeadLetter("p", "r", "7", "k", "m", direction=d) for d in ("pull", "push")]
    with Hub.open(tmp_path / "lumio.db") as hub, hub.transaction() as db:
        runs.add_dead_letters(db, letters, "r1", now)
        runs.resolve_stored(db, "p", "r", ["7", "8"], now)
        assert [x["direction"] for x in runs.list_dead_letters(db)] == ["push"]


def test_a_preview_counts_a_record_once_though_two_pages_list_it(lab: Lab) -> None:
    handle, held = lab.sandbox.hubspot.handle, []

    def twice(request: Request) -> Response:
        answer = handle(request)
        if request.path != LIST or request.one("archived") == "true":
            return answer
        body = json.loads(answer.body)
        held.append(body["results"][0])
        body["results"].append(held[0])
        return Response.of_json(body)

    lab.sandbox.hubspot.handle = twice  # type: ignore[method-assign]
    done = lab.lumio("preview", "hubspot/contacts")
    assert done.resource("contacts")["created"] == 120
    assert lab.lumio("sync", "hubspot/contacts").resource("contacts")["created"] == 120


def test_a_place_that_the_provider_refuses_is_left_and_the_walk_begins_anew(
    make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Retry, "_draw", lambda *_: 0.001)
    lab = make_lab(250)
    lab.sandbox.faults.set([f"500:path={LIST}:after=1"])
    lab.lumio("sync", "hubspot/contacts")
    lab.sandbox.faults.clear()
    for path in lab.home.glob("runtime.db*"):
        path.unlink()
    lab.sql("UPDATE lumio_checkpoints SET place = json_set(place, '$.token', 'expired!')")
    done = lab.lumio("sync", "hubspot/contacts")
    assert done.code == 0
    assert "begun anew" in done.resource("contacts")["warnings"][0]
    assert lab.differences("contacts") == []

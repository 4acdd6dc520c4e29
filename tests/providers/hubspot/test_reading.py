"""Reading from HubSpot: which endpoints are asked, and descriptions that are not as described."""

from __future__ import annotations

import time
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import orjson
import pytest

from lumio_cli.sandbox.http import Request, Response
from support.lab import OBJECTS, Lab

NUMBERED = ("/crm/v3/*", "/crm/v4/*", "/account-info/v3/*", "/oauth/v1/*", "/oauth/v3/*")
DATED = ("/crm/*/2026-03*", "/account-info/2026-03/*", "/oauth/2026-03/*")
VERSION = "LUMIO_PROVIDERS__HUBSPOT__API_VERSION"
ALL_NUMBERED, ALL_DATED = {VERSION: "v3"}, {VERSION: "2026-03"}


def change(lab: Lab, glob: str, with_: Callable[[dict[str, Any]], object]) -> None:
    """From now on good answers to these paths are changed in place."""
    handle = lab.sandbox.hubspot.handle

    def changed(request: Request) -> Response:
        response = handle(request)
        if response.status >= 300 or not fnmatchcase(request.path, glob):
            return response
        document = orjson.loads(response.body)
        with_(document)
        return Response(response.status, orjson.dumps(document), response.headers)

    lab.sandbox.hubspot.handle = changed  # type: ignore[method-assign]


@pytest.mark.parametrize(("gone", "environ"), [(NUMBERED, ALL_DATED), (DATED, ALL_NUMBERED)])
def test_one_setting_moves_every_endpoint(
    lab: Lab, gone: tuple[str, ...], environ: dict[str, str]
) -> None:
    lab.sandbox.hubspot.retired = dict.fromkeys(gone, 404)
    for _ in range(2):
        outcome = lab.lumio("sync", "hubspot", environ=environ)
        assert outcome.code == 0, outcome.out
    for kind in OBJECTS:
        assert lab.differences(kind) == []
    assert lab.sql("SELECT count(*) FROM hubspot_associations") > [(0,)]
    assert lab.sql("SELECT count(*) FROM hubspot_owners") == [(10,)]


BAD = [
    None,
    7,
    {},
    {"name": None, "type": "string"},
    {"name": "", "type": "string"},
    {"name": ["x"], "type": "string"},
]


@pytest.mark.parametrize("bad", BAD)
def test_a_definition_without_a_name_costs_nothing_else(lab: Lab, bad: Any) -> None:
    change(lab, "/crm/*properties/*", lambda document: document["results"].insert(0, bad))
    outcome = lab.lumio("sync", "hubspot/contacts")
    assert outcome.code == 0, outcome.out
    assert lab.differences("contacts") == []


@pytest.mark.parametrize("rest", [{}, {"type": None}, {"type": 7}, {"type": {}}])
def test_a_property_without_a_type_is_text(lab: Lab, rest: dict[str, Any]) -> None:
    def spoiled(document: dict[str, Any]) -> None:
        for item in document["results"]:
            name = item["name"]
            item.clear()
            item.update(name=name, options=None, modificationMetadata=None, label=None, **rest)

    lab.sandbox.hubspot.update("contacts", first(lab), {"loyalty_points": "17"})
    change(lab, "/crm/*properties/*", spoiled)
    outcome = lab.lumio("sync", "hubspot/contacts")
    assert outcome.code == 0, outcome.out
    found = lab.sql("SELECT loyalty_points FROM hubspot_contacts WHERE id = ?", first(lab))
    assert found == [("17",)]


def first(lab: Lab) -> str:
    return str(next(iter(lab.sandbox.hubspot.dump("contacts")))["id"])


@pytest.mark.parametrize("kinds", [None, 7, [None], [{"category": "X", "typeId": "many"}]])
def test_a_link_whose_kinds_cannot_be_read_is_a_link(lab: Lab, kinds: Any) -> None:
    def spoiled(document: dict[str, Any]) -> None:
        for result in document["results"]:
            result["to"][0]["associationTypes"] = kinds

    change(lab, "*/batch/read", lambda d: spoiled(d) if "to" in d["results"][0] else None)
    outcome = lab.lumio("sync", "hubspot")
    assert outcome.code == 0, outcome.out
    assert lab.sql("SELECT count(*) FROM hubspot_associations") > [(0,)]


def test_a_null_among_pipelines_and_stages_is_a_dead_letter_and_no_more(lab: Lab) -> None:
    def spoiled(document: dict[str, Any]) -> None:
        document["results"][0]["stages"].insert(0, None)
        document["results"].insert(0, None)

    change(lab, "/crm/*pipelines/*deals", spoiled)
    outcome = lab.lumio("sync", "hubspot/pipelines")
    assert (outcome.code, outcome.resource("pipelines")["failed"]) == (3, 2)
    assert lab.sql("SELECT count(*) FROM hubspot_pipelines") == [(18,)]


@pytest.mark.parametrize("total", [None, "many", {}, True])
def test_a_search_that_does_not_say_how_many_there_are_is_read_all_the_same(
    lab: Lab, total: Any
) -> None:
    change(lab, "*/search", lambda document: document.update(total=total))
    for _ in range(2):
        outcome = lab.lumio("sync", "hubspot/contacts")
        assert outcome.code == 0, outcome.out
        lab.sandbox.hubspot.update("contacts", first(lab), {"city": "Natal"})
    assert lab.differences("contacts") != [], "the last edit was made after the last run"
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    assert lab.differences("contacts") == []


def test_a_refusal_whose_reasons_cannot_be_read_is_a_missing_scope(lab: Lab) -> None:
    def refused(request: Request) -> Response:
        body = {"category": "MISSING_SCOPES", "message": "no", "errors": {"context": None}}
        return Response.of_json(body, 403)

    handle = lab.sandbox.hubspot.handle
    lab.sandbox.hubspot.handle = (  # type: ignore[method-assign]
        lambda request: (
            refused(request)
            if request.path.startswith("/crm/objects/2026-03/deals")
            else handle(request)
        )
    )
    outcome = lab.lumio("sync", "hubspot/deals", "hubspot/contacts")
    assert outcome.code == 3
    assert outcome.resource("deals")["error"]["code"] == "scope_missing"
    assert outcome.resource("contacts")["status"] == "succeeded"


LISTS = {
    "contacts": "/crm/objects/2026-03/contacts",
    "owners": "/crm/v3/owners",
    "associations": "/crm/*associations/*/batch/read",
}


@pytest.mark.parametrize("resource", LISTS)
@pytest.mark.parametrize("times", [1, 2])
def test_a_hollow_page_ends_no_walk(lab: Lab, resource: str, times: int) -> None:
    assert lab.lumio("sync", "hubspot").code == 0
    before = lab.sql(f"SELECT id FROM hubspot_{resource} ORDER BY id")
    assert before
    lab.sandbox.faults.set([f"hollow:path={LISTS[resource]}:times={times}"])
    outcome = lab.lumio("sync", f"hubspot/{resource}", "--mode", "full")
    assert (outcome.code, outcome.resource(resource)["deleted"]) == (0, 0), outcome.out
    assert lab.sql(f"SELECT id FROM hubspot_{resource} ORDER BY id") == before


@pytest.mark.parametrize("resource", LISTS)
def test_a_page_that_has_lost_its_place_ends_the_walk_with_an_error_and_no_deletion(
    lab: Lab, resource: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lumio_cli.sync.pull.slice_pull.PAUSE", 0.0)
    assert lab.lumio("sync", "hubspot").code == 0
    before = lab.sql(f"SELECT id FROM hubspot_{resource} ORDER BY id")
    lab.sandbox.faults.set([f"nowhere:path={LISTS[resource]}"])
    outcome = lab.lumio("sync", f"hubspot/{resource}", "--mode", "full")
    assert outcome.resource(resource)["error"]["code"] == "bad_reply"
    assert "and not where" in outcome.resource(resource)["error"]["message"]
    assert lab.sql(f"SELECT id FROM hubspot_{resource} ORDER BY id") == before
    lab.sandbox.faults.clear()
    assert lab.lumio("sync", f"hubspot/{resource}").code == 0
    assert lab.sql(f"SELECT id FROM hubspot_{resource} ORDER BY id") == before


class Clock:
    """HubSpot's own: what changed before it is put on lies before the end of the next window."""

    def __init__(self) -> None:
        self.now = time.time() - 30

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("fault", ["hollow:times=1", "hollow:every=2", "last", "nowhere"])
def test_changes_are_read_to_their_end_whatever_a_search_says_of_its_pages(
    make_lab: Callable[..., Lab], fault: str
) -> None:
    """A search counts what matches it: where its pages say less, the walk goes on by its keys."""
    clock = Clock()
    lab = make_lab(records=450, clock=clock)
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    for record in list(lab.sandbox.hubspot.dump("contacts")):
        lab.sandbox.hubspot.update("contacts", str(record["id"]), {"city": "Natal"})
    clock.now += 20
    lab.sandbox.faults.set([f"{fault}:path=*/search"])
    outcome = lab.lumio("sync", "hubspot/contacts")
    assert (outcome.code, outcome.resource("contacts")["updated"]) == (0, 450), outcome.out
    assert lab.differences("contacts") == []


def test_an_empty_search_that_counts_more_moves_no_cursor(
    make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lumio_cli.sync.pull.slice_pull.PAUSE", 0.0)
    clock = Clock()
    lab = make_lab(clock=clock)
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    lab.sandbox.hubspot.update("contacts", first(lab), {"city": "Natal"})
    clock.now += 20
    handle = lab.sandbox.hubspot.handle
    change(lab, "*/search", lambda document: document.update(results=[], paging=None))
    outcome = lab.lumio("sync", "hubspot/contacts")
    assert outcome.resource("contacts")["error"]["code"] == "bad_reply"
    lab.sandbox.hubspot.handle = handle  # type: ignore[method-assign]
    assert lab.lumio("sync", "hubspot/contacts").resource("contacts")["updated"] == 1
    assert lab.differences("contacts") == []

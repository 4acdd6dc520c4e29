"""Records and listings that are wrong: the bad ones are kept aside, the good ones are stored."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lumio_cli.sandbox.http import Request, Response
from lumio_cli.sandbox.hubspot.provider import HubSpot
from support.lab import Lab
from support.trials import LIST, MakeLab, asked, contents, cursor_of, told, told_people

pytestmark = [pytest.mark.attack("input files"), pytest.mark.usefixtures("brisk")]


def letters(lab: Lab, resource: str = "contacts") -> list[tuple[Any, ...]]:
    """The open dead letters of a resource: kind, record, message."""
    return lab.sql(
        "SELECT kind, record_id, message FROM lumio_dead_letters"
        " WHERE resource = ? AND resolved_at IS NULL ORDER BY id",
        resource,
    )


def first_id(lab: Lab) -> str:
    return str(next(lab.sandbox.hubspot.dump("contacts"))["id"])


def test_a_record_without_an_id_is_a_dead_letter_and_the_others_are_stored(lab: Lab) -> None:
    lab.sandbox.faults.set([f"noid:path={LIST}"])
    outcome = lab.lumio("sync", "hubspot/contacts")
    result = outcome.resource("contacts")
    assert outcome.code == 3
    assert result["status"] == "partial"
    assert (result["read"], result["created"], result["failed"]) == (60, 59, 1)
    ((kind, name, message),) = letters(lab)
    assert (kind, name[:4]) == ("no_id", "sha:")
    assert "no 'id'" in message
    kept = lab.sql("SELECT payload FROM lumio_dead_letters")[0][0]
    assert json.loads(kept)["properties"], "what came is kept, to be looked at"
    assert len(contents(lab)) == 59
    assert lab.sql("SELECT count(*) FROM hubspot_contacts WHERE id = ?", first_id(lab)) == [(0,)]


def test_the_same_bad_record_again_is_the_same_dead_letter(lab: Lab) -> None:
    lab.sandbox.faults.set([f"noid:path={LIST}"])
    for _ in range(2):
        assert lab.lumio("sync", "hubspot/contacts", "--mode", "full").code == 3
    assert len(letters(lab)) == 1
    assert lab.sql("SELECT attempts FROM lumio_dead_letters") == [(2,)]


def test_an_id_of_the_wrong_type_is_a_dead_letter(lab: Lab) -> None:
    lab.sandbox.faults.set([f"badid:path={LIST}"])
    outcome = lab.lumio("sync", "hubspot/contacts")
    assert (outcome.code, outcome.resource("contacts")["failed"]) == (3, 1)
    ((kind, _, message),) = letters(lab)
    assert kind == "bad_id"
    assert "dict" in message
    assert len(contents(lab)) == 59


def test_a_number_as_an_id_is_an_id_and_keeps_every_digit(lab: Lab) -> None:
    lab.sandbox.faults.set([f"badid:number:path={LIST}"])
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    assert ("9007199254740993",) in lab.sql("SELECT id FROM hubspot_contacts")


def test_people_are_told_how_many_records_failed(lab: Lab) -> None:
    lab.sandbox.faults.set([f"noid:path={LIST}"])
    outcome = lab.lumio("sync", "hubspot/contacts", "-o", "table")
    assert outcome.code == 3
    assert "1 record" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_record_of_50_mb_is_a_dead_letter_and_the_others_are_stored(make_lab: MakeLab) -> None:
    lab = make_lab(records=150)
    lab.sandbox.faults.set([f"huge:50:path={LIST}:times=1"])
    outcome = lab.lumio("sync", "hubspot/contacts")
    result = outcome.resource("contacts")
    assert outcome.code == 3
    assert (result["read"], result["created"], result["failed"]) == (150, 149, 1)
    ((kind, name, message),) = letters(lab)
    assert (kind, name) == ("too_large", first_id(lab))
    assert "sync.max_record" in message
    assert len(contents(lab)) == 149
    assert lab.hub_path.stat().st_size < 5_000_000, "what is too large is not kept"
    lab.sandbox.faults.clear()
    assert lab.lumio("sync", "hubspot/contacts", "--mode", "full").code == 0
    assert letters(lab) == [], "stored at last, it is no dead letter any more"
    assert lab.differences("contacts") == []


def test_a_body_beyond_the_limit_is_not_read(lab: Lab) -> None:
    lab.sandbox.faults.set([f"huge:3:path={LIST}"])
    environ = {"LUMIO_HTTP__MAX_BODY": "1MiB"}
    outcome = lab.lumio("sync", "hubspot/contacts", environ=environ)
    error = told(outcome)
    assert (outcome.code, error["code"]) == (5, "bad_reply")
    assert "the limit is 1.0 MiB" in error["message"]
    assert asked(lab) == 1, "it would be as large again"


# -- listings


def test_a_listing_that_goes_in_circles_is_stopped(lab: Lab) -> None:
    lab.sandbox.faults.set([f"loop:path={LIST}"])
    outcome = lab.lumio("sync", "hubspot/contacts")
    error = told(outcome)
    assert outcome.code == 1
    assert (error["code"], error["exit_code"]) == ("paging_loop", 1)
    assert asked(lab) <= 4
    assert cursor_of(lab) is None
    assert len(contents(lab)) == 60


def test_a_circle_in_a_second_run_deletes_nothing(lab: Lab) -> None:
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    before = contents(lab)
    lab.sandbox.hubspot.purge("contacts", first_id(lab))
    lab.sandbox.faults.set([f"loop:path={LIST}"])
    outcome = lab.lumio("sync", "hubspot/contacts", "--mode", "full", "-o", "table")
    assert outcome.code == 1
    assert "circles" in told_people(outcome)[0]
    assert contents(lab) == before


SHAPES = {
    "rows are no list": {"results": {"0": {"id": "1"}}},
    "rows are missing": {"contacts": []},
    "the answer is a list": [],
    "the answer is null": None,
    "the answer is a number": 7,
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("/crm/v3/properties/contacts", "contacts"),
        ("/crm/objects/2026-03/contacts/search", "contacts"),
        (LIST, "contacts"),
        ("/crm/v3/owners", "owners"),
        ("/crm/v3/pipelines/deals", "pipelines"),
    ],
)
def test_json_of_another_form_fails_its_resource_and_no_other(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, path: str, resource: str, shape: str
) -> None:
    chosen = ("contacts", "deals", "owners", "pipelines")
    targets = [f"hubspot/{name}" for name in chosen]
    if path.endswith("/search"):
        # A first sync searches only to know how much there will be, and does without.
        assert lab.lumio("sync", *targets).code == 0
    _answer(monkeypatch, path, SHAPES[shape])
    outcome = lab.lumio("sync", *targets)
    assert outcome.code == 3
    failed = outcome.resource(resource)
    assert failed["status"] == "failed" or failed["created"] > 0, "pipelines come in two parts"
    assert told(outcome)["code"] == "bad_reply"
    assert resource in told(outcome)["message"]
    others = {*chosen} - {resource}
    assert {outcome.resource(name)["status"] for name in others} == {"succeeded"}


@pytest.mark.parametrize("row", [None, 7, "text", [], {}])
@pytest.mark.parametrize(
    ("path", "resource"),
    [
        (LIST, "contacts"),
        ("/crm/v3/owners", "owners"),
        ("/crm/v3/pipelines/deals", "pipelines"),
        ("/crm/v4/associations/contacts/companies/batch/read", "associations"),
    ],
)
def test_a_row_that_is_no_record_is_a_dead_letter(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, path: str, resource: str, row: Any
) -> None:
    _answer(monkeypatch, path, {"results": [row]})
    targets = {f"hubspot/{resource}", "hubspot/contacts"}
    outcome = lab.lumio("sync", *sorted(targets))
    assert outcome.code == 3
    result = outcome.resource(resource)
    assert (result["status"], result["failed"]) == ("partial", 1)
    assert [kind for kind, *_ in letters(lab, resource)] == ["no_id"]


def test_a_stage_without_an_id_does_not_cost_the_other_stages(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = [{"label": "nameless"}, {"id": "won", "label": "Won"}]
    _answer(
        monkeypatch,
        "/crm/v3/pipelines/deals",
        {"results": [{"id": "default", "stages": stages}]},
    )
    outcome = lab.lumio("sync", "hubspot/pipelines")
    assert (outcome.code, outcome.resource("pipelines")["failed"]) == (3, 1)
    assert ("deals:default:won",) in lab.sql("SELECT id FROM hubspot_pipelines")


def test_a_link_that_cannot_be_read_does_not_delete_it_nor_the_others_of_its_record(
    lab: Lab,
) -> None:
    assert lab.lumio("sync", "hubspot").code == 0
    before = contents(lab, "associations")
    hub = lab.sandbox.hubspot
    handle = hub.handle

    def spoiled(request: Request) -> Response:
        answer = handle(request)
        if not request.path.startswith("/crm/v4/associations/"):
            return answer
        body = json.loads(answer.body)
        for result in body["results"]:
            del result["to"][0]["toObjectId"]
        return Response.of_json(body)

    hub.handle = spoiled  # type: ignore[method-assign]
    outcome = lab.lumio("sync", "hubspot/associations", "--mode", "full")
    result = outcome.resource("associations")
    assert outcome.code == 3
    assert result["failed"] > 0
    assert result["deleted"] == 0
    assert contents(lab, "associations") == before


def test_a_bad_record_is_not_lost_where_its_properties_come_by_batch(lab: Lab) -> None:
    """So many properties that the listing brings ids alone: a bad id must still be seen."""
    for number in range(300):
        lab.sandbox.hubspot.add_property("contacts", f"a_property_with_a_long_name_{number:04d}")
    lab.sandbox.faults.set([f"badid:path={LIST}"])
    outcome = lab.lumio("sync", "hubspot/contacts")
    result = outcome.resource("contacts")
    assert asked(lab, f"{LIST}/batch/read", "POST") == 1
    assert (outcome.code, result["read"], result["failed"]) == (3, 60, 1)
    assert [kind for kind, *_ in letters(lab)] == ["bad_id"]
    assert len(contents(lab)) == 59


def _answer(monkeypatch: pytest.MonkeyPatch, path: str, body: Any) -> None:
    """The look-alike answers `body` at a path, whatever it is asked."""
    handle = HubSpot.handle

    def instead(self: HubSpot, request: Request) -> Response:
        answer = handle(self, request)
        return Response.of_json(body) if request.path == path else answer

    monkeypatch.setattr(HubSpot, "handle", instead)

"""Reading from Pipedrive: deletions of archived deals, answers and definitions with holes, 402."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.pipedrive.listing import archived_pages
from lumio_cli.sandbox.http import Request, Response
from lumio_cli.sandbox.pipedrive import Pipedrive
from providers.pipedrive_subjects import SUBJECTS, account
from support.conformance import Rig, rig

SUBJECT = {s.resource: s for s in SUBJECTS}
Open = Callable[..., Rig]


@pytest.fixture
def open_lab(tmp_path: Path) -> Iterator[Open]:
    with ExitStack() as stack:

        def build(resource: str = "deals", records: int = 6, **options: Any) -> Rig:
            return stack.enter_context(rig(SUBJECT[resource], tmp_path, records, **options))

        yield build


@pytest.fixture
def lab(open_lab: Open) -> Rig:
    return open_lab()


def company(lab: Rig) -> Pipedrive:
    return account(lab.sandbox)


def change(lab: Rig, path: str, with_: Callable[[Request, dict[str, Any]], object]) -> None:
    """From now on good answers of this path are changed."""
    handle = company(lab).handle

    def changed(request: Request) -> Response:
        response = handle(request)
        if response.status >= 300 or request.path != path:
            return response
        document = json.loads(response.body)
        with_(request, document)
        return Response.of_json(document)

    company(lab).handle = changed  # type: ignore[method-assign]


# -- deletions


def test_an_archived_deal_that_is_deleted_goes_with_the_next_sync(lab: Rig) -> None:
    company(lab).archive("2")
    company(lab).archive("3")
    lab.sync()
    lab.clock.forward(3600)
    company(lab).tables["deals"].delete("2")
    company(lab).tables["deals"].delete("5")
    entry = lab.sync()
    assert (entry["mode"], entry["deleted"]) == ("incremental", 2)
    assert lab.payloads.keys() == {"1", "3", "4", "6"}


def test_deletions_are_found_by_every_sync_and_not_once_an_hour(lab: Rig) -> None:
    for number in ("2", "3"):
        company(lab).archive(number)
    lab.sync()
    lab.clock.forward(3600)
    for number in ("2", "5", "3"):
        company(lab).tables["deals"].delete(number)
        entry = lab.sync()
        assert (entry["mode"], entry["deleted"]) == ("incremental", 1), number
        lab.clock.forward(60)
    assert lab.payloads.keys() == {"1", "4", "6"}


def test_deleted_deals_that_were_archived_are_read_to_their_end(open_lab: Open) -> None:
    lab = open_lab(records=505)
    for number in range(1, 503):
        company(lab).archive(str(number))
    lab.sync()
    lab.clock.forward(3600)
    for number in range(1, 503):
        company(lab).tables["deals"].delete(str(number))
    assert lab.sync("--max-delete", "100")["deleted"] == 502


def test_deleted_deals_that_go_in_circles_are_an_error() -> None:
    document = {"data": [], "additional_data": {"next_cursor": "same"}}
    answer = Reply(200, {"content-type": "application/json"}, json.dumps(document).encode())
    pages = archived_pages(Call("GET", "/api/v2/deals"), 500, lambda call: answer)
    with pytest.raises(BadReplyError, match="do not end"):
        list(pages)


def test_archived_deals_are_not_deleted_by_a_listing_that_does_not_know_of_deletions(
    lab: Rig,
) -> None:
    """Should the listing of archived deals pass over `status`, it lists those that are alive."""
    company(lab).archive("2")
    lab.sync()
    lab.clock.forward(3600)
    (living,) = [row for row in company(lab).dump("deals") if row["id"] == 2]

    def all_of_them(request: Request, document: dict[str, Any]) -> None:
        if request.one("status") == "deleted":
            document["data"] = [living]

    change(lab, "/api/v2/deals/archived", all_of_them)
    assert lab.sync()["deleted"] == 0
    assert "2" in lab.payloads


@pytest.mark.parametrize("mark", [{"status": "deleted"}, {"is_deleted": True}])
def test_one_mark_of_a_deletion_is_enough(lab: Rig, mark: dict[str, Any]) -> None:
    lab.sync()
    lab.clock.forward(3600)
    company(lab).tables["deals"].delete("4")

    def marked(request: Request, document: dict[str, Any]) -> None:
        for row in document["data"]:
            row.pop("is_deleted", None)
            row["status"] = "open"
            if request.one("status") == "deleted":
                row.update(mark)

    change(lab, "/api/v2/deals", marked)
    assert lab.sync()["deleted"] == 1


# -- pages


@pytest.mark.parametrize("resource", ["deals", "persons", "stages"])
def test_a_hollow_page_ends_no_walk(open_lab: Open, resource: str) -> None:
    lab = open_lab(resource, 10)
    company(lab).archive("2")
    lab.sandbox.faults.set([f"hollow:every=2:path=/api/v2/{resource}*"])
    assert lab.sync()["created"] == 10


# -- definitions


@pytest.mark.parametrize("bad", [None, 7, {}, {"field_code": None}, {"field_code": 12}])
def test_a_field_without_a_key_costs_nothing_else(lab: Rig, bad: Any) -> None:
    change(lab, "/api/v2/dealFields", lambda _, document: document["data"].insert(0, bad))
    assert lab.sync()["created"] == 6
    assert "commission" in {row[1] for row in lab.sql("PRAGMA table_info(pipedrive_deals)")}


@pytest.mark.parametrize("options", [None, 7, {}, [None], [{}], [{"id": None}], [{"id": True}]])
def test_options_that_cannot_be_read_are_no_labels(lab: Rig, options: Any) -> None:
    company(lab).archive("1")

    def spoiled(_: Request, document: dict[str, Any]) -> None:
        for field in document["data"]:
            field["options"] = options

    change(lab, "/api/v2/dealFields", spoiled)
    assert lab.sync()["created"] == 6


@pytest.mark.parametrize("rest", [{}, {"field_type": None, "field_name": None}])
def test_a_field_without_a_type_is_shown_as_it_is(lab: Rig, rest: dict[str, Any]) -> None:
    def bare(_: Request, document: dict[str, Any]) -> None:
        document["data"] = [
            {"field_code": f["field_code"], "is_custom_field": f["is_custom_field"], **rest}
            for f in document["data"]
        ]

    change(lab, "/api/v2/dealFields", bare)
    assert lab.sync()["created"] == 6


def test_no_fields_at_all_is_no_error(lab: Rig) -> None:
    change(lab, "/api/v2/dealFields", lambda _, document: document.update(data=None))
    assert lab.sync()["created"] == 6


# -- the account


def test_an_account_that_is_not_open_is_told_as_that_and_can_be_come_back_to(lab: Rig) -> None:
    lab.sync()
    before = lab.listings()
    lab.sandbox.faults.set(["402"])
    outcome = lab.lumio("sync", "pipedrive/deals")
    error = outcome.resource("deals")["error"]
    assert outcome.code == 5, "nothing was lost"
    assert error["code"] == "provider_unavailable"
    assert "not open" in error["message"]
    assert "connect" not in str(error["hint"])
    assert lab.listings() == before + 1, "it is not asked again and again"
    lab.sandbox.faults.clear()
    assert lab.lumio("sync", "pipedrive/deals").code == 0


@pytest.mark.parametrize("told", [None, "", True, {"id": 7}, [7]])
def test_an_answer_that_names_no_company_says_so(lab: Rig, told: Any) -> None:
    def unnamed(_: Request, document: dict[str, Any]) -> None:
        document["data"]["company_id"] = told

    change(lab, "/api/v1/users/me", unnamed)
    outcome = lab.lumio("sync", "pipedrive/deals")
    assert outcome.code == 5
    assert "names no company" in outcome.document["error"]["message"]

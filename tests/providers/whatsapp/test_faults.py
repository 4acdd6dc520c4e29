"""What goes wrong while WhatsApp is read: it costs what it is about, and no more."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from lumio_cli.providers.contract.call import Reply
from lumio_cli.providers.contract.paging import NoPlaceError
from lumio_cli.providers.whatsapp.days import TemplateDays
from lumio_cli.providers.whatsapp.listing import Cursors
from lumio_cli.sandbox.http import Request, Response
from lumio_cli.sandbox.whatsapp.errors import unknown_object
from lumio_cli.sync.pull import slice_pull
from providers.whatsapp.conftest import WhatsAppLab


def withhold(lab: WhatsAppLab, *, end: str, node: str) -> None:
    """From now on Graph says of paths with that end that the object does not exist, as it does of
    whatever a token may not see."""
    handle = lab.account.handle

    def refuse(request: Request) -> Response:
        if request.path.endswith(end):
            return unknown_object(node).response
        return handle(request)

    lab.account.handle = refuse  # type: ignore[method-assign]


def test_a_number_whose_profile_is_refused_is_no_row_of_nulls(lab: WhatsAppLab) -> None:
    lab.lumio("sync", "whatsapp/business_profiles")
    view = "SELECT id, about FROM whatsapp_business_profiles ORDER BY id"
    before = lab.sql(view)
    number = lab.account.numbers.ids()[1]
    withhold(lab, end=f"/{number}/whatsapp_business_profile", node=number)
    outcome = lab.lumio("sync", "whatsapp/business_profiles", "--mode", "full")
    entry = outcome.resource("business_profiles")
    assert (entry["failed"], entry["deleted"], entry["status"]) == (1, 0, "partial")
    assert lab.sql(view) == before


def test_a_number_with_an_id_that_is_none_is_no_row_of_nulls(lab: WhatsAppLab) -> None:
    lab.account.numbers.insert({"display_phone_number": "+55 11 1"}, "me")
    entry = lab.lumio("sync", "whatsapp/business_profiles").resource("business_profiles")
    assert entry["failed"] == 1
    names = {name for (name,) in lab.sql("SELECT id FROM whatsapp_business_profiles")}
    assert names == set(lab.account.numbers.ids()) - {"me"}


def test_an_account_that_is_gone_for_one_resource_costs_that_resource(lab: WhatsAppLab) -> None:
    withhold(lab, end="/template_analytics", node="102290129340398001")
    outcome = lab.lumio("sync", "whatsapp")
    entries = {entry["resource"]: entry for entry in outcome.document["resources"]}
    assert len(entries) == len(lab.provider.resources)
    failed = entries.pop("template_analytics")
    assert failed["status"] == "partial"
    assert "does not exist" in failed["error"]["message"]
    assert "page" not in failed["error"]["message"]
    assert {entry["status"] for entry in entries.values()} == {"succeeded"}
    # When it is there again, the days of every template come.
    lab.sandbox.providers["whatsapp"].__dict__.pop("handle")
    lab.lumio("sync", "whatsapp/template_analytics")
    known = lab.sql("SELECT count(DISTINCT template_id) FROM whatsapp_template_analytics")
    assert known == [(len(lab.account.templates),)]


def listing(**paging: Any) -> Reply:
    """A page of one record, with that paging."""
    return Reply(200, {}, orjson.dumps({"data": [{"id": "1"}], "paging": paging}))


NEXT = "https://graph.facebook.com/v25.0/1/message_templates?limit=2"


@pytest.mark.parametrize(
    ("paging", "token"),
    [
        ({"cursors": {"after": "c"}, "next": f"{NEXT}&after=c"}, "c"),
        ({"cursors": {"after": "c"}, "next": NEXT}, "c"),
        ({"next": f"{NEXT}&after=Zm%3D"}, "Zm="),
        ({"cursors": None, "next": f"{NEXT}&after=c"}, "c"),
        ({"cursors": {"after": "c"}}, None),
        ({"cursors": {"after": "c"}, "next": None}, None),
        ({}, None),
    ],
)
def test_the_next_page_is_where_graph_says_in_either_place(
    paging: dict[str, Any], token: str | None
) -> None:
    following = Cursors().next({"size": 2}, listing(**paging), [])
    assert following == (None if token is None else {"size": 2, "token": token})


def test_a_next_page_without_a_cursor_is_no_end() -> None:
    for paging in ({"next": NEXT}, {"cursors": {}, "next": NEXT}, {"cursors": [], "next": True}):
        with pytest.raises(NoPlaceError):
            Cursors().next({"size": 2}, listing(**paging), [])
        place = {
            "step": "page",
            "size": 1,
            "after": 0,
            "from": 0,
            "to": 1,
            "keys": ["1"],
            "last": 1,
        }
        with pytest.raises(NoPlaceError):
            TemplateDays().next(place, listing(**paging), [])


@pytest.mark.parametrize("end", ["message_templates", "template_analytics"])
def test_a_listing_that_loses_its_place_is_asked_for_again(
    lab: WhatsAppLab, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slice_pull, "PAUSE", 0.0)
    name = {"message_templates": "templates"}.get(end, end)
    lab.lumio("sync", "whatsapp/templates")
    lab.lumio("sync", f"whatsapp/{name}")
    before = lab.sql(f"SELECT count(*) FROM whatsapp_{name}")
    path = f"path=/v25.0/*/{end}"
    lab.sandbox.faults.set([f"nowhere:{path}:times=2", f"hollow:{path}:after=2:times=2"])
    entry = lab.lumio("sync", f"whatsapp/{name}", "--mode", "full").resource(name)
    assert (entry["status"], entry["deleted"]) == ("succeeded", 0)
    lab.sandbox.faults.set([f"nowhere:{path}"])
    outcome = lab.lumio("sync", f"whatsapp/{name}", "--mode", "full")
    assert outcome.code != 0
    assert lab.sql(f"SELECT count(*) FROM whatsapp_{name}") == before

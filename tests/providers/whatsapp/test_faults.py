"""What goes wrong while WhatsApp is read: it costs what it is about, and no more."""

from __future__ import annotations

from lumio_cli.sandbox.http import Request, Response
from lumio_cli.sandbox.whatsapp.errors import unknown_object
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

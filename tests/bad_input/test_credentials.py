"""Tokens that are wrong, old, or may not do everything."""

from __future__ import annotations

import pytest

from support.lab import OBJECTS, Lab
from support.trials import Hands, MakeLab, both, contents, told

pytestmark = pytest.mark.attack("credentials")

UNKNOWN = "pat-na1-ffffffff-0000-4000-8000-000000000001"


@pytest.mark.parametrize("name", ["wrong", "expired"])
def test_a_token_that_is_refused_ends_with_4_and_names_where_it_came_from(
    make_lab: MakeLab, name: str
) -> None:
    lab = make_lab(clock=Hands())  # an expired token's answer says how long ago that was
    lab.token = UNKNOWN if name == "wrong" else lab.sandbox.token("hubspot", "expired")
    code, error = both(lab, "sync", "hubspot")
    assert (code, error["exit_code"], error["code"]) == (4, 4, "credential_refused")
    assert "HubSpot" in error["message"]
    assert "LUMIO_HUBSPOT_TOKEN" in error["message"]
    assert "lumio connect hubspot" in error["hint"]
    assert lab.token not in str(error)
    assert {status for *_, status in lab.sandbox.requests} == {401}
    assert len(lab.sandbox.requests) == 2, "one question a run: a refusal is not repeated"


def test_a_token_that_goes_bad_leaves_the_records_alone(lab: Lab) -> None:
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    before = contents(lab)
    lab.token = UNKNOWN
    assert both(lab, "sync", "hubspot/contacts", "--mode", "full")[0] == 4
    assert contents(lab) == before


def test_a_token_that_expires_in_the_middle_keeps_what_was_committed(make_lab: MakeLab) -> None:
    lab = make_lab(records=350)
    lab.sandbox.faults.set(["expired:2:path=/crm/objects/2026-03/contacts"])
    outcome = lab.lumio("sync", "hubspot/contacts")
    assert told(outcome)["code"] == "credential_refused"
    assert outcome.code == 4, "part of it was done, and the credential is what ended it"
    assert len(contents(lab)) == 200
    lab.token = lab.sandbox.token("hubspot", "read_only")
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    assert lab.differences("contacts") == []


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "nöt-ascii-token"])
def test_a_token_that_no_header_can_carry_is_refused_before_anything_is_sent(
    lab: Lab, token: str
) -> None:
    code, error = both(lab, "sync", "hubspot", environ={"LUMIO_HUBSPOT_TOKEN": token})
    assert (code, error["code"]) == (4, "credential_malformed")
    assert "LUMIO_HUBSPOT_TOKEN" in error["message"]
    assert not token or token not in error["message"]
    assert not lab.sandbox.requests


def test_a_token_file_that_is_not_there_is_named(lab: Lab) -> None:
    path = str(lab.home / "nowhere")
    environ = {"LUMIO_HUBSPOT_TOKEN": None, "LUMIO_HUBSPOT_TOKEN_FILE": path}
    code, error = both(lab, "sync", "hubspot", environ=environ)
    assert code == 4
    assert path in error["message"]


@pytest.mark.parametrize("targets", [(), ("hubspot",)])
def test_no_credential_at_all_is_4_and_says_how_to_connect(
    lab: Lab, targets: tuple[str, ...]
) -> None:
    environ = {"LUMIO_HUBSPOT_TOKEN": None, "LUMIO_VAULT_KEY": "0" * 64}
    code, error = both(lab, "sync", *targets, environ=environ)
    assert (code, error["code"]) == (4, "credential_missing")
    assert "lumio connect" in error["hint"]
    assert not lab.sandbox.requests


# -- scopes


def test_a_missing_scope_skips_that_resource_and_the_run_is_partial(lab: Lab) -> None:
    lab.token = lab.sandbox.token("hubspot", "no_tickets")
    outcome = lab.lumio("sync", "hubspot")
    assert outcome.code == 3
    assert outcome.document["status"] == "partial"
    tickets = outcome.resource("tickets")
    assert tickets["status"] == "skipped"
    assert tickets["error"]["code"] == "scope_missing"
    assert "tickets" in tickets["error"]["hint"]
    assert tickets["error"]["exit_code"] == 4
    for kind in ("contacts", "companies", "deals", "products"):
        assert outcome.resource(kind)["status"] == "succeeded"
        assert lab.differences(kind) == []
    assert contents(lab)


def test_a_resource_that_lost_its_scope_keeps_its_records(lab: Lab) -> None:
    assert lab.lumio("sync", "hubspot").code == 0
    before = contents(lab, "tickets")
    lab.token = lab.sandbox.token("hubspot", "no_tickets")
    outcome = lab.lumio("sync", "hubspot", "--mode", "full")
    assert outcome.code == 3
    assert outcome.resource("tickets")["status"] == "skipped"
    assert contents(lab, "tickets") == before


def test_all_scopes_missing_is_4(lab: Lab) -> None:
    lab.token = lab.sandbox.token("hubspot", "no_scopes")
    outcome = lab.lumio("sync", "hubspot")
    assert outcome.code == 4
    assert outcome.document["status"] == "failed"
    assert {r["error"]["code"] for r in outcome.document["resources"]} == {"scope_missing"}
    people = lab.lumio("sync", "hubspot", "-o", "table")
    assert people.code == 4
    assert "Traceback" not in people.err


def test_one_resource_asked_for_and_denied_is_4(lab: Lab) -> None:
    lab.token = lab.sandbox.token("hubspot", "contacts_only")
    code, error = both(lab, "sync", "hubspot/deals")
    assert (code, error["code"]) == (4, "scope_missing")
    assert "crm.objects.deals.read" in error["hint"]


@pytest.mark.parametrize("denied", ["owners", "pipelines"])
def test_a_metadata_resource_without_its_scope_does_not_make_the_run_partial(
    lab: Lab, denied: str
) -> None:
    scopes = lab.sandbox.hubspot.vault.tokens[lab.token or lab.sandbox.token()].scopes
    lab.token = "pat-na1-00000000-0000-4000-8000-0000000000aa"
    if denied == "owners":
        lab.sandbox.hubspot.vault.add("few", lab.token, scopes - {"crm.objects.owners.read"})
    else:
        lab.sandbox.hubspot.vault.add("few", lab.token, scopes)
        lab.sandbox.faults.set(["403:path=/crm/v3/pipelines/*"])
    outcome = lab.lumio("sync", "hubspot")
    assert outcome.code == 0
    assert outcome.document["status"] == "succeeded"
    skipped = outcome.resource(denied)
    assert skipped["status"] == "skipped"
    assert skipped["error"]["code"] == "scope_missing", "it is told all the same"
    assert [outcome.resource(kind)["status"] for kind in OBJECTS] == ["succeeded"] * len(OBJECTS)
    assert lab.lumio("sync", f"hubspot/{denied}").code == 4, "asked for alone, it is the result"

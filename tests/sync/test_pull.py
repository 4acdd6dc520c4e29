"""A sync, seen from outside: the command line in front, a stateful HubSpot look-alike behind."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from support.lab import OBJECTS, Lab


def ids(lab: Lab, kind: str) -> list[str]:
    return sorted(str(r["id"]) for r in lab.sandbox.hubspot.dump(kind))


def test_a_first_sync_makes_the_hub_equal_to_the_provider(lab: Lab) -> None:
    done = lab.lumio("sync", "hubspot")
    assert done.code == 0, done.err
    assert done.document["status"] == "succeeded"
    for kind in OBJECTS:
        assert lab.differences(kind) == []
        entry = done.resource(kind)
        assert (entry["mode"], entry["created"], entry["read"]) == ("full", 120, 120)
    assert done.resource("owners")["created"] == 10
    assert done.resource("pipelines")["created"] > 0


def test_a_second_sync_with_nothing_changed_costs_two_requests_a_resource(lab: Lab) -> None:
    lab.lumio("sync", "hubspot")
    done = lab.lumio("sync", "hubspot")
    assert done.code == 0
    for entry in done.document["resources"]:
        assert entry["requests"] <= 2, entry
        assert entry["created"] == entry["updated"] == entry["deleted"] == 0
    for kind in OBJECTS:
        assert done.resource(kind)["mode"] == "incremental"


def test_an_incremental_sync_brings_what_changed_and_nothing_else(lab: Lab) -> None:
    lab.lumio("sync", "hubspot")
    hubspot = lab.sandbox.hubspot
    first, second = ids(lab, "contacts")[:2]
    hubspot.update("contacts", first, {"firstname": "Zoë", "vip": "false"})
    hubspot.create("contacts", {"email": "new@example.com", "lastname": "[bold]O'Neil[/bold]"})
    hubspot.archive("contacts", second)
    done = lab.lumio("sync", "hubspot/contacts")
    entry = done.resource("contacts")
    assert done.code == 0
    assert (entry["created"], entry["updated"], entry["deleted"]) == (1, 1, 1)
    assert lab.differences("contacts") == []
    assert lab.sql("SELECT firstname, vip FROM hubspot_contacts WHERE id = ?", first) == [
        ("Zoë", 0)
    ]


def test_a_full_sync_finds_what_vanished_without_a_trace(lab: Lab) -> None:
    lab.lumio("sync", "hubspot")
    gone = ids(lab, "deals")[:5]
    for record in gone:
        lab.sandbox.hubspot.purge("deals", record)
    incremental = lab.lumio("sync", "hubspot/deals")
    assert incremental.resource("deals")["deleted"] == 0
    full = lab.lumio("sync", "hubspot/deals", "--mode", "full")
    assert full.resource("deals")["deleted"] == 5
    assert full.resource("deals")["unchanged"] == 115
    assert lab.differences("deals") == []


def test_a_sweep_that_would_delete_too_much_deletes_nothing_and_says_so(lab: Lab) -> None:
    lab.lumio("sync", "hubspot/deals")
    for record in ids(lab, "deals")[:20]:
        lab.sandbox.hubspot.purge("deals", record)
    braked = lab.lumio("sync", "hubspot/deals", "--mode", "full")
    assert braked.code == 3
    assert braked.resource("deals")["error"]["code"] == "too_many_deletions"
    assert lab.sql("SELECT count(*) FROM hubspot_deals") == [(120,)]
    told = lab.lumio("sync", "hubspot/deals", "--mode", "full", "--max-delete", "50")
    assert (told.code, told.resource("deals")["deleted"]) == (0, 20)
    assert lab.differences("deals") == []


def test_an_empty_listing_deletes_nothing(lab: Lab) -> None:
    lab.lumio("sync", "hubspot/deals")
    lab.sandbox.faults.set(["empty"])
    done = lab.lumio("sync", "hubspot/deals", "--mode", "full", "--max-delete", "100")
    assert done.resource("deals")["deleted"] == 0
    assert "empty" in done.resource("deals")["warnings"][0]
    assert lab.sql("SELECT count(*) FROM hubspot_deals") == [(120,)]


def test_the_losing_side_of_a_merge_vanishes_with_the_winner_s_change(lab: Lab) -> None:
    lab.lumio("sync", "hubspot/contacts")
    winner, loser = ids(lab, "contacts")[:2]
    lab.sandbox.hubspot.merge("contacts", winner, loser)
    done = lab.lumio("sync", "hubspot/contacts")
    assert done.resource("contacts")["deleted"] == 1
    assert lab.differences("contacts") == []


def test_a_record_that_comes_back_is_live_again(lab: Lab) -> None:
    lab.lumio("sync", "hubspot/contacts")
    record = ids(lab, "contacts")[0]
    lab.sql("UPDATE lumio_raw_hubspot_contacts SET deleted_at = '2026-01-01T00:00:00Z'"
            " WHERE id = ?", record)  # fmt: skip
    done = lab.lumio("sync", "hubspot/contacts", "--mode", "full")
    assert done.resource("contacts")["created"] == 1
    assert lab.differences("contacts") == []


def test_associations_follow_the_records_they_link(lab: Lab) -> None:
    lab.lumio("sync", "hubspot")
    contact = ids(lab, "contacts")[0]
    for company in ids(lab, "companies")[-3:]:
        lab.sandbox.hubspot.associate("contacts", contact, "companies", company)
    lab.sandbox.hubspot.update("contacts", contact, {"city": "Recife"})
    lab.lumio("sync", "hubspot")
    linked = lab.sql(
        "SELECT to_id FROM hubspot_associations"
        " WHERE from_type = 'contacts' AND from_id = ? AND to_type = 'companies'",
        contact,
    )
    assert set(ids(lab, "companies")[-3:]) <= {row[0] for row in linked}
    for (company,) in linked:
        lab.sandbox.hubspot.dissociate("contacts", contact, "companies", company)
    lab.sandbox.hubspot.update("contacts", contact, {"city": "Olinda"})
    done = lab.lumio("sync", "hubspot")
    assert done.resource("associations")["deleted"] == len(linked)
    assert lab.sql(
        "SELECT count(*) FROM hubspot_associations WHERE from_id = ? AND to_type = 'companies'",
        contact,
    ) == [(0,)]


def test_a_record_with_more_links_than_an_answer_carries_keeps_them_all(
    make_lab: Callable[..., Lab],
) -> None:
    lab = make_lab(1000)
    contacts = ids(lab, "contacts")
    deal = ids(lab, "deals")[0]
    for contact in contacts[:700]:
        lab.sandbox.hubspot.associate("deals", deal, "contacts", contact)
    lab.lumio("sync", "hubspot/contacts", "hubspot/deals", "hubspot/associations")
    count = "SELECT count(*) FROM hubspot_associations WHERE from_id = ? AND to_type = 'contacts'"
    before = lab.sql(count, deal)[0][0]
    assert before >= 700
    full = lab.lumio("sync", "hubspot/associations", "--mode", "full")
    assert full.resource("associations")["deleted"] == 0
    assert lab.sql(count, deal)[0][0] == before


def test_properties_that_do_not_fit_into_a_request_are_read_by_batch(lab: Lab) -> None:
    for number in range(260):
        name = f"a_custom_property_with_a_long_name_{number:03}"
        lab.sandbox.hubspot.add_property("contacts", name, "string", "text")
    record = ids(lab, "contacts")[0]
    name = "a_custom_property_with_a_long_name_259"
    lab.sandbox.hubspot.update("contacts", record, {name: "here"})
    lab.lumio("sync", "hubspot/contacts")
    assert lab.sql(f"SELECT {name} FROM hubspot_contacts WHERE id = ?", record) == [("here",)]
    assert lab.differences("contacts") == []
    lab.sandbox.hubspot.update("contacts", record, {name: "there"})
    lab.lumio("sync", "hubspot/contacts")
    assert lab.sql(f"SELECT {name} FROM hubspot_contacts WHERE id = ?", record) == [("there",)]
    sizes = [len(path) for _, _, path, _ in lab.sandbox.requests]
    assert max(sizes) < 8000


def test_requests_ask_for_the_mapped_and_the_custom_properties_and_no_others(lab: Lab) -> None:
    lab.lumio("sync", "hubspot/deals")
    (payload,) = lab.sql("SELECT _payload FROM hubspot_deals LIMIT 1")[0]
    names = set(json.loads(payload)["properties"])
    mapped = {
        c
        for (c,) in lab.sql(
            "SELECT name FROM lumio_fields WHERE resource = 'deals' AND vanished_at IS NULL"
        )
    }
    # HubSpot always adds these three, asked for or not.
    assert names <= mapped | {"hs_object_id", "createdate", "hs_lastmodifieddate"}
    assert "amount" in names
    assert names < set(lab.sandbox.hubspot.objects["deals"].properties)


def test_only_the_custom_properties_that_are_wanted_become_columns(lab: Lab) -> None:
    lab.extra["LUMIO_PROVIDERS__HUBSPOT__CUSTOM_PROPERTIES"] = "vip"
    lab.lumio("sync", "hubspot/contacts")
    columns = [r[1] for r in lab.sql("PRAGMA table_info(hubspot_contacts)")]
    assert "vip" in columns
    assert "loyalty_points" not in columns


def test_a_column_of_the_operator_s_own_is_asked_for_and_shown(lab: Lab) -> None:
    lab.extra["LUMIO_PROVIDERS__HUBSPOT__COLUMNS"] = '{"contacts": {"born": "createdAt"}}'
    lab.lumio("sync", "hubspot/contacts")
    rows = lab.sql("SELECT born, createdate FROM hubspot_contacts LIMIT 5")
    assert all(born == created for born, created in rows)


def test_typed_columns_are_numbers_booleans_and_text(lab: Lab) -> None:
    lab.lumio("sync", "hubspot/deals")
    kinds = {r[0] for r in lab.sql("SELECT DISTINCT typeof(amount) FROM hubspot_deals")}
    assert kinds <= {"integer", "real", "null"}
    assert lab.sql("SELECT count(*) FROM hubspot_deals WHERE amount > 0")[0][0] > 0
    states = {r[0] for r in lab.sql("SELECT DISTINCT hs_is_closed FROM hubspot_deals")}
    assert states <= {0, 1, None}


@pytest.mark.parametrize("version", ["v3", "2026-03"])
def test_both_versions_of_the_object_endpoints_work(lab: Lab, version: str) -> None:
    lab.extra["LUMIO_PROVIDERS__HUBSPOT__API_VERSION"] = version
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    assert lab.differences("contacts") == []


@pytest.mark.parametrize("records", [0, 1, 99, 100, 101, 200, 201])
def test_pages_end_where_they_should(make_lab: Callable[..., Lab], records: int) -> None:
    lab = make_lab(records)
    done = lab.lumio("sync", "hubspot/companies")
    assert done.code == 0
    assert done.resource("companies")["read"] == records
    assert lab.differences("companies") == []

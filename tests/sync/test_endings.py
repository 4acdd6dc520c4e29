"""How a run says that it ended: fresh or from the cache, whole or in part, in plain words."""

from __future__ import annotations

import time
from collections.abc import Callable
from unittest.mock import patch

import pytest

from lumio_cli.core.clock import parse_time
from lumio_cli.core.errors import DeniedError
from lumio_cli.providers.hubspot import HubSpot
from lumio_cli.sync.pull.slice_pull import Walker
from lumio_cli.transport.retry import Retry
from support.lab import Lab


def success(lab: Lab, resource: str) -> float:
    (found,) = lab.sql("SELECT synced_at FROM lumio_resources WHERE resource = ?", resource)
    return parse_time(found[0]).timestamp()


def test_what_came_from_the_cache_is_no_fresh_success(lab: Lab) -> None:
    lab.lumio("sync", "hubspot/owners")
    first = success(lab, "owners")
    time.sleep(0.002)
    again = lab.lumio("sync", "hubspot/owners").resource("owners")
    assert (again["requests"], again["cached"], again["status"]) == (0, True, "succeeded")
    assert success(lab, "owners") == first
    full = lab.lumio("sync", "hubspot/owners", "--mode", "full").resource("owners")
    assert full["cached"] is False
    assert success(lab, "owners") > first


def test_a_mistake_of_ours_costs_one_resource_and_is_told_without_python(lab: Lab) -> None:
    good = Walker.run

    def run(walker: Walker) -> None:
        if walker.walk.resource.name == "deals":
            raise KeyError("page")
        good(walker)

    with patch.object(Walker, "run", run):
        done = lab.lumio("sync", "hubspot/contacts", "hubspot/deals")
    assert done.code == 3
    assert done.resource("contacts")["status"] == "succeeded"
    deals = done.resource("deals")
    assert (deals["status"], deals["error"]["code"]) == ("failed", "internal")
    assert "KeyError" not in done.out + done.err
    assert "KeyError" in (lab.home / "logs" / "lumio.log").read_text()


def test_a_mistake_outside_of_any_resource_leaves_no_other_provider_behind(lab: Lab) -> None:
    with patch("lumio_cli.sync.run._proven", side_effect=KeyError("page")):
        done = lab.lumio("sync", "hubspot/contacts")
    assert done.code == 1
    assert done.resource("contacts")["error"]["code"] == "internal"


@pytest.mark.parametrize(("fault", "code"), [("503", 5), ("401", 4)])
def test_one_target_that_is_cut_off_ends_with_the_code_of_its_error(
    make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch, fault: str, code: int
) -> None:
    monkeypatch.setattr(Retry, "_draw", lambda *_: 0.001)
    lab = make_lab(250)
    lab.sandbox.faults.set([f"{fault}:path=/crm/*objects*/contacts:after=1"])
    alone = lab.lumio("sync", "hubspot/contacts")
    entry = alone.resource("contacts")
    assert (alone.code, entry["status"], entry["error"]["exit_code"]) == (code, "partial", code)


def test_a_time_zone_that_this_machine_does_not_know_locks_nobody_out(lab: Lab) -> None:
    lab.lumio("sync", "hubspot/contacts")
    lab.sql(
        "UPDATE lumio_accounts SET details = json_set(details, '$.time_zone', 'Mars/Olympus_Mons')"
    )
    with patch.object(HubSpot, "probe", side_effect=AssertionError("it is known")):
        done = lab.lumio("sync", "hubspot/contacts")
    assert done.code == 0, done.out
    (warning,) = done.resource("contacts")["warnings"]
    assert "'Mars/Olympus_Mons'" in warning


def test_fields_that_may_no_longer_be_described_are_those_known_before(lab: Lab) -> None:
    lab.lumio("sync", "hubspot/contacts")
    before = lab.sql("SELECT id, _payload FROM hubspot_contacts ORDER BY id")
    refused = DeniedError("reading the properties is not permitted")
    with patch.object(HubSpot, "describe", side_effect=refused):
        done = lab.lumio("sync", "hubspot/contacts", "--mode", "full")
    assert done.code == 0, done.out
    assert "known before" in done.resource("contacts")["warnings"][0]
    assert lab.sql("SELECT id, _payload FROM hubspot_contacts ORDER BY id") == before


def test_a_checkpoint_that_cannot_be_read_begins_anew(
    make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Retry, "_draw", lambda *_: 0.001)
    lab = make_lab(250)
    lab.sandbox.faults.set(["503:path=/crm/*objects*/contacts:after=1"])
    assert lab.lumio("sync", "hubspot/contacts").code == 5
    lab.sandbox.faults.clear()
    for path in lab.home.glob("runtime.db*"):
        path.unlink()
    lab.sql("UPDATE lumio_checkpoints SET place = '{', ceiling = '9999-01-01T00:00:00Z'")
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    assert lab.differences("contacts") == []


def test_a_page_with_a_row_that_was_refused_is_not_served_again(lab: Lab) -> None:
    lab.sandbox.faults.set(["nullrow:path=/crm/v3/owners:times=1"])
    first = lab.lumio("sync", "hubspot/owners")
    assert (first.code, first.resource("owners")["failed"]) == (3, 1)
    mended = lab.lumio("sync", "hubspot/owners")
    entry = mended.resource("owners")
    assert (mended.code, entry["requests"], entry["cached"]) == (0, 1, False)
    assert lab.sql("SELECT count(*) FROM hubspot_owners") == [(10,)]


@pytest.mark.attack("answers")
def test_a_page_of_more_records_than_memory_is_for_ends_the_walk_where_it_was(lab: Lab) -> None:
    with patch("lumio_cli.sync.pull.slice_pull.MOST_RECORDS", 50):
        done = lab.lumio("sync", "hubspot/contacts")
    assert done.code == 5 and "a page of 100 records; more than 50 are not taken" in done.out
    assert lab.sql("SELECT count(*) FROM hubspot_contacts") == [(0,)]
    assert lab.lumio("sync", "hubspot/contacts").resource("contacts")["created"] == 120

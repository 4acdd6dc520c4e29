"""What is absent from a listing: hidden by its age, or lost, and not deleted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest

from lumio_cli.providers.contract.resource import Horizon, Resource
from lumio_cli.providers.hubspot import HubSpot
from lumio_cli.sandbox.http import Request, Response
from lumio_cli.transport.retry import Retry
from support.conformance import altered
from support.lab import Lab
from support.trials import LIST

WHY = "HubSpot lists what was made in the last ten years"
OLD = "2000-01-01T00:00:00.000Z"


def contacts() -> Resource:
    return next(r for r in HubSpot.resources if r.name == "contacts")


@pytest.fixture
def hidden(make_lab: Callable[..., Lab]) -> Iterator[Lab]:
    """A hub of 20 contacts, of which HubSpot hides four for their age, and has deleted one."""
    lab = make_lab(20)
    # As a resource without tombstones: what is gone is only absent.
    with altered(contacts(), horizon=None, deletes=("sweep",)):
        assert lab.lumio("sync", "hubspot/contacts").code == 0
        ids = [row[0] for row in lab.sql("SELECT id FROM hubspot_contacts ORDER BY id LIMIT 5")]
        for record_id in ids[:4]:
            lab.sql(
                "UPDATE lumio_raw_hubspot_contacts SET payload ="
                " json_set(payload, '$.createdAt', ?) WHERE id = ?",
                OLD,
                record_id,
            )
        for record_id in ids:
            lab.sandbox.hubspot.purge("contacts", record_id)
        yield lab


def horizon(**values: object) -> Horizon:
    return Horizon("createdAt", WHY, **{"days": 3650.0, **values})  # type: ignore[arg-type]


def live(lab: Lab) -> int:
    found: int = lab.sql("SELECT count(*) FROM hubspot_contacts")[0][0]
    return found


def full(lab: Lab, *words: str) -> dict[str, Any]:
    return lab.lumio("sync", "hubspot/contacts", "--mode", "full", *words).resource("contacts")


def shown(lab: Lab) -> int:
    (provider,) = lab.lumio("status", "hubspot/contacts").document["providers"]
    found: int = provider["resources"][0]["hidden"]
    return found


def test_hidden_records_stay_and_count_for_nothing(hidden: Lab) -> None:
    with altered(contacts(), horizon=horizon()):
        # One in sixteen that are not hidden: 7 % would be enough for one, and 5 % are, too.
        entry = full(hidden, "--max-delete", "5")
    assert (entry["deleted"], entry["status"], live(hidden), shown(hidden)) == (
        1, "succeeded", 19, 4,
    )  # fmt: skip


def granted(lab: Lab) -> str:
    scope: str = json.loads(lab.sql("SELECT scopes FROM lumio_accounts")[0][0])[0]
    return scope


def test_a_scope_lifts_the_horizon(hidden: Lab) -> None:
    # What is listed was made long before.
    with altered(contacts(), horizon=horizon(unless=(granted(hidden),), days=30.0)):
        entry = full(hidden, "--max-delete", "100")
    assert (entry["deleted"], live(hidden)) == (5, 15)


def test_a_scope_is_not_believed_to_lift_it_where_nothing_from_behind_is_listed(
    hidden: Lab,
) -> None:
    with altered(contacts(), horizon=horizon(unless=(granted(hidden),))):
        entry = full(hidden, "--max-delete", "100")
    assert (entry["deleted"], live(hidden)) == (1, 19)


def test_no_hint_advises_to_delete_what_is_hidden(hidden: Lab) -> None:
    for row in hidden.sql("SELECT id FROM hubspot_contacts ORDER BY id DESC LIMIT 3"):
        hidden.sandbox.hubspot.purge("contacts", row[0])
    with altered(contacts(), horizon=horizon()):
        error = full(hidden)["error"]
        assert isinstance(error, dict)
        assert error["code"] == "too_many_deletions"
        percent = error["hint"].rpartition(" ")[2]
        assert int(percent) < 50, "the hint would allow anything"
        assert full(hidden, "--max-delete", percent)["deleted"] == 4
        assert live(hidden) == 16


def test_pages_say_how_far_they_reach(hidden: Lab) -> None:
    by_page = horizon(within="properties.lifecyclestage")
    with altered(contacts(), horizon=by_page):
        with patch.object(HubSpot, "hides", lambda *_: True):
            first = full(hidden)["deleted"]
        assert (live(hidden), shown(hidden)) == (20 - first, 5 - first)
        assert shown(hidden) >= 4
        assert full(hidden, "--max-delete", "100")["deleted"] == 5 - first, "no page says so now"


def led_astray(lab: Lab) -> None:
    """As a hub that an older lumio has swept, and this one has migrated."""
    assert full(lab, "--max-delete", "100")["deleted"] == 5
    lab.sql("UPDATE lumio_resources SET astray_before = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')")


def test_what_an_older_lumio_took_for_deleted_comes_back_once(hidden: Lab) -> None:
    led_astray(hidden)
    with altered(contacts(), horizon=horizon()):
        entry = hidden.lumio("sync", "hubspot/contacts").resource("contacts")
        assert any("4 records are back" in str(w) and WHY in str(w) for w in entry["warnings"])
        assert live(hidden) == 19
        history = hidden.sql("SELECT action FROM lumio_history WHERE origin = 'repair'")
        assert history == [("create",)] * 4
        hidden.sql("UPDATE lumio_raw_hubspot_contacts SET deleted_at = '2026-01-01T00:00:00Z'")
        hidden.lumio("sync", "hubspot/contacts")
        assert live(hidden) == 0, "they come back again and again"


def test_a_check_finds_it_and_repairs_it(hidden: Lab) -> None:
    led_astray(hidden)
    with altered(contacts(), horizon=horizon()):
        found = hidden.lumio("hub", "check")
        assert found.code == 1
        assert found.document["error"]["code"] == "hub_astray"
        assert found.document["astray"][0]["detail"] == "4 records are hidden, not deleted"
        repaired = hidden.lumio("hub", "check", "--repair")
        assert (repaired.code, live(hidden)) == (0, 19), repaired.out
        assert hidden.lumio("hub", "check").code == 0


def test_what_this_lumio_has_deleted_stays_deleted_whatever_is_hidden_later(hidden: Lab) -> None:
    assert full(hidden, "--max-delete", "100")["deleted"] == 5
    with altered(contacts(), horizon=horizon()):
        assert hidden.lumio("sync", "hubspot/contacts").resource("contacts")["warnings"] == []
        assert hidden.lumio("hub", "check").code == 0
    assert live(hidden) == 15


def test_nothing_is_hidden_any_longer_once_the_horizon_is_gone(hidden: Lab) -> None:
    with altered(contacts(), horizon=horizon()):
        full(hidden, "--max-delete", "10")
    assert shown(hidden) == 4
    full(hidden, "--max-delete", "100")
    assert shown(hidden) == 0


def test_a_listing_that_ends_too_early_is_not_believed_in_the_run_that_goes_on(
    make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Retry, "_draw", lambda *_: 0.001)
    lab = make_lab(350)
    lab.sandbox.faults.set([f"503:path={LIST}:after=1"])
    assert lab.lumio("sync", "hubspot/contacts").code == 5
    lab.sandbox.faults.set([f"last:path={LIST}:times=1"])
    for path in lab.home.glob("runtime.db*"):
        path.unlink()
    resumed = lab.lumio("sync", "hubspot/contacts")
    assert resumed.code == 3, resumed.out
    assert resumed.resource("contacts")["error"]["code"] == "incomplete_listing"
    assert resumed.resource("contacts")["cursor"] is None
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    assert lab.differences("contacts") == []


def test_what_lumio_deleted_at_the_provider_stays_deleted(hidden: Lab) -> None:
    led_astray(hidden)
    hidden.sql("UPDATE lumio_history SET origin = 'push' WHERE action = 'delete'")
    with altered(contacts(), horizon=horizon()):
        hidden.lumio("sync", "hubspot/contacts")
    assert live(hidden) == 15


def test_what_the_provider_still_counts_is_not_swept_however_little_it_is(
    make_lab: Callable[..., Lab],
) -> None:
    lab = make_lab(102)
    lab.lumio("sync", "hubspot/contacts")
    # Two of a hundred are within what may be missing of a count.
    lab.sandbox.faults.set([f"last:path={LIST}:times=1"])
    entry = full(lab)
    assert entry["deleted"] == 0
    assert any("still counts" in str(warning) for warning in entry["warnings"])
    assert lab.differences("contacts") == []


def test_links_that_an_answer_says_nothing_of_are_kept(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(20)
    assert lab.lumio("sync", "hubspot").code == 0
    links = lab.sql("SELECT id FROM hubspot_associations ORDER BY id")
    for record in list(lab.sandbox.hubspot.dump("contacts")):
        lab.sandbox.hubspot.update("contacts", str(record["id"]), {"city": "Natal"})
    handle = lab.sandbox.hubspot.handle

    def hollow(request: Request) -> Response:
        if "associations" in request.path:
            return Response.of_json({"status": "COMPLETE", "results": []})
        return handle(request)

    lab.sandbox.hubspot.handle = hollow  # type: ignore[method-assign]
    lab.lumio("sync", "hubspot")
    assert lab.sql("SELECT id FROM hubspot_associations ORDER BY id") == links


def test_a_cursor_that_lay_ahead_of_its_run_is_not_believed_when_it_is_past(
    make_lab: Callable[..., Lab],
) -> None:
    lab = make_lab(20)
    lab.lumio("sync", "hubspot/contacts")
    record = str(next(iter(lab.sandbox.hubspot.dump("contacts")))["id"])
    lab.sandbox.hubspot.update("contacts", record, {"city": "Changed"})
    now = "strftime('%Y-%m-%dT%H:%M:%SZ', 'now')"
    lab.sql(f"UPDATE lumio_resources SET cursor = {now} WHERE resource = 'contacts'")
    lab.sql(
        f"UPDATE lumio_run_resources SET cursor = {now},"
        " started_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-1 hour'),"
        " finished_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-1 hour')"
    )
    done = lab.lumio("sync", "hubspot/contacts").resource("contacts")
    assert "cannot be read" in done["warnings"][0]
    assert lab.differences("contacts") == []


def test_a_count_that_the_operator_calls_wrong_is_not_compared(
    make_lab: Callable[..., Lab],
) -> None:
    lab = make_lab(350)
    lab.sandbox.faults.set([f"last:path={LIST}"])
    first = lab.lumio("sync", "hubspot/contacts")
    error = first.resource("contacts")["error"]
    assert (first.code, error["code"]) == (3, "incomplete_listing")
    assert "providers.hubspot.ignore_counts" in error["hint"]
    lab.extra["LUMIO_PROVIDERS__HUBSPOT__IGNORE_COUNTS"] = "contacts"
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    lab.extra["LUMIO_PROVIDERS__HUBSPOT__IGNORE_COUNTS"] = "contcts"
    assert lab.lumio("sync", "hubspot/contacts").code == 7

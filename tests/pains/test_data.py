"""What operators suffer from: records that are missed, lost, or deleted by mistake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lumio_cli.core.clock import parse_time
from lumio_cli.providers.hubspot.resources import OBJECTS
from support.lab import Lab, Outcome
from support.trials import LIST, Hands, MakeLab, contents, cursor_of

BULK = "2026-03-15T08:30:00Z"
"""The moment in which the look-alike's bulk import touched a quarter of all records."""


def ids(lab: Lab, kind: str = "contacts") -> list[str]:
    """The ids of the provider's live records."""
    return [str(record["id"]) for record in lab.sandbox.hubspot.dump(kind)]


def pull(lab: Lab, *words: str) -> Outcome:
    """An incremental sync of contacts, which must succeed."""
    outcome = lab.lumio("sync", "hubspot/contacts", *words)
    assert outcome.code == 0, outcome.out
    return outcome


@contextmanager
def lookback(seconds: float) -> Iterator[None]:
    """Another lookback of contacts than the provider declares."""
    cursor = OBJECTS[0].cursor
    assert cursor is not None
    before = cursor.lookback
    object.__setattr__(cursor, "lookback", seconds)
    try:
        yield
    finally:
        object.__setattr__(cursor, "lookback", before)


def test_pain_06_rows_that_become_visible_late_are_not_missed(make_lab: MakeLab) -> None:
    clock = Hands()
    lab = make_lab(clock=clock, search_lag=120.0)
    pull(lab)
    clock.forward(10)
    late, *_ = ids(lab)
    lab.sandbox.hubspot.update("contacts", late, {"city": "Late"})
    new = lab.sandbox.hubspot.create("contacts", {"email": "late@example.com"})
    clock.forward(10)
    assert pull(lab).resource("contacts")["read"] == 0, "the search index does not know yet"
    assert parse_time(str(cursor_of(lab))).timestamp() >= clock.now
    clock.forward(150)
    result = pull(lab).resource("contacts")
    assert (result["created"], result["updated"]) == (1, 1), "they lie before the cursor, and came"
    assert (new,) in lab.sql("SELECT id FROM hubspot_contacts")
    assert lab.differences("contacts") == []
    with lookback(0.0):  # the proof that the lookback did it
        lab.sandbox.hubspot.update("contacts", late, {"city": "Later"})
        clock.forward(10)
        pull(lab)
        clock.forward(150)
        assert pull(lab).resource("contacts")["read"] == 0


def test_pain_07_rows_of_the_very_millisecond_of_the_run_are_not_skipped(
    make_lab: MakeLab,
) -> None:
    clock = Hands()
    lab = make_lab(clock=clock)
    pull(lab)
    first, second, *_ = ids(lab)
    clock.forward(1000)
    with lookback(0.0):
        lab.sandbox.hubspot.update("contacts", first, {"city": "Before"})
        assert pull(lab).resource("contacts")["updated"] == 1
        # The clock stands still: this row has the millisecond that the cursor is at.
        lab.sandbox.hubspot.update("contacts", second, {"city": "After"})
        stamp = lab.sandbox.hubspot.read("contacts", second)["lastmodifieddate"]
        assert parse_time(str(stamp)) == parse_time(str(cursor_of(lab)))
        assert pull(lab).resource("contacts")["updated"] == 1
    assert lab.differences("contacts") == []


@pytest.mark.slow
def test_pain_08_more_equal_timestamps_than_a_search_returns(make_lab: MakeLab) -> None:
    """11,000 records of one millisecond; a search gives out 10,000, whatever it is asked."""
    lab = make_lab(records=44_000)
    # Prepares the table and then fails, so that the pull below can be an incremental one.
    lab.sandbox.faults.set([f"404:path={LIST}"])
    assert lab.lumio("sync", "hubspot/contacts").code == 1
    lab.sandbox.faults.clear()
    lab.sql("DELETE FROM lumio_checkpoints")
    # With its lookback of five minutes the window begins in the very millisecond.
    lab.sql("UPDATE lumio_resources SET cursor = ?", "2026-03-15T08:35:00Z")
    outcome = pull(lab)
    assert outcome.resource("contacts")["mode"] == "incremental"
    equal = lab.sql(
        "SELECT count(*) FROM hubspot_contacts WHERE lastmodifieddate LIKE '2026-03-15T08:30:00%'"
    )
    store = lab.sandbox.hubspot.store("contacts")
    floor = int(parse_time(BULK).timestamp() * 1000)
    live = [i for i in range(len(store.ids)) if store.live(i)]
    there = sum(1 for i in live if store.modified[i] == floor)
    assert there > 10_900
    assert equal == [(there,)]
    changed = {str(store.ids[i]) for i in live if store.modified[i] >= floor}
    assert {row[0] for row in lab.sql("SELECT id FROM hubspot_contacts")} == changed


def test_pain_09_archived_purged_and_merged_records_leave_the_hub(make_lab: MakeLab) -> None:
    clock = Hands()
    lab = make_lab(clock=clock)
    pull(lab)
    archived, purged, winner, loser, *_ = ids(lab)
    before = lab.sandbox.hubspot.read("contacts", archived)["lastmodifieddate"]
    clock.forward(600)
    lab.sandbox.hubspot.archive("contacts", archived)
    lab.sandbox.hubspot.merge("contacts", winner, loser)
    lab.sandbox.hubspot.purge("contacts", purged)
    clock.forward(600)
    assert before is not None
    assert parse_time(before) < parse_time(str(cursor_of(lab))), "its own date says nothing"
    result = pull(lab).resource("contacts")
    assert result["deleted"] == 2
    left = {row[0] for row in contents(lab)}
    assert {archived, loser} & left == set()
    assert winner in left
    # Of a purged record nothing is left that could be listed: a full walk finds it missing.
    assert purged in left
    assert pull(lab, "--mode", "full").resource("contacts")["deleted"] == 1
    assert lab.differences("contacts") == []
    kept = lab.sql("SELECT count(*) FROM lumio_raw_hubspot_contacts WHERE deleted_at IS NOT NULL")
    assert kept == [(3,)], "their last state stays, for questions"


def test_pain_09_a_record_that_comes_back_is_there_again(make_lab: MakeLab) -> None:
    lab = make_lab()
    pull(lab)
    lab.sandbox.faults.set([f"noid:path={LIST}:times=1"])
    assert lab.lumio("sync", "hubspot/contacts", "--mode", "full").code == 3
    assert len(contents(lab)) == 60, "unreadable is not deleted"
    gone = ids(lab)[0]
    lab.sql("UPDATE lumio_raw_hubspot_contacts SET deleted_at = 'then' WHERE id = ?", gone)
    lab.sql("UPDATE lumio_resources SET records = records - 1")
    lab.sandbox.faults.clear()
    pull(lab, "--mode", "full")
    assert (gone,) in [row[:1] for row in contents(lab)]
    assert lab.differences("contacts") == []


def test_pain_10_an_empty_listing_deletes_nothing(lab: Lab) -> None:
    pull(lab)
    before = contents(lab)
    lab.sandbox.faults.set(["empty:path=/crm/objects/2026-03/contacts*"])
    result = pull(lab, "--mode", "full").resource("contacts")
    assert (result["read"], result["deleted"]) == (0, 0)
    assert "nothing was deleted" in result["warnings"][0]
    assert contents(lab) == before
    resource = lab.lumio("status").document["providers"][0]["resources"][0]
    assert "nothing was deleted" in resource["warning"], "it is not forgotten with the run"
    assert lab.lumio("status").document["providers"][0]["health"] == "degraded"


def test_pain_10_a_failed_listing_deletes_nothing(make_lab: MakeLab, brisk: None) -> None:
    lab = make_lab(records=250)
    pull(lab)
    before = contents(lab)
    lab.sandbox.faults.set([f"500:path={LIST}:after=1"])
    assert lab.lumio("sync", "hubspot/contacts", "--mode", "full").code == 5
    assert contents(lab) == before


def test_pain_10_a_listing_that_lacks_too_much_is_not_believed(lab: Lab) -> None:
    pull(lab)
    before = contents(lab)
    for record_id in ids(lab)[:12]:
        lab.sandbox.hubspot.purge("contacts", record_id)
    outcome = lab.lumio("sync", "hubspot/contacts", "--mode", "full")
    result = outcome.resource("contacts")
    assert outcome.code == 3
    assert (result["status"], result["deleted"]) == ("partial", 0)
    assert result["error"]["code"] == "too_many_deletions"
    assert "12 records" in result["error"]["message"]
    assert "--max-delete 20" in result["error"]["hint"], "as much as is gone, and no more"
    assert contents(lab) == before
    preview = lab.lumio("preview", "hubspot/contacts", "--mode", "full", "--max-delete", "100")
    assert preview.resource("contacts")["deleted"] == 12, "what it would do can be seen first"
    assert contents(lab) == before
    result = pull(lab, "--mode", "full", "--max-delete", "20").resource("contacts")
    assert result["deleted"] == 12
    assert lab.differences("contacts") == []


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/St_Johns"])
def test_pain_18_time_zones_of_the_machine_change_nothing(make_lab: MakeLab, zone: str) -> None:
    clock = Hands(datetime.now(UTC).timestamp() - 7200)
    lab = make_lab(clock=clock)
    environ = {"TZ": zone}
    _spawned(lab, environ)
    clock.forward(3600)
    lab.sandbox.hubspot.update("contacts", ids(lab)[0], {"city": "Changed"})
    expected = {"created": 1, "updated": 1}
    lab.sandbox.hubspot.create("contacts", {"email": "new@example.com"})
    result = _spawned(lab, environ)["resources"][0]
    assert {name: result[name] for name in expected} == expected
    assert result["read"] == 2, "the window is neither too long nor too short"
    assert result["cursor"].endswith("Z")
    assert abs(parse_time(result["cursor"]).timestamp() - clock.now) < 2
    assert lab.differences("contacts") == []
    for name in ("started_at", "finished_at", "heartbeat_at"):
        for (text,) in lab.sql(f"SELECT {name} FROM lumio_runs"):
            assert text.endswith("Z")
            assert abs(datetime.now(UTC) - parse_time(text)) < timedelta(minutes=20)


def _spawned(lab: Lab, environ: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
    run = lab.spawn("sync", "hubspot/contacts", "-o", "json", environ=environ)
    out, err = run.communicate(timeout=60)
    assert (run.returncode, err) == (0, "")
    found: dict[str, list[dict[str, Any]]] = json.loads(out)
    return found


def test_pain_19_one_bad_record_fails_alone_and_is_not_dropped(make_lab: MakeLab) -> None:
    lab = make_lab(records=250)
    lab.sandbox.faults.set([f"noid:path={LIST}:after=1:times=1"])
    outcome = lab.lumio("sync", "hubspot/contacts")
    result = outcome.resource("contacts")
    assert outcome.code == 3
    assert (result["read"], result["created"], result["failed"]) == (250, 249, 1)
    assert cursor_of(lab), "the good ones are done: it does not begin anew for ever"
    assert lab.sql("SELECT kind, direction FROM lumio_dead_letters") == [("no_id", "pull")]
    status = lab.lumio("status", "hubspot/contacts").document["providers"][0]
    assert status["resources"][0]["dead_letters"] == 1
    assert status["health"] == "degraded"


def test_pain_21_a_missing_scope_stops_one_resource_and_the_run_is_not_green(lab: Lab) -> None:
    lab.token = lab.sandbox.token("hubspot", "no_tickets")
    outcome = lab.lumio("sync")
    assert outcome.code == 3
    assert outcome.document["status"] == "partial"
    assert outcome.resource("tickets")["error"]["code"] == "scope_missing"
    assert lab.differences("deals") == []
    stored = lab.sql("SELECT status, error FROM lumio_run_resources WHERE resource = 'tickets'")
    assert stored[0][0] == "skipped"
    assert json.loads(stored[0][1])["code"] == "scope_missing"
    lab.token = lab.sandbox.token("hubspot", "no_scopes")
    assert lab.lumio("sync").code == 4


_PEAK = """
import resource, sys
from pathlib import Path
from typing import Any
from lumio_cli.app import run
code = run(["sync", "hubspot/contacts", "-q"], stdin=open("/dev/null"))
# What getrusage says is never below what the parent had when it started this process.
status = Path("/proc/self/status")
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if status.exists():
    peak = int(status.read_text().split("VmHWM:")[1].split()[0])
print(peak, file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.slow
def test_pain_22_memory_does_not_grow_with_the_data(make_lab: MakeLab) -> None:
    """Pages of a megabyte: ten of them, then sixty. What were kept would show: 50 MB and more."""
    peaks = []
    for records in (1000, 6000):
        lab = make_lab(records=records)
        lab.sandbox.faults.set([f"huge:1:path={LIST}"])
        done = subprocess.run(
            [sys.executable, "-c", _PEAK],
            env={**lab.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert lab.sql("SELECT count(*) FROM hubspot_contacts") == [(records,)]
        peaks.append(int(done.stderr.splitlines()[-1]) / 1024)
    assert peaks[1] - peaks[0] < 25, f"{peaks[0]:.0f} MB, then {peaks[1]:.0f} MB"


def test_pain_24_schema_drift_is_recorded_and_never_fatal(make_lab: MakeLab) -> None:
    lab = make_lab()
    pull(lab)
    hub = lab.sandbox.hubspot
    hub.add_property("contacts", "shoe_size", "number", "number")
    hub.remove_property("contacts", "vip")
    hub.retype_property("contacts", "loyalty_points", "string")
    first = ids(lab)[0]
    hub.update("contacts", first, {"loyalty_points": "rather many", "shoe_size": "43"})
    outcome = pull(lab, "--mode", "full")
    want = {
        ("shoe_size", "new", None, "number"),
        ("vip", "vanished", "bool", None),
        ("loyalty_points", "retyped", "number", "string"),
    }
    drift = outcome.resource("contacts")["drift"]
    assert {(d["field"], d["change"], d["before"], d["after"]) for d in drift} == want
    stored = set(lab.sql("SELECT field, change, before, after FROM lumio_drift"))
    assert stored == want
    assert lab.sql("SELECT DISTINCT run_id FROM lumio_drift") == [(outcome.document["run_id"],)]
    row = lab.sql("SELECT shoe_size, loyalty_points FROM hubspot_contacts WHERE id = ?", first)
    assert row == [(43, "rather many")], "stored as it came, and the view has followed"
    assert lab.differences("contacts") == []
    assert pull(lab, "--mode", "full").resource("contacts")["drift"] == [], "told once"

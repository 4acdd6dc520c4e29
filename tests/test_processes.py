"""Real processes: killed, stopped, raced. What they leave behind is what the next one finds."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.sandbox import Sandbox
from support.lab import OBJECTS, Lab, differences

LIMITS = {"LUMIO_PROVIDERS__HUBSPOT__LIMITS": '{"burst": 1000000, "search": 100000}'}

IMPATIENT = (
    "-c",
    "from lumio_cli.sync import run\nfrom lumio_cli.app import main\nrun.PATIENCE = 1.0\nmain()",
)
"""lumio, but that it waits for one second for requests that hang, where others wait for ten."""


@pytest.fixture
def make_lab(tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    """Makes a lab with a sandbox of its own."""
    with ExitStack() as stack:

        def make(records: int, **options: Any) -> Lab:
            sandbox = stack.enter_context(Sandbox(records=records, quota="none", **options))
            return Lab(tmp_path / "home", sandbox, extra=dict(LIMITS))

        yield make


def wait_for_requests(lab: Lab, count: int, limit: float = 20.0) -> None:
    """Wait until the sandbox has been asked `count` times more than now."""
    goal = lab.sandbox.stats()["requests"] + count
    deadline = time.monotonic() + limit
    while lab.sandbox.stats()["requests"] < goal and time.monotonic() < deadline:
        time.sleep(0.002)


def wait_for_faults(lab: Lab, limit: float = 20.0) -> None:
    """Wait until a fault of the sandbox has struck."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if any(fault["struck"] for fault in lab.sandbox.faults.report()):
            return
        time.sleep(0.002)
    pytest.fail("no fault has struck")


def finish(lab: Lab, *argv: str) -> dict[str, Any]:
    process = lab.spawn(*argv, "-o", "json")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err + out
    document: dict[str, Any] = json.loads(out)
    return document


@pytest.mark.slow
def test_twenty_kills_lose_nothing_and_double_nothing(make_lab: Callable[..., Lab]) -> None:
    """kill -9 at random moments of a sync, then one run to the end."""
    lab = make_lab(400, latency=0.01)
    chance = random.Random(7)
    for _ in range(20):
        process = lab.spawn("sync", "hubspot", "--mode", chance.choice(["full", "incremental"]))
        # From before the first request to after the last: some kills come while it starts.
        if chance.random() < 0.15:
            time.sleep(chance.random() * 0.3)
        else:
            wait_for_requests(lab, chance.randrange(1, 45), limit=5)
        process.kill()
        process.communicate()
    last = finish(lab, "sync", "hubspot")
    assert last["status"] == "succeeded"
    for kind in OBJECTS:
        assert lab.differences(kind) == []
        twice = lab.sql(f"SELECT id FROM lumio_raw_hubspot_{kind} GROUP BY id HAVING count(*) > 1")
        assert twice == []
        assert lab.sql("SELECT records FROM lumio_resources WHERE resource = ?", kind) == [(400,)]
    assert lab.sql("PRAGMA integrity_check") == [("ok",)]
    statuses = {row[0] for row in lab.sql("SELECT status FROM lumio_runs")}
    assert "running" not in statuses
    assert "interrupted" in statuses


def test_of_two_runs_on_one_target_one_works_and_one_exits_6(
    make_lab: Callable[..., Lab],
) -> None:
    lab = make_lab(300, latency=0.05)
    first = lab.spawn("sync", "hubspot", "-o", "json")
    second = lab.spawn("sync", "hubspot", "-o", "json")
    outs = [process.communicate(timeout=60) for process in (first, second)]
    assert sorted((first.returncode, second.returncode)) == [0, 6], outs
    loser = json.loads(outs[0 if first.returncode else 1][0])
    assert {r["error"]["code"] for r in loser["resources"]} == {"target_busy"}
    for kind in OBJECTS:
        assert lab.differences(kind) == []


def test_a_second_run_may_wait_or_be_skipped(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(300, latency=0.05)
    first = lab.spawn("sync", "hubspot/contacts")
    wait_for_requests(lab, 2)
    skipped = lab.lumio("sync", "hubspot/contacts", "--if-running", "skip")
    waited = lab.lumio("sync", "hubspot/contacts", "--wait", "30")
    first.communicate(timeout=60)
    assert skipped.code == 0
    assert skipped.resource("contacts")["status"] == "skipped"
    assert waited.code == 0
    assert waited.resource("contacts")["status"] == "succeeded"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_run_after_its_page_and_the_next_one_goes_on(
    make_lab: Callable[..., Lab], number: signal.Signals, code: int
) -> None:
    lab = make_lab(600, latency=0.05)
    process = lab.spawn("sync", "hubspot/contacts", "-o", "json")
    wait_for_requests(lab, 5)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    document = json.loads(out)
    assert document["status"] == "interrupted"
    assert 0 < document["resources"][0]["read"] < 600
    stored = lab.sql("SELECT count(*) FROM hubspot_contacts")[0][0]
    assert stored == document["resources"][0]["read"]
    rest = finish(lab, "sync", "hubspot/contacts")["resources"][0]
    assert rest["created"] == 600 - stored
    assert lab.differences("contacts") == []


def test_a_signal_ends_a_backoff_at_once(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(100, faults=["429:120"])
    process = lab.spawn("sync", "hubspot/contacts", "--max-wait", "600")
    wait_for_requests(lab, 1)
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 143


def test_a_killed_run_is_shown_as_interrupted(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(600, latency=0.05)
    process = lab.spawn("sync", "hubspot/contacts")
    wait_for_requests(lab, 8)
    running = lab.lumio("status").document["providers"][0]["resources"][0]
    assert running["last_run"]["status"] == "running"
    assert running["progress"]["total"] == 600
    process.kill()
    process.communicate()
    killed = lab.lumio("status").document["providers"][0]["resources"][0]
    assert killed["last_run"]["status"] == "interrupted"
    assert killed["progress"] is None


def test_changes_during_kills_are_not_lost(make_lab: Callable[..., Lab]) -> None:
    """Records change while runs are killed; one last run brings the hub up to date."""
    lab = make_lab(300, latency=0.01)
    hubspot = lab.sandbox.hubspot
    chance = random.Random(3)
    known = sorted(str(r["id"]) for r in hubspot.dump("contacts"))
    for round_ in range(8):
        process = lab.spawn("sync", "hubspot/contacts")
        wait_for_requests(lab, chance.randrange(1, 8), limit=5)
        for record in chance.sample(known, 5):
            hubspot.update("contacts", record, {"city": f"round {round_}"})
        hubspot.create("contacts", {"email": f"new{round_}@example.com"})
        process.kill()
        process.communicate()
    finish(lab, "sync", "hubspot/contacts")
    assert lab.differences("contacts") == []


def test_the_sandbox_dies_with_its_parent(tmp_path: Path) -> None:
    import os
    import subprocess
    import sys

    code = (
        "import sys, time\n"
        "from lumio_cli.services.sandboxing.child_process import serving\n"
        "with serving(['--records', '1']) as ready:\n"
        "    print(ready['pid'], flush=True)\n"
        "    time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        # A zombie that nobody reaps is dead all the same.
        status = Path(f"/proc/{child}/stat")
        if status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.02)
    pytest.fail("the sandbox outlived its parent")


def test_the_sandbox_option_needs_nothing_but_a_home(tmp_path: Path) -> None:
    import os
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "lumio_cli", "sync", "--sandbox", "--records", "30", "-o", "json"],
        env={"PATH": os.environ["PATH"], "LUMIO_HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    hub = tmp_path / "profiles" / "sandbox" / "lumio.db"
    with sqlite3.connect(hub) as connection:
        assert connection.execute("SELECT count(*) FROM hubspot_contacts").fetchone() == (30,)
    assert json.loads(done.stdout)["status"] == "succeeded"


def test_the_hub_equals_the_provider_for_a_plain_sqlite_client(
    make_lab: Callable[..., Lab],
) -> None:
    lab = make_lab(50)
    finish(lab, "sync", "hubspot/contacts")
    assert differences(lab.hub_path, lab.sandbox, "contacts") == []


def test_a_request_that_hangs_keeps_no_run_from_ending(make_lab: Callable[..., Lab]) -> None:
    """The provider takes a request and says nothing; SIGTERM ends the run all the same."""
    lab = make_lab(250, faults=["latency:60000:path=/crm/objects/2026-03/contacts:after=1"])
    process = lab.spawn("sync", "hubspot/contacts", "-o", "json", program=IMPATIENT)
    wait_for_faults(lab)
    process.send_signal(signal.SIGTERM)
    begin = time.monotonic()
    out, err = process.communicate(timeout=40)
    assert time.monotonic() - begin < 30, "it did not wait for the read time-out"
    assert process.returncode == 143, err
    document = json.loads(out)
    assert document["status"] == "interrupted"
    assert document["resources"][0]["error"]["code"] == "interrupted"
    assert lab.sql("SELECT status FROM lumio_runs") == [("interrupted",)]
    lab.sandbox.faults.clear()
    finish(lab, "sync", "hubspot/contacts")
    assert lab.differences("contacts") == []

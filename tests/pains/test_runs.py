"""What operators suffer from: runs that overlap, hang, are killed, or lose their place.

Each test is named after a pain of the issue trackers, and brings it about for real.
"""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import threading
from collections.abc import Iterator

import pytest

from lumio_cli.core.stop import Stop
from lumio_cli.hub.sqlite import state
from support.lab import Lab
from support.trials import (
    LIST,
    Hands,
    MakeLab,
    asked,
    contents,
    cursor_of,
    forget_circuit,
    listed,
    struck,
    told,
    wait_until,
)


def test_pain_03_overlapping_runs_do_not_both_do_the_work(make_lab: MakeLab) -> None:
    lab = make_lab(records=250)
    pages = listed(lab)
    lab.sandbox.faults.set([f"latency:1500:path={LIST}:after=1:times=1"])
    slow = lab.spawn("sync", "hubspot/contacts", "-o", "json")
    wait_until(lambda: struck(lab), "the slow page")
    second = lab.lumio("sync", "hubspot/contacts")
    assert (second.code, told(second)["code"]) == (6, "target_busy")
    assert f"pid {slow.pid}" in told(second)["message"]
    skipped = lab.lumio("sync", "hubspot/contacts", "--if-running", "skip")
    assert skipped.code == 0
    assert skipped.resource("contacts")["status"] == "skipped"
    patient = lab.lumio("sync", "hubspot/contacts", "--wait", "30")
    assert patient.code == 0
    out, _ = slow.communicate(timeout=30)
    assert slow.returncode == 0
    assert json.loads(out)["resources"][0]["created"] == 250
    assert patient.resource("contacts")["created"] == 0
    assert len(pages) == len(set(pages)) == 3, "every page was listed once"
    assert lab.differences("contacts") == []


def _stored(lab: Lab) -> int:
    """How many contacts are committed."""
    return int(lab.sql("SELECT count(*) FROM lumio_raw_hubspot_contacts")[0][0])


@pytest.fixture
def killed(make_lab: MakeLab) -> Lab:
    """A lab whose first run was killed with -9 while it waited for its fourth page."""
    lab = make_lab(records=650)
    lab.sandbox.faults.set([f"latency:20000:path={LIST}:after=3:times=1"])
    run = lab.spawn("sync", "hubspot/contacts")
    wait_until(lambda: struck(lab), "the fourth page")
    wait_until(lambda: _stored(lab) == 300, "the commit of the three before it")
    run.kill()
    assert run.wait(30) == -signal.SIGKILL
    lab.sandbox.faults.clear()
    return lab


def test_pain_04_a_killed_run_does_not_stay_running_for_ever(killed: Lab) -> None:
    assert killed.sql("SELECT status FROM lumio_runs") == [("running",)], "it could not say so"
    document = killed.lumio("status", "hubspot").document
    contacts = document["providers"][0]["resources"][0]
    assert contacts["last_run"]["status"] == "interrupted"
    assert contacts["progress"] is None
    assert killed.lumio("sync", "hubspot/contacts").code == 0, "no lock is left behind"
    states = killed.sql("SELECT status FROM lumio_runs ORDER BY started_at, rowid")
    assert states == [("interrupted",), ("succeeded",)]
    assert killed.sql("SELECT status FROM lumio_run_resources ORDER BY started_at, rowid") == states


def test_pain_05_the_cursor_is_never_ahead_of_the_data(
    make_lab: MakeLab, brisk: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab(records=450)
    # The write of a page's checkpoint fails after its rows were written: neither may stay.
    save, calls = state.save_checkpoint, []

    def failing(*args: object, **kwargs: object) -> None:
        calls.append(args)
        if len(calls) == 4:
            raise sqlite3.OperationalError("disk I/O error")
        save(*args, **kwargs)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(state, "save_checkpoint", failing)
        assert lab.lumio("sync", "hubspot/contacts").code == 1
    _as_far_as_the_rows(lab)
    # The provider fails in the middle of what is left.
    lab.sandbox.faults.set([f"500:path={LIST}:after=1"])
    assert lab.lumio("sync", "hubspot/contacts").code == 5
    _as_far_as_the_rows(lab)
    assert cursor_of(lab) is None
    lab.sandbox.faults.clear()
    forget_circuit(lab)
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    assert lab.differences("contacts") == []


def _as_far_as_the_rows(lab: Lab) -> None:
    (rows,) = lab.sql("SELECT rows FROM lumio_checkpoints WHERE kind = 'full'")
    assert rows == (len(contents(lab)),)
    assert 0 < rows[0] < 450


def test_pain_05_a_fault_in_the_middle_of_the_changes_moves_no_cursor(
    make_lab: MakeLab, brisk: None
) -> None:
    clock = Hands()
    lab = make_lab(records=450, clock=clock)
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    before = cursor_of(lab)
    clock.forward(3600)
    for record in lab.sandbox.hubspot.dump("contacts"):
        lab.sandbox.hubspot.update("contacts", record["id"], {"city": "Oslo"})
    clock.forward(3600)
    lab.sandbox.faults.set([f"500:path={LIST}/search:after=1"])
    assert lab.lumio("sync", "hubspot/contacts").code == 5
    assert cursor_of(lab) == before, "part of the changes is in, and the cursor says no more"
    assert lab.sql("SELECT count(*) FROM hubspot_contacts WHERE city = 'Oslo'") == [(200,)]
    lab.sandbox.faults.clear()
    forget_circuit(lab)
    outcome = lab.lumio("sync", "hubspot/contacts")
    assert outcome.code == 0
    assert outcome.resource("contacts")["read"] == 250, "it goes on where it was"
    assert lab.differences("contacts") == []
    after = cursor_of(lab)
    assert before is not None and after is not None and after > before


def test_pain_17_a_restart_goes_on_at_the_page_it_was_at(killed: Lab) -> None:
    assert len(contents(killed)) == 300, "three pages were committed"
    pages = listed(killed)
    outcome = killed.lumio("sync", "hubspot/contacts")
    assert outcome.code == 0
    assert outcome.resource("contacts")["created"] == 350
    assert len(pages) == 4, "four pages of seven were left"
    assert "" not in pages
    assert killed.differences("contacts") == []


def test_pain_17_a_stop_by_sigterm_loses_nothing_either(make_lab: MakeLab) -> None:
    lab = make_lab(records=450)
    lab.sandbox.faults.set([f"latency:300:path={LIST}:after=1"])
    run = lab.spawn("sync", "hubspot/contacts", "-o", "json")
    wait_until(lambda: struck(lab), "the second page")
    run.terminate()
    out, err = run.communicate(timeout=30)
    assert run.returncode == 143
    document = json.loads(out)
    assert document["status"] == "interrupted"
    assert document["resources"][0]["error"]["code"] == "interrupted"
    assert err == ""
    kept = len(contents(lab))
    assert 100 <= kept < 450
    lab.sandbox.faults.clear()
    outcome = lab.lumio("sync", "hubspot/contacts")
    assert outcome.resource("contacts")["created"] == 450 - kept
    assert lab.differences("contacts") == []


# -- 23: hangs without a sign


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes every connection, reads, and never says a word."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def accept() -> None:
            while not stop.is_set():
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/hubspot"
        stop.set()
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        for connection in held:
            connection.close()


def test_pain_23_a_server_that_never_answers_is_given_up(
    lab: Lab, silent: str, brisk: None
) -> None:
    environ = {
        "LUMIO_PROVIDERS__HUBSPOT__BASE_URL": silent,
        "LUMIO_HTTP__READ_TIMEOUT": "0.1",
    }
    outcome = lab.lumio("sync", "hubspot/contacts", environ=environ)
    assert outcome.code == 5
    assert told(outcome)["message"] == "127.0.0.1 did not answer in time"


def test_pain_23_max_duration_ends_a_run_at_a_page(make_lab: MakeLab) -> None:
    lab = make_lab(records=650)
    lab.sandbox.faults.set([f"latency:250:path={LIST}"])
    outcome = lab.lumio("sync", "hubspot/contacts", "--max-duration", "0.6")
    assert outcome.code == 3
    assert outcome.document["status"] == "interrupted"
    assert told(outcome)["code"] == "interrupted"
    assert "--max-duration" in told(outcome)["message"]
    assert "go on from there" in told(outcome)["hint"]
    assert 0 < len(contents(lab)) < 650
    lab.sandbox.faults.clear()
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    assert lab.differences("contacts") == []


def test_pain_23_waiting_for_a_retry_ends_with_the_stop(lab: Lab) -> None:
    """A run that sleeps, here for an hour's Retry-After, is awake at once when it is to stop."""
    lab.sandbox.faults.set([f"503:3600:path={LIST}"])
    stop = Stop()
    timer = threading.Timer(0.3, stop.set, ("SIGTERM", 143))
    timer.start()
    outcome = lab.lumio("sync", "hubspot/contacts", "--max-wait", "2h", stop=stop)
    timer.join()
    assert outcome.code == 143
    assert outcome.document["status"] == "interrupted"
    assert asked(lab) == 1


def test_pain_23_a_running_run_says_that_it_is_alive_and_how_far_it_is(make_lab: MakeLab) -> None:
    lab = make_lab(records=450)
    lab.sandbox.faults.set([f"latency:20000:path={LIST}:after=2:times=1"])
    run = lab.spawn("sync", "hubspot/contacts")
    try:
        wait_until(lambda: struck(lab), "the third page")
        wait_until(lambda: _stored(lab) == 200, "the commit of the two before it")
        contacts = lab.lumio("status").document["providers"][0]["resources"][0]
        assert contacts["last_run"]["status"] == "running"
        progress = contacts["progress"]
        # It is told now and then, not with every page.
        assert progress["current"] in (100, 200)
        assert progress["total"] == 450
        assert progress["percentage"] == round(100 * progress["current"] / 450, 1)
        ((started, heartbeat),) = lab.sql("SELECT started_at, heartbeat_at FROM lumio_runs")
        assert heartbeat > started
    finally:
        run.kill()
        run.wait(30)

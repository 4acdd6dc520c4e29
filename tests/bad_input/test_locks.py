"""A second run on a target that is already being synced."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from lumio_cli.sync.run_locks import target_lock
from support.lab import Lab
from support.trials import both, contents, told

pytestmark = pytest.mark.attack("locks")


@pytest.fixture
def busy(lab: Lab) -> Iterator[Lab]:
    """A lab whose contacts another run holds."""
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    lock = target_lock(lab.home / "locks", "hubspot", "contacts", what="another-run")
    assert lock.try_acquire()
    try:
        yield lab
    finally:
        lock.release()


def test_a_locked_target_is_6_and_says_who_holds_it(busy: Lab) -> None:
    before = contents(busy)
    code, error = both(busy, "sync", "hubspot/contacts")
    assert (code, error["exit_code"], error["code"]) == (6, 6, "target_busy")
    assert "hubspot/contacts" in error["message"]
    assert "pid " in error["message"]
    assert "--wait" in error["hint"]
    assert "--if-running skip" in error["hint"]
    assert contents(busy) == before


def test_if_running_skip_ends_with_0_and_counts_the_skip(busy: Lab) -> None:
    outcome = busy.lumio("sync", "hubspot/contacts", "--if-running", "skip")
    assert outcome.code == 0
    assert outcome.document["status"] == "succeeded"
    result = outcome.resource("contacts")
    assert (result["status"], result["error"], result["requests"]) == ("skipped", None, 0)
    counted = busy.sql("SELECT status FROM lumio_run_resources ORDER BY started_at DESC LIMIT 1")
    assert counted == [("skipped",)]


@pytest.mark.parametrize(("words", "code"), [((), 3), (("--if-running", "skip"), 0)])
def test_the_other_targets_are_synced_all_the_same(
    busy: Lab, words: tuple[str, ...], code: int
) -> None:
    outcome = busy.lumio("sync", "hubspot/contacts", "hubspot/deals", *words)
    assert outcome.code == code
    assert outcome.resource("deals")["created"] == 60
    assert outcome.resource("contacts")["read"] == 0
    assert busy.differences("deals") == []


def test_waiting_in_vain_is_6(busy: Lab) -> None:
    outcome = busy.lumio("sync", "hubspot/contacts", "--wait", "0.15")
    assert outcome.code == 6
    assert told(outcome)["code"] == "target_busy"


def test_wait_goes_on_as_soon_as_the_other_run_is_over(lab: Lab) -> None:
    lock = target_lock(lab.home / "locks", "hubspot", "contacts", what="another-run")
    assert lock.try_acquire()
    timer = threading.Timer(0.3, lock.release)
    timer.start()
    try:
        outcome = lab.lumio("sync", "hubspot/contacts", "--wait", "30")
    finally:
        timer.join()
    assert outcome.code == 0
    assert outcome.resource("contacts")["created"] == 60


def test_a_preview_locks_nothing_and_needs_no_lock(busy: Lab) -> None:
    assert busy.lumio("preview", "hubspot/contacts").code == 0

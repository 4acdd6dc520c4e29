"""A bulk send is killed with -9, again and again: nobody gets a message twice, nobody is lost.

What is counted is what the provider was given, not what lumio says.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.providers import registry
from support.courier import COURIERS, CourierLab, Service

pytestmark = pytest.mark.attack("kills")

KILLS = 5


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider is known to this process, too."""
    monkeypatch.setattr(registry, "OURS", {**registry.OURS, **COURIERS})


@pytest.fixture
def service() -> Iterator[Service]:
    with Service(latency=0.03) as made:
        yield made


def wait_for_messages(service: Service, count: int, process: subprocess.Popen[str]) -> None:
    """Wait until the service has got `count` messages in all, or the process is over."""
    while len(service.got) < count and process.poll() is None:
        time.sleep(0.001)


def kill(lab: CourierLab, words: tuple[str, ...], count: int, seed: int) -> None:
    """Kill a send of `count` messages five times, at random moments of its way."""
    chance = random.Random(seed)
    for number in range(KILLS):
        process = lab.spawn(*words, "--yes")
        share = count // (KILLS + 1)
        # Each of the five has something left to do.
        wait_for_messages(lab.service, number * share + chance.randrange(1, share), process)
        time.sleep(chance.random() * 0.01)
        assert process.poll() is None, process.communicate()
        process.kill()
        process.communicate()


def kill_and_resume(lab: CourierLab, recipients: list[str], seed: int) -> dict[str, Any]:
    """Kill a send five times, let it go on to its end, and say how it ended."""
    words = ("send", lab.provider, "--input", lab.csv(*(f"{to},hello" for to in recipients)))
    kill(lab, words, len(recipients), seed)
    process = lab.spawn(*words, "--yes", "-o", "json", "--limit", "1000")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 3, out + err
    document: dict[str, Any] = json.loads(out)
    return document


def delivered_once(service: Service, recipients: list[str], last: dict[str, Any]) -> None:
    """Everybody has it exactly once; only of those whose request was about to leave at the moment
    of a kill, which nobody can know, somebody may have none. They are named.
    """
    assert max(service.counts.values()) == 1, "nobody twice"
    cut_off = {m["to"] for m in last["messages"] if (m["error"] or {}).get("code") == "cut_off"}
    assert set(recipients) - set(service.counts) <= cut_off
    assert len(cut_off) <= KILLS, "it is a matter of microseconds"


@pytest.mark.slow
def test_after_five_kills_everybody_has_it_once_and_what_is_in_doubt_is_named(
    service: Service, tmp_path: Path
) -> None:
    """This provider cannot be asked: what was on its way at a kill stays in doubt."""
    recipients = [f"n{i}" for i in range(300)]
    last = kill_and_resume(CourierLab(tmp_path, service), recipients, seed=5)
    delivered_once(service, recipients, last)
    assert last["sent"] + last["skipped"] + last["unknown"] == 300
    assert 0 < last["unknown"] <= KILLS * 32, "only what was on its way"
    assert last["status"] == "partial"


@pytest.mark.slow
def test_a_provider_that_can_be_asked_leaves_no_doubt(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipients = [f"n{i}" for i in range(200)]
    lab = CourierLab(tmp_path, service, "tracing")
    words = ("send", "tracing", "--input", lab.csv(*(f"{to},hello" for to in recipients)))
    kill(lab, words, len(recipients), seed=3)
    monkeypatch.setattr("lumio_cli.services.messaging.run.SETTLE", 0.3)
    done = lab.lumio(*words, "--yes", "-o", "json")
    assert done.code == 0, done.out
    assert service.counts == dict.fromkeys(recipients, 1)
    assert done.json["sent"] + done.json["skipped"] == 200
    assert service.asked > 0


def test_a_signal_lets_what_is_on_its_way_arrive(service: Service, tmp_path: Path) -> None:
    recipients = [f"n{i}" for i in range(400)]
    lab = CourierLab(tmp_path, service)
    words = ("send", "courier", "--input", lab.csv(*(f"{to},hello" for to in recipients)))
    process = lab.spawn(*words, "--yes", "-o", "json")
    wait_for_messages(service, 40, process)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 143, err
    document = json.loads(out)
    assert document["status"] == "interrupted"
    assert document["unknown"] == 0
    assert document["sent"] == len(service.got) < 400
    assert document["pending"] == 400 - document["sent"]
    assert lab.send("--input", words[3]).code == 0
    assert service.counts == dict.fromkeys(recipients, 1)


def test_of_two_runs_of_one_send_one_works_and_one_exits_6(
    service: Service, tmp_path: Path
) -> None:
    recipients = [f"n{i}" for i in range(100)]
    lab = CourierLab(tmp_path, service)
    words = ("send", "courier", "--input", lab.csv(*(f"{to},hello" for to in recipients)))
    both = [lab.spawn(*words, "--yes", "-o", "json") for _ in range(2)]
    outs = [process.communicate(timeout=60)[0] for process in both]
    assert sorted(process.returncode for process in both) in ([0, 6], [0, 0]), outs
    assert service.counts == dict.fromkeys(recipients, 1)


def test_a_killed_send_is_shown_as_interrupted(service: Service, tmp_path: Path) -> None:
    lab = CourierLab(tmp_path, service)
    path = lab.csv(*(f"n{i},hello" for i in range(300)))
    process = lab.spawn("send", "courier", "--input", path, "--yes", "--name", "news")
    wait_for_messages(service, 20, process)
    running = lab.lumio("sends", "show", "news", "-o", "json").json
    process.kill()
    process.communicate()
    killed = lab.lumio("sends", "show", "news", "-o", "json").json
    assert (running["status"], killed["status"]) == ("running", "interrupted")
    assert killed["total"] == 300
    assert killed["pending"] > 0


def test_after_a_restart_of_the_machine_marks_are_not_believed(
    service: Service, tmp_path: Path
) -> None:
    """They lie in memory that a power cut takes along; what the ledger says is on the disk."""
    lab = CourierLab(tmp_path, service)
    path = lab.csv(*(f"n{i},hello" for i in range(300)))
    process = lab.spawn("send", "courier", "--input", path, "--yes", "--name", "news")
    wait_for_messages(service, 50, process)
    process.kill()
    process.communicate()
    claimed = lab.sql("SELECT count(*) FROM lumio_messages WHERE status = 'sending'")[0][0]
    lab.sql("UPDATE lumio_sends SET boot = 'another'")
    last = lab.send("--input", path, "--name", "news")
    assert last.code == 3
    assert last.json["unknown"] == claimed
    assert max(service.counts.values()) == 1

"""Eight providers in one run: one that hangs, fails or has no credential holds no other back."""

from __future__ import annotations

import io
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lumio_cli.config.global_options import Globals
from lumio_cli.core.stop import Stop
from lumio_cli.runtime import Runtime
from lumio_cli.sandbox import Sandbox
from lumio_cli.services.sandboxing.child_process import describe, sandboxed
from support.lab import Lab, Outcome
from support.trials import brisk  # noqa: F401

TARGETS = (
    "hubspot/owners", "whatsapp/phone_numbers", "shopify/locations", "salesforce/leads",
    "mailchimp/audiences", "slack/usergroups", "linkedin/organizations", "pipedrive/pipelines",
)  # fmt: skip
OTHERS = tuple(t for t in TARGETS if not t.startswith("slack/"))


class EightLab(Lab):
    """A home that is connected to all eight, by the environment."""

    @property
    def environ(self) -> dict[str, str]:
        lines = describe({"url": "", "pid": 0, "providers": self.sandbox.ready()["providers"]})
        pairs = (line.removeprefix("export ").split("=", 1) for line in lines[1:])
        given = {name: value.strip("'") for name, value in pairs}
        return {
            "LUMIO_HOME": str(self.home),
            "LUMIO_CACHE__ENABLED": "false",
            **given,
            **self.extra,
        }

    def ended(self) -> set[str]:
        """The targets whose pull is over, as the hub has it at this moment."""
        if not self.hub_path.exists():
            return set()
        with closing(sqlite3.connect(self.hub_path, timeout=10)) as db:
            try:
                rows = db.execute(
                    "SELECT provider || '/' || resource FROM lumio_run_resources"
                    " WHERE status = 'succeeded'"
                ).fetchall()
            except sqlite3.OperationalError:
                return set()
        return {name for (name,) in rows}


@dataclass
class Silence:
    """A server that takes every request and never answers."""

    listener: socket.socket
    held: list[socket.socket] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.held.append(connection)
            self.asked.set()

    def hang_up(self) -> None:
        self.listener.close()
        for connection in self.held:
            connection.close()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[EightLab]:
    with Sandbox(records=3, quota="none") as sandbox:
        yield EightLab(tmp_path / "home", sandbox)


@pytest.fixture
def silence() -> Iterator[Silence]:
    made = Silence(socket.create_server(("127.0.0.1", 0)))
    threading.Thread(target=made.serve, daemon=True).start()
    yield made
    made.hang_up()


def by_target(outcome: Outcome) -> dict[str, str]:
    entries = outcome.document["resources"]
    return {f"{e['provider']}/{e['resource']}": e["status"] for e in entries}


def test_all_eight_are_pulled_in_one_run(lab: EightLab) -> None:
    done = lab.lumio("sync", *TARGETS)
    assert by_target(done) == dict.fromkeys(TARGETS, "succeeded")
    assert done.code == 0


def test_while_one_hangs_the_others_are_pulled_to_their_ends(
    lab: EightLab, silence: Silence
) -> None:
    lab.extra["LUMIO_PROVIDERS__SLACK__BASE_URL"] = silence.url
    stop, ends = Stop(), []
    run = threading.Thread(target=lambda: ends.append(lab.lumio("sync", *TARGETS, stop=stop)))
    run.start()
    limit = time.monotonic() + 60
    while lab.ended() != set(OTHERS) and run.is_alive() and time.monotonic() < limit:
        time.sleep(0.05)
    # It still hangs, and all else is done.
    assert run.is_alive()
    assert silence.asked.is_set()
    assert lab.ended() == set(OTHERS)
    stop.set("SIGTERM", 143)
    silence.hang_up()
    run.join()
    (done,) = ends
    assert done.code == 143
    assert done.document["status"] == "interrupted"
    assert {t for t, status in by_target(done).items() if status == "succeeded"} == set(OTHERS)


@pytest.mark.usefixtures("brisk")
def test_one_that_is_down_holds_no_other_back(lab: EightLab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    lab.extra |= {
        "LUMIO_PROVIDERS__SLACK__BASE_URL": f"http://127.0.0.1:{port}",
        "LUMIO_SYNC__MAX_WAIT": "0",
    }
    done = lab.lumio("sync", *TARGETS)
    assert done.code == 3
    assert by_target(done) == {**dict.fromkeys(OTHERS, "succeeded"), "slack/usergroups": "failed"}
    assert done.resource("usergroups")["error"]["exit_code"] == 5


def test_one_that_is_refused_holds_no_other_back(lab: EightLab) -> None:
    lab.extra["LUMIO_SLACK_TOKEN"] = "xoxb-sandbox-unknown"
    done = lab.lumio("sync", *TARGETS)
    assert done.code == 3
    assert by_target(done) == {**dict.fromkeys(OTHERS, "succeeded"), "slack/usergroups": "failed"}
    assert done.resource("usergroups")["error"]["exit_code"] == 4


def test_one_without_a_credential_holds_no_other_back(lab: EightLab) -> None:
    done = lab.lumio("sync", *TARGETS, environ={"LUMIO_SLACK_TOKEN": None})
    assert done.code == 3
    assert by_target(done) == {**dict.fromkeys(OTHERS, "succeeded"), "slack/usergroups": "failed"}
    assert done.resource("usergroups")["error"]["code"] == "credential_missing"


def test_two_runs_with_their_targets_in_opposite_order_both_end(lab: EightLab) -> None:
    ends: list[Outcome] = []
    orders = (TARGETS, tuple(reversed(TARGETS)))
    runs = [
        threading.Thread(target=lambda t=t: ends.append(lab.lumio("sync", *t, "--wait", "60")))
        for t in orders
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert [done.code for done in ends] == [0, 0]


def test_what_the_environment_has_for_the_real_one_does_not_reach_the_sandbox(
    tmp_path: Path,
) -> None:
    environ = {
        "LUMIO_HOME": str(tmp_path),
        "LUMIO_SALESFORCE_WAY": "jwt",
        "LUMIO_SALESFORCE_CLIENT_SECRET": "a secret of the real one",
    }
    runtime = Runtime(Globals(), environ=environ, stdout=io.StringIO(), stderr=io.StringIO())
    with closing(runtime), sandboxed(runtime, 3) as inside:
        loaded = inside.credentials.load("salesforce")
    assert loaded.source == "LUMIO_SALESFORCE_TOKEN"
    assert "client_secret" not in loaded.credential.fields

"""A WhatsApp bulk send is killed with -9 five times and resumed: every recipient exactly once, by
the look-alike's count, within its published quotas.

WhatsApp cannot be asked for a message by our key, so nothing but the ledger keeps a message from
being sent twice. `LUMIO_TEST_MESSAGES=5000` makes it as long as a real campaign.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.sandbox import Sandbox
from support.cli import lumio

COUNT = int(os.environ.get("LUMIO_TEST_MESSAGES", "300"))
KILLS = 5


class Number:
    """A WhatsApp number of the look-alike, and lumio in a process of its own."""

    def __init__(self, home: Path, sandbox: Sandbox) -> None:
        self._outbox = sandbox.providers["whatsapp"].outbox  # type: ignore[attr-defined]
        self.sandbox = sandbox
        self.home = home
        ready = sandbox.providers["whatsapp"].ready(sandbox.base_url("whatsapp"))
        self.environ = {
            "PATH": os.environ["PATH"],
            "LUMIO_HOME": str(home),
            "LUMIO_WHATSAPP_TOKEN": ready["token"],
            "LUMIO_PROVIDERS__WHATSAPP__BASE_URL": ready["base_url"],
            # A killed run has taken places that it did not use; the next one would wait for them.
            "LUMIO_PROVIDERS__WHATSAPP__LIMITS": '{"pair": 40}',
            **{f"LUMIO_WHATSAPP_{n.upper()}": value for n, value in ready["fields"].items()},
        }

    def spawn(self, *argv: str) -> subprocess.Popen[str]:
        """Start a command line."""
        return subprocess.Popen(
            [sys.executable, "-m", "lumio_cli", *argv, "-o", "json"],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *argv: str) -> tuple[int, dict[str, Any]]:
        """A command line to its end, in this process: exit code and document."""
        done = lumio(*argv, "-o", "json", home=self.home, env=self.environ)
        return done.code, done.json

    @property
    def got(self) -> Counter[str]:
        """How many messages each recipient got, without the + of the number."""
        return Counter(message.to.lstrip("+") for message in list(self._outbox.accepted))


@pytest.fixture
def number(tmp_path: Path) -> Iterator[Number]:
    with Sandbox(records=3, providers=["whatsapp"], latency=0.05) as sandbox:
        yield Number(tmp_path / "home", sandbox)


@pytest.mark.slow
def test_five_kills_and_every_recipient_has_it_exactly_once(number: Number, tmp_path: Path) -> None:
    recipients = [f"55119{n:08d}" for n in range(COUNT)]
    path = tmp_path / "campaign.csv"
    path.write_text("to,text\n" + "".join(f"+{to},Olá {to}\n" for to in recipients))
    words = ("send", "whatsapp", "--input", str(path), "--yes", "--limit", "1000")
    chance = random.Random(11)
    share = COUNT // (KILLS + 1)
    for turn in range(KILLS):
        process = number.spawn(*words)
        goal = turn * share + chance.randrange(1, share)
        while sum(number.got.values()) < goal and process.poll() is None:
            time.sleep(0.002)
        assert process.poll() is None, process.communicate()
        process.kill()
        process.communicate()
    code, last = number.run(*words)
    assert last["sent"] + last["skipped"] + last["unknown"] == last["total"] == COUNT, last
    assert (code, last["status"]) == ((3, "partial") if last["unknown"] else (0, "succeeded"))
    # What was on its way is in doubt, but it arrived: all, but for who was cut off in the very
    # microseconds between the mark and the wire, which nobody can know and who is named.
    cut_off = {m["to"][1:] for m in last["messages"] if (m["error"] or {}).get("code") == "cut_off"}
    assert set(number.got.values()) == {1}, "nobody twice"
    assert set(recipients) - set(number.got) <= cut_off
    assert len(cut_off) <= KILLS
    assert last["unknown"] <= KILLS * 32
    assert number.sandbox.violations == 0, "never faster than WhatsApp allows"
    accepted, document = number.run(*words, "--if-unknown", "accept")
    assert (accepted, document["skipped"]) == (0, COUNT)
    assert set(number.got.values()) == {1}

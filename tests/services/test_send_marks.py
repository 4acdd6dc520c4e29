"""What is left to read of a run that was killed, and what keeps a message from leaving late."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.core.errors import OUTCOME_UNKNOWN, LumioError, QuotaError, StoppedError
from lumio_cli.hub.sqlite import sends
from lumio_cli.hub.sqlite.database import Hub
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.services.messaging.delivery_marks import FREE, LEAVING, LEFT, TAKEN, Marks
from lumio_cli.services.messaging.recovery import recover
from lumio_cli.services.messaging.workers import Crew, Task

POST = Call("POST", "/messages")
OK = Reply(200, {}, b"{}")


# -- marks


def test_marks_outlive_the_process_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "sends" / "a.marks"
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from lumio_cli.services.messaging.delivery_marks import Marks\n"
        "marks = Marks(Path(sys.argv[1]), 1000)\n"
        "marks[1], marks[1000] = 2, 3\n"
        f"os.kill(os.getpid(), {int(signal.SIGKILL)})\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    marks = Marks(path, 1000)
    assert marks.kept
    assert [marks[n] for n in (1, 2, 1000)] == [2, 0, 3]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_more_messages_than_before(tmp_path: Path) -> None:
    first = Marks(tmp_path / "a.marks", 2)
    first[2] = LEFT
    longer = Marks(tmp_path / "a.marks", 5)
    assert [longer[n] for n in range(1, 6)] == [0, LEFT, 0, 0, 0]
    longer.delete()
    assert not Marks(tmp_path / "a.marks", 5).kept


# -- recovery


@pytest.mark.parametrize(
    ("boot", "kept", "wanted"),
    [
        ("b", True, ["pending", "unknown cut_off", "unknown no_answer", "sent"]),
        ("other", True, ["unknown cut_off"] * 4),
        ("", True, ["unknown cut_off"] * 4),
        ("b", False, ["unknown cut_off"] * 4),
    ],
)
def test_marks_sort_what_was_under_way(
    tmp_path: Path, boot: str, kept: bool, wanted: list[str]
) -> None:
    hub = Hub.open(tmp_path / "lumio.db")
    with sends.durable(hub) as db:
        row = sends.begin_send(
            db, send_id="s", provider="p", name="n", account="", digest=b"", total=4,
            boot="b", now="t",
        )  # fmt: skip
        entries = [
            sends.Entry(n, "a", "note", b"", "sending", None, None, None, 1, "t")
            for n in range(1, 5)
        ]
        sends.store_entries(db, row.id, entries)
    path = tmp_path / "a.marks"
    if kept:
        before = Marks(path, 4)
        for position, mark in enumerate((FREE, LEAVING, LEFT, TAKEN), 1):
            before[position] = mark
    recover(hub, row, Marks(path, 4), boot, "t")
    found = sends.read_entries(hub.connection, row.id, 1, 4)
    assert [f"{e.status} {e.code or ''}".strip() for e in found.values()] == wanted


# -- those who send


class Line:
    """A session: what it does with a call is a test's own."""

    def __init__(self, *acts: Any) -> None:
        self.acts = list(acts)
        self.seen: list[int] = []

    def send(self, call: Call, *, tally: Any) -> Reply:
        return self.acts.pop(0)(call, tally)  # type: ignore[no-any-return]


class Postman:
    """A provider's module whose message takes as many calls as it is told."""

    def __init__(self, *calls: Call) -> None:
        self.calls = calls

    def deliver(self, message: Any, send: Any) -> Receipt:
        for call in self.calls:
            send(call)
        return Receipt("k", "done", "id")


def passes(_: Call, tally: Any) -> Reply:
    tally.on_wire(False)
    tally.on_wire(True)
    return OK


def raises(error: LumioError) -> Any:
    def act(_: Call, tally: Any) -> Reply:
        raise error

    return act


def outcome(tmp_path: Path, postman: Postman, line: Line) -> tuple[str, bool, int]:
    marks = Marks(tmp_path / "a.marks", 1)
    crew = Crew(postman, line, None, marks, 1, lambda *_: None)  # type: ignore[arg-type]
    crew.submit(Task(1, None))  # type: ignore[arg-type]
    done = crew.done.get(timeout=10)
    crew.close()
    return done.status, done.halt, marks[1]


LOST = LumioError("lost", code=OUTCOME_UNKNOWN)


@pytest.mark.parametrize(
    ("calls", "acts", "wanted"),
    [
        ([POST], [passes], ("sent", False, TAKEN)),
        ([POST], [raises(LumioError("no"))], ("failed", False, FREE)),
        ([POST], [raises(QuotaError("used up"))], ("pending", True, FREE)),
        ([POST], [raises(StoppedError("stop"))], ("pending", False, FREE)),
        ([POST], [raises(LOST)], ("unknown", False, FREE)),
        # Half of a message that was done must not be done again.
        ([POST, POST], [passes, raises(LumioError("no"))], ("unknown", False, LEFT)),
        ([POST, POST], [passes, raises(QuotaError("no"))], ("unknown", True, LEFT)),
    ],
)
def test_what_an_answer_means_for_a_message(
    tmp_path: Path, calls: list[Call], acts: list[Any], wanted: tuple[str, bool, int]
) -> None:
    assert outcome(tmp_path, Postman(*calls), Line(*acts)) == wanted


def test_a_call_that_may_be_repeated_leaves_no_mark(tmp_path: Path) -> None:
    upload = Call("POST", "/uploads", safe=True)
    acts = [lambda *_: OK, raises(LumioError("no"))]
    assert outcome(tmp_path, Postman(upload, POST), Line(*acts)) == ("failed", False, FREE)


def test_who_waits_has_nothing_on_its_way(tmp_path: Path) -> None:
    marks = Marks(tmp_path / "a.marks", 1)
    seen = []

    def throttled(_: Call, tally: Any) -> Reply:
        tally.on_wire(False)
        tally.on_wire(True)
        seen.append(marks[1])
        tally.wait_begins(5.0, "the provider's rate limit")
        seen.append(marks[1])
        return passes(POST, tally)

    crew = Crew(Postman(POST), Line(throttled), None, marks, 1, lambda *_: None)  # type: ignore[arg-type]
    crew.submit(Task(1, None))  # type: ignore[arg-type]
    assert crew.done.get(timeout=10).status == "sent"
    crew.close()
    assert seen == [LEFT, FREE]


def test_nothing_leaves_once_nobody_waits_for_it(tmp_path: Path) -> None:
    """A thread that sleeps for a quota when a run gives up must not send when it wakes up."""
    marks = Marks(tmp_path / "a.marks", 1)
    left: list[bool] = []

    def late(_: Call, tally: Any) -> Reply:
        crew.forbid()
        tally.on_wire(False)
        left.append(True)
        return OK

    crew = Crew(Postman(POST), Line(late), None, marks, 1, lambda *_: None)  # type: ignore[arg-type]
    crew.submit(Task(1, None))  # type: ignore[arg-type]
    done = crew.done.get(timeout=10)
    crew.close()
    assert (done.status, left, marks[1]) == ("pending", [], FREE)


def test_a_mistake_in_a_providers_module_costs_one_message(tmp_path: Path) -> None:
    class Broken(Postman):
        def deliver(self, message: Any, send: Any) -> Receipt:
            raise KeyError("typo")

    assert outcome(tmp_path, Broken(), Line()) == ("failed", False, FREE)

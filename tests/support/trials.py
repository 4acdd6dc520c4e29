"""What the tests of bad input and of pains share: labs without quotas, and what must hold after
whatever went wrong. Fixtures: import them in a conftest.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.http import Request, Response
from lumio_cli.transport.retry import Retry
from support.lab import Lab, Outcome

LIFTED = {"LUMIO_PROVIDERS__HUBSPOT__LIMITS": '{"burst":100000,"search":100000}'}
LIST = "/crm/objects/2026-03/contacts"
MakeLab = Callable[..., Lab]


@pytest.fixture
def make_lab(tmp_path: Path) -> Iterator[MakeLab]:
    """Labs with homes of their own, below one temporary directory. Options go to the sandbox;
    quotas are lifted on both sides unless one is named.
    """
    with ExitStack() as closing:

        def make(**options: Any) -> Lab:
            home = tmp_path / f"home{len(list(tmp_path.glob('home*')))}"
            home.mkdir(mode=0o700)
            sandbox = Sandbox(**{"records": 60, "quota": "none", **options})
            return Lab(home, closing.enter_context(sandbox), extra=dict(LIFTED))

        yield make


@pytest.fixture
def lab(make_lab: MakeLab) -> Lab:
    """A lab with 60 records of each type."""
    return make_lab()


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries of this process follow at once; how many there are stays as it is."""
    monkeypatch.setattr(Retry, "_draw", lambda *_: 0.001)


def told(outcome: Outcome) -> dict[str, Any]:
    """The one error of a JSON document: its own, or what all of its resources agree on."""
    document = outcome.document
    assert outcome.err == "", "with JSON, stderr stays silent"
    if "error" in document:
        errors = [document["error"]]
    else:
        errors = [r["error"] for r in document["resources"] if r["error"]]
    assert errors, document
    for error in errors:
        assert error["code"].isidentifier()
        assert error["code"].islower()
        assert error["message"]
        assert "\n" not in error["message"]
        assert "Traceback" not in error["message"]
        assert error["code"] != "internal", error
        assert set(error) == {"code", "message", "hint", "exit_code"}
    assert len({e["message"] for e in errors}) == 1, errors
    found: dict[str, Any] = errors[0]
    return found


def told_people(outcome: Outcome) -> tuple[str, str]:
    """The one `error:` line on stderr, and the `hint:` line after it (empty where there is none).

    Lines of progress may be there, too; a traceback may not.
    """
    lines = outcome.err.splitlines()
    errors = [i for i, line in enumerate(lines) if line.startswith("error: ")]
    assert len(errors) == 1, outcome.err
    assert "Traceback" not in outcome.err + outcome.out
    hints = [line for line in lines if line.startswith("hint: ")]
    assert len(hints) <= 1, outcome.err
    if hints:
        assert lines[errors[0] + 1] == hints[0]
    message = lines[errors[0]].removeprefix("error: ")
    return message, hints[0].removeprefix("hint: ") if hints else ""


def both(
    lab: Lab, *argv: str, environ: Mapping[str, str | None] | None = None
) -> tuple[int, dict[str, Any]]:
    """Run a command line that must fail in one way, for a script and for people; both must be
    told the same. Returns the exit code and the error.
    """
    outcome = lab.lumio(*argv, environ=environ)
    error = told(outcome)
    forget_circuit(lab)
    people = lab.lumio(*argv, "-o", "table", environ=environ)
    message, hint = told_people(people)
    assert people.code == outcome.code
    assert (message, hint or None) == (error["message"], error["hint"])
    return outcome.code, error


def forget_circuit(lab: Lab) -> None:
    """As if the pause after many failures were over: what knows of it is disposable."""
    for path in lab.home.glob("runtime.db*"):
        path.unlink()


def contents(lab: Lab, kind: str = "contacts") -> list[tuple[Any, ...]]:
    """What the hub holds of a type; proves on the way that the hub is sound."""
    assert lab.sql("PRAGMA integrity_check") == [("ok",)]
    assert lab.sql("PRAGMA foreign_key_check") == []
    rows = lab.sql(f"SELECT id, _payload FROM hubspot_{kind} ORDER BY id")
    counted = lab.sql("SELECT records FROM lumio_resources WHERE resource = ?", kind)
    assert counted == [(len(rows),)]
    return rows


def cursor_of(lab: Lab, resource: str = "contacts") -> str | None:
    """Where a resource's cursor stands."""
    rows = lab.sql("SELECT cursor FROM lumio_resources WHERE resource = ?", resource)
    return rows[0][0] if rows else None


def asked(lab: Lab, path: str = LIST, method: str = "GET") -> int:
    """How many requests the provider has seen at a path."""
    return sum(1 for _, m, p, _ in lab.sandbox.requests if (m, p) == (method, f"/hubspot{path}"))


class Hands:
    """The provider's clock, moved by hand: it stands still until `forward`. It begins in the past,
    since one that is ahead of ours is not believed."""

    def __init__(self, now: float = 1_795_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def listed(lab: Lab, path: str = LIST) -> list[str]:
    """From now on, the `after` of every page of live records that is listed; '' is the first."""
    seen: list[str] = []
    hub = lab.sandbox.hubspot
    handle = hub.handle

    def watching(request: Request) -> Response:
        if (request.method, request.path) == ("GET", path) and request.one("archived") != "true":
            seen.append(request.one("after") or "")
        return handle(request)

    hub.handle = watching  # type: ignore[method-assign]
    return seen


def wait_until(true: Callable[[], Any], what: str, limit: float = 30.0) -> None:
    """Wait for another process or thread."""
    end = time.monotonic() + limit
    while not true():
        assert time.monotonic() < end, f"{what} did not happen within {limit:g} s"
        time.sleep(0.01)


def struck(lab: Lab) -> int:
    """How often the sandbox's faults have struck."""
    return sum(int(fault["struck"]) for fault in lab.sandbox.faults.report())


def hold_open(path: Path) -> sqlite3.Connection:
    """Another program that keeps the hub from being written to."""
    connection = sqlite3.connect(path)
    connection.execute("BEGIN EXCLUSIVE")
    return connection

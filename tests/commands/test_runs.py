"""`lumio runs`: what earlier runs did, and how those ended that could not say so."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.sandbox import Sandbox
from lumio_cli.sync.run_locks import run_lock
from support.cli import lumio
from support.lab import copy_home


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with two runs: a good one, then one that lacks scopes and meets a new field."""
    home = tmp_path_factory.mktemp("home")
    with Sandbox(records=8) as sandbox:
        base = {"LUMIO_PROVIDERS__HUBSPOT__BASE_URL": sandbox.base_url()}
        words = ("sync", "hubspot/contacts", "hubspot/tickets")
        env = {**base, "LUMIO_HUBSPOT_TOKEN": sandbox.token()}
        assert lumio(*words, home=home, env=env).code == 0
        sandbox.hubspot.add_property("contacts", "shoe_size", "number")
        env = {**base, "LUMIO_HUBSPOT_TOKEN": sandbox.token(name="no_tickets")}
        assert lumio(*words, "--mode", "full", home=home, env=env).code == 3
    yield home


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Path:
    return copy_home(template, tmp_path / "home")


def answer(home: Path, *words: str, code: int = 0) -> Any:
    done = lumio("runs", *words, "-o", "json", home=home)
    assert done.code == code, done.out
    return done.json


def ids(home: Path) -> list[str]:
    """The run ids, newest first."""
    return [run["run_id"] for run in answer(home, "list")["runs"]]


def change(home: Path, statement: str) -> None:
    with closing(sqlite3.connect(home / "lumio.db", isolation_level=None)) as db:
        db.execute(statement)


def test_before_the_first_run(tmp_path: Path) -> None:
    assert answer(tmp_path, "list") == {"runs": []}
    assert "no run yet" in lumio("runs", "list", home=tmp_path, terminal=True).out
    assert answer(tmp_path, "last", code=1)["error"]["code"] == "no_runs"
    assert answer(tmp_path, "show", "x", code=2)["error"]["hint"] == "`lumio runs list` shows them"
    assert list(tmp_path.iterdir()) == []


def test_the_list_has_the_newest_first(home: Path) -> None:
    newest, oldest = answer(home, "list")["runs"]
    assert newest["started_at"] > oldest["started_at"]
    assert (oldest["status"], oldest["exit_code"]) == ("succeeded", 0)
    assert (newest["status"], newest["exit_code"]) == ("partial", 3)
    assert oldest["totals"]["created"] == 16
    assert oldest["duration_s"] > 0
    assert oldest["targets"] == ["hubspot/contacts", "hubspot/tickets"]
    assert [run["run_id"] for run in answer(home, "list", "--limit", "1")["runs"]] == [
        newest["run_id"]
    ]
    header, *lines = lumio("runs", "list", home=home).out.splitlines()
    assert header.split("\t")[:3] == ["run_id", "status", "started_at"]
    assert len(lines) == 2


def test_a_run_with_its_errors_and_the_drift_it_met(home: Path) -> None:
    run = answer(home, "last")
    tickets = next(r for r in run["resources"] if r["resource"] == "tickets")
    assert tickets["error"]["code"] == "scope_missing"
    assert [(d["resource"], d["field"], d["change"]) for d in run["drift"]] == [
        ("contacts", "shoe_size", "new")
    ]
    assert answer(home, "show", ids(home)[1])["drift"] == []
    done = lumio("runs", "last", home=home, env={"COLUMNS": "200"}, terminal=True)
    for text in ("Errors", "hubspot/tickets", "lumio connect hubspot", "Changes of", "shoe_size"):
        assert text in done.out


def test_a_beginning_of_the_id_will_do_if_it_is_the_only_one(home: Path) -> None:
    newest, oldest = ids(home)
    change(home, f"UPDATE lumio_runs SET run_id = 'abc-1' WHERE run_id = '{newest}'")
    assert answer(home, "show", "ab")["run_id"] == "abc-1"
    assert answer(home, "show", oldest)["run_id"] == oldest
    change(home, f"UPDATE lumio_runs SET run_id = 'abc-2' WHERE run_id = '{oldest}'")
    error = answer(home, "show", "abc", code=2)["error"]
    assert error["message"] == "2 runs begin with 'abc'"
    assert "abc-2" in error["hint"]
    assert answer(home, "show", "abc-2")["run_id"] == "abc-2"


@pytest.mark.parametrize("word", ["nothing", "%", "", "\x1b[31m"])
def test_an_unknown_run(home: Path, word: str) -> None:
    done = lumio("runs", "show", word, home=home)
    assert done.code == 2
    assert "there is no run" in done.err
    assert "\x1b" not in done.err


def test_a_run_that_was_killed_is_interrupted_and_one_that_lives_is_not(home: Path) -> None:
    newest = ids(home)[0]
    change(home, f"UPDATE lumio_runs SET status = 'running', finished_at = NULL, exit_code = NULL"
                 f" WHERE run_id = '{newest}'")  # fmt: skip
    change(home, "UPDATE lumio_run_resources SET status = 'running', finished_at = NULL"
                 f" WHERE run_id = '{newest}' AND resource = 'tickets'")  # fmt: skip
    before = (home / "lumio.db").stat().st_mtime_ns
    lock = run_lock(home / "locks", newest)
    assert lock.try_acquire()
    run = answer(home, "last")
    assert (run["status"], run["duration_s"]) == ("running", None)
    lock.release()
    run = answer(home, "last")
    assert run["status"] == "interrupted"
    assert {r["resource"]: r["status"] for r in run["resources"]}["tickets"] == "interrupted"
    # Only looked at: the next sync is the one that writes it down.
    assert (home / "lumio.db").stat().st_mtime_ns == before

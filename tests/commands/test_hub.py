"""`lumio hub`: what it says of the database, and what it does to it."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
from collections import namedtuple
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.app import run
from lumio_cli.core.stop import Stop
from lumio_cli.sandbox import Sandbox
from lumio_cli.services.maintenance import hub
from lumio_cli.sync.run_locks import run_lock
from support.cli import lumio
from support.lab import copy_home


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(records=20, quota="none") as running:
        yield running


def way_to(sandbox: Sandbox) -> dict[str, str]:
    return {
        "LUMIO_HUBSPOT_TOKEN": sandbox.token(),
        "LUMIO_PROVIDERS__HUBSPOT__BASE_URL": sandbox.base_url(),
        "LUMIO_PROVIDERS__HUBSPOT__LIMITS": '{"burst": 1000000, "search": 100000}',
    }


@pytest.fixture(scope="module")
def template(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with twenty contacts and ten owners."""
    home = tmp_path_factory.mktemp("home")
    env = way_to(sandbox)
    words = ("sync", "hubspot/contacts", "hubspot/owners")
    assert lumio(*words, home=home, env=env).code == 0
    return home


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Path:
    return copy_home(template, tmp_path / "home")


def change(home: Path, *statements: str) -> None:
    with closing(sqlite3.connect(home / "lumio.db", isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


def answer(home: Path, *words: str, code: int = 0, **env: str) -> Any:
    """The JSON document of `lumio hub WORDS`."""
    done = lumio("hub", *words, "-o", "json", home=home, env=env)
    assert done.code == code, done.out
    return done.json


def test_the_path_is_a_plain_line(home: Path, tmp_path: Path) -> None:
    assert lumio("hub", "path", home=home).out == f"{home / 'lumio.db'}\n"
    assert lumio("hub", "path", home=home, terminal=True).out == f"{home / 'lumio.db'}\n"
    assert answer(home, "path") == {"path": str(home / "lumio.db"), "exists": True}
    moved = answer(home, "path", LUMIO_HUB__PATH=str(tmp_path / "x.db"))
    assert moved == {"path": str(tmp_path / "x.db"), "exists": False}


@pytest.mark.parametrize("words", [["check"], ["vacuum"], ["backup"], ["info"]])
def test_where_there_is_no_hub_none_is_made(tmp_path: Path, words: list[str]) -> None:
    error = answer(tmp_path, *words, code=1)["error"]
    assert (error["code"], error["hint"]) == ("hub_missing", "lumio sync")
    assert list(tmp_path.iterdir()) == []


# -- check


def test_a_hub_in_order(home: Path) -> None:
    found = answer(home, "check")
    assert found["ok"] is True
    assert (found["integrity"], found["foreign_keys"]) == ([], [])
    counts = {c["resource"]: (c["recorded"], c["counted"]) for c in found["counts"]}
    assert counts == {"contacts": (20, 20), "owners": (10, 10)}
    assert "the hub is in order" in lumio("hub", "check", home=home).err


def test_wrong_counts_are_reported_and_repaired(home: Path) -> None:
    change(home, "UPDATE lumio_resources SET records = 99 WHERE resource = 'contacts'")
    found = answer(home, "check", code=1)
    assert found["ok"] is False
    assert found["error"]["code"] == "hub_counts_wrong"
    assert found["error"]["hint"] == "lumio hub check --repair"
    repaired = answer(home, "check", "--repair-counts")
    assert (repaired["ok"], repaired["repaired"]) == (True, True)
    assert answer(home, "check")["ok"] is True


def test_a_view_that_somebody_has_damaged_is_named_and_made_anew_by_a_sync(
    home: Path, sandbox: Sandbox
) -> None:
    change(home, "DROP TRIGGER lumio_hubspot_contacts_delete")
    found = answer(home, "check", code=1)
    assert (found["views"], found["error"]["code"]) == (["hubspot_contacts"], "hub_views")
    env = way_to(sandbox)
    assert lumio("sync", "hubspot/contacts", home=home, env=env).code == 0
    assert answer(home, "check")["ok"] is True


COLUMNS = "the list of its view's columns cannot be read"
BROKEN = (
    ("columns", "columns", "not JSON", COLUMNS),
    ("columns", "columns", '{"a": 1}', COLUMNS),
    ("columns", "columns", '[["id", 1, "text"]]', COLUMNS),
    ("columns", "columns", "[" * 5000, COLUMNS),
    ("slices", "slices", '{"": "x"}', "the parts of its walk cannot be read"),
    ("slices", "slices", "[1]", "the parts of its walk cannot be read"),
    ("slices", "slices", '{"": -1}', "the parts of its walk cannot be read"),
    ("cursor", "cursor", '{"": "x"}', '{"": "x"}: '),
)


@pytest.mark.parametrize(("what", "column", "text", "told"), BROKEN)
def test_what_cannot_be_read_of_a_resource_is_told_and_repaired(
    home: Path, what: str, column: str, text: str, told: str
) -> None:
    change(home, f"UPDATE lumio_resources SET {column} = '{text}' WHERE resource = 'contacts'")
    found = answer(home, "check", code=1)
    assert [(a["resource"], a["what"]) for a in found["astray"]] == [("contacts", what)]
    assert found["error"]["code"] == "hub_astray"
    assert told in found["error"]["message"]
    assert "lumio hub check --repair" in found["error"]["hint"]
    warning = status_of(home)["warning"]
    assert what == "cursor" or (told in warning and "lumio hub check --repair" in warning)
    assert lumio("diagnostic", "--offline", home=home).code in (0, 1, 3)
    repaired = answer(home, "check", "--repair")
    assert (repaired["ok"], repaired["repaired"]) == (True, True)
    assert answer(home, "check")["ok"] is True
    assert status_of(home)["warning"] is None


@pytest.mark.parametrize(("what", "column", "text", "told"), BROKEN)
def test_what_cannot_be_read_of_a_resource_is_put_right_by_a_sync(
    home: Path, sandbox: Sandbox, what: str, column: str, text: str, told: str
) -> None:
    change(home, f"UPDATE lumio_resources SET {column} = '{text}' WHERE resource = 'contacts'")
    env = way_to(sandbox)
    done = lumio("sync", "hubspot/contacts", "-o", "json", home=home, env=env)
    assert done.code == 0, done.out + done.err
    (entry,) = json.loads(done.out)["resources"]
    assert any(("cannot be read" in w) for w in entry["warnings"]), entry
    assert entry["deleted"] == entry["failed"] == 0
    assert answer(home, "check")["ok"] is True


@pytest.mark.parametrize(
    ("column", "text"),
    [("place", "[1]"), ("place", '{"size": "x", "after": []}'), ("options", "[]"), ("place", "x")],
)
def test_a_place_that_cannot_be_read_begins_the_walk_anew(
    home: Path, sandbox: Sandbox, column: str, text: str
) -> None:
    env = way_to(sandbox)
    point = {"options": "{}", "place": '{"size": 100, "after": "1"}', column: text}
    change(
        home,
        "INSERT INTO lumio_checkpoints (provider, resource, kind, slice, options, place, since_seq,"
        f" rows, pages, done, started_at, updated_at) VALUES ('hubspot', 'contacts', 'full', '',"
        f" '{point['options']}', '{point['place']}', 0, 1, 1, 0, strftime('%Y-%m-%dT%H:%M:%fZ',"
        " 'now'), strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))",
    )
    done = lumio("sync", "hubspot/contacts", "--mode", "full", "-o", "json", home=home, env=env)
    assert done.code == 0, done.out + done.err
    assert json.loads(done.out)["resources"][0]["read"] == 20


def status_of(home: Path) -> dict[str, Any]:
    """What `status` says of the contacts."""
    told = json.loads(lumio("status", "hubspot/contacts", "-o", "json", home=home).out)
    found: dict[str, Any] = told["providers"][0]["resources"][0]
    return found


def test_a_table_that_is_gone_has_no_records(home: Path) -> None:
    change(home, "DROP VIEW hubspot_owners", "DROP TABLE lumio_raw_hubspot_owners")
    found = answer(home, "check", code=1)
    owners = next(c for c in found["counts"] if c["resource"] == "owners")
    assert (owners["recorded"], owners["counted"], owners["ok"]) == (10, 0, False)


def test_a_reference_to_nothing(home: Path) -> None:
    change(home, "PRAGMA foreign_keys = OFF", "DELETE FROM lumio_runs")
    found = answer(home, "check", code=1)
    assert found["error"]["code"] == "hub_corrupt"
    assert "lumio_run_resources" in found["foreign_keys"][0]


@pytest.mark.parametrize("place", [0, 3])
def test_a_damaged_file(home: Path, place: int) -> None:
    """The header, and a page somewhere inside."""
    change(home, "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA journal_mode = DELETE")
    with (home / "lumio.db").open("r+b") as file:
        file.seek(place * 4096)
        file.write(b"\xa5" * 4096)
    error = answer(home, "check", code=1)["error"]
    assert error["code"] == "hub_corrupt"
    assert "backup" in error["hint"]


def test_a_signal_ends_a_long_check(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_STEPS", 1)
    stop = Stop()
    stop.set("SIGTERM", 143)
    code = run(
        ["hub", "check"],
        environ={"LUMIO_HOME": str(home)},
        stdin=io.StringIO(),
        stdout=io.StringIO(),
        stderr=io.StringIO(),
        stop=stop,
    )
    assert code == 143


# -- vacuum


def test_vacuum_gives_room_back(home: Path) -> None:
    blob = "INSERT INTO lumio_cache VALUES ('x', 'hubspot', 0, zeroblob(3000000))"
    change(home, blob, "DELETE FROM lumio_cache")
    done = answer(home, "vacuum")
    assert done["bytes_freed"] == done["bytes_before"] - done["bytes_after"] > 2_000_000
    assert answer(home, "check")["ok"] is True
    assert " before, " in lumio("hub", "vacuum", home=home).out


def test_vacuum_needs_room(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**6, 10**6 - 1000, 1000))
    assert answer(home, "vacuum", code=1)["error"]["code"] == "disk_full"
    assert answer(home, "backup", code=1)["error"]["code"] == "disk_full"
    assert not list((home / "backups").glob("*"))


def test_vacuum_does_not_disturb_a_run(home: Path) -> None:
    change(home, "UPDATE lumio_runs SET status = 'running', run_id = 'r1'")
    lock = run_lock(home / "locks", "r1")
    assert lock.try_acquire()
    try:
        error = answer(home, "vacuum", code=6)["error"]
        assert error["code"] == "target_busy"
        assert "run r1" in error["message"]
    finally:
        lock.release()
    answer(home, "vacuum")  # a run that was killed holds nothing


def test_vacuum_while_another_program_writes(home: Path) -> None:
    with closing(sqlite3.connect(home / "lumio.db", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        error = answer(home, "vacuum", code=1, LUMIO_HUB__BUSY_TIMEOUT="0.05")["error"]
    assert error["code"] == "hub_locked"


# -- backup


def test_a_backup_is_a_whole_hub(home: Path, tmp_path: Path) -> None:
    target = tmp_path / "copies" / "hub.db"
    done = answer(home, "backup", str(target))
    assert done == {
        "path": str(target),
        "source": str(home / "lumio.db"),
        "bytes": target.stat().st_size,
    }
    assert target.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(target)) as db:
        assert db.execute("SELECT count(*) FROM hubspot_contacts").fetchone() == (20,)
    assert [p.name for p in target.parent.iterdir()] == ["hub.db"]
    before = target.read_bytes()
    again = answer(home, "backup", str(target), code=2)
    assert "there is a file already" in again["error"]["message"]
    assert target.read_bytes() == before


def test_a_backup_goes_to_the_backups_or_into_a_directory(home: Path, tmp_path: Path) -> None:
    line = lumio("hub", "backup", home=home).out.strip()
    assert Path(line).parent == home / "backups"
    into = answer(home, "backup", str(tmp_path))["path"]
    assert Path(into).parent == tmp_path


def test_a_backup_while_another_program_writes(home: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(home / "lumio.db", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("DELETE FROM lumio_raw_hubspot_contacts")
        path = answer(home, "backup", str(tmp_path / "x.db"))["path"]
        db.execute("ROLLBACK")
    with closing(sqlite3.connect(path)) as copy:
        assert copy.execute("SELECT count(*) FROM hubspot_contacts").fetchone() == (20,)


def test_a_backup_that_cannot_be_written(home: Path) -> None:
    error = answer(home, "backup", str(home / "lumio.db" / "x.db"), code=1)["error"]
    assert error["code"] == "backup_failed"


# -- info


def test_info(home: Path) -> None:
    about = answer(home, "info")
    assert about["schema_version"] >= 1
    assert about["bytes"] > 0
    assert about["records"] == 30
    objects = {o["name"]: o for o in about["objects"]}
    assert (objects["hubspot_contacts"]["kind"], objects["hubspot_contacts"]["rows"]) == (
        "view",
        20,
    )
    assert objects["lumio_raw_hubspot_owners"]["rows"] == 10
    assert "CREATE VIEW" in about["schema"]
    shown = lumio("hub", "info", home=home, env={"COLUMNS": "80"}, terminal=True).out
    assert "hubspot_contacts" in shown
    assert "CREATE" not in shown
    assert max(map(len, shown.splitlines())) <= 80 + len(str(home)) + 40

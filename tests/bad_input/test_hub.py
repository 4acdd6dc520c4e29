"""Hubs that cannot be used: a clear word, and not a byte of what is there is lost."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from lumio_cli.core.errors import HubError
from lumio_cli.hub.sqlite import database as hub_db
from lumio_cli.hub.sqlite.database import Hub
from lumio_cli.sync.hub_sink import HubSink
from lumio_cli.sync.model import ResourceResult
from support.lab import Lab, Outcome
from support.trials import MakeLab, both, contents, hold_open, told

pytestmark = pytest.mark.attack("hub")

COMMANDS = (("sync", "hubspot/contacts"), ("preview", "hubspot/contacts"), ("status",))


@pytest.fixture
def synced(make_lab: MakeLab) -> Lab:
    """A lab with a hub of 300 contacts, in one file without a WAL."""
    lab = make_lab(records=300)
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    lab.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return lab


@pytest.mark.parametrize("argv", COMMANDS)
def test_a_hub_from_the_future_is_7_and_not_a_byte_of_it_changes(
    synced: Lab, argv: tuple[str, ...]
) -> None:
    synced.sql("PRAGMA user_version = 4711")
    synced.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    before = synced.hub_path.read_bytes()
    code, error = both(synced, *argv)
    assert (code, error["exit_code"], error["code"]) == (7, 7, "hub_too_new")
    assert str(synced.hub_path) in error["message"]
    assert "4711" in error["message"]
    assert "upgrade lumio" in error["hint"]
    assert synced.hub_path.read_bytes() == before


@pytest.mark.parametrize("argv", COMMANDS)
def test_a_file_that_is_no_database_is_named_and_left_alone(
    lab: Lab, argv: tuple[str, ...]
) -> None:
    lab.hub_path.write_bytes(b"Dear diary, this is not a database. " * 400)
    before = lab.hub_path.read_bytes()
    code, error = both(lab, *argv)
    assert (code, error["code"]) == (1, "hub_corrupt")
    assert str(lab.hub_path) in error["message"]
    assert "move the file away" in error["hint"]
    assert lab.hub_path.read_bytes() == before


@pytest.mark.parametrize(
    ("where", "argv"),
    [
        *(("schema", argv) for argv in COMMANDS),
        ("records", ("sync", "hubspot/contacts", "--mode", "full")),
        ("records", ("preview", "hubspot/contacts", "--mode", "full")),
    ],
)
def test_a_hub_with_overwritten_pages_is_named_as_damaged(
    synced: Lab, where: str, argv: tuple[str, ...]
) -> None:
    size = synced.hub_path.stat().st_size
    first = 4096 if where == "schema" else size // 3 // 4096 * 4096
    with synced.hub_path.open("r+b") as file:
        file.seek(first)
        file.write(b"\xa5" * (size - first - 4096))
    code, error = both(synced, *argv)
    assert code == 1 or (code == 3 and where == "records"), "a page may have been read before it"
    assert error["code"] == "hub_corrupt"
    assert str(synced.hub_path) in error["message"]
    assert "damaged" in error["message"]


@pytest.mark.parametrize("argv", COMMANDS)
def test_a_database_of_somebody_else_is_left_alone(lab: Lab, argv: tuple[str, ...]) -> None:
    with sqlite3.connect(lab.hub_path) as theirs:
        theirs.execute("CREATE TABLE invoices (total)")
    theirs.close()
    before = lab.hub_path.read_bytes()
    code, error = both(lab, *argv)
    assert (code, error["code"]) == (1, "hub_unusable")
    assert "not a lumio hub" in error["message"]
    assert lab.hub_path.read_bytes() == before


# -- locked


def test_a_hub_that_another_program_has_locked_is_waited_for_and_then_named(synced: Lab) -> None:
    before = contents(synced)
    other = hold_open(synced.hub_path)
    try:
        code, error = both(
            synced, "sync", "hubspot/contacts", environ={"LUMIO_HUB__BUSY_TIMEOUT": "0.05"}
        )
        assert (code, error["code"]) == (1, "hub_locked")
        assert "locked by another program" in error["message"]
        for argv in COMMANDS[1:]:
            assert synced.lumio(*argv).code == 0, "readers do not mind a writer"
    finally:
        other.close()
    assert contents(synced) == before
    assert synced.lumio("sync", "hubspot/contacts").code == 0


def test_a_hub_that_is_locked_for_a_moment_is_waited_for(synced: Lab) -> None:
    other = hold_open(synced.hub_path)
    run = synced.spawn("sync", "hubspot/contacts", "-o", "json")
    with pytest.raises(subprocess.TimeoutExpired):
        run.wait(0.6)
    other.close()
    out, err = run.communicate(timeout=30)
    assert (run.returncode, err) == (0, "")
    assert json.loads(out)["status"] == "succeeded"


# -- read-only


@pytest.mark.parametrize("argv", [COMMANDS[0]])
def test_a_read_only_hub_is_named(
    synced: Lab, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...]
) -> None:
    synced.hub_path.chmod(0o400)
    if os.access(synced.hub_path, os.W_OK):
        # For root every file is writable; SQLite is told what it would find elsewhere.
        connect = hub_db._connect
        monkeypatch.setattr(
            hub_db,
            "_connect",
            lambda uri, timeout: connect(uri.replace("mode=rwc", "mode=ro"), timeout),
        )
    before = synced.hub_path.read_bytes()
    code, error = both(synced, *argv)
    assert (code, error["code"]) == (1, "hub_read_only")
    assert str(synced.hub_path) in error["message"]
    assert error["hint"]
    assert synced.hub_path.read_bytes() == before
    for reader in COMMANDS[1:]:
        assert synced.lumio(*reader).code == 0, "reading is allowed"


# -- full


def test_a_full_disk_is_named_and_what_was_committed_is_intact(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab(records=2000)
    connect = hub_db._connect

    def small(uri: str, timeout: float) -> sqlite3.Connection:
        connection = connect(uri, timeout)
        connection.execute("PRAGMA max_page_count = 250")
        return connection

    monkeypatch.setattr(hub_db, "_connect", small)
    outcome = lab.lumio("sync", "hubspot/contacts")
    _the_disk_was_full(lab, outcome)
    people = lab.lumio("sync", "hubspot/contacts", "-o", "table")
    assert people.err.count("error: ") == 1
    assert "Traceback" not in people.err
    before = contents(lab)
    assert 0 < len(before) < 2000
    assert len(before) == lab.sql("SELECT rows FROM lumio_checkpoints")[0][0]
    monkeypatch.undo()
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    assert lab.differences("contacts") == []


def _the_disk_was_full(lab: Lab, outcome: Outcome) -> None:
    error = told(outcome)
    assert outcome.code in (1, 3)
    assert str(lab.hub_path) in error["message"]
    assert error["code"] in ("disk_full", "hub_unusable")
    assert error["hint"]


def test_a_process_that_may_write_no_more_ends_with_a_clear_word(make_lab: MakeLab) -> None:
    """The real thing: the kernel refuses to let any file grow beyond a megabyte."""
    lab = make_lab(records=2000)
    limit = 1_000_000
    run = subprocess.run(
        [sys.executable, "-m", "lumio_cli", "sync", "hubspot/contacts", "-o", "json"],
        env=lab.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        check=False,
    )
    _the_disk_was_full(lab, Outcome(run.returncode, run.stdout, run.stderr))
    assert contents(lab) is not None
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    assert lab.differences("contacts") == []


def test_a_home_that_cannot_be_made_is_named(lab: Lab) -> None:
    blocked = lab.home / "a-file"
    blocked.write_text("")
    code, error = both(lab, "sync", "hubspot", environ={"LUMIO_HOME": str(blocked)})
    assert code in (1, 7)
    assert str(blocked) in error["message"]
    assert os.strerror(errno.ENOTDIR) in error["message"]


def test_a_runtime_store_full_of_rubbish_is_made_anew(synced: Lab) -> None:
    before = contents(synced)
    for path in synced.home.glob("runtime.db*"):
        path.unlink()
    Path(synced.home / "runtime.db").write_bytes(b"rubbish" * 1000)
    assert synced.lumio("sync", "hubspot/contacts").code == 0
    assert contents(synced) == before


@pytest.mark.parametrize("what", ["deleted", "replaced"])
def test_a_hub_that_goes_while_a_run_is_at_work_is_told_and_not_called_a_success(
    synced: Lab, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    backup = synced.lumio("hub", "backup").document["path"]
    finish = HubSink.finish_resource

    def go(store: HubSink, db: sqlite3.Connection, result: ResourceResult) -> None:
        if what == "deleted":
            synced.hub_path.unlink(missing_ok=True)
        else:
            shutil.copy(backup, synced.hub_path.with_name("new"))
            synced.hub_path.with_name("new").replace(synced.hub_path)
        finish(store, db, result)

    monkeypatch.setattr(HubSink, "finish_resource", go)
    done = synced.lumio("sync", "hubspot/contacts")
    assert done.code == 1
    assert told(done)["code"] == "hub_moved"
    assert str(synced.hub_path) in told(done)["message"]


@pytest.mark.parametrize(
    "damage",
    [
        """UPDATE lumio_resources SET columns = '[{"name" "id"}]'""",
        "UPDATE lumio_resources SET resource = 'comp' || char(65533) || 'nies'",
        "UPDATE lumio_resources SET resource = 'c>ntacts'",
        "UPDATE lumio_accounts SET details = '{'",
    ],
)
@pytest.mark.parametrize("argv", [("status",), ("hub", "check"), ("hub", "check", "--repair")])
def test_notes_that_make_no_sense_are_damage_and_no_bug(
    synced: Lab, damage: str, argv: tuple[str, ...]
) -> None:
    synced.sql(damage)
    done = synced.lumio(*argv)
    assert "Traceback" not in done.out + done.err
    if done.code:
        error = told(done)
        assert (done.code, error["code"]) in ((1, "hub_corrupt"), (1, "hub_astray"))
        assert re.search("lumio hub (restore|check --repair)", error["hint"])


def test_a_stop_ends_the_wait_for_another_writer(
    synced: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_db, "SLICE", 0.01)
    monkeypatch.setattr(hub_db, "HURRY", 0.01)
    other = hold_open(synced.hub_path)
    tries = 0

    def stopped() -> bool:
        nonlocal tries
        tries += 1
        return tries > 2

    try:
        with Hub.open(synced.hub_path, busy_timeout=3600.0, in_a_hurry=stopped) as hub:
            with pytest.raises(HubError, match="locked"), hub.transaction():
                pass
    finally:
        other.close()
    assert tries > 2

"""`lumio hub restore`: a backup in the hub's place, and nothing lost or sent twice by it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.hub.sqlite.database import Hub
from lumio_cli.hub.sqlite.database_file import log_of
from lumio_cli.sandbox import Sandbox
from lumio_cli.sync.run_locks import run_lock
from support.lab import Lab
from support.trials import LIFTED

pytestmark = pytest.mark.attack("hub")


@pytest.fixture
def lab(tmp_path: Path) -> Any:
    with Sandbox(records=5, quota="none") as sandbox:
        lab = Lab(tmp_path / "home", sandbox, extra=dict(LIFTED))
        assert lab.lumio("sync", "hubspot/contacts").code == 0
        yield lab


def backup(lab: Lab) -> Path:
    return Path(lab.lumio("hub", "backup", "-o", "json").document["path"])


def test_a_backup_takes_the_hubs_place_and_the_hub_is_kept(lab: Lab) -> None:
    copy = backup(lab)
    lab.sql("UPDATE lumio_counter SET seq = 4711")
    done = lab.lumio("hub", "restore", str(copy))
    assert done.code == 0
    assert lab.sql("SELECT count(*) FROM hubspot_contacts WHERE 1") == [(5,)]
    assert lab.sql("SELECT seq FROM lumio_counter") != [(4711,)]
    kept = Path(done.document["kept"])
    with closing(sqlite3.connect(kept)) as db:
        assert db.execute("SELECT seq FROM lumio_counter").fetchone() == (4711,)
    assert done.document["source"] == str(copy)
    assert done.document["path"] == str(lab.hub_path)
    assert sorted(p.name for p in lab.home.glob("*.part*")) == []
    assert lab.lumio("sync", "hubspot/contacts").code == 0


def test_a_damaged_hub_is_kept_as_it_is(lab: Lab) -> None:
    copy = backup(lab)
    lab.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    lab.hub_path.write_bytes(b"\xa5" * 20_000)
    done = lab.lumio("hub", "restore", str(copy))
    assert done.code == 0
    assert Path(done.document["kept"]).read_bytes() == b"\xa5" * 20_000
    assert not done.document["sends_kept"]
    assert lab.lumio("hub", "check").code == 0


def test_a_restore_where_there_is_no_hub_or_only_its_log(lab: Lab) -> None:
    copy = backup(lab)
    lab.hub_path.unlink()
    log_of(lab.hub_path).write_bytes(b"left by somebody")
    done = lab.lumio("hub", "restore", str(copy))
    assert (done.code, done.document["kept"]) == (0, None)
    assert lab.lumio("hub", "check").code == 0


def test_new_records_of_a_backup_that_were_created_since_are_not_created_again(lab: Lab) -> None:
    made = lab.lumio("records", "create", "hubspot/contacts", "email=ada@example.org")
    assert made.code == 0
    copy = backup(lab)
    assert lab.lumio("sync", "hubspot/contacts", "--direction", "both").code == 0
    done = lab.lumio("hub", "restore", str(copy))
    assert done.document["in_doubt"] == 1
    assert lab.lumio("sync", "hubspot/contacts", "--direction", "both").code == 0
    created = [p for _, m, p, _ in lab.sandbox.requests if m == "POST" and "batch/create" in p]
    assert len(created) == 1
    assert lab.sql("SELECT count(*) FROM hubspot_contacts WHERE email = 'ada@example.org'") == [
        (1,)
    ]


def test_what_was_sent_since_the_backup_stays_sent(lab: Lab) -> None:
    copy = backup(lab)
    lab.sql(
        "INSERT INTO lumio_sends (send_id, provider, name, account, digest, status, total, runs,"
        " boot, created_at, updated_at) VALUES ('s', 'slack', 'news', 'a', x'00', 'succeeded', 1,"
        " 1, 'b', '2026-01-01', '2026-01-01')"
    )
    done = lab.lumio("hub", "restore", str(copy))
    assert done.document["sends_kept"]
    assert lab.sql("SELECT name FROM lumio_sends") == [("news",)]


def test_the_ledger_of_another_hub_is_not_taken_over(lab: Lab, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    Hub.open(other).close()
    done = lab.lumio("hub", "restore", str(other))
    assert (done.code, done.document["sends_kept"]) == (0, False)


@pytest.mark.parametrize("what", ["gone", "itself", "text", "theirs", "damaged", "newer"])
def test_what_is_no_whole_hub_is_refused_and_the_hub_is_as_it_was(
    lab: Lab, tmp_path: Path, what: str
) -> None:
    file = tmp_path / "x.db"
    if what in ("damaged", "newer"):
        backup(lab).rename(file)
    if what == "text":
        file.write_text("Dear diary, " * 1000)
    elif what == "theirs":
        with closing(sqlite3.connect(file)) as db:
            db.execute("CREATE TABLE invoices (total)")
    elif what == "damaged":
        with file.open("r+b") as content:
            content.seek(8192)
            content.write(b"\xa5" * 4096 * 4)
    elif what == "newer":
        with closing(sqlite3.connect(file)) as db:
            db.execute("PRAGMA user_version = 4711")
    lab.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    before = lab.hub_path.read_bytes()
    done = lab.lumio("hub", "restore", str(lab.hub_path if what == "itself" else file))
    expected = {"gone": 2, "itself": 2, "newer": 7}.get(what, 1)
    assert done.code == expected, done.out
    error = done.document["error"]
    assert error["hint"]
    assert "\n" not in error["message"]
    assert lab.hub_path.read_bytes() == before
    assert not list(lab.home.glob("*.part*"))


def test_a_hub_at_work_is_not_replaced(lab: Lab) -> None:
    copy = backup(lab)
    with run_lock(lab.home / "locks", "20260101T000000Z-000000"):
        done = lab.lumio("hub", "restore", str(copy))
    assert done.code == 6
    assert "is at work" in done.document["error"]["message"]


def test_backups_of_the_same_second_have_names_of_their_own(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lumio_cli.core.clock.SystemClock.time", lambda _: 1_795_000_000.5)
    names = [backup(lab).name for _ in range(3)]
    assert names[1:] == [names[0].replace(".db", f"-{n}.db") for n in (2, 3)]

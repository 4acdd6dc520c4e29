"""What the diagnosis finds on the machine and in the profile."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.core.clock import SystemClock, format_timestamp
from lumio_cli.core.locks import FileLock
from lumio_cli.hub.sqlite.database import Hub
from lumio_cli.hub.sqlite.runs import RunRow, finish_run, start_run
from lumio_cli.services.diagnostics import machine_checks, profile_checks
from lumio_cli.services.diagnostics.context import Scene
from lumio_cli.services.diagnostics.run import diagnose
from services.test_diagnose import TOKEN, found, make_hub, runtime_at


def test_a_home_without_anything_is_a_few_warnings_and_no_error(tmp_path: Path) -> None:
    with runtime_at(tmp_path) as runtime:
        report = diagnose(runtime)
    document = report.as_json()
    statuses = {check["name"]: check["status"] for check in document["checks"]}
    assert statuses["connections"] == statuses["runs"] == "warn"
    assert "fail" not in statuses.values()
    assert document["providers"] == []
    assert report.has_findings
    for check in document["checks"]:
        assert check["hint"] or check["status"] in ("pass", "skip"), check


def test_a_broken_configuration_does_not_stop_the_rest(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("sync: {max_delet: 3}\n")
    with runtime_at(tmp_path, LUMIO_HUBSPOT_TOKEN=TOKEN) as runtime:
        document = diagnose(runtime, ["hubspot"]).as_json()
    by_name = {check["name"]: check for check in document["checks"]}
    assert by_name["configuration"]["status"] == "fail"
    assert "max_delet" in by_name["configuration"]["detail"]
    assert by_name["versions"]["status"] == by_name["disk"]["status"] == "pass"
    (settings,) = document["providers"][0]["checks"]
    assert (settings["name"], settings["status"]) == ("settings", "fail")


def test_several_problems_and_oddities_of_the_configuration_are_counted(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("sync: {max_delet: 3}\nhubb: {}\n")
    check = found(tmp_path, "configuration")
    assert "(and 1 more)" in check["detail"]
    assert check["hint"] == "`lumio config validate` names every problem"
    (tmp_path / "config.yaml").unlink()
    check = found(tmp_path, "configuration", LUMIO_PROFIL="x", LUMIO_HOMME="y")
    assert (check["status"], check["facts"]["exists"]) == ("warn", False)
    assert "LUMIO_HOMME" in check["detail"]


def test_a_configuration_file_that_is_fine_passes(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("sync: {max_delete: 3}\n")
    assert found(tmp_path, "configuration")["status"] == "pass"


def test_a_damaged_hub_is_found(tmp_path: Path) -> None:
    path = make_hub(tmp_path)
    path.write_bytes(b"not a database at all" * 500)
    path.chmod(0o600)
    with runtime_at(tmp_path, LUMIO_HUBSPOT_TOKEN=TOKEN) as runtime:
        document = diagnose(runtime, offline=True).as_json()
    by_name = {check["name"]: check for check in document["checks"]}
    assert by_name["hub"]["status"] == by_name["hub_integrity"]["status"] == "fail"
    assert by_name["clock"]["status"] == "pass"
    assert document["providers"][0]["provider"] == "hubspot"


def test_damage_inside_a_hub_is_found(tmp_path: Path) -> None:
    path = make_hub(tmp_path)
    with Hub.open(path) as hub:
        hub.connection.execute("CREATE TABLE t (a TEXT) STRICT")
        hub.connection.execute("CREATE INDEX i ON t (a)")
        hub.connection.executemany("INSERT INTO t VALUES (?)", [[f"{n:0400}"] for n in range(900)])
        hub.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(path.read_bytes())
    data[60 * 4096 : 61 * 4096] = bytes(4096)
    path.write_bytes(data)
    check = found(tmp_path, "hub_integrity")
    assert check["status"] == "fail"
    assert "restore" in check["hint"]


@pytest.mark.parametrize(
    ("pragma", "status", "word"),
    [
        ("user_version = 99", "fail", "newer lumio"),
        ("user_version = 0", "warn", "schema 0 of"),
        ("application_id = 7", "fail", "no hub of lumio"),
        ("journal_mode = DELETE", "warn", "WAL"),
    ],
)
def test_what_a_hub_can_be(tmp_path: Path, pragma: str, status: str, word: str) -> None:
    path = make_hub(tmp_path)
    with Hub.open(path) as hub:
        hub.connection.execute(f"PRAGMA {pragma}")
    check = found(tmp_path, "hub")
    assert (check["status"], word in check["detail"]) == (status, True)


@pytest.mark.parametrize(
    ("file", "directory", "status"),
    [(0o600, 0o700, "pass"), (0o644, 0o700, "warn"), (0o640, 0o755, "fail")],
)
def test_a_hub_that_others_can_read_is_found(
    tmp_path: Path, file: int, directory: int, status: str
) -> None:
    home = tmp_path / "home"
    path = make_hub(home)
    path.chmod(file)
    home.chmod(directory)
    check = found(home, "hub_files")
    assert check["status"] == status
    assert (check["hint"] is None) == (status == "pass")


def test_a_wal_that_never_shrinks_is_found(tmp_path: Path) -> None:
    path = make_hub(tmp_path)
    with Path(f"{path}-wal").open("wb") as file:
        file.truncate(profile_checks.LARGE_WAL + 1)
    with runtime_at(tmp_path) as runtime:
        finding = profile_checks.files(Scene(runtime))
    assert finding.status == "warn"
    assert "close it" in (finding.hint or "")


def test_who_holds_which_target_is_told(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "locks" / "hubspot.contacts.lock", what="run-1")
    assert lock.try_acquire()
    check = found(tmp_path, "locks")
    lock.release()
    assert check["status"] == "pass"
    assert check["facts"]["held"][0]["target"] == "hubspot/contacts"
    assert check["facts"]["held"][0]["run_id"] == "run-1"


@pytest.mark.parametrize(
    ("status", "ago", "expected", "word"),
    [
        ("succeeded", 60, "pass", "last success"),
        ("failed", 60, "warn", "was failed"),
        ("partial", 60, "warn", "was partial"),
        ("interrupted", 60, "warn", "was interrupted"),
        ("running", 60, "warn", "was killed"),
    ],
)
def test_how_the_last_run_ended_is_told(
    tmp_path: Path, status: str, ago: float, expected: str, word: str
) -> None:
    add_run(tmp_path, status, ago)
    check = found(tmp_path, "runs")
    assert (check["status"], word in check["detail"]) == (expected, True)


def test_a_run_that_says_nothing_for_long_is_suspect(tmp_path: Path) -> None:
    add_run(tmp_path, "running", 3600)
    lock = FileLock(tmp_path / "locks" / "run-run-1.lock", what="run-1")
    assert lock.try_acquire()
    check = found(tmp_path, "runs")
    lock.release()
    assert check["status"] == "warn"
    assert "said nothing for 1 h" in check["detail"]


def test_a_clock_that_went_back_is_found(tmp_path: Path) -> None:
    add_run(tmp_path, "succeeded", -7200)
    check = found(tmp_path, "clock")
    assert check["status"] == "warn"
    assert "set back" in check["detail"]


def add_run(home: Path, status: str, ago: float) -> None:
    at = format_timestamp(round(time.time() - ago))
    with Hub.open(home / "lumio.db") as hub, hub.transaction() as db:
        start_run(db, RunRow("run-1", "running", at, at, 1, "h", "full", "pull", ["x"], "0"))
        if status != "running":
            finish_run(db, "run-1", status=status, now=at, exit_code=0)


def test_a_vault_key_of_more_than_90_days_is_a_finding(tmp_path: Path) -> None:
    key: dict[str, Any] = {"LUMIO_VAULT_KEY": "00" * 32}
    with runtime_at(tmp_path, **key) as runtime:
        vault = runtime.credentials.vault
        vault.create(vault.keys.find(vault.path))
    assert found(tmp_path, "credential_store", **key)["status"] == "pass"
    document = json.loads((tmp_path / "vault.json").read_text())
    document["key"]["created_at"] = "2020-01-01T00:00:00Z"
    (tmp_path / "vault.json").write_text(json.dumps(document))
    check = found(tmp_path, "credential_store", **key)
    assert (check["status"], check["hint"]) == ("warn", "lumio vault rekey")
    wrong = found(tmp_path, "credential_store", LUMIO_VAULT_KEY="11" * 32)
    assert (wrong["status"], wrong["facts"]["code"]) == ("fail", "vault_wrong_key")
    assert "asked for" in found(tmp_path, "credential_store")["detail"]


def test_proxies_are_told_without_their_passwords(tmp_path: Path) -> None:
    environ = {
        "HTTPS_PROXY": "http://ann:canary-password@proxy.test:3128/x?y=z",
        "NO_PROXY": "localhost,.test",
        "LUMIO_HTTP__PROXY": "http://bob:canary-password@other.test:1",
    }
    with runtime_at(tmp_path, **environ) as runtime:
        text = str(diagnose(runtime, offline=True).as_json())
    assert "http://proxy.test:3128" in text
    assert "http://other.test:1" in text
    assert "canary-password" not in text
    assert "ann" not in machine_checks.bare_url(environ["HTTPS_PROXY"])
    assert machine_checks.bare_url("http://[::1") == "(not a URL)"


def test_certificates_that_do_not_exist_are_found(tmp_path: Path) -> None:
    check = found(tmp_path, "proxy", SSL_CERT_FILE=str(tmp_path / "none.pem"))
    assert check["status"] == "fail"
    assert "SSL_CERT_FILE" in check["hint"]


def test_a_full_disk_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, status in ((10 << 20, "fail"), (100 << 20, "warn"), (10 << 30, "pass")):
        usage = (20 << 30, 0, free)
        monkeypatch.setattr("shutil.disk_usage", lambda _p, u=usage: Usage(*u))
        check = found(tmp_path, "disk")
        assert check["status"] == status
        assert bool(check["hint"]) == (status != "pass")


class Usage:
    def __init__(self, total: int, used: int, free: int) -> None:
        self.total, self.used, self.free = total, used, free


def test_missing_packages_and_an_old_sqlite_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert machine_checks.versions().status == "pass"
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 30, 0))
    assert "too old" in machine_checks.versions().detail
    monkeypatch.setattr(machine_checks, "packages", lambda: {"httpx": "missing"})
    assert "not installed: httpx" in machine_checks.versions().detail


def test_a_clock_that_was_never_set_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SystemClock, "time", lambda self: 1000.0)
    assert found(tmp_path, "clock")["status"] == "fail"

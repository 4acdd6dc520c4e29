"""The hub's file: moved, replaced or deleted under a run, and with the log of another file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from lumio_cli.core.errors import HubError
from lumio_cli.hub.sqlite import database as hub_db
from lumio_cli.hub.sqlite.database import Hub
from lumio_cli.hub.sqlite.database_file import log_of, shared_of
from lumio_cli.hub.sqlite.migrations import back_up

pytestmark = pytest.mark.attack("hub")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A hub that counts to three."""
    path = tmp_path / "lumio.db"
    with Hub.open(path) as hub, hub.transaction() as db:
        db.execute("UPDATE lumio_counter SET seq = 3")
    return path


def seq(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("SELECT seq FROM lumio_counter").fetchone()[0])


def killed(path: Path) -> None:
    """Leave the hub as a killed lumio does: what it wrote last is in the log alone."""
    with Hub.open(path) as hub:
        with hub.transaction() as db:
            db.execute("UPDATE lumio_counter SET seq = 9")
        left = {file: file.read_bytes() for file in (path, log_of(path))}
    for file, content in left.items():
        file.write_bytes(content)


@pytest.mark.parametrize("what", ["deleted", "moved", "replaced"])
def test_nothing_is_written_into_a_file_that_is_no_longer_the_hub(path: Path, what: str) -> None:
    with Hub.open(path) as hub:
        if what == "replaced":
            back_up(hub.connection, path.with_name("copy.db")).replace(path)
        elif what == "moved":
            path.rename(path.with_name("other.db"))
        else:
            path.unlink()
        with pytest.raises(HubError, match="while lumio was at work") as error, hub.transaction():
            pass
        assert error.value.code == "hub_moved"
        assert not hub.in_place


def test_a_killed_run_leaves_a_log_that_is_read(path: Path) -> None:
    killed(path)
    with Hub.open(path) as hub:
        assert hub.connection.execute("SELECT seq FROM lumio_counter").fetchone()[0] == 9


@pytest.mark.parametrize("empty", [False, True])
def test_the_log_of_a_hub_that_is_gone_is_not_thrown_away(path: Path, empty: bool) -> None:
    killed(path)
    log = log_of(path).read_bytes()
    if empty:
        path.write_bytes(b"")
    else:
        path.unlink()
    for open_it in (Hub.open, Hub.open_reader):
        with pytest.raises(HubError, match=r"is gone, but its log lumio\.db-wal") as error:
            open_it(path)
        assert error.value.code == "hub_log_left"
    assert log_of(path).read_bytes() == log


@pytest.mark.parametrize("how", ["replaced", "overwritten"])
def test_a_backup_beside_the_log_of_the_hub_is_not_mixed_with_it(path: Path, how: str) -> None:
    with Hub.open(path) as hub:
        copy = back_up(hub.connection, path.with_name("copy.db"))
    killed(path)
    if how == "replaced":
        copy.replace(path)
    else:
        path.write_bytes(copy.read_bytes())
    before = path.read_bytes()
    for open_it in (Hub.open, Hub.open_reader):
        with pytest.raises(HubError, match="SQLite would mix the two") as error:
            open_it(path)
        assert str(log_of(path).name) in (error.value.hint or "")
    assert path.read_bytes() == before
    log_of(path).unlink()
    shared_of(path).unlink(missing_ok=True)
    Hub.open(path).close()
    killed(path)
    Hub.open(path).close()
    assert seq(path) == 9, "it is the hub now, and has a log of its own"


def test_a_hub_that_was_copied_with_its_log_is_the_hub(path: Path) -> None:
    killed(path)
    other = path.with_name("other.db")
    other.write_bytes(path.read_bytes())
    log_of(other).write_bytes(log_of(path).read_bytes())
    with Hub.open(other) as hub:
        assert hub.connection.execute("SELECT seq FROM lumio_counter").fetchone()[0] == 9


def test_a_hub_is_read_where_no_index_of_a_log_can_be_made(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = hub_db._connect

    def refusing(uri: str, timeout: float) -> sqlite3.Connection:
        if "immutable" not in uri:
            # What SQLite says of a directory that may only be read, with no user to try it as.
            uri = uri.replace(path.name, f"{path.name}-none")
        return connect(uri, timeout)

    monkeypatch.setattr(hub_db, "_connect", refusing)
    hub = Hub.open_reader(path)
    assert hub is not None
    with hub:
        assert hub.connection.execute("SELECT seq FROM lumio_counter").fetchone()[0] == 3

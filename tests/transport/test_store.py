"""The runtime database: shared, private, and made anew rather than in the way."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from lumio_cli.core.errors import HubError
from lumio_cli.transport.runtime_db import store as module
from lumio_cli.transport.runtime_db.store import Flag, RuntimeStore
from support.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> RuntimeStore:
    return RuntimeStore(tmp_path / "data" / "runtime.db", clock=clock)


def test_opened_on_first_use_and_private(store: RuntimeStore) -> None:
    assert not store.path.exists()
    store.add_counts("s", {"a": 1})
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700
    files = sorted(store.path.parent.iterdir())
    assert [f.name for f in files] == [
        "runtime.db",
        "runtime.db-shm",
        "runtime.db-wal",
        "runtime.lock",
    ]
    assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}


def test_an_exception_rolls_back(store: RuntimeStore) -> None:
    with pytest.raises(KeyError), store.transaction() as connection:
        connection.execute("INSERT INTO counters VALUES ('s', 'a', 1)")
        raise KeyError
    assert store.read_counts("s") == {}
    store.add_counts("s", {"a": 1})


def test_threads_do_not_disturb_each_other(store: RuntimeStore) -> None:
    def work() -> None:
        for _ in range(50):
            with store.transaction() as connection:
                n = connection.execute("SELECT coalesce(max(n), 0) FROM counters").fetchone()[0]
                connection.execute("REPLACE INTO counters VALUES ('s', 'a', ?)", (n + 1,))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.read_counts("s") == {"a": 200}


def test_works_in_a_forked_child(store: RuntimeStore) -> None:
    store.add_counts("s", {"n": 1})
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        store.add_counts("s", {"n": 1})
        os.write(writing, str(store.read_counts("s")["n"]).encode())
        os._exit(0)
    os.close(writing)
    assert os.read(reading, 10) == b"2"
    os.close(reading)
    assert os.waitpid(child, 0)[1] == 0
    store.add_counts("s", {"n": 1})
    assert store.read_counts("s") == {"n": 3}


# --- disposable


def rubbish(path: Path) -> None:
    path.write_bytes(b"rubbish" * 1_000)


def truncated(path: Path) -> None:
    os.truncate(path, 4_200)


def other_version(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


def foreign(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE other (a)")
    connection.close()


@pytest.mark.parametrize("spoil", [rubbish, truncated, other_version, foreign])
def test_a_spoilt_file_is_made_anew_with_a_warning(
    store: RuntimeStore, caplog: pytest.LogCaptureFixture, spoil: object
) -> None:
    store.set_flag("f", 1)
    store.close()
    assert callable(spoil)
    spoil(store.path)
    with caplog.at_level(logging.WARNING):
        assert store.get_flag("f") is None
    assert len(caplog.records) == 1
    assert str(store.path) in caplog.text
    store.set_flag("f", 2)
    assert store.get_flag("f") == 2


def test_spoilt_while_open(store: RuntimeStore, caplog: pytest.LogCaptureFixture) -> None:
    other = RuntimeStore(store.path)
    other.set_flag("f", 1)
    store.run(lambda connection: connection.execute("DROP TABLE flags"))
    store.set_flag("g", 2)
    assert store.get_flag("g") == other.get_flag("g") == 2
    assert other.get_flag("f") is None
    assert len(caplog.records) == 1


def test_a_reader_heals_too(store: RuntimeStore) -> None:
    store.run(lambda connection: connection.execute("DROP TABLE counters"))
    assert store.read_counts("s") == {}


def test_deleted_while_open(store: RuntimeStore) -> None:
    other = RuntimeStore(store.path)
    store.set_flag("f", 1)
    assert other.get_flag("f") == 1
    store.path.unlink()
    store.set_flag("f", 2)
    assert other.get_flag("f") == 2
    other.set_flag("f", 3)
    assert store.get_flag("f") == 3


def test_what_cannot_be_healed_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "runtime.db"
    path.mkdir()
    with pytest.raises((HubError, OSError)):
        RuntimeStore(path).get_flag("f")


def test_a_wrong_statement_is_not_taken_for_a_broken_file(store: RuntimeStore) -> None:
    store.set_flag("f", 1)
    with pytest.raises(HubError, match="syntax"):
        store.query("SELEKT")
    assert store.get_flag("f") == 1


def test_somebody_else_s_long_transaction(
    store: RuntimeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_LIMIT", 0.05)
    monkeypatch.setattr(module, "QUEUE_LIMIT", 0.05)
    other = RuntimeStore(store.path)
    other.set_flag("f", 1)
    with store.transaction():
        with pytest.raises(HubError) as caught:
            other.set_flag("f", 2)
        assert other.get_flag("f") == 1
    assert caught.value.code == "hub_locked"
    other.set_flag("f", 2)


# --- the request log


def test_log_rows_in_order(store: RuntimeStore, clock: FakeClock) -> None:
    for n in range(5):
        store.append_log("hubspot" if n % 2 else "slack", {"n": n, "text": "naïve"})
        clock.advance(1)
    assert [row.data["n"] for row in store.read_log()] == [0, 1, 2, 3, 4]
    last = store.read_log(limit=2)
    assert [row.data["n"] for row in last] == [3, 4]
    assert last[1].at - last[0].at == 1
    assert [row.data["n"] for row in store.read_log("slack", after_id=1)] == [2, 4]
    assert [row.data["n"] for row in store.read_log("slack", after_id=1, limit=1)] == [2]
    store.clear_log("slack")
    assert [row.data["n"] for row in store.read_log()] == [1, 3]
    store.clear_log()
    assert store.read_log() == []
    assert store.append_log("slack", {}) == 6


def test_log_is_bounded(store: RuntimeStore) -> None:
    for n in range(20):
        store.append_log("slack", {"n": n}, max_rows=5)
    assert [row.data["n"] for row in store.read_log()] == [15, 16, 17, 18, 19]
    for n in range(200):
        store.append_log("slack", {"n": n, "body": "x" * 1_000}, max_bytes=20_000)
    rows = store.read_log(limit=1_000)
    assert rows[-1].data["n"] == 199
    assert len(rows) <= 20 + module.TRIM_EVERY


# --- flags and counters


def test_flags_expire_by_themselves(store: RuntimeStore, clock: FakeClock) -> None:
    store.set_flag("debug:hubspot", {"level": "verbose"}, ttl=60)
    store.set_flag("debug:slack", True)
    store.set_flag("other", 1)
    assert store.get_flag("debug:hubspot") == {"level": "verbose"}
    assert store.list_flags("debug:") == [
        Flag("debug:hubspot", {"level": "verbose"}, clock.time() + 60),
        Flag("debug:slack", True, None),
    ]
    clock.advance(60)
    assert store.get_flag("debug:hubspot") is None
    assert [flag.key for flag in store.list_flags()] == ["debug:slack", "other"]
    store.delete_flag("debug:slack")
    store.delete_flag("debug:slack")
    assert store.get_flag("debug:slack") is None


def test_counters_add_up(store: RuntimeStore) -> None:
    store.add_counts("cache:hubspot", {"hits": 2, "misses": 1})
    store.add_counts("cache:hubspot", {"hits": 3, "none": 0})
    store.add_counts("cache:slack", {})
    assert store.read_counts("cache:hubspot") == {"hits": 5, "misses": 1}
    assert store.read_counts("cache:slack") == {}


@pytest.mark.parametrize("there", [True, False])
def test_what_may_only_be_read_is_read_and_where_there_is_nothing_it_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    path = tmp_path / "runtime.db"
    if there:
        with closing(RuntimeStore(path)) as store:
            store.add_counts("cache", {"hits": 3})

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(RuntimeStore, "_enter", refuse)
    with closing(RuntimeStore(path)) as store:
        assert store.read_counts("cache") == ({"hits": 3} if there else {})
        with pytest.raises(OSError, match="Read-only"):
            store.add_counts("cache", {"hits": 1})

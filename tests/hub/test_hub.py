"""The hub on its own: opened, migrated, locked, damaged, filled."""

from __future__ import annotations

import json
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lumio_cli.core.errors import HubError
from lumio_cli.hub.sqlite import migrations, records, runs, state, views
from lumio_cli.hub.sqlite.columns import MAX_COLUMNS, ViewColumn
from lumio_cli.hub.sqlite.database import Hub
from lumio_cli.hub.sqlite.records import Row
from lumio_cli.hub.sqlite.response_fallback import LastKnown
from lumio_cli.hub.sqlite.runs import DeadLetter, RunRow
from support.older import take_back

NOW = "2026-01-02T03:04:05Z"
TABLE = records.raw_table("acme", "people")


def row(record_id: str, **values: object) -> Row:
    payload = json.dumps({"id": record_id, **values}, sort_keys=True)
    return Row(record_id, payload.encode()[-16:].rjust(16), NOW, None, payload)


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    found = Hub.open(tmp_path / "home" / "lumio.db")
    with found.transaction() as db:
        records.ensure_table(db, "acme", "people")
    return found


def store(hub: Hub, *rows: Row) -> records.Sorted:
    with hub.transaction() as db:
        found = records.compare(db, TABLE, rows)
        records.upsert(db, TABLE, [*found.created, *found.updated], records.next_seq(db), NOW)
        records.add_records(db, "acme", "people", len(found.created))
    return found


class TestOpening:
    def test_files_are_private_and_the_journal_is_a_wal(self, tmp_path: Path) -> None:
        with Hub.open(tmp_path / "deep" / "lumio.db") as hub:
            assert stat.S_IMODE(hub.path.stat().st_mode) == 0o600
            assert stat.S_IMODE(hub.path.parent.stat().st_mode) == 0o700
            assert hub.connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"

    def test_several_may_make_the_same_hub_at_once(self, tmp_path: Path) -> None:
        def make(path: Path) -> int:
            with Hub.open(path) as hub:
                return int(hub.connection.execute("PRAGMA user_version").fetchone()[0])

        with ThreadPoolExecutor(4) as pool:
            for number in range(10):
                versions = list(pool.map(make, [tmp_path / f"{number}.db"] * 4))
                assert versions == [migrations.LATEST] * 4

    def test_a_reader_of_nothing_is_nothing(self, tmp_path: Path) -> None:
        assert Hub.open_reader(tmp_path / "lumio.db") is None

    def test_a_reader_cannot_write(self, hub: Hub) -> None:
        reader = Hub.open_reader(hub.path)
        assert reader is not None
        with reader, pytest.raises(HubError) as raised, reader.transaction() as db:
            db.execute("DELETE FROM lumio_runs")
        assert raised.value.code == "hub_read_only"

    def test_a_newer_hub_is_refused_and_left_alone(self, hub: Hub) -> None:
        hub.connection.execute(f"PRAGMA user_version = {migrations.LATEST + 1}")
        hub.close()
        before = hub.path.read_bytes()
        with pytest.raises(HubError) as raised:
            Hub.open(hub.path)
        assert (raised.value.code, raised.value.exit_code) == ("hub_too_new", 7)
        assert hub.path.read_bytes() == before

    def test_another_program_s_database_is_refused_and_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "lumio.db"
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE books (title TEXT)")
        with pytest.raises(HubError, match="not a lumio hub"):
            Hub.open(path)
        with sqlite3.connect(path) as other:
            assert other.execute("SELECT name FROM sqlite_schema").fetchall() == [("books",)]

    def test_what_is_no_database_is_called_damaged(self, tmp_path: Path) -> None:
        path = tmp_path / "lumio.db"
        path.write_bytes(b"this is no database at all" * 100)
        with pytest.raises(HubError) as raised:
            Hub.open(path)
        assert raised.value.code == "hub_corrupt"

    def test_a_hub_that_another_program_writes_to_is_called_locked(self, hub: Hub) -> None:
        other = sqlite3.connect(hub.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with Hub.open(hub.path, busy_timeout=0.05) as second:
            with pytest.raises(HubError) as raised, second.transaction():
                pass
        assert raised.value.code == "hub_locked"
        other.execute("ROLLBACK")
        other.close()

    def test_a_disk_that_is_full_is_called_so_and_what_was_there_stays(self, hub: Hub) -> None:
        store(hub, row("1", name="Ann"))
        pages = hub.connection.execute("PRAGMA page_count").fetchone()[0]
        hub.connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(HubError) as raised:
            store(hub, *(row(str(n), text="x" * 2000) for n in range(500)))
        assert raised.value.code == "disk_full"
        assert records.count_live(hub.connection, TABLE) == 1
        assert hub.connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"

    def test_a_failing_migration_changes_nothing_and_a_backup_is_kept(
        self, hub: Hub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store(hub, row("1", name="Ann"))
        hub.close()

        def broken(db: sqlite3.Connection) -> None:
            db.execute("CREATE TABLE half_done (x)")
            raise sqlite3.OperationalError("database or disk is full")

        steps = (*migrations.MIGRATIONS, broken)
        monkeypatch.setattr(migrations, "MIGRATIONS", steps)
        monkeypatch.setattr(migrations, "LATEST", len(steps))
        with pytest.raises(HubError):
            Hub.open(hub.path)
        with sqlite3.connect(hub.path) as db:
            names = {r[0] for r in db.execute("SELECT name FROM sqlite_schema")}
        assert "half_done" not in names
        (backup,) = (hub.path.parent / "backups").iterdir()
        with sqlite3.connect(backup) as db:
            assert db.execute(f"SELECT count(*) FROM {TABLE}").fetchone() == (1,)
        assert stat.S_IMODE(backup.stat().st_mode) == 0o600


class TestRecords:
    def test_rows_are_created_then_unchanged_then_updated(self, hub: Hub) -> None:
        assert len(store(hub, row("1", v=1), row("2", v=1)).created) == 2
        again = store(hub, row("1", v=1), row("2", v=2), row("3", v=1))
        assert (again.unchanged, [r.id for r in again.updated]) == (["1"], ["2"])
        assert [r.id for r in again.created] == ["3"]
        assert state.read_state(hub.connection, "acme", "people").records == 3

    def test_the_last_of_two_in_a_page_counts(self, hub: Hub) -> None:
        store(hub, row("1", v=1), row("1", v=2))
        assert records.payload_of(hub.connection, TABLE, "1") == row("1", v=2).payload
        assert records.count_live(hub.connection, TABLE) == 1

    def test_ids_keep_every_digit(self, hub: Hub) -> None:
        big = str(2**63 + 12345)
        store(hub, row(big))
        assert records.live_ids(hub.connection, TABLE, [big]) == [big]

    def test_pages_larger_than_a_statement_may_be(self, hub: Hub) -> None:
        many = [row(str(n)) for n in range(9000)]
        assert len(store(hub, *many).created) == 9000
        assert len(store(hub, *many).unchanged) == 9000

    def test_what_a_full_walk_has_not_met_is_missing(self, hub: Hub) -> None:
        store(hub, row("1"), row("2"), row("3"))
        with hub.transaction() as db:
            since = records.current_seq(db)
            records.mark_seen(db, "acme", "people", ["1"])
        store(hub, row("2", changed=True))
        assert records.ids_where(
            hub.connection, TABLE, records.unseen("acme", "people", since)
        ) == ["3"]

    def test_deleting_twice_counts_once(self, hub: Hub) -> None:
        store(hub, row("1"))
        with hub.transaction() as db:
            assert records.mark_deleted(db, TABLE, ["1", "nobody"], 9, NOW) == 1
            assert records.mark_deleted(db, TABLE, ["1"], 10, NOW) == 0

    def test_an_error_inside_a_transaction_leaves_nothing(self, hub: Hub) -> None:
        with pytest.raises(KeyError), hub.transaction() as db:
            records.upsert(db, TABLE, [row("1")], 1, NOW)
            raise KeyError
        assert records.count_live(hub.connection, TABLE) == 0

    def test_names_that_could_be_sql_are_no_table_names(self) -> None:
        with pytest.raises(ValueError, match="cannot be a table name"):
            records.raw_table("acme", "people; DROP TABLE x")


class TestViews:
    def columns(self, hub: Hub, *columns: ViewColumn) -> list[str]:
        with hub.transaction() as db:
            views.rebuild_view(db, "acme", "people", columns)
        return [r[1] for r in hub.connection.execute("PRAGMA table_info(acme_people)")]

    def test_id_first_then_columns_then_our_own(self, hub: Hub) -> None:
        names = self.columns(hub, ViewColumn("name", "name", "text"))
        assert names == ["id", "name", "_updated_at", "_synced_at", "_payload"]

    def test_names_that_sqlite_would_confuse_are_told_apart(self, hub: Hub) -> None:
        names = self.columns(
            hub,
            ViewColumn("Name", "a", "text"),
            ViewColumn("name", "b", "text"),
            ViewColumn("id", "c", "text"),
            ViewColumn('quo"te', "d", "text"),
        )
        assert names[1:5] == ["Name", "name_2", "id_2", 'quo"te']

    def test_values_are_typed(self, hub: Hub) -> None:
        store(hub, row("1", n="12.5", i="7", b="true", t="", odd={"a.b's": 1}))
        self.columns(
            hub,
            ViewColumn("n", "n", "number"),
            ViewColumn("i", "i", "integer"),
            ViewColumn("b", "b", "boolean"),
            ViewColumn("t", "t", "datetime"),
        )
        found = hub.connection.execute("SELECT n, i, b, t FROM acme_people").fetchone()
        assert tuple(found) == (12.5, 7, 1, None)

    def test_deleted_records_are_absent(self, hub: Hub) -> None:
        store(hub, row("1"), row("2"))
        self.columns(hub)
        with hub.transaction() as db:
            records.mark_deleted(db, TABLE, ["1"], 9, NOW)
        assert [r[0] for r in hub.connection.execute("SELECT id FROM acme_people")] == ["2"]

    def test_the_view_is_left_alone_where_nothing_changed(self, hub: Hub) -> None:
        column = ViewColumn("name", "name", "text")
        with hub.transaction() as db:
            assert views.rebuild_view(db, "acme", "people", [column])
            assert not views.rebuild_view(db, "acme", "people", [column])
        assert views.read_columns(hub.connection, "acme", "people") == [column]

    @pytest.mark.parametrize(
        "damage",
        ["DROP VIEW acme_people", "DROP TRIGGER lumio_acme_people_update"],
    )
    def test_a_view_that_somebody_has_damaged_is_made_anew(self, hub: Hub, damage: str) -> None:
        column = ViewColumn("name", "name", "text")
        self.columns(hub, column)
        assert views.is_whole(hub.connection, "acme", "people")
        hub.connection.execute(damage)
        assert not views.is_whole(hub.connection, "acme", "people")
        self.columns(hub, column)
        assert views.is_whole(hub.connection, "acme", "people")

    def test_triggers_of_others_are_left_alone(self, hub: Hub) -> None:
        column = ViewColumn("name", "name", "text")
        self.columns(hub, column)
        theirs = "CREATE TRIGGER audit INSTEAD OF UPDATE ON acme_people BEGIN SELECT 1; END"
        hub.connection.execute(theirs)
        assert views.is_whole(hub.connection, "acme", "people")
        self.columns(hub, column, ViewColumn("age", "age", "integer"))
        found = hub.connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'audit'")
        assert found.fetchone()[0] == theirs

    def test_a_hub_of_an_older_lumio_gets_new_views(self, hub: Hub, tmp_path: Path) -> None:
        self.columns(hub, ViewColumn("name", "name", "text"))
        hub.connection.execute("DROP TRIGGER lumio_acme_people_delete")
        take_back(hub.connection, 4)
        with Hub.open(hub.path) as newer:
            assert views.is_whole(newer.connection, "acme", "people")

    def test_more_columns_than_sqlite_has_are_cut(self, hub: Hub) -> None:
        many = [ViewColumn(f"c{n}", f"c{n}", "text") for n in range(2500)]
        assert len(self.columns(hub, *many)) == MAX_COLUMNS + 4


class TestRuns:
    def start(self, hub: Hub, run_id: str) -> None:
        with hub.transaction() as db:
            runs.start_run(
                db, RunRow(run_id, "running", NOW, NOW, 1, "host", "full", "pull", ["acme"], "0")
            )
            runs.start_resource(db, run_id, "acme", "people", "full", NOW)

    def test_a_run_that_ends_closes_what_was_running(self, hub: Hub) -> None:
        self.start(hub, "r1")
        assert runs.running_runs(hub.connection) == ["r1"]
        with hub.transaction() as db:
            runs.finish_run(db, "r1", status="interrupted", now=NOW, exit_code=None)
        run = runs.read_run(hub.connection, "r1")
        assert run is not None
        assert run["resources"][0]["status"] == "interrupted"

    def test_a_run_is_found_by_a_unique_beginning(self, hub: Hub) -> None:
        for run_id in ("abc-1", "abd-2"):
            self.start(hub, run_id)
        assert runs.read_run(hub.connection, "abd")["run_id"] == "abd-2"  # type: ignore[index]
        assert runs.read_run(hub.connection, "ab") is None
        assert runs.read_run(hub.connection, "x") is None

    def test_old_runs_are_forgotten(self, hub: Hub) -> None:
        for number in range(6):
            self.start(hub, f"r{number}")
        with hub.transaction() as db:
            runs.prune_runs(db, keep=2)
        assert len(runs.list_runs(hub.connection)) == 2
        assert hub.connection.execute("SELECT count(*) FROM lumio_run_resources").fetchone()[0] == 2

    def test_the_same_failure_is_one_dead_letter_until_the_record_is_stored(self, hub: Hub) -> None:
        letter = DeadLetter("acme", "people", "7", "too_large", "too large")
        for _ in range(2):
            with hub.transaction() as db:
                runs.add_dead_letters(db, [letter], "r1", NOW)
        (found,) = runs.list_dead_letters(hub.connection)
        assert found["attempts"] == 2
        assert runs.count_dead_letters(hub.connection, "acme", "people") == 1
        with hub.transaction() as db:
            runs.resolve_stored(db, "acme", "people", ["7"], NOW)
        assert runs.list_dead_letters(hub.connection) == []
        (closed,) = runs.list_dead_letters(hub.connection, include_resolved=True)
        assert closed["resolution"] == "stored"


def test_drift_is_what_differs_from_the_last_description(hub: Hub) -> None:
    def field(name: str, kind: str) -> state.KnownField:
        return state.KnownField(name, kind, name, True, name, name, "text")

    def describe(*fields: state.KnownField) -> list[tuple[str, str]]:
        with hub.transaction() as db:
            found = state.store_fields(db, "acme", "people", fields, run_id="r", now=NOW)
        return [(d.field, d.change) for d in found]

    assert describe(field("a", "string"), field("b", "string")) == []
    assert describe(field("a", "number"), field("c", "string")) == [
        ("b", "vanished"),
        ("a", "retyped"),
        ("c", "new"),
    ]
    assert describe(field("a", "number"), field("c", "string"), field("b", "string")) == [
        ("b", "new")
    ]
    assert len(state.read_drift(hub.connection, "acme")) == 4


def test_a_fingerprint_recognises_a_secret_and_gives_nothing_away(hub: Hub, tmp_path: Path) -> None:
    mark = state.fingerprint(hub.connection, "secret-token")
    assert mark == state.fingerprint(hub.connection, "secret-token")
    assert "secret" not in mark
    with Hub.open(tmp_path / "other.db") as other:
        assert state.fingerprint(other.connection, "secret-token") != mark


def test_last_known_answers_are_kept_and_cleared(hub: Hub) -> None:
    known = LastKnown(hub.path)
    known.put("acme:key", b"answer", 12.5)
    assert known.get("acme:key") == (b"answer", 12.5)
    LastKnown(hub.path, read_only=True).put("acme:other", b"x", 1.0)
    assert known.get("acme:other") is None
    assert known.clear("nobody") == 0
    assert known.clear("acme") == 1
    assert LastKnown(hub.path.parent / "nowhere.db").get("acme:key") is None

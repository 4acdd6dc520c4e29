"""Any SQLite program can edit a view: what it does becomes one row a record of the outbox."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.hub.edits import Edit, is_local
from lumio_cli.hub.sqlite import outbox, records, views
from lumio_cli.hub.sqlite.columns import Abilities, ViewColumn, quote
from lumio_cli.hub.sqlite.database import Hub
from lumio_cli.hub.sqlite.records import Row

COLUMNS = (
    ViewColumn("email", "p.email", "text", False, "folded"),
    ViewColumn("age", "p.age", "integer", False),
    ViewColumn("vip", "p.vip", "boolean", False),
    ViewColumn("height", "p.height", "number", False),
    ViewColumn("tags", "p.tags", "json", False, "set"),
    ViewColumn("made", "made", "datetime", True),
    ViewColumn("seats", "seats", "integer", True),
    ViewColumn("it's \u00e9 \u4e2d", "p.odd name", "text", False),
)
ALL = Abilities(True, True, True)
Sql = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub with three people."""
    with Hub.open(tmp_path / "lumio.db") as hub:
        with hub.transaction() as db:
            records.ensure_table(db, "acme", "people")
            views.rebuild_view(db, "acme", "people", COLUMNS, ALL)
            rows = [
                {"p": {"email": f"{n}@x.example", "age": n, "vip": False, "tags": ["a"],
                       "height": 0.1 + 0.2},
                 "made": "2026-01-01T00:00:00Z", "seats": 3}
                for n in range(1, 4)
            ]  # fmt: skip
            records.upsert(
                db,
                "lumio_raw_acme_people",
                [Row(str(n), b"", None, None, json.dumps(r)) for n, r in enumerate(rows, 1)],
                1,
                "2026-01-01T00:00:00Z",
            )
        yield hub


@pytest.fixture
def sql(hub: Hub) -> Iterator[Sql]:
    """Another program's connection."""
    other = sqlite3.connect(hub.path, isolation_level=None)

    def run(statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return other.execute(statement, values).fetchall()

    yield run
    other.close()


def edits(hub: Hub) -> list[Edit]:
    return list(outbox.walk(hub.connection, "acme", "people"))


def test_an_update_is_one_pending_change_and_is_shown_at_once(hub: Hub, sql: Sql) -> None:
    sql("UPDATE acme_people SET age = 40 WHERE email LIKE '1@%'")
    assert sql("SELECT age FROM acme_people ORDER BY id") == [(40,), (2,), (3,)]
    (edit,) = edits(hub)
    assert (edit.record, edit.action, edit.status) == ("1", "update", "pending")
    assert (edit.edits, edit.base) == ({"age": 40}, {"age": 1})
    assert edit.edited_at.endswith("Z")


def test_edits_of_one_record_fold_and_keep_the_first_base(hub: Hub, sql: Sql) -> None:
    sql("UPDATE acme_people SET age = 40, email = 'n@x.example' WHERE id = '1'")
    sql("UPDATE acme_people SET age = 41 WHERE id = '1'")
    (edit,) = edits(hub)
    assert edit.edits == {"age": 41, "email": "n@x.example"}
    assert edit.base == {"age": 1, "email": "1@x.example"}


def test_an_edit_back_to_the_original_vanishes(hub: Hub, sql: Sql) -> None:
    sql("UPDATE acme_people SET age = 40, vip = 1 WHERE id = '1'")
    sql("UPDATE acme_people SET age = 1 WHERE id = '1'")
    assert edits(hub)[0].edits == {"vip": 1}
    sql("UPDATE acme_people SET vip = 0 WHERE id = '1'")
    assert edits(hub) == []


def test_an_edit_to_what_is_there_is_none(hub: Hub, sql: Sql) -> None:
    sql("UPDATE acme_people SET age = age, vip = vip, tags = tags, made = made")
    assert edits(hub) == []


def test_a_value_can_be_cleared(hub: Hub, sql: Sql) -> None:
    sql("UPDATE acme_people SET email = NULL WHERE id = '2'")
    assert sql("SELECT email FROM acme_people WHERE id = '2'") == [(None,)]
    assert edits(hub)[0].edits == {"email": None}


@pytest.mark.parametrize("number", [123456789012.34567, 0.1 + 0.7, -1e300, 5e-324, 5])
def test_numbers_keep_all_their_digits(hub: Hub, sql: Sql, number: float) -> None:
    sql("UPDATE acme_people SET height = ? WHERE id = '1'", number)
    sql("INSERT INTO acme_people (height) VALUES (?)", number)
    update, create = edits(hub)
    assert (update.edits, update.base) == ({"height": number}, {"height": 0.1 + 0.2})
    assert create.edits == {"height": number}
    sql("UPDATE acme_people SET height = ? WHERE id = '1'", 0.1 + 0.2)
    assert edits(hub) == [create]


def test_a_number_in_a_text_column_is_text(hub: Hub, sql: Sql) -> None:
    sql("UPDATE acme_people SET email = 12345 WHERE id = '1'")
    assert sql("SELECT id FROM acme_people WHERE email = '12345'") == [("1",)]
    assert edits(hub)[0].edits == {"email": "12345"}


def test_what_a_json_function_gives_is_text_in_a_text_column(hub: Hub, sql: Sql) -> None:
    sql("UPDATE acme_people SET email = json('{\"a\":1}') WHERE id = '1'")
    sql("INSERT INTO acme_people (email) VALUES (json('null'))")
    assert [edit.edits for edit in edits(hub)] == [{"email": '{"a":1}'}, {"email": "null"}]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (float("inf"), "an infinite number cannot be stored"),
        (float("-inf"), "an infinite number cannot be stored"),
        (b"bytes", "binary data cannot be stored"),
        ("a\0b", "text with a zero byte cannot be stored"),
    ],
)
def test_what_json_cannot_hold_is_refused(hub: Hub, sql: Sql, value: Any, said: str) -> None:
    for statement in (
        "UPDATE acme_people SET age = ? WHERE id = '1'",
        "INSERT INTO acme_people (email, age) VALUES ('a@b.example', ?)",
    ):
        with pytest.raises(sqlite3.IntegrityError, match=f"acme_people: {said}"):
            sql(statement, value)
    assert edits(hub) == []


def test_a_new_record_without_a_value_is_refused(hub: Hub, sql: Sql) -> None:
    for statement in ("DEFAULT VALUES", "(email) VALUES (NULL)"):
        with pytest.raises(sqlite3.IntegrityError, match="a new record needs a value"):
            sql(f"INSERT INTO acme_people {statement}")
    assert edits(hub) == []


def test_a_new_record_has_no_payload_of_the_providers(hub: Hub, sql: Sql) -> None:
    sql("INSERT INTO acme_people (age) VALUES (1)")
    assert sql("SELECT count(*) FROM acme_people WHERE _payload IS NULL") == [(1,)]


@pytest.mark.parametrize("given", ["true", "TRUE", 1, "1", 1.0])
def test_booleans_may_be_written_as_words(hub: Hub, sql: Sql, given: Any) -> None:
    sql("UPDATE acme_people SET vip = ? WHERE id = '1'", given)
    assert edits(hub)[0].edits == {"vip": 1}
    assert sql("SELECT vip FROM acme_people WHERE id = '1'") == [(1,)]


def test_json_stays_text(hub: Hub, sql: Sql) -> None:
    sql("UPDATE acme_people SET tags = json_insert(tags, '$[#]', 'b') WHERE id = '1'")
    assert sql("SELECT tags FROM acme_people WHERE id = '1'") == [('["a","b"]',)]
    assert edits(hub)[0].edits == {"tags": '["a","b"]'}
    assert edits(hub)[0].base == {"tags": '["a"]'}


def test_an_insert_is_a_record_of_ours_until_the_provider_names_it(hub: Hub, sql: Sql) -> None:
    sql("INSERT INTO acme_people (email, vip) VALUES ('new@x.example', 'true')")
    ((name, email, vip, age),) = sql(
        "SELECT id, email, vip, age FROM acme_people WHERE made IS NULL"
    )
    assert is_local(name)
    assert (email, vip, age) == ("new@x.example", 1, None)
    assert edits(hub)[-1].edits == {"email": "new@x.example", "vip": 1}
    sql("UPDATE acme_people SET age = 7 WHERE id = ?", name)
    assert edits(hub)[-1].edits == {"email": "new@x.example", "vip": 1, "age": 7}
    sql("DELETE FROM acme_people WHERE id = ?", name)
    assert edits(hub) == []


def test_a_deleted_record_is_hidden_and_its_last_values_are_kept(hub: Hub, sql: Sql) -> None:
    sql("UPDATE acme_people SET age = 40 WHERE id = '1'")
    sql("DELETE FROM acme_people WHERE id = '1'")
    assert sql("SELECT id FROM acme_people ORDER BY id") == [("2",), ("3",)]
    (edit,) = edits(hub)
    assert edit.action == "delete"
    # What was edited before is compared with what the provider had then.
    assert edit.base["age"] == 1
    assert edit.base["email"] == "1@x.example"


def test_a_name_that_sql_would_not_take_unquoted_can_be_edited(hub: Hub, sql: Sql) -> None:
    sql(f'UPDATE acme_people SET {quote(COLUMNS[-1].name)} = "x" WHERE id = 1')
    assert edits(hub)[0].edits == {COLUMNS[-1].name: "x"}


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE acme_people SET made = '2027-01-01'", "acme_people.made is read-only"),
        ("UPDATE acme_people SET id = '9' WHERE id = '1'", "acme gives each record its id"),
        ("UPDATE acme_people SET _payload = '{}'", "lumio keeps it"),
        ("INSERT INTO acme_people (id, email) VALUES ('9', 'e')", "acme_people.id is read-only"),
    ],
)
def test_what_cannot_be_changed_says_why(hub: Hub, sql: Sql, statement: str, said: str) -> None:
    with pytest.raises(sqlite3.IntegrityError, match=said):
        sql(statement)
    assert edits(hub) == []


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE acme_people SET age = 1", "cannot be changed here"),
        ("INSERT INTO acme_people (age) VALUES (1)", "cannot be created here"),
        ("DELETE FROM acme_people", "cannot be deleted here"),
    ],
)
def test_a_read_only_resource_says_why(hub: Hub, sql: Sql, statement: str, said: str) -> None:
    with hub.transaction() as db:
        views.rebuild_view(db, "acme", "people", COLUMNS)
    with pytest.raises(sqlite3.IntegrityError, match=said):
        sql(statement)


def test_an_edit_while_it_is_sent_is_another_version(hub: Hub, sql: Sql) -> None:
    sql("UPDATE acme_people SET age = 40 WHERE id = '1'")
    with hub.transaction() as db:
        outbox.claim(db, edits(hub), "run", "2026-01-01T00:00:00Z")
    before = edits(hub)[0]
    sql("UPDATE acme_people SET age = 1 WHERE id = '1'")
    after = edits(hub)[0]
    # The provider may have it by now: going back is a change again.
    assert (after.status, after.edits) == ("sending", {"age": 1})
    assert after.version == before.version + 1


def test_a_view_of_a_thousand_columns_can_be_edited(hub: Hub, sql: Sql) -> None:
    many = [ViewColumn(f"c{n}", f"p.c{n}", "text", False) for n in range(1200)]
    with hub.transaction() as db:
        views.rebuild_view(db, "acme", "people", many, ALL)
    sql("UPDATE acme_people SET c1199 = 'x' WHERE id = '1'")
    sql("INSERT INTO acme_people (c0, c777) VALUES ('a', 'b')")
    sql("DELETE FROM acme_people WHERE id = '2'")
    assert [e.action for e in edits(hub)] == ["update", "delete", "create"]
    assert edits(hub)[-1].edits == {"c0": "a", "c777": "b"}


def test_a_query_reads_only_the_columns_that_it_names(hub: Hub, sql: Sql) -> None:
    plan = " ".join(str(row) for row in sql("EXPLAIN QUERY PLAN SELECT email FROM acme_people"))
    assert "CO-ROUTINE" not in plan
    plan = " ".join(
        str(row) for row in sql("EXPLAIN QUERY PLAN SELECT email FROM acme_people WHERE id = '1'")
    )
    assert "SCAN" not in plan


def test_the_shell_of_debian_can_do_every_edit(hub: Hub) -> None:
    shell = shutil.which("sqlite3")
    if shell is None:
        pytest.skip("there is no sqlite3 shell on this machine")
    script = """
        UPDATE acme_people SET age = age + 10 WHERE email LIKE '%@x.example';
        UPDATE acme_people SET tags = '["vip"]' WHERE id IN (SELECT id FROM acme_people LIMIT 1);
        INSERT INTO acme_people (email, age) VALUES ('a@y.example', 1), ('b@y.example', 2);
        DELETE FROM acme_people WHERE id = '3';
        UPDATE acme_people SET age = 1 WHERE id = '1';
        SELECT count(*) FROM acme_people;
    """
    done = subprocess.run(
        [shell, str(hub.path)], input=script, capture_output=True, text=True, check=True
    )
    assert (done.stdout.strip(), done.stderr) == ("4", "")
    assert sorted(e.action for e in edits(hub)) == [
        "create", "create", "delete", "update", "update",
    ]  # fmt: skip

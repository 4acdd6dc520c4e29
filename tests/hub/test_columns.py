"""A typed column shows what came, or NULL, and what it cannot show is counted."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.hub.sqlite import misfits, records, views
from lumio_cli.hub.sqlite.columns import Abilities, ViewColumn, expression, misfit
from lumio_cli.hub.sqlite.database import Hub
from lumio_cli.hub.sqlite.records import Row
from lumio_cli.providers.contract.values import moment
from support.older import take_back

TABLE = "lumio_raw_acme_deals"
NOW = "2026-01-02T03:04:05Z"
AMOUNT = ViewColumn("amount", "p.amount", "number", False)
CLOSED = ViewColumn("closed", "p.closed", "datetime", False)
BIG = 9223372036854775807


def read(kind: str, text: str) -> tuple[Any, bool]:
    """What a column of this kind shows of JSON text, and whether the value counts as bad."""
    column = ViewColumn("v", "v", kind)
    with sqlite3.connect(":memory:") as db:
        shown, bad = db.execute(
            f"SELECT {expression(column, '?1')}, {misfit(column, '?1')}", ['{"v": ' + text + "}"]
        ).fetchone()
    db.close()
    return shown, bool(bad)


# -- numbers


@pytest.mark.parametrize("kind", ["number", "integer", "epoch", "epoch_ms"])
@pytest.mark.parametrize(
    "text",
    [
        '"n/a"', '"1,250.00"', '"1.250,00"', '"1234;5678"', '"Infinity"', '"NaN"', '"-inf"',
        '"1e400"', "1e400", "-1e400", '"0x10"', '"1e"', '"12abc"', '"1_000"', '"1 000"', '"."',
        '"-"', '" "', '"\u0661\u0662"', "true", '"true"', '{"a": 1}', '["12"]', "[12]",
    ],
)  # fmt: skip
def test_what_is_no_number_is_null_and_counts(kind: str, text: str) -> None:
    assert read(kind, text) == (None, True)


def test_false_is_no_number_and_no_time_at_all() -> None:
    assert read("number", "false") == read("integer", "false") == (None, True)
    assert read("epoch", "false") == (None, False)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.5", 1.5), ('"1.5"', 1.5), ('" 12 "', 12), ('"+5"', 5), ('"-.5"', -0.5), ('"1e3"', 1000),
        ('"007"', 7), ("0", 0), ('"0"', 0), ("1", 1), ('"9007199254740993"', 9007199254740993),
        (f'"{BIG}"', BIG), (f'"{BIG}0"', 9.223372036854776e19), ("5e-324", 5e-324),
        ('"0.1234567890123456789"', 0.12345678901234568),
    ],
)  # fmt: skip
def test_a_text_that_is_a_number_as_a_whole_is_one(text: str, number: float) -> None:
    assert read("number", text) == (number, False)


@pytest.mark.parametrize(
    ("text", "number"),
    [("12", 12), ("12.0", 12), ('"12.0"', 12), ('"1e3"', 1000), ('" -7 "', -7), (f'"{BIG}"', BIG),
     (f"-{BIG + 1}", -BIG - 1), ("0", 0)],
)  # fmt: skip
def test_a_whole_number_keeps_all_its_digits(text: str, number: int) -> None:
    shown, bad = read("integer", text)
    assert (shown, type(shown), bad) == (number, int, False)


@pytest.mark.parametrize(
    "text", ['"1.5"', "1.5", f"{BIG + 1}", f'"{BIG + 1}"', '"9007199254740993.0"', '"1e30"']
)
def test_a_number_that_no_integer_is_equal_to_is_not_cut(text: str) -> None:
    assert read("integer", text) == (None, True)


@pytest.mark.parametrize("kind", ["epoch", "epoch_ms"])
@pytest.mark.parametrize(
    "text", ['"1."', '"+5"', '"1e5"', '" 5"', '"5 "', '".5"', '"-.5"', '"1.5.2"']
)
def test_a_text_that_is_a_number_and_no_time_is_null_and_counts(kind: str, text: str) -> None:
    assert read(kind, text) == (None, True)
    assert moment(kind, json.loads(text)) is None


@pytest.mark.parametrize("kind", sorted(misfits.KINDS))
@pytest.mark.parametrize("text", ["null", '""'])
def test_nothing_is_null_and_no_bad_value(kind: str, text: str) -> None:
    assert read(kind, text) == (None, False)


@pytest.mark.parametrize("text", ['"maybe"', "2", "-1", '"yes"', "[]", "{}", "0.5", '"01"'])
def test_what_is_neither_true_nor_false_is_null_and_counts(text: str) -> None:
    assert read("boolean", text) == (None, True)


@pytest.mark.parametrize(("text", "value"), [("true", 1), ('"FALSE"', 0), ("1.0", 1), ('"0"', 0)])
def test_booleans_come_in_many_forms(text: str, value: int) -> None:
    assert read("boolean", text) == (value, False)


# -- moments and days


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('"2025-01-02T09:16:26Z"', "2025-01-02T09:16:26Z"),
        ('"2025-01-31T09:16:26.123456Z"', "2025-01-31T09:16:26.123456Z"),
        ('"2025-01-31T23:59:59.9999Z"', "2025-01-31T23:59:59.9999Z"),
        ('"2024-02-29T09:16:26Z"', "2024-02-29T09:16:26Z"),
        ('"2025-01-02T09:16:26.000+0000"', "2025-01-02T09:16:26.000Z"),
        ('"2025-01-02T09:16:26-0330"', "2025-01-02T12:46:26.000Z"),
        ('"2025-01-02T09:16:26+02:00"', "2025-01-02T07:16:26.000Z"),
        ('"2025-01-01 00:30:00+01"', "2024-12-31T23:30:00.000Z"),
        ('"2025-01-02 09:16:26"', "2025-01-02T09:16:26.000Z"),
        ('"2025-01-02T09:16"', "2025-01-02T09:16:00.000Z"),
        ('"2025-01-02t09:16:26z"', "2025-01-02T09:16:26.000Z"),
        ('"2025-01-02"', "2025-01-02T00:00:00.000Z"),
        ('"1735808186000"', "2025-01-02T08:56:26.000Z"),
        ("1735808186123", "2025-01-02T08:56:26.123Z"),
    ],
)
def test_every_moment_is_rfc_3339_in_utc(text: str, shown: str) -> None:
    assert read("datetime", text) == (shown, False)


@pytest.mark.parametrize("kind", ["datetime", "date"])
@pytest.mark.parametrize(
    "text",
    [
        '"now"', '"soon"', '"10:30"', '"2451545"', "2451545", "2451545.5", '"20250102"', "true",
        '"2025-02-30T00:00:00Z"', '"2025-02-29"', '"2025-13-01"', '"0000-00-00 00:00:00"',
        '"2025-01-02T25:00:00Z"', '"2025-01-02T09:16:26garbage5Z"', '"253402300800000"',
        '"02-01-2025"', '{"a": 1}', '["2025-01-02"]', '"9999-12-31T23:59:59-02:00"',
        '"2025-01-02T24:00:00Z"', '"2025-01-31T24:00:00.000Z"', '"2025-01-02T24:59:59+01:00"',
        '"2025-01-02 24:00"', '"0001-01-01T00:00+14:00"', '"0000-05-05T00:00:00Z"',
        '"0000-05-31T00:00:00.0000Z"', '"0000-05-05"', '"-2025-01-02"',
    ],
)  # fmt: skip
def test_what_is_no_moment_is_null_and_counts(kind: str, text: str) -> None:
    assert read(kind, text) == (None, True)


@pytest.mark.parametrize(
    "text", ['"2025-01-02"', '"2025-01-02T00:00:00.000Z"', '"1735776000000"', '"2025-01-02 00:00"']
)
def test_a_day_is_shown_as_one(text: str) -> None:
    assert read("date", text) == ("2025-01-02", False)


def test_a_day_with_a_time_is_not_cut() -> None:
    assert read("date", '"2025-01-02T09:16:26Z"') == (None, True)


@pytest.mark.parametrize(
    ("kind", "text", "shown"),
    [
        ("epoch", "1735808186", "2025-01-02T08:56:26.000Z"),
        ("epoch", '"1735808186.5"', "2025-01-02T08:56:26.500Z"),
        ("epoch", "-1", "1969-12-31T23:59:59.000Z"),
        ("epoch", "253402300799", "9999-12-31T23:59:59.000Z"),
        ("epoch_ms", '"1735808186123"', "2025-01-02T08:56:26.123Z"),
        ("epoch_ms", "-62135596800000", "0001-01-01T00:00:00.000Z"),
        ("epoch", "0", None),
        ("epoch_ms", '"0"', None),
    ],
)
def test_seconds_since_1970_are_a_moment_and_0_is_none(
    kind: str, text: str, shown: str | None
) -> None:
    assert read(kind, text) == (shown, False)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("epoch", "253402300800"),
        ("epoch", "1e300"),
        ("epoch", "-62135596801"),
        ("epoch_ms", "253402300800000"),
        ("epoch_ms", "-62135596800001"),
    ],
)
def test_a_moment_outside_of_the_years_that_have_four_digits_is_none(kind: str, text: str) -> None:
    assert read(kind, text) == (None, True)


# -- counting


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with Hub.open(tmp_path / "lumio.db") as hub:
        with hub.transaction() as db:
            records.ensure_table(db, "acme", "deals")
            views.rebuild_view(db, "acme", "deals", [AMOUNT, CLOSED], Abilities(True, True, True))
        yield hub


def store(hub: Hub, **amounts: Any) -> None:
    with hub.transaction() as db:
        rows = [
            Row(i, b"", None, None, json.dumps({"p": {"amount": amount}}))
            for i, amount in amounts.items()
        ]
        records.upsert(db, TABLE, rows, records.next_seq(db), NOW)


def bad(hub: Hub) -> dict[str, int]:
    """The counts as they are kept, which are those of a count from one to the last."""
    kept = dict(misfits.read(hub.connection, "acme", "deals"))
    assert kept == misfits.count(hub.connection, "acme", "deals", TABLE)
    return kept


def test_bad_values_are_counted_as_they_come_and_go(hub: Hub) -> None:
    store(hub, a="n/a", b="1,250.00", c="12")
    assert bad(hub) == {"amount": 2}
    store(hub, a="13", c="dear")
    assert bad(hub) == {"amount": 2}
    with hub.transaction() as db:
        records.mark_deleted(db, TABLE, ["b", "c"], records.next_seq(db), NOW)
    assert bad(hub) == {}
    store(hub, b="again bad")
    assert bad(hub) == {"amount": 1}


def test_what_is_rolled_back_is_not_counted(hub: Hub) -> None:
    with pytest.raises(KeyError), hub.transaction() as db:
        row = Row("a", b"", None, None, '{"p": {"amount": "n/a"}}')
        records.upsert(db, TABLE, [row], records.next_seq(db), NOW)
        raise KeyError
    assert bad(hub) == {}


def counted_anew(hub: Hub) -> None:
    """What a sync does where the counts are not known: record by record, here one at a time."""
    recount = misfits.Recount("acme", "deals", TABLE)
    while True:
        with hub.transaction() as db:
            if not recount.go_on(db, 1):
                return


def test_a_column_that_becomes_typed_is_counted_anew(hub: Hub) -> None:
    store(hub, a="n/a", b="12")
    with hub.transaction() as db:
        views.rebuild_view(db, "acme", "deals", [AMOUNT._replace(kind="text")])
    assert bad(hub) == {}
    with hub.transaction() as db:
        views.rebuild_view(db, "acme", "deals", [AMOUNT])
    store(hub, c="later")
    assert dict(misfits.read(hub.connection, "acme", "deals")) == {}, "until it is known"
    counted_anew(hub)
    assert bad(hub) == {"amount": 2}
    store(hub, c="13")
    assert bad(hub) == {"amount": 1}


def test_a_hub_of_an_older_lumio_shows_and_counts_anew(hub: Hub) -> None:
    store(hub, a="n/a", b="12")
    hub.connection.execute("DROP VIEW acme_deals")
    hub.connection.execute("CREATE VIEW acme_deals AS SELECT 0 AS amount")
    take_back(hub.connection, 7)
    with Hub.open(hub.path) as newer:
        found = newer.connection.execute("SELECT amount FROM acme_deals ORDER BY id").fetchall()
        assert [row[0] for row in found] == [None, 12]
        counted_anew(newer)
        assert bad(newer) == {"amount": 1}


def test_a_hub_of_a_thousand_typed_columns_is_counted(hub: Hub) -> None:
    many = [ViewColumn(f"c{n}", f"p.c{n}", "datetime", False) for n in range(1200)]
    with hub.transaction() as db:
        views.rebuild_view(db, "acme", "deals", many, Abilities(True, True, True))
        row = Row("a", b"", None, None, '{"p": {"c1199": "soon", "c7": "2026-01-01"}}')
        records.upsert(db, TABLE, [row], records.next_seq(db), NOW)
    assert bad(hub) == {"c1199": 1}
    hub.connection.execute("UPDATE acme_deals SET c3 = '2026-01-01' WHERE id = 'a'")


def test_an_edit_of_a_bad_value_is_made_on_nothing(hub: Hub) -> None:
    store(hub, a="1,250.00")
    hub.connection.execute("UPDATE acme_deals SET amount = 1250 WHERE id = 'a'")
    row = hub.connection.execute("SELECT edits, base FROM lumio_outbox").fetchone()
    assert tuple(map(json.loads, row)) == ({"amount": 1250}, {"amount": None})


def test_sums_and_comparisons_see_numbers_only(hub: Hub) -> None:
    store(hub, a="n/a", b="10", c="9.5", d="1,250.00")
    found = hub.connection.execute(
        "SELECT sum(amount), count(amount), min(amount) FROM acme_deals WHERE amount > 9"
    ).fetchone()
    assert tuple(found) == (19.5, 2, 9.5)

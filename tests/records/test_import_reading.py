"""What is read of a file is what is in it: nothing is lost, and nothing is taken for a row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.hub.sqlite.columns import ViewColumn

from .conftest import Hub, counts, reasons


def city(hub: Hub, record: str) -> Any:
    return hub.sql("SELECT city FROM hubspot_contacts WHERE id = ?", record)[0][0]


@pytest.mark.parametrize("name", ["all.csv", "all.jsonl"])
def test_any_text_is_the_same_after_an_export_and_an_import(
    hub: Hub, tmp_path: Path, name: str
) -> None:
    texts = ["x" * 150_000, " ", "  \t", "a\rb", "a\r\nb\n", 'a "b", c', "12345678901234567890"]
    for record, text in zip(hub.ids(), texts, strict=False):
        hub.sql("UPDATE hubspot_contacts SET city = ? WHERE id = ?", text, record)
    path, before = str(tmp_path / name), hub.edits()
    assert hub.records("export", "--out", path).code == 0
    assert counts(hub.records("import", path)) == (0, 0, 20, 0)
    assert hub.edits() == before


def test_what_a_long_cell_says_is_never_taken_for_rows(hub: Hub, write: Any) -> None:
    one, two, *_ = hub.ids()
    long = "x" * 140_000 + f"\n{two},Natal\n" + "x" * 140_000
    done = hub.records("import", write(f'id,city\n{one},"{long}"\n'))
    assert (done.code, counts(done)) == (0, (0, 1, 0, 0))
    assert hub.edits() == [(one, "update", {"city": long})]


@pytest.mark.parametrize(
    "row",
    [
        '{one},"Natal\n{two},Recife\n',  # never closed
        '{one},"Natal\n{two},"Recife"\n',  # closed where another begins
        '{one},"Natal"x,"\n{two},Recife\n"\n',  # stray, and a cell of two lines after it
    ],
)
def test_nothing_is_read_from_a_quote_on_that_is_not_closed(hub: Hub, write: Any, row: str) -> None:
    zero, one, two, *_ = hub.ids()
    path = write(f"id,city\n{zero},Belém\n" + row.format(one=one, two=two) + f"{two},Olinda\n")
    done = hub.records("import", path)
    assert (done.code, counts(done)) == (3, (0, 1, 0, 1))
    assert reasons(done) == {
        3: "a quote of line 3 is not closed: nothing from that line on was read"
    }
    assert [edit[0] for edit in hub.edits()] == [zero]


def test_a_bad_quote_within_a_line_rejects_that_row_alone(hub: Hub, write: Any) -> None:
    one, two, *_ = hub.ids()
    done = hub.records("import", write(f'id,city\n{one},"Natal"x\n{two},Olinda\n'))
    assert counts(done) == (0, 1, 0, 1) and list(reasons(done)) == [2]
    assert city(hub, two) == "Olinda"


def test_a_header_whose_quotes_do_not_match_is_one_error(hub: Hub, write: Any) -> None:
    for header in ('id,"city\n', 'id,"city"x\n'):
        done = hub.records("import", write(f"{header}1,x\n"), "-o", "tsv")
        assert done.code == 2 and "in.csv do not match" in done.err and "--input" not in done.err


def test_whole_numbers_of_any_length_keep_their_digits(hub: Hub, write: Any) -> None:
    one, two, three, *_ = hub.ids()
    rows = [
        f'{{"id": {one}, "city": 12345678901234567890123}}',
        f'{{"id": "{two}", "city": {"1" * 5000}}}',
        f'{{"id": "{three}", "loyalty_points": 12345678901234567890123}}',
    ]
    done = hub.records("import", write("\n".join(rows), "in.jsonl"))
    assert reasons(done) == {
        2: "a number in it is too large",
        3: "loyalty_points takes a number, not '12345678901234567890123'",
    }
    assert hub.edits() == [(one, "update", {"city": "12345678901234567890123"})]


def test_a_number_of_thousands_of_digits_holds_up_no_other_row(hub: Hub, write: Any) -> None:
    one, two, *_ = hub.ids()
    path = write(f"id,loyalty_points\n{one},{'1' * 5000}\n{two},7\n")
    done = hub.records("import", path)
    assert counts(done) == (0, 1, 0, 1)
    assert reasons(done)[2].startswith("loyalty_points takes a number, not '111")
    (listed,) = hub.sql("SELECT columns FROM lumio_resources WHERE resource = 'contacts'")[0]
    columns = [ViewColumn(*column) for column in json.loads(listed)]
    fixed = [c._replace(read_only=c.read_only or c.kind == "number") for c in columns]
    hub.sql("UPDATE lumio_resources SET columns = ?", json.dumps(fixed))
    assert reasons(hub.records("import", path)) == {2: "loyalty_points is read-only"}


def test_lines_that_are_no_json_have_their_reasons(hub: Hub, write: Any) -> None:
    lines = [
        b'{"id": NaN}',
        b'{"id": "\xff"}',
        rb'{"id": "\ud800"}',
        b"[" * 100_000 + b"]" * 100_000,
        b'{"city": "Natal"}',
    ]
    found = reasons(hub.records("import", write(b"\n".join(lines), "in.jsonl")))
    assert found.pop(1).startswith("it is not JSON: NaN")
    assert found == {
        2: "it is not UTF-8",
        3: "it is not UTF-8",
        4: "it is nested too deep",
        5: "it has no id (--create makes one)",
    }


def report(hub: Hub, path: str) -> list[Any]:
    """The rows of the report on an import, in their order."""
    file = hub.home / "report.jsonl"
    assert hub.records("import", path, "--report", str(file)).code == 3
    return [json.loads(line)["row"] for line in file.read_text("utf-8").splitlines()]


def test_the_report_has_rejected_rows_as_they_were_read(hub: Hub, write: Any) -> None:
    data = b'id,city\nnobody,Natal\n1\n1,\xe9t\xc3\xa9\n"1"x,a\n1,"a\n2,b\n'
    assert report(hub, write(data)) == [
        {"id": "nobody", "city": "Natal"},
        ["1"],
        ["1", r"\xe9té"],
        '"1"x,a',
        '1,"a',
    ]
    data = b'{"id": "nobody"}\n{"id": \n[1]\n{"id": "\xe9"}\r\n'
    assert report(hub, write(data, "in.jsonl")) == [
        {"id": "nobody"},
        '{"id": ',
        "[1]",
        r'{"id": "\xe9"}',
    ]


def test_blanks_are_a_value_of_text_and_nothing_elsewhere(hub: Hub, write: Any) -> None:
    one = hub.ids()[0]
    hub.records("set", one, "city=Natal", "loyalty_points=7")
    path = write(f"id,city,loyalty_points,createdate\n{one}, , , \n ,a,1,\n")
    done = hub.records("import", path)
    assert counts(done) == (0, 1, 0, 1)
    assert reasons(done) == {3: "it has no id (--create makes one)"}
    row = hub.sql("SELECT city, loyalty_points FROM hubspot_contacts WHERE id = ?", one)
    assert row == [(" ", None)]


def test_a_text_that_was_cut_off_is_named(hub: Hub, write: Any) -> None:
    one = hub.ids()[0]
    data = f"id,city\n{one},Natal\n".encode("utf-16")
    done = hub.records("import", write(data[:-1]))
    assert done.code == 2
    assert "in.csv is no whole text in utf-16" in done.out and "--input" not in done.out

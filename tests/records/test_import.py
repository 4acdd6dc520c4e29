"""Bringing records in: rows become edits, and a row that does not fit holds up no other."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from support.cli import lumio
from support.lab import Lab

from .conftest import Hub, counts, pulled, reasons


def test_rows_are_matched_by_id(hub: Hub, write: Any) -> None:
    first, second, *_ = hub.ids()
    done = hub.records("import", write(f"id,city\n{first},Natal\n{second},Recife\n"))
    assert done.code == 0 and counts(done) == (0, 2, 0, 0)
    assert hub.edits() == [
        (first, "update", {"city": "Natal"}),
        (second, "update", {"city": "Recife"}),
    ]


def test_rows_are_matched_by_what_a_key_means(hub: Hub, write: Any) -> None:
    one, email = hub.sql("SELECT id, email FROM hubspot_contacts")[3]
    done = hub.records("import", write(f"Email,CITY\n{email.upper()},Natal\n"), "--key", "email")
    assert counts(done) == (0, 1, 0, 0)
    assert hub.edits() == [(one, "update", {"city": "Natal"})]


def test_an_export_is_imported_without_an_edit(hub: Hub, tmp_path: Path) -> None:
    for name in ("all.csv", "all.jsonl"):
        path = str(tmp_path / name)
        assert hub.records("export", "--out", path).code == 0
        assert counts(hub.records("import", path)) == (0, 0, 20, 0)
    assert hub.edits() == []


def test_an_empty_cell_clears_and_a_column_that_is_not_named_stays(hub: Hub, write: Any) -> None:
    one = hub.ids()[0]
    hub.records("set", one, "city=Natal", "country=Chile")
    hub.records("import", write(f"id,city\n{one},\n"))
    row = hub.sql("SELECT city, country FROM hubspot_contacts WHERE id = ?", one)
    assert row == [(None, "Chile")]
    hub.records("import", write(json.dumps({"id": one, "country": None}), "in.jsonl"))
    assert hub.sql("SELECT country FROM hubspot_contacts WHERE id = ?", one) == [(None,)]


def test_json_lines_keep_their_kinds(hub: Hub, write: Any) -> None:
    one = hub.ids()[0]
    row = {"ID": one, "loyalty_points": 7.0, "vip": True, "city": 12}
    done = hub.records("import", write(json.dumps(row) + "\n\n", "in.ndjson"))
    assert done.code == 0
    found = hub.sql("SELECT loyalty_points, vip, city FROM hubspot_contacts WHERE id = ?", one)
    assert found == [(7, 1, "12")]


def test_rows_that_are_about_no_record_are_made_only_when_asked(hub: Hub, write: Any) -> None:
    path = write("email,city\na@b.example,Natal\n")
    done = hub.records("import", path, "--key", "email")
    assert done.code == 3 and reasons(done) == {2: "no record has this email (--create makes one)"}
    done = hub.records("import", path, "--key", "email", "--create")
    assert done.code == 0 and counts(done) == (1, 0, 0, 0)
    assert [edit[1:] for edit in hub.edits()] == [
        ("create", {"email": "a@b.example", "city": "Natal"})
    ]
    assert counts(hub.records("import", path, "--key", "email", "--create")) == (0, 0, 1, 0)


def test_by_id_only_rows_without_one_are_made(hub: Hub, write: Any) -> None:
    path = write("id,email\n,a@b.example\n17,c@d.example\n")
    assert reasons(hub.records("import", path)) == {
        2: "it has no id (--create makes one)",
        3: "there is no such record",
    }
    done = hub.records("import", path, "--create")
    assert counts(done) == (1, 0, 0, 1) and reasons(done) == {3: "there is no such record"}


def test_each_row_that_does_not_fit_is_told_of_and_the_rest_is_done(
    hub: Hub, write: Any, tmp_path: Path
) -> None:
    first, second, third, *_ = hub.ids()
    email = hub.sql("SELECT email FROM hubspot_contacts WHERE id = ?", third)[0][0]
    hub.sql("UPDATE hubspot_contacts SET email = ? WHERE id = ?", email.upper(), second)
    free = hub.sql("SELECT email FROM hubspot_contacts WHERE id = ?", first)[0][0]
    path = write(
        "email,city,loyalty_points,createdate\n"
        f"{free},Natal,1,\n"
        f"{email},Natal,1,\n"
        f"{free},Natal,many,\n"
        f"{free},Natal,1,2020-01-01\n"
        ",Natal,1,\n"
        "nobody@b.example,Natal\n"
        "\udcff@b.example,Natal,1,\n"
        "new@b.example,Natal,1,\n"
        "NEW@b.example,Recife,1,\n"
    )
    report = tmp_path / "rejected.jsonl"
    words = ("--key", "email", "--create", "--report", str(report))
    done = hub.records("import", path, *words)
    assert done.code == 3 and counts(done) == (1, 1, 0, 7)
    assert reasons(done) == {
        3: "more than one record has this email",
        4: "loyalty_points takes a number, not 'many'",
        5: "createdate is read-only",
        6: "it has no email",
        7: "it has 2 cells, and the header 4",
        8: "it is not UTF-8",
        10: "line 9 makes a record with the same email",
    }
    kept = [json.loads(line) for line in report.read_text().splitlines()]
    rows = [line.pop("row") for line in kept]
    assert kept == [row for row in done.json["rows"] if row["outcome"] == "rejected"]
    assert (rows[1]["email"], rows[1]["loyalty_points"]) == (free, "many")
    assert hub.sql("SELECT city FROM hubspot_contacts WHERE id = ?", first) == [("Natal",)]


def test_lines_of_json_that_do_not_fit_are_told_of(hub: Hub, write: Any) -> None:
    one = hub.ids()[0]
    rows = [{"id": one, "citty": 1}, {"id": one, "city": {"a": 1}}]
    lines = ["{", "[1]", *map(json.dumps, rows)]
    done = hub.records("import", write("\n".join(lines), "in.jsonl"))
    assert done.code == 3
    found = reasons(done)
    assert found[1].startswith("it is not JSON") and found[2] == "it is not a JSON object"
    assert "no column 'citty'" in found[3] and found[4].startswith("city takes text, not")


def test_what_was_edited_so_itself_is_no_value_of_the_wrong_kind(hub: Hub, write: Any) -> None:
    one = hub.ids()[0]
    hub.sql("UPDATE hubspot_contacts SET renewal_date = 'in spring' WHERE id = ?", one)
    assert counts(hub.records("import", write(f"id,renewal_date\n{one},in spring\n")))[2] == 1
    done = hub.records("import", write(f"id,renewal_date\n{one},in autumn\n"))
    assert reasons(done)[2].startswith("renewal_date takes a day")


def test_what_is_no_value_of_its_column_goes_out_and_comes_in_as_nothing(
    hub: Hub, write: Any
) -> None:
    one = hub.ids()[0]
    hub.sql(
        "UPDATE lumio_raw_hubspot_contacts SET payload = json_set(payload,"
        " '$.properties.renewal_date', 'in spring') WHERE id = ?",
        one,
    )
    out = lumio("records", "export", "hubspot/contacts", home=hub.home)
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(out.out))}
    assert rows[one]["renewal_date"] == ""
    assert counts(hub.records("import", write(f"id,renewal_date\n{one},\n")))[2] == 1


def test_a_record_of_two_rows_takes_the_later_one(hub: Hub, write: Any) -> None:
    one = hub.ids()[0]
    done = hub.records("import", write(f"id,city\n{one},Natal\n{one},Recife\n{one},Recife\n"))
    assert counts(done) == (0, 2, 1, 0)
    assert hub.edits() == [(one, "update", {"city": "Recife"})]


def test_a_dry_run_says_the_same_and_changes_nothing(hub: Hub, write: Any) -> None:
    one = hub.ids()[0]
    path = write(f"id,city\n{one},Natal\n,Recife\nnobody,x\n")
    tried = hub.records("import", path, "--create", "--dry-run")
    assert hub.edits() == []
    done = hub.records("import", path, "--create")
    assert tried.json == {**done.json, "dry_run": True}
    assert tried.code == done.code == 3
    text = hub.records("import", path, "--dry-run", "-o", "table").out
    assert "Nothing was changed" in text and "there is no such record" in text


@pytest.mark.parametrize(
    ("text", "words", "says"),
    [
        ("id,citty\n1,x\n", (), "has no column 'citty'"),
        ("city\nx\n", (), "there is no column id"),
        ("id,city\n1,x\n", ("--key", "email"), "there is no column email"),
        ("id,city\n1,x\n", ("--key", "citty"), "did you mean 'city'?"),
        ("id,id\n1,x\n", (), "names 'id' twice"),
        ("", (), "begins without a header"),
    ],
)
def test_a_header_that_makes_no_sense_is_one_error(
    hub: Hub, write: Any, text: str, words: tuple[str, ...], says: str
) -> None:
    done = hub.records("import", write(text), *words, "-o", "tsv")
    assert done.code == 2 and says in done.err and "--input" not in done.err
    assert len(done.err.splitlines()) <= 2


def test_a_file_that_is_not_there_is_named(hub: Hub) -> None:
    done = hub.records("import", "/nowhere/in.csv", "-o", "tsv")
    assert done.code == 2 and "/nowhere/in.csv: No such file" in done.err


def test_stdin_and_a_form_that_the_name_does_not_say(hub: Hub, write: Any) -> None:
    one = hub.ids()[0]
    done = hub.records("import", "-", stdin=f"\ufeffid;city\n{one};Natal\n")
    assert counts(done) == (0, 1, 0, 0)
    path = write(json.dumps({"id": one, "city": "Recife"}))
    assert counts(hub.records("import", path, "--format", "jsonl")) == (0, 1, 0, 0)
    path = write(f"id,city\n{one},Olinda\n", "in.jsonl")
    assert counts(hub.records("import", path, "--format", "csv")) == (0, 1, 0, 0)


def test_people_see_the_first_rejected_rows_and_programs_more(hub: Hub, write: Any) -> None:
    path = write("id,city\n" + "".join(f"none{n},x\n" for n in range(1200)))
    done = hub.records("import", path, "-o", "table")
    assert done.code == 3 and done.out.count("there is no such record") == 20
    assert "1,180 more were rejected" in done.err
    assert len(hub.records("import", path).json["rows"]) == 1000


def test_what_the_provider_does_not_take_is_rejected(lab: Lab, write: Any) -> None:
    assert lab.lumio("sync", "hubspot/owners").code == 0
    one = lab.sql("SELECT id FROM hubspot_owners LIMIT 1")[0][0]
    path = write(f"id,email\n{one},x@b.example\n")
    done = lab.lumio("records", "import", "hubspot/owners", path)
    assert done.code == 3 and "cannot be changed" in done.document["rows"][0]["reason"]
    done = lab.lumio("records", "import", "hubspot/owners", path, "--create", "-o", "tsv")
    assert done.code == 2 and "cannot be created here" in done.err


def test_five_thousand_rows_by_key(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = pulled(tmp_path_factory.mktemp("many") / "home", 5000)
    hub = Hub(home)
    path = home / "in.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["email", "city"])
        for number, (email,) in enumerate(hub.sql("SELECT email FROM hubspot_contacts")):
            rows.writerow([email.upper(), f"City {number}"])
    done = hub.records("import", str(path), "--key", "email")
    assert done.code == 0 and counts(done) == (0, 5000, 0, 0)
    assert len(done.json["rows"]) == 1000
    assert hub.sql("SELECT count(*), count(DISTINCT edits) FROM lumio_outbox") == [(5000, 5000)]
    assert counts(hub.records("import", str(path), "--key", "email")) == (0, 0, 5000, 0)


def test_an_import_goes_on_while_another_program_reads(hub: Hub, write: Any) -> None:
    reader = sqlite3.connect(hub.home / "lumio.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM hubspot_contacts").fetchone()
    done = hub.records("import", write(f"id,city\n{hub.ids()[0]},Natal\n"))
    reader.close()
    assert done.code == 0 and len(hub.edits()) == 1

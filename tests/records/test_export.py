"""Taking records out: CSV and JSON lines, to stdout or to a file."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from support.cli import Done, lumio

from .conftest import TARGET, Hub


def export(hub: Hub, *words: str, terminal: bool = False) -> Done:
    return lumio("records", "export", TARGET, *words, home=hub.home, terminal=terminal)


def test_csv_has_the_id_and_what_the_provider_gives(hub: Hub) -> None:
    rows = list(csv.DictReader(io.StringIO(export(hub).out)))
    assert [row["id"] for row in rows] == [r[0] for r in hub.sql("SELECT id FROM hubspot_contacts")]
    assert next(iter(rows[0])) == "id" and not any(name.startswith("_") for name in rows[0])
    emails = hub.sql("SELECT email FROM hubspot_contacts WHERE id = ?", rows[0]["id"])
    assert emails == [(rows[0]["email"],)]


def test_jsonl_has_types_and_nulls(hub: Hub) -> None:
    one = hub.ids()[0]
    hub.records("set", one, "loyalty_points=7", "city=")
    words = ("--columns", "loyalty_points,city", "--where", f"id = '{one}'", "--format", "jsonl")
    assert json.loads(export(hub, *words).out) == {"loyalty_points": 7, "city": None}


def test_edits_are_exported_as_the_view_shows_them(hub: Hub) -> None:
    hub.records("create", "email=a@b.example")
    assert export(hub, "--columns", "email", "--where", "city = 'Natal'").out == "email\n"
    assert "a@b.example" in export(hub, "--columns", "email").out


def test_the_payload_is_the_providers_own_json(hub: Hub) -> None:
    lines = export(hub, "--payload").out.splitlines()
    assert len(lines) == 20 and all("properties" in json.loads(line) for line in lines)
    for words in (("--format", "csv"), ("--columns", "id")):
        assert export(hub, "--payload", *words).code == 2


def test_what_the_provider_is_yet_to_create_has_no_payload(hub: Hub, tmp_path: Path) -> None:
    hub.records("create", "email=a@b.example")
    path = tmp_path / "out.jsonl"
    done = export(hub, "--payload", "--out", str(path), "-o", "json")
    assert done.json["records"] == 20
    lines = path.read_text().splitlines()
    assert len(lines) == 20 and all("properties" in json.loads(line) for line in lines)
    assert export(hub, "--payload").out.splitlines() == lines


def test_programs_that_ask_for_json_get_a_stream_of_it(hub: Hub) -> None:
    lines = export(hub, "-o", "json").out.splitlines()
    assert len(lines) == 20 and all(json.loads(line)["id"] for line in lines)
    assert export(hub, "-o", "json", "--format", "csv").out.startswith("id,")


def test_a_form_that_lumio_does_not_write_is_not_written_under_its_name(
    hub: Hub, tmp_path: Path
) -> None:
    path = tmp_path / "out.xlsx"
    done = export(hub, "--out", str(path))
    assert (done.code, path.exists()) == (2, False)
    assert "lumio writes no .xlsx files" in done.err
    assert export(hub, "--out", str(path), "--format", "csv").code == 0


def test_a_file_gets_the_form_that_its_name_says(hub: Hub, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    done = export(hub, "--out", str(path), "-o", "json")
    assert done.json == {
        "target": TARGET,
        "records": 20,
        "format": "jsonl",
        "file": str(path),
        "safe": False,
        "formulas": 0,
    }
    assert len(path.read_text().splitlines()) == 20
    assert [p.name for p in tmp_path.glob("out*")] == ["out.jsonl"]


def test_an_error_in_the_middle_leaves_the_file_as_it_was(hub: Hub, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("precious")
    last = hub.sql("SELECT id FROM hubspot_contacts")[-1][0]
    where = f"abs(iif(id = '{last}', -9223372036854775807 - 1, 1)) = 1"
    assert export(hub, "--out", str(path), "--where", where).code == 2
    assert path.read_text() == "precious"
    assert [p.name for p in tmp_path.glob("out*")] == ["out.csv"]


def test_a_pipe_is_written_to_and_a_link_is_followed(hub: Hub, tmp_path: Path) -> None:
    pipe, found = tmp_path / "pipe.csv", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: found.append(pipe.read_text()), daemon=True)
    reader.start()
    assert export(hub, "--out", str(pipe)).code == 0
    reader.join(10)
    assert found == [export(hub).out] and pipe.is_fifo()
    link, target = tmp_path / "link.csv", tmp_path / "target.csv"
    target.write_text("old")
    link.symlink_to(target)
    assert export(hub, "--out", str(link)).code == 0
    assert link.is_symlink() and target.read_text() == found[0]


def test_a_file_that_cannot_be_written_is_named(hub: Hub, tmp_path: Path) -> None:
    done = export(hub, "--out", str(tmp_path / "none" / "out.csv"))
    assert done.code == 2 and "--out" in done.err and "No such file" in done.err


def test_a_bad_condition_prints_nothing_but_the_error(hub: Hub) -> None:
    done = export(hub, "--where", "cty = 1")
    assert done.code == 2 and done.out == "" and "no such column: cty" in done.err


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_terminal_gets_no_control_characters_and_a_pipe_gets_all(hub: Hub, form: str) -> None:
    one = hub.ids()[0]
    hub.records("set", one, "city=\x1b[31mred\u009b")
    words = ("--columns", "city", "--where", f"id = '{one}'", "--format", form)
    shown = export(hub, *words, terminal=True).out
    assert "red" in shown and "\x1b" not in shown and "\u009b" not in shown
    kept = export(hub, *words).out
    value = json.loads(kept)["city"] if form == "jsonl" else kept.splitlines()[1]
    assert value == "\x1b[31mred\u009b"


def test_a_pipe_gets_utf8_whatever_the_locale(hub: Hub) -> None:
    one = hub.ids()[0]
    hub.records("set", one, "city=Belém 東京")
    words = ("--columns", "city", "--where", f"id = '{one}'")
    done = subprocess.run(
        [sys.executable, "-m", "lumio_cli", "records", "export", TARGET, *words],
        env={"PATH": os.environ["PATH"], "LUMIO_HOME": str(hub.home), "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode() == "city\nBelém 東京\n"


# -- spreadsheets

FORMULAS = ("=HYPERLINK(1)", "@SUM(1)", "+cmd|' /C'!A0", "-2+A1", "\t=1", "＝1")
TEXTS = ("+55 11 98765-0009", "-5", "-1.50", "Ann", "a=b", "'quoted", "")


def test_a_file_for_a_spreadsheet_holds_no_formula(hub: Hub, tmp_path: Path) -> None:
    for record, value in zip(hub.ids(), (*FORMULAS, *TEXTS), strict=False):
        hub.records("set", record, f"company={value}")
    path = tmp_path / "out.csv"
    done = export(hub, "--columns", "id,company", "--out", str(path))
    assert "6 cells look like formulas" in done.err
    written = {row["id"]: row["company"] for row in csv.DictReader(path.open(newline=""))}
    for record, value in zip(hub.ids(), (*FORMULAS, *TEXTS), strict=False):
        assert written[record] == (f"'{value}" if value in FORMULAS else value)


def test_what_was_marked_comes_back_as_it_was(hub: Hub, tmp_path: Path) -> None:
    values = (*FORMULAS, *TEXTS, "'=already marked", "''=twice")
    for record, value in zip(hub.ids(), values, strict=False):
        hub.records("set", record, f"company={value}")
    for flag in ("--safe", "--no-safe"):
        path = tmp_path / f"{flag}.csv"
        export(hub, "--columns", "id,company", "--out", str(path), flag)
        done = lumio("records", "import", TARGET, str(path), "-o", "json", home=hub.home)
        counts = {k: n for k, n in done.json.items() if isinstance(n, int) and n and k != "dry_run"}
        assert (done.code, counts) == (0, {"unchanged": 20})


def test_a_stream_is_as_it_is_and_formulas_in_it_are_told_of(hub: Hub) -> None:
    hub.records("set", hub.ids()[0], "company==1+1")
    done = export(hub, "--columns", "company")
    assert "\n=1+1\n" in done.out
    assert "1 cells look like formulas to a spreadsheet" in done.err
    assert "\n'=1+1\n" in export(hub, "--columns", "company", "--safe").out
    assert export(hub, "--columns", "company", "--no-safe").err == ""

"""`lumio failures`: shown, tried again, closed by hand."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.app import run
from lumio_cli.sandbox import Sandbox
from lumio_cli.sync.run_locks import target_lock
from support.cli import Stream, lumio
from support.lab import copy_home

FAULTS = (
    "badid:path=/crm/objects/2026-03/contacts:times=1",
    "huge:1:path=/crm/objects/2026-03/deals:times=1",
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with two failures: a contact whose id is none, and a deal that is too large."""
    home = tmp_path_factory.mktemp("home")
    with Sandbox(records=6, faults=FAULTS) as sandbox:
        env = {
            "LUMIO_HUBSPOT_TOKEN": sandbox.token(),
            "LUMIO_PROVIDERS__HUBSPOT__BASE_URL": sandbox.base_url(),
            "LUMIO_SYNC__MAX_RECORD": "100k",
        }
        words = ("sync", "hubspot/contacts", "hubspot/deals")
        assert lumio(*words, home=home, env=env).code == 3
    yield home


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Path:
    return copy_home(template, tmp_path / "home")


def answer(home: Path, *words: str, code: int = 0) -> Any:
    done = lumio("failures", *words, "-o", "json", home=home)
    assert done.code == code, done.out
    return done.json


def letters(home: Path, *words: str) -> dict[str, dict[str, Any]]:
    """The listed failures by resource."""
    return {x["resource"]: x for x in answer(home, "list", *words)["failures"]}


def sql(home: Path, statement: str, *values: Any) -> list[Any]:
    with closing(sqlite3.connect(home / "lumio.db", isolation_level=None)) as db:
        return db.execute(statement, values).fetchall()


def give_id(home: Path, record_id: str, **changes: Any) -> int:
    """Make the kept contact a good record, as another setting would; returns its failure's id."""
    letter = letters(home)["contacts"]
    record = answer(home, "show", str(letter["id"]))["payload"]
    text = json.dumps({**record, "id": record_id, **changes})
    sql(home, "UPDATE lumio_dead_letters SET payload = ? WHERE id = ?", text, letter["id"])
    return int(letter["id"])


def contacts(home: Path) -> tuple[int, int]:
    """The recorded and the real number of contacts."""
    recorded = sql(home, "SELECT records FROM lumio_resources WHERE resource = 'contacts'")
    counted = sql(home, "SELECT count(*) FROM hubspot_contacts")
    return recorded[0][0], counted[0][0]


# -- list and show


def test_where_there_is_no_hub(tmp_path: Path) -> None:
    assert answer(tmp_path, "list") == {"failures": [], "more": False}
    kinds = ("stored", "failed", "left", "pending", "closed", "hints")
    assert answer(tmp_path, "retry") == {kind: [] for kind in kinds}
    assert "there is no failure 1" in answer(tmp_path, "show", "1", code=2)["error"]["message"]
    assert list(tmp_path.iterdir()) == []


def test_the_list(home: Path) -> None:
    found = letters(home)
    assert {name: x["kind"] for name, x in found.items()} == {
        "contacts": "bad_id",
        "deals": "too_large",
    }
    assert set(letters(home, "hubspot/deals")) == {"deals"}
    assert set(letters(home, "hubspot")) == {"contacts", "deals"}
    assert answer(home, "list", "--limit", "1")["more"] is True
    assert "--limit" in lumio("failures", "list", "--limit", "1", home=home).err
    lines = lumio("failures", "list", home=home).out.splitlines()
    assert lines[0].split("\t")[:3] == ["id", "target", "record_id"]
    assert len(lines) == 3


@pytest.mark.parametrize("target", ["hubspt", "hubspot/contcts", "hubspot/"])
def test_an_unknown_target(home: Path, target: str) -> None:
    assert answer(home, "list", target, code=2)["error"]["code"] == "usage"


def test_one_with_its_record(home: Path) -> None:
    number = str(letters(home)["contacts"]["id"])
    told = answer(home, "show", number)
    assert isinstance(told["payload"]["id"], dict)
    shown = lumio("failures", "show", number, home=home, terminal=True).out
    assert '\n  "properties": {\n' in shown
    plain = lumio("failures", "show", number, home=home).out.splitlines()
    assert json.loads(dict(line.split("\t", 1) for line in plain)["payload"].replace("\\\\", "\\"))


def test_a_record_cannot_move_the_cursor(home: Path) -> None:
    number = give_id(home, "1", evil="\x1b[2J\x9b\u202e")
    for terminal in (True, False):
        shown = lumio("failures", "show", str(number), home=home, terminal=terminal).out
        shown = shown.replace("\x1b[", "", 0)
        assert "\x1b[2J" not in shown
        assert "\x9b" not in shown
        assert "\u202e" not in shown
    sql(home, "UPDATE lumio_dead_letters SET payload = ? WHERE id = ?", '{"cut\x1b[2J', number)
    assert "\x1b[2J" not in lumio("failures", "show", str(number), home=home, terminal=True).out
    assert answer(home, "show", str(number))["payload"] == '{"cut\x1b[2J'


def test_one_whose_record_was_not_kept(home: Path) -> None:
    number = str(letters(home)["deals"]["id"])
    assert answer(home, "show", number)["payload"] is None
    assert "not kept" in lumio("failures", "show", number, home=home, terminal=True).out


@pytest.mark.parametrize("word", ["99", "0", "-1", "x", "99999999999999999999999"])
def test_an_id_that_is_none(home: Path, word: str) -> None:
    for command in (["show", "--", word], ["drop", "--yes", "--", word], ["retry", "--", word]):
        assert lumio("failures", *command, home=home).code == 2


# -- drop


def test_closed_by_hand(home: Path) -> None:
    number = str(letters(home)["deals"]["id"])
    assert answer(home, "drop", number, code=2)["error"]["hint"] == "use --yes"
    unknown = answer(home, "drop", number, "99", "--yes", code=2)
    assert "99" in unknown["error"]["message"]
    assert "deals" in letters(home)
    dropped = answer(home, "drop", number, number, "--yes")
    assert dropped == {"dropped": [int(number)], "closed_before": [], "edits_dropped": []}
    assert "deals" not in letters(home)
    assert letters(home, "--all")["deals"]["resolution"] == "dropped"
    assert answer(home, "drop", number, "--yes")["closed_before"] == [int(number)]


def test_it_asks(home: Path) -> None:
    number = str(letters(home)["deals"]["id"])

    def say(text: str) -> int:
        environ = {"LUMIO_HOME": str(home)}
        stdin, out, err = Stream(f"{text}\n", terminal=True), Stream(), Stream(terminal=True)
        words = ["failures", "drop", number]
        return run(words, environ=environ, stdin=stdin, stdout=out, stderr=err)

    assert say("no") == 2
    assert "deals" in letters(home)
    assert say("drop") == 0
    assert "deals" not in letters(home)


# -- retry


def test_what_still_fails_stays_and_what_was_not_kept_is_named(home: Path) -> None:
    before = letters(home)["contacts"]
    done = answer(home, "retry", code=3)
    assert [x["resource"] for x in done["failed"]] == ["contacts"]
    assert [x["resource"] for x in done["left"]] == ["deals"]
    assert done["hints"] == ["lumio sync hubspot/deals --mode full"]
    after = letters(home)["contacts"]
    assert (after["id"], after["attempts"]) == (before["id"], before["attempts"] + 1)
    assert after["record_id"] == before["record_id"]
    assert answer(home, "show", str(after["id"]))["payload"] is not None
    told = lumio("failures", "retry", home=home)
    assert told.code == 3
    assert "lumio sync hubspot/deals --mode full" in told.err
    assert contacts(home) == (5, 5)


def test_what_is_good_now_is_stored(home: Path) -> None:
    number = give_id(home, "424242")
    done = answer(home, "retry", str(number))
    assert [(x["id"], x["record_id"]) for x in done["stored"]] == [(number, "424242")]
    assert contacts(home) == (6, 6)
    assert letters(home, "--all")["contacts"]["resolution"] == "stored"
    assert sql(home, "SELECT email IS NOT NULL FROM hubspot_contacts WHERE id = '424242'") == [(1,)]
    again = answer(home, "retry", str(number))
    assert again["stored"] == []
    assert contacts(home) == (6, 6)


@pytest.mark.parametrize(("when", "wins"), [("2000-01-01T00:00:00Z", False),
                                            ("2999-01-01T00:00:00Z", True),
                                            ("whenever", False)])  # fmt: skip
def test_an_older_version_does_not_replace_a_newer_one(home: Path, when: str, wins: bool) -> None:
    held = str(sql(home, "SELECT id FROM hubspot_contacts LIMIT 1")[0][0])
    number = give_id(home, held, updatedAt=when, properties={"email": "kept@example.org"})
    answer(home, "retry", str(number))
    email = sql(home, "SELECT email FROM hubspot_contacts WHERE id = ?", held)[0][0]
    assert (email == "kept@example.org") is wins
    assert contacts(home) == (5, 5)


def test_a_run_that_holds_the_resource(home: Path) -> None:
    lock = target_lock(home / "locks", "hubspot", "contacts")
    assert lock.try_acquire()
    try:
        number = give_id(home, "424242")
        assert answer(home, "retry", str(number), code=6)["error"]["code"] == "target_busy"
    finally:
        lock.release()
    assert letters(home)["contacts"]["attempts"] == 1


def test_a_record_that_was_cut_is_left(home: Path) -> None:
    sql(home, "UPDATE lumio_dead_letters SET payload = substr(payload, 1, 20)")
    done = answer(home, "retry", code=3)
    assert {x["resource"] for x in done["left"]} == {"contacts", "deals"}

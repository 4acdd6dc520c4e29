"""What becomes of an edit in each state, whatever happens: the tables of `edit-lifecycle.md`, and
the SQL that does the same to many at once."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import get_args

import pytest

from lumio_cli.hub import edit_events as events
from lumio_cli.hub.edit_events import Event
from lumio_cli.hub.edits import Edit, ImpossibleError, State, after
from lumio_cli.hub.sqlite import outbox, records, views
from lumio_cli.hub.sqlite.columns import Abilities, ViewColumn
from lumio_cli.hub.sqlite.database import Hub

PAGE = Path(__file__).parents[2] / "docs" / "internals" / "edit-lifecycle.md"
NAME = ("acme", "people")
LOCAL = "new-0123456789abcdef"
KNOWN = Edit(*NAME, "1", "update", {"age": 2}, {"age": 1}, key="k")
NEW = Edit(*NAME, LOCAL, "create", {"age": 2}, key="k")
DOUBT = replace(NEW, attempt_rid=3, sent={"age": 2})
KINDS = {
    "A record that the provider knows": KNOWN,
    "A new record": NEW,
    "A new record in doubt": DOUBT,
}
FOUGHT = {"kind": "edit", "fields": {"age": 3}}
SAMPLES: dict[str, Event] = {
    "EditedAgain": events.EditedAgain(),
    "RecordDeleted": events.RecordDeleted(),
    "Requeued": events.Requeued(),
    "Dropped": events.Dropped(),
    "Claimed": events.Claimed("run", "2026-01-01T00:00:00Z"),
    "Interrupted": events.Interrupted(7),
    "Restored": events.Restored(7),
    "Done": events.Done(),
    "Done, edited meanwhile": events.Done({"age": 5}, {"age": 2}),
    "Unanswered": events.Unanswered("no answer", "2026-01-01T00:00:00Z", 7, None),
    "Postponed": events.Postponed("later", None),
    "Refused": events.Refused("validation", "no", 1, None),
    "Refused, edited meanwhile": events.Refused("validation", "no", 0, None),
    "FoundGone": events.FoundGone(None),
    "Identified": events.Identified(),
    "NotFound": events.NotFound(),
    "Alike": events.Alike("one is like it"),
    "Protected": events.Protected(),
    "Unheard": events.Unheard("it may yet come"),
    "Compared": events.Compared({"age": 2}, {"age": 1}, None),
    "Compared, a conflict": events.Compared({"age": 2}, {"age": 1}, FOUGHT),
    "Moved": events.Moved("9", "update", {"age": 2}, {"age": 1}),
    "Joined": events.Joined({"age": 2}, {"age": 1}, "2026-01-01T00:00:00Z"),
}


def tables() -> dict[tuple[str, str, State], str]:
    """What the page says, by kind of record, event and state."""
    found = {}
    for kind, body in re.findall(
        r"^### ([^\n]+)\n(.*?)(?=^### |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL
    ):
        for line in re.findall(r"^\| ([A-Z].*) \|$", body, re.MULTILINE):
            name, *results = line.split(" | ")
            for state, result in zip(State, results, strict=True):
                found[kind, name, state] = result
    return found


SAID = tables()


def became(edit: Edit, event: Event) -> str:
    try:
        left = after(edit, event)
    except ImpossibleError:
        return "never"
    return "none" if left is None else left.status


def test_every_event_is_tried_and_every_pair_is_in_the_tables() -> None:
    assert {type(event) for event in SAMPLES.values()} == set(get_args(Event))
    assert set(SAID) == set(product(KINDS, SAMPLES, State))


@pytest.mark.parametrize("kind", KINDS)
def test_an_edit_becomes_what_the_page_says(kind: str) -> None:
    wrong = {
        (name, state): (became(replace(KINDS[kind], status=state), event), SAID[kind, name, state])
        for (name, event), state in product(SAMPLES.items(), State)
    }
    assert {pair: both for pair, both in wrong.items() if both[0] != both[1]} == {}


def test_the_diagram_has_all_states() -> None:
    drawn = set(re.findall(r"^ +(\w+) --> ", PAGE.read_text(), re.MULTILINE))
    assert drawn == set(State)


def test_what_was_not_taken_of_a_deletion_deletes_still() -> None:
    deletion = replace(KNOWN, action="delete", edits={}, status=State.SENDING)
    left = after(deletion, events.Done({}, {"age": 2}))
    assert left is not None and (left.action, left.base) == ("delete", {"age": 2})


@pytest.mark.parametrize("event", [SAMPLES["Postponed"], SAMPLES["Refused"]])
def test_a_new_record_that_was_deleted_while_it_was_sent(event: Event) -> None:
    """Nothing is left of it, unless an earlier request may have made it."""
    gone = replace(NEW, action="delete", status=State.SENDING)
    assert became(gone, event) == "none"
    assert became(replace(gone, attempt_rid=3), event) == State.UNKNOWN


def test_the_second_attempt_of_a_create_in_doubt_keeps_what_was_sent_first() -> None:
    edited = replace(DOUBT, edits={"age": 9})
    assert after(edited, SAMPLES["Claimed"]) == replace(
        edited, status=State.SENDING, sent={"age": 2}, run_id="run", attempts=1,
        attempted_at="2026-01-01T00:00:00Z",
    )  # fmt: skip


# -- the same in SQL


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A hub with a view of people that can be edited."""
    with Hub.open(tmp_path / "lumio.db") as hub, hub.transaction() as db:
        records.ensure_table(db, *NAME)
        column = ViewColumn("age", "age", "integer", False)
        views.rebuild_view(db, *NAME, (column,), Abilities(True, True, True))
        row = records.Row("1", b"", None, None, '{"age": 1}')
        records.upsert(db, records.raw_table(*NAME), [row], 1, "2026-01-01T00:00:00Z")
        yield db


def there(db: sqlite3.Connection, edit: Edit) -> Edit | None:
    return outbox.find(db, *NAME, edit.record)


@pytest.mark.parametrize(("kind", "state"), list(product(KINDS, State)))
def test_sql_does_what_is_said_here(db: sqlite3.Connection, kind: str, state: State) -> None:
    start = replace(KINDS[kind], status=state, kind="validation" if state == "failed" else None)
    rid = records.last_rid(db, records.raw_table(*NAME))

    def put() -> Edit:
        outbox.save(db, start)
        return start

    if state is State.PENDING:
        outbox.claim(db, [put()], "run", "2026-01-01T00:00:00Z")
        assert there(db, start) == after(start, SAMPLES["Claimed"])
    put()
    outbox.recover(db, *NAME, rid)
    assert there(db, start) == after(start, events.Interrupted(rid))
    put()
    outbox.doubt_new(db)
    assert there(db, start) == after(start, events.Restored(rid))
    put()
    db.execute("UPDATE acme_people SET age = 3 WHERE id = ?", [start.record])
    edited = there(db, start)
    assert edited is not None
    assert replace(edited, edits=start.edits, base=start.base, edited_at="") == after(
        start, events.EditedAgain()
    )
    put()
    db.execute("DELETE FROM acme_people WHERE id = ?", [start.record])
    deleted, said = there(db, start), after(start, events.RecordDeleted())
    if deleted is not None:
        deleted = replace(deleted, edited_at="", base=start.base)
    assert deleted == said


def test_a_state_that_is_none_is_not_sent(db: sqlite3.Connection) -> None:
    outbox.save(db, KNOWN)
    db.execute("UPDATE lumio_outbox SET status = 'whatever'")
    left = there(db, KNOWN)
    assert left is not None and left.status is State.FAILED

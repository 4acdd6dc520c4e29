"""The ledger of messages in the hub."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from lumio_cli.hub.sqlite import records, sends
from lumio_cli.hub.sqlite.database import Hub
from lumio_cli.services.messaging.recipient_history import HubPast
from support.older import take_back


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return Hub.open(tmp_path / "lumio.db")


def begin(hub: Hub, name: str = "news", **values: object) -> sends.SendRow:
    facts = {
        "send_id": f"id-{name}", "provider": "p", "account": "7", "digest": b"d", "total": 3,
        "boot": "b", "now": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    with sends.durable(hub) as db:
        return sends.begin_send(db, name=name, **{**facts, **values})  # type: ignore[arg-type]


def entry(position: int, status: str = "sending", run: int = 1) -> sends.Entry:
    at = f"2026-01-01T00:00:0{position}Z"
    return sends.Entry(position, f"r{position}", "note", b"d", status, None, None, None, run, at)


def test_a_send_is_begun_once_and_gone_on_with(hub: Hub) -> None:
    first = begin(hub)
    again = begin(hub, send_id="another", boot="c")
    assert (again.id, again.send_id, again.runs, again.boot) == (first.id, "id-news", 2, "c")
    with hub.transaction() as db:
        sends.finish_send(db, first.id, "succeeded", "t")
    found = sends.find_send(hub.connection, "p", "news")
    assert found is not None
    assert (found.status, found.finished_at) == ("succeeded", "t")
    assert sends.find_send(hub.connection, "q", "news") is None


def test_what_becomes_of_messages(hub: Hub) -> None:
    row = begin(hub)
    update = sends.Update("sent", "m-1", None, None, 2, "t")
    with hub.transaction() as db:
        sends.store_entries(db, row.id, [entry(1), entry(2, "failed"), entry(3, "unknown")])
        sends.update_entries(db, row.id, {1: update})
    db = hub.connection
    assert sends.read_entries(db, row.id, 1, 1)[1].message_id == "m-1"
    assert sends.count_entries(db, row.id)["sent"] == 1
    assert sends.count_entries(db, row.id, 1)["sent"] == 0
    assert sends.positions_of(db, row.id, "failed") == [2]
    assert sends.newest(db, row.id, "unknown") == "2026-01-01T00:00:03Z"
    assert [e.position for e in sends.list_entries(db, row.id)] == [3, 2, 1]
    assert [e.position for e in sends.list_entries(db, row.id, ["sent", "failed"], 1)] == [2]
    with hub.transaction() as tx:
        assert sends.change_status(tx, row.id, "unknown", "pending", "t") == 1
    assert sends.positions_of(db, row.id, "pending") == [3]


def test_sends_by_name_and_by_the_beginning_of_their_id(hub: Hub) -> None:
    for name in ("one", "two"):
        begin(hub, name)
    assert [s.name for s in sends.list_sends(hub.connection)] == ["two", "one"]
    assert sends.list_sends(hub.connection, "q") == []
    assert [s.name for s in sends.named_sends(hub.connection, "one")] == ["one"]
    assert len(sends.named_sends(hub.connection, "id-")) == 2
    assert sends.named_sends(hub.connection, "%") == []


def test_what_is_taken_is_on_the_disk_before_anybody_may_send_it(hub: Hub) -> None:
    def waits_for_disk(db: sqlite3.Connection) -> bool:
        return int(db.execute("PRAGMA synchronous").fetchone()[0]) == 2

    with sends.durable(hub) as db:
        assert waits_for_disk(db)
    with hub.transaction() as db:
        assert not waits_for_disk(db)
    with pytest.raises(RuntimeError), sends.durable(hub):
        raise RuntimeError
    assert not waits_for_disk(hub.connection)


def test_digests_are_the_hubs_own(hub: Hub, tmp_path: Path) -> None:
    other = Hub.open(tmp_path / "other.db")
    assert sends.salted(hub.connection, b"x") == sends.salted(hub.connection, b"x")
    assert sends.salted(hub.connection, b"x") != sends.salted(other.connection, b"x")


def test_where_the_same_was_sent_before(hub: Hub) -> None:
    old, new, other = begin(hub, "old"), begin(hub, "new"), begin(hub, "other", provider="q")
    states = ("sent", "unknown", "failed", "held")
    with hub.transaction() as db:
        for row in (old, other):
            marked = [
                entry(n, status)._replace(digest=status.encode()) for n, status in enumerate(states)
            ]
            sends.store_entries(db, row.id, marked)
        # What was certainly sent by one goes before what may have been by another.
        sends.store_entries(db, new.id, [entry(9, "unknown")._replace(digest=b"sent", at="2027")])
    digests = [*(status.encode() for status in states), b"nothing"]
    found = sends.sent_before(hub.connection, "p", None, digests)
    assert {d: (f.name, f.status) for d, f in found.items()} == {
        b"sent": ("old", "sent"), b"unknown": ("old", "unknown"), b"held": ("old", "held"),
    }  # fmt: skip
    assert list(sends.sent_before(hub.connection, "p", old.id, digests)) == [b"sent"]
    plan = hub.connection.execute(
        "EXPLAIN QUERY PLAN SELECT 1 FROM lumio_messages WHERE digest IN (?, ?)", [b"1", b"2"]
    ).fetchall()
    assert any("lumio_messages_digest" in row[3] for row in plan)


def test_the_ledger_of_an_older_lumio_is_kept(hub: Hub) -> None:
    row = begin(hub)
    with hub.transaction() as db:
        sends.store_entries(db, row.id, [entry(1, "sent")])
    take_back(hub.connection, 8)
    with Hub.open(hub.path) as newer:
        found = sends.read_entries(newer.connection, row.id, 1, 1)
        assert found == {1: entry(1, "sent")}
        assert b"d" in sends.sent_before(newer.connection, "p", None, [b"d"])


# -- what the hub knows of recipients


def fill(hub: Hub, *documents: object) -> None:
    with hub.transaction() as db:
        records.ensure_table(db, "p", "messages")
        table = records.raw_table("p", "messages")
        rows = [
            records.Row(str(n), b"", None, None, json.dumps(document))
            for n, document in enumerate(documents)
        ]
        records.upsert(db, table, rows, 1, "t")


def test_the_latest_of_each_recipient(hub: Hub) -> None:
    fill(
        hub,
        {"from": "a", "at": "2026-01-02", "type": "text"},
        {"from": "a", "at": "2026-01-01", "type": "text"},
        {"from": "a", "at": "2026-01-03", "type": "status"},
        {"from": "b", "at": 17, "type": "text"},
        {"from": None, "at": "2027", "type": "text"},
        {"from": "c", "type": "text"},
    )
    past = HubPast(hub.connection, "p")
    assert past.latest("messages", {"from": "a"}, "at") == "2026-01-03"
    assert past.latest("messages", {"from": "a", "type": "text"}, "at") == "2026-01-02"
    assert past.latest("messages", {"from": "b"}, "at") == "17"
    assert past.latest("messages", {"from": "c"}, "at") is None
    assert past.latest("messages", {"from": "d"}, "at") is None
    assert past.latest("messages", {}, "type") == "text"
    assert past.latest("nothing", {"from": "a"}, "at") is None
    assert HubPast(None, "p").latest("messages", {"from": "a"}, "at") is None


def test_deleted_records_are_not_the_past(hub: Hub) -> None:
    fill(hub, {"from": "a", "at": "1"})
    with hub.transaction() as db:
        records.mark_deleted(db, records.raw_table("p", "messages"), ["0"], 2, "t")
    assert HubPast(hub.connection, "p").latest("messages", {"from": "a"}, "at") is None


def test_thousands_of_questions_are_one_pass(hub: Hub) -> None:
    fill(hub, *({"from": f"n{n}", "at": str(n)} for n in range(2000)))
    asked: list[str] = []
    hub.connection.set_trace_callback(asked.append)
    past = HubPast(hub.connection, "p")
    assert [past.latest("messages", {"from": f"n{n}"}, "at") for n in range(2000)] == [
        str(n) for n in range(2000)
    ]
    assert sum("max(" in statement for statement in asked) == 1
    past.forget()
    past.latest("messages", {"from": "n1"}, "at")
    assert sum("max(" in statement for statement in asked) == 2

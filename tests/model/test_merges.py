"""Whatever is edited, merged and pulled in whatever order: nothing is created or deleted by itself,
nobody's value is overwritten unseen, and no edit is lost.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lumio_cli.hub.sqlite import outbox
from lumio_cli.sync.merging.merge import Policy
from lumio_cli.sync.model import Direction, Mode
from model.depot import Shape, Wrote
from model.world import Fault, FaultKind, World

PEOPLE = "people"
FIELDS = ("age", "mail")


class Place:
    """A world with four people, and what has been done in it."""

    def __init__(self, home: Path, deletes: Any) -> None:
        shape = Shape(deletes=deletes)
        self.world = World(home, shape)
        self.server = self.world.server
        for number in range(4):
            values = {"name": f"n{number}"} | (
                {"age": "1"} if number % 2 else {"mail": "b@x.example"}
            )
            self.server.create("provider", PEOPLE, values)
        self.world.clock.advance(100.0)
        self.world.sync("pull", "ask")
        self.edits: list[tuple[str, str, str, int]] = []
        self.number = 10

    def _value(self, name: str) -> str:
        """A value that nobody has set before."""
        self.number += 1
        return str(self.number) if name == "age" else f"m{self.number}@x.example"

    def edit(self, pick: int, field: int) -> None:
        rows = self.world.sql("SELECT * FROM depot_people ORDER BY id")
        row, name = rows[pick % len(rows)], FIELDS[field]
        value = self._value(name)
        self.world.sql(f"UPDATE depot_people SET {name} = ? WHERE id = ?", value, row["id"])
        self.edits.append((row["id"], name, value, self.server.tick()))

    def change(self, pick: int, field: int) -> None:
        ids = sorted(self.server.live[PEOPLE])
        name = FIELDS[field]
        values = {name: self._value(name)}
        self.server.change("provider", PEOPLE, ids[pick % len(ids)], values)

    def merge(self, pick: int, other: int) -> None:
        ids = sorted(self.server.live[PEOPLE])
        if len(ids) < 2:
            return
        winner = ids[pick % len(ids)]
        loser = [i for i in ids if i != winner][other % (len(ids) - 1)]
        self.server.merge(winner, loser)

    def answers_for(self, record: str) -> str:
        return self.server.survivors.get(record, record)

    def judge(self) -> None:
        log = [w for w in self.server.log if w.side == "hub"]
        assert not [w for w in log if not w.name], "the hub has created or deleted somebody"
        left = {e.record: e for e in outbox.walk(self.world.shell, "depot", PEOPLE)}
        for record, name, value, at in self.edits:
            heir = self.answers_for(record)
            later = [e for e in self.edits if e[0] in (record, heir) and e[1] == name and e[3] > at]
            has = [w for w in log if w.name == name and str(w.value) == value and w.at > at]
            waits = [e for e in left.values() if str(e.edits.get(name)) == value]
            there = [
                w
                for w in self.server.log
                if w.name == name and str(w.value) == value and w.record in (record, heir)
            ]
            assert later or has or waits or there, f"{record}.{name} = {value!r} is lost: {left}"
        for wrote in log:
            self._judge_write(wrote)
        for edit in left.values():
            assert edit.status == "conflict", edit
            assert self.answers_for(edit.record) in self.server.live[PEOPLE], edit
            note = edit.conflict or {}
            if edit.record not in self.server.live[PEOPLE]:
                assert (note["kind"], note["into"]) == ("merged", self.answers_for(edit.record))

    def _judge_write(self, wrote: Wrote) -> None:
        """What an edit of another record has overwritten was nothing, or what that record had."""
        same = [e for e in self.edits if (e[1], e[2]) == (wrote.name, str(wrote.value))]
        if any(record == wrote.record for record, *_ in same):
            return
        log = [w for w in self.server.log if w.name == wrote.name and w.at < wrote.at]
        before = [w.value for w in log if w.record == wrote.record][-1]
        had = {str(w.value) for w in log for record, *_ in same if w.record == record}
        assert not before or str(before) in had, f"{before!r} is overwritten by {wrote}"


STEP = st.tuples(
    st.sampled_from(["edit", "edit", "edit", "change", "merge", "sync", "sync", "fault"]),
    st.integers(0, 3),
    st.integers(0, 2),
    st.integers(0, 2),
)
POLICIES: list[Policy] = ["ask", "local", "local"]
"""Those that give nothing up for the provider's values."""
DIRECTIONS: list[Direction] = ["both", "pull", "push"]
KINDS: list[FaultKind] = ["lost", "killed after", "refused"]


@settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    steps=st.lists(STEP, min_size=3, max_size=14),
    deletes=st.sampled_from([("tombstones",), ("sweep",), ("tombstones", "sweep")]),
)
def test_merges_in_any_order_lose_and_invent_nothing(steps: Any, deletes: Any) -> None:
    with tempfile.TemporaryDirectory(prefix="lumio-merges-") as home:
        path = Path(home) / "home"
        path.mkdir()
        place = Place(path, deletes)
        try:
            for what, one, two, three in steps:
                if what == "edit":
                    place.edit(one, two % 2)
                elif what == "change":
                    place.change(one, two % 2)
                elif what == "merge":
                    place.merge(one, two)
                elif what == "sync":
                    mode: Mode = "full" if one == 0 else "incremental"
                    place.world.sync(DIRECTIONS[two], POLICIES[three], mode)
                else:
                    place.world.sync("both", POLICIES[three], fault=Fault(KINDS[two], 0))
                place.world.clock.advance(70.0)
            for _ in range(3):
                place.world.sync("both", "ask", "full")
                place.world.clock.advance(70.0)
            place.judge()
        finally:
            place.world.close()

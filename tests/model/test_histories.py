"""Whatever happens in a hub and at its provider, in any order and with any fault: in the end they
agree, nothing is lost but by the stated policy, and nothing is there twice.

`LUMIO_MODEL_HISTORIES` is how many histories are tried (100 unless told; 2,000 every night, then
other ones each time).
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from lumio_cli.hub.edits import Edit, is_local
from lumio_cli.hub.sqlite import outbox
from lumio_cli.sync.merging import reconcile
from lumio_cli.sync.merging.merge import Policy
from lumio_cli.sync.model import Direction, Mode
from model.depot import Shape
from model.hands import Hands
from model.ledger import Ledger, Note
from model.world import Fault, FaultKind, World

HISTORIES = int(os.environ.get("LUMIO_MODEL_HISTORIES", "100"))
TWICE = 2
"""The two machines share the histories."""
SETTINGS = settings(
    max_examples=max(1, HISTORIES // TWICE),
    stateful_step_count=30,
    derandomize=HISTORIES <= 100,
    deadline=None,
    database=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
OF = st.sampled_from(["people", "people", "teams"])
PICK, NUMBER = st.integers(0, 5), st.integers(0, 3)
FIELD = st.sampled_from([0, 1, 1, 1, 2, 2, 3, 4, 5, 6, 7, 7, 8])
AT = st.sampled_from([0, 0, 0, 1, 1, 2, 4])
SOON = st.sampled_from([0, 0, 1])
Work = tuple[str, str, int, int, int]
"""What is done, to which resource, and to which record, field and value, by numbers."""
HERE: st.SearchStrategy[Work] = st.tuples(
    st.sampled_from(["edit", "edit", "insert", "insert", "delete"]), OF, PICK, FIELD, NUMBER
)
MEANWHILE: st.SearchStrategy[Work] = st.tuples(
    st.sampled_from(["revise", "revise", "edit", "insert", "delete", "discard"]),
    OF, PICK, FIELD, NUMBER,
)  # fmt: skip
THERE: st.SearchStrategy[Work] = st.tuples(
    st.sampled_from(["change", "change", "create", "remove", "restore", "merge"]),
    OF,
    PICK,
    FIELD,
    NUMBER,
)
QUARREL = st.sampled_from(["one field", "here last", "delete here", "delete there"])
PUSHES: st.SearchStrategy[Direction] = st.sampled_from(["both", "push"])
POLICY: st.SearchStrategy[Policy] = st.sampled_from(["ask", "provider", "local", "newest"])
DIRECTION: st.SearchStrategy[Direction] = st.sampled_from(["both", "push", "pull"])
MODE: st.SearchStrategy[Mode] = st.sampled_from(["incremental", "incremental", "full"])
FAULTS: st.SearchStrategy[FaultKind] = st.sampled_from(
    ["lost", "never", "refused", "invalid", "killed before", "killed after", "killed inside"]
)
DAY = 86_400.0
_HOME = Path(tempfile.mkdtemp(prefix="lumio-model-"))
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)


class Histories(RuleBasedStateMachine):
    """Edits on both sides, runs, faults, time and decisions."""

    unique: ClassVar[bool] = False
    count: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        Histories.count += 1
        self.home = _HOME / str(Histories.count)
        self.home.mkdir()

    @initialize(
        deletes=st.sampled_from([("tombstones",), ("sweep",), ("tombstones", "sweep")]),
        tells=st.sampled_from(["whole", "written", "id"]),
        last=st.sampled_from(["local", "provider"]),
    )
    def begin(self, deletes: Any, tells: Any, last: Policy) -> None:
        self.world = World(self.home, Shape(self.unique, deletes, tells))
        self.ledger = Ledger(self.world.server)
        self.hands = Hands(self.world, self.ledger)
        self.last: Policy = last
        self.hands.create("teams", 0, 2)
        for number in range(4):
            self.hands.create("people", number, 2)
        self.hand = 0
        self._policy("ask")
        self.world.sync("pull", "ask")

    def _policy(self, policy: Policy) -> None:
        """The run that is about to begin goes by this policy."""
        self.ledger.in_force(f"run-{self.world.runs + 1:04}", policy)

    @rule(work=st.lists(HERE, min_size=1, max_size=4))
    def work_here(self, work: list[Work]) -> None:
        for piece in work:
            self.hands.work(*piece)

    @rule(work=st.lists(THERE, min_size=1, max_size=4))
    def work_there(self, work: list[Work]) -> None:
        for piece in work:
            self.hands.work(*piece)

    @rule(of=OF, how=QUARREL, pick=PICK, field=FIELD, here=NUMBER, there=NUMBER)
    def work_on_one_record(
        self, of: str, how: str, pick: int, field: int, here: int, there: int
    ) -> None:
        self.hands.quarrel(of, how, pick, field, here, there)

    @rule(direction=DIRECTION, policy=POLICY, mode=MODE)
    def sync(self, direction: Direction, policy: Policy, mode: Mode) -> None:
        self._policy(policy)
        self.world.sync(direction, policy, mode)

    @rule(
        direction=PUSHES, policy=POLICY, kind=FAULTS, at=AT, inside=st.integers(0, 40),
        work=st.lists(HERE, max_size=3),
    )  # fmt: skip
    def sync_with_a_fault(
        self, direction: Direction, policy: Policy, kind: FaultKind, at: int, inside: int,
        work: list[Work],
    ) -> None:  # fmt: skip
        self.work_here(work)
        self._policy(policy)
        fault = Fault(kind, inside if kind == "killed inside" else at)
        self.world.sync(direction, policy, fault=fault)

    @rule(
        direction=DIRECTION, policy=POLICY, at=AT, work=st.lists(HERE, max_size=2), meanwhile=HERE,
    )  # fmt: skip
    def sync_with_an_edit_meanwhile(
        self, direction: Direction, policy: Policy, at: int, work: list[Work], meanwhile: Work,
    ) -> None:  # fmt: skip
        self.work_here(work)
        self._policy(policy)
        fault = Fault("edit", at, False, lambda: self.hands.work(*meanwhile))
        self.world.sync(direction, policy, fault=fault)

    @rule(
        direction=PUSHES, policy=POLICY, work=st.lists(HERE, min_size=1, max_size=2), at=SOON,
        meanwhile=st.lists(MEANWHILE, min_size=1, max_size=3), lost=st.booleans(),
    )  # fmt: skip
    def sync_what_is_edited_meanwhile(
        self, direction: Direction, policy: Policy, work: list[Work], at: int,
        meanwhile: list[Work], lost: bool,
    ) -> None:  # fmt: skip
        self.work_here(work)
        self._policy(policy)
        fault = Fault("lost" if lost else "edit", at, True, lambda: self.work_here(meanwhile))
        self.world.sync(direction, policy, fault=fault)

    @rule(
        direction=PUSHES, policy=POLICY, work=st.lists(HERE, min_size=1, max_size=2), at=SOON,
        pick=PICK, number=NUMBER,
    )  # fmt: skip
    def sync_without_an_answer_and_think_again(
        self, direction: Direction, policy: Policy, work: list[Work], at: int, pick: int,
        number: int,
    ) -> None:  # fmt: skip
        self.work_here(work)
        self._policy(policy)
        self.world.sync(direction, policy, fault=Fault("lost", at))
        self.hands.think_again(pick, number)

    @rule(seconds=st.sampled_from([3.0, 70.0, DAY]))
    def time_passes(self, seconds: float) -> None:
        self.world.clock.advance(seconds)

    @rule(of=OF, use=st.sampled_from(["local", "provider"]))
    def decide_conflicts(self, of: str, use: Policy) -> None:
        self.hand += 1
        self.ledger.in_force(f"hand {self.hand}", use, of)
        with self.world.hub.transaction() as db:
            edits = outbox.walk(db, "depot", of, status=("conflict",))
            only = [edit.record for edit in edits]
            now = "2024-01-01T00:00:00Z"
            by = f"hand {self.hand}"
            reconcile.reconcile(db, "depot", of, use, run_id=by, now=now, only=only)

    @rule()
    def retry_what_was_refused(self) -> None:
        with self.world.hub.transaction() as db:
            for of in ("teams", "people"):
                for edit in list(outbox.walk(db, "depot", of, status=("failed",))):
                    # Whoever sends what is unsettled again, makes a second one knowingly.
                    if edit.kind != "unsettled":
                        outbox.save(db, replace(edit, status="pending", attempt_rid=None))

    def teardown(self) -> None:
        if hasattr(self, "world"):
            try:
                self._end()
            finally:
                self.world.close()
        shutil.rmtree(self.home)

    def _decide_about_merged(self, left: list[Edit]) -> None:
        """What waits for a word about a record that was merged is given up by hand."""
        waits = [e for e in left if (e.conflict or {}).get("kind") == "merged"]
        only = [edit.record for edit in waits]
        with self.world.hub.transaction() as db:
            self.ledger.in_force("the end", "provider", "people")
            reconcile.reconcile(
                db, "depot", "people", "provider", run_id="the end",
                now="2024-01-01T00:00:00Z", only=only, by_hand=True,
            )  # fmt: skip
        for edit in waits:
            assert outbox.find(self.world.shell, "depot", "people", edit.record) is None, edit
            left.remove(edit)

    def _end(self) -> None:
        world, ledger = self.world, self.ledger
        for of in ("teams", "people"):
            # The hub does not believe in a listing that is empty all at once, and says so.
            self.hands.create(of, 0, 0)
        self.retry_what_was_refused()
        left: list[Edit] = []
        for _ in range(3):
            world.clock.advance(DAY)
            self._policy(self.last)
            world.sync("both", self.last, "full")
            left = [e for of in ("teams", "people") for e in outbox.walk(world.shell, "depot", of)]
            merged = [e for e in left if (e.conflict or {}).get("kind") == "merged"]
            if all(edit.status == "failed" or edit in merged for edit in left):
                break
        # New records are listed late.
        world.clock.advance(DAY)
        self._policy(self.last)
        world.sync("pull", self.last)
        stuck = {edit.record for edit in left if edit.status == "failed"}
        self._decide_about_merged(left)
        for edit in left:
            name = edit.edits.get("name")
            waits = edit.status == "pending" and stuck & set(map(str, edit.edits.values()))
            assert edit.status == "failed" or waits, edit
            team = str(edit.edits.get("team"))
            if is_local(team):
                named = world.server.names["teams"].values()
                assert ledger.local_ids[team] not in named, f"{edit} has not met its team"
            if name is None:
                name = world.server.names[edit.resource].get(edit.record)
            ledger.refused[edit.resource, str(name)] = edit.edits
        for row in world.sql("SELECT * FROM lumio_history WHERE origin = 'merge'"):
            note = Note(row["action"], json.loads(row["fields"]), row["run_id"])
            ledger.given_up.setdefault((row["resource"], row["record"]), []).append(note)
        differences, problems = self.hands.differences(), ledger.judge()
        assert not differences, differences
        assert not problems, problems


class UniqueHistories(Histories):
    """The same, at a provider that takes no name twice."""

    unique = True


TestHistories = Histories.TestCase
TestHistories.settings = SETTINGS
TestUniqueHistories = UniqueHistories.TestCase
TestUniqueHistories.settings = SETTINGS

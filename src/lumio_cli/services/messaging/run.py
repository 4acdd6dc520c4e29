"""One run of a send: the ledger on the one side, those who send on the other.

A message is written down as `sending`, and the disk waited for, before anybody may take it. Right
before its request is handed to the system it is marked, and again after it, and when the answer
comes. So that of a run that was killed it is known which messages were never on their way; only
those whose request had left and whose answer had not come are in doubt.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lumio_cli.core.clock import format_timestamp, parse_time
from lumio_cli.core.errors import LumioError, StoppedError
from lumio_cli.hub.sqlite import sends
from lumio_cli.hub.sqlite.sends import Entry, Update
from lumio_cli.services.messaging.batch_plan import (
    CHUNK,
    IN_DOUBT,
    Batch,
    Planned,
    Planner,
    chunks,
)
from lumio_cli.services.messaging.delivery_marks import FREE, Marks
from lumio_cli.services.messaging.foresight import Foresight
from lumio_cli.services.messaging.recovery import by_mark
from lumio_cli.services.messaging.workers import Crew, Done, Task

if TYPE_CHECKING:
    from lumio_cli.core.progress import Progress
    from lumio_cli.hub.sqlite.sends import SendRow
    from lumio_cli.runtime import Runtime
    from lumio_cli.services.messaging.model import Request

WORKERS = 32
"""Messages on their way at once: 80 a second at a latency of 400 ms."""
GROUP = 32
"""Messages that are written down together, for one wait for the disk."""
AHEAD = 128
"""Messages that are written down and not done, at most."""
POLL = 0.25
"""Seconds between two looks at the stop."""
PATIENCE = 10.0
"""Seconds that a request under way is given after a stop."""
SETTLE = 10.0
"""Seconds that a provider is given to finish what it was sent by a run that was killed, before it
is asked what became of it."""
ROUNDS = 3
"""How often what turns out not to have arrived is sent, and asked for, again."""
LONGEST = 500
"""Characters of a provider's words that are kept."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a run works on and with; `target` is what progress calls it."""

    runtime: Runtime
    request: Request
    send: SendRow
    batch: Batch
    planner: Planner
    foresight: Foresight
    crew: Crew
    marks: Marks
    progress: Progress
    target: str


class Sending:
    """A run. The thread that calls `run` owns the hub until it is over.

    `halted` is the error that ended it early; `errors` the distinct ones of messages, by text.
    """

    def __init__(self, work: Work, finds: bool) -> None:
        self.work = work
        self.halted: LumioError | None = None
        self.errors: dict[str, LumioError] = {}
        self._hub = work.runtime.hub
        self._finds = finds
        self._open: dict[int, Task] = {}
        self._busy: dict[str, deque[Task]] = {}
        self._over = False
        self._deadline = 0.0

    def run(self) -> None:
        """Send what is to be sent. What goes wrong is in the ledger, in `errors`, in `halted`.

        Raises `HubError`.
        """
        resend = self.work.request.if_unknown == "resend"
        try:
            if resend and not self._finds:
                self._rewrite("pending")
            self._pass(self._fresh())
            for _ in range(ROUNDS):
                if not self._settle():
                    break
                self._pass(self._fresh())
            if resend and self._finds and not self._over and self._rewrite("pending"):
                self._pass(self._fresh())
            if self.work.request.if_unknown == "accept":
                for status in ("unknown", "held", "paused"):
                    self._rewrite("sent", status)
        finally:
            self.work.crew.forbid()
            self.work.crew.close()

    def _rewrite(self, status: str, old: str = "unknown") -> int:
        with self._hub.transaction() as db:
            return sends.change_status(db, self.work.send.id, old, status, self._now())

    # -- what there is to do

    def _fresh(self) -> Iterator[Planned]:
        """The rows that are to be sent, or whose problem is not in the ledger yet."""
        work = self.work
        for row in work.foresight.rows(self._hub.connection, work.send.id):
            entry = row.entry
            # What this run has tried is not tried again by its second pass.
            tried = entry is not None and entry.run == work.send.runs
            if row.due and (entry is None or not tried or entry.status == "pending"):
                yield row.planned

    def _settle(self) -> bool:
        """Ask the provider about what is in doubt, if it can tell; True where something turns
        out not to have been sent.
        """
        work = self.work
        # Of what another send may have sent, the provider knows by that one's keys.
        db = self._hub.connection
        left = set(sends.positions_of(db, work.send.id, "unknown", but=IN_DOUBT))
        if not (left and self._finds) or self._over or work.request.if_unknown == "accept":
            return False
        clock = work.runtime.clock
        newest = sends.newest(self._hub.connection, work.send.id, "unknown")
        pause = parse_time(newest).timestamp() + SETTLE - clock.time()
        try:
            if pause > 0:
                work.progress.waiting(work.target, "the provider to finish", pause)
                clock.sleep(pause, work.runtime.stop)
        except StoppedError:
            return False
        work.planner.forget()
        self._pass(self._doubtful(left))
        found = sends.count_entries(self._hub.connection, work.send.id, work.send.runs)
        return found["pending"] > 0 and not self._over

    def _doubtful(self, positions: set[int]) -> Iterator[Task]:
        work = self.work
        for row in work.batch:
            if row.position in positions:
                planned = work.planner.plan(row, bulk=work.batch.bulk, check=False)
                if planned.message is not None:
                    yield Task(row.position, planned.message, "find", planned.who)

    # -- the loop

    def _pass(self, items: Iterable[Planned | Task]) -> None:
        """Work through `items`, as far as nothing stops it."""
        groups = chunks(items, GROUP)
        more = True
        while True:
            self._look()
            while more and not self._over and len(self._open) <= AHEAD - GROUP:
                group = next(groups, None)
                if group is None:
                    more = False
                else:
                    self._begin(group)
            if not self._open and (not more or self._over):
                return
            if not self._collect():
                return

    def _look(self) -> None:
        """Whether a stop was asked for: then nothing new is begun."""
        stop = self.work.runtime.stop
        if not self._over and stop.is_set():
            self._end()
        if self._over and not self._deadline:
            self._deadline = self.work.runtime.clock.monotonic() + PATIENCE

    def _end(self) -> None:
        self._over = True
        self.work.crew.halt()

    def _begin(self, group: list[Planned | Task]) -> None:
        """Write a group down, and only then let it be taken."""
        work = self.work
        tasks = [item for item in group if isinstance(item, Task)]
        rows = [item for item in group if isinstance(item, Planned)]
        if rows:
            with sends.durable(self._hub) as db:
                # Once more, where nobody else can write: another run may be at the same people.
                rows = work.foresight.passed_over(db, work.send.id, rows)
                sends.store_entries(db, work.send.id, map(self._entry, rows))
                for row in rows:
                    work.marks[row.position] = FREE
        for row in rows:
            if row.message is not None:
                tasks.append(Task(row.position, row.message, who=row.who))
            elif row.error is not None:
                self._note(row.error)
        if len(tasks) < len(group):
            work.progress.advance(work.target, len(group) - len(tasks))
        for task in tasks:
            self._open[task.position] = task
            self._hand_out(task)

    def _entry(self, row: Planned) -> Entry:
        """A row, as it stands in the ledger from now on."""
        status = "sending" if row.message is not None else row.status
        words = row.error.message if row.error else row.note
        return Entry(
            row.position, row.to, row.kind, row.digest, status, None, row.code,
            self._clean(words) or None, self.work.send.runs, self._now(),
        )  # fmt: skip

    def _hand_out(self, task: Task) -> None:
        """Messages to one recipient go one after the other, in their order."""
        to = task.who
        waiting = self._busy.get(to)
        if to and waiting is not None:
            waiting.append(task)
            return
        if to:
            self._busy[to] = deque()
        self.work.crew.submit(task)

    def _collect(self) -> bool:
        """Write down what has come back; False where patience with the rest is over."""
        done = self._come_back()
        if done:
            updates = {d.task.position: self._update(d) for d in done if d.code or _is_news(d)}
            with self._hub.transaction() as db:
                sends.update_entries(db, self.work.send.id, updates)
            for one in done:
                self._close(one)
            sent = sum(one.task.act == "deliver" for one in done)
            self.work.progress.advance(self.work.target, sent)
        if self._over and self.work.runtime.clock.monotonic() > self._deadline > 0:
            self._abandon()
            return False
        return True

    def _come_back(self) -> list[Done]:
        found: list[Done] = []
        try:
            found.append(self.work.crew.done.get(timeout=POLL))
            while True:
                found.append(self.work.crew.done.get_nowait())
        except queue.Empty:
            return found

    def _close(self, done: Done) -> None:
        """Book-keeping in memory: who is next, and what went wrong."""
        del self._open[done.task.position]
        if waiting := self._busy.pop(done.task.who, None):
            following = waiting.popleft()
            self._busy[done.task.who] = waiting
            self.work.crew.submit(following)
        if done.halt:
            self.halted = self.halted or done.error
            self._end()
        elif done.status in ("failed", "unknown"):
            self._note(done.error or LumioError(done.message, code=done.code))

    def _update(self, done: Done) -> Update:
        text = self._clean(done.message) if done.code else None
        code = done.code or None
        if done.status == "pending":
            code = text = None
        return Update(
            done.status, done.id or None, code, text, self.work.send.runs, self._now(),
            done.state or None,
        )  # fmt: skip

    def _abandon(self) -> None:
        """Close the books of requests that hang: nobody waits for them any longer."""
        work, now = self.work, self._now()
        work.crew.forbid()
        updates = {
            position: by_mark(work.marks[position], work.send.runs, now)
            for position, task in self._open.items()
            if task.act == "deliver"
        }
        with self._hub.transaction() as db:
            sends.update_entries(db, work.send.id, updates)
        self._open.clear()

    def _note(self, error: LumioError) -> None:
        if len(self.errors) < CHUNK:
            self.errors.setdefault(error.message, error)

    def _clean(self, text: str) -> str:
        return self.work.runtime.redactor.text(text)[:LONGEST]

    def _now(self) -> str:
        return format_timestamp(self.work.runtime.clock.time())


def _is_news(done: Done) -> bool:
    """Whether it says more than that a message in doubt is in doubt."""
    return done.status != "unknown"

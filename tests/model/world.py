"""A hub and its provider in one process, with nothing left to chance: time, random ids, and what
goes wrong when.
"""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from lumio_cli.core.clock import format_time, utc
from lumio_cli.core.errors import OUTCOME_UNKNOWN, UnavailableError
from lumio_cli.core.progress import NoProgress
from lumio_cli.core.stop import Stop
from lumio_cli.hub.sqlite.database import Hub, Transactions
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.sync.merging.merge import Policy
from lumio_cli.sync.model import Direction, Mode, Options, ResourceTask, RunResult
from lumio_cli.sync.run import run
from lumio_cli.transport.request_log import Tally
from model.depot import COLUMNS, Depot, Server, Shape
from support.clock import FakeClock

FaultKind = Literal[
    "lost", "never", "refused", "invalid", "edit", "killed before", "killed after", "killed inside"
]


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong once in a run, at its request (or transaction) number `at`; only writes
    count where `write` says so.

    lost           a write is applied, and its answer lost; `never`: it is not applied, but nobody
                   can say so
    refused        a request is certainly not applied
    invalid        one item of a write is no good
    edit           only `edit` is called, which edits the hub while the provider works; it may come
                   with the others, too
    killed ...     the process dies: before the request, after it, or inside of a transaction
    """

    kind: FaultKind
    at: int = 0
    write: bool = True
    edit: Callable[[], object] | None = None


class Killed(BaseException):
    """The process is no more."""


class _MortalHub(Hub):
    """A hub whose process may die: from then on nothing more is written."""

    left = -1

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        if self.left == 0:
            raise Killed
        self.left -= 1
        with super().transaction() as db:
            yield db


@dataclass(frozen=True)
class _Link:
    """The connection that a run is given: the way to the depot leads through the world."""

    provider: Depot
    session: World

    def new_tally(self, on_wait: Callable[[float, str], None]) -> Tally:
        """A counter."""
        return Tally(on_wait)

    def verify_account(self, hub: Transactions) -> _Link:
        """There is but one account."""
        return self


class World:
    """One history's hub and provider."""

    def __init__(self, home: Path, shape: Shape) -> None:
        self.clock = FakeClock()
        self.server = Server(self.clock, shape)
        self.depot = Depot(shape)
        self.depot.server = self.server
        self.fault: Fault | None = None
        self.runs = 0
        self._calls = 0
        self._random = 0
        self._guard = threading.Lock()
        self._path = home / "hub.db"
        template = home.parent / "template.db"
        if not template.exists():
            Hub.open(template).close()
            sqlite3.connect(template).close()
        shutil.copy(template, self._path)
        self.hub = self._open()
        self.shell = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        self.shell.row_factory = sqlite3.Row
        self._tame(self.shell)

    def close(self) -> None:
        """Let go of the hub."""
        self.shell.close()
        self.hub.close()

    def _open(self) -> _MortalHub:
        hub = _MortalHub.open(self._path)
        assert isinstance(hub, _MortalHub)
        hub.connection.execute("PRAGMA synchronous = OFF")
        self._tame(hub.connection)
        return hub

    def _tame(self, connection: sqlite3.Connection) -> None:
        """SQLite's own sources of chance are replaced: histories must be the same when repeated."""
        connection.create_function("randomblob", 1, self._randomblob)
        connection.create_function("strftime", -1, self._strftime)

    def _randomblob(self, size: int) -> bytes:
        self._random += 1
        return (self._random * 0x9E3779B97F4A7C15 % (1 << 8 * size)).to_bytes(size)

    def _strftime(self, _: str, when: Any, unit: str = "") -> str | None:
        if when is None:
            return None
        return format_time(utc(self.clock.time() if when == "now" else float(when)))

    # -- requests

    def send(self, call: Call, *, tally: Any = None, fresh: bool = False) -> Reply:
        """The way to the provider, with this run's fault on it."""
        fault = self.fault
        with self._guard:
            self.clock.advance(0.05)
            if self.hub.left == 0:
                raise Killed
            if fault is None or (fault.write and call.method != "POST"):
                return self._answer(call)
            self._calls += 1
            if self._calls != fault.at + 1:
                return self._answer(call)
        if fault.edit is not None:
            fault.edit()
        if call.method == "POST" and fault.kind in ("never", "killed before"):
            self.server.miss(call)
        if fault.kind == "killed before":
            self.hub.left = 0
            raise Killed
        if fault.kind == "refused":
            raise UnavailableError("come back later")
        if fault.kind == "invalid":
            self.server.invalid = True
        reply = None if fault.kind == "never" else self._answer(call)
        if fault.kind == "killed after":
            self.hub.left = 0
            raise Killed
        if reply is None or fault.kind == "lost":
            raise UnavailableError("no answer", code=OUTCOME_UNKNOWN)
        return reply

    def _answer(self, call: Call) -> Reply:
        return self.server.answer(call)

    # -- runs

    def sync(
        self,
        direction: Direction,
        policy: Policy,
        mode: Mode = "incremental",
        fault: Fault | None = None,
    ) -> RunResult | None:
        """A run of everything; None if it was killed."""
        self.fault, self._calls, self.server.invalid = fault, 0, False
        if fault is not None and fault.kind == "killed inside":
            self.hub.left = fault.at
        self.runs += 1
        self.clock.advance(1.0)
        try:
            return self._run(direction, policy, mode)
        except Killed:
            self.hub.close()
            self.hub = self._open()
            return None
        finally:
            self.fault = None
            self.hub.left = -1
            for of in COLUMNS:
                # A record that is only known by the answer to its creation has no `rev`.
                for row in self.sql(f"SELECT id FROM depot_{of} WHERE score IS NOT NULL"):
                    self.server.first_read.setdefault((of, row["id"]), self.server.at)

    def _run(
        self,
        direction: Direction,
        policy: Policy,
        mode: Mode,
        preview_limit: int | None = None,
    ) -> RunResult:
        link = _Link(self.depot, self)
        tasks = [
            ResourceTask(cast(Any, link), resource, direction != "push", direction != "pull")
            for resource in self.depot.resources
        ]
        options = Options(
            mode=mode,
            direction=direction,
            max_delete=100.0,
            prefetch=0,
            slices=1,
            policy=policy,
            writers=1,
        )
        return run(
            self.hub,
            tasks,
            options,
            run_id=f"run-{self.runs:04}",
            started_at=utc(self.clock.time()),
            clock=self.clock,
            stop=Stop(),
            progress=NoProgress(),
            targets=["depot"],
            concurrency=1,
            preview_limit=preview_limit,
        )

    def preview(self, direction: Direction, policy: Policy = "ask") -> RunResult:
        """What a run of everything would do now."""
        return self._run(direction, policy, "incremental", preview_limit=100)

    # -- the hub, as any SQL client sees it

    def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Run a statement in a connection of its own, as an operator would."""
        return [dict(row) for row in self.shell.execute(statement, values).fetchall()]

"""Pushing one resource: its edits in the provider's batches, each settled by its own receipt."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from lumio_cli.core.errors import (
    OUTCOME_UNKNOWN,
    DeniedError,
    LumioError,
    RejectedError,
    UnavailableError,
)
from lumio_cli.hub.edit_events import Action
from lumio_cli.hub.edits import Edit, State, is_local
from lumio_cli.hub.sqlite import outbox
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.writing import Writing
from lumio_cli.sync.context import Engine
from lumio_cli.sync.dry_run_sink import PreviewStore
from lumio_cli.sync.merging import reconcile
from lumio_cli.sync.merging.forms import Reformed
from lumio_cli.sync.merging.merge import about
from lumio_cli.sync.mishaps import understood, unexpected
from lumio_cli.sync.model import Job, Link, ResourceResult
from lumio_cli.sync.pull.resource_pull import Pull
from lumio_cli.sync.push.queue import WRITE, Outgoing
from lumio_cli.sync.push.receipts import Settling
from lumio_cli.sync.push.settled import Settled
from lumio_cli.sync.push.told import Told, unanswered

T = TypeVar("T")
FIRST: tuple[Action, ...] = ("create", "update")


class Push:
    """Pushes one resource. `look` is the pull before it; `result` is filled as it goes."""

    def __init__(self, engine: Engine, job: Job, result: ResourceResult, look: Pull) -> None:
        self.engine = engine
        self.job = job
        self.result = result
        self.look = look
        self.provider = job.link.provider
        self.resource = job.resource
        self.tally = job.link.new_tally(self._waiting)
        self.done = False
        options = engine.options
        only = None if options.only is None else options.only.get(job.target, {})
        self.only = only
        self._out = Outgoing(engine.store, self.provider, self.resource, only)
        self._settling = Settling(self._out, options.policy_of(job.target), options.max_record)
        self._lock = threading.Lock()
        self._error: LumioError | None = None
        self._done = 0
        self._given_up = 0
        self._merged = 0
        self._again = ""
        self._reformed = Reformed()

    def relink(self, link: Link) -> None:
        """Go another way to the same provider."""
        self.job = replace(self.job, link=link)
        self.provider = self._out.provider = link.provider
        self.tally = link.new_tally(self._waiting)

    def wanted(self) -> bool:
        """Whether there is anything to push, or to settle."""
        counts = self.engine.writer.call(self._out.count)
        return any(count for status, count in counts.items() if status != State.FAILED)

    def start(self) -> None:
        """Say that the run takes it up."""
        result = self.result
        self.engine.writer.call(lambda db: self.engine.store.start_resource(db, result))
        if not isinstance(self.engine.store, PreviewStore):
            self.engine.writer.call(self._out.close_letters)

    def ready(self) -> bool:
        """Merge the edits with what the look has brought; whether they may be sent."""
        try:
            return self._merge()
        except LumioError as error:
            self._error = error
            return False

    def _merge(self) -> bool:
        error = self.look.result.error
        if error is not None and error.code != "too_many_deletions":
            self._error = error
            return False
        if isinstance(self.engine.store, PreviewStore):
            self._plan(self.engine.store)
            return False
        policy = self.engine.options.policy_of(self.job.target)
        name = self.job.provider, self.resource.name
        store = self.engine.store
        after: str | None = ""
        while after is not None:
            here = after
            done = self._call(lambda db: store.reconcile(db, *name, policy, here, 0))  # noqa: B023
            after = done.after
            self._given_up += done.given_up
        told = self.engine.store.told_of(*name)
        self._reformed, self.result.failed = told.reformed, self.result.failed + told.untaken
        seen, self._out.ahead = self.look.seen_until, self.look.ahead
        self.result.failed += self._call(lambda db: self._settling.search(db, seen))
        total = self._call(self._out.count).get(State.PENDING, 0)
        if total:
            self.engine.progress.start(self.job.target, total, detail="push")
        return total > 0

    def _plan(self, store: PreviewStore) -> None:
        policy = self.engine.options.policy_of(self.job.target)
        after: str | None = ""
        while after is not None:
            here = after
            after = self._call(
                lambda db: store.plan(db, self.result, policy, self.only, here)  # noqa: B023
            )

    def send(self, action: Action) -> bool:
        """Send all edits of one kind; whether there were any."""
        size = getattr(self.resource.writes, WRITE[action], 0)
        if not size or self._error is not None:
            return False
        self._call(self._out.rewind)
        before = self._done
        with ThreadPoolExecutor(
            self.engine.options.writers, thread_name_prefix=f"{self.job.target}-push"
        ) as pool:
            workers = range(self.engine.options.writers)
            futures = [pool.submit(self._work, action, size) for _ in workers]
        for future in futures:
            future.result()
        return self._done > before

    def finish(self) -> None:
        """Close the books."""
        result, engine = self.result, self.engine
        preview = isinstance(engine.store, PreviewStore)
        counts = {} if preview else self._call(self._out.count)
        if not preview:
            result.conflicts = counts.get(State.CONFLICT, 0)
        if given_up := self._given_up + self.look.given_up:
            result.warnings.append(reconcile.gives_way(given_up))
        for warning in self._reformed.warnings():
            result.warnings.append(warning)
            engine.progress.warn(warning, self.job.target)
        waiting = 0 if preview else self._call(self._out.waiting)
        unknown = counts.get(State.UNKNOWN, 0)
        result.cut_off = self._error is not None
        if self._error is None and self._again:
            self._error = UnavailableError(
                f"{self.job.target}: some changes were not taken: {self._again}",
                hint="they stay pending; push again later",
            )
        if self._error is None and unknown:
            self._error = LumioError(
                f"{self.job.target}: whether {unknown:,} new records were created is not known",
                code=OUTCOME_UNKNOWN,
                exit_code=3,
                hint="the next push looks for them first, and creates none twice",
            )
        if self._error is None and self._merged:
            edits = "1 edit is" if self._merged == 1 else f"{self._merged:,} edits are"
            self._error = LumioError(
                f"{self.job.target}: {edits} of records that were merged meanwhile",
                code="merged",
                exit_code=3,
                hint="the next push looks at what they were merged into, and sends them to that",
            )
        if self._error is None and waiting:
            edits = "1 edit waits" if waiting == 1 else f"{waiting:,} edits wait"
            self._error = LumioError(
                f"{self.job.target}: {edits} for new records that are not created yet",
                code="waiting",
                exit_code=3,
                hint=f"push what they refer to, too: lumio sync {self.job.provider}"
                " --direction push",
            )
        if self._error is not None:
            partly = self._error.code == "interrupted" or result.sent > 0 or unknown > 0
            result.status, result.error = "partial" if partly else "failed", self._error
        elif not preview and (result.conflicts or result.failed):
            result.status = "partial"
        look = self.look
        result.requests, result.retries = self.tally.requests, self.tally.retries
        result.waited_s = self.tally.waited
        if look.result.hidden:
            result.requests += look.tally.requests
            result.retries += look.tally.retries
            result.waited_s += look.tally.waited
        engine.progress.finish(self.job.target, result.as_json())
        self._call(lambda db: engine.store.finish_resource(db, result))
        self.done = True

    def resolve(self) -> None:
        """Let the edits that are left refer to what was created by the provider's ids."""
        self._call(lambda db: outbox.resolve_all(db, self.job.provider))

    def fail(self, error: LumioError) -> None:
        """Do not push at all: what this resource hangs on has failed with `error`."""
        self._error = error
        self.finish()

    # -- the work

    def _work(self, action: Action, size: int) -> None:
        """Send batch after batch, until there are no more or one must not go on."""
        limit = max(size, self.resource.writes.at_once if self.resource.writes else size)
        while self._error is None:
            try:
                self.engine.stop.check()
                batch = self._call(lambda db: self._out.claim(db, action, limit))
                if not batch:
                    return
                self._send_batch(batch, size)
            except LumioError as error:
                self._error = self._error or error
            except Exception as error:  # noqa: BLE001 it costs this resource, and no other
                self._error = self._error or unexpected(self.job.target, error)

    def _send_batch(self, batch: Sequence[Edit], size: int) -> None:
        provider = self.provider
        assert isinstance(provider, Writing)  # noqa: S101 only such have writes
        columns = self._call(self._out.columns)
        refused = {
            edit.record: Receipt(edit.trace, "failed", kind="validation", message=why)
            for edit in batch
            if (why := self._out.obstacle(edit))
        }
        self._settle([(edit, refused[edit.record]) for edit in batch if edit.record in refused])
        batch = self._without_merged([edit for edit in batch if edit.record not in refused])
        if not batch:
            return
        arrived: list[tuple[Edit, Receipt]] = []
        waiting = {edit.trace: edit for edit in batch}
        changes = [self._out.change_of(edit, columns) for edit in batch]
        told = Told(provider, self.job.target, self._send)
        while (pair := told.next(self.resource, changes, waiting)) is not None:
            arrived.append(pair)
            if len(arrived) >= size:
                # Where the hub cannot take that, what is still open stays as it is: being sent.
                self._settle(arrived)
                arrived = []
        if told.puzzled and len(waiting) > 1:
            self._settle(arrived)
            self._send_halves(list(waiting.values()), size)
            return
        arrived += [(edit, unanswered(edit, told)) for edit in waiting.values()]
        self._settle(arrived)
        if told.error is not None and not told.refused:
            raise told.error

    def _send_halves(self, edits: Sequence[Edit], size: int) -> None:
        """Send what holds an edit that cannot be put into words, until that stands alone."""
        middle = len(edits) // 2
        try:
            self._send_batch(edits[:middle], size)
        except LumioError as error:
            self._settle(
                [(e, Receipt(e.trace, "retry", message=str(error))) for e in edits[middle:]]
            )
            raise
        self._send_batch(edits[middle:], size)

    def _without_merged(self, batch: Sequence[Edit]) -> list[Edit]:
        """Of a batch, what is to be sent: a record that was merged is not created anew."""
        again = [edit for edit in batch if edit.action == "create" and about(edit) != edit.record]
        if not again:
            return list(batch)
        try:
            found = self._survivors([about(edit) for edit in again])
        except LumioError as error:
            self._settle([(e, Receipt(e.trace, "retry", message=error.message)) for e in batch])
            raise
        merged = [edit for edit in again if about(edit) in found]
        self._settle(
            [(e, Receipt(e.trace, "failed", found[about(e)], kind="gone")) for e in merged]
        )
        left = {edit.record for edit in merged}
        return [edit for edit in batch if edit.record not in left]

    def _survivors(self, ids: Sequence[str]) -> Mapping[str, str]:
        """What records that are gone were merged into, by the provider itself."""
        with understood(self.job.target):
            return self.provider.survivors(self.resource, ids, self._send)

    def _told_of_gone(
        self, pairs: Sequence[tuple[Edit, Receipt]]
    ) -> tuple[Sequence[tuple[Edit, Receipt]], Mapping[str, str]]:
        """Receipts, with what records that are gone were merged into. Where that cannot be asked
        now, it is asked again later; where the provider refuses to say, nobody knows of any."""
        gone = [(e, r) for e, r in pairs if r.status == "failed" and r.kind == "gone"]
        found = {about(e): r.id for e, r in gone if r.id not in ("", about(e))}
        # The provider has never heard of a new record: something else is gone.
        theirs = [about(e) for e, _ in gone if not is_local(about(e))]
        unknown = [record for record in theirs if record not in found]
        if not unknown:
            return pairs, found
        try:
            return pairs, {**self._survivors(unknown), **found}
        except (RejectedError, DeniedError):
            return pairs, found
        except LumioError as error:
            later = {e.record for e, _ in gone if about(e) in unknown}
            again = Receipt("", "retry", message=error.message)
            return [(e, again if e.record in later else r) for e, r in pairs], found

    def _settle(self, pairs: Sequence[tuple[Edit, Receipt]]) -> None:
        if not pairs:
            return
        known, found = self._told_of_gone(pairs)
        settled: Settled = self._call(lambda db: self._settling.settle(db, known, found))
        result = self.result
        with self._lock:
            result.sent += settled.sent
            result.created += settled.created
            result.updated += settled.updated
            result.deleted += settled.deleted
            result.failed += settled.failed
            self._done += settled.sent + settled.unknown + settled.met
            self._given_up += settled.given_up
            self._merged += settled.merged
            for forms in settled.reformed:
                self._reformed.add(forms)
            self._again = self._again or settled.again
            result.requests, result.retries = self.tally.requests, self.tally.retries
        self.engine.progress.advance(self.job.target, len(pairs))

    # -- small things

    def _call(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return self.engine.writer.call(work)

    def _send(self, call: Call) -> Reply:
        return self.job.link.session.send(call, tally=self.tally)

    def _waiting(self, seconds: float, reason: str) -> None:
        self.engine.progress.waiting(self.job.target, reason, seconds)


def push_all(pushes: Sequence[Push]) -> None:
    """Push a provider's resources: what is new, then what has changed, then what is to go.

    A record that refers to one that was created in this very run is sent in the next round;
    deletions go from the last resource to the first, since later ones refer to earlier ones.
    """
    ready = [push for push in pushes if push.ready()]
    busy = bool(ready)
    while busy:
        busy = False
        for action in FIRST:
            for push in ready:
                busy = push.send(action) or busy
    for push in reversed(ready):
        push.send("delete")
    for push in pushes:
        push.finish()
    if any(push.result.created for push in ready):
        ready[0].resolve()

"""Threads and order of a run: providers side by side, and what each one's resources wait for."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from lumio_cli.core.errors import DeniedError, LumioError, StoppedError
from lumio_cli.core.stop import Stop
from lumio_cli.sync.mishaps import understood, unexpected
from lumio_cli.sync.model import ResourceResult, hangs_on
from lumio_cli.sync.pull.resource_pull import Pull
from lumio_cli.sync.push.resource_push import Push, push_all
from lumio_cli.sync.writer import Writer

PATIENCE = 10.0
"""Seconds that a request under way is given after a stop; then the run ends without it."""


class Schedule:
    """Runs pulls and pushes in threads of their own, while the calling thread writes the hub.

    `concurrency` is how many resources of one provider are pulled at once. `crashed` are mistakes
    that no resource could take upon itself.
    """

    def __init__(
        self,
        pulls: Sequence[Pull],
        pushes: Sequence[Push],
        writer: Writer,
        concurrency: int,
    ) -> None:
        self._pulls = pulls
        self._pushes = pushes
        self._writer = writer
        self._concurrency = concurrency
        self.crashed: list[BaseException] = []

    def work(self, stop: Stop) -> bool:
        """Do all of it. The calling thread is the hub's writer meanwhile. Returns False where
        `stop` was set and requests hung for longer than `PATIENCE`: they are left to themselves.
        """
        conductor = threading.Thread(target=self._conduct, name="lumio-run", daemon=True)
        conductor.start()
        if not self._writer.serve(stop, PATIENCE):
            return False
        conductor.join()
        return True

    def _conduct(self) -> None:
        """Run all providers at once, and let the writer go when all is done."""
        try:
            threads = []
            for name in sorted({pull.task.provider for pull in self._pulls}):
                thread = threading.Thread(
                    target=self._conduct_provider,
                    args=(
                        [pull for pull in self._pulls if pull.task.provider == name],
                        [push for push in self._pushes if push.task.provider == name],
                    ),
                    name=f"lumio-{name}",
                )
                thread.start()
                threads.append(thread)
            for thread in threads:
                thread.join()
        finally:
            self._writer.close()

    def _conduct_provider(self, pulls: Sequence[Pull], pushes: Sequence[Push]) -> None:
        """One provider's resources: first those that stand alone, then those that others drive;
        then what is to be pushed."""
        try:
            for push in pushes:
                push.start()
            idle = [push for push in pushes if push.look.result.hidden and not push.wanted()]
            for push in idle:
                push.finish()
            busy = [push for push in pushes if push not in idle]
            chosen = _worth_pulling(pulls, busy)
            if chosen and self._is_verified(chosen, busy):
                self._pull_all(chosen)
                if not self.crashed:
                    push_all(busy)
        except Exception as error:  # noqa: BLE001 it costs this provider, and no other
            try:
                _fail_all([*pulls, *pushes], error)
            except BaseException as worse:  # noqa: BLE001 a thread: it is raised where the run ends
                self.crashed.append(worse)
        except BaseException as error:  # noqa: BLE001 see above
            self.crashed.append(error)

    def _is_verified(self, pulls: Sequence[Pull], pushes: Sequence[Push]) -> bool:
        """Whether the provider may be asked at all; where it may not, all its work has failed."""
        work: list[Pull | Push] = [*pulls, *pushes]
        try:
            with understood(pulls[0].task.provider):
                connection = pulls[0].task.connection.verify_account(self._writer)
        except LumioError as error:
            for piece in work:
                piece.fail(error)
            return False
        for piece in work:
            piece.reconnect(connection)
        return True

    def _pull_all(self, pulls: Sequence[Pull]) -> None:
        results = {pull.resource.name: pull.result for pull in pulls}
        for driven in (False, True):
            chosen = [pull for pull in pulls if bool(hangs_on(pull.resource)) is driven]
            if not chosen:
                continue
            with ThreadPoolExecutor(
                self._concurrency, thread_name_prefix=pulls[0].task.provider
            ) as pool:
                futures = [pool.submit(_run_one, pull, results) for pull in chosen]
            self.crashed.extend(e for f in futures if (e := f.exception()) is not None)


def _fail_all(pieces: Sequence[Pull | Push], error: Exception) -> None:
    """Close the books of what a mistake has left open."""
    for piece in pieces:
        if not piece.done:
            piece.fail(unexpected(piece.task.target, error))


def _worth_pulling(pulls: Sequence[Pull], pushes: Sequence[Push]) -> list[Pull]:
    """All that were asked for, and those that have to be looked at before a push; with them go
    the resources that drive them."""
    looked = {push.look.resource.name for push in pushes}
    looked |= {parent for push in pushes for parent in push.look.resource.parents}
    return [pull for pull in pulls if not pull.result.hidden or pull.resource.name in looked]


def _run_one(pull: Pull, results: dict[str, ResourceResult]) -> None:
    parents = [results[name] for name in pull.resource.parents if name in results]
    failed = [p for p in parents if p.error is not None and p.status in ("failed", "skipped")]
    if parents and len(failed) == len(parents):
        # What would be asked for hangs on records that could not be read.
        pull.fail(parents[0].error or StoppedError("stopped"))
        return
    before = [results[name] for name in hangs_on(pull.resource) if name in results]
    pull.unread = next((p.resource for p in before if not _is_whole(p)), "")
    pull.run(next((p for p in failed if p.status == "failed"), None))


def _is_whole(result: ResourceResult) -> bool:
    """Whether a resource has been read as far as it could; a brake on deletions, and a scope that
    nobody granted, are no news of its listing."""
    error = result.error
    return error is None or isinstance(error, DeniedError) or error.code == "too_many_deletions"

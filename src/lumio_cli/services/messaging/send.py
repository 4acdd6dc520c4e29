"""What `lumio send` does, callable without a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import count
from typing import TYPE_CHECKING, cast

from lumio_cli.core.clock import format_timestamp, utc
from lumio_cli.core.errors import BusyError, ConfigError, UsageError
from lumio_cli.core.locks import FileLock
from lumio_cli.core.progress import NoProgress, Progress
from lumio_cli.hub.sqlite import sends
from lumio_cli.hub.sqlite.state import read_account
from lumio_cli.providers.contract.messages import Finds, Prepares, Sends
from lumio_cli.services.connections.provider_connection import (
    Manner,
    ProviderConnection,
    connect,
)
from lumio_cli.services.messaging.batch_plan import (
    LONGEST_NAME,
    OUT_OF_REACH,
    Batch,
    Planner,
    gather,
)
from lumio_cli.services.messaging.compose import Composer, Given
from lumio_cli.services.messaging.delivery_marks import Marks, this_boot
from lumio_cli.services.messaging.foresight import Foresight, foresee
from lumio_cli.services.messaging.model import Outlook, Request, SendResult
from lumio_cli.services.messaging.option_values import values_of
from lumio_cli.services.messaging.recipient_history import HubPast
from lumio_cli.services.messaging.recovery import recover
from lumio_cli.services.messaging.result import conclude
from lumio_cli.services.messaging.run import WORKERS, Sending, Work
from lumio_cli.services.messaging.workers import Crew, Waits
from lumio_cli.services.syncing.run_log import LoggedProgress
from lumio_cli.services.tabular.row_reader import Source
from lumio_cli.sync.run import new_run_id

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from lumio_cli.hub.sqlite.sends import SendRow
    from lumio_cli.providers.contract.provider import Provider
    from lumio_cli.runtime import Runtime

__all__ = ["Given", "Outlook", "Request", "SendResult", "preview", "send", "send_lock", "values_of"]

SHOWN = 3
"""Messages that a question shows."""


def send_lock(directory: Path, provider: str, name: str) -> FileLock:
    """The lock that a run of a send holds."""
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return FileLock(directory / f"send-{provider}-{digest}.lock", what=name)


def preview(runtime: Runtime, request: Request) -> Outlook:
    """What `send` would do now. Writes nothing and asks nobody. Raises `UsageError`."""
    provider = _sender(runtime, request.provider)
    db = _reading(runtime)
    past = HubPast(db, provider.name)
    composer = _composer(provider, request, past)
    with _opened(runtime, request, composer) as source:
        send_id = new_run_id(runtime.clock)
        batch = _named(db, request, gather(request, source, send_id))
        known = None if db is None else sends.find_send(db, provider.name, batch.name)
        planner = _planner(runtime, provider, composer, past, known.send_id if known else send_id)
        foresight = _foresight(request, batch, planner)
        return foresee(foresight, batch, planner, request, db, known)


def send(runtime: Runtime, request: Request, progress: Progress | None = None) -> SendResult:
    """Send what has not been sent, and say how the send stands.

    What goes wrong with messages, or keeps the rest from being sent, is in the result; raised is
    what lets nothing begin: `UsageError`, `ConfigError`, `CredentialError`, `BusyError` where
    another run is at it, `HubError`, and `UnavailableError` where the account cannot be proved.
    """
    provider = _sender(runtime, request.provider)
    read = _reading(runtime)
    composer = _composer(provider, request, HubPast(read, provider.name))
    if request.max_duration is not None:
        runtime.stop.limit(request.max_duration)
    with _opened(runtime, request, composer) as source:
        send_id = new_run_id(runtime.clock)
        runtime.start_log(run_id=send_id)
        batch = _named(read, request, gather(request, source, send_id))
        with _locked(runtime, provider.name, batch.name):
            # Another run may have made the hub meanwhile.
            read = _reading(runtime)
            _recover_cut_short(runtime, provider.name, batch.name)
            past = HubPast(read, provider.name)
            known = None if read is None else sends.find_send(read, provider.name, batch.name)
            at = known.send_id if known else send_id
            planner = _planner(runtime, provider, composer, past, at)
            foresight = _foresight(request, batch, planner)
            db = None if read is None else runtime.hub.connection
            outlook = foresee(foresight, batch, planner, request, db, known)
            _ask(runtime, request, outlook)
            run = _Run(runtime, request, batch, planner, foresight, outlook, send_id, known)
            shown = progress if progress is not None and outlook.total > 1 else NoProgress()
            return run.to_the_end(provider, LoggedProgress(shown))


# -- before anything is sent


def _sender(runtime: Runtime, name: str) -> Provider:
    provider = runtime.provider(name)
    if not isinstance(provider, Sends):
        from lumio_cli.providers.registry import provider_class, provider_names

        able = [n for n in provider_names() if provider_class(n).messages]
        raise UsageError(f"{name} sends no messages", hint=f"these do: {', '.join(able) or 'none'}")
    return provider


@contextmanager
def _opened(runtime: Runtime, request: Request, composer: Composer) -> Iterator[Source | None]:
    """The input, where there is one."""
    if not request.input:
        yield None
        return
    if request.to:
        raise UsageError("--to and --input cannot be combined", hint="a column `to` names them")
    with Source(request.input, runtime.stdin) as source:
        if source.columns is not None:
            composer.check_columns(source.columns)
        yield source


def _reading(runtime: Runtime) -> sqlite3.Connection | None:
    """The hub, to be read; None where there is none yet."""
    reader = runtime.hub_reader
    return None if reader is None else reader.connection


def _composer(provider: Provider, request: Request, past: HubPast) -> Composer:
    parameters: frozenset[str] = frozenset()
    if isinstance(provider, Prepares):
        parameters = provider.parameters(request.given.values, past)
    return Composer(provider.name, provider.messages, request.given, parameters)


def _planner(
    runtime: Runtime, provider: Provider, composer: Composer, past: HubPast, send_id: str
) -> Planner:
    return Planner(composer, cast(Sends, provider), past, send_id, runtime.clock)


def _foresight(request: Request, batch: Batch, planner: Planner) -> Foresight:
    """A send that was given a name is on purpose, and so is one of the command line."""
    return Foresight(batch, planner, request, batch.bulk and not request.name and not request.again)


def _named(db: sqlite3.Connection | None, request: Request, batch: Batch) -> Batch:
    """The rows under the name of the send that goes on: that of the same input, whatever its file
    was called; with `again` one that is not over yet, or a new one.
    """
    if db is None:
        return batch
    provider, name = request.provider, batch.name
    found = sends.find_send(db, provider, name)
    if found is None and batch.bulk and not request.name:
        found = sends.find_input(db, provider, sends.salted(db, batch.content))
        name = found.name if found else name
    if not request.again or found is None:
        return replace(batch, name=name)
    base = re.sub(r"~\d+$", "", name)[: LONGEST_NAME - 6]
    for number in count(2):
        if found is None or not sends.is_over(db, found, OUT_OF_REACH):
            return replace(batch, name=name)
        name = f"{base}~{number}"
        found = sends.find_send(db, provider, name)
    raise AssertionError


@contextmanager
def _locked(runtime: Runtime, provider: str, name: str) -> Iterator[None]:
    lock = send_lock(runtime.paths.locks, provider, name)
    if not lock.try_acquire():
        holder = lock.holder()
        who = f" (pid {holder.pid} on {holder.host}, since {holder.since})" if holder else ""
        raise BusyError(
            f"another lumio run is at the send {name}{who}",
            hint=f"`lumio sends show {name}` says how far it is",
        )
    try:
        yield
    finally:
        lock.path.unlink(missing_ok=True)
        lock.release()


def _recover_cut_short(runtime: Runtime, provider: str, name: str) -> None:
    """Put in order what runs that were killed have left: of this send, and of others, so that it
    is known what they have sent.
    """
    db = _reading(runtime)
    for row in () if db is None else sends.cut_short(db, provider, name):
        lock = send_lock(runtime.paths.locks, provider, row.name)
        if row.name != name and not lock.try_acquire():
            continue
        try:
            marks = Marks(_marks_path(runtime, row.send_id), row.total)
            recover(runtime.hub, row, marks, this_boot(), format_timestamp(runtime.clock.time()))
            marks.delete()
        finally:
            if row.name != name:
                lock.path.unlink(missing_ok=True)
                lock.release()


def _marks_path(runtime: Runtime, send_id: str) -> Path:
    return runtime.hub_path.parent / "sends" / f"{send_id}.marks"


def _ask(runtime: Runtime, request: Request, outlook: Outlook) -> None:
    """Let the operator confirm what goes to many, or cannot be taken back."""
    output = runtime.output
    if outlook.skipped:
        words = f"{outlook.name}: {outlook.skipped} of {outlook.total} were sent before"
        output.note(words if request.again else f"{words}; --again sends them once more")
    if outlook.repeats:
        output.warn(f"messages that repeat another one of the same input: {outlook.repeats}")
    again = outlook.unknown if request.if_unknown == "resend" else 0
    count = outlook.ready + again
    if not count or (count == 1 and not outlook.confirm):
        return
    if not request.yes and runtime.prompt.possible:
        ready = [m for m in outlook.messages if m["status"] == "ready"]
        for message in ready[:SHOWN]:
            output.note(f"{message['to'] or message['kind']}: {message['summary']}")
        if count > SHOWN:
            output.note(f"... {count - SHOWN} more; --preview shows them")
    words = "1 message" if count == 1 else f"{count} messages"
    question = f"This sends {words} by {outlook.provider}, as the send {outlook.name}."
    runtime.prompt.confirm(question, name="send", yes=request.yes)


# -- sending


@dataclass(frozen=True, slots=True)
class _Run:
    """One run, from the first look at the account to the books."""

    runtime: Runtime
    request: Request
    batch: Batch
    planner: Planner
    foresight: Foresight
    outlook: Outlook
    send_id: str
    known: SendRow | None

    def to_the_end(self, provider: Provider, progress: Progress) -> SendResult:
        """Send, and sum up."""
        runtime, clock = self.runtime, self.runtime.clock
        started_at = utc(clock.time())
        connection = self._connect(provider)
        provider = connection.provider
        row = self._begin(provider.name)
        marks = Marks(_marks_path(runtime, row.send_id), row.total)
        target = f"{provider.name}/messages"
        past = self.planner.past
        waits = Waits(progress, target, clock)
        crew = Crew(provider, connection.session, past, marks, min(WORKERS, row.total), waits)
        work = Work(
            runtime, self.request, row, self.batch, self.planner, self.foresight, crew, marks,
            progress, target,
        )  # fmt: skip
        progress.start(target, self.outlook.ready, detail=f"send {row.name}")
        sending = Sending(work, finds=isinstance(provider, Finds))
        sending.run()
        result = conclude(runtime, self.request, row, sending, started_at)
        if not sends.positions_of(runtime.hub.connection, row.id, "sending"):
            marks.delete()
        told = {name: getattr(result, name) for name in ("status", "sent", "failed")}
        progress.finish(target, told)
        return result

    def _begin(self, provider: str) -> SendRow:
        hub = self.runtime.hub
        account = read_account(hub.connection, provider)
        account_id = account.account_id if account else ""
        if self.known is not None and self.known.account != account_id:
            raise ConfigError(
                f"the send {self.known.name} was begun with account {self.known.account}, "
                f"and the credential opens {account_id}",
                code="account_changed",
                hint="connect the first account again, or begin another send with --name NEW",
            )
        with sends.durable(hub) as db:
            if self.known is not None:
                sends.drop_beyond(db, self.known.id, self.outlook.total)
            return sends.begin_send(
                db,
                send_id=self.send_id,
                provider=provider,
                name=self.batch.name,
                account=account_id,
                digest=sends.salted(db, self.batch.content),
                total=self.outlook.total,
                boot=this_boot(),
                now=format_timestamp(self.runtime.clock.time()),
            )

    def _connect(self, provider: Provider) -> ProviderConnection:
        """Connect, with the account proved, and the provider as that account has it. Quotas are
        counted by account, from the first message on."""
        urgent = self.outlook.total == 1
        manner = Manner(
            priority="interactive" if urgent else "incremental",
            run_id=self.send_id,
            connections=WORKERS,
        )
        return connect(self.runtime, provider, manner).verify_account(self.runtime.hub)

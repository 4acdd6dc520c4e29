"""Those who send: some threads, each with one message at a time, that never touch the hub."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lumio_cli.core.errors import (
    OUTCOME_UNKNOWN,
    CircuitOpenError,
    ConfigError,
    CredentialError,
    LumioError,
    QuotaError,
    StoppedError,
)
from lumio_cli.providers.contract.call import Reply
from lumio_cli.providers.contract.messages import Message
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.services.messaging.delivery_marks import FREE, LEAVING, LEFT, TAKEN, Marks
from lumio_cli.transport.request_log import Tally

if TYPE_CHECKING:
    from lumio_cli.core.clock import Clock
    from lumio_cli.core.progress import Progress
    from lumio_cli.providers.contract.call import Call
    from lumio_cli.providers.contract.messages import Past
    from lumio_cli.providers.contract.provider import Provider
    from lumio_cli.transport.session import Session

HALTING = (QuotaError, CircuitOpenError, CredentialError, ConfigError)
"""Errors that the next message would meet as well."""


@dataclass(frozen=True, slots=True)
class Task:
    """A message to send, or to ask the provider about; `who` is its recipient, however spelled."""

    position: int
    message: Message
    act: Literal["deliver", "find"] = "deliver"
    who: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """What has become of a task.

    status   sent (held, paused: taken, and not sent on), failed or unknown; pending: nothing was
             sent, and it may be tried again. Without a `code`, an unknown one is in doubt as it was
    state    the provider's own word for a message that it has taken
    halt     the error that keeps the others from being sent, too
    """

    task: Task
    status: Literal["sent", "held", "paused", "failed", "unknown", "pending"]
    id: str = ""
    code: str = ""
    message: str = ""
    error: LumioError | None = None
    halt: bool = False
    state: str = ""


class Crew:
    """`size` threads that work on tasks until `close`. `done` holds what they have finished."""

    def __init__(
        self,
        provider: Provider,
        session: Session,
        past: Past,
        marks: Marks,
        size: int,
        on_wait: Callable[[float, str], None],
    ) -> None:
        self.done: queue.SimpleQueue[Done] = queue.SimpleQueue()
        self._provider: Any = provider
        self._session = session
        self._past = past
        self._marks = marks
        self._on_wait = on_wait
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._halted = threading.Event()
        self._gate = Gate()
        self._size = size
        self._threads = 0

    def submit(self, task: Task) -> None:
        """Give the task to whoever is free; `done` will hold what has become of it."""
        self._tasks.put(task)
        if self._threads < self._size:
            self._threads += 1
            name = f"lumio-send-{self._threads}"
            # Daemons: a request that hangs must not keep the process from ending.
            threading.Thread(target=self._work, name=name, daemon=True).start()

    def halt(self) -> None:
        """Begin nothing more: what has not been begun comes back as pending."""
        self._halted.set()

    def forbid(self) -> None:
        """From now on no message leaves, though somebody may hold it: nobody waits for them."""
        self._halted.set()
        self._gate.shut()

    def close(self) -> None:
        """Let the threads go home."""
        for _ in range(self._threads):
            self._tasks.put(None)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            self.done.put(Done(task, "pending") if self._halted.is_set() else self._do(task))

    def _do(self, task: Task) -> Done:
        way = _Way(self._session, self._marks, task.position, self._gate, self._on_wait)
        try:
            if task.act == "find":
                return self._find(task)
            receipt = self._provider.deliver(task.message, way.send)
        except Exception as error:  # noqa: BLE001 a mistake in a provider's module costs a message
            return self._after(task, way, error)
        done = _of_receipt(task, receipt)
        if done.status != "unknown":
            self._marks[task.position] = FREE if done.status == "failed" else TAKEN
        return done

    def _find(self, task: Task) -> Done:
        receipt = self._provider.find(task.message, self._past, self._session.send)
        if receipt is None:
            return Done(task, "unknown")
        return Done(task, "pending") if receipt.status == "retry" else _of_receipt(task, receipt)

    def _after(self, task: Task, way: _Way, error: Exception) -> Done:
        """What an error means for a message."""
        if not isinstance(error, LumioError):
            error = LumioError(f"unexpected error: {error!r}", code="internal")
        halt = isinstance(error, HALTING)
        if task.act == "find":
            return Done(task, "unknown", error=error, halt=halt)
        if error.code == OUTCOME_UNKNOWN or way.partly:
            return Done(task, "unknown", "", error.code, error.message, error, halt)
        self._marks[task.position] = FREE
        if halt or isinstance(error, StoppedError):
            return Done(task, "pending", "", error.code, error.message, error, halt)
        return Done(task, "failed", "", error.code, error.message, error)


class Gate:
    """What every message passes on its way out, as long as it is open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = True

    def __enter__(self) -> None:
        self._lock.acquire()
        if not self._open:
            self._lock.release()
            raise StoppedError("stopped: nobody waits for this message any longer")

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def shut(self) -> None:
        """Nobody passes once this has returned."""
        with self._lock:
            self._open = False


class _Way:
    """One message's way to the provider: sends its calls, and marks how far they have come.

    Only calls that may not be repeated are marked: any other does no harm if it is sent again.
    """

    def __init__(
        self,
        session: Session,
        marks: Marks,
        position: int,
        gate: Gate,
        on_wait: Callable[[float, str], None],
    ) -> None:
        self._session = session
        self._marks = marks
        self._position = position
        self._gate = gate
        self._on_wait = on_wait
        self._tally = Tally(self._waits, self._leaves)
        self.partly = False
        """Whether a call that may not be repeated was answered well, so that the message must not
        be begun again from its first call."""

    def send(self, call: Call) -> Reply:
        """See `providers.contract.call.Send`."""
        reply = self._session.send(call, tally=self._tally)
        if not call.repeatable:
            self.partly = True
            self._marks[self._position] = LEFT
        return reply

    def _leaves(self, gone: bool) -> None:
        if gone:
            self._marks[self._position] = LEFT
            return
        with self._gate:
            self._marks[self._position] = LEAVING

    def _waits(self, seconds: float, reason: str) -> None:
        # Who waits has nothing on its way: what was sent before was refused unprocessed.
        self._marks[self._position] = LEFT if self.partly else FREE
        self._on_wait(seconds, reason)


Taken = Literal["sent", "held", "paused"]
HELD: dict[str, Taken] = {
    "held_for_quality_assessment": "held",
    "paused": "paused",
}
"""What a provider calls a message that it has taken and does not send on, and how it stands."""
PASSING = ("provider_unavailable", "bad_reply", "retry")
"""Codes of failures that the next run tries again: the message itself is not at fault."""


def _of_receipt(task: Task, receipt: Receipt) -> Done:
    match receipt.status:
        case "done":
            status: Taken = HELD.get(receipt.kind, "sent")
            return Done(
                task, status, receipt.id, receipt.kind if receipt.message else "",
                receipt.message, state=receipt.kind,
            )  # fmt: skip
        case "unknown":
            return Done(task, "unknown", receipt.id, receipt.kind or "unknown", receipt.message)
        case "retry":
            return Done(task, "failed", receipt.id, "retry", receipt.message)
        case "failed":
            return Done(task, "failed", receipt.id, receipt.kind or "failed", receipt.message)


class Waits:
    """Tells progress of waits, but not of each thread's: of one a second, if it is a long one."""

    def __init__(self, progress: Progress, target: str, clock: Clock) -> None:
        self._progress = progress
        self._target = target
        self._clock = clock
        self._guard = threading.Lock()
        self._told = 0.0

    def __call__(self, seconds: float, reason: str) -> None:
        """See `transport.request_log.Tally`."""
        now = self._clock.monotonic()
        with self._guard:
            if seconds < 1 or now - self._told < 1:
                return
            self._told = now
        self._progress.waiting(self._target, reason, seconds)

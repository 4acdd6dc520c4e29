"""What is to be done with each row of an input, before anything is sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from lumio_cli.clock import Clock, utc
from lumio_cli.errors import LumioError, RejectedError, UsageError
from lumio_cli.hub import sends
from lumio_cli.services.send.compose import Composer, summary
from lumio_cli.services.send.crew import PASSING
from lumio_cli.services.send.model import Outlook, Request
from lumio_cli.services.source import Row, Source

if TYPE_CHECKING:
    import sqlite3
    from typing import TypeVar

    from lumio_cli.hub.sends import Entry, SendRow
    from lumio_cli.providers.messages import Message, Sends
    from lumio_cli.services.send.past import HubPast

    T = TypeVar("T")

CHUNK = 500
"""Rows that are looked up in the ledger together."""
LONGEST_NAME = 100
BAD_ROW = "bad_row"


@dataclass(frozen=True, slots=True)
class Batch:
    """All rows of a send; without a `source` they are the recipients of the command line."""

    name: str
    rows: tuple[Row, ...] = ()
    source: Source | None = None
    content: bytes = b""

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows) if self.source is None else self.source.rows()

    @property
    def bulk(self) -> bool:
        """Whether rows may be bad without the command being wrong."""
        return self.source is not None


def gather(request: Request, source: Source | None, send_id: str) -> Batch:
    """The rows of a request, under their name.

    A file's default name comes from its content and from nothing else: the same file with another
    text is not sent by accident, but asks for a name of its own.
    """
    if len(request.name) > LONGEST_NAME or not request.name.isprintable():
        raise UsageError(f"--name is at most {LONGEST_NAME} characters of text")
    rows: tuple[Row, ...] = ()
    content: list[Any] = [request.given.kind, request.given.values]
    if source is None:
        recipients = request.to or ("",)
        rows = tuple(Row(n, 0, {"to": to} if to else {}) for n, to in enumerate(recipients, 1))
        content.append(list(request.to))
        name = send_id
    else:
        content.append(source.digest.hex())
        stem = re.sub(r"[^\w.-]+", "-", source.name)[:40] or "input"
        name = f"{stem}-{source.digest.hex()[:8]}"
    text = json.dumps(content, sort_keys=True)
    return Batch(request.name or name, rows, source, text.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, slots=True)
class Planned:
    """A row, as it would be sent now. Without a `message` it cannot be, and `error` says why.
    `status`: ready; failed, since there is no message in it; refused by the provider's rules.
    """

    position: int
    to: str
    kind: str
    digest: bytes
    status: Literal["ready", "failed", "refused"]
    message: Message | None = None
    error: LumioError | None = None

    @property
    def code(self) -> str | None:
        """The error's word, for the ledger."""
        if self.error is None:
            return None
        category = getattr(self.error, "category", "")
        return BAD_ROW if self.status == "failed" else category or self.error.code


class Planner:
    """Turns rows into messages, and asks the provider's module whether they may be sent."""

    def __init__(
        self, composer: Composer, provider: Sends, past: HubPast, send_id: str, clock: Clock
    ) -> None:
        self.composer = composer
        self._provider = provider
        self.past = past
        self._send_id = send_id
        self._clock = clock

    def forget(self) -> None:
        """The hub may know more by now than it did."""
        self.past.forget()

    def plan(self, row: Row, *, bulk: bool, check: bool = True) -> Planned:
        """What a row comes to; without `check` whether it may be sent is not asked.

        Raises `UsageError` where it is no row of a bulk.
        """
        to, kind = str(row.cells.get("to", "")), str(row.cells.get("kind", ""))
        digest = b""
        try:
            message = self._compose(row)
            to, kind = message.to, message.kind
            digest = blake2b(self.composer.digest(message), digest_size=16).digest()
            if check:
                self._provider.check(message, self.past)
        except UsageError as error:
            if not bulk:
                raise
            placed = UsageError(f"line {row.line}: {error.message}", hint=error.hint)
            return Planned(row.position, to, kind, digest, "failed", None, placed)
        except RejectedError as error:
            return Planned(row.position, to, kind, digest, "refused", None, error)
        return Planned(row.position, to, kind, digest, "ready", message)

    def _compose(self, row: Row) -> Message:
        if row.problem:
            raise UsageError(row.problem)
        key = f"{self._send_id}.{row.position}"
        return self.composer.message(row.cells, key, utc(self._clock.time()))


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size`, and what is left."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def goes(entry: Entry | None, request: Request) -> bool:
    """Whether a message of the ledger is to be tried in this run."""
    if entry is None or entry.status in ("pending", "refused"):
        return True
    return entry.status == "failed" and (request.retry_failed or entry.code in PASSING)


def foresee(
    batch: Batch,
    planner: Planner,
    request: Request,
    db: sqlite3.Connection | None,
    known: SendRow | None,
) -> Outlook:
    """Go through all rows and say what would be sent. Writes nothing.

    Raises `UsageError` where the input has no rows, or many of a kind that goes to one at a time.
    """
    outlook = Outlook(batch.name, request.provider)
    seen: set[bytes] = set()
    for rows in chunks(batch, CHUNK):
        entries = {}
        if db is not None and known is not None:
            entries = sends.read_entries(db, known.id, rows[0].position, rows[-1].position)
        for row in rows:
            planned = planner.plan(row, bulk=batch.bulk)
            _count(outlook, planned, entries.get(row.position), request)
            if planned.message is not None:
                kind = planner.composer.kind(planned.kind)
                outlook.confirm |= kind.confirm
                outlook.single |= set() if kind.bulk else {kind.name}
                outlook.repeats += planned.digest in seen
                seen.add(planned.digest)
    if not outlook.total:
        raise UsageError("there is nothing to send: the input has no rows")
    if outlook.total > 1 and outlook.single:
        raise UsageError(
            f"{request.provider} {min(outlook.single)} goes to one recipient at a time",
            hint="send the others with a command of their own",
        )
    return outlook


def _count(outlook: Outlook, planned: Planned, entry: Entry | None, request: Request) -> None:
    status: str = planned.status
    if entry is not None and not goes(entry, request):
        status = {"sent": "skipped", "sending": "unknown"}.get(entry.status, entry.status)
    outlook.total += 1
    setattr(outlook, status, getattr(outlook, status) + 1)
    if len(outlook.messages) >= request.limit:
        return
    error: dict[str, Any] | None = None
    if status == planned.status and planned.error is not None:
        error = {"code": planned.code, "message": planned.error.message}
    elif entry is not None and entry.code:
        error = {"code": entry.code, "message": entry.message}
    outlook.messages.append(
        {
            "position": planned.position,
            "to": planned.to,
            "kind": planned.kind,
            "status": status,
            "summary": summary(planned.message) if planned.message else "",
            "error": error,
        }
    )

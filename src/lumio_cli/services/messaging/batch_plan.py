"""What is to be done with each row of an input, before anything is sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from lumio_cli.core.clock import Clock, utc
from lumio_cli.core.errors import LumioError, RejectedError, UsageError
from lumio_cli.providers.contract.messages import Names, Prepares, Reach, Reaches
from lumio_cli.services.messaging.compose import Composer
from lumio_cli.services.messaging.model import Request
from lumio_cli.services.messaging.workers import PASSING
from lumio_cli.services.tabular.row_reader import Row, Source

if TYPE_CHECKING:
    from typing import TypeVar

    from lumio_cli.hub.sqlite.sends import Entry
    from lumio_cli.providers.contract.messages import Message, Sends
    from lumio_cli.services.messaging.recipient_history import HubPast

    T = TypeVar("T")

CHUNK = 500
"""Rows of the ledger that are written or read together."""
AT_HAND = 32
"""Messages that are made together, and looked up: each may hold a file."""
LONGEST_NAME = 100
BAD_ROW = "bad_row"
SENT_BEFORE = "sent_before"
IN_DOUBT = "in_doubt"
"""An earlier send may have sent it: who has to decide is the operator, not the provider."""
OUT_OF_REACH = "messaging_limit"
DAY = 86_400.0
STANDS = {"sent": "skipped", "sending": "unknown"}
"""How a message of the ledger stands for a run that passes it by, where that is another word."""


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
    """A row, as it would be sent now. Without a `message` it is not, and `error` or `note` says
    why.

    plain    the message as it was given, for people
    who      the name of its recipient that all of its spellings have in common
    digest   of kind, content and `who`; empty where there is no message in the row
    same     its digests by all the names that the recipient has
    status   ready; failed, since there is no message in it; refused by the provider's rules;
             skipped or unknown, since an earlier send has sent it, or may have
    """

    position: int
    to: str
    kind: str
    status: Literal["ready", "failed", "refused", "skipped", "unknown"]
    message: Message | None = None
    plain: Message | None = None
    error: LumioError | None = None
    who: str = ""
    digest: bytes = b""
    same: tuple[bytes, ...] = ()
    counts: bool = False
    note: str = ""

    @property
    def code(self) -> str | None:
        """The word for what is not ready, for the ledger."""
        if self.error is None:
            return {"skipped": SENT_BEFORE, "unknown": IN_DOUBT}.get(self.status)
        category = getattr(self.error, "category", "")
        return BAD_ROW if self.status == "failed" else category or self.error.code


class Planner:
    """Turns rows into messages, and asks the provider's module whether they may be sent."""

    def __init__(
        self, composer: Composer, provider: Sends, past: HubPast, send_id: str, clock: Clock
    ) -> None:
        self.composer = composer
        self.past = past
        self.clock = clock
        self._provider = provider
        self._send_id = send_id
        self._names = provider if isinstance(provider, Names) else None
        self._prepares = provider if isinstance(provider, Prepares) else None
        self._reaches = provider if isinstance(provider, Reaches) else None

    def forget(self) -> None:
        """The hub may know more by now than it did."""
        self.past.forget()

    def plan(self, row: Row, *, bulk: bool, check: bool = True) -> Planned:
        """What a row comes to; without `check` whether it may be sent is not asked.

        Raises `UsageError` where it is no row of a bulk.
        """
        planned = Planned(
            row.position, str(row.cells.get("to", "")), str(row.cells.get("kind", "")), "ready"
        )
        try:
            message = self._compose(row)
            planned = self._known(planned, message)
            if self._prepares is not None:
                message = self._prepares.prepared(message, self.past)
            counts = False
            if check:
                self._provider.check(message, self.past)
                if self._reaches is not None:
                    counts = self._reaches.counts(message, self.past)
        except UsageError as error:
            if not bulk:
                raise
            placed = UsageError(f"line {row.line}: {error.message}", hint=error.hint)
            return replace(planned, status="failed", error=placed)
        except RejectedError as error:
            return replace(planned, status="refused", error=error)
        return replace(planned, message=message, counts=counts)

    def names(self, to: str) -> tuple[str, ...]:
        """What a recipient is called; see `providers.contract.messages.Names`."""
        return (to,) if self._names is None else self._names.names(to, self.past)

    def reach(self) -> Reach | None:
        """See `providers.contract.messages.Reaches`."""
        return None if self._reaches is None else self._reaches.reach(self.past)

    def _compose(self, row: Row) -> Message:
        if row.problem:
            raise UsageError(row.problem)
        key = f"{self._send_id}.{row.position}"
        return self.composer.message(row.cells, key, utc(self.clock.time()))

    def _known(self, planned: Planned, message: Message) -> Planned:
        """The row with what tells its message from others."""
        names = self.names(message.to)
        # What an older lumio has written into the ledger is by the recipient as it was given.
        same = self.composer.digests(message, tuple(dict.fromkeys((*names, message.to))))
        return replace(
            planned,
            to=message.to,
            kind=message.kind,
            plain=message,
            who=names[0],
            digest=same[0],
            same=tuple(same),
        )


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size`, and what is left."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def goes(entry: Entry | None, request: Request) -> bool:
    """Whether a message of the ledger is to be tried in this run, as it was written down."""
    if entry is None or entry.status in ("pending", "refused"):
        return True
    if entry.status == "skipped":
        return request.again
    if entry.code == IN_DOUBT:
        # What the other send knows by now decides.
        return entry.status == "unknown"
    # A bad row never was a message: it is read anew, since it may have been corrected.
    return entry.status == "failed" and (request.retry_failed or entry.code in (*PASSING, BAD_ROW))

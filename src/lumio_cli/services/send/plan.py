"""What is to be done with each row of an input, before anything is sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from lumio_cli.clock import Clock, format_timestamp, utc
from lumio_cli.errors import LumioError, RejectedError, UsageError
from lumio_cli.hub import sends
from lumio_cli.providers.messages import Names, Prepares, Reach, Reaches
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
        """What a recipient is called; see `providers.messages.Names`."""
        return (to,) if self._names is None else self._names.names(to, self.past)

    def reach(self) -> Reach | None:
        """See `providers.messages.Reaches`."""
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


@dataclass(frozen=True, slots=True)
class Seen:
    """A row as it would be sent now, and its entry in the ledger of the send. `due` is whether it
    is to be tried in this run."""

    planned: Planned
    entry: Entry | None
    due: bool


class Foresight:
    """Goes through the rows of a send, and says of each what is to be done with it.

    `elsewhere` is whether what other sends have sent is passed over.
    """

    def __init__(self, batch: Batch, planner: Planner, request: Request, elsewhere: bool) -> None:
        self._batch = batch
        self._planner = planner
        self._request = request
        self._elsewhere = elsewhere

    def rows(self, db: sqlite3.Connection | None, send: int | None) -> Iterator[Seen]:
        """Each row. Raises `UsageError` where a row is wrong that is no row of a bulk."""
        batch, planner, request = self._batch, self._planner, self._request
        day = _Day(planner, request.provider, db)
        for rows in chunks(batch, AT_HAND):
            entries: dict[int, Entry] = {}
            if db is not None and send is not None:
                entries = sends.read_entries(db, send, rows[0].position, rows[-1].position)
            planned = [planner.plan(row, bulk=batch.bulk) for row in rows]
            for one in planned if db is None else self.passed_over(db, send, planned):
                entry = entries.get(one.position)
                due = goes(entry, request) or _corrected(entry, one)
                yield Seen(day.room_for(one) if due else one, entry, due)

    def passed_over(
        self, db: sqlite3.Connection, send: int | None, planned: Sequence[Planned]
    ) -> list[Planned]:
        """The rows; those that another send has sent, or may have sent, without their message."""
        if not self._elsewhere:
            return list(planned)
        digests = [d for one in planned if one.message is not None for d in one.same]
        before = sends.sent_before(db, self._request.provider, send, digests)
        return [
            self._passed_over(one, next((before[d] for d in one.same if d in before), None))
            for one in planned
        ]

    def _passed_over(self, planned: Planned, before: sends.Before | None) -> Planned:
        if planned.message is None or before is None:
            return planned
        when = f"{before.at[:16].replace('T', ' ')} UTC in the send {before.name}"
        if before.status not in ("unknown", "sending"):
            note = f"already sent on {when}"
            return replace(planned, status="skipped", message=None, note=note)
        if self._request.if_unknown == "resend":
            return planned
        note = f"it may have been sent on {when}"
        return replace(planned, status="unknown", message=None, note=note)


class _Day:
    """How many people an account may still write to today."""

    def __init__(self, planner: Planner, provider: str, db: sqlite3.Connection | None) -> None:
        self._reach = planner.reach()
        self._met: set[str] = set()
        if self._reach is not None and db is not None:
            since = format_timestamp(planner.clock.time() - DAY)
            told = sends.recipients_since(db, provider, self._reach.kinds, since)
            self._met = {planner.names(to)[0] for to in told}

    def room_for(self, planned: Planned) -> Planned:
        """The row, refused where the day's people are used up by those before it."""
        if self._reach is None or not planned.counts or planned.message is None:
            return planned
        if planned.who not in self._met and len(self._met) >= self._reach.people:
            error = RejectedError(
                f"the account may write to {self._reach.people:,} people in 24 hours, and those"
                " before this one are as many",
                category=OUT_OF_REACH,
                hint="give the same command again tomorrow: it goes on with the others",
            )
            return replace(planned, status="refused", message=None, error=error)
        self._met.add(planned.who)
        return planned


def foresee(
    foresight: Foresight,
    batch: Batch,
    planner: Planner,
    request: Request,
    db: sqlite3.Connection | None,
    known: SendRow | None,
) -> Outlook:
    """Go through all rows and say what would be sent. Writes nothing.

    Raises `UsageError` where the input has no rows, or many of a kind that goes to one at a time,
    and where a message that was sent is another one by now.
    """
    outlook = Outlook(batch.name, request.provider)
    seen: dict[bytes, int] = {}
    for row in foresight.rows(db, None if known is None else known.id):
        planned = row.planned
        if known is not None:
            _unchanged(known, row)
        first = next((seen[d] for d in planned.same if d in seen), 0)
        _count(outlook, row, request, first)
        if planned.message is not None:
            kind = planner.composer.kind(planned.kind)
            outlook.confirm |= kind.confirm
            outlook.single |= set() if kind.bulk else {kind.name}
            outlook.repeats += bool(first)
            seen |= dict.fromkeys(planned.same, first or planned.position)
    if not outlook.total:
        raise UsageError("there is nothing to send: the input has no rows")
    if outlook.total > 1 and outlook.single:
        raise UsageError(
            f"{request.provider} {min(outlook.single)} goes to one recipient at a time",
            hint="send the others with a command of their own",
        )
    if db is not None and known is not None and sends.final_beyond(db, known.id, outlook.total):
        raise _another(f"the input has fewer rows than when {known.name} sent them")
    return outlook


def _corrected(entry: Entry | None, planned: Planned) -> bool:
    """Whether a row that failed is another one by now."""
    return (
        entry is not None
        and entry.status == "failed"
        and bool(planned.digest)
        and entry.digest not in planned.same
    )


def _unchanged(known: SendRow, row: Seen) -> None:
    """A row that was not sent may be corrected; one that was would be a second message."""
    entry, planned = row.entry, row.planned
    if entry is None or row.due or entry.status == "failed" or not entry.digest:
        return
    if planned.digest and entry.digest not in planned.same:
        raise _another(f"message {planned.position} is not what it was when {known.name} sent it")


def _another(words: str) -> UsageError:
    return UsageError(
        words,
        hint="a row, an option or an attachment has changed; --name NEW makes it a send of its own",
    )


def _count(outlook: Outlook, row: Seen, request: Request, first: int) -> None:
    planned, entry = row.planned, row.entry
    status: str = planned.status
    if entry is not None and not row.due:
        status = STANDS.get(entry.status, entry.status)
    outlook.total += 1
    setattr(outlook, status, getattr(outlook, status) + 1)
    if len(outlook.messages) >= request.limit:
        return
    error: dict[str, Any] | None = None
    note = planned.note
    if status == planned.status and planned.error is not None:
        error = {"code": planned.code, "message": planned.error.message}
    elif status == planned.status == "unknown":
        error = {"code": planned.code, "message": planned.note}
    elif entry is not None and entry.code:
        told = sends.as_json(entry)
        error, note = told["error"], told["note"] or note
    if first and status == "ready":
        note = f"it repeats message {first}"
    outlook.messages.append(
        {
            "position": planned.position,
            "to": planned.to,
            "kind": planned.kind,
            "status": status,
            "summary": summary(planned.plain) if planned.plain else "",
            "error": error,
            "note": note or None,
        }
    )

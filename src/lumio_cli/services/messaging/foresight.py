"""What a send would do with each of its rows, by what the hub knows has been sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lumio_cli.core.clock import format_timestamp
from lumio_cli.core.errors import RejectedError, UsageError
from lumio_cli.hub.sqlite import recipients, sends
from lumio_cli.services.messaging.batch_plan import (
    AT_HAND,
    DAY,
    OUT_OF_REACH,
    STANDS,
    Batch,
    Planned,
    Planner,
    chunks,
    goes,
)
from lumio_cli.services.messaging.compose import summary
from lumio_cli.services.messaging.model import Outlook, Request

if TYPE_CHECKING:
    import sqlite3

    from lumio_cli.hub.sqlite.sends import Entry, SendRow


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
            told = recipients.recipients_since(db, provider, self._reach.kinds, since)
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

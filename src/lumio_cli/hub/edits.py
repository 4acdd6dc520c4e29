"""The life of an edit: what was changed in the hub, until the provider has it, or nobody wants it.

All moves between states are here: `after` says what becomes of an edit when something happens to
it. The triggers of the views, and what is done to many edits at once, are SQL, whose words are
`State`'s; tests compare them with `after`. `docs/internals/edit-lifecycle.md` draws it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, overload

from lumio_cli.hub.edit_events import (
    Action,
    Alike,
    Claimed,
    Compared,
    Done,
    Dropped,
    EditedAgain,
    Event,
    FoundGone,
    Identified,
    Interrupted,
    Joined,
    Lasting,
    Moved,
    NotFound,
    Postponed,
    Protected,
    RecordDeleted,
    Refused,
    Requeued,
    Restored,
    Unanswered,
    Unheard,
)

LOCAL = "new-________________"
"""What the ids of records that were made here look like (LIKE), until the provider gives one."""
_LOCAL = re.compile("new-[0-9a-f]{16}")
UNSETTLED = "unsettled"
"""The kind of a failure of which nobody knows whether it is one: a person has to look."""


class State(StrEnum):
    """Where an edit stands."""

    PENDING = "pending"
    """It waits to be sent."""
    SENDING = "sending"
    """A run is at it, or was when it was killed."""
    UNKNOWN = "unknown"
    """It has made a record, or has not: the record is looked for before it is sent again."""
    CONFLICT = "conflict"
    """The provider has changed the same; it waits for a person to say who is right."""
    FAILED = "failed"
    """The provider has refused it; there is a dead letter, and it waits for a person."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What was changed of one record. There is one edit a record; later changes are folded into it.

    provider      of the record
    resource      of the record
    record        its id; one of our own (`new-…`) as long as the provider has given none
    action        create | update | delete
    edits         the new values by the view's columns, as the view shows them
    base          those that they were made on; of a deletion, all that could be edited; of a new
                  record that is under way, those that were sent
    status        where it stands
    version       grows with each change of it, so that one made while it is sent is noticed
    key           its name at the provider, with the version
    conflict      `{"kind": "edit" | "changed" | "deleted", "fields": {column: theirs}}`, or of a
                  record that was merged `{"kind": "merged", "into": id, "fields": …}`; of a new
                  record that is an old one made anew, of which (see `sync.merging.merge.revival`)
    kind          of the failure: as in a receipt, or `UNSETTLED`
    message       why it waits, or was refused
    run_id        the run that sent it last
    attempts      how often it was sent
    attempted_at  when it was sent last, by the provider's clock (RFC 3339); None: nobody knows
    attempt_rid   of a create in doubt: the hub's last row number of the resource when it was sent
    edited_at     when it was changed last, by the hub's clock (RFC 3339)
    sent          what was sent of it, where the provider may have that by now
    """

    provider: str
    resource: str
    record: str
    action: Action
    edits: Mapping[str, Any] = field(default_factory=dict)
    base: Mapping[str, Any] = field(default_factory=dict)
    status: State = State.PENDING
    version: int = 1
    key: str = ""
    conflict: Mapping[str, Any] | None = None
    kind: str | None = None
    message: str | None = None
    run_id: str | None = None
    attempts: int = 0
    attempted_at: str | None = None
    attempt_rid: int | None = None
    edited_at: str = ""
    sent: Mapping[str, Any] | None = None

    @property
    def trace(self) -> str:
        """The name of this very change: the same when it is sent again, another once edited."""
        return f"{self.key}-{self.version}"

    @property
    def is_new(self) -> bool:
        """Whether the provider has not named its record yet."""
        return is_local(self.record)

    @property
    def in_doubt(self) -> bool:
        """Whether it has made a record that nobody has heard of, as far as is known."""
        return self.attempt_rid is not None

    @property
    def unanswered(self) -> bool:
        """Whether it was sent, and nobody has heard what became of it."""
        return self.status in (State.SENDING, State.UNKNOWN)

    @property
    def under_way(self) -> bool:
        """Whether the provider may have it by now: then taking it back is another edit."""
        return self.unanswered or self.sent is not None


def is_local(record: str) -> bool:
    """Return whether it is an id of our own, of a record that the provider has not named yet."""
    return _LOCAL.fullmatch(record) is not None


def refers_to(edit: Edit) -> list[str]:
    """Return the ids of our own, of other records, that are among an edit's values."""
    return [v for v in edit.edits.values() if isinstance(v, str) and is_local(v)]


class ImpossibleError(AssertionError):
    """Something has happened to an edit that cannot happen in its state: a mistake of ours."""


@overload
def after(edit: Edit, event: Lasting) -> Edit: ...
@overload
def after(edit: Edit, event: Event) -> Edit | None: ...
def after(edit: Edit, event: Event) -> Edit | None:
    """Return what an edit is after that; None where nothing is left to be sent.

    Raises `ImpossibleError`.
    """
    match event:
        case EditedAgain() | RecordDeleted() | Requeued() | Dropped():
            return _after_a_hand(edit, event)
        case Claimed() | Interrupted() | Restored():
            return _after_a_run(edit, event)
        case Done() | Unanswered() | Postponed() | Refused() | FoundGone():
            return _after_a_receipt(edit, event)
        case Identified() | NotFound() | Alike() | Protected() | Unheard():
            return _after_a_search(edit, event)
        case _:
            return _after_a_merge(edit, event)


def afresh(edit: Edit) -> Edit:
    """Return the edit as one that waits, and of which nothing was sent or said so far."""
    return replace(
        edit,
        status=State.PENDING,
        sent=None,
        attempt_rid=None,
        conflict=None,
        kind=None,
        message=None,
    )


def failed(edit: Edit, kind: str, message: str) -> Edit:
    """Return the edit as one that waits for a person, who is told why."""
    return replace(
        edit, status=State.FAILED, sent=None, attempt_rid=None, kind=kind, message=message
    )


def _after_a_hand(
    edit: Edit, event: EditedAgain | RecordDeleted | Requeued | Dropped
) -> Edit | None:
    match event:
        case EditedAgain():
            again = edit.status is State.FAILED and edit.kind != UNSETTLED
            return replace(
                edit, status=State.PENDING if again else edit.status, version=edit.version + 1
            )
        case RecordDeleted():
            if edit.action == "create" and not edit.under_way:
                return None
            status = edit.status
            if not edit.unanswered:
                # A new record that may be there is looked for, and then deleted.
                status = State.UNKNOWN if edit.in_doubt else State.PENDING
            return replace(edit, action="delete", status=status, version=edit.version + 1)
        case Requeued():
            if edit.status is not State.FAILED:
                return edit
            return replace(
                edit, status=State.PENDING, kind=None, message=None, attempts=0, attempt_rid=None
            )
        case Dropped():
            return None


def _after_a_run(edit: Edit, event: Claimed | Interrupted | Restored) -> Edit:
    match event:
        case Claimed(run_id, at):
            if edit.status is not State.PENDING:
                raise ImpossibleError(f"an edit that is {edit.status} was claimed")
            return replace(
                edit,
                status=State.SENDING,
                # What may be there already is what was sent first.
                sent=edit.sent if edit.in_doubt and edit.sent is not None else edit.edits,
                run_id=run_id,
                attempts=edit.attempts + 1,
                attempted_at=at,
            )
        case Interrupted(rid):
            if edit.status is State.PENDING and edit.in_doubt:
                return replace(edit, status=State.UNKNOWN)
            if edit.status is not State.SENDING:
                return edit
            if not edit.is_new:
                return replace(edit, status=State.PENDING, attempt_rid=None)
            return _lost(edit, rid)
        case Restored(rid):
            lost = edit.status in (State.PENDING, State.SENDING)
            if not (lost and edit.is_new and edit.action == "create"):
                return edit
            return replace(_lost(edit, rid), sent=edit.edits if edit.sent is None else edit.sent)


def _lost(edit: Edit, rid: int) -> Edit:
    """A new record that may be there, and nobody knows since when."""
    return replace(
        edit,
        status=State.UNKNOWN,
        attempt_rid=rid if edit.attempt_rid is None else edit.attempt_rid,
        attempted_at=None,
    )


def _after_a_receipt(
    edit: Edit, event: Done | Unanswered | Postponed | Refused | FoundGone
) -> Edit | None:
    unmade = edit.is_new and edit.action == "delete" and isinstance(event, Postponed | Refused)
    if unmade:
        # It was deleted here meanwhile, and was not made by this request.
        return replace(edit, status=State.UNKNOWN) if edit.in_doubt else None
    match event:
        case Done(edits, base):
            if edit.action != "delete" and not edits:
                return None
            action: Action = "delete" if edit.action == "delete" else "update"
            return replace(afresh(edit), action=action, edits=edits, base=base)
        case Unanswered(message, at, rid, _) if edit.is_new:
            # It may have waited before it was sent.
            lost = replace(_lost(edit, rid), attempted_at=at)
            return replace(lost, message=message)
        case Unanswered(message, _, _, since):
            return _again(edit, message, since)
        case Postponed(message, since):
            return _again(edit, message, since)
        case Refused(_, message, _, since) if edit.is_new and edit.in_doubt:
            # It is refused now; but what was sent before, and got no answer, may be there.
            return replace(edit, status=State.UNKNOWN, message=message, attempted_at=since)
        case Refused(_, message, version, _) if edit.version != version:
            # It was edited meanwhile, maybe for the better.
            return replace(edit, status=State.PENDING, sent=None, message=message)
        case Refused(kind, message, _, _):
            return failed(edit, kind, message)
        case FoundGone(run_id):
            return replace(edit, status=State.PENDING, run_id=run_id, sent=None)


def _again(edit: Edit, message: str | None, since: str | None) -> Edit:
    # Of a new record that was not taken, nothing is there. Another may have been changed.
    sent = edit.sent if not edit.is_new or edit.in_doubt else None
    return replace(
        edit, status=State.PENDING, sent=sent, message=message or None, attempted_at=since
    )


def _after_a_search(
    edit: Edit, event: Identified | NotFound | Alike | Protected | Unheard
) -> Edit | None:
    if edit.status is not State.UNKNOWN:
        raise ImpossibleError(f"an edit that is {edit.status} was looked for")
    match event:
        case Identified():
            return None
        case NotFound():
            if edit.action == "delete":
                return None
            return replace(
                edit, sent=None, status=State.PENDING, attempt_rid=None, attempts=0, message=None
            )
        case Alike(why):
            return failed(edit, UNSETTLED, why)
        case Protected():
            return replace(edit, status=State.PENDING)
        case Unheard(why):
            return replace(edit, message=why)


def _after_a_merge(edit: Edit, event: Compared | Moved | Joined) -> Edit:
    match event:
        case Compared(edits, base, conflict):
            status = edit.status
            if conflict is not None:
                status = State.CONFLICT
            elif status is State.CONFLICT:
                status = State.PENDING
            changed = edits != edit.edits or base != edit.base
            if not changed and status is edit.status and conflict == edit.conflict:
                return edit
            return replace(
                edit,
                edits=edits,
                base=base,
                status=status,
                conflict=conflict,
                # Another name only where it is another change.
                version=edit.version + changed,
            )
        case Moved(record, action, edits, base, conflict):
            return replace(
                edit,
                record=record,
                action=action,
                edits=edits,
                base=base,
                status=State.PENDING,
                version=edit.version + 1,
                conflict=conflict,
            )
        case Joined(edits, base, edited_at):
            return replace(
                edit,
                edits=edits,
                base=base,
                status=State.PENDING if edit.status is State.FAILED else edit.status,
                version=edit.version + 1,
                edited_at=edited_at,
            )

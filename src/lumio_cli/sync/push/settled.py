"""What settling a push came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lumio_cli.hub.edit_events import Postponed, Refused, Unanswered
from lumio_cli.hub.edits import Edit, State
from lumio_cli.hub.sqlite.written_values import Form
from lumio_cli.providers.contract.receipt import Receipt


@dataclass(slots=True)
class Settled:
    """What settling came to: numbers of changes, and why some are to be sent again. `met`: edits
    of records that turned out to be gone; `given_up`: those of them that the policy decided
    against; `merged`: those that wait for a look at the records that theirs were merged into;
    `partly`: new records that are there without all of their values, both created and failed;
    `reformed`: by record, the forms that the provider has written values in."""

    created: int = 0
    updated: int = 0
    deleted: int = 0
    failed: int = 0
    unknown: int = 0
    met: int = 0
    given_up: int = 0
    merged: int = 0
    partly: int = 0
    again: str = ""
    reformed: list[Mapping[str, Form]] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """Changes that the provider has decided about."""
        return self.created + self.updated + self.deleted + self.failed - self.partly

    def count(self, left: Edit | None, receipt: Receipt) -> None:
        """Count a change that is not done, by what is left of it."""
        if left is None:
            return
        if left.status is State.UNKNOWN:
            self.unknown += 1
        elif receipt.status == "failed" and receipt.kind != "transient":
            self.failed += 1
        else:
            self.again = self.again or receipt.message or "the provider did not take it"


def heard(
    sent: Edit, current: Edit, receipt: Receipt, now: str, rid: int
) -> Unanswered | Postponed | Refused:
    """Return what a receipt says of an edit, as it was `sent`, that is not done.

    `current` is the edit by now, `now` the provider's clock, `rid` the hub's last row number.
    """
    # A new record that is in doubt since an earlier attempt is so since then.
    since = sent.attempted_at if current.in_doubt else current.attempted_at
    if receipt.status == "unknown":
        return Unanswered(receipt.message, now, rid, since)
    if receipt.status == "retry" or receipt.kind == "transient":
        return Postponed(receipt.message or None, since)
    return Refused(receipt.kind, receipt.message, sent.version, since)

"""What became of one change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one `Change`.

    status   done      `record` is what the answer tells of the record, in the form of a listing;
                       it may be a part of it
             failed    `kind` and `message` say why; repeating it as it is would fail again
             retry     not applied, and may be sent again
             unknown   nobody can say whether it was applied
    kind     validation | permission | gone | conflict | transient | unsettled; of a message that
             was taken (`done`), the provider's own word for how it stands, with `message` where
             that is not all
    id       of the record; another one than that of the change where this record was merged into
             another, which was changed in its place, or (`gone`) which is all that is left of it
    """

    trace: str
    status: Literal["done", "failed", "retry", "unknown"]
    id: str = ""
    record: dict[str, Any] | None = None
    kind: str = ""
    message: str = ""

    @classmethod
    def done(
        cls,
        trace: str,
        id: str = "",
        record: dict[str, Any] | None = None,
        kind: str = "",
        message: str = "",
    ) -> Receipt:
        """Return the receipt of what was applied, or taken."""
        return cls(trace, "done", id, record, kind, message)

    @classmethod
    def failed(cls, trace: str, kind: str, message: str, id: str = "") -> Receipt:
        """Return the receipt of what was refused, and would be again."""
        return cls(trace, "failed", id, None, kind, message)

    @classmethod
    def retry(cls, trace: str, message: str, id: str = "") -> Receipt:
        """Return the receipt of what was not applied, and may be sent again."""
        return cls(trace, "retry", id, None, "transient", message)

    @classmethod
    def unknown(
        cls,
        trace: str,
        message: str,
        id: str = "",
        kind: str = "unsettled",
    ) -> Receipt:
        """Return the receipt of what may have been applied, or not."""
        return cls(trace, "unknown", id, None, kind, message)

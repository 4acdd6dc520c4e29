"""What became of one change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    pass


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

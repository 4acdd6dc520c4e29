"""Writing: what a resource lets one change, one change to one record, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from lumio_cli.providers.contract.provider import Resource, Send


@dataclass(frozen=True, slots=True)
class Writes:
    """How a resource is written. Sizes are records a call, 0 where the API does not do it at all.

    at_once     changes that are handed over together: as many as may be in doubt after a crash
    unique      columns in which the provider lets no two records have the same value: a create
                that has one of them cannot make a second record when it is sent again
    """

    create: int = 0
    update: int = 0
    upsert: int = 0
    archive: int = 0
    upsert_key: str = ""
    at_once: int = 100
    unique: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """One write to one record.

    `trace` is the caller's name for it: it comes back in the receipt, and stays the same when the
    same change is sent again. `id` is the record's id (for an upsert by another key, that key's
    value, with `key` naming it).

    `values` are by the names of columns: texts, or None for nothing. Numbers as `5` and `1.5`,
    booleans as `true` and `false`, moments in RFC 3339 (UTC, `Z`; also where the column's kind is
    `epoch` or `epoch_ms`), days as `2026-01-31`, `json` as JSON. `base` are those that the edit was
    made on, as far as they are known.
    """

    action: Literal["create", "update", "upsert", "archive"]
    trace: str
    id: str = ""
    key: str = ""
    values: Mapping[str, str | None] = field(default_factory=dict)
    base: Mapping[str, str | None] = field(default_factory=dict)


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


@runtime_checkable
class Writing(Protocol):
    """A provider that can be written to."""

    def write(self, resource: Resource, changes: Sequence[Change], send: Send) -> Iterable[Receipt]:
        """Apply `changes` (all of one action) in the largest batches; one receipt a change.

        Raises `LumioError` where all that has no receipt yet was certainly not applied, or, with
        the code `errors.OUTCOME_UNKNOWN`, where nobody can say.
        """
        ...

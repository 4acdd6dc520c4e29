"""Writing: one change to one record, and what a module that takes changes offers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from lumio_cli.providers.contract.receipt import Receipt

if TYPE_CHECKING:
    from lumio_cli.providers.contract.call import Send
    from lumio_cli.providers.contract.resource import Resource


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


@runtime_checkable
class Writing(Protocol):
    """A provider that can be written to."""

    def write(self, resource: Resource, changes: Sequence[Change], send: Send) -> Iterable[Receipt]:
        """Apply `changes` (all of one action) in the largest batches; one receipt a change.

        Raises `LumioError` where all that has no receipt yet was certainly not applied, or, with
        the code `errors.OUTCOME_UNKNOWN`, where nobody can say.
        """
        ...

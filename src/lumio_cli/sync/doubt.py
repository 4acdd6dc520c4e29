"""New records whose creation got no answer: found again, sent again, or left in doubt.

A provider without idempotency keys can only be asked what it has. A record that came into the hub
after the attempt, was not created by anything else of ours, and has all the values that were sent
is taken for the one. Only where a look that is late enough shows none was it not created.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lumio_cli.clock import parse_time
from lumio_cli.hub import changes, records
from lumio_cli.hub.columns import ViewColumn, values_of
from lumio_cli.hub.outbox import Edit
from lumio_cli.hub.records import raw_table
from lumio_cli.providers.values import meaning

MARGIN = 60.0
"""Seconds that clocks may differ, and that a provider may take to list what it has created."""
LIKE = 0.5
"""A record with that share of the values may be the one, in a form that the provider prefers."""


@dataclass(frozen=True, slots=True)
class Found:
    """What became of a doubtful edit: it is this `record`, or it goes on as `edit`; neither: it
    was never created, and is not wanted any longer."""

    record: str = ""
    edit: Edit | None = None


def sent_values(edit: Edit) -> Mapping[str, Any]:
    """What was sent of a new record, whatever was edited since."""
    return edit.edits if edit.sent is None else edit.sent


class Doubt:
    """Decides about a resource's doubtful edits."""

    def __init__(
        self,
        db: sqlite3.Connection,
        provider: str,
        resource: str,
        columns: Mapping[str, ViewColumn],
        unique: Sequence[str],
    ) -> None:
        self.db = db
        self.name = provider, resource
        self.columns = columns
        self.unique = unique

    def decide(
        self, doubtful: Sequence[Edit], seen_until: float | None, lookback: float
    ) -> Iterator[tuple[Edit, Found]]:
        """Each edit with what became of it."""
        wanted = {
            edit.record: [self._meanings(sent_values(edit)), self._meanings(edit.edits)]
            for edit in doubtful
        }
        names = sorted({name for both in wanted.values() for one in both for name in one})
        came = self._came(min(e.attempt_rid or 0 for e in doubtful), names)
        found: dict[str, str] = {}
        near: dict[str, list[str]] = {}
        for edit in doubtful:
            shares = {
                record: max((_share(one, values) for one in wanted[edit.record] if one), default=0)
                for rid, record, values in came
                if rid > (edit.attempt_rid or 0)
            }
            near[edit.record] = [record for record, share in shares.items() if share >= LIKE]
            taken = set(found.values())
            exact = (r for r, share in shares.items() if share == 1 and r not in taken)
            if record := next(exact, None):
                found[edit.record] = record
        for edit in doubtful:
            if edit.record in found:
                yield edit, Found(record=found[edit.record])
                continue
            # What another edit has made is not this one's.
            left = [record for record in near[edit.record] if record not in found.values()]
            yield edit, Found(edit=self._left(edit, left, seen_until, lookback))

    def _meanings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for name, value in values.items():
            column = self.columns.get(name)
            if column is not None:
                meant = meaning(column.kind, column.same, value)
                if meant is not None:
                    found[name] = meant
        return found

    def _came(self, rid: int, names: Sequence[str]) -> list[tuple[int, str, dict[str, Any]]]:
        """Records that came after row number `rid`, with what they mean in these columns."""
        columns = [self.columns[name] for name in names]
        table, after = raw_table(*self.name), rid
        found: list[tuple[int, str, dict[str, Any]]] = []
        while part := records.came_after(self.db, table, rid, after, 500):
            for number, record, payload in part:
                if changes.created_here(self.db, *self.name, record):
                    continue
                shown = values_of(self.db, columns, payload)
                meant = {c.name: meaning(c.kind, c.same, shown[c.name]) for c in columns}
                found.append((number, record, meant))
            after = part[-1][0]
        return found

    def _left(
        self, edit: Edit, near: Sequence[str], seen_until: float | None, lookback: float
    ) -> Edit | None:
        """An edit whose record was not found."""
        attempted = parse_time(edit.attempted_at or edit.edited_at).timestamp()
        sure = seen_until is not None and seen_until >= attempted + max(lookback, MARGIN)
        if sure and near:
            return replace(
                edit,
                sent=None,
                attempt_rid=None,
                status="failed",
                kind="unsettled",
                message=f"whether it was created is not known; {near[0]} came since and is like it."
                " `lumio failures retry` sends it again, `lumio failures drop` does not",
            )
        if sure and edit.action == "delete":
            return None
        if sure:
            return replace(
                edit, sent=None, status="pending", attempt_rid=None, attempts=0, message=None
            )
        if edit.action == "create" and any(edit.edits.get(name) for name in self.unique):
            # The provider takes no second record with that value: it can be sent again.
            return replace(edit, status="pending")
        return replace(
            edit,
            message="whether it was created is not known yet; the next push looks for it first",
        )


def _share(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> float:
    equal = [name for name, value in mine.items() if theirs.get(name) == value]
    return len(equal) / len(mine)

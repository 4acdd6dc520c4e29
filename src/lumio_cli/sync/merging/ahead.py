"""A resource's records and edits as a preview sees them: as the sync would find them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Protocol

from lumio_cli.hub.edit_events import Interrupted
from lumio_cli.hub.edits import Edit, after
from lumio_cli.hub.sqlite import merges, written_values
from lumio_cli.hub.sqlite.columns import ViewColumn
from lumio_cli.hub.sqlite.records import Held
from lumio_cli.sync.merging import readings, reconcile


class Met(Protocol):
    """What a preview has met that the hub does not know yet."""

    def seen_as(self, provider: str, resource: str, record: str) -> Held | None:
        """A record as it is by now, where that is news."""
        ...

    def is_gone(self, provider: str, resource: str, record: str) -> bool:
        """Whether a record was found to be gone."""
        ...

    def became(self, provider: str, resource: str) -> Mapping[str, str]:
        """What records have become."""
        ...


class Ahead(reconcile.Sight):
    """The hub, with what a preview has met in its place; `planned` are edits by their records as
    they would be by now."""

    def __init__(
        self,
        db: sqlite3.Connection,
        store: Met,
        name: tuple[str, str],
        planned: Mapping[str, Edit],
    ) -> None:
        super().__init__(db, *name)
        self.store = store
        self.planned = planned

    def held(self, ids: Sequence[str]) -> dict[str, Held]:
        found = super().held(ids)
        for record in ids:
            met = self.store.seen_as(*self.name, record)
            if met is not None:
                found[record] = met
            elif record in found and self.store.is_gone(*self.name, record):
                found[record] = found[record]._replace(gone=True)
        return found

    def survivors(self, gone: Sequence[str]) -> Mapping[str, str]:
        return merges.survivors(
            self.db, *self.name, gone, told=self.store.became(*self.name), held=self._stands
        )

    def _stands(self, record: str) -> bool | None:
        theirs = self.held([record]).get(record)
        return None if theirs is None else not theirs.gone

    def edit(self, record: str) -> Edit | None:
        return self.planned.get(record) or super().edit(record)

    def as_found(self, edit: Edit, columns: Mapping[str, ViewColumn]) -> Edit:
        """An edit that another run was sending, or would have sent again, as the next will find
        it; and made on what the preview has met, where it was made on what nobody knew."""
        met = self.store.seen_as(*self.name, edit.record)
        known = {} if met is None else written_values.find(self.db, *self.name, [edit.record])
        if met is not None and edit.record in known:
            held = super().held([edit.record]).get(edit.record)
            fate = readings.read(self.db, known[edit.record], edit, met, held, columns)
            edit = edit if fate is None else readings.rebased(edit, fate)
        return after(edit, Interrupted(rid=0))

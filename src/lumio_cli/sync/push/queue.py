"""What a push takes out of the hub: the edits that are to be sent, and what is in their way.

Every method runs on the writer's thread, inside its transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, Literal

from lumio_cli.core.clock import format_timestamp
from lumio_cli.hub.edit_events import Action
from lumio_cli.hub.edits import Edit, State, is_local, refers_to
from lumio_cli.hub.sqlite import outbox, runs, views
from lumio_cli.hub.sqlite.columns import ViewColumn
from lumio_cli.providers.contract.provider import Provider
from lumio_cli.providers.contract.resource import Resource
from lumio_cli.providers.contract.values import as_text
from lumio_cli.providers.contract.writing import Change
from lumio_cli.sync.hub_sink import HubSink
from lumio_cli.sync.push.lost_creates import sent_values

WRITE: dict[Action, Literal["create", "update", "archive"]] = {
    "create": "create",
    "update": "update",
    "delete": "archive",
}
"""The provider's word for an action."""


class Outgoing:
    """One resource's way out. `only`: records to send, each with the trace of its change; `ahead`:
    seconds that the provider's clock is ahead of ours."""

    def __init__(
        self,
        store: HubSink,
        provider: Provider,
        resource: Resource,
        only: Mapping[str, str] | None = None,
    ) -> None:
        self.store = store
        self.provider = provider
        self.resource = resource
        self.only = only
        self.ahead = 0.0
        self.name = provider.name, resource.name
        self._after = ""

    def columns(self, db: sqlite3.Connection) -> dict[str, ViewColumn]:
        """The view's columns by name."""
        return {c.name: c for c in views.read_columns(db, *self.name)}

    def count(self, db: sqlite3.Connection) -> dict[str, int]:
        """How many edits there are, by status; of `only`, where that is given."""
        if self.only is None:
            return outbox.count(db, *self.name)
        found: dict[str, int] = {}
        for record in self.only:
            edit = outbox.find(db, *self.name, record)
            if edit is not None:
                found[edit.status] = found.get(edit.status, 0) + 1
        return found

    def rewind(self, db: sqlite3.Connection) -> None:
        """Begin again with the first record."""
        self._after = ""

    def now(self) -> str:
        """The time by the provider's clock, as the hub stores it."""
        return format_timestamp(self.store.clock.time() + self.ahead)

    def claim(self, db: sqlite3.Connection, action: Action, limit: int) -> list[Edit]:
        """The next edits to send, marked as being sent; empty at the end.

        An edit is sent once a run. One that refers to a record which is yet to be created waits.
        """
        chosen: list[Edit] = []
        while len(chosen) < limit:
            part = outbox.read(
                db,
                *self.name,
                status=(State.PENDING,),
                action=action,
                after=self._after,
                limit=limit,
            )
            if not part:
                break
            for stored in part:
                if len(chosen) == limit:
                    break
                self._after = stored.record
                if stored.run_id == self.store.run_id or not self._wanted(stored):
                    continue
                edit = outbox.resolved(db, stored)
                if self._waits(db, edit) or _was_edited_in_doubt(edit):
                    continue
                if edit is not stored:
                    outbox.save(db, edit)
                chosen.append(edit)
        outbox.claim(db, chosen, self.store.run_id, self.now())
        return chosen

    def _waits(self, db: sqlite3.Connection, edit: Edit) -> bool:
        """Whether it refers to a record that is yet to be created. A deletion sends no values."""
        if edit.action == "delete":
            return False
        kinds = [resource.name for resource in self.provider.resources]
        return any(
            outbox.find(db, self.name[0], kind, local) is not None
            for local in refers_to(edit)
            for kind in kinds
        )

    def _wanted(self, edit: Edit) -> bool:
        return self.only is None or self.only.get(edit.record) == edit.trace

    @staticmethod
    def obstacle(edit: Edit) -> str:
        """Why a claimed edit cannot be sent; empty if it can.

        A record of ours that it refers to, for which it need not wait any longer, has got no id
        from the provider, and never will. And what was no text is not to become some other text.
        """
        if edit.action == "delete":
            return ""
        for name, value in edit.edits.items():
            if isinstance(value, str) and is_local(value):
                return f"{name} refers to {value}, and no new record is called so any longer"
            if isinstance(value, str) and "\ufffd" in value:
                return f"{name} is not UTF-8 text (it holds U+FFFD): set it again"
        return ""

    def close_letters(self, db: sqlite3.Connection) -> None:
        """Close the dead letters of edits that somebody has taken back."""
        runs.resolve_taken_back(db, *self.name, self.store.now())

    def waiting(self, db: sqlite3.Connection) -> int:
        """Edits that could not be sent, since they refer to records that are not created yet."""
        mine = (e for e in outbox.referring(db, self.name[0]) if e.resource == self.name[1])
        return sum(
            edit.status is State.PENDING and self._wanted(edit) and self._waits(db, edit)
            for edit in mine
        )

    def change_of(self, edit: Edit, columns: Mapping[str, ViewColumn]) -> Change:
        """An edit as the provider's module is given it."""
        return Change(
            WRITE[edit.action],
            edit.trace,
            id="" if edit.action == "create" else edit.record,
            values=_texts(edit.edits, columns, nothing=edit.action != "create")
            if edit.action != "delete"
            else {},
            base=_texts(edit.base, columns, nothing=True),
        )


def _was_edited_in_doubt(edit: Edit) -> bool:
    """Whether a new record, which may be sent again since the provider takes none like it twice,
    has become another one meanwhile."""
    return edit.in_doubt and edit.edits != sent_values(edit)


def _texts(
    values: Mapping[str, Any], columns: Mapping[str, ViewColumn], *, nothing: bool
) -> dict[str, str | None]:
    """Values by the names that the provider's module knows, as it is given them."""
    found: dict[str, str | None] = {}
    for name, value in values.items():
        column = columns.get(name)
        text = as_text(column.kind if column else "text", value)
        if nothing or text is not None:
            found[column.known_as if column else name] = text
    return found

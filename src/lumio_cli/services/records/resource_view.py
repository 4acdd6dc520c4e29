"""The resource that a command is about, and what its view has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lumio_cli.core.errors import HubError, LumioError, UsageError
from lumio_cli.hub.sqlite import outbox, views
from lumio_cli.hub.sqlite.columns import RESERVED, Abilities, ViewColumn, view_name
from lumio_cli.hub.sqlite.database import explained
from lumio_cli.providers.contract.fields import suggest
from lumio_cli.services.syncing.targets import one_resource
from lumio_cli.sync import choices

if TYPE_CHECKING:
    import sqlite3

    from lumio_cli.hub.sqlite.database import Hub
    from lumio_cli.runtime import Runtime

_STEPS = 100_000
"""SQLite's instructions between two looks at whether to stop: some milliseconds."""


@dataclass(frozen=True, slots=True)
class Place:
    """A resource's view. `columns` are all that it has, in its order, by name."""

    provider: str
    resource: str
    columns: Mapping[str, ViewColumn]
    abilities: Abilities
    hub: Hub

    @property
    def target(self) -> str:
        """Its name on the command line."""
        return f"{self.provider}/{self.resource}"

    @property
    def view(self) -> str:
        """Its name in SQL."""
        return view_name(self.provider, self.resource)

    @property
    def fields(self) -> list[str]:
        """The columns that come from the provider's records."""
        return [name for name in self.columns if name not in RESERVED]

    def column(self, name: str) -> ViewColumn:
        """The column of that name; upper or lower case does not count, as in SQL.

        Raises `UsageError` for one that the view does not have.
        """
        known = self.columns.get(name) or self._folded(name)
        if known is None:
            raise UsageError(
                f"{self.view} has no column {name!r}", hint=suggest(name, self.columns, "columns")
            )
        return known

    def require_options(self, values: Mapping[str, Any]) -> None:
        """Raises `UsageError` that names a field which takes options alone, and a value that is
        none of them as far as the hub knows."""
        if why := choices.misfits(self.columns, values):
            raise UsageError(
                why, hint=f"if it is a new one: `lumio sync {self.target}` learns of it"
            )

    def _folded(self, name: str) -> ViewColumn | None:
        low = name.lower()
        return next((c for c in self.columns.values() if c.name.lower() == low), None)

    def chosen(self, text: str | None) -> list[str]:
        """The columns that `a,b` names, each once; none where there is no text."""
        named = (self.column(name.strip()).name for name in (text or "").split(",") if name.strip())
        return list(dict.fromkeys(named))

    @contextmanager
    def reading(self, runtime: Runtime) -> Iterator[sqlite3.Connection]:
        """A connection that only reads, and that ends a long statement when a stop is asked for.

        Raises `HubError`, `StoppedError`.
        """
        db, stop = self.hub.connection, runtime.stop
        db.set_progress_handler(lambda: int(stop.is_set()), _STEPS)
        try:
            with explained(self.hub.path):
                yield db
        except HubError:
            stop.check()
            raise
        finally:
            db.set_progress_handler(None, 0)

    def missing(self, db: sqlite3.Connection, record: str) -> UsageError:
        """The error for a record that the view does not show."""
        edit = outbox.find(db, self.provider, self.resource, record)
        if edit is not None and edit.action == "delete":
            return UsageError(
                f"{self.target} {record} is deleted here, and the provider is yet to learn of it",
                hint=f"lumio records revert {self.target} {record}",
            )
        if edit is not None:
            return UsageError(
                f"{self.target} {record} was edited here, and deleted at {self.provider}",
                hint={
                    "conflict": f"lumio conflicts show {self.target} {record}",
                    "failed": f"lumio failures list {self.target}",
                }.get(edit.status, f"lumio records show {self.target} {record}"),
            )
        return UsageError(
            f"{self.target} has no record {record!r}",
            hint=f"`lumio records list {self.target}` shows them",
        )


def find(runtime: Runtime, target: str) -> Place:
    """The resource that a target names, as the hub has it.

    Raises `UsageError` for a name that does not exist, `LumioError` not_synced.
    """
    provider, resource = one_resource(target)
    hub = runtime.hub_reader
    columns = [] if hub is None else views.read_columns(hub.connection, provider, resource)
    if hub is None or not columns:
        raise LumioError(
            f"{target} was never synced into this hub",
            code="not_synced",
            hint=f"lumio sync {target}",
        )
    first, *last = (ViewColumn(name, "", "text") for name in RESERVED)
    named = {column.name: column for column in (first, *columns, *last)}
    abilities = views.read_abilities(hub.connection, provider, resource)
    return Place(provider, resource, named, abilities, hub)

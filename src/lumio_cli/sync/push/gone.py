"""Edits whose record a push finds gone: deleted, or part of another record by now.

Every function runs on the writer's thread, inside its transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from lumio_cli.hub.edit_events import FoundGone
from lumio_cli.hub.edits import Edit, after
from lumio_cli.hub.sqlite import merges, outbox, records
from lumio_cli.hub.sqlite.records import raw_table
from lumio_cli.sync.hub_sink import Store
from lumio_cli.sync.merging import reconcile
from lumio_cli.sync.merging.merge import Policy, about


@dataclass(frozen=True, slots=True)
class Met:
    """What meeting that came to: edits that the policy gave up, and whether one waits for a look at
    the record that its own was merged into."""

    given_up: int = 0
    waits: bool = False


def note_gone(
    db: sqlite3.Connection, store: Store, name: tuple[str, str], record: str, survivor: str = ""
) -> None:
    """The provider has a record no longer, or as part of the `survivor`."""
    became = {record: survivor} if survivor else {}
    store.delete(db, *name, [record], became)
    merges.note(db, *name, became, store.now())


def meet(
    db: sqlite3.Connection,
    store: Store,
    name: tuple[str, str],
    policy: Policy,
    edit: Edit,
    survivors: Mapping[str, str],
) -> Met | None:
    """An edit that was not applied since its record is gone meets that as if a pull had told it;
    what comes of it may still be sent by this run. None if the hub knows no such record.

    One whose record was merged waits for the next push, which looks at the survivor first: the hub
    has yet to see what that is like by now.
    """
    record = about(edit)
    if record not in records.held(db, raw_table(*name), [record]):
        return None
    survivor = survivors.get(record, "")
    note_gone(db, store, name, record, survivor)
    run_id = store.run_id if survivor else None
    outbox.save(db, after(edit, FoundGone(run_id)))
    if survivor:
        return Met(waits=True)
    done = reconcile.reconcile(
        db, *name, policy, run_id=store.run_id, now=store.now(), only=[edit.record]
    )
    return Met(done.given_up)

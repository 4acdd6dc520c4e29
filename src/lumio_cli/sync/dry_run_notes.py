"""What a preview notes down: what a walk has met, and what a push would do."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from lumio_cli.hub.edits import Edit, State
from lumio_cli.hub.sqlite.columns import ViewColumn
from lumio_cli.sync import choices
from lumio_cli.sync.model import FieldChange, RecordChange, ResourceResult


def open_memory() -> sqlite3.Connection:
    """Open a private temporary database of what walks have met: it takes no memory to speak of."""
    seen = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    seen.execute(
        "CREATE TABLE news (number INTEGER PRIMARY KEY, provider TEXT, resource TEXT, id TEXT,"
        " held INTEGER)"
    )
    seen.execute("CREATE INDEX news_of ON news (provider, resource, number)")
    for table, more in (("seen", ""), ("gone", ""), ("met", ", payload TEXT, updated TEXT")):
        seen.execute(
            f"CREATE TABLE {table} (provider TEXT, resource TEXT, id TEXT{more},"
            " PRIMARY KEY (provider, resource, id)) WITHOUT ROWID"
        )
    return seen


def planned_change(
    result: ResourceResult, edit: Edit, columns: Mapping[str, ViewColumn]
) -> RecordChange:
    """Return what a push would do with an edit, as a change of `result`'s resource. An edit in
    conflict is one, whose fields are what the provider has and what was edited here."""
    kind = into = problem = ""
    if edit.status is State.CONFLICT:
        note = edit.conflict or {}
        kind, into = str(note.get("kind", "edit")), str(note.get("into", ""))
        theirs = note.get("fields") or {}
        fields = [
            FieldChange(name, theirs.get(name), edit.edits.get(name))
            for name in theirs or edit.edits
        ]
    else:
        fields = [
            FieldChange(name, edit.base.get(name), value) for name, value in edit.edits.items()
        ]
        problem = "" if edit.action == "delete" else choices.misfits(columns, edit.edits)
    return RecordChange(
        result.provider,
        result.resource,
        edit.record,
        "conflict" if kind else edit.action,
        () if not kind and edit.action == "delete" else tuple(fields),
        "push",
        edit.trace,
        kind,
        doubt=edit.status is State.UNKNOWN,
        into=into,
        problem=problem,
    )

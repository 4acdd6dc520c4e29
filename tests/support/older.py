"""Hubs of an older lumio: the steps of the schema, taken back."""

from __future__ import annotations

import sqlite3

from lumio_cli.hub.sqlite.migrations import LATEST

BACK = {
    12: ("ALTER TABLE lumio_fields DROP COLUMN choice",),
    11: ("DROP TABLE lumio_written",),
    10: (
        "DROP INDEX lumio_messages_digest",
        "ALTER TABLE lumio_messages DROP COLUMN state",
    ),
    9: ("ALTER TABLE lumio_counter DROP COLUMN is_backup",),
    8: ("DROP TABLE lumio_misfits", "ALTER TABLE lumio_resources DROP COLUMN counted"),
    7: ("DROP TABLE lumio_merged", "DROP TABLE lumio_listed"),
    6: tuple(
        f"ALTER TABLE lumio_resources DROP COLUMN {column}"
        for column in ("hides", "hidden", "astray_before")
    ),
    5: ("DROP TABLE lumio_named", "DROP INDEX lumio_outbox_refers"),
}
"""By the version that a step leads to, what takes it back."""


def take_back(db: sqlite3.Connection, version: int) -> None:
    """Leave the schema of that version."""
    for step in range(LATEST, version, -1):
        for statement in BACK[step]:
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {version}")

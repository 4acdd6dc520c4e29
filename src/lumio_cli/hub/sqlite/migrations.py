"""The hub's schema, as its history. What a hub lacks of it is one transaction, after a backup."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from lumio_cli.core.errors import HubError
from lumio_cli.core.paths import make_private_dir
from lumio_cli.hub.sqlite import views
from lumio_cli.hub.sqlite.columns import moment
from lumio_cli.hub.sqlite.database_file import mark
from lumio_cli.hub.sqlite.records import has_table, raw_table

APPLICATION_ID = 0x6C756D69  # "lumi": tells a hub from any other SQLite file


def _m001_initial(db: sqlite3.Connection) -> None:
    for statement in (
        """CREATE TABLE lumio_counter (
            id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL,
            salt BLOB NOT NULL) STRICT""",
        "INSERT INTO lumio_counter VALUES (1, 0, randomblob(16))",
        """CREATE TABLE lumio_accounts (
            provider TEXT PRIMARY KEY, account_id TEXT NOT NULL, account_name TEXT NOT NULL,
            scopes TEXT, fingerprint TEXT NOT NULL, kind TEXT NOT NULL, source TEXT NOT NULL,
            expires_at TEXT, checked_at TEXT NOT NULL, details TEXT NOT NULL) STRICT""",
        """CREATE TABLE lumio_resources (
            provider TEXT NOT NULL, resource TEXT NOT NULL,
            records INTEGER NOT NULL DEFAULT 0, cursor TEXT, synced_at TEXT, full_at TEXT,
            tombstones_at TEXT, tombstone_pages INTEGER, columns TEXT, warning TEXT,
            PRIMARY KEY (provider, resource)) STRICT""",
        """CREATE TABLE lumio_fields (
            provider TEXT NOT NULL, resource TEXT NOT NULL, name TEXT NOT NULL,
            type TEXT NOT NULL, label TEXT NOT NULL, custom INTEGER NOT NULL,
            column_name TEXT NOT NULL, path TEXT NOT NULL, kind TEXT NOT NULL,
            first_at TEXT NOT NULL, vanished_at TEXT,
            PRIMARY KEY (provider, resource, name)) STRICT""",
        """CREATE TABLE lumio_drift (
            id INTEGER PRIMARY KEY, run_id TEXT NOT NULL, at TEXT NOT NULL,
            provider TEXT NOT NULL, resource TEXT NOT NULL, field TEXT NOT NULL,
            change TEXT NOT NULL, before TEXT, after TEXT) STRICT""",
        """CREATE TABLE lumio_checkpoints (
            provider TEXT NOT NULL, resource TEXT NOT NULL, kind TEXT NOT NULL,
            slice TEXT NOT NULL, options TEXT NOT NULL, place TEXT, floor TEXT, ceiling TEXT,
            since_seq INTEGER NOT NULL, rows INTEGER NOT NULL, pages INTEGER NOT NULL,
            done INTEGER NOT NULL, started_at TEXT NOT NULL, updated_at TEXT NOT NULL,
            PRIMARY KEY (provider, resource, kind, slice)) STRICT""",
        """CREATE TABLE lumio_seen (
            provider TEXT NOT NULL, resource TEXT NOT NULL, id TEXT NOT NULL,
            PRIMARY KEY (provider, resource, id)) STRICT, WITHOUT ROWID""",
        """CREATE TABLE lumio_runs (
            run_id TEXT PRIMARY KEY, status TEXT NOT NULL, started_at TEXT NOT NULL,
            finished_at TEXT, heartbeat_at TEXT NOT NULL, pid INTEGER NOT NULL, host TEXT NOT NULL,
            mode TEXT NOT NULL, direction TEXT NOT NULL, targets TEXT NOT NULL,
            exit_code INTEGER, error TEXT, version TEXT NOT NULL) STRICT""",
        "CREATE INDEX lumio_runs_started ON lumio_runs (started_at)",
        """CREATE TABLE lumio_run_resources (
            run_id TEXT NOT NULL REFERENCES lumio_runs ON DELETE CASCADE,
            provider TEXT NOT NULL, resource TEXT NOT NULL, direction TEXT NOT NULL,
            mode TEXT NOT NULL, status TEXT NOT NULL, started_at TEXT NOT NULL, finished_at TEXT,
            read INTEGER NOT NULL DEFAULT 0, created INTEGER NOT NULL DEFAULT 0,
            updated INTEGER NOT NULL DEFAULT 0, unchanged INTEGER NOT NULL DEFAULT 0,
            deleted INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
            requests INTEGER NOT NULL DEFAULT 0, retries INTEGER NOT NULL DEFAULT 0,
            waited_s REAL NOT NULL DEFAULT 0, total INTEGER, cursor TEXT, error TEXT,
            PRIMARY KEY (run_id, provider, resource, direction)) STRICT""",
        """CREATE INDEX lumio_run_resources_target
            ON lumio_run_resources (provider, resource, started_at)""",
        """CREATE TABLE lumio_dead_letters (
            id INTEGER PRIMARY KEY, provider TEXT NOT NULL, resource TEXT NOT NULL,
            direction TEXT NOT NULL, record_id TEXT NOT NULL, kind TEXT NOT NULL,
            message TEXT NOT NULL, payload TEXT, run_id TEXT NOT NULL, first_at TEXT NOT NULL,
            last_at TEXT NOT NULL, attempts INTEGER NOT NULL, resolved_at TEXT, resolution TEXT,
            UNIQUE (provider, resource, direction, record_id)) STRICT""",
        """CREATE TABLE lumio_cache (
            key TEXT PRIMARY KEY, provider TEXT NOT NULL, stored_at REAL NOT NULL,
            payload BLOB NOT NULL) STRICT""",
    ):
        db.execute(statement)


def _m002_accounts_and_slices(db: sqlite3.Connection) -> None:
    db.execute("ALTER TABLE lumio_resources ADD COLUMN slices TEXT")
    db.execute("ALTER TABLE lumio_accounts ADD COLUMN fields TEXT NOT NULL DEFAULT '{}'")


def _m003_sends(db: sqlite3.Connection) -> None:
    for statement in (
        """CREATE TABLE lumio_sends (
            id INTEGER PRIMARY KEY, send_id TEXT NOT NULL UNIQUE, provider TEXT NOT NULL,
            name TEXT NOT NULL, account TEXT NOT NULL, digest BLOB NOT NULL,
            status TEXT NOT NULL, total INTEGER NOT NULL, runs INTEGER NOT NULL,
            boot TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
            finished_at TEXT, UNIQUE (provider, name)) STRICT""",
        """CREATE TABLE lumio_messages (
            send INTEGER NOT NULL REFERENCES lumio_sends ON DELETE CASCADE,
            position INTEGER NOT NULL, recipient TEXT NOT NULL, kind TEXT NOT NULL,
            digest BLOB NOT NULL, status TEXT NOT NULL, message_id TEXT, code TEXT,
            message TEXT, run INTEGER NOT NULL, at TEXT NOT NULL,
            PRIMARY KEY (send, position)) STRICT, WITHOUT ROWID""",
    ):
        db.execute(statement)


def _m004_two_ways(db: sqlite3.Connection) -> None:
    for statement in (
        """CREATE TABLE lumio_outbox (
            provider TEXT NOT NULL, resource TEXT NOT NULL, record TEXT NOT NULL,
            action TEXT NOT NULL, edits TEXT NOT NULL DEFAULT '{}',
            base TEXT NOT NULL DEFAULT '{}', sent TEXT, status TEXT NOT NULL DEFAULT 'pending',
            version INTEGER NOT NULL DEFAULT 1,
            key TEXT NOT NULL DEFAULT (lower(hex(randomblob(8)))), conflict TEXT, kind TEXT,
            message TEXT, run_id TEXT, attempts INTEGER NOT NULL DEFAULT 0, attempted_at TEXT,
            attempt_rid INTEGER,
            edited_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
            PRIMARY KEY (provider, resource, record)) STRICT, WITHOUT ROWID""",
        """CREATE TABLE lumio_history (
            id INTEGER PRIMARY KEY, provider TEXT NOT NULL, resource TEXT NOT NULL,
            record TEXT NOT NULL, at TEXT NOT NULL, run_id TEXT NOT NULL, origin TEXT NOT NULL,
            action TEXT NOT NULL, fields TEXT NOT NULL, edited_at TEXT) STRICT""",
        "CREATE INDEX lumio_history_record ON lumio_history (provider, resource, record)",
        "CREATE INDEX lumio_history_run ON lumio_history (run_id) WHERE origin = 'push'",
        "ALTER TABLE lumio_fields ADD COLUMN read_only INTEGER NOT NULL DEFAULT 1",
        "ALTER TABLE lumio_fields ADD COLUMN same TEXT NOT NULL DEFAULT 'exact'",
        "ALTER TABLE lumio_resources ADD COLUMN abilities TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE lumio_run_resources ADD COLUMN sent INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE lumio_run_resources ADD COLUMN conflicts INTEGER NOT NULL DEFAULT 0",
    ):
        db.execute(statement)


def _m005_names(db: sqlite3.Connection) -> None:
    for statement in (
        """CREATE TABLE lumio_named (
            local TEXT PRIMARY KEY, provider TEXT NOT NULL, record TEXT NOT NULL,
            at TEXT NOT NULL) STRICT, WITHOUT ROWID""",
        """CREATE INDEX lumio_outbox_refers ON lumio_outbox (provider)
            WHERE instr(edits, '"new-')""",
    ):
        db.execute(statement)


def _m006_horizons(db: sqlite3.Connection) -> None:
    for column in ("hides", "hidden"):
        db.execute(f"ALTER TABLE lumio_resources ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0")
    # Only what was deleted before this moment may have been taken for deleted by mistake.
    db.execute("ALTER TABLE lumio_resources ADD COLUMN astray_before TEXT")
    db.execute("UPDATE lumio_resources SET astray_before = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')")


def _m007_merged(db: sqlite3.Connection) -> None:
    for statement in (
        """CREATE TABLE lumio_merged (
            provider TEXT NOT NULL, resource TEXT NOT NULL, id TEXT NOT NULL,
            survivor TEXT NOT NULL, open INTEGER NOT NULL, at TEXT NOT NULL,
            PRIMARY KEY (provider, resource, id)) STRICT, WITHOUT ROWID""",
        "CREATE INDEX lumio_merged_open ON lumio_merged (provider, resource) WHERE open = 1",
        """CREATE TABLE lumio_listed (
            provider TEXT NOT NULL, resource TEXT NOT NULL, id TEXT NOT NULL,
            PRIMARY KEY (provider, resource, id)) STRICT, WITHOUT ROWID""",
    ):
        db.execute(statement)


def _show_when_in_utc(db: sqlite3.Connection) -> None:
    """Write the times of last changes in one form: they were kept in each provider's own."""
    seconds = "updated_at NOT GLOB '*[^0-9.]*' AND CAST(updated_at AS REAL) < 1e11"
    read = "strftime('%Y-%m-%dT%H:%M:%fZ', CAST(updated_at AS REAL), 'unixepoch')"
    for provider, resource in db.execute(
        "SELECT provider, resource FROM lumio_resources"
    ).fetchall():
        if has_table(db, provider, resource):
            db.execute(
                f"UPDATE {raw_table(provider, resource)} SET updated_at ="
                f" CASE WHEN {seconds} THEN {read} ELSE {moment('updated_at')} END"
                " WHERE updated_at NOT GLOB '????-??-??T??:??:??*Z'"
            )


def _m008_misfits(db: sqlite3.Connection) -> None:
    db.execute(
        """CREATE TABLE lumio_misfits (
            provider TEXT NOT NULL, resource TEXT NOT NULL, column_name TEXT NOT NULL,
            misfits INTEGER NOT NULL,
            PRIMARY KEY (provider, resource, column_name)) STRICT, WITHOUT ROWID"""
    )
    db.execute("ALTER TABLE lumio_resources ADD COLUMN counted INTEGER NOT NULL DEFAULT 1")
    db.execute("UPDATE lumio_resources SET counted = 0")
    _show_when_in_utc(db)
    # What their triggers do is part of what a hub is. A step that changes it makes them anew.
    views.make_all(db)


def _m009_place(db: sqlite3.Connection) -> None:
    # Whether this is a backup: see `hub.sqlite.database_file`.
    db.execute("ALTER TABLE lumio_counter ADD COLUMN is_backup INTEGER NOT NULL DEFAULT 0")


def _m010_sent_before(db: sqlite3.Connection) -> None:
    # What the provider says of a message that it has taken, beyond that it has.
    db.execute("ALTER TABLE lumio_messages ADD COLUMN state TEXT")
    db.execute("CREATE INDEX lumio_messages_digest ON lumio_messages (digest)")


def _m011_written(db: sqlite3.Connection) -> None:
    db.execute(
        """CREATE TABLE lumio_written (
            provider TEXT NOT NULL, resource TEXT NOT NULL, record TEXT NOT NULL,
            forms TEXT NOT NULL, told TEXT,
            PRIMARY KEY (provider, resource, record)) STRICT, WITHOUT ROWID"""
    )


def _m012_choices(db: sqlite3.Connection) -> None:
    columns = {row[1] for row in db.execute("PRAGMA table_info(lumio_fields)")}
    if "choice" not in columns:
        db.execute("ALTER TABLE lumio_fields ADD COLUMN choice TEXT NOT NULL DEFAULT ''")


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _m001_initial,
    _m002_accounts_and_slices,
    _m003_sends,
    _m004_two_ways,
    _m005_names,
    _m006_horizons,
    _m007_merged,
    _m008_misfits,
    _m009_place,
    _m010_sent_before,
    _m011_written,
    _m012_choices,
)
LATEST = len(MIGRATIONS)


def migrate(db: sqlite3.Connection, path: Path) -> None:
    """Bring the hub to the newest schema.

    Raises `HubError` for a hub that a newer lumio wrote and for a file that is not a hub; neither
    is touched.
    """
    db.execute("BEGIN")
    try:
        # As it was at one moment: another process may be making it.
        version, application = _number(db, "user_version"), _number(db, "application_id")
        tables = int(db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])
    finally:
        _roll_back(db)
    _require_known(version, path)
    if version == LATEST:
        return
    if tables and application != APPLICATION_ID:
        raise HubError(
            f"{path} is an SQLite database, but not a lumio hub",
            code="hub_unusable",
            hint="move it away, or name another hub with LUMIO_HOME or --profile",
        )
    if version:
        back_up(db, path.parent / "backups" / f"lumio-schema-{version}.db")
    # One transaction for all steps, which waits for the disk once.
    db.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have migrated while this one waited for the lock.
        for step in MIGRATIONS[_number(db, "user_version") :]:
            step(db)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {LATEST}")
        db.execute("COMMIT")
    except BaseException:
        _roll_back(db)
        raise


def require_known(db: sqlite3.Connection, path: Path) -> None:
    """Raises `HubError` hub_too_new where a newer lumio has written the hub."""
    _require_known(_number(db, "user_version"), path)


def _require_known(version: int, path: Path) -> None:
    if version > LATEST:
        raise HubError(
            f"the hub {path} was written by a newer lumio (its schema is {version}, "
            f"this lumio knows {LATEST})",
            code="hub_too_new",
            exit_code=7,
            hint="upgrade lumio, or name another hub with LUMIO_HOME or --profile",
        )


def _roll_back(db: sqlite3.Connection) -> None:
    """End the transaction, unless SQLite has done so: it does where the disk is full or fails."""
    if db.in_transaction:
        db.execute("ROLLBACK")


def _number(db: sqlite3.Connection, pragma: str) -> int:
    return int(db.execute(f"PRAGMA {pragma}").fetchone()[0])


def back_up(db: sqlite3.Connection, target: Path) -> Path:
    """A consistent copy of an open hub, whole or not at all."""
    make_private_dir(target.parent)
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    copy = sqlite3.connect(part)
    try:
        db.backup(copy)
        mark(copy, backup=True)
        copy.commit()
        # The copy is one plain file: no WAL beside it that could be forgotten.
        copy.execute("PRAGMA journal_mode = DELETE")
    finally:
        copy.close()
    part.chmod(0o600)
    return part.replace(target)

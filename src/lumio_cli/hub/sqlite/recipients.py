"""What the hub knows of the recipients of messages."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence

from lumio_cli.hub.sqlite.records import has_table, raw_table
from lumio_cli.hub.sqlite.sends import MAYBE_TAKEN


def recipients_since(
    db: sqlite3.Connection, provider: str, kinds: Collection[str], since: str
) -> list[str]:
    """Whom messages of these kinds were sent to since then, or may have been."""
    rows = db.execute(
        "SELECT DISTINCT m.recipient FROM lumio_messages m JOIN lumio_sends s ON s.id = m.send"
        " WHERE s.provider = ? AND s.updated_at >= ? AND m.at >= ?"
        f" AND m.kind IN ({','.join('?' * len(kinds))})"
        f" AND m.{MAYBE_TAKEN}",
        [provider, since, since, *kinds],
    )
    return [row[0] for row in rows]


def greatest(
    db: sqlite3.Connection, provider: str, resource: str, match: Sequence[str], path: str
) -> dict[tuple[str, ...], str]:
    """The greatest value at `path` of a resource's live records, by their values at the paths of
    `match`: one pass for any number of questions. Empty where there is no such table.
    """
    if not has_table(db, provider, resource):
        return {}
    keys = "".join(", CAST(json_extract(payload, ?) AS TEXT)" for _ in match)
    group = f" GROUP BY {', '.join(str(n + 2) for n in range(len(match)))}" if match else ""
    rows = db.execute(
        f"SELECT max(json_extract(payload, ?)){keys} FROM {raw_table(provider, resource)}"
        f" WHERE deleted_at IS NULL{group}",
        [_json_path(path), *map(_json_path, match)],
    )
    return {
        tuple(row)[1:]: row[0] if isinstance(row[0], str) else json.dumps(row[0])
        for row in rows
        if None not in tuple(row)
    }


def _json_path(path: str) -> str:
    return "$." + ".".join(json.dumps(part, ensure_ascii=False) for part in path.split("."))

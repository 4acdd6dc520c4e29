"""The third cache layer: the last good answers, kept for the day the provider is down."""

from __future__ import annotations

from pathlib import Path

from lumio_cli.hub.sqlite.database import Hub


class LastKnown:
    """Answers by key, without expiry, in the hub. Safe to use from any thread: each use opens
    its own connection, since answers worth keeping are few and small. With `read_only` nothing
    is kept: a preview writes nothing to the hub.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self.read_only = read_only

    def get(self, key: str) -> tuple[bytes, float] | None:
        """The payload and when it was stored (seconds since the epoch), or None."""
        hub = Hub.open_reader(self.path)
        if hub is None:
            return None
        with hub:
            row = hub.connection.execute(
                "SELECT payload, stored_at FROM lumio_cache WHERE key = ?", [key]
            ).fetchone()
        return (bytes(row[0]), float(row[1])) if row else None

    def put(self, key: str, payload: bytes, stored_at: float) -> None:
        """Keep an answer. `key` begins with the provider's name and a colon."""
        if self.read_only:
            return
        with Hub.open(self.path) as hub, hub.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO lumio_cache VALUES (?, ?, ?, ?)",
                [key, key.split(":", 1)[0], stored_at, payload],
            )

    def clear(self, provider: str | None = None) -> int:
        """Forget all answers, or those of one provider; returns how many."""
        with Hub.open(self.path) as hub, hub.transaction() as db:
            return db.execute(
                "DELETE FROM lumio_cache WHERE ?1 IS NULL OR provider = ?1", [provider]
            ).rowcount

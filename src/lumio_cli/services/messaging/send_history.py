"""What `lumio sends` shows: earlier sends, and what became of each message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lumio_cli.core.errors import UsageError
from lumio_cli.hub.sqlite import sends
from lumio_cli.providers.contract.fields import suggest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lumio_cli.hub.sqlite.database import Hub
    from lumio_cli.hub.sqlite.sends import SendRow
    from lumio_cli.runtime import Runtime


def list_sends(runtime: Runtime, provider: str | None, limit: int) -> list[dict[str, Any]]:
    """The newest sends, newest first. Raises `UsageError` for a provider that does not exist."""
    from lumio_cli.providers.registry import provider_class

    if provider is not None:
        provider_class(provider)
    reader = runtime.hub_reader
    if reader is None:
        return []
    return [
        _told(runtime, reader, row) for row in sends.list_sends(reader.connection, provider, limit)
    ]


def show_send(
    runtime: Runtime, word: str, statuses: Sequence[str] = (), limit: int = 100
) -> dict[str, Any]:
    """One send, by its name or id, with its messages: of these statuses, what needs a look first.

    `limit` 0 is all. Raises `UsageError` where no send, or more than one, is meant.
    """
    for status in statuses:
        if status not in sends.STATUSES:
            hint = suggest(status, sends.STATUSES, "statuses")
            raise UsageError(f"there is no status {status!r}", hint=hint)
    reader = runtime.hub_reader
    found = [] if reader is None else sends.named_sends(reader.connection, word)
    if not found or reader is None:
        raise UsageError(f"there is no send {word!r}", hint="`lumio sends list` shows them")
    if len(found) > 1:
        ids = ", ".join(row.send_id for row in found[:3])
        raise UsageError(f"{len(found)} sends are called {word!r}", hint=f"use an id: {ids}")
    row = found[0]
    entries = sends.list_entries(reader.connection, row.id, statuses, limit or -1)
    return {
        **_told(runtime, reader, row),
        "messages": [sends.as_json(entry) for entry in entries],
    }


def _told(runtime: Runtime, hub: Hub, row: SendRow) -> dict[str, Any]:
    """A send with its counts. One that says `running` and whose lock is free was killed."""
    from lumio_cli.services.messaging.send import send_lock

    counts = sends.count_entries(hub.connection, row.id)
    status = row.status
    if status == "running":
        held = send_lock(runtime.paths.locks, row.provider, row.name).holder()
        status = status if held else "interrupted"
    reached = sum(counts.values())
    counts["pending"] += row.total - reached
    return {
        "send_id": row.send_id,
        "name": row.name,
        "provider": row.provider,
        "status": status,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "finished_at": row.finished_at,
        "runs": row.runs,
        "total": row.total,
        **counts,
    }

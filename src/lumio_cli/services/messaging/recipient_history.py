"""What the hub knows of recipients, for thousands of messages at once."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lumio_cli.hub.sqlite import recipients

if TYPE_CHECKING:
    import sqlite3


class HubPast:
    """`providers.contract.messages.Past` over the hub; without a connection nothing is known.

    The first question about a resource reads it once, for all that come after it: payloads have
    no index, and a pass for each of many messages would take longer than sending them. Safe to
    share by threads, as long as nobody else uses the connection.
    """

    def __init__(self, db: sqlite3.Connection | None, provider: str) -> None:
        self._db = db
        self._provider = provider
        self._guard = threading.Lock()
        self._known: dict[tuple[str, tuple[str, ...], str], dict[tuple[str, ...], str]] = {}

    def latest(self, resource: str, match: Mapping[str, str], path: str) -> str | None:
        """See `providers.contract.messages.Past`."""
        if self._db is None:
            return None
        paths = tuple(sorted(match))
        key = (resource, paths, path)
        with self._guard:
            known = self._known.get(key)
            if known is None:
                known = recipients.greatest(self._db, self._provider, resource, paths, path)
                self._known[key] = known
        return known.get(tuple(match[p] for p in paths))

    def forget(self) -> None:
        """Ask the hub anew: much may have come since."""
        with self._guard:
            self._known.clear()

"""A run in the log file: what the progress bars show, for those who come later."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from lumio_cli.core.progress import Progress

_COUNTS = (
    "read", "sent", "created", "updated", "unchanged", "deleted", "conflicts", "failed",
    "requests", "retries",
)  # fmt: skip


class LoggedProgress:
    """Passes everything on to `progress`, and writes it into the log."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._log = logging.getLogger("lumio_cli.run")

    def start(self, target: str, total: int | None, *, detail: str = "") -> None:
        """See `Progress`."""
        self._log.info("%s: %s begins", target, detail or "work", extra={"total": total})
        self._progress.start(target, total, detail=detail)

    def advance(self, target: str, count: int = 1) -> None:
        """See `Progress`. Not logged: the hub has the numbers of each page."""
        self._progress.advance(target, count)

    def waiting(self, target: str, reason: str, seconds: float) -> None:
        """See `Progress`."""
        if seconds >= 1:
            self._log.info("%s: waits %.1f s for %s", target, seconds, reason)
        self._progress.waiting(target, reason, seconds)

    def finish(self, target: str, result: Mapping[str, Any]) -> None:
        """See `Progress`."""
        counts = {name: result[name] for name in _COUNTS if name in result}
        error = result.get("error")
        if error:
            self._log.warning(
                "%s: %s: %s",
                target,
                result.get("status"),
                error["message"],
                extra={"counts": counts},
            )
        else:
            self._log.info("%s: %s", target, result.get("status"), extra={"counts": counts})
        self._progress.finish(target, result)

    def warn(self, message: str, target: str = "") -> None:
        """See `Progress`."""
        self._log.warning("%s: %s", target, message)
        self._progress.warn(message, target)

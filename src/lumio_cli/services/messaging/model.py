"""What a send is asked to do, and what it says it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from lumio_cli.core.clock import format_time
from lumio_cli.core.errors import LumioError
from lumio_cli.services.messaging.compose import Given
from lumio_cli.sync.model import error_json

Status = Literal["succeeded", "partial", "failed", "interrupted"]
IfUnknown = Literal["list", "resend", "accept"]
COUNTS = ("sent", "skipped", "held", "paused", "failed", "refused", "unknown", "pending")


@dataclass(frozen=True, slots=True)
class Request:
    """What an operator asks for.

    to            recipients; or `input`, a file of them (`-` is standard input)
    name          by which the send goes on; empty: made from the input
    yes           do not ask
    if_unknown    what to do with messages of which nobody can say whether they were sent
    retry_failed  try those again that the provider did not take
    limit         messages in the result
    again         send what was sent before once more, as a send of its own
    """

    provider: str
    given: Given = field(default_factory=Given)
    to: Sequence[str] = ()
    input: str = ""
    name: str = ""
    yes: bool = False
    if_unknown: IfUnknown = "list"
    retry_failed: bool = False
    limit: int = 100
    max_duration: float | None = None
    again: bool = False


@dataclass(slots=True)
class SendResult:
    """A send as it stands after a run. Counts: `sent` in this run, `skipped` before it, in this
    send or in another, the rest of the whole send. `error` is what kept the rest from being sent.
    """

    send_id: str
    name: str
    provider: str
    total: int
    started_at: datetime
    status: Status = "succeeded"
    exit_code: int = 0
    sent: int = 0
    skipped: int = 0
    held: int = 0
    paused: int = 0
    failed: int = 0
    refused: int = 0
    unknown: int = 0
    pending: int = 0
    finished_at: datetime | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)
    errors: dict[str, LumioError] = field(default_factory=dict)
    error: LumioError | None = None

    def as_json(self) -> dict[str, Any]:
        """The document of `send`."""
        finished = self.finished_at or self.started_at
        document: dict[str, Any] = {
            "send_id": self.send_id,
            "name": self.name,
            "provider": self.provider,
            "status": self.status,
            "started_at": format_time(self.started_at),
            "finished_at": format_time(finished),
            "duration_s": round((finished - self.started_at).total_seconds(), 3),
            "total": self.total,
            **{name: getattr(self, name) for name in COUNTS},
            "messages": self.messages,
        }
        if self.error is not None:
            document["error"] = error_json(self.error)
        return document


@dataclass(slots=True)
class Outlook:
    """What a send would do now: how many messages are `ready`, and how the others stand.

    repeats   messages that say the same to the same recipient, however spelled, as one before them
    confirm   whether a kind among them always asks first
    """

    name: str
    provider: str
    total: int = 0
    ready: int = 0
    skipped: int = 0
    held: int = 0
    paused: int = 0
    failed: int = 0
    refused: int = 0
    unknown: int = 0
    repeats: int = 0
    confirm: bool = False
    single: set[str] = field(default_factory=set)
    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 where all of it can go, or has gone."""
        stuck = self.failed or self.refused or self.unknown or self.held or self.paused
        return 3 if stuck else 0

    def as_json(self) -> dict[str, Any]:
        """The document of `send --preview`."""
        counts = ("total", "ready", *COUNTS[1:-1], "repeats")
        return {
            "name": self.name,
            "provider": self.provider,
            "preview": True,
            **{name: getattr(self, name) for name in counts},
            "messages": self.messages,
        }

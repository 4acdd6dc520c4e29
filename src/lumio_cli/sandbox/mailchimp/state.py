"""What the account of Mailchimp holds besides its tables."""

from __future__ import annotations

from dataclasses import dataclass, field

from .shape import Document, iso


@dataclass(slots=True)
class Batch:
    """A batch: its operations, how often it was asked about, and what came of it."""

    id: str
    operations: list[Document]
    submitted_at: float
    headers: dict[str, str]
    polls: int = 0
    status: str = "pending"
    completed_at: float | None = None
    results: list[Document] = field(default_factory=list)

    @property
    def errored(self) -> int:
        """How many operations were answered with an error."""
        return sum(1 for result in self.results if result["status_code"] >= 400)


def stamp(document: Document, created: float, _: float) -> None:
    """When an audience was made."""
    document["date_created"] = iso(created)

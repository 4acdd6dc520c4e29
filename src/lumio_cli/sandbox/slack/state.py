"""What a workspace holds besides its tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .data import BOT_USER


@dataclass(slots=True)
class Upload:
    """A file on its way: `data` is None until its bytes have come."""

    id: str
    name: str
    length: int
    data: bytes | None = None
    title: str = ""
    complete: bool = False

    def document(self) -> dict[str, Any]:
        """The file as answers show it."""
        return {
            "id": self.id,
            "name": self.name,
            "title": self.title or self.name,
            "size": self.length,
            "user": BOT_USER,
            # Sharing takes a moment: an answer that comes at once knows of no message yet.
            "shares": {},
        }

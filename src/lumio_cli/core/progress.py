"""How far a run is: the words in which the engine tells, whoever listens.

`target` is always `PROVIDER/RESOURCE`. Every method may be called from any thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Progress(Protocol):
    """Somebody who wants to know."""

    def start(self, target: str, total: int | None, *, detail: str = "") -> None:
        """Work on `target` begins. `total` records are expected, None: unknown. `detail` is a
        word about the kind of work (`full pull`). May be called again to correct the total.
        """
        ...

    def advance(self, target: str, count: int = 1) -> None:
        """`count` more records are done."""
        ...

    def waiting(self, target: str, reason: str, seconds: float) -> None:
        """Nothing will happen for about `seconds`, because of `reason` (`burst quota`)."""
        ...

    def finish(self, target: str, result: Mapping[str, Any]) -> None:
        """Work on `target` has ended. `result` is the resource's entry in the contract's sync
        document: status, counts, error.
        """
        ...

    def warn(self, message: str, target: str = "") -> None:
        """Something that an operator should know, and that stops nothing."""
        ...


class NoProgress:
    """Nobody wants to know."""

    def start(self, target: str, total: int | None, *, detail: str = "") -> None:
        """Nothing."""

    def advance(self, target: str, count: int = 1) -> None:
        """Nothing."""

    def waiting(self, target: str, reason: str, seconds: float) -> None:
        """Nothing."""

    def finish(self, target: str, result: Mapping[str, Any]) -> None:
        """Nothing."""

    def warn(self, message: str, target: str = "") -> None:
        """Nothing."""

"""Listings that never end: a walk that goes in circles, or meets nothing but empty pages."""

from __future__ import annotations

from lumio_cli.core.errors import PagingError
from lumio_cli.providers.contract.call import Place

HOLLOW = 1000
"""Empty pages in a row after which a listing that promises more is given up."""
PROMISED = frozenset({"token", "url", "again"})
"""What is in a place that the page before has named."""


class LoopGuard:
    """Finds out that a walk goes in circles, of any length, without keeping every place; and that
    it meets nothing but empty pages.

    Brent's way: remember one place, and another one after twice as many steps.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._kept: Place | None = None
        self._steps = 0
        self._limit = 1
        self._rows = 0
        self._hollow = 0

    def check(self, place: Place, rows: int) -> None:
        """Raises `PagingError` if this place was met before, or for long no row has come with it;
        `rows` are all that have come."""
        # Parents without records of theirs are no empty pages of one listing.
        promised = rows == self._rows and not PROMISED.isdisjoint(place)
        self._hollow = self._hollow + 1 if promised else 0
        self._rows = rows
        if place == self._kept or self._hollow > HOLLOW:
            raise PagingError(
                f"{self._target}: the provider's paging does not move on; stopped instead of going "
                "in circles",
                hint="`lumio debug` shows the exchange; report it to the provider",
            )
        self._steps += 1
        if self._steps >= self._limit:
            self._kept, self._steps, self._limit = place, 0, self._limit * 2

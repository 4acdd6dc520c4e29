"""What the account of LinkedIn holds besides its tables."""

from __future__ import annotations

from collections.abc import Callable

from ..table import EPOCH, SPAN, Document, Table

RECENT = 60 * 86_400.0
"""Seconds: the age of the oldest of the younger half."""


class Answers(Table):
    """Answers to forms: the older half is from 2025, the others are of the last two months before
    the look-alike was made, so that there are such as LinkedIn keeps, and such as it does not."""

    def __init__(
        self,
        count: int,
        make: Callable[[int], Document],
        stamp: Callable[[Document, float, float], None],
        clock: Callable[[], float],
        *,
        identify: Callable[[int], str],
    ) -> None:
        self._opened = max(clock() - RECENT, EPOCH + SPAN / 2)
        super().__init__(count, make, stamp, clock, identify=identify)

    def _made(self, number: int) -> float:
        old = self._base // 2
        if number < old:
            return super()._made(number)
        share = (number - old) / max(1, self._base - old)
        return float(int(self._opened + RECENT * share))


ACCESS_SECONDS = 5_184_000.0

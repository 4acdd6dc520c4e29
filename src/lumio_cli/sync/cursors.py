"""Cursors: times, or numbers of the hub's change counter."""

from __future__ import annotations

from datetime import datetime

from lumio_cli.clock import parse_time

SEQ = "seq:"
"""Marks a cursor that is a number of the hub's change counter and not a time."""


def time_of(text: str | None) -> datetime | None:
    """The moment that a cursor stands for; None where it is none."""
    return parse_time(text) if text and not text.startswith(SEQ) else None


def order(cursor: str) -> float:
    """A number that is greater for a later cursor of the same kind."""
    if cursor.startswith(SEQ):
        return float(cursor.removeprefix(SEQ))
    return parse_time(cursor).timestamp()


def later(old: str | None, new: str) -> str:
    """The later of two cursors: one never moves back."""
    return new if old is None or order(new) >= order(old) else old

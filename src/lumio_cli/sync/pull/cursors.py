"""Cursors: times, or numbers of the hub's change counter."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lumio_cli.core.clock import format_timestamp, parse_time
from lumio_cli.hub.sqlite.state import decoded

NO_PARTS = "what it says of the parts of its walk cannot be read: all of them are read anew"
SEQ = "seq:"
"""Marks a cursor that is a number of the hub's change counter and not a time."""


def time_of(text: str | None) -> datetime | None:
    """The moment that a cursor stands for; None where it is none."""
    return parse_time(text) if text and not text.startswith(SEQ) else None


AHEAD = 60.0
"""Seconds by which a cursor may lie ahead of this machine's clock: the provider's may be right."""


def is_good(cursor: str, *, driven: bool, now: float, seq: int) -> bool:
    """Whether a stored cursor can be gone on from: of the kind that the resource has (`driven`: a
    number of the hub's change counter, at most `seq`), and not in the future of `now`, in
    seconds since 1970."""
    if driven or cursor.startswith(SEQ):
        number = cursor.removeprefix(SEQ)
        return driven and cursor != number and number.isdecimal() and int(number) <= seq
    known = not_after(cursor, now + AHEAD) == cursor
    return known and parse_time(cursor).timestamp() >= 0


def good_one(
    cursor: str | None, left: Sequence[tuple[str, float]], *, driven: bool, now: float, seq: int
) -> str | None:
    """Return `cursor`, or the last good one of those that runs have `left`, newest first, each with
    when its run ended; None: there is none.

    One that lay ahead of the run that left it is no better for lying behind us now: what changed
    between the two was passed over.
    """

    def is_so(text: str, at: float) -> bool:
        return is_good(text, driven=driven, now=min(now, at), seq=seq)

    if cursor is None:
        return None
    made = [at for text, at in left if text == cursor]
    if is_so(cursor, made[-1] if made else now):
        return cursor
    return next((text for text, at in left if text != cursor and is_so(text, at)), None)


def parts_of(slices: str | None) -> dict[str, int] | None:
    """The parts of a walk that a cursor is true of, as `hub.sqlite.state.ResourceState.slices` has
    them; None: all there were.

    Raises `ValueError` where they cannot be read: then nobody knows what was read already.
    """
    if slices is None:
        return None
    found = decoded(slices)
    if not isinstance(found, dict) or not all(
        type(last) is int and last >= 0 for last in found.values()
    ):
        raise ValueError("it names no parts")
    return found


def not_after(cursor: str, latest: float) -> str | None:
    """The time `cursor`, or the moment `latest` (seconds since 1970) where that is earlier; None
    where it is no time."""
    try:
        found = parse_time(cursor).timestamp()
    except ValueError:
        return None
    return cursor if found <= latest else format_timestamp(latest)


def order(cursor: str) -> float:
    """A number that is greater for a later cursor of the same kind."""
    if cursor.startswith(SEQ):
        return float(cursor.removeprefix(SEQ))
    return parse_time(cursor).timestamp()


def later(old: str | None, new: str) -> str:
    """The later of two cursors: one never moves back."""
    return new if old is None or order(new) >= order(old) else old

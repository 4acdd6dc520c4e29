"""HubSpot's ways to write a time: milliseconds since the epoch, and ISO 8601 in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache

DAY_MS = 86_400_000
_EPOCH = date(1970, 1, 1)
_MINUTES = tuple(f"T{minute // 60:02d}:{minute % 60:02d}:" for minute in range(1440))
_SECONDS = tuple(f"{second:02d}." for second in range(60))
_MILLIS = tuple(f"{millis:03d}Z" for millis in range(1000))


@cache
def day_text(day: int) -> str:
    """`2026-06-30` for a number of days since 1970."""
    return (_EPOCH + timedelta(days=day)).isoformat()


def iso(ms: int) -> str:
    """`2026-06-30T23:59:59.000Z` for milliseconds since the epoch.

    Made of cached parts: a page of records asks for hundreds of these.
    """
    rest = ms % DAY_MS
    return (
        day_text(ms // DAY_MS)
        + _MINUTES[rest // 60_000]
        + _SECONDS[rest // 1000 % 60]
        + _MILLIS[rest % 1000]
    )


def parse_ms(text: str) -> int | None:
    """Milliseconds since the epoch of a number, a date or an ISO 8601 time; None: it is neither.

    A time without an offset is UTC.
    """
    try:
        if text.lstrip("-").isdigit():
            return int(text)
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)

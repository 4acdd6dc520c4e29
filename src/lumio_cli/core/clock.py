"""Time. What needs to know or to spend time takes a `Clock`, so that tests can own it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from lumio_cli.core.stop import Stop


class Clock(Protocol):
    """The time, and a way to wait."""

    def time(self) -> float:
        """Seconds since the epoch. Comparable between the processes of this machine."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back; only differences mean something."""
        ...

    def sleep(self, seconds: float, stop: Stop) -> None:
        """Wait `seconds`, or until `stop` is set: then raise `StoppedError`."""
        ...


class SystemClock:
    """The machine's clock."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float, stop: Stop) -> None:
        stop.wait(seconds)
        stop.check()


def utc(timestamp: float) -> datetime:
    """An aware datetime in UTC from seconds since the epoch."""
    return datetime.fromtimestamp(timestamp, UTC)


def parse_time(text: str) -> datetime:
    """An aware datetime in UTC from RFC 3339 text. Raises ValueError without a time zone, and for
    a time that is before the first year or after the last one in UTC.
    """
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} is out of range") from error


def format_time(value: datetime) -> str:
    """RFC 3339 in UTC with `Z`, milliseconds only where there are any."""
    if value.tzinfo is None:
        raise ValueError("a time without a zone has no meaning here")
    value = value.astimezone(UTC)
    spec = "milliseconds" if value.microsecond else "seconds"
    return value.isoformat(timespec=spec).replace("+00:00", "Z")


def format_timestamp(timestamp: float) -> str:
    """RFC 3339 in UTC from seconds since the epoch."""
    return format_time(utc(timestamp))

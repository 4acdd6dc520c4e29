"""How long an answer asks to wait, whatever it writes that in, and what an operator reads of it."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from lumio_cli.core.clock import format_time, utc
from lumio_cli.providers.contract.call import Reply

if TYPE_CHECKING:
    from lumio_cli.core.clock import Clock

MOMENT = 1e9
"""From here on a number is no span (this would be 31 years) but a moment since 1970, in seconds."""
MILLISECONDS = 1e11
"""From here on such a moment is in milliseconds: in seconds this would be the year 5138."""
BEYOND = 1e14
"""From here on it is no moment either."""
DAY = 90_000
"""Seconds of the longest day. No quota is counted for longer: who asks for more writes milliseconds
(then this is a minute and a half), or a round number of hours without thinking of a quota."""
QUARTER = 900
"""Seconds; nobody writes 172800 or 604800 and means milliseconds."""
CLOCKS_DIFFER = 60.0
"""Seconds by which two clocks may differ that are right."""


def retry_after(reply: Reply, clock: Clock, longest: float) -> float | None:
    """Seconds that the answer's Retry-After asks to wait, at most `longest`; None: it does not say.

    RFC 9110 (10.2.3) knows seconds and an HTTP date. Fractions, milliseconds, moments since 1970 in
    seconds or milliseconds, and ISO 8601 are met as well. Magnitude tells moments from spans. A
    span that can be in seconds is: to ask again too early costs more than to wait for `longest`.
    One that is longer than `longest` and than any day is in milliseconds, unless it is a whole
    number of quarters of an hour. What is none of this counts as absent.
    """
    text = reply.headers.get("retry-after", "").strip()
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        moment = parse_http_date(text) or _iso(text)
        seconds = None if moment is None else _until(moment.timestamp(), reply, clock)
    else:
        number = float(text)
        if number >= BEYOND:
            return None
        if number >= MOMENT:
            at = number / 1000 if number >= MILLISECONDS else number
            seconds = _until(at, reply, clock)
        else:
            scaled = number > max(longest, DAY) and number % QUARTER
            seconds = number / 1000 if scaled else number
    return None if seconds is None else min(seconds, longest)


def _until(at: float, reply: Reply, clock: Clock) -> float:
    """Seconds to a moment, by the provider's own clock (its Date header).

    Where that one and ours are more than `CLOCKS_DIFFER` apart, nobody knows which of them wrote
    the moment: then it is the shorter of what both make of it, but for one by which it has passed.
    """
    ours = at - clock.time()
    theirs = ours - (reply.skew or 0.0)
    if abs(theirs - ours) <= CLOCKS_DIFFER:
        return max(0.0, theirs)
    return min((seconds for seconds in (ours, theirs) if seconds > 0), default=0.0)


def plausible(seconds: float | None) -> float | None:
    """`seconds` where a pause can have that length: neither negative, nor infinite, nor NaN."""
    return seconds if seconds is not None and 0 <= seconds < math.inf else None


def parse_http_date(text: str) -> datetime | None:
    """An aware datetime in UTC from an HTTP date; None where it is none."""
    try:
        moment = parsedate_to_datetime(text)
        return _aware(moment)
    except (ValueError, IndexError, OverflowError):
        return None


def _iso(text: str) -> datetime | None:
    try:
        return _aware(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def come_back(at: float | None, provider: str = "", *, longer: bool = False) -> str:
    """The hint of an error that is over `at` (seconds since the epoch; None: nobody knows when).

    `provider` where a hold, a used-up quota or an open circuit is the reason, which a command
    shows and lifts. `longer`: a longer wait would have done as well.
    """
    when = "later" if at is None else f"after {format_time(utc(math.ceil(at)))}"
    more = ", or let it wait longer with --max-wait" if longer else ""
    why = f"; `lumio limits show {provider}` says why" if provider else ""
    return f"nothing was lost; run it again {when}{more}{why}"

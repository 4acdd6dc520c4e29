"""Statistics of a page: for its whole life, or by day or month of a range.

A range is in milliseconds, its days are UTC's, its end is not included, and it reaches back twelve
months at most. Nothing is paged. Only administrators of the page may ask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..http import Request, Response, Route
from ..table import Document
from .data import DAY_MS, follower_day, follower_facets, share_day, total
from .errors import fail
from .organizations import scopes
from .paging import whole
from .restli import number, parameters, urn_id

if TYPE_CHECKING:
    from .account import Account

YEAR_DAYS = 366
FOREVER = 10**15


def _organization(account: Account, asked: dict[str, Any], name: str) -> str:
    """The page that a finder is about."""
    if asked.get("q") != name:
        raise fail(400, "Invalid query parameters passed to request", "PARAM_INVALID")
    urn = asked.get(name)
    found = urn_id(urn, "organization")
    if account.roles.get(found, "ADMINISTRATOR") != "ADMINISTRATOR":
        raise account.denied("organizationalEntityStatistics.FINDER")
    if found not in account.tables["organizations"]:
        raise account.denied("organizationalEntityStatistics.FINDER")
    return str(urn)


def _days(account: Account, intervals: Any) -> list[int]:
    """The days of a range, counted from 1970. Raises Answered, RestliError."""
    if not isinstance(intervals, dict) or not isinstance(intervals.get("timeRange"), dict):
        raise fail(400, "timeIntervals needs a timeRange", "PARAM_INVALID")
    if intervals.get("timeGranularityType") != "DAY":
        raise fail(400, "timeGranularityType is not valid", "PARAM_INVALID")
    today = int(account.clock()) // 86_400
    span = intervals["timeRange"]
    first = number(span.get("start", 0), "start", 0, FOREVER) // DAY_MS
    last = number(span.get("end", today * DAY_MS), "end", 0, FOREVER) // DAY_MS
    if first >= last:
        raise fail(400, "start must be before end", "PARAM_INVALID")
    if first < today - YEAR_DAYS:
        raise fail(400, "timeRange must be within the last 12 months", "PARAM_INVALID")
    return list(range(first, min(last, today)))


def _range(day: int) -> Document:
    return {"start": day * DAY_MS, "end": (day + 1) * DAY_MS}


def shares(account: Account, request: Request) -> Response:
    """How a page's posts did. Only organic reach counts."""
    asked = parameters(request)
    urn = _organization(account, asked, "organizationalEntity")
    if "timeIntervals" in asked:
        return whole(
            [
                {
                    "totalShareStatistics": share_day(account.seed, urn, day),
                    "organizationalEntity": urn,
                    "timeRange": _range(day),
                }
                for day in _days(account, asked["timeIntervals"])
            ]
        )
    today = int(account.clock()) // 86_400
    year = [share_day(account.seed, urn, day) for day in range(today - 365, today)]
    return whole([{"totalShareStatistics": total(year), "organizationalEntity": urn}])


def followers(account: Account, request: Request) -> Response:
    """Who follows a page, by what they are; with a range, how many it won."""
    asked = parameters(request)
    urn = _organization(account, asked, "organizationalEntity")
    if "timeIntervals" not in asked:
        facets = follower_facets(account.seed, urn)
        return whole([{"organizationalEntity": urn, **facets}])
    # What was won yesterday and the day before is not known yet.
    today = int(account.clock()) // 86_400
    return whole(
        [
            {
                "followerGains": follower_day(account.seed, urn, day),
                "organizationalEntity": urn,
                "timeRange": _range(day),
            }
            for day in _days(account, asked["timeIntervals"])
            if day < today - 2
        ]
    )


ROUTES = (
    Route("GET", "/rest/organizationalEntityShareStatistics", shares, scopes),
    Route("GET", "/rest/organizationalEntityFollowerStatistics", followers, scopes),
)

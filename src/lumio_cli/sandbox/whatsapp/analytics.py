"""Analytics: daily counts that are a function of the seed and the day, from 2025 to now.

Messaging, conversation and pricing analytics are fields of the account with their filters
(`analytics.start(1).end(2).granularity(DAY)`), one year back; template analytics is an edge of
its own, ninety days back, ten templates a request.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ..table import EPOCH, draw
from .errors import invalid

DAY = 86_400
YEAR = 366 * DAY
TEMPLATE_DAYS = 90
TEMPLATES_A_REQUEST = 10
FIELD = re.compile(r"(\w+)((?:\.\w+\((?:[^()]*)\))+)")
FILTER = re.compile(r"\.(\w+)\(([^()]*)\)")
GRANULARITY = {
    "analytics": {"HALF_HOUR", "DAY", "MONTH"},
    "conversation_analytics": {"HALF_HOUR", "DAILY", "MONTHLY"},
    "pricing_analytics": {"HALF_HOUR", "DAILY", "MONTHLY"},
}
CATEGORIES = ("MARKETING", "UTILITY", "SERVICE")


def _days(start: int, end: int, now: float) -> list[int]:
    """The days that a span touches, by their midnights; none of the future."""
    first = max(start // DAY * DAY, int(EPOCH))
    last = min(-(-end // DAY) * DAY, int(now) // DAY * DAY + DAY)
    return list(range(first, last, DAY))


def _filters(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in FILTER.findall(text):
        if value.startswith("["):
            try:
                found[name] = json.loads(value)
            except ValueError:
                raise invalid(f"Param {name} must be an array") from None
        else:
            found[name] = value.strip("'\"")
    return found


def _span(filters: dict[str, Any], back: int, now: float) -> tuple[int, int]:
    try:
        start, end = int(filters["start"]), int(filters["end"])
    except (KeyError, ValueError):
        raise invalid("The parameters start and end are required UNIX timestamps") from None
    if start >= end:
        raise invalid("start must be before end")
    if start < now - back - DAY:
        raise invalid(f"start is further back than {back // DAY} days")
    return start, end


def expand(text: str, seed: int, now: float, numbers: list[str]) -> tuple[str, Any] | None:
    """The name and the value of an analytics field with filters; None where it is none."""
    found = FIELD.fullmatch(text)
    if found is None or found[1] not in GRANULARITY:
        return None
    name, filters = found[1], _filters(found[2])
    start, end = _span(filters, YEAR, now)
    grain = str(filters.get("granularity"))
    if grain not in GRANULARITY[name]:
        raise invalid(f"Param granularity must be one of {sorted(GRANULARITY[name])}")
    if grain not in ("DAY", "DAILY"):
        raise invalid("The sandbox knows days only")
    days = _days(start, end, now)
    if name == "analytics":
        points = [_sent(seed, day) for day in days]
        return name, {
            "phone_numbers": numbers,
            "country_codes": ["BR", "PT"],
            "granularity": grain,
            "data_points": points,
        }
    dimensions = filters.get("dimensions") or []
    make = _conversation if name == "conversation_analytics" else _pricing
    points = [p for day in days for p in make(seed, day, numbers, dimensions)]
    return name, {"data": [{"data_points": points}]}


def _sent(seed: int, day: int) -> dict[str, int]:
    sent = draw(seed, "analytics", day).randrange(500)
    return {"start": day, "end": day + DAY, "sent": sent, "delivered": sent * 9 // 10}


def _kept(point: dict[str, Any], asked: list[str], names: dict[str, str]) -> dict[str, Any]:
    """The point with those of its dimensions that were asked for."""
    left_out = {field for dimension, field in names.items() if dimension not in asked}
    return {k: v for k, v in point.items() if k not in left_out}


def _conversation(seed: int, day: int, numbers: list[str], asked: list[str]) -> list[Any]:
    names = {
        "PHONE": "phone_number", "COUNTRY": "country",
        "CONVERSATION_CATEGORY": "conversation_category",
        "CONVERSATION_TYPE": "conversation_type",
        "CONVERSATION_DIRECTION": "conversation_direction",
    }  # fmt: skip
    random = draw(seed, "conversations", day)
    point = {
        "start": day,
        "end": day + DAY,
        "conversation": random.randrange(1, 90),
        "phone_number": numbers[0] if numbers else "",
        "country": "BR",
        "conversation_type": "REGULAR",
        "conversation_direction": "UNKNOWN",
        "conversation_category": random.choice(CATEGORIES),
        "cost": round(random.random() * 10, 4),
    }
    return [_kept(point, asked, names)]


def _pricing(seed: int, day: int, numbers: list[str], asked: list[str]) -> list[Any]:
    names = {
        "PHONE": "phone_number", "COUNTRY": "country", "TIER": "tier",
        "PRICING_TYPE": "pricing_type", "PRICING_CATEGORY": "pricing_category",
    }  # fmt: skip
    found = []
    for category in CATEGORIES:
        random = draw(seed, f"pricing-{category}", day)
        point: dict[str, Any] = {
            "start": day,
            "end": day + DAY,
            "phone_number": numbers[0] if numbers else "",
            "country": "BR",
            "tier": "0:MAX",
            "pricing_type": "FREE_CUSTOMER_SERVICE" if category == "SERVICE" else "REGULAR",
            "pricing_category": category,
            "volume": random.randrange(1, 300),
        }
        if category != "SERVICE":  # no cost is told of what is free
            point["cost"] = round(random.random() * 20, 4)
        found.append(_kept(point, asked, names))
    return found if "PRICING_CATEGORY" in asked else found[:1]


def template_points(
    filters: dict[str, Any], ids: list[str], seed: int, now: float
) -> list[dict[str, Any]]:
    """The data points of some templates, day by day."""
    if str(filters.get("granularity", "")).upper() != "DAILY":
        raise invalid("Param granularity must be DAILY")
    if not ids:
        raise invalid("The parameter template_ids is required.")
    if len(ids) > TEMPLATES_A_REQUEST:
        raise invalid(f"Param template_ids must have at most {TEMPLATES_A_REQUEST} elements")
    start, end = _span(filters, TEMPLATE_DAYS * DAY, now)
    found = []
    for template in ids:
        for day in _days(start, end, now):
            random = draw(seed, f"template-{template}", day)
            sent = random.randrange(100)
            found.append(
                {
                    "template_id": template,
                    "start": day,
                    "end": day + DAY,
                    "sent": sent,
                    "delivered": sent * 9 // 10,
                    "read": sent // 2,
                    "clicked": [
                        {"type": "quick_reply_button", "button_content": "Stop", "count": sent // 9}
                    ],
                    "cost": [{"type": "amount_spent", "value": round(sent * 0.05, 2)}],
                }
            )
    return found

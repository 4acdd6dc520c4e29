"""Analytics: days of an account's messages and templates, in the windows that Meta answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lumio_cli.providers.contract.call import Call
from lumio_cli.providers.contract.paging import with_params
from lumio_cli.providers.whatsapp.days import POINTS
from lumio_cli.providers.whatsapp.resources import (
    ANALYTICS,
    TEMPLATE_ANALYTICS,
    field_with_filters,
)

GROUPS = replace(TEMPLATE_ANALYTICS, rows="data")


def message_days(name: str, call: Call, start: int, end: int) -> Call:
    """Return the request for days of a field; `start` and `end` are seconds since 1970."""
    field, dimensions = ANALYTICS[name]
    return with_params(call, fields=field_with_filters(field, dimensions, start, end))


def template_days(
    call: Call, templates: Any, span: Mapping[str, int], token: str | None
) -> Call:  # fmt: skip
    """Return the request for days of some templates, on the page that `token` names."""
    return with_params(
        call,
        start=str(span["from"]),
        end=str(span["to"]),
        granularity="DAILY",
        metric_types="SENT,DELIVERED,READ,CLICKED,COST",
        template_ids=f"[{','.join(templates)}]",
        limit=str(POINTS),
        after=token,
    )

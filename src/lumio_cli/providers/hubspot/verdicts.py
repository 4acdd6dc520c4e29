"""What HubSpot's answers mean: by status, category and, over a quota, policy."""

from __future__ import annotations

import re
from typing import Any

from lumio_cli.providers.contract.call import Reply, dig
from lumio_cli.providers.contract.quota import Allowance
from lumio_cli.providers.contract.verdict import Outcome, Verdict

REFUSED = (400, 409)
"""Statuses of a batch write that was refused whole: what its answer says of each item, no error
could carry, so that the writer reads it."""
_BATCH_WRITE = re.compile(r"/batch/(create|update)$")


def judge(reply: Reply) -> Verdict | None:
    """423 (locked) and 477 (migration) pass; a 429 says in `policyName` which limit it was."""
    if reply.status < 400:
        return None
    if reply.status in (423, 477):
        return Verdict(Outcome.RETRY, "the account is locked for a moment", "LOCKED")
    body = reply.document()
    message, category = str(body.get("message", "")), str(body.get("category", ""))
    if reply.status == 429:
        policy = str(body.get("policyName") or "")
        if policy == "DAILY":
            return Verdict(Outcome.EXHAUSTED, message, policy, quota="daily")
        quota = {"SECONDLY": "search", "TEN_SECONDLY_ROLLING": "burst"}.get(policy, "")
        return Verdict(Outcome.THROTTLED, message, policy or category, quota=quota)
    if reply.status == 403:
        scopes = tuple(
            str(scope)
            for error in _list(body.get("errors"))
            for name in ("requiredGranularScopes", "requiredScopes")
            for scope in _list(dig(error, f"context.{name}"))
        )
        return Verdict(Outcome.DENIED, message, category, scopes=scopes)
    if not body:
        return None
    if reply.status in REFUSED and _BATCH_WRITE.search(reply.url):
        return Verdict(Outcome.OK)
    if reply.status == 401:
        return Verdict(Outcome.REAUTH, message, category)
    if reply.status == 404:
        return Verdict(Outcome.GONE, message, category)
    return Verdict(Outcome.REJECTED, message, category) if reply.status < 500 else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def remaining(reply: Reply) -> tuple[Allowance, ...]:
    """The X-HubSpot-RateLimit headers; search answers carry none of them."""
    found = []
    limit = reply.number("x-hubspot-ratelimit-max")
    if limit is not None:
        found.append(Allowance("burst", limit, reply.number("x-hubspot-ratelimit-remaining")))
    daily = reply.number("x-hubspot-ratelimit-daily")
    if daily is not None:
        left = reply.number("x-hubspot-ratelimit-daily-remaining")
        found.append(Allowance("daily", daily, left))
    return tuple(found)

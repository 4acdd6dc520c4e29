"""What HubSpot's answers mean: by status, category and, over a quota, policy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lumio_cli.providers.contract.call import Reply, dig
from lumio_cli.providers.contract.quota import Allowance
from lumio_cli.providers.contract.verdict import ErrorTable, Outcome, Verdict

REFUSED = (400, 409)
"""Statuses of a batch write that was refused whole: what its answer says of each item, no error
could carry, so that the writer reads it."""
_BATCH_WRITE = re.compile(r"/batch/(create|update)$")

ERRORS = ErrorTable("message", "category", by_status={410: Outcome.REJECTED})
"""A 410 is about an endpoint that is no more, and about no record."""
_POLICIES = {"DAILY": "daily", "SECONDLY": "search", "TEN_SECONDLY_ROLLING": "burst"}
"""Quotas by what a 429 calls its limit."""


def judge(reply: Reply) -> Verdict | None:
    """423 (locked) and 477 (migration) pass; a 429 says in `policyName` which limit it was."""
    if reply.status < 400:
        return None
    if reply.status in (423, 477):
        return Verdict(Outcome.RETRY, "the account is locked for a moment", "LOCKED")
    body = reply.document()
    if reply.status == 429:
        return _throttled(body)
    if reply.status == 403:
        scopes = tuple(
            str(scope)
            for error in _list(body.get("errors"))
            for name in ("requiredGranularScopes", "requiredScopes")
            for scope in _list(dig(error, f"context.{name}"))
        )
        message, category = ERRORS.message_of(body), ERRORS.code_of(body)
        return Verdict(Outcome.DENIED, message, category, scopes=scopes)
    if body and reply.status in REFUSED and _BATCH_WRITE.search(reply.url):
        return Verdict(Outcome.OK)
    return ERRORS.judge(reply)


def _throttled(body: Mapping[str, Any]) -> Verdict:
    policy, message = str(body.get("policyName") or ""), ERRORS.message_of(body)
    quota = _POLICIES.get(policy, "")
    outcome = Outcome.EXHAUSTED if quota == "daily" else Outcome.THROTTLED
    return Verdict(outcome, message, policy or ERRORS.code_of(body), quota=quota)


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

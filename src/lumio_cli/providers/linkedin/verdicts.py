"""What LinkedIn's errors mean."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, timedelta

from lumio_cli.providers.contract.call import Reply
from lumio_cli.providers.contract.verdict import ErrorTable, Outcome, Verdict
from lumio_cli.providers.linkedin.resources import LEADS, PAGES, READ, WRITE

_SCOPES = (
    (r"posts\.(CREATE|PARTIAL_UPDATE|UPDATE|DELETE)|images", WRITE),
    (r"posts", READ),
    (r"organization|networkSizes", PAGES),
    (r"leadForm", LEADS),
)


ERRORS = ErrorTable("message", "code", by_status={410: Outcome.REJECTED, 426: Outcome.REJECTED})
"""Both are about a version that is served no more, and about no record."""


def judge(reply: Reply) -> Verdict | None:
    """The verdict of an answer; None where its status says it all."""
    verdict = ERRORS.judge(reply)
    if verdict is None:
        return None
    if verdict.outcome is Outcome.THROTTLED:
        return _throttled(reply, verdict.message, verdict.category)
    if verdict.outcome is Outcome.DENIED:
        return replace(verdict, scopes=_missing(verdict.message))
    if reply.status == 426:
        advice = "set providers.linkedin.api_version to a version that is still served"
        return replace(verdict, message=f"{verdict.message}: {advice}")
    return verdict


def _throttled(reply: Reply, message: str, code: str) -> Verdict:
    """A day's limit names the day, and is over at midnight UTC; any other passes by itself."""
    day = re.search(r"\b(APPLICATION(?:_AND_MEMBER)?|MEMBER) DAY limit", message)
    if day is None:
        return Verdict(Outcome.THROTTLED, message, code)
    quota = "application" if day[1] == "APPLICATION" else "member"
    after = None
    if reply.date is not None:
        now = reply.date.astimezone(UTC)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        after = (midnight - now).total_seconds()
    return Verdict(Outcome.EXHAUSTED, message, code, retry_after=after, quota=quota)


def _missing(message: str) -> tuple[str, ...]:
    """The scope that a refusal is about; the page's role or the app's product may be it as well."""
    found = re.search(r"permissions to access: (\S+)", message)
    if found is None:
        return ()
    return next(((scope,) for pattern, scope in _SCOPES if re.match(pattern, found[1])), ())

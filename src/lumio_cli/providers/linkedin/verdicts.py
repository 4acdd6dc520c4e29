"""What LinkedIn's errors mean."""

from __future__ import annotations

import re
from datetime import UTC, timedelta

from lumio_cli.providers.contract.call import Reply
from lumio_cli.providers.contract.verdict import Outcome, Verdict
from lumio_cli.providers.linkedin.resources import LEADS, PAGES, READ, WRITE

_SCOPES = (
    (r"posts\.(CREATE|PARTIAL_UPDATE|UPDATE|DELETE)|images", WRITE),
    (r"posts", READ),
    (r"organization|networkSizes", PAGES),
    (r"leadForm", LEADS),
)


def judge(reply: Reply) -> Verdict | None:
    """The verdict of an answer; None where its status says it all."""
    if reply.status < 400:
        return None
    body = reply.document()
    if not body:
        return None
    message, code = str(body.get("message") or ""), str(body.get("code") or "")
    if reply.status == 429:
        return _throttled(reply, message, code)
    if reply.status == 401:
        return Verdict(Outcome.REAUTH, message, code)
    if reply.status == 403:
        return Verdict(Outcome.DENIED, message, code, scopes=_missing(message))
    if reply.status == 404:
        return Verdict(Outcome.GONE, message, code)
    if reply.status == 426:
        advice = "set providers.linkedin.api_version to a version that is still served"
        return Verdict(Outcome.REJECTED, f"{message}: {advice}", code)
    if reply.status in (408, 423, 425) or reply.status >= 500:
        return None
    return Verdict(Outcome.REJECTED, message, code)


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

"""What Salesforce's answers mean: errors are lists of `{errorCode, message, fields}`."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract.call import Call, Reply, dig
from lumio_cli.providers.contract.quota import Allowance
from lumio_cli.providers.contract.verdict import ErrorTable, Outcome, Verdict
from lumio_cli.providers.salesforce.access import TOKEN_PATH, advice

ROLLING = 3600.0
"""Seconds after which a used up allocation is worth another try: it is counted over the last 24
hours, so that calls come back one by one and not at midnight."""

_USAGE = re.compile(r"(?:^|[;,\s])api-usage=(\d{1,12})/(\d{1,12})(?!\d)")
ERRORS = ErrorTable(
    "message",
    "errorCode",
    # A 401 is also INVALID_AUTH_HEADER: so a token that is a JWT was refused late in a long run
    # (airbytehq/airbyte issue 71024). A 410 is about a version that is served no more.
    by_status={401: Outcome.REAUTH, 410: Outcome.REJECTED, 429: Outcome.THROTTLED},
    by_code={
        Outcome.RETRY: ("QUERY_TIMEOUT", "SERVER_UNAVAILABLE", "UNABLE_TO_LOCK_ROW"),
        Outcome.DENIED: (
            "INVALID_TYPE", "API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED",
            "INSUFFICIENT_ACCESS", "INSUFFICIENT_ACCESS_OR_READONLY", "FUNCTIONALITY_NOT_ENABLED",
        ),
    },
)  # fmt: skip
_EDGE = frozenset({406, 420})
"""What Salesforce Edge, which stands before the orgs, answers without JSON while it sets itself up
("We are setting things up"); airbyte's source-salesforce repeats both."""
_NO_JOB = frozenset({Outcome.REJECTED, Outcome.DENIED, Outcome.GONE})


def judge(reply: Reply) -> Verdict | None:
    """The verdict on an answer; None where its status says enough.

    Raises `BadReplyError` for a page of a bulk result that is no CSV.
    """
    path = urlsplit(reply.url).path
    if reply.status < 400:
        if path.endswith("/composite"):
            return _composite(reply)
        kind = reply.headers.get("content-type", "").split(";")[0]
        if path.endswith("/results") and reply.status == 200 and kind != "text/csv":
            raise BadReplyError(f"a page of a bulk job is {kind or 'of no type'} instead of CSV")
        return None
    told = reply.document() if path.endswith(TOKEN_PATH) else {}
    if isinstance(word := told.get("error"), str) and reply.status in (400, 401):
        message = str(told.get("error_description") or "")
        return Verdict(Outcome.REJECTED, message, word, hint=advice(f"{message} {word}"))
    verdict = _judge(reply.status, _body(reply))
    if path.endswith("/jobs/query") and verdict is not None and verdict.outcome in _NO_JOB:
        # Bulk API does not take every type and every query, nor any number of them: it is
        # page by page then, where Salesforce says what is wrong, if anything is.
        return Verdict(Outcome.OK)
    return verdict


def _composite(reply: Reply) -> Verdict | None:
    """A composite answer is 200 whatever became of its parts."""
    body = _body(reply)
    parts = body.get("compositeResponse") if isinstance(body, dict) else None
    if not isinstance(parts, list) or not parts or not isinstance(parts[0], dict):
        raise BadReplyError("Salesforce answered a composite request without its parts")
    status = parts[0].get("httpStatusCode")
    if not isinstance(status, int) or status < 400:
        return None
    return _judge(status, parts[0].get("body")) or Verdict(Outcome.RETRY)


def _body(reply: Reply) -> Any:
    try:
        return reply.json()
    except BadReplyError:
        return None


def _judge(status: int, body: Any) -> Verdict | None:
    error = body[0] if isinstance(body, list) and body and isinstance(body[0], dict) else {}
    code, message = str(error.get("errorCode") or ""), " ".join(str(error.get("message")).split())
    if not code:
        return Verdict(Outcome.RETRY) if status in _EDGE else None
    if code == "REQUEST_LIMIT_EXCEEDED":
        if "concurrent" in message.lower():
            return Verdict(Outcome.THROTTLED, message, code, quota="concurrent")
        return Verdict(Outcome.EXHAUSTED, message, code, retry_after=ROLLING, quota="daily")
    if code == "INVALID_SESSION_ID":
        if "not valid for use" in message:
            return Verdict(Outcome.DENIED, message, code, scopes=("api",))
        return Verdict(Outcome.REAUTH, message, code)
    return ERRORS.verdict(status, {**error, "message": message})


def remaining(call: Call, reply: Reply) -> tuple[Allowance, ...]:
    """The org's allocation, from the Sforce-Limit-Info header or from `/limits`."""
    found = _USAGE.search(reply.headers.get("sforce-limit-info", ""))
    if found is not None:
        used, most = float(found[1]), float(found[2])
        return (Allowance("daily", most, max(0.0, most - used)),)
    if reply.status == 200 and call.label.endswith("/limits"):
        most = dig(_body(reply), "DailyApiRequests.Max")
        left = dig(_body(reply), "DailyApiRequests.Remaining")
        if isinstance(most, int) and isinstance(left, int):
            return (Allowance("daily", most, left),)
    return ()

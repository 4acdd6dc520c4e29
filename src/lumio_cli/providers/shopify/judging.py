"""What Shopify's answers mean. Most errors come with status 200, in `errors` or in a payload."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lumio_cli.providers.base import Outcome, Reply, Verdict, dig

BUSY = 30.0
"""Seconds after which a bulk operation is tried again that had no place."""
_SCOPE = re.compile(r"`([a-z_]+)`")


def judge(reply: Reply) -> Verdict | None:
    """The verdict; None where the status alone decides."""
    kind = reply.headers.get("content-type", "")
    if "xml" in kind and 400 <= reply.status < 500:
        # Google's storage: the file of a bulk operation has expired, and a new one is needed.
        found = re.search(rb"<Code>(\w+)</Code>", reply.body)
        code = found.group(1).decode() if found else str(reply.status)
        return Verdict(Outcome.REJECTED, "the bulk file is no longer there", code)
    if reply.status >= 500 or "json" not in kind or "jsonl" in kind:
        return None
    body = reply.document()
    errors = body.get("errors")
    if reply.status >= 400:
        return _refused(reply, body, errors)
    if isinstance(errors, list) and errors:
        return _failed(body, errors)
    for search in dig(body, "extensions.search") or ():
        for warning in search.get("warnings") or ():
            message = f"the search was not understood: {warning.get('field')}: "
            return Verdict(
                Outcome.REJECTED, message + str(warning.get("message")), "SEARCH_WARNING"
            )
    for error in dig(body, "data.bulkOperationRunQuery.userErrors") or ():
        if error.get("code") in ("LIMIT_REACHED", "OPERATION_IN_PROGRESS"):
            return Verdict(
                Outcome.RETRY, str(error.get("message")), str(error["code"]), retry_after=BUSY
            )
    return None


def _refused(reply: Reply, body: Mapping[str, Any], errors: Any) -> Verdict | None:
    """An answer whose status says that it is an error; `errors` is a text then, mostly."""
    message = errors if isinstance(errors, str) else str(body.get("error_description") or "")
    if isinstance(errors, dict):
        message = "; ".join(f"{name}: {text}" for name, text in errors.items())
    if reply.status == 401:
        return Verdict(Outcome.REAUTH, message)
    if reply.status == 402:
        return Verdict(Outcome.REJECTED, message or "the shop is frozen", "SHOP_FROZEN")
    if reply.status == 403:
        return Verdict(Outcome.DENIED, message, scopes=tuple(_SCOPE.findall(message)))
    if reply.status == 404:
        return Verdict(Outcome.GONE, message)
    if reply.status == 423:
        return Verdict(Outcome.REJECTED, message or "the shop is locked", "SHOP_LOCKED")
    return None


def _failed(body: Mapping[str, Any], errors: list[Any]) -> Verdict:
    """An answer of status 200 with errors: the first of them that says more than others."""
    first = errors[0] if isinstance(errors[0], dict) else {"message": str(errors[0])}
    by_code = {str(dig(e, "extensions.code") or ""): e for e in errors if isinstance(e, dict)}
    if "THROTTLED" in by_code:
        return Verdict(
            Outcome.THROTTLED,
            str(by_code["THROTTLED"].get("message")),
            "THROTTLED",
            retry_after=_wait(body),
            quota="points",
        )
    denied = by_code.get("ACCESS_DENIED")
    if denied is not None:
        wanted = str(dig(denied, "extensions.requiredAccess") or denied.get("message"))
        return Verdict(
            Outcome.DENIED,
            str(denied.get("message")),
            "ACCESS_DENIED",
            scopes=tuple(_SCOPE.findall(wanted)),
        )
    message, code = str(first.get("message")), str(dig(first, "extensions.code") or "")
    if code in ("INTERNAL_SERVER_ERROR", "TIMEOUT") or message.startswith("Internal error"):
        return Verdict(Outcome.RETRY, message, code)
    return Verdict(Outcome.REJECTED, message, code)


def _wait(body: Mapping[str, Any]) -> float | None:
    """Seconds until the bucket has what the query would cost."""
    cost = dig(body, "extensions.cost") or {}
    status = dig(cost, "throttleStatus") or {}
    missing = float(cost.get("requestedQueryCost") or 0) - float(
        status.get("currentlyAvailable") or 0
    )
    rate = float(status.get("restoreRate") or 0)
    return max(0.1, missing / rate) if rate > 0 and missing > 0 else None

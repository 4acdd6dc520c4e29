"""What Shopify's answers mean. Most errors come with status 200, in `errors` or in a payload."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lumio_cli.core.errors import RejectedError
from lumio_cli.providers.contract.call import Reply, dig
from lumio_cli.providers.contract.verdict import ErrorTable, Outcome, Verdict
from lumio_cli.providers.shopify.personal import SCOPE

SECURITY = 430
"""The status of a "Shopify Security Rejection" ("API response status codes" on shopify.dev)."""
UNAPPROVED = (
    "no scope opens it: it is protected customer data, for which Shopify approves apps; for an app "
    "that was made in the shop's admin it depends on the shop's plan"
)
BUSY = 30.0
"""Seconds after which a bulk operation is tried again that had no place."""
_ADMIN = "see what the shop's admin says at https://admin.shopify.com, and run it again"
_CLOSED = {
    402: ("SHOP_FROZEN", "the shop is frozen: its bill is not paid", _ADMIN),
    403: ("SHOP_UNAVAILABLE", "the shop is closed, paused or frozen", _ADMIN),
    404: (
        "NOT_FOUND",
        "there is no such shop, or the version of the API is none that Shopify has",
        "check `shop`, the shop's own domain (example.myshopify.com), and `api_version`",
    ),
    423: ("SHOP_LOCKED", "the shop is locked: Shopify has shut it down", _ADMIN),
}
"""Of statuses that are about the shop and not about the app: a category, what it means, and what to
do. 402 and 403 come as "Unavailable Shop" (orbit-apps/elixir-shopifyapi, pull requests 380 and 382;
Shopify/shopify-cli, issue 1770); GraphQL tells of missing scopes with status 200."""

ERRORS = ErrorTable(
    "message",
    "extensions.code",
    by_code={
        Outcome.RETRY: ("INTERNAL_SERVER_ERROR", "TIMEOUT"),
        Outcome.THROTTLED: ("THROTTLED",),
        Outcome.DENIED: ("ACCESS_DENIED",),
    },
)


def judge(reply: Reply) -> Verdict | None:
    """The verdict; None where the status alone decides."""
    kind = reply.headers.get("content-type", "")
    if reply.status == SECURITY:
        # In short bursts, to good requests, too: kirillplatonov/shopify_graphql, issue 38.
        return Verdict(
            Outcome.RETRY, "Shopify took the request for an attack", "SECURITY_REJECTION"
        )
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
        for warning in dig(search, "warnings") or ():
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
    scope = reply.status == 403 and "unavailable" not in message.lower()
    if reply.status in _CLOSED and not scope:
        category, told, hint = _CLOSED[reply.status]
        said = f"{told} (Shopify says: {message})" if message else told
        return Verdict(Outcome.REJECTED, said, category, hint=hint)
    if scope:
        return Verdict(Outcome.DENIED, message, scopes=tuple(SCOPE.findall(message)))
    return None


def about_the_shop(error: RejectedError) -> bool:
    """Whether the shop itself was not to be had, which says nothing of what was asked."""
    return error.category == _CLOSED.get(error.status, ("",))[0] != ""


def _failed(body: Mapping[str, Any], errors: list[Any]) -> Verdict | None:
    """An answer of status 200 with errors: the first of them that says more than others."""
    first = errors[0] if isinstance(errors[0], dict) else {"message": str(errors[0])}
    by_code = {ERRORS.code_of(e): e for e in errors if isinstance(e, dict)}
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
        said = str(denied.get("message"))
        wanted = str(dig(denied, "extensions.requiredAccess") or said)
        hint = UNAPPROVED if "not approved" in said else ""
        scopes = tuple(SCOPE.findall(wanted))
        return Verdict(Outcome.DENIED, said, "ACCESS_DENIED", scopes=scopes, hint=hint)
    verdict = ERRORS.verdict(200, first)
    if str(first.get("message")).startswith("Internal error"):
        return Verdict(Outcome.RETRY, ERRORS.message_of(first), ERRORS.code_of(first))
    return verdict


def _wait(body: Mapping[str, Any]) -> float | None:
    """Seconds until the bucket has what the query would cost."""
    cost = dig(body, "extensions.cost") or {}
    status = dig(cost, "throttleStatus") or {}
    missing = float(cost.get("requestedQueryCost") or 0) - float(
        status.get("currentlyAvailable") or 0
    )
    rate = float(status.get("restoreRate") or 0)
    return max(0.1, missing / rate) if rate > 0 and missing > 0 else None

"""What Graph's errors mean. The code decides; the status is but a hint, since rate limits arrive
as 400 as well as 429.

Sources: Meta's documentation, "Error codes" of the Cloud API and "Handling errors" of the Graph
API; facebook/openapi, business messaging API v23.0 (the shape, `is_transient`); david-lev/pywa,
`pywa/errors.py` (the classes of codes); partners' documentation of limits (dualhook.com,
"Capacity and quality limits"), for 80007.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lumio_cli.providers.contract.call import Reply, dig
from lumio_cli.providers.contract.quota import Allowance
from lumio_cli.providers.contract.verdict import Outcome, Verdict

MANAGEMENT_COUNT = 5000
"""Calls an hour for each app and account with an active number."""

TOKEN = frozenset({0, 102, 104, 190, 463, 467, 2500})
ACCOUNT = frozenset({368, 131031, 131042, 131063})
"""The account may not send at all until someone puts it right."""
PERMISSION = frozenset({3, 10, 131005})
THROTTLED = {
    4: "", 17: "", 32: "", 613: "", 80007: "management", 80008: "management",
    130429: "messages", 131056: "pair",
    # Refused while the number is being moved or upgraded, or the service is down: nothing was
    # sent, and the same request will do in a moment.
    131016: "messages", 131057: "messages",
}  # fmt: skip
"""Too fast, or not now, and nothing was done: the quota that it is about, empty is all."""
PASSING = frozenset({1, 2, 131000})
"""Something failed inside; whether a message went out nobody can say."""
PROOF = (
    "give the app's secret (App settings > Basic): set LUMIO_WHATSAPP_APP_SECRET, and where the"
    " token is stored `lumio connect whatsapp` once more"
)
"""What to do where an app wants each call signed with its secret, or the secret is another app's.
Graph says so by (#100), the code of every wrong parameter (Graph API, "Secure requests")."""
SPAM = frozenset({131048, 131064})
"""Sending is limited for a day or more, since people blocked or reported the number."""

KINDS: dict[int, str] = {
    33: "gone",
    131026: "recipient", 131030: "recipient", 131050: "recipient", 131062: "recipient",
    137000: "recipient", 131021: "recipient", 130497: "recipient",
    131047: "window",
    131049: "held_back", 130472: "held_back",
    131045: "number", 131037: "number", 133010: "number",
    131052: "media", 131053: "media",
    132000: "template", 132001: "template", 132005: "template", 132007: "template",
    132008: "template", 132012: "template", 132015: "template", 132016: "template",
    132018: "template",
    132068: "template", 132069: "template",
}  # fmt: skip
"""Why a message was refused for good, by code; everything else is `validation`."""


def error_of(reply: Reply) -> Mapping[str, Any]:
    """The error object of an answer; empty where there is none."""
    found = reply.document().get("error")
    return found if isinstance(found, dict) else {}


def code_of(error: Mapping[str, Any]) -> int | None:
    """The error's code."""
    code = error.get("code")
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def said(error: Mapping[str, Any]) -> str:
    """The error's own words; the details, where they say more than the title."""
    message = str(error.get("message") or "")
    details = str(dig(error.get("error_data"), "details") or error.get("error_user_msg") or "")
    return f"{message}: {details}" if details and details not in message else message


def verdict(reply: Reply) -> Verdict | None:
    """What an answer means; None lets its status decide."""
    if reply.status < 400:
        return None
    error = error_of(reply)
    code = code_of(error)
    if code is None:
        return None
    message, word = said(error), str(code)
    if code == 100 and "appsecret_proof" in message:
        return Verdict(Outcome.REFUSED, message, word, hint=PROOF)
    if code in TOKEN:
        return Verdict(Outcome.REAUTH, message, word)
    if code in PERMISSION or 200 <= code <= 299:
        return Verdict(Outcome.DENIED, message, word)
    if code in ACCOUNT:
        return Verdict(Outcome.DENIED, message, word)
    if code in THROTTLED:
        return Verdict(
            Outcome.THROTTLED, message, word, regained(reply), quota=THROTTLED[code]
        )  # fmt: skip
    if code in SPAM:
        return Verdict(Outcome.EXHAUSTED, message, word, quota="messages")
    if code in PASSING or error.get("is_transient") is True:
        return Verdict(Outcome.RETRY, message, word)
    if reply.status == 404 or code == 33 or (code == 100 and error.get("error_subcode") == 33):
        gone = code not in KINDS or KINDS[code] == "gone"
        return Verdict(Outcome.GONE if gone else Outcome.REJECTED, message, word)
    return Verdict(Outcome.REJECTED, message, word) if reply.status < 500 else None


def kind_of(category: str) -> str:
    """The kind of a receipt for an error of that code."""
    return KINDS.get(int(category), "validation") if category.isdigit() else "validation"


# -- X-Business-Use-Case-Usage and X-App-Usage


def usage_of(reply: Reply) -> tuple[float, float]:
    """How much of the management quota is used, in percent, and the seconds until there is more.

    The headers hold JSON with percentages; the time to regain access is in minutes.
    """
    shares, wait = [0.0], 0.0
    for header in ("x-business-use-case-usage", "x-app-usage"):
        try:
            value = json.loads(reply.headers.get(header) or "{}")
        except ValueError:
            continue
        groups = value.values() if header.startswith("x-business") else [[value]]
        for use in (item for group in groups if isinstance(group, list) for item in group):
            if not isinstance(use, dict):
                continue
            shares += [
                float(use[name])
                for name in ("call_count", "total_cputime", "total_time")
                if isinstance(use.get(name), int | float)
            ]
            minutes = use.get("estimated_time_to_regain_access")
            wait = max(wait, 60.0 * minutes) if isinstance(minutes, int | float) else wait
    return max(shares), wait


def regained(reply: Reply) -> float | None:
    """Seconds until access is regained, where the answer says so."""
    return usage_of(reply)[1] or None


def allowances(reply: Reply) -> tuple[Allowance, ...]:
    """What the usage headers leave of the management quota."""
    if not {"x-business-use-case-usage", "x-app-usage"} & set(reply.headers):
        return ()
    share, wait = usage_of(reply)
    left = MANAGEMENT_COUNT * max(0.0, 1.0 - share / 100)
    return (Allowance("management", MANAGEMENT_COUNT, left, wait or None),)

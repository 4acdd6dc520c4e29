"""Errors as the Graph API words them: an object `error` with a code, and a status that is but a
hint: rate limits arrive as 400 as well as 429.
"""

from __future__ import annotations

from typing import Any

from ..http import Response
from ..lookalike import Answered

OAUTH = "OAuthException"
METHOD = "GraphMethodException"

MEANINGS: dict[int, tuple[int, str]] = {
    1: (500, "An unknown error occurred"),
    2: (503, "Service temporarily unavailable"),
    4: (429, "Application request limit reached"),
    10: (403, "Application does not have permission for this action"),
    80007: (429, "There have been too many calls to this WhatsApp Business account. "
            "Wait a bit and try again."),
    130429: (429, "Rate limit hit"),
    130472: (400, "User's number is part of an experiment"),
    131000: (500, "Something went wrong"),
    131005: (403, "Access denied"),
    131008: (400, "Required parameter is missing"),
    131009: (400, "Parameter value is not valid"),
    131016: (503, "Service unavailable"),
    131021: (400, "Recipient cannot be sender"),
    131026: (400, "Message undeliverable"),
    131030: (400, "Recipient phone number not in allowed list"),
    131031: (403, "Business Account locked"),
    131042: (400, "Business eligibility payment issue"),
    131047: (400, "Re-engagement message"),
    131048: (400, "Spam rate limit hit"),
    131049: (400, "This message was not delivered to maintain healthy ecosystem engagement."),
    131050: (400, "User has stopped marketing messages"),
    131051: (400, "Unsupported message type"),
    131052: (400, "Media download error"),
    131053: (400, "Media upload error"),
    131056: (400, "(Business Account, Consumer Account) pair rate limit hit"),
    131057: (503, "Account in maintenance mode"),
    131062: (400, "Message type cannot be sent to a business-scoped user ID"),
    132000: (400, "Number of parameters does not match the expected number of params"),
    132001: (404, "Template name does not exist in the translation"),
    132005: (400, "Translated text too long"),
    132012: (400, "Parameter format does not match format in the created template"),
    132015: (400, "Template is Paused"),
    132016: (400, "Template is Disabled"),
    132018: (400, "There was an issue with the parameters in your template"),
}  # fmt: skip
"""What codes of messaging say, and the status that they come with here."""


def graph(
    status: int,
    code: int,
    message: str,
    *,
    kind: str = OAUTH,
    subcode: int | None = None,
    details: str = "",
    transient: bool | None = None,
    trace: str = "A0sandboxtrace",
) -> Response:
    """An answer that is a Graph API error."""
    error: dict[str, Any] = {"message": message, "type": kind, "code": code}
    if subcode is not None:
        error["error_subcode"] = subcode
    if details:
        error["error_data"] = {"messaging_product": "whatsapp", "details": details}
    if transient is not None:
        error["is_transient"] = transient
    error["fbtrace_id"] = trace
    headers = {"x-fb-trace-id": trace}
    return Response.of_json({"error": error}, status, headers)


def refused(status: int, code: int, message: str, **more: Any) -> Answered:
    """The same, to be raised."""
    return Answered(graph(status, code, message, **more))


def messaging(code: int, details: str = "") -> Answered:
    """An error of the messages endpoint, by its code."""
    status, meaning = MEANINGS.get(code, (400, "Message failed to send"))
    transient = True if code in (1, 2, 131000, 131016) else None
    return refused(
        status, code, f"(#{code}) {meaning}", details=details or meaning, transient=transient
    )


def invalid(details: str) -> Answered:
    """(#100): a parameter that is wrong."""
    return refused(400, 100, f"(#100) {details}")


def unknown_object(object_id: str, method: str = "get") -> Answered:
    """What Graph says of an id that is not there, or that the token may not see."""
    return refused(
        400,
        100,
        f"Unsupported {method} request. Object with ID '{object_id}' does not exist, cannot be "
        "loaded due to missing permissions, or does not support this operation.",
        kind=METHOD,
        subcode=33,
    )

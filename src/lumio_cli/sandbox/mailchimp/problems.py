"""Mailchimp's errors: `application/problem+json` documents (RFC 7807), worded as it words them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from ..http import Response
from ..lookalike import Answered

TYPE = "https://mailchimp.com/developer/marketing/docs/errors/"
TITLES = {
    400: "Bad Request",
    401: "API Key Invalid",
    403: "Forbidden",
    404: "Resource Not Found",
    405: "Method Not Allowed",
    414: "Request URI Too Long",
    422: "Unprocessable Entity",
    426: "Upgrade Required",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
NOT_FOUND = "The requested resource could not be found."
INVALID = (
    "The resource submitted could not be validated. For field-specific details, see the 'errors'"
    " array."
)


def problem(
    status: int,
    detail: str,
    title: str = "",
    errors: Sequence[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error answer; `errors` are its field-specific details."""
    document: dict[str, Any] = {
        "type": TYPE,
        "title": title or TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "instance": f"00000000-0000-4000-8000-{abs(hash_of(detail)):012x}",
    }
    if errors:
        document["errors"] = list(errors)
    kind = {"Content-Type": "application/problem+json; charset=utf-8", **(headers or {})}
    return Response(status, orjson.dumps(document), kind)


def hash_of(text: str) -> int:
    """A number that is the same in every process, for ids of errors."""
    return int.from_bytes(text.encode()[-5:].rjust(5, b"\0"), "big")


def refused(status: int, detail: str, title: str = "") -> Answered:
    """The same as something to raise."""
    return Answered(problem(status, detail, title))


def not_found() -> Answered:
    """404."""
    return refused(404, NOT_FOUND)


def invalid(*errors: tuple[str, str], detail: str = INVALID) -> Answered:
    """400 Invalid Resource: what is wrong with which field."""
    named = [{"field": field, "message": message} for field, message in errors]
    return Answered(problem(400, detail, "Invalid Resource", named))

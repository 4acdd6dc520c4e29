"""Pipedrive's answers: every one is an object with `success`.

Shapes from the documentation's pages "Responses", "HTTP status codes" and "OAuth status codes";
what an error says beyond the documented ones is in our own words.
"""

from __future__ import annotations

from typing import Any

from ..http import Response
from ..lookalike import Answered

INFO = "Please check developers.pipedrive.com for more information about Pipedrive API."

CLOUDFLARE = (
    b"<!DOCTYPE html>\n<html><head><title>Access denied</title></head><body>"
    b"<h1>Error 1015</h1><p>Access denied. This error is produced by <b>Cloudflare</b>.</p>"
    b"</body></html>\n"
)
"""What a client gets that goes on and on after 429s: a page that is no JSON."""


def done(data: Any, status: int = 200, **more: Any) -> Response:
    """A success. `more` are further members of the answer."""
    return Response.of_json({"success": True, "data": data, **more}, status)


def failed(status: int, error: str, code: str = "") -> Response:
    """An error; `code` is there only where an account's limit is reached."""
    body: dict[str, Any] = {
        "success": False,
        "error": error,
        "error_info": INFO,
        "data": None,
        "additional_data": None,
    }
    if code:
        body["code"] = code
    return Response.of_json(body, status)


def unauthorized() -> Response:
    """401: as the gateway answers for a token that it does not know."""
    body = {
        "success": False,
        "error": "unauthorized access",
        "errorCode": 401,
        "error_info": "Please check developers.pipedrive.com",
    }
    return Response.of_json(body, 401, {"x-401-by-gw": "true"})


def denied_page() -> Response:
    """403 from in front of the API."""
    return Response(403, CLOUDFLARE, {"Content-Type": "text/html; charset=UTF-8"})


def oauth_failed(error: str, message: str) -> Response:
    """An error of the token endpoint."""
    return Response.of_json({"success": False, "message": message, "error": error}, 400)


class Refused(Answered):
    """An error, raised from wherever it is known."""

    def __init__(self, status: int, error: str, code: str = "") -> None:
        super().__init__(failed(status, error, code))

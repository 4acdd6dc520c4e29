"""Errors as LinkedIn words them: status, serviceErrorCode, code and message."""

from __future__ import annotations

from typing import Any

from ..http import Response
from ..lookalike import Answered

CODES = {
    400: (None, "ILLEGAL_ARGUMENT"),
    401: (65600, "INVALID_ACCESS_TOKEN"),
    403: (100, "ACCESS_DENIED"),
    404: (None, "NOT_FOUND"),
    405: (None, "METHOD_NOT_ALLOWED"),
    411: (None, "LENGTH_REQUIRED"),
    422: (None, "UNPROCESSABLE_ENTITY"),
    426: (None, "NONEXISTENT_VERSION"),
    429: (101, "TOO_MANY_REQUESTS"),
}
DAY_LIMIT = "Resource level throttle {} DAY limit for calls to this resource is reached."
SHORT_LIMIT = "Resource level throttle limit for calls to this resource is reached."


def answer(
    status: int, message: str, code: str = "", service: int | None = None, **more: Any
) -> Response:
    """An error answer; what is not named comes from the status."""
    usual = CODES.get(status, (None, "INTERNAL_SERVER_ERROR"))
    number = usual[0] if service is None else service
    body: dict[str, Any] = {"status": status, "code": code or usual[1], "message": message, **more}
    if number is not None:
        body["serviceErrorCode"] = number
    return Response.of_json(body, status)


def fail(status: int, message: str, code: str = "", **more: Any) -> Answered:
    """The same, to be raised."""
    return Answered(answer(status, message, code, **more))


def bad_field(path: str, description: str, code: str = "FIELD_VALUE_INVALID") -> Answered:
    """400 for one field of a body."""
    details = {
        "inputErrors": [
            {"description": description, "input": {"inputPath": {"fieldPath": path}}, "code": code}
        ]
    }
    return fail(
        400,
        f"{path} :: {description}",
        "VALIDATION_ERROR",
        errorDetailType="com.linkedin.common.error.BadRequest",
        errorDetails=details,
    )

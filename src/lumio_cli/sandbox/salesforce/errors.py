"""Errors in Salesforce's words: a list of `{message, errorCode, fields}`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..http import Response
from ..lookalike import Answered

HINT = (
    "be sure to append the '__c' after the {what} name. Please reference your WSDL or the describe "
    "call for the appropriate names."
)


def problem(status: int, code: str, message: str, fields: Sequence[str] | None = None) -> Answered:
    """An error answer. `fields` are named by errors about a record's values."""
    entry: dict[str, Any] = {"message": message, "errorCode": code}
    if fields is not None:
        entry["fields"] = list(fields)
    return Answered(Response.of_json([entry], status))


def malformed(message: str) -> Answered:
    """A query that is no SOQL."""
    return problem(400, "MALFORMED_QUERY", message)


def no_type(name: str) -> Answered:
    """A type that is not there, or not for this user."""
    message = (
        f"\nFROM {name}\n     ^\nERROR at Row:1:Column:1\nsObject type '{name}' is not supported. "
        f"If you are attempting to use a custom object, {HINT.format(what='entity')}"
    )
    return problem(400, "INVALID_TYPE", message)


def no_column(name: str, kind: str) -> Answered:
    """A field that is not there, or not for this user."""
    message = (
        f"\nSELECT {name}\n       ^\nERROR at Row:1:Column:8\nNo such column '{name}' on entity "
        f"'{kind}'. If you are attempting to use a custom field, {HINT.format(what='custom field')}"
    )
    return problem(400, "INVALID_FIELD", message)


def missing() -> Answered:
    """Nothing at this address."""
    return problem(404, "NOT_FOUND", "The requested resource does not exist")


def bad_session(
    message: str = "Session expired or invalid", code: str = "INVALID_SESSION_ID"
) -> Answered:
    """A token that is not, or no longer, good. INVALID_AUTH_HEADER is what clients have met late in
    long runs, where tokens are JWTs; an edge server may say nothing at all."""
    if not code:
        return Answered(Response(401))
    return problem(401, code, "INVALID_JWT_FORMAT" if code == "INVALID_AUTH_HEADER" else message)


class Invalid(Exception):  # noqa: N818 - it is an entry of an answer, raised from where it is known
    """What is wrong with one record that was to be written."""

    def __init__(self, code: str, message: str, fields: Sequence[str] = ()) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.fields = list(fields)

    def entry(self) -> dict[str, Any]:
        """As an item of a save result's `errors`."""
        return {"statusCode": self.code, "message": self.message, "fields": self.fields}

    def answer(self) -> Answered:
        """As the answer to a request for this record alone."""
        status = 404 if self.code in ("NOT_FOUND", "ENTITY_IS_DELETED") else 400
        if self.code.startswith("INSUFFICIENT_ACCESS"):
            status = 403
        return problem(status, self.code, self.message, self.fields)

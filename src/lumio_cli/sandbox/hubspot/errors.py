"""HubSpot's errors: the shape of its guide to error handling, and of the `Error` schema."""

from __future__ import annotations

from typing import Any

from ..http import Response

GONE = b"<!DOCTYPE html>\n<html><head><title>Page not found</title></head><body></body></html>\n"
"""What is there where an endpoint used to be: a page that is no JSON."""


class ApiError(Exception):
    """An answer other than success. `extra` goes into the body as it is."""

    def __init__(
        self,
        status: int,
        category: str,
        message: str,
        *,
        context: dict[str, list[str]] | None = None,
        errors: list[dict[str, Any]] | None = None,
        links: dict[str, str] | None = None,
        extra: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.category = category
        self.message = message
        self.context = context
        self.errors = errors
        self.links = links
        self.extra = extra or {}
        self.headers = headers or {}

    def response(self, correlation_id: str) -> Response:
        """The answer. What is empty is left out, as HubSpot leaves it out."""
        body: dict[str, Any] = {
            "status": "error",
            "message": self.message,
            "correlationId": correlation_id,
        }
        if self.context:
            body["context"] = self.context
        if self.errors:
            body["errors"] = self.errors
        if self.links:
            body["links"] = self.links
        body["category"] = self.category
        body.update(self.extra)
        return Response.of_json(body, self.status, self.headers)

    def item(self, **context: list[str]) -> dict[str, Any]:
        """The same error as one of a batch (schema `StandardError`)."""
        return {
            "status": "error",
            "category": self.category,
            "message": self.message,
            "context": {**(self.context or {}), **context},
            "errors": self.errors or [],
            "links": self.links or {},
        }


def invalid(message: str, **context: list[str]) -> ApiError:
    """400: the request itself is wrong."""
    return ApiError(400, "VALIDATION_ERROR", message, context=context or None)


def not_found(object_id: str) -> ApiError:
    """404 for one record."""
    message = "Object not found.  objectId are usually numeric."
    return ApiError(404, "OBJECT_NOT_FOUND", message, context={"id": [object_id]})


def no_resource() -> ApiError:
    """404 for a path, or for a thing that is no record."""
    return ApiError(404, "OBJECT_NOT_FOUND", "resource not found")


def missing_objects(singular: str, ids: list[str]) -> ApiError:
    """The error a batch answers, once, for all the ids that it could not find."""
    message = (
        f"Could not get some {singular.upper()} objects, they may be deleted or not exist. "
        "Check that ids are valid."
    )
    return ApiError(404, "OBJECT_NOT_FOUND", message, context={"ids": ids})


def missing_scopes(scopes: tuple[str, ...]) -> ApiError:
    """403 that names the scopes of which one would do."""
    return ApiError(
        403,
        "MISSING_SCOPES",
        "This app hasn't been granted all required scopes to make this call. Read more about "
        "required scopes here: https://developers.hubspot.com/scopes.",
        errors=[
            {
                "message": "One or more of the following scopes are required.",
                "context": {"requiredGranularScopes": list(scopes)},
            }
        ],
        links={"scopes": "https://developers.hubspot.com/scopes"},
    )


def over_quota(policy: str, retry_after: float | None) -> ApiError:
    """429 of a quota: `TEN_SECONDLY_ROLLING`, `SECONDLY` or `DAILY`."""
    headers = {} if retry_after is None else {"Retry-After": str(max(1, round(retry_after)))}
    return ApiError(
        429,
        "RATE_LIMITS",
        f"You have reached your {policy.lower()} limit.",
        extra={"errorType": "RATE_LIMIT", "policyName": policy},
        headers=headers,
    )

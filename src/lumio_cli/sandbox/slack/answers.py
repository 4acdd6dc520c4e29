"""How Slack words its answers: HTTP 200 and `ok`, whatever happened, but for 429 and outages."""

from __future__ import annotations

from typing import Any, NoReturn

import orjson

from ..http import BadJsonError, Request, Response
from ..lookalike import Answered


def ok(**values: Any) -> Response:
    """A good answer."""
    return Response.of_json({"ok": True, **values})


def fail(error: str, status: int = 200, **values: Any) -> NoReturn:
    """Raises Answered: an error by its word, with what else the answer says."""
    raise Answered(Response.of_json({"ok": False, "error": error, **values}, status))


def missing_scope(needed: str, provided: frozenset[str]) -> NoReturn:
    """Raises Answered: the token lacks a scope."""
    fail("missing_scope", needed=needed, provided=",".join(sorted(provided)))


class Arguments:
    """The arguments of a method: from the query, a form, or JSON where the method takes JSON."""

    def __init__(self, request: Request, takes_json: bool) -> None:
        self._values: dict[str, Any] = {k: v[-1] for k, v in request.query.items()}
        self.charset_missing = False
        kind = request.headers.get("content-type", "").lower()
        if kind.startswith("application/json"):
            # Methods that want forms do not look at a body of JSON; they do not complain either.
            if takes_json:
                self.charset_missing = "charset" not in kind
                self._values |= _object(request)
        elif request.body:
            self._values |= request.form()

    def text(self, name: str) -> str:
        """A text; empty where it was not given."""
        value = self._values.get(name)
        return "" if value is None else str(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean: `true`, `1` and JSON's own are true."""
        value = self._values.get(name)
        return default if value is None else str(value).lower() in ("true", "1")

    def listed(self, name: str) -> list[str]:
        """Texts separated by commas, or a JSON array."""
        value = self._values.get(name)
        if isinstance(value, list):
            return [str(item) for item in value]
        return [item.strip() for item in self.text(name).split(",") if item.strip()]

    def nested(self, name: str) -> Any:
        """What is JSON inside a form, or simply nested inside JSON; None where it was not given.
        Raises ValueError for text that is no JSON."""
        value = self._values.get(name)
        if isinstance(value, str):
            return orjson.loads(value) if value else None
        return value


def _object(request: Request) -> dict[str, Any]:
    try:
        body = request.json()
    except BadJsonError:
        fail("invalid_json")
    if not isinstance(body, dict):
        fail("json_not_object")
    return body

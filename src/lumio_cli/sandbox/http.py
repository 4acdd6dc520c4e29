"""The words the sandbox's server and its providers exchange: requests, responses, routes.

Nothing here knows a provider, and nothing here opens a socket.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qs

import orjson


class BadJsonError(ValueError):
    """The body of a request is not JSON."""


@dataclass(slots=True)
class Request:
    """One request, as a provider sees it.

    `path` is without the provider's prefix, percent-encoded as it was sent, as `raw_query` is;
    `base_url` is what a client put before it. Header names are in lower case; of a repeated header
    the last one counts. `label` is what faults and statistics know it by: the path, unless the
    provider says more.
    """

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    base_url: str
    label: str = ""
    raw_query: str = ""

    def json(self) -> Any:
        """The body as JSON; an empty body is an empty object. Raises BadJsonError."""
        if not self.body:
            return {}
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise BadJsonError(str(error)) from error

    def form(self) -> dict[str, str]:
        """The body as a form (`application/x-www-form-urlencoded`); the first value of each."""
        text = self.body.decode("utf-8", "replace")
        return {name: values[0] for name, values in parse_qs(text).items()}

    def one(self, name: str) -> str | None:
        """The last value of a query parameter, or None where it was not sent."""
        values = self.query.get(name)
        return values[-1] if values else None

    def many(self, name: str) -> list[str]:
        """A list parameter: repeated, separated by commas, or both."""
        return [
            item for value in self.query.get(name, ()) for item in value.split(",") if item.strip()
        ]


@dataclass(slots=True)
class Response:
    """One answer. With `stream`, the body is sent in chunks as it is made and `body` is ignored."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    stream: Iterator[bytes] | None = None

    @classmethod
    def of_json(
        cls, document: Any, status: int = 200, headers: dict[str, str] | None = None
    ) -> Response:
        """An answer with a JSON body."""
        merged = {"Content-Type": "application/json;charset=utf-8"}
        if headers:
            merged.update(headers)
        return cls(status, orjson.dumps(document), merged)


class Provider(Protocol):
    """What the server asks of a look-alike. One instance holds one account's whole state."""

    name: str

    def label(self, request: Request) -> str:
        """By what faults and statistics know a request: its path, or more where many kinds of
        requests share one."""

    def handle(self, request: Request) -> Response:
        """Answers a request; errors of the caller are answers too, in the provider's own shape."""

    def failure(self, status: int, retry_after: str | None) -> Response:
        """An outage or a throttle in the provider's own words, for faults that ask for one."""

    def distort(self, kind: str, argument: str | None, request: Request, body: Any) -> Any:
        """A JSON answer with a fault of its content (`noid`, `badid`, `huge`, `empty`, `loop`)."""

    def expire(self, request: Request) -> None:
        """From now on the credential of this request is an expired one."""

    def control(self, request: Request, parts: list[str]) -> Response | None:
        """Answers the control API below `/_sandbox/PROVIDER/`; None: there is no such path."""

    def now(self) -> float:
        """The provider's own clock, in seconds since the epoch."""

    def quotas(self) -> tuple[str, ...]:
        """The names of its quotas, which the option `quota` can set."""

    def over_quota(self) -> int:
        """How many requests were refused because a quota was used up, faults not counted."""

    def stats(self) -> dict[str, Any]:
        """What the control API's statistics show of this provider."""

    def ready(self, base_url: str) -> dict[str, Any]:
        """What a client needs to know to use the look-alike: base_url, tokens."""


Handler = Callable[..., Response]


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path with `{names}`, and what answers it."""

    method: str
    template: str
    handler: Handler
    scopes: Callable[..., tuple[str, ...]] | None = None
    quota: str = "standard"


class Routes:
    """A table of routes, looked up by method and path."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = [
            (route, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route.template) + r"/?$"))
            for route in routes
        ]

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """The route of a request and the values of the names in its path.

        Raises LookupError where the path exists, but not for this method.
        """
        other = False
        for route, pattern in self._routes:
            found = pattern.match(path)
            if found is None:
                continue
            if route.method == method:
                return route, found.groupdict()
            other = True
        if other:
            raise LookupError(method)
        return None

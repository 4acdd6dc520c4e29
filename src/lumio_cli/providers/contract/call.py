"""One request of a provider's module, and its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from lumio_cli.core.errors import BadReplyError

Json = Any

Place = dict[str, Any]
"""Where a listing stands: plain JSON, so that it can be checkpointed and resumed."""

Record = dict[str, Any]
"""One record as the provider sent it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as the provider's documentation would write it.

    `path` is relative to the provider's base URL, or absolute: an absolute URL is only followed
    to one of the provider's `hosts`. `route` is the path with its variables as `{names}`, for
    quotas and logs; without it the path itself. `safe`: may be repeated although the answer was
    lost (None: true for GET and HEAD). `cost` is counted by quotas of points, 1 by all others;
    `keys` says whom the call is about, for quotas that count by that (`Quota.keyed`). `cache_for`
    is how many seconds the answer may be served again; 0 is never. `auth=False` sends no
    credential. `delay` is how many seconds the transport lets pass before it sends it, for
    asking again how something stands. `content` is a body as it is, with its content type in
    `headers`. `answer`: what a good answer is written in; one that should be JSON and is not, is a
    fault.
    """

    method: str
    path: str
    route: str = ""
    params: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    json: Json = None
    form: Mapping[str, str] | None = None
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    safe: bool | None = None
    idempotency_key: str | None = None
    cost: float = 1.0
    keys: Mapping[str, str] = field(default_factory=dict)
    cache_for: float = 0.0
    auth: bool = True
    delay: float = 0.0
    answer: Literal["json", "text"] = "json"

    @property
    def label(self) -> str:
        """The route, for quotas, logs and counters."""
        return self.route or self.path

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice does no harm."""
        safe = self.method in ("GET", "HEAD") if self.safe is None else self.safe
        return safe or self.idempotency_key is not None


class Reply:
    """One answer. Header names are lower case. `date` is the provider's time as far as it can be
    believed, `skew` how many seconds its Date header was ahead of this machine's clock (None: it
    had none). `cached` marks an answer for which the provider was not asked, `stale` one that was
    served because the provider is down.
    """

    __slots__ = (
        "_decoded", "body", "cached", "date", "headers", "skew", "stale", "status", "url",
    )  # fmt: skip

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        url: str = "",
        date: datetime | None = None,
        stale: bool = False,
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.url = url
        self.date = date
        self.skew: float | None = None
        self.cached = False
        self.stale = stale
        self._decoded: Json = _UNREAD

    def json(self) -> Json:
        """The body as JSON, decoded once; what only strict JSON refuses is read all the same (see
        `values.read_json`). Raises `BadReplyError` where it is none."""
        if self._decoded is _UNREAD:
            from lumio_cli.providers.contract.json_reading import read_json

            try:
                self._decoded = read_json(self.body)
            except ValueError as error:
                kind = self.headers.get("content-type", "no content type").split(";")[0]
                raise BadReplyError(
                    f"the provider answered {self.status} with something that is not JSON "
                    f"({kind}, {len(self.body)} bytes): {error}",
                    hint="a proxy or a maintenance page may be in between; try again later",
                ) from None
        return self._decoded

    def document(self) -> Mapping[str, Any]:
        """The body as a JSON object; empty where it is none: for error pages of any kind, where the
        status alone must do."""
        try:
            body = self.json()
        except BadReplyError:
            return {}
        return body if isinstance(body, dict) else {}

    def number(self, header: str) -> float | None:
        """A header's number; None where there is none."""
        try:
            return float(self.headers[header])
        except (KeyError, ValueError):
            return None


_UNREAD = object()

Send = Callable[[Call], Reply]
"""One request through the whole transport; raises `LumioError`."""


def dig(value: Any, path: str) -> Any:
    """What lies at a dotted `path` inside decoded JSON, or None. An empty path is the whole."""
    if not path:
        return value
    for part in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value

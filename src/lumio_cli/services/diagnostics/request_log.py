"""What `lumio debug` does: a switch that every lumio process looks at, and the log it fills."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from lumio_cli.core.clock import utc
from lumio_cli.core.errors import UsageError
from lumio_cli.core.units import format_duration, format_size

if TYPE_CHECKING:
    from lumio_cli.runtime import Runtime
    from lumio_cli.transport.runtime_db.store import LogRow

Level = Literal["basic", "verbose"]

LONGEST = 30 * 86400.0
"""Seconds. Longer than this is forgotten, not wanted."""
LONGEST_QUERY = 60
"""Characters of a query on a line for people: some list hundreds of names."""
POLL = 0.5
"""Seconds between two looks at the log."""
PAGE = 500


@dataclass(frozen=True, slots=True)
class State:
    """How debugging of a provider stands. `level` None: off. `size` of the log is in bytes."""

    provider: str
    level: Level | None
    until: datetime | None
    rows: int
    size: int

    def as_json(self) -> dict[str, Any]:
        """For `--output json`, and as a row."""
        return {
            "provider": self.provider,
            "debug": "on" if self.level else "off",
            "level": self.level,
            "until": self.until,
            "rows": self.rows,
            "bytes": self.size,
        }


def switch_on(runtime: Runtime, provider: str, duration: str, level: Level) -> State:
    """Log requests from now on, for `duration` (seconds, or text like `1h`).

    Runs that are under way follow within a second. Raises UsageError.
    """
    from lumio_cli.core.units import parse_duration

    check_provider(provider)
    try:
        seconds = parse_duration(duration)
    except ValueError as error:
        raise UsageError(
            f"--duration {duration}: {error}", hint="for example --duration 1h"
        ) from None
    if not 0 < seconds <= LONGEST:
        raise UsageError(
            f"--duration {duration} is not between 1 second and {format_duration(LONGEST)}",
            hint="it can be switched on again, or off earlier",
        )
    runtime.store.set_flag(_key(provider), {"level": level}, ttl=seconds)
    return state(runtime, provider)


def switch_off(runtime: Runtime, provider: str) -> State:
    """Log no more. What was logged stays until `clear`. Raises UsageError."""
    check_provider(provider)
    if runtime.paths.runtime.exists():
        runtime.store.delete_flag(_key(provider))
    return state(runtime, provider)


def clear(runtime: Runtime, provider: str) -> State:
    """Delete what was logged; the switch stays as it is. Raises UsageError."""
    check_provider(provider)
    if runtime.paths.runtime.exists():
        runtime.store.clear_log(provider)
    return state(runtime, provider)


def state(runtime: Runtime, provider: str) -> State:
    """How debugging of `provider` stands. Raises UsageError for one that does not exist."""
    check_provider(provider)
    if not runtime.paths.runtime.exists():
        return State(provider, None, None, 0, 0)
    key = _key(provider)
    flag = next((f for f in runtime.store.list_flags(key) if f.key == key), None)
    rows, size = runtime.store.query(_SIZE, (provider,))[0]
    if flag is None:
        return State(provider, None, None, rows, size)
    value = flag.value.get("level") if isinstance(flag.value, dict) else flag.value
    level: Level = "verbose" if value == "verbose" else "basic"
    until = utc(round(flag.expires_at)) if flag.expires_at is not None else None
    return State(provider, level, until, rows, size)


def requests(
    runtime: Runtime, provider: str, last: int, *, follow: bool = False
) -> Iterator[dict[str, Any]]:
    """The `last` requests that were logged, the oldest first; with `follow` those to come, too,
    until the run is stopped.

    What was redacted when it was written is redacted again. Raises UsageError, `StoppedError`.
    """
    check_provider(provider)
    seen = 0
    if last and runtime.paths.runtime.exists():
        for row in runtime.store.read_log(provider, limit=last):
            seen = row.id
            yield _document(runtime, row)
    if not follow:
        return
    seen = seen or _newest(runtime, provider)
    while True:
        for row in runtime.store.read_log(provider, after_id=seen, limit=PAGE):
            seen = row.id
            yield _document(runtime, row)
        runtime.clock.sleep(POLL, runtime.stop)


def line(request: dict[str, Any]) -> str:
    """A request on one line, for people."""
    url = urlsplit(str(request.get("url", "")))
    query = url.query if len(url.query) <= LONGEST_QUERY else f"{url.query[:LONGEST_QUERY]}..."
    path = url.path + (f"?{query}" if query else "")
    words = [str(request.get("at", ""))[11:19], str(request.get("method", "")), path]
    if request.get("cache"):
        words.append(f"-> from the {request['cache']} cache")
    elif "status" in request:
        words.append(f"-> {request['status']}")
    else:
        words.append("-> no answer")
    if "ms" in request:
        words.append(format_duration(request["ms"] / 1000))
    if request.get("bytes"):
        words.append(format_size(request["bytes"]))
    if request.get("attempt", 1) > 1:
        words.append(f"attempt {request['attempt']}")
    if request.get("waited_ms"):
        words.append(f"waited {format_duration(request['waited_ms'] / 1000)}")
    left = request.get("remaining") or {}
    words += [f"{name} {value:g} left" for name, value in left.items() if value is not None]
    if request.get("error"):
        words.append(str(request["error"]))
    head, rest = words[:3], words[3:]
    return f"{' '.join(head)} {', '.join(rest)}"


def _document(runtime: Runtime, row: LogRow) -> dict[str, Any]:
    document = {"id": row.id, "provider": row.provider, "cache": None, **row.data}
    cleaned: dict[str, Any] = runtime.redactor.json(document)
    return cleaned


def _newest(runtime: Runtime, provider: str) -> int:
    rows = runtime.store.read_log(provider, limit=1)
    return rows[-1].id if rows else 0


def check_provider(provider: str) -> None:
    """Raise UsageError for a provider that does not exist; say so where the words are swapped."""
    from lumio_cli.providers.contract.fields import suggest
    from lumio_cli.providers.registry import provider_names

    known = provider_names()
    if provider not in known:
        swapped = provider in ("on", "off", "status", "show", "clear")
        hint = f"the provider comes first: lumio debug PROVIDER {provider}"
        raise UsageError(
            f"there is no provider {provider!r}",
            hint=hint if swapped else suggest(provider, known, "providers"),
        )


def check_options(action: str, **given: Any) -> None:
    """Raise UsageError for an option that another action takes; None: it was not given."""
    taken = {"on": ("duration", "level"), "show": ("last", "follow")}.get(action, ())
    for name, value in given.items():
        if value is not None and name not in taken:
            raise UsageError(f"--{name} does not go with {action!r}", hint="lumio debug --help")


def _key(provider: str) -> str:
    """The flag that `transport.request_log` looks at."""
    return f"debug:{provider}"


_SIZE = (
    "SELECT count(*), coalesce(sum(length(CAST(data AS BLOB))), 0) FROM http_log WHERE provider = ?"
)

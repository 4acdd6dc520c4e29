"""What `lumio cache` does: count and clear the answers that are kept, layer by layer."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lumio_cli.core.clock import format_timestamp
from lumio_cli.core.errors import LumioError
from lumio_cli.transport.runtime_db.read_only import read

if TYPE_CHECKING:
    from lumio_cli.runtime import Runtime

_LAYERS = ("memory", "disk", "hub", "miss")
_DISK = (
    "SELECT tag, count(*), sum(length(value)), max(store_time) FROM Cache"
    " WHERE coalesce(expire_time, 9e999) > ? GROUP BY tag"
)
_HUB = "SELECT provider, count(*), sum(length(payload)), max(stored_at) FROM lumio_cache GROUP BY 1"


@dataclass(frozen=True, slots=True)
class Kept:
    """What a layer keeps of a provider. `newest` in seconds since the epoch."""

    entries: int = 0
    size: int = 0
    newest: float | None = None

    def as_json(self) -> dict[str, Any]:
        """For `--output json`; `bytes` is the size as it is stored."""
        newest = None if self.newest is None else format_timestamp(self.newest)
        return {"entries": self.entries, "bytes": self.size, "newest_at": newest}


@dataclass(frozen=True, slots=True)
class Cleared:
    """How many answers were removed."""

    disk: int
    hub: int

    def as_json(self) -> dict[str, Any]:
        """For `--output json`."""
        return {"removed": {"disk": self.disk, "hub": self.hub}}


def describe(runtime: Runtime, provider: str | None = None) -> dict[str, Any]:
    """What the layers that outlive a process keep, and which layer answered how many calls.

    Raises `UsageError` for an unknown provider, `LumioError` where the layer on disk is damaged.
    """
    names = _names(provider)
    disk, hub = _on_disk(runtime), _in_hub(runtime)
    known = [n for n in names if provider or n in disk or n in hub or any(_hits(runtime, n))]
    return {
        "enabled": runtime.settings.cache.enabled,
        "path": str(runtime.paths.cache),
        "providers": [
            {
                "provider": name,
                "disk": disk.get(name, Kept()).as_json(),
                "hub": hub.get(name, Kept()).as_json(),
                "answered": dict(zip(_LAYERS, _hits(runtime, name), strict=True)),
                "hit_rate": _rate(_hits(runtime, name)),
            }
            for name in known
        ],
    }


def clear(runtime: Runtime, provider: str | None = None) -> Cleared:
    """Forget the answers of `provider`, or all. A run that is going on keeps what it has in memory.

    Raises `UsageError` for an unknown provider, `HubError`.
    """
    from lumio_cli.hub.sqlite.response_fallback import LastKnown
    from lumio_cli.transport.disk_cache import DiskCache

    names = _names(provider)
    disk = 0
    if (runtime.paths.cache / "cache.db").exists():
        try:
            kept = _on_disk(runtime)
            disk = sum(kept[name].entries for name in names if name in kept)
        except LumioError:
            pass  # damaged: it is made anew, and nothing in it could be counted
        with closing(DiskCache(runtime.paths.cache)) as layer:
            layer.clear(provider)
    hub = LastKnown(runtime.hub_path).clear(provider) if runtime.hub_path.exists() else 0
    return Cleared(disk, hub)


def _names(provider: str | None) -> list[str]:
    from lumio_cli.providers.registry import provider_class, provider_names

    if provider is None:
        return provider_names()
    provider_class(provider)
    return [provider]


def _on_disk(runtime: Runtime) -> dict[str, Kept]:
    """The second layer by provider. Read as the database it is: diskcache counts no tags."""
    path = runtime.paths.cache / "cache.db"
    if not path.exists():
        return {}
    try:
        return read(path, lambda db: _kept(db.execute(_DISK, [runtime.clock.time()]).fetchall()))
    except sqlite3.Error as error:
        raise LumioError(
            f"the cache {path} cannot be read: {error}",
            code="cache_unreadable",
            hint="`lumio cache clear` makes it anew; nothing else is lost",
        ) from error


def _in_hub(runtime: Runtime) -> dict[str, Kept]:
    """The third layer by provider."""
    reader = runtime.hub_reader
    return {} if reader is None else _kept(reader.connection.execute(_HUB).fetchall())


def _kept(rows: list[Any]) -> dict[str, Kept]:
    return {str(row[0]): Kept(row[1], row[2] or 0, row[3]) for row in rows}


def _hits(runtime: Runtime, provider: str) -> tuple[int, ...]:
    """How many calls each layer has answered since the counters began."""
    if not runtime.paths.runtime.exists():
        return (0,) * len(_LAYERS)
    counts = runtime.store.read_counts(f"cache:{provider}")
    return tuple(counts.get(layer, 0) for layer in _LAYERS)


def _rate(hits: tuple[int, ...]) -> float | None:
    """Percent of calls that needed no request; None where there were no calls."""
    total = sum(hits)
    return round(100.0 * (total - hits[-1]) / total, 1) if total else None

"""Answers that may be served again: schemas, pipelines, owners, identities. Never a page of a sync.

    memory  this process    500 answers   15 minutes
    disk    this machine    64 MiB        30 minutes
    hub     this profile    no expiry, served only while the provider is down, and marked stale

A call says with `cache_for` how many seconds its answer stays good; a layer keeps it no longer.
Callers that miss the same answer at the same moment, in threads or in processes, fetch it once.
Cached replies are shared: they are for reading only. A cache that fails is a cache that misses.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from lumio_cli.core.errors import LumioError, QuotaError, UnavailableError
from lumio_cli.core.locks import FileLock
from lumio_cli.core.redact import is_secret_name
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.transport.disk_cache import DISK_SECONDS, DiskCache, pack, unpack

if TYPE_CHECKING:
    from lumio_cli.core.clock import Clock
    from lumio_cli.core.redact import Redactor
    from lumio_cli.core.stop import Stop

Layer = Literal["memory", "disk", "hub", "miss"]

MEMORY_ENTRIES = 500
MEMORY_SECONDS = 15 * 60.0
LOCK_FILES = 64
"""Lock files that all keys share: two keys on one file wait for each other, and nothing worse."""
LOCK_WAIT = 30.0
"""Seconds to wait for another process's fetch before fetching too."""

_HUB_FAULTS = (LumioError, sqlite3.Error, OSError)


class LastKnown(Protocol):
    """The third layer. Called from any thread; `key` begins with `PROVIDER:`."""

    def get(self, key: str) -> tuple[bytes, float] | None:
        """The payload kept under `key`, and when it was stored (seconds since the epoch)."""
        ...

    def put(self, key: str, payload: bytes, stored_at: float) -> None:
        """Keep `payload` under `key`, instead of what was there."""
        ...


class CountStore(Protocol):
    """Where counters go when the session ends (`store.RuntimeStore`)."""

    def add_counts(self, scope: str, counts: Mapping[str, int]) -> None:
        """Add to the counters of `scope`."""
        ...


class Cache:
    """The cache of one provider's session.

    `account` keeps the accounts of a provider apart; the credential itself is no part of any key.
    Answers that hold a secret stay in memory. Without a `directory` there is no disk layer.
    """

    def __init__(
        self,
        provider_name: str,
        account: str,
        directory: Path | None,
        *,
        clock: Clock,
        stop: Stop,
        redactor: Redactor,
        last_known: LastKnown | None = None,
        counts: CountStore | None = None,
    ) -> None:
        self._name = provider_name
        self._account = account
        self._directory = directory
        self._clock = clock
        self._stop = stop
        self._redactor = redactor
        self._last_known = last_known
        self._count_store = counts
        self._memory = _Memory(clock)
        self._disk = DiskCache(directory) if directory is not None else None
        self._guard = threading.Lock()
        self._busy: dict[_Key, tuple[threading.Lock, list[None]]] = {}
        self._counts: dict[Layer, int] = {"memory": 0, "disk": 0, "hub": 0, "miss": 0}

    def fetch(
        self, call: Call, load: Callable[[], Reply], *, fresh: bool = False
    ) -> tuple[Reply, Layer]:
        """The answer to `call` and the layer it came from; `load` fetches it on a miss.

        `fresh` does not read the cache, but fills it. Raises what `load` raises, unless the
        provider is down and the hub knows an earlier answer.
        """
        key = self._key(call)
        if not fresh and (reply := self._memory.get(key)) is not None:
            return self._hit(reply, "memory")
        with self._alone(key):
            if not fresh:
                # While we waited, another thread may have fetched it.
                if (reply := self._memory.get(key)) is not None:
                    return self._hit(reply, "memory")
                if (reply := self._from_disk(key, call)) is not None:
                    return self._hit(reply, "disk")
            with self._alone_on_this_machine(key):
                if not fresh and (reply := self._from_disk(key, call)) is not None:
                    return self._hit(reply, "disk")
                return self._load(key, call, load, fresh=fresh)

    def stats(self) -> dict[str, int]:
        """Calls answered by each layer so far: `memory`, `disk`, `hub`, and `miss`."""
        return {str(layer): n for layer, n in self._counts.items()}

    def forget(self, call: Call) -> None:
        """Ask the provider the next time: the answer that is kept was of no use."""
        key = self._key(call)
        self._memory.drop(key)
        if self._disk is not None:
            self._disk.drop(self._text(key))

    def clear(self, provider: str | None = None) -> None:
        """Forget the answers of `provider`, or of all, in memory and on disk."""
        if provider in (None, self._name):
            self._memory.clear()
        if self._disk is not None:
            self._disk.clear(provider)

    def close(self) -> None:
        """Close the disk layer and hand the counters over. Raises nothing."""
        with self._guard:
            counts = {str(layer): n for layer, n in self._counts.items() if n}
            self._counts = dict.fromkeys(self._counts, 0)
        if self._count_store is not None and counts:
            with suppress(LumioError):
                self._count_store.add_counts(f"cache:{self._name}", counts)
        if self._disk is not None:
            self._disk.close()

    def _hit(self, reply: Reply, layer: Layer) -> tuple[Reply, Layer]:
        with self._guard:
            self._counts[layer] += 1
        return reply, layer

    def _load(
        self, key: _Key, call: Call, load: Callable[[], Reply], *, fresh: bool
    ) -> tuple[Reply, Layer]:
        try:
            reply = load()
        except QuotaError:
            raise  # the provider is up, and says no
        except UnavailableError:
            stale = None if fresh else self._from_hub(key)
            if stale is None:
                raise
            return self._hit(stale, "hub")
        now = self._clock.time()
        self._memory.put(key, reply, min(MEMORY_SECONDS, call.cache_for))
        payload = pack(reply, now)
        if not self._is_telling(reply, payload):
            if self._disk is not None:
                self._disk.put(self._name, self._text(key), payload, call.cache_for)
            if self._last_known is not None:
                with suppress(*_HUB_FAULTS):
                    self._last_known.put(self._text(key), payload.encode(), now)
        return self._hit(reply, "miss")

    def _is_telling(self, reply: Reply, payload: str) -> bool:
        """Whether anything in an answer would have to be hidden: such an answer stays in memory."""
        redact = self._redactor
        if redact.contains_secret(payload.encode()) or redact.url(reply.url) != reply.url:
            return True
        shown = [v for k, v in reply.headers.items() if not is_secret_name(k)]
        shown.append(reply.body.decode("utf-8", "replace"))
        return any(redact.text(text) != text for text in shown)

    def _from_disk(self, key: _Key, call: Call) -> Reply | None:
        if self._disk is None:
            return None
        payload = self._disk.get(self._text(key))
        unpacked = unpack(payload) if payload is not None else None
        if unpacked is None:
            return None
        reply, stored_at = unpacked
        left = stored_at + min(DISK_SECONDS, call.cache_for) - self._clock.time()
        # One that will only be stored was, by a clock that was wrong: nobody knows how old it is.
        if left <= 0 or stored_at > self._clock.time() + 60.0:
            return None
        self._memory.put(key, reply, min(MEMORY_SECONDS, left))
        return reply

    def _from_hub(self, key: _Key) -> Reply | None:
        if self._last_known is None:
            return None
        try:
            known = self._last_known.get(self._text(key))
        except _HUB_FAULTS:
            return None
        unpacked = unpack(known[0].decode()) if known is not None else None
        if unpacked is None:
            return None
        reply = unpacked[0]
        reply.stale = True
        return reply

    def _key(self, call: Call) -> _Key:
        body = b"" if call.json is None else json.dumps(call.json, sort_keys=True).encode()
        content = hashlib.blake2b(call.content).digest() if call.content else b""
        params = ((name, repr(value)) for name, value in sorted(call.params.items()))
        return (call.method, call.path, *params, *sorted(call.keys.items()), body, content)

    def _text(self, key: _Key) -> str:
        """The key outside of this process: a digest, since a path may hold a token."""
        digest = hashlib.blake2b(repr((self._account, key)).encode(), digest_size=20)
        return f"{self._name}:{digest.hexdigest()}"

    @contextmanager
    def _alone(self, key: _Key) -> Iterator[None]:
        """No other thread of this session fetches `key` meanwhile."""
        with self._guard:
            lock, waiting = self._busy.setdefault(key, (threading.Lock(), []))
            waiting.append(None)
        try:
            while not lock.acquire(timeout=0.1):
                self._stop.check()
            try:
                yield
            finally:
                lock.release()
        finally:
            with self._guard:
                waiting.pop()
                if not waiting:
                    self._busy.pop(key, None)

    @contextmanager
    def _alone_on_this_machine(self, key: _Key) -> Iterator[None]:
        if self._directory is None:
            yield
            return
        number = int(self._text(key)[-4:], 16) % LOCK_FILES
        lock = FileLock(
            self._directory / "locks" / f"{number:02d}.lock",
            what="filling the cache",
            clock=self._clock,
        )
        # Whether it was to be had does not matter: fetching twice is no harm.
        with suppress(OSError):
            lock.acquire(LOCK_WAIT, self._stop)
        try:
            yield
        finally:
            lock.release()


_Key = tuple[Any, ...]


class _Memory:
    """The first layer: least recently used out first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[_Key, tuple[Reply, float]] = OrderedDict()

    def get(self, key: _Key) -> Reply | None:
        now = self._clock.monotonic()
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            reply, until = entry
            if now >= until:
                del self._entries[key]
                return None
            self._entries.move_to_end(key)
            return reply

    def put(self, key: _Key, reply: Reply, seconds: float) -> None:
        until = self._clock.monotonic() + seconds
        with self._lock:
            self._entries[key] = (reply, until)
            self._entries.move_to_end(key)
            while len(self._entries) > MEMORY_ENTRIES:
                self._entries.popitem(last=False)

    def drop(self, key: _Key) -> None:
        with self._lock:
            self._entries.pop(key, None)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()

"""Cache and limiter by themselves. Prints its numbers as one line of JSON."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.measure import percentile
from lumio_cli.core.clock import SystemClock
from lumio_cli.core.redact import Redactor
from lumio_cli.core.stop import Stop
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.quota import Quota
from lumio_cli.providers.registry import load_provider
from lumio_cli.transport.cache import MEMORY_ENTRIES, Cache
from lumio_cli.transport.quota.limiter import Limiter, Priority
from lumio_cli.transport.runtime_db.store import RuntimeStore

PROCESSES = 4
LIST = Call("GET", "/crm/objects/2026-03/contacts")
WINDOW = Quota("small", 40, 0.5, kind="window")


def _open(directory: Path) -> Cache:
    return Cache(
        "hubspot", "bench", directory, clock=SystemClock(), stop=Stop(), redactor=Redactor()
    )


def cache(directory: Path, seconds: float) -> dict[str, float]:
    """Hits in memory, and on disk: more answers by turns than the memory holds are always there."""
    layers = _open(directory)
    body = json.dumps({"results": [{"name": f"p{i}", "type": "string"} for i in range(100)]})
    reply = Reply(200, {"content-type": "application/json"}, body.encode())
    path = "/crm/v3/properties/contacts"
    calls = [
        Call("GET", path, params={"archived": "false", "n": str(n)}, cache_for=1800)
        for n in range(MEMORY_ENTRIES * 2)
    ]
    for call in calls:
        layers.fetch(call, lambda: reply)
    waits = []
    for call in calls:
        begin = time.perf_counter()
        _, layer = layers.fetch(call, lambda: reply)
        waits.append((time.perf_counter() - begin) * 1000)
        assert layer == "disk", layer
    hits = 0
    rates = []
    call = calls[-1]
    for _ in range(3):
        begin, hits = time.perf_counter(), 0
        while (passed := time.perf_counter() - begin) < seconds / 3:
            for _ in range(500):
                layers.fetch(call, lambda: reply)
            hits += 500
        rates.append(hits / passed)
    layers.close()
    return {
        "memory_hits_per_second": max(rates),
        "disk_hit_median_ms": statistics.median(waits),
        "disk_hit_p95_ms": percentile(waits, 0.95),
    }


def _acquire(
    path: Path, quotas: tuple[Quota, ...], begin: float, seconds: float, priority: Priority
) -> tuple[list[float], list[float]]:
    """When a process's calls went, and how many milliseconds each took to get there."""
    clock, stop = SystemClock(), Stop()
    store = RuntimeStore(path, clock=clock)
    limiter = Limiter(store, "bench", quotas, {}, clock)
    moments: list[float] = []
    waits: list[float] = []
    time.sleep(max(0.0, begin - time.time()))
    while (asked := time.time()) < begin + seconds:
        with limiter.acquire(LIST, priority=priority, stop=stop, max_wait=60):
            moments.append(time.time())
        waits.append((moments[-1] - asked) * 1000)
    store.close()
    return moments, waits


def _together(
    path: Path, quotas: tuple[Quota, ...], seconds: float, priorities: list[Priority]
) -> tuple[list[float], list[float]]:
    """Several processes at once, none of which shares anything with another but the file."""
    begin = time.time() + 1.0
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        found = pool.starmap(
            _acquire, [(path, quotas, begin, seconds, priority) for priority in priorities]
        )
    moments = sorted(moment for one, _ in found for moment in one)
    return moments, [wait for _, one in found for wait in one]


def limiter(directory: Path, seconds: float) -> dict[str, Any]:
    """How many acquisitions there are in a second, and whether a small window ever had more."""
    options = {"limits": {"burst": 10_000_000.0, "search": 10_000_000.0, "daily": 1e9}}
    wide = load_provider("hubspot", options).quotas
    moments, waits = _together(
        directory / "wide.db", wide, seconds, [Priority.INTERACTIVE] * PROCESSES
    )
    rate = len(moments) / (moments[-1] - moments[0])
    small, _ = _together(
        directory / "small.db", (WINDOW,), seconds * 2, [Priority.INTERACTIVE] * PROCESSES
    )
    exceeded = sum(
        b - a < WINDOW.per for a, b in zip(small, small[int(WINDOW.count) :], strict=False)
    )
    fullest = max(sum(a <= m < a + WINDOW.per for m in small) for a in small)
    return {
        "acquisitions_per_second": rate,
        "acquisition_p50_ms": statistics.median(waits),
        "acquisition_p99_ms": percentile(waits, 0.99),
        "window": {
            "count": int(WINDOW.count),
            "per": WINDOW.per,
            "exceeded": exceeded,
            "fullest": fullest,
            "calls": len(small),
            "used": len(small) / ((small[-1] - small[0]) / WINDOW.per * WINDOW.count),
        },
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.micro")
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory(prefix="lumio-bench-") as name:
        found: dict[str, Any] = cache(Path(name) / "cache", 0.3 if quick else 3.0)
        found |= limiter(Path(name), 1.0 if quick else 5.0)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()

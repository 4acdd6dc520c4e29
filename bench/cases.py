"""What is measured. Each case yields rows of the table and keeps every sample for the results."""

from __future__ import annotations

import json
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from bench.data import CUSTOM, MAPPED, PAGE
from bench.edits import edits
from bench.harness import Bench
from bench.measure import (
    TOKEN,
    BenchError,
    Client,
    Row,
    Sample,
    best,
    child,
    environment,
    least_cpu,
    lumio,
    median,
    own_rss,
    peak,
    run,
)
from bench.providers import bulk, eight

MIB_LIMIT = 120.0
OBJECTS = ("contacts", "companies", "deals", "products", "tickets")
BURST_PER_SECOND = 19.0
BUSY = 1.45
"""How many times its processor time a floor may take before the machine counts as busy."""


Case = Callable[[Bench], Iterator[Row]]


def server(bench: Bench) -> Iterator[Row]:
    """How fast the server is by itself: it must not be what is measured elsewhere."""
    records = 2_000 if bench.quick else 100_000
    client = Client(bench.port)
    asked = f"limit=100&archived=false&properties={','.join((*MAPPED, *CUSTOM))}"
    size = 0
    begin = time.perf_counter()
    for page in range(records // PAGE):
        size += len(client.get(f"/{records}/crm/objects/2026-03/contacts?{asked}&after={page}"))
    seconds = time.perf_counter() - begin
    client.close()
    a_page = seconds / (records // PAGE) * 1000
    bench.keep("server", ms_per_page=a_page, bytes_per_record=size / records)
    yield Row(
        "bench server, a page of 100",
        f"{a_page:.2f} ms",
        note=f"{size / records:.0f} bytes a record",
    )


def full(bench: Bench) -> Iterator[Row]:
    """A full pull against the floor."""
    one_page = _rounds(bench, PAGE, 3)
    for records in (2_000,) if bench.quick else (20_000, 100_000):
        ours, floors = _rounds(bench, records, 1 if bench.quick else 3)
        target = 1.5 if records >= 100_000 else None
        row = _versus(f"full sync, {records:,} contacts", best(ours), best(floors), target)
        yield _doubt(row, floors)
        bare = [best(s) - best(o) for s, o in zip((ours, floors), one_page, strict=True)]
        yield _versus("  without start-up", bare[0], bare[1])
        yield _versus("  processor time", least_cpu(ours), least_cpu(floors))
        bench.keep(
            f"full_{records}",
            lumio=_numbers(ours),
            floor=_numbers(floors),
            ratio=best(ours) / best(floors),
            ratio_without_start=bare[0] / bare[1],
        )
    bench.keep("one_page", lumio=_numbers(one_page[0]), floor=_numbers(one_page[1]))


def _rounds(bench: Bench, records: int, rounds: int) -> tuple[list[Sample], list[Sample]]:
    """lumio and the floor by turns, so that what disturbs one disturbs the other."""
    ours: list[Sample] = []
    floors: list[Sample] = []
    for _ in range(rounds):
        floors.append(bench.floor(records))
        home = bench.home()
        sample, result = bench.sync(home, records)
        _check(home, records, result)
        ours.append(sample)
        _remove(home)
    return ours, floors


def _check(home: Path, records: int, result: dict[str, Any]) -> None:
    """Speed is worth nothing where records are missing."""
    hub = sqlite3.connect(next(home.rglob("lumio.db")))
    held = hub.execute("SELECT count(*), count(email) FROM hubspot_contacts").fetchone()
    hub.close()
    if held != (records, records) or result["created"] != records:
        raise BenchError(f"the hub holds {held} of {records} records")


def _doubt(row: Row, floors: list[Sample]) -> Row:
    """The row, without a verdict where other programs had the processors: a floor that has to wait
    makes any ratio look good.
    """
    waited = best(floors) / least_cpu(floors)
    if waited <= BUSY:
        return row
    note = f"busy machine, no verdict: the floor took {waited:.1f} x its processor time"
    return replace(row, good=None, note=note)


def _remove(home: Path) -> None:
    for path in sorted(home.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    home.rmdir()


def incremental(bench: Bench) -> Iterator[Row]:
    """An incremental run that finds nothing changed."""
    records = 2_000 if bench.quick else 20_000
    home = bench.home()
    bench.sync(home, records)
    client = Client(bench.port)
    client.get("/counts")
    runs = 3 if bench.quick else 7
    samples = [bench.sync(home, records) for _ in range(runs)]
    counts = json.loads(client.get("/counts"))
    client.close()
    seen = sum(n for name, n in counts.items() if name != "GET counts") / runs
    floors = [bench.floor(0) for _ in range(runs)]
    ours = [sample for sample, _ in samples]
    bench.keep(
        "incremental", lumio=_numbers(ours), floor=_numbers(floors), requests=seen, routes=counts
    )
    yield _versus("incremental, nothing changed", median(ours), median(floors))
    yield Row("  requests", f"{seen:g}", note="as the server counts them")
    _remove(home)


def memory(bench: Bench) -> Iterator[Row]:
    """The peak of memory must not depend on how much there is to pull."""
    sizes = (1_000, 5_000) if bench.quick else (20_000, 200_000)
    peaks: dict[int, float] = {}
    for records in sizes:
        rounds = 1 if bench.quick or records > 100_000 else 3
        found: list[Sample] = []
        for _ in range(rounds):
            home = bench.home()
            sample, result = bench.sync(home, records)
            _check(home, records, result)
            found.append(sample)
            _remove(home)
        peaks[records] = peak(found)
        yield Row(
            f"peak memory, {records:,} contacts",
            f"{peaks[records]:.1f} MiB",
            target=f"<= {MIB_LIMIT:g} MiB",
            good=peaks[records] <= MIB_LIMIT,
        )
    small, large = (peaks[n] for n in sizes)
    yield Row(
        f"  growth from {sizes[0]:,} to {sizes[1]:,}",
        f"{large - small:+.1f} MiB",
        ratio=f"{large / small:.2f}",
        target="<= 1.10",
        good=large / small <= 1.1,
    )
    bench.keep("memory", peaks_mib=peaks, bench_mib=own_rss())


def start(bench: Bench) -> Iterator[Row]:
    """Cold starts against the least that a typer program needs."""
    runs = 5 if bench.quick else 21
    home = bench.home()
    bench.sync(home, 100)
    env = environment(
        LUMIO_HOME=str(home),
        LUMIO_HUBSPOT_TOKEN=TOKEN,
        LUMIO_PROVIDERS__HUBSPOT__BASE_URL=bench.url(100),
    )
    python = [sys.executable, "-c"]
    commands = {
        "nothing": [*python, "pass"],
        "typer": [*python, "import typer"],
        "--help": [*lumio(), "--help"],
        "--version": [*lumio(), "--version"],
        "sync --help": [*lumio(), "sync", "--help"],
        "status": [*lumio(), "status"],
        "config show": [*lumio(), "config", "show"],
    }
    for name, command in list(commands.items()):
        run(command, env, check=name in ("nothing", "typer", "--help", "--version"))
    known = run([*lumio(), "--help"], env).output
    commands = {n: c for n, c in commands.items() if n != "status" or "\n  status " in known}
    samples: dict[str, list[Sample]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            samples[name].append(run(command, env))
    bench.keep("start", **{name: _numbers(found) for name, found in samples.items()})
    floor = median(samples["typer"])
    for name, found in samples.items():
        if name in ("nothing", "typer"):
            continue
        yield _versus(f"lumio {name}", median(found), floor, 2.0 if name == "--help" else None)
    if "status" not in samples:
        yield Row("lumio status", "there is no such command yet")
    yield Row("  python -c pass", "", _seconds(median(samples["nothing"])))
    _remove(home)


def quota(bench: Bench) -> Iterator[Row]:
    """How much of HubSpot's published burst quota a full sync of all objects puts to use."""
    records = 2_000 if bench.quick else 12_000
    command = ["lumio_cli.sandbox", "--records", str(records), "--latency", "200"]
    with child([*command, "--quota", "published", "--until-eof"]) as ready:
        chosen = ready["providers"]["hubspot"]
        env = environment(
            LUMIO_HOME=str(bench.home()),
            LUMIO_HUBSPOT_TOKEN=chosen["token"],
            LUMIO_PROVIDERS__HUBSPOT__BASE_URL=chosen["base_url"],
        )
        targets = [f"hubspot/{name}" for name in OBJECTS]
        sample = run([*lumio(), "sync", *targets, "--mode", "full", "-o", "json"], env)
        with urlopen(f"{ready['url']}/_sandbox/stats") as answer:
            stats = json.load(answer)
    counted = sum(n for route, n in stats["routes"].items() if _counts(route))
    seconds = float(json.loads(sample.output)["duration_s"])
    share = counted / (seconds * BURST_PER_SECOND)
    bench.keep(
        "quota",
        records=records,
        share=share,
        requests=counted,
        seconds=seconds,
        throttled=stats["throttled"],
        peak_concurrency=stats["peak_concurrency"],
    )
    yield Row(
        f"burst quota in use, 5 x {records:,}, 200 ms",
        f"{share:.0%}",
        target=">= 80 %",
        good=share >= 0.8,
        note=f"{counted} requests in {seconds:.1f} s",
    )
    throttled = int(stats["throttled"])
    yield Row("  answers 429", str(throttled), target="0", good=throttled == 0)


def _counts(route: str) -> bool:
    """Whether a request on this route is counted by the burst quota."""
    free = ("/search", "/crm/associations/", "/oauth/", "/_sandbox/")
    return not any(part in route for part in free)


def micro(bench: Bench) -> Iterator[Row]:
    """Cache and limiter, in a process of their own: this one must stay small (`own_rss`)."""
    command = [sys.executable, "-m", "bench.micro", *(["--quick"] if bench.quick else [])]
    found = json.loads(run(command, environment()).output)
    bench.keep("micro", **found)
    rate, p95 = found["memory_hits_per_second"], found["disk_hit_p95_ms"]
    yield Row("cache, hits in memory", f"{rate:,.0f}/s", target=">= 100,000/s", good=rate >= 1e5)
    yield Row(
        "cache, hit on disk, p95",
        f"{p95:.2f} ms",
        target="< 5 ms",
        good=p95 < 5,
        note=f"median {found['disk_hit_median_ms']:.2f} ms",
    )
    rate = found["acquisitions_per_second"]
    yield Row(
        "limiter, 4 processes",
        f"{rate:,.0f}/s",
        target=">= 2,000/s",
        good=rate >= 2_000,
        note=f"p99 {found['acquisition_p99_ms']:.1f} ms",
    )
    window = found["window"]
    yield Row(
        f"  over {window['count']} in {window['per']:g} s",
        f"{window['exceeded']} times",
        target="0 times",
        good=window["exceeded"] == 0,
        note=f"fullest {window['fullest']}, {window['used']:.0%} in use",
    )


CASES: dict[str, Case] = {
    "server": server,
    "start": start,
    "micro": micro,
    "incremental": incremental,
    "full": full,
    "memory": memory,
    "quota": quota,
    "eight": eight,
    "bulk": bulk,
    "edits": edits,
}


def measure(bench: Bench, only: str | None) -> Iterator[tuple[str, Row]]:
    """The rows of every case, or of one."""
    for name, case in CASES.items():
        if only in (None, name):
            for row in case(bench):
                bench.kept.setdefault("rows", []).append({"case": name, **asdict(row)})
                yield name, row


def records_needed(quick: bool, only: str | None) -> int:
    """How many contacts the server must have."""
    if quick or only in ("start", "micro", "quota", "eight", "bulk", "edits"):
        return 5_000
    return 100_000 if only in ("server", "full") else 20_000 if only == "incremental" else 200_000


def _versus(what: str, ours: float, floor: float, target: float | None = None) -> Row:
    ratio = ours / floor if floor > 0 else float("inf")
    return Row(
        what,
        _seconds(ours),
        _seconds(floor),
        f"{ratio:.2f}",
        "" if target is None else f"<= {target:g} x",
        None if target is None else ratio <= target,
    )


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.0f} ms"


def _numbers(samples: list[Sample]) -> dict[str, Any]:
    return {
        "wall": [round(s.wall, 4) for s in samples],
        "cpu": [round(s.cpu, 4) for s in samples],
        "rss_mib": [round(s.rss, 1) for s in samples],
        "wall_min": min(s.wall for s in samples),
        "wall_median": statistics.median(s.wall for s in samples),
    }

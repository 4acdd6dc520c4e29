"""Edits of the hub, and their way to the provider."""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measure import BenchError, Row, child, environment, lumio, run
from bench.providers import look_alike, variables

if TYPE_CHECKING:
    from bench.harness import Bench

EDIT = 3.0
REQUESTS = 110
ROUNDS = 3


def edits(bench: Bench) -> Iterator[Row]:
    """10,000 contacts edited in one statement, against a plain table; then pushed, against plain
    httpx and sqlite3 that do the same.
    """
    records = 500 if bench.quick else 10_000
    home = bench.home()
    with child(look_alike("hubspot", records, 0)) as ready:
        env = environment(LUMIO_HOME=str(home), **variables("hubspot", ready))
        run([*lumio(), "sync", "hubspot/contacts", "-q"], env)
        hub = home / "lumio.db"
        first, again, plain = _edit(hub)
        yield _ratio(f"{records:,} contacts edited by SQL", first, plain, bench.quick)
        yield _ratio("  edited again before a push", again, plain, None)
        push = [*lumio(), "sync", "hubspot/contacts", "--direction", "push", "-o", "json"]
        sample = run(push, env)
        told = ready["providers"]["hubspot"]
        plainly = ["bench.floor_push", told["base_url"], told["token"], str(hub)]
        floor = run([sys.executable, "-m", *plainly], environment())
        if int(floor.output) != records:
            raise BenchError(f"the floor wrote {floor.output.strip()} of {records} records")
    (result,) = json.loads(sample.output)["resources"]
    if result["updated"] != records or result["failed"]:
        raise BenchError(f"pushed {result['updated']} of {records} records")
    bench.keep("edits", first=first, again=again, plain=plain, push=sample.wall, floor=floor.wall)
    yield Row(
        f"push of {records:,} contacts",
        f"{sample.wall:.1f} s",
        f"{floor.wall:.1f} s",
        f"{sample.wall / floor.wall:.2f}",
        note="the floor is plain httpx and sqlite3, one batch after the other",
    )
    yield Row(
        "  requests",
        str(result["requests"]),
        target=f"<= {REQUESTS}",
        good=None if bench.quick else result["requests"] <= REQUESTS,
    )


def _edit(path: Path) -> tuple[float, float, float]:
    """Seconds of one UPDATE: through the view, through it again, and of a plain table."""
    hub = sqlite3.connect(path, isolation_level=None)
    hub.execute("CREATE TABLE bench_plain AS SELECT * FROM hubspot_contacts")
    hub.execute("CREATE UNIQUE INDEX bench_plain_id ON bench_plain (id)")
    plain = min(_timed(hub, "bench_plain", n) for n in range(ROUNDS))
    hub.execute("DROP TABLE bench_plain")
    first = []
    for n in range(ROUNDS):
        hub.execute("DELETE FROM lumio_outbox")
        first.append(_timed(hub, "hubspot_contacts", n))
    again = min(_timed(hub, "hubspot_contacts", ROUNDS + n) for n in range(ROUNDS))
    hub.close()
    return min(first), again, plain


def _timed(hub: sqlite3.Connection, table: str, number: int) -> float:
    begin = time.perf_counter()
    hub.execute(f"UPDATE {table} SET city = 'Natal {number} ' || id")
    return time.perf_counter() - begin


def _ratio(what: str, ours: float, plain: float, quick: bool | None) -> Row:
    target = quick is not None
    return Row(
        what,
        f"{ours * 1000:.0f} ms",
        f"{plain * 1000:.0f} ms",
        f"{ours / plain:.2f}",
        f"<= {EDIT:g} x" if target else "",
        None if not target or quick else ours <= EDIT * plain,
        "the floor is a plain table",
    )

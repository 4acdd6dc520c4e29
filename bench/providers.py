"""All eight providers side by side, and what two of them export, from the built-in look-alikes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.measure import Row, Sample, child, environment, lumio, run

if TYPE_CHECKING:
    from bench.harness import Bench

EIGHT = (
    "hubspot", "whatsapp", "shopify", "salesforce", "mailchimp", "slack", "linkedin", "pipedrive",
)  # fmt: skip
LATENCY = 100
SIDE_BY_SIDE = 1.3
MIB_EIGHT = 150.0
MIB_BULK = 120.0


def eight(bench: Bench) -> Iterator[Row]:
    """Every provider alone, then all of them in one run."""
    records = 200 if bench.quick else 10_000
    with ExitStack() as stack:
        # A process each: one that serves all of them would be what is measured.
        ready = {
            name: stack.enter_context(child(look_alike(name, records, LATENCY))) for name in EIGHT
        }
        env = {k: v for name in EIGHT for k, v in variables(name, ready[name]).items()}
        alone = {name: _sync(bench, env, [name])[0] for name in EIGHT}
        together, rows = _sync(bench, env, [])
    slowest = max(alone, key=lambda name: alone[name].wall)
    ratio = together.wall / alone[slowest].wall
    bench.keep(
        "eight",
        records=rows,
        alone={name: round(sample.wall, 3) for name, sample in alone.items()},
        together={"wall": together.wall, "cpu": together.cpu, "mib": together.rss},
    )
    yield Row(
        f"eight providers, {records:,} records each",
        f"{together.wall:.1f} s",
        f"{alone[slowest].wall:.1f} s",
        f"{ratio:.2f}",
        f"<= {SIDE_BY_SIDE}",
        None if bench.quick else ratio <= SIDE_BY_SIDE,
        f"{rows:,} rows; the floor is {slowest} alone, {LATENCY} ms a request",
    )
    yield Row(
        "  memory",
        f"{together.rss:.0f} MiB",
        target=f"<= {MIB_EIGHT:.0f} MiB",
        good=None if bench.quick else together.rss <= MIB_EIGHT,
    )


def bulk(bench: Bench) -> Iterator[Row]:
    """What Salesforce exports as CSV, and Shopify as JSON lines."""
    yield _export(bench, "salesforce", ["salesforce/leads"], 5_000 if bench.quick else 500_000)
    yield _export(bench, "shopify", ["shopify/products"], 1_000 if bench.quick else 100_000)


def _export(bench: Bench, name: str, targets: Sequence[str], records: int) -> Row:
    with child(look_alike(name, records, 0)) as ready:
        sample, rows = _sync(bench, variables(name, ready), targets)
    bench.keep(f"bulk_{name}", rows=rows, wall=sample.wall, cpu=sample.cpu, mib=sample.rss)
    return Row(
        f"{targets[0]}, {rows:,} records by export",
        f"{sample.rss:.0f} MiB",
        target=f"<= {MIB_BULK:.0f} MiB",
        good=None if bench.quick else sample.rss <= MIB_BULK,
        note=f"{sample.wall:.1f} s, {rows / sample.wall:,.0f} a second",
    )


def look_alike(name: str, records: int, latency: int) -> list[str]:
    return [
        "lumio_cli.sandbox", f"--provider={name}", f"--records={records}",
        f"--latency={latency}", "--quota=none", "--until-eof",
    ]  # fmt: skip


def variables(name: str, ready: Mapping[str, Any]) -> dict[str, str]:
    """The environment in which lumio talks to a look-alike, without quotas of its own."""
    told, prefix = ready["providers"][name], name.upper()
    shown = run([*lumio(), "providers", "show", name, "-o", "json"], environment())
    quotas = json.loads(shown.output)["quotas"]
    # What may be under way at once is a property of the connection, not of the day.
    lifted = {q["quota"]: 1_000_000_000 for q in quotas if q["kind"] != "concurrency"}
    parts = {"TOKEN": told["token"], **{k.upper(): v for k, v in told.get("fields", {}).items()}}
    return {
        f"LUMIO_PROVIDERS__{prefix}__BASE_URL": told["base_url"],
        f"LUMIO_PROVIDERS__{prefix}__LIMITS": json.dumps(lifted),
        **{f"LUMIO_{prefix}_{key}": str(value) for key, value in parts.items()},
    }


def _sync(bench: Bench, env: Mapping[str, str], targets: Sequence[str]) -> tuple[Sample, int]:
    """A first sync into a hub of its own; what it cost, and how many records the hub holds."""
    home = bench.home()
    sample = run(
        [*lumio(), "sync", *targets, "-o", "json"], environment(LUMIO_HOME=str(home), **env)
    )
    rows = _records(home / "lumio.db")
    (home / "lumio.db").unlink()
    return sample, rows


def _records(path: Path) -> int:
    with sqlite3.connect(path) as db:
        return int(db.execute("SELECT sum(records) FROM lumio_resources").fetchone()[0])

"""`python -m bench`: measures lumio and prints a table.

The exit code is 0 also where a target is missed: a number is for people to judge, and a busy
machine is no bug. It is 1 where something could not be measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path

from bench.cases import CASES, measure, records_needed
from bench.harness import Bench, scratch
from bench.measure import ROOT, BenchError, Row, child

RESULTS = ROOT / "bench" / "results.json"
COLUMNS = ("what", "lumio", "floor", "ratio", "target", "verdict", "note")


def main() -> int:
    """Run the bench; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures lumio.")
    parser.add_argument("--quick", action="store_true", help="a smoke run of some seconds")
    parser.add_argument("--only", choices=sorted(CASES), metavar="NAME", help=", ".join(CASES))
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FILE")
    options = parser.parse_args()
    rows: list[Row] = []
    problem = ""
    kept: dict[str, object] = {}
    needed = records_needed(options.quick, options.only)
    begin = time.time()
    with scratch() as directory, child(["bench.server", str(needed)]) as ready:
        bench = Bench(options.quick, int(ready["port"]), Path(directory), kept)
        try:
            for name, row in measure(bench, options.only):
                sys.stderr.write(f"{name}: {row.what.strip()}: {row.lumio} {row.ratio}\n")
                rows.append(row)
        except BenchError as error:
            problem = str(error)
    document = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begin)),
        "quick": options.quick,
        "seconds": round(time.time() - begin, 1),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "load": os.getloadavg(),
        **kept,
    }
    options.results.write_text(json.dumps(document, indent=1) + "\n")
    show(rows, options.quick)
    if problem:
        sys.stderr.write(f"error: {problem}\n")
    return 1 if problem else 0


def show(rows: list[Row], quick: bool) -> None:
    """Print the table. rich is imported last, so that this process stays small."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    title = "smoke run: too little data for verdicts" if quick else None
    table = Table(*COLUMNS, box=box.SIMPLE, title=title)
    for row in rows:
        verdict = "" if row.good is None else "ok" if row.good else "MISSED"
        cells = (row.what, row.lumio, row.floor, row.ratio, row.target, verdict, row.note)
        table.add_row(*cells, style="bold" if row.good is False else None)
    Console(width=None if sys.stdout.isatty() else 140, markup=False).print(table)


if __name__ == "__main__":
    sys.exit(main())

"""`python -m lumio_cli.sandbox`: serves look-alikes until told to stop.

Prints one line of JSON on stdout when it is ready: `url`, `pid`, and for each provider
`base_url`, `token`, `tokens` and what else a client needs.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading

import orjson

from .app import Sandbox
from .registry import PROVIDERS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lumio_cli.sandbox", description="Serves look-alikes of providers."
    )
    parser.add_argument(
        "--provider", action="append", choices=sorted(PROVIDERS), help="only these (default: all)"
    )
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--records", type=int, default=1000, help="live records of each type")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--latency", type=float, default=0.0, metavar="MS")
    parser.add_argument("--search-lag", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument(
        "--fault", action="append", default=[], metavar="SPEC", help="see sandbox.faults"
    )
    parser.add_argument("--quota", default="published", help="published, none, or KEY=VALUE,...")
    parser.add_argument("--gzip", action="store_true", help="compress answers above 1 KB")
    parser.add_argument("--until-eof", action="store_true", help="stop when stdin ends")
    return parser


def _wait_for_eof(stop: threading.Event) -> None:
    """A parent that dies, even by kill -9, closes its end of our stdin."""
    while os.read(0, 4096):
        pass
    stop.set()


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns the exit code (2: wrong usage)."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        sandbox = Sandbox(
            records=options.records,
            seed=options.seed,
            latency=options.latency / 1000,
            quota=options.quota,
            faults=options.fault,
            providers=options.provider or tuple(PROVIDERS),
            port=options.port,
            search_lag=options.search_lag,
            gzip=options.gzip,
        )
    except (OSError, OverflowError, ValueError) as error:
        parser.error(str(error))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with sandbox:
        ready = {**sandbox.ready(), "pid": os.getpid()}
        sys.stdout.write(orjson.dumps(ready).decode() + "\n")
        sys.stdout.flush()
        if options.until_eof:
            threading.Thread(target=_wait_for_eof, args=(stop,), daemon=True).start()
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())

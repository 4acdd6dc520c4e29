"""What every benchmark is run with: the machine, the floor programs, and a scratch home."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.data import CUSTOM, MAPPED
from bench.measure import (
    TOKEN,
    UNLIMITED,
    BenchError,
    Sample,
    environment,
    lumio,
    run,
)


@dataclass(slots=True)
class Bench:
    """One run of the bench: how much of everything, and what came of it."""

    quick: bool
    port: int
    scratch: Path
    kept: dict[str, Any] = field(default_factory=dict)
    _homes: int = 0

    def home(self) -> Path:
        """A new directory for lumio to live in."""
        self._homes += 1
        path = self.scratch / f"home{self._homes}"
        path.mkdir()
        return path

    def url(self, records: int) -> str:
        """Where the account with so many contacts is served."""
        return f"http://127.0.0.1:{self.port}/{records}"

    def sync(self, home: Path, records: int, *more: str) -> tuple[Sample, dict[str, Any]]:
        """`lumio sync hubspot/contacts`, and what it says it did."""
        env = environment(
            LUMIO_HOME=str(home),
            LUMIO_HUBSPOT_TOKEN=TOKEN,
            LUMIO_PROVIDERS__HUBSPOT__BASE_URL=self.url(records),
            LUMIO_PROVIDERS__HUBSPOT__LIMITS=UNLIMITED,
        )
        sample = run([*lumio(), "sync", "hubspot/contacts", "-o", "json", *more], env)
        return sample, json.loads(sample.output)["resources"][0]

    def floor(self, records: int) -> Sample:
        """The floor, on the same data."""
        path = self.home() / "floor.db"
        properties = ",".join((*MAPPED, *CUSTOM))
        command = [sys.executable, "-m", "bench.floor", self.url(records), str(path), properties]
        sample = run(command, environment())
        if int(sample.output) != records:
            raise BenchError(f"the floor stored {sample.output.strip()} of {records} records")
        path.unlink()
        return sample

    def keep(self, name: str, **values: Any) -> None:
        """Put numbers into the machine readable results."""
        self.kept[name] = values


def scratch() -> tempfile.TemporaryDirectory[str]:
    """Where everything is written."""
    return tempfile.TemporaryDirectory(prefix="lumio-bench-")

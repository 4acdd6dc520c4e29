"""Hubs with contacts to look at and to edit. Each test has a copy; no provider is asked."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.sandbox import Sandbox
from support.cli import Done, lumio
from support.lab import Lab, copy_home

TARGET = "hubspot/contacts"
LIFTED = {"LUMIO_PROVIDERS__HUBSPOT__LIMITS": '{"burst": 1000000, "search": 100000}'}


@dataclass(frozen=True)
class Hub:
    """A home whose hub holds contacts."""

    home: Path

    def records(self, command: str, *words: str, **options: Any) -> Done:
        """`lumio records COMMAND hubspot/contacts WORDS`, as JSON unless WORDS say otherwise."""
        form = () if "-o" in words else ("-o", "json")
        return lumio("records", command, TARGET, *words, *form, home=self.home, **options)

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """What another program sees and does."""
        with sqlite3.connect(self.home / "lumio.db") as db:
            found = db.execute(statement, values).fetchall()
        db.close()
        return found

    def ids(self) -> list[str]:
        """The contacts' ids."""
        return [row[0] for row in self.sql("SELECT id FROM hubspot_contacts ORDER BY id")]

    def edits(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Record, action and new values of all that waits."""
        rows = self.sql("SELECT record, action, edits FROM lumio_outbox ORDER BY record")
        return [(record, action, json.loads(edits)) for record, action, edits in rows]


def pulled(home: Path, records: int) -> Path:
    """A home with so many contacts."""
    with Sandbox(records=records, quota="none") as sandbox:
        lab = Lab(home, sandbox, extra=dict(LIFTED))
        assert lab.lumio("sync", TARGET).code == 0
    return home


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home to copy, with 20 contacts."""
    return pulled(tmp_path_factory.mktemp("small") / "home", 20)


@pytest.fixture
def hub(small: Path, tmp_path: Path) -> Hub:
    """A hub with 20 contacts."""
    copy_home(small, tmp_path / "home")
    return Hub(tmp_path / "home")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab with a provider to push to, and 5 contacts."""
    with Sandbox(records=5, quota="none") as sandbox:
        lab = Lab(tmp_path / "home", sandbox, extra=dict(LIFTED))
        assert lab.lumio("sync", TARGET).code == 0
        yield lab


@pytest.fixture
def write(tmp_path: Path) -> Any:
    """Writes a file and gives its path."""

    def make(data: str | bytes, name: str = "in.csv") -> str:
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogateescape")
        (tmp_path / name).write_bytes(data)
        return str(tmp_path / name)

    return make


def counts(done: Done) -> tuple[int, int, int, int]:
    """Rows of an import that were created, updated, unchanged and rejected."""
    found = done.json
    return found["created"], found["updated"], found["unchanged"], found["rejected"]


def reasons(done: Done) -> dict[int, str]:
    """By line, why rows of an import were rejected."""
    return {row["line"]: row["reason"] for row in done.json["rows"] if row["reason"]}

"""A lumio with a home of its own, a sandbox to talk to, and its command line in this process."""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lumio_cli.app import run
from lumio_cli.core.stop import Stop
from lumio_cli.hub.sqlite.database import Hub
from lumio_cli.sandbox import Sandbox

OBJECTS = ("contacts", "companies", "deals", "products", "tickets")
VAULT_KEY = "a long pass phrase for tests only"


@dataclass
class Outcome:
    """What one command line came to."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document on stdout."""
        found: dict[str, Any] = json.loads(self.out)
        return found

    def resource(self, name: str) -> dict[str, Any]:
        """The entry of a resource in a sync document."""
        return next(r for r in self.document["resources"] if r["resource"] == name)


@dataclass
class Lab:
    """One home and one sandbox. `lumio` runs a command in this process, `spawn` in its own."""

    home: Path
    sandbox: Sandbox
    token: str = ""
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a bare machine, plus what points at the sandbox."""
        return {
            "PATH": os.environ["PATH"],
            "LUMIO_HOME": str(self.home),
            "LUMIO_HUBSPOT_TOKEN": self.token or self.sandbox.token("hubspot"),
            "LUMIO_PROVIDERS__HUBSPOT__BASE_URL": self.sandbox.base_url("hubspot"),
            **self.extra,
        }

    def lumio(
        self, *argv: str, environ: Mapping[str, str | None] | None = None, stop: Stop | None = None
    ) -> Outcome:
        """Run a command line with JSON output, unless it says otherwise.

        `environ` is added to the lab's own; None takes a variable away.
        """
        out, err = io.StringIO(), io.StringIO()
        words = list(argv) if "-o" in argv else [*argv, "-o", "json"]
        code = run(
            words,
            environ=self._with(environ),
            stdin=io.StringIO(),
            stdout=out,
            stderr=err,
            stop=stop,
        )
        return Outcome(code, out.getvalue(), err.getvalue())

    def _with(self, environ: Mapping[str, str | None] | None) -> dict[str, str]:
        merged = {**self.environ, **(environ or {})}
        return {name: value for name, value in merged.items() if value is not None}

    def spawn(
        self,
        *argv: str,
        environ: Mapping[str, str | None] | None = None,
        program: Sequence[str] = ("-m", "lumio_cli"),
    ) -> subprocess.Popen[str]:
        """Start a command line as a process of its own. `program` is what Python is told."""
        return subprocess.Popen(
            [sys.executable, *program, *argv],
            env=self._with(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def hub_path(self) -> Path:
        """Where the hub is."""
        return self.home / "lumio.db"

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the hub with a plain SQLite connection, as operators do."""
        connection = sqlite3.connect(self.hub_path)
        try:
            # A test has no power cut to fear, and need not wait for the disk.
            connection.execute("PRAGMA synchronous = OFF")
            with connection:
                return connection.execute(statement, values).fetchall()
        finally:
            connection.close()

    def differences(self, kind: str) -> list[str]:
        """How the hub's records of a type differ from the sandbox's; empty: not at all."""
        return differences(self.hub_path, self.sandbox, kind)


@cache
def _empty_hub() -> bytes:
    """A hub that nothing was pulled into."""
    with TemporaryDirectory() as directory:
        path = Path(directory, "lumio.db")
        Hub.open(path).close()
        return path.read_bytes()


def place_hub(path: Path) -> None:
    """An empty hub at the path, which has not to be made step by step: it is copied."""
    path.touch(mode=0o600)
    path.write_bytes(_empty_hub())


def copy_home(template: Path, home: Path) -> Path:
    """A home of its own, made like another; without the cache, whose files may go at any time."""
    return Path(shutil.copytree(template, home, ignore=shutil.ignore_patterns("cache")))


def differences(hub_path: Path, sandbox: Sandbox, kind: str) -> list[str]:
    """Compare the hub with the provider, record for record and property for property."""
    theirs = {str(r["id"]): r for r in sandbox.hubspot.dump(kind)}
    connection = sqlite3.connect(hub_path)
    ours = {
        row[0]: json.loads(row[1])
        for row in connection.execute(f"SELECT id, _payload FROM hubspot_{kind}")
    }
    connection.close()
    found = [f"{i} is missing" for i in theirs.keys() - ours.keys()]
    found += [f"{i} should not be there" for i in ours.keys() - theirs.keys()]
    for record_id in theirs.keys() & ours.keys():
        want = theirs[record_id]["properties"]
        found += [
            f"{record_id}.{name}: {value!r} != {want.get(name)!r}"
            for name, value in ours[record_id]["properties"].items()
            if value != want.get(name)
        ]
    return found

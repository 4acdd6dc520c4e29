"""Which providers have a credential in the keyring: names only, so that nobody has to ask it.

A keyring may be locked, slow or hang, and lumio knows many providers: to ask for each of them what
it does not hold would cost a run its patience.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from lumio_cli.core.locks import FileLock
from lumio_cli.credentials.secret_files import replace_secret_file

WAIT = 10.0


class Index:
    """The names, in a file of the profile. A file that is missing or damaged lists none."""

    def __init__(self, path: Path, locks: Path) -> None:
        self._path = path
        self._lock = locks / "credentials.lock"

    def __contains__(self, provider: object) -> bool:
        return provider in self._read()

    def add(self, provider: str) -> None:
        """Remember that the provider has one. Raises OSError."""
        self._write(provider, present=True)

    def remove(self, provider: str) -> None:
        """Remember that the provider has none. Raises OSError."""
        self._write(provider, present=False)

    def _read(self) -> set[str]:
        with contextlib.suppress(OSError, ValueError):
            names = json.loads(self._path.read_text("utf-8"))
            if isinstance(names, list):
                return {str(name) for name in names}
        return set()

    def _write(self, provider: str, *, present: bool) -> None:
        lock = FileLock(self._lock, what="noting a credential")
        lock.acquire(WAIT)
        try:
            names = self._read()
            if (provider in names) is present:
                return
            names = names | {provider} if present else names - {provider}
            replace_secret_file(self._path, json.dumps(sorted(names)).encode())
        finally:
            lock.release()

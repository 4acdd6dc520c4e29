"""Run as a process: send one request with a credential that has expired, and say what was used."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from lumio_cli.core.clock import SystemClock, utc
from lumio_cli.core.redact import Redactor
from lumio_cli.core.stop import Stop
from lumio_cli.providers.contract.auth import Credential
from lumio_cli.providers.contract.call import Call
from lumio_cli.transport.runtime_db.store import RuntimeStore
from lumio_cli.transport.session import TransportOptions, open_session

from .acme import Acme, Loaded


class FileStore:
    """A credential in a JSON file, replaced atomically."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self, provider: str) -> Loaded:
        data = json.loads(self.path.read_text())
        ends = data.pop("ends")
        return Loaded(
            Credential(**data, expires_at=None if ends is None else utc(ends)), "the file", True
        )

    def save(self, provider: str, credential: Credential) -> None:
        data = asdict(credential)
        ends = data.pop("expires_at")
        data["ends"] = ends.timestamp() if ends else None
        with tempfile.NamedTemporaryFile("w", dir=self.path.parent, delete=False) as file:
            json.dump(data, file)
        Path(file.name).replace(self.path)


def main() -> None:
    base, home = sys.argv[1], Path(sys.argv[2])
    session = open_session(
        Acme({}),
        TransportOptions(base_url=base),
        store=RuntimeStore(home / "runtime.db"),
        credentials=FileStore(home / "credential.json"),
        cache_dir=home / "cache",
        locks_dir=home / "locks",
        redactor=Redactor(),
        clock=SystemClock(),
        stop=Stop(),
    )
    print("ready", flush=True)
    sys.stdin.readline()
    print(session.send(Call("GET", "/me")).json()["token"], flush=True)
    session.close()


if __name__ == "__main__":
    main()

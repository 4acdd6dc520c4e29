"""What the checks look at. All that may ask a person or raise is opened here, before they run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from lumio_cli.core.clock import parse_time
from lumio_cli.core.errors import LumioError
from lumio_cli.core.units import format_duration

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from lumio_cli.config.settings import Settings
    from lumio_cli.runtime import Runtime

BUSY = 2.0
"""Seconds that a check waits for a hub that another program has locked."""


class Scene:
    """A profile, seen by many checks in threads of their own.

    `settings` is None where the configuration is invalid; then `hub_path` is the usual place.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.environ = runtime.environ
        self.paths = runtime.paths
        self.clock = runtime.clock
        self.settings: Settings | None = None
        self.hub_path: Path = runtime.paths.hub
        # The first one to ask must not be one of many threads.
        _ = runtime.redactor, runtime.store, runtime.quota_store
        with suppress(LumioError):
            self.settings = runtime.settings
            self.hub_path = runtime.hub_path

    def unlock(self) -> None:
        """Ask for the vault's passphrase now, where there is one to ask: a check has no time for
        it. A wrong one is a finding of the checks.
        """
        if self.settings is None or not self.runtime.prompt.possible:
            return
        vault = self.runtime.credentials.vault
        if vault.exists and vault.keys.named is None:
            with suppress(LumioError):
                vault.check()

    @contextmanager
    def hub(self) -> Iterator[sqlite3.Connection | None]:
        """The hub for this check alone, for reading; None where there is none yet.

        Raises `HubError`.
        """
        from lumio_cli.hub.sqlite.database import Hub, explained

        hub = Hub.open_reader(self.hub_path, busy_timeout=BUSY)
        if hub is None:
            yield None
            return
        with hub, explained(self.hub_path):
            yield hub.connection

    def age(self, moment: str) -> float:
        """Seconds since `moment` (RFC 3339)."""
        return self.clock.time() - parse_time(moment).timestamp()

    def ago(self, moment: str | None) -> str:
        """How long ago, for people."""
        if moment is None:
            return "never"
        seconds = self.age(moment)
        words = format_duration(abs(seconds))
        return f"{words} ago" if seconds >= 0 else f"in {words}"

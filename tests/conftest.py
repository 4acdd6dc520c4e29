"""What holds for all tests."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from lumio_cli.hub.sqlite import database, migrations
from support.attacks import Attacks


def pytest_configure(config: pytest.Config) -> None:
    """Count the attacks and situations that are tried, and how many were survived."""
    config.pluginmanager.register(Attacks())


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_the_disk() -> Iterator[None]:
    """The hubs of this process are not written through to the disk: nobody cuts the power here.
    Programs that tests start, and kill, wait for it as they do for operators.
    """
    migrate, opened = migrations.migrate, vars(database.Hub)["open"].__func__

    def migrate_at_once(connection: sqlite3.Connection, path: Path) -> None:
        connection.execute("PRAGMA synchronous = OFF")
        migrate(connection, path)

    def open_at_once(cls: type[database.Hub], /, path: Path, **options: Any) -> database.Hub:
        hub: database.Hub = opened(cls, path, **options)
        hub.connection.execute("PRAGMA synchronous = OFF")
        return hub

    with (
        patch.object(database, "migrate", migrate_at_once),
        patch.object(database.Hub, "open", classmethod(open_at_once)),
    ):
        yield


@pytest.fixture(scope="session", autouse=True)
def no_signal_is_ignored() -> None:
    """Under nohup, or in the background of a shell, some signals are ignored, and programs that
    tests start would inherit that. They do not inherit a handler, even one that does nothing.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)

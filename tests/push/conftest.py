"""Labs whose hubs are edited and pushed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.sandbox import Sandbox
from support.lab import Lab
from support.trials import brisk  # noqa: F401

LIFTED = {"LUMIO_PROVIDERS__HUBSPOT__LIMITS": '{"burst": 1000000, "search": 100000}'}


@pytest.fixture(autouse=True)
def at_once(brisk: None) -> None:  # noqa: F811
    """No test of this package waits for a retry."""


@pytest.fixture
def make_lab(tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    """Makes a lab with a sandbox of its own, whose contacts have been pulled."""
    with ExitStack() as stack:

        def make(records: int = 20, **options: Any) -> Lab:
            options.setdefault("quota", "none")
            # Times are told in milliseconds: a change there right after one here is later, too.
            options.setdefault("clock", lambda: time.time() + 0.002)
            sandbox = stack.enter_context(Sandbox(records=records, **options))
            lab = Lab(tmp_path / "home", sandbox, extra=dict(LIFTED))
            assert lab.lumio("sync", "hubspot/contacts").code == 0
            return lab

        yield make


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    """A lab with 20 contacts."""
    return make_lab()

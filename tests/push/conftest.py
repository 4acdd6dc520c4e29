"""Labs whose hubs are edited and pushed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.sandbox import Sandbox
from support.lab import Lab

LIFTED = {"LUMIO_PROVIDERS__HUBSPOT__LIMITS": '{"burst": 1000000, "search": 100000}'}


@pytest.fixture
def make_lab(tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    """Makes a lab with a sandbox of its own, whose contacts have been pulled."""
    with ExitStack() as stack:

        def make(records: int = 20, **options: Any) -> Lab:
            options.setdefault("quota", "none")
            sandbox = stack.enter_context(Sandbox(records=records, **options))
            lab = Lab(tmp_path / "home", sandbox, extra=dict(LIFTED))
            assert lab.lumio("sync", "hubspot/contacts").code == 0
            return lab

        yield make


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    """A lab with 20 contacts."""
    return make_lab()

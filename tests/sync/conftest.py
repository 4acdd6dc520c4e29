"""Labs for the engine's tests."""

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
    """Makes a lab with a sandbox of its own; `records` of each type, quotas lifted."""
    with ExitStack() as stack:

        def make(records: int = 120, **options: Any) -> Lab:
            options.setdefault("quota", "none")
            sandbox = stack.enter_context(Sandbox(records=records, **options))
            return Lab(tmp_path / "home", sandbox, extra=dict(LIFTED))

        yield make


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    """A lab with 120 records of each type: two pages."""
    return make_lab()

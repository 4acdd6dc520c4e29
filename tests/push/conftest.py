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

TARGET = "hubspot/contacts"
LIFTED = {"LUMIO_PROVIDERS__HUBSPOT__LIMITS": '{"burst": 1000000, "search": 100000}'}


def ids(lab: Lab) -> list[str]:
    """The provider's contacts."""
    return sorted(str(r["id"]) for r in lab.sandbox.hubspot.dump("contacts"))


def there(lab: Lab, record: str) -> dict[str, Any]:
    """A contact as the provider has it."""
    found: dict[str, Any] = lab.sandbox.hubspot.read("contacts", record)
    return found


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

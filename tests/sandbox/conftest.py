"""A sandbox and a client for each test: no test sees what another one wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from lumio_cli.sandbox import Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(records=60, seed=7, quota="none") as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with connect(sandbox) as http:
        yield http


@pytest.fixture
def make() -> Iterator[Callable[..., tuple[Sandbox, httpx.Client]]]:
    """Makes a sandbox with options of its own, and a client of it; closes both."""
    opened: list[Any] = []

    def build(token: str = "full", **options: Any) -> tuple[Sandbox, httpx.Client]:
        options = {"records": 60, "seed": 7, "quota": "none", **options}
        running = Sandbox(**options).start()
        http = connect(running, token)
        opened.extend((http, running))
        return running, http

    yield build
    for item in opened:
        item.close()


def connect(sandbox: Sandbox, token: str = "full") -> httpx.Client:
    return httpx.Client(
        base_url=sandbox.base_url("hubspot"),
        headers={"Authorization": f"Bearer {sandbox.token('hubspot', token)}"},
        timeout=10,
        trust_env=False,
    )

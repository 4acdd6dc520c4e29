"""A lab that sends messages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lumio_cli.providers import registry
from lumio_cli.transport.retry import Retry
from support.courier import COURIERS, CourierLab, Service


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as made:
        yield made


@pytest.fixture
def lab(tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch) -> CourierLab:
    monkeypatch.setattr(registry, "OURS", {**registry.OURS, **COURIERS})
    monkeypatch.setattr(Retry, "_draw", lambda *_: 0.001)
    return CourierLab(tmp_path, service)

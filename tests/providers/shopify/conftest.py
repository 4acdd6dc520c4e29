"""Labs with a shop, without quotas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.providers.shopify import bulk
from providers.shopify_subjects import SUBJECTS
from support.conformance import Rig, rig

MakeLab = Callable[..., Rig]


@pytest.fixture
def make_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeLab]:
    """Labs of so many records of each kind; bulk operations are looked at without a pause."""
    monkeypatch.setattr(bulk, "WAIT", 0.0)
    with ExitStack() as closing:

        def make(records: int = 12, **options: Any) -> Rig:
            return closing.enter_context(rig(SUBJECTS[0], tmp_path, records, **options))

        yield make


@pytest.fixture
def lab(make_lab: MakeLab) -> Rig:
    """A lab with twelve records of each kind."""
    return make_lab()

"""A lab with a look-alike of LinkedIn, whose clock is moved by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.linkedin import LinkedIn
from lumio_cli.transport import retry
from providers.linkedin_subjects import account
from support.lab import Lab
from support.trials import Hands


@dataclass
class Pages(Lab):
    """One home, one sandbox, one member with two pages."""

    @property
    def environ(self) -> dict[str, str]:
        return {
            **super().environ,
            "LUMIO_LINKEDIN_TOKEN": self.token or self.sandbox.token("linkedin"),
            "LUMIO_PROVIDERS__LINKEDIN__BASE_URL": self.sandbox.base_url("linkedin"),
            **self.extra,
        }

    @property
    def account(self) -> LinkedIn:
        """The look-alike's account."""
        return account(self.sandbox)


MakePages = Callable[..., tuple[Pages, Hands]]


@pytest.fixture
def make_pages(tmp_path: Path) -> Iterator[MakePages]:
    """Labs with homes of their own; retries follow at once."""
    with ExitStack() as closing:
        closing.enter_context(patch.object(retry.Retry, "_draw", lambda *_: 0.001))

        def make(**options: Any) -> tuple[Pages, Hands]:
            clock = Hands()
            home = tmp_path / f"home{len(list(tmp_path.glob('home*')))}"
            home.mkdir(mode=0o700)
            sandbox = Sandbox(**{"records": 5, "quota": "none", "clock": clock, **options})
            return Pages(home, closing.enter_context(sandbox)), clock

        yield make

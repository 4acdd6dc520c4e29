"""A case that cannot fail is worse than none: each must reject an adapter with that mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from providers.broken import ALL
from providers.mistakes import Broken
from providers.subjects import SUBJECTS
from support.laws import CASES

GOOD = SUBJECTS[0]


@pytest.mark.parametrize("broken", [pytest.param(b, id=f"{b.case}-{b.mistake}") for b in ALL])
def test_a_broken_adapter_is_rejected(broken: Broken, tmp_path: Path) -> None:
    subject = next((s for s in SUBJECTS if s.target == broken.on), GOOD)
    with broken.spoil(subject), pytest.raises(AssertionError, match=broken.says):
        CASES[broken.case].check(subject, tmp_path)


def test_every_case_has_a_broken_adapter() -> None:
    assert {broken.case for broken in ALL} == set(CASES)

"""Every provider, every main resource, every case."""

from __future__ import annotations

from pathlib import Path

import pytest

from providers.subjects import DEFECTS, PAIRS
from support.conformance import Case, Subject


def _param(subject: Subject, case: Case) -> object:
    """A case of a subject; what is known to fail must go on failing until it is taken out."""
    defect = DEFECTS.get((subject.target, case.name))
    marks = [] if defect is None else [pytest.mark.xfail(reason=defect, strict=True)]
    return pytest.param(subject, case, id=f"{subject.target}-{case.name}", marks=marks)


@pytest.mark.parametrize(("subject", "case"), [_param(s, c) for s, c in PAIRS])
def test_a_provider_conforms(subject: Subject, case: Case, tmp_path: Path) -> None:
    case.check(subject, tmp_path)

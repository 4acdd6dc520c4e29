"""Which cases each provider runs, at the end of a run."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("support.conformance")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line a case: the resources that run it, by provider."""
    from providers.subjects import PAIRS

    done = (getattr(r, "nodeid", "") for kind in terminalreporter.stats.values() for r in kind)
    if not any("test_a_provider_conforms" in nodeid for nodeid in done):
        return
    lines: dict[str, list[str]] = {}
    for subject, case in PAIRS:
        what = subject.provider if case.wide else subject.target
        lines.setdefault(case.name, []).append(what)
    terminalreporter.section("conformance of providers")
    for name, targets in lines.items():
        terminalreporter.write_line(f"{name:<26} {' '.join(targets)}")

"""The table of attacks and situations at the end of a test run: how many were tried and survived.

A test, a class or a module says which kind it is with `@pytest.mark.attack("answers")`; each of a
test's parameters counts.
"""

from __future__ import annotations

from collections import Counter

import pytest

PROPERTY = "attack"
"""Under what name a report carries the kind: also from a worker of xdist to the one that counts."""


class Attacks:
    """A plugin that counts the marked tests by kind."""

    def __init__(self) -> None:
        self.tried: Counter[str] = Counter()
        self.lost: dict[str, str] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Have the reports of a marked test carry its kind."""
        for item in items:
            mark = item.get_closest_marker("attack")
            if mark is not None:
                item.user_properties.append((PROPERTY, mark.args[0]))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the test once, and as lost if any of its parts failed."""
        kind = dict(report.user_properties).get(PROPERTY)
        if not isinstance(kind, str):
            return
        if report.when == "call" or (report.failed and report.nodeid not in self.lost):
            self.tried[kind] += report.when != "teardown"
        if report.failed:
            self.lost[report.nodeid] = kind

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table."""
        if not self.tried:
            return
        lost = Counter(self.lost.values())
        rows = [(kind, n, n - lost[kind]) for kind, n in sorted(self.tried.items())]
        rows.append(("all", self.tried.total(), self.tried.total() - lost.total()))
        width = max(len(kind) for kind, _, _ in rows)
        terminalreporter.section("attacks and situations")
        terminalreporter.write_line(f"{'kind':<{width}}  tried  survived")
        for kind, tried, survived in rows:
            terminalreporter.write_line(f"{kind:<{width}}  {tried:>5}  {survived:>8}")

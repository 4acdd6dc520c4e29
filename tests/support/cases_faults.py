"""What goes wrong on the way: conformance of pauses, repetitions and quotas."""

from __future__ import annotations

import time
from fnmatch import fnmatchcase
from pathlib import Path

from support.conformance import Subject, case, rig


def _recovers(subject: Subject, home: Path, fault: str) -> list[tuple[float, int]]:
    """The listing fails once with `fault`, then works: the run succeeds. Returns the times and
    statuses of its requests."""
    with rig(subject, home, clock=time.time) as lab:
        lab.sandbox.faults.set([f"{fault}:path={subject.listing}:times=1"])
        entry = lab.sync()
        assert entry["retries"] == 1, f"{entry['retries']} retries after {fault}, not 1"
        lab.must_be_equal()
        glob = f"/{subject.provider}{subject.listing}"
        return [(t, s) for t, _, path, s in lab.sandbox.requests if fnmatchcase(path, glob)]


@case(wide=True)
def check_429_with_retry_after(subject: Subject, home: Path) -> None:
    """Too fast: the pause that the provider asks for is kept in full."""
    pause = 0.3
    refused, again, *_ = (t for t, _ in _recovers(subject, home, f"429:{pause}"))
    waited = again - refused
    assert waited >= pause, f"{waited:.3f} s instead of {pause}"


@case(wide=True)
def check_429_without_retry_after(subject: Subject, home: Path) -> None:
    """Too fast, and the provider does not say how long: a pause of our own, then again."""
    _recovers(subject, home, "429")


@case(wide=True)
def check_5xx(subject: Subject, home: Path) -> None:
    """A provider that is out of order for a moment is asked again."""
    for status in (500, 502, 503, 504):
        _recovers(subject, home, str(status))


@case(wide=True)
def check_truncated(subject: Subject, home: Path) -> None:
    """A body that ends early, JSON that does not end and a page of HTML are asked for again."""
    for fault in ("cut", "badjson", "html"):
        _recovers(subject, home, fault)


@case(wide=True)
def check_quota_is_kept(subject: Subject, home: Path) -> None:
    """Under the published quotas no request is refused: we are never the ones who are too fast."""
    with rig(subject, home, quota="published", clock=time.time) as lab:
        outcomes = [lab.lumio("sync", subject.provider) for _ in range(2)]
        refused = lab.sandbox.violations
        assert refused == 0, f"{refused} requests were over a quota"
        assert [o.code for o in outcomes] == [0, 0], outcomes[-1].out

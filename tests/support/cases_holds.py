"""A hold fits what it is about: conformance to the law of holds."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from lumio_cli.core.clock import parse_time
from lumio_cli.providers.contract.quota import Quota
from lumio_cli.sandbox import Sandbox
from support.conformance import Rig, Subject, case, rig

YEARS = 315_360_000
"""Ten of them, in seconds."""
NOW = ("--max-wait", "0")


@case(wide=True)
def check_retry_after_forms(subject: Subject, home: Path) -> None:
    """Half a minute is half a minute, whatever Retry-After writes it in. What can be seconds is
    never taken for milliseconds; what is longer than any day is."""
    quotas = subject.cls.quotas
    most = max(min(3600, _windows(q)) if q.kind == "daily" else _windows(q) for q in quotas)
    with rig(subject, home, clock=time.time) as lab:
        for form in ("30", "date+30", "iso+30", "now+30", "ms+30"):
            seconds = _held(lab, f"429={form}")
            assert 0 < seconds < 33, f"{form} is a hold of {seconds:.0f} s"
        for form in ("1200", "3000", "30000"):
            seconds = _held(lab, f"429={form}")
            assert 3 < seconds <= most + 1, f"{form} is a hold of {seconds:.0f} s"
        seconds = _held(lab, "429=100003")
        assert 0 < seconds < 103, f"100003 is a hold of {seconds:.0f} s"


@case(wide=True)
def check_hold_in_proportion(subject: Subject, home: Path) -> None:
    """Ten years are never waited: a hold lasts some windows of its quota, a day's to its reset,
    and an outage an hour. The error names the command that shows the hold, another one lifts it."""
    most = max(_windows(quota) for quota in subject.cls.quotas)
    with rig(subject, home, clock=time.time) as lab:
        for form in (str(YEARS), f"date+{YEARS}", f"now+{YEARS}"):
            seconds = _held(lab, f"429={form}")
            assert 0 < seconds <= most + 1, f"{form} is a hold of {seconds:.0f} s"
        for form in ("1e400", "nan", "-30", "soon"):
            seconds = _held(lab, f"429={form}")
            assert seconds < 1, f"{form} is a hold of {seconds:.0f} s"
        error = _refused(lab, f"503={YEARS}")
        told = re.search(r"after (\S+Z)", error["hint"])
        assert told is not None, error
        seconds = parse_time(told[1]).timestamp() - time.time()
        assert seconds < 3602, f"{YEARS} is an outage of {seconds:.0f} s"
        error = _refused(lab, f"429={YEARS}")
        assert f"`lumio limits show {subject.provider}`" in error["hint"], error
        assert lab.lumio("limits", "clear", subject.provider).document["limits"], "nothing lifted"
        lab.sync()
        lab.must_be_equal()


@case(wide=True)
def check_hold_of_one_origin(subject: Subject, home: Path) -> None:
    """What one address answers holds nothing at another one of the same provider."""
    for fault in ("503", "429=50"):
        with rig(subject, home) as lab:
            _refused(lab, fault)
            asked = lab.listings()
            again = lab.lumio("sync", subject.target, *NOW)
            assert (again.code, lab.listings()) == (5, asked), f"nothing was held after {fault}"
            with Sandbox(records=3, quota="none", providers=(subject.provider,)) as other:
                if subject.fill is not None:
                    subject.fill(other, 3)
                lab.sandbox = other
                lab.sync(*NOW)


def _windows(quota: Quota) -> float:
    """How long a hold of it may be, in seconds."""
    if quota.kind == "daily":
        return 86_400 + 3600  # of the longest day
    if quota.kind == "concurrency":
        return 60
    refill = (quota.burst or quota.count) / quota.count
    return max(60, 3 * quota.per * max(1, refill))


def _refused(lab: Rig, fault: str) -> dict[str, Any]:
    """The error of a sync whose listing meets nothing but `fault`."""
    lab.sandbox.faults.set([f"{fault}:path={lab.subject.listing}"])
    entry = lab.sync(*NOW, code=5)
    lab.sandbox.faults.clear()
    error: dict[str, Any] = entry["error"]
    return error


def _held(lab: Rig, fault: str) -> float:
    """For how many seconds the provider is held after `fault`; then it is lifted."""
    _refused(lab, fault)
    lifted = lab.lumio("limits", "clear", lab.subject.provider).document["limits"]
    ends = [parse_time(row["held_until"]).timestamp() for row in lifted if row["held_until"]]
    return max(ends) - time.time() if ends else 0.0

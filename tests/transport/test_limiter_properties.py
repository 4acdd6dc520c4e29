"""Whatever comes, in whatever order: no quota is ever exceeded, and everyone gets a time."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from lumio_cli.core.stop import Stop
from lumio_cli.providers.contract.call import Call
from lumio_cli.providers.contract.quota import Quota
from lumio_cli.transport.quota.kinds import rule_for
from lumio_cli.transport.quota.limiter import Priority
from lumio_cli.transport.quota.state import State, ready, settle, unpack
from support.clock import START
from transport.limits import Bench

GAPS = st.one_of(st.just(0.0), st.floats(0, 0.2), st.floats(0, 15))
ARRIVALS = st.lists(
    st.tuples(GAPS, st.sampled_from(Priority), st.floats(0.5, 8)), min_size=25, max_size=120
)
PERIODS = st.sampled_from([0.5, 1.0, 7.3, 10.0])
SETTINGS = settings(max_examples=120, deadline=None, derandomize=True)


def reserve(
    quota: Quota, arrivals: list[tuple[float, Priority, float]]
) -> list[tuple[float, float]]:
    """The time and cost of each call, where all take their place as soon as they arrive."""
    rule = rule_for(quota)
    state = State()
    now, out = START, []
    for gap, priority, size in arrivals:
        now += gap
        cost = size if quota.kind == "points" else 1.0
        state = unpack(state.pack())
        settle(rule, state, now, now)
        at = ready(rule, state, now, cost, priority)
        assert now <= at < math.inf
        assert ready(rule, state, at, cost, priority) == at
        rule.take(state, at, cost)
        out.append((at, cost))
    return sorted(out)


def check_window(times: list[float], count: float, per: float) -> None:
    for first, at in enumerate(times):
        inside = sum(1 for other in times[first:] if other < at + per)
        assert inside <= count


def check_bucket(calls: list[tuple[float, float]], burst: float, rate: float) -> None:
    for first, (at, _) in enumerate(calls):
        total = 0.0
        for when, cost in calls[first:]:
            total += cost
            assert total <= burst + rate * (when - at) + 1e-4


@SETTINGS
@given(arrivals=ARRIVALS, count=st.integers(1, 30), per=PERIODS)
def test_no_window_is_ever_exceeded(
    arrivals: list[tuple[float, Priority, float]], count: int, per: float
) -> None:
    calls = reserve(Quota("w", count, per, kind="window"), arrivals)
    check_window([at for at, _ in calls], count, per)


@SETTINGS
@given(arrivals=ARRIVALS, count=st.integers(1, 30), per=PERIODS, burst=st.integers(8, 40))
def test_no_bucket_ever_overflows(
    arrivals: list[tuple[float, Priority, float]], count: int, per: float, burst: int
) -> None:
    for kind in ("bucket", "points"):
        calls = reserve(Quota("b", count, per, kind=kind, burst=burst), arrivals)
        check_bucket(calls, burst, count / per)


@SETTINGS
@given(arrivals=ARRIVALS, count=st.integers(1, 30), per=PERIODS)
def test_everyone_s_turn_comes_within_a_period_of_the_last(
    arrivals: list[tuple[float, Priority, float]], count: int, per: float
) -> None:
    rule = rule_for(Quota("w", count, per, kind="window"))
    state = State()
    now = last = START
    for gap, priority, _ in arrivals:
        now += gap
        settle(rule, state, now, now)
        at = ready(rule, state, now, 1, priority)
        assert at <= max(now, last) + per * 1.12 + 0.001
        rule.take(state, at, 1)
        last = max(last, at)


@SETTINGS
@given(arrivals=ARRIVALS, back=st.data(), kind=st.sampled_from(["window", "bucket"]))
def test_what_is_given_back_is_as_if_it_had_never_been(
    arrivals: list[tuple[float, Priority, float]], back: st.DataObject, kind: str
) -> None:
    rule = rule_for(Quota("q", 5, 10.0, kind=kind))  # type: ignore[arg-type]
    state = State()
    now = START
    settle(rule, state, now, now)
    for _, priority, _ in arrivals[:40]:
        rule.take(state, ready(rule, state, now, 1, priority), 1)
    before = unpack(state.pack())
    at = ready(rule, state, now, 1, back.draw(st.sampled_from(Priority)))
    rule.take(state, at, 1)
    rule.give(state, at, 1)
    assert state == before


@settings(max_examples=25, deadline=None, derandomize=True)
@given(arrivals=ARRIVALS, data=st.data())
def test_quotas_taken_together_all_hold(
    arrivals: list[tuple[float, Priority, float]], data: st.DataObject
) -> None:
    window = Quota("all", data.draw(st.integers(2, 12)), 10.0, kind="window")
    search = Quota("search", 2, 1.0, kind="window", routes=("/search",))
    bucket = Quota("b", 4, 5.0, kind="bucket", burst=6, exempt=("/x",))
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory))
        bench.clock.frozen = True
        limiters = [bench.limiter(window, search, bucket) for _ in range(2)]
        sent: dict[str, list[float]] = {"/search": [], "/x": [], "/": []}
        for index, (gap, priority, _) in enumerate(arrivals[:60]):
            bench.clock.advance(gap)
            path = data.draw(st.sampled_from(sorted(sent)))
            lease = limiters[index % 2].acquire(
                Call("GET", path), priority=priority, stop=Stop(), max_wait=math.inf
            )
            sent[path].append(lease.at)
        bench.store.close()
    check_window(sorted(at for times in sent.values() for at in times), window.count, 10.0)
    check_window(sorted(sent["/search"]), 2, 1.0)
    check_bucket([(at, 1.0) for at in sorted(sent["/search"] + sent["/"])], 6, 4 / 5)

"""How long a hold lasts, whose it is, and what is believed of a larger plan."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from lumio_cli.core.clock import utc
from lumio_cli.core.errors import QuotaError
from lumio_cli.providers.contract.quota import Allowance, Quota
from lumio_cli.providers.contract.verdict import Outcome, Verdict
from lumio_cli.transport.quota.bounds import OUTAGE, longest_hold, longest_spent
from lumio_cli.transport.quota.kinds import midnight_after
from lumio_cli.transport.quota.limiter import Priority
from lumio_cli.transport.quota.state import State
from support.clock import START
from transport.limits import CALL, SEARCH, Bench, burst_of, go, level

YEARS = 315_360_000.0
DAILY = Quota("d", 100, kind="daily", zone="America/Sao_Paulo")
TO_MIDNIGHT = midnight_after(START, DAILY.zone).timestamp() - START


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize(
    ("quota", "held", "spent"),
    [
        (Quota("q", 190, 10.0, kind="window"), 60, OUTAGE),
        (Quota("q", 50, 60.0, kind="window"), 180, OUTAGE),
        (Quota("q", 200, 3600.0, kind="window"), 10_800, 10_800),
        (Quota("q", 50, kind="points", burst=1000), 60, OUTAGE),
        (Quota("q", 10, kind="bucket", burst=1000), 300, OUTAGE),
        (Quota("q", 8, kind="concurrency"), 60, OUTAGE),
        (DAILY, OUTAGE, TO_MIDNIGHT),
    ],
)
def test_nothing_is_held_for_longer_than_fits(
    bench: Bench, quota: Quota, held: float, spent: float
) -> None:
    assert (longest_hold(quota, START), longest_spent(quota, START)) == (held, spent)
    limiter = bench.limiter(quota)
    limiter.hold(CALL, "", YEARS, "429")
    assert level(limiter, quota.name).held_until == utc(START + held)
    back = limiter.exhaust(CALL, "", utc(START + YEARS), "used up")
    assert back == level(limiter, quota.name).held_until == utc(START + spent)


def test_used_up_without_a_time_is_no_longer_than_fits(bench: Bench) -> None:
    limiter = bench.limiter(Quota("w", 100, 10.0, kind="window"))
    assert limiter.exhaust(CALL, "w", None, "used up") == utc(START + min(OUTAGE, TO_MIDNIGHT))


def test_too_fast_is_not_about_the_day(bench: Bench) -> None:
    limiter = bench.limiter(Quota("w", 100, 10.0, kind="window"), DAILY)
    limiter.hold(CALL, "", YEARS, "429")
    assert level(limiter, "d").held_until is None
    assert go(limiter).waited == pytest.approx(60)


def test_nothing_remains_for_ten_years(bench: Bench) -> None:
    limiter = bench.limiter(Quota("w", 100, 10.0, kind="window"), DAILY)
    limiter.observe(
        CALL,
        [
            Allowance("w", remaining=0, reset_after=YEARS),
            Allowance("d", remaining=0, reset_after=YEARS),
        ],
    )
    assert level(limiter, "w").held_until == utc(START + 60)
    assert level(limiter, "d").held_until == utc(START + TO_MIDNIGHT)


@pytest.mark.parametrize("quota", [Quota("w", 100, 10.0, kind="window"), DAILY])
def test_what_an_older_lumio_has_stored_ends_as_well(bench: Bench, quota: Quota) -> None:
    limiter = bench.limiter(quota)
    limiter.hold(CALL, "", 1, "429")
    state = State(wall=START, mono=bench.clock.monotonic())
    state.held_until = state.spent_until = START + YEARS
    bench.store.run(lambda db: db.execute("UPDATE quotas SET state = ?", [state.pack()]))
    # However often it is looked at: it does not move away.
    for _ in range(3):
        with pytest.raises(QuotaError):
            go(limiter, max_wait=0)
        bench.clock.advance(longest_spent(quota, START) / 3 + 1)
    go(limiter, max_wait=0)


def test_how_long_an_answer_may_ask_to_wait(bench: Bench) -> None:
    limiter = bench.limiter(
        Quota("w", 50, 60.0, kind="window"), Quota("s", 5, 1.0, routes=("*/search",)), DAILY
    )
    throttled, spent = Outcome.THROTTLED, Outcome.EXHAUSTED
    assert limiter.longest(CALL, Verdict(throttled)) == 180
    assert limiter.longest(SEARCH, Verdict(throttled)) == 180
    assert limiter.longest(SEARCH, Verdict(throttled, quota="s")) == 60
    assert limiter.longest(CALL, Verdict(spent)) == TO_MIDNIGHT
    assert limiter.longest(CALL, Verdict(Outcome.RETRY)) == OUTAGE
    assert bench.limiter(DAILY).longest(CALL, Verdict(throttled)) == OUTAGE
    assert bench.limiter().longest(CALL, Verdict(throttled)) == OUTAGE


def test_the_reason_is_that_of_the_longest_hold(bench: Bench) -> None:
    limiter = bench.limiter(Quota("w", 100, 10.0, kind="window"), DAILY)
    assert level(limiter, "w").reason == ""
    limiter.hold(CALL, "w", 30, "429 with Retry-After 30")
    limiter.hold(CALL, "w", 5, "429 with Retry-After 5")
    assert level(limiter, "w").reason == "429 with Retry-After 30"
    limiter.exhaust(CALL, "d", None, "d quota used up: 429")
    assert level(limiter, "d").reason == "d quota used up: 429"
    bench.clock.advance(86_400)
    assert [item.reason for item in limiter.levels()] == ["", ""]


def test_a_day_that_we_have_used_up_says_so(bench: Bench) -> None:
    limiter = bench.limiter(Quota("d", 2, kind="daily"))
    assert burst_of(limiter, Priority.INTERACTIVE) == 2
    assert level(limiter, "d").reason == "d quota used up, as counted here"


# -- a larger plan


POINTS = Quota("p", 50, kind="points", burst=1000, most=2000)


def test_a_larger_bucket_is_believed(bench: Bench) -> None:
    limiter = bench.limiter(POINTS)
    limiter.observe(CALL, [Allowance("p", limit=2000, remaining=1999)])
    assert level(limiter, "p").limit == 2000
    go(limiter, replace(CALL, cost=1990), max_wait=0)
    # Twice the size gives back twice as fast.
    bench.clock.advance(1)
    assert level(limiter, "p").remaining == pytest.approx(10 + 100, abs=2)


def test_what_it_gives_back_is_believed_too(bench: Bench) -> None:
    limiter = bench.limiter(POINTS)
    limiter.observe(CALL, [Allowance("p", limit=2000, remaining=0, rate=200)])
    bench.clock.advance(2)
    assert level(limiter, "p").remaining == pytest.approx(400, abs=2)


@pytest.mark.parametrize("said", [1e9, math.inf])
def test_no_more_is_believed_than_any_plan_has(bench: Bench, said: float) -> None:
    limiter = bench.limiter(POINTS)
    limiter.observe(CALL, [Allowance("p", limit=said, rate=said)])
    limiter.observe(CALL, [Allowance("p", limit=1e9, remaining=0, rate=1e9)])
    assert level(limiter, "p").limit == 40_000
    bench.clock.advance(1)
    assert level(limiter, "p").remaining == pytest.approx(2000, abs=2)


def test_a_plan_may_shrink_and_grow_again_and_is_forgotten(bench: Bench) -> None:
    limiter = bench.limiter(POINTS)
    for size in (2000, 500, 4000):
        limiter.observe(CALL, [Allowance("p", limit=size)])
        assert level(limiter, "p").limit == size
    bench.clock.advance(61)
    assert level(limiter, "p").limit == 1000


@pytest.mark.parametrize("most", [None, 50.0, 10.0])
def test_without_most_nothing_rises(bench: Bench, most: float | None) -> None:
    limiter = bench.limiter(Quota("p", 50, kind="points", burst=1000, most=most))
    limiter.observe(CALL, [Allowance("p", limit=2000, remaining=2000, rate=100)])
    assert level(limiter, "p").limit == 1000
    assert bench.store.query("SELECT count(*) FROM quotas") == [(0,)]


@pytest.mark.parametrize("kind", ["window", "daily", "bucket"])
def test_every_kind_of_quota_can_rise(bench: Bench, kind: str) -> None:
    quota = Quota("q", 10, 10.0, kind=kind, most=30)  # type: ignore[arg-type]
    limiter = bench.limiter(quota)
    limiter.observe(CALL, [Allowance("q", limit=100)])
    assert level(limiter, "q").limit == 30
    assert burst_of(limiter, Priority.INTERACTIVE) == 30


def test_repeating_it_writes_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = bench.limiter(POINTS)
    said = [Allowance("p", limit=2000, remaining=2000, rate=100)]
    limiter.observe(CALL, said)
    monkeypatch.setattr(bench.store, "run", pytest.fail)
    limiter.observe(CALL, said)


def test_the_day_after_is_another_day(bench: Bench) -> None:
    limiter = bench.limiter(DAILY)
    limiter.exhaust(CALL, "d", utc(START) + timedelta(days=30), "used up")
    bench.clock.advance(TO_MIDNIGHT + 1)
    go(limiter, max_wait=0)

"""What the provider's answers do to the limiter: they can only lower what we allow ourselves."""

from __future__ import annotations

import math
from datetime import timedelta
from pathlib import Path

import pytest

from lumio_cli.core.clock import utc
from lumio_cli.core.errors import QuotaError
from lumio_cli.core.stop import Stop
from lumio_cli.providers.contract.quota import Allowance, Quota
from lumio_cli.transport.quota.limiter import Priority
from transport.limits import CALL, SEARCH, Bench, burst_of, go, level, waits


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


WINDOW = Quota("w", 100, 10.0, kind="window")
KINDS = [WINDOW, Quota("w", 100, 10.0, kind="bucket")]


@pytest.mark.parametrize("quota", KINDS)
def test_a_lower_limit_is_obeyed_by_all_and_forgotten(bench: Bench, quota: Quota) -> None:
    one, two = bench.limiter(quota), bench.limiter(quota)
    one.observe(CALL, [Allowance("w", limit=40)])
    assert level(two, "w").limit == 40
    assert burst_of(two, Priority.INTERACTIVE) == 40
    bench.clock.advance(50)
    one.observe(CALL, [Allowance("w", limit=40)])
    bench.clock.advance(50)
    assert level(two, "w").limit == 40
    bench.clock.advance(11)
    assert level(two, "w").limit == 100


def test_a_higher_limit_or_nonsense_changes_nothing(bench: Bench) -> None:
    limiter = bench.limiter(WINDOW, Quota("c", 3, kind="concurrency"))
    before = limiter.levels()
    for said in (
        Allowance("w", limit=200, remaining=199),
        Allowance("w", limit=0),
        Allowance("w", limit=-5),
        Allowance("w", limit=math.nan, remaining=math.nan),
        Allowance("w"),
        Allowance("other", limit=1, remaining=0),
        Allowance("c", limit=1, remaining=0),
    ):
        limiter.observe(CALL, [said])
    assert limiter.levels() == before
    assert bench.store.query("SELECT count(*) FROM quotas") == [(0,)]
    limiter.observe(CALL, [Allowance("w", limit=40)])
    limiter.observe(CALL, [Allowance("w", limit=60)])
    assert level(limiter, "w").limit == 40


@pytest.mark.parametrize("quota", KINDS)
def test_usage_by_others_counts_and_ages(bench: Bench, quota: Quota) -> None:
    limiter = bench.limiter(quota)
    waits(limiter, 20)
    limiter.observe(CALL, [Allowance("w", remaining=50)])
    assert level(limiter, "w").remaining == 50
    limiter.observe(CALL, [Allowance("w", remaining=50)])
    limiter.observe(CALL, [Allowance("w", remaining=90)])
    assert level(limiter, "w").remaining == 50
    bench.clock.advance(10.3)
    assert level(limiter, "w").remaining == 100


def test_a_small_difference_is_no_others(bench: Bench) -> None:
    limiter = bench.limiter(WINDOW)
    go(limiter)
    limiter.observe(CALL, [Allowance("w", remaining=94)])
    assert level(limiter, "w").remaining == 99
    limiter.observe(CALL, [Allowance("w", remaining=93)])
    assert level(limiter, "w").remaining == 93


def test_reservations_are_not_taken_for_others(bench: Bench) -> None:
    bench.clock.frozen = True
    limiter = bench.limiter(WINDOW)
    waits(limiter, 150)
    limiter.observe(CALL, [Allowance("w", remaining=0)])
    assert level(limiter, "w").used == 150


def test_nothing_remains_until_the_reset(bench: Bench) -> None:
    limiter = bench.limiter(WINDOW)
    limiter.observe(CALL, [Allowance("w", remaining=0, reset_after=30)])
    assert go(limiter).waited == pytest.approx(30)


def test_daily_usage_by_others(bench: Bench) -> None:
    daily = Quota("d", 100, kind="daily")
    limiter = bench.limiter(daily, share=0.5)
    waits(limiter, 10)
    limiter.observe(CALL, [Allowance("d", limit=100, remaining=60)])
    assert level(limiter, "d").remaining == 40
    limiter.observe(CALL, [Allowance("d", limit=100, remaining=20)])
    assert level(limiter, "d").remaining == 20
    assert burst_of(limiter, Priority.INTERACTIVE) == 20


def test_a_lower_daily_limit_holds_for_the_day(bench: Bench) -> None:
    limiter = bench.limiter(Quota("d", 100, kind="daily"))
    limiter.observe(CALL, [Allowance("d", limit=50)])
    bench.clock.advance(3_600)
    assert level(limiter, "d").limit == 50
    bench.clock.advance(3_600)
    assert level(limiter, "d").limit == 100


def test_most_answers_write_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = bench.limiter(WINDOW)
    go(limiter)
    limiter.observe(CALL, [Allowance("w", limit=90, remaining=89)])
    monkeypatch.setattr(bench.store, "run", pytest.fail)
    limiter.observe(CALL, [Allowance("w", limit=90, remaining=88)])


# --- hold and exhaust


def test_a_hold_is_seen_by_all(bench: Bench) -> None:
    quotas = (WINDOW, Quota("s", 5, 1.0, routes=("*/search",)))
    one, two = bench.limiter(*quotas), bench.limiter(*quotas)
    one.hold(SEARCH, "s", 20, "429")
    assert level(two, "s").held_until == utc(bench.clock.time() + 20)
    assert go(two).waited == 0
    assert go(two, SEARCH).waited == pytest.approx(20)
    one.hold(SEARCH, "", 20, "429")
    one.hold(SEARCH, "unknown", 5, "429")
    assert go(two).waited == pytest.approx(20)


def test_a_shorter_or_senseless_hold_changes_nothing(bench: Bench) -> None:
    limiter = bench.limiter(WINDOW)
    limiter.hold(CALL, "w", 20, "429")
    for seconds in (5, 0, -1, math.inf, math.nan):
        limiter.hold(CALL, "w", seconds, "429")
    assert go(limiter).waited == pytest.approx(20)


def test_a_hold_moves_those_who_sleep_already(bench: Bench) -> None:
    limiter = bench.limiter(Quota("w", 1, 10.0, kind="window"))
    go(limiter)
    began = bench.clock.time()
    told: list[float] = []

    def hold_once(seconds: float, name: str) -> None:
        if not told:
            limiter.hold(CALL, "w", 40, "429")
        told.append(seconds)

    lease = limiter.acquire(
        CALL,
        priority=Priority.BACKFILL,
        stop=Stop(),
        max_wait=100,
        on_wait=hold_once,
    )
    assert lease.at == pytest.approx(began + 40, abs=0.2)
    assert len(told) == 2
    assert level(limiter, "w").used == 1


def test_a_hold_longer_than_the_wait_is_an_error(bench: Bench) -> None:
    limiter = bench.limiter(WINDOW)
    limiter.hold(CALL, "w", 60, "429")
    with pytest.raises(QuotaError) as caught:
        go(limiter, max_wait=30)
    assert caught.value.retry_at == utc(bench.clock.time() + 60)


def test_exhausted_until_midnight_or_as_told(bench: Bench) -> None:
    limiter = bench.limiter(WINDOW, Quota("d", 100, kind="daily"))
    limiter.exhaust(CALL, "", None, "used up")
    assert level(limiter, "w").held_until is None
    assert level(limiter, "d").remaining == 0
    with pytest.raises(QuotaError) as caught:
        go(limiter)
    assert caught.value.retry_at == level(limiter, "d").reset_at
    bench.clock.advance(2 * 3_600)
    go(limiter)
    later = utc(bench.clock.time()) + timedelta(hours=5)
    assert limiter.exhaust(CALL, "d", later, "used up") == later
    with pytest.raises(QuotaError) as caught:
        go(limiter)
    assert caught.value.retry_at == later
    bench.clock.advance(5 * 3_600)
    go(limiter)


def test_exhaustion_ends_a_sleep(bench: Bench) -> None:
    limiter = bench.limiter(Quota("w", 1, 10.0, kind="window"), Quota("d", 100, kind="daily"))
    go(limiter)

    def used_up(_: float, __: str) -> None:
        limiter.exhaust(CALL, "d", None, "used up")

    with pytest.raises(QuotaError, match="used up"):
        limiter.acquire(
            CALL,
            priority=Priority.BACKFILL,
            stop=Stop(),
            max_wait=100,
            on_wait=used_up,
        )
    assert [item.used for item in limiter.levels()] == [0, 1]

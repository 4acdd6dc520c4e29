"""The limiter on a clock of our own: what each kind of quota lets through, and when."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lumio_cli.core.errors import ConfigError, QuotaError, StoppedError
from lumio_cli.core.stop import Stop
from lumio_cli.providers.contract.call import Call
from lumio_cli.providers.contract.quota import Quota
from lumio_cli.transport.quota.limiter import Limiter, Priority
from lumio_cli.transport.runtime_db.store import RuntimeStore
from support.clock import FakeClock
from transport.limits import CALL, SCOPE, SEARCH, Bench, burst_of, go, level, waits


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


# --- kinds


def test_bucket_lets_a_burst_go_and_then_its_rate(bench: Bench) -> None:
    limiter = bench.limiter(Quota("b", 10, 5.0, kind="bucket", burst=3))
    assert waits(limiter, 6) == [0, 0, 0, 0.5, 0.5, 0.5]
    bench.clock.advance(100)
    assert waits(limiter, 4) == [0, 0, 0, 0.5]


def test_points_are_charged_by_cost(bench: Bench) -> None:
    limiter = bench.limiter(Quota("p", 50, 1.0, kind="points", burst=100))
    big = Call("POST", "/graphql", cost=80)
    assert waits(limiter, 3, big) == [0, 1.2, 1.6]
    bench.clock.advance(100)
    over = Call("POST", "/graphql", cost=150)
    assert waits(limiter, 2, over) == [0, 3.0]


def test_only_points_are_charged_by_cost(bench: Bench) -> None:
    limiter = bench.limiter(Quota("b", 2, 1.0, kind="bucket"))
    assert waits(limiter, 3, Call("POST", "/graphql", cost=50)) == [0, 0, 0.5]


def test_points_that_were_not_used_are_given_back(bench: Bench) -> None:
    limiter = bench.limiter(Quota("p", 50, 1.0, kind="points", burst=100))
    big = Call("POST", "/graphql", cost=80)
    waits(limiter, 1, big)
    limiter.refund(big, {"p": 70, "another": 5})
    assert level(limiter, "p").used == pytest.approx(10)
    assert waits(limiter, 1, big) == [0]


def test_no_more_is_given_back_than_was_charged(bench: Bench) -> None:
    limiter = bench.limiter(Quota("p", 1, 1.0, kind="points", burst=100))
    small, big = Call("POST", "/graphql", cost=10), Call("POST", "/graphql", cost=60)
    waits(limiter, 1, big)
    limiter.refund(small, {"p": 1000})
    assert level(limiter, "p").used == pytest.approx(50)


def test_a_day_of_points_is_drained_by_cost(bench: Bench) -> None:
    limiter = bench.limiter(Quota("d", 100, kind="daily", costed=True))
    waits(limiter, 2, Call("GET", "/list", cost=40))
    assert level(limiter, "d").remaining == 20
    with pytest.raises(QuotaError):
        go(limiter, Call("GET", "/list", cost=40))
    waits(limiter, 1, Call("GET", "/one", cost=20))


def test_a_keyed_quota_is_one_for_each_value(bench: Bench) -> None:
    limiter = bench.limiter(Quota("channel", 1, 1.0, keyed="channel"))
    east = Call("POST", "/post", keys={"channel": "east"})
    west = Call("POST", "/post", keys={"channel": "west"})
    assert waits(limiter, 2, east) == [0, 1]
    assert waits(limiter, 1, west) == [0]
    assert waits(limiter, 3) == [0, 0, 0]


def test_whom_a_keyed_quota_is_about_is_not_written_down(bench: Bench, tmp_path: Path) -> None:
    limiter = bench.limiter(Quota("pair", 1, 6.0, keyed="to"))
    go(limiter, Call("POST", "/messages", keys={"to": "+5511987654321"}))
    bench.store.close()
    for file in tmp_path.glob("runtime.db*"):
        assert b"5511987654321" not in file.read_bytes()


def test_window_waits_for_the_oldest(bench: Bench) -> None:
    limiter = bench.limiter(Quota("w", 5, 10.0, kind="window"))
    waited = waits(limiter, 7)
    assert waited[:5] == [0] * 5
    assert 10 <= waited[5] < 10.5
    assert waited[6] == 0


def test_daily_ends_at_its_own_midnight(bench: Bench) -> None:
    limiter = bench.limiter(Quota("d", 3, kind="daily", zone="America/New_York"))
    waits(limiter, 3)
    with pytest.raises(QuotaError) as caught:
        go(limiter)
    midnight = datetime(2023, 11, 15, 5, tzinfo=UTC)
    assert caught.value.retry_at == midnight
    assert caught.value.exit_code == 5
    assert bench.clock.sleeps == []
    for word in ("hubspot", "'d'", "2023-11-15T05:00:00Z"):
        assert word in caught.value.message
    assert "\n" not in caught.value.message
    bench.clock.advance(midnight.timestamp() - bench.clock.time())
    waits(limiter, 3)


def test_daily_survives_a_restart_and_is_shared_in_part(bench: Bench, tmp_path: Path) -> None:
    daily = Quota("d", 10, kind="daily")
    waits(bench.limiter(daily, share=0.5), 3)
    bench.store.close()
    again = Limiter(
        RuntimeStore(tmp_path / "runtime.db"), "hubspot", [daily], SCOPE, bench.clock, share=0.5
    )
    assert level(again, "d").remaining == 2
    assert burst_of(again, Priority.BACKFILL) == 2


def test_a_day_of_23_hours(bench: Bench) -> None:
    bench.clock.jump(datetime(2024, 3, 10, 6, tzinfo=UTC).timestamp() - bench.clock.time())
    limiter = bench.limiter(Quota("d", 1, kind="daily", zone="America/New_York"))
    go(limiter)
    assert level(limiter, "d").reset_at == datetime(2024, 3, 11, 4, tzinfo=UTC)


def test_a_reservation_after_midnight_counts_for_the_next_day(bench: Bench) -> None:
    bench.clock.jump(
        datetime(2023, 11, 15, 23, 59, 55, tzinfo=UTC).timestamp() - bench.clock.time()
    )
    limiter = bench.limiter(Quota("w", 1, 10.0, kind="window"), Quota("d", 2, kind="daily"))
    assert go(limiter).waited == 0
    assert go(limiter).waited >= 10
    assert level(limiter, "d").used == 1
    assert go(limiter).waited >= 10
    with pytest.raises(QuotaError):
        go(limiter)


def test_concurrency_is_freed_by_release(bench: Bench) -> None:
    limiter = bench.limiter(Quota("c", 2, kind="concurrency"))
    with go(limiter) as one, go(limiter):
        assert level(limiter, "c").remaining == 0
        with pytest.raises(QuotaError, match="under way"):
            go(limiter, max_wait=1)
        assert 1 <= bench.clock.slept < 1.2
        one.release()
        one.release()
        go(limiter, max_wait=0).release()
    assert level(limiter, "c").used == 0
    assert bench.store.query("SELECT count(*) FROM leases") == [(0,)]


def test_a_forgotten_lease_is_free_in_the_end(bench: Bench) -> None:
    limiter = bench.limiter(Quota("c", 1, kind="concurrency"))
    go(limiter)
    assert go(limiter).waited >= 300


def test_a_lease_outlasts_a_long_wait_for_another_quota(bench: Bench) -> None:
    limiter = bench.limiter(
        Quota("calls", 1, kind="concurrency"), Quota("burst", 9, per=600, kind="window")
    )
    limiter.hold(CALL, "burst", 900, "429")
    with go(limiter) as lease:
        assert lease.waited == pytest.approx(900)
        with pytest.raises(QuotaError, match="under way"):
            go(limiter, max_wait=0)


def test_quotas_are_charged_together(bench: Bench) -> None:
    limiter = bench.limiter(
        Quota("all", 100, 10.0, kind="window"),
        Quota("search", 1, 1.0, kind="window", routes=("*/search",)),
        Quota("d", 100, kind="daily", exempt=("*/search",)),
    )
    assert go(limiter, SEARCH).quotas == ("all", "search")
    assert go(limiter).quotas == ("all", "d")
    assert go(limiter, SEARCH).waited >= 1
    assert [item.used for item in limiter.levels()] == [3, 1, 1]


def test_one_route_waiting_does_not_hold_up_the_others(bench: Bench) -> None:
    bench.clock.frozen = True
    limiter = bench.limiter(
        Quota("all", 10, 10.0, kind="bucket"),
        Quota("search", 1, 60.0, kind="window", routes=("*/search",)),
    )
    now = bench.clock.time()
    leases = [go(limiter, SEARCH) for _ in range(3)]
    assert leases[2].at > now + 120
    assert burst_of(limiter, Priority.INTERACTIVE) == 9


def test_accounts_and_tokens_are_counted_apart(bench: Bench) -> None:
    quotas = (
        Quota("a", 100, kind="daily", shared="account"),
        Quota("t", 100, kind="daily", shared="token"),
    )
    go(bench.limiter(*quotas))
    other = bench.limiter(*quotas, token="t2")
    assert [item.used for item in other.levels()] == [1, 0]


def test_a_changed_count_takes_effect_at_once(bench: Bench) -> None:
    for kind in ("window", "bucket", "daily"):
        big, small = Quota(kind, 100, 10.0, kind=kind), Quota(kind, 20, 10.0, kind=kind)
        for _ in range(50):
            go(bench.limiter(big), max_wait=0)
        assert burst_of(bench.limiter(small), Priority.INTERACTIVE) == 0
        assert burst_of(bench.limiter(big), Priority.INTERACTIVE) == 50


@pytest.mark.parametrize("wrong", [{"count": 0}, {"per": 0}, {"burst": -1}, {"count": math.nan}])
def test_senseless_quotas_are_refused(bench: Bench, wrong: dict[str, float]) -> None:
    values: dict[str, float] = {"count": 1, **wrong}
    with pytest.raises(ConfigError):
        bench.limiter(Quota("q", **values))  # type: ignore[arg-type]


def test_days_in_an_unknown_zone_are_those_of_utc(bench: Bench) -> None:
    go(bench.limiter(Quota("d", 1, kind="daily", zone="Mars/Olympus")))
    (level,) = bench.limiter(Quota("d", 1, kind="daily", zone="Mars/Olympus")).levels()
    assert level.reset_at is not None
    assert (level.reset_at.hour, level.reset_at.minute) == (0, 0)


def test_no_quota_no_wait(bench: Bench) -> None:
    assert go(bench.limiter()).quotas == ()
    assert bench.limiter().levels() == []


# --- waiting


def test_a_wait_beyond_the_limit_reserves_nothing(bench: Bench) -> None:
    limiter = bench.limiter(Quota("w", 1, 10.0, kind="window"), Quota("d", 5, kind="daily"))
    go(limiter)
    before = limiter.levels()
    with pytest.raises(QuotaError) as caught:
        go(limiter, max_wait=3)
    assert limiter.levels() == before
    assert caught.value.retry_at is not None
    assert 10 <= caught.value.retry_at.timestamp() - bench.clock.time() < 10.5
    assert "'w'" in caught.value.message
    assert bench.clock.sleeps == []


def test_it_says_why_it_waits(bench: Bench) -> None:
    limiter = bench.limiter(Quota("w", 1, 10.0, kind="window"), Quota("x", 9, 1.0))
    told: list[tuple[float, str]] = []
    for _ in range(2):
        limiter.acquire(
            CALL,
            priority=Priority.BACKFILL,
            stop=Stop(),
            max_wait=60,
            on_wait=lambda seconds, name: told.append((seconds, name)),
        )
    assert [name for _, name in told] == ["w"]
    assert told[0][0] == bench.clock.sleeps[0]


class Stopping(FakeClock):
    """A clock on which every sleep is ended by a stop."""

    def sleep(self, seconds: float, stop: Stop) -> None:
        stop.set("Ctrl-C", 130)
        super().sleep(seconds, stop)


@pytest.mark.parametrize("kind", ["window", "bucket", "concurrency"])
def test_a_stopped_wait_gives_its_place_back(bench: Bench, kind: str) -> None:
    bench.clock = Stopping()
    first, second = (
        Quota("q", 1, 10.0, kind=kind),  # type: ignore[arg-type]
        Quota("d", 5, kind="daily"),
    )
    limiter = bench.limiter(first, second)
    go(limiter)
    before = limiter.levels()
    with pytest.raises(StoppedError):
        go(limiter)
    assert limiter.levels() == before
    assert bench.store.query("SELECT count(*) FROM leases WHERE NOT held") == [(0,)]


def test_who_is_stopped_asks_for_nothing(bench: Bench) -> None:
    limiter = bench.limiter(Quota("w", 5, 10.0, kind="window"))
    stop = Stop()
    stop.set("Ctrl-C", 130)
    with pytest.raises(StoppedError):
        limiter.acquire(CALL, priority=Priority.BACKFILL, stop=stop, max_wait=1)
    assert level(limiter, "w").used == 0


class Oversleeping(FakeClock):
    """A clock whose first sleep takes ten seconds more than it should."""

    def sleep(self, seconds: float, stop: Stop) -> None:
        super().sleep(seconds + (10 if not self.sleeps else 0), stop)


def test_who_oversleeps_takes_a_new_place(bench: Bench) -> None:
    bench.clock = Oversleeping()
    limiter = bench.limiter(Quota("w", 2, 10.0, kind="window"))
    waits(limiter, 2)
    lease = go(limiter)
    assert lease.at == pytest.approx(bench.clock.time())
    assert lease.waited >= 20
    assert level(limiter, "w").used == 1


# --- priorities


@pytest.mark.parametrize("kind", ["window", "bucket", "points"])
def test_each_priority_leaves_room_for_the_ones_before(bench: Bench, kind: str) -> None:
    limiter = bench.limiter(Quota("q", 200, 10.0, kind=kind))  # type: ignore[arg-type]
    assert burst_of(limiter, Priority.BACKFILL) == 190
    assert burst_of(limiter, Priority.INCREMENTAL) == 4
    assert burst_of(limiter, Priority.WEBHOOK) == 4
    assert burst_of(limiter, Priority.INTERACTIVE) == 2


def test_small_quotas_keep_one_unit_from_ten_on(bench: Bench) -> None:
    ten, nine = Quota("ten", 10, 10.0, kind="window"), Quota("nine", 9, 10.0, kind="window")
    assert burst_of(bench.limiter(ten), Priority.BACKFILL) == 9
    assert burst_of(bench.limiter(nine), Priority.BACKFILL) == 9


@pytest.mark.parametrize("kind", ["window", "bucket"])
def test_an_interactive_call_passes_a_saturating_backfill(bench: Bench, kind: str) -> None:
    bench.clock.frozen = True
    limiter = bench.limiter(Quota("q", 100, 10.0, kind=kind))  # type: ignore[arg-type]
    now = bench.clock.time()
    queue = [go(limiter, CALL, Priority.BACKFILL).at for _ in range(500)]
    assert queue[-1] > now + 30
    assert go(limiter, CALL, Priority.INTERACTIVE).at == now


@pytest.mark.parametrize("kind", ["window", "bucket"])
def test_a_backfill_is_not_starved_by_interactive_calls(bench: Bench, kind: str) -> None:
    bench.clock.frozen = True
    limiter = bench.limiter(Quota("q", 20, 10.0, kind=kind))  # type: ignore[arg-type]
    last = max(go(limiter, CALL, Priority.INTERACTIVE).at for _ in range(200))
    mine = go(limiter, CALL, Priority.BACKFILL).at
    assert mine <= last + 11
    for _ in range(200):
        go(limiter, CALL, Priority.INTERACTIVE)
    bench.clock.advance(mine - bench.clock.time())
    assert level(limiter, "q").used > 0


def stand(bench: Bench, order: Sequence[tuple[float, Priority]]) -> list[Priority]:
    """Who gets the only lease after whom, when all came at these times."""
    from lumio_cli.transport.quota import concurrency as leases

    owner = leases.this_process()
    now = bench.clock.time()
    first = leases.draw(owner, Priority.BACKFILL, now)
    tickets = [leases.draw(owner, priority, now + at) for at, priority in order]
    served: list[Priority] = []
    with bench.store.transaction() as connection:
        assert leases.claim(connection, first, [("k", 1)], now) is None
        for ticket in tickets:
            assert leases.claim(connection, ticket, [("k", 1)], now) == "k"
        while tickets:
            leases.drop(connection, first, ["k"])
            free = [t for t in tickets if leases.claim(connection, t, [("k", 1)], now) is None]
            assert len(free) == 1
            first = free[0]
            served.append(first.priority)
            tickets.remove(first)
        leases.drop(connection, first, ["k"])
    return served


def test_concurrency_serves_by_priority_but_not_for_ever(bench: Bench) -> None:
    low, high = Priority.BACKFILL, Priority.INTERACTIVE
    assert stand(bench, [(0, low), (1, high), (2, high)]) == [high, high, low]
    assert stand(bench, [(0, low), (4, high), (6, high)]) == [high, low, high]


# --- clocks


@pytest.mark.parametrize("kind", ["window", "bucket"])
@pytest.mark.parametrize("jump", [-86_400.0, -3.0, 5.0, 86_400.0])
def test_setting_the_clock_neither_bursts_nor_hangs(bench: Bench, kind: str, jump: float) -> None:
    limiter = bench.limiter(Quota("q", 20, 10.0, kind=kind, burst=20))  # type: ignore[arg-type]
    assert burst_of(limiter, Priority.INTERACTIVE) == 20
    bench.clock.jump(jump)
    assert burst_of(limiter, Priority.INTERACTIVE) == 0
    assert go(limiter).waited < 10.5


def test_a_clock_set_back_keeps_a_hold_as_short_as_it_was(bench: Bench) -> None:
    limiter = bench.limiter(Quota("q", 20, 10.0))
    limiter.hold(CALL, "", 30, "429")
    bench.clock.jump(-86_400)
    assert go(limiter).waited == pytest.approx(30)


def test_a_clock_set_back_keeps_the_day_s_count(bench: Bench) -> None:
    limiter = bench.limiter(Quota("d", 5, kind="daily"))
    waits(limiter, 3)
    bench.clock.jump(-86_400)
    assert level(limiter, "d").used == 3
    bench.clock.jump(-3 * 86_400)
    assert burst_of(limiter, Priority.INTERACTIVE) == 2

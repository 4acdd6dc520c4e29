"""When a call is repeated, how long it waits, and what is said when it gives up."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from lumio_cli.core.clock import SystemClock
from lumio_cli.core.errors import (
    CircuitOpenError,
    LumioError,
    QuotaError,
    RejectedError,
    StoppedError,
    UnavailableError,
)
from lumio_cli.core.stop import Stop
from lumio_cli.providers.contract.call import Reply
from lumio_cli.transport.request_log import Tally
from lumio_cli.transport.retry import Again, Retry, RetryPolicy, default_hold
from support.clock import START, FakeClock

OK = Reply(200, {}, b"{}")
DOWN = UnavailableError("down")


class Script:
    """Attempts that fail as written, and then succeed."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.attempts: list[int] = []

    def __call__(self, number: int) -> Reply:
        self.attempts.append(number)
        if self.failures:
            raise self.failures.pop(0)
        return OK


def build(clock: FakeClock | None = None, **options: object) -> tuple[Retry, FakeClock]:
    clock = clock or FakeClock()
    values: dict[str, object] = {
        "clock": clock,
        "stop": Stop(),
        "max_wait": 300.0,
        "rng": random.Random(7),
        **options,
    }
    return Retry("acme", **values), clock  # type: ignore[arg-type]


def test_a_good_reply_costs_no_wait() -> None:
    retry, clock = build()
    script = Script()
    assert retry.run(script, Tally()) is OK
    assert (script.attempts, clock.sleeps) == ([1], [])


def test_passing_faults_are_repeated_four_times_with_full_jitter() -> None:
    retry, clock = build()
    script, tally = Script(*[Again(DOWN)] * 9), Tally()
    with pytest.raises(UnavailableError, match="down"):
        retry.run(script, tally)
    assert script.attempts == [1, 2, 3, 4, 5]
    expected = random.Random(7)
    assert clock.sleeps == [expected.uniform(0, limit) for limit in (1, 2, 4, 8)]
    assert tally.retries == 4
    assert tally.waited == pytest.approx(sum(clock.sleeps))
    assert tally.waiting_for == ""


def test_the_back_off_has_a_ceiling() -> None:
    class Highest(random.Random):
        def uniform(self, a: float, b: float) -> float:
            return b

    retry, clock = build(rng=Highest(), policy=RetryPolicy(attempts=9))
    with pytest.raises(UnavailableError):
        retry.run(Script(*[Again(DOWN)] * 9), Tally())
    assert clock.sleeps == [1, 2, 4, 8, 16, 16, 16, 16]


def test_what_is_final_is_raised_at_once() -> None:
    retry, clock = build()
    script = Script(RejectedError("no"))
    with pytest.raises(RejectedError):
        retry.run(script, Tally())
    assert (script.attempts, clock.sleeps) == ([1], [])


def test_what_the_provider_asks_for_is_waited_in_full() -> None:
    retry, clock = build()
    assert retry.run(Script(Again(DOWN, after=77.5), Again(DOWN, after=0.25)), Tally()) is OK
    assert clock.sleeps == [77.5, 0.25]


def test_a_retry_after_of_zero_is_no_hammer() -> None:
    retry, clock = build()
    held: list[float] = []
    with pytest.raises(QuotaError):
        retry.run(Script(*[Again(DOWN, after=0.0, hold=held.append)] * 10), Tally())
    assert held[:4] == clock.sleeps[:4] == [1, 2, 4, 8]
    retry, clock = build()
    with pytest.raises(UnavailableError) as caught:
        retry.run(Script(*[Again(DOWN, after=0.0)] * 9), Tally())
    expected = random.Random(7)
    assert clock.sleeps == [expected.uniform(0, limit) for limit in (1, 2, 4, 8)]
    assert caught.value is DOWN


def test_a_longer_wait_than_allowed_ends_the_call_and_says_when_to_come_back() -> None:
    retry, clock = build(max_wait=60.0)
    with pytest.raises(UnavailableError) as caught:
        retry.run(Script(Again(DOWN, after=61.0)), Tally())
    assert clock.sleeps == []
    assert "2023-11-14T22:14:21Z" in (caught.value.hint or "")
    assert "--max-wait" in (caught.value.hint or "")


def test_a_throttled_call_holds_everyone_and_goes_on() -> None:
    retry, clock = build()
    held: list[float] = []
    slow = QuotaError("too fast")
    script = Script(
        Again(slow, after=5.0, hold=held.append),
        Again(slow, hold=held.append),
        Again(slow, hold=held.append),
    )
    assert retry.run(script, Tally()) is OK
    assert held == clock.sleeps == [5.0, 2.0, 4.0]


def test_throttling_ends_after_ten_attempts() -> None:
    retry, _ = build(max_wait=10_000.0)
    script = Script(*[Again(QuotaError("too fast"), after=1.0, hold=lambda _: None)] * 20)
    with pytest.raises(QuotaError) as caught:
        retry.run(script, Tally())
    assert len(script.attempts) == 10
    assert caught.value.retry_at is not None


def test_all_waits_for_quota_together_stay_below_the_limit() -> None:
    retry, clock = build(max_wait=100.0)
    held: list[float] = []
    script = Script(*[Again(QuotaError("too fast"), after=40.0, hold=held.append)] * 9)
    with pytest.raises(QuotaError) as caught:
        retry.run(script, Tally())
    assert clock.sleeps == [40.0, 40.0]
    assert held == [40.0, 40.0, 40.0], "others hold still even where this call gives up"
    assert caught.value.retry_at is not None
    assert caught.value.retry_at.timestamp() == START + 80 + 40


def test_the_default_hold_doubles() -> None:
    assert [default_hold(n) for n in (1, 2, 3, 7, 50)] == [1, 2, 4, 64, 64]


def test_an_open_circuit_keeps_its_own_words() -> None:
    retry, _ = build(max_wait=1.0)
    error = CircuitOpenError("left alone")
    with pytest.raises(CircuitOpenError) as caught:
        retry.run(Script(Again(error, after=30.0)), Tally())
    assert caught.value is error


def test_a_run_has_a_budget_of_retries() -> None:
    retry, _ = build(policy=RetryPolicy(attempts=5, spare=6, share=0.2))
    made = 0
    for _ in range(4):
        script = Script(*[Again(DOWN)] * 5)
        with pytest.raises(UnavailableError):
            retry.run(script, Tally())
        made += len(script.attempts) - 1
    assert made == 6
    for _ in range(36):
        retry.run(Script(), Tally())
    script = Script(*[Again(DOWN)] * 5)
    with pytest.raises(UnavailableError):
        retry.run(script, Tally())
    assert len(script.attempts) - 1 == 3, "20 % of 41 requests are 8.2 retries, less the six made"


def test_a_stop_ends_a_back_off_at_once() -> None:
    import threading
    import time

    stop = Stop()
    retry, _ = build(clock=SystemClock(), stop=stop)  # type: ignore[arg-type]
    threading.Timer(0.05, lambda: stop.set("SIGTERM", 143)).start()
    begin = time.monotonic()
    with pytest.raises(StoppedError) as caught:
        retry.run(Script(Again(DOWN, after=120.0)), Tally())
    assert time.monotonic() - begin < 5
    assert caught.value.exit_code == 143


def test_nothing_is_sent_after_a_stop() -> None:
    stop = Stop()
    stop.set("Ctrl-C", 130)
    retry, _ = build(stop=stop)
    script = Script()
    with pytest.raises(StoppedError):
        retry.run(script, Tally())
    assert script.attempts == []


def test_who_waits_is_told_why() -> None:
    told: list[tuple[float, str]] = []
    retry, _ = build()
    during: list[str] = []
    tally = Tally(on_wait=lambda seconds, reason: told.append((seconds, reason)))
    attempts: Callable[[int], Reply] = Script(Again(DOWN, after=3.0))
    retry.run(attempts, tally)
    assert told == [(3.0, "the provider to recover")]
    assert during == []


def test_errors_of_other_kinds_pass_through() -> None:
    retry, _ = build()
    with pytest.raises(ZeroDivisionError):
        retry.run(lambda _: 1 // 0, Tally())  # type: ignore[arg-type,return-value]
    with pytest.raises(LumioError):
        retry.run(Script(LumioError("x")), Tally())

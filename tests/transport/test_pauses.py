"""How long an answer asks to wait, whatever it writes that in."""

from __future__ import annotations

import pytest

from lumio_cli.providers.contract.call import Reply
from lumio_cli.transport.quota.retry_after import come_back, plausible, retry_after
from support.clock import START, FakeClock

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


def asked(text: str, longest: float = DAY, skew: float | None = None) -> float | None:
    reply = Reply(429, {"retry-after": text}, b"")
    reply.skew = skew
    return retry_after(reply, FakeClock(START), longest)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("30", 30.0),
        (" 30 ", 30.0),
        ("1.5", 1.5),
        ("3600", 3600.0),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("Tuesday, 14-Nov-23 22:13:50 GMT", 30.0),
        ("Tue Nov 14 22:13:50 2023", 30.0),
        ("Tue, 14 Nov 2023 19:13:50 -0300", 30.0),
        ("2023-11-14T22:13:50Z", 30.0),
        ("2023-11-14T22:13:50.000+00:00", 30.0),
        ("2023-11-14 19:13:50-03:00", 30.0),
        ("2023-11-14T22:13:50", 30.0),
        ("1700000030", 30.0),
        ("1700000030.5", 30.5),
        ("1700000030000", 30.0),
        ("Tue, 14 Nov 2023 22:13:10 GMT", 0.0),
        ("1699999990", 0.0),
    ],
)
def test_what_is_understood(text: str, seconds: float) -> None:
    assert asked(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "", "-5", "-1700000000", "soon", "nan", "inf", "1e400", "1e3", "0x10", "30s", "30, 60",
        "1.", ".5", "9" * 400, "99999999999999999999", "Tue, 99 Nov 2023 22:13:50 GMT", "²",
        "Fri, 31 Dec 9999 23:59:59 -0100", "0000-00-00",
    ],
)  # fmt: skip
def test_what_is_none_of_this_counts_as_absent(text: str) -> None:
    assert asked(text) is None


def test_an_answer_without_it() -> None:
    assert retry_after(Reply(429, {}, b""), FakeClock(START), DAY) is None


@pytest.mark.parametrize(
    ("text", "longest", "seconds"),
    [
        # What can be seconds is seconds, as far as the quota allows.
        ("600", MINUTE, 60.0),
        ("1200", MINUTE, 60.0),
        ("1500", MINUTE, 60.0),
        ("3000", MINUTE, 60.0),
        ("1200", HOUR, 1200.0),
        ("30000", MINUTE, 60.0),
        ("30000", DAY, 30_000.0),
        ("86399", HOUR, 3600.0),
        # Nothing is counted for longer than a day.
        ("95000", HOUR, 95.0),
        ("250000", HOUR, 250.0),
        ("250000", MINUTE, 60.0),
        ("250000", 4 * DAY, 250_000.0),
        # But people do write days and weeks.
        ("172800", HOUR, 3600.0),
        ("604800", MINUTE, 60.0),
        ("86400", HOUR, 3600.0),
    ],
)
def test_seconds_or_milliseconds_by_what_a_quota_can_ask_for(
    text: str, longest: float, seconds: float
) -> None:
    assert asked(text, longest) == seconds


@pytest.mark.parametrize(
    "text", ["315360000", "Wed, 11 Nov 2033 22:13:20 GMT", "2015360000", "2015360000000"]
)
def test_ten_years_are_as_long_as_it_can_be(text: str) -> None:
    assert asked(text, MINUTE) == MINUTE


@pytest.mark.parametrize("skew", [-50.0, 50.0])
def test_a_date_is_read_against_the_providers_own_clock(skew: float) -> None:
    assert asked("Tue, 14 Nov 2023 22:15:00 GMT", skew=skew) == pytest.approx(100 - skew)


@pytest.mark.parametrize(
    ("skew", "seconds"),
    [
        (DAY, 100.0),  # the clock is ahead, but not the moment: 100 s from now by ours
        (-DAY, 100.0),
        (70.0, 30.0),  # both make sense: the shorter
        (-70.0, 100.0),
    ],
)
def test_a_clock_that_is_off_does_not_make_it_longer(skew: float, seconds: float) -> None:
    assert asked("Tue, 14 Nov 2023 22:15:00 GMT", skew=skew) == pytest.approx(seconds)


def test_a_moment_of_a_clock_that_is_ahead() -> None:
    # The provider is a day ahead in both: half a minute later.
    assert asked("Wed, 15 Nov 2023 22:13:50 GMT", skew=DAY) == pytest.approx(30)
    assert asked("1699913630", skew=-DAY) == pytest.approx(30)


def test_a_pause_that_an_adapter_has_computed() -> None:
    said = (3.0, 0.0, None, -1.0, float("nan"), float("inf"))
    assert [plausible(seconds) for seconds in said] == [3.0, 0.0, None, None, None, None]


def test_when_to_come_back() -> None:
    assert come_back(None) == "nothing was lost; run it again later"
    assert come_back(START + 0.2, "acme", longer=True) == (
        "nothing was lost; run it again after 2023-11-14T22:13:21Z, or let it wait longer with "
        "--max-wait; `lumio limits show acme` says why"
    )

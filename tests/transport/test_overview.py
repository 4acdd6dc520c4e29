"""Every quota, hold and circuit, whoever's they are, and how they are lifted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lumio_cli.core.clock import utc
from lumio_cli.core.errors import CircuitOpenError, ConfigError
from lumio_cli.providers.contract.call import Call
from lumio_cli.providers.contract.quota import Quota
from lumio_cli.transport.overview import CIRCUIT, Overview, Standing
from lumio_cli.transport.owner import breaker_of, limiter_of, whose
from lumio_cli.transport.runtime_db.store import RuntimeStore
from support.clock import START, FakeClock
from transport.limits import go

from .acme import BASE, Acme

MINE, OTHER = whose("a", BASE), whose("b", "http://127.0.0.1:8080/acme")
CALL = Call("GET", "/contacts", keys={"number": "+49 30 1"})


class Phone(Acme):
    quotas = (
        Quota("burst", 10, 10.0, kind="window"),
        Quota("calls", 2, kind="concurrency"),
        Quota("pair", 1, 6.0, keyed="number"),
        Quota("daily", 3, kind="daily"),
    )


class Desk:
    """An overview, and what it is about."""

    def __init__(self, path: Path) -> None:
        self.clock = FakeClock()
        self.store = RuntimeStore(path / "runtime.db", clock=self.clock)
        self.overview = Overview(self.store, Phone({}), self.clock)
        self.limiter = limiter_of(self.store, Phone({}), MINE, self.clock)
        self.breaker = breaker_of(self.store, "acme", MINE, self.clock)

    def look(self, owner: str | None = MINE) -> dict[str, Standing]:
        return {standing.quota: standing for standing in self.overview.look(owner)}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize(
    ("url", "owner"),
    [
        ("https://API.acme.test", "a@https://api.acme.test:443"),
        ("https://api.acme.test:443/v3", "a@https://api.acme.test:443"),
        ("http://127.0.0.1:8080/acme", "a@http://127.0.0.1:8080"),
        ("http://[::1]/", "a@http://::1:80"),
    ],
)
def test_whose_it_is(url: str, owner: str) -> None:
    assert whose("a", url) == owner


@pytest.mark.parametrize("url", ["https://x:99999", "https://["])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ConfigError, match="is no URL"):
        whose("a", url)


def test_what_is_not_stored_is_unused(desk: Desk) -> None:
    found = desk.look()
    assert list(found) == ["burst", "calls", "daily", CIRCUIT]
    assert [found[name].remaining for name in found] == [10, 2, 3, None]
    assert not any(standing.stopped for standing in found.values())
    assert desk.overview.look(None) == []


def test_each_is_listed_with_its_reason(desk: Desk) -> None:
    with go(desk.limiter, CALL):
        desk.limiter.hold(CALL, "burst", 30, "429 with Retry-After 30")
        found = desk.look()
    assert found["burst"].held_until == utc(START + 30)
    assert (found["burst"].reason, found["burst"].stopped) == ("429 with Retry-After 30", True)
    assert (found["calls"].remaining, found["daily"].remaining) == (1, 2)
    for _ in range(5):
        desk.breaker.failure("HTTP 503")
    circuit = desk.look()[CIRCUIT]
    assert (circuit.held_until, circuit.reason) == (utc(START + 30), "circuit open: HTTP 503")
    desk.clock.advance(31)
    circuit = desk.look()[CIRCUIT]
    assert (circuit.held_until, circuit.reason) == (None, "circuit half open: HTTP 503")


def test_one_of_many_is_listed_where_it_stops(desk: Desk) -> None:
    go(desk.limiter, CALL).release()
    assert "pair" not in desk.look()
    desk.limiter.hold(CALL, "pair", 30, "429")
    assert (desk.look()["pair"].keyed, desk.look()["pair"].owner) == ("number", MINE)


def test_others_are_listed_too(desk: Desk) -> None:
    limiter_of(desk.store, Phone({}), OTHER, desk.clock).hold(CALL, "burst", 30, "429")
    assert {s.owner for s in desk.overview.look(MINE) if s.stopped} == {OTHER}
    assert go(desk.limiter, CALL).waited == 0


def test_lifting_lets_everything_go(desk: Desk) -> None:
    for limiter in (desk.limiter, limiter_of(desk.store, Phone({}), OTHER, desk.clock)):
        limiter.hold(CALL, "burst", 30, "429")
        limiter.exhaust(CALL, "daily", None, "daily quota used up: 429")
    for _ in range(5):
        desk.breaker.failure("HTTP 503")
    with pytest.raises(CircuitOpenError):
        desk.breaker.before()
    lifted = [(standing.quota, standing.owner) for standing in desk.overview.lift()]
    assert lifted == [
        ("burst", MINE), ("burst", OTHER), ("daily", MINE), ("daily", OTHER), (CIRCUIT, MINE),
    ]  # fmt: skip
    go(desk.limiter, CALL, max_wait=0)
    desk.breaker.before()
    assert desk.overview.lift() == []


def test_a_day_that_is_used_up_begins_again_and_the_rest_is_kept(desk: Desk) -> None:
    call = replace(CALL, keys={})
    for _ in range(3):
        go(desk.limiter, call).release()
    assert desk.look()["daily"].reason == "daily quota used up, as counted here"
    assert [standing.quota for standing in desk.overview.lift()] == ["daily"]
    assert (desk.look()["daily"].remaining, desk.look()["burst"].remaining) == (3, 7)


def test_quotas_that_the_provider_no_longer_has_are_left_out(desk: Desk) -> None:
    class Former(Acme):
        quotas = (Quota("burst", 10, 60.0, kind="window"), Quota("old", 1, 1.0))

    limiter_of(desk.store, Former({}), MINE, desk.clock).hold(CALL, "", 30, "429")
    assert not any(standing.stopped for standing in desk.overview.look(MINE))
    assert desk.overview.lift() == []

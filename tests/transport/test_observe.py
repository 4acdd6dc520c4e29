"""What is counted, and what an operator can read back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lumio_cli.core.errors import HubError
from lumio_cli.core.redact import Redactor
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.quota import Allowance
from lumio_cli.transport.request_log import Observer, Tally
from support.clock import FakeClock

from .acme import BASE, GET, TOKEN, Log, together


def observer(log: Log, clock: FakeClock | None = None) -> Observer:
    return Observer("acme", log, Redactor([TOKEN]), clock or FakeClock(), run_id="run-1")


def attempt(to: Observer, reply: Reply | None, **options: Any) -> None:
    values: dict[str, Any] = {
        "url": f"{BASE}/things?access_token={TOKEN}&limit=1",
        "headers": {"authorization": f"Bearer {TOKEN}", "accept": "a/b"},
        "content": b'{"client_secret": "hush-hush", "a": 1}',
        "error": None,
        "seconds": 0.0123,
        "waited": 0.5,
        "attempt": 2,
        **options,
    }
    to.attempt(GET, reply=reply, **values)


def test_a_tally_counts_from_all_threads() -> None:
    tally = Tally()

    def work(_: int) -> None:
        for _ in range(500):
            tally.add(requests=1, retries=1, received=3, cached=1, waited=0.5)

    together(8, work)
    assert (tally.requests, tally.retries, tally.received, tally.cached) == (
        4000,
        4000,
        12000,
        4000,
    )
    assert tally.waited == 2000.0


def test_nothing_is_logged_unless_it_was_asked_for() -> None:
    log = Log()
    attempt(observer(log), Reply(200, {}, b"{}"))
    observer(log).cached(GET, "memory")
    assert log.rows == []


def test_the_flag_is_looked_up_once_a_second() -> None:
    log, clock = Log(), FakeClock()
    watch = observer(log, clock)
    for _ in range(100):
        watch.level()
    assert log.looks == 1
    log.level = "basic"
    assert watch.level() == ""
    clock.advance(1.0)
    assert watch.level() == "basic"
    log.level = None
    clock.advance(1.0)
    assert watch.level() == "", "it expires by itself"


@pytest.mark.parametrize(
    ("value", "level"),
    [
        ("basic", "basic"),
        ("verbose", "verbose"),
        ({"level": "verbose"}, "verbose"),
        ({}, "basic"),
        (True, "basic"),
        (None, ""),
    ],
)
def test_levels(value: object, level: str) -> None:
    assert observer(Log(value)).level() == level


def test_a_basic_row_tells_everything_but_the_bodies() -> None:
    log = Log("basic")
    reply = Reply(
        429,
        {"x-request-id": "r-1", "set-cookie": "s=1", "retry-after": "3"},
        b'{"message": "slow"}',
    )
    attempt(observer(log), reply, allowances=(Allowance("burst", remaining=4.0),))
    (row,) = log.rows
    assert row == {
        "at": "2023-11-14T22:13:20Z",
        "run_id": "run-1",
        "method": "GET",
        "route": "/things",
        "url": f"{BASE}/things?access_token=***&limit=1",
        "request_headers": {"authorization": "***", "accept": "a/b"},
        "ms": 12.3,
        "waited_ms": 500.0,
        "attempt": 2,
        "status": 429,
        "response_headers": {"x-request-id": "r-1", "set-cookie": "***", "retry-after": "3"},
        "bytes": 19,
        "request_id": "r-1",
        "remaining": {"burst": 4.0},
    }


def test_a_verbose_row_has_the_bodies_redacted_and_cut() -> None:
    log = Log("verbose")
    body = json.dumps({"note": "x" * 16_380, "access_token": "a" * 9000, "t": TOKEN}).encode()
    attempt(observer(log), Reply(200, {}, body))
    (row,) = log.rows
    assert row["request_body"] == '{"client_secret": "***", "a": 1}'
    assert len(row["response_body"]) <= 16 * 1024
    assert "aaaa" not in row["response_body"]
    assert TOKEN not in json.dumps(row)


def test_an_error_is_logged_without_secrets() -> None:
    log = Log("basic")
    attempt(observer(log), None, error=ValueError(f"broke at ?token={TOKEN}"))
    assert log.rows[0]["error"] == "broke at ?token=***"
    assert "status" not in log.rows[0]


def test_cached_answers_are_logged_with_their_layer() -> None:
    log = Log("basic")
    observer(log).cached(Call("GET", f"/oauth/v1/access-tokens/{TOKEN}"), "disk")
    assert log.rows[0]["cache"] == "disk"
    assert TOKEN not in json.dumps(log.rows[0])


def test_a_store_that_fails_costs_the_row_only() -> None:
    class Broken(Log):
        def append_log(self, *_: object, **__: object) -> int:
            raise HubError("disk full")

    class Blind(Log):
        def get_flag(self, key: str) -> Any:
            raise HubError("locked")

    attempt(observer(Broken("basic")), None)
    assert observer(Blind()).level() == ""
    assert Observer("acme", None, Redactor(), FakeClock()).level() == ""

"""One request's way, from end to end."""

from __future__ import annotations

import json
import logging
import threading
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from pytest_httpx import HTTPXMock

from lumio_cli.core.clock import SystemClock, utc
from lumio_cli.core.errors import (
    OUTCOME_UNKNOWN,
    BadReplyError,
    CircuitOpenError,
    CredentialError,
    DeniedError,
    GoneError,
    LumioError,
    QuotaError,
    RejectedError,
    StoppedError,
    UnavailableError,
)
from lumio_cli.core.logs import configure_logging
from lumio_cli.core.paths import find_paths
from lumio_cli.core.redact import Redactor
from lumio_cli.core.stop import Stop
from lumio_cli.providers.contract.auth import Credential
from lumio_cli.providers.contract.call import Call
from lumio_cli.providers.contract.quota import Allowance, Quota
from lumio_cli.transport.request_log import Tally
from lumio_cli.transport.runtime_db.store import RuntimeStore
from lumio_cli.transport.session import TransportOptions, open_session
from lumio_cli.transport.wire import Wire
from support.clock import START, FakeClock

from .acme import BASE, GET, POST, REFRESH, SECRET, TOKEN, Acme, Rig, Vault, together, with_
from .server import http, raw_server

OAUTH = Credential(
    "oauth", TOKEN, refresh=REFRESH, fields={"client_id": "c", "client_secret": SECRET}
)
TOKENS = {"access_token": "new-access-token", "refresh_token": "new-refresh-token"}


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


# -- good answers


def test_a_good_answer_comes_back(httpx_mock: HTTPXMock, rig: Rig) -> None:
    httpx_mock.add_response(json={"a": 1}, headers={"x-left": "7"})
    reply = rig.send(GET)
    assert (reply.status, reply.json(), reply.stale) == (200, {"a": 1}, False)
    assert httpx_mock.get_requests()[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert rig.limiter.acquired == [GET]
    assert rig.limiter.observed == [(Allowance("burst", remaining=7.0),)]
    assert rig.breaker.events == ["success"]
    assert (rig.tally.requests, rig.tally.retries, rig.tally.received) == (1, 0, 7)


def test_a_call_without_a_credential(httpx_mock: HTTPXMock, rig: Rig) -> None:
    httpx_mock.add_response(json={})
    rig.send(with_(GET, auth=False))
    assert "authorization" not in httpx_mock.get_requests()[0].headers
    assert rig.vault.loads == 0


@pytest.mark.parametrize(
    ("call", "status"), [(GET, 204), (POST, 200), (POST, 201), (with_(GET, method="DELETE"), 200)]
)
def test_nothing_to_say_is_no_fault(
    httpx_mock: HTTPXMock, rig: Rig, call: Call, status: int
) -> None:
    httpx_mock.add_response(status_code=status)
    assert rig.send(call).body == b""


# -- passing faults


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 520, 530, 423, 477])
def test_a_safe_call_is_repeated_after_a_passing_fault(
    httpx_mock: HTTPXMock, rig: Rig, status: int
) -> None:
    httpx_mock.add_response(status_code=status)
    httpx_mock.add_response(json={})
    rig.send(GET)
    assert (rig.tally.requests, rig.tally.retries) == (2, 1)
    assert len(rig.limiter.acquired) == 2, "every attempt pays"
    assert rig.breaker.events == ["failure" if status >= 500 else "success", "success"]


def test_a_provider_that_stays_down(httpx_mock: HTTPXMock, rig: Rig) -> None:
    httpx_mock.add_response(status_code=503, json={"message": "maintenance"}, is_reusable=True)
    with pytest.raises(UnavailableError, match=r"status 503.*maintenance") as caught:
        rig.send(GET)
    assert (caught.value.exit_code, caught.value.code) == (5, "provider_unavailable")
    assert len(httpx_mock.get_requests()) == 5


@pytest.mark.parametrize("error", [httpx.ConnectError("x"), httpx.ConnectTimeout("x")])
def test_a_failure_to_connect_is_repeated_for_every_call(
    httpx_mock: HTTPXMock, rig: Rig, error: Exception
) -> None:
    httpx_mock.add_exception(error)
    httpx_mock.add_response(json={})
    rig.send(POST)
    assert len(httpx_mock.get_requests()) == 2
    assert rig.breaker.events == ["failure", "success"]


@pytest.mark.parametrize(
    "error",
    [
        httpx.ReadTimeout("x"),
        httpx.WriteTimeout("x"),
        httpx.ReadError("x"),
        httpx.RemoteProtocolError("x"),
    ],
)
def test_a_write_whose_answer_was_lost_is_not_sent_again(
    httpx_mock: HTTPXMock, rig: Rig, error: Exception
) -> None:
    httpx_mock.add_exception(error)
    with pytest.raises(UnavailableError, match="not known") as caught:
        rig.send(POST)
    assert caught.value.code == OUTCOME_UNKNOWN
    assert len(httpx_mock.get_requests()) == 1


@pytest.mark.parametrize("call", [GET, with_(POST, idempotency_key="k-1"), with_(POST, safe=True)])
def test_a_call_that_may_be_repeated_is_sent_again_after_a_time_out(
    httpx_mock: HTTPXMock, rig: Rig, call: Call
) -> None:
    httpx_mock.add_exception(httpx.ReadTimeout("x"))
    httpx_mock.add_response(json={})
    rig.send(call)
    assert rig.tally.retries == 1


@pytest.mark.parametrize(("status", "sent"), [(500, 1), (502, 1), (504, 1), (423, 2), (477, 2)])
def test_a_write_is_repeated_only_where_nothing_was_done(
    httpx_mock: HTTPXMock, rig: Rig, status: int, sent: int
) -> None:
    httpx_mock.add_response(status_code=status)
    if sent == 2:
        httpx_mock.add_response(json={})
        rig.send(POST)
    else:
        with pytest.raises(UnavailableError) as caught:
            rig.send(POST)
        assert caught.value.code == OUTCOME_UNKNOWN
    assert len(httpx_mock.get_requests()) == sent


def test_a_body_that_is_cut_is_asked_for_again(tmp_path: Path) -> None:
    def answer(_: bytes, number: int) -> bytes:
        return http(b'{"a": 1}', length=None if number == 2 else 500)

    with raw_server(answer) as base:
        rig = Rig(tmp_path, base_url=base)
        assert rig.send(GET).json() == {"a": 1}
    assert rig.tally.retries == 1


def test_html_with_status_200_is_a_passing_fault(httpx_mock: HTTPXMock, rig: Rig) -> None:
    httpx_mock.add_response(html="<html>maintenance</html>")
    httpx_mock.add_response(json={"a": 1})
    assert rig.send(GET).json() == {"a": 1}
    httpx_mock.add_response(html="<html>maintenance</html>", is_reusable=True)
    with pytest.raises(BadReplyError, match="text/html"):
        rig.send(GET)
    assert len(httpx_mock.get_requests()) == 2 + 5
    with pytest.raises(BadReplyError) as caught:
        rig.send(POST)
    assert caught.value.code == OUTCOME_UNKNOWN
    assert rig.send(replace(GET, answer="text")).body.startswith(b"<html>")


@pytest.mark.parametrize("body", [b"", b"\xff\xfe{}", b'{"a": "\xff"}', b'{"a":'])
def test_what_is_not_json(httpx_mock: HTTPXMock, rig: Rig, body: bytes) -> None:
    httpx_mock.add_response(content=body, is_reusable=True)
    with pytest.raises(BadReplyError):
        rig.send(GET)


def test_a_body_over_the_limit_is_final(httpx_mock: HTTPXMock, tmp_path: Path) -> None:
    rig = Rig(tmp_path, wire_options={"max_body": 50 * 1024 * 1024})
    httpx_mock.add_response(content=b"x" * (50 * 1024 * 1024 + 1))
    with pytest.raises(BadReplyError, match=r"50\.0 MiB"):
        rig.send(GET)
    assert len(httpx_mock.get_requests()) == 1
    assert rig.breaker.events == ["abandon"]


def test_a_certificate_that_is_not_trusted_is_final(httpx_mock: HTTPXMock, rig: Rig) -> None:
    import ssl

    error = httpx.ConnectError("x")
    error.__cause__ = ssl.SSLCertVerificationError(1, "x")
    error.__cause__.verify_code, error.__cause__.verify_message = 20, "unable"
    httpx_mock.add_exception(error)
    with pytest.raises(UnavailableError, match="not trusted") as caught:
        rig.send(GET)
    assert "ca_file" in (caught.value.hint or "")
    assert rig.breaker.events == ["abandon"]


def test_a_stop_ends_a_back_off_at_once(httpx_mock: HTTPXMock, tmp_path: Path) -> None:
    clock: Any = SystemClock()
    rig = Rig(tmp_path, clock=clock)
    httpx_mock.add_response(status_code=503, headers={"retry-after": "120"})
    threading.Timer(0.05, lambda: rig.stop.set("SIGTERM", 143)).start()
    begin = time.monotonic()
    with pytest.raises(StoppedError):
        rig.send(GET)
    assert time.monotonic() - begin < 5


# -- too fast


def test_a_429_holds_every_process_and_is_repeated(httpx_mock: HTTPXMock, rig: Rig) -> None:
    httpx_mock.add_response(status_code=429, headers={"retry-after": "7"})
    httpx_mock.add_response(
        status_code=429,
        headers={
            "retry-after": "Tue, 14 Nov 2023 10:00:30 GMT",
            "date": "Tue, 14 Nov 2023 10:00:00 GMT",
        },
    )
    httpx_mock.add_response(status_code=429)
    httpx_mock.add_response(json={})
    rig.send(POST)
    assert rig.limiter.held == [("", 7.0), ("", 30.0), ("", 4.0)]
    assert rig.limiter.reasons[0] == "429 with Retry-After 7"
    assert rig.clock.sleeps == [7.0, 30.0, 4.0]
    assert rig.breaker.events == ["success"] * 4
    assert rig.tally.waited == 41.0


def test_a_429_that_asks_for_more_than_we_may_wait(httpx_mock: HTTPXMock, tmp_path: Path) -> None:
    rig = Rig(tmp_path, max_wait=60.0)
    httpx_mock.add_response(status_code=429, headers={"retry-after": "61"})
    with pytest.raises(QuotaError) as caught:
        rig.send(GET)
    assert caught.value.retry_at == utc(START + 61)
    assert rig.clock.sleeps == []
    assert rig.limiter.held == [("", 61.0)]
    assert "`lumio limits show acme`" in (caught.value.hint or "")


def test_a_daily_quota_that_is_used_up(httpx_mock: HTTPXMock, rig: Rig) -> None:
    httpx_mock.add_response(status_code=429, json={"policyName": "DAILY"})
    with pytest.raises(QuotaError, match="daily") as caught:
        rig.send(GET)
    assert caught.value.retry_at == utc(START + 3600)
    assert rig.limiter.exhausted == [("daily", utc(START + 3600))]
    assert len(httpx_mock.get_requests()) == 1


# -- credentials


def test_a_401_renews_the_credential_once_and_goes_on(
    httpx_mock: HTTPXMock, tmp_path: Path
) -> None:
    rig = Rig(tmp_path, OAUTH)
    httpx_mock.add_response(status_code=401)
    httpx_mock.add_response(url=f"{BASE}/oauth/token", method="POST", json=TOKENS)
    httpx_mock.add_response(json={"a": 1})
    assert rig.send(POST).json() == {"a": 1}
    first, renewal, second = httpx_mock.get_requests()
    assert first.headers["authorization"] == f"Bearer {TOKEN}"
    assert "authorization" not in renewal.headers
    assert second.headers["authorization"] == "Bearer new-access-token"
    assert rig.vault.saved[0].refresh == "new-refresh-token"
    assert len(rig.limiter.acquired) == 3, "the renewal and the repetition pay too"


def test_a_second_401_is_final(httpx_mock: HTTPXMock, tmp_path: Path) -> None:
    rig = Rig(tmp_path, OAUTH, source="the keyring")
    httpx_mock.add_response(status_code=401, json={"message": "no such app"})
    httpx_mock.add_response(url=f"{BASE}/oauth/token", method="POST", json=TOKENS)
    httpx_mock.add_response(status_code=401, json={"message": "no such app"})
    with pytest.raises(CredentialError, match="from the keyring: no such app") as caught:
        rig.send(GET)
    assert (caught.value.code, caught.value.exit_code) == ("credential_refused", 4)
    assert len(httpx_mock.get_requests()) == 3


def test_a_token_that_cannot_be_renewed_names_its_source(httpx_mock: HTTPXMock, rig: Rig) -> None:
    httpx_mock.add_response(status_code=401)
    with pytest.raises(CredentialError, match="from LUMIO_ACME_TOKEN") as caught:
        rig.send(GET)
    assert caught.value.code == "credential_refused"
    assert rig.session.credential_source == "LUMIO_ACME_TOKEN"


def test_a_credential_that_is_refused_for_good_is_not_renewed(
    httpx_mock: HTTPXMock, tmp_path: Path
) -> None:
    rig = Rig(tmp_path, OAUTH)
    httpx_mock.add_response(status_code=418, json={})
    with pytest.raises(CredentialError, match="never again"):
        rig.send(GET)
    assert rig.vault.saved == []


def test_a_login_that_has_expired(httpx_mock: HTTPXMock, tmp_path: Path) -> None:
    rig = Rig(tmp_path, OAUTH)
    httpx_mock.add_response(status_code=401)
    httpx_mock.add_response(
        url=f"{BASE}/oauth/token", status_code=400, json={"error": "invalid_grant"}
    )
    with pytest.raises(CredentialError) as caught:
        rig.send(GET)
    assert caught.value.code == "login_expired"
    assert rig.vault.credential == OAUTH


def test_a_missing_permission(httpx_mock: HTTPXMock, rig: Rig) -> None:
    httpx_mock.add_response(status_code=403, json={"message": "scope"})
    with pytest.raises(DeniedError):
        rig.send(GET)
    httpx_mock.add_response(content=b'{"ok":false}')
    with pytest.raises(DeniedError) as caught:
        rig.send(GET)
    assert caught.value.scopes == ("crm.read",)
    assert len(httpx_mock.get_requests()) == 2


def test_what_is_not_there_or_not_right(httpx_mock: HTTPXMock, rig: Rig) -> None:
    httpx_mock.add_response(status_code=404)
    with pytest.raises(GoneError):
        rig.send(GET)
    httpx_mock.add_response(status_code=409, json={"category": "CONFLICT"})
    with pytest.raises(RejectedError) as caught:
        rig.send(POST)
    assert (caught.value.status, caught.value.category) == (409, "CONFLICT")


# -- where the credential goes


def test_a_link_to_a_foreign_host_never_receives_the_token(httpx_mock: HTTPXMock, rig: Rig) -> None:
    with pytest.raises(LumioError, match=r"refused to send the credential to https://evil\.test"):
        rig.send(with_(GET, path="https://evil.test/next?after=2"))
    assert httpx_mock.get_requests() == []
    assert rig.limiter.acquired == []


def test_redirects_within_the_origin_are_followed_for_safe_calls(
    httpx_mock: HTTPXMock, rig: Rig
) -> None:
    httpx_mock.add_response(status_code=301, headers={"location": "/moved?x=1"})
    httpx_mock.add_response(url=f"{BASE}/moved?x=1", json={"a": 1})
    assert rig.send(with_(GET, params={"q": "1"})).json() == {"a": 1}
    assert len(rig.limiter.acquired) == 2
    httpx_mock.add_response(status_code=307, headers={"location": "/moved"})
    with pytest.raises(UnavailableError, match="redirect") as caught:
        rig.send(POST)
    assert caught.value.code != OUTCOME_UNKNOWN


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.test/x",
        "//evil.test/x",
        "http://api.acme.test/x",
        "https://files.acme.test/x",
        "https://u:p@api.acme.test/x",
        "http://[",
    ],
)
def test_other_redirects_are_not_followed(httpx_mock: HTTPXMock, rig: Rig, location: str) -> None:
    httpx_mock.add_response(status_code=302, headers={"location": location})
    with pytest.raises(RejectedError, match="was not followed"):
        rig.send(GET)
    assert len(httpx_mock.get_requests()) == 1


def test_redirects_in_circles_end(httpx_mock: HTTPXMock, rig: Rig) -> None:
    httpx_mock.add_response(status_code=302, headers={"location": "/things"}, is_reusable=True)
    with pytest.raises(RejectedError):
        rig.send(GET)
    assert len(httpx_mock.get_requests()) == 4


# -- circuit and cache


def test_a_run_that_finds_the_circuit_open_ends_without_a_request(
    httpx_mock: HTTPXMock, rig: Rig
) -> None:
    rig.breaker.open = True
    with pytest.raises(CircuitOpenError):
        rig.send(GET)
    assert rig.limiter.acquired == []
    assert rig.tally.requests == 0


def test_a_run_that_is_under_way_waits_for_the_circuit(httpx_mock: HTTPXMock, rig: Rig) -> None:
    httpx_mock.add_response(json={}, is_reusable=True)
    rig.send(GET)
    opened = iter([True, False])

    def before() -> None:
        if next(opened):
            raise CircuitOpenError("left alone", retry_at=utc(rig.clock.time() + 30))

    rig.breaker.before = before  # type: ignore[method-assign]
    rig.send(GET)
    assert rig.clock.sleeps == [30.0]


def test_a_circuit_that_stays_open_for_longer_than_we_may_wait(
    httpx_mock: HTTPXMock, tmp_path: Path
) -> None:
    rig = Rig(tmp_path, max_wait=10.0)
    httpx_mock.add_response(json={})
    rig.send(GET)
    error = CircuitOpenError("left alone", retry_at=utc(rig.clock.time() + 30))

    def before() -> None:
        raise error

    rig.breaker.before = before  # type: ignore[method-assign]
    with pytest.raises(CircuitOpenError) as caught:
        rig.send(GET)
    assert caught.value is error
    assert rig.clock.sleeps == []


def test_cached_answers_cost_nothing(httpx_mock: HTTPXMock, rig: Rig) -> None:
    httpx_mock.add_response(json={"a": 1})
    call = with_(GET, cache_for=600.0)
    rig.log.level = "basic"
    replies = [rig.send(call) for _ in range(3)]
    assert [r.json() for r in replies] == [{"a": 1}] * 3
    assert (rig.tally.requests, rig.tally.cached) == (1, 2)
    assert [row.get("cache") for row in rig.log.rows] == [None, "memory", "memory"]
    rig.session.close()
    assert rig.log.counts == {"cache:acme": {"memory": 2, "miss": 1}}


def test_fresh_asks_the_provider(httpx_mock: HTTPXMock, rig: Rig) -> None:
    httpx_mock.add_response(json={"a": 1})
    httpx_mock.add_response(json={"a": 2})
    call = with_(GET, cache_for=600.0)
    rig.send(call)
    assert rig.send(call, fresh=True).json() == {"a": 2}
    assert rig.send(call).json() == {"a": 2}


def test_a_provider_that_is_down_is_stood_in_for(httpx_mock: HTTPXMock, rig: Rig) -> None:
    call = with_(GET, cache_for=600.0)
    httpx_mock.add_response(json={"a": 1})
    rig.send(call)
    rig.clock.advance(86_400)
    httpx_mock.add_exception(httpx.ConnectError("x"), is_reusable=True)
    reply = rig.send(call)
    assert (reply.stale, reply.json()) == (True, {"a": 1})
    with pytest.raises(UnavailableError):
        rig.send(GET)


def test_threads_share_a_session_and_a_fetch(tmp_path: Path) -> None:
    def answer(_: bytes, number: int) -> bytes:
        time.sleep(0.1)
        return http(json.dumps({"n": number}).encode())

    with raw_server(answer) as base:
        rig = Rig(tmp_path, base_url=base)
        got: list[int] = []
        call = with_(GET, cache_for=600.0)
        together(8, lambda _: got.append(rig.send(call).json()["n"]))
        together(8, lambda n: rig.send(with_(GET, path=f"/{n}")) and None)
    assert got == [1] * 8
    assert rig.tally.requests == 9


# -- what is shown


@pytest.mark.parametrize("form", ["ok", "refused", "rejected", "lost", "html", "foreign"])
def test_a_secret_appears_nowhere(
    httpx_mock: HTTPXMock, tmp_path: Path, caplog: pytest.LogCaptureFixture, form: str
) -> None:
    paths = find_paths("default", {"LUMIO_HOME": str(tmp_path / "home")})
    before = list(logging.getLogger().handlers)
    rig = Rig(tmp_path, OAUTH)
    rig.log.level = "verbose"
    configure_logging(paths, rig.redactor, "DEBUG", context={"run_id": "r"})
    secrets = (TOKEN, REFRESH, SECRET)
    echo = {"message": f"you sent {TOKEN} and {REFRESH}", "access_token": TOKEN, "x": SECRET}
    headers = {"x-echo": TOKEN, "location": f"https://evil.test/?token={TOKEN}"}
    call = with_(
        POST,
        path=f"/oauth/v1/access-tokens/{TOKEN}?access_token={TOKEN}",
        route="",
        params={"refresh_token": REFRESH},
        json={"client_secret": SECRET, "note": f"the {TOKEN}"},
        safe=True,
    )
    if form == "lost":
        httpx_mock.add_exception(httpx.ReadTimeout(f"with {TOKEN}"), is_reusable=True)
    elif form == "foreign":
        call = with_(call, path=f"https://evil.test/?token={TOKEN}")
    elif form == "html":
        httpx_mock.add_response(html=f"<p>{TOKEN}</p>", headers=headers, is_reusable=True)
    else:
        status = {"ok": 200, "refused": 418, "rejected": 400}[form]
        httpx_mock.add_response(status_code=status, json=echo, headers=headers, is_reusable=True)
    shown: list[str] = []
    try:
        rig.send(call)
    except LumioError as error:
        assert form != "ok"
        logging.getLogger("lumio_cli.test").exception("failed")
        shown += [error.message, str(error.hint), repr(error), repr(vars(error))]
        shown += traceback.format_exception(error)
    for row in rig.log.rows:
        logging.getLogger("lumio_cli.test").info("row %s", row)
    logging.getLogger("lumio_cli.test").info("sent %s with %s", call.path, call.params)
    for handler in [h for h in logging.getLogger().handlers if h not in before]:
        logging.getLogger().removeHandler(handler)
        handler.close()
    shown += [json.dumps(row) for row in rig.log.rows]
    shown += [(paths.logs / "lumio.log").read_text(), repr(rig.vault.credential)]
    assert rig.log.rows or form == "foreign"
    everything = "\n".join(shown)
    for secret in secrets:
        assert secret not in everything


def test_the_log_tells_each_attempt(httpx_mock: HTTPXMock, rig: Rig) -> None:
    rig.log.level = {"level": "verbose"}
    httpx_mock.add_response(status_code=503, json={"message": "wait"})
    httpx_mock.add_response(json={}, headers={"x-left": "3", "x-acme-correlation-id": "c-9"})
    rig.send(GET)
    first, second = rig.log.rows
    assert (first["status"], first["attempt"], first["response_body"]) == (
        503,
        1,
        '{"message":"wait"}',
    )
    assert (second["status"], second["attempt"]) == (200, 2)
    assert (second["remaining"], second["request_id"]) == ({"burst": 3.0}, "c-9")


# -- put together


def open_acme(tmp_path: Path, base: str, **options: Any) -> Any:
    class Daily(Acme):
        quotas = (Quota("burst", 5, 1.0, kind="window"), Quota("daily", 1000, kind="daily"))

    return open_session(
        Daily({}),
        TransportOptions(base_url=base, **options),
        store=RuntimeStore(tmp_path / "runtime.db"),
        credentials=Vault(Credential("token", TOKEN)),
        cache_dir=tmp_path / "cache",
        locks_dir=tmp_path / "locks",
        redactor=Redactor(),
        clock=FakeClock(),
        stop=Stop(),
    )


def test_open_session_opens_nothing_yet(tmp_path: Path) -> None:
    session = open_acme(tmp_path, BASE)
    assert list(tmp_path.iterdir()) == []
    session.close()
    assert list(tmp_path.iterdir()) == []


def test_an_opened_session_keeps_the_quota(tmp_path: Path) -> None:
    told: list[tuple[float, str]] = []
    tally = Tally(on_wait=lambda seconds, reason: told.append((seconds, reason)))
    with raw_server(lambda *_: http(b"{}")) as base:
        session = open_acme(tmp_path, base)
        for _ in range(7):
            session.send(GET, tally=tally)
        session.close()
    assert tally.requests == 7
    assert told
    assert told[0][1] == "burst"
    assert tally.waited == pytest.approx(sum(seconds for seconds, _ in told))
    assert tally.waiting_for == ""


def test_an_opened_session_stops_asking_a_provider_that_fails(tmp_path: Path) -> None:
    with raw_server(lambda *_: http(b"{}", "503 Service Unavailable")) as base:
        session = open_acme(tmp_path, base, max_wait=5.0)
        tally = Tally()
        with pytest.raises(UnavailableError):
            session.send(GET, tally=tally)
        with pytest.raises(CircuitOpenError):
            session.send(GET, tally=tally)
        session.close()
    assert tally.requests == 5


def test_a_look_alike_stands_for_the_providers_hosts_and_for_no_other(tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(head: bytes, *_: object) -> bytes:
        asked.append(head.split(b"\r\n")[0].decode())
        return http(b"{}")

    with raw_server(answer) as base:
        session = open_acme(tmp_path, f"{base}/acme")
        session.send(with_(GET, path="https://files.acme.test/big?page=2"))
        with pytest.raises(LumioError, match="refused"):
            session.send(with_(GET, path="https://files.acme.example/next"))
    assert asked == ["GET /acme/big?page=2 HTTP/1.1"]


class Branches(Acme):
    """Accounts have addresses of their own, files lie with somebody else."""

    hosts = ("api.acme.test", "*.accounts.acme.test")
    open_hosts = ("store.example",)

    def address(self, call: Call, credential: Credential) -> Call:
        return replace(call, path=call.path.replace("{box}", credential.fields.get("box", "")))

    def locate(self, credential: Credential) -> str:
        return f"https://{credential.fields['town']}.accounts.acme.test"


def test_a_call_goes_to_the_accounts_own_address(tmp_path: Path, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(url="https://ulm.accounts.acme.test/boxes/7", json={})
    httpx_mock.add_response(url=f"{BASE}/oauth/hello", json={})
    rig = Rig(tmp_path, Credential("token", TOKEN, fields={"town": "ulm", "box": "7"}))
    rig.session.provider = Branches({})
    rig.sender._wire = Wire("acme", BASE, Branches.hosts)
    rig.send(Call("GET", "/boxes/{box}", route="/boxes/{box}"))
    with pytest.raises(LumioError, match=r"refused .* bonn\.accounts"):
        rig.send(Call("GET", "https://bonn.accounts.acme.test/boxes/7"))
    # Without a credential there is no account.
    rig.send(Call("GET", "/oauth/hello", auth=False))
    assert [call.label for call in rig.limiter.acquired] == ["/boxes/{box}", "/oauth/hello"]


class Boxes(Branches):
    """Boxes are counted one by one, and whose box it is the credential knows."""

    def address(self, call: Call, credential: Credential) -> Call:
        return replace(call, keys={"box": credential.fields["box"]})


def test_what_is_exhausted_is_the_quota_of_the_call_as_it_was_sent(
    tmp_path: Path, httpx_mock: HTTPXMock
) -> None:
    httpx_mock.add_response(status_code=403, json={"message": "used up"})
    rig = Rig(tmp_path, Credential("token", TOKEN, fields={"town": "ulm", "box": "7"}))
    rig.session.provider = Boxes({})
    rig.sender._wire = Wire("acme", BASE, Branches.hosts)
    said: list[Call] = []
    rig.session._after_verdict = lambda call, *_: said.append(call) or LumioError("no")  # type: ignore[func-returns-value, method-assign]
    with pytest.raises(LumioError):
        rig.send(GET)
    assert [call.keys for call in said] == [{"box": "7"}]


def test_open_hosts_are_asked_without_the_credential_only() -> None:
    wire = Wire("acme", BASE, Branches.hosts, open_hosts=Branches.open_hosts)
    assert wire.url(Call("GET", "https://store.example/file", auth=False)).host == "store.example"
    with pytest.raises(LumioError, match="refused"):
        wire.url(Call("GET", "https://store.example/file"))
    with pytest.raises(LumioError, match="refused"):
        wire.url(Call("GET", "https://elsewhere.example/file", auth=False))


def test_a_parameter_may_have_many_values() -> None:
    wire = Wire("acme", BASE)
    url = wire.url(Call("GET", "/list", params={"id": ["1", "2"], "q": "a b"}))
    assert str(url) == f"{BASE}/list?id=1&id=2&q=a%20b"


def test_a_raw_body_is_sent_as_it_is(tmp_path: Path, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(json={})
    call = Call(
        "PUT", "/rows", content=b"Id,Name\n1,\xc3\xa4", headers={"content-type": "text/csv"}
    )
    Rig(tmp_path).send(call)
    (request,) = httpx_mock.get_requests()
    assert (request.content, request.headers["content-type"]) == (call.content, "text/csv")


def test_a_delayed_call_is_sent_after_its_pause(tmp_path: Path, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(json={})
    rig = Rig(tmp_path)
    rig.send(with_(GET, delay=4.0))
    assert rig.clock.sleeps == [4.0]


def test_the_moment_a_write_leaves_is_told(tmp_path: Path) -> None:
    told: list[bool] = []
    with raw_server(lambda *_: http(b"{}")) as base:
        session = open_acme(tmp_path, base)
        session.send(GET, tally=Tally(on_wire=told.append))
        assert told == []
        session.send(POST, tally=Tally(on_wire=told.append))
        session.close()
    assert told == [False, True]

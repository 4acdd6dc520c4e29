"""How long a session waits, and which accounts and addresses share what it is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_httpx import HTTPXMock

from lumio_cli.core.errors import CircuitOpenError, QuotaError, UnavailableError

from .acme import GET, Rig
from .server import http, raw_server
from .test_session import open_acme


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


@pytest.mark.parametrize("status", [429, 503])
def test_no_wait_is_longer_than_it_can_be(httpx_mock: HTTPXMock, rig: Rig, status: int) -> None:
    rig.limiter.most = 40.0
    httpx_mock.add_response(status_code=status, headers={"retry-after": "315360000"})
    httpx_mock.add_response(json={})
    rig.send(GET)
    assert rig.clock.sleeps == [40.0]


def test_accounts_and_addresses_have_circuits_and_holds_of_their_own(tmp_path: Path) -> None:
    down = "503 Service Unavailable"
    with raw_server(lambda *_: http(b"{}", down)) as one, raw_server(lambda *_: http(b"{}")) as two:
        session = open_acme(tmp_path, one, max_wait=5.0, account="a")
        with pytest.raises(UnavailableError):
            session.send(GET)
        with pytest.raises(CircuitOpenError):
            open_acme(tmp_path, f"{one}/below", max_wait=5.0, account="a").send(GET)
        open_acme(tmp_path, two, max_wait=5.0, account="a").send(GET)
        with pytest.raises(UnavailableError, match="503"):
            open_acme(tmp_path, one, max_wait=5.0, account="b").send(GET)


def test_a_hold_is_that_of_one_account_at_one_address(tmp_path: Path) -> None:
    late = http(b"{}", "429 Too Many Requests", "Retry-After: 30\r\n")
    with raw_server(lambda *_: late) as one, raw_server(lambda *_: http(b"{}")) as two:
        with pytest.raises(QuotaError, match="exceeded"):
            open_acme(tmp_path, one, max_wait=5.0, account="a").send(GET)
        with pytest.raises(QuotaError, match="lets no request through"):
            open_acme(tmp_path, one, max_wait=5.0, account="a").send(GET)
        open_acme(tmp_path, two, max_wait=5.0, account="a").send(GET)
        with pytest.raises(QuotaError, match="exceeded"):
            open_acme(tmp_path, one, max_wait=5.0, account="b").send(GET)

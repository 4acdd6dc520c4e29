"""The checks one by one: what each finds, and that none of them can stop the others."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.config.global_options import Globals
from lumio_cli.core.errors import HubError, StoppedError
from lumio_cli.core.redact import Redactor
from lumio_cli.core.stop import Stop
from lumio_cli.hub.sqlite.database import Hub
from lumio_cli.runtime import Runtime
from lumio_cli.services.diagnostics.check import Check, Finding, Rules, limited, run_all
from lumio_cli.services.diagnostics.context import Scene
from lumio_cli.services.diagnostics.provider_context import find_subject
from lumio_cli.services.diagnostics.run import diagnose

TOKEN = "pat-na1-11111111-2222-4333-8444-555555555555"


@contextmanager
def runtime_at(home: Path, **environ: str) -> Iterator[Runtime]:
    """A runtime without a terminal, whose credentials come from the environment alone."""
    values = {"LUMIO_HOME": str(home), "LUMIO_CREDENTIALS__STORE": "vault", **environ}
    streams: dict[str, Any] = {name: io.StringIO() for name in ("stdin", "stdout", "stderr")}
    runtime = Runtime(Globals(no_input=True), environ=values, **streams)
    try:
        yield runtime
    finally:
        runtime.close()


def found(home: Path, name: str, *, offline: bool = True, **environ: str) -> dict[str, Any]:
    """What the general check `name` finds."""
    with runtime_at(home, **environ) as runtime:
        report = diagnose(runtime, offline=offline).as_json()
    return next(check for check in report["checks"] if check["name"] == name)


def make_hub(home: Path) -> Path:
    path = home / "lumio.db"
    Hub.open(path).close()
    return path


# -- how checks are run


def rules(stop: Stop | None = None, *, offline: bool = False, limit: float = 5.0) -> Rules:
    return Rules(Redactor([TOKEN]), stop or Stop(), offline, limit)


def test_a_check_that_hangs_fails_in_time_and_the_next_one_runs() -> None:
    release = threading.Event()

    def hang() -> Finding:
        release.wait(30)
        return Finding("pass", "late")

    begin = time.monotonic()
    hung, fine = run_all(
        [Check("hung", hang), Check("fine", lambda: Finding("pass", "fine"))], rules(limit=0.1)
    )
    release.set()
    assert time.monotonic() - begin < 3
    assert (hung.finding.status, fine.finding.status) == ("fail", "pass")
    assert "no answer within 0.1 s" in hung.finding.detail
    assert hung.finding.hint


def test_a_check_that_breaks_is_a_finding_with_a_hint() -> None:
    def broken() -> Finding:
        raise ZeroDivisionError("by zero")

    def known() -> Finding:
        raise HubError("the hub is gone", hint="look for it")

    def silent() -> Finding:
        raise HubError("the hub is gone")

    results = run_all([Check("a", broken), Check("b", known), Check("c", silent)], rules())
    assert [r.finding.status for r in results] == ["fail"] * 3
    assert "ZeroDivisionError: by zero" in results[0].finding.detail
    assert results[1].finding.hint == "look for it"
    assert all(r.finding.hint for r in results)


def test_what_a_check_says_is_redacted() -> None:
    finding = Finding("fail", f"saw {TOKEN}", f"remove {TOKEN}", {"x": [TOKEN]})
    (result,) = run_all([Check("leak", lambda: finding)], rules())
    assert TOKEN not in str(result.as_json())


def test_offline_skips_what_needs_the_network() -> None:
    def never() -> Finding:
        raise AssertionError("it was asked")

    (result,) = run_all([Check("net", never, network=True)], rules(offline=True))
    assert result.finding.status == "skip"


def test_a_stop_ends_a_check_that_waits() -> None:
    stop, release = Stop(), threading.Event()
    threading.Timer(0.1, lambda: stop.set("Ctrl-C", 130)).start()
    with pytest.raises(StoppedError):
        limited(lambda: release.wait(30), 30, stop)
    release.set()


# -- a provider that cannot be reached


def provider_checks(home: Path, base_url: str, **environ: str) -> dict[str, dict[str, Any]]:
    values = {
        "LUMIO_HUBSPOT_TOKEN": TOKEN,
        "LUMIO_PROVIDERS__HUBSPOT__BASE_URL": base_url,
        **environ,
    }
    with runtime_at(home, **values) as runtime:
        document = diagnose(runtime, ["hubspot"]).as_json()
    (entry,) = document["providers"]
    return {check["name"]: check for check in entry["checks"]}


def test_a_port_where_nobody_listens(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    checks = provider_checks(tmp_path, f"http://127.0.0.1:{port}")
    assert checks["dns"]["status"] == "pass"
    assert checks["connection"]["status"] == "fail"
    assert "refuses connections" in checks["connection"]["detail"]
    assert checks["connection"]["hint"]
    assert checks["authentication"]["status"] == checks["clock_skew"]["status"] == "skip"
    assert "refuses connections" in checks["authentication"]["detail"]


def test_a_name_that_does_not_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    checks = provider_checks(tmp_path, "https://api.nowhere.invalid")
    assert checks["dns"]["status"] == "fail"
    assert "api.nowhere.invalid" in checks["dns"]["detail"]
    assert {checks[n]["status"] for n in ("connection", "tls", "authentication")} == {"skip"}


def test_plain_http_to_another_machine_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    checks = provider_checks(tmp_path, "http://192.0.2.1")
    assert checks["connection"]["status"] == "fail"
    assert "in the clear" in checks["connection"]["detail"]
    assert checks["authentication"]["status"] == "skip"


def test_a_proxy_on_the_way_resolves_the_name(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    checks = provider_checks(
        tmp_path,
        "https://api.nowhere.invalid",
        LUMIO_HTTP__PROXY=f"http://me:secret-password@127.0.0.1:{port}",
    )
    assert checks["dns"]["status"] == "skip"
    assert checks["connection"]["status"] == "fail"
    assert "secret-password" not in str(checks)


def test_no_credential_is_a_finding_and_the_rest_goes_on(tmp_path: Path) -> None:
    with runtime_at(tmp_path, LUMIO_VAULT_KEY="00" * 32) as runtime:
        document = diagnose(runtime, ["hubspot"], offline=True).as_json()
    checks = {c["name"]: c for c in document["providers"][0]["checks"]}
    assert checks["credential"]["status"] == "fail"
    assert "lumio connect hubspot" in checks["credential"]["hint"]
    assert checks["authentication"]["status"] == checks["dns"]["status"] == "skip"
    assert checks["last_runs"]["status"] == "warn"


def test_an_open_circuit_is_found(tmp_path: Path) -> None:
    with runtime_at(tmp_path, LUMIO_HUBSPOT_TOKEN=TOKEN) as runtime:
        breaker = find_subject(Scene(runtime), "hubspot").breaker()
        for _ in range(5):
            breaker.failure("HTTP 503")
        document = diagnose(runtime, ["hubspot"], offline=True).as_json()
    checks = {c["name"]: c for c in document["providers"][0]["checks"]}
    assert checks["circuit"]["status"] == "fail"
    assert checks["circuit"]["facts"]["state"] == "open"

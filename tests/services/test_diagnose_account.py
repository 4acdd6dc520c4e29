"""What the diagnosis says of credentials, quotas and the circuit."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from lumio_cli.core.clock import utc
from lumio_cli.providers.contract.auth import Credential
from lumio_cli.providers.contract.call import Call
from lumio_cli.providers.contract.quota import Allowance
from lumio_cli.runtime import Runtime
from lumio_cli.services.diagnostics import account_checks
from lumio_cli.services.diagnostics.context import Scene
from lumio_cli.services.diagnostics.provider_context import Subject, find_subject
from services.test_diagnose import runtime_at
from support.clock import FakeClock


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    with runtime_at(tmp_path, LUMIO_VAULT_KEY="00" * 32) as runtime:
        runtime.__dict__["clock"] = FakeClock(time.time())
        yield runtime


def subject_of(runtime: Runtime) -> Subject:
    return find_subject(Scene(runtime), "hubspot")


@pytest.mark.parametrize(
    ("refresh", "days", "status", "words"),
    [
        ("", None, "pass", "does not say when it ends"),
        ("", 30, "pass", "ends in 30 d"),
        ("", 3, "warn", "ends in 3 d"),
        ("", -1, "fail", "ended 23 h 59 min ago"),
        ("renewal-token", -1, "pass", "renewed by itself"),
    ],
)
def test_when_a_stored_credential_ends(
    runtime: Runtime, refresh: str, days: float | None, status: str, words: str
) -> None:
    now = utc(round(runtime.clock.time()) + 1)
    end = None if days is None else now + timedelta(days=days)
    runtime.credentials.save("hubspot", Credential("oauth", "some-access-token", refresh, end))
    finding = account_checks.credential(subject_of(runtime))
    assert (finding.status, words in finding.detail) == (status, True), finding
    assert "vault" in finding.detail
    assert bool(finding.hint) == (status != "pass")


def test_a_quota_that_is_held_back_or_low_is_a_warning(runtime: Runtime) -> None:
    subject = subject_of(runtime)
    assert account_checks.quota(subject).status == "pass"
    call = Call("GET", "/crm/v3/owners")
    subject.limiter().observe(call, [Allowance("daily", 1_000_000, 5_000)])
    low = account_checks.quota(subject)
    assert (low.status, "daily 5 000 of 1 000 000" in low.detail) == ("warn", True)
    assert "quota_share" in (low.hint or "")
    subject.limiter().hold(call, "burst", 60, "429 with Retry-After 60")
    held = account_checks.quota(subject)
    assert (held.status, "burst is held back" in held.detail) == ("warn", True)
    assert held.facts["levels"][0]["held_until"].endswith("Z")


def test_a_circuit_opens_and_is_tried_again(runtime: Runtime) -> None:
    subject, clock = subject_of(runtime), runtime.clock
    assert account_checks.circuit(subject).status == "pass"
    breaker = subject.breaker()
    for _ in range(5):
        breaker.failure("HTTP 503")
    assert account_checks.circuit(subject).status == "fail"
    clock.advance(3600)  # type: ignore[attr-defined]
    half = account_checks.circuit(subject)
    assert (half.status, half.hint) == ("warn", "lumio sync hubspot tries it")


def test_scopes_are_remembered_where_nobody_asks_now(runtime: Runtime) -> None:
    subject = subject_of(runtime)
    assert account_checks.scopes(subject).status == "skip"
    granted = ("crm.objects.contacts.read",)
    runtime.credentials.save("hubspot", Credential("token", "some-access-token", scopes=granted))
    account_checks.credential(subject)
    finding = account_checks.scopes(subject)
    assert finding.status == "warn"
    assert "deals" in finding.facts["missing"]
    assert "contacts" not in finding.facts["missing"]

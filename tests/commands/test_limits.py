"""`lumio limits`: what holds requests back, and how it is lifted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.cli import lumio
from support.lab import Lab
from support.trials import LIST, MakeLab, make_lab, told  # noqa: F401

NOW = ("--max-wait", "0")
ROW = {"provider", "quota", "limit", "remaining", "reset_at", "held_until", "reason"}


@pytest.fixture
def lab(make_lab: MakeLab) -> Lab:  # noqa: F811
    return make_lab(records=3)


def shown(lab: Lab, *words: str) -> dict[str, dict[str, Any]]:
    """The rows of HubSpot's limits by quota, without network and credential."""
    environ = {"LUMIO_HUBSPOT_TOKEN": None}
    done = lab.lumio("limits", "show", *words, environ=environ)
    assert done.code == 0, done.out
    assert all(set(row) == ROW for row in done.document["limits"])
    return {row["quota"]: row for row in done.document["limits"]}


def test_nothing_is_there_and_nothing_is_made(tmp_path: Path) -> None:
    for words in (("show",), ("show", "hubspot"), ("clear",)):
        done = lumio("limits", *words, "-o", "json", home=tmp_path)
        assert (done.code, done.json) == (0, {"limits": []})
    assert list(tmp_path.iterdir()) == []
    assert "nothing was asked" in lumio("limits", "show", home=tmp_path, terminal=True).out
    assert lumio("limits", "show", "hubspt", home=tmp_path).code == 2


def test_a_hold_is_shown_with_its_reason_and_lifted(lab: Lab) -> None:
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    assert set(shown(lab)) == {"burst", "search", "daily", "circuit"}
    assert not any(row["reason"] for row in shown(lab).values())
    lab.sandbox.faults.set([f"429:30:path={LIST}"])
    full = ("hubspot/contacts", "--mode", "full", *NOW)
    for _ in range(2):
        failed = lab.lumio("sync", *full)
        assert (failed.code, told(failed)["code"]) == (5, "quota_exhausted")
        assert "`lumio limits show hubspot`" in told(failed)["hint"]
    burst = shown(lab, "hubspot")["burst"]
    assert burst["held_until"].endswith("Z")
    assert "429 with Retry-After 30" in burst["reason"]
    lab.sandbox.faults.clear()
    cleared = lab.lumio("limits", "clear", "hubspot").document["limits"]
    assert cleared == [burst]
    assert shown(lab)["burst"]["held_until"] is None
    assert lab.lumio("sync", *full).code == 0


def test_an_open_circuit_is_shown_and_closed(lab: Lab) -> None:
    lab.sandbox.faults.set([f"503:path={LIST}"])
    assert lab.lumio("sync", "hubspot/contacts").code == 5
    circuit = shown(lab)["circuit"]
    assert (circuit["limit"], circuit["remaining"]) == (None, None)
    assert (circuit["reason"], bool(circuit["held_until"])) == ("circuit open: HTTP 503", True)
    lab.sandbox.faults.clear()
    home, env = lab.home, {**lab.environ, "COLUMNS": "80"}
    table = lumio("limits", "show", home=home, env=env, terminal=True).out
    assert "circuit open: HTTP 503" in table
    closed = lumio("limits", "clear", home=home, env=env, terminal=True).out
    assert closed.endswith("lifted: hubspot/circuit\n")
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    assert lumio("limits", "clear", home=home, env=env, terminal=True).out == (
        "nothing was held back\n"
    )


def test_a_day_that_is_used_up_is_shown_and_lifted(lab: Lab) -> None:
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    used = 1_000_000 - shown(lab)["daily"]["remaining"]
    scarce = {"LUMIO_PROVIDERS__HUBSPOT__LIMITS": f'{{"burst":100000,"daily":{used:.0f}}}'}
    failed = lab.lumio("sync", "hubspot/contacts", environ=scarce)
    assert "`lumio limits show hubspot`" in told(failed)["hint"]
    row = lab.lumio("limits", "show", environ=scarce).document["limits"][2]
    assert (row["quota"], row["remaining"]) == ("daily", 0)
    assert row["reason"] == "daily quota used up, as counted here"
    lifted = lab.lumio("limits", "clear", environ=scarce).document["limits"]
    assert [entry["quota"] for entry in lifted] == ["daily"]
    row = lab.lumio("limits", "show", environ=scarce).document["limits"][2]
    assert (row["remaining"], row["reason"]) == (used, None)


def test_what_holds_another_address_says_whose_it_is(lab: Lab, make_lab: MakeLab) -> None:  # noqa: F811
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    lab.sandbox.faults.set([f"429:30:path={LIST}"])
    assert lab.lumio("sync", "hubspot/contacts", "--mode", "full", *NOW).code == 5
    here, elsewhere = lab.sandbox, make_lab(records=3)
    lab.sandbox = elsewhere.sandbox
    rows = lab.lumio("limits", "show").document["limits"]
    (held,) = [row for row in rows if row["held_until"]]
    assert f"@{here.base_url('hubspot').removesuffix('/hubspot')}" in held["reason"]
    assert lab.lumio("sync", "hubspot/contacts", "--mode", "full", *NOW).code == 0

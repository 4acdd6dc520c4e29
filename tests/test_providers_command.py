"""`lumio providers`: what it says comes from the declarations, without network or keyring."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lumio_cli.providers.contract.quota import Quota
from lumio_cli.providers.registry import OURS, provider_class
from lumio_cli.services.catalog import quota_text
from support.cli import lumio


def test_the_list(tmp_path: Path) -> None:
    rows = {
        r["provider"]: r for r in lumio("providers", "-o", "json", home=tmp_path).json["providers"]
    }
    assert set(OURS) <= set(rows)
    hubspot = rows["hubspot"]
    assert hubspot["category"] == "CRM"
    assert hubspot["connected"] is False
    assert "token" in hubspot["auth"]
    assert hubspot["resources"] == [r.name for r in provider_class("hubspot").resources]
    assert hubspot["limits"]


def test_a_credential_that_is_handed_over_counts_and_the_keyring_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    done = lumio("providers", home=tmp_path, env={"LUMIO_HUBSPOT_TOKEN": "t"})
    header, *lines = done.out.splitlines()
    row = dict(zip(header.split("\t"), lines[0].split("\t"), strict=True))
    assert (row["provider"], row["connected"]) == ("hubspot", "true")
    assert done.err == ""


def test_all_about_one(tmp_path: Path) -> None:
    cls = provider_class("hubspot")
    about = lumio("providers", "show", "hubspot", "-o", "json", home=tmp_path).json
    assert about["guide"] == list(cls.guide)
    assert [r["resource"] for r in about["resources"]] == [r.name for r in cls.resources]
    assert [q["quota"] for q in about["quotas"]] == [q.name for q in cls.quotas]
    assert [s["name"] for s in about["settings"]] == [f.name for f in cls.fields]
    shown = lumio("providers", "show", "hubspot", "-o", "table", home=tmp_path).out
    for word in ("How to connect it:", "Scopes to read:", "Resources", "Quotas", "Settings"):
        assert word in shown
    for resource in cls.resources:
        assert resource.name in shown


@pytest.mark.parametrize(
    ("quota", "text"),
    [
        (Quota("burst", 190, 10), "burst: 190 in 10 s"),
        (Quota("search", 5, 1.0), "search: 5 in 1 s"),
        (Quota("daily", 1_000_000, kind="daily"), "daily: 1 000 000 a day"),
        (Quota("side", 4, kind="concurrency"), "side: 4 at once"),
    ],
)
def test_quotas_in_words(quota: Quota, text: str) -> None:
    assert quota_text(quota) == text

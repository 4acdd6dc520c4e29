"""`lumio cache`: what is kept in each layer, and how it goes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.sandbox import Sandbox
from support.cli import lumio


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(records=5) as running:
        yield running


@pytest.fixture
def env(sandbox: Sandbox) -> dict[str, str]:
    return {
        "LUMIO_HUBSPOT_TOKEN": sandbox.token(),
        "LUMIO_PROVIDERS__HUBSPOT__BASE_URL": sandbox.base_url(),
    }


def hubspot(home: Path, env: dict[str, str], *words: str) -> dict[str, Any]:
    """The only entry of `lumio cache show`."""
    done = lumio("cache", "show", *words, "-o", "json", home=home, env=env)
    assert done.code == 0, done.out
    return next(iter(done.json["providers"]))


def test_nothing_is_there_and_nothing_is_made(tmp_path: Path) -> None:
    shown = lumio("cache", "show", "-o", "json", home=tmp_path)
    assert shown.json["providers"] == []
    assert hubspot(tmp_path, {}, "hubspot")["disk"]["entries"] == 0
    cleared = lumio("cache", "clear", "-o", "json", home=tmp_path)
    assert cleared.json == {"removed": {"disk": 0, "hub": 0}}
    assert list(tmp_path.iterdir()) == []


def test_layers_and_hits_are_counted_and_cleared(tmp_path: Path, env: dict[str, str]) -> None:
    # The first run does not know the account yet, by which answers are kept apart.
    for _ in range(3):
        assert lumio("sync", "hubspot/owners", "hubspot/deals", home=tmp_path, env=env).code == 0
    kept = hubspot(tmp_path, env)
    assert kept["provider"] == "hubspot"
    assert kept["disk"]["entries"] == kept["hub"]["entries"] > 0
    assert kept["disk"]["bytes"] > 0
    assert kept["disk"]["newest_at"].endswith("Z")
    assert kept["answered"]["miss"] >= kept["disk"]["entries"]
    assert kept["answered"]["disk"] > 0
    assert 0 < kept["hit_rate"] < 100
    table = lumio("cache", "show", home=tmp_path, env={**env, "COLUMNS": "200"}, terminal=True)
    assert "from disk" in table.out
    cleared = lumio("cache", "clear", "hubspot", home=tmp_path, env=env)
    count = kept["disk"]["entries"]
    assert cleared.out == f"removed {count} answers from the disk and {count} from the hub\n"
    after = hubspot(tmp_path, env)
    assert (after["disk"]["entries"], after["hub"]["entries"]) == (0, 0)
    assert after["answered"] == kept["answered"]


def test_a_damaged_layer_is_named_and_made_anew(tmp_path: Path, env: dict[str, str]) -> None:
    assert lumio("sync", "hubspot/owners", home=tmp_path, env=env).code == 0
    for file in (tmp_path / "cache" / "http").glob("cache.db*"):
        file.write_bytes(b"this is no database at all" * 100)
    shown = lumio("cache", "show", "-o", "json", home=tmp_path, env=env)
    assert (shown.code, shown.json["error"]["code"]) == (1, "cache_unreadable")
    assert lumio("cache", "clear", home=tmp_path, env=env).code == 0
    assert hubspot(tmp_path, env)["disk"]["entries"] == 0


def test_an_unknown_provider_and_a_cache_that_is_off(tmp_path: Path) -> None:
    for word in ("show", "clear"):
        assert lumio("cache", word, "hubspt", home=tmp_path).code == 2
    off = lumio("cache", "show", home=tmp_path, env={"LUMIO_CACHE__ENABLED": "false"})
    assert "switched off" in off.err

"""`lumio disconnect`: the credential goes, the records stay."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from lumio_cli.app import run
from lumio_cli.sandbox import Sandbox
from support.cli import Stream, lumio


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(records=5) as running:
        yield running


@pytest.fixture
def env(sandbox: Sandbox) -> dict[str, str]:
    return {
        "LUMIO_VAULT_KEY": "0123456789abcdef" * 4,
        "LUMIO_PROVIDERS__HUBSPOT__BASE_URL": sandbox.base_url(),
    }


@pytest.fixture
def home(tmp_path: Path, env: dict[str, str], sandbox: Sandbox) -> Path:
    """Connected, with ten owners in the hub."""
    words = ("connect", "hubspot", "--token-stdin")
    assert lumio(*words, home=tmp_path, env=env, stdin=sandbox.token()).code == 0
    assert lumio("sync", "hubspot/owners", home=tmp_path, env=env).code == 0
    return tmp_path


def account(home: Path) -> int:
    db = sqlite3.connect(home / "lumio.db")
    try:
        return int(db.execute("SELECT count(*) FROM lumio_accounts").fetchone()[0])
    finally:
        db.close()


def test_the_credential_goes_and_the_records_stay(home: Path, env: dict[str, str]) -> None:
    told = lumio("disconnect", "hubspot", "--yes", "-o", "json", home=home, env=env)
    assert told.code == 0
    assert told.json == {
        "provider": "hubspot",
        "status": "disconnected",
        "removed": True,
        "remaining": None,
        "records_kept": 10,
    }
    assert account(home) == 0
    failed = lumio("sync", "hubspot", "-o", "json", home=home, env=env)
    assert failed.code == 4
    again = lumio("disconnect", "hubspot", "-y", home=home, env=env)
    assert again.code == 0
    assert again.out == "hubspot was not connected; its 10 records stay in the hub\n"


def test_it_asks_for_the_name(home: Path, env: dict[str, str]) -> None:
    cannot = lumio("disconnect", "hubspot", "-o", "json", home=home, env=env)
    assert (cannot.code, cannot.json["error"]["hint"]) == (2, "use --yes")

    def answer(text: str) -> int:
        streams = [Stream(terminal=True) for _ in range(2)]
        environ = {"LUMIO_HOME": str(home), **env}
        stdin = Stream(f"{text}\n", terminal=True)
        words = ["disconnect", "hubspot"]
        return run(words, environ=environ, stdin=stdin, stdout=streams[0], stderr=streams[1])

    assert answer("yes") == 2
    assert account(home) == 1
    assert answer("hubspot") == 0
    assert account(home) == 0


def test_what_lumio_cannot_remove(home: Path, env: dict[str, str], sandbox: Sandbox) -> None:
    given = {**env, "LUMIO_HUBSPOT_TOKEN": sandbox.token()}
    first = lumio("disconnect", "hubspot", "--yes", home=home, env=given)
    assert first.code == 0
    assert "still connected by LUMIO_HUBSPOT_TOKEN" in first.err
    assert account(home) == 1
    second = lumio("disconnect", "hubspot", "--yes", "-o", "json", home=home, env=given)
    assert (second.code, second.json["error"]["code"]) == (4, "credential_given")


def test_without_a_hub_and_with_a_wrong_name(tmp_path: Path, env: dict[str, str]) -> None:
    assert lumio("disconnect", "hubspot", "--yes", home=tmp_path, env=env).code == 0
    assert not (tmp_path / "lumio.db").exists()
    wrong = lumio("disconnect", "hubspt", "--yes", home=tmp_path, env=env)
    assert wrong.code == 2
    assert "did you mean 'hubspot'?" in wrong.err

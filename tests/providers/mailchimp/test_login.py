"""Connecting, as an operator does it: with a key, and with a browser."""

from __future__ import annotations

import os
import threading
import urllib.request
import webbrowser
from collections.abc import Iterator
from pathlib import Path

import pytest

from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.lookalike import CLIENT_ID, CLIENT_SECRET
from support.cli import lumio

VAULT_KEY = "0123456789abcdef" * 4


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(records=5, providers=["mailchimp"]) as running:
        yield running


@pytest.fixture
def env(sandbox: Sandbox) -> dict[str, str]:
    return {
        "LUMIO_VAULT_KEY": VAULT_KEY,
        "LUMIO_PROVIDERS__MAILCHIMP__BASE_URL": sandbox.base_url("mailchimp"),
        "PATH": os.environ["PATH"],
    }


def test_a_key_is_proved_and_used(tmp_path: Path, env: dict[str, str], sandbox: Sandbox) -> None:
    words = ("connect", "mailchimp", "--token-stdin", "-o", "json")
    done = lumio(*words, home=tmp_path, env=env, stdin=sandbox.token("mailchimp"))
    assert done.code == 0, done.out
    assert done.json["account"]["name"] == "Freddie's 商店"
    synced = lumio("sync", "mailchimp", "-o", "json", home=tmp_path, env=env)
    assert synced.code == 0, synced.out


def test_a_login_with_a_browser_learns_the_data_centre(
    tmp_path: Path, env: dict[str, str], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def visit(url: str) -> bool:
        def load() -> None:
            with urllib.request.urlopen(url, timeout=10) as answer:
                answer.read()

        threading.Thread(target=load, daemon=True).start()
        return True

    monkeypatch.setattr(webbrowser, "open", visit)
    words = ("--oauth", "--port", "0", "--set", f"client_id={CLIENT_ID}", "-o", "json")
    secret = {"LUMIO_MAILCHIMP_CLIENT_SECRET": CLIENT_SECRET}
    done = lumio("connect", "mailchimp", *words, home=tmp_path, env={**env, **secret})
    assert done.code == 0, done.out + done.err
    assert done.json["credential"]["kind"] == "oauth"
    assert done.json["credential"]["expires_at"] is None
    synced = lumio("sync", "mailchimp/audiences", "-o", "json", home=tmp_path, env=env)
    assert synced.code == 0, synced.out
    paths = [path for _, _, path, _ in sandbox.requests]
    assert "/mailchimp/oauth2/metadata" in paths and "/mailchimp/3.0/lists" in paths

"""`lumio vault`: made, looked at, and given another key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lumio_cli.output.prompt import Prompt
from support.cli import lumio

KEY = "0123456789abcdef" * 4
PHRASE = "a phrase that is long enough"


def answers(monkeypatch: pytest.MonkeyPatch, *texts: str) -> None:
    """What the operator types at hidden prompts."""
    queue = list(texts)
    monkeypatch.setattr(Prompt, "_getpass", lambda self, question: queue.pop(0))


def keep(home: Path, **env: str) -> int:
    words = ("connect", "hubspot", "--token-stdin", "--no-verify")
    return lumio(*words, home=home, env=env, stdin="t" * 40).code


def test_a_key_file_is_made_and_used(tmp_path: Path) -> None:
    key = tmp_path / "keys" / "vault"
    done = lumio("vault", "init", "--key-file", str(key), "-o", "json", home=tmp_path)
    assert done.code == 0
    assert done.json["next_step"] == f"set LUMIO_VAULT_KEY_FILE={key}"
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.read_text().strip() not in done.out + done.err
    assert keep(tmp_path, LUMIO_VAULT_KEY_FILE=str(key)) == 0
    status = lumio("vault", "status", "-o", "json", home=tmp_path).json
    assert (status["exists"], status["entries"], status["kdf"]) == (True, 1, "none")
    again = lumio("vault", "init", "--key-file", str(key), "-o", "json", home=tmp_path)
    assert again.code == 2


def test_the_key_of_the_environment(tmp_path: Path) -> None:
    done = lumio("vault", "init", home=tmp_path, env={"LUMIO_VAULT_KEY": KEY})
    assert done.code == 0
    assert "LUMIO_VAULT_KEY" in done.out
    assert KEY not in done.out + done.err
    assert done.err == ""


def test_without_a_key_it_says_how_to_give_one(tmp_path: Path) -> None:
    done = lumio("vault", "init", "-o", "json", home=tmp_path)
    assert done.code == 2
    assert "--key-file" in done.json["error"]["hint"]
    both = lumio("vault", "init", "--key-file", "k", "--passphrase", home=tmp_path)
    assert both.code == 2
    nowhere = lumio("vault", "init", "--passphrase", "-o", "json", home=tmp_path)
    assert (nowhere.code, nowhere.json["error"]["hint"]) == (2, "use --key-file FILE")


def test_a_passphrase_is_asked_for_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, PHRASE, "another phrase")
    differ = lumio("vault", "init", "--passphrase", home=tmp_path, terminal=True)
    assert differ.code == 4
    answers(monkeypatch, PHRASE, PHRASE)
    done = lumio("vault", "init", "--passphrase", home=tmp_path, terminal=True)
    assert done.code == 0
    assert PHRASE not in done.out + done.err
    assert keep(tmp_path, LUMIO_VAULT_KEY=PHRASE) == 0
    assert keep(tmp_path, LUMIO_VAULT_KEY="not the phrase at all") == 4


def test_another_key_opens_it_and_the_old_one_does_not(tmp_path: Path) -> None:
    old = {"LUMIO_VAULT_KEY": KEY}
    assert keep(tmp_path, **old) == 0
    new = tmp_path / "new"
    done = lumio("vault", "rekey", "--key-file", str(new), home=tmp_path, env=old)
    assert done.code == 0
    assert "set LUMIO_VAULT_KEY_FILE" in done.err
    assert keep(tmp_path, **old) == 4
    assert keep(tmp_path, LUMIO_VAULT_KEY_FILE=str(new)) == 0
    wrong = lumio("vault", "rekey", "-o", "json", home=tmp_path, env=old)
    assert wrong.json["error"]["code"] == "vault_wrong_key"


def test_status_without_a_vault(tmp_path: Path) -> None:
    done = lumio("vault", "status", "-o", "json", home=tmp_path)
    assert (done.code, done.json["exists"]) == (0, False)
    assert lumio("vault", "rekey", "--key-file", "k", home=tmp_path).code == 2


def test_an_old_key_is_a_warning(tmp_path: Path) -> None:
    assert keep(tmp_path, LUMIO_VAULT_KEY=KEY) == 0
    fresh = lumio("vault", "status", home=tmp_path)
    assert fresh.err == ""
    path = tmp_path / "vault.json"
    document = json.loads(path.read_text())
    document["key"]["created_at"] = "2020-01-01T00:00:00Z"
    path.write_text(json.dumps(document))
    done = lumio("vault", "status", home=tmp_path)
    assert done.code == 0
    assert "should be replaced" in done.err
    assert "lumio vault rekey" in done.err

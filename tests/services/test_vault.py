from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lumio_cli.core.errors import CredentialError, UsageError
from lumio_cli.core.paths import find_paths
from lumio_cli.core.redact import Redactor
from lumio_cli.credentials import CredentialSettings, CredentialStore, Vault
from lumio_cli.services.maintenance.vault import (
    init_vault,
    rekey_vault,
    status_json,
    vault_status,
)

PHRASE = "correct horse battery staple"


def open_vault(home: Path, **env: str) -> tuple[Vault, dict[str, str]]:
    environ = {"LUMIO_HOME": str(home), **env}
    paths = find_paths("default", environ)
    store = CredentialStore(paths, environ, CredentialSettings(), Redactor(), scrypt_n=16)
    return store.vault, environ


def answers(*texts: str) -> Callable[[str], str]:
    left = list(texts)
    return lambda _prompt: left.pop(0)


def test_init_with_a_new_key_file(tmp_path: Path) -> None:
    vault, environ = open_vault(tmp_path)
    key = tmp_path / "keys" / "vault.key"
    done = init_vault(vault, environ, key_file=key)
    assert key.stat().st_mode & 0o777 == 0o600
    assert done.as_json() == {
        "path": str(vault.path),
        "key": f"file {key}",
        "entries": 0,
        "next_step": f"set LUMIO_VAULT_KEY_FILE={key}",
    }
    assert key.read_text().strip() not in json.dumps(done.as_json())
    vault, environ = open_vault(tmp_path, LUMIO_VAULT_KEY_FILE=str(key))
    vault.check()
    with pytest.raises(UsageError, match="there is a vault already"):
        init_vault(vault, environ, key_file=tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_init_with_a_key_file_that_is_there(tmp_path: Path) -> None:
    key = tmp_path / "vault.key"
    key.write_text("00" * 32)
    key.chmod(0o644)
    vault, environ = open_vault(tmp_path, LUMIO_VAULT_KEY_FILE=str(key))
    with pytest.raises(CredentialError) as caught:
        init_vault(vault, environ, key_file=key)
    assert caught.value.code == "credential_exposed"
    assert not vault.exists
    key.chmod(0o600)
    assert init_vault(vault, environ, key_file=key).next_step is None
    assert key.read_text() == "00" * 32


def test_init_with_the_key_at_hand(tmp_path: Path) -> None:
    vault, environ = open_vault(tmp_path, LUMIO_VAULT_KEY=PHRASE)
    done = init_vault(vault, environ)
    assert (done.key, done.next_step) == ("LUMIO_VAULT_KEY", None)
    assert vault_status(vault).kdf == "scrypt"


def test_init_without_any_key(tmp_path: Path) -> None:
    vault, environ = open_vault(tmp_path)
    with pytest.raises(UsageError, match="no key was named") as caught:
        init_vault(vault, environ)
    assert "--key-file" in str(caught.value.hint)
    assert not vault.exists


def test_init_with_a_passphrase(tmp_path: Path) -> None:
    vault, environ = open_vault(tmp_path)
    with pytest.raises(CredentialError, match="differ"):
        init_vault(vault, environ, ask=answers(PHRASE, f"{PHRASE}!"))
    with pytest.raises(CredentialError, match="12 characters"):
        init_vault(vault, environ, ask=answers("short", "short"))
    assert not vault.exists
    done = init_vault(vault, environ, ask=answers(PHRASE, PHRASE))
    assert (done.key, done.next_step) == ("passphrase", None)
    open_vault(tmp_path, LUMIO_VAULT_KEY=PHRASE)[0].check()


def test_rekey(tmp_path: Path) -> None:
    vault, environ = open_vault(tmp_path, LUMIO_VAULT_KEY=PHRASE)
    with pytest.raises(UsageError, match="no vault"):
        rekey_vault(vault, environ, key_file=tmp_path / "new")
    vault.set("lumio", "default:hubspot", "token")
    with pytest.raises(UsageError, match="no key was named"):
        rekey_vault(vault, environ)
    done = rekey_vault(vault, environ, key_file=tmp_path / "new")
    assert (done.entries, done.key) == (1, f"file {tmp_path / 'new'}")
    vault, environ = open_vault(tmp_path, LUMIO_VAULT_KEY_FILE=str(tmp_path / "new"))
    assert vault.get("lumio", "default:hubspot") == "token"
    done = rekey_vault(vault, environ, ask=answers(PHRASE, PHRASE))
    assert done.next_step == f"take the old key out of file {tmp_path / 'new'}"


def test_rekey_makes_no_key_where_the_old_one_is_wrong(tmp_path: Path) -> None:
    open_vault(tmp_path, LUMIO_VAULT_KEY=PHRASE)[0].set("lumio", "u", "v")
    vault, environ = open_vault(tmp_path, LUMIO_VAULT_KEY="some other passphrase")
    with pytest.raises(CredentialError, match="does not open"):
        rekey_vault(vault, environ, key_file=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_status_as_json(tmp_path: Path) -> None:
    vault, _ = open_vault(tmp_path, LUMIO_VAULT_KEY=PHRASE)
    assert status_json(vault_status(vault))["exists"] is False
    vault.set("lumio", "u", "v")
    told = json.loads(json.dumps(status_json(vault_status(vault))))
    assert told["path"] == str(vault.path)
    assert (told["entries"], told["key_source"], told["overdue"]) == (1, "LUMIO_VAULT_KEY", False)

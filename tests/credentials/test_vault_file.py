from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

from lumio_cli.core.errors import BusyError, CredentialError, LumioError, StoppedError, UsageError
from lumio_cli.core.locks import FileLock
from lumio_cli.core.stop import Stop
from lumio_cli.credentials import Vault
from lumio_cli.credentials.vault_backend import VaultKeyring
from lumio_cli.credentials.vault_key import KeySource, KeyText, create_key_file, read_key_file

KEY = bytes(range(32))
OTHER = base64.b64encode(bytes(32)).decode()
PHRASE = "correct horse battery staple"
DAY = 86400.0


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float, stop: Stop) -> None:
        self.now += seconds


def open_vault(
    path: Path,
    key: str | None = KEY.hex(),
    *,
    ask: Callable[[str], str] | None = None,
    clock: Clock | None = None,
    **options: Any,
) -> Vault:
    environ = {} if key is None else {"LUMIO_VAULT_KEY": key}
    return Vault(
        path / "vault.json",
        KeySource(environ, ask=ask),
        clock=clock or Clock(),
        learn=lambda _secret: None,
        scrypt_n=16,
        **options,
    )


def refusal(code: str, work: Callable[..., Any], *args: Any) -> CredentialError:
    with pytest.raises(CredentialError) as caught:
        work(*args)
    assert caught.value.code == code
    assert caught.value.hint
    return caught.value


# -- what goes in comes out


names = st.text(st.characters(codec="utf-8"), max_size=30)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(entries=st.dictionaries(st.tuples(names, names), names, max_size=6), phrase=st.booleans())
def test_every_entry_comes_back(
    entries: dict[tuple[str, str], str], phrase: bool, tmp_path_factory: Any
) -> None:
    path = tmp_path_factory.mktemp("vault")
    key = PHRASE if phrase else KEY.hex()
    for (service, user), value in entries.items():
        open_vault(path, key).set(service, user, value)
    vault = open_vault(path, key)
    assert vault.names() == sorted(entries)
    assert {name: vault.get(*name) for name in entries} == entries
    if entries:
        assert vault.rekey(KeyText(OTHER, "test")) == len(entries)
        moved = open_vault(path, OTHER)
        assert {name: moved.get(*name) for name in entries} == entries
    for name in entries:
        assert open_vault(path, None).delete(*name)
    assert vault.names() == []


def test_as_a_keyring_backend(tmp_path: Path) -> None:
    backend = VaultKeyring(open_vault(tmp_path))
    assert backend.get_password("lumio", "default:hubspot") is None
    backend.set_password("lumio", "default:hubspot", "one")
    backend.set_password("lumio", "default:hubspot", "two")
    assert backend.get_password("lumio", "default:hubspot") == "two"
    backend.delete_password("lumio", "default:hubspot")
    with pytest.raises(PasswordDeleteError):
        backend.delete_password("lumio", "default:hubspot")
    # Never chosen by keyring itself.
    assert VaultKeyring not in set(KeyringBackend.get_viable_backends())


def test_the_file_is_private_and_holds_no_value(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        vault = open_vault(tmp_path / "config")
        vault.set("lumio", "default:hubspot", "the-token")
        first = vault.path.read_text()
        vault.set("lumio", "default:hubspot", "the-token")
    finally:
        os.umask(old)
    assert vault.path.stat().st_mode & 0o777 == 0o600
    assert vault.path.parent.stat().st_mode & 0o777 == 0o700
    for written in (first, vault.path.read_text()):
        for secret in ("the-token", KEY.hex(), base64.b64encode(KEY).decode()):
            assert secret not in written
    one, two = (json.loads(text)["entries"]["lumio"] for text in (first, vault.path.read_text()))
    assert one["default:hubspot"]["nonce"] != two["default:hubspot"]["nonce"]
    assert len(base64.b64decode(one["default:hubspot"]["nonce"])) == 12


# -- the key


@pytest.mark.parametrize(
    "text",
    [
        KEY.hex(),
        KEY.hex().upper(),
        base64.b64encode(KEY).decode(),
        base64.urlsafe_b64encode(KEY).decode(),
        base64.urlsafe_b64encode(KEY).decode().rstrip("="),
        f"  {KEY.hex()}\n",
    ],
)
def test_one_key_in_all_its_spellings(text: str, tmp_path: Path) -> None:
    open_vault(tmp_path).set("s", "u", "v")
    assert open_vault(tmp_path, text).get("s", "u") == "v"
    assert open_vault(tmp_path).status().kdf == "none"


def test_urlsafe_letters_are_the_plain_ones() -> None:
    raw = bytes([0xFB, 0xEF, 0xFF] * 10 + [0xFF, 0xFE])
    plain, safe = base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()
    assert plain != safe
    assert KeyText(plain, "").raw() == KeyText(safe, "").raw() == raw


def test_a_passphrase_is_derived_with_the_salt_and_cost_of_the_file(tmp_path: Path) -> None:
    open_vault(tmp_path, PHRASE).set("s", "u", "v")
    kdf = json.loads((tmp_path / "vault.json").read_text())["kdf"]
    assert (kdf["name"], kdf["n"], kdf["r"], kdf["p"]) == ("scrypt", 16, 8, 1)
    assert len(base64.b64decode(kdf["salt"])) == 16
    assert open_vault(tmp_path, f"{PHRASE}\n").get("s", "u") == "v"


@pytest.mark.parametrize("made_with", [PHRASE, KEY.hex()])
@pytest.mark.parametrize("wrong", ["another passphrase", OTHER, "x" * 43])
def test_a_wrong_key_is_told_and_changes_nothing(
    made_with: str, wrong: str, tmp_path: Path
) -> None:
    right = open_vault(tmp_path, made_with)
    right.set("s", "u", "v")
    before = right.path.read_bytes()
    vault = open_vault(tmp_path, wrong)
    for work, args in [
        (vault.get, ("s", "u")),
        (vault.set, ("s", "u", "w")),
        (vault.set, ("s", "other", "w")),
        (vault.rekey, (KeyText(OTHER, "test"),)),
        (vault.check, ()),
    ]:
        error = refusal("vault_wrong_key", work, *args)
        assert "LUMIO_VAULT_KEY does not open the vault" in error.message
        assert wrong not in f"{error.message} {error.hint}"
    assert right.path.read_bytes() == before


def test_no_key_and_no_terminal(tmp_path: Path) -> None:
    open_vault(tmp_path).set("s", "u", "v")
    error = refusal("vault_locked", open_vault(tmp_path, None).get, "s", "u")
    assert "LUMIO_VAULT_KEY_FILE" in str(error.hint)
    refusal("vault_locked", open_vault(tmp_path, " ").get, "s", "u")
    # What is not there needs no key to be told.
    assert open_vault(tmp_path, None).get("s", "nobody") is None
    assert open_vault(tmp_path / "none", None).get("s", "u") is None


def test_a_passphrase_is_asked_for_once_and_again_if_it_was_wrong(tmp_path: Path) -> None:
    asked: list[str] = []
    answers = [PHRASE, "not the passphrase", PHRASE]

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return answers.pop(0)

    vault = open_vault(tmp_path, None, ask=ask)
    vault.set("s", "u", "v")
    assert vault.get("s", "u") == "v"
    assert len(asked) == 1
    vault = open_vault(tmp_path, None, ask=ask)
    assert "from passphrase" in refusal("vault_wrong_key", vault.get, "s", "u").message
    assert vault.get("s", "u") == "v"
    assert asked[0] == f"Passphrase of the vault {vault.path}: "


def test_a_short_passphrase_is_refused_for_a_new_vault(tmp_path: Path) -> None:
    vault = open_vault(tmp_path, "too short")
    assert "12 characters" in refusal("vault_weak_key", vault.set, "s", "u", "v").message
    assert not vault.exists


def test_key_files(tmp_path: Path) -> None:
    key = create_key_file(tmp_path / "keys" / "vault.key")
    path = tmp_path / "keys" / "vault.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(key.raw() or b"") == 32
    assert key.text not in repr(key)
    assert read_key_file(path, {}) == KeyText(f"{key.text}\n", f"file {path}")
    assert "File exists" in refusal("vault_unwritable", create_key_file, path).message
    source = KeySource({"LUMIO_VAULT_KEY_FILE": str(path)}, key_file="/ignored")
    assert source.named == f"file {path}"
    assert source.find(tmp_path).raw() == key.raw()
    assert KeySource({}, key_file=str(path)).find(tmp_path).raw() == key.raw()
    assert KeySource({"LUMIO_VAULT_KEY": "x", "LUMIO_VAULT_KEY_FILE": "y"}).named == (
        "LUMIO_VAULT_KEY"
    )
    path.chmod(0o644)
    error = refusal("credential_exposed", source.find, tmp_path)
    assert f"chmod 600 {path}" in str(error.hint)
    path.chmod(0o600)
    path.write_text("\n")
    assert "is empty" in refusal("vault_locked", source.find, tmp_path).message
    path.unlink()
    assert "No such file" in refusal("credential_missing", source.find, tmp_path).message


# -- what others may have done to the file


def edit(path: Path, change: Callable[[Any], Any]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def flip(text: str) -> str:
    raw = bytearray(base64.b64decode(text))
    raw[0] ^= 1
    return base64.b64encode(raw).decode()


def test_a_tampered_entry_is_told_by_name_and_can_be_replaced(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    for user in ("a", "b"):
        vault.set("lumio", user, f"value of {user}")

    def swap(document: Any) -> None:
        users = document["entries"]["lumio"]
        users["a"], users["b"] = users["b"], users["a"]

    def bend(field: str) -> Callable[[Any], None]:
        def change(document: Any) -> None:
            entry = document["entries"]["lumio"]["a"]
            entry[field] = flip(entry[field])

        return change

    def cut(document: Any) -> None:
        document["entries"]["lumio"]["a"] = {"nonce": "AAAA", "data": "*"}

    whole = vault.path.read_bytes()
    for change in (swap, bend("data"), bend("nonce"), cut):
        vault.path.write_bytes(whole)
        edit(vault.path, change)
        error = refusal("vault_damaged", vault.get, "lumio", "a")
        assert "the entry lumio/a is not what was stored" in error.message
        before = vault.path.read_bytes()
        refusal("vault_damaged", vault.rekey, KeyText(OTHER, "test"))
        assert vault.path.read_bytes() == before
        vault.set("lumio", "a", "new")
        assert vault.get("lumio", "a") == "new"


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("format"),
        lambda d: d.update(format="something else"),
        lambda d: d.update(version="1"),
        lambda d: d.pop("entries"),
        lambda d: d.update(entries=[]),
        lambda d: d.update(entries={"lumio": 3}),
        lambda d: d.pop("key"),
        lambda d: d["key"].update(created_at="yesterday"),
        lambda d: d.update(kdf=None),
        lambda d: d.update(kdf={"name": "rot13"}),
        lambda d: d.update(kdf={"name": "scrypt", "n": 2**30, "r": 8, "p": 1, "salt": "AAAA"}),
        lambda d: d.update(kdf={"name": "scrypt", "n": 15, "r": 8, "p": 1, "salt": "AAAA"}),
        lambda d: d.update(kdf={"name": "scrypt", "n": 16, "r": 8, "p": 1, "salt": "*"}),
    ],
)
def test_a_damaged_file(change: Callable[[Any], Any], tmp_path: Path) -> None:
    vault = open_vault(tmp_path, PHRASE)
    vault.set("lumio", "a", "value")
    edit(vault.path, change)
    fresh = open_vault(tmp_path, PHRASE)
    before = fresh.path.read_bytes()
    for work, args in [(fresh.get, ("lumio", "a")), (fresh.set, ("lumio", "b", "v"))]:
        assert str(fresh.path) in refusal("vault_damaged", work, *args).message
    assert fresh.path.read_bytes() == before


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\xff"])
def test_no_vault_at_all(text: str, tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    vault.path.write_text(text, encoding="latin-1")
    for work in (vault.names, vault.status):
        refusal("vault_damaged", work)
    refusal("vault_damaged", vault.set, "s", "u", "v")


def test_a_vault_of_the_future_is_left_alone(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    vault.set("s", "u", "v")
    edit(vault.path, lambda d: d.update(version=2, entries="of another shape"))
    before = vault.path.read_bytes()
    for work, args in [(vault.get, ("s", "u")), (vault.set, ("s", "u", "v")), (vault.status, ())]:
        error = refusal("vault_too_new", work, *args)
        assert "newer lumio" in error.message
    assert vault.path.read_bytes() == before


def test_a_vault_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    vault = open_vault(tmp_path / "dir")
    (tmp_path / "dir" / "vault.json").mkdir(parents=True)
    assert "Is a directory" in refusal("vault_unreadable", vault.names).message
    (tmp_path / "file").touch()
    vault = open_vault(tmp_path / "file")
    assert "cannot be written" in refusal("vault_unwritable", vault.set, "s", "u", "v").message


# -- another key


def test_rekey_keeps_every_entry_and_shuts_out_the_old_key(tmp_path: Path) -> None:
    clock = Clock()
    vault = open_vault(tmp_path, PHRASE, clock=clock)
    for n in range(5):
        vault.set("lumio", f"p:{n}", f"value {n}")
    old = json.loads(vault.path.read_text())
    clock.now += 100 * DAY
    assert vault.rekey(KeyText(OTHER, "test")) == 5
    new = json.loads(vault.path.read_text())
    assert new["key"]["id"] != old["key"]["id"]
    assert new["key"]["created_at"] == old["key"]["created_at"] == "2023-11-14T22:13:20Z"
    assert new["key"]["rotated_at"] == "2024-02-22T22:13:20Z"
    refusal("vault_wrong_key", open_vault(tmp_path, PHRASE).get, "lumio", "p:0")
    refusal("vault_wrong_key", vault.get, "lumio", "p:0")
    moved = open_vault(tmp_path, OTHER)
    assert [moved.get("lumio", f"p:{n}") for n in range(5)] == [f"value {n}" for n in range(5)]


@pytest.mark.parametrize("key", [PHRASE, KEY.hex()])
def test_rekey_with_the_same_key_is_refused(key: str, tmp_path: Path) -> None:
    vault = open_vault(tmp_path, key)
    vault.set("s", "u", "v")
    with pytest.raises(UsageError, match="the old one"):
        vault.rekey(KeyText(f"{key}\n", "test"))


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_an_error_while_writing_leaves_the_old_file_whole(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = open_vault(tmp_path)
    vault.set("s", "u", "v")
    before = vault.path.read_bytes()

    def fail(*_args: Any, **_kw: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync" if call == "fsync" else "pathlib.Path.replace", fail)
        for work, args in [(vault.rekey, (KeyText(OTHER, "test"),)), (vault.set, ("s", "x", "y"))]:
            assert "No space left" in refusal("vault_unwritable", work, *args).message
    assert vault.path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["vault.json", "vault.json.lock"]


CHILD = """
    import os, pathlib, sys
    from lumio_cli.core.clock import SystemClock
    from lumio_cli.credentials import Vault
    from lumio_cli.credentials.vault_key import KeySource, KeyText

    path, what = pathlib.Path(sys.argv[1]), sys.argv[2]
    keys = KeySource({"LUMIO_VAULT_KEY": sys.argv[3]})
    vault = Vault(path, keys, clock=SystemClock(), learn=lambda s: None, scrypt_n=16)
    if what == "crash":
        # As kill -9 does, with the new file written and the old one still in place.
        pathlib.Path.replace = lambda *a: os._exit(9)
        vault.rekey(KeyText("11" * 32, "test"))
    for n in range(20):
        vault.set("lumio", f"{what}:{n}", f"{what} {n}")
"""


def child(path: Path, what: str, key: str = KEY.hex()) -> subprocess.Popen[bytes]:
    # A key on a command line is for tests alone.
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(CHILD), path, what, key])


def test_a_crash_before_the_rename_loses_nothing(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    vault.set("s", "u", "v")
    before = vault.path.read_bytes()
    assert child(vault.path, "crash").wait(30) == 9
    assert vault.path.read_bytes() == before
    assert (tmp_path / "vault.json.tmp").exists()
    vault.set("s", "w", "x")
    assert not (tmp_path / "vault.json.tmp").exists()
    assert (vault.get("s", "u"), vault.get("s", "w")) == ("v", "x")


def test_writers_do_not_lose_each_others_entries(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    writers = [child(vault.path, name) for name in ("a", "b")]
    for writer in writers:
        assert writer.wait(60) == 0
    assert len(vault.names()) == 40
    for name in ("a", "b"):
        for n in range(20):
            assert vault.get("lumio", f"{name}:{n}") == f"{name} {n}"


def test_a_writer_that_does_not_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lumio_cli.credentials.vault._LOCK_WAIT", 0.05)
    vault = open_vault(tmp_path)
    with FileLock(tmp_path / "vault.json.lock"):
        with pytest.raises(BusyError, match="another lumio"):
            vault.set("s", "u", "v")
        stop = Stop()
        stop.set("SIGTERM", 143)
        with pytest.raises(StoppedError):
            open_vault(tmp_path, stop=stop).set("s", "u", "v")


# -- what is said of it


def test_status_needs_no_key(tmp_path: Path) -> None:
    clock = Clock()
    assert open_vault(tmp_path, None).status().exists is False
    assert open_vault(tmp_path).status().key_source == "LUMIO_VAULT_KEY"
    assert open_vault(tmp_path, None).key_age_days is None
    open_vault(tmp_path, clock=clock).set("s", "u", "v")
    vault = open_vault(tmp_path, None, clock=clock)
    for days, overdue in [(0, False), (90.9, False), (91, True)]:
        clock.now = 1_700_000_000.0 + days * DAY
        status = vault.status()
        assert (status.age_days, status.overdue) == (int(days), overdue)
    assert (status.exists, status.entries, status.kdf, status.key_source) == (True, 1, "none", None)
    assert status.key_created_at == "2023-11-14T22:13:20Z"
    clock.now = 0.0
    assert vault.key_age_days == 0


def test_create_never_replaces_a_vault(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    vault.create(KeyText(KEY.hex(), "test"))
    assert vault.names() == []
    with pytest.raises(LumioError, match="a vault already"):
        vault.create(KeyText(OTHER, "test"))
    vault.check()

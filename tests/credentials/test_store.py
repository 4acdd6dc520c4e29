from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
from keyring.backends import fail, null
from keyring.errors import InitError, NoKeyringError

from lumio_cli.core.errors import CredentialError, StoppedError
from lumio_cli.core.redact import Redactor
from lumio_cli.core.stop import Stop
from lumio_cli.credentials import CredentialStore, Loaded
from lumio_cli.providers.contract.auth import Credential

from .conftest import (
    ForgetfulKeyring,
    HangingKeyring,
    MakeStore,
    MemoryKeyring,
    RaisingKeyring,
)

TOKEN = "pat-na1-11111111-2222-3333-4444-555555555555"
OAUTH = Credential(
    "oauth",
    "access-0123456789",
    "refresh-0123456789",
    datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC),
    ("contacts", "oauth"),
    {"client_id": "cid", "client_secret": "hush-0123456789"},
)


def secret_file(path: Path, text: str, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def refusal(work: Any, *args: Any) -> CredentialError:
    with pytest.raises(CredentialError) as caught:
        work(*args)
    assert TOKEN not in f"{caught.value} {caught.value.hint}"
    assert caught.value.hint
    assert caught.value.exit_code == 4
    return caught.value


# -- the order of the sources


def test_every_source_wins_over_those_after_it(
    make_store: MakeStore, memory: MemoryKeyring, tmp_path: Path
) -> None:
    env = {
        "LUMIO_HUBSPOT_TOKEN": "from-variable",
        "LUMIO_HUBSPOT_TOKEN_FILE": str(secret_file(tmp_path / "t", "from-file\n")),
        "CREDENTIALS_DIRECTORY": str(tmp_path / "systemd"),
    }
    systemd = secret_file(tmp_path / "systemd" / "lumio-hubspot", "from-systemd", 0o440)
    command = {"hubspot": [sys.executable, "-c", "print('from-command')"]}
    make_store(memory).save("hubspot", Credential("token", "from-keyring"))

    def load() -> Loaded:
        return make_store(memory, env, token_commands=command).load("hubspot")

    name = Path(sys.executable).name
    for source, token in [
        ("LUMIO_HUBSPOT_TOKEN", "from-variable"),
        (f"file {tmp_path / 't'}", "from-file"),
        (f"file {systemd}", "from-systemd"),
        (f"token_command ({name})", "from-command"),
    ]:
        memory.calls = 0
        loaded = load()
        assert (loaded.source, loaded.credential.token) == (source, token)
        assert not loaded.writable
        assert memory.calls == 0
        if source == f"token_command ({name})":
            command.clear()
        elif source == f"file {systemd}":
            systemd.unlink()
        else:
            del env["LUMIO_HUBSPOT_TOKEN" + ("_FILE" if "file" in source else "")]
    loaded = load()
    assert loaded.source == "keyring (conftest)"
    assert loaded.credential.token == "from-keyring"
    assert loaded.writable


def test_a_given_token_imports_no_keyring(tmp_path: Path) -> None:
    code = """
        import sys
        from lumio_cli.credentials import CredentialSettings, CredentialStore
        from lumio_cli.core.paths import find_paths
        from lumio_cli.core.redact import Redactor
        env = {"LUMIO_HOME": sys.argv[1], "LUMIO_HUBSPOT_TOKEN": "abcdefgh"}
        store = CredentialStore(find_paths("default", env), env, CredentialSettings(), Redactor())
        assert store.load("hubspot").credential.token == "abcdefgh"
        assert store.locate("hubspot") == "LUMIO_HUBSPOT_TOKEN"
        heavy = {"keyring", "cryptography", "httpx"} & set(sys.modules)
        assert not heavy, heavy
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), tmp_path], check=True)


def test_the_vault_imports_no_backend_of_the_system(tmp_path: Path) -> None:
    code = """
        import sys
        from lumio_cli.credentials import CredentialSettings, CredentialStore
        from lumio_cli.core.paths import find_paths
        from lumio_cli.providers.contract.auth import Credential
        from lumio_cli.core.redact import Redactor
        env = {"LUMIO_HOME": sys.argv[1], "LUMIO_VAULT_KEY": "00" * 32}
        store = CredentialStore(find_paths("default", env), env, CredentialSettings(), Redactor())
        store.save("hubspot", Credential("token", "abcdefgh"))
        assert store.load("hubspot").credential.token == "abcdefgh"
        names = {m for m in sys.modules if m.startswith("keyring.backends.")}
        assert names <= {"keyring.backends.fail"}, names
        assert not {"secretstorage", "jeepney"} & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), tmp_path], check=True)


def test_a_provider_with_a_dash_has_a_variable_with_an_underscore(make_store: MakeStore) -> None:
    store = make_store(env={"LUMIO_MY_CRM_TOKEN": "abc123"})
    assert store.load("my-crm").credential.token == "abc123"


# -- what is wrong with a given token


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "LUMIO_HUBSPOT_TOKEN is empty"),
        (" \n", "LUMIO_HUBSPOT_TOKEN is empty"),
        (f"{TOKEN} {TOKEN}", "LUMIO_HUBSPOT_TOKEN holds white space, control or non-ASCII"),
        (f"{TOKEN}\x1b[0m", "LUMIO_HUBSPOT_TOKEN holds white space, control or non-ASCII"),
        (f"{TOKEN}\r\nX-Header: 1", "LUMIO_HUBSPOT_TOKEN holds white space, control"),
        (f"{TOKEN}\u2013", "LUMIO_HUBSPOT_TOKEN holds white space, control or non-ASCII"),
    ],
)
def test_a_variable_without_a_token_in_it(make_store: MakeStore, value: str, message: str) -> None:
    error = refusal(make_store(env={"LUMIO_HUBSPOT_TOKEN": value}).load, "hubspot")
    assert error.message.startswith(message)
    assert error.code == "credential_malformed"


def test_white_space_around_a_token_is_left_out(make_store: MakeStore) -> None:
    store = make_store(env={"LUMIO_HUBSPOT_TOKEN": f"\t {TOKEN}\r\n"})
    assert store.load("hubspot").credential.token == TOKEN


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_token_file_that_others_can_read(
    make_store: MakeStore, tmp_path: Path, mode: int
) -> None:
    path = secret_file(tmp_path / "t", TOKEN, mode)
    error = refusal(make_store(env={"LUMIO_HUBSPOT_TOKEN_FILE": str(path)}).load, "hubspot")
    assert error.code == "credential_exposed"
    assert f"chmod 600 {path}" in str(error.hint)


def test_a_credential_of_systemd_that_everybody_can_read(
    make_store: MakeStore, tmp_path: Path
) -> None:
    secret_file(tmp_path / "lumio-hubspot", TOKEN, 0o644)
    error = refusal(make_store(env={"CREDENTIALS_DIRECTORY": str(tmp_path)}).load, "hubspot")
    assert error.code == "credential_exposed"


def test_token_files_that_hold_no_token(make_store: MakeStore, tmp_path: Path) -> None:
    def error(path: str) -> CredentialError:
        return refusal(make_store(env={"LUMIO_HUBSPOT_TOKEN_FILE": path}).load, "hubspot")

    empty = secret_file(tmp_path / "empty", "\n")
    assert error(str(empty)).message == f"the file {empty} is empty"
    assert "No such file" in error(str(tmp_path / "none")).message
    assert "LUMIO_HUBSPOT_TOKEN_FILE is empty" in error("").message
    assert "no regular file" in error("/dev/null").message
    assert "Is a directory" in error(str(tmp_path)).message
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    binary.chmod(0o600)
    assert "is not a text" in error(str(binary)).message
    assert "is not a text" in error(str(secret_file(tmp_path / "big", "x" * 70_000))).message


# -- the command


def command_store(make_store: MakeStore, command: Any, **options: Any) -> CredentialStore:
    return make_store(token_commands={"hubspot": command}, **options)


def test_a_command_as_one_string(make_store: MakeStore) -> None:
    store = command_store(make_store, "printf '%s\\n' 'abc-def'")
    assert store.locate("hubspot") == "token_command (printf)"
    assert store.load("hubspot").credential.token == "abc-def"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["lumio-no-such-command"], "cannot be started: No such file or directory"),
        (["sh", "-c", f"echo {TOKEN}; echo {TOKEN} >&2; exit 3"], "ended with 3"),
        (["sh", "-c", "true"], "is empty"),
        (["sh", "-c", f"echo {TOKEN}; echo user"], "holds white space"),
        (["sh", "-c", "printf '\\377'"], "is not text"),
        ("pass 'show", "not a command line"),
        (" ", "not a command line"),
    ],
)
def test_a_command_that_gives_no_token(make_store: MakeStore, command: Any, message: str) -> None:
    assert message in refusal(command_store(make_store, command).load, "hubspot").message


def test_a_command_that_hangs_is_ended_with_its_children(
    make_store: MakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lumio_cli.credentials.operator_sources.COMMAND_LIMIT", 0.3)
    pid = tmp_path / "pid"
    store = command_store(make_store, ["sh", "-c", f"sleep 60 & echo $! > {pid}; wait"])
    assert "did not end within 0.3 s" in refusal(store.load, "hubspot").message
    child = int(pid.read_text())
    for _ in range(100):
        if _gone(child):
            break
        time.sleep(0.02)
    assert _gone(child)


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False


def test_a_stop_ends_the_waiting(make_store: MakeStore, hanging: HangingKeyring) -> None:
    stop = Stop()
    stop.set("SIGTERM", 143)
    with pytest.raises(StoppedError):
        command_store(make_store, ["sleep", "60"], stop=stop).load("hubspot")
    with pytest.raises(StoppedError):
        make_store(hanging, stop=stop).load("hubspot")


# -- the keyring


@pytest.mark.parametrize("profile", ["default", "prod"])
def test_the_keyring_keeps_all_of_a_credential(
    make_store: MakeStore, memory: MemoryKeyring, profile: str
) -> None:
    store = make_store(memory, profile=profile)
    assert store.save("hubspot", OAUTH) == "keyring (conftest)"
    assert list(memory.kept) == [("lumio", f"{profile}:hubspot")]
    assert store.load("hubspot").credential == OAUTH
    assert store.locate("hubspot") == "keyring (conftest)"
    assert store.list_connected(["slack", "hubspot"]) == ["hubspot"]
    assert store.delete("hubspot")
    assert not store.delete("hubspot")
    assert store.locate("hubspot") is None
    assert not memory.kept


def test_profiles_do_not_see_each_other(make_store: MakeStore, memory: MemoryKeyring) -> None:
    make_store(memory).save("hubspot", OAUTH)
    assert make_store(memory, profile="other").locate("hubspot") is None


def test_long_values_are_split_and_read_back_whole(
    make_store: MakeStore, memory: MemoryKeyring
) -> None:
    store = make_store(memory)
    first = Credential("token", "".join(f"{n:05d}" for n in range(1000)))
    store.save("hubspot", first)
    assert len(memory.kept) == 7
    assert store.load("hubspot").credential == first
    second = Credential("token", "y" * 2500)
    store.save("hubspot", second)
    assert store.load("hubspot").credential == second
    assert len(memory.kept) == 4
    store.save("hubspot", OAUTH)
    assert len(memory.kept) == 1
    store.save("hubspot", second)
    assert store.delete("hubspot")
    assert not memory.kept


def test_a_crash_between_parts_leaves_the_old_value(
    make_store: MakeStore, memory: MemoryKeyring
) -> None:
    store = make_store(memory)
    old = Credential("token", "a" * 2500)
    store.save("hubspot", old)
    original, left = memory.set_password, [2]

    def crash(service: str, username: str, password: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise RuntimeError(password)
        original(service, username, password)

    memory.set_password = crash  # type: ignore[method-assign]
    error = refusal(store.save, "hubspot", Credential("token", "b" * 2500))
    assert error.code == "keyring_failed"
    assert "bbb" not in str(error)
    assert store.load("hubspot").credential == old


def test_a_lost_part_is_told(make_store: MakeStore, memory: MemoryKeyring) -> None:
    store = make_store(memory)
    store.save("hubspot", Credential("token", "a" * 2500))
    del memory.kept[next(key for key in memory.kept if key[1].endswith(":2"))]
    error = refusal(store.load, "hubspot")
    assert error.code == "credential_damaged"
    assert error.hint == "lumio connect hubspot"
    assert store.delete("hubspot")


def test_no_credential(make_store: MakeStore, memory: MemoryKeyring) -> None:
    error = refusal(make_store(memory).load, "hubspot")
    assert error.code == "credential_missing"
    assert error.hint == "lumio connect hubspot, or set LUMIO_HUBSPOT_TOKEN"


@pytest.mark.parametrize(
    "text", ["", "no json", "[]", '{"version": 2}', '{"version": 1, "kind": "token"}']
)
def test_something_else_in_the_keyring(
    make_store: MakeStore, memory: MemoryKeyring, text: str
) -> None:
    memory.kept["lumio", "default:hubspot"] = text
    assert refusal(make_store(memory).load, "hubspot").code == "credential_damaged"


def test_a_keyring_that_does_not_keep_what_it_is_given(make_store: MakeStore) -> None:
    error = refusal(make_store(ForgetfulKeyring()).save, "hubspot", OAUTH)
    assert "did not keep" in error.message


class PlaintextKeyring(MemoryKeyring):
    """As keyrings.alt has one."""


class SessionError(Exception):
    """As a D-Bus library raises it."""


SessionError.__module__ = "secretstorage.exceptions"
NULL = "keyring.backends.null.Keyring"
BUS = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere"}


@pytest.mark.parametrize("backend", [fail.Keyring(), null.Keyring(), PlaintextKeyring()])
def test_no_usable_keyring(make_store: MakeStore, backend: Any) -> None:
    store = make_store(backend, BUS)
    error = refusal(store.save, "hubspot", OAUTH)
    assert error.code == "keyring_unavailable"
    assert "no credential in plain text" in error.message
    for word in ("lumio vault init", "LUMIO_VAULT_KEY", "LUMIO_VAULT_KEY_FILE", "store: vault"):
        assert word in str(error.hint)
    error = refusal(store.load, "hubspot")
    assert error.code == "credential_missing"
    assert "LUMIO_HUBSPOT_TOKEN" in str(error.hint)
    assert "lumio vault init" in str(error.hint)
    assert store.locate("hubspot") is None
    assert not store.delete("hubspot")
    assert not (store.vault.path.parent).exists()


def test_the_chainer_stands_for_its_first_usable_backend(
    make_store: MakeStore, memory: MemoryKeyring
) -> None:
    class Chainer(MemoryKeyring):
        backends: ClassVar[list[Any]] = [PlaintextKeyring(), memory]

    Chainer.__module__ = "keyring.backends.chainer"
    assert make_store(Chainer()).save("hubspot", OAUTH) == "keyring (conftest)"
    assert memory.kept
    Chainer.backends = []
    assert refusal(make_store(Chainer(), BUS).save, "hubspot", OAUTH).code == "keyring_unavailable"


def test_the_keyring_of_the_machine_is_asked_by_default(tmp_path: Path) -> None:
    code = """
        import os, sys
        from lumio_cli.credentials import CredentialSettings, CredentialStore
        from lumio_cli.core.errors import CredentialError
        from lumio_cli.core.paths import find_paths
        from lumio_cli.providers.contract.auth import Credential
        from lumio_cli.core.redact import Redactor
        paths = find_paths("default", os.environ)
        store = CredentialStore(paths, os.environ, CredentialSettings(), Redactor())
        try:
            store.save("hubspot", Credential("token", "abcdefgh"))
        except CredentialError as error:
            print(error.code)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**BUS, "LUMIO_HOME": str(tmp_path), "PYTHON_KEYRING_BACKEND": NULL},
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert done.stdout == "keyring_unavailable\n"
    assert not list(tmp_path.rglob("*"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="D-Bus is Linux's")
def test_no_bus_is_told_apart_from_no_keyring(make_store: MakeStore, tmp_path: Path) -> None:
    error = refusal(make_store(fail.Keyring()).save, "hubspot", OAUTH)
    assert error.code == "keyring_no_dbus"
    assert "no D-Bus session" in error.message
    (tmp_path / "bus").touch()
    store = make_store(fail.Keyring(), {"XDG_RUNTIME_DIR": str(tmp_path)})
    assert refusal(store.save, "hubspot", OAUTH).code == "keyring_unavailable"


@pytest.mark.parametrize(
    ("error", "code", "hint"),
    [
        (NoKeyringError("none"), "keyring_unavailable", "lumio vault init"),
        (InitError("Failed to create the collection"), "keyring_no_dbus", "dbus-run-session"),
        (SessionError("gone"), "keyring_no_dbus", "dbus-run-session"),
        (ConnectionRefusedError(), "keyring_no_dbus", "dbus-run-session"),
        (RuntimeError(f"bad value {TOKEN}"), "keyring_failed", "keyring diagnose"),
        (KeyError("x"), "keyring_failed", "keyring diagnose"),
    ],
)
def test_each_failure_has_its_own_message(
    make_store: MakeStore, error: Exception, code: str, hint: str
) -> None:
    told = refusal(make_store(RaisingKeyring(error), BUS).save, "hubspot", OAUTH)
    assert told.code == code
    assert hint in str(told.hint)


def test_a_locked_keyring(
    make_store: MakeStore, memory: MemoryKeyring, locked: RaisingKeyring
) -> None:
    make_store(memory).save("hubspot", OAUTH)
    store = make_store(locked)
    for work in (store.load, store.locate, store.delete):
        error = refusal(work, "hubspot")
        assert error.code == "keyring_locked"
        assert "unlock it" in str(error.hint)


def test_a_dismissed_prompt_is_a_locked_keyring(make_store: MakeStore) -> None:
    class PromptDismissedException(Exception):
        pass

    error = InitError("Failed to create the collection")
    error.__cause__ = PromptDismissedException()
    told = refusal(make_store(RaisingKeyring(error)).load, "hubspot")
    assert told.code == "keyring_locked"


def test_a_keyring_is_not_asked_for_what_lumio_never_put_there(
    make_store: MakeStore, memory: MemoryKeyring, locked: RaisingKeyring
) -> None:
    make_store(memory).save("hubspot", OAUTH)
    assert make_store(locked).locate("slack") is None


def test_a_hanging_keyring_is_given_up(
    make_store: MakeStore, memory: MemoryKeyring, hanging: HangingKeyring
) -> None:
    for name in ("hubspot", "slack", "shopify", "linkedin"):
        make_store(memory).save(name, OAUTH)
    store = make_store(hanging, timeout=0.2)
    error = refusal(store.load, "hubspot")
    assert error.code == "keyring_timeout"
    assert error.message == "the keyring did not answer within 0.2 s"
    assert "set LUMIO_HUBSPOT_TOKEN or LUMIO_HUBSPOT_TOKEN_FILE" in str(error.hint)
    assert "lumio vault init" in str(error.hint)
    # While the first call hangs, the others do not wait for it again.
    started = time.monotonic()
    for name in ("slack", "shopify", "linkedin"):
        assert refusal(store.locate, name).code == "keyring_timeout"
    assert time.monotonic() - started < 0.15
    hanging.released.set()
    for _ in range(100):
        try:
            assert store.locate("hubspot") is None
            break
        except CredentialError:
            time.sleep(0.02)
    else:
        pytest.fail("the keyring is never asked again")


def test_a_hanging_keyring_does_not_keep_the_process(tmp_path: Path) -> None:
    code = """
        import sys, threading
        from keyring.backend import KeyringBackend
        from lumio_cli.credentials import CredentialSettings, CredentialStore
        from lumio_cli.core.errors import CredentialError
        from lumio_cli.core.paths import find_paths
        from lumio_cli.core.redact import Redactor

        env = {"LUMIO_HOME": sys.argv[1]}
        settings = CredentialSettings(keyring_timeout=0.2)
        paths = find_paths("default", env)
        def hang():
            threading.Event().wait()
        store = CredentialStore(paths, env, settings, Redactor(), find_keyring=hang)
        try:
            store.load("hubspot")
        except CredentialError as error:
            print(error.code)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), tmp_path],
        capture_output=True, text=True, timeout=8, check=True,
    )  # fmt: skip
    assert done.stdout == "keyring_timeout\n"


# -- the vault, chosen by the operator


def test_the_vault_is_taken_where_it_was_chosen(make_store: MakeStore) -> None:
    key = {"LUMIO_VAULT_KEY": "correct horse battery staple"}
    store = make_store(env=key)
    assert store.save("hubspot", OAUTH) == f"encrypted vault {store.vault.path}"
    loaded = store.load("hubspot")
    assert (loaded.credential, loaded.source, loaded.writable) == (OAUTH, "vault", True)
    # The file is reason enough, and telling what is connected takes no key.
    keyless = make_store()
    assert keyless.locate("hubspot") == "vault"
    assert keyless.locate("slack") is None
    error = refusal(keyless.load, "hubspot")
    assert error.code == "vault_locked"
    assert "LUMIO_VAULT_KEY" in str(error.hint)
    error = refusal(store.load, "slack")
    assert error.code == "credential_missing"
    assert "the vault" in error.message
    assert keyless.delete("hubspot")
    assert not keyless.delete("hubspot")


def test_the_setting_chooses(make_store: MakeStore, memory: MemoryKeyring) -> None:
    key = {"LUMIO_VAULT_KEY": "00" * 32}
    make_store(env=key).save("hubspot", OAUTH)
    assert make_store(memory, key, store="keyring").locate("hubspot") is None
    assert make_store(store="vault").locate("hubspot") == "vault"


def test_a_vault_without_a_key_is_not_made(make_store: MakeStore) -> None:
    store = make_store(store="vault")
    assert refusal(store.save, "hubspot", OAUTH).code == "vault_locked"
    assert not store.vault.exists


# -- nothing is shown


def test_every_secret_is_made_known_and_no_repr_shows_one(
    make_store: MakeStore, memory: MemoryKeyring, redactor: Redactor
) -> None:
    store = make_store(memory)
    store.save("hubspot", OAUTH)
    for secret in OAUTH.secrets():
        assert redactor.text(secret) == "***"
        assert secret not in repr(store.load("hubspot"))
    make_store(env={"LUMIO_HUBSPOT_TOKEN": TOKEN}).load("hubspot")
    assert redactor.text(f"x{TOKEN}x") == "x***x"
    key = "correct horse battery staple"
    vault = make_store(env={"LUMIO_VAULT_KEY": key})
    vault.save("hubspot", OAUTH)
    assert redactor.text(key) == "***"
    for secret in (key, *OAUTH.secrets()):
        assert secret not in vault.vault.path.read_text()

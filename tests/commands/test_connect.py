"""`lumio connect`: every way to give a credential, each proved before it is stored."""

from __future__ import annotations

import os
import pty
import select
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.core.clock import SystemClock
from lumio_cli.core.errors import UsageError
from lumio_cli.providers.registry import load_provider
from lumio_cli.sandbox import Sandbox
from lumio_cli.services.connections.login import read_settings
from support.cli import Done, lumio

KEY = "0123456789abcdef" * 4
CLIENT_ID = "00000000-0000-4000-8000-00000000c11d"
CLIENT_SECRET = "00000000-0000-4000-8000-0000005ec2e7"
Connect = Callable[..., Done]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(records=5) as running:
        yield running


@pytest.fixture
def env(sandbox: Sandbox) -> dict[str, str]:
    return {
        "LUMIO_VAULT_KEY": KEY,
        "LUMIO_PROVIDERS__HUBSPOT__BASE_URL": sandbox.base_url(),
        "PATH": os.environ["PATH"],
    }


@pytest.fixture
def connect(tmp_path: Path, env: Mapping[str, str]) -> Connect:
    """`lumio connect hubspot ...` with JSON output, unless `form` says otherwise."""

    def connect(*argv: str, stdin: str = "", form: str = "json", **more: str) -> Done:
        words = ("connect", "hubspot", *argv, "-o", form)
        return lumio(*words, home=tmp_path, env={**env, **more}, stdin=stdin)

    return connect


def stored(home: Path, env: Mapping[str, str]) -> bool:
    """Whether the vault holds a credential."""
    about = lumio("vault", "status", "-o", "json", home=home, env=env).json
    return bool(about["entries"])


def account(home: Path) -> list[Any]:
    """What the hub knows of the account."""
    if not (home / "lumio.db").exists():
        return []
    db = sqlite3.connect(home / "lumio.db")
    try:
        return db.execute("SELECT account_id, kind, source FROM lumio_accounts").fetchall()
    finally:
        db.close()


# -- a token


def test_without_a_terminal_and_a_source_it_says_what_to_use(connect: Connect) -> None:
    done = connect()
    assert done.code == 2
    hint = done.json["error"]["hint"]
    for way in ("--token-stdin", "--token-file", "LUMIO_HUBSPOT_TOKEN"):
        assert way in hint


def test_a_token_from_stdin_is_proved_stored_and_used(
    connect: Connect, sandbox: Sandbox, tmp_path: Path, env: dict[str, str]
) -> None:
    done = connect("--token-stdin", stdin=f"{sandbox.token()}\n")
    assert done.code == 0, done.out
    told = done.json
    assert told["status"] == "connected"
    assert told["provider"] == "hubspot"
    assert told["account"] == {"id": "48215077", "name": "app.hubspot.com"}
    assert "crm.objects.contacts.read" in told["scopes"]
    assert told["missing_scopes"] == {}
    assert told["credential"]["kind"] == "token"
    assert told["credential"]["store"].startswith("encrypted vault")
    assert told["credential"]["expires_at"] is None
    assert told["stored"] is True
    assert account(tmp_path) == [("48215077", "token", told["credential"]["store"])]
    before = len(sandbox.requests)
    synced = lumio("sync", "hubspot/owners", "-o", "json", home=tmp_path, env=env)
    assert synced.code == 0, synced.out
    # The hub knows the account already: nothing is asked about it again.
    paths = [path for _, _, path, _ in list(sandbox.requests)[before:]]
    assert paths
    assert all("account-info" not in path for path in paths)


def test_people_are_told_everything_and_the_vault_is_said_aloud(
    tmp_path: Path, env: dict[str, str], sandbox: Sandbox
) -> None:
    token = tmp_path / "token"
    token.write_text(sandbox.token())
    token.chmod(0o600)
    words = ("connect", "hubspot", "--token-file", str(token))
    done = lumio(*words, home=tmp_path, env={**env, "COLUMNS": "200"}, terminal=True)
    assert done.code == 0
    for text in ("app.hubspot.com", "hub id", "48215077", "crm.objects.deals.read", "vault.json"):
        assert text in done.out
    assert "encrypted vault, not in a keyring" in done.err


def test_missing_scopes_are_warnings_by_resource(connect: Connect, sandbox: Sandbox) -> None:
    done = connect("--token-stdin", stdin=sandbox.token(name="contacts_only"), form="tsv")
    assert done.code == 0
    assert "warning: hubspot/tickets cannot be synced without tickets" in done.err
    assert "hubspot/deals cannot be synced without crm.objects.deals.read" in done.err
    assert "hubspot/contacts" not in done.err


def test_a_file_that_others_can_read_is_refused(
    connect: Connect, sandbox: Sandbox, tmp_path: Path, env: dict[str, str]
) -> None:
    token = tmp_path / "token"
    token.write_text(sandbox.token())
    token.chmod(0o644)
    done = connect("--token-file", str(token))
    assert (done.code, done.json["error"]["code"]) == (4, "credential_exposed")
    assert not stored(tmp_path, env)


def test_a_dash_is_stdin(connect: Connect, sandbox: Sandbox) -> None:
    assert connect("--token-file", "-", stdin=sandbox.token()).json["stored"] is True


@pytest.mark.parametrize("text", ["", " \n", "two words", "x" * 70_000])
def test_what_is_no_token_is_refused_without_being_shown(connect: Connect, text: str) -> None:
    done = connect("--token-stdin", stdin=text)
    assert done.code == 4
    assert done.json["error"]["code"] == "credential_malformed"
    assert not text.strip() or text.strip() not in done.out


def test_with_only_the_environment_nothing_is_stored(
    connect: Connect, sandbox: Sandbox, tmp_path: Path, env: dict[str, str]
) -> None:
    done = connect(form="tsv", LUMIO_HUBSPOT_TOKEN=sandbox.token())
    assert done.code == 0
    assert "nothing was stored: hubspot uses the credential from LUMIO_HUBSPOT_TOKEN" in done.err
    told = connect(LUMIO_HUBSPOT_TOKEN=sandbox.token()).json
    assert (told["stored"], told["credential"]["store"]) == (False, "LUMIO_HUBSPOT_TOKEN")
    assert not stored(tmp_path, env)
    assert account(tmp_path) == [("48215077", "token", "LUMIO_HUBSPOT_TOKEN")]
    refused = connect(LUMIO_HUBSPOT_TOKEN=sandbox.token(name="expired"))
    assert refused.code == 4
    assert "LUMIO_HUBSPOT_TOKEN" in refused.json["error"]["message"]
    useless = connect("--no-verify", LUMIO_HUBSPOT_TOKEN=sandbox.token())
    assert useless.code == 2


def test_a_variable_that_wins_over_what_was_stored_is_named(
    connect: Connect, sandbox: Sandbox
) -> None:
    token = sandbox.token()
    done = connect("--token-stdin", stdin=token, LUMIO_HUBSPOT_TOKEN=token, form="tsv")
    assert done.code == 0
    assert "LUMIO_HUBSPOT_TOKEN is used instead" in done.err


def test_a_refused_token_is_not_stored(
    connect: Connect, sandbox: Sandbox, tmp_path: Path, env: dict[str, str]
) -> None:
    token = sandbox.token(name="expired")
    done = connect("--token-stdin", stdin=token)
    assert (done.code, done.json["error"]["code"]) == (4, "credential_refused")
    assert token not in done.out + done.err
    assert not stored(tmp_path, env)
    assert account(tmp_path) == []


def test_a_provider_that_is_down(
    connect: Connect, tmp_path: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SystemClock, "sleep", lambda self, seconds, stop: stop.check())
    dead = {"LUMIO_PROVIDERS__HUBSPOT__BASE_URL": "http://127.0.0.1:1/hubspot"}
    done = connect("--token-stdin", stdin="x" * 40, **dead)
    assert (done.code, done.json["error"]["code"]) == (5, "provider_unavailable")
    assert not stored(tmp_path, env)


def test_without_a_proof_nothing_is_sent(connect: Connect, sandbox: Sandbox) -> None:
    before = len(sandbox.requests)
    done = connect("--token-stdin", "--no-verify", stdin="x" * 40)
    assert done.code == 0
    assert done.json["verified"] is False
    assert done.json["account"] == {"id": None, "name": None}
    assert len(sandbox.requests) == before


def test_another_account_is_refused_before_anything_is_stored(
    connect: Connect, sandbox: Sandbox, tmp_path: Path, env: dict[str, str]
) -> None:
    token = sandbox.token()
    given = {**env, "LUMIO_HUBSPOT_TOKEN": token}
    assert lumio("sync", "hubspot/owners", home=tmp_path, env=given).code == 0
    db = sqlite3.connect(tmp_path / "lumio.db")
    with db:
        db.execute("UPDATE lumio_accounts SET account_id = '1', account_name = 'Other'")
    db.close()
    done = connect("--token-stdin", stdin=token)
    assert (done.code, done.json["error"]["code"]) == (7, "account_changed")
    assert not stored(tmp_path, env)
    assert account(tmp_path)[0][0] == "1"


# -- what does not belong on a command line


@pytest.mark.parametrize(
    "words",
    [
        ["pat-na1-0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f"],
        ["open-sesame-1234"],
        ["--set", "client_secret=open-sesame-1234"],
        ["--set", "token=open-sesame-1234"],
        ["--set=password=open-sesame-1234"],
        ["--token=open-sesame-1234"],
        ["--token", "open-sesame-1234"],
    ],
)
def test_a_secret_on_the_command_line_is_refused_and_not_repeated(
    connect: Connect, words: list[str]
) -> None:
    for form in ("json", "tsv"):
        done = connect(*words, form=form)
        assert done.code == 2
        assert "sesame" not in done.out + done.err
        assert "0a1b" not in done.out + done.err


def test_where_a_secret_belongs_instead() -> None:
    provider = load_provider("hubspot", {})
    with pytest.raises(UsageError, match="client_secret is one") as caught:
        read_settings(provider, ["client_secret=abc"], oauth=True)
    assert caught.value.hint == "give it at the prompt, or as LUMIO_HUBSPOT_CLIENT_SECRET"
    with pytest.raises(UsageError) as caught:
        read_settings(provider, ["token=abc"], oauth=False)
    assert "--token-stdin" in (caught.value.hint or "")
    assert read_settings(provider, ["client_id=a=b"], oauth=True) == {"client_id": "a=b"}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--set", "client_id=x"], "without --oauth"),
        (["--oauth", "--set", "clientid=x"], "--set clientid"),
        (["--oauth", "--set", "client_id"], "KEY=VALUE"),
        (["--oauth", "--token-stdin"], "exclude each other"),
        (["--port", "8000"], "--port is about --oauth"),
        (["--no-browser"], "--no-browser is about --oauth"),
        (["--oauth", "--port", "99999"], "65535"),
    ],
)
def test_options_that_do_not_fit(connect: Connect, words: list[str], text: str) -> None:
    done = connect(*words)
    assert done.code == 2
    assert text in done.json["error"]["message"]


def test_an_unknown_provider(tmp_path: Path) -> None:
    done = lumio("connect", "hubspt", "--token-stdin", "-o", "json", home=tmp_path, stdin="x")
    assert (done.code, done.json["error"]["hint"]) == (2, "did you mean 'hubspot'?")


# -- a browser


class Browser:
    """Visits the page that it is sent to, as a browser does."""

    def __init__(self, extra: str = "") -> None:
        self.extra = extra
        self.threads: list[threading.Thread] = []

    def __call__(self, url: str) -> bool:
        thread = threading.Thread(target=self._visit, args=(url,), daemon=True)
        thread.start()
        self.threads.append(thread)
        return True

    def _visit(self, url: str) -> None:
        with urllib.request.urlopen(url + self.extra, timeout=10) as answer:
            answer.read()


def sign_in(monkeypatch: pytest.MonkeyPatch, extra: str = "") -> None:
    monkeypatch.setattr(webbrowser, "open", Browser(extra))


OAUTH = ("--oauth", "--port", "0", "--set", f"client_id={CLIENT_ID}")


def test_a_login_with_a_browser(
    connect: Connect, tmp_path: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(monkeypatch)
    done = connect(*OAUTH, LUMIO_HUBSPOT_CLIENT_SECRET=CLIENT_SECRET)
    assert done.code == 0, done.out
    told = done.json
    assert told["credential"]["kind"] == "oauth"
    assert told["credential"]["expires_at"].endswith("Z")
    assert "crm.objects.contacts.read" in told["scopes"]
    assert "/oauth/authorize?" in done.err  # where to go, should the browser not open
    assert CLIENT_SECRET not in done.out + done.err
    synced = lumio("sync", "hubspot/owners", "-o", "json", home=tmp_path, env=env)
    assert synced.code == 0, synced.out


def test_an_app_without_a_secret(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_in(monkeypatch)
    words = ("--oauth", "--port", "0", "--quiet")
    done = connect(*words, LUMIO_HUBSPOT_CLIENT_ID=CLIENT_ID)
    assert done.code == 0, done.out
    assert "/oauth/authorize?" in done.err


def test_access_that_is_not_allowed(
    connect: Connect, tmp_path: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(monkeypatch, "&deny=true")
    done = connect(*OAUTH)
    assert (done.code, done.json["error"]["code"]) == (4, "login_denied")
    assert not stored(tmp_path, env)


def test_a_wrong_client_secret(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_in(monkeypatch)
    done = connect(*OAUTH, LUMIO_HUBSPOT_CLIENT_SECRET="wrong-secret-value")
    assert done.code == 4
    assert "wrong-secret-value" not in done.out + done.err


def test_what_a_login_needs(connect: Connect) -> None:
    done = connect("--oauth")
    assert done.code == 2
    assert "LUMIO_HUBSPOT_CLIENT_ID" in done.json["error"]["hint"]
    done = connect(*OAUTH, "--no-browser")
    assert done.code == 2
    assert "terminal" in done.json["error"]["message"]


# -- a real terminal


class Terminal:
    """A lumio process on a pseudo-terminal."""

    def __init__(self, argv: list[str], env: Mapping[str, str]) -> None:
        self.master, slave = pty.openpty()
        self.seen = ""
        self.child = subprocess.Popen(
            [sys.executable, "-m", "lumio_cli", *argv],
            stdin=slave, stdout=slave, stderr=slave, env=dict(env), start_new_session=True,
        )  # fmt: skip
        os.close(slave)

    def until(self, text: str, seconds: float = 15.0) -> str:
        """Read until `text` is on the screen."""
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            ready, _, _ = select.select(
                [self.master], [], [], max(0.0, deadline - time.monotonic())
            )
            assert ready, f"{text!r} did not come: {self.seen!r}"
            self.seen += os.read(self.master, 65536).decode()
        return self.seen

    def type(self, text: str) -> None:
        os.write(self.master, f"{text}\n".encode())

    def end(self) -> int:
        """Read to the end; the exit code."""
        try:
            while data := os.read(self.master, 65536):
                self.seen += data.decode()
        except OSError:  # what Linux says when the other side is closed
            pass
        os.close(self.master)
        return self.child.wait(timeout=15)


def terminal_env(home: Path, env: Mapping[str, str]) -> dict[str, str]:
    return {**env, "LUMIO_HOME": str(home), "HOME": str(home), "COLUMNS": "400", "TERM": "dumb"}


def test_the_prompt_shows_nothing(tmp_path: Path, env: dict[str, str], sandbox: Sandbox) -> None:
    terminal = Terminal(["connect", "hubspot"], terminal_env(tmp_path, env))
    terminal.until("HubSpot token")
    terminal.type(sandbox.token())
    assert terminal.end() == 0, terminal.seen
    assert "app.hubspot.com" in terminal.seen
    assert sandbox.token() not in terminal.seen


def test_a_secret_that_is_optional_is_asked_for(
    tmp_path: Path, env: dict[str, str], sandbox: Sandbox
) -> None:
    given = {
        **terminal_env(tmp_path, env),
        "LUMIO_PROVIDERS__WHATSAPP__BASE_URL": sandbox.base_url("whatsapp"),
    }
    for secret, code in (("f" * 32, 4), ("", 0)):
        terminal = Terminal(["connect", "whatsapp"], given)
        terminal.until("WhatsApp Business token")
        terminal.type(sandbox.token("whatsapp"))
        terminal.until("empty for none")
        terminal.type(secret)
        assert terminal.end() == code, terminal.seen
        assert not secret or secret not in terminal.seen


def test_a_login_on_another_machine(tmp_path: Path, env: dict[str, str]) -> None:
    words = ["connect", "hubspot", *OAUTH, "--no-browser"]
    given = {**terminal_env(tmp_path, env), "LUMIO_HUBSPOT_CLIENT_SECRET": CLIENT_SECRET}
    terminal = Terminal(words, given)
    seen = terminal.until("Address: ")
    page = next(line.strip() for line in seen.splitlines() if "/oauth/authorize?" in line)

    class Stay(urllib.request.HTTPRedirectHandler):
        """Nobody listens where the page leads to: the address is all that counts."""

        def redirect_request(self, *_: Any) -> None:
            return None

    with pytest.raises(urllib.error.HTTPError) as redirect:
        urllib.request.build_opener(Stay).open(page, timeout=10)
    address = redirect.value.headers["Location"]
    terminal.type(address)
    assert terminal.end() == 0, terminal.seen
    assert "oauth" in terminal.seen
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(address).query)["code"][0]
    assert code not in terminal.seen
    assert CLIENT_SECRET not in terminal.seen


# -- the canary


def test_no_secret_is_anywhere(
    connect: Connect, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither on a stream nor in a file, with everything switched on."""
    sign_in(monkeypatch)
    token = sandbox.token()
    streams = ""
    for form in ("json", "tsv", "table"):
        more = {"LUMIO_LOG__LEVEL": "debug", "LUMIO_TRACEBACK": "1"}
        for done in (
            connect("--token-stdin", "-vvv", stdin=token, form=form, **more),
            connect("--token-stdin", "-vvv", stdin=token + "0", form=form, **more),
            connect("-vvv", form=form, LUMIO_HUBSPOT_TOKEN=token, **more),
            connect(*OAUTH, "-vv", form=form, LUMIO_HUBSPOT_CLIENT_SECRET=CLIENT_SECRET, **more),
        ):
            streams += done.out + done.err
    canaries = (token, CLIENT_SECRET, KEY, "CSANDBOX-access", "CSANDBOX-refresh", "CSANDBOX-code")
    for canary in canaries:
        assert canary not in streams
        for file in tmp_path.rglob("*"):
            if file.is_file():
                assert canary.encode() not in file.read_bytes(), file

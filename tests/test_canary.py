"""A canary: secrets planted in a token, a header, a link, a proxy's URL and a password are sought
in everything that lumio prints or writes, byte by byte.
"""

from __future__ import annotations

import base64
import io
import os
import sqlite3
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from lumio_cli.core.clock import SystemClock
from lumio_cli.core.paths import find_paths
from lumio_cli.core.redact import Redactor
from lumio_cli.credentials import CredentialSettings, CredentialStore
from lumio_cli.providers.contract.auth import Credential
from lumio_cli.sandbox.http import Request, Response
from lumio_cli.sandbox.hubspot.tokens import ALL_SCOPES
from lumio_cli.transport.runtime_db.store import RuntimeStore
from support.canaries import HOUSES, SPELLINGS, canary
from support.lab import VAULT_KEY, Lab, Outcome
from support.trials import LIST, brisk, make_lab  # noqa: F401
from support.trials import MakeLab as Make

pytestmark = [pytest.mark.attack("secrets"), pytest.mark.usefixtures("brisk")]

TOKEN = "CanaryTokenQx7Vb2Lm9ZtKp4WsRd"  # of no known shape: only by its value can it be told
COOKIE = "canary-cookie-7f3a9c1e5b"
LINK = "canary-link-2d8e6f4a0c"
PROXY = "canary-proxy-91b7c5d3e0"
CANARIES = (TOKEN, COOKIE, LINK, PROXY)


def spellings(secret: str) -> set[bytes]:
    """How a secret may be written: plainly, in a URL, in base64."""
    encoded = base64.b64encode(secret.encode()).decode()
    return {s.encode() for s in (secret, quote(secret, safe=""), encoded.rstrip("="))}


def leaks(name: str, data: bytes) -> list[str]:
    """Where a canary sings."""
    return [f"{secret} in {name}" for secret in CANARIES for s in spellings(secret) if s in data]


def everywhere(home: Path) -> list[str]:
    """The canaries in any file of a home, and inside of its archives and databases."""
    found: list[str] = []
    for path in home.rglob("*"):
        if not path.is_file():
            continue
        data = path.read_bytes()
        found += leaks(str(path.relative_to(home)), data + b"\n" + _inflated(data))
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    found += leaks(f"{path.name}:{name}", archive.read(name))
        if data.startswith(b"SQLite format 3"):
            # A value that spans pages is in two places of the file, but whole in here.
            found += leaks(f"the rows of {path.name}", _dump(path))
    return found


def _inflated(data: bytes) -> bytes:
    """What the cache has compressed; nothing where it is something else."""
    try:
        return zlib.decompress(data)
    except zlib.error:
        return b""


def _dump(path: Path) -> bytes:
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        return b"\n".join(
            cell + b"\n" + _inflated(cell) if isinstance(cell, bytes) else str(cell).encode()
            for (name,) in names
            for row in connection.execute(f'SELECT * FROM "{name}"')
            for cell in row
        )
    finally:
        connection.close()


@pytest.fixture
def lab(make_lab: Make) -> Lab:  # noqa: F811
    """A lab whose provider sets a cookie with every answer, whose token is the canary, and that
    logs everything there is to log.
    """
    lab = make_lab(records=150)
    hub = lab.sandbox.hubspot
    hub.vault.add("canary", TOKEN, frozenset(ALL_SCOPES))
    lab.token = TOKEN
    handle = hub.handle

    def singing(request: Request) -> Response:
        response = handle(request)
        response.headers["Set-Cookie"] = f"session={COOKIE}; HttpOnly"
        response.headers["X-Api-Key"] = COOKIE
        response.headers["Link"] = f"<https://attacker.invalid/?access_token={LINK}>; rel=next"
        return response

    hub.handle = singing  # type: ignore[method-assign]
    (lab.home / "config.yaml").write_text("log:\n  level: debug\n")
    (lab.home / "config.yaml").chmod(0o600)
    store = RuntimeStore(lab.home / "runtime.db", clock=SystemClock())
    store.set_flag("debug:hubspot", "verbose")
    store.close()
    return lab


def check(lab: Lab, *outcomes: Outcome) -> None:
    """No canary in what was printed, nor in any file."""
    for outcome in outcomes:
        assert leaks("stdout", outcome.out.encode()) == []
        assert leaks("stderr", outcome.err.encode()) == []
    assert everywhere(lab.home) == []


def debug_rows(lab: Lab) -> bytes:
    """What the debug log holds."""
    return _dump(lab.home / "runtime.db")


def test_the_search_for_canaries_finds_them(tmp_path: Path) -> None:
    """A search that cannot fail would prove nothing."""
    with sqlite3.connect(tmp_path / "some.db") as database:
        database.execute("CREATE TABLE t (a)")
        database.execute("INSERT INTO t VALUES (?)", ["x" * 4000 + TOKEN + "y" * 4000])
        database.execute("INSERT INTO t VALUES (?)", [zlib.compress(PROXY.encode())])
    database.close()
    with zipfile.ZipFile(tmp_path / "some.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside", f"Authorization: {LINK}" * 50)
    (tmp_path / "encoded").write_bytes(base64.b64encode(PROXY.encode()))
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_text(quote(COOKIE))
    found = "\n".join(everywhere(tmp_path))
    for expected in (
        f"{TOKEN} in the rows of some.db",
        f"{LINK} in some.zip:inside",
        f"{PROXY} in the rows of some.db",
        f"{PROXY} in encoded",
        f"{COOKIE} in deep/file",
    ):
        assert expected in found


@pytest.mark.parametrize("output", ["json", "tsv", "table"])
def test_no_canary_in_a_run_that_goes_well(lab: Lab, output: str) -> None:
    outcomes = [
        lab.lumio(*argv, "-vv", "-o", output)
        for argv in (
            ("sync",),
            ("sync", "--mode", "full"),
            ("preview", "--mode", "full"),
            ("status",),
            ("config", "show"),
            ("providers", "show", "hubspot"),
        )
    ]
    assert [o.code for o in outcomes] == [0] * len(outcomes)
    assert b"/crm/objects/2026-03/contacts" in debug_rows(lab), "the debug log was really on"
    assert b"response_headers" in debug_rows(lab)
    check(lab, *outcomes)


def _misbehave(lab: Lab, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
    hub = lab.sandbox.hubspot
    handle = hub.handle

    def instead(request: Request) -> Response:
        response = handle(request)
        if request.path != LIST:
            return response
        answer = Response.of_json(body, status)
        answer.headers.update({**response.headers, **(headers or {})})
        return answer

    hub.handle = instead  # type: ignore[method-assign]


ERRORS: dict[str, tuple[int, Any, dict[str, str]]] = {
    "an error that repeats the token": (
        400,
        {"message": f"bad token {TOKEN}", "category": f"Bearer {TOKEN}"},
        {},
    ),
    "a refusal that repeats the token": (403, {"message": f"{TOKEN} may not", "errors": []}, {}),
    "a redirect with a secret in its URL": (
        302,
        {},
        {"Location": f"https://attacker.invalid/?access_token={LINK}"},
    ),
    "a redirect with a password": (302, {}, {"Location": f"https://u:{LINK}@attacker.invalid/"}),
    "an outage that repeats the request": (
        500,
        {"message": f"GET https://u:{LINK}@h/?hapikey={LINK} Authorization: Bearer {TOKEN}"},
        {},
    ),
    "a page of another form": (200, {"message": "hm", "access_token": LINK}, {}),
    "a record that is none": (200, {"results": [{"email": "no-id@example.com"}]}, {}),
}


@pytest.mark.parametrize("error", ERRORS)
def test_no_canary_in_an_error(lab: Lab, error: str) -> None:
    _misbehave(lab, *ERRORS[error])
    sync = ("sync", "hubspot/contacts", "--mode", "full", "-vv")
    outcomes = [lab.lumio(*sync, "-o", output) for output in ("json", "table")]
    assert all(o.code for o in outcomes)
    if error == "a record that is none":
        assert lab.sql("SELECT kind FROM lumio_dead_letters") == [("no_id",)]
    check(lab, *outcomes, lab.lumio("status", "-vv"))


def test_no_canary_where_a_proxy_has_a_password(lab: Lab) -> None:
    proxy = f"http://user:{PROXY}@127.0.0.1:9"
    environ = {
        "LUMIO_HTTP__PROXY": proxy,
        "LUMIO_PROVIDERS__HUBSPOT__BASE_URL": "https://proxied.invalid",
    }
    outcomes = [
        lab.lumio("sync", "hubspot/contacts", "-vv", "-o", "json", environ=environ),
        lab.lumio("sync", "hubspot/contacts", "-vv", "-o", "table", environ=environ),
        lab.lumio("config", "show", "-o", "json", environ=environ),
        lab.lumio("config", "show", "-o", "table", environ=environ),
        lab.lumio("sync", environ={**environ, "LUMIO_HTTP__PROXY": f"no url {PROXY}@"}),
    ]
    assert [o.code for o in outcomes[:4]] == [5, 5, 0, 0]
    check(lab, *outcomes)


def test_no_canary_where_everything_crashes(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in lumio itself, whose exception holds the token: on screen, in log and traceback."""
    from lumio_cli.services.syncing import sync as service

    def crash(*_: Any, **__: Any) -> None:
        raise RuntimeError(f"cannot send Authorization: Bearer {TOKEN} to {TOKEN}")

    monkeypatch.setattr(service, "run", crash)
    outcomes = [
        lab.lumio("sync", "-vv", "-o", output, environ={"LUMIO_TRACEBACK": "1"})
        for output in ("json", "table")
    ]
    assert [o.code for o in outcomes] == [1, 1]
    assert "RuntimeError" in outcomes[1].err, "the traceback is there"
    assert "RuntimeError" in (lab.home / "logs" / "lumio.log").read_text()
    check(lab, *outcomes)


def test_no_canary_of_a_credential_that_is_stored(lab: Lab) -> None:
    """In the vault: encrypted, or it would be found."""
    store = CredentialStore(
        find_paths("default", {"LUMIO_HOME": str(lab.home)}),
        {"LUMIO_VAULT_KEY": VAULT_KEY},
        CredentialSettings(store="vault"),
        Redactor(),
    )
    store.save("hubspot", Credential("token", TOKEN))
    environ = {"LUMIO_HUBSPOT_TOKEN": None, "LUMIO_VAULT_KEY": VAULT_KEY}
    outcome = lab.lumio("sync", "hubspot/contacts", "-vv", environ=environ)
    assert outcome.code == 0
    assert (lab.home / "vault.json").exists()
    check(lab, outcome)
    text = outcome.out + outcome.err + "".join(map(str, everywhere(lab.home)))
    assert VAULT_KEY not in text


def test_no_canary_in_a_process_of_its_own(lab: Lab) -> None:
    """With the real streams, where libraries print what they like; and the WAL still there."""
    _misbehave(lab, *ERRORS["an outage that repeats the request"])
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-m", "lumio_cli", "sync", "hubspot/deals", "-vv"],
        env={**os.environ, **lab.environ, "LUMIO_TRACEBACK": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert leaks("stdout", done.stdout) + leaks("stderr", done.stderr) == []
    check(lab)


def test_no_canary_in_a_bundle_for_support(lab: Lab) -> None:
    if lab.lumio("diagnostic", "--help").code:
        pytest.skip("`lumio diagnostic` is not there yet")
    assert lab.lumio("sync", "hubspot/contacts").code == 0
    _misbehave(lab, *ERRORS["an error that repeats the token"])
    assert lab.lumio("sync", "hubspot/contacts", "--mode", "full").code
    bundle = lab.home / "bundle.zip"
    environ = {"LUMIO_HTTP__PROXY": f"http://user:{PROXY}@127.0.0.1:9"}
    outcome = lab.lumio("diagnostic", "hubspot", "--bundle", str(bundle), environ=environ)
    assert bundle.exists(), outcome.out
    with zipfile.ZipFile(io.BytesIO(bundle.read_bytes())) as archive:
        assert archive.namelist()
    check(lab, outcome)


def test_none_of_two_hundred_canaries_in_any_byte(lab: Lab) -> None:
    """Known ones in 25 spellings, unknown ones in 25 houses, seven of each: in requests, answers,
    errors, the configuration, the debug log and the bundle."""
    secret = canary(0)
    lab.token = quote(secret, safe="")
    lab.sandbox.hubspot.vault.add("odd", lab.token, frozenset(ALL_SCOPES))
    spelled = {name: spell(lab.token) for name, spell in SPELLINGS.items()}
    housed = {f"{house} {n}": canary(100 + n) for n in range(7) for house in HOUSES}
    houses = [HOUSES[name.rsplit(" ", 1)[0]](value) for name, value in housed.items()]
    said = "; ".join(f"[{text}]" for text in spelled.values())
    _misbehave(
        lab,
        400,
        {"message": f"it was {said}", "category": "ODD", "context": [*houses, spelled]},
        {"X-Said": quote(said), "X-Session-Id": canary(1)},
    )
    environ = {
        "LUMIO_HTTP__PROXY": "",
        "LUMIO_PROVIDERS__HUBSPOT__TOKEN_COMMAND": "",
        "CI_DEPLOY_PASSPHRASE": canary(2),
        "LUMIO_PROVIDERS__SLACK__BASE_URL": f"https://u:{quote(canary(3), safe='')}@slack.invalid",
    }
    outcomes = [
        lab.lumio("sync", "hubspot/contacts", "-vv", "-o", "table", environ=environ),
        lab.lumio("sync", "hubspot/contacts", "--mode", "full", "-o", "json", environ=environ),
        lab.lumio("debug", "hubspot", "show", environ=environ),
        lab.lumio("config", "show", "-o", "json", environ=environ),
        lab.lumio("status", "-o", "json", environ=environ),
        lab.lumio(
            "diagnostic", "hubspot", "--bundle", str(lab.home / "b.zip"), "-o", "json",
            environ=environ,
        ),
    ]  # fmt: skip
    assert (lab.home / "b.zip").exists(), outcomes[-1].out
    assert b"ODD" in debug_rows(lab)
    assert len(spelled) + len(housed) >= 200
    written = _bytes_of(lab.home) + "".join(o.out + o.err for o in outcomes).encode()
    cores = {name: text[3:-6] for name, text in spelled.items()}
    cores |= {name: text[:12] for name, text in housed.items()}
    cores |= {f"other {n}": canary(n)[:12] for n in (1, 2, 3)}
    assert [name for name, core in cores.items() if core.encode() in written] == []
    leaking = written + said.encode()
    assert sum(core.encode() in leaking for core in cores.values()) >= 25, "it would be found"


def _bytes_of(home: Path) -> bytes:
    """All that is in a home: of files, of rows, of members of archives."""
    parts = []
    for path in (path for path in home.rglob("*") if path.is_file()):
        data = path.read_bytes()
        parts += [data, _inflated(data)]
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                parts += [archive.read(name) for name in archive.namelist()]
        if data.startswith(b"SQLite format 3"):
            parts.append(_dump(path))
    return b"\n".join(parts)

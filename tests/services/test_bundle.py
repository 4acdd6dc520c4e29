"""The support bundle: what is in it, and above all what is not."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import stat
import threading
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from lumio_cli.config.global_options import Globals
from lumio_cli.core.errors import LumioError, UsageError
from lumio_cli.core.redact import Redactor
from lumio_cli.hub.sqlite.database import Hub
from lumio_cli.hub.sqlite.runs import DeadLetter, RunRow, add_dead_letters, finish_run, start_run
from lumio_cli.runtime import Runtime
from lumio_cli.services.diagnostics import bundle as service
from lumio_cli.services.diagnostics import bundle_sources
from lumio_cli.services.diagnostics.bundle import Bundle, seal, write_bundle
from lumio_cli.services.diagnostics.run import diagnose

# Shapeless on purpose: only knowing them can give them away.
CANARY = "canary/5ecret+value~one"
OTHER = "another-canary-value"
PERSON = "jane.roe@customer.example"
PHONE = "+49 30 1234567"
ADDRESS = "198.51.100.23"
NOW = "2026-01-02T03:04:05Z"
DATE = (2026, 1, 2, 3, 4, 5)


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    with_runtime = make_runtime(tmp_path / "home")
    yield with_runtime
    with_runtime.close()


def make_runtime(home: Path, environ: Mapping[str, str] | None = None) -> Runtime:
    values = {
        "LUMIO_HOME": str(home),
        "LUMIO_HUBSPOT_TOKEN": CANARY,
        "LUMIO_VAULT_KEY": "a-canary-that-opens-the-vault",
        "LUMIO_CREDENTIALS__STORE": "vault",
        "LUMIO_PROVIDERS__HUBSPOT__TOKEN_COMMAND": "get-token --password hunter2canary",
        "HTTPS_PROXY": f"http://ann:{OTHER}@proxy.test:3128",
        "SOME_API_KEY": "canary-of-another-program",
        "USER": "janeroe",
        "HOME": "/home/janeroe",
        **(environ or {}),
    }
    streams: dict[str, Any] = {name: io.StringIO() for name in ("stdin", "stdout", "stderr")}
    return Runtime(Globals(no_input=True), environ=values, **streams)


def poison(runtime: Runtime) -> None:
    """Put secrets and people wherever a bundle looks, as faulty code might have."""
    basic = base64.b64encode(f"user:{CANARY}".encode()).decode()
    texts = [
        f"Authorization: Bearer {CANARY}",
        f"GET https://api.test/x?hapikey={quote(CANARY, safe='')}&email={PERSON}",
        f"{PERSON} called {PHONE} from {ADDRESS} at {os.uname().nodename}: {basic}",
        f'{{"nested": "{{\\"refresh_token\\": \\"{OTHER}\\"}}"}}',
    ]
    error = {"code": "x", "message": " | ".join(reversed(texts)), "hint": CANARY}
    with Hub.open(runtime.hub_path) as hub, hub.transaction() as db:
        row = RunRow("run-1", "running", NOW, NOW, 1, "h", "full", "pull", ["hubspot"], "0")
        start_run(db, row)
        finish_run(db, "run-1", status="failed", now=NOW, exit_code=1, error=error)
        payload = json.dumps({"email": PERSON, "note": texts, "api_key": "never-seen-before-1"})
        letter = DeadLetter("hubspot", "contacts", "17", "x", texts[2], payload)
        add_dead_letters(db, [letter], "run-1", NOW)
        db.execute(
            "INSERT INTO lumio_drift (run_id, at, provider, resource, field, change, before)"
            " VALUES ('run-1', ?, 'hubspot', 'contacts', 'f', 'retyped', ?)",
            [NOW, texts[0]],
        )
        db.execute(
            "INSERT INTO lumio_resources (provider, resource, warning, columns) VALUES (?,?,?,?)",
            ["hubspot", "contacts", texts[1], json.dumps([["email", "properties.email", "text"]])],
        )
    runtime.store.append_log(
        "hubspot",
        {
            "at": NOW,
            "method": "GET",
            "url": texts[1],
            "request_headers": {"authorization": f"Bearer {CANARY}", "x-odd": CANARY},
            "request_body": json.dumps({"email": PERSON, "token": OTHER}),
            "response_body": texts[2],
            "error": texts[3],
        },
    )
    runtime.paths.logs.mkdir(parents=True, exist_ok=True)
    log = runtime.paths.logs / "lumio.log"
    log.write_text("".join(json.dumps({"msg": text}) + "\n" for text in texts))


def write(runtime: Runtime, target: Path, **options: Any) -> Bundle:
    report = diagnose(runtime, ["hubspot"], offline=True)
    return write_bundle(runtime, report, target, **options)


def read(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


def spellings(secret: str) -> list[str]:
    found = [secret, quote(secret, safe=""), json.dumps(secret)[1:-1]]
    for shift in range(3):
        text = base64.b64encode(b"x" * shift + secret.encode()).decode()
        found.append(text[4:-4])
    return found


def test_no_secret_and_nobody_is_in_it(runtime: Runtime, tmp_path: Path) -> None:
    poison(runtime)
    target = tmp_path / "b.zip"
    write(runtime, target)
    members = read(target)
    raw = target.read_bytes().decode("latin-1")
    secrets = [CANARY, OTHER, "a-canary-that-opens-the-vault", "canary-of-another-program"]
    for name, text in {**members, "archive": raw}.items():
        for spelling in [s for secret in secrets for s in spellings(secret)]:
            assert spelling not in text, name
        assert "hunter2canary" not in text, name
        for personal in (PERSON, PHONE, ADDRESS, "janeroe"):
            assert personal not in text, (name, personal)
        if len(os.uname().nodename) > 2:
            assert os.uname().nodename not in text.replace("localhost", ""), name
    # The same person is the same stand-in everywhere.
    for name in ("runs.json", "dead_letters.json", "http_log.jsonl", "lumio.log"):
        assert "email-0001" in members[name], name
    assert "payloads/dead_letters.json" not in members
    assert "request_body" not in members["http_log.jsonl"]
    assert "properties.email" in members["resources.json"]


def test_it_holds_what_explains_an_installation(runtime: Runtime, tmp_path: Path) -> None:
    poison(runtime)
    done = write(runtime, tmp_path / "b.zip")
    members = read(tmp_path / "b.zip")
    assert set(members) == {
        "manifest.json", "diagnostic.json", "settings.json", "environment.json", "versions.json",
        "runs.json", "dead_letters.json", "schema.sql", "resources.json", "drift.json",
        "transport.json", "http_log.jsonl", "lumio.log",
    }  # fmt: skip
    manifest = json.loads(members["manifest.json"])
    assert manifest["format"] == 1
    assert manifest["payloads"] is False
    for entry in manifest["files"]:
        data = members[entry["name"]].encode()
        assert entry["sha256"] == hashlib.sha256(data).hexdigest()
        assert entry["bytes"] == len(data)
        assert entry["error"] is None
        assert entry["duration_ms"] >= 0
    assert done.digest == hashlib.sha256((tmp_path / "b.zip").read_bytes()).hexdigest()
    settings = {s["key"]: s for s in json.loads(members["settings.json"])}
    assert settings["credentials.store"]["from"] == "environment LUMIO_CREDENTIALS__STORE"
    assert settings["providers.hubspot.token_command"]["value"] == ["get-token", "***", "***"]
    environ = json.loads(members["environment.json"])
    assert "SOME_API_KEY" in environ["names"]
    assert environ["values"]["LUMIO_CREDENTIALS__STORE"] == "vault"
    assert environ["values"]["LUMIO_HUBSPOT_TOKEN"] == "***"
    assert environ["values"]["LUMIO_VAULT_KEY"] == "***"
    assert "SOME_API_KEY" not in environ["values"]
    assert "CREATE TABLE lumio_runs" in members["schema.sql"]
    assert json.loads(members["transport.json"])["hubspot"]["circuit"]["state"] == "closed"
    assert json.loads(members["diagnostic.json"])["providers"][0]["provider"] == "hubspot"


def test_payloads_are_there_when_asked_for_and_still_without_secrets(
    runtime: Runtime, tmp_path: Path
) -> None:
    poison(runtime)
    write(runtime, tmp_path / "b.zip", include_payloads=True)
    members = read(tmp_path / "b.zip")
    assert json.loads(members["manifest.json"])["payloads"] is True
    letters = json.loads(members["payloads/dead_letters.json"])
    assert letters[0]["payload"]["email"] == PERSON
    assert letters[0]["payload"]["api_key"] == "***"
    assert PERSON in members["payloads/http_log.jsonl"]
    for name, text in members.items():
        assert CANARY not in text, name
        assert OTHER not in text, name
        assert (PERSON in text) == name.startswith("payloads/"), name


def test_stored_credentials_are_known_to_the_search(tmp_path: Path) -> None:
    from lumio_cli.providers.contract.auth import Credential

    environ = {"LUMIO_VAULT_KEY": "11" * 32}
    runtime = make_runtime(tmp_path / "home", environ)
    runtime.environ = {k: v for k, v in runtime.environ.items() if "HUBSPOT" not in k}
    stored = Credential(
        "oauth", "access-canary-7", "refresh-canary-7", fields={"client_secret": "s-canary-7"}
    )
    runtime.credentials.save("hubspot", stored)
    runtime.close()
    fresh = make_runtime(tmp_path / "home", environ)
    fresh.environ = {k: v for k, v in fresh.environ.items() if "HUBSPOT" not in k}
    assert service.learn_secrets(fresh) == []
    for secret in ("access-canary-7", "refresh-canary-7", "s-canary-7"):
        assert fresh.redactor.contains_secret(f"x{secret}y".encode())
    fresh.close()


def test_a_credential_that_cannot_be_read_is_noted(tmp_path: Path) -> None:
    exposed = tmp_path / "token"
    exposed.write_text("some-token-value")
    exposed.chmod(0o644)
    runtime = make_runtime(tmp_path / "home")
    runtime.environ = {
        **{k: v for k, v in runtime.environ.items() if k != "LUMIO_HUBSPOT_TOKEN"},
        "LUMIO_HUBSPOT_TOKEN_FILE": str(exposed),
    }
    write(runtime, tmp_path / "b.zip")
    manifest = json.loads(read(tmp_path / "b.zip")["manifest.json"])
    assert "can be read by other users" in manifest["unknown_secrets"][0]
    runtime.close()


def test_it_fails_closed_where_a_secret_would_be_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = make_runtime(tmp_path / "home", {"LUMIO_HUBSPOT_TOKEN": "7314159265"})
    poison(runtime)
    with Hub.open(runtime.hub_path) as hub, hub.transaction() as db:
        db.execute("UPDATE lumio_dead_letters SET attempts = 7314159265")
    # A redactor that overlooks it.
    monkeypatch.setattr(Redactor, "json", lambda _, value: value)
    target = tmp_path / "out" / "b.zip"
    target.parent.mkdir()
    with pytest.raises(LumioError, match=r"dead_letters\.json: no bundle was written") as caught:
        write(runtime, target)
    runtime.close()
    assert caught.value.exit_code == 1
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("text", [CANARY, "Bearer abcdefgh12345678", quote(CANARY, safe="")])
def test_the_last_search_knows_values_and_shapes(text: str) -> None:
    redactor = Redactor([CANARY])
    with pytest.raises(LumioError, match=r"odd\.txt"):
        seal({"fine.txt": b"fine", "odd.txt": f"x {text} y".encode()}, redactor, DATE)
    with pytest.raises(LumioError):
        seal({f"{CANARY}.txt": b"fine"}, redactor, DATE)
    archive = zipfile.ZipFile(io.BytesIO(seal({"fine.txt": b"fine"}, redactor, DATE)))
    assert archive.getinfo("fine.txt").external_attr >> 16 == 0o600


def test_a_file_that_fails_or_hangs_costs_no_other(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    def broken(*_: Any) -> Any:
        raise RuntimeError(f"while reading for {PERSON} with {CANARY}")

    monkeypatch.setattr(bundle_sources, "runs", broken)
    monkeypatch.setattr(bundle_sources, "schema", lambda _scene: release.wait(30))
    write(runtime, tmp_path / "b.zip", limit=0.5)
    release.set()
    members = read(tmp_path / "b.zip")
    assert "runs.json" not in members
    assert "settings.json" in members
    errors = {e["name"]: e["error"] for e in json.loads(members["manifest.json"])["files"]}
    assert errors["runs.json"].startswith("RuntimeError: while reading for email-")
    assert CANARY not in errors["runs.json"]
    assert errors["schema.sql"] == "not collected within 0.5 s"
    assert errors["drift.json"] == "there is nothing of it"
    assert errors["settings.json"] is None


def test_it_is_private_whole_and_overwrites_nothing(runtime: Runtime, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    done = write(runtime, out / "b.zip")
    assert stat.S_IMODE((out / "b.zip").stat().st_mode) == 0o600
    assert [path.name for path in out.iterdir()] == ["b.zip"]
    before = (out / "b.zip").read_bytes()
    with pytest.raises(UsageError, match="not overwritten"):
        write(runtime, out / "b.zip")
    assert (out / "b.zip").read_bytes() == before
    with pytest.raises(UsageError, match="there is no directory"):
        write(runtime, out / "none" / "b.zip")
    assert stat.S_IMODE(done.key.stat().st_mode) == 0o600
    assert done.key.is_relative_to(tmp_path / "home")


def test_a_name_that_is_taken_in_between_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "b.zip"
    target.write_text("mine")
    with pytest.raises(UsageError, match="not overwritten"):
        service._write(target, b"data")
    assert target.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["b.zip"]


def test_a_filesystem_without_links_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    service._write(tmp_path / "b.zip", b"data")
    assert (tmp_path / "b.zip").read_bytes() == b"data"
    with pytest.raises(UsageError):
        service._write(tmp_path / "b.zip", b"other")
    assert (tmp_path / "b.zip").read_bytes() == b"data"
    with pytest.raises(LumioError, match="cannot be written"):
        service._write(tmp_path / "none" / "b.zip", b"data")


def test_what_stand_ins_stand_for_stays_here(runtime: Runtime, tmp_path: Path) -> None:
    poison(runtime)
    done = write(runtime, tmp_path / "b.zip")
    assert json.loads(done.key.read_text())["email-0001"] == PERSON


def test_a_long_log_is_cut_at_a_line(runtime: Runtime) -> None:
    from lumio_cli.services.diagnostics.context import Scene

    runtime.paths.logs.mkdir(parents=True)
    line = json.dumps({"msg": "x" * 1000}) + "\n"
    (runtime.paths.logs / "lumio.log").write_text(line * 1000)
    tail = bundle_sources.log_tail(Scene(runtime))
    assert tail is not None
    assert len(tail) <= bundle_sources.LOG_TAIL
    assert set(tail.splitlines(keepends=True)) == {line}

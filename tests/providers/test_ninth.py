"""A ninth provider is one module: nothing of lumio changes for it.

It lives in a directory of its own, is found by its entry point, and is synced by the command line
of another process against a server that is served here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from lumio_cli.core.clock import utc
from lumio_cli.sandbox import registry
from providers import ninth_subject
from providers.ninth_subject import SUBJECT
from support.conformance import Case
from support.lab import Lab, Outcome
from support.laws import CASES

TOKEN = "ninth-0123456789abcdef0123456789abcdef"
MODULE = '''
"""Ninth: notes."""

from lumio_cli.providers.contract.call import Call
from lumio_cli.providers.contract.fields import Field, Identity
from lumio_cli.providers.contract.paging import Token, with_params
from lumio_cli.providers.contract.provider import Provider
from lumio_cli.providers.contract.quota import Quota
from lumio_cli.providers.contract.resource import Column, Cursor, Resource

PAGE = Token("next", "page", "size")


class Ninth(Provider):
    """Notes, changed since a moment, in pages."""

    name = "ninth"
    title = "Ninth"
    category = "Notes"
    base_url = "https://api.ninth.example"
    hosts = ("api.ninth.example",)
    credential = (Field("token", "API token (Profile > API)", secret=True),)
    quotas = (Quota("minute", 600, 60.0),)
    resources = (
        Resource(
            name="notes",
            path="/notes",
            title="Notes",
            columns=(Column("text", "text"), Column("stars", "stars", "integer")),
            paging={"full": PAGE, "changes": PAGE},
            page_size={"full": 2, "changes": 2},
            rows="data",
            updated="changed",
            cursor=Cursor("changed", lookback=60.0),
            deletes=("sweep",),
        ),
    )
    no_merges = "Notes cannot be merged."
    guide = ("Copy the token from Profile > API and run `lumio connect ninth`.",)

    def probe(self, send, credential):
        me = send(Call("GET", "/me")).json()
        return Identity(str(me["id"]), me["name"])

    def call(self, walk):
        floor = walk.window.floor
        since = floor.strftime("%Y-%m-%dT%H:%M:%SZ") if floor else None
        return with_params(Call("GET", walk.resource.path), since=since)
'''


def cases_of_the_ninth() -> list[Case]:
    """The cases that its declaration calls for: it has a cursor and pages, no OAuth, and no list of
    what was deleted."""
    abilities = {"cursor", "edits", "pages", "sweep"}
    return [case for case in CASES.values() if case.needs <= abilities]


class Notes:
    """The service: its notes, its clock, and what it was asked."""

    def __init__(self) -> None:
        self.now = 1_795_000_000.0
        self.notes: dict[int, dict[str, Any]] = {}
        self.asked: list[str] = []

    def put(self, number: int, text: str) -> None:
        """Write a note."""
        changed = utc(self.now).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.notes[number] = {"id": number, "text": text, "stars": number % 6, "changed": changed}

    def answer(self, target: str, authorization: str) -> tuple[int, Any]:
        """The answer to a GET: status and document."""
        self.asked.append(target)
        if authorization != f"Bearer {TOKEN}":
            return 401, {"message": "who are you?"}
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/me":
            return 200, {"id": 9, "name": "The ninth"}
        if parts.path != "/notes":
            return 404, {"message": "no such thing"}
        size, start = int(query["size"]), int(query.get("page", 0))
        since = query.get("since", "")
        found = [n for i, n in sorted(self.notes.items()) if i > start and n["changed"] >= since]
        page = found[:size]
        return 200, {"data": page, "next": page[-1]["id"] if len(found) > size else None}


@pytest.fixture
def notes() -> Notes:
    """Five notes, an hour old."""
    service = Notes()
    for number in range(1, 6):
        service.put(number, f"note {number} ü")
    service.now += 3600
    return service


@pytest.fixture
def url(notes: Notes) -> Iterator[str]:
    """The service behind HTTP, on this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, document = notes.answer(self.path, self.headers.get("authorization", ""))
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(notes.now)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


class NinthLab:
    """A machine with lumio and the ninth provider's package, in processes of their own."""

    def __init__(self, root: Path, url: str) -> None:
        self.home = root / "home"
        self.home.mkdir(mode=0o700)
        package = root / "elsewhere"
        info = package / "lumio_ninth-1.0.dist-info"
        info.mkdir(parents=True)
        (package / "lumio_ninth.py").write_text(MODULE)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lumio-ninth\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[lumio.providers]\nninth = lumio_ninth:Ninth\n")
        self.environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(package),
            "LUMIO_HOME": str(self.home),
            "LUMIO_NINTH_TOKEN": TOKEN,
            "LUMIO_PROVIDERS__NINTH__BASE_URL": url,
        }

    def lumio(self, *argv: str, **environ: str) -> Outcome:
        """Run a command line with JSON output."""
        done = subprocess.run(
            [sys.executable, "-m", "lumio_cli", *argv, "-o", "json"],
            env={**self.environ, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    sql = Lab.sql
    hub_path = Lab.hub_path

    def held(self) -> dict[str, str]:
        """The hub's notes."""
        return dict(self.sql("SELECT id, text FROM ninth_notes"))


@pytest.fixture
def ninth(tmp_path: Path, url: str) -> NinthLab:
    return NinthLab(tmp_path, url)


def test_a_provider_is_one_module_of_sixty_lines() -> None:
    assert len(MODULE.strip().splitlines()) <= 60


def test_a_ninth_provider_syncs_in_full_by_changes_and_by_sweep(
    ninth: NinthLab, notes: Notes
) -> None:
    full = ninth.lumio("sync", "ninth")
    assert (full.code, full.err) == (0, ""), full.out
    entry = full.resource("notes")
    assert (entry["mode"], entry["created"], entry["deleted"]) == ("full", 5, 0)
    assert ninth.held() == {str(i): n["text"] for i, n in notes.notes.items()}
    assert ninth.sql("SELECT stars FROM ninth_notes WHERE id = '4'") == [(4,)]

    notes.now += 3600
    notes.put(2, "changed")
    notes.put(6, "new")
    del notes.notes[5]
    changes = ninth.lumio("sync", "ninth/notes").resource("notes")
    counts = [changes[name] for name in ("mode", "read", "created", "updated", "deleted")]
    assert counts == ["incremental", 2, 1, 1, 0]
    assert "5" in ninth.held(), "only a full walk can miss it"

    swept = ninth.lumio("sync", "ninth", "--mode", "full", "--max-delete", "20")
    assert (swept.code, swept.resource("notes")["deleted"]) == (0, 1), swept.out
    assert ninth.held() == {str(i): n["text"] for i, n in notes.notes.items()}


def test_a_ninth_provider_is_known_everywhere(ninth: NinthLab, notes: Notes) -> None:
    shown = ninth.lumio("providers", "show", "ninth")
    assert shown.code == 0, shown.out
    assert [r["resource"] for r in shown.document["resources"]] == ["notes"]
    connected = ninth.lumio("connect", "ninth")
    assert connected.document["account"] == {"id": "9", "name": "The ninth"}
    refused = ninth.lumio("sync", "ninth", LUMIO_NINTH_TOKEN="x" * 30)
    assert refused.code == 4, refused.out


@pytest.mark.parametrize("case", cases_of_the_ninth(), ids=lambda case: case.name)
def test_a_ninth_provider_conforms(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    NinthLab(tmp_path, "http://127.0.0.1:9")
    monkeypatch.syspath_prepend(str(tmp_path / "elsewhere"))
    monkeypatch.setitem(sys.modules, "lumio_cli.sandbox.ninth", ninth_subject)
    monkeypatch.setitem(registry.PROVIDERS, "ninth", "Service")
    case.check(SUBJECT, tmp_path)

"""`lumio debug`, with real syncs against the look-alike."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.app import run
from lumio_cli.config.global_options import Globals
from lumio_cli.core.stop import Stop
from lumio_cli.runtime import Runtime
from lumio_cli.sandbox import Sandbox
from lumio_cli.services.connections.sessions import open_for
from support.cli import Stream, lumio
from support.lab import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with Sandbox(records=20) as sandbox:
        yield Lab(tmp_path / "home", sandbox)


def shown(lab: Lab, *words: str) -> list[dict[str, Any]]:
    """The requests that `show` streams, one JSON object a line."""
    done = lab.lumio("debug", "hubspot", "show", *words)
    assert (done.code, done.err) == (0, "")
    return [json.loads(line) for line in done.out.splitlines()]


def test_a_sync_is_recorded_with_everything_but_the_token(lab: Lab) -> None:
    on = lab.lumio("debug", "hubspot", "on", "--level", "verbose", "--duration", "10m").document
    assert (on["debug"], on["level"], on["rows"]) == ("on", "verbose", 0)
    run_id = lab.lumio("sync", "hubspot").document["run_id"]
    requests = shown(lab, "--last", "500")
    assert len(requests) > 8
    sent = [r for r in requests if r["cache"] is None]
    for request in sent:
        assert request["method"] in ("GET", "POST")
        assert request["url"].startswith(lab.sandbox.base_url("hubspot"))
        assert request["request_headers"]["authorization"] == "***"
        assert request["response_headers"]["content-type"].startswith("application/json")
        assert request["status"] in (200, 207)
        assert request["ms"] > 0
        assert request["waited_ms"] >= 0
        assert request["attempt"] == 1
        assert request["request_id"]
        assert request["response_body"]
        # The probe before the run belongs to it, too.
        assert request["run_id"] == run_id
        assert request["provider"] == "hubspot"
    posts = [r for r in sent if r["method"] == "POST"]
    assert all(r["request_body"] for r in posts)
    assert any("burst" in r.get("remaining", {}) for r in sent)
    raw = (lab.home / "runtime.db").read_bytes()
    raw += b"".join(path.read_bytes() for path in lab.home.glob("runtime.db-*"))
    token = lab.sandbox.token("hubspot")
    assert token.encode() not in raw
    assert token not in lab.lumio("debug", "hubspot", "show", "--last", "500").out


def test_an_answer_from_the_cache_is_recorded_as_one(lab: Lab) -> None:
    lab.lumio("debug", "hubspot", "on")
    runtime = Runtime(Globals(), environ=lab.environ, stdout=Stream(), stderr=Stream())
    provider = runtime.provider("hubspot")
    send = open_for(runtime, provider).send
    for _ in range(2):
        provider.describe(provider.resource("contacts"), send)
    runtime.close()
    assert [(r["cache"], r.get("status")) for r in shown(lab)] == [(None, 200), ("memory", None)]


def test_basic_records_no_bodies(lab: Lab) -> None:
    assert lab.lumio("debug", "hubspot", "on").document["level"] == "basic"
    lab.lumio("sync", "hubspot/contacts")
    requests = shown(lab)
    assert requests
    assert not any("request_body" in r or "response_body" in r for r in requests)


def test_failures_are_recorded_with_every_attempt(lab: Lab) -> None:
    lab.lumio("debug", "hubspot", "on")
    lab.sandbox.faults.set(["503:times=1:path=*details", "reset:times=1:path=*owners*"])
    lab.lumio("sync", "hubspot/owners")
    requests = shown(lab)
    assert [r["status"] for r in requests if r["route"].endswith("details")] == [503, 200]
    owners = [r for r in requests if r["route"].endswith("owners")]
    assert [r["attempt"] for r in owners] == [1, 2]
    assert "error" in owners[0]


def test_off_and_nothing_more_is_recorded(lab: Lab) -> None:
    lab.lumio("debug", "hubspot", "on")
    off = lab.lumio("debug", "hubspot", "off").document
    assert (off["debug"], off["level"], off["until"]) == ("off", None, None)
    lab.lumio("sync", "hubspot/contacts")
    assert shown(lab) == []
    assert lab.lumio("debug", "hubspot", "status").document["rows"] == 0


def test_status_and_clear(lab: Lab) -> None:
    lab.lumio("debug", "hubspot", "on", "--duration", "90s")
    lab.lumio("sync", "hubspot/contacts")
    status = lab.lumio("debug", "hubspot", "status").document
    assert status["rows"] > 0
    assert status["bytes"] > 100
    assert status["until"].endswith("Z")
    table = lab.lumio("debug", "hubspot", "status", "-o", "tsv").out.splitlines()
    assert table[0].split("\t") == ["provider", "debug", "level", "until", "rows", "bytes"]
    assert lab.lumio("debug", "hubspot", "clear").document["rows"] == 0


def test_people_read_a_line_a_request(lab: Lab) -> None:
    lab.lumio("debug", "hubspot", "on")
    lab.lumio("sync", "hubspot/contacts")
    out = Stream(terminal=True)
    environ = {**lab.environ, "NO_COLOR": "1"}
    code = run(
        ["debug", "hubspot", "show", "--last", "2"],
        environ=environ,
        stdin=Stream(),
        stdout=out,
        stderr=io.StringIO(),
    )
    lines = out.getvalue().splitlines()
    assert code == 0
    assert len(lines) == 2
    assert all("-> 200" in line and "{" not in line for line in lines)


def test_a_pipe_gets_json_lines(lab: Lab) -> None:
    lab.lumio("debug", "hubspot", "on")
    lab.lumio("sync", "hubspot/contacts")
    done = lab.lumio("debug", "hubspot", "show", "-o", "tsv")
    assert [json.loads(line)["method"] for line in done.out.splitlines()]


def test_follow_goes_on_until_ctrl_c(lab: Lab) -> None:
    lab.lumio("debug", "hubspot", "on")
    stop, out = Stop(), Stream()
    codes: list[int] = []

    def follow() -> None:
        argv = ["debug", "hubspot", "show", "--follow", "-o", "tsv"]
        streams = {"stdin": Stream(), "stdout": out, "stderr": Stream()}
        codes.append(run(argv, environ=lab.environ, stop=stop, **streams))

    thread = threading.Thread(target=follow)
    thread.start()
    lab.lumio("sync", "hubspot/owners")
    deadline = time.monotonic() + 10
    while "/owners" not in out.getvalue() and time.monotonic() < deadline:
        time.sleep(0.05)
    stop.set("Ctrl-C", 130)
    thread.join(10)
    assert codes == [130]
    assert "/owners" in out.getvalue()
    assert all(json.loads(line) for line in out.getvalue().splitlines())


@pytest.mark.parametrize(
    ("argv", "hint"),
    [
        (("hubspto", "on"), "did you mean 'hubspot'?"),
        (("on", "hubspot"), "lumio debug PROVIDER on"),
        (("hubspot", "of"), "did you mean 'off'?"),
        (("hubspot", "on", "--last", "3"), "lumio debug --help"),
        (("hubspot", "show", "--level", "basic"), "lumio debug --help"),
        (("hubspot", "on", "--duration", "soon"), "--duration 1h"),
    ],
)
def test_wrong_words_are_wrong_usage(tmp_path: Path, argv: tuple[str, ...], hint: str) -> None:
    done = lumio("debug", *argv, home=tmp_path)
    assert done.code == 2
    assert hint in done.err
    assert not (tmp_path / "runtime.db").exists()

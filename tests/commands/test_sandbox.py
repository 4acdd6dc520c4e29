"""`lumio sandbox`: a look-alike in the foreground, until somebody ends it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from lumio_cli.services.sandboxing.foreground import Lookalikes
from support.cli import lumio


def serve(home: Path, *argv: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "lumio_cli", "sandbox", "--records", "3", *argv],
        env={"PATH": os.environ["PATH"], "LUMIO_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def variables(lines: list[str]) -> dict[str, str]:
    """The environment that a shell would have after reading `lines`."""
    words = [shlex.split(line) for line in lines if not line.startswith("#")]
    assert all(word[0] == "export" for word in words)
    return dict(word[1].split("=", 1) for word in words)


def usable(home: Path, env: Mapping[str, str]) -> bool:
    done = lumio("sync", "hubspot/contacts", "-o", "json", home=home, env=env)
    return bool(done.code == 0 and done.json["resources"][0]["created"] == 3)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_its_lines_point_lumio_at_it_until_a_signal(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    child = serve(tmp_path)
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(3)]
    assert lines[0].startswith("# sandbox at http://127.0.0.1:")
    env = variables(lines)
    assert env["LUMIO_HUBSPOT_TOKEN"].startswith("pat-na1-")  # fake, and not redacted
    assert usable(tmp_path, env)
    child.send_signal(number)
    out, err = child.communicate(timeout=10)
    assert (child.returncode, out, err) == (code, "", "")
    with pytest.raises(OSError):
        urllib.request.urlopen(env["LUMIO_PROVIDERS__HUBSPOT__BASE_URL"], timeout=5)


def test_json_is_one_line_and_a_child_that_dies_is_noticed(tmp_path: Path) -> None:
    child = serve(tmp_path, "-o", "json", "--latency", "1.5", "--seed", "7", "--quota", "none")
    assert child.stdout is not None
    ready = json.loads(child.stdout.readline())
    hubspot = ready["providers"]["hubspot"]
    assert usable(
        tmp_path,
        {
            "LUMIO_HUBSPOT_TOKEN": hubspot["token"],
            "LUMIO_PROVIDERS__HUBSPOT__BASE_URL": hubspot["base_url"],
        },
    )
    assert hubspot["oauth"]["client_secret"]
    os.kill(ready["pid"], signal.SIGKILL)
    out, _ = child.communicate(timeout=10)
    assert child.returncode == 1
    assert "ended by itself" in json.loads(out)["error"]["message"]


@pytest.mark.parametrize(
    "words",
    [
        ["--fault", "nonsense"],
        ["--fault", "--port"],
        ["--quota", "burst=many"],
        ["--provider", "nobody"],
        ["--records", "-1"],
        ["--port", "70000"],
        ["--latency", "-1"],
    ],
)
def test_bad_values_are_one_line(tmp_path: Path, words: list[str]) -> None:
    done = lumio("sandbox", *words, home=tmp_path)
    assert done.code == 2
    assert done.out == ""
    error, hint = done.err.splitlines()
    assert error.startswith("error: ")
    assert hint == "hint: lumio sandbox --help"


def test_arguments() -> None:
    assert Lookalikes().arguments() == ["--port=0"]
    wish = Lookalikes(["hubspot"], 5, 20.0, ["429:every=3", "--x"], "none", -1, 8080)
    assert wish.arguments() == [
        "--provider=hubspot", "--fault=429:every=3", "--fault=--x", "--records=5",
        "--latency=20.0", "--quota=none", "--seed=-1", "--port=8080",
    ]  # fmt: skip

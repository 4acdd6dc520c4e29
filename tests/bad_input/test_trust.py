"""What others may have put in lumio's way: a home, a directory, a page in a browser."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from lumio_cli.core.redact import without_secrets
from lumio_cli.core.stop import Stop
from lumio_cli.credentials.operator_sources import find_given
from lumio_cli.sandbox import Sandbox
from support.lab import Lab
from support.trials import told

pytestmark = pytest.mark.attack("trust")


@pytest.mark.parametrize("what", ["owner", "mode", "config"])
def test_a_home_that_others_decide_about_gets_no_credential(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    (lab.home / "config.yaml").write_text("log:\n  level: debug\n")
    (lab.home / "config.yaml").chmod(0o600)
    odd = lab.home / "config.yaml" if what == "config" else lab.home
    if what == "mode":
        lab.home.chmod(0o777)
    else:
        stat = Path.stat

        def theirs(path: Path, **options: bool) -> os.stat_result:
            found = stat(path, **options)
            return os.stat_result((*found[:4], 4712, *found[5:])) if path == odd else found

        monkeypatch.setattr(Path, "stat", theirs)
    done = lab.lumio("sync", "hubspot/contacts")
    error = told(done)
    assert done.code == 7
    assert str(lab.home) in error["message"]
    assert ("chmod go-w" if what == "mode" else "chown ") in error["hint"]
    assert not [p for _, _, p, _ in lab.sandbox.requests if p.startswith("/hubspot")]


def test_no_module_comes_from_the_current_directory(tmp_path: Path) -> None:
    for name in ("yaml", "typer", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('hijacked')\n")
    done = subprocess.run(
        [sys.executable, "-m", "lumio_cli", "config", "show"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_look_alike_and_a_token_command_get_no_secrets_of_others() -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "LUMIO_SLACK_TOKEN": "xoxb-1",
        "LUMIO_VAULT_KEY": "k",
        "VAULT_TOKEN": "the store's own",
        "LANG": "C",
    }
    assert without_secrets(environ) == {"PATH": environ["PATH"], "LANG": "C"}
    code = "import os, json; print(json.dumps(sorted(os.environ)).encode().hex())"
    source = find_given("hubspot", environ, [sys.executable, "-c", code], Stop())
    assert source is not None
    names = json.loads(bytes.fromhex(source.read()))
    assert "VAULT_TOKEN" in names
    assert not {"LUMIO_SLACK_TOKEN", "LUMIO_VAULT_KEY"} & set(names)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "attacker.test"}, 403),
        ({"Host": "127.0.0.1.attacker.test:80"}, 403),
        ({"Origin": "https://attacker.test"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "localhost:1"}, 200),
        ({"Origin": "http://127.0.0.1:8080"}, 200),
    ],
)
def test_the_look_alikes_answer_no_page_of_somebody_else(
    headers: dict[str, str], status: int
) -> None:
    with Sandbox(records=1, providers=["hubspot"]) as sandbox:
        answer = httpx.get(f"{sandbox.url}/_sandbox/stats", headers=headers, trust_env=False)
        assert answer.status_code == status

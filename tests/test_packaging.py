"""What the repository promises to somebody who has just cloned it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import lumio_cli

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins(name: str) -> dict[str, str]:
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_version_is_one() -> None:
    assert PROJECT["version"] == lumio_cli.__version__


@pytest.mark.parametrize("name", ["run", "dev"])
def test_pins_are_exact_and_name_no_place(name: str) -> None:
    for line in (ROOT / "requirements" / f"{name}.txt").read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(r"[a-z0-9-]+==[0-9][\w.+!]*", line), line


def test_pins_hold_what_pyproject_asks_for() -> None:
    run, dev = pins("run"), pins("dev")
    assert run.items() <= dev.items()
    for pinned, wanted in (
        (run, PROJECT["dependencies"]),
        (dev, PROJECT["optional-dependencies"]["dev"]),
    ):
        for text in wanted:
            requirement = Requirement(text)
            version = pinned.get(canonical(requirement.name))
            assert version is not None, f"{requirement.name}: run `make pins`"
            assert requirement.specifier.contains(version), text


def make(*argv: str) -> str:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "COV"))}
    child = subprocess.run(
        ["make", *argv], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    return child.stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_lists_what_it_can() -> None:
    listed = make("help")
    targets = ("setup", "demo", "test", "lint", "bench", "completions", "pins", "clean")
    for target in targets:
        assert f"make {target} " in listed


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_the_test_command_measures_coverage_on_request() -> None:
    assert "--cov" not in make("-n", "test")
    assert "--cov" in make("-n", "test", "COVERAGE=1")


def test_the_ci_script_is_one_that_bash_understands() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in script.read_text()
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0

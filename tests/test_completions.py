"""Completion: what is offered, and that the shells' scripts work."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from lumio_cli.app import build_root
from lumio_cli.commands.common import App, Targets
from lumio_cli.config.global_options import GLOBAL_OPTIONS
from lumio_cli.services.shell.completion import complete_target, respond
from lumio_cli.services.shell.scripts import SCRIPTS, answer
from support.cli import Stream

COMPLETIONS = Path(__file__).parent.parent / "completions"


def words(*typed: str, env: dict[str, str] | None = None) -> list[str]:
    *before, incomplete = typed
    found = respond(build_root(), before, incomplete, env or {})
    return [word for word, _ in found.candidates]


def test_commands() -> None:
    assert {"config", "providers"} <= set(words(""))
    assert words("confi") == ["config"]
    assert words("-o", "json", "confi") == ["config"]
    assert words("--profile", "config", "confi") == ["config"]
    assert {"show", "path", "validate", "init"} <= set(words("config", ""))
    assert words("config", "sh") == ["show"]


def test_options_after_a_dash() -> None:
    flags = [option.flag for option in GLOBAL_OPTIONS]
    assert words("-") == ["--help", *flags]
    assert words("config", "init", "--p") == ["--print", "--profile"]
    assert words("config", "init", "--", "-") == []


def test_values() -> None:
    assert words("-o", "") == ["table", "tsv", "json"]
    assert words("config", "--output", "t") == ["table", "tsv"]
    assert "hubspot" in words("providers", "show", "hub")
    assert words("providers", "show", "hubspot", "") == []


def test_targets() -> None:
    assert ("hubspot", "") in complete_target("hub")
    assert [word for word, _ in complete_target("hubspot/cont")] == ["hubspot/contacts"]
    assert complete_target("nobody/") == []


def test_profiles(tmp_path: Path) -> None:
    (tmp_path / "profiles" / "prod").mkdir(parents=True)
    env = {"LUMIO_HOME": str(tmp_path)}
    assert words("--profile", "", env=env) == ["default", "prod"]
    assert words("config", "show", "--profile", "p", env=env) == ["prod"]


def test_values_of_a_commands_own_options() -> None:
    app = App(rich_markup_mode=None, add_completion=False)

    @app.command()
    def sync(
        targets: Targets = None,
        file: str = typer.Option("", "--file", metavar="FILE"),
        mode: str = typer.Option("", "--mode", autocompletion=lambda: ["full", "incremental"]),
        dry: bool = typer.Option(False, "--dry"),
        secret: bool = typer.Option(False, "--secret", hidden=True),
    ) -> None:
        """Sync."""

    root = typer.main.get_command(app)
    assert respond(root, ["--file"], "", {}).files
    assert [w for w, _ in respond(root, ["--mode"], "f", {}).candidates] == ["full"]
    assert [w for w, _ in respond(root, ["--dry"], "hub", {}).candidates] == ["hubspot"]
    after = respond(root, ["hubspot", "--mode", "full"], "hubspot/d", {})
    assert [w for w, _ in after.candidates] == ["hubspot/deals"]
    assert "--secret" not in [w for w, _ in respond(root, [], "--", {}).candidates]


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_scripts_are_current(shell: str) -> None:
    name, text = SCRIPTS[shell]
    assert (COMPLETIONS / name).read_text() == text, "run `make completions`"
    out = Stream()
    assert answer(f"source_{shell}", [], build_root, {}, out) == 0
    assert out.getvalue() == text


def test_answers() -> None:
    out = Stream()
    assert answer("words", ["config", "ini"], build_root, {}, out) == 0
    assert out.getvalue().startswith("words\ninit\tBegin a configuration file")
    assert answer("source_tcsh", [], build_root, {}, out) == 2
    assert answer("words", [], build_root, {}, Stream()) == 0

    def broken() -> None:
        raise RuntimeError

    out = Stream()
    assert answer("words", ["x"], broken, {}, out) == 1
    assert out.getvalue() == ""


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH on which `lumio` is this lumio."""
    script = tmp_path / "bin" / "lumio"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m lumio_cli "$@"\n')
    script.chmod(0o755)
    return f"{script.parent}:{os.environ['PATH']}"


def bash(path: str, *typed: str) -> list[str]:
    array = " ".join(f"'{word}'" for word in ("lumio", *typed))
    text = (
        f"source '{COMPLETIONS}/lumio.bash'\n"
        f"COMP_WORDS=({array})\nCOMP_CWORD={len(typed)}\n"
        '_lumio\nprintf "%s\\n" "${COMPREPLY[@]}"\ncomplete -p lumio\n'
    )
    child = subprocess.run(
        ["bash", "--norc", "-eu", "-c", text],
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.stderr == ""
    *found, registered = child.stdout.splitlines()
    assert registered == "complete -F _lumio lumio"
    return [word for word in found if word]


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash(path: str) -> None:
    assert bash(path, "confi") == ["config"]
    assert bash(path, "providers", "show", "hub") == ["hubspot"]
    assert bash(path, "config", "init", "--pr") == ["--print", "--profile"]
    assert bash(path, "providers", "show", "nobody") == []


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh(path: str) -> None:
    text = (
        "autoload -Uz compinit; compinit -u -D\n"
        "_describe() { print -l -- $candidates }\n"
        f"source '{COMPLETIONS}/_lumio'\n"
        "words=(lumio providers show hub); CURRENT=4; _lumio\n"
    )
    child = subprocess.run(
        ["zsh", "-f", "-c", text], env={"PATH": path}, capture_output=True, text=True, check=False
    )
    assert child.stdout.splitlines() == ["hubspot"]


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish(path: str, tmp_path: Path) -> None:
    text = f"source '{COMPLETIONS}/lumio.fish'; complete -C 'lumio providers show hub'"
    child = subprocess.run(
        ["fish", "--no-config", "-c", text],
        env={"PATH": path, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.stdout.splitlines() == ["hubspot"]

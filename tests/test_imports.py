"""What starting lumio costs, and that commands are what the table says."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import lumio_cli
from lumio_cli import app
from lumio_cli.commands import COMMANDS

ROOT = Path(lumio_cli.__file__).parent
HEAVY = (
    "httpx", "pydantic", "pydantic_settings", "keyring", "sqlite_utils", "sqlite3", "yaml",
    "diskcache", "rich", "tenacity", "cryptography", "orjson", "asyncio", "logging",
    "lumio_cli.transport", "lumio_cli.hub", "lumio_cli.config.settings", "lumio_cli.sync",
    "lumio_cli.providers.hubspot", "lumio_cli.credentials", "lumio_cli.core.redact",
)  # fmt: skip

SHARED = (
    "__init__", "common", "records_io", "records_render", "render", "send_options", "send_render",
    "two_way",
)  # fmt: skip
"""What stands beside the commands and is none."""


def loaded(argv: list[str], **env: str) -> set[str]:
    """The modules that a lumio process has imported when it ends."""
    text = (
        "import atexit, sys, os\n"
        "atexit.register(lambda: os.write(2, '\\n'.join(sys.modules).encode()))\n"
        f"sys.argv = ['lumio', *{argv!r}]\n"
        "from lumio_cli.app import main\nmain()"
    )
    # -S and -I would hide the installed package; coverage's own imports do not matter here.
    child = subprocess.run(
        [sys.executable, "-c", text],
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    return set(child.stderr.split("\n"))


@pytest.mark.parametrize(
    ("argv", "env"),
    [
        (["--help"], {}),
        (["--version"], {}),
        ([""], {"_LUMIO_COMPLETE": "words"}),
        (["providers", "show", ""], {"_LUMIO_COMPLETE": "words"}),
        (["config", "init", "--"], {"_LUMIO_COMPLETE": "words"}),
    ],
)
def test_nothing_heavy_is_imported(argv: list[str], env: dict[str, str]) -> None:
    modules = loaded(argv, **env)
    assert "lumio_cli.app" in modules
    assert not modules & set(HEAVY)


def test_completing_resources_imports_that_provider_and_no_more() -> None:
    modules = loaded(["providers", "show", "hubspot/"], _LUMIO_COMPLETE="words")
    assert not modules & (set(HEAVY) - {"lumio_cli.providers.hubspot"})


def best(argv: list[str], runs: int = 8) -> float:
    """The fastest of many runs, in seconds: what the machine else does only adds."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env={"PATH": "/usr/bin:/bin"})
        times.append(time.perf_counter() - started)
    return min(times)


@pytest.mark.slow
def test_help_costs_at_most_twice_what_typer_costs() -> None:
    base = [sys.executable, "-c"]
    help_ = [
        *base,
        "import sys; sys.argv = ['lumio', '--help']\nfrom lumio_cli.app import main; main()",
    ]
    for _ in range(3):  # other tests run at the same time
        ratio = best(help_) / best([*base, "import typer"])
        if ratio <= 2:
            return
    pytest.fail(f"--help takes {ratio:.2f} times as long as importing typer")


def test_the_table_of_commands_is_true() -> None:
    root = app.build_root()
    for path in (ROOT / "commands").glob("*.py"):
        if path.stem not in SHARED:
            assert path.stem in COMMANDS, f"{path.stem} is missing in the table of commands"
    for name in root.list_commands(None):
        command = root.get_command(None, name)
        assert command.name == name
        assert command.help, f"lumio {name} has no help"
    assert root.get_command(None, "common") is None


def test_command_files_are_short_and_hold_no_logic() -> None:
    for path in (ROOT / "commands").glob("*.py"):
        if path.stem in SHARED:
            continue
        text = path.read_text()
        assert len(text.splitlines()) <= 100, f"{path.name} is too long for a command"
        names = {
            alias.name.split(".")[0]
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        assert not names & {"httpx", "sqlite3", "keyring", "rich"}


def test_only_output_knows_rich() -> None:
    for path in ROOT.rglob("*.py"):
        if path.parent.name == "output":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            assert not (module or "").startswith("rich"), path

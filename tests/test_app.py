"""The root command: global options, usage errors, exit codes, signals, broken pipes."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import typer

from lumio_cli import app, commands
from lumio_cli.commands.common import runtime_of
from lumio_cli.config.global_options import GLOBAL_OPTIONS, split_globals
from lumio_cli.core.errors import BusyError, ConfigError, LumioError, PartialError
from support.cli import lumio

TOKEN = "pat-na1-0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f"


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[..., object]], None]]:
    """Put a function in as the command `probe`."""

    def put(function: Callable[..., object]) -> None:
        module = ModuleType("lumio_cli.commands.probe")
        module.__dict__["probe"] = function
        module.__spec__ = type(app.__spec__)("lumio_cli.commands.probe", None)
        monkeypatch.setitem(sys.modules, "lumio_cli.commands.probe", module)

    entries = {**commands.COMMANDS, "probe": commands.Entry("A probe.", "Commands")}
    monkeypatch.setattr(app, "COMMANDS", entries)
    yield put


# --- global options -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "argv",
    [
        "-o json sync x", "sync -o json x", "sync x -o json", "sync x --output=json",
        "sync x -ojson", "sync x --output json", "sync -o=json x",
    ],
)  # fmt: skip
def test_a_global_option_may_stand_anywhere(argv: str) -> None:
    options, rest, problem = split_globals(argv.split())
    assert (options.output, rest, problem) == ("json", ["sync", "x"], None)


def test_flags_can_be_joined_and_repeated() -> None:
    options, rest, problem = split_globals(["-qvv", "sync", "-vo", "tsv", "--no-input"])
    assert (options.quiet, options.verbose, options.output) == (True, 3, "tsv")
    assert options.no_input
    assert (rest, problem) == (["sync"], None)


def test_what_is_not_global_stays() -> None:
    argv = ["sync", "-n", "-nq", "--mode", "full", "-", "--", "-o", "json"]
    options, rest, problem = split_globals(argv)
    assert (options.output, options.quiet, rest, problem) == (None, False, argv, None)


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        ("-o xml", "--output cannot be 'xml': it is one of table, tsv, json"),
        ("sync --profile", "--profile needs a value"),
        ("--quiet=yes", "--quiet takes no value"),
        ("--color pink", "--color cannot be 'pink': it is one of auto, always, never"),
    ],
)
def test_wrong_values_of_global_options(argv: str, text: str, tmp_path: Path) -> None:
    done = lumio(*argv.split(), home=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {text}\n")
    document = lumio("-o", "json", *argv.split(), home=tmp_path).json
    assert document["error"]["exit_code"] == 2


def test_every_help_names_the_global_options(tmp_path: Path) -> None:
    for argv in ([], ["config"], ["config", "show"], ["providers", "show"]):
        done = lumio(*argv, "--help", home=tmp_path)
        assert (done.code, done.err) == (0, "")
        for option in GLOBAL_OPTIONS:
            assert option.flag in done.out


def test_no_command_takes_a_global_option_for_its_own() -> None:
    ours = {name for o in GLOBAL_OPTIONS for name in (o.flag, o.short) if name}

    def check(group: object, path: str) -> None:
        for name in group.list_commands(None):  # type: ignore[attr-defined]
            found = group.get_command(None, name)  # type: ignore[attr-defined]
            for param in found.params:
                if param.param_type_name == "option":
                    assert not ours & set(param.opts), (path, name, param.opts)
            if hasattr(found, "list_commands"):
                check(found, f"{path} {name}")

    check(app.build_root(), "lumio")


# --- help and usage -------------------------------------------------------------------------


def test_help_and_version(tmp_path: Path) -> None:
    done = lumio("--help", home=tmp_path)
    assert done.code == 0
    for name in app.build_root().list_commands(None):
        assert f"  {name} " in done.out
    assert lumio("--version", home=tmp_path).out == "lumio 0.1.0\n"
    assert lumio("config", "-o", "json", "--version", home=tmp_path).json == {"version": "0.1.0"}


@pytest.mark.parametrize("argv", [[], ["config"]])
def test_nothing_to_do_shows_the_help_and_is_a_usage_error(argv: list[str], tmp_path: Path) -> None:
    done = lumio(*argv, home=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "Usage: lumio" in done.err
    assert lumio(*argv, "-o", "json", home=tmp_path).json["error"]["code"] == "usage"


@pytest.mark.parametrize(
    ("argv", "error", "hint"),
    [
        ("confg", "lumio has no command 'confg'", "did you mean 'config'?"),
        ("config shw", "lumio config has no command 'shw'", "did you mean 'show'?"),
        ("config init --prnt", "lumio config init has no option --prnt", "did you mean '--print'?"),
        (
            "config show --quite",
            "lumio config show has no option --quite",
            "did you mean '--quiet'",
        ),
        ("--versoin", "lumio has no option --versoin", "did you mean '--version'?"),
        ("providers show", "missing argument 'PROVIDER'", "lumio providers show --help"),
        ("providers show hubspt", "there is no provider 'hubspt'", "did you mean 'hubspot'?"),
        ("config show more", "got unexpected extra argument", "lumio config show --help"),
        ("--profile ../x config path", "'../x' is no profile name", "use up to 64"),
    ],
)
def test_usage_errors_are_two_lines(argv: str, error: str, hint: str, tmp_path: Path) -> None:
    done = lumio(*argv.split(), home=tmp_path)
    assert (done.code, done.out) == (2, "")
    first, second = done.err.splitlines()
    assert first.startswith(f"error: {error}")
    assert second.startswith(f"hint: {hint}")
    document = lumio("-o", "json", *argv.split(), home=tmp_path)
    assert (document.code, document.err) == (2, "")
    assert document.json["error"]["hint"].startswith(hint)


def test_a_secret_on_the_command_line_is_refused_and_not_repeated(tmp_path: Path) -> None:
    for argv in (["connect", "hubspot", TOKEN], ["connect", "hubspot", "--set", f"token={TOKEN}"]):
        done = lumio(*argv, home=tmp_path)
        assert done.code == 2
        assert TOKEN not in done.out + done.err
        assert "--token-stdin" in done.err


# --- how a command ends ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LumioError("no"), 1),
        (PartialError("no"), 3),
        (BusyError("no"), 6),
        (ConfigError("no"), 7),
        (typer.Exit(10), 10),
        (typer.Abort(), 130),
    ],
)
def test_errors_become_exit_codes(
    error: Exception,
    code: int,
    command: Callable[[Callable[..., object]], None],
    tmp_path: Path,
) -> None:
    def probe() -> None:
        raise error

    command(probe)
    assert lumio("probe", home=tmp_path).code == code


def test_a_result_is_an_exit_code(
    command: Callable[[Callable[..., object]], None], tmp_path: Path
) -> None:
    def probe(ctx: typer.Context, number: int = 0) -> int:
        """A probe of its own."""
        runtime_of(ctx).output.result({"number": number}, f"number {number}")
        return number

    command(probe)
    assert lumio("probe", "--number", "10", home=tmp_path).code == 10
    assert lumio("probe", "-o", "json", home=tmp_path).json == {"number": 0}
    assert "A probe of its own." in lumio("probe", "--help", home=tmp_path).out
    assert lumio("probe", "--number", "x", home=tmp_path).code == 2


def test_a_bug_is_one_line_and_a_traceback_in_the_log(
    command: Callable[[Callable[..., object]], None], tmp_path: Path
) -> None:
    def probe() -> None:
        raise ZeroDivisionError(f"with {TOKEN}\nsecond line")

    command(probe)
    done = lumio("probe", home=tmp_path)
    assert done.code == 1
    assert done.err.startswith("error: unexpected error: ZeroDivisionError: with ***\n")
    log = tmp_path / "logs" / "lumio.log"
    assert f"hint: the traceback is in {log}" in done.err
    assert "Traceback" not in done.err
    assert "Traceback" in log.read_text()
    assert TOKEN not in log.read_text() + done.err
    shown = lumio("probe", home=tmp_path, env={"LUMIO_TRACEBACK": "1"})
    assert "Traceback" in shown.err
    assert TOKEN not in shown.err
    assert lumio("probe", "-o", "json", home=tmp_path).json["error"]["code"] == "internal"


def test_a_bug_without_a_place_for_logs(
    command: Callable[[Callable[..., object]], None], tmp_path: Path
) -> None:
    def probe() -> None:
        raise ZeroDivisionError

    command(probe)
    (tmp_path / "file").write_text("")
    done = lumio("probe", home=tmp_path / "file")
    assert done.code == 1
    assert "LUMIO_TRACEBACK=1" in done.err


def test_a_traceback_of_a_known_error_only_on_request(
    command: Callable[[Callable[..., object]], None], tmp_path: Path
) -> None:
    def probe() -> None:
        raise LumioError("no \x1b[31m")

    command(probe)
    assert "Traceback" not in lumio("probe", home=tmp_path).err
    shown = lumio("probe", home=tmp_path, env={"LUMIO_TRACEBACK": "1"}).err
    assert "Traceback" in shown
    assert "\x1b" not in shown


def test_settings_from_flags(
    command: Callable[[Callable[..., object]], None], tmp_path: Path
) -> None:
    def probe(ctx: typer.Context, max_wait: str | None = None) -> None:
        runtime = runtime_of(ctx)
        runtime.set_flags(sync__max_wait=max_wait, sync__max_delete=None)
        runtime.start_log(run_id="r1")
        origin = runtime.settings.origin("sync.max_wait").source
        runtime.output.result({"value": runtime.settings.sync.max_wait, "origin": origin})

    command(probe)
    assert lumio("probe", "-o", "json", home=tmp_path).json["origin"] == "default"
    done = lumio("probe", "--max-wait", "2m", "-o", "json", "-v", home=tmp_path)
    assert done.json == {"value": 120, "origin": "flag"}
    assert lumio("probe", "--max-wait", "soon", home=tmp_path).code == 2


def test_the_form_of_output_from_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("output: {format: json}\nlog: {format: json}\n")
    (tmp_path / "config.yaml").chmod(0o600)
    done = lumio("config", "path", home=tmp_path)
    assert done.json["exists"] is True
    assert lumio("config", "path", "-o", "table", home=tmp_path).out.endswith("config.yaml\n")


# --- processes ------------------------------------------------------------------------------


def process(
    code: str, home: Path, argv: tuple[str, ...] = (), **more: object
) -> subprocess.Popen[bytes]:
    """A lumio process in which the command `config path` is `code`."""
    text = (
        "import sys, time, typer\n"
        "from lumio_cli import app\n"
        "from lumio_cli.commands import config\n"
        "def path(ctx: typer.Context):\n"
        "    from lumio_cli.commands.common import runtime_of\n"
        "    runtime = runtime_of(ctx)\n"
        f"{code}\n"
        "config.app.registered_commands = [\n"
        "    c for c in config.app.registered_commands if c.callback.__name__ != 'path']\n"
        "config.app.command('path')(path)\n"
        "sys.argv = ['lumio', 'config', 'path', *sys.argv[1:]]\n"
        "app.main()\n"
    )
    env = {"PATH": os.environ["PATH"], "LUMIO_HOME": str(home)}
    return subprocess.Popen(
        [sys.executable, "-c", text, *argv],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **more,  # type: ignore[call-overload]
    )


WAITS = (
    "    sys.stdout.write('ready\\n'); sys.stdout.flush()\n"
    "    while not runtime.stop.wait(10): pass\n"
    "    runtime.stop.check()\n"
)
HANGS = (
    "    sys.stdout.write('ready\\n'); sys.stdout.flush()\n"
    "    while not runtime.stop.wait(10): pass\n"
    "    sys.stdout.write('stopping\\n'); sys.stdout.flush()\n"
    "    time.sleep(30)\n"
)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_stops_the_run(number: int, code: int, tmp_path: Path) -> None:
    # Under nohup, or in the background of a shell, the tests themselves ignore some.
    child = process(WAITS, tmp_path, preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    started = time.monotonic()
    child.send_signal(number)
    _, err = child.communicate(timeout=20)
    assert child.returncode == code
    assert time.monotonic() - started < 5
    assert err.startswith(b"error: stopped: ")


def test_the_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    child = process(HANGS, tmp_path)
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    child.send_signal(signal.SIGTERM)
    assert child.stdout.readline() == b"stopping\n"
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=10)
    assert child.returncode == 143


def test_an_ignored_interrupt_stays_ignored(tmp_path: Path) -> None:
    child = process(
        WAITS, tmp_path, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    child.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(timeout=0.3)
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=10)
    assert child.returncode == 143


@pytest.mark.parametrize(
    "print_",
    [
        "    for n in range(200000): runtime.output.stream({'n': n})\n",
        (
            "    from lumio_cli.output import Col, Table\n"
            "    rows = [[str(n) * 9] for n in range(8000)]\n"
            "    runtime.output.result({'rows': rows}, Table([Col('a')], rows))\n"
        ),
    ],
)
@pytest.mark.parametrize("form", ["table", "tsv", "json"])
def test_a_reader_that_goes_away(print_: str, form: str, tmp_path: Path) -> None:
    child = process(print_, tmp_path, ("-o", form), bufsize=0)
    child.stdout.read(10)  # type: ignore[union-attr]
    child.stdout.close()  # type: ignore[union-attr]
    err = child.stderr.read()  # type: ignore[union-attr]
    assert child.wait(timeout=20) == 141, err
    assert err == b""
    child.stderr.close()  # type: ignore[union-attr]


def test_text_that_the_encoding_does_not_know(tmp_path: Path) -> None:
    env = {**os.environ, "LUMIO_HOME": str(tmp_path), "PYTHONIOENCODING": "ascii"}
    child = subprocess.run(
        [sys.executable, "-m", "lumio_cli", "providers", "show", "Zoë"],
        env=env,
        capture_output=True,
        check=False,
    )
    assert child.returncode == 2
    assert child.stderr.startswith(b"error: there is no provider 'Zo?'")


def test_a_prompt_is_hidden_and_ends_with_an_interrupt(tmp_path: Path) -> None:
    code = (
        "    runtime.output.line('got ' + runtime.prompt.secret('Token', instead='x')[::-1])\n"
        "    runtime.prompt.secret('Again', instead='x')\n"
    )
    master, slave = pty.openpty()
    child = process(code, tmp_path, stdin=slave, start_new_session=True)
    # stdout and stderr of `process` are pipes; a prompt wants a terminal.
    child.communicate(timeout=20)
    assert child.returncode == 2
    os.close(master)
    os.close(slave)

    pid, terminal = pty.fork()
    if pid == 0:  # pragma: no cover - another process
        os.environ["LUMIO_HOME"] = str(tmp_path)
        os.environ.pop("CI", None)
        text = (
            "from lumio_cli.runtime import Runtime\n"
            "from lumio_cli.config.global_options import Globals\n"
            "from lumio_cli import app\n"
            "from lumio_cli.core.stop import Stop\n"
            "from lumio_cli.core.errors import StoppedError\n"
            "import sys\n"
            "stop = Stop(); app._obey_signals(stop)\n"
            "ask = Runtime(Globals(), stop=stop).prompt\n"
            "print('got', ask.secret('Token', instead='x')[::-1])\n"
            "try: ask.secret('Again', instead='x')\n"
            "except StoppedError as error: print(error.message); sys.exit(error.exit_code)\n"
        )
        os.execv(sys.executable, [sys.executable, "-c", text])
    seen = _until(terminal, b"Token:")
    os.write(terminal, b"abc123\n")
    seen += _until(terminal, b"Again:")
    assert b"got 321cba" in seen
    assert b"abc123" not in seen
    os.write(terminal, b"\x03")
    seen = _until(terminal, b"SIGINT")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    os.close(terminal)


def _until(terminal: int, text: bytes) -> bytes:
    seen = b""
    deadline = time.monotonic() + 20
    while text not in seen:
        ready, _, _ = select.select([terminal], [], [], deadline - time.monotonic())
        assert ready, seen
        seen += os.read(terminal, 4096)
    return seen

"""The root command, and `main()`: signals, errors into exit codes, a reader that went away.

Commands are imported when they are called. Help is plain text: drawing it with rich would cost
more than everything else together.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout, suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import FrameType, ModuleType
from typing import IO, Any, NoReturn

import typer

from lumio_cli import __version__
from lumio_cli.commands import COMMANDS
from lumio_cli.commands.common import App, Group, NoCommandError
from lumio_cli.config.global_options import GLOBAL_OPTIONS, split_globals
from lumio_cli.core.errors import LumioError, StoppedError, UsageError, out_of_memory
from lumio_cli.core.stop import Stop
from lumio_cli.output.streams import OutputError, mend_streams
from lumio_cli.runtime import Runtime

BROKEN_PIPE = 128 + 13

_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE)
"""What is wrong with the machine where no file is named."""

_LOCKLESS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""What a file system says that knows no locks."""

_HELP = """
Keeps a local SQLite hub in sync with your SaaS providers, and explains itself.

\b
Examples:
  lumio connect hubspot           give lumio a credential, and prove it
  lumio preview hubspot           see what a sync would change
  lumio sync                      bring everything up to date
  lumio status                    see how fresh it is
"""


class Root(Group):
    """The root command: what it holds is in a table, and loaded when it is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all commands."""
        return [name for name in COMMANDS if _is_there(name)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name, imported now; None if there is none."""
        if not _is_there(cmd_name):
            return None
        return _build(import_module(f"lumio_cli.commands.{cmd_name}"), cmd_name)

    def summary(self, ctx: Any, name: str) -> str:
        """The one-line help of a command, which is not imported for it."""
        return COMMANDS[name].help

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The commands in their sections."""
        names = self.list_commands(ctx)
        for section in dict.fromkeys(entry.section for entry in COMMANDS.values()):
            rows = [(n, COMMANDS[n].help) for n in names if COMMANDS[n].section == section]
            if rows:
                with formatter.section(section):
                    formatter.write_dl(rows)


def _is_there(name: str) -> bool:
    return name in COMMANDS and find_spec(f"lumio_cli.commands.{name}") is not None


@cache
def _build(module: ModuleType, name: str) -> Any:
    """The command that lives in the module; its parameters are read from its signature, once."""
    app = getattr(module, "app", None)
    if app is None:
        app = App(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        app.command(name)(getattr(module, name))
    command = typer.main.get_command(app)
    command.name = name
    return command


def build_root() -> Any:
    """The root command, without any of its commands."""
    app = App(cls=Root, add_completion=False, rich_markup_mode=None, help=_HELP)
    app.callback()(lambda: None)
    return typer.main.get_command(app)


def main() -> NoReturn:
    """The `lumio` program."""
    os.umask(0o077)
    # pydantic would read the entry points of every installed package to look for plug-ins.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    mend_streams()
    if request := os.environ.get("_LUMIO_COMPLETE"):
        from lumio_cli.services.shell.scripts import answer

        sys.exit(answer(request, sys.argv[1:], build_root, os.environ, sys.stdout))
    stop = Stop()
    _obey_signals(stop)
    code = run(sys.argv[1:], stop=stop)
    if threading.active_count() > 1:
        # A stopped run left a request behind that hangs. The interpreter would wait for it: a
        # pool's threads are joined at exit, daemons or not.
        os._exit(code)
    sys.exit(code)


def run(
    argv: Sequence[str],
    *,
    environ: Mapping[str, str] | None = None,
    stdin: IO[str] | None = None,
    stdout: IO[str] | None = None,
    stderr: IO[str] | None = None,
    stop: Stop | None = None,
) -> int:
    """One command line, in this process; returns the exit code.

    Streams and environment default to the process's own.
    """
    options, rest, problem = split_globals(argv)
    runtime = Runtime(
        options, environ=environ, stdin=stdin, stdout=stdout, stderr=stderr, stop=stop
    )
    try:
        try:
            code = _invoke(runtime, rest, problem)
        finally:
            runtime.close()
        _flush(runtime.output.stdout, runtime.output.stderr)
    except BrokenPipeError:
        code = BROKEN_PIPE
    except OutputError as error:
        # In a form that goes to stderr: stdout takes nothing.
        runtime.output.error(error)
        code = error.exit_code
    return code


def _invoke(runtime: Runtime, argv: list[str], problem: UsageError | None) -> int:
    """Run the command and show how it ended."""
    output = runtime.output
    try:
        code = _dispatch(runtime, argv, problem)
    except (BrokenPipeError, OutputError):
        raise
    except NoCommandError as error:
        if output.mode == "json":
            output.finish(error)
        else:
            output.write_err(error.text)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 the last line of defence
        known = _explain(runtime, error)
        output.finish(known)
        return known.exit_code
    output.finish()
    return code


def _version(runtime: Runtime) -> int:
    """The version, which must not depend on a configuration that can be read."""
    as_json = runtime.options.output == "json"
    text = runtime.output.encode({"version": __version__}) if as_json else f"lumio {__version__}"
    runtime.output.stdout.write(text + "\n")
    return 0


def _dispatch(runtime: Runtime, argv: list[str], problem: UsageError | None) -> int:
    """Parse and run. A command's integer result is the exit code."""
    if problem is not None:
        raise problem
    if runtime.options.version:
        return _version(runtime)
    _refuse_secrets(runtime, argv)
    root = build_root()
    try:
        # typer prints help to sys.stdout.
        with (
            redirect_stdout(runtime.output.stdout),
            root.make_context("lumio", argv, obj=runtime) as context,
        ):
            result = root.invoke(context)
    except typer.Exit as error:
        return error.exit_code
    return result if isinstance(result, int) else 0


def _refuse_secrets(runtime: Runtime, argv: Sequence[str]) -> None:
    """A credential on the command line is in the shell's history and in `ps`: refuse it."""
    if "connect" not in argv[:1]:
        return
    for word in argv[1:]:
        if runtime.redactor.text(word) != word:
            raise UsageError(
                "a secret does not belong on the command line: others can see it there",
                hint="paste it at the prompt, or use --token-stdin or --token-file; and replace "
                "the one that you have just typed",
            )


def _explain(runtime: Runtime, error: Exception) -> LumioError:
    """Any exception as an error that an operator can read."""
    if isinstance(error, LumioError):
        return _known(runtime, error)
    if "sqlite3" in sys.modules:
        import sqlite3

        if isinstance(error, sqlite3.Error):
            from lumio_cli.hub.sqlite.database import explain

            return explain(error, runtime.hub_path)
        if isinstance(error, ValueError | LookupError | TypeError) and _is_of_hub(error):
            return _damaged(runtime, error)
    if isinstance(error, typer.Abort):
        return StoppedError("stopped: Ctrl-C")
    if isinstance(error, typer.TyperException):
        return _usage(error)
    if isinstance(error, OSError) and (error.filename is not None or error.errno in _MACHINE):
        if runtime.environ.get("LUMIO_TRACEBACK") == "1":
            _trace(runtime, error)
        where = f"{os.fsdecode(error.filename)}: " if error.filename is not None else ""
        hint = "check the path, who may use it, and the space on the disk"
        if error.errno in _LOCKLESS:
            hint = "set LUMIO_HOME to a directory of a file system that knows locks, a local one"
        return LumioError(
            f"{where}{error.strerror or type(error).__name__}", code="file_unusable", hint=hint
        )
    if (short := out_of_memory(error)) is not None:
        return short
    return _crash(runtime, error)


def _usage(error: typer.TyperException) -> UsageError:
    """What typer found wrong with the command line, on one line, with the nearest option."""
    from lumio_cli.providers.contract.fields import suggest

    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "lumio"
    message = error.format_message().rstrip(".")
    hint = f"{path} --help"
    option = getattr(error, "option_name", None)
    if option and message.startswith("No such option"):
        message = f"{path} has no option {option}"
        known = [flag for p in context.command.params for flag in p.opts] if context else []
        nearest = suggest(option, [*known, *(o.flag for o in GLOBAL_OPTIONS)], "options")
        hint = nearest if nearest.startswith("did you mean") else hint
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    message = " ".join(lines)
    if choice := _NO_CHOICE.fullmatch(message):
        name, value, listed = choice.group("name", "value", "choices")
        choices = [word.strip("'") for word in listed.split(", ")]
        nearest = suggest(value.strip("'").lower(), choices, "choices")
        hint = nearest if nearest.startswith("did you mean") else hint
        message = f"{name} cannot be {value}: it is one of {', '.join(choices)}"
    elif wrong := _WRONG_VALUE.match(message):
        message = f"{wrong['name']} {wrong['should']}"
    else:
        message = message[:1].lower() + message[1:]
    return UsageError(message, hint=hint)


_NO_CHOICE = re.compile(
    r"Invalid value for '(?P<name>.+?)': (?:Value error, )?(?P<value>.+) is not one of "
    r"(?P<choices>.+)"
)
_WRONG_VALUE = re.compile(
    r"Invalid value for '(?P<name>.+?)': Input (?P<should>should .+?)(?:, unable to .*)?$"
)


def _known(runtime: Runtime, error: LumioError) -> LumioError:
    """An error that we have raised ourselves, or what it came of."""
    if runtime.environ.get("LUMIO_TRACEBACK") == "1":
        _trace(runtime, error)
    if error.code == "hub_locked":
        try:
            runtime.stop.check()
        except StoppedError as stopped:
            return stopped  # which is why others were waited for no longer
    return error


def _damaged(runtime: Runtime, error: Exception) -> LumioError:
    """What the hub notes about itself makes no sense: a page of it was overwritten."""
    from lumio_cli.core.errors import HubError

    where = _log_traceback(runtime, error)
    return HubError(
        f"the hub {runtime.hub_path} is damaged: what it notes of its resources cannot be read",
        code="hub_corrupt",
        hint="`lumio hub restore FILE` puts a backup in its place; or move it away and sync again"
        f" ({where})",
    )


def _crash(runtime: Runtime, error: Exception) -> LumioError:
    """A bug in lumio: one line here, everything in the log file."""
    where = _log_traceback(runtime, error)
    text = str(error).strip().splitlines()
    about = f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
    return LumioError(f"unexpected error: {about}", code="internal", hint=f"{where}; please report")


def _log_traceback(runtime: Runtime, error: Exception) -> str:
    """Keep everything about an error that nobody raised on purpose; says where to find it."""
    import logging

    from lumio_cli.core.logs import FILE_NAME, configure_logging

    where = "set LUMIO_TRACEBACK=1 to see the traceback"
    try:
        configure_logging(runtime.paths, runtime.redactor)
        logging.getLogger("lumio_cli").critical("unexpected error", exc_info=error)
        path = runtime.paths.logs / FILE_NAME
        if path.exists():
            where = f"the traceback is in {path}"
    except (LumioError, OSError):
        pass
    if runtime.environ.get("LUMIO_TRACEBACK") == "1":
        _trace(runtime, error)
    return where


def _is_of_hub(error: Exception) -> bool:
    """Whether it was raised where the hub is read, or in a library that read for it."""
    import traceback

    names = (frame.f_globals["__name__"] for frame, _ in traceback.walk_tb(error.__traceback__))
    ours = [name for name in names if name.startswith("lumio_cli.")]
    return bool(ours) and ours[-1].startswith("lumio_cli.hub.")


def _trace(runtime: Runtime, error: Exception) -> None:
    """The traceback on stderr, for LUMIO_TRACEBACK=1."""
    import traceback

    from lumio_cli.core.redact import escape_control

    lines = runtime.redactor.text("".join(traceback.format_exception(error)).rstrip())
    runtime.output.stderr.write(escape_control(lines, keep="\n") + "\n")


def _flush(*streams: IO[str]) -> None:
    """Write out what is buffered. Raises BrokenPipeError, `OutputError`."""
    for stream in streams:
        with suppress(ValueError):  # closed by whoever owns it
            stream.flush()


def _obey_signals(stop: Stop) -> None:
    """The first signal asks the run to stop after what it is doing, the second ends it at once.

    A signal that was ignored when lumio started stays ignored (`nohup`, a job in background).
    """
    seen: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if seen:
            os.write(2, b"\x1b[?25h\n" if os.isatty(2) else b"")
            os._exit(128 + number)
        seen.append(number)
        stop.set("Ctrl-C" if number == signal.SIGINT else name, 128 + number)
        if os.isatty(2):
            os.write(2, b"\nstopping after this page (press again to quit now)\n")

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            signal.signal(number, handle)

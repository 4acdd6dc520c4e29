"""What commands share: how groups are made, how they reach the runtime, common arguments.

Imports typer and nothing heavy: completion loads it for every Tab.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer
from typer.core import TyperCommand, TyperGroup

from lumio_cli.config.global_options import GLOBAL_OPTIONS
from lumio_cli.core.errors import UsageError
from lumio_cli.services.shell.completion import complete_provider, complete_target

if TYPE_CHECKING:
    from lumio_cli.runtime import Runtime


class NoCommandError(UsageError):
    """A command line that stops where a command has to follow. `text` is the help to show."""

    def __init__(self, text: str, path: str) -> None:
        super().__init__(f"{path} needs a command", hint=f"{path} --help lists them")
        self.text = text


class Command(TyperCommand):
    """A command whose help names the global options, too."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """The last part of the help."""
        write_global_options(formatter)
        super().format_epilog(ctx, formatter)


class Group(TyperGroup):
    """A command with commands. Nothing after it, or a wrong word, gets a useful answer."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The words after the group's name."""
        if not args and not self.invoke_without_command and not ctx.resilient_parsing:
            raise NoCommandError(ctx.get_help(), ctx.command_path)
        return super().parse_args(ctx, args)

    def summary(self, ctx: Any, name: str) -> str:
        """The one-line help of one of its commands."""
        command = self.get_command(ctx, name)
        return command.get_short_help_str(80) if command is not None else ""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is meant, or UsageError with the nearest one."""
        from lumio_cli.providers.contract.fields import suggest

        word = args[0]
        if self.get_command(ctx, word) is None and not word.startswith("-"):
            raise UsageError(
                f"{ctx.command_path} has no command {word!r}",
                hint=suggest(word, self.list_commands(ctx), "commands"),
            )
        return super().resolve_command(ctx, args)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """The last part of the help."""
        write_global_options(formatter)
        super().format_epilog(ctx, formatter)


def write_global_options(formatter: Any) -> None:
    """The section of every help that is the same."""
    with formatter.section("Global options, before or after the command"):
        formatter.write_dl([(option.synopsis, option.help) for option in GLOBAL_OPTIONS])


class App(typer.Typer):
    """A Typer whose commands are ours without saying so each time."""

    def command(self, name: str | None = None, **kwargs: Any) -> Callable[..., Any]:
        """See `typer.Typer.command`."""
        kwargs.setdefault("cls", Command)
        return super().command(name, **kwargs)


def new_app(help: str, *, invoke_without_command: bool = False) -> App:
    """A group of commands. With `invoke_without_command` it does something by itself: give it a
    callback (`@app.callback()`) that looks at `ctx.invoked_subcommand`.
    """
    app = App(
        cls=Group,
        help=help,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        invoke_without_command=invoke_without_command,
    )
    # Without a callback, typer turns a group of one command into that command.
    app.callback()(lambda: None)
    return app


def runtime_of(ctx: typer.Context) -> Runtime:
    """What the command works with."""
    return cast("Runtime", ctx.obj)


Targets = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TARGET]...",
        help="PROVIDER or PROVIDER/RESOURCE; none means every connected provider.",
        autocompletion=complete_target,
        show_default=False,
    ),
]
ProviderName = Annotated[
    str, typer.Argument(metavar="PROVIDER", help="A provider.", autocompletion=complete_provider)
]
Providers = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PROVIDER]...",
        help="Providers; none means every connected one.",
        autocompletion=complete_provider,
        show_default=False,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
SyncMode = Annotated[
    Literal["incremental", "full"],
    typer.Option(help="incremental reads what changed, full reads everything."),
]
Direction = Annotated[Literal["pull", "push", "both"], typer.Option(help="Which way changes go.")]
Conflicts = Annotated[
    Literal["provider", "local", "newest", "ask"] | None,
    typer.Option(
        "--conflicts",
        help="Whose value counts where both sides changed a field; else as the settings say.",
        show_default=False,
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show it, and change nothing.")]
MaxWait = Annotated[str | None, typer.Option(metavar="SECONDS", help="Longest wait for a quota.")]
MaxDelete = Annotated[
    str | None, typer.Option(metavar="PERCENT", help="Largest share that a sweep may delete.")
]
MaxDuration = Annotated[
    str | None,
    typer.Option(metavar="SECONDS", help="Stop cleanly after that long (90, 5m, 2h)."),
]
Sandbox = Annotated[
    bool, typer.Option("--sandbox", help="Use the built-in look-alikes, in their own profile.")
]
Records = Annotated[
    int | None, typer.Option(min=0, help="With --sandbox: records of each resource.")
]


def seconds(flag: str, text: str | None) -> float | None:
    """The duration that a flag gives, in seconds; None where it was not given."""
    from lumio_cli.core.units import parse_duration

    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{flag}: {error}", hint="seconds, or 90s, 5m, 2h") from None


def refuse_beside(ctx: typer.Context, flag: str, *names: str) -> None:
    """Raises `UsageError` where one of these parameters was given, too: `flag` decides it."""
    for name in names:
        source = ctx.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            shown = name if name == "targets" else f"--{name.replace('_', '-')}"
            raise UsageError(f"{flag} cannot be combined with {shown}", hint=f"{flag} says it all")


@contextmanager
def in_sandbox(runtime: Runtime, sandbox: bool, records: int | None) -> Iterator[Runtime]:
    """The runtime itself or, with `--sandbox`, one that leads to the look-alikes."""
    if not sandbox:
        if records is not None:
            raise UsageError("--records needs --sandbox")
        yield runtime
        return
    from lumio_cli.services.sandboxing.child_process import sandboxed

    with sandboxed(runtime, records) as chosen:
        yield chosen

"""What may come next on the command line. Light: every Tab pays for it.

`respond` answers the three shells' scripts, which only carry words to it and candidates back:
everything that is known stands here and in the commands' own declarations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Candidate = tuple[str, str]
"""A word, and what it means."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What may come next. `files`: file names, too; the shell knows them best."""

    candidates: Sequence[Candidate]
    files: bool = False


def complete_provider(incomplete: str) -> list[Candidate]:
    """The providers whose names begin with `incomplete`. Imports none of them."""
    from lumio_cli.providers.registry import provider_names

    return [(name, "") for name in provider_names() if name.startswith(incomplete)]


def complete_target(incomplete: str) -> list[Candidate]:
    """Providers, and after a slash the resources of the one that is named."""
    provider, slash, rest = incomplete.partition("/")
    if not slash:
        return complete_provider(incomplete)
    from lumio_cli.core.errors import LumioError
    from lumio_cli.providers.registry import provider_class

    try:
        resources = provider_class(provider).resources
    except LumioError:
        return []
    return [(f"{provider}/{r.name}", r.title) for r in resources if r.name.startswith(rest)]


def complete_profile(environ: Mapping[str, str], incomplete: str) -> list[Candidate]:
    """The profiles that have files."""
    from lumio_cli.core.paths import list_profiles

    return [(name, "") for name in list_profiles(environ) if name.startswith(incomplete)]


def respond(root: Any, words: Sequence[str], incomplete: str, environ: Mapping[str, str]) -> Answer:
    """What may stand at the end of `lumio WORDS...`, where `incomplete` is already typed.

    `root` is the root command. Options are offered once a dash is typed.
    """
    from lumio_cli.config.global_options import GLOBAL_OPTIONS

    valued = {o.flag: o for o in GLOBAL_OPTIONS if o.metavar}
    valued |= {o.short: o for o in GLOBAL_OPTIONS if o.metavar and o.short}
    if words and words[-1] in valued and "--" not in words:
        option = valued[words[-1]]
        if option.field == "profile":
            return Answer(complete_profile(environ, incomplete))
        return Answer(_starting(((choice, "") for choice in option.choices), incomplete))
    place = _walk(root, words, {*valued})
    if place.option is not None:
        return _values(place.option, place.context, incomplete)
    if incomplete.startswith("-") and not place.literal:
        own = [(flag, p.help or "") for p in place.options() for flag in p.opts if len(flag) > 2]
        ours = [(option.flag, option.help) for option in GLOBAL_OPTIONS]
        return Answer(_starting([*own, ("--help", "Show the help."), *ours], incomplete))
    if place.commands is not None:
        return Answer(_starting(place.commands, incomplete))
    if place.argument is not None:
        return _values(place.argument, place.context, incomplete)
    return Answer(())


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a command line stands: in which command, and what it expects next."""

    context: Any
    commands: Sequence[Candidate] | None = None
    option: Any = None
    argument: Any = None
    literal: bool = False

    def options(self) -> Iterable[Any]:
        """The options of the command that may be shown."""
        for param in self.context.command.params:
            if param.param_type_name == "option" and not param.hidden:
                yield param


def _walk(root: Any, words: Sequence[str], valued: set[str]) -> _Place:
    """Follow the words from command to command."""
    import typer

    context: Any = typer.Context(root, info_name="lumio", resilient_parsing=True)
    pending: Any = None
    positional = 0
    literal = skip = False
    for word in words:
        if skip or pending is not None:
            skip, pending = False, None
        elif literal or not word.startswith("-") or word == "-":
            group = _is_group(context.command)
            below = context.command.get_command(context, word) if group else None
            if below is not None:
                context = typer.Context(
                    below, parent=context, info_name=word, resilient_parsing=True
                )
            positional += below is None
        elif word == "--":
            literal = True
        elif word in valued:
            skip = True
        else:
            pending = _taking_a_value(context.command, word)
    commands = None
    if _is_group(context.command):
        names = context.command.list_commands(context)
        commands = [(name, context.command.summary(context, name)) for name in names]
    arguments = [p for p in context.command.params if p.param_type_name == "argument"]
    argument = None
    for candidate in arguments:
        if candidate.nargs == -1 or positional < candidate.nargs:
            argument = candidate
            break
        positional -= candidate.nargs
    return _Place(context, commands, pending, argument, literal)


def _is_group(command: Any) -> bool:
    return hasattr(command, "list_commands")


def _taking_a_value(command: Any, word: str) -> Any:
    """The option of that name, if the next word is its value."""
    for param in command.params:
        if word in param.opts and not (param.is_flag or getattr(param, "count", False)):
            return param
    return None


def _values(param: Any, context: Any, incomplete: str) -> Answer:
    items = param.shell_complete(context, incomplete)
    words = [(str(i.value), i.help or "") for i in items if i.type == "plain"]
    metavar = (param.metavar or "").upper()
    files = any(i.type == "file" for i in items) or "FILE" in metavar or "PATH" in metavar
    return Answer(words, files=files and not words)


def _starting(candidates: Iterable[Candidate], incomplete: str) -> list[Candidate]:
    return [(word, help_) for word, help_ in candidates if word.startswith(incomplete)]

"""The global options: one declaration, accepted before and after the subcommand.

They are taken out of the command line before it is parsed, wherever they stand, so that
`lumio -o json sync` and `lumio sync -o json` are the same command. Nothing after `--` is touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from lumio_cli.core.errors import UsageError

Format = Literal["table", "tsv", "json"]


@dataclass(frozen=True, slots=True)
class Globals:
    """What the global options said. None: not given, so that environment and file have a say."""

    profile: str | None = None
    output: Format | None = None
    quiet: bool = False
    verbose: int = 0
    no_input: bool = False
    color: Literal["auto", "always", "never"] | None = None
    log_format: Literal["text", "json"] | None = None
    version: bool = False


@dataclass(frozen=True, slots=True)
class GlobalOption:
    """One global option. Without a `metavar` it is a flag; `choices` are all its values."""

    field: str
    flag: str
    help: str
    short: str = ""
    metavar: str = ""
    choices: tuple[str, ...] = ()

    @property
    def synopsis(self) -> str:
        """How help shows it: `-o, --output table|tsv|json`."""
        names = f"{self.short}, {self.flag}" if self.short else f"    {self.flag}"
        return f"{names} {self.metavar}" if self.metavar else names


GLOBAL_OPTIONS = (
    GlobalOption("profile", "--profile", "Configuration, credentials and hub to use.", "", "NAME"),
    GlobalOption(
        "output",
        "--output",
        "Form of the results; tsv where stdout is no terminal.",
        "-o",
        "table|tsv|json",
        ("table", "tsv", "json"),
    ),
    GlobalOption("quiet", "--quiet", "Nothing on stderr but errors.", "-q"),
    GlobalOption("verbose", "--verbose", "Say more; repeat for even more.", "-v"),
    GlobalOption("no_input", "--no-input", "Never prompt."),
    GlobalOption(
        "color",
        "--color",
        "Colours, for each of stdout and stderr.",
        "",
        "auto|always|never",
        ("auto", "always", "never"),
    ),
    GlobalOption(
        "log_format",
        "--log-format",
        "Form of progress and warnings on stderr.",
        "",
        "text|json",
        ("text", "json"),
    ),
    GlobalOption("version", "--version", "Show the version."),
)

_LONG = {option.flag: option for option in GLOBAL_OPTIONS}
_SHORT = {option.short: option for option in GLOBAL_OPTIONS if option.short}


def split_globals(argv: Sequence[str]) -> tuple[Globals, list[str], UsageError | None]:
    """Take the global options out of `argv`.

    Returns them, the rest in its order, and the first thing that is wrong with them (so that the
    error can be shown in the form that the good ones ask for).
    """
    options = Globals()
    rest: list[str] = []
    problem: UsageError | None = None
    words = iter(argv)
    for word in words:
        if word == "--":
            rest.append(word)
            rest.extend(words)
            break
        found = _recognise(word)
        if not found:
            rest.append(word)
        for option, given in found:
            value = next(words, None) if option.metavar and given is None else given
            try:
                options = _apply(options, option, value)
            except UsageError as error:
                problem = problem or error
    return options, rest, problem


def _recognise(word: str) -> list[tuple[GlobalOption, str | None]]:
    """The global options that a word holds, each with the value that is part of the word.

    Empty where any of it is not ours: a command may have short options of its own.
    """
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        if name not in _LONG:
            return []
        return [(_LONG[name], value if equals else None)]
    if not word.startswith("-"):
        return []
    found: list[tuple[GlobalOption, str | None]] = []
    letters = word[1:]
    while letters:
        option = _SHORT.get("-" + letters[0])
        if option is None:
            return []
        letters = letters[1:]
        if option.metavar:
            found.append((option, letters.removeprefix("=") if letters else None))
            break
        found.append((option, None))
    return found


def _apply(options: Globals, option: GlobalOption, value: str | None) -> Globals:
    """`options` with one more; raises UsageError for a value that it cannot have."""
    if not option.metavar:
        if value is not None:
            raise UsageError(f"{option.flag} takes no value")
        new: Any = options.verbose + 1 if option.field == "verbose" else True
        return replace(options, **{option.field: new})
    if not value:
        raise UsageError(f"{option.flag} needs a value", hint=f"{option.flag} {option.metavar}")
    if option.choices and value not in option.choices:
        from lumio_cli.providers.contract.fields import suggest

        nearest = suggest(value.lower(), option.choices, "choices")
        raise UsageError(
            f"{option.flag} cannot be {value!r}: it is one of {', '.join(option.choices)}",
            hint=nearest if nearest.startswith("did you mean") else "lumio --help",
        )
    changed: Any = value
    return replace(options, **{option.field: changed})

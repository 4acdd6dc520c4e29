"""What the options of a command line say, as values of fields."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import IO, Any

from lumio_cli.core.clock import format_time, parse_time
from lumio_cli.core.errors import UsageError
from lumio_cli.core.intake import TooLongError, read_text
from lumio_cli.core.paths import expand

LIMIT = 16 << 20
"""Bytes of a text or of blocks, at most: more than any provider sends."""


def values_of(
    stdin: IO[str],
    *,
    text_file: str | None,
    blocks: str | None,
    chosen: str | None,
    at: str | None,
    sets: Sequence[str],
    **plain: Any,
) -> dict[str, Any]:
    """The values of fields, by their names. `plain` are those whose option holds the value itself,
    `chosen` is the file of `--list`: its list, or an object of more than one field.

    Raises `UsageError` for a file or a time that cannot be read.
    """
    values = {name: value for name, value in plain.items() if value not in (None, [])}
    if text_file is not None:
        if "text" in values:
            raise UsageError("--text and --text-file cannot be combined")
        values["text"] = _read("--text-file", text_file, stdin).rstrip("\n")
    if blocks is not None:
        values["blocks"] = _json("--blocks", blocks, stdin)
    if chosen is not None:
        found = _json("--list", chosen, stdin)
        values |= found if isinstance(found, dict) else {"list": found}
    if at is not None:
        values["at"] = _time(at)
    return values | _sets(sets)


def _sets(words: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UsageError(f"--set {word}: it must be FIELD=VALUE")
        before = found.get(name)
        if name not in found:
            found[name] = value
        else:
            found[name] = [*(before if isinstance(before, list) else [before]), value]
    return found


def _read(flag: str, path: str, stdin: IO[str]) -> str:
    try:
        return read_text(stdin if path == "-" else expand(path, UsageError), LIMIT)
    except OSError as error:
        raise UsageError(f"{flag} {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{flag} {path}: it is not UTF-8") from None
    except TooLongError as error:
        raise UsageError(f"{flag} {path}: {error}") from None


def _json(flag: str, path: str, stdin: IO[str]) -> Any:
    try:
        return json.loads(_read(flag, path, stdin))
    except RecursionError:
        raise UsageError(f"{flag} {path}: it is nested too deeply") from None
    except ValueError as error:
        raise UsageError(f"{flag} {path}: it is not JSON: {error}") from None


def _time(text: str) -> str:
    try:
        return format_time(parse_time(text))
    except ValueError:
        raise UsageError(
            f"--at {text}: it is no time with a time zone",
            hint="for example 2026-05-04T09:00:00-03:00, or 2026-05-04T12:00:00Z",
        ) from None

"""The configuration file: YAML with line numbers, and only from a file that we may trust."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lumio_cli.core.errors import ConfigError
from lumio_cli.core.intake import TooLongError, read_text
from lumio_cli.core.paths import require_ours

LIMIT = 4 << 20
"""Bytes of a configuration, at most."""

if TYPE_CHECKING:
    import yaml

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """What a configuration file says. `lines` tells where each key stands (1 is the first)."""

    path: Path
    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[Key, int] = field(default_factory=dict)
    findings: tuple[str, ...] = ()

    def where(self, key: Key) -> str:
        """File and line of a key, or of the nearest thing around it."""
        while key and key not in self.lines:
            key = key[:-1]
        return f"{self.path}:{self.lines[key]}" if key else str(self.path)


def read_config_file(path: Path, *, required: bool = False) -> ConfigFile:
    """Read it; an absent one says nothing, unless it was asked for by name (`required`).

    Raises ConfigError for a file that others may write, that is no YAML, whose top is no mapping,
    or that names a key twice.
    """
    try:
        mode = path.stat().st_mode
        text = read_text(path, LIMIT)
    except FileNotFoundError:
        if required:
            raise ConfigError(
                f"{path}: there is no such file", hint="LUMIO_CONFIG names it"
            ) from None
        return ConfigFile(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        reason = str(error) if isinstance(error, TooLongError) else reason
        raise ConfigError(f"{path}: cannot be read: {reason}") from None
    require_ours(path)
    values, lines = _parse(path, text)
    return ConfigFile(path, values, lines, _suspicions(path, text, mode))


def _suspicions(path: Path, text: str, mode: int) -> tuple[str, ...]:
    """What is odd about a file that can be used all the same."""
    from lumio_cli.core.redact import Redactor

    if not mode & (stat.S_IRGRP | stat.S_IROTH) or Redactor().text(text) == text:
        return ()
    what = "others may read it, and it holds something that looks like a secret"
    return (f"{path}: {what} (chmod go-r {path})",)


def _parse(path: Path, text: str) -> tuple[dict[str, Any], dict[Key, int]]:
    import yaml

    loader = None
    try:
        # Even making the loader fails, where the text has characters that YAML does not allow.
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        lines: dict[Key, int] = {}
        if node is not None:
            _note_lines(path, node, (), lines)
        values = loader.construct_document(node) if node is not None else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        # The snippet of the text that PyYAML would add may hold a secret.
        problem = getattr(error, "problem", None) or "it cannot be parsed"
        raise ConfigError(f"{where}: this is not YAML: {problem}") from None
    except RecursionError:
        raise ConfigError(f"{path}: it is nested too deeply, or refers to itself") from None
    except (ValueError, LookupError, TypeError, AttributeError):
        # PyYAML's own constructors: the 31st of February, `!!bool maybe`, `!!timestamp soon`.
        raise ConfigError(
            f"{path}: a value is not of the type that it looks like", hint="put it in quotes"
        ) from None
    finally:
        if loader is not None:
            loader.dispose()
    if values is None:
        return {}, lines
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected settings as `key: value`, not a list or a value")
    return values, lines


def _note_lines(path: Path, node: yaml.Node, key: Key, lines: dict[Key, int]) -> None:
    """Remember where each key stands. YAML would silently take the last of two equal keys."""
    import yaml

    if not isinstance(node, yaml.MappingNode):
        return
    for name, value in node.value:
        here = (*key, str(name.value))
        line = name.start_mark.line + 1
        if here in lines:
            raise ConfigError(
                f"{path}:{line}: {'.'.join(here)} is there twice, first on line {lines[here]}"
            )
        if name.tag != "tag:yaml.org,2002:str":
            raise ConfigError(f"{path}:{line}: {name.value!s} is no name (put it in quotes)")
        lines[here] = line
        _note_lines(path, value, here, lines)

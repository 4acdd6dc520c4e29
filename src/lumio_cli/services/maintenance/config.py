"""What `lumio config` does: show, check and begin the configuration."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lumio_cli.config.settings import (
    Origin,
    ProviderSettings,
    Settings,
    SettingsError,
    load_settings,
)
from lumio_cli.config.validation import Problem, known_keys
from lumio_cli.core.errors import UsageError
from lumio_cli.core.paths import Paths, make_private_dir
from lumio_cli.core.redact import MASK, Redactor, is_secret_name
from lumio_cli.providers.contract.fields import Field


@dataclass(frozen=True, slots=True)
class Setting:
    """An effective setting. Its value is masked where it is a secret."""

    key: str
    value: Any
    origin: Origin
    help: str


def effective(settings: Settings, names: list[str]) -> Iterator[Setting]:
    """Every setting, and those of the providers `names`, with where they came from."""
    redactor = Redactor()
    for section, name in known_keys(Settings):
        part = getattr(settings, section)
        info = type(part).model_fields[name]
        yield _setting(settings, f"{section}.{name}", getattr(part, name), info, redactor)
    for provider in names:
        own = {field.name: field for field in _fields(provider)}
        given = settings.provider(provider)
        for name, info in ProviderSettings.model_fields.items():
            key = f"providers.{provider}.{name}"
            yield _setting(settings, key, getattr(given, name), info, redactor)
        for name, field in own.items():
            key = f"providers.{provider}.{name}"
            yield _setting(settings, key, given.options[name], field, redactor)


def _setting(
    settings: Settings, key: str, value: Any, declared: FieldInfo | Field, redactor: Redactor
) -> Setting:
    help_ = declared.help if isinstance(declared, Field) else declared.description or ""
    if value and is_secret_name(key.rpartition(".")[2]):
        value = MASK
    if key.endswith(".token_command") and value:
        # Of a command only its name is shown: what follows may be a secret.
        value = [value[0], *[MASK] * (len(value) - 1)]
    return Setting(key, redactor.json(value), settings.origin(key), help_)


def _fields(provider: str) -> tuple[Field, ...]:
    from lumio_cli.providers.registry import provider_class

    return provider_class(provider).fields


def problems_of(paths: Paths, environ: Mapping[str, str]) -> tuple[list[Problem], list[str]]:
    """Everything that is wrong with the configuration, and what is merely odd.

    Raises ConfigError for a file that cannot be read as settings at all.
    """
    try:
        settings = load_settings(paths, environ)
    except SettingsError as error:
        return list(error.problems), []
    return [], list(settings.findings)


def begin(paths: Paths) -> Path:
    """Write a configuration file in which everything is commented out. Never overwrites one."""
    make_private_dir(paths.config.parent)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        handle = os.open(paths.config, flags, 0o600)
    except FileExistsError:
        raise UsageError(
            f"{paths.config} exists, and lumio never changes a configuration file",
            hint="compare it with `lumio config init --print`",
        ) from None
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(example())
    return paths.config


_HEAD = """\
# Configuration of lumio: every setting, with its default.
#
# A flag wins over the environment, the environment over this file. In the environment a setting is
# LUMIO_SECTION__KEY, for example LUMIO_SYNC__MAX_WAIT=10m. Durations are seconds or text like 90s,
# 5m, 2h, 1d; sizes are bytes or text like 64k, 8M. Credentials are never here: `lumio connect`.
# `lumio config validate` checks this file, `lumio config show` shows what is in force.
# lumio reads this file and never writes it; only you may be able to write it, too.
"""


def example() -> str:
    """The text of `config.example.yaml`, from the settings' own declarations."""
    from lumio_cli.providers.registry import OURS, provider_class

    lines = [_HEAD]
    for section, info in Settings.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            lines += ["", *_comment(info.annotation.__doc__ or ""), f"# {section}:"]
            for name, field in info.annotation.model_fields.items():
                lines += _entry(name, _default(field), field.description or "", 2)
    lines += ["", "# The providers. What they are: `lumio providers`.", "# providers:"]
    for provider in OURS:
        lines.append(f"#   {provider}:")
        for name, field in ProviderSettings.model_fields.items():
            lines += _entry(name, _default(field), field.description or "", 4)
        for own in provider_class(provider).fields:
            lines += _entry(own.name, own.default, own.help, 4)
    return "\n".join(lines) + "\n"


def _default(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True, validated_data={})


def _comment(text: str, indent: int = 0) -> list[str]:
    first = " ".join(text.split())
    return [f"# {' ' * indent}{line}" for line in textwrap.wrap(first, 92 - indent)]


def _entry(name: str, default: Any, about: str, indent: int) -> list[str]:
    """A setting as a comment: what it does, and its default as YAML (JSON is YAML)."""
    space = " " * indent
    value = json.dumps(default)
    told = textwrap.wrap(" ".join(about.split()), 90 - indent)
    return [*(f"# {space}# {line}" for line in told), f"# {space}{name}: {value}"]

"""What is wrong with a configuration, in words that name the place and the way out."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from lumio_cli.config.yaml_file import Key
from lumio_cli.core.redact import MASK, Redactor, is_secret_name
from lumio_cli.providers.contract.fields import Field, suggest

RESERVED = (
    "HOME", "PROFILE", "CONFIG", "VAULT_KEY", "VAULT_KEY_FILE", "TRACEBACK",
)  # fmt: skip
"""`LUMIO_` variables that are no settings."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where (file and line, variable or flag), the dotted key, what."""

    where: str
    key: str
    text: str
    hint: str | None = None


Where = Callable[[Key], str]


def explain(
    error: ValidationError, layers: Mapping[str, Any], model: type[BaseModel], where: Where
) -> list[Problem]:
    """pydantic's complaints as problems. `layers` are the sources, the strongest first."""
    problems: list[Problem] = []
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        key = tuple(str(part) for part in item["loc"])
        dotted = ".".join(key)
        if item["type"] == "extra_forbidden":
            problems.append(_unknown(key, known_below(model, key[:-1]), where))
            continue
        text = item["msg"].removeprefix("Value error, ").removeprefix("Input ")
        text = text.removeprefix("String ").partition(", unable to")[0]
        value = _find(layers, key)
        came = f", not {_show(key, value)}" if value is not _ABSENT else ""
        text = f"{dotted} {text}" if text.startswith("should") else f"{dotted}: {text}"
        problems.append(Problem(where(key), dotted, f"{text}{came}"))
    return problems


def check_providers(
    layers: Iterable[Mapping[str, Any]],
    common: type[BaseModel],
    where: Where,
    problems: list[Problem],
) -> dict[str, dict[str, Any]]:
    """Check the providers' sections against what the providers declare.

    `layers` are the sources, the strongest first; `common` is what all providers share. Returns
    each provider's own settings, converted. A provider is imported only where its section needs it.
    """
    from lumio_cli.providers.registry import provider_names

    sections: dict[str, dict[str, Any]] = {}
    for layer in layers:
        given = layer.get("providers")
        for name, section in (given if isinstance(given, Mapping) else {}).items():
            if isinstance(section, Mapping):
                sections[name] = {**section, **sections.get(name, {})}
    names = provider_names() if sections else []
    own: dict[str, dict[str, Any]] = {}
    for name, section in sections.items():
        key = ("providers", name)
        if name in names:
            own[name] = _check_section(key, section, common, where, problems)
        else:
            text, hint = f"there is no provider {name!r}", suggest(name, names, "providers")
            problems.append(Problem(where(key), ".".join(key), text, hint))
    return own


def _check_section(
    key: Key,
    section: Mapping[str, Any],
    common: type[BaseModel],
    where: Where,
    problems: list[Problem],
) -> dict[str, Any]:
    """One provider's own settings, converted; and the names that its common ones mention."""
    mine = {name: value for name, value in section.items() if name not in common.model_fields}
    named = {
        name: section[name]
        for name in ("resources", "columns", "limits", "ignore_counts")
        if name in section
    }
    if not mine and not named:
        return {}
    from lumio_cli.providers.registry import provider_class

    cls = provider_class(key[1])
    fields = {field.name: field for field in cls.fields}
    converted = {}
    for option, value in mine.items():
        here = (*key, option)
        field = fields.get(option)
        if field is None or field.secret:
            problems.append(_unknown(here, [*common.model_fields, *fields], where))
            continue
        try:
            converted[option] = convert(field, value)
        except ValueError as error:
            text = f"{'.'.join(here)} {error}, not {_show(here, value)}"
            problems.append(Problem(where(here), ".".join(here), text))
    resources = [resource.name for resource in cls.resources]
    quotas = [quota.name for quota in cls.quotas]
    for option, value in named.items():
        known, what = (quotas, "quota") if option == "limits" else (resources, "resource")
        words = value.split(",") if isinstance(value, str) else value
        if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
            continue
        for word in words if isinstance(words, list | Mapping) else ():
            if str(word).strip() not in known:
                here = (*key, option)
                text = f"{'.'.join(here)}: {key[1]} has no {what} {str(word).strip()!r}"
                hint = suggest(str(word), known, f"{what}s")
                problems.append(Problem(where(here), ".".join(here), text, hint))
    return converted


def _text(field: Field, value: Any) -> str:
    """A text, or what YAML makes of `true`, `yes` and `on` where these are words of the field."""
    word = str(value).lower()
    if isinstance(value, bool) and field.pattern and re.fullmatch(field.pattern, word):
        return word
    # 1.10 without quotes is the number 1.1: refuse to guess.
    if isinstance(value, bool | float) or not isinstance(value, str | int):
        raise ValueError("should be text (put it in quotes)")  # noqa: TRY004
    return str(value)


def convert(field: Field, value: Any) -> Any:
    """A provider's own setting in its declared kind. Raises ValueError saying what it should be.

    Text from the environment or a flag is read as what the field wants.
    """
    match field.kind:
        case "text":
            value = _text(field, value)
        case "integer":
            value = _number(int, value, "should be a whole number")
        case "number":
            value = _number(float, value, "should be a number")
        case "boolean":
            words = {"true": True, "yes": True, "on": True, "1": True}
            words |= {"false": False, "no": False, "off": False, "0": False}
            found = words.get(str(value).lower())
            if found is None:
                raise ValueError("should be true or false")
            return found
        case "list":
            if isinstance(value, str):
                value = [part.strip() for part in value.split(",") if part.strip()]
            if not isinstance(value, list) or not all(isinstance(v, str | int) for v in value):
                raise ValueError("should be a list")
            value = [str(item) for item in value]
    if field.pattern:
        for item in value if isinstance(value, list) else [value]:
            if not re.fullmatch(field.pattern, str(item)):
                raise ValueError(f"should be {field.help.rstrip('.')} (pattern {field.pattern})")
    return value


def unknown_variables(environ: Mapping[str, str], model: type[BaseModel]) -> Iterator[str]:
    """Findings about `LUMIO_` variables that mean nothing; a typo would else go unnoticed."""
    unknown = sorted(name for name in environ if name.startswith("LUMIO_") and "__" not in name)
    unknown = [name for name in unknown if name.removeprefix("LUMIO_") not in RESERVED]
    prefixes = tuple(f"LUMIO_{section.upper()}__" for section in model.model_fields)
    unknown += sorted(
        name
        for name in environ
        if name.startswith("LUMIO_") and "__" in name and not name.startswith(prefixes)
    )
    if not unknown:
        return
    from lumio_cli.providers.registry import provider_names

    tokens = [
        f"LUMIO_{name.upper()}_{kind}"
        for name in provider_names()
        for kind in ("TOKEN", "TOKEN_FILE", "CLIENT_ID", "CLIENT_SECRET")
    ]
    settings = ["LUMIO_" + "__".join(key).upper() for key in known_keys(model)]
    known = [*tokens, *settings, *(f"LUMIO_{word}" for word in RESERVED)]
    for name in unknown:
        if name not in tokens:
            hint = suggest(name, known, "variables")
            near = f"; {hint}" if hint.startswith("did you mean") else ""
            yield f"{name} means nothing to lumio{near}"


def known_keys(model: type[BaseModel]) -> Iterator[Key]:
    """Every setting that is declared, providers apart."""
    for section, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            for name in info.annotation.model_fields:
                yield (section, name)


def known_below(model: type[BaseModel], key: Sequence[str]) -> list[str]:
    """The names that may stand below a key."""
    here: Any = model
    for part in key:
        info = here.model_fields.get(part)
        if info is None or not isinstance(info.annotation, type):
            return []
        here = info.annotation
    return list(getattr(here, "model_fields", ()))


def _unknown(key: Key, known: Sequence[str], where: Where) -> Problem:
    dotted = ".".join(key)
    if is_secret_name(key[-1]):
        provider = key[1] if key[0] == "providers" and len(key) > 2 else "PROVIDER"
        return Problem(
            where(key),
            dotted,
            f"{dotted}: a secret does not belong in the configuration",
            f"`lumio connect {provider}` keeps it safely; then remove it here and replace it",
        )
    hint = suggest(key[-1], known, "settings")
    return Problem(where(key), dotted, f"there is no setting {dotted}", hint)


def _number(kind: type[int] | type[float], value: Any, problem: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(problem)  # noqa: TRY004
    try:
        number = kind(value)
    except (ValueError, OverflowError):
        raise ValueError(problem) from None
    if not math.isfinite(number) or (kind is int and isinstance(value, float) and value != number):
        raise ValueError(problem)
    return number


def _find(layers: Mapping[str, Any], key: Key) -> Any:
    """The value of a key in the strongest layer that has it."""
    for layer in layers.values():
        value: Any = layer
        for part in key:
            value = value.get(part, _ABSENT) if isinstance(value, Mapping) else _ABSENT
        if value is not _ABSENT:
            return value
    return _ABSENT


_ABSENT = object()


def _show(key: Key, value: Any) -> str:
    """A value that may be shown, on one line."""
    if any(is_secret_name(part) for part in key):
        return MASK
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = Redactor().text(repr(value))
    return text if len(text) <= 60 else text[:60] + "..."

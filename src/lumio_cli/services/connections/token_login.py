"""A token, from wherever the operator gives it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lumio_cli.core.errors import CredentialError, UsageError
from lumio_cli.core.paths import expand
from lumio_cli.core.stop import interruptible
from lumio_cli.credentials.operator_sources import given_fields, variable
from lumio_cli.credentials.secret_files import LIMIT, check_secret, read_secret_file
from lumio_cli.providers.contract.auth import Credential
from lumio_cli.providers.contract.fields import Field
from lumio_cli.providers.contract.provider import Provider
from lumio_cli.services.connections.connect import read_credential
from lumio_cli.services.connections.wish import Wish

if TYPE_CHECKING:
    from lumio_cli.runtime import Runtime


def token_of(
    runtime: Runtime, provider: Provider, wish: Wish, values: Mapping[str, str]
) -> Credential:
    """The credential from stdin, a file, or the operator's keyboard."""
    found = dict(values)
    first, *others = provider.credential
    if wish.token_stdin:
        found[first.name] = _read_stdin(runtime)
    elif values and not runtime.prompt.possible and (kept := _kept(runtime, provider)):
        found = {**kept, **values}
    elif wish.token_file is None:
        instead = f"--token-stdin, --token-file FILE, or set {variable(provider.name)}"
        found[first.name] = _ask(runtime, provider, first, instead)
    found |= ask_all(runtime, provider, others, found)
    return read_credential(
        provider,
        store=runtime.credentials,
        environ=runtime.environ,
        values=found,
        token_file=wish.token_file,
    )


def _kept(runtime: Runtime, provider: Provider) -> dict[str, str]:
    """The values of the token that is stored, for which only more is to be said; empty: there is
    none."""
    try:
        stored = runtime.credentials.load(provider.name).credential
    except CredentialError:
        return {}
    if stored.kind != "token":
        return {}
    return {**declared_of(provider, stored), provider.credential[0].name: stored.token}


def declared_of(provider: Provider, credential: Credential) -> dict[str, str]:
    """What a credential has of the fields that a token login declares."""
    names = {field.name for field in provider.credential}
    return {name: value for name, value in credential.fields.items() if name in names}


def ask_all(
    runtime: Runtime, provider: Provider, fields: Sequence[Field], values: Mapping[str, str]
) -> dict[str, str]:
    """The fields' values: given, from the environment, or from the keyboard where they must be
    there. Raises `CredentialError` for one that cannot be right."""
    environ = given_fields(provider.name, runtime.environ)
    found = {}
    for field in fields:
        name = variable_of(provider, field.name)
        text = values.get(field.name) or environ.get(field.name)
        # A secret is never part of a command line: one that is optional can only be typed.
        optional = field.secret and field.default is not None
        if not text and (field.default is None or (optional and runtime.prompt.possible)):
            plain = name if field.secret else f"--set {field.name}=VALUE"
            if field.kind == "file":
                plain = f"{name}_FILE"
            text = _ask(runtime, provider, field, plain)
        text = text or str(field.default)
        if field.pattern and not re.fullmatch(field.pattern, text):
            raise CredentialError(
                f"the {field.name.replace('_', ' ')} of {provider.name} does not look like one: "
                f"it must match {field.pattern}",
                hint=field.help or None,
                code="credential_malformed",
            )
        found[field.name] = text
    return found


def _read_stdin(runtime: Runtime) -> str:
    if runtime.stdin.isatty():
        raise UsageError(
            "--token-stdin reads a pipe or a file, and stdin is a terminal, which shows what you "
            "type",
            hint="leave --token-stdin out: lumio then asks, and shows nothing",
        )
    try:
        with interruptible():
            text = runtime.stdin.read(LIMIT + 1)
    except UnicodeDecodeError:
        text = "\x00"
    if len(text) > LIMIT:
        raise CredentialError(
            f"stdin has more than {LIMIT} characters, which is no token",
            hint="check what is piped into lumio",
            code="credential_malformed",
        )
    return check_secret(text, "stdin")


def _ask(runtime: Runtime, provider: Provider, field: Field, instead: str) -> str:
    question = f"{provider.title} {field.name.replace('_', ' ')}"
    if field.help:
        question = f"{question}, {field.help[:1].lower()}{field.help[1:]}"
    if field.secret and field.default is not None:
        question += "; empty for none"
    if field.kind == "file":
        path = runtime.prompt.text(f"{question}: name of the file", instead=instead)
        return read_secret_file(expand(path, UsageError), "the file", runtime.environ).strip()
    ask = runtime.prompt.secret if field.secret else runtime.prompt.text
    return ask(question, instead=instead)


def variable_of(provider: Provider, name: str) -> str:
    """The environment variable that may hold a part of a credential."""
    return f"{variable(provider.name).removesuffix('TOKEN')}{name.upper()}"

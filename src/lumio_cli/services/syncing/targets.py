"""Which resources a command is about: PROVIDER, PROVIDER/RESOURCE, or nothing for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lumio_cli.core.errors import CredentialError, LumioError, UsageError

if TYPE_CHECKING:
    from lumio_cli.providers.contract.provider import Provider
    from lumio_cli.providers.contract.resource import Resource
    from lumio_cli.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Selection:
    """One provider and the resources of it that were chosen."""

    provider: Provider
    resources: tuple[Resource, ...]


def select(runtime: Runtime, targets: Sequence[str]) -> list[Selection]:
    """The chosen resources by provider, in the order of the targets.

    No target means every connected provider. Raises `UsageError` for a name that does not exist,
    `CredentialError` where nothing is connected.
    """
    names: dict[str, list[str]] = {}
    for target in targets or connected_names(runtime):
        provider, resource = _split(target)
        chosen = names.setdefault(provider, [])
        if resource:
            chosen.append(resource)
        else:
            chosen.append("*")
    return [
        _with_parents(runtime, _selection(runtime, name, chosen)) for name, chosen in names.items()
    ]


def parse_target(target: str) -> tuple[str, str | None]:
    """Provider and resource of a target. Raises `UsageError` for names that do not exist."""
    from lumio_cli.providers.contract.fields import suggest

    name, resource = _split(target)
    known = resource_names(name)
    if resource and resource not in known:
        raise UsageError(
            f"{name} has no resource {resource!r}", hint=suggest(resource, known, "resources")
        )
    return name, resource or None


def one_resource(target: str) -> tuple[str, str]:
    """As `parse_target`. Raises `UsageError` for a whole provider, too."""
    name, resource = parse_target(target)
    if resource is None:
        example = f"{name}/{resource_names(name)[0]}"
        raise UsageError(f"{target} has many resources", hint=f"PROVIDER/RESOURCE, as in {example}")
    return name, resource


def resource_names(provider: str) -> list[str]:
    """What a provider has. Raises `UsageError` for one that does not exist."""
    from lumio_cli.providers.registry import provider_class

    return [resource.name for resource in provider_class(provider).resources]


def _split(target: str) -> tuple[str, str]:
    """Provider and resource by the form alone. Without a slash the resource is an empty text."""
    provider, slash, resource = target.partition("/")
    if slash and not resource:
        raise UsageError(
            f"{target!r} is no target", hint="a target is PROVIDER or PROVIDER/RESOURCE"
        )
    return provider, resource


def connected_names(runtime: Runtime) -> list[str]:
    """The providers that have a credential and are not switched off."""
    from lumio_cli.providers.registry import provider_names

    enabled = [n for n in provider_names() if runtime.settings.configured(n).enabled]
    found = [name for name in enabled if is_connected(runtime, name)]
    if not found:
        raise CredentialError(
            "no provider is connected",
            code="credential_missing",
            hint="lumio connect PROVIDER, for example: lumio connect hubspot",
        )
    return found


def is_connected(runtime: Runtime, name: str) -> bool:
    """Whether there is a credential, without asking a keyring that the hub can answer for.

    The hub remembers whom it was connected to; the keyring, which may be locked or slow, is only
    asked where the hub knows nothing.
    """
    if runtime.credentials.given(name) is not None:
        return True
    reader = runtime.hub_reader
    if reader is not None:
        from lumio_cli.hub.sqlite.state import read_account

        account = read_account(reader.connection, name)
        if account is not None:
            return True
    try:
        return runtime.credentials.locate(name) is not None
    except LumioError:
        return False


def _with_parents(runtime: Runtime, selection: Selection) -> Selection:
    """The selection with those resources that others of it hang on and that the hub has never
    read: without them there would be nothing to ask for, and nobody would know why."""
    from lumio_cli.hub.sqlite.state import read_state

    reader, provider = runtime.hub_reader, selection.provider
    chosen = {resource.name for resource in selection.resources}
    missing = {
        name
        for resource in selection.resources
        for name in resource.parents
        if name not in chosen
        and (reader is None or read_state(reader.connection, provider.name, name).synced_at is None)
    }
    if not missing:
        return selection
    wanted = tuple(r for r in provider.resources if r.name in chosen | missing)
    return Selection(provider, wanted)


def _selection(runtime: Runtime, name: str, chosen: Sequence[str]) -> Selection:
    provider = runtime.provider(name)
    if "*" not in chosen:
        return Selection(provider, tuple(provider.resource(r) for r in dict.fromkeys(chosen)))
    wanted = runtime.settings.provider(name).resources
    if not wanted:
        return Selection(provider, provider.resources)
    return Selection(provider, tuple(provider.resource(r) for r in wanted))

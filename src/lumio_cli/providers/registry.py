"""Which providers there are. Ours by an explicit table, others' by an entry point; all lazily."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from lumio_cli.core.errors import UsageError
from lumio_cli.providers.contract.fields import suggest
from lumio_cli.providers.contract.provider import Provider

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

OURS = {
    "hubspot": "lumio_cli.providers.hubspot:HubSpot",
    "whatsapp": "lumio_cli.providers.whatsapp:WhatsApp",
    "shopify": "lumio_cli.providers.shopify:Shopify",
    "salesforce": "lumio_cli.providers.salesforce:Salesforce",
    "mailchimp": "lumio_cli.providers.mailchimp:Mailchimp",
    "slack": "lumio_cli.providers.slack:Slack",
    "linkedin": "lumio_cli.providers.linkedin:LinkedIn",
    "pipedrive": "lumio_cli.providers.pipedrive:Pipedrive",
}
GROUP = "lumio.providers"


def provider_names() -> list[str]:
    """The names of all providers, ours first. Imports none of them."""
    return [*OURS, *sorted(_others().keys() - set(OURS))]


def provider_class(name: str) -> type[Provider]:
    """The class of the provider. Raises `UsageError`, with the nearest name."""
    target = OURS.get(name)
    if target is None:
        found = _others().get(name)
        if found is None:
            raise UsageError(
                f"there is no provider {name!r}", hint=suggest(name, provider_names(), "providers")
            )
        cls: type[Provider] = found.load()
        return cls
    module, _, attribute = target.partition(":")
    loaded: type[Provider] = getattr(import_module(module), attribute)
    return loaded


def _others() -> dict[str, EntryPoint]:
    """The entry points of other packages, by name."""
    return _scan(tuple(sys.path))


@lru_cache(maxsize=1)
def _scan(_path: tuple[str, ...]) -> dict[str, EntryPoint]:
    """The entry points of what is installed on this `sys.path`, the first of each name.

    Reads the metadata of every package there, which takes longer than most commands: once.
    """
    from importlib.metadata import entry_points

    found = entry_points(group=GROUP)
    return {entry.name: entry for entry in reversed(tuple(found))}


def load_provider(name: str, options: Mapping[str, Any]) -> Provider:
    """The provider `name` with its effective settings."""
    return provider_class(name)(options)

"""Which providers there are. Ours by an explicit table, others' by an entry point; all lazily."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from lumio_cli.errors import UsageError
from lumio_cli.providers.base import Provider, suggest

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
    from importlib.metadata import entry_points

    return [*OURS, *sorted(set(entry_points(group=GROUP).names) - set(OURS))]


def provider_class(name: str) -> type[Provider]:
    """The class of the provider. Raises `UsageError`, with the nearest name."""
    target = OURS.get(name)
    if target is None:
        from importlib.metadata import entry_points

        found = entry_points(group=GROUP, name=name)
        if not found:
            raise UsageError(
                f"there is no provider {name!r}", hint=suggest(name, provider_names(), "providers")
            )
        cls: type[Provider] = next(iter(found)).load()
        return cls
    module, _, attribute = target.partition(":")
    loaded: type[Provider] = getattr(import_module(module), attribute)
    return loaded


def load_provider(name: str, options: Mapping[str, Any]) -> Provider:
    """The provider `name` with its effective settings."""
    return provider_class(name)(options)

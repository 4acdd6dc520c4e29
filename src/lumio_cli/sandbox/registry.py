"""The look-alikes there are. Adding a provider is a module, and a line here."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from .http import Provider
from .options import Options

PROVIDERS = {
    "hubspot": "HubSpot",
    "whatsapp": "WhatsApp",
    "shopify": "Shopify",
    "salesforce": "Salesforce",
    "mailchimp": "Mailchimp",
    "slack": "Slack",
    "linkedin": "LinkedIn",
    "pipedrive": "Pipedrive",
}
"""By name, the class in the package of that name."""


def build(name: str, options: Options) -> Provider:
    """Makes a look-alike. Raises ValueError for a name that is not in the table."""
    if name not in PROVIDERS:
        raise ValueError(f"no look-alike of {name!r} (there are: {', '.join(PROVIDERS)})")
    made = getattr(import_module(f"{__package__}.{name}"), PROVIDERS[name])(options)
    return cast(Provider, made)

"""A look-alike of HubSpot's CRM: one account, behind the published paths of its API."""

from .provider import HubSpot

__all__ = ["HubSpot"]

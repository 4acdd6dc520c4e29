"""A look-alike of Pipedrive: one company account with its users, records and custom fields."""

from .provider import Pipedrive

__all__ = ["Pipedrive"]

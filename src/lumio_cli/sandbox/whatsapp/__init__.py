"""A look-alike of the WhatsApp Business Cloud API."""

from .provider import WhatsApp

__all__ = ["WhatsApp"]

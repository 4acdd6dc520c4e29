"""A look-alike of Slack's Web API."""

from .provider import Slack

__all__ = ["Slack"]

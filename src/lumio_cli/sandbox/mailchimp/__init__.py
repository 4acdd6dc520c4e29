"""A look-alike of the Mailchimp Marketing API 3.0 and its OAuth server."""

from .provider import Mailchimp

__all__ = ["Mailchimp"]

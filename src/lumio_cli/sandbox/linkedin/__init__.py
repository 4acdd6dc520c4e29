"""A look-alike of LinkedIn's versioned API for organization pages and lead forms."""

from .provider import LinkedIn

__all__ = ["LinkedIn"]

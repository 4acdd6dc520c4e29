"""A look-alike of Shopify's Admin API: GraphQL with its costs, bulk operations, and OAuth."""

from .provider import Shopify

__all__ = ["Shopify"]

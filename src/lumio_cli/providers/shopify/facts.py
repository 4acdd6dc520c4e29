"""What an operator is told of Shopify, and chooses of it."""

from __future__ import annotations

from collections.abc import Mapping

from lumio_cli.providers.base import Field

VERSION = "2026-07"
SHOP = Field(
    "shop",
    "Your shop's own domain at Shopify, such as example.myshopify.com",
    pattern=r"[a-z0-9][a-z0-9-]*\.myshopify\.com",
)
SCOPES = (
    "read_products",
    "read_orders",
    "read_customers",
    "read_inventory",
    "read_locations",
    "read_fulfillments",
    "write_products",
    "write_orders",
    "write_customers",
    "write_inventory",
)
"""What an app is asked to be granted."""
PLANS: Mapping[str, tuple[float, float]] = {
    "unknown": (50.0, 1000.0),
    "standard": (100.0, 2000.0),
    "advanced": (200.0, 4000.0),
    "plus": (1000.0, 20_000.0),
    "enterprise": (2000.0, 40_000.0),
}
"""Points a second, as published, and points at once: buckets of twenty seconds are what
`throttleStatus` shows of standard and plus shops; the others are taken to be alike."""
BULK_FROM = 5000
GUIDE = (
    "In Shopify's Dev Dashboard (dev.shopify.com) create an app, give a version of it the "
    "Admin API scopes listed below, release it and install it on your shop.",
    "Under Settings of the app copy client ID and secret, and run `lumio connect shopify "
    "--way client_credentials --set shop=example.myshopify.com --set client_id=ID`.",
    "The access token (shpat_...) of an app that was made in the shop's admin works as well: "
    "`lumio connect shopify --set shop=example.myshopify.com`.",
    "Or use an app that has the redirect URL http://localhost:18922/callback: `lumio connect "
    "shopify --oauth --set shop=example.myshopify.com --set client_id=ID`.",
    "Customers and addresses are protected data: an app of another organization must be "
    "approved for them by Shopify.",
)
NOTES = (
    "Orders older than 60 days need the scope read_all_orders, which Shopify grants.",
    "Variants are read with their products (column `variants`), line items with their orders.",
    "Metafields are read of products, customers and orders, not of variants and others.",
    "Deleted orders, customers and stock are found by a full sync only.",
    "Refunds, returns, transactions, draft orders and discounts are not read.",
    "The inventory items of deleted products stay until a full sync.",
)

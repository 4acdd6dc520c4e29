"""What an operator is told of Shopify, and chooses of it."""

from __future__ import annotations

from collections.abc import Mapping

from lumio_cli.providers.contract.auth import OAuth, Way
from lumio_cli.providers.contract.fields import Field

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
ALL_ORDERS = "read_all_orders"
"""Without it an app is shown the orders of the last 60 days, by when they were made."""
WAYS = (
    Way(
        "client_credentials",
        "Client id and secret of an app of your own organization (Dev Dashboard)",
        (
            SHOP,
            Field("client_id", "Client ID (Dev Dashboard > your app > Settings)"),
            Field("client_secret", "Client secret, beside it", secret=True),
        ),
    ),
)
OAUTH = OAuth(
    authorize_url="https://{shop}/admin/oauth/authorize",
    token_path="https://{shop}/admin/oauth/access_token",  # noqa: S106 an address
    scopes=SCOPES,
    scope_separator=",",
    pkce=False,
    redirect_port=18922,
    fields=(SHOP,),
    token_extra={"expiring": "1"},
    # Shopify lets an app ask for it only once it has granted it to the app: others would not get
    # as far as the consent.
    optional_scopes=(ALL_ORDERS,),
    optional_param="",
)
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
SETTINGS = (
    Field(
        "api_version",
        "Version of the Admin API: Shopify brings one a quarter and keeps each for a year",
        default=VERSION,
        pattern=r"20\d\d-(01|04|07|10)",
    ),
    Field(
        "plan",
        "Your shop's plan, for the limit of points: unknown, standard, advanced, plus, enterprise",
        default="unknown",
        pattern="|".join(PLANS),
    ),
    Field(
        "bulk_from",
        "Records from which a full sync uses a bulk operation; 0 never does",
        kind="integer",
        default=BULK_FROM,
    ),
    Field(
        "personal_data",
        "Names, addresses, phone numbers and e-mail addresses of orders and customers: what "
        "Shopify does not show to your app is left out by itself; false asks for none of it",
        kind="boolean",
        default=True,
    ),
)
GUIDE = (
    "In Shopify's Dev Dashboard (dev.shopify.com) create an app, give a version of it the "
    "Admin API scopes listed below, release it and install it on your shop.",
    "Under Settings of the app copy client ID and secret, and run `lumio connect shopify "
    "--way client_credentials --set shop=example.myshopify.com --set client_id=ID`.",
    "The access token (shpat_...) of an app that was made in the shop's admin works as well: "
    "`lumio connect shopify --set shop=example.myshopify.com`.",
    "Or use an app that has the redirect URL http://localhost:18922/callback: `lumio connect "
    "shopify --oauth --set shop=example.myshopify.com --set client_id=ID`.",
    "Add the scope read_all_orders to it where Shopify lets you: without it an app is shown the "
    "orders of the last 60 days.",
    "Names, addresses, phone numbers and e-mail addresses are protected data: an app of another "
    "organization must be approved for them by Shopify, and an app that was made in the shop's "
    "admin is shown them from a certain plan on. What is not shown is left out.",
)
NOTES = (
    "Orders older than 60 days need the scope read_all_orders. Without it those that were read "
    "before stay in the hub, with what belongs to them, and are no longer brought up to date.",
    "Variants are read with their products (column `variants`), line items with their orders.",
    "Metafields are read of products, customers and orders, not of variants and others.",
    "Deleted orders, customers and stock are found by a full sync only.",
    "A fulfillment or metafield that changes without its order or owner is seen by a full sync.",
    "Refunds, returns, transactions, draft orders and discounts are not read.",
    "The inventory items of deleted products stay until a full sync.",
)

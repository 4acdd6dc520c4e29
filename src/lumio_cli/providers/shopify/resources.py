"""What Shopify's resources are: their columns, how they are listed, what they need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.columns import camel, columns
from lumio_cli.providers.contract.paging import Each, Paging, Parents
from lumio_cli.providers.contract.resource import Choice, Cursor, Horizon, Kind, Resource, Writes
from lumio_cli.providers.shopify import documents as ask
from lumio_cli.providers.shopify import graph
from lumio_cli.providers.shopify.behaviour import (
    Customers,
    Fulfillments,
    InventoryLevels,
    Listed,
    Metafields,
)
from lumio_cli.providers.shopify.facts import ALL_ORDERS
from lumio_cli.providers.shopify.listing import Keyset, cursors, owners
from lumio_cli.providers.shopify.rows import goes_on

LOOKBACK = 300.0
"""Seconds that windows reach back: searches are answered from an index that lags behind."""
ONE = Writes(create=1, update=1, archive=1, at_once=50)
PERSON = replace(ONE, unique=("email", "phone"))
"""Customers: `CustomerInput` calls both "the unique email address" and "the unique phone number" of
the customer; a second one is refused as taken."""


RECENT = Horizon(
    "createdAt",
    f"Shopify shows orders, and what belongs to them, for 60 days to apps without {ALL_ORDERS}",
    days=60,
    unless=(ALL_ORDERS,),
)
"""Schema 2026-07, `Order`: "Only the last 60 days' worth of orders from a store are accessible from
the `Order` object by default"."""


STATUSES = Choice(("ACTIVE", "ARCHIVED", "DRAFT", "UNLISTED"))
"""`ProductStatus` of the published schema 2026-07."""

STAMPS = " created_at:datetime updated_at:datetime"


def _put_metafields(call: Call, keys: Mapping[str, str | None]) -> Call:
    """Ask for the metafields of these owners: the first ones, or those after their tokens."""
    version = call.path.split("/")[3]
    if not any(keys.values()):
        return graph.call(version, ask.OWNED, {"ids": list(keys)})
    variables: dict[str, Any] = {}
    for n, (owner, token) in enumerate(keys.items()):
        variables |= {f"id{n}": owner, f"after{n}": token}
    return graph.call(version, ask.owned_more(len(keys)), variables)


def _more_metafields(reply: Reply) -> dict[str, str]:
    """The owners whose list of metafields goes on, with the cursor to ask on."""
    return {str(o["id"]): after for o in owners(reply) if (after := goes_on(o.get("metafields")))}


def _met_owners(reply: Reply) -> set[str]:
    """The owners that are shown: an order that is too old is none of them, and has its own yet."""
    return {str(owner.get("id")) for owner in owners(reply)}


def _put_location(call: Call, key: str) -> Call:
    variables = {**call.json["variables"], "id": key}
    return replace(call, json={**call.json, "variables": variables})


def _resource(
    kind: type[Listed], name: str, title: str, root: str, listed: str, size: int, **more: Any
) -> Resource:
    """A resource with a list of its own, sorted and searched by id."""
    paging: dict[Kind, Paging] = {"full": Keyset(root), "changes": Keyset(root)}
    sizes: dict[Kind, int] = {"full": size, "changes": size}
    if "tombstones" in more.get("deletes", ()):
        paging["tombstones"], sizes["tombstones"] = cursors("events"), 250
    return kind(
        name=name,
        path=root,
        title=title,
        columns=columns(listed + STAMPS, camel, {"status": STATUSES} if name == "products" else {}),
        paging=paging,
        page_size=sizes,
        rows=f"data.{root}.nodes",
        cursor=Cursor(path="updatedAt", lookback=LOOKBACK),
        **{"deletes": ("sweep",), **more},
    )


PRODUCTS = _resource(
    Listed,
    "products",
    "Products with their variants",
    "products",
    "legacy_id:integer=legacyResourceId title! handle! status! vendor! product_type!"
    " tags!:json~set description_html! template_suffix! seo_title!=seo.title"
    " seo_description!=seo.description category=category.fullName is_gift_card:boolean"
    " total_inventory:integer tracks_inventory:boolean has_only_default_variant:boolean"
    " online_store_url min_price:number=priceRangeV2.minVariantPrice.amount"
    " max_price:number=priceRangeV2.maxVariantPrice.amount"
    " currency=priceRangeV2.minVariantPrice.currencyCode"
    " variants_count:integer=variantsCount.count options:json variants:json published_at:datetime",
    100,
    deletes=("tombstones", "sweep"),
    scopes=("read_products",),
    write_scopes=("write_products",),
    writes=ONE,
)
ORDERS = _resource(
    Listed,
    "orders",
    "Orders with their line items",
    "orders",
    "legacy_id:integer=legacyResourceId name email! phone! note! po_number! tags!:json~set"
    " customer_id=customer.id financial_status=displayFinancialStatus"
    " fulfillment_status=displayFulfillmentStatus return_status currency=currencyCode"
    " total:number=currentTotalPriceSet.shopMoney.amount"
    " subtotal:number=currentSubtotalPriceSet.shopMoney.amount"
    " tax:number=currentTotalTaxSet.shopMoney.amount"
    " discounts:number=currentTotalDiscountsSet.shopMoney.amount"
    " shipping:number=totalShippingPriceSet.shopMoney.amount"
    " refunded:number=totalRefundedSet.shopMoney.amount"
    " outstanding:number=totalOutstandingSet.shopMoney.amount"
    " original_total:number=totalPriceSet.shopMoney.amount"
    " items:integer=currentSubtotalLineItemsQuantity taxes_included:boolean test:boolean"
    " confirmed:boolean closed:boolean cancel_reason source_name discount_codes:json"
    " payment_gateways:json=paymentGatewayNames custom_attributes:json line_items:json"
    " shipping_address:json billing_address:json closed_at:datetime cancelled_at:datetime"
    " processed_at:datetime",
    50,
    scopes=("read_orders", "read_customers"),
    write_scopes=("write_orders",),
    writes=Writes(update=1, at_once=50),
    horizon=RECENT,
    note="Shopify shows the orders of the last 60 days, unless the app has read_all_orders.",
)
CUSTOMERS = _resource(
    Customers,
    "customers",
    "Customers",
    "customers",
    "legacy_id:integer=legacyResourceId display_name first_name! last_name!"
    " email!=defaultEmailAddress.emailAddress phone!=defaultPhoneNumber.phoneNumber"
    " email_marketing=defaultEmailAddress.marketingState"
    " sms_marketing=defaultPhoneNumber.marketingState note! tags!:json~set state locale!"
    " tax_exempt!:boolean verified_email:boolean orders:integer=numberOfOrders"
    " amount_spent:number=amountSpent.amount currency=amountSpent.currencyCode"
    " city=defaultAddress.city province=defaultAddress.province country=defaultAddress.country"
    " default_address:json",
    100,
    scopes=("read_customers",),
    write_scopes=("write_customers",),
    writes=PERSON,
)
INVENTORY_ITEMS = _resource(
    Listed,
    "inventory_items",
    "Inventory items",
    "inventoryItems",
    "legacy_id:integer=legacyResourceId sku tracked:boolean requires_shipping:boolean"
    " unit_cost:number=unitCost.amount currency=unitCost.currencyCode"
    " weight:number=measurement.weight.value weight_unit=measurement.weight.unit"
    " country_of_origin=countryCodeOfOrigin province_of_origin=provinceCodeOfOrigin"
    " harmonized_system_code",
    100,
    rough_count=True,  # that of variants
    scopes=("read_inventory",),
)
FULFILLMENTS = replace(
    _resource(
        Fulfillments,
        "fulfillments",
        "Fulfillments",
        "orders",
        "legacy_id:integer=legacyResourceId order_id=order.id order_name=order.name name status"
        " display_status total_quantity:integer requires_shipping:boolean location_id=location.id"
        " tracking:json=trackingInfo line_items:json=fulfillmentLineItems delivered_at:datetime"
        " estimated_delivery_at:datetime in_transit_at:datetime",
        50,
        scopes=("read_orders", "read_fulfillments"),
        group="order.id",
        horizon=replace(RECENT, parent="orders"),
        note="Read with the orders that changed; a fulfillment changes its order.",
    ),
    path="fulfillments",
)
LOCATIONS = Listed(
    name="locations",
    path="locations",
    title="Locations",
    columns=columns(
        "legacy_id:integer=legacyResourceId name is_active:boolean is_fulfillment_service:boolean"
        " fulfills_online_orders:boolean ships_inventory:boolean has_active_inventory:boolean"
        " city=address.city country=address.countryCode address:json" + STAMPS,
        camel,
    ),
    paging={"full": cursors("locations")},
    page_size={"full": 100},
    rows="data.locations.nodes",
    deletes=("sweep",),
    scopes=("read_locations",),
    metadata=True,
)
_STOCK = Each(_put_location, cursors("location.inventoryLevels"))
INVENTORY_LEVELS = InventoryLevels(
    name="inventory_levels",
    path="inventory_levels",
    title="Inventory levels: stock of an item at a location",
    columns=columns(
        "item_id=item.id sku=item.sku location_id=location.id location=location.name"
        " available!:integer=quantities.available on_hand!:integer=quantities.on_hand"
        " committed:integer=quantities.committed incoming:integer=quantities.incoming"
        " reserved:integer=quantities.reserved damaged:integer=quantities.damaged"
        " is_active:boolean can_deactivate:boolean" + STAMPS,
        camel,
    ),
    paging={"full": _STOCK, "changes": _STOCK},
    page_size={"full": 100, "changes": 100},
    rows="data.location.inventoryLevels.nodes",
    cursor=Cursor(path="updatedAt", lookback=LOOKBACK),
    deletes=("sweep",),
    scopes=("read_inventory", "read_locations"),
    write_scopes=("write_inventory",),
    parents=("locations",),
    group="location.id",
    rough_count=True,  # what is stocked nowhere has none
    writes=Writes(update=250, at_once=250),
    note="Listed location by location: needs the resource locations.",
)
# What changed is asked for by the ids of owners, so that what is gone of them is known; everything
# is listed with the owners, which costs Shopify a tenth: see `Metafields`.
_OWNED = Parents(_put_metafields, _more_metafields, _met_owners)
METAFIELDS = Metafields(
    name="metafields",
    path="metafields",
    title="Metafields of products, customers and orders",
    columns=columns(
        "legacy_id:integer=legacyResourceId owner_id owner_type namespace key type value"
        " compare_digest" + STAMPS,
        camel,
    ),
    paging={"full": _OWNED, "changes": _OWNED},
    page_size={"full": 100, "changes": 40},
    rows="data.nodes",
    deletes=("sweep",),
    parents=("products", "customers", "orders"),
    group="ownerId",
    horizon=replace(RECENT, parent="orders"),
    note="Read for owners that changed and, in a full sync, for all.",
)
ALL = (
    PRODUCTS, CUSTOMERS, ORDERS, FULFILLMENTS, INVENTORY_ITEMS, LOCATIONS, INVENTORY_LEVELS,
    METAFIELDS,
)  # fmt: skip

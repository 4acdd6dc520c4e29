"""The generated records of a shop: functions of the seed and a number, as plain documents.

Ids are Shopify's: `gid://shopify/TYPE/NUMBER`, with numbers beyond 2^53. Children (variants, line
items) are functions of their parent's number, so that a parent says only how many it has.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ..table import Document, draw
from ..words import (
    CITIES,
    COUNTRIES,
    FAMILIES,
    FIRMS,
    MAIL_HOSTS,
    NOTES,
    PEOPLE,
    STATES,
    SUBJECTS,
)

BASES = {
    "Product": 9_100_000_000_000_000,
    "ProductVariant": 9_200_000_000_000_000,
    "InventoryItem": 9_300_000_000_000_000,
    "Order": 9_400_000_000_000_000,
    "LineItem": 9_410_000_000_000_000,
    "Customer": 9_500_000_000_000_000,
    "Fulfillment": 9_600_000_000_000_000,
    "FulfillmentLineItem": 9_610_000_000_000_000,
    "Metafield": 9_700_000_000_000_000,
    "Event": 9_800_000_000_000_000,
    "BulkOperation": 4_100_000_000_000,
    "Location": 70_000_001,
    "MailingAddress": 9_900_000_000_000_000,
}
MOST = 4096
"""More children than a parent ever has: Shopify allows 2,048 variants."""
MANY = 120
"""Children of the few parents that have more than a page of them."""
CODES = {"Germany": "DE", "Brazil": "BR", "Japan": "JP", "Poland": "PL", "Iceland": "IS"}
QUANTITIES = ("available", "committed", "damaged", "incoming", "on_hand", "reserved")
LOCATIONS = ("Lager Köln", "Depósito São Paulo", "Pop-up 東京 🛍", "Ship & Co 📦")
SERVICE = 3
"""Which of the locations a fulfillment service manages: it is a legacy one."""
SERVED = 4
"""Of so many items, one is stocked at the service's location, too."""


def gid(kind: str, number: int) -> str:
    """The id of the n-th record of a type."""
    return f"gid://shopify/{kind}/{BASES[kind] + number}"


def number_of(record_id: str) -> int:
    """The number at the end of a gid, query apart; -1 where there is none."""
    text = record_id.partition("?")[0].rpartition("/")[2]
    return int(text) if text.isdigit() else -1


def kind_of(record_id: str) -> str:
    """The type that a gid names; empty for what is no gid."""
    parts = record_id.split("/")
    return parts[3] if record_id.startswith("gid://shopify/") and len(parts) == 5 else ""


def at(seconds: float) -> str:
    """A time as Shopify writes it."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def stamp(document: Document, created: float, modified: float) -> None:
    """Writes the times into a document."""
    document["createdAt"] = at(created)
    document["updatedAt"] = at(modified)


def money(cents: int) -> dict[str, str]:
    """An amount in the shop's currency."""
    return {"amount": f"{cents // 100}.{cents % 100:02d}", "currencyCode": "EUR"}


def bag(cents: int) -> dict[str, dict[str, str]]:
    """An amount in the shop's and in the customer's currency."""
    return {"shopMoney": money(cents), "presentmentMoney": money(cents)}


def _address(seed: int, kind: str, number: int) -> dict[str, Any]:
    random = draw(seed, f"{kind}-address", number)
    first, last = random.choice(PEOPLE)[0], random.choice(FAMILIES)[0]
    country = random.choice(COUNTRIES)
    state = random.choice(STATES)
    return {
        "id": f"{gid('MailingAddress', number)}?model_name={kind}Address",
        "firstName": first,
        "lastName": last,
        "name": f"{first} {last}",
        "company": random.choice((*FIRMS, None)),
        "address1": f"{random.randrange(1, 99)} Sandbox Street",
        "address2": None,
        "city": random.choice(CITIES),
        "country": country,
        "countryCodeV2": CODES.get(country, "US"),
        "province": state,
        "provinceCode": state[:2].upper() if state else None,
        "zip": f"{random.randrange(10_000, 99_999)}",
        "phone": None,
    }


def product(seed: int, number: int) -> Document:
    """A product without its times; `_variants` is how many variants it has."""
    random = draw(seed, "product", number)
    title = f"{random.choice(SUBJECTS)} {random.choice(FIRMS)}"
    return {
        "id": gid("Product", number),
        "title": title,
        "handle": f"product-{number}",
        "description": random.choice(NOTES) or "",
        "descriptionHtml": f"<p>{random.choice(NOTES) or ''}</p>",
        "vendor": random.choice(FIRMS),
        "productType": random.choice(("Snowboard", "Mütze", "")),
        "status": random.choice(("ACTIVE", "ACTIVE", "ACTIVE", "DRAFT", "ARCHIVED")),
        "tags": sorted(random.sample(("new", "sale", "größe-xl", "年間", "a b"), 2)),
        "templateSuffix": None,
        "isGiftCard": False,
        "seo": {"title": None, "description": None},
        "category": None,
        "onlineStoreUrl": None,
        "publishedAt": None,
        "tracksInventory": True,
        "_variants": MANY if number % 500 == 307 else 1 + number % 3,
        "metafields": metafields(number, "Product", 40 if number % 50 == 5 else number % 3),
    }


def variant(seed: int, parent: Document, number: int, position: int) -> Document:
    """The variant of a product at a position, from 0."""
    random = draw(seed, f"variant{position}", number)
    title = "Default Title" if parent["_variants"] == 1 else f"Größe {position + 1}"
    return {
        "id": gid("ProductVariant", number * MOST + position),
        "title": title,
        "displayName": f"{parent['title']} - {title}",
        "sku": f"SKU-{number}-{position}",
        "barcode": None,
        "position": position + 1,
        "price": f"{random.randrange(1, 400)}.{random.randrange(100):02d}",
        "compareAtPrice": None,
        "taxable": True,
        "availableForSale": True,
        "inventoryPolicy": "DENY",
        "inventoryQuantity": random.randrange(50),
        "selectedOptions": [{"name": "Title", "value": title}],
        "inventoryItem": {"id": gid("InventoryItem", number * MOST + position)},
        "createdAt": parent["createdAt"],
        "updatedAt": parent["updatedAt"],
        "metafields": [],
    }


def metafields(number: int, owner: str, count: int) -> list[Document]:
    """The metafields that an owner begins with."""
    first = (BASES[owner] // 10**14 % 10 * 10**9 + number) * MOST
    return [
        {
            "id": gid("Metafield", first + n),
            "namespace": "custom",
            "key": f"field_{n}",
            "type": "single_line_text_field",
            "value": f"{NOTES[n % 2]} {n}",
        }
        for n in range(count)
    ]


def customer(seed: int, number: int) -> Document:
    """A customer without its times."""
    random = draw(seed, "customer", number)
    (first, plain), (last, family) = random.choice(PEOPLE), random.choice(FAMILIES)
    return {
        "id": gid("Customer", number),
        "firstName": first,
        "lastName": last,
        "defaultEmailAddress": {
            "emailAddress": f"{plain}.{family}.{number}@{random.choice(MAIL_HOSTS)}",
            "marketingState": random.choice(("SUBSCRIBED", "NOT_SUBSCRIBED")),
            "marketingUpdatedAt": None,
        },
        "defaultPhoneNumber": None,
        "defaultAddress": _address(seed, "Customer", number) if number % 4 else None,
        "amountSpent": money(random.randrange(100_000)),
        "numberOfOrders": str(random.randrange(9)),
        "note": random.choice(NOTES),
        "state": random.choice(("ENABLED", "DISABLED", "INVITED")),
        "tags": ["vip"] if number % 5 == 0 else [],
        "locale": "en",
        "taxExempt": False,
        "verifiedEmail": True,
        "metafields": metafields(number, "Customer", 1 if number % 4 == 1 else 0),
    }


def order(seed: int, number: int, people: int) -> Document:
    """An order without its times; `_lines` is how many line items it has, `_customer` whose it is
    (of `people` customers)."""
    random = draw(seed, "order", number)
    total = random.randrange(1_000, 90_000)
    return {
        "id": gid("Order", number),
        "name": f"#{1001 + number}",
        "email": f"buyer.{number}@{random.choice(MAIL_HOSTS)}",
        "phone": None,
        "note": random.choice(NOTES),
        "poNumber": None,
        "tags": [],
        "test": False,
        "confirmed": True,
        "closed": False,
        "closedAt": None,
        "cancelledAt": None,
        "cancelReason": None,
        "currencyCode": "EUR",
        "presentmentCurrencyCode": "EUR",
        "taxesIncluded": True,
        "displayFinancialStatus": random.choice(("PAID", "PENDING", "REFUNDED")),
        "displayFulfillmentStatus": "FULFILLED",
        "returnStatus": "NO_RETURN",
        "sourceName": "web",
        "paymentGatewayNames": ["bogus"],
        "discountCodes": [],
        "customAttributes": [{"key": "gift", "value": "ja"}] if number % 9 == 0 else [],
        "totalPriceSet": bag(total),
        "currentTotalPriceSet": bag(total),
        "currentSubtotalPriceSet": bag(total - 500),
        "currentTotalTaxSet": bag(total // 6),
        "currentTotalDiscountsSet": bag(0),
        "totalShippingPriceSet": bag(500),
        "totalRefundedSet": bag(0),
        "totalOutstandingSet": bag(0),
        "shippingAddress": _address(seed, "Order", number),
        "billingAddress": None,
        "_lines": MANY if number % 500 == 309 else 1 + number % 3,
        "_customer": number % people if people and number % 6 else None,
        "metafields": metafields(number, "Order", 1 if number % 7 == 2 else 0),
    }


def line(seed: int, number: int, position: int) -> Document:
    """The line item of an order at a position, from 0."""
    random = draw(seed, f"line{position}", number)
    cents = random.randrange(100, 20_000)
    title = random.choice(SUBJECTS)
    return {
        "id": gid("LineItem", number * MOST + position),
        "name": title,
        "title": title,
        "variantTitle": None,
        "vendor": random.choice(FIRMS),
        "sku": f"SKU-{number % 7}-{position}",
        "quantity": 1 + position % 3,
        "currentQuantity": 1 + position % 3,
        "unfulfilledQuantity": 0,
        "isGiftCard": False,
        "requiresShipping": True,
        "taxable": True,
        "customAttributes": [],
        "originalUnitPriceSet": bag(cents),
        "discountedUnitPriceSet": bag(cents),
        "totalDiscountSet": bag(0),
        "product": None,
        "variant": None,
    }


def fulfillment(seed: int, number: int) -> Document:
    """The fulfillment of the order of the same number."""
    random = draw(seed, "fulfillment", number)
    return {
        "id": gid("Fulfillment", number),
        "name": f"#{1001 + number}-F1",
        "status": "SUCCESS",
        "displayStatus": random.choice(("FULFILLED", "IN_TRANSIT", "DELIVERED")),
        "deliveredAt": None,
        "estimatedDeliveryAt": None,
        "inTransitAt": None,
        "requiresShipping": True,
        "totalQuantity": 1,
        "trackingInfo": [
            {"company": "Sandbox Post", "number": f"SB{number:08d}", "url": None},
        ],
        "_order": gid("Order", number),
    }


def item(seed: int, number: int) -> Document:
    """The inventory item of the first variant of the product of the same number."""
    random = draw(seed, "item", number)
    return {
        "id": gid("InventoryItem", number * MOST),
        "sku": f"SKU-{number}-0",
        "tracked": True,
        "requiresShipping": True,
        "countryCodeOfOrigin": random.choice(("DE", "JP", None)),
        "provinceCodeOfOrigin": None,
        "harmonizedSystemCode": None,
        "unitCost": money(random.randrange(100, 9_000)) if number % 3 else None,
        "measurement": {
            "id": f"gid://shopify/InventoryItemMeasurement/{number + 1}",
            "weight": {"unit": "KILOGRAMS", "value": round(random.random() * 10, 2)},
        },
    }


def level_id(place: int, item_id: str) -> str:
    """The id of the stock of an item at the n-th location."""
    return (
        f"gid://shopify/InventoryLevel/{80_000_001 + place}?inventory_item_id={number_of(item_id)}"
    )


def levels(items: int) -> int:
    """How many levels so many items have."""
    return 2 * items + items // SERVED


def stocked(number: int, items: int) -> tuple[int, str]:
    """Where the n-th level of so many items is, and the item: at the first or the second location,
    and then at the service's."""
    if number < 2 * items:
        return number % 2, gid("InventoryItem", number // 2 * MOST)
    return SERVICE, gid("InventoryItem", (number - 2 * items) * SERVED * MOST)


def level(seed: int, number: int, items: int) -> Document:
    """The n-th level of so many items."""
    random = draw(seed, "level", number)
    place, item_id = stocked(number, items)
    available = random.randrange(-2, 200)
    counts = {"available": available, "committed": random.randrange(5), "incoming": 0}
    counts |= {"damaged": 0, "reserved": 0, "on_hand": available + counts["committed"]}
    return {
        "id": level_id(place, item_id),
        "canDeactivate": True,
        "deactivationAlert": None,
        "_place": place,
        "_item": item_id,
        "_counts": counts,
    }


def location(number: int) -> Document:
    """One of the shop's locations."""
    return {
        "id": gid("Location", number),
        "name": LOCATIONS[number],
        "isActive": True,
        "isFulfillmentService": number == SERVICE,
        "fulfillsOnlineOrders": number == 0,
        "shipsInventory": True,
        "hasActiveInventory": number != 2,
        "address": {
            "address1": "1 Sandbox Street",
            "city": CITIES[number],
            "countryCode": "DE",
            "provinceCode": None,
            "zip": "12345",
        },
    }

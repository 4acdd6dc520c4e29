"""What is asked of Shopify: selections, and the documents made of them.

The same selection serves pages and bulk operations, so that a record is the same whichever way it
came, and its digest too.
"""

from __future__ import annotations

INNER = 25
"""Children of a record that its page brings; the others are asked for one record at a time."""

AMOUNT = "{ shopMoney { amount currencyCode } }"
ADDRESS = (
    "{ id firstName lastName company address1 address2 city province provinceCode country"
    " countryCodeV2 zip phone }"
)
VARIANT = """
  id legacyResourceId title displayName sku barcode position price compareAtPrice taxable
  availableForSale inventoryPolicy inventoryQuantity createdAt updatedAt
  selectedOptions { name value } inventoryItem { id }
"""
PRODUCT = """
  id legacyResourceId title handle status vendor productType tags descriptionHtml templateSuffix
  isGiftCard totalInventory tracksInventory hasOnlyDefaultVariant onlineStoreUrl publishedAt
  createdAt updatedAt category { id fullName } seo { title description }
  priceRangeV2 { minVariantPrice { amount currencyCode } maxVariantPrice { amount } }
  options { id name position values } variantsCount { count }
"""
LINE = f"""
  id name title variantTitle vendor sku quantity currentQuantity unfulfilledQuantity isGiftCard
  requiresShipping taxable customAttributes {{ key value }} product {{ id }} variant {{ id }}
  originalUnitPriceSet {AMOUNT} discountedUnitPriceSet {AMOUNT} totalDiscountSet {AMOUNT}
"""
ORDER = f"""
  id legacyResourceId name email phone note poNumber tags test confirmed closed closedAt
  cancelledAt cancelReason currencyCode presentmentCurrencyCode taxesIncluded
  displayFinancialStatus displayFulfillmentStatus returnStatus sourceName paymentGatewayNames
  discountCodes processedAt createdAt updatedAt customer {{ id }}
  customAttributes {{ key value }} currentSubtotalLineItemsQuantity
  totalPriceSet {AMOUNT} currentTotalPriceSet {AMOUNT} currentSubtotalPriceSet {AMOUNT}
  currentTotalTaxSet {AMOUNT} currentTotalDiscountsSet {AMOUNT} totalShippingPriceSet {AMOUNT}
  totalRefundedSet {AMOUNT} totalOutstandingSet {AMOUNT}
  shippingAddress {ADDRESS} billingAddress {ADDRESS}
"""
CUSTOMER = f"""
  id legacyResourceId displayName firstName lastName note state tags locale taxExempt
  verifiedEmail numberOfOrders createdAt updatedAt amountSpent {{ amount currencyCode }}
  defaultEmailAddress {{ emailAddress marketingState marketingUpdatedAt }}
  defaultPhoneNumber {{ phoneNumber marketingState }} defaultAddress {ADDRESS}
"""
WRITTEN = {
    "products": "id updatedAt title handle status vendor productType tags descriptionHtml"
    " templateSuffix seo { title description }",
    "customers": "id updatedAt firstName lastName note tags locale taxExempt"
    " defaultEmailAddress { emailAddress marketingState marketingUpdatedAt }"
    " defaultPhoneNumber { phoneNumber marketingState }",
    "orders": "id updatedAt email phone note poNumber tags",
}
"""What the answer to a mutation tells of the record: all that can be written, as Shopify keeps it
(handles, tags and numbers have a form of its own). Not `displayName`: it is never null, so that an
app which may not see it would not be shown the record at all, nor its id."""
ITEM = """
  id legacyResourceId sku tracked requiresShipping countryCodeOfOrigin provinceCodeOfOrigin
  harmonizedSystemCode createdAt updatedAt unitCost { amount currencyCode }
  measurement { weight { unit value } }
"""
LEVEL = """
  id isActive canDeactivate deactivationAlert createdAt updatedAt item { id sku }
  location { id name }
  quantities(names: ["available", "on_hand", "committed", "incoming", "reserved", "damaged"]) {
    name quantity
  }
"""
LOCATION = """
  id legacyResourceId name isActive isFulfillmentService fulfillsOnlineOrders shipsInventory
  hasActiveInventory createdAt updatedAt
  address { address1 city provinceCode countryCode zip }
"""
SHIPPED = "id quantity lineItem { id sku }"
FULFILLMENT = f"""
  id legacyResourceId name status displayStatus totalQuantity requiresShipping createdAt updatedAt
  deliveredAt estimatedDeliveryAt inTransitAt location {{ id }}
  trackingInfo {{ company number url }}
  fulfillmentLineItems(first: {INNER}) {{
    nodes {{ {SHIPPED} }} pageInfo {{ hasNextPage endCursor }}
  }}
"""
METAFIELD = """
  id legacyResourceId namespace key type value ownerType compareDigest createdAt updatedAt
"""
METAFIELDS = 100
"""Metafields of an owner that a page brings: where one has more, only a full sync can tell that
some of them are gone."""


def listing(name: str, root: str, fields: str, children: str = "", of: str = "") -> str:
    """The document of a listing by id: `of` are the children's fields, if there are any."""
    nested = (
        f"{children}(first: {INNER}) {{ nodes {{ {of} }} pageInfo {{ hasNextPage endCursor }} }}"
        if children
        else ""
    )
    sort = "" if root == "inventoryItems" else ", sortKey: ID"
    return f"""query {name}($first: Int!, $after: String, $query: String) {{
  {root}(first: $first, after: $after, query: $query{sort}) {{
    nodes {{ {fields} {nested} }} pageInfo {{ hasNextPage endCursor }}
  }}
}}"""


def bulk(root: str, fields: str, children: str = "", of: str = "") -> str:
    """The query of a bulk operation, which knows connections by their edges only."""
    nested = f"{children} {{ edges {{ node {{ {of} }} }} }}" if children else ""
    return f"{{ {root} {{ edges {{ node {{ {fields} {nested} }} }} }} }}"


def more(name: str, root: str, children: str, of: str) -> str:
    """The document of the next children of one record."""
    return f"""query {name}($id: ID!, $after: String) {{
  {root}(id: $id) {{
    {children}(first: 250, after: $after) {{
      nodes {{ {of} }} pageInfo {{ hasNextPage endCursor }}
    }}
  }}
}}"""


STOCK = "includeInactive: true"
"""Levels that are not in use: left out by default, so that `isActive` would never be false."""
PLACES = "includeInactive: true, includeLegacy: true"
"""Deactivated locations, and those that apps of fulfillment services manage ("legacy" ones): left
out by default, with all of their stock."""
LEVELS = f"""query InventoryLevels($id: ID!, $first: Int!, $after: String, $query: String) {{
  location(id: $id) {{
    inventoryLevels(first: $first, after: $after, query: $query, {STOCK}) {{
      nodes {{ {LEVEL} }} pageInfo {{ hasNextPage endCursor }}
    }}
  }}
}}"""
LOCATIONS = f"""query Locations($first: Int!, $after: String) {{
  locations(first: $first, after: $after, {PLACES}, sortKey: ID) {{
    nodes {{ {LOCATION} }} pageInfo {{ hasNextPage endCursor }}
  }}
}}"""
FULFILLMENTS = f"""query Fulfillments($first: Int!, $after: String, $query: String) {{
  orders(first: $first, after: $after, query: $query, sortKey: ID) {{
    nodes {{ id name fulfillments {{ {FULFILLMENT} }} }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}"""
DELETED = """query DeletedProducts($first: Int!, $after: String, $query: String) {
  events(first: $first, after: $after, query: $query, sortKey: ID) {
    nodes { id action createdAt ... on BasicEvent { subjectId subjectType } }
    pageInfo { hasNextPage endCursor }
  }
}"""
FOUND = "query Found($ids: [ID!]!) { nodes(ids: $ids) { id } }"
OWNED = f"""query MetafieldsOf($ids: [ID!]!) {{
  nodes(ids: $ids) {{
    id
    ... on HasMetafields {{
      metafields(first: {METAFIELDS}) {{
        nodes {{ {METAFIELD} }} pageInfo {{ hasNextPage endCursor }}
      }}
    }}
  }}
}}"""


def owners(root: str) -> str:
    """The document of a listing of owners with their metafields."""
    nested = f"metafields(first: {INNER}) {{ nodes {{ {METAFIELD} }}"
    return f"""query Metafields($first: Int!, $after: String, $query: String) {{
  {root}(first: $first, after: $after, query: $query, sortKey: ID) {{
    nodes {{ id {nested} pageInfo {{ hasNextPage endCursor }} }} }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}"""


NEXT_OWNED = f"""query MetafieldsNext($id: ID!, $after: String) {{
  node(id: $id) {{
    ... on HasMetafields {{
      metafields(first: 250, after: $after) {{
        nodes {{ {METAFIELD} }} pageInfo {{ hasNextPage endCursor }}
      }}
    }}
  }}
}}"""


def owned_more(count: int) -> str:
    """The document of the next metafields of `count` owners, each after a cursor of its own."""
    heads = ", ".join(f"$id{n}: ID!, $after{n}: String" for n in range(count))
    fields = "\n".join(
        f"""  owner{n}: node(id: $id{n}) {{
    id
    ... on HasMetafields {{
      metafields(first: {METAFIELDS}, after: $after{n}) {{
        nodes {{ {METAFIELD} }} pageInfo {{ hasNextPage endCursor }}
      }}
    }}
  }}"""
        for n in range(count)
    )
    return f"query MetafieldsMore({heads}) {{\n{fields}\n}}"


WHO = """query Who {
  shop {
    id name myshopifyDomain currencyCode ianaTimezone plan { publicDisplayName }
  }
  currentAppInstallation { accessScopes { handle } }
}"""
COUNTS = {
    "products": "query CountProducts { productsCount(limit: null) { count } }",
    "orders": "query CountOrders { ordersCount(limit: null) { count } }",
    "customers": "query CountCustomers { customersCount(limit: null) { count } }",
    "inventory_items": "query CountItems { productVariantsCount(limit: null) { count } }",
}
RUN = """mutation RunBulk($query: String!) {
  bulkOperationRunQuery(query: $query, groupObjects: true) {
    bulkOperation { id status errorCode url }
    userErrors { code field message }
  }
}"""
LOOK = """query LookAtBulk($id: ID!) {
  bulkOperation(id: $id) { id status errorCode objectCount url }
}"""

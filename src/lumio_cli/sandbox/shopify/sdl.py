"""The part of Shopify's Admin GraphQL API (2026-07) that the look-alike speaks, in its own SDL.

Every type, field, argument and value here is one of the published schema, with the same type; the
published schema has many more. Enums of countries and currencies have the few values that records
here use. Written against the schema that Shopify ships with its npm package @shopify/dev-mcp.
"""

from __future__ import annotations

SCALARS = """
schema { query: QueryRoot mutation: Mutation }
directive @idempotent(key: String!) on FIELD
scalar DateTime
scalar Decimal
scalar FormattedString
scalar HTML
scalar JSON
scalar Money
scalar URL
scalar UnsignedInt64
interface Node { id: ID! }
interface LegacyInteroperability { legacyResourceId: UnsignedInt64! }
interface HasMetafields {
  metafield(key: String!, namespace: String): Metafield
  metafields(after: String, before: String, first: Int, keys: [String!], last: Int,
    namespace: String, reverse: Boolean = false): MetafieldConnection!
}
interface Event { id: ID! action: String! createdAt: DateTime! message: FormattedString! }
type PageInfo {
  endCursor: String hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String
}
type Count { count: Int! precision: CountPrecision! }
type MoneyV2 { amount: Decimal! currencyCode: CurrencyCode! }
type MoneyBag { presentmentMoney: MoneyV2! shopMoney: MoneyV2! }
type UserError { field: [String!] message: String! }
type Attribute { key: String! value: String }
type Weight { unit: WeightUnit! value: Float! }
type MailingAddress implements Node {
  address1: String address2: String city: String company: String country: String
  countryCodeV2: CountryCode firstName: String id: ID! lastName: String name: String phone: String
  province: String provinceCode: String zip: String
}
"""

ENUMS = """
enum BulkOperationErrorCode { ACCESS_DENIED INTERNAL_SERVER_ERROR TIMEOUT }
enum BulkOperationStatus { CANCELED CANCELING COMPLETED CREATED EXPIRED FAILED RUNNING }
enum BulkOperationType { MUTATION QUERY }
enum BulkOperationUserErrorCode { INVALID LIMIT_REACHED OPERATION_IN_PROGRESS }
enum CountPrecision { AT_LEAST EXACT }
enum CountryCode { BR DE IS JP PL US }
enum CurrencyCode { BRL EUR USD }
enum CustomerEmailAddressMarketingState { INVALID NOT_SUBSCRIBED PENDING SUBSCRIBED UNSUBSCRIBED }
enum CustomerSmsMarketingState { NOT_SUBSCRIBED PENDING REDACTED SUBSCRIBED UNSUBSCRIBED }
enum CustomerSortKeys { CREATED_AT ID LOCATION NAME RELEVANCE UPDATED_AT }
enum CustomerState { DECLINED DISABLED ENABLED INVITED }
enum EventSortKeys { CREATED_AT ID }
enum EventSubjectType { COLLECTION CUSTOMER ORDER PRODUCT PRODUCT_VARIANT UNKNOWN }
enum FulfillmentDisplayStatus {
  CANCELED CONFIRMED DELAYED DELIVERED FAILURE FULFILLED IN_TRANSIT MARKED_AS_FULFILLED
}
enum FulfillmentStatus { CANCELLED ERROR FAILURE SUCCESS }
enum InventorySetQuantitiesUserErrorCode {
  CHANGE_FROM_QUANTITY_STALE COMPARE_QUANTITY_REQUIRED IDEMPOTENCY_CONCURRENT_REQUEST
  IDEMPOTENCY_KEY_PARAMETER_MISMATCH IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED INVALID_INVENTORY_ITEM
  INVALID_LOCATION INVALID_NAME INVALID_QUANTITY_NEGATIVE INVALID_QUANTITY_TOO_HIGH
  INVALID_REASON ITEM_NOT_STOCKED_AT_LOCATION NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR
}
enum LocationSortKeys { ID NAME RELEVANCE }
enum MetafieldOwnerType { CUSTOMER ORDER PRODUCT PRODUCTVARIANT }
enum OrderCancelReason { CUSTOMER DECLINED FRAUD INVENTORY OTHER STAFF }
enum OrderDisplayFinancialStatus {
  AUTHORIZED EXPIRED PAID PARTIALLY_PAID PARTIALLY_REFUNDED PENDING REFUNDED VOIDED
}
enum OrderDisplayFulfillmentStatus {
  FULFILLED IN_PROGRESS ON_HOLD OPEN PARTIALLY_FULFILLED PENDING_FULFILLMENT REQUEST_DECLINED
  RESTOCKED SCHEDULED UNFULFILLED
}
enum OrderReturnStatus {
  INSPECTION_COMPLETE IN_PROGRESS NO_RETURN RETURNED RETURN_FAILED RETURN_REQUESTED
}
enum OrderSortKeys { CREATED_AT ID PROCESSED_AT RELEVANCE UPDATED_AT }
enum ProductSortKeys { CREATED_AT ID RELEVANCE TITLE UPDATED_AT VENDOR }
enum ProductStatus { ACTIVE ARCHIVED DRAFT UNLISTED }
enum ProductVariantInventoryPolicy { CONTINUE DENY }
enum ProductVariantSortKeys { ID POSITION RELEVANCE SKU TITLE }
enum WeightUnit { GRAMS KILOGRAMS OUNCES POUNDS }
"""

PRODUCTS = """
type TaxonomyCategory implements Node { fullName: String! id: ID! name: String! }
type SEO { description: String title: String }
type ProductPriceRangeV2 { maxVariantPrice: MoneyV2! minVariantPrice: MoneyV2! }
type ProductOption implements Node { id: ID! name: String! position: Int! values: [String!]! }
type SelectedOption { name: String! value: String! }
type Product implements HasMetafields & LegacyInteroperability & Node {
  category: TaxonomyCategory createdAt: DateTime! description(truncateAt: Int): String!
  descriptionHtml: HTML! handle: String! hasOnlyDefaultVariant: Boolean! id: ID!
  isGiftCard: Boolean! legacyResourceId: UnsignedInt64!
  metafield(key: String!, namespace: String): Metafield
  metafields(after: String, before: String, first: Int, keys: [String!], last: Int,
    namespace: String, reverse: Boolean = false): MetafieldConnection!
  onlineStoreUrl: URL options(first: Int): [ProductOption!]! priceRangeV2: ProductPriceRangeV2!
  productType: String! publishedAt: DateTime seo: SEO! status: ProductStatus! tags: [String!]!
  templateSuffix: String title: String! totalInventory: Int! tracksInventory: Boolean!
  updatedAt: DateTime!
  variants(after: String, before: String, first: Int, last: Int, reverse: Boolean = false,
    sortKey: ProductVariantSortKeys = POSITION): ProductVariantConnection!
  variantsCount: Count vendor: String!
}
type ProductConnection { edges: [ProductEdge!]! nodes: [Product!]! pageInfo: PageInfo! }
type ProductEdge { cursor: String! node: Product! }
type ProductVariant implements HasMetafields & LegacyInteroperability & Node {
  availableForSale: Boolean! barcode: String compareAtPrice: Money createdAt: DateTime!
  displayName: String! id: ID! inventoryItem: InventoryItem!
  inventoryPolicy: ProductVariantInventoryPolicy! inventoryQuantity: Int
  legacyResourceId: UnsignedInt64! metafield(key: String!, namespace: String): Metafield
  metafields(after: String, before: String, first: Int, keys: [String!], last: Int,
    namespace: String, reverse: Boolean = false): MetafieldConnection!
  position: Int! price: Money! product: Product! selectedOptions: [SelectedOption!]! sku: String
  taxable: Boolean! title: String! updatedAt: DateTime!
}
type ProductVariantConnection {
  edges: [ProductVariantEdge!]! nodes: [ProductVariant!]! pageInfo: PageInfo!
}
type ProductVariantEdge { cursor: String! node: ProductVariant! }
type Metafield implements LegacyInteroperability & Node {
  compareDigest: String! createdAt: DateTime! id: ID! key: String! legacyResourceId: UnsignedInt64!
  namespace: String! owner: HasMetafields! ownerType: MetafieldOwnerType! type: String!
  updatedAt: DateTime! value: String!
}
type MetafieldConnection { edges: [MetafieldEdge!]! nodes: [Metafield!]! pageInfo: PageInfo! }
type MetafieldEdge { cursor: String! node: Metafield! }
"""

PEOPLE = """
type CustomerEmailAddress {
  emailAddress: String! marketingState: CustomerEmailAddressMarketingState!
  marketingUpdatedAt: DateTime
}
type CustomerPhoneNumber { marketingState: CustomerSmsMarketingState! phoneNumber: String! }
type Customer implements HasMetafields & LegacyInteroperability & Node {
  amountSpent: MoneyV2! createdAt: DateTime! defaultAddress: MailingAddress
  defaultEmailAddress: CustomerEmailAddress defaultPhoneNumber: CustomerPhoneNumber
  displayName: String! firstName: String id: ID! lastName: String lastOrder: Order
  legacyResourceId: UnsignedInt64! locale: String!
  metafield(key: String!, namespace: String): Metafield
  metafields(after: String, before: String, first: Int, keys: [String!], last: Int,
    namespace: String, reverse: Boolean = false): MetafieldConnection!
  note: String numberOfOrders: UnsignedInt64! state: CustomerState! tags: [String!]!
  taxExempt: Boolean! updatedAt: DateTime! verifiedEmail: Boolean!
}
type CustomerConnection { edges: [CustomerEdge!]! nodes: [Customer!]! pageInfo: PageInfo! }
type CustomerEdge { cursor: String! node: Customer! }
type LineItem implements Node {
  currentQuantity: Int! customAttributes: [Attribute!]! discountedUnitPriceSet: MoneyBag! id: ID!
  isGiftCard: Boolean! name: String! originalUnitPriceSet: MoneyBag! product: Product quantity: Int!
  requiresShipping: Boolean! sku: String taxable: Boolean! title: String!
  totalDiscountSet: MoneyBag! unfulfilledQuantity: Int! variant: ProductVariant
  variantTitle: String vendor: String
}
type LineItemConnection { edges: [LineItemEdge!]! nodes: [LineItem!]! pageInfo: PageInfo! }
type LineItemEdge { cursor: String! node: LineItem! }
type Order implements HasMetafields & LegacyInteroperability & Node {
  billingAddress: MailingAddress cancelReason: OrderCancelReason cancelledAt: DateTime
  closed: Boolean! closedAt: DateTime confirmed: Boolean! createdAt: DateTime!
  currencyCode: CurrencyCode! currentSubtotalLineItemsQuantity: Int!
  currentSubtotalPriceSet: MoneyBag! currentTotalDiscountsSet: MoneyBag!
  currentTotalPriceSet: MoneyBag! currentTotalTaxSet: MoneyBag! customAttributes: [Attribute!]!
  customer: Customer discountCodes: [String!]!
  displayFinancialStatus: OrderDisplayFinancialStatus
  displayFulfillmentStatus: OrderDisplayFulfillmentStatus! email: String
  fulfillments(first: Int, query: String): [Fulfillment!]! id: ID! legacyResourceId: UnsignedInt64!
  lineItems(after: String, before: String, first: Int, last: Int,
    reverse: Boolean = false): LineItemConnection!
  metafield(key: String!, namespace: String): Metafield
  metafields(after: String, before: String, first: Int, keys: [String!], last: Int,
    namespace: String, reverse: Boolean = false): MetafieldConnection!
  name: String! note: String paymentGatewayNames: [String!]! phone: String poNumber: String
  presentmentCurrencyCode: CurrencyCode! processedAt: DateTime! returnStatus: OrderReturnStatus!
  shippingAddress: MailingAddress sourceName: String tags: [String!]! taxesIncluded: Boolean!
  test: Boolean! totalOutstandingSet: MoneyBag! totalPriceSet: MoneyBag!
  totalRefundedSet: MoneyBag! totalShippingPriceSet: MoneyBag! updatedAt: DateTime!
}
type OrderConnection { edges: [OrderEdge!]! nodes: [Order!]! pageInfo: PageInfo! }
type OrderEdge { cursor: String! node: Order! }
type FulfillmentTrackingInfo { company: String number: String url: URL }
type FulfillmentLineItem implements Node { id: ID! lineItem: LineItem! quantity: Int }
type FulfillmentLineItemConnection {
  edges: [FulfillmentLineItemEdge!]! nodes: [FulfillmentLineItem!]! pageInfo: PageInfo!
}
type FulfillmentLineItemEdge { cursor: String! node: FulfillmentLineItem! }
type Fulfillment implements LegacyInteroperability & Node {
  createdAt: DateTime! deliveredAt: DateTime displayStatus: FulfillmentDisplayStatus
  estimatedDeliveryAt: DateTime
  fulfillmentLineItems(after: String, before: String, first: Int, last: Int,
    reverse: Boolean = false): FulfillmentLineItemConnection!
  id: ID! inTransitAt: DateTime legacyResourceId: UnsignedInt64! location: Location name: String!
  order: Order! requiresShipping: Boolean! status: FulfillmentStatus! totalQuantity: Int!
  trackingInfo(first: Int): [FulfillmentTrackingInfo!]! updatedAt: DateTime!
}
"""

STOCK = """
type InventoryItemMeasurement implements Node { id: ID! weight: Weight }
type InventoryItem implements LegacyInteroperability & Node {
  countryCodeOfOrigin: CountryCode createdAt: DateTime! harmonizedSystemCode: String id: ID!
  inventoryLevels(after: String, before: String, first: Int, includeInactive: Boolean = false,
    last: Int, query: String, reverse: Boolean = false): InventoryLevelConnection!
  legacyResourceId: UnsignedInt64! measurement: InventoryItemMeasurement!
  provinceCodeOfOrigin: String requiresShipping: Boolean! sku: String tracked: Boolean!
  unitCost: MoneyV2 updatedAt: DateTime!
  variants(after: String, before: String, first: Int, last: Int): ProductVariantConnection
}
type InventoryItemConnection {
  edges: [InventoryItemEdge!]! nodes: [InventoryItem!]! pageInfo: PageInfo!
}
type InventoryItemEdge { cursor: String! node: InventoryItem! }
type InventoryQuantity implements Node {
  id: ID! name: String! quantity: Int! updatedAt: DateTime
}
type InventoryLevel implements Node {
  canDeactivate: Boolean! createdAt: DateTime! deactivationAlert: String id: ID! isActive: Boolean!
  item: InventoryItem! location: Location! quantities(names: [String!]!): [InventoryQuantity!]!
  updatedAt: DateTime!
}
type InventoryLevelConnection {
  edges: [InventoryLevelEdge!]! nodes: [InventoryLevel!]! pageInfo: PageInfo!
}
type InventoryLevelEdge { cursor: String! node: InventoryLevel! }
type LocationAddress {
  address1: String city: String countryCode: String provinceCode: String zip: String
}
type Location implements LegacyInteroperability & Node {
  address: LocationAddress! createdAt: DateTime! fulfillsOnlineOrders: Boolean!
  hasActiveInventory: Boolean! id: ID!
  inventoryLevels(after: String, before: String, first: Int, includeInactive: Boolean = false,
    last: Int, query: String, reverse: Boolean = false): InventoryLevelConnection!
  isActive: Boolean! isFulfillmentService: Boolean! legacyResourceId: UnsignedInt64! name: String!
  shipsInventory: Boolean! updatedAt: DateTime!
}
type LocationConnection { edges: [LocationEdge!]! nodes: [Location!]! pageInfo: PageInfo! }
type LocationEdge { cursor: String! node: Location! }
"""

SHOP = """
type BasicEvent implements Event & Node {
  action: String! appTitle: String createdAt: DateTime! id: ID! message: FormattedString!
  subjectId: ID! subjectType: EventSubjectType!
}
type EventConnection { edges: [EventEdge!]! nodes: [Event!]! pageInfo: PageInfo! }
type EventEdge { cursor: String! node: Event! }
type ShopPlan { partnerDevelopment: Boolean! publicDisplayName: String! shopifyPlus: Boolean! }
type Shop implements Node {
  createdAt: DateTime! currencyCode: CurrencyCode! email: String! ianaTimezone: String! id: ID!
  myshopifyDomain: String! name: String! plan: ShopPlan! url: URL!
}
type AccessScope { description: String! handle: String! }
type App implements Node { handle: String id: ID! title: String! }
type AppInstallation implements Node { accessScopes: [AccessScope!]! app: App! id: ID! }
type BulkOperation implements Node {
  completedAt: DateTime createdAt: DateTime! errorCode: BulkOperationErrorCode
  fileSize: UnsignedInt64 id: ID! objectCount: UnsignedInt64! partialDataUrl: URL query: String!
  rootObjectCount: UnsignedInt64! status: BulkOperationStatus! type: BulkOperationType! url: URL
}
type QueryRoot {
  bulkOperation(id: ID!): BulkOperation
  currentAppInstallation: AppInstallation!
  currentBulkOperation(type: BulkOperationType = QUERY): BulkOperation
  customer(id: ID!): Customer
  customers(after: String, before: String, first: Int, last: Int, query: String,
    reverse: Boolean = false, sortKey: CustomerSortKeys = ID): CustomerConnection!
  customersCount(limit: Int = 10000, query: String): Count
  events(after: String, before: String, first: Int, last: Int, query: String,
    reverse: Boolean = false, sortKey: EventSortKeys = ID): EventConnection
  fulfillment(id: ID!): Fulfillment
  inventoryItem(id: ID!): InventoryItem
  inventoryItems(after: String, before: String, first: Int, last: Int, query: String,
    reverse: Boolean = false): InventoryItemConnection!
  inventoryLevel(id: ID!): InventoryLevel
  location(id: ID): Location
  locations(after: String, before: String, first: Int, includeInactive: Boolean = false,
    includeLegacy: Boolean = false, last: Int, query: String, reverse: Boolean = false,
    sortKey: LocationSortKeys = NAME): LocationConnection!
  locationsCount(limit: Int = 10000, query: String): Count
  node(id: ID!): Node
  nodes(ids: [ID!]!): [Node]!
  order(id: ID!): Order
  orders(after: String, before: String, first: Int, last: Int, query: String,
    reverse: Boolean = false, sortKey: OrderSortKeys = PROCESSED_AT): OrderConnection!
  ordersCount(limit: Int = 10000, query: String): Count
  product(id: ID!): Product
  products(after: String, before: String, first: Int, last: Int, query: String,
    reverse: Boolean = false, sortKey: ProductSortKeys = ID): ProductConnection!
  productsCount(limit: Int = 10000, query: String): Count
  productVariant(id: ID!): ProductVariant
  productVariantsCount(limit: Int = 10000, query: String): Count
  shop: Shop!
}
"""

WRITES = """
input AttributeInput { key: String! value: String! }
input SEOInput { description: String title: String }
input ProductCreateInput {
  descriptionHtml: String handle: String productType: String seo: SEOInput status: ProductStatus
  tags: [String!] templateSuffix: String title: String vendor: String
}
input ProductUpdateInput {
  descriptionHtml: String handle: String id: ID productType: String seo: SEOInput
  status: ProductStatus tags: [String!] templateSuffix: String title: String vendor: String
}
input ProductDeleteInput { id: ID! }
input CustomerInput {
  email: String firstName: String id: ID lastName: String locale: String note: String phone: String
  tags: [String!] taxExempt: Boolean
}
input CustomerDeleteInput { id: ID! }
input OrderInput {
  customAttributes: [AttributeInput!] email: String id: ID! note: String phone: String
  poNumber: String tags: [String!]
}
input InventoryQuantityInput {
  changeFromQuantity: Int inventoryItemId: ID! locationId: ID! quantity: Int!
}
input InventorySetQuantitiesInput {
  name: String! quantities: [InventoryQuantityInput!]! reason: String! referenceDocumentUri: String
}
type ProductCreatePayload { product: Product shop: Shop! userErrors: [UserError!]! }
type ProductUpdatePayload { product: Product userErrors: [UserError!]! }
type ProductDeletePayload { deletedProductId: ID shop: Shop! userErrors: [UserError!]! }
type CustomerCreatePayload { customer: Customer userErrors: [UserError!]! }
type CustomerUpdatePayload { customer: Customer userErrors: [UserError!]! }
type CustomerDeletePayload { deletedCustomerId: ID shop: Shop! userErrors: [UserError!]! }
type OrderUpdatePayload { order: Order userErrors: [UserError!]! }
type TagsAddPayload { node: Node userErrors: [UserError!]! }
type TagsRemovePayload { node: Node userErrors: [UserError!]! }
type InventoryChange {
  delta: Int! item: InventoryItem location: Location name: String! quantityAfterChange: Int
}
type InventoryAdjustmentGroup implements Node {
  changes: [InventoryChange!]! createdAt: DateTime! id: ID! reason: String!
}
type InventorySetQuantitiesUserError {
  code: InventorySetQuantitiesUserErrorCode field: [String!] message: String!
}
type InventorySetQuantitiesPayload {
  inventoryAdjustmentGroup: InventoryAdjustmentGroup userErrors: [InventorySetQuantitiesUserError!]!
}
type BulkOperationUserError { code: BulkOperationUserErrorCode field: [String!] message: String! }
type BulkOperationRunQueryPayload {
  bulkOperation: BulkOperation userErrors: [BulkOperationUserError!]!
}
type BulkOperationCancelPayload { bulkOperation: BulkOperation userErrors: [UserError!]! }
type Mutation {
  bulkOperationCancel(id: ID!): BulkOperationCancelPayload
  bulkOperationRunQuery(groupObjects: Boolean! = false,
    query: String!): BulkOperationRunQueryPayload
  customerCreate(input: CustomerInput!): CustomerCreatePayload
  customerDelete(input: CustomerDeleteInput!): CustomerDeletePayload
  customerUpdate(input: CustomerInput!): CustomerUpdatePayload
  inventorySetQuantities(input: InventorySetQuantitiesInput!): InventorySetQuantitiesPayload
  orderUpdate(input: OrderInput!): OrderUpdatePayload
  productCreate(product: ProductCreateInput): ProductCreatePayload
  productDelete(input: ProductDeleteInput!, synchronous: Boolean = true): ProductDeletePayload
  productUpdate(product: ProductUpdateInput): ProductUpdatePayload
  tagsAdd(id: ID!, tags: [String!]!): TagsAddPayload
  tagsRemove(id: ID!, tags: [String!]!): TagsRemovePayload
}
"""

SDL = SCALARS + ENUMS + PRODUCTS + PEOPLE + STOCK + SHOP + WRITES

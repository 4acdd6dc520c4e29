"""The mutation root: what can be written. What is wrong with a value is a user error in the answer,
not an error of the request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import count
from typing import Any

import orjson
from graphql import GraphQLError, value_from_ast_untyped

from .data import at, kind_of, level_id
from .roots import Info, Root, denied

Payload = dict[str, Any]
MOST_STOCK = 1_000_000_000
TAGGED = {"Product": "products", "Order": "orders", "Customer": "customers"}
NEVER_NULL = frozenset(
    {
        "title", "handle", "status", "vendor", "productType", "tags", "descriptionHtml", "seo",
        "locale", "taxExempt",
    }
)  # fmt: skip
"""Fields that the published schema marks with `!` where they are read."""
REASONS = (
    "correction", "cycle_count_available", "damaged", "movement_created", "other", "promotion",
    "quality_control", "received", "reservation_created", "restock", "safety_stock", "shrinkage",
)  # fmt: skip
FAILED_BEFORE = (
    "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED",
    None,
    "A previous request with this idempotency key failed. Retry with a new idempotency key.",
)
"""The schema does not say which failures it means: here those of a value count, too."""


class Writes(Root):
    """The mutation root of one request; each method is a field."""

    def may(self, info: Info, scope: str) -> None:
        """Raises GraphQLError where the token may not write."""
        if scope not in self.scopes:
            raise denied(info.field_name, scope)

    # -- products

    def productCreate(self, info: Info, product: Mapping[str, Any]) -> Payload:  # noqa: N802
        self.may(info, "write_products")
        wrong = _product_errors(product, new=True)
        if wrong:
            return {"product": None, "shop": self.shop(), "userErrors": wrong}
        account = self.shop_account.account
        values = {"status": "ACTIVE", "tags": [], "vendor": "Sandbox", **_plain(product)}
        values.setdefault("handle", self._handle(str(values["title"])))
        record_id = account.create("products", **values)
        return {"product": account.node(record_id), "shop": self.shop(), "userErrors": []}

    def _handle(self, title: str) -> str:
        """A handle made of the title, with a number where it is taken."""
        table = self.shop_account.account.tables["products"]
        taken = {(table.get(i) or {}).get("handle") for i in table.ids()}
        stem = re.sub(r"[^\w]+", "-", title.lower()).strip("-") or "product"
        named = (stem if n == 0 else f"{stem}-{n}" for n in count())
        return next(handle for handle in named if handle not in taken)

    def productUpdate(self, info: Info, product: Mapping[str, Any]) -> Payload:  # noqa: N802
        self.may(info, "write_products")
        return self._update("products", "Product", "product", product, _product_errors(product))

    def productDelete(  # noqa: N802
        self,
        info: Info,
        input: Mapping[str, Any],
        synchronous: bool = True,
    ) -> Payload:
        self.may(info, "write_products")
        table = self.shop_account.account.tables["products"]
        if input["id"] not in table:
            wrong = [_wrong(["id"], "Product does not exist")]
            return {"deletedProductId": None, "shop": self.shop(), "userErrors": wrong}
        table.delete(input["id"])
        return {"deletedProductId": input["id"], "shop": self.shop(), "userErrors": []}

    # -- customers and orders

    def customerCreate(self, info: Info, input: Mapping[str, Any]) -> Payload:  # noqa: N802
        self.may(info, "write_customers")
        wrong = self._customer_errors(input)
        if not wrong and not any(input.get(k) for k in ("firstName", "lastName", "email", "phone")):
            wrong = [_wrong(None, "A name, phone number, or email address must be present")]
        if wrong:
            return {"customer": None, "userErrors": wrong}
        account = self.shop_account.account
        blank: Payload = {
            "firstName": None,
            "lastName": None,
            "note": None,
            "tags": [],
            "state": "DISABLED",
            "numberOfOrders": "0",
            "defaultAddress": None,
            "defaultEmailAddress": None,
            "defaultPhoneNumber": None,
        }
        record_id = account.create("customers", **{**blank, **_person(input)})
        return {"customer": account.node(record_id), "userErrors": []}

    def customerUpdate(self, info: Info, input: Mapping[str, Any]) -> Payload:  # noqa: N802
        self.may(info, "write_customers")
        wrong = self._customer_errors(input)
        return self._update("customers", "Customer", "customer", input, wrong, _person)

    def customerDelete(self, info: Info, input: Mapping[str, Any]) -> Payload:  # noqa: N802
        self.may(info, "write_customers")
        table = self.shop_account.account.tables["customers"]
        known = table.get(input["id"])
        wrong = None
        if known is None:
            wrong = _wrong(["id"], "Customer can't be found")
        elif known["numberOfOrders"] != "0":
            wrong = _wrong(["id"], "Customer can’t be deleted because they have associated orders")
        if wrong:
            return {"deletedCustomerId": None, "shop": self.shop(), "userErrors": [wrong]}
        table.delete(input["id"])
        return {"deletedCustomerId": input["id"], "shop": self.shop(), "userErrors": []}

    def orderUpdate(self, info: Info, input: Mapping[str, Any]) -> Payload:  # noqa: N802
        self.may(info, "write_orders")
        wrong = []
        if input.get("email") and "@" not in input["email"]:
            wrong.append(_wrong(["email"], "Email is invalid"))
        return self._update("orders", "Order", "order", input, wrong)

    def _update(
        self,
        name: str,
        kind: str,
        field: str,
        given: Mapping[str, Any],
        wrong: list[Payload],
        plain: Any = None,
    ) -> Payload:
        account = self.shop_account.account
        record_id = given.get("id") or ""
        if record_id not in account.tables[name]:
            wrong = [_wrong(["id"], f"{kind} does not exist")]
        if wrong:
            return {field: None, "userErrors": wrong}
        values = (plain or _plain)(given)
        if values.get("seo") is not None:
            before = account.tables[name].get(record_id) or {}
            values["seo"] = {**(before.get("seo") or {}), **values["seo"]}
        account.tables[name].update(record_id, values)
        return {field: account.node(record_id), "userErrors": []}

    def _customer_errors(self, given: Mapping[str, Any]) -> list[Payload]:
        wrong = []
        email, phone = given.get("email"), given.get("phone")
        if email and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", email):
            wrong.append(_wrong(["email"], "Email is invalid"))
        elif email and self._taken(given, "defaultEmailAddress", "emailAddress", email.casefold()):
            wrong.append(_wrong(["email"], "Email has already been taken"))
        if phone and not re.fullmatch(r"\+?[\d\s().-]{5,}", phone):
            wrong.append(_wrong(["phone"], "Phone is invalid"))
        elif phone and self._taken(given, "defaultPhoneNumber", "phoneNumber", _dialled(phone)):
            wrong.append(_wrong(["phone"], "Phone has already been taken"))
        return wrong

    def _taken(self, given: Mapping[str, Any], field: str, inner: str, value: str) -> bool:
        """Whether another customer has that address or number."""
        return any(
            (record[field] or {}).get(inner, "").casefold() == value
            and record["id"] != given.get("id")
            for record in self.shop_account.account.tables["customers"]
        )

    # -- tags

    def tagsAdd(self, info: Info, id: str, tags: list[str]) -> Payload:  # noqa: N802
        return self._tag(info, id, lambda known: sorted({*known, *tags}))

    def tagsRemove(self, info: Info, id: str, tags: list[str]) -> Payload:  # noqa: N802
        return self._tag(info, id, lambda known: [t for t in known if t not in tags])

    def _tag(self, info: Info, record_id: str, change: Any) -> Payload:
        name = TAGGED.get(kind_of(record_id), "")
        account = self.shop_account.account
        known = account.tables[name].get(record_id) if name else None
        if known is None:
            return {"node": None, "userErrors": [_wrong(["id"], "Resource does not exist")]}
        self.may(info, f"write_{name}")
        account.tables[name].update(record_id, {"tags": change(known["tags"])})
        return {"node": account.node(record_id), "userErrors": []}

    # -- stock

    def inventorySetQuantities(  # noqa: N802
        self,
        info: Info,
        input: Mapping[str, Any],
    ) -> Payload:
        self.may(info, "write_inventory")
        key = _idempotency_key(info)
        if not key:
            raise GraphQLError(
                "The @idempotent directive is required for this mutation but was not provided.",
                extensions={"code": "BAD_REQUEST"},
            )
        shape = orjson.dumps(_deep(input), option=orjson.OPT_SORT_KEYS)
        known = self.shop_account.keys.get(key)
        if known is not None:
            before, payload = known
            if before != shape:
                return _stock_errors(
                    [("IDEMPOTENCY_KEY_PARAMETER_MISMATCH", None,
                      "The same idempotency key cannot be used with different parameters.")]
                )  # fmt: skip
            return payload
        wrong = self._quantity_errors(input)
        payload = _stock_errors(wrong) if wrong else self._set(input)
        # Of a request that came to nothing only that is kept.
        again = _stock_errors([FAILED_BEFORE]) if wrong else payload
        self.shop_account.keys[key] = (shape, again)
        return payload

    def _quantity_errors(self, given: Mapping[str, Any]) -> list[tuple[str, Any, str]]:
        if given["name"] not in ("available", "on_hand"):
            message = "The quantity name must be either 'available' or 'on_hand'."
            return [("INVALID_NAME", ["input", "name"], message)]
        if given["reason"] not in REASONS:
            return [("INVALID_REASON", ["input", "reason"], "The specified reason is invalid.")]
        wrong: list[tuple[str, Any, str]] = []
        account = self.shop_account.account
        pairs = set()
        for n, item in enumerate(given["quantities"]):
            if "changeFromQuantity" not in item:
                raise GraphQLError(
                    f"quantities.{n}.changeFromQuantity is required",
                    extensions={"code": "INVALID_FIELD_ARGUMENTS"},
                )
            where = ["input", "quantities", str(n)]
            place = account.tables["locations"].ids()
            pair = (item["inventoryItemId"], item["locationId"])
            if pair in pairs:
                message = "The combination of inventoryItemId and locationId must be unique."
                wrong.append(("NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR", where, message))
            pairs.add(pair)
            level = None
            if item["inventoryItemId"] not in account.tables["inventory_items"]:
                message = "The specified inventory item could not be found."
                wrong.append(("INVALID_INVENTORY_ITEM", [*where, "inventoryItemId"], message))
            elif item["locationId"] not in place:
                message = "The specified location could not be found."
                wrong.append(("INVALID_LOCATION", [*where, "locationId"], message))
            else:
                found = level_id(place.index(item["locationId"]), item["inventoryItemId"])
                level = account.tables["inventory_levels"].get(found)
                if level is None:
                    message = "The specified inventory item is not stocked at the location."
                    wrong.append(("ITEM_NOT_STOCKED_AT_LOCATION", where, message))
            if item["quantity"] > MOST_STOCK:
                message = "The total quantity can't be higher than 1,000,000,000."
                wrong.append(("INVALID_QUANTITY_TOO_HIGH", [*where, "quantity"], message))
            if item["quantity"] < -MOST_STOCK:
                message = "The total quantity can't be lower than -1,000,000,000."
                wrong.append(("INVALID_QUANTITY_TOO_LOW", [*where, "quantity"], message))
            expected = item["changeFromQuantity"]
            if level is not None and expected not in (None, level["_counts"][given["name"]]):
                message = "The changeFromQuantity argument no longer matches the persisted quantity"
                wrong.append(
                    ("CHANGE_FROM_QUANTITY_STALE", [*where, "changeFromQuantity"], message)
                )
        return wrong

    def _set(self, given: Mapping[str, Any]) -> Payload:
        account, name = self.shop_account.account, given["name"]
        places = account.tables["locations"].ids()
        table = account.tables["inventory_levels"]
        changes = []
        for item in given["quantities"]:
            found = level_id(places.index(item["locationId"]), item["inventoryItemId"])
            counts = dict((table.get(found) or {})["_counts"])
            delta = item["quantity"] - counts[name]
            counts[name] += delta
            other = "on_hand" if name == "available" else "available"
            counts[other] += delta
            table.update(found, {"_counts": counts})
            changes.append(
                {
                    "name": name,
                    "delta": delta,
                    "quantityAfterChange": None,
                    "item": account.node(item["inventoryItemId"]),
                    "location": account.node(item["locationId"]),
                }
            )
        group = {
            "id": f"gid://shopify/InventoryAdjustmentGroup/{len(self.shop_account.keys) + 1}",
            "createdAt": at(self.shop_account.now()),
            "reason": given["reason"],
            "changes": changes,
        }
        return {"inventoryAdjustmentGroup": group, "userErrors": []}

    # -- bulk operations

    def bulkOperationRunQuery(  # noqa: N802
        self,
        info: Info,
        query: str,
        groupObjects: bool = False,  # noqa: N803
    ) -> Payload:
        return self.shop_account.bulk.submit(query, groupObjects, self.scopes)

    def bulkOperationCancel(self, info: Info, id: str) -> Payload:  # noqa: N802
        return self.shop_account.bulk.cancel(id)


def _wrong(field: list[str] | None, message: str) -> Payload:
    return {"field": field, "message": message}


def _stock_errors(wrong: list[tuple[str, Any, str]]) -> Payload:
    errors = [{"code": code, "field": field, "message": text} for code, field, text in wrong]
    return {"inventoryAdjustmentGroup": None, "userErrors": errors}


def _product_errors(given: Mapping[str, Any], new: bool = False) -> list[Payload]:
    title = given.get("title")
    if (new or "title" in given) and not (title or "").strip():
        return [_wrong(["title"], "Title can't be blank")]
    if len(title or "") > 255:
        return [_wrong(["title"], "Title is too long (maximum is 255 characters)")]
    return []


def _plain(given: Mapping[str, Any]) -> Payload:
    """An input's values as a document keeps them: a field that is never null keeps what it has
    where null is given."""
    values = {
        k: v for k, v in given.items() if k != "id" and (v is not None or k not in NEVER_NULL)
    }
    if "tags" in values:
        tags = (tag.strip() for text in values["tags"] for tag in text.split(","))
        values["tags"] = sorted({tag for tag in tags if tag})
    if "handle" in values:
        values["handle"] = re.sub(r"[^\w]+", "-", values["handle"].lower()).strip("-")
        if not values["handle"]:
            del values["handle"]
    return values


def _dialled(phone: str) -> str:
    """A telephone number as it is kept: its digits after a plus."""
    return "+" + re.sub(r"\D", "", phone)


def _person(given: Mapping[str, Any]) -> Payload:
    """A customer's input as a document has it: the e-mail address is an object there."""
    values = _plain(given)
    if "email" in values:
        email = values.pop("email")
        values["defaultEmailAddress"] = (
            {"emailAddress": email, "marketingState": "NOT_SUBSCRIBED", "marketingUpdatedAt": None}
            if email else None
        )  # fmt: skip
    if "phone" in values:
        phone = values.pop("phone")
        values["defaultPhoneNumber"] = (
            {"phoneNumber": _dialled(phone), "marketingState": "NOT_SUBSCRIBED"} if phone else None
        )
    return values


def _deep(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _deep(v) for k, v in value.items()}
    return [_deep(v) for v in value] if isinstance(value, list) else value


def _idempotency_key(info: Info) -> str:
    """The key of the field's @idempotent directive; empty where it has none."""
    # Later versions of graphql-core wrap the variables.
    variables = getattr(info.variable_values, "coerced", info.variable_values)
    for directive in info.field_nodes[0].directives or ():
        if directive.name.value == "idempotent":
            return str(value_from_ast_untyped(directive.arguments[0].value, variables)).strip()
    return ""

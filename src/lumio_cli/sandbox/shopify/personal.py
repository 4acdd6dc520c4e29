"""Protected customer data: fields and objects that Shopify shows only to approved apps.

The published schema marks fields as protected (`isProtected`, with `protectedContent`: name,
address, phone or email). An app that is not approved for one gets an error of the code
ACCESS_DENIED with the field's path, and no value; the rest of the answer comes. Objects as a whole
(Customer, Order, MailingAddress) are refused to apps that are approved for no customer data at all
("Work with protected customer data" on shopify.dev). The messages are those that users report
(Shopify/shopify-api-js, issues 739 and 748).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    default_field_resolver,
    get_named_type,
    visit,
)

PROTECTED = {
    ("Order", "email"): "email",
    ("Order", "phone"): "phone",
    ("Customer", "displayName"): "name",
    ("Customer", "firstName"): "name",
    ("Customer", "lastName"): "name",
    ("CustomerEmailAddress", "emailAddress"): "email",
    ("CustomerPhoneNumber", "phoneNumber"): "phone",
    ("MailingAddress", "address1"): "address",
    ("MailingAddress", "address2"): "address",
    ("MailingAddress", "firstName"): "name",
    ("MailingAddress", "lastName"): "name",
    ("MailingAddress", "name"): "name",
    ("MailingAddress", "phone"): "phone",
    ("MailingAddress", "zip"): "address",
}
"""What each protected field of the schema here holds."""
OBJECTS = frozenset({"Customer", "MailingAddress", "Order"})
CONTENTS = frozenset(PROTECTED.values()) | OBJECTS
"""What an app can be refused."""


def refusal(parent: str, field: str, kind: str, refused: frozenset[str]) -> GraphQLError | None:
    """The error of a field of the type `parent`, whose own type is `kind`; None: it is allowed."""
    thing = kind.removesuffix("Connection")
    if thing in refused & OBJECTS:
        message = f"This app is not approved to access the {thing} object."
    elif PROTECTED.get((parent, field)) in refused:
        message = f"This app is not approved to use the {field} field."
    else:
        return None
    where = "https://shopify.dev/docs/apps/launch/protected-customer-data"
    return GraphQLError(
        f"{message} See {where} for more details.",
        extensions={"code": "ACCESS_DENIED", "documentation": where},
    )


def resolver(refused: frozenset[str]) -> Callable[..., Any]:
    """How fields are resolved for an app that is refused so much."""

    def resolve(source: Any, info: Any, **args: Any) -> Any:
        kind = get_named_type(info.return_type).name
        error = refusal(info.parent_type.name, info.field_name, kind, refused)
        if error is not None:
            raise error
        return default_field_resolver(source, info, **args)

    return resolve


def refused_fields(
    schema: GraphQLSchema, document: DocumentNode, refused: frozenset[str]
) -> Iterator[str]:
    """Fields of a document that the app may not use."""
    types = TypeInfo(schema)
    found: list[str] = []

    class Look(Visitor):
        def enter_field(self, node: FieldNode, *_: Any) -> None:
            parent, kind = types.get_parent_type(), types.get_type()
            name = node.name.value
            if parent is None or kind is None:
                return
            if refusal(parent.name, name, get_named_type(kind).name, refused) is not None:
                found.append(name)

    visit(document, TypeInfoVisitor(types, Look()))
    yield from found

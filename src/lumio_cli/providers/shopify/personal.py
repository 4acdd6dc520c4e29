"""Protected customer data: what Shopify may refuse to show, and asking without it.

Source: "Work with protected customer data" on shopify.dev. Names, addresses, phone numbers and
e-mail addresses are level 2: apps of other organizations need Shopify's approval for each, and for
an app that was made in a shop's own admin the access "varies by plan" (help.shopify.com, "Custom
Level 2 PII apps": from the Shopify plan on). The published schema marks the fields (`isProtected`).
A query for one that is refused is answered with an error of the code ACCESS_DENIED that names it,
"This app is not approved to use the ... field", with status 200 and null in its place
(MONEI/Shopify-api-node, pull request 672). No scope opens it: what can be had is the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from lumio_cli.providers.contract.call import Call, Record, Reply, dig
from lumio_cli.providers.contract.resource import Resource

OBJECTS = ("customer", "shippingAddress", "billingAddress", "defaultAddress")
"""Fields that hold a Customer or a MailingAddress, which may be refused whole."""
CONTENTS = (
    ("email", "emailAddress"),
    ("phone", "phoneNumber"),
    ("displayName", "firstName", "lastName"),
    ("address1", "address2", "zip"),
    *((name,) for name in OBJECTS),
)
"""Fields of orders and customers that may be refused, by what the schema says that they hold
(`protectedContent`): an app is approved for all fields of one, or for none."""
FIELDS = tuple(name for names in CONTENTS for name in names)
OF = frozenset({"orders", "customers"})
"""The resources that have them."""
SCOPE = re.compile(r"`([a-z_]+)`")
_NAMED = re.compile(r"not approved to (?:use|access) the (\w+) field")
_ABOUT = re.compile(r"\b(order|customer)(?:s|Create|Update)?\b\s*[({]")


def refused(reply: Reply) -> frozenset[str]:
    """The personal fields that an answer refuses to show, and those of the same content; empty
    where another thing is refused as well: a scope that is missing is no matter of a field."""
    errors = reply.document().get("errors")
    found: set[str] = set()
    for error in errors if isinstance(errors, list) else ():
        if dig(error, "extensions.code") != "ACCESS_DENIED":
            return frozenset()
        said = str(error.get("message"))
        if SCOPE.search(f"{dig(error, 'extensions.requiredAccess') or said}"):
            return frozenset()
        named = _NAMED.search(said)
        path = [part for part in error.get("path") or () if isinstance(part, str)]
        name = named.group(1) if named else path[-1] if path else ""
        # What lies at the top of the answer is the record itself, and no field of it.
        if name not in FIELDS or len(path) == 1:
            return frozenset()
        found.update(next(names for names in CONTENTS if name in names))
    return frozenset(found)


def carried_out(reply: Reply) -> bool:
    """Whether an answer is that of a mutation which was carried out, whatever it does not show."""
    data = reply.document().get("data")
    payloads = data.values() if isinstance(data, dict) else ()
    return any(isinstance(p, dict) and "userErrors" in p for p in payloads)


def asked_without(call: Call, left_out: Mapping[str, frozenset[str]]) -> Call:
    """The call, without the personal fields that are `left_out` of orders and of customers, be it
    by pages, by a bulk operation or in answer to a mutation."""
    if not any(left_out.values()) or not isinstance(call.json, dict) or "query" not in call.json:
        return call
    body = {**call.json, "query": _without(call.json["query"], left_out)}
    inner = dig(body, "variables.query")
    if isinstance(inner, str) and "{" in inner:
        body["variables"] = {**body["variables"], "query": _without(inner, left_out)}
    return call if body == call.json else replace(call, json=body)


def _without(document: str, left_out: Mapping[str, frozenset[str]]) -> str:
    about = _ABOUT.search(document)
    names = left_out.get(f"{about.group(1)}s") if about else None
    return without(document, names) if names else document


@cache
def without(document: str, names: frozenset[str]) -> str:
    """A document without these fields, if it is about orders or customers: others have fields of
    the same names that are nobody's (a variant's `displayName`, a location's `zip`)."""
    if not _ABOUT.search(document):
        return document
    whole = "|".join(name for name in OBJECTS if name in names)
    plain = "|".join(name for name in FIELDS if name in names and name not in OBJECTS)
    if whole:
        # Not the record itself, in the answer to a mutation: that one has objects within.
        document = re.sub(rf"\b(?:{whole})\s*\{{[^{{}}]*\}}", "", document)
    return re.sub(rf"(?<!\$)\b(?:{plain})\b(?!\s*[:({{])", "", document) if plain else document


def as_shown(record: Record, errors: Any) -> Record:
    """The record in an answer to a mutation, without what `errors` refuse to show: a null in its
    place, or in that of an object which cannot be without it, is no value."""
    for error in errors if isinstance(errors, list) else ():
        holder: Any = record
        for part in (dig(error, "path") or ())[2:]:
            if not isinstance(holder, dict) or part not in holder:
                break
            if holder[part] is None:
                del holder[part]
                break
            holder = holder[part]
    return record


def held_by(resource: Resource) -> frozenset[str]:
    """All personal fields that a resource may have."""
    return frozenset(FIELDS) if resource.name in OF else frozenset()


def untold(resource: Resource, document: str) -> frozenset[str]:
    """The personal fields of a resource that `document` lists: those that a record lacks were not
    asked for, since they were refused."""
    return frozenset(n for n in FIELDS if resource.name in OF and re.search(rf"\b{n}\b", document))


def check(resource: Resource, values: Iterable[str], names: frozenset[str]) -> None:
    """Raises `ValueError` for the first column of `values` that shows nothing, since the fields
    `names` are left out: what cannot be read cannot be compared."""
    paths = {column.name: set(column.path.split(".")) for column in resource.columns}
    for name in values:
        if resource.name in OF and names & paths.get(name, set()):
            raise ValueError(f"{name} is personal data that is not read here, and not written")


def told(resource: Resource, names: frozenset[str], document: str) -> str:
    """The warning about what is left out of a resource that `document` lists; empty: nothing."""
    left = [n for n in FIELDS if n in names and re.search(rf"\b{n}\b", document)]
    if not left or resource.name not in OF:
        return ""
    return (
        f"left out, since Shopify does not show it to this app: {', '.join(left)} (protected "
        "customer data: it takes Shopify's approval, and for an app that was made in the shop's "
        "admin a larger plan); what the hub has of it stays as it was. When it is allowed, `--mode "
        "full` brings it"
    )

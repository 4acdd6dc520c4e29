"""Shopify's resources for the conformance suite."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from lumio_cli.providers.contract.auth import Credential
from lumio_cli.providers.contract.call import dig
from lumio_cli.providers.shopify.listing import BULK, LISTINGS, NESTED
from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.http import Request
from lumio_cli.sandbox.lookalike import CLIENT_ID, CLIENT_SECRET
from lumio_cli.sandbox.shopify import Shopify, engine
from lumio_cli.sandbox.shopify.provider import SCOPES
from lumio_cli.sandbox.shopify.roots import ALL_ORDERS, Root
from support.conformance import Family, Subject
from support.two_way import Sample

DAY = 86_400.0
ROOTS = {"inventory_items": "inventoryItems"}


def shop(sandbox: Sandbox) -> Shopify:
    """The look-alike."""
    return cast(Shopify, sandbox.providers["shopify"])


def asked(sandbox: Sandbox, document: str, **variables: Any) -> Any:
    """The data of a document, straight from the look-alike's engine: no token, no cost."""
    like = shop(sandbox)
    compiled, errors = engine.compiled(document)
    assert compiled is not None, errors
    root = Root(like, frozenset(SCOPES))
    data, wrong = engine.run(compiled, root, variables, None, like)
    assert not wrong, wrong
    return data


def dump(sandbox: Sandbox, kind: str) -> Iterable[dict[str, Any]]:
    """All live records of a kind, with all of their children."""
    root, above = ROOTS.get(kind, kind), 0
    nested = NESTED.get(kind)
    while True:
        data = asked(sandbox, LISTINGS[kind], first=250, query=f"id:>{above}")[root]
        for node in data["nodes"]:
            if nested is not None:
                page = node[nested.field]
                children = page["nodes"]
                while page["pageInfo"]["hasNextPage"]:
                    after = page["pageInfo"]["endCursor"]
                    more = asked(sandbox, nested.document, id=node["id"], after=after)
                    page = dig(more, nested.path.removeprefix("data."))
                    children = children + page["nodes"]
                node[nested.field] = children
            above = int(node["id"].rpartition("/")[2])
            yield node
        if not data["pageInfo"]["hasNextPage"]:
            return


def _fresh(sandbox: Sandbox) -> str:
    token = "shpat_sandbox_fresh_00000000000000000"
    shop(sandbox).vault.add("fresh", token)
    return token


def _grant(sandbox: Sandbox) -> Credential:
    vault = shop(sandbox).vault
    refresh = vault.grant(SCOPES)
    old = vault.issue(SCOPES, refresh, age=2 * vault.seconds)
    return Credential(
        "oauth",
        old.value,
        refresh,
        # As if it were good for long: that it has expired, the provider must say.
        datetime.fromtimestamp(time.time(), UTC) + timedelta(days=1),
        SCOPES,
        {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "shop": "sandbox-store.myshopify.com",
        },
    )


def hide(sandbox: Sandbox, order: str) -> None:
    """An order is older than 60 days, and the app has `read_all_orders` no longer."""
    like = shop(sandbox)
    table = like.tables["orders"]
    for token in like.vault.tokens.values():
        if ALL_ORDERS in token.scopes:
            token.scopes -= {ALL_ORDERS}
            for record_id in table.ids():
                table.backdate(record_id, like.now() - DAY)
    table.backdate(order, like.now() - 90 * DAY)


def _live(request: Request) -> bool:
    """A page of the full walk: those of a window are searched by time."""
    return b"updated_at" not in request.body


GRAPHQL = "/admin/api/*/graphql.json"
SAMPLES = {
    "products": Sample(
        new=lambda n: {"title": f"Made {n}", "vendor": "Acme", "tags": '["a", "b"]'},
        bad={"status": "NONE"},
        create=f"{GRAPHQL}#CreateProduct",
        other=("vendor", "Zoë & Cia"),
    ),
    "customers": Sample(
        new=lambda n: {"note": f"Made {n}", "email": f"made{n}@example.com"},
        bad={"email": "nonsense"},
        create=f"{GRAPHQL}#CreateCustomer",
        other=("first_name", "Zoë"),
    ),
    "orders": Sample(
        new=lambda n: {}, bad={"email": "nonsense"}, create="", other=("po_number", "17")
    ),
}


def _subject(kind: str, operation: str, text: str) -> Subject:
    """A resource with a list of its own; `text` is a plain field of its documents."""

    def create(sandbox: Sandbox, value: str) -> str:
        return shop(sandbox).account.create(kind, **{text: value})

    def update(sandbox: Sandbox, record_id: str, value: str) -> None:
        shop(sandbox).tables[kind].update(record_id, {text: value})

    return Subject(
        provider="shopify",
        resource=kind,
        text=text,
        live=_live,
        listing=f"/admin/api/*/graphql.json#{operation}",
        dump=lambda sandbox: dump(sandbox, kind),
        create=create,
        update=update,
        delete=(
            (lambda sandbox, record_id: shop(sandbox).tables[kind].delete(record_id))
            if kind == "products"
            else None
        ),
        purge=lambda sandbox, record_id: shop(sandbox).tables[kind].purge(record_id),
        fresh=_fresh,
        grant=_grant,
        sample=SAMPLES.get(kind),
        bulk=kind in BULK,
        family=FAMILIES.get(kind),
        tells={"points": 2000} if kind == "products" else {},
        helps=("/admin/*#Count*",) if kind == "products" else (),
        hide=hide if kind == "orders" else None,
        cannot={"lost_paging": "nothing counts inventory items: only variants are counted"}
        if kind == "inventory_items"
        else {},
    )


FAMILIES = {
    "products": Family(
        "products",
        "metafields",
        "iif(owner_id LIKE '%/Product/%', owner_id, '')",
        lambda sandbox, record: shop(sandbox).tables["products"].delete(record),
    ),
    "inventory_items": Family(
        "locations",
        "inventory_levels",
        "location_id",
        lambda sandbox, record: shop(sandbox).tables["locations"].purge(record),
    ),
}
SUBJECTS = (
    _subject("products", "Products", "title"),
    _subject("customers", "Customers", "note"),
    _subject("orders", "Orders", "note"),
    _subject("inventory_items", "InventoryItems", "sku"),
)

"""Orders older than 60 days are hidden from apps without read_all_orders, and not deleted."""

from __future__ import annotations

import sqlite3
import time
import webbrowser
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from lumio_cli.core.clock import format_timestamp
from lumio_cli.sandbox.lookalike import CLIENT_ID, CLIENT_SECRET
from lumio_cli.sandbox.shopify.roots import ALL_ORDERS
from providers.shopify_subjects import shop
from support.conformance import Rig
from support.lab import VAULT_KEY

from .test_reading import BULK_FROM, payloads, synced

DAY = 86_400.0
OLD = 8
KINDS = ("orders", "fulfillments", "metafields")


@pytest.fixture
def lab(make_lab: Callable[..., Rig]) -> Rig:
    """A hub that has all orders of a shop: the first eight are 90 days old, the others three."""
    lab = make_lab(clock=time.time)
    for order in orders(lab)[:OLD]:
        age(lab, order, 90)
    for order in orders(lab)[OLD:]:
        age(lab, order, 3)
    synced(lab)
    return lab


def age(lab: Rig, order: str, days: float) -> None:
    shop(lab.sandbox).tables["orders"].backdate(order, time.time() - days * DAY)


def orders(lab: Rig) -> list[str]:
    return shop(lab.sandbox).tables["orders"].ids()


def forget(lab: Rig) -> None:
    """From now on the app has no read_all_orders, as another token shows."""
    lab.token = lab.sandbox.token("shopify", "recent_orders")


def hidden(lab: Rig) -> dict[str, int]:
    return dict(lab.sql("SELECT resource, hidden FROM lumio_resources WHERE provider = 'shopify'"))


def held(lab: Rig) -> dict[str, set[str]]:
    return {kind: set(payloads(lab, kind)) for kind in KINDS}


@pytest.mark.parametrize("bulk_from", ["0", "1"])
def test_what_is_too_old_stays_with_all_that_hangs_on_it(lab: Rig, bulk_from: str) -> None:
    before = held(lab)
    assert len(before["orders"]) == len(before["fulfillments"]) == 12
    lab.extra[BULK_FROM] = bulk_from
    forget(lab)
    found = synced(lab, "shopify", "--mode", "full", "--max-delete", "0")
    assert found["orders"]["read"] == 12 - OLD
    assert {found[kind]["deleted"] for kind in KINDS} == {0}
    assert {found[kind]["status"] for kind in KINDS} == {"succeeded"}
    assert held(lab) == before
    assert hidden(lab)["orders"] == hidden(lab)["fulfillments"] == OLD
    assert hidden(lab)["metafields"] > 0


def test_all_of_it_may_be_hidden_and_nothing_is_said_to_be_lost(lab: Rig) -> None:
    forget(lab)
    for order in orders(lab)[OLD:]:
        shop(lab.sandbox).tables["orders"].purge(order)
    entry = synced(lab, "shopify/orders", "--mode", "full")["orders"]
    assert "the hub holds 4 records" in entry["warnings"][0]
    assert (entry["read"], entry["deleted"], hidden(lab)["orders"]) == (0, 0, OLD)


def test_what_was_deleted_within_the_window_is_found(lab: Rig) -> None:
    forget(lab)
    shop(lab.sandbox).tables["orders"].purge(orders(lab)[-1])
    found = synced(lab, "shopify", "--mode", "full", "--max-delete", "25")
    assert (found["orders"]["deleted"], found["fulfillments"]["deleted"]) == (1, 1)
    assert hidden(lab)["orders"] == OLD


def test_with_the_scope_what_is_absent_is_gone(lab: Rig) -> None:
    shop(lab.sandbox).tables["orders"].purge(orders(lab)[0])
    found = synced(lab, "shopify", "--mode", "full")
    assert (found["orders"]["deleted"], found["fulfillments"]["deleted"]) == (1, 1)


def test_a_scope_that_was_taken_back_unseen_deletes_nothing(lab: Rig) -> None:
    before = held(lab)
    token = shop(lab.sandbox).vault.tokens[lab.sandbox.token("shopify")]
    token.scopes = frozenset(token.scopes) - {ALL_ORDERS}
    found = synced(lab, "shopify", "--mode", "full", "--max-delete", "100")
    assert {found[kind]["deleted"] for kind in KINDS} == {0}
    assert held(lab) == before


def test_fulfillments_alone_are_kept_where_nobody_knows_how_old_their_orders_are(
    make_lab: Callable[..., Rig],
) -> None:
    lab = make_lab(clock=time.time)
    synced(lab, "shopify/fulfillments")
    for order in orders(lab)[OLD:]:
        age(lab, order, 3)
    forget(lab)
    entry = synced(lab, "shopify/fulfillments", "--mode", "full")["fulfillments"]
    assert (entry["read"], entry["deleted"]) == (12 - OLD, 0)
    assert len(payloads(lab, "fulfillments")) == 12


def test_metafields_of_what_is_hidden_are_not_taken_for_gone(lab: Rig) -> None:
    before = held(lab)["metafields"]
    table = shop(lab.sandbox).tables["orders"]
    for order in orders(lab):
        table.update(order, {"note": "new"})
    synced(lab, "shopify/orders")
    # Hidden a moment before its metafields are asked for.
    forget(lab)
    entry = synced(lab, "shopify/metafields")["metafields"]
    assert (entry["mode"], entry["deleted"]) == ("incremental", 0)
    assert held(lab)["metafields"] == before


def test_what_an_older_lumio_took_for_deleted_comes_back(lab: Rig) -> None:
    before = held(lab)
    forget(lab)
    _sweep(lab, orders(lab)[:OLD])
    assert len(payloads(lab, "orders")) == 12 - OLD
    found = synced(lab)
    assert "are back" in " ".join(found["orders"]["warnings"])
    assert held(lab) == before
    synced(lab)
    assert held(lab) == before


def _sweep(lab: Rig, lost: list[str]) -> None:
    """Leave the hub as a full sync of an older lumio did five days ago."""
    when = format_timestamp(time.time() - 5 * DAY)
    marks = ",".join("?" * len(lost))
    wheres = {
        "orders": f"id IN ({marks})",
        "fulfillments": f"payload ->> '$.order.id' IN ({marks})",
        "metafields": f"payload ->> '$.ownerId' IN ({marks})",
    }
    connection = sqlite3.connect(lab.hub_path)
    with connection:
        connection.execute("UPDATE lumio_raw_shopify_fulfillments SET parent = NULL")
        for kind, where in wheres.items():
            count = connection.execute(
                f"UPDATE lumio_raw_shopify_{kind} SET deleted_at = ? WHERE {where}", [when, *lost]
            ).rowcount
            connection.execute(
                "UPDATE lumio_resources SET records = records - ?,"
                " astray_before = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
                " WHERE provider = 'shopify' AND resource = ?",
                [count, kind],
            )
    connection.close()


# -- the scope


def login(lab: Rig, monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
    """A login in a browser whose user agrees to whatever is asked."""

    def visit(url: str) -> bool:
        httpx.get(url, follow_redirects=True, trust_env=False)
        return True

    monkeypatch.setattr(webbrowser, "open", visit)
    return lab.lumio(
        "connect", "shopify", "--oauth", "--port", "0",
        "--set", f"client_id={CLIENT_ID}", "--set", "shop=sandbox-store.myshopify.com", *words,
        environ={
            "LUMIO_SHOPIFY_TOKEN": None,
            "LUMIO_SHOPIFY_CLIENT_SECRET": CLIENT_SECRET,
            "LUMIO_VAULT_KEY": VAULT_KEY,
            "LUMIO_CREDENTIALS__STORE": "vault",
        },
    )  # fmt: skip


def test_a_login_asks_for_all_orders_where_it_is_told_to(
    make_lab: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = make_lab()
    plain = login(lab, monkeypatch)
    assert plain.code == 0, plain.out
    assert ALL_ORDERS not in plain.document["scopes"]
    more = login(lab, monkeypatch, "--set", f"scopes={ALL_ORDERS}")
    assert {ALL_ORDERS, *plain.document["scopes"]} == set(more.document["scopes"])


def test_a_scope_that_no_login_asks_for_is_wrong_usage(
    make_lab: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = login(make_lab(), monkeypatch, "--set", "scopes=read_everything")
    assert (done.code, done.document["error"]["code"]) == (2, "usage")
    assert ALL_ORDERS in done.document["error"]["hint"]


def test_the_scope_is_offered(make_lab: Callable[..., Rig]) -> None:
    about = make_lab().lumio("providers", "show", "shopify").document
    assert about["scopes"]["optional"] == [ALL_ORDERS]
    assert ALL_ORDERS in " ".join(about["guide"])


def test_what_belongs_to_a_listing_that_was_not_read_whole_is_not_swept(lab: Rig) -> None:
    before = held(lab)
    shop(lab.sandbox).tables["fulfillments"].purge(min(before["fulfillments"]))
    lab.sandbox.faults.set(["nowhere:path=/admin/api/*/graphql.json#Orders"])
    words = ("shopify/orders", "shopify/fulfillments", "--mode", "full", "--max-delete", "100")
    done = lab.lumio("sync", *words)
    entry = done.resource("fulfillments")
    assert (bool(done.resource("orders")["error"]), entry["deleted"]) == (True, 0), done.out
    assert "orders was not read whole" in entry["warnings"][0]
    assert held(lab) == before
    lab.sandbox.faults.clear()
    assert synced(lab, *words)["fulfillments"]["deleted"] == 1

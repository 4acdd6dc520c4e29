"""Stock that was edited in the hub is set in the shop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lumio_cli.sandbox.http import Request, Response
from providers.shopify_subjects import SUBJECTS, shop
from support.conformance import Rig, rig


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Rig]:
    with rig(SUBJECTS[0], tmp_path, records=6) as made:
        assert made.lumio("sync", "shopify/inventory_levels").code == 0
        yield made


def levels(lab: Rig) -> dict[str, tuple[Any, ...]]:
    rows = lab.sql("SELECT id, available, on_hand FROM shopify_inventory_levels ORDER BY id")
    return {row[0]: row[1:] for row in rows}


def push(lab: Rig, code: int = 0) -> dict[str, Any]:
    done = lab.lumio("sync", "shopify/inventory_levels", "--direction", "push")
    assert done.code == code, done.out
    (entry,) = done.document["resources"]
    return dict(entry)


def test_quantities_are_set_in_one_call_and_read_back(lab: Rig) -> None:
    lab.sql("UPDATE shopify_inventory_levels SET available = available + 5")
    wanted = {record: before[0] for record, before in levels(lab).items()}
    entry = push(lab)
    assert entry["updated"] == len(wanted) > 1
    assert entry["failed"] == 0
    done = lab.lumio("sync", "shopify/inventory_levels", "--mode", "full")
    assert done.code == 0
    assert {record: now[0] for record, now in levels(lab).items()} == wanted
    assert lab.sql("SELECT * FROM lumio_outbox") == []


def test_what_cannot_be_stock_is_refused_and_names_itself(lab: Rig) -> None:
    one, two, *_ = levels(lab)
    lab.sql("UPDATE shopify_inventory_levels SET available = 'many' WHERE id = ?", one)
    lab.sql("UPDATE shopify_inventory_levels SET available = 1, on_hand = 2 WHERE id = ?", two)
    entry = push(lab, code=3)
    assert (entry["updated"], entry["failed"]) == (0, 2)
    said = {x["message"] for x in lab.lumio("failures", "list").document["failures"]}
    assert any("'many' is no whole number" in message for message in said)
    assert any("either `available` or `on_hand`" in message for message in said)


def test_a_product_is_kept_in_the_form_that_the_shop_gives_it(lab: Rig) -> None:
    assert lab.lumio("sync", "shopify/products").code == 0
    lab.sql("UPDATE shopify_products SET tags = 'new, sale, sale', handle = 'My New Shoe'")
    lab.sql("UPDATE shopify_products SET vendor = NULL, seo_title = 'Shoe'")
    done = lab.lumio("sync", "shopify/products", "--direction", "push")
    assert (done.code, done.document["resources"][0]["failed"]) == (0, 0), done.out
    asked = "SELECT tags, handle, vendor, seo_title, updated_at FROM shopify_products ORDER BY id"
    pushed = lab.sql(asked)
    assert pushed[0][:-1] == ('["new","sale"]', "my-new-shoe", "", "Shoe")
    assert lab.lumio("sync", "shopify/products", "--mode", "full").code == 0
    assert lab.sql(asked) == pushed


def test_a_value_that_shopify_cannot_have_is_refused_before_it_is_sent(lab: Rig) -> None:
    assert lab.lumio("sync", "shopify/products").code == 0
    ids = [row[0] for row in lab.sql("SELECT id FROM shopify_products ORDER BY id")]
    lab.sql("UPDATE shopify_products SET status = NULL WHERE id = ?", ids[0])
    lab.sql("UPDATE shopify_products SET tags = '{}' WHERE id = ?", ids[1])
    done = lab.lumio("sync", "shopify/products", "--direction", "push")
    assert (done.code, done.document["resources"][0]["failed"]) == (3, 2), done.out
    said = {x["message"] for x in lab.lumio("failures", "list").document["failures"]}
    assert said == {"status cannot be empty", "tags: '{}' is no list of tags"}


@pytest.mark.parametrize("status", [402, 403, 423])
@pytest.mark.parametrize("resource", ["inventory_levels", "products"])
def test_edits_wait_for_a_shop_that_is_closed(
    lab: Rig, status: int, resource: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lab.lumio("sync", "shopify/products").code == 0
    column = "available" if resource == "inventory_levels" else "vendor"
    value = 77 if resource == "inventory_levels" else "Acme"
    lab.sql(f"UPDATE shopify_{resource} SET {column} = ?", value)
    command = ("sync", f"shopify/{resource}", "--direction", "push")
    handle, mutations = shop(lab.sandbox).handle, []

    def closing(request: Request) -> Response:
        if b"mutation" in (request.body or b""):
            mutations.append(request)
            shop(lab.sandbox).closed = status
        return handle(request)

    monkeypatch.setattr(shop(lab.sandbox), "handle", closing)
    done = lab.lumio(*command)
    entry = done.resource(resource)
    assert (entry["failed"], entry["updated"]) == (0, 0), done.out
    assert (done.code, entry["error"]["code"]) == (5, "provider_unavailable")
    assert "the shop is" in entry["error"]["message"]
    assert len(mutations) <= 4, "one of each writer at most"
    monkeypatch.undo()
    shop(lab.sandbox).closed = 0
    done = lab.lumio(*command)
    assert done.code == 0, done.out
    assert done.resource(resource)["updated"] > 1
    assert lab.sql("SELECT * FROM lumio_outbox") == []

"""Stock that was edited in the hub is set in the shop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from providers.shopify_subjects import SUBJECTS
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

"""Writing to a shop: what becomes of each change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lumio_cli.core.errors import CircuitOpenError, UnavailableError
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.shopify import Shopify
from lumio_cli.runtime import Runtime
from lumio_cli.services.connections.sessions import open_for
from providers.shopify_subjects import shop
from support.conformance import Rig


class Desk:
    """Writes through the whole transport, against the look-alike."""

    def __init__(self, lab: Rig, runtime: Runtime) -> None:
        self.tables = shop(lab.sandbox).tables
        self.account = shop(lab.sandbox).account
        self.provider = runtime.provider("shopify")
        self.send = open_for(runtime, self.provider).send

    def write(self, kind: str, *changes: Change) -> list[Receipt]:
        assert isinstance(self.provider, Shopify)
        return list(self.provider.write(self.provider.resource(kind), changes, self.send))


@pytest.fixture
def desk(lab: Rig) -> Iterator[Desk]:
    with lab.runtime() as runtime:
        yield Desk(lab, runtime)


def outcomes(receipts: list[Receipt]) -> list[tuple[str, str, str]]:
    return [(r.trace, r.status, r.kind) for r in receipts]


def test_products_are_created_changed_and_deleted(desk: Desk) -> None:
    made, bad = desk.write(
        "products",
        Change("create", "a", values={"title": "Größe", "tags": "x, y", "seo_title": "S"}),
        Change("create", "b", values={"title": " "}),
    )
    assert (made.status, bad.status, bad.kind) == ("done", "failed", "validation")
    assert bad.message == "title: Title can't be blank"
    stored = desk.tables["products"].get(made.id)
    assert stored is not None
    assert (stored["title"], stored["tags"], stored["seo"]) == ("Größe", ["x", "y"], {"title": "S"})
    first = desk.tables["products"].ids()[0]
    updates = desk.write(
        "products",
        Change("update", "a", id=first, values={"title": "new", "status": "DRAFT"}),
        Change("update", "b", id="gid://shopify/Product/1", values={"title": "new"}),
    )
    assert outcomes(updates) == [("a", "done", ""), ("b", "failed", "gone")]
    assert (desk.tables["products"].get(first) or {})["status"] == "DRAFT"
    deletions = [Change("archive", str(n), id=first) for n in range(2)]
    assert outcomes(desk.write("products", *deletions)) == [("0", "done", ""), ("1", "done", "")]


def test_customers_with_a_known_address_are_a_conflict(desk: Desk) -> None:
    known = next(iter(desk.tables["customers"]))["defaultEmailAddress"]["emailAddress"]
    receipts = desk.write(
        "customers",
        Change("create", "a", values={"first_name": "A", "email": "new@example.com"}),
        Change("create", "b", values={"email": known}),
        Change("create", "c", values={"email": "no address"}),
    )
    assert outcomes(receipts) == [
        ("a", "done", ""), ("b", "failed", "conflict"), ("c", "failed", "validation"),
    ]  # fmt: skip
    made = receipts[0].id
    desk.write("customers", Change("update", "a", id=made, values={"note": "N", "tags": "vip"}))
    stored = desk.tables["customers"].get(made) or {}
    assert (stored["note"], stored["tags"]) == ("N", ["vip"])
    assert desk.write("customers", Change("archive", "a", id=made))[0].status == "done"


def test_orders_are_changed(desk: Desk) -> None:
    first = desk.tables["orders"].ids()[0]
    change = Change("update", "a", id=first, values={"note": None, "tags": "late"})
    assert outcomes(desk.write("orders", change)) == [("a", "done", "")]
    stored = desk.tables["orders"].get(first) or {}
    assert (stored["note"], stored["tags"]) == (None, ["late"])


def stock(desk: Desk, level: str) -> int:
    return int((desk.tables["inventory_levels"].get(level) or {})["_counts"]["available"])


def test_stock_is_set_in_one_call_and_a_bad_item_stops_no_other(desk: Desk) -> None:
    first, second, third = desk.tables["inventory_levels"].ids()[:3]
    held = stock(desk, second)
    receipts = desk.write(
        "inventory_levels",
        Change("update", "a", id=first, values={"available": "41"}),
        Change("update", "b", id=second, values={"available": "42"},
               base={"available": str(held + 1)}),
        Change("update", "c", id=third, values={"available": "43"},
               base={"available": str(stock(desk, third))}),
        Change("update", "d", id="gid://shopify/InventoryLevel/1?inventory_item_id=1",
               values={"available": "1"}),
        Change("update", "e", id=first, values={"committed": "1"}),
    )  # fmt: skip
    assert sorted(outcomes(receipts)) == [
        ("a", "done", ""), ("b", "failed", "conflict"), ("c", "done", ""), ("d", "failed", "gone"),
        ("e", "failed", "validation"),
    ]  # fmt: skip
    assert [stock(desk, level) for level in (first, second, third)] == [41, held, 43]


@pytest.mark.parametrize(
    ("field", "kind"), [(["id"], "gone"), (["input", "id"], "gone"), (["address"], "validation")]
)
def test_only_what_is_said_of_the_id_is_about_the_record_itself(
    desk: Desk, field: list[str], kind: str
) -> None:
    def send(call: Call, **options: Any) -> Reply:
        wrong = {"field": field, "message": "Something does not exist"}
        data = {"customerUpdate": {"customer": None, "userErrors": [wrong]}}
        return Reply(200, {}, json.dumps({"data": data}).encode())

    desk.send = send
    change = Change("update", "a", id=desk.tables["customers"].ids()[0], values={"note": "x"})
    assert outcomes(desk.write("customers", change)) == [("a", "failed", kind)]


def test_stock_whose_answer_was_lost_is_set_once(lab: Rig, desk: Desk) -> None:
    level = desk.tables["inventory_levels"].ids()[0]
    held = stock(desk, level)
    lab.sandbox.faults.set(["lost:path=*#SetStock:times=1"])
    change = Change("update", "a", id=level, values={"available": str(held + 5)},
                    base={"available": str(held)})  # fmt: skip
    assert outcomes(desk.write("inventory_levels", change)) == [("a", "done", "")]
    assert stock(desk, level) == held + 5


@pytest.mark.parametrize(
    ("code", "status", "sent"),
    [
        ("IDEMPOTENCY_CONCURRENT_REQUEST", "retry", 1),
        ("IDEMPOTENCY_KEY_PARAMETER_MISMATCH", "failed", 8),
        ("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", "failed", 8),
    ],
)
def test_a_key_that_is_used_up_is_replaced_but_not_for_ever(
    desk: Desk, code: str, status: str, sent: int
) -> None:
    level, keys, way = desk.tables["inventory_levels"].ids()[0], [], desk.send

    def send(call: Call, **options: Any) -> Reply:
        if "SetStock" not in str(call.json):
            return way(call, **options)
        keys.append(call.idempotency_key)
        wrong = {"field": None, "code": code, "message": "Use another key"}
        data = {"inventorySetQuantities": {"userErrors": [wrong]}}
        return Reply(200, {}, json.dumps({"data": data}).encode())

    desk.send = send
    change = Change("update", "a", id=level, values={"available": "5"})
    assert [r.status for r in desk.write("inventory_levels", change)] == [status]
    assert len(set(keys)) == len(keys) == sent


def test_what_was_refused_can_be_sent_again_when_there_is_no_reason_any_longer(desk: Desk) -> None:
    level = desk.tables["inventory_levels"].ids()[0]
    held = stock(desk, level)
    change = Change("update", "a", id=level, values={"available": "7"},
                    base={"available": str(held + 1)})  # fmt: skip
    for _ in range(3):
        assert outcomes(desk.write("inventory_levels", change)) == [("a", "failed", "conflict")]
    others = Change("update", "b", id=level, values={"available": str(held + 1)})
    desk.write("inventory_levels", others)
    assert outcomes(desk.write("inventory_levels", change)) == [("a", "done", "")]
    assert stock(desk, level) == 7


def test_a_create_whose_answer_was_lost_is_unknown_and_not_repeated(lab: Rig, desk: Desk) -> None:
    before = len(desk.tables["products"])
    lab.sandbox.faults.set(["lost:path=*#CreateProduct:times=1"])
    receipts = desk.write("products", Change("create", "a", values={"title": "T"}))
    assert outcomes(receipts) == [("a", "unknown", "unsettled")]
    assert len(desk.tables["products"]) == before + 1


def test_a_missing_scope_fails_each_change(lab: Rig) -> None:
    lab.token = lab.sandbox.token("shopify", "read_only")
    with lab.runtime() as runtime:
        desk = Desk(lab, runtime)
        receipts = desk.write("products", Change("create", "a", values={"title": "T"}))
    assert outcomes(receipts) == [("a", "failed", "permission")]


def write_with(failure: Exception, action: Any) -> Receipt:
    def send(_: Call) -> Reply:
        raise failure

    provider = Shopify({})
    change = Change(action, "a", id="gid://shopify/Product/1", values={"title": "T"})
    (receipt,) = provider.write(provider.resource("products"), [change], send)
    return receipt


@pytest.mark.parametrize(
    ("failure", "action", "status"),
    [
        (UnavailableError("lost", code="outcome_unknown"), "create", "unknown"),
        (UnavailableError("down"), "create", "retry"),
        (UnavailableError("down"), "update", "retry"),
        (CircuitOpenError("open"), "create", "retry"),
    ],
)
def test_what_was_not_answered(failure: Exception, action: str, status: str) -> None:
    assert write_with(failure, action).status == status


def test_an_answer_that_says_nothing_is_unknown() -> None:
    provider = Shopify({})
    body = json.dumps({"data": {"productUpdate": {"product": None, "userErrors": []}}}).encode()
    change = Change("update", "a", id="gid://shopify/Product/1", values={"title": "T"})
    resource = provider.resource("products")
    (receipt,) = provider.write(resource, [change], lambda _: Reply(200, {}, body))
    assert (receipt.status, receipt.kind) == ("unknown", "unsettled")

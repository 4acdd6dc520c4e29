"""One personal field that is refused costs that field: not the record, the orders or the run."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from lumio_cli.providers.contract.auth import Credential
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.verdict import Outcome
from lumio_cli.providers.shopify import Shopify, graph, personal
from lumio_cli.providers.shopify.documents import WRITTEN
from lumio_cli.providers.shopify.listing import BULK, LISTINGS
from lumio_cli.providers.shopify.writes import document
from lumio_cli.sandbox.shopify import engine
from lumio_cli.sync import untold
from providers.shopify_subjects import shop
from support.conformance import Rig
from support.shopify_spec import complaints

from .test_reading import BULK_FROM, asked, payloads, synced

SETTING = "LUMIO_PROVIDERS__SHOPIFY__PERSONAL_DATA"
EVERYTHING = frozenset({"name", "address", "phone", "email"})
NAMES = frozenset(personal.FIELDS)


def refuse(lab: Rig, *contents: str) -> None:
    shop(lab.sandbox).refused = frozenset(contents)


def told(entry: dict[str, Any]) -> list[str]:
    """The warnings, apart from those about the clock of these labs."""
    return [warning for warning in entry["warnings"] if "clock" not in warning]


def error(message: str, *path: Any, **extensions: Any) -> dict[str, Any]:
    more = {"code": "ACCESS_DENIED", **extensions}
    return {"message": message, "path": list(path), "extensions": more}


def reply(*errors: dict[str, Any], data: Any = None) -> Reply:
    body = {"data": data, "errors": list(errors)}
    return Reply(200, {"content-type": "application/json"}, json.dumps(body).encode())


# -- what is read


def test_a_refused_field_costs_that_field_alone(lab: Rig) -> None:
    refuse(lab, "email")
    entry = synced(lab, "shopify/orders")["orders"]
    assert (entry["status"], entry["read"], entry["failed"]) == ("succeeded", 12, 0)
    for order in payloads(lab, "orders").values():
        assert "email" not in order
        assert order["shippingAddress"]["address1"]
        assert order["lineItems"]
    (warning,) = told(entry)
    assert ": email (" in warning
    assert "plan" in warning


def test_all_of_it_refused_leaves_the_rest(lab: Rig) -> None:
    refuse(lab, *EVERYTHING)
    found = synced(lab)
    assert {e["status"] for e in found.values()} == {"succeeded"}
    assert told(found["products"]) == told(found["fulfillments"]) == []
    assert "displayName" in told(found["customers"])[0]
    customers = payloads(lab, "customers").values()
    assert not {"firstName", "displayName"} & {name for c in customers for name in c}
    assert any(c["defaultAddress"] and c["defaultAddress"]["city"] for c in customers)
    assert lab.sql("SELECT count(*), count(email), count(city) FROM shopify_customers")[0][:2] == (
        12, 0,
    )  # fmt: skip
    # What only has the same name is nobody's.
    assert lab.sql("SELECT count(*) FROM shopify_locations WHERE address ->> 'zip' = '12345'") == [
        (4,)
    ]
    assert payloads(lab, "products").popitem()[1]["variants"][0]["displayName"]


def test_it_is_asked_for_once_a_run(lab: Rig) -> None:
    refuse(lab, *EVERYTHING)
    table = shop(lab.sandbox).tables["orders"]
    table.update(table.ids()[0], {"_lines": 60})
    synced(lab, "shopify/orders")
    names = asked(lab)
    # Three pages of five: the first one twice.
    assert names.count("Orders") <= 5
    assert len(payloads(lab, "orders")[table.ids()[0]]["lineItems"]) == 60


def test_an_object_that_is_refused_whole_is_left_out_where_others_have_it(lab: Rig) -> None:
    refuse(lab, "Customer", "MailingAddress")
    found = synced(lab, "shopify/orders", "shopify/customers", code=3)
    assert (found["orders"]["status"], found["customers"]["status"]) == ("succeeded", "skipped")
    assert "customer" not in payloads(lab, "orders").popitem()[1]
    assert "no scope opens it" in found["customers"]["error"]["hint"]


def test_what_is_refused_later_keeps_what_it_had(lab: Rig) -> None:
    synced(lab, "shopify/customers", "shopify/orders")
    before = payloads(lab, "customers"), payloads(lab, "orders")
    refuse(lab, *EVERYTHING)
    like = shop(lab.sandbox)
    first, second = like.tables["customers"].ids()[:2]
    like.tables["customers"].update(first, {"note": "new"})
    for mode in ("incremental", "full"):
        lab.clock.forward(3600)
        found = synced(lab, "shopify/customers", "shopify/orders", "--mode", mode)
        assert "what the hub has of it stays as it was" in told(found["customers"])[0]
        after = payloads(lab, "customers")
        changed = {"note", "updatedAt"}
        assert after[first]["note"] == "new"
        assert {k: v for k, v in after[first].items() if k not in changed} == {
            k: v for k, v in before[0][first].items() if k not in changed
        }
    assert found["orders"]["unchanged"] == 12
    assert payloads(lab, "orders") == before[1]
    assert after[second] == before[0][second]
    refuse(lab)
    like.tables["customers"].update(first, {"firstName": "Seen"})
    synced(lab, "shopify/customers", "--mode", "full")
    assert ("Seen",) in lab.sql("SELECT first_name FROM shopify_customers")


def test_another_address_does_not_keep_the_street_of_the_one_before() -> None:
    old = {"id": "1", "email": "a@x", "defaultAddress": {"city": "Rome", "zip": "7"}}
    for address, kept in (
        ({"city": "Rome"}, {"city": "Rome", "zip": "7"}),
        ({"city": "Oslo"}, {"city": "Oslo"}),
        (None, None),
    ):
        new = {"id": "1", "defaultAddress": address}
        found = untold._with(new, old, NAMES)
        assert found == {"id": "1", "email": "a@x", "defaultAddress": kept}


def test_what_nobody_wants_does_not_stay(lab: Rig) -> None:
    synced(lab, "shopify/customers")
    lab.extra[SETTING] = "false"
    synced(lab, "shopify/customers", "--mode", "full")
    assert "email" not in payloads(lab, "customers").popitem()[1]


def test_a_bulk_operation_of_one_resource_says_nothing_of_another(lab: Rig) -> None:
    provider = Shopify({})
    customers, orders = provider.resource("customers"), provider.resource("orders")
    assert provider.relent(customers) and not provider.relent(customers)
    assert not provider.relent(provider.resource("products"))
    given = Credential("token", "shpat_x")
    calls = [graph.call("2026-07", LISTINGS[kind], {}) for kind in ("customers", "orders")]
    queries = [cast(Any, provider.address(call, given).json)["query"] for call in calls]
    assert "firstName" not in queries[0]
    assert queries[1] == LISTINGS["orders"]
    assert provider.remarks(customers) and not provider.remarks(orders)


def test_a_missing_scope_is_none_of_this(lab: Rig) -> None:
    lab.token = lab.sandbox.token("shopify", "products_only")
    entry = synced(lab, "shopify/orders", code=4)["orders"]
    assert (entry["status"], told(entry)) == ("skipped", [])


def test_the_setting_asks_for_none_of_it_from_the_start(lab: Rig) -> None:
    refuse(lab, *EVERYTHING)
    lab.extra[SETTING] = "false"
    entry = synced(lab, "shopify/orders")["orders"]
    assert (entry["retries"], told(entry)) == (0, [])
    assert "email" not in payloads(lab, "orders").popitem()[1]


@pytest.mark.parametrize("kind", ["orders", "customers"])
def test_bulk_operations_and_pages_leave_out_the_same(lab: Rig, kind: str) -> None:
    refuse(lab, "email", "phone")
    synced(lab, f"shopify/{kind}")
    before = payloads(lab, kind)
    lab.extra[BULK_FROM] = "1"
    entry = synced(lab, f"shopify/{kind}", "--mode", "full")[kind]
    assert "RunBulk" in asked(lab)
    assert (entry["status"], entry["unchanged"]) == ("succeeded", 12)
    assert "email" in told(entry)[0].lower()
    assert payloads(lab, kind) == before


def test_a_bulk_operation_that_is_refused_is_run_again_without_any_of_it(lab: Rig) -> None:
    lab.extra[BULK_FROM] = "1"
    like = shop(lab.sandbox)
    shown = like.bulk.shown

    def late(operation_id: str) -> Any:
        # What the first record had nothing of, a look at it could not tell.
        refuse(lab, "address")
        return shown(operation_id)

    like.bulk.shown = late  # type: ignore[method-assign]
    entry = synced(lab, "shopify/customers")["customers"]
    assert (entry["status"], entry["read"]) == ("succeeded", 12)
    assert len(like.bulk.operations) == 2
    assert "defaultAddress" in told(entry)[0]


def test_a_bulk_operation_that_lacks_a_scope_says_so_and_is_not_run_for_ever(lab: Rig) -> None:
    lab.extra[BULK_FROM] = "1"
    like = shop(lab.sandbox)
    like.bulk.failure = "ACCESS_DENIED"
    entry = synced(lab, "shopify/products", code=4)["products"]
    assert (entry["status"], entry["error"]["code"]) == ("skipped", "scope_missing")
    assert "scope" in entry["error"]["hint"]
    assert len(like.bulk.operations) == 1
    assert synced(lab, "shopify/orders", code=4)["orders"]["status"] == "skipped"
    assert len(like.bulk.operations) == 3


def test_the_diagnostic_names_the_plan_that_it_depends_on(lab: Rig) -> None:
    (provider,) = lab.lumio("diagnostic", "shopify").document["providers"]
    (check,) = [c for c in provider["checks"] if c["name"] == "authentication"]
    assert "plan Basic" in check["detail"]


# -- what is written


def test_a_record_that_hides_a_field_is_written_all_the_same(lab: Rig) -> None:
    synced(lab, "shopify/customers")
    refuse(lab, *EVERYTHING)
    lab.sql("UPDATE shopify_customers SET note = 'mine'")
    done = lab.lumio("sync", "shopify/customers", "--direction", "push")
    assert (done.code, done.document["resources"][0]["updated"]) == (0, 12), done.out
    table = shop(lab.sandbox).tables["customers"]
    assert {(table.get(i) or {})["note"] for i in table.ids()} == {"mine"}
    # What the answer did not show is not taken for empty.
    assert lab.sql("SELECT count(email) FROM shopify_customers") == [(12,)]


def test_a_new_record_that_hides_a_field_has_its_id(lab: Rig) -> None:
    synced(lab, "shopify/customers")
    refuse(lab, *EVERYTHING)
    lab.sql("INSERT INTO shopify_customers (first_name, note) VALUES ('Ann', 'new here')")
    done = lab.lumio("sync", "shopify/customers", "--direction", "push")
    assert (done.code, done.document["resources"][0]["created"]) == (0, 1), done.out
    ((made,),) = lab.sql("SELECT id FROM shopify_customers WHERE note = 'new here'")
    assert made in shop(lab.sandbox).tables["customers"]


def test_what_is_not_read_is_not_written(lab: Rig) -> None:
    lab.extra[SETTING] = "false"
    synced(lab, "shopify/customers")
    lab.sql("UPDATE shopify_customers SET email = 'x@example.com'")
    done = lab.lumio("sync", "shopify/customers", "--direction", "push")
    assert (done.code, done.document["resources"][0]["failed"]) == (3, 12), done.out
    said = {x["message"] for x in lab.lumio("failures", "list").document["failures"]}
    assert said == {"email is personal data that is not read here, and not written"}


# -- answers


@pytest.mark.parametrize(
    ("errors", "names"),
    [
        ([error("This app is not approved to use the email field. See ...", "orders", "nodes", 0,
                "email")], {"email", "emailAddress"}),
        ([error("Access denied for phone field.", "orders", "nodes", 3, "phone"),
          error("no", "orders", "nodes", 3, "shippingAddress", "zip")],
         {"phone", "phoneNumber", "zip", "address1", "address2"}),
        ([error("This app is not approved to access the Customer object.", "orders", "nodes", 1,
                "customer")], {"customer"}),
        ([error("This app is not approved to access the Customer object.", "customers")], set()),
        ([error("Access denied for customer field. Required access: `read_customers` access scope.",
                "orders", "nodes", 0, "customer")], set()),
        ([error("no", "orders", "nodes", 0, "customer",
                requiredAccess="`read_customers` access scope.")], set()),
        ([error("not approved to use the email field", "orders", "nodes", 0, "email"),
          {"message": "Throttled", "extensions": {"code": "THROTTLED"}}], set()),
        ([error("no", "orders", "nodes", 0, "note")], set()),
        ([{"message": "no"}, "text", None], set()),
        ([], set()),
    ],
)  # fmt: skip
def test_what_an_answer_refuses_to_show(errors: Any, names: set[str]) -> None:
    assert personal.refused(reply(*errors)) == names


def test_an_answer_that_refuses_a_field_is_asked_again_but_a_write_is_not_repeated() -> None:
    refusal = error("This app is not approved to use the email field.", "orders", 0, "email")
    provider = Shopify({})
    verdict = provider.judge(reply(refusal))
    assert verdict is not None
    assert verdict.outcome is Outcome.RETRY
    wrote = {"orderUpdate": {"order": {"id": "x", "email": None}, "userErrors": []}}
    assert Shopify({}).judge(reply(refusal, data=wrote)) is None


# -- documents


def documents() -> dict[str, str]:
    found = {f"list {kind}": text for kind, text in LISTINGS.items()}
    found |= {f"bulk {kind}": text for kind, text in BULK.items()}
    for kind in WRITTEN:
        found |= {f"{a} {kind}": document(kind, a) for a in ("create", "update", "archive")}
    del found["create orders"], found["archive orders"]  # which nobody does
    return found


@pytest.mark.parametrize("name", documents())
def test_documents_without_personal_fields_are_allowed_by_the_schema(name: str) -> None:
    text = documents()[name]
    about = name.split()[1] in ("orders", "customers", "fulfillments")
    for names in (*(frozenset({field}) for field in personal.FIELDS), NAMES):
        left = personal.without(text, names)
        assert complaints(left) == []
        assert about or left == text


@pytest.mark.parametrize("kind", ["orders", "customers"])
def test_documents_without_personal_fields_have_none(kind: str) -> None:
    refused = EVERYTHING | {"MailingAddress"}
    for text in (LISTINGS[kind], BULK[kind]):
        assert engine.refused_fields(text, refused)
        assert engine.refused_fields(personal.without(text, NAMES), refused) == []


def test_calls_that_are_no_documents_are_left_alone() -> None:
    for call in (
        Call("GET", "/x"),
        Call("POST", "/t", form={"a": "b"}),
        Call("POST", "/", json=[]),
    ):
        assert personal.asked_without(call, {"orders": NAMES, "customers": NAMES}) is call

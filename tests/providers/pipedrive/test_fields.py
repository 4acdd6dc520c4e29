"""Custom fields: how hashes become columns, and options labels."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.resource import Column, Walk
from lumio_cli.providers.pipedrive import Pipedrive
from lumio_cli.providers.pipedrive.fields import snake

A, B, C = "a1b2c3" + "0" * 34, "b7c8d9" + "0" * 34, "c0ffee" + "0" * 34


def field(code: str, name: str, type_: str, *labels: str, custom: bool = True) -> dict[str, Any]:
    options = [{"id": 10 + n, "label": label} for n, label in enumerate(labels)] or None
    return {
        "field_code": code,
        "field_name": name,
        "field_type": type_,
        "options": options,
        "is_custom_field": custom,
    }


class Fields:
    """A `send` that answers with field definitions, `size` a page."""

    def __init__(self, *fields: dict[str, Any], size: int = 100) -> None:
        self.fields, self.size = fields, size
        self.calls: list[Call] = []

    def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        start = int(str(call.params.get("cursor", "0")))
        page = self.fields[start : start + self.size]
        following = str(start + self.size) if start + self.size < len(self.fields) else None
        body = {"success": True, "data": page, "additional_data": {"next_cursor": following}}
        return Reply(200, {}, json.dumps(body).encode())


def columns(*fields: dict[str, Any], name: str = "deals", **options: Any) -> list[Column]:
    provider = Pipedrive(options)
    found = provider.describe(provider.resource(name), Fields(*fields))
    assert found is not None
    return [p.column for p in found]


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("Região de vendas", "regiao_de_vendas"),
        ("  VAT / USt-IdNr. ", "vat_ust_idnr"),
        ("2nd phone", "field_2nd_phone"),
        ("[bold]Größe[/bold]", "bold_groe_bold"),
        ("契約番号", ""),
    ],
)
def test_names_become_identifiers(name: str, column: str) -> None:
    assert snake(name) == column


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("varchar", [("x", "", "text")]),
        ("double", [("x", "", "number")]),
        ("people", [("x", "", "integer")]),
        ("enum", [("x", ".label", "text")]),
        ("set", [("x", "", "json")]),
        ("monetary", [("x", ".value", "number"), ("x_currency", ".currency", "text")]),
        ("daterange", [("x", ".value", "date"), ("x_until", ".until", "date")]),
        ("time", [("x", ".value", "text"), ("x_timezone", ".timezone_name", "text")]),
        ("address", [("x", ".value", "text")]),
        ("a_type_of_tomorrow", [("x", "", "json")]),
    ],
)
def test_each_type_has_its_columns(type_: str, expected: list[tuple[str, str, str]]) -> None:
    found = [(c.name, c.path, c.kind) for c in columns(field(A, "X", type_))]
    assert found == [(n, f"custom_fields.{A}{path}", kind) for n, path, kind in expected]


def test_only_custom_fields_are_described() -> None:
    own = field("title", "Title", "varchar", custom=False)
    assert [c.name for c in columns(own, field(A, "Score", "double"))] == ["score"]
    provider = Pipedrive({})
    assert provider.describe(provider.resource("activities"), Fields()) is None
    assert provider.describe(provider.resource("stages"), Fields()) is None


def test_names_that_are_not_unique_are_told_apart_by_their_hashes() -> None:
    same = [field(A, "Source", "varchar"), field(B, "source", "text")]
    expected = {"source_a1b2c3": A, "source_b7c8d9": B}
    for order in (same, same[::-1]):
        found = {c.name: c.path.removeprefix("custom_fields.") for c in columns(*order)}
        assert found == expected


def test_no_custom_field_takes_the_place_of_another_column() -> None:
    found = columns(
        field(A, "Status", "varchar"), field(B, "ID", "double"), field(C, "契約番号", "text")
    )
    assert [c.name for c in found] == ["status_a1b2c3", "id_b7c8d9", "field_c0ffee"]
    assert columns(field(A, "Mine", "text"), columns={"deals": {"mine": "origin"}})[0].name == (
        "mine_a1b2c3"
    )
    parts = columns(field(A, "Fee", "monetary"), field(B, "Fee currency", "varchar"))
    assert [c.name for c in parts] == [
        "fee_a1b2c3",
        "fee_a1b2c3_currency",
        "fee_currency_b7c8d9",
    ]


@pytest.mark.parametrize(
    ("chosen", "names"),
    [(["all"], ["score", "tags"]), (["none"], []), (["Tags"], ["tags"]), ([A], ["score"])],
)
def test_the_operator_chooses_by_name_or_key(chosen: list[str], names: list[str]) -> None:
    fields = [field(A, "Score", "double"), field(B, "Tags", "set", "Hot")]
    assert [c.name for c in columns(*fields, custom_fields=chosen)] == names


def test_definitions_are_read_to_the_last_page() -> None:
    send = Fields(*(field(f"{n:040x}", f"F{n}", "text") for n in range(25)), size=10)
    provider = Pipedrive({})
    found = provider.describe(provider.resource("products"), send)
    assert found is not None
    assert len(found) == 25
    assert [c.params.get("cursor") for c in send.calls] == [None, "10", "20"]
    assert {c.cost for c in send.calls} == {10.0}


def test_products_and_archived_deals_get_the_labels_that_their_listings_lack() -> None:
    send = Fields(
        field(A, "Colour", "enum", "Red", "Größe"),
        field(B, "Tags", "set", "Hot", "Cold"),
        field("label_ids", "Label", "set", "New", custom=False),
    )
    provider = Pipedrive({})
    record = {"id": 1, "label_ids": [10], "custom_fields": {A: 11, B: [10, 99], C: None}}
    walk = Walk(provider.resource("products"), "full", properties=(A,))
    (filled,) = provider.fill(walk, [record], send)
    assert filled["custom_fields"] == {
        A: {"id": 11, "label": "Größe"},
        B: [{"id": 10, "label": "Hot"}, {"id": 99, "label": None}],
        C: None,
    }
    assert filled["labels"] == [{"id": 10, "label": "New"}]


def test_deals_that_have_labels_cost_no_further_request() -> None:
    send = Fields()
    provider = Pipedrive({})
    deals = provider.resource("deals")
    records = [{"id": 1, "is_archived": False, "custom_fields": {A: {"id": 1, "label": "x"}}}]
    assert provider.fill(Walk(deals, "full", properties=(A,)), records, send) == records
    assert provider.fill(Walk(provider.resource("products"), "full"), records, send) == records
    assert send.calls == []

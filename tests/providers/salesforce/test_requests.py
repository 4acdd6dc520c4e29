"""Every request that the adapter makes is one that Salesforce's own descriptions allow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, cast

import pytest

from lumio_cli.providers.contract.call import Call
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.salesforce import Salesforce
from lumio_cli.transport.attempt import Sender
from support.salesforce_spec import directory, validate_request

from .conftest import SalesforceLab, sender

GOOD = {"last_name": "X", "company": "C", "status": "New"}


@pytest.fixture(autouse=True)
def specs() -> None:
    """The descriptions are not part of this project."""
    directory()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """Everything that goes out, as it goes out."""
    seen: list[Call] = []
    attempt = Sender.attempt

    def record(self: Sender, call: Call, *args: Any, **options: Any) -> Any:
        seen.append(call)
        return attempt(self, call, *args, **options)

    monkeypatch.setattr(Sender, "attempt", record)
    return seen


def complaints(calls: list[Call]) -> list[str]:
    """What the descriptions have to say against the calls; each shape once."""
    found = []
    for call in calls:
        found += validate_request(call.method, call.path, dict(call.params), call.json)
    return sorted(set(found))


def test_reading_page_by_page(make_lab: Callable[..., SalesforceLab], calls: list[Call]) -> None:
    lab = make_lab(30)
    lab.set("objects", "Invoice__c")
    lab.lumio("connect", "salesforce")
    lab.lumio("sync", "salesforce")
    for kind in ("Lead", "Account", "Contact", "Opportunity"):
        lab.org.tables[kind].delete(lab.org.tables[kind].ids()[0])
    lab.lumio("sync", "salesforce")
    lab.lumio("sync", "salesforce", "--mode", "full")
    routes = {call.label.rpartition("}/")[2] for call in calls}
    assert routes >= {"query", "queryAll", "describe", "limits", "limits/recordCount"}
    assert complaints(calls) == []


def test_reading_in_bulk(make_lab: Callable[..., SalesforceLab], calls: list[Call]) -> None:
    lab = make_lab(30)
    lab.set("bulk_from", "10")
    lab.set("bulk_page", "20")
    lab.lumio("sync", "salesforce/leads")
    assert sum(call.path.endswith("/results") for call in calls) == 2
    assert complaints(calls) == []


def test_long_queries(
    lab: SalesforceLab, calls: list[Call], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lumio_cli.providers.salesforce.soql.LONGEST_URL", 10)
    lab.lumio("sync", "salesforce/leads")
    assert any(call.path.endswith("/composite") for call in calls)
    assert complaints(calls) == []


@pytest.mark.parametrize("bulk", [0, 1])
@pytest.mark.parametrize("action", ["create", "update", "upsert", "archive"])
def test_writing(lab: SalesforceLab, action: str, bulk: int) -> None:
    calls: list[Call] = []
    provider = Salesforce({"bulk_write_from": bulk})
    known = lab.org.tables["Lead"].ids()[0]
    record = {"create": "", "upsert": "Lead-00000002"}.get(action, known)
    verb = cast(Literal["create", "update", "upsert", "archive"], action)
    key = "External_Key__c" if action == "upsert" else ""
    values = {} if action == "archive" else GOOD
    change = Change(verb, "t", id=record, key=key, values=values)
    (receipt,) = provider.write(provider.resource("leads"), [change], sender(lab, calls))
    assert receipt.status == "done", receipt
    assert complaints(calls) == []

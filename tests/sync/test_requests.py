"""Every request that the adapter makes is one that HubSpot's own descriptions allow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lumio_cli.providers.contract.call import Call
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.hubspot import HubSpot
from lumio_cli.transport.attempt import Sender
from support.hubspot_spec import directory, validate_request
from support.lab import OBJECTS, Lab


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
        if call.label.startswith("/oauth/v2/private-apps"):
            continue  # in no published description
        for complaint in validate_request(call.method, call.path, dict(call.params), call.json):
            found.append(f"{call.method} {call.path}: {complaint}")
    return sorted(set(found))


@pytest.fixture(autouse=True)
def specs() -> None:
    """The descriptions are not part of this project."""
    if not directory().is_dir():
        pytest.skip(f"the published descriptions are not here: {directory()}")


@pytest.mark.parametrize("version", ["v3", "auto"])
def test_reading_makes_only_requests_that_the_descriptions_allow(
    make_lab: Callable[..., Lab], calls: list[Call], version: str
) -> None:
    lab = make_lab(250)
    lab.extra["LUMIO_PROVIDERS__HUBSPOT__API_VERSION"] = version
    lab.lumio("sync", "hubspot")
    for kind in OBJECTS:
        for record in [str(r["id"]) for r in lab.sandbox.hubspot.dump(kind)][:3]:
            lab.sandbox.hubspot.update(kind, record, {"external_id": f"x{record}"})
    lab.lumio("sync", "hubspot")
    lab.lumio("sync", "hubspot", "--mode", "full")
    routes = {call.label for call in calls}
    assert any(route.endswith("/search") for route in routes)
    assert any("associations" in route for route in routes)
    assert complaints(calls) == []


def test_reading_by_batch_makes_only_requests_that_the_descriptions_allow(
    lab: Lab, calls: list[Call]
) -> None:
    for number in range(260):
        lab.sandbox.hubspot.add_property(
            "contacts", f"a_custom_property_with_a_long_name_{number:03}", "string", "text"
        )
    lab.lumio("sync", "hubspot/contacts")
    assert any(call.label.endswith("/batch/read") for call in calls)
    assert complaints(calls) == []


@pytest.mark.parametrize("action", ["create", "update", "archive"])
def test_writing_makes_only_requests_that_the_descriptions_allow(action: Any) -> None:
    provider = HubSpot({})
    calls: list[Call] = []

    def send(call: Call) -> Any:
        calls.append(call)
        from lumio_cli.providers.contract.call import Reply

        if call.method == "GET":
            names = b'{"name":"email","type":"string"},{"name":"city","type":"string"}'
            return Reply(200, {}, b'{"results":[' + names + b"]}")
        return Reply(200, {}, b'{"status":"COMPLETE","results":[]}')

    values = {} if action == "archive" else {"email": "a@example.com", "city": None}
    changes = [
        Change(action, f"t{n}", id="" if action == "create" else str(n), values=values)
        for n in range(150)
    ]
    list(provider.write(provider.resource("contacts"), changes, send))
    sizes = [len(c.json["inputs"]) for c in calls if c.path.endswith(f"/batch/{action}")]
    assert sizes == [100, 50]
    assert complaints(calls) == []

"""Every request that the adapter makes is one that Pipedrive's own descriptions allow, at the
price that they name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.writing import Change
from lumio_cli.providers.pipedrive import Pipedrive
from lumio_cli.providers.pipedrive.resources import MAIN, PIPELINES, STAGES, USERS
from lumio_cli.transport.attempt import Sender
from providers.pipedrive_subjects import SUBJECTS, account
from support.conformance import Rig, rig
from support.pipedrive_spec import cost, directory, operation, scopes, validate_request


@pytest.fixture(autouse=True)
def specs() -> None:
    """The descriptions are not part of this project."""
    directory()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Rig]:
    with rig(SUBJECTS[0], tmp_path, 130) as opened:
        yield opened


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
        path = urlsplit(call.path).path
        found += validate_request(call.method, path, dict(call.params), call.json or call.form)
        if call.auth and cost(call.method, path) != call.cost:
            found.append(f"{call.method} {path}: the price is {cost(call.method, path)}")
    return sorted(set(found))


def test_reading_makes_only_requests_that_are_described(lab: Rig, calls: list[Call]) -> None:
    assert lab.lumio("connect", "pipedrive").code == 0
    assert lab.lumio("sync", "pipedrive").code == 0
    company = account(lab.sandbox)
    lab.clock.forward(3600)
    company.archive("3")
    company.tables["deals"].delete("4")
    for kind in ("persons", "organizations", "activities", "products"):
        company.tables[kind].update("5", {"owner_id": 9_000_002})
    assert lab.lumio("sync", "pipedrive").code == 0
    asked = [(c.path, set(c.params)) for c in calls]
    assert any("updated_since" in params for _, params in asked)
    assert any("cursor" in params for _, params in asked)
    paths = {path for path, _ in asked}
    assert {"/api/v2/deals/archived", "/api/v2/dealFields", "/api/v1/users/me"} <= paths
    assert complaints(calls) == []


BODIES: dict[str, dict[str, str | None]] = {
    "deals": {
        "title": "x", "value": "5", "currency": "EUR", "status": "won", "stage_id": "1",
        "pipeline_id": "1", "person_id": "1", "org_id": "1", "owner_id": "1",
        "probability": "50", "expected_close_date": "2026-01-01", "label_ids": "[1]",
        "visible_to": "3", "won_time": "2026-01-01T00:00:00Z",
    },
    "persons": {
        "name": "x", "org_id": "1", "owner_id": "1", "emails": '[{"value": "a@example.com"}]',
        "phones": "[]", "label_ids": "[]", "visible_to": "3", "job_title": "CEO", "notes": "n",
        "birthday": "2000-01-01", "im": "[]",
    },
    "organizations": {
        "name": "x", "owner_id": "1", "address": "Berlin", "label_ids": "[2]", "visible_to": "3",
        "website": "https://example.com", "linkedin": "x", "industry": "2",
        "annual_revenue": "5", "employee_count": "7",
    },
    "activities": {
        "subject": "x", "type": "call", "done": "true", "due_date": "2026-01-01",
        "due_time": "09:30", "duration": "00:15", "owner_id": "1", "deal_id": "1",
        "lead_id": "a-b", "person_id": "4", "org_id": "1", "project_id": "1", "note": "n",
        "public_description": "p", "busy": "1", "priority": "1", "location": "Berlin",
    },
    "products": {
        "name": "x", "code": "c", "description": "d", "unit": "u", "tax": "7", "category": "1",
        "owner_id": "1", "is_linkable": "1", "visible_to": "3",
        "prices": '[{"price": 5, "currency": "EUR"}]', "billing_frequency": "monthly",
        "billing_frequency_cycles": "4",
    },
    "pipelines": {"name": "x", "is_deal_probability_enabled": "false"},
    "stages": {
        "name": "x", "pipeline_id": "1", "deal_probability": "50", "is_deal_rot_enabled": "1",
        "days_to_rotten": "3",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("action", ["create", "update", "archive"])
def test_writing_makes_only_requests_that_are_described(name: str, action: Any) -> None:
    provider, calls = Pipedrive({}), []

    def send(call: Call) -> Reply:
        calls.append(call)
        data = b"[]" if call.path.endswith("Fields") else b'{"id": 7}'
        return Reply(200, {}, b'{"success": true, "data": ' + data + b"}")

    values = {} if action == "archive" else BODIES[name]
    change = Change(action, "t", id="" if action == "create" else "7", values=values)
    (receipt,) = provider.write(provider.resource(name), [change], send)
    assert receipt.status == "done", receipt.message
    written = [call for call in calls if call.method != "GET"]
    assert [call.method for call in written] == [
        {"create": "POST", "update": "PATCH", "archive": "DELETE"}[action]
    ]
    assert complaints(calls) == []


@pytest.mark.parametrize("name", BODIES)
def test_every_column_that_can_be_written_is_written_by_a_test(name: str) -> None:
    provider = Pipedrive({})
    columns = {c.name for c in provider.resource(name).columns if not c.read_only}
    passed_over = {"lost_reason", "lost_time", "close_time", "participants"}
    assert columns - set(BODIES[name]) <= passed_over


def test_the_scopes_that_are_named_open_what_is_asked_for() -> None:
    for resource in (*MAIN, PIPELINES, STAGES, USERS):
        assert set(resource.scopes) <= scopes("GET", resource.path), resource.name
        if resource.writes is not None:
            assert set(resource.write_scopes) <= scopes("POST", resource.path), resource.name
            assert set(resource.write_scopes) <= scopes("DELETE", f"{resource.path}/7")


def test_the_login_is_where_it_is_described(lab: Rig, calls: list[Call]) -> None:
    from datetime import UTC, datetime

    from lumio_cli.providers.contract.auth import exchange_call
    from providers.pipedrive_subjects import grant

    oauth = Pipedrive.oauth
    assert oauth is not None
    assert operation("GET", urlsplit(oauth.authorize_url).path) is not None
    client = {"client_id": "c", "client_secret": "sandbox"}
    redirect = "http://localhost:18928/callback"
    exchange = exchange_call(oauth, code="x", redirect_uri=redirect, verifier="", client=client)
    renewal = Pipedrive({}).renewal(grant(lab.sandbox), datetime.now(UTC))
    assert renewal is not None
    for call in (exchange, renewal):
        assert call.headers["authorization"].startswith("Basic ")
        assert "client_secret" not in (call.form or {})
    assert complaints([exchange]) == []
    # Of a renewal's form the description has no word; the page "OAuth authorization" has.
    assert set(renewal.form or {}) == {"grant_type", "refresh_token"}

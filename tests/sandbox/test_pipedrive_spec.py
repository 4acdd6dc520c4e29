"""The look-alike's answers, prices and scopes are those of Pipedrive's own descriptions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.pipedrive.provider import Pipedrive
from support.pipedrive_spec import cost, directory, operation, scopes, validate_response

KINDS = ("deals", "persons", "organizations", "activities", "products", "pipelines", "stages")
BODIES: dict[str, dict[str, Any]] = {
    "deals": {"title": "Größe", "value": 12.5, "custom_fields": {}},
    "persons": {"name": "Zoë de la Cruz", "emails": [{"value": "z@example.com"}]},
    "organizations": {"name": "Café", "address": {"value": "Berlin"}},
    "activities": {"subject": "Call", "due_date": "2026-03-01", "done": True},
    "products": {"name": "Pen", "prices": [{"price": 5, "currency": "EUR"}]},
    "pipelines": {"name": "Second"},
    "stages": {"name": "Later", "pipeline_id": 1},
}


@pytest.fixture(autouse=True)
def specs() -> None:
    """The descriptions are not part of this project."""
    directory()


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with Sandbox(records=30, seed=7, quota="none", providers=("pipedrive",)) as running:
        headers = {"x-api-token": running.token("pipedrive")}
        base = running.base_url("pipedrive")
        with httpx.Client(base_url=base, headers=headers, trust_env=False) as http:
            yield http


def complaints(answer: httpx.Response) -> list[str]:
    path = answer.request.url.path.removeprefix("/pipedrive")
    return validate_response(answer.request.method, path, answer.status_code, answer.json())


@pytest.mark.parametrize("kind", KINDS)
def test_listings_and_single_records_are_as_described(client: httpx.Client, kind: str) -> None:
    page = client.get(f"/api/v2/{kind}", params={"limit": 7})
    assert page.status_code == 200
    assert complaints(page) == []
    assert complaints(client.get(f"/api/v2/{kind}/1")) == []
    assert complaints(client.get(f"/api/v2/{kind}/999999")) == []


@pytest.mark.parametrize("kind", KINDS)
def test_writes_are_answered_as_described(client: httpx.Client, kind: str) -> None:
    made = client.post(f"/api/v2/{kind}", json=BODIES[kind])
    assert complaints(made) == []
    path = f"/api/v2/{kind}/{made.json()['data']['id']}"
    changed = client.patch(path, json=dict(list(BODIES[kind].items())[:1]))
    assert changed.status_code == 200
    assert complaints(changed) == []
    assert complaints(client.delete(path)) == []
    assert complaints(client.post(f"/api/v2/{kind}", json={"no_such_member": 1})) == []


@pytest.mark.parametrize(
    "path",
    [
        "/api/v2/deals/archived",
        "/api/v2/dealFields",
        "/api/v2/personFields",
        "/api/v2/organizationFields",
        "/api/v2/productFields",
        "/api/v2/activityFields",
        "/api/v1/users",
        "/api/v1/users/me",
    ],
)
def test_what_is_around_the_records_is_as_described(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert complaints(answer) == []


def test_every_route_has_the_price_and_the_scopes_that_are_described() -> None:
    checked = 0
    for route, _ in Pipedrive.routes._routes:
        if route.quota == "open" or route.template.startswith("/v1/"):
            continue
        path = route.template.replace("{id}", "7")
        assert operation(route.method, path) is not None, path
        price = 20.0 if route.quota == "search" else float(route.quota)
        assert cost(route.method, path) == price, f"{route.method} {path}"
        assert route.scopes is not None
        described = scopes(route.method, path)
        assert set(route.scopes(id="7")) <= described, f"{route.method} {path}: {described}"
        checked += 1
    assert checked > 40

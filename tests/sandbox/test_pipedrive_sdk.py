"""A published client works against the look-alike: pypipedrive-client, by its API class.

Its models need Python 3.12 (their source does not compile before it). Pipedrive's own Python
library speaks v1 only, whose deals and persons are out of support since August 2026.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lumio_cli.sandbox import Sandbox

client = pytest.importorskip("pypipedrive.api.api")
exceptions = pytest.importorskip("pypipedrive.api.exceptions")


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Sandbox(records=120, seed=7, quota="none", providers=("pipedrive",)) as running:
        yield running


def connect(sandbox: Sandbox, token: str = "full") -> Any:
    """A client that speaks to the look-alike instead of api.pipedrive.com."""
    api = client.Api(sandbox.token("pipedrive", token))
    api.endpoint_url = f"{sandbox.base_url('pipedrive')}/api/v2/"
    return api


@pytest.fixture
def api(sandbox: Sandbox) -> Any:
    return connect(sandbox)


@pytest.mark.parametrize("kind", ["deals", "persons", "organizations", "activities", "products"])
def test_all_walks_every_page(api: Any, sandbox: Sandbox, kind: str) -> None:
    rows = api.all(kind, params={"limit": 50}).data
    assert [row["id"] for row in rows] == list(range(1, 121))
    asked = [path for _, _, path, _ in sandbox.requests]
    assert asked == [f"/pipedrive/api/v2/{kind}"] * 3


def test_pages_are_iterated_by_cursor(api: Any) -> None:
    pages = list(api.iterator("dealFields", params={"limit": 10}))
    assert len(pages) == 3
    assert pages[-1].additional_data == {"next_cursor": None}


def test_records_are_made_changed_and_deleted(api: Any) -> None:
    made = api.post("deals", json={"title": "Größe 🦄", "value": 12.5}).data
    changed = api.patch(f"deals/{made['id']}", json={"status": "won"}).data
    assert (changed["title"], changed["status"]) == ("Größe 🦄", "won")
    assert api.get(f"deals/{made['id']}").data["won_time"] is not None
    assert api.delete(f"deals/{made['id']}").data == {"id": made["id"]}
    assert made["id"] not in [row["id"] for row in api.all("deals").data]


def test_errors_are_the_clients_own(api: Any, sandbox: Sandbox) -> None:
    with pytest.raises(exceptions.NotFoundException, match="Deal not found"):
        api.get("deals/4711")
    with pytest.raises(exceptions.BadRequestException, match="value: must be a number"):
        api.post("deals", json={"title": "x", "value": "12"})
    with pytest.raises(exceptions.ForbiddenException, match="Scope and URL mismatch"):
        connect(sandbox, "no_scopes").get("deals")
    with pytest.raises(exceptions.UnauthorizedException):
        connect(sandbox, "expired").get("deals")

"""Short ways to ask the look-alike of HubSpot for things."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from lumio_cli.sandbox import Sandbox

KINDS = ["contacts", "companies", "deals", "products", "tickets"]
Make = Callable[..., tuple[Sandbox, httpx.Client]]


def listed(client: httpx.Client, kind: str, **query: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    after: str | None = "0"
    while after is not None:
        page = client.get(
            f"/crm/v3/objects/{kind}", params={"limit": 100, **query, "after": after}
        ).json()
        rows += page["results"]
        after = page.get("paging", {}).get("next", {}).get("after")
    return rows


def search(client: httpx.Client, kind: str = "contacts", **body: Any) -> httpx.Response:
    filters = body.pop("filters", None)
    if filters is not None:
        body["filterGroups"] = [{"filters": filters}]
    whole = {"filterGroups": [], "sorts": [], "properties": [], "after": "0", "limit": 200, **body}
    return client.post(f"/crm/v3/objects/{kind}/search", json=whole)


def where(name: str, operator: str, value: Any = None, **more: Any) -> dict[str, Any]:
    found = {"propertyName": name, "operator": operator, **more}
    return found if value is None else {**found, "value": str(value)}

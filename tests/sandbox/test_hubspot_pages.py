"""Pages that contradict themselves, and endpoints that are gone: HubSpot's look-alike on demand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from lumio_cli.sandbox import Sandbox

LIST = "/crm/objects/2026-03/contacts"
LINKS = "/crm/associations/2026-03/contacts/companies/batch/read"
EVERYTHING: dict[str, Any] = {"filterGroups": [], "sorts": ["hs_object_id"], "limit": 40}


def walked(client: httpx.Client, way: str) -> Iterator[dict[str, Any]]:
    """The pages of all contacts, by the place that each names."""
    after = None
    while True:
        if way == "search":
            body = {**EVERYTHING, **({"after": after} if after else {})}
            page = client.post(f"{LIST}/search", json=body).json()
        else:
            page = client.get(LIST, params={"limit": 40, **({"after": after} if after else {})})
            page = page.json()
        yield page
        after = page.get("paging", {}).get("next", {}).get("after")
        if after is None:
            return


@pytest.mark.parametrize("way", ["list", "search"])
def test_a_hollow_page_names_the_place_of_its_rows(
    sandbox: Sandbox, client: httpx.Client, way: str
) -> None:
    whole = [row["id"] for page in walked(client, way) for row in page["results"]]
    for times in (1, 3):
        sandbox.faults.set([f"hollow:path={LIST}*:times={times}"])
        pages = list(walked(client, way))
        assert [page["results"] for page in pages[:times]] == [[]] * times
        assert [row["id"] for page in pages for row in page["results"]] == whole
    sandbox.faults.set([f"hollow:path={LIST}*:every=2"])
    pages = list(walked(client, way))
    assert [row["id"] for page in pages for row in page["results"]] == whole
    assert len(pages) > len(whole) / 40 + 1


@pytest.mark.parametrize("way", ["list", "search"])
def test_a_page_that_has_lost_its_place_says_that_more_follow(
    sandbox: Sandbox, client: httpx.Client, way: str
) -> None:
    (first, *_) = walked(client, way)
    sandbox.faults.set([f"nowhere:path={LIST}*"])
    (page,) = walked(client, way)
    assert page["results"] == first["results"]
    assert page["paging"] == {"next": {}}, "something is there, and it is no place"


@pytest.mark.parametrize("way", ["list", "search"])
def test_a_page_that_is_the_last_by_its_own_word_is_a_full_one(
    sandbox: Sandbox, client: httpx.Client, way: str
) -> None:
    (first, *_) = walked(client, way)
    sandbox.faults.set([f"last:path={LIST}*"])
    (page,) = walked(client, way)
    assert page == {name: value for name, value in first.items() if name != "paging"}


def test_the_pages_of_one_record_can_be_hollow_too(sandbox: Sandbox, client: httpx.Client) -> None:
    ids = [row["id"] for row in client.get(LIST, params={"limit": 5}).json()["results"]]
    inputs = {"inputs": [{"id": record_id} for record_id in ids]}
    whole = client.post(LINKS, json=inputs).json()["results"]
    assert whole
    sandbox.faults.set([f"hollow:path={LINKS}:times=1"])
    hollow = client.post(LINKS, json=inputs).json()["results"]
    assert [result["to"] for result in hollow] == [[]] * len(whole)
    again = [
        {"id": result["from"]["id"], "after": result["paging"]["next"]["after"]}
        for result in hollow
    ]
    assert client.post(LINKS, json={"inputs": again}).json()["results"] == whole
    sandbox.faults.set([f"nowhere:path={LINKS}"])
    for result in client.post(LINKS, json=inputs).json()["results"]:
        assert result["to"] and result["paging"] == {"next": {}}


@pytest.mark.parametrize("status", [404, 410])
def test_endpoints_can_be_gone(sandbox: Sandbox, client: httpx.Client, status: int) -> None:
    control = sandbox.url + "/_sandbox/hubspot/retired"
    assert httpx.post(control, json={"/oauth/v1/*": status}).status_code == 200
    answer = client.get("/oauth/v1/access-tokens/x")
    assert (answer.status_code, answer.headers["content-type"]) == (
        status,
        "text/html; charset=utf-8",
    )
    assert client.get("/account-info/2026-03/details").json()["portalId"]
    httpx.post(control, json={})
    assert client.get("/oauth/v1/access-tokens/x").json()["category"] == "OBJECT_NOT_FOUND"

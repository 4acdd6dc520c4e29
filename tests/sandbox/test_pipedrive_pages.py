"""Pages of Pipedrive's look-alike that are hollow, or the last by their own word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import httpx
import pytest

from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.pipedrive import Pipedrive

DEALS, ARCHIVED = "/api/v2/deals", "/api/v2/deals/archived"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(providers=["pipedrive"], records=25, seed=7, quota="none") as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    headers = {"x-api-token": sandbox.token("pipedrive", "full")}
    with httpx.Client(base_url=sandbox.base_url("pipedrive"), headers=headers) as http:
        yield http


def pages(client: httpx.Client, path: str, **query: str) -> Iterator[list[int]]:
    """The ids on each page, by the cursor that each names."""
    cursor = None
    while True:
        params = {"limit": "10", **query, **({"cursor": cursor} if cursor else {})}
        body = client.get(path, params=params).json()
        yield [row["id"] for row in body["data"]]
        cursor = body["additional_data"]["next_cursor"]
        if cursor is None:
            return


@pytest.mark.parametrize("query", [{}, {"updated_since": "2020-01-01T00:00:00Z"}])
@pytest.mark.parametrize("when", ["times=1", "times=3", "every=2"])
def test_a_hollow_page_names_the_place_of_its_rows(
    sandbox: Sandbox, client: httpx.Client, query: dict[str, str], when: str
) -> None:
    whole = list(pages(client, DEALS, **query))
    sandbox.faults.set([f"hollow:{when}:path={DEALS}"])
    found = list(pages(client, DEALS, **query))
    assert len(found) > len(whole)
    assert [page for page in found if page] == whole


def test_a_page_that_is_the_last_by_its_own_word_is_a_full_one(
    sandbox: Sandbox, client: httpx.Client
) -> None:
    sandbox.faults.set([f"last:path={DEALS}"])
    assert list(pages(client, DEALS)) == [list(range(1, 11))]


def test_deleted_archived_deals_are_listed_among_the_archived(
    sandbox: Sandbox, client: httpx.Client
) -> None:
    account = cast("Pipedrive", sandbox.providers["pipedrive"])
    account.archive("3")
    account.archive("4")
    for record_id in ("3", "5"):
        account.tables["deals"].delete(record_id)
    assert list(pages(client, DEALS, status="deleted")) == [[5]]
    assert list(pages(client, ARCHIVED, status="deleted")) == [[3]]
    assert list(pages(client, ARCHIVED)) == [[4]]

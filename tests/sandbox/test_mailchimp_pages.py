"""Pages of Mailchimp's look-alike that have fewer rows than were asked for, or say wrong things."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import httpx
import pytest

from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.mailchimp import Mailchimp

PATH = "/3.0/campaigns"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(providers=["mailchimp"], records=30, seed=7, quota="none") as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    token = sandbox.token("mailchimp", "full")
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=sandbox.base_url("mailchimp"), headers=headers) as http:
        yield http


def page(client: httpx.Client, offset: int = 0, count: int = 20) -> tuple[list[str], int]:
    """The ids on a page, and how many there are by its word."""
    found: dict[str, Any] = client.get(PATH, params={"offset": offset, "count": count}).json()
    return [row["id"] for row in found["campaigns"]], found["total_items"]


def test_a_page_can_have_fewer_rows_than_were_asked_for(
    sandbox: Sandbox, client: httpx.Client
) -> None:
    whole, total = page(client, count=30)
    control = f"{sandbox.url}/_sandbox/mailchimp/pages"
    assert httpx.post(control, json={"most": 4}).json() == {"most": 4}
    assert page(client, 3) == (whole[3:7], total)
    assert page(client, 3, 2) == (whole[3:5], total), "less was asked for"
    httpx.post(control, json={"most": None})
    assert cast(Mailchimp, sandbox.providers["mailchimp"]).most_rows is None
    assert page(client, count=30) == (whole, 30)


@pytest.mark.parametrize(
    ("fault", "rows", "total"), [("hollow", 0, 30), ("nowhere", 20, 31), ("last", 20, 20)]
)
def test_pages_that_contradict_themselves(
    sandbox: Sandbox, client: httpx.Client, fault: str, rows: int, total: int
) -> None:
    whole, _ = page(client)
    sandbox.faults.set([f"{fault}:path={PATH}"])
    assert page(client) == (whole[:rows], total)


def test_the_last_page_by_its_own_word_ends_with_its_rows(
    sandbox: Sandbox, client: httpx.Client
) -> None:
    sandbox.faults.set([f"last:path={PATH}"])
    ids, total = page(client, offset=5, count=10)
    assert (len(ids), total) == (10, 15)

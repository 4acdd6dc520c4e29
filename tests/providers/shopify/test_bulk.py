"""Files of bulk operations are read in chunks that end where a family ends."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from lumio_cli.core.errors import (
    BadReplyError,
    DeniedError,
    LumioError,
    RejectedError,
    UnavailableError,
)
from lumio_cli.providers.contract.call import Reply
from lumio_cli.providers.contract.resource import Walk
from lumio_cli.providers.shopify import Shopify, bulk
from lumio_cli.sandbox import Sandbox
from providers.shopify_subjects import shop


def family(number: int, children: int) -> list[dict[str, Any]]:
    parent = f"gid://shopify/Product/{number}"
    rows: list[dict[str, Any]] = [{"id": parent, "title": f"T{number} ü"}]
    rows += [{"id": f"{parent}-{n}", "__parentId": parent} for n in range(children)]
    return rows


def file_of(*children: int) -> bytes:
    rows = [row for n, count in enumerate(children) for row in family(n, count)]
    return b"".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
                    for row in rows)  # fmt: skip


def part(content: bytes, first: int, size: int) -> Reply:
    body = content[first : first + size]
    span = f"bytes {first}-{first + len(body) - 1}/{len(content)}"
    return Reply(206, {"content-range": span, "content-type": "application/jsonl"}, body)


def read(content: bytes, size: int, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Everything, by the paging, in chunks of `size` bytes."""
    monkeypatch.setattr(bulk, "CHUNK", size)
    jobs = bulk.jobs(False, lambda: False)
    place: Any = {"step": "page", "size": 1, "job": "j", "info": {"url": "https://x/"}}
    found: list[dict[str, Any]] = []
    while place is not None:
        offset, span = place.get("offset", 0), place.get("span", size)
        reply = part(content, offset, span)
        rows = bulk.records(reply, "variants", False)
        found += rows
        following = jobs.next(place, reply, rows)
        assert following != place
        place = json.loads(json.dumps(following))
    return found


@pytest.mark.parametrize("size", [40, 64, 100, 333, 10_000])
def test_families_stay_together_whatever_the_size_of_chunks(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = (0, 3, 0, 25, 1, 0)
    found = read(file_of(*counts), size, monkeypatch)
    assert [len(product["variants"]) for product in found] == list(counts)
    assert not any("__parentId" in child for p in found for child in p["variants"])


def test_a_child_without_its_parent_is_kept_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    stray = json.dumps({"id": "x", "__parentId": "gid://shopify/Product/99"}).encode() + b"\n"
    found = read(file_of(1) + stray, 10_000, monkeypatch)
    assert found[-1] == {"unreadable": json.loads(stray)}


def test_a_part_that_came_short_is_an_error() -> None:
    reply = part(file_of(1, 1), 0, 50)
    short = Reply(206, reply.headers, reply.body[:-3])
    with pytest.raises(BadReplyError):
        bulk.chunk(short, flat=False)
    with pytest.raises(BadReplyError):
        bulk.chunk(Reply(206, {}, b""), flat=False)


def ended(status: str, code: str | None) -> Reply:
    found = {"id": "j", "status": status, "errorCode": code, "url": None}
    return Reply(200, {}, json.dumps({"data": {"bulkOperation": found}}).encode())


@pytest.mark.parametrize(
    ("status", "code", "error", "exit_code"),
    [
        ("FAILED", "TIMEOUT", UnavailableError, 5),
        ("FAILED", "INTERNAL_SERVER_ERROR", UnavailableError, 5),
        ("FAILED", "ACCESS_DENIED", DeniedError, 4),
        ("CANCELED", None, RejectedError, 1),
        ("EXPIRED", None, RejectedError, 1),
    ],
)
def test_an_operation_that_ended_badly_is_told_by_what_it_failed_of(
    status: str, code: str | None, error: type[LumioError], exit_code: int
) -> None:
    with pytest.raises(error, match=code or status) as caught:
        bulk.state(ended(status, code))
    assert caught.value.exit_code == exit_code
    assert caught.value.hint
    assert ("scope" in caught.value.hint) is (code == "ACCESS_DENIED")


def test_an_operation_that_nobody_knows_is_begun_anew() -> None:
    with pytest.raises(RejectedError, match="no longer knows"):
        bulk.state(Reply(200, {}, b'{"data":{"bulkOperation":null}}'))


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(records=5000, quota="none", providers=("shopify",)) as running:
        yield running


def test_200_000_lines_are_read_with_flat_memory(sandbox: Sandbox) -> None:
    like = shop(sandbox)
    make = like.tables["products"]._make
    # Forty children each make 205,000 lines of the 5,000 products.
    like.tables["products"]._make = lambda n: {**make(n), "_variants": 40, "metafields": []}
    provider = Shopify({"bulk_from": 1})
    resource = provider.resource("products")
    walk = Walk(resource, "full", options={"bulk": True})
    paging = provider.paging(walk)
    submitted = like.bulk.submit(
        "{ products { edges { node { id title variants { edges { node { id sku } } } } } } }",
        True,
        frozenset({"read_products"}),
    )
    job = submitted["bulkOperation"]["id"]
    like.base_url = sandbox.base_url("shopify")
    found = [like.bulk.shown(job) for _ in range(2)][-1]
    assert found is not None
    assert int(found["objectCount"]) == 205_000
    place: Any = {"step": "page", "size": 1, "job": job, "info": {"url": found["url"]}}
    products = variants = pages = 0
    size = int(found["fileSize"])
    with httpx.Client(trust_env=False, timeout=30) as http:
        tracemalloc.start()
        while place is not None:
            call = paging.ask(provider.call(walk), place)
            answer = http.get(call.path, headers=dict(call.headers))
            reply = Reply(answer.status_code, dict(answer.headers), answer.content)
            rows = provider.fill(walk, provider.records(walk, reply), _nothing)
            products += len(rows)
            variants += sum(len(row["variants"]) for row in rows)
            following = paging.next(place, reply, rows)
            assert following is None or following["offset"] > place.get("offset", 0)
            place, pages = following, pages + 1
            del reply, rows, answer
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (products, variants) == (5000, 200_000)
    # A chunk is cut where its last product begins, so that there are a few more of them.
    assert size / bulk.CHUNK <= pages <= size / bulk.CHUNK * 1.2 + 2
    # The look-alike lives in the same process, and keeps the whole file.
    assert peak < size + 8 * bulk.CHUNK


def _nothing(_: Any) -> Any:
    raise AssertionError("a bulk operation brings all children")


def test_a_result_without_a_file_is_looked_at_once_more() -> None:
    provider = Shopify({})
    walk = Walk(provider.resource("products"), "full", options={"bulk": True})
    paging = provider.paging(walk)
    place = {"step": "page", "size": 1, "job": "gid://shopify/BulkOperation/1", "info": None}
    call = paging.ask(replace(provider.call(walk)), place)
    assert call.json["operationName"] == "LookAtBulk"
    reply = Reply(200, {"content-type": "application/json; charset=utf-8"}, b'{"data":{}}')
    assert provider.records(walk, reply) == []
    assert paging.next(place, reply, []) is None

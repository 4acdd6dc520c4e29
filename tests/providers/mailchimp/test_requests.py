"""Every request that the adapter makes is one that Mailchimp's own description allows."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lumio_cli.providers.contract.auth import Credential
from lumio_cli.providers.contract.call import Call
from lumio_cli.providers.contract.messages import Message
from lumio_cli.providers.contract.writing import Change
from support.mailchimp_spec import directory, validate_request

from .conftest import Desk
from .test_sends import KEY, LATER, NOW, VALUES
from .test_writes import quick

Make = Callable[..., Desk]
UNDESCRIBED = ("https://login.mailchimp.com/", "/batch-results/")
"""The login host and the storage host are in no published description."""


@pytest.fixture(autouse=True)
def _description() -> None:
    directory()


def complaints(calls: list[Call]) -> list[str]:
    """What the description has to say against the calls; each shape once."""
    found: list[str] = []
    for call in calls:
        path = call.path.removeprefix("https://us6.api.mailchimp.com")
        if any(part in path for part in UNDESCRIBED):
            continue
        found += validate_request(call.method, path, dict(call.params), call.json)
    return sorted(set(found))


def routes(calls: list[Call]) -> set[str]:
    return {f"{call.method} {call.label}" for call in calls}


def test_reading_makes_only_requests_that_the_description_allows(make_desk: Make) -> None:
    desk = make_desk(40, one=False)
    lab = desk.lab
    lab.lumio("connect", "mailchimp")
    lab.lumio("sync", "mailchimp")
    room = desk.account.rooms[desk.list_id]
    for number, contact in enumerate(desk.contacts[:5]):
        lab.clock.forward(100)
        room.update(contact, {"language": f"l{number}"})
    room.archive(desk.contacts[0])
    lab.clock.forward(3600)
    lab.lumio("sync", "mailchimp")
    lab.lumio("sync", "mailchimp", "--mode", "full")
    members = [dict(c.params) for c in desk.calls if c.path.endswith("/members")]
    assert any("since_last_changed" in params for params in members)
    assert any(params.get("status") == "archived" for params in members)
    assert complaints(desk.calls) == []


def test_long_listings_make_only_requests_that_the_description_allows(desk: Desk) -> None:
    provider = desk.provider
    for resource in provider.resources:
        object.__setattr__(resource, "page_size", dict.fromkeys(resource.paging, 7))
    try:
        desk.lab.lumio("sync", "mailchimp")
    finally:
        for resource in provider.resources:
            object.__setattr__(resource, "page_size", dict.fromkeys(resource.paging, 500))
    asked = [dict(c.params) for c in desk.calls if c.path.endswith("/members")]
    assert any("before_last_changed" in params for params in asked)
    assert any("since_last_changed" in params for params in asked)  # the tail
    assert complaints(desk.calls) == []


def test_writing_makes_only_requests_that_the_description_allows(desk: Desk) -> None:
    ids = desk.subscribed()
    listed = {"list_id": desk.list_id, "fname": "Zoë", "vip": "1", "tags": '["a"]'}
    bare = {"list_id": desk.list_id}
    desk.provider.options = {**desk.provider.options, "skip_merge_validation": True}
    desk.account.rooms[desk.list_id].archive(ids[5].partition(":")[2])
    back = desk.member(ids[5].partition(":")[2])["email_address"]
    for mail, values in (("a", listed), ("b", listed), ("c", bare), ("d", bare), (back, listed)):
        address = mail if "@" in mail else f"{mail}@example.com"
        desk.write(Change("create", mail, values={"email_address": address, **values}))
    desk.write(Change("update", "u", id=ids[0], values={"fname": "x", "tags": '["b"]'}))
    desk.write(Change("upsert", "p", id="p@example.com", key="email_address", values=listed))
    desk.write(Change("archive", "x", id=ids[1]), Change("archive", "y", id=ids[1]))
    desk.provider.options = {**desk.provider.options, "bulk_from": 2}
    way = quick(desk)
    desk.write(*(Change("create", f"c{n}", values={"email_address": f"c{n}@example.com", **listed})
                 for n in range(3)), send=way)  # fmt: skip
    for action in ("update", "upsert", "archive"):
        values: dict[str, Any] = {} if action == "archive" else {"fname": "bulk"}
        changes = [
            Change(action, f"b{n}", id=record_id, values=values)
            for n, record_id in enumerate(ids[2:5])
        ]
        if action == "upsert":
            changes = [
                Change("upsert", f"b{n}", id=f"b{n}@example.com", values={**listed, "tags": "[]"})
                if n == 0
                else Change("upsert", f"b{n}", id=f"b{n}@example.com",
                            values={"list_id": desk.list_id})
                for n in range(3)
            ]  # fmt: skip
        desk.write(*changes, send=way)
    assert complaints(desk.calls) == []
    for batch in desk.account.batches.values():
        for operation in batch.operations:
            body = json.loads(operation["body"]) if "body" in operation else None
            path = f"/3.0{operation['path']}"
            query = operation.get("params") or {}
            assert validate_request(operation["method"], path, query, body) == []
    assert {
        "POST /3.0/lists/{list_id}", "POST /3.0/lists/{list_id}/members",
        "PATCH /3.0/lists/{list_id}/members/{member}",
        "PUT /3.0/lists/{list_id}/members/{member}", "POST /3.0/batches",
        "DELETE /3.0/lists/{list_id}/members/{member}", "GET /3.0/batches/{batch_id}",
        "POST /3.0/lists/{list_id}/members/{member}/tags",
    } <= routes(desk.calls)  # fmt: skip


def test_sending_makes_only_requests_that_the_description_allows(desk: Desk) -> None:
    def message(kind: str, to: str, **values: Any) -> Message:
        return Message(kind, to, values, KEY, NOW)

    full = {**VALUES, "preview": "p", "segment": 5, "text": "plain"}
    made = desk.deliver(message("campaign", desk.list_id, **full)).id
    desk.deliver(message("campaign", desk.list_id, **{**VALUES, "html": "", "template": 4001}))
    desk.deliver(message("campaign", desk.list_id, **{**VALUES, "now": True}))
    desk.deliver(message("test", "me@example.com", campaign=made, format="plaintext"))
    desk.deliver(message("schedule", made, at=LATER))
    for asked in (message("send", made), message("campaign", desk.list_id, **VALUES)):
        desk.provider.find(asked, _Nothing(), desk.send)
    assert complaints(desk.calls) == []


class _Nothing:
    """A hub that knows of nothing."""

    def latest(self, *_: Any) -> None:
        return None


def test_proving_an_account_makes_only_requests_that_the_description_allows(
    make_desk: Make,
) -> None:
    desk = make_desk(1, LUMIO_MAILCHIMP_TOKEN="sandbox-oauth-access-token")
    desk.provider.probe(desk.send, Credential("oauth", "sandbox-oauth-access-token"))
    desk.provider.probe(desk.send, Credential("token", "sandbox-us6"))
    assert complaints(desk.calls) == []

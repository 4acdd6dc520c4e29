"""Mailchimp's official client works against the look-alike, and reads what it expects to.

What lumio's adapter writes, the client writes here, too: both must ask for the same, and each must
see what the other one did.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest
import requests

from lumio_cli.providers.contract.call import Call, Reply, Send
from lumio_cli.providers.contract.messages import Message
from lumio_cli.providers.contract.receipt import Receipt
from lumio_cli.providers.contract.writing import Change
from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.http import Request
from providers.mailchimp_subjects import MEMBERS

from .both import adapter, hearing

marketing = pytest.importorskip("mailchimp_marketing")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(records=60, seed=7, quota="none", providers=["mailchimp"]) as running:
        yield running


def connect(sandbox: Sandbox, token: str = "full") -> Any:
    """A client whose host is the look-alike's, in place of its data centre's."""
    client = marketing.Client()
    client.set_config({"api_key": sandbox.token("mailchimp", token), "server": "us6"})
    client.api_client.host = f"{sandbox.base_url('mailchimp')}/3.0"
    return client


@pytest.fixture
def sdk(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return connect(sandbox)


def test_it_is_alive(sdk: Any) -> None:
    assert sdk.ping.get()["health_status"] == "Everything's Chimpy!"
    assert sdk.root.get_root(fields=["account_id", "role"])["role"] == "owner"


def test_every_page_of_members(sdk: Any) -> None:
    met = []
    for audience in sdk.lists.get_all_lists(count=100)["lists"]:
        for offset in range(0, 60, 10):
            page = sdk.lists.get_list_members_info(
                audience["id"], count=10, offset=offset, sort_field="last_changed", sort_dir="ASC"
            )
            met += [(audience["id"], row["id"]) for row in page["members"]]
    assert len(met) == len(set(met)) == 60


def test_members_are_written(sdk: Any) -> None:
    list_id = sdk.lists.get_all_lists()["lists"][0]["id"]
    new = {
        "email_address": "zoe@example.com", "status": "subscribed",
        "merge_fields": {"FNAME": "Zoë"},
    }  # fmt: skip
    row = sdk.lists.add_list_member(list_id, new)
    again = {"email_address": "zoe@example.com", "status_if_new": "pending", "vip": True}
    put = sdk.lists.set_list_member(list_id, row["id"], again)
    assert (put["vip"], put["status"], put["full_name"]) == (True, "subscribed", "Zoë")
    sdk.lists.update_list_member_tags(
        list_id, row["id"], {"tags": [{"name": "客户", "status": "active"}]}
    )
    tags = sdk.lists.get_list_member_tags(list_id, row["id"])["tags"]
    assert [tag["name"] for tag in tags] == ["客户"]
    members = [{"email_address": f"b{n}@example.com", "status": "subscribed"} for n in range(3)]
    batch = sdk.lists.batch_list_members(list_id, {"members": members})
    assert (batch["total_created"], batch["error_count"]) == (3, 0)
    sdk.lists.delete_list_member(list_id, row["id"])
    assert sdk.lists.get_list_member(list_id, row["id"])["status"] == "archived"


def test_a_campaign_is_sent(sdk: Any) -> None:
    list_id = sdk.lists.get_all_lists()["lists"][0]["id"]
    settings = {"subject_line": "S", "from_name": "F", "reply_to": "f@example.com"}
    body = {"type": "regular", "recipients": {"list_id": list_id}, "settings": settings}
    made = sdk.campaigns.create(body)
    sdk.campaigns.set_content(made["id"], {"html": "<p>x</p>"})
    assert sdk.campaigns.get_send_checklist(made["id"])["is_ready"]
    sdk.campaigns.send(made["id"])
    assert sdk.campaigns.get(made["id"])["status"] == "sent"
    assert sdk.reports.get_campaign_report(made["id"])["subject_line"] == "S"
    assert sdk.automations.list(count=2)["total_items"] == 60


def test_batches(sdk: Any) -> None:
    made = sdk.batches.start({"operations": [{"method": "GET", "path": "/lists"}]})
    sdk.batches.status(made["id"])
    assert sdk.batches.status(made["id"])["status"] == "finished"


@pytest.mark.parametrize(
    ("token", "status", "title"),
    [("expired", 401, "API Key Invalid"), ("disabled", 403, "User Disabled")],
)
def test_errors(sandbox: Sandbox, sdk: Any, token: str, status: int, title: str) -> None:
    refused = connect(sandbox, token)
    with pytest.raises(marketing.api_client.ApiClientError) as caught:
        refused.lists.get_all_lists()
    assert caught.value.status_code == status and title in caught.value.text
    with pytest.raises(marketing.api_client.ApiClientError) as caught:
        sdk.lists.get_list("nope")
    assert caught.value.status_code == 404


# --- what lumio writes, written by the client

ABSENT = "0" * 32


@dataclass
class Lumio:
    """The adapter at the same account, with its whole transport."""

    provider: Any
    send: Send

    def write(self, *changes: Change) -> list[Receipt]:
        return list(self.provider.write(self.provider.resource("members"), changes, self.send))

    def deliver(self, kind: str, to: str, **values: Any) -> Receipt:
        message = Message(kind, to, values, "own-key", datetime(2026, 1, 1, tzinfo=UTC))
        self.provider.check(message, _Nothing())
        return self.provider.deliver(message, self.send)


class _Nothing:
    """A hub that knows of no campaign."""

    def latest(self, *_: Any) -> None:
        return None


@pytest.fixture
def lumio(sandbox: Sandbox, tmp_path: Path) -> Iterator[Lumio]:
    with adapter(sandbox, MEMBERS, tmp_path) as (provider, send):

        def at_once(call: Call) -> Reply:
            return send(replace(call, delay=0.0))

        yield Lumio(provider, at_once)


@pytest.fixture
def heard(sandbox: Sandbox) -> list[Request]:
    return hearing(sandbox, "mailchimp")


def written(heard: list[Request]) -> list[tuple[str, str, Any]]:
    """Method, path and body of each request that changes something."""
    return [
        (request.method, request.path, json.loads(request.body) if request.body else None)
        for request in heard
        if request.method != "GET"
    ]


@pytest.fixture
def audience(sdk: Any) -> str:
    return sdk.lists.get_all_lists()["lists"][0]["id"]


def members(sdk: Any, audience: str, status: str) -> list[str]:
    found = sdk.lists.get_list_members_info(audience, count=60, status=status)["members"]
    return [row["contact_id"] for row in found]


def refusal(call: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
    """The problem document of a request that is refused."""
    with pytest.raises(marketing.api_client.ApiClientError) as caught:
        call(*arguments)
    document = json.loads(caught.value.text)
    assert document["status"] == caught.value.status_code
    return document


def subscriber_hash(address: str) -> str:
    return md5(address.lower().encode()).hexdigest()


def test_many_members_are_added_at_once(sdk: Any, audience: str) -> None:
    rows = [
        {
            "email_address": f"New{n}@example.com", "status": "pending",
            "merge_fields": {"FNAME": "Zoë"}, "tags": ["客户", "vip"],
        }
        for n in range(2)
    ]  # fmt: skip
    batch = sdk.lists.batch_list_members(audience, {"members": rows, "update_existing": False})
    assert (batch["total_created"], batch["error_count"]) == (2, 0)
    assert [row["email_address"] for row in batch["new_members"]] == [
        "New0@example.com", "New1@example.com",
    ]  # fmt: skip
    read = sdk.lists.get_list_member(audience, subscriber_hash("new1@example.com"))
    assert (read["status"], read["full_name"]) == ("pending", "Zoë")
    assert read["tags"] == []  # the rows of a batch have no such field
    alone = sdk.lists.add_list_member(audience, {**rows[0], "email_address": "one@example.com"})
    assert {tag["name"] for tag in alone["tags"]} == {"客户", "vip"}


def test_each_bad_row_of_a_batch_is_named_and_the_others_are_added(sdk: Any, audience: str) -> None:
    known = sdk.lists.get_list_members_info(audience, count=1)["members"][0]["email_address"]
    addresses = ["new@example.com", known, "nobody", "late@example.com", "new@example.com"]
    rows: list[dict[str, Any]] = [{"email_address": a, "status": "pending"} for a in addresses]
    rows[3]["merge_fields"] = {"LTV": "much"}
    batch = sdk.lists.batch_list_members(audience, {"members": rows, "update_existing": False})
    assert [row["email_address"] for row in batch["new_members"]] == ["new@example.com"]
    assert batch["error_count"] == 4
    assert [(e["email_address"], e["error_code"], e["field"]) for e in batch["errors"]] == [
        (known, "ERROR_CONTACT_EXISTS", ""),
        ("nobody", "ERROR_GENERIC", ""),
        ("late@example.com", "ERROR_GENERIC", "LTV"),
        ("new@example.com", "ERROR_GENERIC", ""),
    ]
    absent = refusal(sdk.lists.get_list_member, audience, subscriber_hash("late@example.com"))
    assert absent["status"] == 404


def test_a_batch_of_members_has_a_limit(sdk: Any, audience: str) -> None:
    rows = [{"email_address": f"n{n}@example.com", "status": "pending"} for n in range(501)]
    said = refusal(sdk.lists.batch_list_members, audience, {"members": rows})
    assert said["title"] == "Invalid Resource"
    assert said["errors"][0]["field"] == "members"


def test_a_member_is_changed_by_its_contact_id(sdk: Any, audience: str) -> None:
    contact = members(sdk, audience, "subscribed")[0]
    before = sdk.lists.get_list_member(audience, contact)
    body = {"email_address": "Moved@example.com", "merge_fields": {"FNAME": "Zoë"}, "vip": True}
    row = sdk.lists.update_list_member(audience, contact, body)
    assert (row["contact_id"], row["id"]) == (contact, subscriber_hash("moved@example.com"))
    read = sdk.lists.get_list_member(audience, contact)
    assert read["merge_fields"] == {**before["merge_fields"], "FNAME": "Zoë"}
    assert (read["vip"], read["status"]) == (True, before["status"])
    assert refusal(sdk.lists.get_list_member, audience, before["id"])["status"] == 404


def test_an_upsert_leaves_the_status_of_a_member_who_is_there(sdk: Any, audience: str) -> None:
    name = subscriber_hash("zoe@example.com")
    body = {"email_address": "zoe@example.com", "status_if_new": "pending"}
    assert sdk.lists.set_list_member(audience, name, body)["status"] == "pending"
    forced = sdk.lists.set_list_member(audience, name, {**body, "status": "subscribed"})
    assert forced["status"] == "subscribed"
    body["merge_fields"] = {"FNAME": "Zoë"}
    again = sdk.lists.set_list_member(audience, name, body)
    assert (again["status"], again["full_name"]) == ("subscribed", "Zoë")
    other = refusal(
        sdk.lists.set_list_member, audience, ABSENT, {**body, "email_address": "x@y.zz"}
    )
    assert other["status"] == 400


def test_tags_are_given_and_taken_away_by_name(sdk: Any, audience: str) -> None:
    contact = members(sdk, audience, "subscribed")[0]
    has = [tag["name"] for tag in sdk.lists.get_list_member_tags(audience, contact)["tags"]]
    changes = [{"name": name, "status": "inactive"} for name in [*has, "unknown"]]
    changes += [{"name": name, "status": "active"} for name in ("a", "b & c")]
    sdk.lists.update_list_member_tags(audience, contact, {"tags": changes})
    tags = sdk.lists.get_list_member_tags(audience, contact)["tags"]
    assert [tag["name"] for tag in tags] == ["a", "b & c"]
    assert sdk.lists.get_list_member(audience, contact)["tags_count"] == 2
    nameless = {"tags": [{"status": "active"}]}
    said = refusal(sdk.lists.update_list_member_tags, audience, contact, nameless)
    assert said["title"] == "Invalid Resource"


def test_an_archived_member_is_listed_apart_and_comes_back(sdk: Any, audience: str) -> None:
    contact = members(sdk, audience, "subscribed")[0]
    sdk.lists.delete_list_member(audience, contact)
    assert contact in members(sdk, audience, "archived")
    everyone = sdk.lists.get_list_members_info(audience, count=60)["members"]
    assert contact not in [row["contact_id"] for row in everyone]
    assert refusal(sdk.lists.delete_list_member, audience, contact)["status"] == 405
    back = sdk.lists.update_list_member(audience, contact, {"status": "subscribed"})
    assert (back["contact_id"], back["status"]) == (contact, "subscribed")
    assert contact not in members(sdk, audience, "archived")


def test_a_member_is_refused_in_the_words_of_mailchimp(sdk: Any, audience: str) -> None:
    contact, other = members(sdk, audience, "subscribed")[:2]
    address = sdk.lists.get_list_member(audience, other)["email_address"]
    exists = {"email_address": address.upper(), "status": "subscribed"}
    assert refusal(sdk.lists.add_list_member, audience, exists)["title"] == "Member Exists"
    change = sdk.lists.update_list_member
    assert refusal(change, audience, contact, {"email_address": address})["title"] == (
        "Member Exists"
    )
    wrong = refusal(change, audience, contact, {"merge_fields": {"LTV": "much"}})
    assert (wrong["title"], wrong["errors"]) == (
        "Invalid Resource", [{"field": "LTV", "message": "Please enter a number"}],
    )  # fmt: skip
    assert refusal(change, audience, contact, {"status": "asleep"})["errors"][0]["field"] == (
        "status"
    )
    assert refusal(change, audience, ABSENT, {"vip": True})["title"] == "Resource Not Found"
    assert refusal(sdk.lists.delete_list_member, audience, ABSENT)["status"] == 404
    bounced = members(sdk, audience, "cleaned")[0]
    assert refusal(change, audience, bounced, {"status": "subscribed"})["title"] == (
        "Member In Compliance State"
    )
    waiting = members(sdk, audience, "pending")[0]
    assert refusal(sdk.lists.delete_list_member, audience, waiting)["status"] == 405
    assert sdk.lists.get_list_member(audience, contact)["status"] == "subscribed"


def test_who_was_deleted_for_good_cannot_be_added_again(sdk: Any, audience: str) -> None:
    contact = members(sdk, audience, "subscribed")[0]
    address = sdk.lists.get_list_member(audience, contact)["email_address"]
    sdk.lists.delete_list_member_permanent(audience, contact)
    body = {"email_address": address, "status": "subscribed"}
    said = refusal(sdk.lists.add_list_member, audience, body)
    assert said["title"] == "Forgotten Email Not Subscribed"
    batch = sdk.lists.batch_list_members(audience, {"members": [body]})
    assert "permanently deleted" in batch["errors"][0]["error"]


def test_a_role_that_may_only_read_changes_nothing(
    sandbox: Sandbox, sdk: Any, audience: str
) -> None:
    viewer = connect(sandbox, "viewer")
    contact = members(viewer, audience, "subscribed")[0]
    said = refusal(viewer.lists.update_list_member, audience, contact, {"vip": True})
    assert (said["status"], said["title"]) == (403, "Forbidden")
    assert refusal(viewer.lists.delete_list_member, audience, contact)["status"] == 403
    assert contact in members(sdk, audience, "subscribed")


def results(sdk: Any, batch: str) -> dict[str, tuple[int, Any]]:
    """Status and answer of each operation of a finished batch. The archive lies with a host that
    is asked without the key, for which the client has no method."""
    found: dict[str, tuple[int, Any]] = {}
    answer = requests.get(sdk.batches.status(batch)["response_body_url"], timeout=5)
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        for entry in archive:
            file = archive.extractfile(entry)
            for item in json.loads((file.read() if file else b"") or b"[]"):
                answered = item["status_code"], json.loads(item["response"])
                found[item["operation_id"]] = answered
    return found


def operation(method: str, path: str, name: str, body: Any = None) -> dict[str, Any]:
    found = {"method": method, "path": path, "operation_id": name}
    return found if body is None else {**found, "body": json.dumps(body)}


def finished(sdk: Any, operations: list[dict[str, Any]]) -> dict[str, Any]:
    batch = sdk.batches.start({"operations": operations})
    while batch["status"] != "finished":
        batch = sdk.batches.status(batch["id"])
    return batch


def test_a_batch_is_finished_though_some_of_its_operations_failed(sdk: Any, audience: str) -> None:
    one, two, three = members(sdk, audience, "subscribed")[:3]
    path = f"/lists/{audience}/members"
    upsert = {"email_address": "zoe@example.com", "status_if_new": "pending"}
    batch = finished(
        sdk,
        [
            operation("PATCH", f"{path}/{one}", "a", {"merge_fields": {"FNAME": "Zoë"}}),
            operation("PUT", f"{path}/{subscriber_hash('zoe@example.com')}", "b", upsert),
            operation("DELETE", f"{path}/{two}", "c"),
            operation("DELETE", f"{path}/{two}", "d"),
            operation("PATCH", f"{path}/{three}", "e", {"status": "asleep"}),
            operation("PATCH", f"{path}/{ABSENT}", "f", {"vip": True}),
        ],
    )
    assert (batch["total_operations"], batch["finished_operations"]) == (6, 6)
    assert batch["errored_operations"] == 3
    answers = results(sdk, batch["id"])
    assert {name: status for name, (status, _) in answers.items()} == {
        "a": 200, "b": 200, "c": 204, "d": 405, "e": 400, "f": 404,
    }  # fmt: skip
    assert answers["a"][1]["merge_fields"]["FNAME"] == "Zoë"
    assert answers["e"][1]["title"] == "Invalid Resource"
    assert sdk.lists.get_list_member(audience, one)["merge_fields"]["FNAME"] == "Zoë"
    assert sdk.lists.get_list_member(audience, two)["status"] == "archived"
    assert sdk.lists.get_list_member(audience, "zoe@example.com")["status"] == "pending"


# --- campaigns

SETTINGS = {"subject_line": "S", "from_name": "F", "reply_to": "f@example.com"}
LATER = "2099-01-31T14:15:00+00:00"


def draft(sdk: Any, audience: str) -> str:
    """A campaign that lacks nothing but its start."""
    body = {"type": "regular", "recipients": {"list_id": audience}, "settings": SETTINGS}
    made = sdk.campaigns.create(body)["id"]
    sdk.campaigns.set_content(made, {"html": "<p>Größe</p>"})
    return made


def test_a_campaign_is_tested_and_scheduled(sdk: Any, audience: str) -> None:
    campaign = draft(sdk, audience)
    assert sdk.campaigns.get_content(campaign)["html"] == "<p>Größe</p>"
    sdk.campaigns.send_test_email(campaign, {"test_emails": ["t@example.com"], "send_type": "html"})
    assert sdk.campaigns.get(campaign)["status"] == "save"
    sdk.campaigns.schedule(campaign, {"schedule_time": LATER})
    read = sdk.campaigns.get(campaign)
    assert (read["status"], read["send_time"]) == ("schedule", LATER)
    assert refusal(sdk.campaigns.schedule, campaign, {"schedule_time": LATER})["status"] == 400
    sdk.campaigns.unschedule(campaign)
    assert sdk.campaigns.get(campaign)["status"] == "save"


def test_a_campaign_that_lacks_something_is_not_sent(sdk: Any, audience: str) -> None:
    body = {"type": "regular", "recipients": {"list_id": audience}, "settings": SETTINGS}
    campaign = sdk.campaigns.create(body)["id"]
    assert not sdk.campaigns.get_send_checklist(campaign)["is_ready"]
    assert "not ready to send" in refusal(sdk.campaigns.send, campaign)["detail"]
    said = refusal(sdk.campaigns.set_content, campaign, {"template": {"id": 1}})
    assert said["errors"][0]["field"] == "template.id"
    nowhere = {**body, "recipients": {"list_id": "nope"}}
    assert refusal(sdk.campaigns.create, nowhere)["errors"][0]["field"] == "recipients.list_id"
    odd = {"schedule_time": "2099-01-31T14:20:00+00:00"}
    sdk.campaigns.set_content(campaign, {"html": "x"})
    assert refusal(sdk.campaigns.schedule, campaign, odd)["errors"][0]["field"] == "schedule_time"
    assert sdk.campaigns.get(campaign)["status"] == "save"


def test_a_campaign_is_sent_once(sdk: Any, audience: str) -> None:
    campaign = draft(sdk, audience)
    sdk.campaigns.send(campaign)
    assert refusal(sdk.campaigns.send, campaign)["status"] == 400
    assert refusal(sdk.campaigns.set_content, campaign, {"html": "x"})["status"] == 400
    assert refusal(sdk.campaigns.send, "0000000000")["status"] == 404


# --- lumio and the client ask for the same


def test_lumio_adds_members_as_the_client_does(
    sdk: Any, audience: str, lumio: Lumio, heard: list[Request]
) -> None:
    addresses = ("a@example.com", "B@example.com")
    values = {"list_id": audience, "fname": "Zoë", "ltv": "1.5", "vip": "true"}
    receipts = lumio.write(
        *(Change("create", a, values={"email_address": a, **values}) for a in addresses)
    )
    assert [receipt.status for receipt in receipts] == ["done", "done"]
    rows = [
        {
            "email_address": address, "status": "pending", "vip": True,
            "merge_fields": {"FNAME": "Zoë", "LTV": 1.5},
        }
        for address in addresses
    ]  # fmt: skip
    batch = sdk.lists.batch_list_members(audience, {"members": rows, "update_existing": False})
    assert [error["error_code"] for error in batch["errors"]] == ["ERROR_CONTACT_EXISTS"] * 2
    ours, theirs = written(heard)
    assert ours == theirs


def test_lumio_adds_members_with_tags_as_the_client_does(
    sdk: Any, audience: str, lumio: Lumio, heard: list[Request]
) -> None:
    values = {"list_id": audience, "email_address": "a@example.com", "tags": '["b","a"]'}
    (receipt,) = lumio.write(Change("create", "t", values=values))
    assert receipt.record is not None
    assert [tag["name"] for tag in receipt.record["tags"]] == ["a", "b"]
    body = {"email_address": "a@example.com", "status": "pending", "tags": ["a", "b"]}
    assert refusal(sdk.lists.add_list_member, audience, body)["title"] == "Member Exists"
    ours, theirs = written(heard)
    assert ours == theirs


def test_lumio_changes_and_archives_members_as_the_client_does(
    sdk: Any, audience: str, lumio: Lumio, heard: list[Request]
) -> None:
    contact = members(sdk, audience, "subscribed")[0]
    body = {"merge_fields": {"FNAME": "Zoë", "LTV": 12, "NOTE": ""}, "vip": False, "language": "pt"}
    sdk.lists.update_list_member(audience, contact, body)
    values = {"fname": "Zoë", "ltv": "12", "note": None, "vip": "false", "language": "pt"}
    (changed,) = lumio.write(Change("update", "t", id=f"{audience}:{contact}", values=values))
    name = subscriber_hash("zoe@example.com")
    upsert = {"email_address": "Zoe@example.com", "status_if_new": "pending", "vip": True}
    sdk.lists.set_list_member(audience, name, upsert)
    values = {"list_id": audience, "vip": "1"}
    (upserted,) = lumio.write(Change("upsert", "t", id="Zoe@example.com", values=values))
    sdk.lists.delete_list_member(audience, contact)
    (archived,) = lumio.write(Change("archive", "t", id=f"{audience}:{contact}"))
    assert [changed.status, upserted.status, archived.status] == ["done"] * 3
    told = written(heard)
    assert [method for method, _, _ in told] == ["PATCH", "PATCH", "PUT", "PUT", "DELETE", "DELETE"]
    assert told[1::2] == told[::2]


def test_lumio_gives_and_takes_tags_as_the_client_does(
    sdk: Any, audience: str, lumio: Lumio, heard: list[Request]
) -> None:
    contact = members(sdk, audience, "subscribed")[0]
    for tag in sdk.lists.get_list_member_tags(audience, contact)["tags"]:
        gone = {"name": tag["name"], "status": "inactive"}
        sdk.lists.update_list_member_tags(audience, contact, {"tags": [gone]})
    sdk.lists.update_list_member_tags(
        audience, contact, {"tags": [{"name": name, "status": "active"} for name in ("old", "own")]}
    )
    heard.clear()
    change = Change("update", "t", id=f"{audience}:{contact}", values={"tags": '["own", "new"]'})
    assert [receipt.status for receipt in lumio.write(change)] == ["done"]
    tags = [{"name": "new", "status": "active"}, {"name": "old", "status": "inactive"}]
    sdk.lists.update_list_member_tags(audience, contact, {"tags": tags})
    ours, theirs = written(heard)
    assert ours == theirs
    read = sdk.lists.get_list_member_tags(audience, contact)["tags"]
    assert [tag["name"] for tag in read] == ["own", "new"]


def test_lumio_hands_over_a_batch_as_the_client_does(
    sdk: Any, audience: str, lumio: Lumio, heard: list[Request]
) -> None:
    contacts = [*members(sdk, audience, "subscribed")[:2], ABSENT]
    lumio.provider.options = {**lumio.provider.options, "bulk_from": 2}
    receipts = lumio.write(
        *(
            Change("update", c[:6], id=f"{audience}:{c}", values={"fname": "Zoë", "vip": "true"})
            for c in contacts
        )
    )
    told = {receipt.trace: (receipt.status, receipt.kind) for receipt in receipts}
    batch = finished(
        sdk,
        [
            operation("PATCH", f"/lists/{audience}/members/{c}", c[:6],
                      {"merge_fields": {"FNAME": "Zoë"}, "vip": True})
            for c in contacts
        ],
    )  # fmt: skip
    bodies = written(heard)
    for _, _, body in bodies:
        for one in body["operations"]:
            one["body"] = json.loads(one["body"])
    ours, theirs = bodies
    assert ours == theirs
    assert {name: status for name, (status, _) in results(sdk, batch["id"]).items()} == {
        contacts[0][:6]: 200, contacts[1][:6]: 200, "000000": 404,
    }  # fmt: skip
    assert told == {
        contacts[0][:6]: ("done", ""), contacts[1][:6]: ("done", ""), "000000": ("failed", "gone"),
    }  # fmt: skip


def test_lumio_sends_campaigns_as_the_client_does(
    sdk: Any, audience: str, lumio: Lumio, heard: list[Request]
) -> None:
    sender = {"subject": "S", "from_name": "F", "reply_to": "f@example.com", "title": "T"}
    ours = lumio.deliver("campaign", audience, **sender, html="<p>x</p>", text="x").id
    lumio.deliver("test", "t@example.com", campaign=ours, format="html")
    lumio.deliver("schedule", ours, at=LATER)
    sdk.campaigns.unschedule(ours)
    lumio.deliver("send", ours)
    assert sdk.campaigns.get(ours)["status"] == "sent"
    told = [one for one in written(heard) if not one[1].endswith("/unschedule")]
    heard.clear()
    settings = {**SETTINGS, "title": "T [own-key]"}
    body = {"type": "regular", "recipients": {"list_id": audience}, "settings": settings}
    theirs = sdk.campaigns.create(body)["id"]
    sdk.campaigns.set_content(theirs, {"html": "<p>x</p>", "plain_text": "x"})
    sdk.campaigns.send_test_email(theirs, {"test_emails": ["t@example.com"], "send_type": "html"})
    sdk.campaigns.schedule(theirs, {"schedule_time": LATER})
    sdk.campaigns.unschedule(theirs)
    sdk.campaigns.send(theirs)
    meant = [
        (method, path.replace(theirs, ours), body)
        for method, path, body in written(heard)
        if not path.endswith("/unschedule")
    ]
    assert told == meant


def test_lumio_meets_what_the_client_did(sdk: Any, audience: str, lumio: Lumio) -> None:
    one, two = members(sdk, audience, "subscribed")[:2]
    address = sdk.lists.get_list_member(audience, two)["email_address"]
    sdk.lists.delete_list_member_permanent(audience, one)
    taken = Change("create", "a", values={"list_id": audience, "email_address": address})
    gone = Change("update", "b", id=f"{audience}:{one}", values={"vip": "true"})
    receipts = [*lumio.write(taken), *lumio.write(gone)]
    assert [(r.status, r.kind) for r in receipts] == [("failed", "conflict"), ("failed", "gone")]

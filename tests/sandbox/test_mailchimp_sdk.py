"""Mailchimp's official client works against the look-alike, and reads what it expects to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lumio_cli.sandbox import Sandbox

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

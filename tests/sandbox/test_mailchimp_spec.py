"""Every answer of the look-alike fits Mailchimp's own description, success and error alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from lumio_cli.sandbox import Sandbox
from support import mailchimp_spec


@pytest.fixture(autouse=True)
def _description() -> None:
    mailchimp_spec.directory()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(records=60, seed=7, quota="none", providers=["mailchimp"]) as running:
        yield running


class Checked:
    """Sends requests; fails where a request or an answer does not fit the description."""

    def __init__(self, sandbox: Sandbox, token: str = "full") -> None:
        self.base = sandbox.base_url("mailchimp")
        self.auth = ("sandbox", sandbox.token("mailchimp", token))

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        status: int = 200,
        query: dict[str, str] | None = None,
        strict: bool = True,
    ) -> Any:
        answer = httpx.request(
            method, f"{self.base}{path}", params=query, json=body, auth=self.auth, trust_env=False
        )
        parsed = answer.json() if answer.content else None
        assert answer.status_code == status, answer.text
        kind = answer.headers.get("content-type", "").partition(";")[0]
        assert kind == ("application/problem+json" if status >= 400 else "application/json") or (
            status == 204
        )
        assert mailchimp_spec.validate_response(method, path, status, parsed) == []
        if strict:
            assert mailchimp_spec.validate_request(method, path, query, body) == []
        return parsed


@pytest.fixture
def call(sandbox: Sandbox) -> Checked:
    return Checked(sandbox)


@pytest.fixture
def one(call: Checked) -> str:
    """The path of the first audience."""
    listed = call("GET", "/3.0/lists", query={"fields": "lists.id"})
    return f"/3.0/lists/{listed['lists'][0]['id']}"


def test_the_account_and_its_audiences(call: Checked) -> None:
    call("GET", "/3.0/")
    call("GET", "/3.0/ping")
    page = call("GET", "/3.0/lists", query={"count": "2", "sort_field": "date_created"})
    assert page["total_items"] == 3 and page["lists"][0]["stats"]["member_count"]
    call("GET", f"/3.0/lists/{page['lists'][0]['id']}")
    call("GET", "/3.0/lists/nope", status=404)
    contact = {"company": "A", "address1": "1 Main St", "city": "Natal", "country": "BR"}
    defaults = {"from_name": "A", "from_email": "a@example.com", "subject": "", "language": "pt"}
    new = {
        "name": "Nóva", "contact": contact, "permission_reminder": "You asked.",
        "campaign_defaults": defaults, "email_type_option": False,
    }  # fmt: skip
    made = call("POST", "/3.0/lists", new)
    call("PATCH", f"/3.0/lists/{made['id']}", {"name": "Nova"}, strict=False)
    call("DELETE", f"/3.0/lists/{made['id']}", status=204)
    call("POST", "/3.0/lists", {"name": "x"}, status=400, strict=False)


def test_members(call: Checked, one: str) -> None:
    query = {"count": "5", "sort_field": "last_changed", "sort_dir": "ASC"}
    page = call("GET", f"{one}/members", query=query)
    member = f"{one}/members/{page['members'][0]['id']}"
    call("GET", member)
    assert call("GET", f"{one}/members", query={"status": "archived"})["members"]
    call("GET", f"{one}/members", query={"count": "1001"}, status=400, strict=False)
    call("GET", f"{one}/members", query={"unsubscribed_since": "2025-01-01"}, status=400)
    new = {"email_address": "new@example.com", "status": "pending", "tags": ["a"]}
    made = call("POST", f"{one}/members", new)
    assert made["tags"][0]["name"] == "a"
    call("POST", f"{one}/members", new, status=400)
    body = {"email_address": "new@example.com", "status_if_new": "subscribed", "vip": True}
    assert call("PUT", f"{one}/members/{made['id']}", body)["status"] == "pending"
    call("PATCH", f"{one}/members/{made['id']}", {"status": "subscribed"})
    call("PATCH", f"{one}/members/{made['id']}", {"merge_fields": {"LTV": "x"}}, status=400)
    tags = {"tags": [{"name": "b", "status": "active"}, {"name": "a", "status": "inactive"}]}
    call("POST", f"{one}/members/{made['id']}/tags", tags, status=204)
    assert [t["name"] for t in call("GET", f"{one}/members/{made['id']}/tags")["tags"]] == ["b"]
    call("DELETE", f"{one}/members/{made['id']}", status=204)
    call("DELETE", f"{one}/members/{made['id']}", status=405)
    call("POST", f"{one}/members/{made['id']}/actions/delete-permanent", status=204)
    call("GET", f"{one}/members/{made['id']}", status=404)
    call("GET", "/3.0/search-members", query={"query": page["members"][1]["email_address"]})


def test_many_members_at_once(call: Checked, one: str) -> None:
    rows = [
        {"email_address": f"m{n}@example.com", "status": "subscribed"} for n in range(3)
    ] + [{"email_address": "nobody", "status": "subscribed"}]  # fmt: skip
    answer = call("POST", one, {"members": rows, "update_existing": False})
    assert (answer["total_created"], answer["error_count"]) == (3, 1)
    answer = call("POST", one, {"members": rows[:1], "update_existing": True})
    assert answer["total_updated"] == 1
    call("POST", one, {"members": rows[:1] * 501}, status=400)


def test_merge_fields_interests_and_tags(call: Checked, one: str) -> None:
    fields = call("GET", f"{one}/merge-fields", query={"count": "100"})["merge_fields"]
    assert {"FNAME", "ADDRESS", "LTV"} <= {field["tag"] for field in fields}
    made = call("POST", f"{one}/merge-fields", {"name": "Shoe", "type": "number", "tag": "SHOE"})
    call("POST", f"{one}/merge-fields", {"name": "S", "type": "text", "tag": "SHOE"}, status=400)
    path = f"{one}/merge-fields/{made['merge_id']}"
    call("GET", path)
    call("PATCH", path, {"name": "Größe"}, strict=False)
    call("DELETE", path, status=204)
    category = call("GET", f"{one}/interest-categories")["categories"][0]["id"]
    call("GET", f"{one}/interest-categories/{category}/interests")
    call("GET", f"{one}/tag-search", query={"name": "new"})


def test_segments(call: Checked, one: str) -> None:
    page = call("GET", f"{one}/segments", query={"count": "3", "type": "static"})
    assert page["segments"][0]["id"] > 2**53
    known = call("GET", f"{one}/members", query={"count": "1"})["members"][0]["email_address"]
    made = call("POST", f"{one}/segments", {"name": "Ünique", "static_segment": [known]})
    path = f"{one}/segments/{made['id']}"
    call("GET", path)
    body = {"members_to_add": [known, "nobody@example.com"], "members_to_remove": []}
    assert call("POST", path, body)["error_count"] == 1
    assert call("GET", f"{path}/members")["members"][0]["email_address"] == known
    call("PATCH", path, {"name": "Other"})
    call("DELETE", path, status=204)
    call("GET", path, status=404)


def test_campaigns_from_draft_to_sent(call: Checked, one: str) -> None:
    page = call("GET", "/3.0/campaigns", query={"count": "2", "sort_field": "create_time"})
    sent = page["campaigns"][0]["id"]
    call("GET", f"/3.0/campaigns/{sent}")
    call("GET", f"/3.0/reports/{sent}")
    settings = {"subject_line": "Olá", "from_name": "A", "reply_to": "a@example.com"}
    list_id = one.rpartition("/")[2]
    body = {"type": "regular", "recipients": {"list_id": list_id}, "settings": settings}
    made = call("POST", "/3.0/campaigns", body)
    path = f"/3.0/campaigns/{made['id']}"
    assert not call("GET", f"{path}/send-checklist")["is_ready"]
    call("POST", f"{path}/actions/send", status=400)
    call("PUT", f"{path}/content", {"html": "<p>Olá</p>"})
    call("GET", f"{path}/content")
    assert call("GET", f"{path}/send-checklist")["is_ready"]
    test = {"test_emails": ["me@example.com"], "send_type": "html"}
    call("POST", f"{path}/actions/test", test, status=204)
    call("POST", f"{path}/actions/schedule", {"schedule_time": "2030-01-01T10:07:00+00:00"},
         status=400)  # fmt: skip
    moment = {"schedule_time": "2030-01-01T10:15:00+00:00"}
    call("POST", f"{path}/actions/schedule", moment, status=204)
    call("POST", f"{path}/actions/unschedule", status=204)
    call("POST", f"{path}/actions/send", status=204)
    call("POST", f"{path}/actions/send", status=400)
    copy = call("POST", f"{path}/actions/replicate")
    call("PATCH", f"/3.0/campaigns/{copy['id']}", {"settings": settings})
    call("DELETE", f"/3.0/campaigns/{copy['id']}", status=204)
    call("GET", "/3.0/campaigns", query={"status": "sent", "list_id": list_id, "count": "1"})
    call(
        "GET", "/3.0/reports", query={"count": "1", "since_send_time": "2025-02-01T00:00:00+00:00"}
    )
    call("POST", "/3.0/campaigns", {"type": "letter"}, status=400, strict=False)


def test_automations_and_templates(call: Checked) -> None:
    flow = call("GET", "/3.0/automations", query={"count": "2"})["automations"][0]["id"]
    call("GET", f"/3.0/automations/{flow}")
    call("POST", f"/3.0/automations/{flow}/actions/pause-all-emails", status=204)
    call("GET", "/3.0/templates")


def test_batches(call: Checked, one: str) -> None:
    work = [{"method": "GET", "path": one.removeprefix("/3.0"), "operation_id": "a"}]
    made = call("POST", "/3.0/batches", {"operations": work})
    call("GET", "/3.0/batches")
    call("GET", f"/3.0/batches/{made['id']}")
    done = call("GET", f"/3.0/batches/{made['id']}")
    assert done["status"] == "finished" and done["response_body_url"]
    call("DELETE", f"/3.0/batches/{made['id']}", status=204)
    call("POST", "/3.0/batches", {"operations": []}, status=400)


@pytest.mark.parametrize(("token", "status"), [("expired", 401), ("disabled", 403)])
def test_refusals(sandbox: Sandbox, token: str, status: int) -> None:
    refused = Checked(sandbox, token)
    for path in ("/3.0/", "/3.0/lists", "/3.0/campaigns", "/3.0/batches"):
        refused("GET", path, status=status)


def test_the_judge_rejects_what_is_wrong() -> None:
    """A check that cannot fail is worse than none."""
    page = {"members": [{"id": 5, "last_changed": "yesterday"}], "total_items": "many"}
    assert len(mailchimp_spec.validate_response("GET", "/3.0/lists/a/members", 200, page)) == 3
    assert mailchimp_spec.validate_response("GET", "/3.0/lists", 200, {})
    assert mailchimp_spec.validate_response("GET", "/3.0/nope", 200, {})
    assert mailchimp_spec.validate_response("GET", "/3.0/lists", 404, {"message": "x"})
    assert mailchimp_spec.validate_request("GET", "/3.0/lists", {"count": "1001"})
    assert mailchimp_spec.validate_request("GET", "/3.0/lists", {"page": "1"})
    assert mailchimp_spec.validate_request("PUT", "/3.0/lists/a/members/b", {}, {"vip": True})
    assert mailchimp_spec.validate_request("POST", "/3.0/lists/a/members/b/tags", {}, {"tag": []})

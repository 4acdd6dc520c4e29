"""What the look-alike of Mailchimp does beyond shapes: filters, writes, batches, access, faults."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, cast

import httpx
import pytest

from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.lookalike import CLIENT_ID, CLIENT_SECRET
from lumio_cli.sandbox.mailchimp import Mailchimp
from lumio_cli.sandbox.mailchimp.data import hash_of

NOW = 1_795_000_000.0
Make = Callable[..., tuple[Mailchimp, httpx.Client]]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes an account with options of its own, and a client of it."""
    opened: list[Any] = []

    def build(token: str = "full", **options: Any) -> tuple[Mailchimp, httpx.Client]:
        options = {"records": 60, "seed": 7, "quota": "none", "clock": lambda: NOW, **options}
        running = Sandbox(providers=["mailchimp"], **options).start()
        client = httpx.Client(
            base_url=running.base_url("mailchimp"),
            headers={"Authorization": f"Bearer {running.token('mailchimp', token)}"},
            trust_env=False,
        )
        opened.extend((client, running))
        return cast(Mailchimp, running.providers["mailchimp"]), client

    yield build
    for item in opened:
        item.close()


def members(account: Mailchimp, position: int = 0) -> str:
    return f"/3.0/lists/{list(account.rooms)[position]}/members"


def listed(client: httpx.Client, path: str, **query: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while True:
        page = client.get(path, params={"count": 7, "offset": len(rows), **query}).json()
        found = next(page[n] for n in page if isinstance(page[n], list) and n != "_links")
        rows += found
        if len(rows) >= page["total_items"] or not found:
            return rows


# data and listings


def test_the_same_seed_gives_the_same_records() -> None:
    def dump(seed: int) -> list[Any]:
        account = cast(Mailchimp, Sandbox(records=40, seed=seed).providers["mailchimp"])
        return [list(table) for table in account.tables.values()]

    assert dump(3) == dump(3) != dump(4)


def test_a_person_is_in_several_audiences_with_the_same_hash(make: Make) -> None:
    account, client = make()
    first, second = (listed(client, members(account, n)) for n in (0, 1))
    shared = {m["id"] for m in first} & {m["id"] for m in second}
    assert shared
    contacts = [m["contact_id"] for m in (*first, *second)]
    assert len(set(contacts)) == len(contacts)
    assert all(m["id"] == hash_of(m["email_address"]) for m in first)


def test_ten_come_unless_more_are_asked_for_and_a_thousand_at_most(make: Make) -> None:
    account, client = make(records=4000)
    path = members(account)
    assert len(client.get(path).json()["members"]) == 10
    page = client.get(path, params={"count": 1000, "exclude_fields": "members._links"}).json()
    assert len(page["members"]) == 1000 and page["total_items"] == 2000
    refused = client.get(path, params={"count": 1001})
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["field"] == "count"


def test_parts_of_answers(make: Make) -> None:
    account, client = make()
    path = members(account)
    only = client.get(path, params={"fields": "members.id,total_items", "count": 2}).json()
    assert set(only) == {"members", "total_items"} and set(only["members"][0]) == {"id"}
    less = client.get(path, params={"exclude_fields": "members._links,_links,list_id"}).json()
    assert "_links" not in less and "_links" not in less["members"][0] and "list_id" not in less
    both = client.get(path, params={"fields": "a", "exclude_fields": "b"})
    assert both.status_code == 400


def test_changes_are_after_a_second_and_before_another(make: Make) -> None:
    now = [NOW]
    account, client = make(clock=lambda: now[0])
    room = next(iter(account.rooms.values()))
    path, (one, two, three, *_) = members(account), room.members.ids()
    for contact, moment in ((one, NOW + 0.4), (two, NOW + 1.9), (three, NOW + 3)):
        now[0] = moment
        room.update(contact, {"language": "fr"})

    def changed(**query: str) -> list[str]:
        query = {"sort_field": "last_changed", "sort_dir": "ASC", **query}
        return [row["contact_id"] for row in listed(client, path, **query)]

    def at(second: int) -> str:
        return datetime.fromtimestamp(NOW + second, UTC).isoformat()

    assert client.get(path, params={"sort_field": "last_changed", "sort_dir": "DESC"}).json()[
        "members"
    ][0]["last_changed"] == at(3)
    assert changed(since_last_changed=at(0)) == [two, three]
    assert changed(since_last_changed=at(-1)) == [one, two, three]
    assert changed(since_last_changed=at(-1), before_last_changed=at(1)) == [one]
    # What is no time as Mailchimp writes it is ignored, and everything comes.
    everything = len(room.members)
    assert len(changed(since_last_changed=at(0).replace("+", ".5000000+"))) == everything
    assert len(changed(since_last_changed=at(0).replace("+", " "))) == everything


def test_archived_members_are_listed_only_by_their_status(make: Make) -> None:
    account, client = make(records=200)
    path = members(account)
    before = len(listed(client, path))
    gone = next(m for m in listed(client, path) if m["status"] == "subscribed")
    assert client.delete(f"{path}/{gone['id']}").status_code == 204
    live = listed(client, path)
    assert len(live) == before - 1 and all(m["status"] != "archived" for m in live)
    archived = listed(client, path, status="archived")
    assert gone["contact_id"] in {m["contact_id"] for m in archived}
    assert {m["status"] for m in archived} == {"archived"}
    again = {"email_address": gone["email_address"], "status": "subscribed"}
    assert client.post(path, json=again).json()["title"] == "Member Exists"
    (error,) = client.post(path.removesuffix("/members"), json={"members": [again]}).json()[
        "errors"
    ]
    assert error["error_code"] == "ERROR_CONTACT_EXISTS"
    wrong = client.patch(f"{path}/{gone['id']}", json={**again, "merge_fields": {"LTV": "x"}})
    assert wrong.status_code == 400
    assert client.get(f"{path}/{gone['id']}").json()["status"] == "archived"
    back = client.patch(f"{path}/{gone['id']}", json=again).json()
    assert (back["status"], back["contact_id"]) == ("subscribed", gone["contact_id"])


# writes


@pytest.mark.parametrize(
    ("body", "title"),
    [
        ({"email_address": "nobody", "status": "subscribed"}, "Invalid Resource"),
        ({"email_address": "fake@example.com", "status": "subscribed"}, "Invalid Resource"),
        ({"email_address": "a@example.com", "status": "archived"}, "Invalid Resource"),
        ({"email_address": "a@example.com"}, "Invalid Resource"),
    ],
)
def test_invalid_members(make: Make, body: dict[str, str], title: str) -> None:
    account, client = make()
    answer = client.post(members(account), json=body)
    assert (answer.status_code, answer.json()["title"]) == (400, title)


def test_who_left_cannot_be_brought_back(make: Make) -> None:
    account, client = make(records=200)
    path = members(account)
    left = next(m for m in listed(client, path) if m["status"] == "unsubscribed")
    answer = client.patch(f"{path}/{left['id']}", json={"status": "subscribed"})
    assert answer.json()["title"] == "Member In Compliance State"
    assert client.patch(f"{path}/{left['id']}", json={"status": "pending"}).status_code == 200
    known = next(m for m in listed(client, path) if m["status"] == "subscribed")
    for status in ("unsubscribed", "subscribed"):
        one = client.patch(f"{path}/{known['id']}", json={"status": status})
        assert one.status_code == 200


def test_the_forgotten_stay_forgotten(make: Make) -> None:
    account, client = make()
    path = members(account)
    row = listed(client, path)[0]
    assert client.post(f"{path}/{row['id']}/actions/delete-permanent").status_code == 204
    again = {"email_address": row["email_address"], "status": "subscribed"}
    assert client.post(path, json=again).json()["title"] == "Forgotten Email Not Subscribed"


def test_an_upsert_leaves_the_status_alone_and_follows_a_new_address(make: Make) -> None:
    account, client = make()
    path = members(account)
    row = listed(client, path)[0]
    body = {"email_address": "Moved@example.com", "status_if_new": "pending"}
    moved = client.put(f"{path}/{row['id']}", json=body).json()
    assert (moved["status"], moved["contact_id"]) == (row["status"], row["contact_id"])
    assert moved["id"] == hash_of("moved@example.com") != row["id"]
    assert client.get(f"{path}/{row['id']}").status_code == 404
    for name in ("moved%40example.com", row["contact_id"]):
        assert client.get(f"{path}/{name}").json()["id"] == moved["id"]


def test_merge_fields_are_checked_and_unknown_ones_dropped(make: Make) -> None:
    account, client = make()
    path = members(account, 2)
    bare = {"email_address": "new@example.com", "status": "subscribed"}
    assert client.post(path, json=bare).json()["errors"][0]["field"] == "FNAME"
    made = client.post(path, params={"skip_merge_validation": "true"}, json=bare)
    assert made.status_code == 200
    body = {"merge_fields": {"FNAME": "Zoë", "NOPE": "x"}}
    row = client.patch(f"{path}/{made.json()['id']}", json=body).json()
    assert (row["merge_fields"], row["full_name"]) == ({"FNAME": "Zoë", "LNAME": ""}, "Zoë")


def test_a_batch_of_members_is_answered_row_by_row(make: Make) -> None:
    account, client = make()
    path = members(account)
    known = next(m for m in listed(client, path) if m["status"] == "subscribed")
    rows = [
        {"email_address": "one@example.com", "status": "subscribed"},
        {"email_address": "ONE@example.com", "status": "subscribed"},
        {"email_address": known["email_address"], "status": "subscribed"},
        {"email_address": "bad", "status": "subscribed"},
    ]
    url = path.removesuffix("/members")
    answer = client.post(url, json={"members": rows}).json()
    assert [m["email_address"] for m in answer["new_members"]] == ["one@example.com"]
    codes = {e["email_address"]: e["error_code"] for e in answer["errors"]}
    assert codes[known["email_address"]] == "ERROR_CONTACT_EXISTS"
    assert codes["bad"] == codes["ONE@example.com"] == "ERROR_GENERIC"
    answer = client.post(url, json={"members": rows[2:3], "update_existing": True}).json()
    assert (answer["total_updated"], answer["error_count"]) == (1, 0)


# batches


def test_a_batch_is_asked_about_and_its_archive_unpacked(make: Make) -> None:
    now = [NOW]
    account, client = make(clock=lambda: now[0])
    path = members(account).removeprefix("/3.0")
    body = {"email_address": "late@example.com", "status_if_new": "subscribed"}
    work = [
        {"method": "PUT", "path": f"{path}/{hash_of('late@example.com')}", "operation_id": "good",
         "body": json.dumps(body)},
        {"method": "PATCH", "path": f"{path}/nope", "operation_id": "bad", "body": "{}"},
        {"method": "GET", "path": path, "operation_id": "page", "params": {"count": "1"}},
    ]  # fmt: skip
    batch = client.post("/3.0/batches", json={"operations": work}).json()
    assert (batch["status"], batch["response_body_url"]) == ("pending", "")
    one = f"/3.0/batches/{batch['id']}"
    assert client.get(one).json()["status"] == "preprocessing"
    done = client.get(one).json()
    assert (done["status"], done["errored_operations"]) == ("finished", 1)
    url = done["response_body_url"]
    assert client.get(url).status_code == 400  # with a credential
    raw = httpx.get(url, trust_env=False).content
    results: dict[str, Any] = {}
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        files = [tar.extractfile(m) for m in tar.getmembers() if m.isfile()]
        parts = [f.read() for f in files if f is not None]
    assert b"" in parts
    for part in filter(None, parts):
        results |= {r["operation_id"]: r for r in json.loads(part)}
    assert {k: r["status_code"] for k, r in results.items()} == {
        "good": 200, "bad": 404, "page": 200,
    }  # fmt: skip
    assert json.loads(results["good"]["response"])["email_address"] == "late@example.com"
    now[0] += 601
    assert httpx.get(url, trust_env=False).status_code == 403
    fresh = client.get(one).json()["response_body_url"]
    assert httpx.get(fresh, trust_env=False).status_code == 200


# campaigns


def test_a_scheduled_campaign_is_sent_when_its_time_has_come(make: Make) -> None:
    now = [NOW]
    account, client = make(clock=lambda: now[0])
    body = {
        "type": "regular", "recipients": {"list_id": next(iter(account.rooms))},
        "settings": {"subject_line": "S", "from_name": "F", "reply_to": "a@example.com"},
    }  # fmt: skip
    path = f"/3.0/campaigns/{client.post('/3.0/campaigns', json=body).json()['id']}"
    client.put(f"{path}/content", json={"html": "<p>x</p>"})
    moment = {"schedule_time": "2026-11-18T15:00:00+00:00"}
    assert client.post(f"{path}/actions/schedule", json=moment).status_code == 204
    assert client.get(path).json()["status"] == "schedule"
    now[0] += 86_400
    assert client.get(path).json()["status"] == "sent"
    assert client.get(path.replace("campaigns", "reports")).status_code == 200
    past = client.post(f"{path}/actions/schedule", json=moment)
    assert past.status_code == 400


# access


def test_keys_come_by_basic_or_bearer(make: Make) -> None:
    account, client = make()
    key = account.vault.names["full"]
    for auth in (httpx.BasicAuth("anystring", key), None):
        assert client.get("/3.0/ping", auth=auth).status_code == 200
    none = client.get("/3.0/ping", headers={"Authorization": ""})
    assert (none.status_code, none.json()["title"]) == (401, "API Key Missing")


def test_a_viewer_reads_and_does_not_write(make: Make) -> None:
    account, client = make("viewer")
    assert client.get("/3.0/").json()["role"] == "viewer"
    assert client.get(members(account)).status_code == 200
    answer = client.post("/3.0/campaigns", json={"type": "regular"})
    assert (answer.status_code, answer.json()["title"]) == (403, "Forbidden")


def test_oauth_gives_a_token_for_good_and_tells_its_data_centre(make: Make) -> None:
    _, client = make()
    back = "http://127.0.0.1:18926/callback"
    query = {"response_type": "code", "client_id": CLIENT_ID, "redirect_uri": back, "state": "s"}
    location = client.get("/oauth2/authorize", params=query).headers["location"]
    form = {
        "grant_type": "authorization_code", "client_id": CLIENT_ID, "redirect_uri": back,
        "client_secret": CLIENT_SECRET, "code": httpx.URL(location).params["code"],
    }  # fmt: skip
    issued = client.post("/oauth2/token", data=form).json()
    assert (issued["expires_in"], issued["scope"]) == (0, None) and "refresh_token" not in issued
    assert client.post("/oauth2/token", data=form).json()["error"] == "invalid_grant"
    headers = {"Authorization": f"OAuth {issued['access_token']}"}
    assert client.get("/oauth2/metadata", headers=headers).json()["dc"] == "us6"
    headers = {"Authorization": f"Bearer {issued['access_token']}"}
    assert client.get("/3.0/lists", headers=headers).status_code == 200
    # A token that is no good is told so with the status of a good one.
    bad = client.get("/oauth2/metadata", headers={"Authorization": "OAuth nobody"})
    assert bad.status_code == 200 and "api_endpoint" not in bad.json()


def test_the_eleventh_connection_at_the_same_moment_is_refused(make: Make) -> None:
    account, client = make(quota="connections=2")
    statuses: list[int] = []
    with account.lock:  # whoever asks has to wait
        threads = [
            threading.Thread(target=lambda: statuses.append(client.get("/3.0/ping").status_code))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        while not statuses:
            pass
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 200, 429]
    assert account.over_quota() == 1


# faults


@pytest.mark.parametrize("path", ["campaigns", "reports", "automations", "lists", "members"])
def test_faults_of_content(make: Make, path: str) -> None:
    account, client = make()
    url = members(account) if path == "members" else f"/3.0/{path}"
    key = "contact_id" if path == "members" else "id"
    running = client.get(url).json()
    provider = cast(Any, account)
    request = type("R", (), {"path": url, "query": {}, "headers": {}, "base_url": "x"})()

    def spoilt(kind: str, argument: str | None = None) -> Any:
        return provider.distort(kind, argument, request, json.loads(json.dumps(running)))

    assert spoilt("empty")[path] == [] and spoilt("empty")["total_items"] == 0
    assert "id" not in spoilt("noid")[path][0]
    assert spoilt("badid", "number")[path][0][key] == 9007199254740993
    assert len(spoilt("huge", "1")[path][0]["huge"]) == 1_000_000

"""How the look-alike of Pipedrive behaves: cursors, filters, deletions, writes, limits, OAuth."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.lookalike import CLIENT_ID, CLIENT_SECRET
from lumio_cli.sandbox.pipedrive import Pipedrive

Open = Callable[..., "Desk"]
NOON = 1_790_000_000.0


class Desk:
    """A running look-alike, the account behind it, a client, and a clock that stands still."""

    def __init__(self, **options: Any) -> None:
        self.now = NOON
        options = {"records": 25, "seed": 7, "quota": "none", **options}
        self.sandbox = Sandbox(clock=lambda: self.now, providers=("pipedrive",), **options).start()
        self.account = cast("Pipedrive", self.sandbox.providers["pipedrive"])
        self.http = self.client("full")

    def client(self, token: str) -> httpx.Client:
        headers = {"x-api-token": self.sandbox.token("pipedrive", token)}
        base = self.sandbox.base_url("pipedrive")
        return httpx.Client(base_url=base, headers=headers, trust_env=False, timeout=10)

    def ids(self, path: str, **query: Any) -> list[int]:
        """The ids of all pages."""
        found: list[int] = []
        cursor: str | None = ""
        while cursor is not None:
            params = {"limit": 10, **query, **({"cursor": cursor} if cursor else {})}
            body = self.http.get(f"/api/v2/{path}", params=params).json()
            found += [row["id"] for row in body["data"]]
            cursor = body["additional_data"]["next_cursor"]
        return found

    def close(self) -> None:
        self.http.close()
        self.sandbox.close()


@pytest.fixture
def open_desk() -> Iterator[Open]:
    opened: list[Desk] = []

    def build(**options: Any) -> Desk:
        opened.append(Desk(**options))
        return opened[-1]

    yield build
    for desk in opened:
        desk.close()


@pytest.fixture
def desk(open_desk: Open) -> Desk:
    return open_desk()


# -- listings


def test_pages_by_cursor_have_every_record_once(desk: Desk) -> None:
    assert desk.ids("deals") == list(range(1, 26))
    assert desk.ids("deals", sort_direction="desc") == list(range(25, 0, -1))
    assert sorted(desk.ids("deals", sort_by="update_time")) == list(range(1, 26))


def test_a_cursor_says_where_it_is_and_in_which_order(desk: Desk) -> None:
    page = desk.http.get("/api/v2/persons", params={"limit": 7}).json()
    cursor = page["additional_data"]["next_cursor"]
    place = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    assert place == b'{"field":"id","fieldValue":7,"sortDirection":"asc","id":7}'
    for params in ({"cursor": "nonsense"}, {"cursor": cursor, "sort_by": "add_time"}):
        assert desk.http.get("/api/v2/persons", params=params).status_code == 400


def test_a_page_has_100_records_unless_told_and_at_most_500(open_desk: Open) -> None:
    desk = open_desk(records=501)
    assert len(desk.http.get("/api/v2/deals").json()["data"]) == 100
    assert len(desk.http.get("/api/v2/deals", params={"limit": 500}).json()["data"]) == 500
    assert desk.http.get("/api/v2/deals", params={"limit": 501}).status_code == 400


@pytest.mark.parametrize(
    ("path", "name"),
    [("products", "updated_until"), ("activities", "type"), ("stages", "updated_since")],
)
def test_parameters_that_an_endpoint_does_not_have_are_refused(
    desk: Desk, path: str, name: str
) -> None:
    answer = desk.http.get(f"/api/v2/{path}", params={name: "2026-01-01T00:00:00Z"})
    assert answer.status_code == 400
    assert name in answer.json()["error"]


def test_since_is_inclusive_and_until_is_not(desk: Desk) -> None:
    desk.account.tables["persons"].update("3", {"name": "Changed"})
    moment = desk.http.get("/api/v2/persons/3").json()["data"]["update_time"]
    assert desk.ids("persons", updated_since=moment) == [3]
    assert 3 not in desk.ids("persons", updated_until=moment)
    desk.now += 1
    desk.account.tables["persons"].update("4", {"name": "Later"})
    assert desk.ids("persons", updated_since=moment) == [3, 4]
    later = desk.http.get("/api/v2/persons/4").json()["data"]["update_time"]
    assert desk.ids("persons", updated_since=moment, updated_until=later) == [3]


def test_a_bad_time_is_refused(desk: Desk) -> None:
    for text in ("yesterday", "2026-01-01 00:00:00", "2026-02-30T00:00:00Z"):
        answer = desk.http.get("/api/v2/deals", params={"updated_since": text})
        assert answer.status_code == 400, text


def test_deleted_deals_are_listed_for_thirty_days(desk: Desk) -> None:
    assert desk.http.delete("/api/v2/deals/5").json() == {"success": True, "data": {"id": 5}}
    assert 5 not in desk.ids("deals")
    assert desk.ids("deals", status="deleted") == [5]
    gone = desk.http.get("/api/v2/deals/5").json()["data"]
    assert (gone["status"], gone["is_deleted"]) == ("deleted", True)
    assert desk.http.patch("/api/v2/deals/5", json={"title": "x"}).status_code == 404
    desk.now += 31 * 86_400
    assert desk.ids("deals", status="deleted") == []
    assert desk.http.get("/api/v2/deals/5").status_code == 404


def test_archived_deals_have_a_listing_of_their_own_and_cannot_be_changed(desk: Desk) -> None:
    desk.account.archive("7")
    assert 7 not in desk.ids("deals")
    assert desk.ids("deals/archived") == [7]
    assert desk.http.patch("/api/v2/deals/7", json={"title": "x"}).status_code == 400


def test_deals_are_filtered_by_what_they_are_linked_to(desk: Desk) -> None:
    deals = list(desk.account.tables["deals"])
    stage = deals[0]["stage_id"]
    assert desk.ids("deals", stage_id=stage) == [d["id"] for d in deals if d["stage_id"] == stage]
    won = desk.ids("deals", status="won,lost")
    assert won == [d["id"] for d in deals if d["status"] in ("won", "lost")]
    assert desk.ids("deals", ids="3,9,4711") == [3, 9]


# -- custom fields


def test_custom_fields_lie_under_their_hashes_and_labels_come_when_asked_for(desk: Desk) -> None:
    fields = desk.http.get("/api/v2/dealFields", params={"limit": 500}).json()["data"]
    custom = {f["field_name"]: f for f in fields if f["is_custom_field"]}
    region = custom["Região de vendas"]
    assert len(region["field_code"]) == 40
    plain = desk.http.get("/api/v2/deals/1").json()["data"]["custom_fields"]
    assert plain[region["field_code"]] in {option["id"] for option in region["options"]}
    params = {"include_option_labels": "true"}
    shown = desk.http.get("/api/v2/deals", params=params).json()["data"][0]["custom_fields"]
    assert shown[region["field_code"]]["label"] in {o["label"] for o in region["options"]}


def test_a_listing_shows_the_custom_fields_that_are_asked_for(desk: Desk) -> None:
    codes = [f.code for f in desk.account.fields["deals"] if f.custom]
    one = desk.http.get("/api/v2/deals", params={"custom_fields": codes[0]}).json()
    assert list(one["data"][0]["custom_fields"]) == codes[:1]
    many = ",".join(codes * 2)
    assert desk.http.get("/api/v2/deals", params={"custom_fields": many}).status_code == 400


def test_definitions_are_paged(desk: Desk) -> None:
    first = desk.http.get("/api/v2/dealFields", params={"limit": 20}).json()
    cursor = first["additional_data"]["next_cursor"]
    rest = desk.http.get("/api/v2/dealFields", params={"limit": 20, "cursor": cursor}).json()
    assert rest["additional_data"]["next_cursor"] is None
    assert len(first["data"]) + len(rest["data"]) == len(desk.account.fields["deals"])


# -- writing


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"value": 5}, "title"),
        ({"title": ""}, "title"),
        ({"title": "x", "value": "5"}, "value"),
        ({"title": "x", "owner_id": 1.5}, "owner_id"),
        ({"title": "x", "person_id": 4711}, "person_id"),
        ({"title": "x", "status": "parked"}, "status"),
        ({"title": "x", "expected_close_date": "01.02.2026"}, "expected_close_date"),
        ({"title": "x", "unknown": 1}, "unknown"),
        ({"title": "x", "custom_fields": {"f" * 40: "y"}}, "custom_fields"),
    ],
)
def test_bodies_are_checked_strictly(desk: Desk, body: dict[str, Any], word: str) -> None:
    answer = desk.http.post("/api/v2/deals", json=body)
    assert answer.status_code == 400
    assert word in answer.json()["error"]
    assert desk.ids("deals") == list(range(1, 26))


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("Score", 1.5, "1.5"),
        ("Commission", {"value": 5, "currency": "EUR"}, {"currency": "EUR"}),
        ("Contract period", {"value": "2026-01-01", "until": "2026-02-01"}, "2026-01-01"),
        ("Tags", None, []),
        ("Região de vendas", 101, 4711),
        ("契約番号", "第1号", "x" * 256),
        ("Technical contact", 3, "3"),
    ],
)
def test_custom_values_are_checked_by_their_type(
    desk: Desk, name: str, good: Any, bad: Any
) -> None:
    code = next(f.code for f in desk.account.fields["deals"] if f.name == name)
    done = desk.http.patch("/api/v2/deals/2", json={"custom_fields": {code: good}})
    assert done.json()["data"]["custom_fields"][code] == good
    refused = desk.http.patch("/api/v2/deals/2", json={"custom_fields": {code: bad}})
    assert refused.status_code == 400
    assert code in refused.json()["error"]


def test_what_follows_from_a_write_is_written_too(desk: Desk) -> None:
    won = desk.http.patch("/api/v2/deals/1", json={"status": "won", "stage_id": 8}).json()["data"]
    assert won["won_time"] == won["update_time"]
    assert won["pipeline_id"] == 2
    body = {"subject": "Call", "participants": [{"person_id": 4, "primary": True}]}
    assert desk.http.post("/api/v2/activities", json=body).json()["data"]["person_id"] == 4
    assert desk.http.post("/api/v2/activities", json={"person_id": 4}).status_code == 400


def test_contact_sync_and_the_limit_of_open_deals_answer_403(desk: Desk) -> None:
    job = desk.http.patch("/api/v2/persons/1", json={"job_title": "CEO"})
    assert job.status_code == 403
    desk.account.open_deals = 0
    full = desk.http.post("/api/v2/deals", json={"title": "One too many"})
    assert (full.status_code, full.json()["code"]) == (403, "feature_capping_deals_limit")


# -- who asks


def test_tokens(desk: Desk) -> None:
    assert desk.client("expired").get("/api/v2/deals").status_code == 401
    assert desk.client("no_scopes").get("/api/v2/deals").status_code == 403
    assert desk.client("no_scopes").get("/api/v1/users/me").status_code == 200
    reader = desk.client("read_only")
    assert reader.get("/api/v2/deals").status_code == 200
    assert reader.post("/api/v2/deals", json={"title": "x"}).status_code == 403
    bare = httpx.get(f"{desk.sandbox.base_url('pipedrive')}/api/v2/deals", trust_env=False)
    assert (bare.status_code, bare.json()["error"]) == (401, "unauthorized access")


def test_an_oauth_login_and_its_renewal(desk: Desk) -> None:
    redirect = "http://localhost:18928/callback"
    query = {"client_id": CLIENT_ID, "redirect_uri": redirect, "state": "s1"}
    answer = desk.http.get("/oauth/authorize", params=query)
    found = parse_qs(urlsplit(answer.headers["location"]).query)
    assert found["state"] == ["s1"]
    form = {
        "grant_type": "authorization_code",
        "code": found["code"][0],
        "redirect_uri": redirect,
    }
    client = (CLIENT_ID, CLIENT_SECRET)
    tokens = desk.http.post("/oauth/token", data=form, auth=client).json()
    assert tokens["api_domain"] == "https://lumio-sandbox.pipedrive.com"
    assert "deals:full" in tokens["scope"].split(",")
    bearer = {"authorization": f"Bearer {tokens['access_token']}", "x-api-token": ""}
    assert desk.http.get("/api/v2/deals", headers=bearer).status_code == 200
    desk.now += 3600
    assert desk.http.get("/api/v2/deals", headers=bearer).status_code == 401
    again = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    renewed = desk.http.post("/oauth/token", data=again, auth=client).json()
    assert renewed["refresh_token"] == tokens["refresh_token"]
    assert renewed["access_token"] != tokens["access_token"]
    refused = desk.http.post("/oauth/token", data={**again, "refresh_token": "x"}, auth=client)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    desk.account.vault.consent = False
    denied = desk.http.get("/oauth/authorize", params=query)
    assert "error=user_denied" in denied.headers["location"]


# -- limits


def test_a_token_may_ask_twenty_times_in_two_seconds(open_desk: Open) -> None:
    desk = open_desk(quota="published")
    answers = [desk.http.get("/api/v2/deals/1") for _ in range(21)]
    assert [a.status_code for a in answers] == [200] * 20 + [429]
    assert answers[0].headers["x-ratelimit-limit"] == "20"
    assert [a.headers["x-ratelimit-remaining"] for a in answers[-3:]] == ["1", "0", "0"]
    assert desk.client("read_only").get("/api/v2/deals/1").status_code == 200
    desk.now += 2
    assert desk.http.get("/api/v2/deals/1").status_code == 200


def test_the_day_is_paid_by_cost_for_the_whole_company(open_desk: Open) -> None:
    desk = open_desk(quota="daily=35")
    header = "x-daily-ratelimit-token-remaining"
    left = [
        desk.http.get(path).headers[header]
        for path in ("/api/v2/deals", "/api/v2/deals/archived", "/api/v2/deals/1")
    ]
    assert left == ["25", "5", "4"]
    spent = desk.client("read_only").get("/api/v2/deals")
    assert (spent.status_code, spent.headers[header]) == (429, "4")
    desk.now += 86_400
    assert desk.http.get("/api/v2/deals").status_code == 200


def test_writes_by_a_users_token_are_counted(open_desk: Open) -> None:
    desk = open_desk(quota="writes=1")
    first = desk.http.post("/api/v2/pipelines", json={"name": "One"})
    assert first.headers["x-daily-requests-left"] == "0"
    assert desk.http.post("/api/v2/pipelines", json={"name": "Two"}).status_code == 429


def test_who_ignores_429s_is_shut_out_by_a_page_that_is_no_json(open_desk: Open) -> None:
    desk = open_desk(quota="burst=1")
    codes = [desk.http.get("/api/v2/deals/1").status_code for _ in range(62)]
    assert codes == [200] + [429] * 60 + [403]
    page = desk.http.get("/api/v2/deals/1")
    assert page.headers["content-type"].startswith("text/html")
    desk.now += 61
    assert desk.http.get("/api/v2/deals/1").status_code == 200

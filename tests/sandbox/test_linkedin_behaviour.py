"""The look-alike of LinkedIn: protocol, paging, little text, duplicates, statistics, quotas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest

from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.linkedin import LinkedIn
from lumio_cli.sandbox.linkedin.data import FIRST_ORGANIZATION
from lumio_cli.sandbox.linkedin.posts import little_text
from lumio_cli.sandbox.lookalike import CLIENT_ID, CLIENT_SECRET
from support.linkedin_spec import has_schema, validate_response

PAGE = f"urn:li:organization:{FIRST_ORGANIZATION}"
AUTHOR = quote(PAGE, safe="")
POSTS = f"/rest/posts?q=author&author={AUTHOR}"
FORMS = f"/rest/leadForms?q=owner&owner=(organization:{AUTHOR})"
LEADS = f"/rest/leadFormResponses?q=owner&owner=(organization:{AUTHOR})&leadType=(leadType:COMPANY)"
FIGURES = f"q=organizationalEntity&organizationalEntity={AUTHOR}"
NOW = 1_795_000_000.0
"""2026-11-18T10:26:40Z."""
DAY_MS = 86_400_000
Open = Callable[..., tuple[LinkedIn, httpx.Client]]


@pytest.fixture
def open_account() -> Iterator[Open]:
    """Opens an account and a client of it; closes both."""
    opened: list[Any] = []

    def build(token: str = "full", **options: Any) -> tuple[LinkedIn, httpx.Client]:
        options = {"records": 30, "seed": 7, "quota": "none", "clock": lambda: NOW, **options}
        sandbox = Sandbox(providers=["linkedin"], **options).start()
        client = httpx.Client(
            base_url=sandbox.base_url("linkedin"),
            headers={
                "Authorization": f"Bearer {sandbox.token('linkedin', token)}",
                "LinkedIn-Version": "202607",
                "X-Restli-Protocol-Version": "2.0.0",
            },
            timeout=10,
            trust_env=False,
        )
        opened.extend((client, sandbox))
        return cast(LinkedIn, sandbox.providers["linkedin"]), client

    yield build
    for item in opened:
        item.close()


def code(response: httpx.Response) -> tuple[int, str]:
    """Status and LinkedIn's word for an error."""
    return response.status_code, response.json()["code"]


# --- protocol


def test_a_version_must_be_named_and_served(open_account: Open) -> None:
    account, client = open_account()
    path = "/rest/organizationAcls?q=roleAssignee"
    assert client.get(path).status_code == 200
    assert code(client.get(path, headers={"LinkedIn-Version": ""})) == (400, "VERSION_MISSING")
    old = client.get(path, headers={"LinkedIn-Version": "202511"})
    assert code(old) == (426, "NONEXISTENT_VERSION")
    assert "202511 is not active" in old.json()["message"]
    account.retire("202607")
    assert client.get(path).status_code == 426
    assert client.get(path, headers={"X-Restli-Protocol-Version": "1.0.0"}).status_code == 426


def test_tokens_are_refused_each_in_its_way(open_account: Open) -> None:
    path = "/rest/organizationAcls?q=roleAssignee"
    for name, number in (("expired", 65602), ("revoked", 65601)):
        answer = open_account(name)[1].get(path)
        assert (answer.status_code, answer.json()["serviceErrorCode"]) == (401, number)
    _, client = open_account("no_scopes")
    denied = client.get(path)
    assert code(denied) == (403, "ACCESS_DENIED")
    assert "organizationAcls.FINDER" in denied.json()["message"]
    _, client = open_account("pages_only")
    assert client.get(POSTS).status_code == 200
    assert code(client.get(FORMS)) == (403, "ACCESS_DENIED")
    assert code(client.post("/rest/posts", json={})) == (403, "ACCESS_DENIED")


def test_the_development_tier_has_no_batch_get(open_account: Open) -> None:
    account, client = open_account()
    path = f"/rest/organizationsLookup?ids=List({FIRST_ORGANIZATION},1)"
    assert code(client.get(path)) == (403, "ACCESS_DENIED")
    account.tier = "standard"
    body = client.get(path).json()
    assert set(body["results"]) == {str(FIRST_ORGANIZATION)}
    assert body["errors"]["1"]["status"] == 404


def test_a_days_calls_end_at_midnight_utc(open_account: Open) -> None:
    now = [NOW]
    account, client = open_account(quota="published", clock=lambda: now[0])
    path = "/rest/organizationAcls?q=roleAssignee"
    assert [client.get(path).status_code for _ in range(100)] == [200] * 100
    refused = client.get(path)
    assert code(refused) == (429, "TOO_MANY_REQUESTS")
    assert "APPLICATION_AND_MEMBER DAY limit" in refused.json()["message"]
    assert "retry-after" not in refused.headers
    assert account.over_quota() == 1
    now[0] += 86_400
    assert client.get(path).status_code == 200


# --- listings


def test_pages_begin_where_they_are_told_and_link_to_the_next(open_account: Open) -> None:
    _, client = open_account()
    first = client.get(POSTS).json()
    assert (len(first["elements"]), first["paging"]["total"]) == (10, 30)
    (link,) = first["paging"]["links"]
    assert link["rel"] == "next"
    assert parse_qs(urlsplit(link["href"]).query)["start"] == ["10"]
    last = client.get(f"{POSTS}&start=20&count=10").json()
    assert [link["rel"] for link in last["paging"]["links"]] == ["prev"]
    assert client.get(f"{POSTS}&start=30").json()["elements"] == []
    assert code(client.get(f"{POSTS}&count=101")) == (400, "PARAM_INVALID")


def test_posts_come_newest_first_by_change_or_by_creation(open_account: Open) -> None:
    account, client = open_account()
    oldest = account.tables["posts"].ids()[0]
    account.tables["posts"].update(oldest, {"commentary": "reworded"})
    changed = client.get(f"{POSTS}&count=100&sortBy=LAST_MODIFIED").json()["elements"]
    created = client.get(f"{POSTS}&count=100&sortBy=CREATED").json()["elements"]
    assert changed[0]["id"] == created[-1]["id"] == oldest
    times = [post["lastModifiedAt"] for post in changed]
    assert times == sorted(times, reverse=True)
    assert len(set(times)) < len(times), "a bulk of posts has one time"


def test_leads_are_found_by_owner_kind_and_time(open_account: Open) -> None:
    _, client = open_account()
    everything = client.get(f"{LEADS}&count=100").json()["elements"]
    times = [lead["submittedAt"] for lead in everything]
    assert times == sorted(times, reverse=True)
    span = f"(start:{times[-1]},end:{times[20]})"
    found = client.get(f"{LEADS}&submittedAtTimeRange={span}&count=100").json()["elements"]
    assert [lead["submittedAt"] for lead in found] == [t for t in times if t <= times[20]]
    assert client.get(LEADS.replace("COMPANY", "EVENT")).json()["elements"] == []
    assert client.get(LEADS.replace("COMPANY", "SPONSORED")).status_code == 400
    assert code(client.get(LEADS.partition("&leadType")[0])) == (400, "PARAM_MISSING")


def test_the_same_seed_gives_the_same_records(open_account: Open) -> None:
    one, two = (client.get(f"{FORMS}&count=100").json() for _, client in (open_account(),) * 2)
    assert one == two
    assert all(form["id"] > 2**53 for form in one["elements"])


def test_a_page_is_short_for_those_who_do_not_administer_it(open_account: Open) -> None:
    account, client = open_account()
    path = f"/rest/organizations/{FIRST_ORGANIZATION}"
    assert "organizationType" in client.get(path).json()
    account.roles[str(FIRST_ORGANIZATION)] = "ANALYST"
    assert "organizationType" not in client.get(path).json()
    roles = client.get("/rest/organizationAcls?q=roleAssignee&role=ADMINISTRATOR").json()
    assert len(roles["elements"]) == 1
    assert code(client.get("/rest/organizations/1")) == (404, "NOT_FOUND")


# --- statistics


def test_statistics_are_for_days_of_utc_without_the_last(open_account: Open) -> None:
    _, client = open_account()
    today = int(NOW * 1000) // DAY_MS * DAY_MS
    path = f"/rest/organizationalEntityShareStatistics?{FIGURES}"
    (life,) = client.get(path).json()["elements"]
    assert "timeRange" not in life
    span = f"(timeRange:(start:{today - 7 * DAY_MS},end:{today}),timeGranularityType:DAY)"
    days = client.get(f"{path}&timeIntervals={span}").json()["elements"]
    assert [day["timeRange"]["start"] for day in days] == [
        today - n * DAY_MS for n in range(7, 0, -1)
    ]
    dotted = (
        f"&timeIntervals.timeRange.start={today - 7 * DAY_MS}&timeIntervals.timeRange.end={today}"
        "&timeIntervals.timeGranularityType=DAY"
    )
    assert client.get(f"{path}{dotted}").json()["elements"] == days
    followers = path.replace("Share", "Follower")
    late = client.get(f"{followers}&timeIntervals={span}").json()["elements"]
    assert len(late) == 5, "the last two days are not known yet"
    old = span.replace(str(today - 7 * DAY_MS), str(today - 400 * DAY_MS))
    assert code(client.get(f"{path}&timeIntervals={old}")) == (400, "PARAM_INVALID")


# --- posting


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Grüße 🦄, 100%!", "Grüße 🦄, 100%!"),
        ("see (below)", "see "),
        (r"see \(below\)", r"see \(below\)"),
        ("a #tag and more", "a #tag and more"),
        (r"{hashtag|\#|tag} yes", r"{hashtag|\#|tag} yes"),
        ("hi @[Page](urn:li:organization:1)!", "hi @[Page](urn:li:organization:1)!"),
        ("snake_case", "snake"),
    ],
)
def test_text_ends_at_what_is_not_escaped(text: str, kept: str) -> None:
    assert little_text(text) == kept


def new_post(text: str, **more: Any) -> dict[str, Any]:
    """A post as it is sent."""
    return {
        "author": PAGE,
        "commentary": text,
        "visibility": "PUBLIC",
        "distribution": {"feedDistribution": "MAIN_FEED"},
        "lifecycleState": "PUBLISHED",
        **more,
    }


def test_a_post_is_named_in_a_header_and_not_made_twice(open_account: Open) -> None:
    _, client = open_account()
    made = client.post("/rest/posts", json=new_post("once"))
    assert (made.status_code, made.content) == (201, b"")
    urn = made.headers["x-restli-id"]
    assert client.get(f"/rest/posts/{quote(urn, safe='')}").json()["commentary"] == "once"
    assert code(client.post("/rest/posts", json=new_post("once"))) == (422, "DUPLICATE_POST")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"visibility": "NOBODY"}, "/visibility"),
        ({"commentary": "x" * 3001}, "/commentary"),
        ({"content": {"article": {"source": "https://example.com"}}}, "/content/article/title"),
        ({"content": {"media": {"id": "urn:li:image:none"}}}, "/content/media/id"),
        ({"author": "urn:li:person:1"}, "/author"),
    ],
)
def test_a_wrong_post_is_told_which_field(
    open_account: Open, change: dict[str, Any], path: str
) -> None:
    _, client = open_account()
    refused = client.post("/rest/posts", json={**new_post("x"), **change})
    assert refused.status_code == 400
    (error,) = refused.json()["errorDetails"]["inputErrors"]
    assert error["input"]["inputPath"]["fieldPath"] == path


def test_an_image_is_there_once_it_is_uploaded(open_account: Open) -> None:
    _, client = open_account()
    body = {"initializeUploadRequest": {"owner": PAGE}}
    value = client.post("/rest/images?action=initializeUpload", json=body).json()["value"]
    image = f"/rest/images/{quote(value['image'], safe='')}"
    assert client.get(image).json()["status"] == "WAITING_UPLOAD"
    assert client.put(value["uploadUrl"], content=b"bytes").status_code == 201
    assert client.get(image).json()["status"] == "AVAILABLE"
    content = {"media": {"id": value["image"]}}
    assert client.post("/rest/posts", json=new_post("look", content=content)).status_code == 201


# --- OAuth


def test_a_login_gives_a_token_for_sixty_days(open_account: Open) -> None:
    account, client = open_account()
    redirect = "http://127.0.0.1:18920/callback"
    asked = {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": redirect,
        "state": "s",
        "scope": "r_organization_social rw_organization_admin",
    }
    answer = client.get("/oauth/v2/authorization", params=asked)
    given = parse_qs(urlsplit(answer.headers["location"]).query)
    assert given["state"] == ["s"]
    form = {
        "grant_type": "authorization_code",
        "code": given["code"][0],
        "redirect_uri": redirect,
        "client_id": CLIENT_ID,
    }
    assert client.post("/oauth/v2/accessToken", data=form).status_code == 401, "without a secret"
    answer = client.get("/oauth/v2/authorization", params=asked)
    form["code"] = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
    form["client_secret"] = CLIENT_SECRET
    told = client.post("/oauth/v2/accessToken", data=form).json()
    assert told["expires_in"] == 5_184_000
    assert told["refresh_token_expires_in"] == 31_536_000
    assert told["scope"] == "r_organization_social,rw_organization_admin"
    account.partner = False
    form = {"grant_type": "refresh_token", "refresh_token": told["refresh_token"], **form}
    form |= {"grant_type": "refresh_token"}
    assert "refresh_token" not in client.post("/oauth/v2/accessToken", data=form).json()


# --- the description


@pytest.mark.parametrize(
    "path",
    [
        f"/rest/organizations/{FIRST_ORGANIZATION}",
        "/rest/organizations?q=vanityName&vanityName=sandbox-page-0",
        f"{FORMS}&count=30",
        "/rest/leadFormResponses/00000001-0000-4000-8000-000000001eef",
    ],
)
def test_answers_are_as_described(open_account: Open, path: str) -> None:
    _, client = open_account()
    answer = client.get(path)
    assert answer.status_code == 200
    bare = path.partition("?")[0]
    assert has_schema("GET", bare)
    assert validate_response("GET", bare, answer.json()) == []


def test_answers_are_kept_for_as_long_as_it_is_told(open_account: Open) -> None:
    account, client = open_account()
    total = client.get(LEADS).json()["paging"]["total"]
    control = str(client.base_url).replace("/linkedin/", "/_sandbox/linkedin/leads")
    assert httpx.post(control, json={"days": 365}).status_code == 200
    kept = client.get(f"{LEADS}&start=0&count=100").json()
    assert 0 < kept["paging"]["total"] == len(kept["elements"]) < total
    oldest = (NOW - 365 * 86_400) * 1000
    assert all(lead["submittedAt"] >= oldest for lead in kept["elements"])
    first = account.tables["lead_responses"].ids()[0]
    assert client.get(f"/rest/leadFormResponses/{first}").status_code == 404


def test_drafts_are_shown_to_their_author_only(open_account: Open) -> None:
    account, client = open_account()
    draft = {"author": PAGE, "commentary": "not yet", "lifecycleState": "DRAFT"}
    urn = account.tables["posts"].insert(draft)
    newest = [
        client.get(f"{POSTS}{view}").json()["elements"][0] for view in ("", "&viewContext=READER")
    ]
    assert all(post["id"] != urn for post in newest)
    assert client.get(f"{POSTS}&viewContext=AUTHOR").json()["elements"][0]["id"] == urn
    one = f"/rest/posts/{quote(urn, safe='')}"
    assert client.get(one).status_code == 404
    assert client.get(f"{one}?viewContext=AUTHOR").status_code == 200
    assert code(client.get(f"{POSTS}&viewContext=NOBODY")) == (400, "PARAM_INVALID")


@pytest.mark.parametrize(("role", "status"), [("CONTENT_ADMIN", 200), ("ANALYST", 403)])
def test_posts_are_for_those_who_may_write_them(open_account: Open, role: str, status: int) -> None:
    _, client = open_account()
    control = str(client.base_url).replace("/linkedin/", "/_sandbox/linkedin/roles")
    body = {"organization": FIRST_ORGANIZATION, "role": role}
    assert httpx.post(control, json=body).status_code == 200
    assert client.get(POSTS).status_code == status
    assert client.get(f"/rest/organizationalEntityShareStatistics?{FIGURES}").status_code == 403

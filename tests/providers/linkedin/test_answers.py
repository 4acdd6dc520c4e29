"""What LinkedIn's answers mean: errors, days that are used up, tokens, texts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract.auth import Credential
from lumio_cli.providers.contract.call import Place, Reply
from lumio_cli.providers.contract.paging import NoPlaceError
from lumio_cli.providers.contract.verdict import Outcome
from lumio_cli.providers.linkedin import LinkedIn
from lumio_cli.providers.linkedin.pages import Pages
from lumio_cli.providers.linkedin.restli import escape, little_text, organization_of
from lumio_cli.sandbox.linkedin.account import ACTIVE

DATE = datetime(2026, 11, 18, 22, 0, tzinfo=UTC)
DENIED = "Not enough permissions to access: "


def reply(status: int, body: Any, date: datetime | None = DATE) -> Reply:
    """An answer with a JSON body."""
    return Reply(status, {}, orjson.dumps(body), date=date)


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (401, {"serviceErrorCode": 65600, "message": "Invalid access token"}, Outcome.REAUTH),
        (401, {"serviceErrorCode": 65601, "message": "revoked by the user"}, Outcome.REAUTH),
        (403, {"serviceErrorCode": 100, "message": "Not enough permissions"}, Outcome.DENIED),
        (404, {"message": "Could not find entity"}, Outcome.GONE),
        (422, {"code": "DUPLICATE_POST", "message": "Content is a duplicate"}, Outcome.REJECTED),
        (426, {"code": "NONEXISTENT_VERSION", "message": "not active"}, Outcome.REJECTED),
        (429, {"message": "Resource level throttle limit is reached."}, Outcome.THROTTLED),
    ],
)
def test_errors_are_told_apart(status: int, body: Any, outcome: Outcome) -> None:
    verdict = LinkedIn({}).judge(reply(status, body))
    assert verdict is not None
    assert verdict.outcome is outcome
    assert str(body["message"]) in verdict.message


@pytest.mark.parametrize("status", [200, 201, 204, 500, 503])
def test_the_rest_is_left_to_the_status(status: int) -> None:
    assert LinkedIn({}).judge(reply(status, {"message": "x"})) is None
    assert LinkedIn({}).judge(Reply(404, {}, b"not JSON")) is None


@pytest.mark.parametrize(
    ("who", "quota"),
    [("APPLICATION_AND_MEMBER", "member"), ("MEMBER", "member"), ("APPLICATION", "application")],
)
def test_a_days_limit_is_over_at_midnight_utc(who: str, quota: str) -> None:
    text = f"Resource level throttle {who} DAY limit for calls to this resource is reached."
    verdict = LinkedIn({}).judge(reply(429, {"message": text}))
    assert verdict is not None
    assert (verdict.outcome, verdict.quota) == (Outcome.EXHAUSTED, quota)
    assert verdict.retry_after == 2 * 3600


@pytest.mark.parametrize(
    ("what", "scope"),
    [
        ("organizationAcls.FINDER-roleAssignee.20260701", "rw_organization_admin"),
        ("organizationalEntityShareStatistics.FINDER.20260701", "rw_organization_admin"),
        ("posts.FINDER-author.20260701", "r_organization_social"),
        ("posts.CREATE.20260701", "w_organization_social"),
        ("images.ACTION-initializeUpload.20260701", "w_organization_social"),
        ("leadFormResponses.FINDER-owner.20260701", "r_marketing_leadgen_automation"),
    ],
)
def test_a_refusal_names_the_scope(what: str, scope: str) -> None:
    verdict = LinkedIn({}).judge(reply(403, {"message": f"{DENIED}{what}"}))
    assert verdict is not None
    assert verdict.scopes == (scope,)


def test_the_end_of_a_refresh_token_is_kept() -> None:
    body = {
        "access_token": "sandbox-new",
        "expires_in": 5_184_000,
        "refresh_token": "sandbox-refresh",
        "refresh_token_expires_in": 86_400,
        "scope": "r_organization_social,rw_organization_admin",
    }
    old = Credential("oauth", "sandbox-old", fields={"client_id": "sandbox-id"})
    found = LinkedIn({}).tokens(reply(200, body), now=DATE, old=old)
    assert found.fields == {"client_id": "sandbox-id", "refresh_until": "2026-11-19T22:00:00Z"}
    assert found.scopes == ("r_organization_social", "rw_organization_admin")
    del body["refresh_token"], body["refresh_token_expires_in"]
    assert "refresh_until" not in LinkedIn({}).tokens(reply(200, body), now=DATE, old=old).fields


# --- writing what LinkedIn reads


def test_strings_are_escaped_as_restli_wants_it() -> None:
    assert escape(" t?':,*!&+") == "%20t%3F%27%3A%2C%2A%21%26%2B"
    assert escape("urn:li:app:123") == "urn%3Ali%3Aapp%3A123"


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("Grüße 🦄, 100%!", "Grüße 🦄, 100%!"),
        ("see (below) [x] {y} <z>", r"see \(below\) \[x\] \{y\} \<z\>"),
        ("snake_case * ~ | @me \\", r"snake\_case \* \~ \| \@me \\"),
        ("#news and C#7", r"{hashtag|\#|news} and C\#7"),
        ("https://example.com/a#b", r"https://example.com/a\#b"),
        ("#été_2026", r"{hashtag|\#|été}\_2026"),
    ],
)
def test_plain_text_becomes_little_text(text: str, sent: str) -> None:
    assert little_text(text) == sent


def test_a_page_is_named_by_number_or_urn() -> None:
    assert organization_of("5515715") == organization_of("urn:li:organization:5515715")


# --- paging


def page(
    start: int,
    count: int,
    rows: int,
    total: int | None,
    more: bool | None,
    first: int | None = None,
) -> Reply:
    """A page of a listing, whose rows are named by where they stand; `first` is what stands first.
    `more`: with a link to the next page, without, or with null where links should be."""
    href = f"/rest/posts?q=author&start={start + count}&count={count}"
    link = {"rel": "next", "href": href}
    paging = {
        "start": start,
        "count": count,
        "links": None if more is None else [None, link] if more else [],
    }
    if total is not None:
        paging["total"] = total
    begin = start if first is None else first
    return reply(200, {"paging": paging, "elements": [{"id": begin + n} for n in range(rows)]})


def test_a_short_page_with_a_next_link_is_not_the_last() -> None:
    style, rows = Pages(), [{"id": "1"}]
    place = style.next(style.first(10), page(0, 10, 3, None, more=True), rows)
    assert place == {"start": 10, "count": 10}
    assert style.next(place, page(10, 10, 9, None, more=False), rows) is None


def test_an_empty_page_with_a_next_link_is_not_the_last() -> None:
    style = Pages()
    place = style.next(style.first(10), page(0, 10, 0, 30, more=True), [])
    assert place == {"start": 10, "count": 10, "total": 30}


@pytest.mark.parametrize("more", [False, None])
@pytest.mark.parametrize("total", [None, 30, 0])
def test_a_full_page_is_not_the_last_whatever_its_links_say(
    more: bool | None, total: int | None
) -> None:
    place = Pages().next(Pages().first(10), page(0, 10, 10, total, more=more), [])
    assert place is not None
    assert (place["start"], place["edge"]) == (9, "9")


@pytest.mark.parametrize("more", [False, None])
def test_a_full_page_that_all_agree_is_the_last_ends_a_listing(more: bool | None) -> None:
    assert Pages().next(Pages().first(10), page(0, 10, 10, 10, more=more), []) is None


def test_what_a_total_alone_promises_is_looked_for_once() -> None:
    style = Pages()
    place = style.next(style.first(10), page(0, 10, 4, 6, more=None), [])
    assert place == {"start": 4, "count": 10, "total": 6, "beyond": True}
    # What is there is read; and where nothing is, LinkedIn counts what it does not show.
    assert style.next(place, page(4, 10, 2, 6, more=None), []) is None
    assert style.next(place, page(4, 10, 0, 6, more=None), []) is None


@pytest.mark.parametrize("place", [{"start": 0, "count": 10}, {"start": 10, "count": 10}])
def test_a_page_of_nothing_with_a_total_that_promises_more_is_no_end(place: Place) -> None:
    with pytest.raises(NoPlaceError):
        Pages().next(place, page(place["start"], 10, 0, 30, more=None), [])


def test_rows_that_move_forward_are_not_passed_over() -> None:
    style = Pages()
    place = style.next(style.first(10), page(0, 10, 10, 30, more=True), [])
    assert place == {"start": 9, "count": 10, "total": 30, "edge": "9"}
    place = style.next(place, page(9, 10, 10, 28, more=True), [])
    assert place == {"start": 7, "count": 10, "total": 28, "back": 1}


def test_one_row_that_leaves_while_another_joins_is_noticed() -> None:
    style = Pages()
    place = style.next(style.first(10), page(0, 10, 10, 30, more=True), [])
    back = style.next(place or {}, page(9, 10, 10, 30, more=True, first=10), [])
    assert back == {"start": 0, "count": 10, "total": 30, "back": 1}
    # One that joins before moves all back: the edge comes later, and nothing was missed.
    on = style.next(place or {}, page(9, 10, 10, 30, more=True, first=8), [])
    assert on is not None and on["start"] == 18


def test_a_null_among_the_rows_is_no_sign_of_anything() -> None:
    place = {"start": 9, "count": 10, "edge": "9"}
    answer = page(9, 10, 10, 30, more=True)
    answer.json()["elements"][0] = None
    following = Pages().next(place, answer, [])
    assert following is not None and following["start"] == 18


def test_a_listing_that_goes_on_losing_rows_is_given_up() -> None:
    place = {"start": 9, "count": 10, "edge": "9", "back": 50}
    with pytest.raises(BadReplyError, match="faster"):
        Pages().next(place, page(9, 10, 10, 30, more=True, first=100), [])


def test_changes_end_at_the_first_that_is_too_old() -> None:
    answer = page(0, 10, 10, 30, more=True)
    kept = [{"id": "1"}]
    assert Pages(ends=True).next(Pages().first(10), answer, kept) is None
    assert Pages(ends=False).next(Pages().first(10), answer, kept) is not None


def test_the_version_is_one_that_is_served() -> None:
    default = next(f.default for f in LinkedIn.fields if f.name == "api_version")
    assert default in ACTIVE

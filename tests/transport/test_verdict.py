"""What statuses mean, how long to wait, and what an operator reads."""

from __future__ import annotations

import json

import pytest

from lumio_cli.core.errors import (
    BadReplyError,
    CredentialError,
    DeniedError,
    GoneError,
    LumioError,
    QuotaError,
    RejectedError,
    UnavailableError,
)
from lumio_cli.core.redact import Redactor
from lumio_cli.providers.contract.call import Reply
from lumio_cli.providers.contract.verdict import Outcome, Verdict, outcome_of
from lumio_cli.transport.default_verdicts import judge, reason_of, to_error
from support.clock import FakeClock

from .acme import GET, TOKEN, Acme

CLOCK = FakeClock()


def an_hour(verdict: Verdict) -> float:
    return 3600.0


def reply(status: int, body: bytes = b"", **headers: str) -> Reply:
    return Reply(status, {k.replace("_", "-"): v for k, v in headers.items()}, body)


@pytest.mark.parametrize(
    ("statuses", "outcome"),
    [
        ((200, 201, 202, 204, 207), Outcome.OK),
        ((301, 302, 304, 308), Outcome.REJECTED),
        ((400, 402, 405, 409, 412, 413, 414, 415, 418, 422, 451), Outcome.REJECTED),
        ((401,), Outcome.REAUTH),
        ((403,), Outcome.DENIED),
        ((404, 410), Outcome.GONE),
        ((408, 423, 425, 477, 500, 502, 503, 504, *range(520, 531)), Outcome.RETRY),
        ((429,), Outcome.THROTTLED),
        ((501, 505), Outcome.REJECTED),
    ],
)
def test_the_default_table(statuses: tuple[int, ...], outcome: Outcome) -> None:
    assert {status: outcome_of(status) for status in statuses} == dict.fromkeys(statuses, outcome)


def test_the_provider_is_asked_first() -> None:
    assert judge(Acme({}), reply(200, b'{"ok":false}'), CLOCK, an_hour).outcome is Outcome.DENIED
    assert judge(Acme({}), reply(200, b"{}"), CLOCK, an_hour) == Verdict(Outcome.OK)


def test_retry_after_fills_what_the_provider_left_open() -> None:
    assert judge(Acme({}), reply(429, retry_after="7"), CLOCK, an_hour).retry_after == 7
    assert (
        judge(Acme({}), reply(429, b"DAILY", retry_after="7"), CLOCK, an_hour).retry_after == 3600
    )


def test_no_pause_is_longer_than_it_can_be_or_no_length_at_all() -> None:
    def minute(verdict: Verdict) -> float:
        return 60.0 if verdict.outcome is Outcome.THROTTLED else 1800.0

    assert judge(Acme({}), reply(429, retry_after="900"), CLOCK, minute).retry_after == 60
    assert judge(Acme({}), reply(429, b"DAILY"), CLOCK, minute).retry_after == 1800

    class Broken(Acme):
        def judge(self, reply: Reply) -> Verdict | None:
            return Verdict(Outcome.THROTTLED, retry_after=float(reply.body))

    for text in (b"nan", b"inf", b"-1"):
        assert judge(Broken({}), reply(429, text), CLOCK, minute).retry_after is None
        assert judge(Broken({}), reply(429, text, retry_after="7"), CLOCK, minute).retry_after == 7


@pytest.mark.parametrize(
    ("answer", "verdict", "reason"),
    [
        (reply(429, retry_after="30"), Verdict(Outcome.THROTTLED), "429 with Retry-After 30"),
        (reply(200), Verdict(Outcome.THROTTLED, category="T"), "200 without Retry-After (T)"),
        (
            reply(429),
            Verdict(Outcome.EXHAUSTED, quota="member"),
            "member quota used up: 429 without Retry-After",
        ),
        (
            reply(429, retry_after=f"\x1b[2J {TOKEN}"),
            Verdict(Outcome.EXHAUSTED),
            "daily quota used up: 429 with Retry-After \\x1b[2J ***",
        ),
    ],
)
def test_why_a_quota_is_held(answer: Reply, verdict: Verdict, reason: str) -> None:
    assert reason_of(answer, verdict, Redactor([TOKEN])) == reason


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.REJECTED, None])
def test_no_provider_ends_a_credential_that_can_be_renewed(outcome: Outcome | None) -> None:
    class Final(Acme):
        def judge(self, reply: Reply) -> Verdict | None:
            return Verdict(outcome, "INVALID_JWT_FORMAT") if outcome else None

    assert judge(Final({}), reply(401, b"{}"), CLOCK, an_hour).outcome is Outcome.REAUTH
    assert judge(Final({}), reply(401), CLOCK, an_hour).outcome is Outcome.REAUTH


def test_a_401_may_be_about_a_permission() -> None:
    class Scoped(Acme):
        def judge(self, reply: Reply) -> Verdict | None:
            return Verdict(Outcome.DENIED, scopes=("api",))

    assert judge(Scoped({}), reply(401), CLOCK, an_hour).outcome is Outcome.DENIED


def test_an_html_error_page_is_judged_by_its_status() -> None:
    class Reads(Acme):
        def judge(self, reply: Reply) -> Verdict | None:
            reply.json()
            return None

    html = b"<html>"
    assert judge(Reads({}), reply(503, html), CLOCK, an_hour).outcome is Outcome.RETRY
    with pytest.raises(BadReplyError):
        judge(Reads({}), reply(200, html), CLOCK, an_hour)


def test_a_page_that_is_no_json_does_not_say_that_something_is_gone() -> None:
    assert judge(Acme({}), reply(404, b'{"message": "no"}'), CLOCK, an_hour).outcome is Outcome.GONE
    assert judge(Acme({}), reply(404, b""), CLOCK, an_hour).outcome is Outcome.GONE
    assert judge(Acme({}), reply(404, b"<html>"), CLOCK, an_hour).outcome is Outcome.RETRY


def error(answer: Reply, verdict: Verdict | None = None, source: str = "") -> LumioError:
    provider = Acme({})
    return to_error(
        provider,
        GET,
        answer,
        verdict or judge(provider, answer, CLOCK, an_hour),
        clock=CLOCK,
        redactor=Redactor([TOKEN]),
        source=source,
    )


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ({"message": "no", "category": "VALIDATION"}, "no (VALIDATION)"),
        ({"error": "invalid_scope", "error_description": "bad"}, "bad (invalid_scope)"),
        ({"error": {"message": "deep", "type": "OAuthException"}}, "deep (OAuthException)"),
        ([{"message": "row", "errorCode": "MALFORMED_QUERY"}], "row (MALFORMED_QUERY)"),
        ({"errors": [{"message": "first"}, {"message": "second"}]}, "first"),
        ({"errors": ["plain"]}, "plain"),
        ({"errors": "text"}, "text"),
        ({"error": "word"}, "word"),
        ({"detail": "d", "title": "t"}, "d"),
        ({}, ""),
        (7, ""),
    ],
)
def test_the_providers_own_words_are_found(body: object, shown: str) -> None:
    message = error(reply(400, json.dumps(body).encode())).message
    assert message == "Acme rejected GET /things (status 400)" + (f": {shown}" if shown else "")


def test_each_outcome_has_its_error() -> None:
    kinds = {
        400: RejectedError,
        401: CredentialError,
        403: DeniedError,
        404: GoneError,
        418: CredentialError,
        429: QuotaError,
        500: UnavailableError,
    }
    for status, kind in kinds.items():
        found = error(reply(status, b"{}"))
        assert type(found) is kind
        assert found.hint or kind in (RejectedError, GoneError)
    denied = error(reply(403, b"{}"), Verdict(Outcome.DENIED, scopes=("crm.read",)))
    assert isinstance(denied, DeniedError)
    assert denied.scopes == ("crm.read",)
    assert "crm.read" in (denied.hint or "")
    quota = error(reply(429, retry_after="60"))
    assert isinstance(quota, QuotaError)
    assert quota.retry_at is not None
    assert quota.retry_at.timestamp() == CLOCK.time() + 60
    rejected = error(reply(409, b'{"category": "CONFLICT"}'))
    assert isinstance(rejected, RejectedError)
    assert (rejected.status, rejected.category) == (409, "CONFLICT")


def test_a_refused_credential_names_its_source() -> None:
    assert "from LUMIO_ACME_TOKEN" in error(reply(401), source="LUMIO_ACME_TOKEN").message
    given = error(reply(401))
    assert "lumio connect acme" in (given.hint or "")
    assert "check what was given" in (given.hint or ""), "it has no source: it is only tried"
    assert "from" not in given.message


def test_a_redirect_is_explained() -> None:
    answer = reply(302, location="https://login.evil.test/?token=abc")
    assert "redirect to login.evil.test" in error(answer).message
    assert "another path" in error(reply(302)).message
    assert "none" in error(reply(302, location="http://[")).message


def test_remote_text_is_redacted_escaped_and_cut_to_one_line() -> None:
    body = {"message": f"\x1b[31mbad\n{TOKEN} \u202e" + "x" * 5000}
    message = error(reply(400, json.dumps(body).encode())).message
    assert "\n" not in message
    assert "\x1b" not in message
    assert TOKEN not in message
    assert r"\x1b[31mbad *** \u202e" in message
    assert len(message) < 400


def test_a_page_of_html_is_named_not_shown() -> None:
    message = error(reply(502, b"<html>" * 100, content_type="text/html; charset=utf-8")).message
    assert "text/html, 600 bytes" in message

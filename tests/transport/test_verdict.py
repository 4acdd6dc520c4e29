"""What statuses mean, how long to wait, and what an operator reads."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from lumio_cli.errors import (
    BadReplyError,
    CredentialError,
    DeniedError,
    GoneError,
    LumioError,
    QuotaError,
    RejectedError,
    UnavailableError,
)
from lumio_cli.providers.base import Outcome, Reply, Verdict
from lumio_cli.redact import Redactor
from lumio_cli.transport.verdict import judge, outcome_of, retry_after, to_error
from support.clock import START, FakeClock

from .acme import GET, TOKEN, Acme

CLOCK = FakeClock()


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
    assert judge(Acme({}), reply(200, b'{"ok":false}'), CLOCK).outcome is Outcome.DENIED
    assert judge(Acme({}), reply(200, b"{}"), CLOCK) == Verdict(Outcome.OK)


def test_retry_after_fills_what_the_provider_left_open() -> None:
    assert judge(Acme({}), reply(429, retry_after="7"), CLOCK).retry_after == 7
    assert judge(Acme({}), reply(429, b"DAILY", retry_after="7"), CLOCK).retry_after == 3600


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.REJECTED, None])
def test_no_provider_ends_a_credential_that_can_be_renewed(outcome: Outcome | None) -> None:
    class Final(Acme):
        def judge(self, reply: Reply) -> Verdict | None:
            return Verdict(outcome, "INVALID_JWT_FORMAT") if outcome else None

    assert judge(Final({}), reply(401, b"{}"), CLOCK).outcome is Outcome.REAUTH
    assert judge(Final({}), reply(401), CLOCK).outcome is Outcome.REAUTH


def test_a_401_may_be_about_a_permission() -> None:
    class Scoped(Acme):
        def judge(self, reply: Reply) -> Verdict | None:
            return Verdict(Outcome.DENIED, scopes=("api",))

    assert judge(Scoped({}), reply(401), CLOCK).outcome is Outcome.DENIED


def test_an_html_error_page_is_judged_by_its_status() -> None:
    class Reads(Acme):
        def judge(self, reply: Reply) -> Verdict | None:
            reply.json()
            return None

    html = b"<html>"
    assert judge(Reads({}), reply(503, html), CLOCK).outcome is Outcome.RETRY
    with pytest.raises(BadReplyError):
        judge(Reads({}), reply(200, html), CLOCK)


def test_a_page_that_is_no_json_does_not_say_that_something_is_gone() -> None:
    assert judge(Acme({}), reply(404, b'{"message": "no"}'), CLOCK).outcome is Outcome.GONE
    assert judge(Acme({}), reply(404, b""), CLOCK).outcome is Outcome.GONE
    assert judge(Acme({}), reply(404, b"<html>"), CLOCK).outcome is Outcome.RETRY


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("1.5", 1.5),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("Tue, 14 Nov 2023 22:13:10 GMT", 0.0),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("nan", None),
        ("99999999999999999999", 366 * 86400.0),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(text: str, seconds: float | None) -> None:
    assert retry_after(reply(429, retry_after=text), FakeClock(START)) == seconds


def test_a_date_is_read_against_the_providers_own_clock() -> None:
    answer = reply(503, retry_after="Tue, 14 Nov 2023 22:14:00 GMT")
    answer.date = datetime(2023, 11, 14, 22, 13, 0, tzinfo=UTC)
    wrong = FakeClock(START + 86_400)
    assert retry_after(answer, wrong) == 60.0


def error(answer: Reply, verdict: Verdict | None = None, source: str = "") -> LumioError:
    provider = Acme({})
    return to_error(
        provider,
        GET,
        answer,
        verdict or judge(provider, answer, CLOCK),
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

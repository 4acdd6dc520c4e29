"""What answers mean, what they say of quotas, and how long-running jobs are understood."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lumio_cli.core.errors import BadReplyError
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.verdict import Outcome
from lumio_cli.providers.salesforce import Salesforce, bulk
from lumio_cli.providers.salesforce.bulk import job_state, read_rows, retyped

ROOT = "https://sandbox.my.salesforce.com/services/data/v67.0"


def reply(status: int, body: Any, path: str = "/query", **headers: str) -> Reply:
    kind = {"content-type": "application/json", **headers}
    return Reply(status, kind, json.dumps(body).encode(), ROOT + path)


def error(code: str, message: str = "why") -> list[dict[str, str]]:
    return [{"errorCode": code, "message": message}]


@pytest.mark.parametrize(
    ("status", "code", "message", "outcome", "quota"),
    [
        (401, "INVALID_SESSION_ID", "Session expired or invalid", Outcome.REAUTH, ""),
        (401, "INVALID_AUTH_HEADER", "INVALID_JWT_FORMAT", Outcome.REAUTH, ""),
        (406, "NOT_ACCEPTABLE", "only JSON and XML", Outcome.REJECTED, ""),
        (
            403,
            "REQUEST_LIMIT_EXCEEDED",
            "TotalRequests Limit exceeded.",
            Outcome.EXHAUSTED,
            "daily",
        ),
        (
            403,
            "REQUEST_LIMIT_EXCEEDED",
            "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
            Outcome.THROTTLED,
            "concurrent",
        ),
        (403, "INSUFFICIENT_ACCESS", "no", Outcome.DENIED, ""),
        (400, "INVALID_TYPE", "sObject type 'X' is not supported.", Outcome.DENIED, ""),
        (400, "INVALID_FIELD", "No such column", Outcome.REJECTED, ""),
        (400, "QUERY_TIMEOUT", "Your query request was running for too long.", Outcome.RETRY, ""),
        (404, "NOT_FOUND", "The requested resource does not exist", Outcome.GONE, ""),
        (429, "UNKNOWN", "slow down", Outcome.THROTTLED, ""),
        (410, "UNSUPPORTED_API_VERSION", "retired", Outcome.REJECTED, ""),
    ],
)
def test_errors_by_their_codes(
    status: int, code: str, message: str, outcome: Outcome, quota: str
) -> None:
    verdict = Salesforce({}).judge(reply(status, error(code, message)))
    assert verdict is not None
    assert (verdict.outcome, verdict.quota, verdict.category) == (outcome, quota, code)
    assert verdict.message == message


def test_a_used_up_allocation_is_worth_another_try_in_an_hour() -> None:
    verdict = Salesforce({}).judge(reply(403, error("REQUEST_LIMIT_EXCEEDED", "TotalRequests")))
    assert verdict is not None
    assert verdict.retry_after == 3600.0


def test_a_session_without_the_api_scope_lacks_a_permission() -> None:
    message = "This session is not valid for use with the REST API"
    verdict = Salesforce({}).judge(reply(401, error("INVALID_SESSION_ID", message)))
    assert verdict is not None
    assert (verdict.outcome, verdict.scopes) == (Outcome.DENIED, ("api",))


@pytest.mark.parametrize("status", [500, 503])
def test_what_salesforce_does_not_explain_is_left_to_the_status(status: int) -> None:
    assert Salesforce({}).judge(reply(status, error("UNKNOWN_EXCEPTION"))) is None
    assert Salesforce({}).judge(reply(status, "<html>")) is None


@pytest.mark.parametrize("status", [406, 420])
@pytest.mark.parametrize("body", [b"", b"<h1>We are setting things up</h1>", b'{"a": 1}'])
def test_what_salesforce_edge_answers_will_pass(status: int, body: bytes) -> None:
    verdict = Salesforce({}).judge(Reply(status, {}, body, ROOT + "/query"))
    assert verdict is not None
    assert verdict.outcome is Outcome.RETRY


def test_a_refused_code_is_told_with_what_to_do_about_it() -> None:
    said = "External client app is not installed in this org"
    body = json.dumps({"error": "app_not_found", "error_description": said}).encode()
    url = "https://login.salesforce.com/services/oauth2/token"
    verdict = Salesforce({}).judge(Reply(400, {}, body, url))
    assert verdict is not None
    assert (verdict.outcome, verdict.message) == (Outcome.REJECTED, said)
    assert "login_host=NAME.my.salesforce.com" in verdict.hint


def test_an_error_inside_a_composite_answer_is_an_error() -> None:
    part = {"httpStatusCode": 400, "body": error("INVALID_FIELD"), "referenceId": "page"}
    verdict = Salesforce({}).judge(reply(200, {"compositeResponse": [part]}, "/composite"))
    assert verdict is not None
    assert verdict.outcome is Outcome.REJECTED


@pytest.mark.parametrize(
    "header", ["api-usage=18/5000", "per-app-api-usage=7/250; api-usage=18/5000"]
)
def test_the_header_tells_what_is_left(header: str) -> None:
    answer = reply(200, {}, **{"sforce-limit-info": header})
    (allowance,) = Salesforce({}).remaining(Call("GET", "/query"), answer)
    assert (allowance.quota, allowance.limit, allowance.remaining) == ("daily", 5000.0, 4982.0)


def test_limits_tell_what_is_left_where_the_header_does_not() -> None:
    answer = reply(200, {"DailyApiRequests": {"Max": 15000, "Remaining": 14998}}, "/limits")
    call = Call("GET", "/x", route="/services/data/{version}/limits")
    (allowance,) = Salesforce({}).remaining(call, answer)
    assert (allowance.limit, allowance.remaining) == (15000, 14998)


# -- bulk results


def page(text: str, **headers: str) -> Reply:
    return Reply(200, {"content-type": "text/csv", **headers}, text.encode(), ROOT)


def test_cells_become_what_rest_would_have_answered() -> None:
    text = (
        '"Id","Name","Amount","Count","Open","At","Day"\n'
        '"a","He said ""hi"",\r\nthen left","3.5E8","12","true","2026-01-02T03:04:05.000Z",'
        '"2026-01-02"\n'
        '"b","","","","false","",""\n'
    )
    types = {
        "Name": "string", "Amount": "currency", "Count": "int", "Open": "boolean",
        "At": "datetime", "Day": "date",
    }  # fmt: skip
    first, second = retyped(read_rows(page(text), ()), types)
    assert first == {
        "Id": "a",
        "Name": 'He said "hi",\r\nthen left',
        "Amount": 350_000_000.0,
        "Count": 12,
        "Open": True,
        "At": "2026-01-02T03:04:05.000+0000",
        "Day": "2026-01-02",
    }
    assert second == {**dict.fromkeys(first), "Id": "b", "Open": False}


def test_a_page_without_a_header_is_read_in_the_order_that_was_asked_for() -> None:
    assert read_rows(page('"a","x"\n'), ("Id", "Name")) == [{"Id": "a", "Name": "x"}]


@pytest.mark.parametrize("text", ["1_000", "1e400", "nan", "١", "12 EUR"])
def test_a_cell_that_is_no_number_stays_as_it_is(text: str) -> None:
    types = {"Amount": "currency", "Count": "int"}
    (row,) = retyped([{"Id": "a", "Amount": text, "Count": text}], types)
    assert row == {"Id": "a", "Amount": text, "Count": text}


def test_a_page_may_begin_with_a_mark_and_must_be_utf8() -> None:
    assert read_rows(page("\ufeffId\na\n"), ("Id",)) == [{"Id": "a"}]
    with pytest.raises(BadReplyError, match="not in UTF-8"):
        read_rows(Reply(200, {"content-type": "text/csv"}, b"Id\n\xff\n", ROOT), ("Id",))


@pytest.mark.parametrize(
    "text", ['"Id","Name"\n"a"\n', '"Id","Name"\n"a","x', "<html>Maintenance</html>"]
)
def test_a_page_that_is_not_whole_is_no_page(text: str) -> None:
    with pytest.raises(BadReplyError):
        read_rows(page(text), ("Id", "Name"))


@pytest.mark.attack("answers")
@pytest.mark.parametrize(
    ("limit", "text", "says"),
    [
        ("MAX_VALUES", "Id,Name\na,x\nb,y\n", "more than 5 cells"),
        ("MOST_ROWS", "Id,Name\n" + "a,x\n" * 6, "more than 5 rows"),
        ("MOST_COMMAS", "Id,,,,,,\n", "too many commas"),
        ("CELL_MAX", 'Id\n"abcdef"\n', "too long"),
    ],
)
def test_a_page_of_more_than_a_page_can_hold_is_refused(
    monkeypatch: pytest.MonkeyPatch, limit: str, text: str, says: str
) -> None:
    monkeypatch.setattr(bulk, limit, 5)
    with pytest.raises(BadReplyError, match=says):
        read_rows(page(text), ("Id", "Name"))


def test_a_page_must_have_as_many_rows_as_it_says() -> None:
    with pytest.raises(BadReplyError, match="1 records, not 2"):
        read_rows(page('"Id"\n"a"\n', **{"sforce-numberofrecords": "2"}), ("Id",))


def test_html_in_place_of_csv_is_a_bad_reply() -> None:
    html = Reply(200, {"content-type": "text/html"}, b"<html>", ROOT + "/jobs/query/1/results")
    with pytest.raises(BadReplyError):
        Salesforce({}).judge(html)


@pytest.mark.parametrize("state", ["Failed", "Aborted"])
def test_a_job_that_failed_is_told_in_its_own_words_and_may_succeed_later(state: str) -> None:
    body = {"id": "750x", "state": state, "errorMessage": "InternalServerError: x"}
    with pytest.raises(BadReplyError, match=r"750x has .*: InternalServerError: x") as caught:
        job_state(reply(200, body))
    assert (caught.value.code, caught.value.exit_code) == ("provider_unavailable", 5)
    assert "later" in (caught.value.hint or "")


def test_the_longer_a_job_takes_the_less_often_it_is_asked_about() -> None:
    body = {"id": "750x", "state": "InProgress", "createdDate": "2026-01-01T00:00:00.000+0000"}
    raw = json.dumps(body).encode()
    waits = [
        job_state(Reply(200, {}, raw, ROOT, date=datetime(2026, 1, 1, 0, minute, tzinfo=UTC))).wait
        for minute in (0, 1, 30)
    ]
    assert waits == [0.0, 15.0, 30.0]


# -- what became of records


def test_no_ids_are_asked_for_where_none_is_one_of_salesforces() -> None:
    def send(call: Call) -> Reply:
        raise AssertionError(call.label)

    assert Salesforce({}).survivors(Salesforce({}).resource("leads"), ["", "local-1"], send) == {}


def test_a_description_with_holes_still_says_what_records_were_merged_into() -> None:
    lost, kept = "00Q000000000001AAA", "00Q000000000002AAA"

    def send(call: Call) -> Reply:
        if call.path.endswith("/describe"):
            return reply(200, {"fields": [None, {"name": None}, {"name": "MasterRecordId"}]})
        return reply(200, {"done": True, "records": [{"Id": lost, "MasterRecordId": kept}]})

    salesforce = Salesforce({})
    leads = salesforce.resource("leads")
    assert salesforce.survivors(leads, ["local-1", lost], send) == {lost: kept}


def test_a_description_without_fields_is_no_answer() -> None:
    salesforce = Salesforce({})
    with pytest.raises(BadReplyError, match="without its fields"):
        salesforce.survivors(
            salesforce.resource("leads"), ["00Q000000000001AAA"], lambda call: reply(200, {})
        )

"""What Graph's errors and usage headers mean, and what webhooks become."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.verdict import Outcome
from lumio_cli.providers.whatsapp import WhatsApp
from lumio_cli.providers.whatsapp.inbound import messages, statuses

CALL = Call("GET", "/v25.0/1")


def reply(status: int, code: int, headers: dict[str, str] | None = None, **more: Any) -> Reply:
    error = {"message": f"(#{code}) words", "type": "OAuthException", "code": code, **more}
    return Reply(status, headers or {}, json.dumps({"error": error}).encode())


@pytest.mark.parametrize(
    ("status", "code", "outcome", "quota"),
    [
        (401, 190, Outcome.REAUTH, ""),
        (400, 190, Outcome.REAUTH, ""),
        (400, 104, Outcome.REAUTH, ""),
        (403, 10, Outcome.DENIED, ""),
        (400, 200, Outcome.DENIED, ""),
        (403, 131005, Outcome.DENIED, ""),
        (403, 131031, Outcome.DENIED, ""),
        (400, 368, Outcome.DENIED, ""),
        (400, 131042, Outcome.DENIED, ""),
        (400, 4, Outcome.THROTTLED, ""),
        (400, 80007, Outcome.THROTTLED, "management"),
        (400, 130429, Outcome.THROTTLED, "messages"),
        (429, 130429, Outcome.THROTTLED, "messages"),
        (400, 131056, Outcome.THROTTLED, "pair"),
        (503, 131016, Outcome.THROTTLED, "messages"),
        (400, 131057, Outcome.THROTTLED, "messages"),
        (400, 131048, Outcome.EXHAUSTED, "messages"),
        (500, 1, Outcome.RETRY, ""),
        (400, 2, Outcome.RETRY, ""),
        (500, 131000, Outcome.RETRY, ""),
        (400, 33, Outcome.GONE, ""),
        (404, 803, Outcome.GONE, ""),
        (400, 100, Outcome.REJECTED, ""),
        (400, 131026, Outcome.REJECTED, ""),
        (400, 131047, Outcome.REJECTED, ""),
        (404, 132001, Outcome.REJECTED, ""),
        (400, 999999, Outcome.REJECTED, ""),
    ],
)
def test_the_code_decides(status: int, code: int, outcome: Outcome, quota: str) -> None:
    verdict = WhatsApp({}).judge(reply(status, code))
    assert verdict is not None
    assert (verdict.outcome, verdict.quota, verdict.category) == (outcome, quota, str(code))


def test_an_object_that_is_not_there_is_gone() -> None:
    verdict = WhatsApp({}).judge(reply(400, 100, error_subcode=33))
    assert verdict is not None
    assert verdict.outcome is Outcome.GONE


def test_a_transient_error_passes() -> None:
    verdict = WhatsApp({}).judge(reply(400, 999, is_transient=True))
    assert verdict is not None
    assert verdict.outcome is Outcome.RETRY


def test_the_details_are_told() -> None:
    details = {"messaging_product": "whatsapp", "details": "why it is so"}
    verdict = WhatsApp({}).judge(reply(400, 131009, error_data=details))
    assert verdict is not None
    assert "why it is so" in verdict.message


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b'{"error": "x"}', b'{"error": {"code": true}}']
)
def test_what_is_no_graph_error_is_left_to_its_status(body: bytes) -> None:
    assert WhatsApp({}).judge(Reply(502, {}, body)) is None
    assert WhatsApp({}).judge(Reply(200, {}, body)) is None


def usage(percent: int, minutes: int = 0) -> dict[str, str]:
    one = {
        "type": "whatsapp_business_management",
        "call_count": percent,
        "total_cputime": 1,
        "total_time": 2,
        "estimated_time_to_regain_access": minutes,
    }
    return {"x-business-use-case-usage": json.dumps({"123": [one]})}


def test_usage_headers_lower_what_is_left() -> None:
    (found,) = WhatsApp({}).remaining(CALL, Reply(200, usage(80), b"{}"))
    assert (found.quota, found.limit) == ("management", 5000)
    assert found.remaining == pytest.approx(1000)
    app = {"x-app-usage": '{"call_count": 5, "total_cputime": 90, "total_time": 1}'}
    (found,) = WhatsApp({}).remaining(CALL, Reply(200, app, b"{}"))
    assert found.remaining == pytest.approx(500)
    assert WhatsApp({}).remaining(CALL, Reply(200, {}, b"{}")) == ()
    assert WhatsApp({}).remaining(CALL, Reply(200, {"x-app-usage": "?"}, b"{}"))


def test_the_time_to_regain_access_is_in_minutes() -> None:
    verdict = WhatsApp({}).judge(reply(429, 80007, usage(100, 7)))
    assert verdict is not None
    assert verdict.retry_after == 420.0


# -- webhooks

METADATA = {"display_phone_number": "15550783881", "phone_number_id": "106540352242922"}


def test_messages_of_a_webhook_become_records_with_who_and_where() -> None:
    value = {
        "metadata": METADATA,
        "contacts": [{"profile": {"name": "Zoë"}, "wa_id": "16505551234"}],
        "messages": [
            {"from": "16505551234", "id": "wamid.A", "timestamp": "1749416383", "type": "text",
             "text": {"body": "hi"}},
            {"from": "16505551234", "id": "wamid.B", "timestamp": "1749416384", "type": "image",
             "image": {"id": "1", "mime_type": "image/png"}},
            {"from_user_id": "US.1", "id": "wamid.C", "timestamp": "1", "type": "unheard_of"},
        ],
    }  # fmt: skip
    first, second, third = messages(value)
    assert first["contact"]["profile"]["name"] == "Zoë"
    assert second["media"] == {"id": "1", "mime_type": "image/png"}
    assert "contact" not in third
    assert all(m["metadata"] == METADATA for m in (first, second, third))


def test_statuses_are_known_by_message_and_status() -> None:
    value = {
        "metadata": METADATA,
        "statuses": [
            {"id": "wamid.A", "status": "sent", "timestamp": "1", "recipient_id": "1"},
            {"id": "wamid.A", "status": "failed", "timestamp": "2", "recipient_id": "1",
             "errors": [{"code": 131026, "title": "Message undeliverable"}]},
        ],
    }  # fmt: skip
    sent, failed = statuses(value)
    assert (sent["id"], failed["id"]) == ("wamid.A:sent", "wamid.A:failed")
    assert (sent["message_id"], failed["error"]["code"]) == ("wamid.A", 131026)

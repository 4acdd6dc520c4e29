"""What Slack's answers mean: words, not statuses."""

from __future__ import annotations

from typing import Any

import pytest

from lumio_cli.providers.contract.verdict import Outcome
from lumio_cli.providers.slack import Slack
from providers.slack.conftest import reply

SLACK = Slack({})


@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        ("invalid_auth", Outcome.REAUTH),
        ("token_expired", Outcome.REAUTH),
        ("token_revoked", Outcome.REFUSED),
        ("account_inactive", Outcome.REFUSED),
        ("not_authed", Outcome.REFUSED),
        ("missing_scope", Outcome.DENIED),
        ("not_allowed_token_type", Outcome.DENIED),
        ("ratelimited", Outcome.THROTTLED),
        ("internal_error", Outcome.RETRY),
        ("fatal_error", Outcome.RETRY),
        ("not_in_channel", Outcome.REJECTED),
        ("channel_not_found", Outcome.GONE),
        ("users_not_found", Outcome.GONE),
        ("invalid_cursor", Outcome.REJECTED),
        ("a_word_that_is_new", Outcome.REJECTED),
    ],
)
def test_a_word_in_a_200_is_an_outcome(word: str, outcome: Outcome) -> None:
    verdict = SLACK.judge(reply({"ok": False, "error": word}))
    assert verdict is not None
    assert (verdict.outcome, verdict.category) == (outcome, word)
    assert verdict.message


def test_a_missing_scope_is_named_with_those_there_are() -> None:
    body = {
        "ok": False,
        "error": "missing_scope",
        "needed": "channels:history",
        "provided": "chat:write,users:read",
    }
    verdict = SLACK.judge(reply(body))
    assert verdict is not None
    assert verdict.scopes == ("channels:history",)
    assert "channels:history" in verdict.message
    assert "chat:write,users:read" in verdict.message


def test_details_of_a_refusal_are_told() -> None:
    body = {"ok": False, "error": "invalid_blocks", "errors": ["no such type [json-pointer:/x]"]}
    verdict = SLACK.judge(reply(body))
    assert verdict is not None
    assert "json-pointer:/x" in verdict.message


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"ok": True, "warning": "missing_charset"}, 200),
        (b"OK - 123", 200),
        (b"<html>maintenance</html>", 503),
        (b"{broken", 200),
        ({"ok": False, "error": "a_word_that_is_new"}, 503),
    ],
)
def test_everything_else_is_for_the_status_to_say(body: Any, status: int) -> None:
    assert SLACK.judge(reply(body, status)) is None

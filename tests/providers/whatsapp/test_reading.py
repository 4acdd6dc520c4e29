"""Connecting, and what is read: requests that the description allows, analytics day by day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lumio_cli.core.errors import CredentialError
from lumio_cli.providers.contract.auth import Credential
from lumio_cli.sandbox.whatsapp.account import OTHER_WABA_ID, PHONE_ID, WABA_ID
from support.whatsapp_spec import UNDESCRIBED, validate_request

from .conftest import WhatsAppLab

DAY = 86_400
Make = Callable[..., WhatsAppLab]


class Clock:
    """The provider's clock, which tests move."""

    now = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(make_lab: Make, clock: Clock) -> WhatsAppLab:
    return make_lab(12, clock=clock)


# -- connecting


def test_connecting_says_whose_account_it_is(lab: WhatsAppLab) -> None:
    outcome = lab.lumio("connect", "whatsapp")
    assert outcome.code == 0, outcome.out
    assert outcome.document["account"]["id"] == WABA_ID
    assert not outcome.document["missing_scopes"]


def test_the_only_number_is_taken_and_one_of_several_is_not(lab: WhatsAppLab) -> None:
    credential = Credential("token", lab.sandbox.token("whatsapp"))
    identity = lab.provider.probe(lab.send, credential)
    assert identity.account_id == WABA_ID
    assert identity.fields == {"waba_id": WABA_ID}
    assert PHONE_ID in identity.details["phone_numbers"]
    lab.account.set_numbers(1)
    identity = lab.provider.probe(lab.send, replace(credential, fields={"waba_id": WABA_ID}))
    assert identity.fields == {"waba_id": WABA_ID, "phone_number_id": PHONE_ID}
    assert identity.expires_at is None


def test_of_several_accounts_one_has_to_be_named(lab: WhatsAppLab) -> None:
    lab.account.wabas = (WABA_ID, OTHER_WABA_ID)
    credential = Credential("token", lab.sandbox.token("whatsapp"))
    with pytest.raises(CredentialError, match=OTHER_WABA_ID) as caught:
        lab.provider.probe(lab.send, credential)
    assert "waba_id" in str(caught.value.hint)
    named = replace(credential, fields={"waba_id": OTHER_WABA_ID})
    assert lab.provider.probe(lab.send, named).account_id == OTHER_WABA_ID


def test_a_number_that_is_not_there_is_refused(lab: WhatsAppLab) -> None:
    lab.extra["LUMIO_WHATSAPP_PHONE_NUMBER_ID"] = "12345"
    outcome = lab.lumio("connect", "whatsapp")
    assert outcome.code == 4
    assert "12345" in outcome.document["error"]["message"]


def test_a_missing_permission_is_told(lab: WhatsAppLab) -> None:
    lab.token = lab.sandbox.token("whatsapp", "no_messaging")
    outcome = lab.lumio("connect", "whatsapp")
    missing = outcome.document["missing_scopes"]
    assert missing["messages"] == ["whatsapp_business_messaging"]
    assert "templates" not in missing


# -- the description


def test_reading_makes_only_requests_that_the_description_allows(timed: WhatsAppLab) -> None:
    outcome = timed.lumio("sync", "whatsapp")
    assert outcome.code == 0, outcome.out
    timed.lumio("sync", "whatsapp", "--mode", "full")
    complaints = [
        complaint
        for call in timed.calls
        if not call.path.endswith(UNDESCRIBED)
        for complaint in validate_request(call.method, call.path, dict(call.params), call.json)
    ]
    assert sorted(set(complaints)) == []
    labels = {call.label for call in timed.calls}
    assert {"/{waba_id}/message_templates", "/{waba_id}/template_analytics"} <= labels


@pytest.mark.parametrize("version", ["v23.0", "v26.0"])
def test_the_version_is_a_setting(lab: WhatsAppLab, version: str) -> None:
    lab.extra["LUMIO_PROVIDERS__WHATSAPP__API_VERSION"] = version
    assert lab.lumio("sync", "whatsapp/templates").code == 0
    assert {call.path.split("/")[1] for call in lab.calls} == {version}


# -- tables


def test_a_profile_comes_for_each_number(lab: WhatsAppLab) -> None:
    lab.lumio("sync", "whatsapp/business_profiles")
    rows = lab.sql("SELECT id, email, about FROM whatsapp_business_profiles ORDER BY id")
    wanted = [(n["id"], lab.account.profile(n["id"])) for n in lab.account.numbers]
    assert rows == [(i, p["email"], p["about"]) for i, p in wanted]


def test_tables_of_webhooks_are_there_and_empty(lab: WhatsAppLab) -> None:
    outcome = lab.lumio("sync", "whatsapp/templates")
    assert outcome.code == 0, outcome.out
    provider = lab.provider
    assert provider.resource("messages").paging == {}
    assert provider.resource("statuses").paging == {}


# -- analytics


def test_a_year_of_messages_by_day(timed: WhatsAppLab) -> None:
    entry = timed.lumio("sync", "whatsapp/message_analytics").resource("message_analytics")
    assert entry["created"] == 365
    first, last = timed.sql("SELECT min(day), max(day) FROM whatsapp_message_analytics")[0]
    assert (first, last) == ("2025-11-24", "2026-11-23")


def test_later_only_the_last_days_are_asked_for(timed: WhatsAppLab, clock: Clock) -> None:
    timed.lumio("sync", "whatsapp/message_analytics")
    clock.now += 2 * DAY
    entry = timed.lumio("sync", "whatsapp/message_analytics").resource("message_analytics")
    assert entry["mode"] == "incremental"
    assert entry["created"] == 2
    assert entry["read"] == 6
    assert timed.sql("SELECT count(*) FROM whatsapp_message_analytics") == [(367,)]


def test_days_that_whatsapp_no_longer_tells_stay(timed: WhatsAppLab, clock: Clock) -> None:
    clock.now -= 60 * DAY  # a provider's time that lies ahead of ours is not believed
    timed.lumio("sync", "whatsapp/message_analytics")
    clock.now += 30 * DAY
    timed.lumio("sync", "whatsapp/message_analytics", "--mode", "full", "--max-delete", "100")
    assert timed.sql("SELECT count(*) FROM whatsapp_message_analytics") == [(395,)]


def test_costs_come_by_category_and_number(timed: WhatsAppLab) -> None:
    timed.lumio("sync", "whatsapp/pricing_analytics")
    rows = timed.sql(
        "SELECT pricing_category, count(*), count(cost), sum(volume) > 0"
        " FROM whatsapp_pricing_analytics GROUP BY 1 ORDER BY 1"
    )
    assert rows == [("MARKETING", 365, 365, 1), ("SERVICE", 365, 0, 1), ("UTILITY", 365, 365, 1)]


def test_conversations_come_too(timed: WhatsAppLab) -> None:
    entry = timed.lumio("sync", "whatsapp/conversation_analytics").resource(
        "conversation_analytics"
    )
    assert entry["created"] == 365


def test_templates_come_ten_at_a_time_ninety_days_back(timed: WhatsAppLab, clock: Clock) -> None:
    outcome = timed.lumio("sync", "whatsapp/templates", "whatsapp/template_analytics")
    assert outcome.code == 0, outcome.out
    assert outcome.resource("template_analytics")["created"] == 12 * 90
    rows = timed.sql(
        "SELECT count(DISTINCT template_id), count(DISTINCT day) FROM whatsapp_template_analytics"
    )
    assert rows == [(12, 90)]
    clock.now += DAY
    entry = timed.lumio("sync", "whatsapp/template_analytics").resource("template_analytics")
    assert (entry["mode"], entry["created"]) == ("incremental", 12)


def test_a_walk_through_days_goes_on_where_it_was_stopped(timed: WhatsAppLab) -> None:
    timed.sandbox.faults.set([f"401:path=*/{WABA_ID}:after=3"])
    timed.lumio("sync", "whatsapp/message_analytics")
    (held,) = timed.sql("SELECT count(*) FROM whatsapp_message_analytics")[0]
    assert 0 < held < 365
    timed.sandbox.faults.clear()
    before = len(timed.calls)
    entry = timed.lumio("sync", "whatsapp/message_analytics").resource("message_analytics")
    assert held + entry["created"] == 365
    assert len(timed.calls) - before < 10


def test_the_clock_is_the_providers(make_lab: Make) -> None:
    past = Clock()
    past.now -= timedelta(days=300).total_seconds()
    lab = make_lab(1, clock=past)
    lab.lumio("sync", "whatsapp/message_analytics")
    assert lab.sql("SELECT max(day) FROM whatsapp_message_analytics") == [("2026-01-27",)]


def test_a_null_among_groups_of_days_is_a_letter_and_costs_no_day_of_another(
    timed: WhatsAppLab,
) -> None:
    timed.sandbox.faults.set(["nullrow:path=*template_analytics*:times=1"])
    done = timed.lumio("sync", "whatsapp/template_analytics")
    entry = done.resource("template_analytics")
    assert (done.code, entry["status"], entry["failed"]) == (3, "partial", 1), done.out

"""The look-alike of WhatsApp: access, listings, messages and limits, as Meta documents them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.whatsapp.account import PHONE_ID, WABA_ID

V = "/v25.0"
TO = "+5511987654321"
USER = TO[1:]
Make = Callable[..., tuple[Sandbox, httpx.Client]]


class Clock:
    """A clock that tests move."""

    now = 1_795_300_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def make() -> Iterator[Make]:
    opened: list[Any] = []

    def build(token: str = "full", **options: Any) -> tuple[Sandbox, httpx.Client]:
        options = {"records": 30, "quota": "none", "clock": Clock(), **options}
        sandbox = Sandbox(providers=["whatsapp"], **options).start()
        headers = {"Authorization": f"Bearer {sandbox.token('whatsapp', token)}"}
        client = httpx.Client(
            base_url=sandbox.base_url("whatsapp"), headers=headers, trust_env=False
        )
        opened.extend((client, sandbox))
        return sandbox, client

    yield build
    for item in opened:
        item.close()


def send(client: httpx.Client, kind: str = "text", to: str = TO, **content: Any) -> httpx.Response:
    base = {"messaging_product": "whatsapp", "to": to, "type": kind}
    content = content or {"text": {"body": "hi"}}
    return client.post(f"{V}/{PHONE_ID}/messages", json={**base, **content})


def code(answer: httpx.Response) -> int:
    return int(answer.json()["error"]["code"])


# -- access


@pytest.mark.parametrize(
    ("token", "status", "number"), [("expired", 401, 190), ("no_scopes", 403, 200)]
)
def test_a_token_that_will_not_do_is_refused(
    make: Make, token: str, status: int, number: int
) -> None:
    _, client = make(token)
    answer = client.get(f"{V}/{WABA_ID}/phone_numbers")
    assert (answer.status_code, code(answer)) == (status, number)


def test_reading_and_sending_are_permitted_apart(make: Make) -> None:
    _, client = make("no_messaging")
    assert client.get(f"{V}/{WABA_ID}/phone_numbers").status_code == 200
    assert send(client).status_code == 403


def test_no_token_and_a_wrong_one_are_refused(make: Make) -> None:
    _, client = make()
    for headers in ({"Authorization": ""}, {"Authorization": "Bearer nonsense"}):
        assert client.get(f"{V}/{WABA_ID}", headers=headers).status_code == 401


def test_an_unknown_version_or_path_is_no_path(make: Make) -> None:
    _, client = make()
    assert client.get(f"/v1.0/{WABA_ID}").status_code == 404
    assert client.get(f"{V}/{WABA_ID}/nonsense").status_code == 404


# -- listings


def test_the_cursor_is_there_on_the_last_page_but_no_next(make: Make) -> None:
    _, client = make()
    seen: list[str] = []
    after: str | None = None
    while True:
        params = {"limit": "7", **({"after": after} if after else {})}
        body = client.get(f"{V}/{WABA_ID}/message_templates", params=params).json()
        seen += [row["id"] for row in body["data"]]
        after = body["paging"]["cursors"]["after"]
        if "next" not in body["paging"]:
            break
    assert len(seen) == len(set(seen)) == 30
    last = client.get(f"{V}/{WABA_ID}/message_templates", params={"after": after or ""}).json()
    assert last == {"data": []}


def test_only_fields_that_are_asked_for_come_and_unknown_ones_are_refused(make: Make) -> None:
    _, client = make()
    path = f"{V}/{WABA_ID}/phone_numbers"
    rows = client.get(path, params={"fields": "status"}).json()["data"]
    assert set(rows[0]) == {"id", "status"}
    assert code(client.get(path, params={"fields": "nonsense"})) == 100


def test_deleting_a_template_by_name_takes_all_its_languages(make: Make) -> None:
    sandbox, client = make()
    app: Any = sandbox.providers["whatsapp"]
    named = [t for t in app.templates if t["name"] == "template_00001"]
    assert len(named) == 5
    client.delete(f"{V}/{WABA_ID}/message_templates", params={"name": "template_00001"})
    assert len(app.templates) == 25


# -- analytics


def test_analytics_wants_a_span_within_a_year(make: Make) -> None:
    _, client = make()
    now = int(Clock.now)
    day = 86_400
    field = f"analytics.start({now - 3 * day}).end({now}).granularity(DAY)"
    points = client.get(f"{V}/{WABA_ID}", params={"fields": field}).json()["analytics"]
    assert [p["end"] - p["start"] for p in points["data_points"]] == [day] * 4
    old = f"analytics.start({now - 400 * day}).end({now}).granularity(DAY)"
    assert code(client.get(f"{V}/{WABA_ID}", params={"fields": old})) == 100


def test_analytics_of_templates_takes_ten_at_most_and_is_paged(make: Make) -> None:
    sandbox, client = make()
    app: Any = sandbox.providers["whatsapp"]
    ids = app.templates.ids()
    now = int(Clock.now)
    params = {"start": str(now - 10 * 86_400), "end": str(now), "granularity": "DAILY"}
    path = f"{V}/{WABA_ID}/template_analytics"
    answer = client.get(path, params={**params, "template_ids": f"[{','.join(ids[:11])}]"})
    assert code(answer) == 100
    body = client.get(path, params={**params, "template_ids": f"[{','.join(ids[:10])}]"}).json()
    assert len(body["data"][0]["data_points"]) == 25
    assert body["paging"]["next"]


# -- messages


def test_what_was_accepted_is_in_the_outbox_by_recipient_and_by_key(make: Make) -> None:
    sandbox, client = make()
    for number in (TO, TO, "+4915112345678"):
        send(client, to=number, text={"body": "hi"}, biz_opaque_callback_data=f"k{number}")
    control = f"{sandbox.url}/_sandbox/whatsapp/outbox"
    found = httpx.get(control, trust_env=False).json()
    assert found["accepted"] == 3
    assert found["by_recipient"] == {USER: 2, "4915112345678": 1}
    assert found["by_key"][f"k{TO}"] == 2
    assert len(httpx.get(f"{control}/dump", trust_env=False).text.splitlines()) == 3
    stats = sandbox.stats()["providers"]["whatsapp"]["messages"]
    assert stats == {"accepted": 3, "recipients": 2, "repeated": 1}


def test_after_24_hours_only_templates_go_out(make: Make) -> None:
    sandbox, client = make()
    app: Any = sandbox.providers["whatsapp"]
    app.receive(USER)
    assert send(client).status_code == 200
    app.receive(USER, app.clock() - 90_000)
    assert code(send(client)) == 131047
    template = {
        "name": "order_update",
        "language": {"code": "en_US"},
        "components": [{"type": "body", "parameters": [{"type": "text", "text": t} for t in "ab"]}],
    }
    assert send(client, "template", template=template).status_code == 200


@pytest.mark.parametrize(
    ("kind", "content", "number"),
    [
        ("text", {"text": {"body": "x" * 4097}}, 100),
        ("image", {"image": {"id": "1", "link": "https://sandbox.example"}}, 100),
        ("image", {"image": {"id": "no such file"}}, 131009),
        ("template", {"template": {"name": "nonsense", "language": {"code": "en_US"}}}, 132001),
        ("template", {"template": {"name": "order_update", "language": {"code": "en_US"}}}, 132000),
        ("nonsense", {"nonsense": {"a": 1}}, 131051),
    ],
)
def test_what_whatsapp_does_not_take_is_refused(
    make: Make, kind: str, content: dict[str, Any], number: int
) -> None:
    _, client = make()
    assert code(send(client, kind, **content)) == number


def test_a_recipient_can_be_made_to_fail(make: Make) -> None:
    sandbox, client = make()
    control = f"{sandbox.url}/_sandbox/whatsapp/refuse"
    httpx.post(control, json={"to": USER, "code": 131026}, trust_env=False)
    assert code(send(client)) == 131026
    httpx.post(control, json={"to": USER, "code": 0}, trust_env=False)
    assert send(client).status_code == 200


def test_a_burst_to_one_user_is_paid_back(make: Make) -> None:
    clock = Clock()
    _, client = make(quota="published", clock=clock)
    assert [send(client).status_code for _ in range(3)] == [200] * 3
    clock.now += 7
    assert code(send(client)) == 131056
    clock.now += 11
    assert send(client).status_code == 200


def test_a_number_sends_eighty_messages_a_second(make: Make) -> None:
    clock = Clock()
    sandbox, client = make(quota="published", clock=clock)
    answers = [send(client, to=f"+55119000{n:05d}").status_code for n in range(81)]
    assert answers == [200] * 80 + [429]
    assert sandbox.violations == 1


def test_management_calls_say_how_much_of_the_hour_is_used(make: Make) -> None:
    _, client = make(quota="management=4")
    answers = [client.get(f"{V}/{WABA_ID}") for _ in range(5)]
    usage = [a.headers["x-business-use-case-usage"] for a in answers]
    assert '"call_count": 25' in usage[0]
    assert (answers[4].status_code, code(answers[4])) == (429, 80007)
    assert '"estimated_time_to_regain_access": 60' in usage[4]

"""pywa, a leading client of the Cloud API, works with the look-alike."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.whatsapp.account import PHONE_ID, WABA_ID

pywa = pytest.importorskip("pywa")
TO = "5511987654321"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(records=30, providers=["whatsapp"], quota="none") as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Any]:
    with httpx.Client(trust_env=False) as session, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pywa.WhatsApp(
            phone_id=PHONE_ID,
            waba_id=WABA_ID,
            token=sandbox.token("whatsapp"),
            session=session,
        )
        session.base_url = httpx.URL(f"{sandbox.base_url('whatsapp')}/v25.0")
        yield found


def test_it_lists_templates(client: Any) -> None:
    found = client.get_templates(pagination=pywa.types.Pagination(limit=20))
    names = [template.name for template in found]
    assert len(names) == 20
    assert names[0] == "order_update"
    assert found.total_count == 30
    assert found.has_next


def test_it_follows_pages(client: Any) -> None:
    first = client.get_business_phone_numbers(pagination=pywa.types.Pagination(limit=3))
    second = first.next()
    assert [len(list(first)), len(list(second))] == [3, 1]
    assert not second.has_next


def test_it_sends_a_text_with_a_tracker(client: Any, sandbox: Sandbox) -> None:
    sent = client.send_message(to=TO, text="olá 👋", tracker="key-1")
    assert sent.id.startswith("wamid.")
    app: Any = sandbox.providers["whatsapp"]
    assert [(m.to, m.key) for m in app.outbox.accepted] == [(TO, "key-1")]


def test_it_uploads_and_sends_a_file(client: Any, sandbox: Sandbox) -> None:
    data = b"\x89PNG\r\n\x1a\n sandbox"
    client.send_image(to=TO, image=data, mime_type="image/png", caption="ü")
    app: Any = sandbox.providers["whatsapp"]
    assert [media.data for media in app.media.values()] == [data]
    assert app.outbox.accepted[0].body["image"]["caption"] == "ü"


def test_it_reads_the_profile_and_the_account(client: Any) -> None:
    assert client.get_business_profile().email.endswith("@sandbox.example")
    assert client.get_business_phone_number().id == PHONE_ID


def test_it_understands_errors(client: Any, sandbox: Sandbox) -> None:
    app: Any = sandbox.providers["whatsapp"]
    app.receive(TO, app.clock() - 100_000)
    with pytest.raises(pywa.errors.ReEngagementMessage):
        client.send_message(to=TO, text="too late")
    app.refuse_to(TO, 131056)
    app.receive(TO)
    with pytest.raises(pywa.errors.WhatsAppError) as caught:
        client.send_message(to=TO, text="too fast")
    assert caught.value.code == 131056

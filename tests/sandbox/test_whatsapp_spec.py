"""What the look-alike of WhatsApp answers is what Meta's published description allows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from lumio_cli.sandbox import Sandbox
from lumio_cli.sandbox.whatsapp.account import PHONE_ID, WABA_ID
from support.whatsapp_spec import directory, validate_response

V = "/v25.0"
TO = "+5511987654321"


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    directory()
    with Sandbox(records=30, providers=["whatsapp"], quota="none") as sandbox:
        headers = {"Authorization": f"Bearer {sandbox.token('whatsapp')}"}
        with httpx.Client(
            base_url=sandbox.base_url("whatsapp"), headers=headers, trust_env=False
        ) as http:
            yield http


READS = (
    f"{V}/{WABA_ID}/message_templates?limit=5",
    f"{V}/{WABA_ID}/message_templates?name=order_update",
    f"{V}/{WABA_ID}/phone_numbers?limit=2",
    f"{V}/{WABA_ID}?fields=id,name,timezone_id,currency,country,account_review_status",
    f"{V}/{WABA_ID}/subscribed_apps",
    f"{V}/{PHONE_ID}",
    f"{V}/{PHONE_ID}?fields=id,display_phone_number,name_status,quality_rating",
    f"{V}/{PHONE_ID}/whatsapp_business_profile",
    f"{V}/{PHONE_ID}/message_history?fields=id,message_id,events{{delivery_status}}",
    f"{V}/{WABA_ID}/phone_numbers?fields=nonsense",
    f"{V}/1234567890",
    f"{V}/{WABA_ID}/nonsense",
)
SENDS: tuple[dict[str, Any], ...] = (
    {"type": "text", "text": {"body": "hi", "preview_url": False}},
    {"type": "image", "image": {"link": "https://sandbox.example/a.png", "caption": "ü"}},
    {"type": "reaction", "reaction": {"message_id": "wamid.X", "emoji": "👍"}},
    {
        "type": "template",
        "template": {
            "name": "order_update",
            "language": {"policy": "deterministic", "code": "en_US"},
            "components": [
                {"type": "body", "parameters": [{"type": "text", "text": t} for t in ("a", "b")]}
            ],
        },
    },
    {"type": "text", "text": {"body": ""}},
    {"type": "nonsense", "nonsense": {}},
)


@pytest.mark.parametrize("path", READS)
def test_an_answer_to_a_read_fits_the_description(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    bare = path.partition("?")[0]
    assert validate_response("GET", bare, answer.status_code, answer.json()) == []


@pytest.mark.parametrize("content", SENDS, ids=lambda c: str(c["type"]))
def test_an_answer_to_a_send_fits_the_description(
    client: httpx.Client, content: dict[str, Any]
) -> None:
    path = f"{V}/{PHONE_ID}/messages"
    base = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": TO}
    answer = client.post(path, json={**base, **content})
    assert validate_response("POST", path, answer.status_code, answer.json()) == []


def test_an_answer_to_an_upload_and_to_its_id_fits_the_description(client: httpx.Client) -> None:
    path = f"{V}/{PHONE_ID}/media"
    files = {"file": ("a.png", b"\x89PNG\r\n", "image/png")}
    answer = client.post(path, data={"messaging_product": "whatsapp"}, files=files)
    assert validate_response("POST", path, 200, answer.json()) == []
    node = f"{V}/{answer.json()['id']}"
    assert validate_response("GET", node, 200, client.get(node).json()) == []


def test_answers_to_writes_of_templates_fit_the_description(client: httpx.Client) -> None:
    path = f"{V}/{WABA_ID}/message_templates"
    body = {"name": "made_here", "language": "pt_BR", "category": "UTILITY", "components": []}
    made = client.post(path, json=body)
    assert validate_response("POST", path, made.status_code, made.json()) == []
    again = client.post(path, json=body)
    assert again.status_code == 400
    assert validate_response("POST", path, 400, again.json()) == []
    gone = client.delete(path, params={"name": "made_here"})
    assert validate_response("DELETE", path, gone.status_code, gone.json()) == []

"""Connecting: the app's secret, the ids, and what Graph says where it refuses."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from lumio_cli.core.errors import CredentialError, DeniedError, RejectedError
from lumio_cli.providers.contract.auth import Credential
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.whatsapp import WhatsApp
from lumio_cli.sandbox.whatsapp.account import APP_SECRET, PHONE_ID, WABA_ID
from providers.whatsapp.conftest import WhatsAppLab, message
from support.cli import lumio

SECRET = "LUMIO_WHATSAPP_APP_SECRET"
NO_PROOF = "API calls from the server require an appsecret_proof argument"


# -- the app's secret


def test_an_app_that_requires_its_secret_says_so_and_what_to_do(lab: WhatsAppLab) -> None:
    lab.account.proof_required = True
    for words in (("connect", "whatsapp"), ("sync", "whatsapp/templates")):
        outcome = lab.lumio(*words)
        assert outcome.code == 4, outcome.out
        assert NO_PROOF in outcome.out
        assert SECRET in outcome.out


def test_with_the_secret_every_call_carries_the_proof(lab: WhatsAppLab) -> None:
    lab.account.proof_required = True
    lab.extra[SECRET] = APP_SECRET
    assert lab.lumio("connect", "whatsapp").code == 0
    outcome = lab.lumio("sync", "whatsapp")
    assert outcome.code == 0, outcome.out
    picture = {"name": "a.jpg", "type": "image/jpeg", "data": b"JPEG"}
    assert lab.provider.deliver(message("image", file=picture), lab.send).status == "done"
    token = lab.sandbox.token("whatsapp")
    proof = hmac.new(APP_SECRET.encode(), token.encode(), hashlib.sha256).hexdigest()
    assert {call.params.get("appsecret_proof") for call in lab.calls} == {proof}
    assert {"/{waba_id}/template_analytics", "/{phone_number_id}/media"} <= {
        call.label for call in lab.calls
    }


def test_another_apps_secret_is_refused_in_graphs_words(lab: WhatsAppLab) -> None:
    lab.extra[SECRET] = "f" * 32
    outcome = lab.lumio("connect", "whatsapp")
    assert outcome.code == 4
    assert "Invalid appsecret_proof" in outcome.document["error"]["message"]


def test_neither_the_secret_nor_the_proof_is_ever_shown(lab: WhatsAppLab) -> None:
    lab.extra[SECRET] = APP_SECRET
    lab.lumio("debug", "whatsapp", "on", "--level", "verbose", "--duration", "10m")
    assert lab.lumio("sync", "whatsapp/templates").code == 0
    shown = lab.lumio("debug", "whatsapp", "show").out
    assert "appsecret_proof=***" in shown
    token = lab.sandbox.token("whatsapp")
    proof = hmac.new(APP_SECRET.encode(), token.encode(), hashlib.sha256).hexdigest()
    kept = b"".join(path.read_bytes() for path in lab.home.rglob("*") if path.is_file())
    for secret in (proof, APP_SECRET):
        assert secret not in shown
        assert secret.encode() not in kept


# -- ids


@pytest.mark.parametrize("name", ["waba_id", "phone_number_id"])
@pytest.mark.parametrize("value", ["me", "12 34", "١٢٣"])
def test_an_id_that_is_no_number_is_never_asked_for(
    lab: WhatsAppLab, name: str, value: str
) -> None:
    lab.extra[f"LUMIO_WHATSAPP_{name.upper()}"] = value
    outcome = lab.lumio("connect", "whatsapp")
    assert outcome.code == 4, outcome.out
    assert name in outcome.out.replace(" ", "_")
    assert not lab.calls


def test_a_stored_id_that_is_no_number_ends_the_resource_and_says_which() -> None:
    broken = Credential("token", "EAAx", fields={"waba_id": "me"})
    with pytest.raises(CredentialError, match=r"waba_id 'me' is no number"):
        WhatsApp({}).address(Call("GET", "/v25.0/{waba_id}/message_templates"), broken)


def graph(answers: dict[str, Any]) -> Any:
    """A `Send` that answers by the path's end; an error among them is raised."""

    def send(call: Call) -> Reply:
        import orjson

        name = call.path.rpartition("/")[2]
        found = answers[name]
        if isinstance(found, Exception):
            raise found
        return Reply(200, {}, orjson.dumps(found))

    return send


ACCOUNT = {"id": WABA_ID, "name": "Café"}
NUMBERS = {"data": [{"id": PHONE_ID, "display_phone_number": "+55 11"}]}
ONE = {"data": {"granular_scopes": [{"scope": "whatsapp_business_management",
                                     "target_ids": [WABA_ID]}]}}  # fmt: skip


def test_nulls_and_ids_that_are_no_numbers_are_passed_over() -> None:
    scopes = [
        None,
        {"scope": None},
        {"scope": "whatsapp_business_management", "target_ids": None},
        {"scope": "whatsapp_business_messaging", "target_ids": [None, "me", WABA_ID]},
    ]
    send = graph(
        {
            "debug_token": {"data": {"granular_scopes": scopes, "expires_at": 10**19}},
            WABA_ID: ACCOUNT,
            "phone_numbers": {"data": [None, {"id": "me"}, {"id": {}}, *NUMBERS["data"]]},
        }
    )
    identity = WhatsApp({}).probe(send, Credential("token", "EAAx"))
    assert identity.fields == {"waba_id": WABA_ID, "phone_number_id": PHONE_ID}
    assert identity.expires_at is None


def test_what_graph_said_on_the_way_is_told_where_no_account_is_found() -> None:
    refusal = RejectedError("WhatsApp rejected it: Cannot parse access token", status=400)
    with pytest.raises(CredentialError, match="Cannot parse access token"):
        WhatsApp({}).probe(graph({"debug_token": refusal}), Credential("token", "EAAx"))
    nobody = {"data": {"error": {"message": "The session is over"}, "user_id": ""}}
    with pytest.raises(CredentialError, match="The session is over"):
        WhatsApp({}).probe(graph({"debug_token": nobody}), Credential("token", "EAAx"))


def test_a_refused_detail_does_not_end_a_connect() -> None:
    denied = DeniedError("WhatsApp does not permit the numbers")
    send = graph({"debug_token": denied, WABA_ID: ACCOUNT, "phone_numbers": denied})
    known = Credential("token", "EAAx", fields={"waba_id": WABA_ID})
    identity = WhatsApp({}).probe(send, known)
    assert identity.account_id == WABA_ID
    assert "does not permit the numbers" in identity.details["phone_numbers"]


def test_a_field_that_a_version_does_not_have_does_not_end_a_connect(lab: WhatsAppLab) -> None:
    asked = []

    def send(call: Call) -> Reply:
        asked.append(call)
        if "timezone_id" in str(call.params.get("fields")):
            raise RejectedError(
                "(#100) Tried accessing nonexisting field (timezone_id)", status=400
            )
        return lab.send(call)

    identity = lab.provider.probe(send, Credential("token", lab.sandbox.token("whatsapp")))
    assert identity.account_id == WABA_ID
    assert identity.account_name.startswith("Café")


# -- the account and its number

OTHER = "102290129340398777"
TWO = {"data": {"granular_scopes": [{"scope": "whatsapp_business_management",
                                     "target_ids": [WABA_ID, OTHER]}]}}  # fmt: skip
DIALLED = "+55 11 94000-1587"


def two_accounts(call: Call) -> Reply:
    """A token of two accounts, whose second one has the number that people dial."""
    import orjson

    *_, node, last = call.path.split("/")
    if last == "phone_numbers":
        rows = [{"id": PHONE_ID, "display_phone_number": DIALLED}] if node == OTHER else []
        return Reply(200, {}, orjson.dumps({"data": rows}))
    return Reply(200, {}, orjson.dumps(TWO if last == "debug_token" else {"id": last}))


@pytest.mark.parametrize("wanted", [PHONE_ID, "+5511940001587"])
def test_an_account_is_found_by_its_number(wanted: str) -> None:
    named = Credential("token", "EAAx", fields={"phone_number_id": wanted})
    identity = WhatsApp({}).probe(two_accounts, named)
    assert identity.fields == {"waba_id": OTHER, "phone_number_id": PHONE_ID}


def test_a_number_of_another_account_is_not_taken() -> None:
    both = Credential("token", "EAAx", fields={"waba_id": WABA_ID, "phone_number_id": PHONE_ID})
    with pytest.raises(CredentialError, match=f"{WABA_ID} has no phone number {PHONE_ID}"):
        WhatsApp({}).probe(two_accounts, both)


def test_hints_about_accounts_and_numbers_are_ready_to_be_typed(lab: WhatsAppLab) -> None:
    """Each of them, put into the command again, leads on."""
    for name in ("WABA_ID", "PHONE_NUMBER_ID"):
        lab.extra[f"LUMIO_WHATSAPP_{name}"] = ""
    lab.account.wabas = (WABA_ID, OTHER)
    refused = lab.lumio("connect", "whatsapp").document["error"]
    assert WABA_ID in refused["message"]
    account = refused["hint"].rpartition(" ")[2]
    wrong = ("--set", account, "--set", "phone_number_id=99")
    refused = lab.lumio("connect", "whatsapp", *wrong).document["error"]
    number = refused["hint"].rpartition(" ")[2]
    assert PHONE_ID in number
    done = lab.lumio("connect", "whatsapp", "--set", account, "--set", number)
    assert (done.code, done.document["status"]) == (0, "connected")


def test_another_number_needs_no_token_once_there_is_one(lab: WhatsAppLab) -> None:
    own = ("LUMIO_WHATSAPP_TOKEN", "LUMIO_WHATSAPP_WABA_ID", "LUMIO_WHATSAPP_PHONE_NUMBER_ID")
    env = {name: value for name, value in lab.environ.items() if name not in own}
    env["LUMIO_VAULT_KEY"] = "k" * 44
    message = ("send", "whatsapp", "--to", "+5511987654321", "--text", "x")
    token = lab.sandbox.token("whatsapp")
    first = lumio("connect", "whatsapp", "--token-stdin", home=lab.home, env=env, stdin=token)
    assert first.code == 0, first.err
    hint = first.out.partition("lumio connect whatsapp --set ")[2].partition("`")[0]
    assert hint == f"phone_number_id={PHONE_ID}"
    done = lumio("connect", "whatsapp", "--set", hint, home=lab.home, env=env)
    assert done.code == 0, done.err
    assert lumio(*message, home=lab.home, env=env).code == 0

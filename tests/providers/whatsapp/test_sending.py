"""Messages: what they become on the wire, what is refused before, what comes back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lumio_cli.core.errors import CredentialError, DeniedError, RejectedError, UsageError
from lumio_cli.providers.contract.call import Call, Reply
from lumio_cli.providers.contract.messages import Finds, Sends
from lumio_cli.providers.whatsapp import WhatsApp
from lumio_cli.providers.whatsapp.recipients import normal, spellings
from support.whatsapp_spec import validate_request

from .conftest import NOW, TO, USER, Memory, WhatsAppLab, message

PNG = {"name": 'a "b".png', "type": "image/png", "data": b"\x89PNG\r\n--lumio\r\n\x00\xff"}
SECTIONS = [{"title": "T", "rows": [{"id": "1", "title": "One", "description": "first"}]}]
CONTACT = {"name": {"formatted_name": "Ada L", "first_name": "Ada"}, "phones": []}
GOOD: tuple[tuple[str, dict[str, Any]], ...] = (
    ("text", {"text": "olá 👋"}),
    ("text", {"text": "see https://sandbox.example", "preview": True, "reply_to": "wamid.A"}),
    ("image", {"link": "https://sandbox.example/a.png", "caption": "ü"}),
    ("image", {"file": PNG}),
    ("video", {"link": "https://sandbox.example/a.mp4"}),
    ("audio", {"link": "https://sandbox.example/a.ogg"}),
    ("document", {"file": {**PNG, "type": "application/pdf"}, "filename": "bill.pdf"}),
    ("sticker", {"link": "https://sandbox.example/a.webp"}),
    ("template", {"template": "order_update", "body": ["Ada", "AB-1"]}),
    ("template", {"template": "order_update", "body": '["Ada", "AB-1"]',
                  "buttons": [{"type": "quick_reply", "index": 0, "value": "STOP"}]}),
    ("template", {"template": "appointment", "language": "pt_BR",
                  "body": {"day": "7/12", "hour": "9h"},
                  "header": {"parameter_name": "first_name", "text": "Ada"}}),
    ("template", {"template": "news", "language": "ja", "header_file": PNG}),
    ("template", {"template": "order_update",
                  "components": [{"type": "body", "parameters": [
                      {"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]}),
    ("buttons", {"text": "Pick", "buttons": ["y=Yes", "No"], "header": "H", "footer": "F"}),
    ("list", {"text": "Pick", "button": "Open", "sections": SECTIONS}),
    ("list", {"text": "Pick", "button": "Open", "sections": json.dumps(SECTIONS)}),
    ("location", {"latitude": -23.5, "longitude": "-46.6", "name": "São Paulo"}),
    ("contacts", {"contacts": [CONTACT]}),
    ("reaction", {"message": "wamid.A", "emoji": "👍"}),
)  # fmt: skip
BAD: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("text", {"text": "x" * 4097}, "4,097 characters"),
    ("text", {"text": "  "}, "empty"),
    ("text", {}, "text is missing"),
    ("text", {"text": "x", "nonsense": 1}, "has no 'nonsense'"),
    ("text", {"text": "x", "reply_to": "1"}, "no id of a message"),
    ("image", {}, "give one of"),
    ("image", {"link": "https://a.example", "media_id": "1"}, "give one of"),
    ("image", {"link": "ftp://a.example"}, "no address"),
    ("image", {"link": "https://a.example", "caption": "x" * 1025}, "1,025"),
    ("image", {"file": {**PNG, "type": "image/gif"}}, "does not take as image"),
    ("image", {"file": {**PNG, "data": b"x" * (5 * 1_048_576 + 1)}}, "at most"),
    ("sticker", {"file": {"name": "a", "type": "image/webp", "data": b""}}, "empty"),
    ("template", {"template": "Order Update"}, "no name of a template"),
    ("template", {"template": "a", "body": ["x", ""]}, "a parameter is empty"),
    ("template", {"template": "a", "header": "x", "header_link": "https://a.ex"}, "one header"),
    ("template", {"template": "a", "buttons": [{"type": "nonsense"}]}, "needs a type"),
    ("template", {"template": "a", "components": "{"}, "not JSON"),
    ("template", {"template": "a", "body": "[1"}, "not JSON"),
    ("template", {"template": "a", "body": 5}, "no list of parameters"),
    ("template", {"template": "a", "components": [{"type": "body", "parameters": [1]}]},
     "no list of objects"),
    ("buttons", {"text": "x", "buttons": ["a", "b", "c", "d"]}, "one to three"),
    ("buttons", {"text": "x", "buttons": ["x" * 21]}, "21 characters"),
    ("buttons", {"text": "x", "buttons": ["1=a", "2=a"]}, "differ"),
    ("buttons", {"text": "x" * 1025, "buttons": ["a"]}, "1,025"),
    ("list", {"text": "x", "button": "o", "sections": [
        {"rows": [{"id": str(n), "title": "t"} for n in range(11)]}]}, "one to ten"),
    ("list", {"text": "x", "button": "o", "sections": [
        {"title": "s", "rows": [{"id": "1", "title": "t" * 25}]}]}, "25 characters"),
    ("list", {"text": "x", "button": "o" * 21, "sections": SECTIONS}, "21 characters"),
    ("location", {"latitude": 91, "longitude": 0}, "between"),
    ("location", {"latitude": "north", "longitude": 0}, "no number"),
    ("contacts", {"contacts": [{}]}, "formatted_name"),
    ("reaction", {"message": "1", "emoji": "👍"}, "no id of a message"),
    ("nonsense", {}, "sends no 'nonsense'"),
)  # fmt: skip


def test_the_adapter_sends_and_finds() -> None:
    assert isinstance(WhatsApp({}), Sends)
    assert isinstance(WhatsApp({}), Finds)


# -- recipients


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (TO, USER),
        ("0055 11 98765.4321", USER),
        ("\u202a+55\u00a011\u201198765-4321\u202c", USER),
        ("16505551234", "16505551234"),
        ("US.13491208655302741918", "US.13491208655302741918"),
        ("US.ENT.11815799212886844830", "US.ENT.11815799212886844830"),
    ],
)
def test_a_recipient_is_normalised(written: str, meant: str) -> None:
    assert normal(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        "", "011 98765-4321", "+55x", "12345", "1" * 16, "a@b.example",
        # As a spreadsheet writes it.
        "5511987650009.0", "5.51199E+12", "5,51199E+12", "5511987650009.", "'5511987650009",
        # Without a country, though it looks like one.
        "(11) 98765-0009", "11 98765-0009", "11987650009", "21 98765-0009", "55 98765-0009",
        "(31) 98765-0009", "+1 187 650 0009", "+000 1234567",
    ],
)  # fmt: skip
def test_what_is_no_recipient_is_refused(written: str) -> None:
    with pytest.raises(UsageError):
        normal(written)


@pytest.mark.parametrize(
    "spellings",
    [
        ("+5511987650009", "5511987650009", "005511987650009", "+55 (11) 98765-0009",
         "551187650009", " 55 11 8765.0009 "),
        ("+5215512345678", "525512345678"),
        ("+54 9 11 2345-6789", "541123456789"),
    ],
)  # fmt: skip
def test_one_person_is_one_however_written(spellings: tuple[str, ...]) -> None:
    assert len({WhatsApp({}).names(to, Memory()) for to in spellings}) == 1


def test_a_landline_is_not_the_mobile_number_with_a_nine_before_it() -> None:
    provider = WhatsApp({})
    assert provider.names("+551131234567", Memory()) != provider.names("+5511931234567", Memory())
    assert provider.names("no number", Memory()) == ("no number",)


def test_numbers_of_three_countries_have_two_spellings() -> None:
    assert spellings("5511987654321") == ("5511987654321", "551187654321")
    assert spellings("551187654321") == ("551187654321", "5511987654321")
    assert spellings("5215512345678") == ("5215512345678", "525512345678")
    assert spellings("5491123456789") == ("5491123456789", "541123456789")
    assert spellings("16505551234") == ("16505551234",)


# -- what goes out


@pytest.mark.parametrize(("kind", "values"), GOOD)
def test_a_message_is_accepted_and_fits_the_description(
    lab: WhatsAppLab, kind: str, values: dict[str, Any]
) -> None:
    given = message(kind, **values)
    lab.provider.check(given, Memory())
    receipt = lab.provider.deliver(given, lab.send)
    assert (receipt.status, receipt.trace) == ("done", "key-1"), receipt.message
    assert receipt.id.startswith("wamid.")
    accepted = lab.account.outbox.accepted
    assert [(m.to, m.key, m.id) for m in accepted] == [(USER, "key-1", receipt.id)]
    found = [
        complaint
        for call in lab.calls
        if call.json is not None
        for complaint in validate_request("POST", call.path, dict(call.params), call.json)
    ]
    assert found == []


def test_parameters_with_names_are_told_apart_from_those_in_order(lab: WhatsAppLab) -> None:
    """Where the hub does not know the template, by what they look like."""
    appointment = {"template": "appointment", "language": "pt_BR", "header": "first_name=Ada"}
    given = message("template", **appointment, body=["day=a=b", "hour=9"])
    assert lab.provider.deliver(given, lab.send).status == "failed", "the header has a name too"
    given = message("template", template="order_update", body=["first=Ada", "AB-1"])
    assert lab.provider.deliver(given, lab.send).status == "done"
    named, listed = [
        call.json["template"]["components"][-1]["parameters"] for call in lab.calls if call.json
    ]
    assert [(p["parameter_name"], p["text"]) for p in named] == [("day", "a=b"), ("hour", "9")]
    assert [p["text"] for p in listed] == ["first=Ada", "AB-1"]
    assert "parameter_name" not in listed[0]


def test_a_file_arrives_as_it_is(lab: WhatsAppLab) -> None:
    lab.provider.deliver(message("image", file=PNG), lab.send)
    (media,) = lab.account.media.values()
    assert (media.data, media.mime, media.name) == (PNG["data"], "image/png", "a _b_.png")


def test_a_user_id_is_no_phone_number(lab: WhatsAppLab) -> None:
    lab.provider.deliver(message("text", to="US.13491208655302741918", text="hi"), lab.send)
    body = lab.account.outbox.accepted[0].body
    assert body["recipient"] == "US.13491208655302741918"
    assert "to" not in body


def test_a_message_is_counted_by_number_and_by_recipient(lab: WhatsAppLab) -> None:
    lab.provider.deliver(message("text", text="hi"), lab.send)
    (call,) = [c for c in lab.calls if c.label == "/{phone_number_id}/messages"]
    number = call.keys["number"]
    assert number.isdigit()
    assert call.keys["pair"] == f"{number}:{USER}"
    assert not call.repeatable


def test_without_the_number_nothing_is_sent(lab: WhatsAppLab) -> None:
    lab.extra["LUMIO_WHATSAPP_PHONE_NUMBER_ID"] = ""
    with pytest.raises(CredentialError, match="phone_number_id"):
        lab.provider.deliver(message("text", text="hi"), lab.send)
    assert lab.account.outbox.accepted == []


# -- what is refused before


@pytest.mark.parametrize(("kind", "values", "words"), BAD)
def test_what_whatsapp_would_refuse_is_refused_before(
    kind: str, values: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        WhatsApp({}).check(message(kind, **values), Memory())


def heard(hours: float, sender: str = USER) -> Memory:
    at = str(int(NOW.timestamp() - hours * 3600))
    return Memory(messages=[{"from": sender, "timestamp": at}])


@pytest.mark.parametrize("sender", [USER, "551187654321"])
def test_24_hours_after_the_last_message_only_templates_pass(sender: str) -> None:
    provider = WhatsApp({})
    provider.check(message("text", text="hi"), heard(23.9, sender))
    with pytest.raises(RejectedError, match="24 hours"):
        provider.check(message("text", text="hi"), heard(24.1, sender))
    provider.check(message("template", template="order_update"), heard(500, sender))


def test_who_never_wrote_may_be_written_to() -> None:
    WhatsApp({}).check(message("text", text="hi"), Memory())
    WhatsApp({}).check(message("text", text="hi"), heard(500, "16505551234"))


# -- what comes back


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (131026, "recipient"),
        (131047, "window"),
        (131049, "held_back"),
        (131050, "recipient"),
        (132015, "template"),
        (131008, "validation"),
    ],
)
def test_a_final_refusal_is_a_failed_receipt(lab: WhatsAppLab, code: int, kind: str) -> None:
    lab.account.refuse_to(USER, code)
    receipt = lab.provider.deliver(message("text", text="hi"), lab.send)
    assert (receipt.status, receipt.kind) == ("failed", kind)
    assert str(code) in receipt.message


def test_an_account_that_is_locked_stops_everything(lab: WhatsAppLab) -> None:
    lab.account.refuse_to(USER, 131031)
    with pytest.raises(DeniedError, match="131031"):
        lab.provider.deliver(message("text", text="hi"), lab.send)


def test_a_lost_answer_is_unknown_and_not_sent_again(lab: WhatsAppLab) -> None:
    lab.sandbox.faults.set(["lost:path=*/messages"])
    receipt = lab.provider.deliver(message("text", text="hi"), lab.send)
    assert receipt.status == "unknown"
    assert len(lab.account.outbox.accepted) == 1


def test_an_answer_without_an_id_is_unknown() -> None:
    def send(call: Call) -> Reply:
        return Reply(200, {}, b'{"messages":[]}')

    assert WhatsApp({}).deliver(message("text", text="hi"), send).status == "unknown"


@pytest.mark.parametrize("fault", ["429", "429:0"])
def test_a_throttled_message_is_sent_again(
    lab: WhatsAppLab, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    from lumio_cli.transport import retry

    monkeypatch.setattr(retry.Retry, "_draw", lambda *_: 0.001)
    monkeypatch.setattr(retry, "default_hold", lambda _: 0.01)
    # Every attempt pays the pace for one user, which is another matter.
    lab.extra["LUMIO_PROVIDERS__WHATSAPP__LIMITS"] = '{"pair": 1000000}'
    lab.sandbox.faults.set([f"{fault}:path=*/messages:times=1"])
    assert lab.provider.deliver(message("text", text="hi"), lab.send).status == "done"
    assert len(lab.account.outbox.accepted) == 1


def test_a_campaign_reaches_everyone_once(lab: WhatsAppLab) -> None:
    rows = "".join(f"+55119{n:08d},N{n},AB-{n}\n" for n in range(25))
    source = lab.home / "campaign.csv"
    source.write_text("to,params.1,params.2\n" + rows, encoding="utf-8")
    words = ("--template", "order_update", "--language", "en_US", "--input", str(source))
    for _ in range(2):
        outcome = lab.lumio("send", "whatsapp", *words, "--yes")
        assert outcome.code == 0, outcome.out
    assert lab.account.outbox.counts() == {"accepted": 25, "recipients": 25, "repeated": 0}


def test_one_text_and_one_file_by_the_command_line(lab: WhatsAppLab) -> None:
    picture = lab.home / "a.png"
    picture.write_bytes(b"\x89PNG sandbox")
    lab.extra["LUMIO_PROVIDERS__WHATSAPP__LIMITS"] = '{"pair": 1000000}'
    for words in (("--text", "olá"), ("--media", str(picture), "--caption", "ü")):
        outcome = lab.lumio("send", "whatsapp", "--to", TO, *words)
        assert outcome.code == 0, outcome.out
    assert [m.type for m in lab.account.outbox.accepted] == ["text", "image"]


def test_a_status_with_our_key_proves_that_a_message_was_sent(lab: WhatsAppLab) -> None:
    given = message("text", text="hi")
    status = {"biz_opaque_callback_data": "key-1", "message_id": "wamid.A"}
    found = lab.provider.find(given, Memory(statuses=[status]), lab.send)
    assert found is not None
    assert (found.status, found.id) == ("done", "wamid.A")
    assert lab.provider.find(given, Memory(), lab.send) is None
    assert lab.calls == []


def test_quotas_are_kept_by_the_transport(make_lab: Callable[..., WhatsAppLab]) -> None:
    lab = make_lab(quota="published")
    for number in range(90):
        given = message("text", to=f"+55119{number:08d}", key=f"k{number}", text="hi")
        assert lab.provider.deliver(given, lab.send).status == "done"
    assert lab.sandbox.violations == 0
    counts = lab.account.outbox.counts()
    assert counts == {"accepted": 90, "recipients": 90, "repeated": 0}

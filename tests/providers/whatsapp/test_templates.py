"""Messages from templates: parameters by number or name, and what does not fit is never sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lumio_cli.core.errors import RejectedError, UsageError
from lumio_cli.providers.contract.messages import Named
from lumio_cli.providers.whatsapp import WhatsApp

from .conftest import TO, Memory, WhatsAppLab, message

ORDER: dict[str, Any] = {"template": "order_update", "language": "en_US"}
VISIT: dict[str, Any] = {"template": "appointment", "language": "pt_BR"}
INVOICE: dict[str, Any] = {"template": "invoice", "language": "es"}
NEWS: dict[str, Any] = {"template": "news", "language": "ja"}
LINK = "https://sandbox.example/a"
LONG = {"parameter_name": "first_name", "text": "x" * 60}
URL = [{"type": "url", "index": 0, "value": "x"}]


def hub(lab: WhatsAppLab) -> Memory:
    """What a hub knows of the account's templates after a sync."""
    paths = ("name", "language", "status", "parameter_format")
    rows = [
        {path: str(t[path]) for path in paths} | {"components": json.dumps(t["components"])}
        for t in lab.account.templates
    ]
    return Memory(templates=rows)


def texts(lab: WhatsAppLab) -> dict[str, list[Any]]:
    """The parameters of the newest message that was accepted, by component."""
    components = lab.account.outbox.accepted[-1].body["template"]["components"]
    return {c["type"]: c["parameters"] for c in components}


def text(value: str, name: str = "") -> dict[str, str]:
    named = {"parameter_name": name} if name else {}
    return {"type": "text", **named, "text": value}


GOOD: tuple[tuple[dict[str, Any], dict[str, list[Any]]], ...] = (
    ({**ORDER, "body": ["Ada", "AB-1"]}, {"body": [text("Ada"), text("AB-1")]}),
    # The template counts its parameters: an equals sign in them means nothing.
    ({**ORDER, "body": ["total=5", "a=b"]}, {"body": [text("total=5"), text("a=b")]}),
    ({**ORDER, "body": ["2=AB-1", "1=a=b"]}, {"body": [text("a=b"), text("AB-1")]}),
    ({**ORDER, "body": ["1=a", "3=b"]}, {"body": [text("1=a"), text("3=b")]}),
    ({**ORDER, "body": {"2": "AB-1", "1": "Ada"}}, {"body": [text("Ada"), text("AB-1")]}),
    (
        {**VISIT, "body": ["hour=9h", "day=a=b"], "header": "Ada"},
        {"header": [text("Ada", "first_name")],
         "body": [text("9h", "hour"), text("a=b", "day")]},
    ),
    (
        {**VISIT, "body": [Named("day", 1), Named("hour", 2), Named("first_name", "Ada")]},
        {"header": [text("Ada", "first_name")], "body": [text("1", "day"), text("2", "hour")]},
    ),
    (
        {**VISIT, "body": {"day": 1, "hour": 2}, "header": "first_name=a=b"},
        {"header": [text("a=b", "first_name")], "body": [text("1", "day"), text("2", "hour")]},
    ),
    # By the template's own header, whatever the address looks like.
    (
        {**INVOICE, "body": ["Ada", "9"], "header_link": f"{LINK}.png", "buttons": URL},
        {"header": [{"type": "document", "document": {"link": f"{LINK}.png"}}],
         "body": [text("Ada"), text("9")],
         "button": [text("x")]},
    ),
    ({**NEWS, "header_link": LINK}, {"header": [{"type": "image", "image": {"link": LINK}}]}),
)  # fmt: skip
BAD: tuple[tuple[dict[str, Any], str, int], ...] = (
    ({**ORDER, "body": ["Ada"]}, "has 2 parameters, and 1 are given", 132000),
    ({**ORDER, "body": ["Ada", "b", "c"]}, "has 2 parameters, and 3 are given", 132000),
    ({**ORDER}, "has 2 parameters, and 0", 132000),
    ({**ORDER, "body": ["Ada", "b"], "header": "H"}, "header: .* has 0 parameters", 132000),
    ({**ORDER, "body": ["a\nb", "c"]}, "a line break", 132018),
    ({**ORDER, "body": ["a\tb", "c"]}, "a tab", 132018),
    ({**ORDER, "body": ["a     b", "c"]}, "more than four blanks", 132018),
    ({**ORDER, "body": ["x" * 1000, "c"]}, "1,0.. characters", 132005),
    ({**ORDER, "body": ["a", "b"], "header_link": LINK}, "header: ", 132012),
    ({**VISIT, "body": ["1", "2"]}, "names its parameters: first_name, day, hour", 100),
    ({**VISIT, "body": ["day=1", "hour=2"]}, "header: .* 1 parameters: first_name", 132000),
    ({**VISIT, "body": ["day=1", "year=2"], "header": "A"}, "given: day, year", 132012),
    ({**VISIT, "body": ["day=1", "hour=2"], "header": LONG}, "header: .* 64 char", 132005),
    ({**INVOICE, "body": ["a", "b"], "buttons": URL}, "header of type document", 132012),
    ({**INVOICE, "body": ["a", "b"], "header_link": LINK,
       "header_type": "document"}, "button 0 .* its parameter", 131008),
    (
        {**INVOICE, "body": ["a", "b"], "header_link": LINK,
         "buttons": [*URL, {"type": "copy_code", "index": 1, "value": "x"}]},
        "no copy_code button 1", 132012,
    ),
    ({**NEWS, "header": "Ada"}, "header of type image", 132012),
    ({"template": "order_update", "language": "fr"}, "no template order_update in fr", 132001),
    ({"template": "nonsense"}, "no template nonsense", 132001),
)  # fmt: skip


@pytest.mark.parametrize(("values", "sent"), GOOD)
def test_parameters_go_where_the_template_has_them(
    lab: WhatsAppLab, values: dict[str, Any], sent: dict[str, list[Any]]
) -> None:
    past = hub(lab)
    given = lab.provider.prepared(message("template", **values), past)
    lab.provider.check(given, past)
    receipt = lab.provider.deliver(given, lab.send)
    assert receipt.status == "done", receipt.message
    assert texts(lab) == sent


@pytest.mark.parametrize(("values", "words", "code"), BAD)
def test_what_does_not_fit_is_refused_here_as_it_would_be_there(
    lab: WhatsAppLab, values: dict[str, Any], words: str, code: int
) -> None:
    past = hub(lab)
    with pytest.raises((UsageError, RejectedError), match=words):
        lab.provider.check(lab.provider.prepared(message("template", **values), past), past)
    unprepared = lab.provider.deliver(message("template", **values), lab.send)
    assert unprepared.status == "failed"
    assert f"(#{code})" in unprepared.message
    assert lab.account.outbox.accepted == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({**ORDER, "body": [Named("city", "x"), "b"]}, "none called 'city'"),
        ({**ORDER, "body": {"1": "a", "3": "b"}}, "none called '3'"),
        ({**INVOICE, "header_link": LINK, "header_type": "image"}, "of type document"),
        ({**ORDER, "body": ["a", "b"], "header": ["x", "y"]}, "has 0 parameters there"),
        ({**VISIT, "body": [], "header": [Named("day", "x"), "y", "z"]}, "day"),
    ],
)
def test_what_cannot_be_told_apart_is_not_guessed(
    lab: WhatsAppLab, values: dict[str, Any], words: str
) -> None:
    past = hub(lab)
    with pytest.raises(UsageError, match=words):
        lab.provider.check(lab.provider.prepared(message("template", **values), past), past)


def test_names_and_places_are_not_mixed_where_the_template_is_unknown() -> None:
    with pytest.raises(UsageError, match="some parameters have names"):
        WhatsApp({}).check(message("template", **ORDER, body=["a", Named("city", "x")]), Memory())


@pytest.mark.parametrize(
    ("status", "code"),
    [("PENDING", 132001), ("REJECTED", 132001), ("PAUSED", 132015), ("DISABLED", 132016)],
)
def test_a_template_that_is_not_approved_sends_nothing(
    lab: WhatsAppLab, status: str, code: int
) -> None:
    lab.account.templates.update(lab.account.templates.ids()[0], {"status": status})
    given = message("template", **ORDER, body=["a", "b"])
    with pytest.raises(RejectedError, match=status.lower()) as caught:
        lab.provider.check(given, hub(lab))
    assert caught.value.category == str(code)
    assert "lumio sync whatsapp/templates" in (caught.value.hint or "")
    assert f"(#{code})" in lab.provider.deliver(given, lab.send).message


def test_without_templates_in_the_hub_whatsapp_decides() -> None:
    given = message("template", template="unheard_of", body=["a"])
    provider = WhatsApp({})
    assert provider.prepared(given, Memory()) == given
    provider.check(given, Memory())


# -- by the command line, with a hub


def campaign(lab: WhatsAppLab, text: str, *words: str, template: str = "order_update") -> Any:
    """Send a file after a sync; the pace for one user is another matter."""
    lab.extra["LUMIO_PROVIDERS__WHATSAPP__LIMITS"] = '{"pair": 1000000, "messages": 1000}'
    lab.lumio("sync", "whatsapp/templates", "whatsapp/phone_numbers")
    path = lab.home / "campaign.csv"
    path.write_text(text, encoding="utf-8")
    given = ("--template", template, "--input", str(path), *words)
    return lab.lumio("send", "whatsapp", *given, "--yes", "-o", "json")


@pytest.mark.parametrize(
    "header", ["to,params.2,params.1", "to,2,1", "to,{{2}},{{1}}", "to,body_2,body_1"]
)
def test_columns_are_parameters_by_their_number(lab: WhatsAppLab, header: str) -> None:
    done = campaign(lab, f"{header}\n{TO},AB-1,Ada\n")
    assert done.code == 0, done.out
    assert texts(lab) == {"body": [text("Ada"), text("AB-1")]}


def test_columns_are_parameters_by_their_name(lab: WhatsAppLab) -> None:
    rows = f"to,hour,{{{{day}}}},first_name\n{TO},9h,7/12,Ada\n+5511987654322,9h,,Ada\n"
    done = campaign(lab, rows, "--language", "pt_BR", template="appointment")
    assert (done.code, done.document["sent"], done.document["failed"]) == (3, 1, 1)
    assert "has 2 parameters: day, hour" in done.document["messages"][0]["error"]["message"]
    assert texts(lab) == {
        "header": [text("Ada", "first_name")],
        "body": [text("9h", "hour"), text("7/12", "day")],
    }


def test_a_gap_is_a_bad_row_and_moves_nothing(lab: WhatsAppLab) -> None:
    done = campaign(lab, f"to,1,2\n{TO},,AB-1\n+5511987654322,Ada,AB-2\n")
    assert (done.code, done.document["sent"], done.document["failed"]) == (3, 1, 1)
    error = done.document["messages"][0]["error"]
    assert error == {
        "code": "bad_row",
        "message": "line 2: parameter 1 of body is missing: given is 2",
    }
    slip = campaign(lab, f"to,1,city\n{TO},a,b\n")
    assert (slip.code, "'city'" in slip.document["error"]["message"]) == (2, True)
    double = campaign(lab, f"to,1,{{{{1}}}}\n{TO},a,b\n")
    assert (double.code, "same parameter" in double.document["error"]["message"]) == (2, True)


def test_more_people_than_the_day_has_room_for_are_refused(lab: WhatsAppLab) -> None:
    """Who was reached today may be written to again."""
    for number in lab.account.numbers.ids():
        limit = {"whatsapp_business_manager_messaging_limit": "TIER_50"}
        lab.account.numbers.update(number, limit)
    people = [f"+55119{n:08d}" for n in range(51)]
    rows = "".join(f"{to},a,b\n" for to in (people[0], *people))
    done = campaign(lab, f"to,1,2\n{rows}")
    assert (done.code, done.document["sent"], done.document["refused"]) == (3, 51, 1)
    error = done.document["messages"][0]["error"]
    assert (error["code"], "50 people" in error["message"]) == ("messaging_limit", True)
    more = campaign(lab, f"to,1,2\n{people[1]},c,d\n{people[50]},c,d\n")
    assert (more.document["sent"], more.document["refused"]) == (1, 1), (
        "who was reached today may be again"
    )


# -- accepted is not sent


@pytest.mark.parametrize(
    ("state", "status"), [("held_for_quality_assessment", "held"), ("paused", "paused")]
)
def test_what_whatsapp_holds_back_is_not_called_sent(
    lab: WhatsAppLab, state: str, status: str
) -> None:
    lab.account.outbox.pacing["order_update"] = state
    done = campaign(lab, f"to,1,2\n{TO},Ada,AB-1\n", "--name", "news")
    assert (done.code, done.document["status"], done.document["sent"]) == (3, "partial", 0)
    assert done.document[status] == 1
    (shown,) = lab.lumio("sends", "show", "news", "--status", status, "-o", "json").document[
        "messages"
    ]
    assert (shown["status"], shown["state"], shown["error"]) == (status, state, None)
    assert shown["note"]
    for words, code in (((), 3), (("--if-unknown", "accept"), 0)):
        again = campaign(lab, f"to,1,2\n{TO},Ada,AB-1\n", "--name", "news", *words)
        assert again.code == code
    assert len(lab.account.outbox.accepted) == 1, "it was taken, and is not sent again"


def test_the_word_for_what_was_accepted_is_kept(lab: WhatsAppLab) -> None:
    done = campaign(lab, f"to,1,2\n{TO},Ada,AB-1\n")
    (shown,) = done.document["messages"]
    assert (shown["status"], shown["state"]) == ("sent", "accepted")

"""Nothing that leaves lumio carries a secret."""

from __future__ import annotations

import base64
import json
import threading
import time
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from lumio_cli.core.pseudonyms import Pseudonymizer
from lumio_cli.core.redact import MASK, Redactor, escape_control, is_secret_name
from support.canaries import HOUSES, SPELLINGS, canary

pytestmark = pytest.mark.attack("secrets")

CANARY = 'cAn/ary+"s3cret=\\äö'


@pytest.mark.parametrize(
    "form",
    [
        CANARY,
        quote(CANARY, safe=""),
        quote_plus(CANARY),
        json.dumps(CANARY)[1:-1],
        json.dumps(CANARY, ensure_ascii=False)[1:-1],
        base64.b64encode(CANARY.encode()).decode(),
        base64.urlsafe_b64encode(CANARY.encode()).decode(),
        base64.b64encode(b"client-id:" + CANARY.encode()).decode(),
        base64.b64encode(b"u:" + CANARY.encode() + b"x").decode(),
    ],
)
def test_a_known_secret_is_masked_in_every_form(form: str) -> None:
    redactor = Redactor([CANARY])
    shown = redactor.text(f"before {form} after")
    # Base64 characters at the edges mix with their neighbours; they give less than a byte away.
    assert len(shown.replace(MASK, "")) <= len("before  after") + 20
    assert form[8:-6] not in shown
    assert redactor.contains_secret(f"before {form} after".encode())
    assert not redactor.contains_secret(shown.encode())


def test_a_secret_that_contains_another_leaves_no_tail() -> None:
    redactor = Redactor(["abcdef", "abcdef-and-more"])
    assert redactor.text("x abcdef-and-more y abcdef") == "x *** y ***"


def test_short_values_are_not_secrets() -> None:
    assert Redactor(["abc", "  ", "12345"]).text("abc 12345") == "abc 12345"


SHAPES = [
    "pat-na1-01234567-89ab-cdef-0123-456789abcdef",
    "shpat_0123456789abcdef0123456789abcdef",
    "shpss_0123456789abcdef0123456789abcdef",
    "xoxb-123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx",
    "xoxe.xoxp-1-Mi0yLTEyMzQ1Njc4OTA",
    "EAAGm0PX4ZCpsBAKZCZA0123456789abcdefXYZ",
    "00D5g000004abcd!AQEAQ0123456789._abcdefghijk",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "0123456789abcdef0123456789abcdef-us12",
]


@pytest.mark.parametrize("token", SHAPES)
def test_the_shapes_of_tokens_are_known(token: str) -> None:
    redactor = Redactor()
    assert redactor.text(f"it said ({token}), twice") == "it said (***), twice"
    assert redactor.contains_secret(b"\x00\xff" + token.encode())
    assert redactor.json([{"note": f"see {token}"}]) == [{"note": "see ***"}]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abcdefgh", "Authorization: ***"),
        ("sent Bearer abcdefgh.ijk to them", "sent Bearer *** to them"),
        ("proxy-authorization: Basic dXNlcjpwYXNz", "proxy-authorization: ***"),
        ("Cookie: a=1; session=2\nHost: x", "Cookie: ***\nHost: x"),
        ('{"access_token": "abc", "expires_in": 5}', '{"access_token": "***", "expires_in": 5}'),
        ('{\\"refresh_token\\":\\"abc\\"}', '{\\"refresh_token\\":\\"***\\"}'),
        ("{'client_secret': 'it is'}", "{'client_secret': '***'}"),
        ("[(b'X-Api-Key', b'abc')]", "[(b'X-Api-Key', b'***')]"),
        (
            "grant_type=authorization_code&code=abc&code_verifier=d",
            "grant_type=authorization_code&code=***&code_verifier=***",
        ),
        (
            "https://x.test/cb?code=a1&state=b2&limit=10",
            "https://x.test/cb?code=***&state=***&limit=10",
        ),
        (
            "https://x.test/a?hapikey=q#access_token=z",
            "https://x.test/a?hapikey=***#access_token=***",
        ),
        (
            "https://x.test/oauth/v1/access-tokens/abc/x",
            "https://x.test/oauth/v1/access-tokens/***/x",
        ),
        (
            "https://x.test/oauth/v1/refresh-tokens/abc",
            "https://x.test/oauth/v1/refresh-tokens/***",
        ),
        ("https://user:pw@proxy.test:8080/", "https://***@proxy.test:8080/"),
        ("password: hunter2", "password: ***"),
        ("tokenKey=abc", "tokenKey=***"),
    ],
)
def test_values_are_masked_by_their_names(text: str, shown: str) -> None:
    redactor = Redactor()
    assert redactor.text(text) == shown
    assert redactor.text(shown) == shown, "redacting twice changes nothing"


@pytest.mark.parametrize(
    "text",
    [
        "contacts: 100 read, next page after=12345",
        '{"code": "INVALID_EMAIL", "message": "no"}',
        "next_page_token=abc",
        "invalid token: expired",
        "the api key is missing",
        "monkey=banana turkey: yes",
        "hubs://x",
        "",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert Redactor(["not-in-there"]).text(text) == text


def test_json_is_masked_by_key_at_any_depth() -> None:
    shown = Redactor(["known-value"]).json(
        {
            "token": "a",
            "tokens": [{"refresh_token": "b", "n": 1}],
            "client_secret": {"value": "c", "old": None},
            "password": 12345,
            "code": "9f8a7b6c5d4e3f2a1b0c",
            "inner": {"code": "INVALID", "known-value": "x known-value y"},
            "ok": True,
            "next_page_token": "page2",
        }
    )
    assert shown == {
        "token": MASK,
        "tokens": [{"refresh_token": MASK, "n": 1}],
        "client_secret": {"value": MASK, "old": None},
        "password": MASK,
        "code": MASK,
        "inner": {"code": "INVALID", MASK: f"x {MASK} y"},
        "ok": True,
        "next_page_token": "page2",
    }


def test_headers() -> None:
    shown = Redactor().headers(
        {"Authorization": "x", "X-Shopify-Access-Token": "y", "set-cookie": "z", "accept": "a/b"}
    )
    assert shown == {
        "Authorization": MASK,
        "X-Shopify-Access-Token": MASK,
        "set-cookie": MASK,
        "accept": "a/b",
    }


def test_names() -> None:
    assert all(map(is_secret_name, ["hub.verify_token", "API-KEY", "apiKey", "id_token"]))
    assert not any(map(is_secret_name, ["pageToken", "tokens_used", "key", "code", "email"]))


def test_learning_while_others_redact() -> None:
    redactor = Redactor(["secret-000000"])
    failures: list[str] = []

    def work() -> None:
        for _ in range(200):
            if "secret-000000" in redactor.text("a secret-000000 b"):
                failures.append("seen")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n in range(50):
        redactor.learn(f"secret-{n:06d}")
    for thread in threads:
        thread.join()
    assert not failures
    assert redactor.text("secret-000049") == MASK


def test_hostile_text_takes_no_time() -> None:
    redactor = Redactor(["known-value"])
    begin = time.perf_counter()
    for text in (
        "a" * 100_000 + " token",
        "token" * 20_000,
        '"token": "' + "\\" * 50_000,
        "= " * 50_000,
    ):
        redactor.text(text)
    assert time.perf_counter() - begin < 5


def test_control_characters_become_visible() -> None:
    assert escape_control("a\x1b[31mb\r\n\x9b\u202ec\t") == r"a\x1b[31mb\x0d\x0a\x9b\u202ec\x09"
    assert escape_control("a\n\tb", keep="\n\t") == "a\n\tb"
    assert escape_control("Grüße 你好 🙂") == "Grüße 你好 🙂"
    escape_control("\ud800").encode()


def test_pseudonyms_are_stable_and_tell_nothing() -> None:
    mapping: dict[str, str] = {}
    names = Pseudonymizer(mapping, hosts=["crm-box", "localhost"], users=["mira"])
    text = "Ann@X.test ann@x.test bob@y.test +44 20 7946 0958, (555) 123-4567 10.0.0.7 fe80::1"
    assert names.text(text) == (
        "email-0001 email-0001 email-0002 phone-0001, phone-0002 ip-0001 ip-0002"
    )
    assert names.text("mira on crm-box at 127.0.0.1, localhost, ::1") == (
        "user-0001 on host-0001 at 127.0.0.1, localhost, ::1"
    )
    assert names.text("2024-05-01T12:30:59Z at 12:30:59, v1.2.3, id 12345678901") == (
        "2024-05-01T12:30:59Z at 12:30:59, v1.2.3, id 12345678901"
    )
    again = Pseudonymizer(mapping)
    assert again.json({"e": ["bob@y.test", 1], "bob@y.test": None}) == {
        "e": ["email-0002", 1],
        "email-0002": None,
    }


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_known_secret_is_found_however_it_is_spelled(spelling: str) -> None:
    for number in range(8):
        secret = canary(number)
        redactor, spelled = Redactor([secret]), SPELLINGS[spelling](secret)
        core = spelled[3:-6]  # the edges of base64 are mixed with their neighbours
        text = f"it said [{spelled}] twice"
        shown = redactor.text(text)
        assert core not in shown
        assert shown.startswith("it said [")
        assert shown.endswith("] twice")
        assert redactor.contains_secret(text.encode())
        assert not redactor.contains_secret(shown.encode())
        assert core not in json.dumps(redactor.json({"said": [text]}), ensure_ascii=False)


@pytest.mark.parametrize("house", HOUSES)
def test_an_unknown_secret_is_told_by_where_it_stands(house: str) -> None:
    for number in range(8):
        secret = canary(number)
        document = {"before": "it said", "found": HOUSES[house](secret), "after": [1, "so"]}
        plain = json.dumps(document, ensure_ascii=False)
        for shown in (
            json.dumps(Redactor().json(document)),
            Redactor().body(json.dumps(document)),
            Redactor().text(f"Got {plain} from it"),
            Redactor().text(f"Got {json.dumps(document)} from it"),
        ):
            assert secret[:12] not in shown, shown
            assert MASK in shown
            assert '"before": "it said"' in shown
            assert '"after": [1, "so"]' in shown


@pytest.mark.parametrize(
    "text",
    [
        "Bearer authentication is required, basic authentication is not",
        "password: must be set; client_secret: is missing",
        "the cookie: it was refused",
        "write to mailto:ann@x.test, or to ann@x.test:8080 if that fails",
        '{"credential": {"source": "environment", "expires_at": null}}',
        "PWD=/home/ann OLDPWD=/srv",
        "the token is 3 days old; tokens: 12",
        "-----BEGIN CERTIFICATE-----",
    ],
)
def test_no_mask_where_there_is_no_secret(text: str) -> None:
    assert Redactor(["not-in-there"]).text(text) == text


def test_a_mask_takes_the_place_of_the_secret_alone() -> None:
    redactor = Redactor(["known-value-1"])
    assert redactor.text("sent Authorization: Bearer abc1234x, got 401 in 3 s") == (
        "sent Authorization: ***, got 401 in 3 s"
    )
    assert redactor.text("Cookie: a=1; b=2 was sent") == "Cookie: *** was sent"
    assert redactor.text("for known-value-1 it was late") == "for *** it was late"


def test_a_key_that_was_cut_is_masked_as_far_as_it_goes() -> None:
    key = "-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0BAQEF\\nAASCBKcwggSjAgEAAoIBAQ"
    assert Redactor().text(f"{key} and more words") == "*** and more words"


def test_the_lines_of_a_key_are_secrets_too() -> None:
    lines = ["MIIEvQIBADANBgkqhkiG9w0BAQEF", "AASCBKcwggSjAgEAAoIBAQCabcdef"]
    redactor = Redactor(["\n".join(["-----BEGIN X KEY-----", *lines, "-----END X KEY-----"])])
    assert redactor.text(f"line: {lines[1]}.") == "line: ***."


def test_a_password_of_a_url_without_a_scheme_is_learnt() -> None:
    redactor = Redactor()
    redactor.learn_url("user:pa%2Fss-word@proxy.corp:3128")
    redactor.learn_url("no url [")
    assert redactor.text("it was pa/ss-word or pa%2fss-word") == "it was *** or ***"


def test_what_is_nested_without_end_or_endlessly_long_is_redacted_all_the_same() -> None:
    redactor = Redactor(["known-value"])
    deep = '{"secrets": ' + "[" * 900 + '"known-value"' + "]" * 900 + "}"
    for shown in (redactor.text(deep), redactor.body(deep), redactor.body("[" * 100_000)):
        assert "known-value" not in shown
    value: list[Any] = ["known-value"]
    for _ in range(5000):
        value = [value]
    assert redactor.json(value) == MASK
    assert redactor.json([10**5000, 7, float("nan")])[1] == 7

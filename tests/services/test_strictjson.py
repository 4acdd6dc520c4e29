"""JSON that comes from files: whole numbers keep their digits, and what is no JSON has a reason."""

from __future__ import annotations

import pytest

from lumio_cli.services.tabular.exact_json import DEEPEST, decode, decode_object, readable


def test_whole_numbers_keep_all_their_digits() -> None:
    assert decode('{"a": 12345678901234567890123, "b": [9223372036854775808]}') == {
        "a": 12345678901234567890123,
        "b": [9223372036854775808],
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "it is not JSON: "),
        ('{"a": NaN}', "it is not JSON: NaN"),
        ("[-Infinity]", "it is not JSON: -Infinity"),
        ('{"a": "\udcff"}', "it is not UTF-8"),
        (r'{"a": "\ud800"}', "it is not UTF-8"),
        (r'{"\uDC00": 1}', "it is not UTF-8"),
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "it is nested too deep"),
        ("[" * 100_000 + "]" * 100_000, "it is nested too deep"),
        ("1" * 5000, "a number in it is too large"),
        ("[1e999]", "a number in it is too large"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        decode(text)


def test_what_only_looks_unusual_is_taken() -> None:
    assert decode(r'"\ud83d\ude00"') == "😀"
    assert decode("[" * DEEPEST + "]" * DEEPEST)
    assert decode(f'"{"[" * 1000}"') == "[" * 1000
    assert decode("[" + "{}," * 1000 + "{}]") == [{}] * 1001


def test_an_object_is_told_from_other_values() -> None:
    assert decode_object('{"a": null}') == {"a": None}
    with pytest.raises(ValueError, match="it is not a JSON object"):
        decode_object("[1]")


def test_bytes_that_are_no_text_are_shown_as_escapes() -> None:
    text = b"a\xff\xe9".decode("utf-8", "surrogateescape")
    assert readable(f"{text} olá \ud800") == r"a\xff\xe9 olá \ud800"

"""Values mean the same where the provider would not tell them apart."""

from __future__ import annotations

from typing import Any

import pytest

from lumio_cli.providers.contract.json_reading import read_json
from lumio_cli.providers.contract.values import (
    akin,
    alike,
    as_text,
    meaning,
    merged,
    moment,
    put,
    shown,
    tells,
)


@pytest.mark.parametrize(
    ("kind", "same", "one", "other"),
    [
        ("text", "exact", None, ""),
        ("integer", "exact", 5, "5"),
        ("number", "exact", "1.50", 1.5),
        ("number", "exact", "7", 7.0),
        ("number", "exact", 0.1 + 0.2, "0.3"),
        ("number", "exact", " 12 ", 12),
        ("number", "exact", "123456789012345678901234567890", 1.2345678901234568e29),
        ("date", "exact", "2026-01-31", "2026-01-31T00:00:00Z"),
        ("datetime", "exact", "2026-01-31T10:00:00.000+0000", "2026-01-31T10:00:00Z"),
        ("boolean", "exact", 1.0, True),
        ("boolean", "exact", 1, "true"),
        ("boolean", "exact", "No", 0),
        ("datetime", "exact", "2026-01-31T10:00:00Z", "2026-01-31T11:00:00+01:00"),
        ("datetime", "exact", "2026-01-31", "2026-01-31T00:00:00.000Z"),
        ("datetime", "exact", "2026-01-31 10:00:00", "2026-01-31T10:00:00Z"),
        ("datetime", "exact", "1769853600000", "2026-01-31T10:00:00Z"),
        ("epoch_ms", "exact", "2026-01-31 10:00:00Z", "2026-01-31T10:00:00.000Z"),
        ("text", "folded", "Ana@Example.com", "ana@example.COM"),
        ("json", "exact", '{"a": 1, "b": [2]}', '{"b":[2],"a":1}'),
        ("json", "set", '["vip", "new"]', '[{"name": "new"}, {"name": "vip"}]'),
        ("json", "set", '["Hot"]', '[{"id": 104, "label": "Hot"}]'),
        ("text", "set", "vip, new", "new;vip"),
    ],
)
def test_values_that_mean_the_same(kind: str, same: str, one: Any, other: Any) -> None:
    assert meaning(kind, same, one) == meaning(kind, same, other)


@pytest.mark.parametrize(
    ("kind", "same", "one", "other"),
    [
        ("text", "exact", "a", "A"),
        ("text", "exact", "5", "5.0"),
        ("text", "exact", "x", None),
        ("integer", "exact", 9007199254740993, 9007199254740992),
        ("number", "exact", "1_000", 1000),
        ("number", "exact", "\u0661\u0662", 12),
        ("number", "exact", "nan", "inf"),
        ("boolean", "exact", 0, None),
        ("datetime", "exact", "2026-01-31T10:00:00.001Z", "2026-01-31T10:00:00Z"),
        ("datetime", "exact", "soon", None),
        ("json", "exact", "[1, 2]", "[2, 1]"),
        ("json", "set", '["vip"]', "[]"),
    ],
)
def test_values_that_differ(kind: str, same: str, one: Any, other: Any) -> None:
    assert meaning(kind, same, one) != meaning(kind, same, other)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (9007199254740993, 9007199254740992.0, True),
        (123456789012345678, "1.2345678901234568e+17", True),
        (9007199254740993, 9007199254740992, False),
        (17, 17.5, False),
        ("nan", "nan", True),
    ],
)
def test_a_whole_number_that_came_back_as_a_real_one_is_the_same(
    one: Any, other: Any, same: bool
) -> None:
    assert alike("number", "exact", one, other) is same


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("datetime", "2025-01-02T09:16:26.123456Z", "2025-01-02T09:16:26.123456Z"),
        ("datetime", "2025-01-02T09:16:26.000+0000", "2025-01-02T09:16:26Z"),
        ("datetime", "2025-01-02 09:16:26", "2025-01-02T09:16:26Z"),
        ("epoch", "1735809386.000139", "2025-01-02T09:16:26.000Z"),
        ("epoch_ms", 1735809386000, "2025-01-02T09:16:26Z"),
        ("epoch", 0, None),
        ("epoch", True, None),
        ("epoch", "1e300", None),
        ("datetime", "soon", None),
        ("datetime", ["2025-01-02"], None),
        ("datetime", None, None),
    ],
)
def test_the_time_of_a_change_has_one_form(kind: str, value: Any, shown: str | None) -> None:
    assert moment(kind, value) == shown


@pytest.mark.parametrize("kind", ["integer", "number", "json", "datetime", "epoch_ms", "boolean"])
@pytest.mark.parametrize("text", ["9" * 5000, "[" * 100_000, "0001-01-01T00:00:00+01:00", "\ud83d"])
def test_every_text_means_something_if_only_itself(kind: str, text: str) -> None:
    assert meaning(kind, "exact", text) == meaning(kind, "exact", text)
    assert shown(kind, text) is not None


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("text", "", None),
        ("boolean", 1, "true"),
        ("boolean", "perhaps", "perhaps"),
        ("integer", "007", "7"),
        ("number", 2.0, "2"),
        ("number", "a lot", "a lot"),
        ("datetime", "2026-01-31", "2026-01-31"),
        ("epoch", "2026-01-31T10:00:00+01:00", "2026-01-31T09:00:00Z"),
        ("datetime", "tomorrow", "tomorrow"),
    ],
)
def test_a_change_has_texts_of_one_form(kind: str, value: Any, text: str | None) -> None:
    assert as_text(kind, value) == text


@pytest.mark.parametrize(
    ("kind", "value", "json"),
    [
        ("boolean", 1, True),
        ("integer", "12", 12),
        ("number", "1.5", 1.5),
        ("epoch", "2026-01-31T10:00:00Z", 1769853600),
        ("epoch_ms", "2026-01-31T10:00:00Z", 1769853600000),
        ("json", '["a"]', ["a"]),
        ("text", "", None),
    ],
)
def test_a_record_has_them_as_json(kind: str, value: Any, json: Any) -> None:
    assert shown(kind, value) == json


def test_a_value_is_put_at_its_path_and_objects_are_made_on_the_way() -> None:
    record: dict[str, Any] = {"a": None, "b": {"kept": 1}}
    put(record, "a.x.y", 5)
    put(record, "b.new", 2)
    assert record == {"a": {"x": {"y": 5}}, "b": {"kept": 1, "new": 2}}


def test_what_an_answer_tells_replaces_all_but_objects() -> None:
    old = {"id": "1", "tags": ["a"], "properties": {"city": "Natal", "zip": "1"}}
    new = merged(old, {"tags": [], "properties": {"city": None}})
    assert new == {"id": "1", "tags": [], "properties": {"city": None, "zip": "1"}}
    assert old["tags"] == ["a"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b'{"a": NaN, "b": -Infinity}', {"a": "NaN", "b": "-Infinity"}),
        (b'{"a": 1e400, "b": 1.5}', {"a": "1e400", "b": 1.5}),
        (b'{"a": ' + b"9" * 400 + b"}", {"a": "9" * 400}),
        (b'{"a": ' + b"9" * 5000 + b"}", {"a": "9" * 5000}),
        (b'{"a": 12345678901234567890123}', {"a": "12345678901234567890123"}),
        (b'{"a": -9223372036854775808}', {"a": -(2**63)}),
        (b'{"a": "a \x01 bell"}', {"a": "a \x01 bell"}),
        (b'{"a": "half \\ud83d"}', {"a": "half \ufffd"}),
        (b'{"\\udc00": ["\\ud83d\\ude00", "\\ud83d!"]}', {"\ufffd": ["\U0001f600", "\ufffd!"]}),
        (b'{"a": [{"b": "1\\u0000"}]}', {"a": [{"b": "1\ufffd"}]}),
        (b'{"a": "1\x00", "b": 1}', {"a": "1\ufffd", "b": 1}),
        (b'{"a": "C:\\\\u0000"}', {"a": "C:\\u0000"}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
    ],
)
def test_a_value_that_strict_json_does_not_know_costs_no_page(written: bytes, read: object) -> None:
    assert read_json(written) == read


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"a": ', b"[" * 100_000, b"nul", b'{"a": "\xff"}']
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        read_json(body)


@pytest.mark.parametrize(
    ("kind", "one", "other", "known"),
    [
        ("text", "(11) 98765-0009", "+5511987650009", True),
        ("text", "011 98765 0009", "+55 11 98765-0009", True),
        ("text", "(11) 98765-0009", "+5511987650008", False),
        ("text", "  Ana  Lima ", "ana lima", True),
        ("text", "two\nlines", "<p>two<br>lines</p>", True),
        ("text", " ", None, True),
        ("text", "Ana Lima", "Ana", False),
        ("text", "customer", "lead", False),
        ("text", "123", "1123", False),
        ("number", 10.996, 11.0, True),
        ("number", 1.234, "1.23", True),
        ("number", 5, 4, False),
        ("number", "n/a", 0, False),
        ("number", 5, None, False),
        ("datetime", "2026-01-31T10:20:30.400Z", "2026-01-31T10:20:30Z", True),
        ("datetime", "2026-01-31T10:20:30Z", "2026-01-31", True),
        ("datetime", "2026-01-31T10:20:30Z", "2026-02-01", False),
        ("json", '["b","A"]', '["a","b"]', True),
    ],
)
def test_a_form_that_a_provider_may_prefer(kind: str, one: Any, other: Any, known: bool) -> None:
    assert akin(kind, "set" if kind == "json" else "exact", one, other) is known


@pytest.mark.parametrize(
    ("record", "path", "known"),
    [
        ({"a": {"b": None}}, "a.b", True),
        ({"a": None}, "a.b", True),
        ({"a": {}}, "a.b", False),
        ({"a": []}, "a.b", False),
        ({}, "a", False),
        (None, "a", False),
    ],
)
def test_a_part_of_a_record_tells_what_it_has(record: Any, path: str, known: bool) -> None:
    assert tells(record, path) is known

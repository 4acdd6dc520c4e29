"""Values that are typed or read from a file become what the view shows of them, or are refused."""

from __future__ import annotations

from typing import Any

import pytest

from lumio_cli.hub.sqlite.columns import ViewColumn
from lumio_cli.services.records.values import given


def column(kind: str, same: str = "exact") -> ViewColumn:
    return ViewColumn("it", "it", kind, False, same)


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("text", "", None),
        ("integer", None, None),
        ("text", " as it is ", " as it is "),
        ("text", 12, "12"),
        ("text", True, "true"),
        ("integer", "1e3", 1000),
        ("integer", 7.0, 7),
        ("number", "2.50", 2.5),
        ("number", 3, 3),
        ("boolean", "Yes", 1),
        ("boolean", False, 0),
        ("datetime", "2026-01-31T10:00:00+01:00", "2026-01-31T09:00:00Z"),
        ("datetime", "2026-01-31", "2026-01-31"),
        ("datetime", "2026-01-31 09:00:00", "2026-01-31T09:00:00Z"),
        ("epoch_ms", "1769850000000", "2026-01-31T09:00:00Z"),
        ("json", [1, {"a": "é"}], '[1,{"a":"é"}]'),
        ("json", '{"a": 1}', '{"a": 1}'),
    ],
)
def test_a_value_is_given_as_the_view_shows_it(kind: str, value: Any, shown: Any) -> None:
    found = given(column(kind), value)
    assert found == shown and type(found) is type(shown)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("integer", "5.5"),
        ("integer", str(1 << 63)),
        ("integer", True),
        ("number", "inf"),
        ("number", "nan"),
        ("number", "1" * 400),
        ("boolean", "maybe"),
        ("datetime", "soon"),
        ("epoch", "31.01.2026"),
        ("json", "{"),
        ("text", ["a"]),
        ("text", "a\0b"),
        ("text", "\udc80"),
    ],
)
def test_a_value_of_another_kind_is_refused_with_what_the_column_takes(
    kind: str, value: Any
) -> None:
    with pytest.raises(ValueError, match="it takes ") as error:
        given(column(kind), value)
    assert len(str(error.value)) < 130


def test_names_of_a_set_need_not_be_json() -> None:
    assert given(column("json", "set"), "a, b") == '["a","b"]'
    assert given(column("json", "set"), '["a, b"]') == '["a, b"]'
